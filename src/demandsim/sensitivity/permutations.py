"""Permutations of the factors: orders in which they join, points drawn anew given the others, exact divisions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores
from demandsim.sampling.qmc import UNIFORMS, Stream
from demandsim.sensitivity.inputs import Inputs, Places, scores
from demandsim.sensitivity.surrogate.fit import StandIn
from demandsim.sensitivity.surrogate.gaussian import GaussianSurrogate, explained_together

__all__ = ["divided", "exact", "given_the_rest", "orders_of", "redrawn"]

#: Most factors of which all subsets are looked at; with more, random orders are.
_ALL_SUBSETS = 10
#: Random orders per chain in which the surrogate's variance is divided, where subsets are too many.
_ORDERS = 64


def orders_of(inputs: Inputs, seed: int, chain: int, draws: int) -> Places:
    """An order of the factors for every point: each equally often if there are few, else at random."""
    d = len(inputs.factors)
    if math.factorial(d) <= draws // 4:
        every = np.array(list(itertools.permutations(range(d))))
        return every[np.arange(draws) % len(every)]
    keys = [UNIFORMS["random"](seed, chain, Stream("|order", f, 0), 0, draws, draws) for f in range(d)]
    orders = np.argsort(np.array(keys), axis=0).T
    # Every second order is the one before it reversed, which cancels much of what order does.
    orders[1::2] = orders[::2][: draws // 2, ::-1]
    return orders


def redrawn(inputs: Inputs, base: Array, fresh: Array, joined: Places) -> Array:
    """Normal scores with the factors that have joined drawn again, given the others."""
    factors = len(inputs.factors)
    has = np.zeros((len(joined), factors), dtype=bool)
    np.put_along_axis(has, joined, True, axis=1)
    out = np.where(has[:, inputs.owner].T, fresh, base)
    tied = np.flatnonzero(~np.array(inputs.alone))
    if not tied.size:
        return out
    # Only coordinates that depend on others are drawn given them, and there are few ways in which these have joined.
    kinds, which = np.unique(has[:, np.unique(inputs.owner[tied])], axis=0, return_inverse=True)
    for number in range(len(kinds)):
        rows = np.flatnonzero(which.reshape(-1) == number)
        new = tied[has[rows[0], inputs.owner[tied]]]
        if new.size:
            out[np.ix_(tied, rows)] = given_the_rest(inputs, base[:, rows], fresh[:, rows], new)[tied]
    return out


def given_the_rest(inputs: Inputs, base: Array, fresh: Array, new: Places) -> Array:
    """Normal scores with some coordinates drawn again, given the others.

    Parameters
    ----------
    inputs : Inputs
    base : array of shape (coordinates, points)
        Normal scores under the copula.
    fresh : array of the same shape
        Independent standard normal numbers.
    new : array of int
        Coordinates.
    """
    out = base.copy()
    old = np.setdiff1d(np.arange(len(base)), new)
    r = inputs.correlation
    pull = np.linalg.solve(r[np.ix_(old, old)], r[np.ix_(old, new)]).T if old.size else np.zeros((new.size, 0))
    left = r[np.ix_(new, new)] - pull @ r[np.ix_(old, new)]
    root = np.linalg.cholesky(left)
    out[new] = pull @ base[old] + root @ fresh[new]
    if inputs.tails:
        drawn = inputs.redrawn(normal_scores(base), normal_scores(fresh), new)
        tied = np.intersect1d(new, [place for places in inputs.tails for place in places])
        out[tied] = scores(drawn[tied])
    return out


def exact(inputs: Inputs, surrogates: Sequence[StandIn], orders: Places) -> Array:
    """The surrogates' variance divided among the factors, shape (elements, factors)."""
    d = len(inputs.factors)
    if d <= _ALL_SUBSETS:
        subsets = (np.arange(1 << d)[:, None] >> np.arange(d)) & 1
        return divided(_explained(surrogates, subsets[:, inputs.owner].astype(float)), d)
    out = np.zeros((len(surrogates), d))
    tried = orders[:_ORDERS]
    masks = np.zeros((len(tried), d + 1, d))
    for own, order in zip(masks, tried, strict=True):
        own[1:, order] = np.tril(np.ones((d, d)))
    every, which = np.unique(masks.reshape(-1, d), axis=0, return_inverse=True)
    explained = _explained(surrogates, every[:, inputs.owner])[:, which.reshape(-1)].reshape(
        len(surrogates), len(tried), d + 1
    )
    for place, order in enumerate(tried):
        out[:, order] += np.diff(explained[:, place], axis=1) / len(tried)
    return out


def _explained(surrogates: Sequence[StandIn], masks: Array) -> Array:
    """Variance of the surrogates' expectations given some coordinates, shape (surrogates, subsets)."""
    gaussian = [own for own in surrogates if isinstance(own, GaussianSurrogate)]
    if surrogates and len(gaussian) == len(surrogates):
        return explained_together(gaussian, masks)
    return np.stack([own.explained(masks) for own in surrogates])


def divided(explained: Array, d: int) -> Array:
    """Shapley values of a game given for all subsets, numbered by their bits; shape (games, players)."""
    number = np.arange(1 << d)
    size = np.array([n.bit_count() for n in number.tolist()])
    weight = np.array([math.factorial(s) * math.factorial(d - s - 1) / math.factorial(d) for s in range(d)])
    out = np.empty((len(explained), d))
    for player in range(d):
        absent = number[(number >> player) & 1 == 0]
        gained = explained[:, absent | (1 << player)] - explained[:, absent]
        out[:, player] = gained @ weight[size[absent]]
    return out
