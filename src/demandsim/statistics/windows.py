"""Windows: what of many draws lies between some values, sorted, and how many lie below, from one pass over all.

A pass over all draws, in blocks that stay in the cache, counts what is below each window and keeps what is in it. Only
that is sorted. A value that very many draws have is counted and not kept: a window is made of pieces, and such a value
is a piece of its own. Ranks are counted, not guessed: order statistics are those of a full sort, to the last bit.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array

__all__ = ["Window", "disjoint", "joined", "narrowed", "often", "read"]

#: Draws that are compared with all edges while they are in the cache.
_BLOCK = 65_536
#: Share of the draws from which on a value is counted by itself, since that takes less time than sorting them.
_OFTEN = 1 / 32


@dataclass(frozen=True, eq=False)
class _Piece:
    """Values from `low` to `high`, both included.

    Parameters
    ----------
    low, high : float
        The same of a value that is counted and not kept.
    below : list of int
        How many values of each chain are less than `low`.
    parts : list of array
        Those of each chain in the piece, sorted; views of the one value where it is counted.
    """

    low: float
    high: float
    below: list[int]
    parts: list[Array]

    @functools.cached_property
    def size(self) -> int:
        """How many values of all chains are in it."""
        return sum(part.size for part in self.parts)

    @functools.cached_property
    def together(self) -> Array:
        """The values of all chains, sorted."""
        if self.low == self.high:
            return np.broadcast_to(np.float64(self.low), self.size)
        if len(self.parts) == 1:
            return self.parts[0]
        # A stable sort merges runs that are sorted already.
        return np.sort(np.concatenate(self.parts), kind="stable")


@dataclass(frozen=True, eq=False)
class Window:
    """Values from `low` to `high`, both included, of all chains; `pieces` follow each other without a gap."""

    pieces: list[_Piece]

    @property
    def low(self) -> float:
        """Where it begins."""
        return self.pieces[0].low

    @property
    def high(self) -> float:
        """Where it ends."""
        return self.pieces[-1].high

    @functools.cached_property
    def under(self) -> int:
        """How many values of all chains are less than `low`."""
        return sum(self.pieces[0].below)

    @functools.cached_property
    def size(self) -> int:
        """How many values of all chains are in the window."""
        return sum(piece.size for piece in self.pieces)

    def holds(self, first: int, last: int) -> bool:
        """Whether the order statistics of all chains from one rank to another are here."""
        return self.under <= first and last < self.under + self.size

    def item(self, rank: int) -> float:
        """The order statistic of all chains of a rank that is here."""
        place = rank - self.under
        for piece in self.pieces:
            if place < piece.size:
                return piece.together.item(place)
            place -= piece.size
        raise IndexError(rank)

    def count(self, chain: int) -> int:
        """How many values of a chain are in the window."""
        return sum(piece.parts[chain].size for piece in self.pieces)

    def below(self, chain: int, value: float) -> tuple[float, float]:
        """How many values of a chain are below one that is in the window, and how many are at most that."""
        piece = next(piece for piece in self.pieces if value <= piece.high)
        below, part = piece.below[chain], piece.parts[chain]
        if piece.low == piece.high:
            return float(below), float(below + part.size)
        return float(below + part.searchsorted(value, "left")), float(below + part.searchsorted(value, "right"))

    def lowest(self, count: int, chain: int | None = None) -> Array:
        """The lowest values of a chain, or of all of them, in increasing order: as many, or all there are."""
        return _concatenated(self._parts(chain), count)[:count]

    def highest(self, count: int, chain: int | None = None) -> Array:
        """The highest values of a chain, or of all of them, in increasing order: as many, or all there are."""
        return _concatenated([part[::-1] for part in self._parts(chain)[::-1]], count)[:count][::-1]

    def distinct(self, chain: int) -> Array:
        """The values of a chain in increasing order, one that is counted twice at most."""
        return _concatenated([part[:2] if part.strides == (0,) else part for part in self._parts(chain)])

    def _parts(self, chain: int | None) -> list[Array]:
        return [piece.together if chain is None else piece.parts[chain] for piece in self.pieces]


def _concatenated(parts: Iterable[Array], count: int | None = None) -> Array:
    """Arrays one after the other, no more of them than there must be to have so many values."""
    taken, size = [], 0
    for part in parts:
        taken.append(part if count is None else part[:count])
        size += part.size
        if count is not None and size >= count:
            break
    return taken[0] if len(taken) == 1 else np.concatenate(taken)


def often(ordered: Array) -> list[float]:
    """Values that stand for a good share of all, of some in increasing order."""
    run = max(math.ceil(_OFTEN * ordered.size), 2)
    return [float(value) for value in np.unique(ordered[run - 1 :][ordered[run - 1 :] == ordered[: 1 - run]])]


def disjoint(windows: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Windows in increasing order, those that touch as one."""
    found: list[tuple[float, float]] = []
    for low, high in sorted(windows):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _after(value: float, row: Array) -> float:
    """The next number that a row can hold."""
    return float(np.nextafter(row.dtype.type(value), row.dtype.type(math.inf)))


def _split(edge: tuple[float, float], counted: Sequence[float], row: Array) -> list[tuple[float, float]]:
    """Edges of the pieces of a window."""
    low, high = edge
    found = []
    for value in counted:
        if low <= value <= high:
            found += [(low, -_after(-value, row)), (value, value)]
            low = _after(value, row)
    return [(first, last) for first, last in [*found, (low, high)] if first <= last]


