r"""Pick-freeze: sums over points whose factors are exchanged, and what they say about indices; no labels.

With :math:`r = f - g`, the residual of a surrogate g whose indices are known exactly,

.. math::
    V &= V_g + 2 E[(g - Eg)\, r] + \mathrm{Var}\, r \\
    V_i &= V_{g,i} + 2 E[(E[g|x_i] - Eg)\, r] + \mathrm{Var}\, E[r|x_i] \\
    T_i &= T_{g,i} + 2 E[(g - E[g|x_{\sim i}])\, r] + \tfrac12 E[(\Delta r)^2]

where :math:`\Delta` is the change when factor i alone is drawn anew. Each expectation is a mean over
the points A, B and A with a factor from B. A surrogate that fits nothing leaves the estimators of
Monod et al. for :math:`V_i` and of Jansen for :math:`T_i`: the surrogate makes them more accurate, it
does not change what they estimate.

Sources: Saltelli et al., Computer Physics Communications 181 (2010), design of the points; Jansen,
ibid. 117 (1999); Janon et al., ESAIM: P&S 18 (2014); Owen, ACM TOMACS 23 (2013), mean-zero products as
control variates; Qian et al., SIAM/ASA J. Uncertainty Quantification 6 (2018), two levels of models.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.sensitivity.surrogate.basis import Features
from demandsim.sensitivity.surrogate.expansion import Surrogate

__all__ = ["Indices", "Outputs", "Sums", "indices", "sums_of"]


@dataclass(frozen=True, eq=False)
class Outputs:
    """Values of one target at exchanged points, shape (draws,) or (factors, draws).

    Parameters
    ----------
    a, b : array
        At two independent sets of points.
    ab, ba : array
        At A with each factor in turn from B, and the other way round; `ba` may have no rows.
    """

    a: Array
    b: Array
    ab: Array
    ba: Array


@dataclass(frozen=True, eq=False)
class Sums:
    """Means of products over the valid points of each chain, by name; chains first.

    Parameters
    ----------
    means : mapping of str to array of shape (chains, ...)
    count : array of shape (chains,)
        Valid points.
    invalid : int
        Evaluations that were NaN or infinite.
    """

    means: Mapping[str, Array]
    count: Array
    invalid: int

    def plus(self, other: Sums) -> Sums:
        """Add further points of the same chains."""
        means = {name: total + other.means[name] for name, total in self.means.items()}
        return Sums(means, self.count + other.count, self.invalid + other.invalid)

    @staticmethod
    def joined(parts: Sequence[Sums]) -> Sums:
        """Put the sums of different chains together."""
        means = {name: np.concatenate([part.means[name] for part in parts]) for name in parts[0].means}
        count = np.concatenate([part.count for part in parts])
        return Sums(means, count, sum(part.invalid for part in parts))


def sums_of(surrogate: Surrogate, a: Features, b: Features, y: Outputs, chains: int) -> Sums:
    """Sum up the points of some chains (equally many of each, one chain after the other)."""
    factors = len(y.ab)
    everything = np.vstack([y.a[None], y.b[None], y.ab, y.ba])
    invalid = int(np.count_nonzero(~np.isfinite(everything)))
    valid = np.isfinite(everything).all(axis=0) if invalid else None

    def mean(values: Array) -> Array:
        kept = values if valid is None else np.where(valid, values, 0.0)
        return np.asarray(kept.reshape(*kept.shape[:-1], chains, -1).sum(axis=-1)).T

    with np.errstate(invalid="ignore", over="ignore"):
        ga, gb = surrogate.value(a), surrogate.value(b)
        swaps = list(surrogate.swaps(a, b, ga))
        back = list(surrogate.swaps(b, a, gb)) if len(y.ba) else []
        ra, rb = y.a - ga, y.b - gb
        gi = np.array([swap.value for swap in swaps])
        ri = y.ab - gi
        without = np.array([swap.without for swap in swaps])
        at_a, at_b = (np.array([getattr(swap, name) for swap in swaps]) for name in ("at_a", "at_b"))
        # All points whose factor i is that of A, or that of B, look at the same expectation given it.
        beside = (ra + ri.sum(axis=0) - ri) / factors
        found = {
            "r": mean(np.vstack([ra[None], rb[None], ri])),
            "rr": mean(0.5 * (ra * ra + rb * rb)),
            "gr": mean(0.5 * ((ga - surrogate.mean) * ra + (gb - surrogate.mean) * rb)),
            "ab": mean(ra * rb),
            "cross": mean(0.5 * (at_a * beside + at_b * 0.5 * (rb + ri))),
            "frozen": mean(rb * ri),
            "own": mean(0.5 * ((ga - without) * ra + (gi - without) * ri)),
            "rest": mean(0.5 * (ra - ri) ** 2),
        }
        if back:
            rj = y.ba - np.array([swap.value for swap in back])
            one, other = np.triu_indices(factors, 1)
            found["rj"] = mean(rj)
            found["pairs"] = mean(0.5 * (ri[one] * rj[other] + ri[other] * rj[one]))
            found["pair_cross"] = _pair_cross(surrogate, a, b, (ra, rb), mean)
    count = np.full(chains, len(ra) // chains) if valid is None else valid.reshape(chains, -1).sum(axis=-1)
    return Sums(found, count.astype(float), invalid)


def _pair_cross(
    surrogate: Surrogate, a: Features, b: Features, residuals: tuple[Array, Array], mean: Callable[[Array], Array]
) -> Array:
    """Mean of the surrogate's expectation given two factors, times the residual."""
    rows = []
    one, other = np.triu_indices(surrogate.space.factors, 1)
    for i, j in zip(one, other, strict=True):
        given = np.isin(surrogate.space.owner, (i, j)).astype(float)
        rows.append(0.5 * sum(surrogate.expectation(f, given) * r for f, r in zip((a, b), residuals, strict=True)))
    return mean(np.array(rows))


