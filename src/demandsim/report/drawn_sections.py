"""Drawn sections: distributions to read values off, and quantities over time, each with its summary in words."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from demandsim.report.charts import fan_chart, place_of, shape_chart
from demandsim.report.data import Fan, Shape
from demandsim.report.markup import Markup, tag
from demandsim.report.tables_of_html import Column, table
from demandsim.report.words import Words
from demandsim.units.format import percent

__all__ = ["STEPS", "fan_figure", "key", "shape_figure"]

#: Steps of the slider under a distribution.
STEPS = 480


def key(entries: Mapping[str, str]) -> Markup:
    """Tell what the marks of a chart mean: words by class of the mark."""
    lines = {
        "median": tag("line", x1=9, x2=9, y1=0, y2=14, class_="median"),
        "diamond": tag("path", d="M9 1l6 6l-6 6l-6 -6Z", class_="diamond"),
    }

    def sample(kind: str) -> Markup:
        mark = lines.get(kind) or tag("rect", x=0, y=2, width=18, height=11, class_=kind)
        return tag("svg", mark, viewBox="0 0 18 14", aria_hidden="true")

    return tag("ul", [tag("li", sample(kind), told) for kind, told in entries.items()], class_="key")


def shape_figure(shape: Shape, prob: str, words: Words) -> Markup:
    """Make the figure of a distribution, with what the script needs to put a slider under it."""
    row, say = shape.row, words.say
    label = say("shape_label", name=row.label)
    ends = say("to", low=row.scale.value(row.lower), high=row.scale.value(row.upper))
    summary = say("shape_text", median=row.scale.measure(row.median), prob=prob, range=ends)
    if row.point == row.point:
        summary += say("shape_point", point=row.scale.value(row.point), below=percent(row.below_point, 1))
    unit = row.scale.unit
    below = [round(1e4 * share) for share in shape.cumulative]
    start = round(STEPS * place_of(shape, row.median))
    axis_unit = unit or say("ratio")
    about = axis_unit + (say("separator") + say("wide") if shape.wide else "")
    return tag(
        "figure",
        tag("h3", row.label, " ", tag("small", about)),
        shape_chart(shape, label),
        tag("figcaption", summary),
        data_start=start,
        data_slide=say("slide", name=row.label),
        data_ends=f"{shape.edges[0]:.6g} {shape.edges[-1]:.6g}",
        data_wide=shape.wide,
        data_below=" ".join(str(after - before) for before, after in pairwise([0, *below])),
        data_unit=unit,
    )


def fan_figure(fan: Fan, dim: str, prob: str, words: Words) -> Markup:
    """Make the figure of a quantity over time, with its table."""
    say, scale, lines = words.say, fan.scale, fan.lines
    summary = say(
        "fan_text",
        first=scale.value(lines["median"][0]),
        begin=fan.times[0],
        last=scale.measure(lines["median"][-1]),
        end=fan.times[-1],
        prob=prob,
        low=scale.value(lines["lower"][-1]),
        high=scale.value(lines["upper"][-1]),
    )
    label = say("fan_label", name=fan.label)
    columns = [
        Column(words.locale.dim(dim)),
        Column(say(fan.kind), True),
        Column(say("median"), True),
        Column(say("interval", prob=prob), True),
    ]
    rows = [
        [
            fan.times[i],
            scale.value(fan.point[i]),
            scale.value(lines["median"][i]),
            say("to", low=scale.value(lines["lower"][i]), high=scale.value(lines["upper"][i])),
        ]
        for i in range(len(fan.times))
    ]
    return tag(
        "figure",
        tag("h3", fan.label, " ", tag("small", scale.unit or say("ratio"))),
        fan_chart(fan, label),
        tag("figcaption", summary),
        tag("details", tag("summary", say("table_of")), table(columns, rows)),
    )
