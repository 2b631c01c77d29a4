"""Surfaces: conditional expectations of payoffs given several quantities together; no labels.

Of chains of equations the payoffs depend on several quantities most often through one or two numbers, as
through the demand that they make up. Such an index is found first; low-order polynomials catch the rest, and
means over draws that are alike in all quantities what depends on all of them at once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from demandsim._system import Array
from demandsim.decisions.folds import Folds
from demandsim.decisions.neighbours import by_cells, by_neighbours, cells_of, missed
from demandsim.decisions.regression import Fit, judged, normal_ranks, predictions, spline_columns
from demandsim.statistics.estimators import least_squares

__all__ = ["given_several"]

#: Columns of a polynomial, and of a tensor product with another design beside it, at most.
_COLUMNS = 130
_WIDEST = 420
#: Draws that a column must have on average.
_PER_COLUMN = 16
#: Chance by which a fit that is no better than a simpler one earns as much more: that of three standard errors of a
#: normal number, many of which are tried.
_CHANCE = 0.00135
#: Times that indices are found from the best fit so far.
_ROUNDS = 2


def given_several(x: Array, gains: Array, folds: Folds) -> Fit:
    """Value of choosing by several quantities together.

    Parameters
    ----------
    x : array of shape (quantities, draws)
    gains : array of shape (actions, draws)
        Payoffs less that of the action that is best on average.
    folds : Folds

    Notes
    -----
    Sums of splines and polynomials come first. The main directions of what the best of them predicts for all
    actions are indices; a tensor product of splines of two or three of them follows the payoffs closely, since
    payoffs see several quantities most often through one or two numbers.
    """
    from scipy import special

    scores = np.array([normal_ranks(row) for row in x])
    room = gains.shape[1] // _PER_COLUMN
    alone = _alone(scores, int(np.clip(min(room, _COLUMNS) // len(scores) - 3, 0, 6)))
    y = np.ascontiguousarray(gains.T)
    ones = np.ones(len(y))
    best: _Tried | None = None

    def tried(found: tuple[Array, Array], terms: int, design: Array | None = None) -> None:
        nonlocal best
        fit = judged(*found, y, ones, folds.edges, terms=terms)
        if terms == 1:
            # To know nothing is worth nothing: what others must earn more than.
            fit = replace(fit, outside=np.zeros(len(folds)))
        # What choices earn in parts that a fit has not seen is at most what knowing is worth: the highest is nearest,
        # if it is higher by more than chance. The simple come first.
        if best is None or _clearly_more(fit.outside - best.fit.outside):
            best = _Tried(fit, found[1], design)

    for design in _designs(scores, alone, y, min(room, _COLUMNS)):
        tried(predictions(design, y, ones, folds.edges), design.shape[1], design)
    for _ in range(_ROUNDS):
        so_far = best.design if best is not None else None
        if so_far is None or so_far.shape[1] == 1:
            break
        for design in _tensors(so_far, y, min(room, _WIDEST)):
            tried(predictions(design, y, ones, folds.edges), design.shape[1], design)
        if best is None or best.design is so_far:
            break
    grades = special.ndtr(scores)
    for cell in cells_of(grades):
        tried(by_cells(cell, y, folds), int(cell.max()) + 1)
    if best is None:
        raise ValueError("no design to fit")
    more, clear = missed(grades, y - best.predicted, folds)
    if clear and (found := by_neighbours(grades, y, folds)) is not None:
        tried(found, len(y))
        more = missed(grades, y - best.predicted, folds)[0]
    return replace(best.fit, missed=more, picked=True)


@dataclass(frozen=True, eq=False)
class _Tried:
    """A fit, what it predicted of parts that it had not seen, and its columns, if it has any."""

    fit: Fit
    predicted: Array
    design: Array | None


def _clearly_more(gained: Array) -> bool:
    """Whether parts gain on average, by more standard errors than the best of many tries does by chance."""
    from scipy import special

    if gained.size < 2:
        return True
    # Few parts tell their spread badly.
    clear = float(special.stdtrit(gained.size - 1, 1 - _CHANCE))
    return bool(gained.mean() * math.sqrt(gained.size) > clear * gained.std(ddof=1))


def _designs(scores: Array, alone: Array, y: Array, room: int) -> Iterator[Array]:
    """Columns to try: none; each quantity alone; polynomials of all; indices with what is left."""
    yield np.ones((len(y), 1))
    for degree in (1, 2, 3, 4):
        polynomial = _polynomial(scores, degree, room)
        if polynomial is None:
            break
        yield polynomial
    yield alone
    first = spline_columns(_index(alone, y), int(np.clip(room // 3, 1, 48)))
    yield first
    yield np.hstack([first, alone[:, 1:]])


def _alone(scores: Array, pieces: int) -> Array:
    """Splines of each quantity, or straight lines where there are few draws."""
    one = np.ones((scores.shape[1], 1))
    if pieces < 1:
        return np.hstack([one, scores.T])
    return np.hstack([one, *(spline_columns(z, pieces)[:, 1:] for z in scores)])


def _polynomial(scores: Array, degree: int, room: int) -> Array | None:
    """All products of powers of the scores up to a total degree; None if they are too many."""
    if math.comb(len(scores) + degree, degree) > room or len(scores) > 8:
        return None
    powers = [p for p in itertools.product(range(degree + 1), repeat=len(scores)) if sum(p) <= degree]
    hermite = [np.ones_like(scores), scores]
    for n in range(1, degree):
        # Normalised, so that columns are nearly orthonormal where the quantities are independent.
        hermite.append((scores * hermite[n] - np.sqrt(n) * hermite[n - 1]) / np.sqrt(n + 1))
    columns = [np.prod([hermite[n][place] for place, n in enumerate(power)], axis=0) for power in powers]
    return np.stack(columns, axis=1)


def _index(alone: Array, y: Array) -> Array:
    """Sum of functions of one quantity each that follows the main difference between payoffs.

    The ranks of a product of factors follow such a sum, whatever the payoff makes of the product.
    """
    _, vectors = np.linalg.eigh(y.T @ y)
    target = normal_ranks(y @ vectors[:, -1])[:, None]
    return normal_ranks((alone @ least_squares(alone.T @ alone, alone.T @ target))[:, 0])


def _tensors(design: Array, y: Array, room: int) -> Iterator[Array]:
    """Tensor products of splines of the main directions of what a fit predicts."""
    predicted = design @ least_squares(design.T @ design, design.T @ y)
    size = np.abs(predicted).max(axis=1, keepdims=True)
    # Of equal size in every draw: which action is best does not hang on how much is at stake.
    predicted /= np.maximum(size, 1e-6 * size.max())
    values, vectors = np.linalg.eigh(predicted.T @ predicted)
    indices = [
        normal_ranks(predicted @ vector)
        for value, vector in zip(values[::-1][:3], vectors.T[::-1][:3], strict=True)
        if value > 1e-9 * values[-1]
    ]
    if len(indices) > 1 and room >= 196:
        both = _crossed(spline_columns(indices[0], 11), spline_columns(indices[1], 11))
        yield np.hstack([both, design]) if both.shape[1] + design.shape[1] <= room else both
    if len(indices) > 2 and room >= 294:
        yield _crossed(
            _crossed(spline_columns(indices[0], 4), spline_columns(indices[1], 4)), spline_columns(indices[2], 3)
        )


def _crossed(one: Array, other: Array) -> Array:
    return np.asarray((one[:, :, None] * other[:, None, :]).reshape(len(one), -1))
