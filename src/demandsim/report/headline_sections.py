"""Headline sections: results with their intervals as tiles and tables, and probabilities."""

from __future__ import annotations

from demandsim.report.figures import Row, Scene
from demandsim.report.markup import Child, Markup, join, tag
from demandsim.report.tables_of_html import Column, table
from demandsim.report.wording import Words, percent

__all__ = ["chances", "headline"]

#: Results that stand out as tiles above the table.
_TILES = 4


def headline(scene: Scene, prob: str, words: Words) -> Markup:
    """Make the tiles, the table under them, and the table of all other results."""
    say = words.say
    tiles = [
        tag(
            "div",
            tag("dt", row.label),
            tag("dd", row.scale.measure(row.median), class_="value"),
            tag("dd", prob, say("colon"), _range(row, words)),
            tag("dd", tag("small", say("published_is", value=row.scale.measure(row.point))))
            if row.point == row.point
            else None,
        )
        for row in list({row.name: row for row in scene.rows}.values())[:_TILES]
    ]
    columns = [
        Column(say("quantity")),
        Column(say("published"), numeric=True),
        Column(say("median"), numeric=True),
        Column(say("interval", prob=prob), numeric=True),
        Column(say("mean"), numeric=True),
        Column(say("mcse"), numeric=True),
        Column(say("unit")),
    ]
    body = [_statistics(row, words) for row in scene.rows]
    short = [columns[i] for i in (0, 1, 2, 3, 6)]
    others = [[cells[i] for i in (0, 1, 2, 3, 6)] for cells in (_statistics(row, words) for row in scene.others)]
    more = None
    if others:
        more = tag("details", tag("summary", say("all_results", count=len(others))), table(short, others))
    return join(
        [tag("dl", tiles, class_="tiles"), table(columns, body), tag("p", say("mcse_note"), class_="quiet"), more]
    )


def _range(row: Row, words: Words) -> str:
    return words.say("to", low=row.scale.value(row.lower), high=row.scale.value(row.upper))


def _statistics(row: Row, words: Words) -> list[Child]:
    scale = row.scale
    values = [scale.value(row.point, 4), scale.value(row.median, 4), _range(row, words), scale.value(row.mean, 4)]
    unit = scale.unit if scale.unit else words.say("ratio")
    return [row.label, *values, scale.value(row.mcse_median, 2), unit]


def chances(scene: Scene, words: Words) -> Markup:
    """Make the table of probabilities."""
    say = words.say
    columns = [Column(say("event")), Column(say("chance"), numeric=True), Column(say("error"), numeric=True)]
    rows = [
        [
            [said.text, tag("small", said.detail) if said.detail else None],
            percent(said.probability),
            f"{100 * said.mcse:.2g}",
        ]
        for said in scene.statements
    ]
    return table(columns, rows)
