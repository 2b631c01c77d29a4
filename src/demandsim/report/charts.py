"""Charts: where the marks of a drawing stand, on axes with round ticks. Templates make SVG of them.

Colours are classes of the style sheet, so that they follow light, dark and paper. Text stands at 13 units in drawings
that are never shown smaller than they are: it is 13 pixels or more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from demandsim.report.data import Fan, Moves, Quantity, Shape
from demandsim.units.format import number

__all__ = [
    "STEPS",
    "Axis",
    "Drawing",
    "Mark",
    "axis",
    "fan_chart",
    "interval_bar",
    "shape_chart",
    "share_bar",
    "slider",
    "swing_bar",
]

_WIDTH = 320.0
#: Steps of the height of a bar.
_FINE = 98
#: Steps of the slider under a distribution.
STEPS = 480


@dataclass(frozen=True)
class Mark:
    """An element of a drawing: its name, its attributes, its text or the marks inside."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""
    inner: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """Marks on a sheet of some size."""

    marks: tuple[Mark, ...]
    width: int
    height: int


def _mark(name: str, kind: str = "", text: str = "", **attributes: str | float) -> Mark:
    """Make a mark of a kind that the style sheet knows, without digits that nobody sees."""
    written = {key: f"{round(v, 2):g}" if isinstance(v, float) else str(v) for key, v in attributes.items()}
    return Mark(name, written | ({"class": kind} if kind else {}), text)


def _upright(kind: str, x: float, top: float, floor: float) -> Mark:
    return _mark("line", kind, x1=x, x2=x, y1=top, y2=floor)


def _level(kind: str, y: float, left: float, right: float) -> Mark:
    return _mark("line", kind, x1=left, x2=right, y1=y, y2=y)


