"""Panes: what the page shows beside its sliders, as HTML; numbers, tables and charts are the report's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demandsim.explorer.session import Explorer
from demandsim.explorer.sliders import Slider
from demandsim.report.data import Quantity, Scene, Shape
from demandsim.report.markup import rendered
from demandsim.report.words import Words
from demandsim.units.format import percent

__all__ = ["Side", "compared", "details", "heading", "lead", "note", "pane", "tiles"]

#: Results that stand out as tiles.
_TILES = 4
#: Distributions above the tornado.
_LEADING = 2


def pane(name: str, words: Words, *values: Any) -> str:
    """Make a pane as the template has it."""
    return str(rendered("explorer/panes.html", name, words, *values))


def heading(explorer: Explorer) -> str:
    """Say what the page is about, and what stays the same while one plays."""
    notes, words = explorer.model.notes, explorer.words
    title = words.locale.text(notes.title) if notes.title else notes.name or words.say("explorer")
    said = [words.say("by", source=words.locale.text(notes.source))] if notes.source else []
    total = f"{explorer.chains * explorer.draws:,}"
    said.append(words.say("made_of", total=total, seed=explorer.seed, prob=percent(explorer.prob)))
    if explorer.model.evidence:
        said.append(words.say("prior"))
    return pane("heading", words, title, said)


def note(slider: Slider, words: Words, problem: str = "", moved: bool = False) -> str:
    """Say beside a slider what the study has, or what is wrong."""
    return pane("note", words, slider, problem, moved)


def tiles(scene: Scene, study: Scene, pinned: Scene | None, words: Words, prob: str) -> str:
    """Make the tiles: median and interval of the first results, and what the study's own values and the pinned give."""
    told = {"of_study": study} | ({"of_pinned": pinned} if pinned is not None else {})
    before = {key: {(row.name, row.label): row for row in one.rows} for key, one in told.items()}
    chances = {key: {said.text: said for said in one.statements} for key, one in told.items()}

    def others(of: Mapping[str, Mapping[Any, Any]], key: Any) -> dict[str, Any]:
        return {kind: known[key] for kind, known in of.items() if key in known}

    rows = [(row, others(before, (row.name, row.label))) for row in _leading(scene)]
    statements = [(said, others(chances, said.text)) for said in scene.statements[:1]]
    return pane("tiles", words, rows, statements, prob)


@dataclass(frozen=True)
class Side:
    """One of two settings that are compared: its place, what it changes, and what follows."""

    place: str
    changes: tuple[str, ...]
    scene: Scene


def compared(pinned: Side, now: Side, words: Words, prob: str) -> str:
    """Put two settings beside each other: what each changes, its results, and the difference of the medians."""
    before = {(row.name, row.label): row for row in pinned.scene.rows}
    rows = [(before[row.name, row.label], row) for row in now.scene.rows if (row.name, row.label) in before]
    chances = {said.text: said for said in pinned.scene.statements}
    statements = [(chances[said.text], said) for said in now.scene.statements if said.text in chances]
    return pane("compared", words, (pinned, now), rows, statements, prob)


def _leading(scene: Scene) -> list[Quantity]:
    """The first results: those that are one number first, then of those with labels the first label."""
    labels: dict[str, list[Quantity]] = {}
    for row in scene.rows:
        labels.setdefault(row.name, []).append(row)
    ordered = sorted(labels.values(), key=lambda rows: len(rows) > 1)
    return [rows[0] for rows in ordered[: _TILES - bool(scene.statements)]]


def _ordered(scene: Scene, of: str) -> Sequence[Shape]:
    return sorted(scene.shapes, key=lambda shape: shape.row.name != of)


def lead(scene: Scene, of: str, words: Words, prob: str) -> str:
    """Make the distribution of the result that is looked at, and of the next ones."""
    return pane("lead", words, _ordered(scene, of)[:_LEADING], prob)


def details(scene: Scene, of: str, words: Words, prob: str) -> str:
    """Make everything under the tornado: the other distributions, probabilities, all numbers."""
    return pane("details", words, scene, _ordered(scene, of)[_LEADING:], prob)
