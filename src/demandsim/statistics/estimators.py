"""Estimates: statistics of chains of numbers and their Monte Carlo standard errors; no labels."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.errors import DemandsimError
from demandsim.statistics.sketch import Moments, merged_moments, moments_of

__all__ = [
    "Kind",
    "Pooled",
    "Sample",
    "Sorted",
    "array_statistics",
    "check_prob",
    "least_squares",
    "levels_of",
    "levels_of_errors",
    "share_and_error",
    "spread_to_mcse",
    "statistics",
]

Kind = Literal["eti", "hdi"]


def check_prob(prob: float) -> None:
    """Raise unless `prob` is a probability strictly between 0 and 1."""
    if not 0 < prob < 1:
        raise DemandsimError(f"prob must lie between 0 and 1, not {prob!r}; 0.9 gives P5 to P95")


def spread_to_mcse(estimates: npt.ArrayLike) -> Array:
    r"""Standard errors of means of independent estimates, one per chain.

    .. math:: t_{m-1}\bigl(\Phi(1)\bigr) \, s / \sqrt m

    The factor (1.08 for 8 chains, 1.03 for 16) makes plus or minus one MCSE cover 68.3%, as for a
    normal error of known size, although s is itself estimated from few chains.

    Parameters
    ----------
    estimates : array of shape (..., chains)

    Returns
    -------
    array of shape (...,)
        NaN for a single chain.
    """
    table = np.asarray(estimates, dtype=np.float64)
    chains = table.shape[-1]
    if chains < 2:
        return np.full(table.shape[:-1], np.nan)
    centred = table - table.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.sum(centred * centred, axis=-1) / (chains - 1))
    return np.asarray(_few_chains(chains) * spread / math.sqrt(chains))


@functools.cache
def _few_chains(chains: int) -> float:
    from scipy import special

    return float(special.stdtrit(chains - 1, special.ndtr(1.0)))


@dataclass(frozen=True, eq=False)
class Sorted:
    """A chain held in memory, sorted: quantiles are exact."""

    values: Array

    @functools.cached_property
    def moments(self) -> Moments:
        """Count, mean and central moments."""
        return moments_of(self.values)

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles, linear between order statistics (numpy's default)."""
        last = self.values.size - 1
        found = []
        for prob in probs:
            place = prob * last
            low = int(place)
            below, above = self.values.item(low), self.values.item(min(low + 1, last))
            found.append(below + (above - below) * (place - low))
        return found

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval: the narrowest that holds `prob` of the values."""
        inside = min(math.floor(prob * self.values.size), self.values.size - 1)
        widths = self.values[inside:] - self.values[: self.values.size - inside]
        place = int(np.argmin(widths))
        return float(self.values[place]), float(self.values[place + inside])


#: Draws of all chains up to which sorting them again is cheaper than looking between the chains.
_SORT_AGAIN = 1 << 16


@dataclass(frozen=True, eq=False)
class Pooled:
    """Sorted chains taken together."""

    chains: Sequence[Sorted]

    @functools.cached_property
    def moments(self) -> Moments:
        """Count, mean and central moments."""
        return functools.reduce(merged_moments, (chain.moments for chain in self.chains))

    @functools.cached_property
    def _together(self) -> Sorted:
        return Sorted(np.sort(np.concatenate([chain.values for chain in self.chains])))

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles of all chains together; of many draws, without sorting them again."""
        total = sum(chain.values.size for chain in self.chains)
        if total <= _SORT_AGAIN:
            return self._together.quantiles(probs)
        return [self._between(prob, total) for prob in probs]

    def _between(self, prob: float, total: int) -> float:
        """One quantile: it lies between the smallest and the largest of the chains' own."""
        chains = [chain.values for chain in self.chains]
        place = prob * (total - 1)
        spots = [prob * (chain.size - 1) for chain in chains]
        start = min(chain[max(int(spot) - 1, 0)] for chain, spot in zip(chains, spots, strict=True))
        stop = max(chain[min(int(spot) + 2, chain.size - 1)] for chain, spot in zip(chains, spots, strict=True))
        first = [int(chain.searchsorted(start, side="left")) for chain in chains]
        last = [int(chain.searchsorted(stop, side="right")) for chain in chains]
        between = np.sort(np.concatenate([chain[a:b] for chain, a, b in zip(chains, first, last, strict=True)]))
        rank = int(place) - sum(first)
        below, above = between[rank], between[min(rank + 1, between.size - 1)]
        return float(below + (above - below) * (place - int(place)))

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval of all chains together."""
        return self._together.narrowest(prob)


class Sample(Protocol):
    """What a summary needs of a chain, or of all chains together."""

    @property
    def moments(self) -> Moments:
        """Count, mean and central moments."""

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles at `probs`."""

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval."""


def statistics(
    chains: Sequence[Sample], pooled: Sample, prob: float, kind: Kind, probs: Sequence[float], iid: bool
) -> list[float]:
    """All statistics of one quantity: values first, their MCSE after.

    Parameters
    ----------
    chains : sequence of Sample
        Finite values of each chain that has any.
    pooled : Sample
        All of them together.
    prob, kind : interval
    probs : sequence of float
        Further quantiles.
    iid : bool
        Draws are independent, so that errors follow from all of them; otherwise from the spread
        between chains.

    Returns
    -------
    list of float
        mean, sd, median, lower, upper, further quantiles, then the MCSE of each.
    """
    if not chains:
        return [math.nan] * (2 * (5 + len(probs)))
    levels = levels_of(prob, kind, probs)
    moments, quantiles = pooled.moments, pooled.quantiles(levels)
    if iid:
        around = pooled.quantiles(levels_of_errors(levels, moments.count))
        low, high = around[: len(levels)], around[len(levels) :]
        errors = [(b - a) / 2 for a, b in zip(low, high, strict=True)]
        sd, excess = moments.sd, moments.fourth / moments.count - moments.sd**4
        error_mean = sd / math.sqrt(moments.count)
        error_sd = math.sqrt(max(excess, 0.0) / moments.count) / (2 * sd) if sd else 0.0
    else:
        own = [[chain.moments.mean, chain.moments.sd, *chain.quantiles(levels)] for chain in chains]
        error_mean, error_sd, *errors = spread_to_mcse(np.array(own).T).tolist()
    if kind == "hdi":
        quantiles[1:1] = pooled.narrowest(prob)
        errors[1:1] = spread_to_mcse(np.array([chain.narrowest(prob) for chain in chains]).T).tolist()
    return [moments.mean, moments.sd, *quantiles, error_mean, error_sd, *errors]


def levels_of(prob: float, kind: Kind, probs: Sequence[float]) -> list[float]:
    """Levels of the quantiles that a summary needs: the median, the ends of an equal-tailed interval, `probs`."""
    return [0.5, *(((1 - prob) / 2, (1 + prob) / 2) if kind == "eti" else ()), *probs]


def levels_of_errors(levels: Sequence[float], count: int) -> list[float]:
    """One binomial standard error of `count` independent draws down from all levels, then up from all.

    Half the distance between their quantiles is the error of the quantiles at `levels`.
    """
    steps = [math.sqrt(level * (1 - level) / count) for level in levels] if count else [0.0] * len(levels)
    low = [max(level - step, 0.0) for level, step in zip(levels, steps, strict=True)]
    high = [min(level + step, 1.0) for level, step in zip(levels, steps, strict=True)]
    return low + high


def array_statistics(
    values: Array, prob: float, kind: Kind, probs: Sequence[float], iid: bool
) -> tuple[list[float], int]:
    """Statistics of draws of shape (chain, draw), and how many were left out."""
    repeats = 1
    if values.strides == (0, 0):
        # A sure value, shown as a view: one number stands for all.
        values, repeats = values[:1, :1], values.size
    finite = np.isfinite(values)
    whole = bool(finite.all())
    rows = list(values) if whole else [row[good] for row, good in zip(values, finite, strict=True)]
    chains = [Sorted(np.sort(row)) for row in rows if row.size]
    left_out = 0 if whole else int(np.count_nonzero(~finite)) * repeats
    if chains and all(chain.values[0] == chains[0].values[0] == chain.values[-1] for chain in chains):
        value, count = float(chains[0].values[0]), 5 + len(probs)
        return [value, 0.0, *([value] * (count - 2)), *([0.0] * count)], left_out
    return statistics(chains, Pooled(chains), prob, kind, probs, iid), left_out


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
    return share, float(spread_to_mcse(events / sizes))


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