def _diamond(x: float, y: float) -> Mark:
    return _mark("path", "diamond", d=f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z")


@dataclass(frozen=True)
class Axis:
    """A scale from values to units of the drawing.

    Parameters
    ----------
    low, high : float
        Values at both ends.
    start, stop : float
        Where they stand.
    wide : bool
        Logarithmic.
    """

    low: float
    high: float
    start: float
    stop: float
    wide: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, at most just outside of the drawing.

        Examples
        --------
        >>> Axis(0, 10, 0, 100).place(5), Axis(1, 100, 0, 100, wide=True).place(10)
        (50.0, 50.0)
        """
        if self.wide:
            if value <= 0:
                return self.start
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + (self.stop - self.start) * min(max(share, -0.05), 1.05)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside, at most so many.

        Examples
        --------
        >>> Axis(0, 97, 0, 1).ticks(), Axis(0.7, 230, 0, 1, wide=True).ticks()
        ([0.0, 20.0, 40.0, 60.0, 80.0], [1.0, 3.0, 10.0, 30.0, 100.0])
        """
        if self.wide:
            return self._powers(most)
        raw = (self.high - self.low) / most
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        return [float(f"{n * step:.12g}") for n in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _powers(self, most: int) -> list[float]:
        low, high = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [float(f"{f}e{n}") for n in range(low, high + 1) for f in factors]
            inside = [value for value in found if self.low <= value <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: math.ceil(len(inside) / most)]


def axis(ends: Sequence[float], start: float, stop: float, wide: bool | None = None) -> Axis:
    """Make an axis over the finite ones of some values, which has some length even where all are the same.

    Parameters
    ----------
    ends : sequence of float
    start, stop : float
        Where the axis begins and ends.
    wide : bool, optional
        Logarithmic; by default where the largest value is more than thirty times the smallest.

    Examples
    --------
    >>> axis([3.0, 3.0], 0, 100).place(3.0), axis([1.0, 100.0], 0, 100).wide
    (50.0, True)
    """
    known = [value for value in ends if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if not low < high:
        half = (abs(low) or 1.0) / 2
        return Axis(low - half, low + half, start, stop)
    return Axis(low, high, start, stop, low > 0 and high / low > 30 if wide is None else wide)


def tick_text(value: float) -> str:
    """Write a tick as short as it can be: ``1.0`` is 1.

    Examples
    --------
    >>> tick_text(0.25), tick_text(2500.0), tick_text(-3.0), tick_text(0.0)
    ('0.25', '2,500', '−3', '0')
    """
    text = number(value, 4)
    if "e" in text:
        return f"{value:g}".replace("-", "−")
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def _line(values: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(values))


def shape_chart(shape: Shape) -> Drawing:
    """Draw a distribution: bars, the central interval in a stronger colour, median and point estimate."""
    row, top, floor = shape.row, 10.0, 108.0
    x = axis((shape.edges[0], shape.edges[-1]), 4.0, _WIDTH - 4.0, shape.wide)
    # Bars of a logarithmic axis are as wide as each other, so that heights compare.
    most = max(shape.shares) or 1.0
    heights = [round(_FINE * share / most) for share in shape.shares]
    low, median, high = (value / row.scale.divisor for value in (row.lower, row.median, row.upper))
    within = [i for i, (left, right) in enumerate(pairwise(shape.edges)) if right > low and left < high]
    first, last = (within[0], within[-1] + 1) if within else (len(heights), len(heights))
    parts = [(0, first, "tail"), (first, last, "inside"), (last, len(heights), "tail")]
    sized = f"translate({x.start:g} {floor:g}) scale({(x.stop - x.start) / len(heights):g} {(top - floor) / _FINE:g})"
    bars = tuple(_stairs(heights, a, b, kind) for a, b, kind in parts if a < b)
    marks = [Mark("g", {"transform": sized}, inner=bars), _upright("median", x.place(median), top - 6, floor)]
    marks += [*_point(row, x, top, floor), _level("axis", floor, x.start, x.stop), *_ticks(x, floor)]
    return Drawing(tuple(marks), round(_WIDTH), 132)


def _stairs(heights: Sequence[int], first: int, last: int, kind: str) -> Mark:
    """The outline of bars that touch each other, from one to before another, in units of a bar's width."""
    bars = "".join(f"V{height}h1" for height in heights[first:last])
    return _mark("path", kind, d=f"M{first} 0{bars}V0Z")


def _point(row: Quantity, x: Axis, top: float, floor: float) -> list[Mark]:
    value = row.point / row.scale.divisor
    if not math.isfinite(value) or not x.low <= value <= x.high:
        return []
    return [_upright("point", x.place(value), top, floor), _diamond(x.place(value), top - 3)]


def _ticks(x: Axis, floor: float) -> list[Mark]:
    made = []
    for value in x.ticks(4):
        spot, text = x.place(value), tick_text(value)
        half = 3.6 * len(text)
        anchor = "start" if spot < half else "end" if spot > _WIDTH - half else "middle"
        where = 0.0 if anchor == "start" else _WIDTH if anchor == "end" else spot
        made.append(_upright("axis", spot, floor, floor + 4))
        made.append(_mark("text", text=text, x=where, y=floor + 18, **{"text-anchor": anchor}))
    return made


def slider(shape: Shape) -> dict[str, Any]:
    """Attributes of a figure from which the script makes a slider that reads probabilities off the distribution."""
    x = axis((shape.edges[0], shape.edges[-1]), 0.0, 1.0, shape.wide)
    below = [round(1e4 * share) for share in shape.cumulative]
    return {
        "data-start": round(STEPS * min(max(x.place(shape.row.median / shape.row.scale.divisor), 0.0), 1.0)),
        "data-ends": f"{shape.edges[0]:.6g} {shape.edges[-1]:.6g}",
        "data-wide": "" if shape.wide else None,
        "data-below": " ".join(str(after - before) for before, after in pairwise([0, *below])),
    }


def fan_chart(fan: Fan) -> Drawing:
    """Draw quantiles over time: bands of 50% and of the interval, the median, points."""
    d = fan.scale.divisor
    lines = {key: [value / d for value in values] for key, values in fan.lines.items()}
    points = [value / d for value in fan.point]
    ends = [*lines["lower"], *lines["upper"], *points]
    y = axis(ends, 168.0, 12.0)
    if not y.wide:
        y = axis([*ends, 0.0], 168.0, 12.0, wide=False)
    shown = [(value, tick_text(value)) for value in y.ticks(5)]
    left = 10.0 + 7.4 * max((len(text) for _, text in shown), default=1)
    xs = [left + (_WIDTH - 24 - left) * place for place in (fan.places if len(fan.places) > 1 else (0.5,))]
    marks = []
    for value, text in shown:
        marks.append(_level("grid", y.place(value), left, _WIDTH - 8))
        marks.append(_mark("text", text=text, x=left - 5, y=y.place(value) + 4, **{"text-anchor": "end"}))

    def run(key: str) -> list[tuple[float, float]]:
        return [(x, y.place(v)) for x, v in zip(xs, lines[key], strict=True) if math.isfinite(v)]

    for bottom, top, kind in (("lower", "upper", "tail"), ("p25", "p75", "inside")):
        marks.append(_mark("path", kind, d=_line([*run(top), *reversed(run(bottom))]) + "Z"))
    marks.append(_mark("path", "trace", d=_line(run("median"))))
    marks += [_diamond(x, y.place(v)) for x, v in zip(xs, points, strict=True) if math.isfinite(v)]
    marks.append(_level("axis", 168, left, _WIDTH - 8))
    marks += [_mark("text", text=text, x=x, y=186, **{"text-anchor": "middle"}) for x, text in _told(fan.times, xs)]
    return Drawing(tuple(marks), round(_WIDTH), 194)


def _told(times: Sequence[str], xs: Sequence[float]) -> list[tuple[float, str]]:
    """Times that have room: whole years before parts of years, then from the left."""
    wide = 7.8 * max(map(len, times), default=1)
    whole = [i for i, time in enumerate(times) if "." not in time]
    order = [*whole, *(i for i in range(len(times)) if i not in whole)] if len(whole) > 1 else range(len(times))
    taken: list[int] = []
    for i in order:
        if all(abs(xs[i] - xs[other]) >= wide for other in taken):
            taken.append(i)
    return [(xs[i], times[i]) for i in taken]


def _rect(kind: str, start: float, stop: float, least: float, rows: tuple[int, int]) -> Mark:
    """A bar from one value to another, at least so wide that it is seen, from a row on and so many high."""
    return _mark("rect", kind, x=min(start, stop), width=max(abs(stop - start), least), y=rows[0], height=rows[1])


def swing_bar(moves: Moves, place: int) -> list[Mark]:
    """Draw the bar of one assumption of a tornado, on the axis that all its bars share."""
    bar = moves.bars[place]
    ends = [value for one in moves.bars for value in (one.at_low, one.at_high)]
    x = axis([*ends, moves.base], 2.0, 98.0, wide=False)
    base = x.place(moves.base)
    sides = ((bar.at_low, "low"), (bar.at_high, "high"))
    drawn = [_rect(kind, x.place(value), base, 0.4, (1, 12)) for value, kind in sides if math.isfinite(value)]
    return [*drawn, _rect("base", base - 0.25, base + 0.25, 0.5, (0, 14))]


def share_bar(
    parts: Sequence[tuple[float, str]], interval: tuple[float, float] | None = None, most: float = 1.0
) -> list[Mark]:
    """Draw shares of `most` over each other, the largest first, with the interval of one of them."""

    def place(value: float) -> float:
        return 100 * min(max(value / most, 0.0), 1.0)

    largest = sorted((part for part in parts if math.isfinite(part[0])), key=lambda part: -part[0])
    marks = [_rect(kind, 0.0, place(value), 0.0, (1, 12)) for value, kind in largest]
    if interval is not None and all(map(math.isfinite, interval)):
        marks.append(_rect("error", place(interval[0]), place(interval[1]), 0.4, (6, 2)))
    return marks


def interval_bar(before: tuple[float, float, float], after: tuple[float, float, float]) -> list[Mark]:
    """Draw two intervals over each other with their medians, the first one wide and light."""
    x = axis([*before, *after], 1.0, 99.0)
    marks = []
    for (low, middle, high), kind, rows in ((before, "tail", (1, 12)), (after, "inside", (4, 6))):
        marks.append(_rect(kind, x.place(low), x.place(high), 0.8, rows))
        marks.append(_rect("base", x.place(middle) - 0.3, x.place(middle) + 0.3, 0.6, rows))
    return marks
