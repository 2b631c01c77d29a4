"""Drawn sections: distributions to read values off, and quantities over time, each with its summary in words."""

from __future__ import annotations

from collections.abc import Mapping

from demandsim.report.charts import fan_chart, place_of, shape_chart
from demandsim.report.figures import Fan, Shape
from demandsim.report.markup import Markup, tag
from demandsim.report.tables_of_html import Column, table
from demandsim.report.wording import Words, percent

__all__ = ["fan_figure", "key", "shape_figure"]

#: Steps of the slider under a distribution.
_STEPS = 480


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
    """Make the figure of a distribution, with what the script needs to read it off."""
    row, say = shape.row, words.say
    label = say("shape_label", name=row.label)
    summary = say(
        "shape_text",
        median=row.scale.measure(row.median),
        prob=prob,
        low=row.scale.value(row.lower),
        high=row.scale.value(row.upper),
    )
    if row.point == row.point:
        summary += say("shape_point", point=row.scale.value(row.point), below=percent(row.below_point))
    unit = row.scale.unit
    start = round(_STEPS * place_of(shape, row.median))
    axis_unit = unit or say("ratio")
    about = axis_unit + (say("separator") + say("wide") if shape.wide else "")
    return tag(
        "figure",
        tag("h3", row.label, " ", tag("small", about)),
        shape_chart(shape, f"{label}{say('colon')}{summary}"),
        tag(
            "input", type="range", min=0, max=_STEPS, value=start, aria_label=say("slide", name=row.label), hidden=True
        ),
        tag("output"),
        tag("figcaption", summary),
        data_ends=f"{shape.edges[0]:.6g} {shape.edges[-1]:.6g}",
        data_wide=shape.wide,
        data_below=" ".join(f"{round(1e4 * share)}" for share in shape.cumulative),
        data_unit=f"× {unit}" if unit[:1].isdigit() else unit,
        data_read=say("read", value="{value}", chance="{chance}"),
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
        Column(say("published"), True),
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
        fan_chart(fan, f"{label}{say('colon')}{summary}"),
        tag("figcaption", summary),
        tag("details", tag("summary", say("table_of")), table(columns, rows)),
    )
