"""Order statistics: quantiles, ends and gaps of many draws, near the levels that are asked for, without a full sort.

A few draws of every chain, sorted, tell between which values a quantile of the first chain lies, give or take what so
few can tell; the first chain, read, tells it of the others, far more closely. A window that turns out not to hold the
rank is taken again, wider.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.sample import between, narrowest_run, widest_gap
from demandsim.statistics.sketch import Moments, merged_moments
from demandsim.statistics.windows import Window, disjoint, joined, narrowed, often, read

__all__ = ["Windowed"]

#: Draws of all chains together that say where windows are.
_PILOT = 8_192
#: Half a window, in binomial standard errors of the pilot: of independent draws, and of designs that are more even.
_REACH_INDEPENDENT, _REACH = 3.0, 1.5
#: By how much a window is wider that is taken again.
_AGAIN = 4.0
#: Values at either end of a chain between which its widest gap most often is.
_OUTER = 8
#: Cells that the distance of two neighbours takes, where a wider one is looked for; and the most of them for a value.
_CELLS, _MOST_CELLS = 4, 16


class Windowed:
    """All chains together, of which only what is asked for is sorted.

    Parameters
    ----------
    rows : sequence of array of shape (draws,)
        Finite values of each chain.
    levels : sequence of float
        Of quantiles that will be asked for, which are read together.
    moments : sequence of Moments
        Of each chain.
    iid : bool
        Draws are independent: the first ones tell less of the rest.
    tail : int
        Lowest and highest values of all chains that will be asked for.
    prob : float, optional
        Of the highest density interval, if that will be asked for.
    """

    def __init__(
        self,
        rows: Sequence[Array],
        levels: Sequence[float],
        moments: Sequence[Moments],
        *,
        iid: bool,
        tail: int,
        prob: float | None = None,
    ) -> None:
        self.rows = rows
        self.total = sum(row.size for row in rows)
        self.moments = functools.reduce(merged_moments, moments)
        self._reach = _REACH_INDEPENDENT if iid else _REACH
        some = max(_PILOT // len(rows), 1)
        self._pilots = [np.sort(row[:some]).astype(np.float64, copy=False) for row in rows]
        self._pilot = np.sort(np.concatenate(self._pilots), kind="stable")
        self._often = often(self._pilot)
        share = min(max(tail / self.total, 0.0 if prob is None else 1 - prob), 1.0)
        self._first = self._read_first(levels, share)
        self._windows = [*self._first]
        self.chains = [_Chain(self, place, own) for place, own in enumerate(moments)]

    def _read_first(self, levels: Sequence[float], share: float) -> list[Window]:
        """Windows for quantiles, and for a share of the values at either end."""

        def edges(around: Callable[[float], tuple[float, float]]) -> list[tuple[float, float]]:
            ends = [(-math.inf, around(share)[1]), (around(1 - share)[0], math.inf)]
            return disjoint([*ends, *(around(level) for level in levels)])

        one, own, reach, wanted = self.rows[:1], list[Window](), self._reach, [share, *levels, 1 - share]
        placed: dict[float, tuple[float, float]] = {}
        while missed := [level for level in wanted if level not in placed]:
            wider = functools.partial(self._around, reach=reach)
            own += read(one, edges(wider) if not own else disjoint(map(wider, missed)), self._often)
            # What one chain holds tells of the others far more than the pilot does, once it holds its own quantile.
            around = {level: self._around_in(own, level, self._reach) for level in missed}
            placed |= {level: place for level, place in around.items() if place is not None}
            reach *= _AGAIN
        self._own = own
        close = edges(placed.__getitem__)
        mine = narrowed(own, close, self._often, one[0])
        if not mine:
            return read(self.rows, close, self._often)
        return joined(mine, read(self.rows[1:], close, self._often)) if self.rows[1:] else mine

    def _around_in(self, own: Sequence[Window], level: float, reach: float) -> tuple[float, float] | None:
        """Values between which a quantile lies, as the first chain tells, if it was read there."""
        size = self.rows[0].size
        step = reach * math.sqrt(level * (1 - level) / size) + 2 / size
        low, high = max(math.floor((level - step) * size), 0), min(math.ceil((level + step) * size), size - 1)
        window = next((window for window in own if window.holds(low, high)), None)
        return None if window is None else (window.item(low), window.item(high))

    def _around(self, level: float, reach: float) -> tuple[float, float]:
        """Values between which a quantile lies, as the pilot tells."""
        pilot, size = self._pilot, self._pilot.size
        step = reach * math.sqrt(level * (1 - level) / size) + 2 / size
        low, high = math.floor((level - step) * (size - 1)), math.ceil((level + step) * (size - 1))
        return (
            pilot.item(low) if low > 0 else -math.inf,
            pilot.item(high) if high < size - 1 else math.inf,
        )

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles of all chains together, linear between order statistics."""
        last = self.total - 1
        places = [prob * last for prob in probs]
        ranks = [(int(place), min(int(place) + 1, last)) for place in places]
        return [
            between(window.item(low), window.item(high), place - low)
            for place, (low, high), window in zip(places, ranks, self._holding(ranks), strict=True)
        ]

    def _holding(self, ranks: Sequence[tuple[int, int]]) -> list[Window]:
        """A window that holds each pair of ranks; where there is none, all draws are read again, in wider ones."""
        for places in (self._wider, self._bracket, None):
            found = [next((w for w in self._windows if w.holds(*pair)), None) for pair in ranks]
            missed = [pair for pair, window in zip(ranks, found, strict=True) if window is None]
            if missed and places is not None:
                self._windows += read(self.rows, disjoint(places(*pair) for pair in missed), self._often)
        return [window for window in found if window is not None]

    def _wider(self, first: int, last: int) -> tuple[float, float]:
        """Values between which order statistics of all chains should be, as the first chain tells, or the pilot."""
        reach = _AGAIN * self._reach
        places = [
            self._around_in(self._own, rank / self.total, reach) or self._around(rank / self.total, reach)
            for rank in (first, last)
        ]
        return min(low for low, _ in places), max(high for _, high in places)

    def _bracket(self, first: int, last: int) -> tuple[float, float]:
        """Values between which they must be, as counts tell."""
        under = [window.low for window in self._windows if window.under <= first]
        above = [window.high for window in self._windows if window.under + window.size > last]
        return max(under, default=-math.inf), min(above, default=math.inf)

    def window_at(self, value: float) -> Window | None:
        """A window in which a value lies, if there is one."""
        return next((window for window in self._windows if window.low <= value <= window.high), None)

    def _tails(self, count: int) -> tuple[Window, Window]:
        """Windows that hold the lowest and the highest values of all chains together, as many of each."""
        last = self.total - 1
        low, high = self._holding([(0, min(count - 1, last)), (max(last - count + 1, 0), last)])
        return low, high

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values of all chains together, in increasing order, as many of each."""
        low, high = self._tails(count)
        return low.lowest(count), high.highest(count)

    def _outer(self, place: int, count: int) -> tuple[Array, Array]:
        """Lowest and highest values of a chain that were read first: as many, or all that there are."""
        low = next(window for window in self._first if window.low == -math.inf)
        high = next(window for window in self._first if window.high == math.inf)
        return low.lowest(count, place), high.highest(count, place)

    def _extremes(self, place: int) -> tuple[float, float]:
        """Smallest and largest value of a chain."""
        lowest, highest = self._outer(place, 1)
        # A chain far from the others has nothing at the ends of all.
        low = lowest.item() if lowest.size else self.rows[place].min().item()
        return low, highest.item() if highest.size else self.rows[place].max().item()

    def ordered(self) -> Array:
        """Some of the values in increasing order, which stand for all."""
        return self._pilot

    def pilot(self, place: int) -> Array:
        """Some of the values of a chain in increasing order, which stand for all."""
        return self._pilots[place]

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval of all chains together."""
        count = self.total - min(math.floor(prob * self.total), self.total - 1)
        return narrowest_run(*self.ends(count))

    def narrowest_of_chain(self, place: int, prob: float) -> tuple[float, float]:
        """Highest density interval of one chain."""
        size = self.rows[place].size
        count = size - min(math.floor(prob * size), size - 1)
        for reach in (0.0, *(self._reach * _AGAIN**power for power in range(1, 9))):
            if reach:
                low, high = self._around(1 - prob, reach)[1], self._around(prob, reach)[0]
                self._windows += read(self.rows, disjoint([(-math.inf, low), (high, math.inf)]), self._often)
            held = [window for window in self._windows if window.count(place) >= count]
            lows = [window for window in held if window.low == -math.inf]
            highs = [window for window in held if window.high == math.inf]
            if lows and highs:
                return narrowest_run(lows[0].lowest(count, place), highs[0].highest(count, place))
        raise AssertionError("a window without ends holds all values")

    def widest_gap(self, place: int, enough: float, most: float) -> tuple[float, float]:
        """Neighbours in a chain that are farthest apart; see `Chain.widest_gap`."""
        for outer in self._outer(place, _OUTER):
            far = widest_gap(outer) if outer.size else (0.0, 0.0)
            if _half_width(far) >= most / 2:
                return far
        parts = [part for part in (window.distinct(place) for window in self._first) if part.size]
        if not parts:
            return widest_gap(np.sort(self.rows[place]).astype(np.float64, copy=False))
        held = np.concatenate(parts)
        gaps = np.append(held[1:] / 2 - held[:-1] / 2, 0.0)
        # From one window to the next there are others between.
        gaps[np.cumsum([part.size for part in parts]) - 1] = 0.0
        widest = int(np.argmax(gaps))
        least = gaps.item(widest)
        found = held.item(widest), held.item(widest + 1) if least else held.item(widest)
        # More values only part gaps: where those of a few are narrow enough, so are all.
        least = max(least, enough / 2)
        ends = self._extremes(place)
        known = np.sort(np.concatenate([ends, self._pilots[place], *(part[[0, -1]] for part in parts)])) / 2
        wide = known[1:] - known[:-1] > least
        for part in parts:
            wide &= (known[:-1] < part[0] / 2) | (known[1:] > part[-1] / 2)
        if not wide.any():
            return found
        return _wider_gap(self.rows[place], ends, least) or found


