r"""Monte Carlo standard errors of designs whose draws depend on each other, from chains that do not.

A chain is an independent randomisation of the design. What the chains' own quantiles have in common, such as a bias
of order 1 / n, their spread does not show; and a share of n evenly spread draws often is the same in every chain and
yet not exact. So the error of a quantile is that of the distribution function at it, and no share is known better
than to one draw of all: Kaplan, Li, Nakayama and Tuffin, "Randomized quasi-Monte Carlo for quantile estimation",
Winter Simulation Conference (2019), who invert one distribution function of all chains.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from demandsim._system import Array

__all__ = ["level_mcse", "share_mcse", "spread_to_mcse"]


def spread_to_mcse(estimates: npt.ArrayLike) -> Array:
    r"""Standard errors of means of independent estimates, one per chain.

    .. math:: t_{m-1}\bigl(\Phi(1)\bigr) \, s / \sqrt m

    The factor (1.08 for 8 chains, 1.03 for 16) makes plus or minus one MCSE cover 68.3%, as for a
    normal error of known size, although s is itself estimated from few chains.

    Parameters
    ----------
    estimates : array of shape (..., chains)

    Returns
    -------
    array of shape (...,)
        NaN for a single chain.
    """
    table = np.asarray(estimates, dtype=np.float64)
    chains = table.shape[-1]
    if chains < 2:
        return np.full(table.shape[:-1], np.nan)
    # By powers of two, which change no bit: squares of numbers as large as 1e200 are no doubles.
    exponent = np.frexp(np.abs(table).max(axis=-1))[1]
    table = np.ldexp(table, -exponent[..., None])
    centred = table - table.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.sum(centred * centred, axis=-1) / (chains - 1))
    return np.asarray(np.ldexp(_few_chains(chains) * spread / math.sqrt(chains), exponent))


@functools.cache
def _few_chains(chains: int) -> float:
    from scipy import special

    return float(special.stdtrit(chains - 1, special.ndtr(1.0)))


def share_mcse(counts: Array, sizes: Array) -> Array:
    r"""Standard errors of shares of the draws.

    Where every chain counts the same number or the next, each of m chains has one more with some chance f, as known
    as in Jeffreys' interval: :math:`m f (1 - f)` draws squared. Otherwise it is the spread of the chains. To either is
    added one draw of all, the step between the shares that there are.

    Parameters
    ----------
    counts, sizes : array of shape (..., chains)
        Draws that are counted, and draws at all, of each chain.
    """
    total = sizes.sum(axis=-1)
    chance, even = _chance(counts, (counts.sum(axis=-1) / total)[..., None] * sizes)
    found = np.sqrt((chance * (1 - chance)).sum(axis=-1) + 1) / total
    return np.where(even, found, np.hypot(spread_to_mcse(counts / sizes), 1 / total))


def level_mcse(counts: Array, sizes: Array, levels: npt.ArrayLike) -> Array:
    r"""Standard errors of the distribution function at the quantiles of some levels.

    Where every chain has the same number of draws below, or the next, the quantile lies among m draws of one cell, one
    of each chain, as one of m evenly drawn numbers in its interval: by a beta distribution, and the error is
    :math:`m^2 f (1 - f) / (m + 1)` draws squared. (The variance has m + 2; but short tails, and one error shall cover
    68%.) Otherwise it is the spread of the chains. To either is added the bias of quantiles that are linear between
    draws, :math:`1/2 - p` draws.

    Parameters
    ----------
    counts : array of shape (..., chains)
        Draws of each chain that are at most the quantile of all chains.
    sizes : array of shape (..., chains)
    levels : array of shape (...,)
    """
    level = np.asarray(levels, dtype=np.float64)
    chains, total, bias = counts.shape[-1], sizes.sum(axis=-1), 0.5 - level
    chance, even = _chance(counts, level[..., None] * sizes)
    found = np.sqrt((chance * (1 - chance)).sum(axis=-1) * chains / (chains + 1) + bias * bias) / total
    return np.where(even, found, np.hypot(spread_to_mcse(counts / sizes), bias / total))


def _chance(counts: Array, expected: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Chance of one more draw in each chain, and whether every chain counts the whole number next to what is expected.

    A single chain does not tell that.
    """
    # What is whole but for rounding is whole.
    expected, chains = np.round(expected, 6), expected.shape[-1]
    below = np.floor(expected)
    even = ((counts >= below) & (counts <= np.ceil(expected))).all(axis=-1) & (chains > 1)
    return (chains * (expected - below) + 0.5) / (chains + 1), even
