"""Importance: draws of the prior, resampled by their Pareto-smoothed weights, each chain by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.inference.prior_pool import Pool, chosen_uniforms
from demandsim.inference.weights import effective_size, keyed, log_mean, smoothed, systematic

__all__ = ["Weighed", "resampled", "weighed"]


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
    log_evidence : float
        Logarithm of the mean likelihood.
    """

    log_weights: Array
    khat: float
    sizes: Array
    log_evidence: float


def weighed(log_likelihood: Array) -> Weighed:
    """Smooth the weights of one world, shape (chains, draws)."""
    if not np.isfinite(log_likelihood).any():
        return Weighed(log_likelihood, math.inf, np.zeros(len(log_likelihood)), -math.inf)
    _, khat = smoothed(log_likelihood.ravel())
    rows = np.stack([smoothed(row)[0] for row in log_likelihood])
    sizes = np.array([effective_size(row) for row in rows])
    return Weighed(rows, khat, sizes, log_mean(log_likelihood.ravel()))


def resampled(pool: Pool, found: Weighed, streams: tuple[int, ...], world: int, draws: int) -> Array:
    """Equal-weight draws of one world, as numbers before the copula, shape (streams, chains * draws)."""
    parts = []
    for chain, row in enumerate(found.log_weights):
        places = systematic(row, draws, keyed(pool.run.seed, 0, world, chain))
        parts.append(chosen_uniforms(pool, streams, chain, places))
    return np.concatenate(parts, axis=1)
