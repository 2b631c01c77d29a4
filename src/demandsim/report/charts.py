"""Charts: SVG as text. Colours are classes of the style sheet, so that they follow light, dark and paper.

Text stands at 13 units in drawings that are never shown smaller than they are: it is 13 pixels or more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from demandsim.report.axes import Axis, axis
from demandsim.report.data import Fan, Moves, Row, Shape
from demandsim.report.markup import Markup, join, tag
from demandsim.units.format import number

__all__ = ["fan_chart", "interval_bar", "place_of", "shape_chart", "share_bar", "swing_bar"]

_WIDTH = 320.0
#: Steps of the height of a bar.
_FINE = 98


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


def _at(values: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(values))


def _stairs(heights: Sequence[int], first: int, last: int, kind: str) -> Markup:
    """The outline of bars that touch each other, from one to before another, in units of a bar's width."""
    bars = "".join(f"V{height}h1" for height in heights[first:last])
    return tag("path", d=f"M{first} 0{bars}V0Z", class_=kind)


def place_of(shape: Shape, value: float) -> float:
    """Where a value stands on the axis of a distribution, from 0 to 1."""
    spot = axis(shape.edges[0], shape.edges[-1], 0.0, 1.0, shape.wide).place(value / shape.row.scale.divisor)
    return min(max(spot, 0.0), 1.0)


def shape_chart(shape: Shape, label: str) -> Markup:
    """Draw a distribution: bars, the central interval in a stronger colour, median and point estimate."""
    row, top, floor = shape.row, 10.0, 108.0
    x = axis(shape.edges[0], shape.edges[-1], 4.0, _WIDTH - 4.0, shape.wide)
    # Bars of a logarithmic axis are as wide as each other, so that heights compare.
    most = max(shape.shares) or 1.0
    heights = [round(_FINE * share / most) for share in shape.shares]
    low, median, high = (value / row.scale.divisor for value in (row.lower, row.median, row.upper))
    within = [i for i, (left, right) in enumerate(pairwise(shape.edges)) if right > low and left < high]
    first, last = (within[0], within[-1] + 1) if within else (len(heights), len(heights))
    parts = [(0, first, "tail"), (first, last, "inside"), (last, len(heights), "tail")]
    sized = f"translate({x.start:g} {floor:g}) scale({(x.stop - x.start) / len(heights):g} {(top - floor) / _FINE:g})"
    marks = [tag("g", [_stairs(heights, a, b, kind) for a, b, kind in parts if a < b], transform=sized)]
    marks.append(tag("line", x1=x.place(median), x2=x.place(median), y1=top - 6, y2=floor, class_="median"))
    marks += _point(row, x, top, floor)
    marks.append(tag("line", x1=x.start, x2=x.stop, y1=floor, y2=floor, class_="axis"))
    marks += _ticks(x, floor)
    return tag("svg", marks, viewBox=f"0 0 {_WIDTH:.0f} 132", role="img", aria_label=label)


def _point(row: Row, x: Axis, top: float, floor: float) -> list[Markup]:
    value = row.point / row.scale.divisor
    if not math.isfinite(value) or not x.low <= value <= x.high:
        return []
    spot = x.place(value)
    diamond = f"M{spot:.1f} {top - 8:.1f}l5 5l-5 5l-5 -5Z"
    return [tag("line", x1=spot, x2=spot, y1=top, y2=floor, class_="point"), tag("path", d=diamond, class_="diamond")]


def _ticks(x: Axis, floor: float) -> list[Markup]:
    made = []
    for value in x.ticks(4):
        spot, text = x.place(value), tick_text(value)
        half = 3.6 * len(text)
        anchor = "start" if spot < half else "end" if spot > _WIDTH - half else "middle"
        where = 0.0 if anchor == "start" else _WIDTH if anchor == "end" else spot
        made.append(tag("line", x1=spot, x2=spot, y1=floor, y2=floor + 4, class_="axis"))
        made.append(tag("text", text, x=where, y=floor + 18, text_anchor=anchor))
    return made


