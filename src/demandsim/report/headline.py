"""Headline: what stands out of a scene: three numbers, a chart, what drives it, in sentences, scenario by scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from demandsim.report.data import Chart, Content, Fan, Quantity, Scene, Shape
from demandsim.report.provenance import Printed
from demandsim.report.words import Scale, Words
from demandsim.units.format import percent

__all__ = ["Comparison", "Summary", "comparison", "differences_from_source", "in_short", "summary"]

#: Numbers of the summary, and rows of what drives the first of them.
_NUMBERS, _DRIVERS = 3, 5
#: Columns of the table of scenarios.
_COLUMNS = 4
#: Assumptions that are put in a sentence, and printed rows that differ.
_TOLD, _DIFFER = 2, 3


def _first_of_each(scene: Scene) -> dict[str, Quantity]:
    """Of a quantity with a row per kind of hardware, say, the first one."""
    found: dict[str, Quantity] = {}
    for row in scene.rows:
        found.setdefault(row.name, row)
    return found


@dataclass(frozen=True)
class Summary:
    """What a reader takes away: numbers, the first of which is drawn and explained.

    Parameters
    ----------
    numbers : tuple of Quantity
        Those that are explained come first.
    shape : Shape or None
        The distribution of the first number.
    fan : Fan or None
        Its course over time, which is drawn instead where there is one.
    drivers : Chart or None
        Its shares of variance, the largest alone.
    """

    numbers: tuple[Quantity, ...]
    shape: Shape | None
    fan: Fan | None
    drivers: Chart | None


def summary(scene: Scene, content: Content) -> Summary:
    """Choose what a reader takes away from a scene."""
    rows = _first_of_each(scene)
    numbers = tuple({name: rows[name] for name in (*content.explained, *rows) if name in rows}.values())[:_NUMBERS]
    label = numbers[0].label if numbers else ""
    shape = next((shape for shape in scene.shapes if shape.row.label == label), None)
    fan = next((fan for fan in content.fans[scene.scenario] if fan.label == label), None) if content.fans else None
    drivers = next((chart for chart in scene.charts if chart.shares), None)
    if drivers is not None:
        kept = drivers.shares[:_DRIVERS]
        left_out = drivers.left_out + len(drivers.shares) - len(kept)
        drivers = replace(drivers, shares=kept, left_out=left_out)
    return Summary(numbers, shape, fan, drivers)


def differences_from_source(
    printed: Sequence[Printed], uncertain: int, assumptions: int, changed: Sequence[str], words: Words
) -> Iterator[str]:
    """Say how the model differs from its source: what it recomputes, what it adds, and what was changed by hand.

    Parameters
    ----------
    printed : sequence of Printed
        Rows of the source, recomputed.
    uncertain, assumptions : int
        How many assumptions are distributions, of how many.
    changed : sequence of str
        What the model has that its study has not.
    """
    # A printed number that has no counterpart here, since its scenario was left out, neither agrees nor differs.
    cells = [(row, key, *cell) for row in printed for key, cell in row.cells.items() if cell[1] != "–"]
    if cells:
        differ = [cell for cell in cells if not cell[4]]
        yield words.say("source_met", met=len(cells) - len(differ), count=len(cells))
        # What the source prints in every scenario alike is named once.
        of_rows = dict.fromkeys((_named(row, key, words), there, here, row.unit) for row, key, there, here, _ in differ)
        for label, there, here, unit in list(of_rows)[:_DIFFER]:
            yield words.say("source_differs", name=label, there=there, here=here, unit=unit)
        if len(of_rows) > _DIFFER:
            yield words.say("source_differs_more", count=len(of_rows) - _DIFFER)
    yield words.say("source_spread", uncertain=uncertain, count=assumptions)
    yield words.say("source_changed" if changed else "source_unchanged", count=len(changed))


def _named(row: Printed, key: str, words: Words) -> str:
    known = {cell for cell in row.cells.values() if cell[1] != "–"}
    return row.label if len(known) == 1 else words.say("labelled", name=row.label, labels=key)


def in_short(scene: Scene, content: Content, words: Words) -> Iterator[str]:
    """Say what somebody who reads nothing else should know."""
    say = words.say

    if content.learned is not None:
        for belief in content.learned.scenarios[scene.scenario].results[:1]:
            low, middle, high = (belief.scale.value(value) for value in belief.after)
            median = belief.scale.with_unit(middle)
            yield say("short_learned", name=belief.label, median=median, prob=percent(content.prob), low=low, high=high)
    for said in scene.statements[:1]:
        yield say("short_chance", event=said.text, chance=percent(said.probability, 1))
    for chart in scene.charts[:1]:
        shares = [(share.label, share.kinds[chart.kinds[-1]][0]) for share in chart.shares[:_TOLD]]
        if shares:
            parts = say("also").join(say("short_share", name=name, share=percent(share, 0)) for name, share in shares)
            at = content.read_at
            name = chart.label if at is None else say("labelled", name=chart.label, labels=at)
            yield say("short_source", name=name, shares=parts, index=say(f"index_{chart.kinds[-1]}"))
    if scene.information is not None and scene.information.worths:
        best = scene.information.worths[0]
        yield say("short_worth", name=best.label, worth=scene.information.scale.measure(best.value))


@dataclass(frozen=True)
class Comparison:
    """Scenarios beside each other: a unit for each column, their results, and the event that all of them tell."""

    columns: tuple[tuple[str, Scale], ...]
    scenes: tuple[tuple[Scene, tuple[Quantity, ...]], ...]
    event: str


def comparison(content: Content, time: int | None, words: Words) -> Comparison:
    """Put the scenarios of one time beside each other."""
    scenes = [scene for scene in content.scenes if scene.time == time]
    columns = []
    leading = [tuple(_first_of_each(scene).values())[:_COLUMNS] for scene in scenes]
    for column in zip(*leading, strict=True):
        # One unit down a column, so that its numbers compare.
        scale, label = words.scale(column[0].unit, *(row.median for row in column)), column[0].label
        columns.append((words.say("labelled", name=label, labels=scale.unit) if scale.unit else label, scale))
    # An event that has no statement in one scenario, since it never happens, has none here.
    events = {scene.statements[0].text if scene.statements else "" for scene in scenes}
    event = events.pop() if len(events) == 1 else ""
    return Comparison(tuple(columns), tuple(zip(scenes, leading, strict=True)), event)
