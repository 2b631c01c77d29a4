"""Windows: order statistics of many draws near the levels that are asked for, without sorting the rest.

A few draws of every chain, sorted, tell between which values a quantile lies, give or take what so few can tell. One
pass over all draws, in blocks that stay in the cache, counts what is below each such window and keeps what is in it.
Only that is sorted. Ranks are counted, not guessed: the order statistics are those of a full sort, to the last bit, and
a window that turns out not to hold the rank is taken again, wider.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.sample import between, narrowest_run, widest_gap
from demandsim.statistics.sketch import Moments, merged_moments, moments_of

__all__ = ["Windowed"]

#: Draws that are compared with all edges while they are in the cache.
_BLOCK = 32_768
#: Draws of all chains together that say where windows are.
_PILOT = 8_192
#: Half a window, in binomial standard errors of the pilot: of independent draws, and of designs that are more even.
_REACH_INDEPENDENT, _REACH = 3.0, 1.5
#: By how much a window is wider that is taken again.
_AGAIN = 4.0
#: Cells that the distance of two neighbours takes, where a wider one is looked for; and the most of them for a value.
_CELLS, _MOST_CELLS = 8, 16


@dataclass(frozen=True, eq=False)
class _Window:
    """Values from `low` to `high`, both included.

    Parameters
    ----------
    low, high : float
    below : list of int
        How many values of each chain are less than `low`.
    parts : list of array
        Those of each chain in the window, sorted.
    """

    low: float
    high: float
    below: list[int]
    parts: list[Array]

    @functools.cached_property
    def under(self) -> int:
        """How many values of all chains are less than `low`."""
        return sum(self.below)

    @functools.cached_property
    def together(self) -> Array:
        """The values of all chains in the window, sorted."""
        # A stable sort merges runs that are sorted already.
        return np.sort(np.concatenate(self.parts), kind="stable")

    @functools.cached_property
    def size(self) -> int:
        """How many values of all chains are in the window."""
        return sum(part.size for part in self.parts)

    def holds(self, first: int, last: int) -> bool:
        """Whether the order statistics of all chains from one rank to another are here."""
        return self.under <= first and last < self.under + self.size


def _read(rows: Sequence[Array], edges: Sequence[tuple[float, float]]) -> list[_Window]:
    """Read all values once: those in windows, which are disjoint and in increasing order."""
    found = [_read_chain(row, edges) for row in rows]
    return [
        _Window(low, high, [below[place] for below, _ in found], [parts[place] for _, parts in found])
        for place, (low, high) in enumerate(edges)
    ]


def _read_chain(row: Array, edges: Sequence[tuple[float, float]]) -> tuple[list[int], list[Array]]:
    """How many values are below each window, and those in each."""
    lows, highs = ([edge for edge in side if math.isfinite(edge)] for side in zip(*edges, strict=True))
    below, kept = [0] * len(lows), []
    inside, side = np.empty(_BLOCK, dtype=bool), np.empty(_BLOCK, dtype=bool)
    for start in range(0, row.size, _BLOCK):
        block = row[start : start + _BLOCK]
        mask, one = inside[: block.size], side[: block.size]
        # Of the two edges of a window, and of no other, just one has the value below it; the last may have no end.
        mask.fill(edges[-1][1] == math.inf)
        for place, low in enumerate(lows):
            np.less(block, low, out=one)
            below[place] += int(np.count_nonzero(one))
            np.not_equal(mask, one, out=mask)
        for high in highs:
            np.not_equal(mask, np.less_equal(block, high, out=one), out=mask)
        kept.append(block[mask])
    values = np.sort(np.concatenate(kept)).astype(np.float64, copy=False)
    stops = values.searchsorted([high for _, high in edges[:-1]], "right").tolist()
    parts = [values[start:stop] for start, stop in itertools.pairwise([0, *stops, values.size])]
    return [0] * (len(edges) - len(lows)) + below, parts


def _narrowed(windows: Sequence[_Window], edges: Sequence[tuple[float, float]]) -> list[_Window]:
    """Windows inside those that were read; nothing if one of them is not."""
    found = []
    for low, high in edges:
        for wide in windows:
            if wide.low <= low and high <= wide.high:
                spots = [(part.searchsorted(low, "left"), part.searchsorted(high, "right")) for part in wide.parts]
                below = [count + int(first) for count, (first, _) in zip(wide.below, spots, strict=True)]
                parts = [part[first:stop] for part, (first, stop) in zip(wide.parts, spots, strict=True)]
                found.append(_Window(low, high, below, parts))
    return found if len(found) == len(edges) else []


def _joined(some: Sequence[_Window], more: Sequence[_Window]) -> list[_Window]:
    """Windows between the same edges, of chains that were read one after the other."""
    return [
        _Window(a.low, a.high, a.below + b.below, a.parts + b.parts) if b else a
        for a, b in itertools.zip_longest(some, more)
    ]


def _disjoint(windows: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Windows in increasing order, those that touch as one."""
    found: list[tuple[float, float]] = []
    for low, high in sorted(windows):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


