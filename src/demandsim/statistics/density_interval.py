r"""Highest density intervals: the narrowest set of values that holds a probability, of one piece or of several.

Of sorted draws, the density at each is told by the distance of the draws a little up and down. The densest that make up
the probability are chosen; where draws between them are left out, the set has a gap, if the gap is clear:

.. math:: m \le \tfrac12 M, \qquad M - m > 5 \sqrt M

with :math:`m` draws inside it and :math:`M` that it would hold at the density at which the set ends. Each piece is then
the narrowest interval with as many draws.

Source: Hyndman, "Computing and graphing highest density regions", The American Statistician 50 (1996); densities by
distance are those of Loftsgaarden and Quesenberry, Annals of Mathematical Statistics 36 (1965).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.sample import narrowest_run

__all__ = ["EMPTY", "gaps", "pieces"]

#: Draws between which a density is taken: this power of all draws, and at least so many.
_POWER, _FEWEST = 0.6, 16
#: Runs of draws in such a window that are chosen or left out as one.
_RUNS = 16
#: Share of the draws, of as many as there would be without it, that a gap may hold, and one that is said to be empty;
#: standard errors that must lack.
_FILLED, EMPTY, _CLEAR = 0.9, 0.5, 5.0
#: Share of the range by which equal values may differ.
_ROUNDING = 1e-9
#: Different values up to which a quantity may be discrete, and draws that half of them have at least.
_CLASSES, _OFTEN = 256, 4
#: Values of a discrete quantity are next to each other if they are no farther apart than this many least steps.
_STEP = 1.01


def gaps(values: Array, prob: float, filled: float = _FILLED) -> Array:
    """Middles of the gaps of the narrowest set that holds a probability; none if it is one interval.

    Parameters
    ----------
    values : array of shape (draws,)
        In increasing order.
    prob : float
    filled : float
        Share of the draws, of as many as there would be without a gap, that it may hold.
    """
    scaled, exponent = _scaled(values)
    classes = _classes(values)
    if classes is not None:
        held = classes[0][_likeliest(classes[1], prob)]
        apart = np.diff(held) > _STEP * _least_step(classes[0])
        return np.asarray((0.5 * held[:-1] + 0.5 * held[1:])[apart])
    # Runs of neighbouring draws, much shorter than what a density is taken over.
    run = max(_window(values.size) // _RUNS, 1)
    density = _density(scaled)[run // 2 :: run]
    starts = run * np.arange(density.size)
    stops = np.append(starts[1:], values.size) - 1
    wanted = math.ceil(_wanted(values.size, prob) / run)
    densest = np.argsort(-density, kind="stable")[:wanted]
    chosen = np.sort(densest)
    jump = np.flatnonzero(np.diff(chosen) > 1)
    below, above = stops[chosen[jump]], starts[chosen[jump + 1]]
    width = scaled[above] - scaled[below]
    inside = (above - below - 1).astype(np.float64)
    # Less than the rounding of equal values is no gap.
    clear = _is_clear(inside, width * float(density[densest[-1]]), filled) & (width > _ROUNDING * np.ptp(scaled))
    middle = 0.5 * scaled[below] + 0.5 * scaled[above]
    return np.asarray(np.ldexp(middle[clear], exponent))


def _is_clear(inside: Array, expected: Array, filled: float) -> npt.NDArray[np.bool_]:
    """Whether gaps hold clearly fewer draws than they would at the density at which the set ends."""
    with np.errstate(invalid="ignore"):
        return (inside <= filled * expected) & (np.isinf(expected) | (expected - inside > _CLEAR * np.sqrt(expected)))


def pieces(values: Array, prob: float, cuts: Array) -> Array:
    """Narrowest set that holds a probability, as one interval between each two cuts.

    Parameters
    ----------
    values : array of shape (draws,)
        In increasing order.
    prob : float
    cuts : array of shape (intervals - 1,)
        Of `gaps`, of these values or of more of the same quantity.

    Returns
    -------
    array of shape (intervals, 2)
        NaN where the set has no draw between two cuts.
    """
    edges = [0, *values.searchsorted(cuts).tolist(), values.size]
    spans = list(pairwise(edges))
    classes = _classes(values)
    if classes is not None and cuts.size:
        likeliest = _likeliest(classes[1], prob)
        draws = values[np.repeat(likeliest, classes[1])]
        parts = np.split(draws, draws.searchsorted(cuts))
        return np.array([[part[0], part[-1]] if part.size else [np.nan] * 2 for part in parts], dtype=np.float64)
    wanted, counts = _wanted(values.size, prob), [_wanted(values.size, prob)]
    if cuts.size:
        # Densities between cuts, so that a gap does not thin out the draws at its edges.
        scaled, _ = _scaled(values)
        density = np.concatenate([_density(scaled[a:b]) for a, b in spans])
        densest = np.argsort(-density, kind="stable")[:wanted]
        counts = [int(np.count_nonzero((densest >= a) & (densest < b))) for a, b in spans]
    return np.array([_narrowest(values[a:b], count) for (a, b), count in zip(spans, counts, strict=True)])


def _wanted(draws: int, prob: float) -> int:
    """Draws that a set holds."""
    return min(math.floor(prob * draws) + 1, draws)


def _narrowest(values: Array, count: int) -> tuple[float, float]:
    """Ends of the narrowest interval with some draws."""
    if not count:
        return math.nan, math.nan
    return narrowest_run(values[: values.size - count + 1], values[count - 1 :])


def _window(draws: int) -> int:
    """Draws between which a density is taken."""
    return max(_FEWEST, int(draws**_POWER))


def _scaled(values: Array) -> tuple[Array, int]:
    """Values by a power of two, so that distances and densities are doubles, and its exponent."""
    exponent = int(np.frexp(np.abs(values[[0, -1]]).max())[1])
    return np.ldexp(values.astype(np.float64), -exponent), exponent


def _density(scaled: Array) -> Array:
    """Draws per distance around each draw, of sorted values; infinite where many are equal."""
    last = scaled.size - 1
    step = _window(scaled.size) // 2
    place = np.arange(scaled.size)
    low, high = np.maximum(place - step, 0), np.minimum(place + step, last)
    # At no distance, or at a subnormal one, the density is beyond all doubles.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = (high - low) / (scaled[high] - scaled[low])
    return np.nan_to_num(found, nan=np.inf, posinf=np.inf)


def _classes(values: Array) -> tuple[Array, npt.NDArray[np.intp]] | None:
    """Values of a discrete quantity, and draws of each; None of any other."""
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    counts = np.diff(np.append(first, values.size))
    if first.size > _CLASSES or np.median(counts) < _OFTEN:
        return None
    return values[first].astype(np.float64), counts


def _likeliest(counts: npt.NDArray[np.intp], prob: float) -> npt.NDArray[np.bool_]:
    """Which values make up a probability, the most frequent first."""
    order = np.argsort(-counts, kind="stable")
    enough = int(np.searchsorted(np.cumsum(counts[order]), prob * counts.sum() * (1 - 1e-12))) + 1
    held = np.zeros(counts.size, dtype=bool)
    held[order[:enough]] = True
    return held


def _least_step(values: Array) -> float:
    """Distance of neighbouring values: 1 of whole numbers, otherwise the least; 0 of two, which have none between."""
    if np.array_equal(values, np.rint(values)):
        return 1.0
    return float(np.diff(values).min()) if values.size > 2 else 0.0
