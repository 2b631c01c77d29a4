r"""Neighbours: conditional expectations by draws that are alike, and what a fit to several quantities has missed.

Payoffs may depend on several quantities only through all of them together, as a product of signs does: no sum of
functions of one or two of them follows it. Means over cells of all quantities do, and means over the nearest draws.

What a fit m' misses of the expectation m is seen in its errors r on parts that it has not seen: those of draws that
are alike go together as far as the fit is wrong, whatever the noise of each,

.. math:: E\,[r_i r_j] \to E\,(m - m')^2 \quad\text{as}\quad |x_i - x_j| \to 0
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.decisions.folds import Folds

__all__ = ["by_cells", "by_neighbours", "cells_of", "missed"]

#: Draws of an eighth of all that a cell must have on average: fine cells find the pattern of a low-discrepancy design,
#: which all chains share. Most cells along a quantity, and most quantities that are crossed.
_PER_CELL, _MOST_CELLS, _CROSSED = 16, 32, 12
#: Neighbours that are averaged, and most numbers that are gone through for them.
_NEAREST, _MOST_WORK = 16, 400_000_000
#: Weight of the mean of all draws in that of a cell, in draws.
_PRIOR = 1.0
#: Most draws whose neighbours are looked for.
_LOOKED_AT = 1 << 15
#: Neighbours that are tried until one belongs to another replicate.
_TRIED = 4


def cells_of(grades: Array) -> Iterator[npt.NDArray[np.intp]]:
    """Number the cell of every draw, each quantity cut into equally full parts: coarse to fine.

    Parameters
    ----------
    grades : array of shape (quantities, draws)
        Ranks between 0 and 1.
    """
    quantities, draws = grades.shape
    if quantities > _CROSSED:
        return
    pieces = 2
    while pieces <= _MOST_CELLS and pieces**quantities * _PER_CELL <= draws // 8:
        cell = np.zeros(draws, dtype=np.intp)
        for row in grades:
            cell = cell * pieces + np.minimum((row * pieces).astype(np.intp), pieces - 1)
        yield cell
        pieces *= 2 if quantities < 4 or pieces > 3 else 1
        pieces += 1 if quantities >= 4 and pieces < 4 else 0


def by_cells(cell: npt.NDArray[np.intp], y: Array, folds: Folds) -> tuple[Array, Array]:
    """Means of payoffs over the cell of each draw: of all draws, and of those of all parts but its own.

    Parameters
    ----------
    cell : int array of shape (draws,)
    y : array of shape (draws, actions)
    folds : Folds
    """
    number = int(cell.max()) + 1
    part = np.repeat(np.arange(len(folds)), folds.sizes.astype(np.intp))
    counts = np.bincount(part * number + cell, minlength=len(folds) * number).reshape(len(folds), number)
    whole, rest = counts.sum(axis=0), counts.sum(axis=0) - counts
    inside, outside = np.empty_like(y), np.empty_like(y)
    for action, values in enumerate(y.T):
        sums = np.bincount(part * number + cell, values, len(folds) * number).reshape(len(folds), number)
        every, mean = sums.sum(axis=0), float(values.mean())
        # A cell that is empty elsewhere is as good as any.
        inside[:, action] = ((every + _PRIOR * mean) / (whole + _PRIOR))[cell]
        outside[:, action] = ((every - sums + _PRIOR * mean) / (rest + _PRIOR))[part, cell]
    return inside, outside


def by_neighbours(grades: Array, y: Array, folds: Folds) -> tuple[Array, Array] | None:
    """Means of payoffs over the draws nearest to each: of all, and of all parts but its own; None if too many."""
    from scipy.spatial import cKDTree

    draws, actions = y.shape
    if draws * actions * _NEAREST * 2 > _MOST_WORK or draws < 4 * _NEAREST:
        return None
    points = np.ascontiguousarray(grades.T)
    nearest = cKDTree(points).query(points, _NEAREST)[1]
    inside, outside = np.zeros_like(y), np.zeros_like(y)
    for place in range(_NEAREST):
        inside += y[nearest[:, place]] / _NEAREST
    for number in range(len(folds)):
        part = folds.part(number)
        others = np.delete(np.arange(draws), np.arange(part.start, part.stop))
        nearest = others[cKDTree(points[others]).query(points[part], _NEAREST)[1]]
        for place in range(_NEAREST):
            outside[part] += y[nearest[:, place]] / _NEAREST
    return inside, outside


def _alike(points: Array, replicate: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The nearest draw of each, and one about twice as far away: of other replicates, within which draws depend."""
    from scipy.spatial import cKDTree

    tree, own, found = cKDTree(points), np.arange(len(points)), []
    for first in (2, min(2 ** points.shape[1], 32) + 1):
        nearest = tree.query(points, list(range(first, first + _TRIED)))[1]
        nearest = np.minimum(nearest, len(points) - 1)
        apart = replicate[nearest] != replicate[:, None]
        found.append(nearest[own, apart.argmax(axis=1)])
    return found[0], found[1]


def missed(grades: Array, errors: Array, folds: Folds) -> tuple[float, bool]:
    r"""How much more than by a fit an expectation may be worth, and whether the fit has clearly missed something.

    With :math:`B_a^2 = E (m_a - m'_a)^2` the mean of the largest of some expectations is larger than that of the
    fits by at most :math:`\tfrac12 B` for two actions of which one is certain, and about :math:`\max_a B_a` for more.

    Parameters
    ----------
    grades : array of shape (quantities, draws)
    errors : array of shape (draws, actions)
        Of predictions of parts that a fit has not seen.
    folds : Folds
    """
    points = np.ascontiguousarray(grades.T[:_LOOKED_AT])
    errors = errors[:_LOOKED_AT]
    replicate = np.repeat(folds.replicate, folds.sizes.astype(np.intp))[:_LOOKED_AT]
    near_one, far_one = _alike(points, replicate)
    size = math.sqrt(len(points))
    most, clear = 0.0, False
    for action in range(errors.shape[1]):
        own = errors[:, action] - errors[:, action].mean()
        total = float(own @ own) / len(own)
        if total == 0:
            continue
        near, apart = own * own[near_one], own * own[far_one]
        one, other = float(near.mean()), float(apart.mean())
        # Each pair may stand twice: the error of as many independent ones is about half as large again.
        noise = 1.5 * float(near.std()) / size
        seen = one > 4 * noise
        clear = clear or seen
        square = 2 * max(one, 0.0) + 2 * noise
        if seen:
            # What falls off with distance as it does from near to far, falls off so from nothing to near.
            square = max(one * one / other, 2 * one - other) + 2 * noise if other > noise else total
        most = max(most, math.sqrt(min(square, total)))
    varying = int(np.count_nonzero(np.ptp(errors, axis=0) > 0))
    return (0.5 if varying == 1 else 1.0) * most, clear
