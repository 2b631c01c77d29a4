"""Estimates: statistics of chains of numbers and their Monte Carlo standard errors; no labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.errors import DemandsimError
from demandsim.statistics.density_interval import EMPTY, gaps, pieces
from demandsim.statistics.mcse import level_mcse, share_mcse, spread_to_mcse
from demandsim.statistics.order_statistics import Windowed
from demandsim.statistics.sample import Alone, Chain, Pool, Pooled, Samples, Sorted, Stack
from demandsim.statistics.sketch import Moments, moments_of
from demandsim.statistics.tails import tail_index, tail_indices, tail_size

__all__ = [
    "Asked",
    "Estimates",
    "HighestDensity",
    "Kind",
    "array_estimates",
    "array_statistics",
    "check_prob",
    "estimated",
    "is_small",
    "least_squares",
    "share_and_error",
    "stacked_estimates",
    "statistics",
    "sure_statistics",
]

Kind = Literal["eti", "hdi"]

#: Draws of all chains up to which sorting them is cheaper than windows.
_SORT_ALL = 1 << 15
#: Share of an error that is not felt where it is added, as independent errors add up (0.0002 of it): of many draws,
#: where it would take time to know it better.
_FELT = 0.02
#: Draws of all chains, up and down from a quantile, between which its slope is taken at least: nearer neighbours of a
#: quantile are too few to tell it.
_SLOPE = 4.0


def check_prob(prob: float) -> None:
    """Raise unless `prob` is a probability strictly between 0 and 1."""
    said: object = prob
    if isinstance(said, str) or not 0 < prob < 1:
        raise DemandsimError(f"prob must lie between 0 and 1, not {prob!r}; 0.9 gives P5 to P95")


@dataclass(frozen=True)
class Asked:
    """What is asked of every quantity.

    Parameters
    ----------
    prob, kind : interval
    probs : tuple of float
        Further quantiles.
    iid : bool
        Draws are independent, so that errors follow from all of them; otherwise from the spread
        between chains.
    multimodal : bool
        A highest density interval may have several pieces.
    """

    prob: float
    kind: Kind = "eti"
    probs: tuple[float, ...] = ()
    iid: bool = False
    multimodal: bool = False

    @property
    def levels(self) -> list[float]:
        """Levels of all quantiles: the median, the ends of an equal-tailed interval, `probs`."""
        ends = ((1 - self.prob) / 2, (1 + self.prob) / 2) if self.kind == "eti" else ()
        return [0.5, *ends, *self.probs]

    @property
    def narrowest(self) -> float | None:
        """Probability of the highest density interval, if that is asked."""
        return self.prob if self.kind == "hdi" else None

    @property
    def count(self) -> int:
        """Number of statistics without their errors: mean, sd, median, lower, upper, `probs`."""
        return 5 + len(self.probs)


class HighestDensity(NamedTuple):
    """Highest density interval of one quantity: one, or its pieces.

    Parameters
    ----------
    ends, errors : array of shape (pieces, 2)
        Ends of each piece, and their MCSE.
    empty : tuple of float, or None
        Where one interval holds hardly anything between its ends.
    """

    ends: Array
    errors: Array
    empty: tuple[float, float] | None = None


def _highest_density(chains: Sequence[Chain], pooled: Pool, asked: Asked) -> HighestDensity:
    prob, whole = asked.prob, pooled.ordered()
    cuts = gaps(whole, prob) if asked.multimodal else gaps(whole, prob, EMPTY)
    found, empty = np.array([pooled.narrowest(prob)]), None
    own = [np.array([chain.narrowest(prob)]) for chain in chains]
    if cuts.size:
        several = pieces(whole, prob, cuts)
        empty = None if asked.multimodal else (float(several[0, 1]), float(several[1, 0]))
        if asked.multimodal:
            found, own = several, [pieces(chain.ordered(), prob, cuts) for chain in chains]
    # A narrowest interval settles with the cube root of the draws, not with their square root; and of a design whose
    # chains are even by themselves, all of them together are hardly more so.
    slow = len(chains) ** (1 / 6 if asked.iid else 1 / 3)
    with np.errstate(over="ignore"):
        errors = np.minimum(slow * spread_to_mcse(np.moveaxis(np.array(own), 0, -1)), np.finfo(np.float64).max)
    return HighestDensity(found, errors, empty)


def statistics(samples: Samples, asked: Asked) -> tuple[Array, Array, list[HighestDensity | None]]:
    """All statistics of some quantities: values first, their MCSE after.

    Parameters
    ----------
    samples : Samples
        Finite values of each chain that has any.
    asked : Asked

    Returns
    -------
    array of shape (quantities, 2 * asked.count)
        mean, sd, median, lower, upper, further quantiles, then the MCSE of each.
    array of shape (quantities, n)
        Levels of further quantiles that the errors were taken from.
    list of HighestDensity or None
        Of each quantity, if that is asked.
    """
    with np.errstate(all="ignore"):
        quantiles = samples.quantiles(np.tile(asked.levels, (len(samples.sizes), 1)))
        around, share = _around(samples, quantiles, asked)
        levels = around.reshape(len(around), -1)
        ends = samples.quantiles(levels).reshape(around.shape)
        # Shares first: the distance of two doubles may be none.
        errors = ends[:, 1] * share - ends[:, 0] * share
        sd, *of_moments = _moments(samples, iid=asked.iid)
    dense: list[HighestDensity | None] = [None] * len(around)
    if asked.kind == "hdi":
        found = [_highest_density(*samples.chains(number), asked) for number in range(len(around))]
        dense = [*found]
        outer = [(each.ends[0, 0], each.ends[-1, 1], each.errors[0, 0], each.errors[-1, 1]) for each in found]
        low, high, error_low, error_high = np.array(outer).T
        quantiles = np.insert(quantiles, [1, 1], np.stack([low, high], axis=-1), axis=-1)
        errors = np.insert(errors, [1, 1], np.stack([error_low, error_high], axis=-1), axis=-1)
    rows = np.column_stack([samples.spread.mean, sd, quantiles, *of_moments, errors])
    return rows, levels, dense


def _moments(samples: Samples, *, iid: bool) -> tuple[Array, Array, Array]:
    """Standard deviations, and the errors of means and standard deviations."""
    count, mean, second, fourth, exponent = samples.spread
    own, own_sd = samples.own
    variance = second / (count - 1)
    sd = np.ldexp(np.sqrt(variance), exponent)
    if iid:
        error = sd / np.sqrt(count)
        excess = np.maximum(fourth / count - variance**2, 0.0)
        error_sd = np.ldexp(np.sqrt(excess / count) / (2 * np.sqrt(variance)), exponent)
        error_sd = np.where(second > 0, error_sd, 0.0)
    else:
        error, error_sd = spread_to_mcse(own), spread_to_mcse(own_sd)
        if own.shape[-1] > 1:
            # A mean that is nearly exact takes no degree of freedom off: what it varies by is added, not guessed.
            between = np.var(np.ldexp(own, -exponent[:, None]), ddof=1, axis=-1) / own.shape[-1]
            sd = np.where(second > 0, np.ldexp(np.sqrt(second / count + between), exponent), sd)

    # Nothing is known better than to one draw on the other side of the widest gap: chains of a quantity with few
    # values, or with two peaks, may all place the same number of draws on either side, and yet not the exact share.
    def moved_by_one(enough: Array) -> tuple[Array, Array]:
        """By how much one draw on the other side moves the mean, and, beside it, the standard deviation."""
        low, high = samples.widest_gaps(enough)
        return high / count - low / count, (np.abs(low / sd - mean / sd) + np.abs(high / sd - mean / sd)) / 2

    felt = np.where(count > _SORT_ALL, _FELT * count * (error_sd if iid else np.minimum(error, error_sd)), 0.0)
    step, lever = moved_by_one(felt)
    if ((step * count <= felt) & (step * lever > _FELT * error_sd)).any():
        # Far out it moves the standard deviation by more: that is felt.
        step, lever = moved_by_one(np.zeros_like(felt))
    if not iid:
        error = np.hypot(error, step)
    error_sd = np.where(sd > 0, np.hypot(error_sd, step * lever), error_sd)
    # Chains of a single draw agree that they have no spread.
    return sd, error, np.where(samples.sizes.max(axis=-1) < 2, np.nan, error_sd)


def _around(samples: Samples, quantiles: Array, asked: Asked) -> tuple[Array, Array]:
    """Levels on either side of each quantile, and the share of the distance of their quantiles that is its error.

    Of independent draws one binomial standard error up and down, and a half; of others the error of the distribution
    function at the quantile, divided by its slope.

    Returns
    -------
    array of shape (quantities, 2, quantiles)
    array of shape (quantities, quantiles)
    """
    levels, sizes = np.array(asked.levels), samples.sizes
    total = sizes.sum(axis=-1, keepdims=True)
    if asked.iid:
        step = np.sqrt(levels * (1 - levels) / total)
        return np.clip(np.stack([levels - step, levels + step], axis=1), 0.0, 1.0), np.full(step.shape, 0.5)
    below, most = samples.counts(quantiles)
    # Where many draws equal the quantile, the worse of the errors below and above them.
    errors = level_mcse(below, sizes[:, None], levels)
    tied = (below != most).any(axis=-1)
    if tied.any():
        errors = np.where(tied, np.maximum(errors, level_mcse(most, sizes[:, None], levels)), errors)
    step = np.fmax(errors, _SLOPE / total)
    around = np.clip(np.stack([levels - step, levels + step], axis=1), 0.0, 1.0)
    return around, errors / (around[:, 1] - around[:, 0])


def sure_statistics(value: float, asked: Asked) -> list[float]:
    """Statistics of a quantity that is always the same."""
    return [value, 0.0, *([value] * (asked.count - 2)), *([0.0] * asked.count)]


class Estimates(NamedTuple):
    """Statistics of one quantity, as `statistics` gives them.

    Parameters
    ----------
    row : list of float
    left_out : int
        Draws that are no numbers.
    tail : float
        As `tail_index` gives it; NaN of what is sure.
    dense : HighestDensity or None
        If that is asked, and the quantity is not sure.
    """

    row: list[float]
    left_out: int
    tail: float
    dense: HighestDensity | None = None


def array_statistics(values: Array, asked: Asked) -> tuple[list[float], int]:
    """Statistics of draws of shape (chain, draw), and how many were left out."""
    return array_estimates(values, asked)[:2]


def array_estimates(values: Array, asked: Asked) -> Estimates:
    """Statistics of draws of shape (chain, draw), how many were left out, and how heavy the tails are."""
    repeats, sure = 1, values.strides == (0, 0)
    if sure:
        # A sure value, shown as a view: one number stands for all.
        values, repeats = values[:1, :1], values.size
    # A mean is a number only if all draws are.
    rows, left_out = [*values] if values.size else [], 0
    moments = [moments_of(row, fourth=asked.iid) for row in rows]
    if not all(math.isfinite(own.mean) for own in moments):
        finite = np.isfinite(values)
        rows = [row[good] for row, good in zip(values, finite, strict=True) if good.any()]
        left_out = int(np.count_nonzero(~finite)) * repeats
        moments = [moments_of(row, fourth=asked.iid) for row in rows]
    if rows and all(row[0] == rows[0][0] and (row == row[0]).all() for row in rows):
        found = sure_statistics(float(rows[0][0]), asked)
        if not sure and len(rows) == rows[0].size == 1:
            # A single draw is equal to itself, and says nothing of how much others would differ.
            found[1], found[asked.count :] = math.nan, [math.nan] * asked.count
        return Estimates(found, left_out, math.nan)
    return estimated(*_sample(rows, moments, asked), asked, left_out)[0]


def estimated(chains: Sequence[Chain], pooled: Pool, asked: Asked, left_out: int) -> tuple[Estimates, list[float]]:
    """Statistics of one quantity, and levels of further quantiles that were taken for them.

    Parameters
    ----------
    chains : sequence of Chain
        Finite values of each chain that has any.
    pooled : Pool
        All of them together.
    asked : Asked
    left_out : int
    """
    if not chains:
        return Estimates([math.nan] * (2 * asked.count), left_out, math.nan), []
    rows, around, (dense,) = statistics(Alone(chains, pooled), asked)
    levels = around[0].tolist()
    if dense is not None and len(dense.ends) > 1:
        whole = pooled.ordered()
        levels += (whole.searchsorted(dense.ends.ravel()) / whole.size).tolist()
    return Estimates(rows[0].tolist(), left_out, tail_index(pooled), dense), levels


def stacked_estimates(values: Sequence[Array], asked: Asked) -> list[Estimates]:
    """As `array_estimates`, of arrays of one shape that `is_small`: all at once."""
    whole = np.array(values, dtype=np.float64)
    with np.errstate(all="ignore"):
        finite = np.isfinite(whole.sum(axis=(1, 2)))
        stack = Stack(whole if finite.all() else np.where(finite[:, None, None], whole, 0.0))
        usual = stack.tame()
    found: list[Estimates | None] = [None] * len(values)
    if usual.any():
        stack = stack.only(usual)
        rows, _, dense = statistics(stack, asked)
        tails = tail_indices(stack.together).tolist()
        for number, *each in zip(np.flatnonzero(usual).tolist(), rows.tolist(), tails, dense, strict=True):
            row, tail, own = each
            found[number] = Estimates(row, 0, tail, own)
    # One by one: what is sure, what is not all numbers, and numbers whose squares are none.
    return [each or array_estimates(one, asked) for each, one in zip(found, values, strict=True)]


def is_small(values: Array) -> bool:
    """Whether draws are so few that they are sorted, and worked out with others: unless one number stands for all."""
    return values.size <= _SORT_ALL and values.strides != (0, 0)


def _sample(rows: Sequence[Array], moments: Sequence[Moments], asked: Asked) -> tuple[Sequence[Chain], Pool]:
    """Chains and all of them together, of as many order statistics as are asked for."""
    total = sum(row.size for row in rows)
    if total <= _SORT_ALL or asked.multimodal:
        chains = [Sorted(np.sort(row)) for row in rows]
        return chains, Pooled(chains)
    pooled = Windowed(rows, asked.levels, moments, iid=asked.iid, tail=tail_size(total) + 1, prob=asked.narrowest)
    return pooled.chains, pooled


def share_and_error(hits: npt.ArrayLike, totals: npt.ArrayLike, iid: bool) -> tuple[float, float]:
    """Share of draws with an event, and its Monte Carlo standard error.

    Parameters
    ----------
    hits, totals : array of shape (chains,)
        Draws with the event, and draws at all, of each chain.
    iid : bool
        Draws are independent.
    """
    events, sizes = np.asarray(hits, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    events, sizes = events[sizes > 0], sizes[sizes > 0]
    total, happened = float(sizes.sum()), float(events.sum())
    if not total:
        return math.nan, math.nan
    share = happened / total
    if happened in (0.0, total):
        guess = (happened + 0.5) / (total + 1)
        return share, math.sqrt(guess * (1 - guess) / total)
    if iid:
        return share, math.sqrt(share * (1 - share) / total)
    return share, float(share_mcse(events, sizes))


def least_squares(gram: Array, right: Array) -> Array:
    """Least squares by normal equations, whose columns are nearly orthogonal as they are.

    Parameters
    ----------
    gram : array of shape (columns, columns)
        Sums of products; a column that nothing fills has the coefficient 0.
    right : array of shape (columns,) or (columns, sides)
    """
    scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    scaled = gram / np.outer(scale, scale)
    scaled[np.diag_indices_from(scaled)] += 1e-11
    return np.asarray((np.linalg.solve(scaled, (right.T / scale).T).T / scale).T)