def fan_chart(fan: Fan, label: str) -> Markup:
    """Draw quantiles over time: bands of 50% and of the interval, the median, points."""
    d = fan.scale.divisor
    lines = {key: [value / d for value in values] for key, values in fan.lines.items()}
    points = [value / d for value in fan.point]
    ends = [v for v in (*lines["lower"], *lines["upper"], *points) if math.isfinite(v)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    wide = low > 0 and high / low > 30
    if not wide:
        low, high = min(low, 0.0), max(high, 0.0)
    y = axis(low, high, 168.0, 12.0, wide)
    shown = [(value, tick_text(value)) for value in y.ticks(5)]
    left = 10.0 + 7.4 * max((len(text) for _, text in shown), default=1)
    xs = [left + (_WIDTH - 24 - left) * place for place in (fan.places if len(fan.places) > 1 else (0.5,))]
    marks = []
    for value, text in shown:
        marks.append(tag("line", x1=left, x2=_WIDTH - 8, y1=y.place(value), y2=y.place(value), class_="grid"))
        marks.append(tag("text", text, x=left - 5, y=y.place(value) + 4, text_anchor="end"))

    def run(key: str) -> list[tuple[float, float]]:
        return [(x, y.place(v)) for x, v in zip(xs, lines[key], strict=True) if math.isfinite(v)]

    for bottom, top, kind in (("lower", "upper", "tail"), ("p25", "p75", "inside")):
        marks.append(tag("path", d=_at([*run(top), *reversed(run(bottom))]) + "Z", class_=kind))
    marks.append(tag("path", d=_at(run("median")), class_="trace"))
    for x, value in zip(xs, points, strict=True):
        if math.isfinite(value):
            marks.append(tag("path", d=f"M{x:.1f} {y.place(value) - 5:.1f}l5 5l-5 5l-5 -5Z", class_="diamond"))
    marks.append(tag("line", x1=left, x2=_WIDTH - 8, y1=168, y2=168, class_="axis"))
    marks += [tag("text", text, x=spot, y=186, text_anchor="middle") for spot, text in _told(fan.times, xs)]
    return tag("svg", marks, viewBox=f"0 0 {_WIDTH:.0f} 194", role="img", aria_label=label)


def _told(times: Sequence[str], xs: Sequence[float]) -> list[tuple[float, str]]:
    """Times that have room: whole years before parts of years, then from the left."""
    wide = 7.8 * max(map(len, times), default=1)
    whole = [i for i, time in enumerate(times) if "." not in time]
    order = [*whole, *(i for i in range(len(times)) if i not in whole)] if len(whole) > 1 else range(len(times))
    chosen: list[int] = []
    for i in order:
        if all(abs(xs[i] - xs[other]) >= wide for other in chosen):
            chosen.append(i)
    return [(xs[i], times[i]) for i in chosen]


def swing_bar(moves: Moves, number: int) -> Markup:
    """Draw the bar of one assumption of a tornado, on the axis that all its bars share."""
    bar = moves.bars[number]
    ends = [v for b in moves.bars for v in (b.at_low, b.at_high) if math.isfinite(v)]
    x = axis(min([*ends, moves.base]), max([*ends, moves.base]), 2.0, 98.0)
    base = x.place(moves.base)

    def part(value: float, kind: str) -> Markup | None:
        if not math.isfinite(value):
            return None
        spot = x.place(value)
        return tag("rect", x=min(spot, base), width=max(abs(spot - base), 0.4), y=1, height=12, class_=kind)

    marks = [
        part(bar.at_low, "low"),
        part(bar.at_high, "high"),
        tag("rect", x=base - 0.25, width=0.5, y=0, height=14, class_="base"),
    ]
    return _bar(marks)


def share_bar(
    parts: Sequence[tuple[float, str]], interval: tuple[float, float] | None = None, most: float = 1.0
) -> Markup:
    """Draw shares of `most` over each other, the largest first, with the interval of one of them."""
    marks = [
        tag("rect", x=0, width=100 * min(max(value / most, 0.0), 1.0), y=1, height=12, class_=kind)
        for value, kind in parts
        if math.isfinite(value)
    ]
    if interval is not None and all(map(math.isfinite, interval)):
        low, high = (100 * min(max(end / most, 0.0), 1.0) for end in interval)
        marks.append(tag("rect", x=low, width=max(high - low, 0.4), y=6, height=2, class_="error"))
    return _bar(marks)


def _bar(marks: Sequence[Markup | None]) -> Markup:
    """A bar that takes the width of its cell; the numbers beside it say what it shows."""
    return tag("svg", join(marks), class_="bar", viewBox="0 0 100 14", preserveAspectRatio="none", aria_hidden="true")


def interval_bar(before: tuple[float, float, float], after: tuple[float, float, float]) -> Markup:
    """Draw two intervals over each other with their medians, the first one wide and light."""
    ends = [*before, *after]
    wide = min(ends) > 0 and max(ends) / min(ends) > 30
    x = axis(min(ends), max(ends), 1.0, 99.0, wide)
    marks = []
    for (low, middle, high), kind, top, height in ((before, "tail", 1, 12), (after, "inside", 4, 6)):
        start, spot, stop = x.place(low), x.place(middle), x.place(high)
        marks.append(tag("rect", x=start, width=max(stop - start, 0.8), y=top, height=height, class_=kind))
        marks.append(tag("rect", x=spot - 0.3, width=0.6, y=top, height=height, class_="base"))
    return _bar(marks)