@dataclass(frozen=True, eq=False)
class Indices:
    """Estimates, and for each the values whose spread over chains is its error.

    Parameters
    ----------
    estimates : mapping of str to array
        ``first_order``, ``total_order``, ``second_order``.
    chains : mapping of str to array of shape (chains, ...)
        The same of every chain, linearised about the estimate.
    """

    estimates: Mapping[str, Array]
    chains: Mapping[str, Array]


def indices(surrogate: Surrogate, sums: Sums, reach: npt.NDArray[np.bool_]) -> Indices:
    """Turn sums into indices.

    Parameters
    ----------
    surrogate : Surrogate
    sums : Sums
    reach : bool array of shape (factors,)
        Factors that the target is computed from at all; the indices of the others are exactly 0.
    """
    factors = len(reach)
    alone = surrogate.space.masks(np.eye(factors))
    exact_first = surrogate.explained(alone)
    variance = float(surrogate.explained(np.ones_like(alone[:1]))[0])
    exact_total = variance - surrogate.explained(1.0 - alone)

    @functools.cache
    def mean(name: str) -> Array:
        count = sums.count.reshape(-1, *(1,) * (sums.means[name].ndim - 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums.means[name] / count)

    ra, rb, ri = mean("r")[:, 0], mean("r")[:, 1], mean("r")[:, 2:]
    centre = 0.5 * (ra + rb)
    total = variance + 2 * mean("gr") + mean("rr") - centre**2
    # The product of independent residuals has mean zero. It goes with the frozen product as far as their
    # points have factors in common: hardly for a large index, nearly wholly for a small one.
    with np.errstate(invalid="ignore", divide="ignore"):
        own = (mean("rr") - centre**2).mean()
        share = np.clip(1.0 - mean("rest").mean(axis=0) / own, 0.0, 1.0) if own > 0 else np.zeros(factors)
    noise = (mean("ab") - ra * rb)[:, None]
    numerators = {
        "first_order": exact_first + 2 * mean("cross") + mean("frozen") - rb[:, None] * ri - share * noise,
        "total_order": exact_total + 2 * mean("own") + mean("rest"),
    }
    if "pairs" in sums.means:
        one, other = np.triu_indices(factors, 1)
        given = surrogate.explained(alone[one] + alone[other])
        rj = mean("rj")
        closed = given + 2 * mean("pair_cross") + mean("pairs")
        closed = closed - 0.5 * (ri[:, one] * rj[:, other] + ri[:, other] * rj[:, one])
        first = numerators["first_order"]
        table = np.full((len(total), factors, factors), np.nan)
        table[:, one, other] = table[:, other, one] = closed - first[:, one] - first[:, other]
        numerators["second_order"] = table
    pooled = total.mean()
    estimates, chains = {}, {}
    for name, numerator in numerators.items():
        known = reach if numerator.ndim == 2 else reach[:, None] & reach[None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = numerator.mean(axis=0) / pooled if pooled > 0 else np.full(numerator.shape[1:], np.nan)
            each = ratio + (numerator - ratio * total.reshape(-1, *(1,) * (numerator.ndim - 1))) / pooled
        # An index of a target that does not vary is no number, also where a factor cannot reach it.
        keep = known | ~np.isfinite(ratio)
        estimates[name] = np.where(keep, ratio, 0.0)
        chains[name] = np.where(keep, each, 0.0)
    return Indices(estimates, chains)
