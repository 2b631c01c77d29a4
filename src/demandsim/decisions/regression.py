"""Regression: conditional expectations of payoffs given a quantity, all actions at once; no labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.decisions.folds import Folds
from demandsim.statistics.estimators import least_squares

__all__ = ["Fit", "given_one", "judged", "normal_ranks", "predictions", "spline_columns"]

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
    missed : float
        By how much more the expectations may be worth, as the errors of draws that are alike tell.
    picked : bool
        It is the best of several by what it earned, which looks better than it is.
    """

    inside: float
    outside: Array
    terms: int
    error: float
    missed: float = 0.0
    picked: bool = False

    def times(self, exponent: int) -> Fit:
        """In money again, where payoffs were fitted divided by a power of two."""
        inside, outside, missed = (np.ldexp(part, exponent) for part in (self.inside, self.outside, self.missed))
        return replace(self, inside=float(inside), outside=np.asarray(outside), missed=float(missed))


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
    best, predicted = predictions(design, y, weight, edges)
    return judged(best, predicted, y, weight, edges, terms=design.shape[1], within=within)


def predictions(design: Array, y: Array, weight: Array, edges: Sequence[int]) -> tuple[Array, Array]:
    """Payoffs fitted to all rows, and to all but the part of each row."""
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    grams, rights = [], []
    for part in parts:
        heavy = design[part] * weight[part, None]
        grams.append(heavy.T @ design[part])
        rights.append(heavy.T @ y[part])
    gram, right = np.sum(grams, axis=0), np.sum(rights, axis=0)
    best = design @ least_squares(gram, right)
    if len(parts) == 1:
        return best, best
    predicted = np.empty_like(best)
    for number, part in enumerate(parts):
        predicted[part] = design[part] @ least_squares(gram - grams[number], right - rights[number])
    return best, predicted


def judged(
    best: Array, predicted: Array, y: Array, weight: Array, edges: Sequence[int], *, terms: int, within: float = 0.0
) -> Fit:
    """What choosing by predictions is worth, those of all rows and those without the part of each row."""
    # Of fitted payoffs, the mean of the largest less the largest of the means: never negative (Jensen).
    inside = (float(weight @ best.max(axis=1)) - float((weight @ best).max())) / float(weight.sum())
    chosen = y[np.arange(len(y)), predicted.argmax(axis=1)]
    outside = np.add.reduceat(weight * chosen, edges[:-1]) / np.add.reduceat(weight, edges[:-1])
    apart = predicted - y
    error = within + float(weight @ np.einsum("ij,ij->i", apart, apart))
    return Fit(max(inside, 0.0), outside, terms, error)