class Windowed:
    """All chains together, of which only what is asked for is sorted.

    Parameters
    ----------
    rows : sequence of array of shape (draws,)
        Finite values of each chain.
    levels : sequence of float
        Of quantiles that will be asked for, which are read together.
    iid : bool
        Draws are independent: the first ones tell less of the rest, and errors need fourth moments.
    tail : int
        Lowest and highest values of all chains that will be asked for.
    prob : float, optional
        Of the highest density interval, if that will be asked for.
    """

    def __init__(
        self, rows: Sequence[Array], levels: Sequence[float], *, iid: bool, tail: int, prob: float | None = None
    ) -> None:
        self.rows = rows
        self.total = sum(row.size for row in rows)
        self._iid = iid
        self._reach = _REACH_INDEPENDENT if iid else _REACH
        some = max(_PILOT // len(rows), 1)
        self._pilots = [np.sort(row[:some]).astype(np.float64, copy=False) for row in rows]
        self._pilot = np.sort(np.concatenate(self._pilots), kind="stable")
        share = min(max(tail / self.total, 0.0 if prob is None else 1 - prob), 1.0)
        # What one chain holds tells of the others far more than the pilot does.
        read = _read(rows[:1], self._edges(self._around, levels, share))
        read = _narrowed(read, self._edges(functools.partial(self._around_in, read), levels, share)) or read
        self._first = _joined(read, _read(rows[1:], [(window.low, window.high) for window in read]))
        self._windows = [*self._first]
        self.chains = [_Chain(self, place) for place in range(len(rows))]

    def _edges(
        self, around: Callable[[float, float], tuple[float, float]], levels: Sequence[float], share: float
    ) -> list[tuple[float, float]]:
        """Windows for quantiles, and for a share of the values at either end."""
        low, high = around(share, self._reach)[1], around(1 - share, self._reach)[0]
        inner = [around(level, self._reach) for level in levels]
        return _disjoint([(-math.inf, low), (high, math.inf), *inner])

    def _around_in(self, first: Sequence[_Window], level: float, reach: float) -> tuple[float, float]:
        """Values between which a quantile lies, as the first chain tells that was read."""
        size = self.rows[0].size
        step = reach * math.sqrt(level * (1 - level) / size) + 2 / size
        low, high = max(math.floor((level - step) * size), 0), min(math.ceil((level + step) * size), size - 1)
        for window in first:
            below, part = window.below[0], window.parts[0]
            if below <= low and high < below + part.size:
                return part.item(low - below), part.item(high - below)
        return self._around(level, reach)

    def _around(self, level: float, reach: float) -> tuple[float, float]:
        """Values between which a quantile lies, as the pilot tells."""
        pilot, size = self._pilot, self._pilot.size
        step = reach * math.sqrt(level * (1 - level) / size) + 2 / size
        low, high = math.floor((level - step) * (size - 1)), math.ceil((level + step) * (size - 1))
        return (
            pilot.item(low) if low > 0 else -math.inf,
            pilot.item(high) if high < size - 1 else math.inf,
        )

    @functools.cached_property
    def moments(self) -> Moments:
        """Count, mean and central moments."""
        return functools.reduce(merged_moments, (chain.moments for chain in self.chains))

    def moments_of_chain(self, place: int) -> Moments:
        """Moments of one chain, the fourth only where errors need it."""
        return moments_of(self.rows[place], fourth=self._iid)

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles of all chains together, linear between order statistics."""
        last = self.total - 1
        places = [prob * last for prob in probs]
        ranks = [(int(place), min(int(place) + 1, last)) for place in places]
        found = []
        for place, (low, high), window in zip(places, ranks, self._holding(ranks), strict=True):
            below, above = (window.together.item(rank - window.under) for rank in (low, high))
            found.append(between(below, above, place - low))
        return found

    def _holding(self, ranks: Sequence[tuple[int, int]]) -> list[_Window]:
        """A window that holds each pair of ranks; where there is none, all draws are read again, in wider ones."""
        reach = self._reach
        while True:
            found = [next((w for w in self._windows if w.holds(*pair)), None) for pair in ranks]
            if all(found):
                return [window for window in found if window is not None]
            reach *= _AGAIN
            missed = [pair for pair, window in zip(ranks, found, strict=True) if window is None]
            wanted = [self._around(rank / (self.total - 1), reach) for pair in missed for rank in pair]
            self._windows += _read(self.rows, _disjoint(wanted))

    def window_at(self, value: float) -> _Window | None:
        """A window in which a value lies, if there is one."""
        return next((window for window in self._windows if window.low <= value <= window.high), None)

    def _tails(self, count: int) -> tuple[_Window, _Window]:
        """Windows that hold the lowest and the highest values of all chains together, as many of each."""
        last = self.total - 1
        low, high = self._holding([(0, min(count - 1, last)), (max(last - count + 1, 0), last)])
        return low, high

    def ends(self, place: int, count: int) -> tuple[Array, Array]:
        """Lowest and highest values of a chain, as many as are among as many of all chains, and maybe more."""
        low, high = self._tails(count)
        return low.parts[place][:count], high.parts[place][-count:]

    def _extremes(self, place: int) -> tuple[float, float]:
        """Smallest and largest value of a chain."""
        lowest = next(window.parts[place] for window in self._first if window.low == -math.inf)
        highest = next(window.parts[place] for window in self._first if window.high == math.inf)
        # A chain far from the others has nothing at the ends of all.
        low = lowest.item(0) if lowest.size else self.rows[place].min().item()
        return low, highest.item(-1) if highest.size else self.rows[place].max().item()

    def ordered(self) -> Array:
        """Some of the values in increasing order, which stand for all."""
        return self._pilot

    def pilot(self, place: int) -> Array:
        """Some of the values of a chain in increasing order, which stand for all."""
        return self._pilots[place]

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval of all chains together."""
        count = self.total - min(math.floor(prob * self.total), self.total - 1)
        low, high = self._tails(count)
        return narrowest_run(low.together[:count], high.together[-count:])

    def narrowest_of_chain(self, place: int, prob: float) -> tuple[float, float]:
        """Highest density interval of one chain."""
        size = self.rows[place].size
        count = size - min(math.floor(prob * size), size - 1)
        for reach in (0.0, *(self._reach * _AGAIN**power for power in range(1, 9))):
            if reach:
                low, high = self._around(1 - prob, reach)[1], self._around(prob, reach)[0]
                self._windows += _read(self.rows, _disjoint([(-math.inf, low), (high, math.inf)]))
            lows = [w.parts[place] for w in self._windows if w.low == -math.inf and w.parts[place].size >= count]
            highs = [w.parts[place] for w in self._windows if w.high == math.inf and w.parts[place].size >= count]
            if lows and highs:
                return narrowest_run(lows[0][:count], highs[0][-count:])
        raise AssertionError("a window without ends holds all values")

    def widest_gap(self, place: int) -> tuple[float, float]:
        """Neighbours in a chain that are farthest apart."""
        parts = [part for part in (window.parts[place] for window in self._first) if part.size]
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

    @functools.cached_property
    def moments(self) -> Moments:
        """Count, mean and central moments."""
        return self.pool.moments_of_chain(self.place)

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
        below, part = window.below[self.place], window.parts[self.place]
        return float(below + part.searchsorted(value, "left")), float(below + part.searchsorted(value, "right"))

    def widest_gap(self) -> tuple[float, float]:
        """Neighbours that are farthest apart."""
        return self.pool.widest_gap(self.place)

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order: those among as many of all chains."""
        return self.pool.ends(self.place, count)
