r"""Importance: draws of the prior, resampled by their Pareto-smoothed weights, each chain by itself.

Sources: Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling", JMLR 25 (2024);
Kong, Liu and Wong, JASA 89 (1994), effective sample size; Kitagawa, J. Comput. Graph. Stat. 5 (1996),
systematic resampling.
"""

from __future__ import annotations

import functools
import importlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.inference.prior_pool import Pool, chosen_uniforms

__all__ = [
    "Weighed",
    "arviz_kernels",
    "effective_size",
    "keyed",
    "log_mean",
    "normalised",
    "resampled",
    "smoothed",
    "systematic",
    "weighed",
    "weighed_by",
]


@functools.cache
def arviz_kernels() -> Any:
    """ArviZ's statistics of plain arrays, imported when first asked for."""
    return importlib.import_module("arviz_stats.base").array_stats


def normalised(log_weights: Array) -> Array:
    """Weights that sum to 1, from logarithms of which at least one is finite."""
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


def effective_size(log_weights: Array) -> float:
    r"""Kish's effective sample size, :math:`(\sum w)^2 / \sum w^2`; 0 if every weight is.

    Examples
    --------
    >>> effective_size(np.log([0.5, 0.5])), effective_size(np.array([0.0, -np.inf]))
    (2.0, 1.0)
    """
    top = log_weights.max(initial=-math.inf)
    if not top > -math.inf:
        return 0.0
    weights = np.exp(log_weights - top)
    return float(weights.sum() ** 2 / np.sum(weights * weights))


def log_mean(log_weights: Array) -> float:
    """Logarithm of the mean of weights that are given as logarithms."""
    top = log_weights.max()
    return float(top + np.log(np.mean(np.exp(log_weights - top)))) if top > -math.inf else -math.inf


def smoothed(log_weights: Array) -> tuple[Array, float]:
    r"""Pareto-smooth the largest weights, and tell the shape :math:`\hat k` of their tail.

    Returns
    -------
    log_weights : array
        As given where the tail has no shape: all weights of the tail equal, as those of an event are, or too few.
    khat : float
        Above 0.7, estimates from these weights cannot be trusted. 0 for a tail of equal weights, which is bounded;
        infinite if there are too few weights to tell.
    """
    possible = np.isfinite(log_weights)
    given = log_weights[possible]
    if given.size < 25:
        return log_weights, math.inf
    tail = math.ceil(min(0.2 * given.size, 3 * math.sqrt(given.size)))
    top = np.partition(given, given.size - tail - 1)[given.size - tail - 1 :]
    if top.max() - top.min() < 1e-9:
        return log_weights, 0.0
    with np.errstate(all="ignore"):
        # ArviZ takes log-likelihoods of points left out, which are the negative of log-weights.
        found, khat = arviz_kernels().psislw(-given, axis=-1)
    if not math.isfinite(float(khat)) or not np.all(np.isfinite(found)):
        return log_weights, math.inf
    out = np.full(log_weights.shape, -math.inf)
    out[possible] = found
    return out, float(khat)


def systematic(log_weights: Array, draws: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Choose places in proportion to their weights, evenly over weights of every size.

    Places are gone through by weight, equal ones in random order. In their own order they would not be evenly
    chosen: points of a Sobol' sequence repeat a pattern, of which even steps would always meet the same part.

    Parameters
    ----------
    log_weights : array
    draws : int
    rng : Generator

    Returns
    -------
    array of int
        Increasing, each as often as it was chosen.

    Examples
    --------
    >>> systematic(np.log([1.0, 2.0, 1.0]), 4, np.random.default_rng(1)).tolist()
    [0, 1, 1, 2]
    """
    order = np.lexsort((rng.random(log_weights.size), log_weights))
    levels = np.cumsum(normalised(log_weights[order]))
    points = (np.arange(draws) + rng.random()) / draws * levels[-1]
    found = np.searchsorted(levels, points, side="right")
    # A point at the very end may round to beyond it.
    return np.sort(order[np.minimum(found, order.size - 1)])


def keyed(seed: int, *words: int) -> np.random.Generator:
    """A generator of its own for one purpose, world and chain."""
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=(0xE71D, *words))))


@dataclass(frozen=True, eq=False)
class Weighed:
    """What the weights of one world are like.

    Parameters
    ----------
    log_weights : array of shape (chains, draws)
        Smoothed within each chain, so that chains stay independent.
    khat : float
        Shape of the tail of all weights together, which tells it more surely than one chain can.
    sizes : array of shape (chains,)
        Effective sample size of each chain.
    log_evidences : array of shape (chains,)
        Logarithm of the mean likelihood, by each chain.
    """

    log_weights: Array
    khat: float
    sizes: Array
    log_evidences: Array


def weighed(log_likelihood: Array) -> Weighed:
    """Smooth the weights of draws of the prior in one world, shape (chains, draws)."""
    return weighed_by(log_likelihood - math.log(log_likelihood.shape[1]))


def weighed_by(log_weights: Array) -> Weighed:
    """Smooth weights of which each chain's add up to the mean likelihood, shape (chains, draws)."""
    if not np.isfinite(log_weights).any():
        return Weighed(log_weights, math.inf, np.zeros(len(log_weights)), np.full(len(log_weights), -math.inf))
    _, khat = smoothed(log_weights.ravel())
    rows = np.stack([smoothed(row)[0] for row in log_weights])
    sizes = np.array([effective_size(row) for row in rows])
    return Weighed(rows, khat, sizes, np.logaddexp.reduce(log_weights, axis=1))


def resampled(pool: Pool, found: Weighed, streams: tuple[int, ...], world: int, draws: int) -> Array:
    """Equal-weight draws of one world, as numbers before the copula, shape (streams, chains * draws)."""
    parts = []
    for chain, row in enumerate(found.log_weights):
        places = systematic(row, draws, keyed(pool.run.seed, 0, world, chain))
        parts.append(chosen_uniforms(pool, streams, chain, places))
    return np.concatenate(parts, axis=1)
