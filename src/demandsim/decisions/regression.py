"""Regression: conditional expectations of payoffs given quantities, all actions at once; no labels.

Of chains of equations the payoffs depend on several quantities most often through one or two numbers, as
through the demand that they make up. Such an index is found first; low-order polynomials catch the rest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.decisions.folds import Folds
from demandsim.statistics.estimators import least_squares

__all__ = ["Fit", "given_one", "given_several", "normal_ranks"]

#: Draws that are averaged before the fit, at most: neighbours in the quantity, so that hardly anything is lost.
_CELL = 16
#: Cells of all draws together, at least, as far as there are so many draws.
_ROWS = 4096
#: Different values up to which a quantity counts as discrete, and each has a mean of its own.
_CLASSES = 48
#: Pieces of the splines that are tried, coarse to fine.
_PIECES = (1, 2, 4, 8, 16, 32, 64, 128)
#: Draws that a piece must have on average.
_PER_PIECE = 24
#: Knots are equally spaced in the grade of z / 1.5: closer in the middle, and never alone with a few draws.
_STRETCH = 1.5
#: Columns of a polynomial, and of a tensor product with another design beside it, at most.
_COLUMNS = 130
_WIDEST = 420
#: Draws that a column must have on average.
_PER_COLUMN = 16
#: Times that indices are found from the best fit so far.
_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Fit:
    """What choosing by a fit is worth, over the action that is best on average.

    Parameters
    ----------
    inside : float
        Mean of the largest fitted payoff: too high, since noise is chosen too.
    outside : array of shape (parts,)
        What the choice by a fit to the other parts earned in each part: too low, by about as much.
    terms : int
        Degrees of freedom of the fit.
    error : float
        Squared error on parts that a fit has not seen, summed over draws and actions.
    """

    inside: float
    outside: Array
    terms: int
    error: float


def normal_ranks(values: Array) -> Array:
    """Normal scores of the ranks of some values; equal values have equal scores."""
    from scipy import special

    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(first, values.size))
    middle = first + 0.5 * counts
    scores = np.empty(values.size)
    scores[order] = np.repeat(special.ndtri(middle / values.size), counts)
    return scores


def spline_columns(z: Array, pieces: int) -> Array:
    """Cubic B-splines over normal scores, shape (values, pieces + 3); they add up to 1."""
    from scipy import special
    from scipy.interpolate import BSpline

    low, high = float(z.min()), float(z.max())
    grades = np.linspace(special.ndtr(low / _STRETCH), special.ndtr(high / _STRETCH), pieces + 1)
    knots = _STRETCH * special.ndtri(grades)
    knots[0], knots[-1] = low, high
    knots = np.concatenate([[low] * 3, knots, [high] * 3])
    return np.asarray(BSpline.design_matrix(np.clip(z, low, high), knots, 3).toarray())


@dataclass(frozen=True, eq=False)
class _Cells:
    """Neighbouring draws of each part: order, where each cell begins, draws in it."""

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    counts: Array
    edges: tuple[int, ...]
    score: Array

    def means(self, values: Array) -> Array:
        """Average over cells; shape (actions, draws) to (cells, actions)."""
        out = np.empty((self.starts.size, len(values)))
        for number, row in enumerate(values):
            out[:, number] = np.add.reduceat(row[self.order], self.starts)
        out /= self.counts[:, None]
        return out


def _widths(size: int, most: int) -> Array:
    """Sizes of cells: single draws in the tails, where a quantity changes fast from rank to rank."""
    widths: list[int] = []
    side, total = 1, 0
    while side < most and total + side <= size // 4:
        widths += [side] * 2
        total += 2 * side
        side *= 2
    middle = size - 2 * total
    number = max(round(middle / most), 1) if middle else 0
    inner = np.diff(np.linspace(0, middle, number + 1).astype(int)) if number else np.zeros(0, dtype=int)
    return np.concatenate([widths, inner, widths[::-1]]).astype(np.intp)


def _cells(z: Array, folds: Folds, discrete: bool) -> _Cells:
    order, starts, edges = [], [], [0]
    for number in range(len(folds)):
        part = folds.part(number)
        own = np.argsort(z[part], kind="stable")
        if discrete:
            ordered = z[part][own]
            first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        else:
            widths = _widths(own.size, min(max(z.size // _ROWS, 1), _CELL))
            first = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.intp)
        order.append(own + part.start)
        starts.append(first + part.start)
        edges.append(edges[-1] + first.size)
    whole, begins = np.concatenate(order), np.concatenate(starts)
    counts = np.diff(np.append(begins, z.size)).astype(np.float64)
    return _Cells(whole, begins, counts, tuple(edges), np.add.reduceat(z[whole], begins) / counts)


def given_one(x: Array, gains: Iterable[Array], folds: Folds) -> Fit:
    """Value of choosing by one quantity.

    Parameters
    ----------
    x : array of shape (draws,)
    gains : iterable of array of shape (actions, draws)
        Payoffs less that of the action that is best on average; of that action, zeros.
    folds : Folds
    """
    z = normal_ranks(x)
    values = np.unique(z)
    discrete = values.size <= _CLASSES
    cells = _cells(z, folds, discrete)
    means, within = [], 0.0
    for block in gains:
        found = cells.means(block)
        means.append(found)
        within += float(np.vdot(block, block)) - float(cells.counts @ (found * found).sum(axis=1))
    y = np.hstack(means)
    constant = np.ones((cells.score.size, 1))
    if discrete:
        designs: Iterator[Array] = iter([constant, _classes(cells.score, values)])
    else:
        allowed = [pieces for pieces in _PIECES if pieces == 1 or z.size >= _PER_PIECE * pieces]
        designs = (constant if p == 0 else spline_columns(cells.score, p) for p in (0, *allowed))
    return best_fit(designs, y, cells.counts, cells.edges, max(within, 0.0))


def _classes(score: Array, values: Array) -> Array:
    """Column of each value: 1 where a score is that value, but for rounding."""
    nearest = np.searchsorted(0.5 * (values[1:] + values[:-1]), score)
    return np.eye(values.size)[nearest]


def best_fit(designs: Iterable[Array], y: Array, weight: Array, edges: Sequence[int], within: float = 0.0) -> Fit:
    """Fit of the columns that predict parts which they were not fitted on best.

    Parameters
    ----------
    designs : iterable of array of shape (rows, columns)
        From coarse to fine: it is given up when two in a row did worse.
    y : array of shape (rows, actions)
    weight : array of shape (rows,)
        Draws of each row.
    edges : sequence of int
        Where the rows of each part begin and end.
    within : float
        Squared error that no design can explain: of draws around the mean of their row.
    """
    best: Fit | None = None
    worse = 0
    for design in designs:
        found = fitted(design, y, weight, edges, within=within)
        if best is None or found.error < best.error * (1 - 1e-9):
            best, worse = found, 0
        else:
            worse += 1
        if worse == 2:
            break
    if best is None:
        raise ValueError("no design to fit")
    return best


def fitted(
    design: Array,
    y: Array,
    weight: Array,
    edges: Sequence[int],
    *,
    within: float = 0.0,
) -> Fit:
    """Fit some columns to all rows, and to all but each part.

    Parameters
    ----------
    design, y, weight, edges, within
        As of `best_fit`.
    """
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    grams, rights = [], []
    for part in parts:
        heavy = design[part] * weight[part, None]
        grams.append(heavy.T @ design[part])
        rights.append(heavy.T @ y[part])
    gram, right = np.sum(grams, axis=0), np.sum(rights, axis=0)
    best = design @ least_squares(gram, right)
    # Of fitted payoffs, the mean of the largest less the largest of the means: never negative (Jensen).
    inside = (float(weight @ best.max(axis=1)) - float((weight @ best).max())) / float(weight.sum())
    outside, error = np.empty(len(parts)), within
    for number, part in enumerate(parts):
        predicted = best[part]
        if len(parts) > 1:
            predicted = design[part] @ least_squares(gram - grams[number], right - rights[number])
        choice = predicted.argmax(axis=1)
        outside[number] = weight[part] @ y[part][np.arange(choice.size), choice] / weight[part].sum()
        predicted = predicted - y[part]
        error += float(weight[part] @ np.einsum("ij,ij->i", predicted, predicted))
    return Fit(max(inside, 0.0), outside, design.shape[1], error)


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
