"""Headline: what stands out of a scene, as tiles, in sentences, and scenario by scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from demandsim.report.data import Content, Quantity, Scene
from demandsim.report.words import Scale, Words
from demandsim.units.format import percent

__all__ = ["Comparison", "comparison", "in_short", "tiles"]

#: Results that stand out as tiles above the table, and columns of the table of scenarios.
_TILES = 4
#: Results that are put in a sentence.
_TOLD = 2


def _first_of_each(scene: Scene) -> dict[str, Quantity]:
    """Of a quantity with a row per kind of hardware, say, the first one."""
    found: dict[str, Quantity] = {}
    for row in scene.rows:
        found.setdefault(row.name, row)
    return found


def tiles(scene: Scene) -> list[Quantity]:
    """List the results that stand out."""
    return list(_first_of_each(scene).values())[:_TILES]


def in_short(scene: Scene, content: Content, words: Words) -> Iterator[str]:
    """Say what somebody who reads nothing else should know."""
    say = words.say

    def told(phrase: str, label: str, scale: Scale, ends: tuple[float, float, float]) -> str:
        low, middle, high = scale.value(ends[0]), scale.measure(ends[1]), scale.value(ends[2])
        return say(phrase, name=label, median=middle, prob=percent(content.prob), low=low, high=high)

    rows = _first_of_each(scene)
    lead = [rows[name] for name in content.explained if name in rows] or list(rows.values())
    for row in lead[:_TOLD]:
        yield told("short_result", row.label, row.scale, (row.lower, row.median, row.upper))
    if content.learned is not None:
        for belief in content.learned.scenarios[scene.scenario].results[:1]:
            yield told("short_learned", belief.label, belief.scale, belief.after)
    for said in scene.statements[:1]:
        yield say("short_chance", event=said.text, chance=percent(said.probability, 1))
    for chart in scene.charts[:1]:
        shares = [(share.label, share.kinds[chart.kinds[-1]][0]) for share in chart.shares[:_TOLD]]
        if shares:
            parts = say("also").join(say("short_share", name=name, share=percent(share, 0)) for name, share in shares)
            at = content.read_at
            name = chart.label if at is None else say("labelled", name=chart.label, labels=at)
            yield say("short_source", name=name, shares=parts)
    if scene.information is not None and scene.information.worths:
        best = scene.information.worths[0]
        yield say("short_worth", name=best.label, worth=scene.information.scale.measure(best.value))


@dataclass(frozen=True)
class Comparison:
    """Scenarios beside each other: a unit for each column, their tiles, and the event that all of them tell."""

    columns: tuple[tuple[str, Scale], ...]
    scenes: tuple[tuple[Scene, tuple[Quantity, ...]], ...]
    event: str


def comparison(content: Content, time: int | None, words: Words) -> Comparison:
    """Put the scenarios of one time beside each other."""
    scenes = [scene for scene in content.scenes if scene.time == time]
    columns = []
    for column in zip(*map(tiles, scenes), strict=True):
        # One unit down a column, so that its numbers compare.
        scale, label = words.scale(column[0].unit, *(row.median for row in column)), column[0].label
        columns.append((words.say("labelled", name=label, labels=scale.unit) if scale.unit else label, scale))
    # An event that has no statement in one scenario, since it never happens, has none here.
    events = {scene.statements[0].text if scene.statements else "" for scene in scenes}
    event = events.pop() if len(events) == 1 else ""
    return Comparison(tuple(columns), tuple((scene, tuple(tiles(scene))) for scene in scenes), event)
