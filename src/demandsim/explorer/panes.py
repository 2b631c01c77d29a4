"""Panes: what the page shows beside its sliders, as HTML; numbers, tables and charts are the report's."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable

from demandsim.explorer.exploring import Explorer
from demandsim.explorer.sliders import Fixed, Slider
from demandsim.report.drawn_sections import key, shape_figure
from demandsim.report.figures import Moves, Row, Scene, Shape
from demandsim.report.headline_sections import chances
from demandsim.report.markup import Markup, join, tag
from demandsim.report.sensitivity_sections import moves_table
from demandsim.report.tables_of_html import Column, table
from demandsim.report.wording import Words, percent

__all__ = ["again", "details", "fixed_list", "heading", "lead", "note", "sheet", "status", "style", "tiles", "tornado"]

#: Results that stand out as tiles.
_TILES = 4
#: Distributions above the tornado.
_LEADING = 2


def sheet(name: str) -> str:
    """Read a style sheet of the explorer."""
    return importlib.resources.files("demandsim.explorer").joinpath(f"{name}.css").read_text(encoding="utf-8")


def style() -> str:
    """Return the style sheet of every pane: the report's, and the explorer's own."""
    report = importlib.resources.files("demandsim.report").joinpath("page.css").read_text(encoding="utf-8")
    return report + sheet("explorer")


def heading(explorer: Explorer) -> Markup:
    """Say what the page is about, and what stays the same while one plays."""
    notes = explorer.model.notes
    said = f"Source: {notes.source}. " if notes.source else ""
    said += (
        f"Every picture is made of {explorer.chains * explorer.draws:,} draws from seed {explorer.seed}, the same "
        f"random numbers throughout: what a slider does not touch does not move. Sliders are the ends of "
        f"{percent(explorer.prob, 0)} intervals."
    )
    if explorer.model.evidence:
        said += " The study's evidence is left aside: these are draws of the prior."
    return join([tag("h1", notes.title or notes.name or "Explorer"), tag("p", said, class_="quiet")])


def note(slider: Slider, problem: str = "", moved: bool = False) -> Markup:
    """Say beside a slider what the study has, or what is wrong."""
    if problem:
        return tag("p", f"Impossible: {problem}.", class_="bad problem", role="alert")
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
                tag("dd", percent(said.probability), class_="value"),
                tag("dd", f"MCSE {100 * said.mcse:.2g} points"),
                tag("dd", tag("small", f"study: {percent(was.probability)}")) if was else None,
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
        tag("dd", f"{prob}: {between}"),
        tag("dd", tag("small", f"study: {study.scale.measure(study.median)}")) if study else None,
    )


def lead(scene: Scene, of: str, words: Words, prob: str) -> Markup:
    """Make the distribution of the result that is looked at, and of the next ones."""
    marks = {"tail": "key_draws", "inside": "key_inside", "median": "key_median", "diamond": "key_published"}
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
    columns = [Column(say("quantity")), *(Column(name, True) for name in ("Published", "Median", f"{prob} interval"))]
    columns += [Column("Mean", True), Column(say("mcse"), True), Column(say("unit"))]
    return join(
        [
            [tag("h2", "Other distributions"), tag("div", drawn, class_="charts")] if drawn else None,
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
    told = tag("p", words.say("moves_note", prob=prob), class_="quiet")
    return join([tag("h2", words.say("moves")), told, key(marks), moves_table(moves, words)])


def fixed_list(fixed: Iterable[Fixed]) -> Markup:
    """List what no slider moves, and why."""
    lines = [tag("li", one.label, ": ", one.told, tag("small", f" ({one.why})")) for one in fixed]
    if not lines:
        return join([])
    return tag(
        "details",
        tag("summary", f"{len(lines)} fixed assumption{'s' if len(lines) > 1 else ''}"),
        tag("ul", lines, class_="fixed"),
    )


def again() -> Markup:
    """Head the texts that give the same numbers again."""
    told = "Settings that are not moved are the study's. The command prints all results; its draws are the same."
    return join([tag("h2", "The same again"), tag("p", told, class_="quiet")])