def _half_width(pair: tuple[float, float]) -> float:
    """Half a distance: that of two doubles may be none."""
    return pair[1] / 2 - pair[0] / 2


def _wider_gap(row: Array, ends: tuple[float, float], least: float) -> tuple[float, float] | None:
    """Neighbours that are farther apart than twice `least`, the farthest of them; in linear time.

    Values fall into cells of a fraction of that distance. A wider gap leaves some of them empty, and only the values
    on either side of such cells are looked at.
    """
    low, high = ends
    scale = _CELLS / least if least else math.inf
    cells = scale * (high / 2 - low / 2)
    if scale == math.inf or cells > _MOST_CELLS * row.size:
        pair = widest_gap(np.sort(row).astype(np.float64, copy=False))
        return pair if _half_width(pair) > least else None

    def cell_of(values: Array) -> npt.NDArray[np.intp]:
        steps = values / 2.0
        steps -= low / 2
        steps *= scale
        return steps.astype(np.intp)

    cell = cell_of(row)
    taken = np.zeros(int(cells) + 2, dtype=bool)
    taken[cell] = True
    used = np.flatnonzero(taken)
    # Rounding may move a value by a cell.
    apart = np.flatnonzero(used[1:] - used[:-1] >= _CELLS - 1)
    taken.fill(False)
    taken[used[apart]] = taken[used[apart + 1]] = True
    values = np.sort(row[taken[cell]]).astype(np.float64)
    place = cell_of(values)
    taken.fill(False)
    taken[used[apart]] = True
    gaps = np.flatnonzero(taken[place[:-1]] & (place[1:] > place[:-1]))
    if not gaps.size:
        return None
    widest = gaps[np.argmax(values[gaps + 1] / 2 - values[gaps] / 2)]
    pair = values.item(widest), values.item(widest + 1)
    return pair if _half_width(pair) > least else None


@dataclass(frozen=True, eq=False)
class _Chain:
    """One chain of those that are read together."""

    pool: Windowed
    place: int
    moments: Moments

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval."""
        return self.pool.narrowest_of_chain(self.place, prob)

    def ordered(self) -> Array:
        """Some of the values in increasing order, which stand for all."""
        return self.pool.pilot(self.place)

    def counts(self, values: Sequence[float]) -> tuple[Array, Array]:
        """How many values are below each of some numbers, and how many are at most that."""
        found = [self._counted(value) for value in values]
        return np.array([low for low, _ in found]), np.array([high for _, high in found])

    def _counted(self, value: float) -> tuple[float, float]:
        window = self.pool.window_at(value)
        if window is None:
            row: npt.NDArray[Any] = self.pool.rows[self.place]
            return float(np.count_nonzero(row < value)), float(np.count_nonzero(row <= value))
        return window.below(self.place, value)

    def widest_gap(self, enough: float = 0.0, most: float = math.inf) -> tuple[float, float]:
        """Neighbours that are farthest apart; see `Chain.widest_gap`."""
        return self.pool.widest_gap(self.place, enough, most)
