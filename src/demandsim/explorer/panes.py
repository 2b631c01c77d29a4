"""Panes: what the page shows beside its sliders, as HTML; numbers, tables and charts are the report's."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable

from demandsim.explorer.session import Explorer
from demandsim.explorer.sliders import Fixed, Slider
from demandsim.report.data import Moves, Row, Scene, Shape
from demandsim.report.drawn_sections import key, shape_figure
from demandsim.report.headline_sections import chances
from demandsim.report.markup import Markup, join, tag
from demandsim.report.sensitivity_sections import moves_table
from demandsim.report.tables_of_html import Column, table
from demandsim.report.words import Words
from demandsim.units.format import number, percent

__all__ = [
    "again",
    "details",
    "fixed_list",
    "heading",
    "lead",
    "note",
    "shipped",
    "status",
    "style",
    "tiles",
    "tornado",
]

#: Results that stand out as tiles.
_TILES = 4
#: Distributions above the tornado.
_LEADING = 2


def shipped(name: str) -> str:
    """Read a style sheet or a script of the explorer."""
    return importlib.resources.files("demandsim.explorer").joinpath(name).read_text(encoding="utf-8")


def style() -> str:
    """Return the style sheet of the report, which has the roles of colours and the looks of tables and charts."""
    return importlib.resources.files("demandsim.report").joinpath("page.css").read_text(encoding="utf-8")


def heading(explorer: Explorer) -> Markup:
    """Say what the page is about, and what stays the same while one plays."""
    notes, words = explorer.model.notes, explorer.words
    title = words.locale.text(notes.title) if notes.title else notes.name or words.say("explorer")
    said = [words.say("by", source=words.locale.text(notes.source))] if notes.source else []
    total = f"{explorer.chains * explorer.draws:,}"
    said.append(words.say("made_of", total=total, seed=explorer.seed, prob=percent(explorer.prob)))
    if explorer.model.evidence:
        said.append(words.say("prior"))
    return join([tag("h1", title), [tag("p", line, class_="quiet") for line in said]])


def note(slider: Slider, words: Words, problem: str = "", moved: bool = False) -> Markup:
    """Say beside a slider what the study has, or what is wrong."""
    if problem:
        return tag("p", words.say("impossible", why=problem), class_="problem", role="alert")
    return tag("p", slider.note, class_="note moved" if moved else "note")


def status(problems: Iterable[str]) -> Markup:
    """Say why results stand still."""
    lines = [tag("p", line) for line in problems]
    return tag("div", lines, class_="status", role="alert") if lines else join([])


def tiles(scene: Scene, study: Scene, words: Words, prob: str) -> Markup:
    """Make the tiles: median and interval of the first results, and what the study's own values give."""
    before = {(row.name, row.label): row for row in study.rows}
    made = [_tile(row, before.get((row.name, row.label)), words, prob) for row in _leading(scene)]
    for said in scene.statements[:1]:
        was = next((s for s in study.statements if s.text == said.text), None)
        made.append(
            tag(
                "div",
                tag("dt", said.text),
                tag("dd", percent(said.probability, 1), class_="value"),
                tag("dd", words.say("error_points", value=number(100 * said.mcse, 2))),
                _of_study(percent(was.probability, 1), words) if was else None,
            )
        )
    return tag("dl", made, class_="tiles")


def _leading(scene: Scene) -> list[Row]:
    """The first results: those that are one number first, then of those with labels the first label."""
    first: dict[str, Row] = {}
    labels: dict[str, int] = {}
    for row in scene.rows:
        first.setdefault(row.name, row)
        labels[row.name] = labels.get(row.name, 0) + 1
    ordered = sorted(first.values(), key=lambda row: labels[row.name] > 1)
    return ordered[: _TILES - bool(scene.statements)]


def _tile(row: Row, study: Row | None, words: Words, prob: str) -> Markup:
    between = words.say("to", low=row.scale.value(row.lower), high=row.scale.value(row.upper))
    return tag(
        "div",
        tag("dt", row.label),
        tag("dd", row.scale.measure(row.median), class_="value"),
        tag("dd", prob, words.say("colon"), between),
        _of_study(study.scale.measure(study.median), words) if study else None,
    )


def _of_study(value: str, words: Words) -> Markup:
    return tag("dd", tag("small", words.say("of_study", value=value)))


def lead(scene: Scene, of: str, words: Words, prob: str) -> Markup:
    """Make the distribution of the result that is looked at, and of the next ones."""
    marks = {"tail": "key_draws", "inside": "key_inside", "median": "key_median", "diamond": "key_point"}
    drawn = [shape_figure(shape, prob, words) for shape in _ordered(scene, of)[:_LEADING]]
    say = words.say
    legend = key({kind: say(mark, prob=prob) for kind, mark in marks.items()})
    return join([tag("h2", say("shapes")), legend, tag("div", drawn, class_="charts")])


def _ordered(scene: Scene, of: str) -> list[Shape]:
    return sorted(scene.shapes, key=lambda shape: shape.row.name != of)


def details(scene: Scene, of: str, words: Words, prob: str) -> Markup:
    """Make everything under the tornado: the other distributions, probabilities, all numbers."""
    say = words.say
    drawn = [shape_figure(shape, prob, words) for shape in _ordered(scene, of)[_LEADING:]]
    names = (say("point_estimate"), say("median"), say("interval", prob=prob), say("mean"), say("mcse"))
    columns = [Column(say("quantity")), *(Column(name, True) for name in names), Column(say("unit"))]
    return join(
        [
            [tag("h2", say("other_shapes")), tag("div", drawn, class_="charts")] if drawn else None,
            [tag("h2", say("chances")), chances(scene, words)] if scene.statements else None,
            tag("h2", say("headline")),
            table(columns, [_numbers(row, words) for row in scene.rows]),
            tag("p", say("mcse_note"), class_="quiet"),
        ]
    )


def _numbers(row: Row, words: Words) -> list[str]:
    scale = row.scale
    between = words.say("to", low=scale.value(row.lower), high=scale.value(row.upper))
    shown = [scale.value(row.point, 4), scale.value(row.median, 4), between, scale.value(row.mean, 4)]
    return [row.label, *shown, scale.value(row.mcse_median, 2), scale.unit or words.say("ratio")]


def tornado(moves: Moves, words: Words, prob: str) -> Markup:
    """Make the tornado."""
    marks = {end: words.say(f"key_{end}") for end in ("low", "high")}
    about = tag("p", words.say("moves_note", prob=prob), class_="quiet")
    return join([tag("h2", words.say("moves")), about, key(marks), moves_table(moves, words)])


def fixed_list(fixed: Iterable[Fixed], words: Words) -> Markup:
    """List what no slider moves, and why."""
    say = words.say
    lines = [tag("li", one.label, say("colon"), one.told, tag("small", say("because", why=one.why))) for one in fixed]
    if not lines:
        return join([])
    return tag(
        "details",
        tag("summary", say("fixed_count", count=len(lines))),
        tag("ul", lines, class_="fixed"),
    )


def again(words: Words) -> Markup:
    """Head the texts that give the same numbers again."""
    return join([tag("h2", words.say("again")), tag("p", words.say("again_note"), class_="quiet")])
