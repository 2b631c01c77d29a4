"""Surfaces: conditional expectations of payoffs given several quantities, all actions at once; no labels.

Of chains of equations the payoffs depend on several quantities most often through one or two numbers, as
through the demand that they make up. Such an index is found first; low-order polynomials catch the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from demandsim._system import Array
from demandsim.decisions.folds import Folds
from demandsim.decisions.regression import Fit, fitted, least_squares, normal_ranks, spline_columns

__all__ = ["given_several"]

#: Columns of a polynomial, and of a tensor product with another design beside it, at most.
_COLUMNS = 130
_WIDEST = 420
#: Draws that a column must have on average.
_PER_COLUMN = 16
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
    scores = np.array([normal_ranks(row) for row in x])
    room = gains.shape[1] // _PER_COLUMN
    alone = _alone(scores, int(np.clip(min(room, _COLUMNS) // len(scores) - 3, 0, 6)))
    y = np.ascontiguousarray(gains.T)
    ones = np.ones(len(y))
    best: tuple[float, Fit, Array] | None = None

    def tried(design: Array) -> None:
        nonlocal best
        fit = fitted(design, y, ones, folds.edges)
        # What choices earn in parts that a fit has not seen is at most what knowing is worth: the highest is nearest.
        earned = float(folds.sizes @ fit.outside)
        if best is None or earned > best[0]:
            best = earned, fit, design

    for design in _designs(scores, alone, y, min(room, _COLUMNS)):
        tried(design)
    for _ in range(_ROUNDS):
        if best is None or best[2].shape[1] == 1:
            break
        so_far = best[2]
        for design in _tensors(so_far, y, min(room, _WIDEST)):
            tried(design)
        if best[2] is so_far:
            break
    if best is None:
        raise ValueError("no design to fit")
    return best[1]


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
    powers = (
        [p for p in itertools.product(range(degree + 1), repeat=len(scores)) if sum(p) <= degree]
        if (len(scores) <= 8)
        else None
    )
    if powers is None or len(powers) > room:
        return None
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
        if both.shape[1] + design.shape[1] <= room:
            yield np.hstack([both, design])
        else:
            yield both
    if len(indices) > 2 and room >= 294:
        yield _crossed(
            _crossed(spline_columns(indices[0], 4), spline_columns(indices[1], 4)), spline_columns(indices[2], 3)
        )


def _crossed(one: Array, other: Array) -> Array:
    return np.asarray((one[:, :, None] * other[:, None, :]).reshape(len(one), -1))