def read(rows: Sequence[Array], edges: Sequence[tuple[float, float]], counted: Sequence[float] = ()) -> list[Window]:
    """Read all values once: those in windows, which are disjoint and in increasing order.

    Parameters
    ----------
    rows : sequence of array of shape (draws,)
        Finite values of each chain.
    edges : sequence of (low, high)
    counted : sequence of float
        Values that many draws have, in increasing order.
    """
    windows = [_split(edge, counted, rows[0]) for edge in edges]
    pieces = [piece for window in windows for piece in window]
    comparison = _comparison(pieces, rows[0])
    found = [_read_chain(row, comparison) for row in rows]
    made = (
        _Piece(low, high, [below[place] for below, _ in found], [parts[place] for _, parts in found])
        for place, (low, high) in enumerate(pieces)
    )
    return [Window(list(itertools.islice(made, len(window)))) for window in windows]


def _regions(edges: Sequence[tuple[float, float]], row: Array) -> list[int | None]:
    """What follows each other on the line of numbers: places of pieces, and None for what is between them."""
    found: list[int | None] = []
    for place, (low, _) in enumerate(edges):
        if low > (_after(edges[place - 1][1], row) if found else -math.inf):
            found.append(None)
        found.append(place)
    return [*found, None] if edges[-1][1] < math.inf else found


@dataclass(frozen=True, eq=False)
class _Comparison:
    """What values are compared with to read pieces: the same for all chains.

    Parameters
    ----------
    pieces : sequence of (low, high)
    numbers : list of int
        Of each piece, which of the regions that follow each other on the line of numbers it is.
    kept : list of bool
        Whether values of a region are kept.
    cuts : array of shape (regions - 1, 1)
        Between two regions, where the second begins: first those of which one side is kept, and the other not.
    order : list of int
        Which cut each of them is on the line of numbers.
    sides : int
        How many have just one side that is kept.
    told : list of bool
        Whether it is asked how many values are below.
    """

    pieces: Sequence[tuple[float, float]]
    numbers: list[int]
    kept: list[bool]
    cuts: Array
    order: list[int]
    sides: int
    told: list[bool]


def _comparison(pieces: Sequence[tuple[float, float]], row: Array) -> _Comparison:
    """What all chains are compared with, of which this is one."""
    regions = _regions(pieces, row)
    kept = [place is not None and pieces[place][0] < pieces[place][1] for place in regions]
    # Where the second of two regions is no piece, it begins just after the first ends.
    cuts = [
        pieces[second][0] if second is not None else _after(pieces[first or 0][1], row)
        for first, second in itertools.pairwise(regions)
    ]
    order = sorted(range(len(cuts)), key=lambda place: kept[place] == kept[place + 1])
    return _Comparison(
        pieces,
        [number for number, place in enumerate(regions) if place is not None],
        kept,
        np.array(cuts, dtype=row.dtype)[order, None],
        order,
        sum(kept[place] != kept[place + 1] for place in order),
        [regions[place + 1] is not None or not kept[place] for place in order],
    )


def _read_chain(row: Array, comparison: _Comparison) -> tuple[list[int], list[Array]]:
    """How many values are below each piece, and those in each."""
    upto, held = _compared(row, comparison)
    below, parts, start = [], [], 0
    for (low, high), number in zip(comparison.pieces, comparison.numbers, strict=True):
        below.append(upto[number])
        if comparison.kept[number]:
            stop = int(held.searchsorted(high, "right"))
            parts.append(held[start:stop])
            start = stop
        else:
            parts.append(np.broadcast_to(np.float64(low), upto[number + 1] - upto[number]))
    return below, parts


def _compared(row: Array, comparison: _Comparison) -> tuple[list[int], Array]:
    """How many values are below each cut that is told, from 0 to all, and those that are kept, sorted."""
    cuts, sides = comparison.cuts, comparison.sides
    upto, values = [0] * len(cuts), [row[:0]]
    below, inside = np.empty((len(cuts), _BLOCK), dtype=bool), np.empty(_BLOCK, dtype=bool)
    for start in range(0, row.size, _BLOCK):
        block = row[start : start + _BLOCK]
        found, mask = below[:, : block.size], inside[: block.size]
        # With all of them in one call, in which threads need not wait for each other.
        np.less(block, cuts, out=found)
        for number, (place, told) in enumerate(zip(comparison.order, comparison.told, strict=True)):
            if told:
                upto[place] += int(np.count_nonzero(found[number]))
        # Of the two sides of what is kept, and of nothing else, just one has a value below it.
        np.bitwise_xor.reduce(found[:sides], axis=0, out=mask, initial=comparison.kept[-1])
        values.append(block[mask])
    return [0, *upto, row.size], np.sort(np.concatenate(values)).astype(np.float64, copy=False)


def narrowed(
    windows: Sequence[Window], edges: Sequence[tuple[float, float]], counted: Sequence[float], row: Array
) -> list[Window]:
    """Windows inside those that were read of one chain; nothing if one of them is not."""
    held = [piece for window in windows for piece in window.pieces]
    found = []
    for edge in edges:
        pieces = []
        for low, high in _split(edge, counted, row):
            wide = next((piece for piece in held if piece.low <= low and high <= piece.high), None)
            if wide is None:
                return []
            (part,), (below,) = wide.parts, wide.below
            first, last = part.searchsorted(low), part.searchsorted(high, "right")
            pieces.append(_Piece(low, high, [below + int(first)], [part[first:last]]))
        found.append(Window(pieces))
    return found


def joined(some: Sequence[Window], more: Sequence[Window]) -> list[Window]:
    """Windows between the same edges, of chains that were read one after the other."""
    return [
        Window(
            [
                _Piece(a.low, a.high, a.below + b.below, a.parts + b.parts)
                for a, b in zip(one.pieces, other.pieces, strict=True)
            ]
        )
        for one, other in zip(some, more, strict=True)
    ]
