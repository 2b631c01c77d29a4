"""Given-data kernels: rank-based first order, PAWN and delta of one assumption, with intervals; no labels."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.sensitivity.conditional_variance import ConditionalVariance, normal_ranks, standard_error

__all__ = ["bins_of", "closed_order", "delta", "folds_of", "pawn", "rank_first_order", "table_of", "table_of_several"]

#: Classes of x, and bins of y, into which many draws are sorted.
_FINE = 64
#: How often draws are divided in two by the values of several inputs in turn: 64 cells.
_SPLITS = 6
#: Widths, in classes, over which counts are smoothed; bins of y are not where there are so few.
_WIDTHS = (12.0, 6.0, 3.0, 1.5, 0.75, 0.0)
_FEW_BINS = 8
#: Chains that are too few to be folds, and most folds.
_FEWEST_FOLDS, _MOST_FOLDS = 4, 16
#: Random parts into which draws are divided, and the fewest draws of one.
_PARTS, _FEWEST = 32, 128
#: Neighbours whose steps depend on each other.
_RUN = 8


def rank_first_order(
    y: Array, chain: npt.NDArray[np.intp], rng: np.random.Generator, prob: float
) -> tuple[float, float, float]:
    r"""First-order index from y in the order of x, and its interval.

    .. math:: 1 - \frac{\mathrm{mean}\,(y_{(j+1)} - y_{(j)})^2}{2 \mathrm{Var}\, y}

    Only pairs of different chains count, if there are several. Copies of a draw would be its own
    neighbours, so that no bootstrap of draws will do: the error is that of the mean of the indices of
    random parts of the draws, or that of the ratio of two means, which is larger where tails are heavy.
    """
    from scipy import special

    def index(values: Array, chains: npt.NDArray[np.intp]) -> float:
        steps = np.diff(values)
        apart = chains[1:] != chains[:-1]
        used = steps[apart] if apart.any() else steps
        variance = float(values.var())
        return float(1 - used @ used / used.size / (2 * variance)) if variance > 0 else np.nan

    parts = int(np.clip(y.size // _FEWEST, 2, _PARTS))
    part = rng.permutation(y.size) % parts
    own = np.array([index(y[part == number], chain[part == number]) for number in range(parts)])
    own = own[np.isfinite(own)]
    estimate = index(y, chain)
    if own.size < 2:
        return estimate, np.nan, np.nan
    error = max(float(own.std(ddof=1)) / math.sqrt(own.size), _error_of_ratio(y, chain))
    half = float(special.stdtrit(own.size - 1, (1 + prob) / 2)) * error
    return estimate, estimate - half, estimate + half


def _error_of_ratio(y: Array, chain: npt.NDArray[np.intp]) -> float:
    """Standard error of the mean square step over twice the variance, by the influence of runs of neighbours."""
    steps, apart = np.diff(y) ** 2, chain[1:] != chain[:-1]
    apart = apart if apart.any() else np.ones(apart.size, dtype=bool)
    variance, square = float(y.var()), float(steps[apart].mean())
    if variance == 0:
        return 0.0
    influence = -square / (2 * variance) * ((y - y.mean()) ** 2 / variance - 1)
    # Half of what a step tells belongs to either of its ends.
    told = np.where(apart, steps - square, 0.0) / apart.mean() / (2 * variance)
    influence[:-1] += told / 2
    influence[1:] += told / 2
    runs = np.add.reduceat(influence, np.arange(0, y.size, _RUN))
    return math.sqrt(float(runs @ runs)) / y.size


def closed_order(
    x: Array, y: Array, chain: npt.NDArray[np.intp], rng: np.random.Generator, prob: float
) -> tuple[float, float, float]:
    """Share of the variance that several inputs explain together, by nearest neighbours, and its interval."""
    from scipy import special

    variance = ConditionalVariance.of(normal_ranks(x, rng), y[None], chain)
    left = variance.left(np.arange(len(x)))
    value, chains = float(left.value[0]), int(chain.max()) + 1
    error = float(standard_error(left.influence[0] - value * (variance.y[0] ** 2 - 1), chain))
    half = float(special.stdtrit(min(max(chains - 1, 3), _PARTS - 1), (1 + prob) / 2)) * error + float(left.doubt[0])
    return 1 - value, 1 - value - half, 1 - value + half


def table_of_several(
    x: Array,
    y: Array,
    shuffled: npt.NDArray[np.intp],
    bins: npt.NDArray[np.intp],
    chain: npt.NDArray[np.intp],
    rng: np.random.Generator,
) -> Array:
    """Counts as of `table_of`, by classes of several inputs: of those tried the ones that tell y best.

    Any classes tell too little. They are tried by the location of y that a regression on the inputs predicts, by that
    and its spread, and by the inputs themselves, each split in turn.
    """
    variance = ConditionalVariance.of(normal_ranks(x, rng), y[None], chain)
    location, scale = variance.location_and_scale(np.arange(len(x)))
    orders = [
        shuffled[np.argsort(location[shuffled], kind="stable")],
        _in_cells(np.array([location, location, location, location, scale, scale]), shuffled),
        _in_cells(np.array([x[level % len(x)] for level in range(_SPLITS)]), shuffled),
    ]
    tables = [table_of(order, bins, folds_of(chain)) for order in orders]
    smooth = [(3.0, 3.0 if table.shape[2] > _FEW_BINS else 0.0) for table in tables]
    told = [_best_sets(table, [width])[0].mean() for table, width in zip(tables, smooth, strict=True)]
    return tables[int(np.argmax(told))]


def _in_cells(by: Array, own: npt.NDArray[np.intp], depth: int = 0) -> npt.NDArray[np.intp]:
    """Draws cell by cell, of equally many, which are halved by one row of `by` after the other."""
    if depth == len(by):
        return own
    own = own[np.argsort(by[depth][own], kind="stable")]
    halves = own[: own.size // 2], own[own.size // 2 :]
    return np.concatenate([_in_cells(by, half, depth + 1) for half in halves])


def folds_of(chain: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Number the part of every draw: its chain, or pieces of chains where there are few."""
    chains = int(chain.max()) + 1
    if chains >= _FEWEST_FOLDS:
        return chain % _MOST_FOLDS
    # Draws of a chain stand together, one after the other.
    within = np.arange(chain.size) - np.searchsorted(chain, chain)
    length = np.bincount(chain, minlength=chains)[chain]
    pieces = -(-2 * _FEWEST_FOLDS // chains)
    return chain * pieces + within * pieces // length


def bins_of(y: Array) -> npt.NDArray[np.intp]:
    """Number the bin of every y, with as many draws in each as ties allow."""
    number = _classes(y.size)
    edges = np.unique(np.quantile(y, np.arange(1, number) / number))
    return np.searchsorted(edges, y, side="left")


def _classes(n: int) -> int:
    return _FINE if n >= 2048 else _FINE // 2


def table_of(order: npt.NDArray[np.intp], bins: npt.NDArray[np.intp], fold: npt.NDArray[np.intp]) -> Array:
    """Counts of draws by fold, by class of x (as many draws in each) and by bin of y.

    Parameters
    ----------
    order : int array
        Draws in the order of x.
    bins, fold : int array
        Of every draw.
    """
    rows, folds = _classes(bins.size), int(fold.max()) + 1
    columns = int(bins.max()) + 1
    columns += columns % 2
    kind = np.empty(bins.size, dtype=np.intp)
    kind[order] = np.arange(bins.size) * rows // bins.size
    places = (fold * rows + kind) * columns + bins
    return np.bincount(places, minlength=folds * rows * columns).reshape(folds, rows, columns).astype(float)


@functools.cache
def _smoother(size: int, width: float) -> Array:
    """Matrix that averages neighbouring classes with normal weights, mirrored at both ends."""
    if width == 0:
        return np.eye(size)
    one = np.arange(size)[:, None]
    weight = sum(np.exp(-0.5 * ((one - at) / width) ** 2) for at in (one.T, -one.T - 1, 2 * size - 1 - one.T))
    return np.asarray(weight / np.sum(weight, axis=0, keepdims=True))


def _halved(table: Array) -> Array:
    """Counts in classes and bins of twice the width."""
    table = table[:, ::2] + table[:, 1::2]
    return table[..., ::2] + table[..., 1::2] if table.shape[-1] > _FEW_BINS else table


def _spread(parts: Callable[[Array], float], folds: int, rng: np.random.Generator, resamples: int) -> float:
    """Standard error of what is computed from weights of the folds, by a bootstrap of them."""
    weights = rng.multinomial(folds, np.full(folds, 1 / folds), size=resamples) / folds
    return float(np.std([parts(weight) for weight in weights], ddof=1)) * math.sqrt(folds / (folds - 1))


def delta(table: Array, rng: np.random.Generator, resamples: int, prob: float) -> tuple[float, float, float]:
    r"""Borgonovo's delta and its interval, from counts by fold, class of x and bin of y.

    .. math:: \delta = \max_A \left[ P(A) - (P_x \times P_y)(A) \right]

    The set A is found on all folds but one, from smoothed counts, and its probability in that one: too low, by
    what A misses. On the folds that it is found on, its probability is too high, since noise is chosen too. The
    estimate is the former, with what finer classes would add; the interval holds both, and their errors.
    """
    folds, _, columns = table.shape
    number = float(table.sum())
    widths = [(a, b) for a in _WIDTHS for b in (_WIDTHS if columns > _FEW_BINS else (0.0,))]
    # The smoothest first.
    widths = sorted(widths, key=lambda pair: -(pair[0] + 0.5) * (pair[1] + 0.5))
    outside, inside = _best_sets(table, widths)
    others = outside.sum(axis=1, keepdims=True) - outside
    # Which smoothing is best is not for the fold to say whose value is taken.
    value = outside[others.argmax(axis=0), np.arange(folds)]
    chosen = _smoothest(outside)
    coarse_outside, coarse_inside = _best_sets(_halved(table), [(widths[chosen][0] / 2, widths[chosen][1] / 2)])
    finer = max(float((outside[chosen] - coarse_outside[0]).mean()), 0.0)
    # Sets with many edges are missed by both: by half as much again as the two differ.
    slack = max(finer, float(inside[chosen] - coarse_inside[0]), 0.5 * float(inside[chosen] - value.mean()))
    half = _quantile(folds, prob) * _spread(lambda weight: float(weight @ value), folds, rng, resamples)
    low, high = float(value.mean()), max(float(inside[chosen]), float(value.mean()) + finer) + slack
    # Up to here independence gives such values: a set of half the cells has a standard error of at most 0.5 / sqrt(n).
    lower = 0.0 if low <= 1.5 / math.sqrt(number) else low - half
    return _within(low + finer, lower, high + half)


def _best_sets(table: Array, widths: Sequence[tuple[float, float]]) -> tuple[Array, Array]:
    """Excess probability of the best sets: found without each fold, in it; and found and taken in all."""

    def excess(counts: Array) -> Array:
        total = counts.sum(axis=(-2, -1), keepdims=True)
        margins = counts.sum(axis=-1, keepdims=True) * counts.sum(axis=-2, keepdims=True)
        return np.asarray(counts / total - margins / total**2)

    whole = table.sum(axis=0)
    own, rest, every = excess(table), excess(whole - table), excess(whole)
    outside, inside = np.empty((len(widths), len(table))), np.empty(len(widths))
    for place, (by_x, by_y) in enumerate(widths):
        left, right = _smoother(table.shape[1], by_x), _smoother(table.shape[2], by_y).T
        outside[place] = (own * (left @ rest @ right > 0)).sum(axis=(1, 2))
        inside[place] = (every * (left @ every @ right > 0)).sum()
    return outside, inside


def _smoothest(outside: Array) -> int:
    """First row that is no worse than the best by more than a standard error of their difference."""
    behind = outside[outside.mean(axis=1).argmax()] - outside
    return int(np.argmax(behind.mean(axis=1) <= behind.std(axis=1, ddof=1) / math.sqrt(outside.shape[1])))


def pawn(table: Array, rng: np.random.Generator, resamples: int, prob: float) -> tuple[float, float, float]:
    """PAWN, the median over x of the Kolmogorov distance of y given x from y, and its interval.

    The place of the largest distance is found on all folds but one, and the distance there is taken in that one: 0
    on average where x does not matter. The interval holds the distance of all draws from themselves too, which is
    too large, and both with less smoothing.
    """
    folds = len(table)
    found = [_distances(table, width) for width in _WIDTHS]
    chosen = int(np.argmin([error for *_, error in found]))
    outside, inside, _ = found[chosen]
    seen = [*found[chosen][:2], *found[min(chosen + 1, len(found) - 1)][:2]]
    coarse = _distances(_halved(table), _WIDTHS[chosen] / 2)
    value, high = float(np.median(outside.mean(axis=0))), float(np.median(inside))
    ends = [value, high, float(np.median(seen[2].mean(axis=0))), float(np.median(seen[3]))]
    slack = max(value - float(np.median(coarse[0].mean(axis=0))), high - float(np.median(coarse[1])), 0.0)
    half = _quantile(folds, prob) * _spread(lambda w: float(np.median(w @ outside)), folds, rng, resamples)
    return _within(value, min(ends) - half, max(ends) + slack + half)


def _distances(table: Array, width: float) -> tuple[Array, Array, float]:
    """Kolmogorov distances by class of x: of each fold at a place found without it, and of all; error of prediction."""

    def excess(counts: Array) -> Array:
        rows, total = counts.sum(axis=-1, keepdims=True), counts.sum(axis=(-2, -1), keepdims=True)
        every = np.cumsum(counts.sum(axis=-2, keepdims=True), axis=-1) / total
        # A class without draws tells nothing.
        return np.where(rows > 0, np.cumsum(counts, axis=-1) / np.maximum(rows, 1) - every, 0.0)

    whole, smooth = table.sum(axis=0), _smoother(table.shape[1], width)
    own, rest = excess(table), smooth @ excess(whole - table)
    place = np.abs(rest).argmax(axis=-1)[..., None]
    taken = np.take_along_axis(own, place, -1)[..., 0] * np.sign(np.take_along_axis(rest, place, -1)[..., 0])
    inside = np.abs(smooth @ excess(whole)).max(axis=-1)
    return taken @ smooth.T, inside, float(((rest - own) ** 2).mean())


def _quantile(folds: int, prob: float) -> float:
    from scipy import special

    return float(special.stdtrit(folds - 1, (1 + prob) / 2))


def _within(value: float, lower: float, upper: float) -> tuple[float, float, float]:
    """An estimate and its bounds, none of which lies outside [0, 1]."""
    value, lower, upper = (min(max(number, 0.0), 1.0) for number in (value, lower, upper))
    return value, min(lower, value), max(upper, value)
