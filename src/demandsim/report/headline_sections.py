"""Headline sections: results in short, as tiles and tables; scenarios side by side; probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from demandsim.report.data import Page, Row, Scene
from demandsim.report.markup import Child, Markup, join, tag
from demandsim.report.tables_of_html import Column, table
from demandsim.report.words import Scale, Words
from demandsim.units.format import number, percent

__all__ = ["chances", "headline", "side_by_side"]

#: Results that stand out as tiles above the table, and columns of the table of scenarios.
_TILES = 4
#: Results that are put in a sentence.
_TOLD = 2


def headline(scene: Scene, page: Page, words: Words) -> Markup:
    """Make the sentences, the tiles, the table under them, and the table of all other results."""
    say, prob = words.say, percent(page.prob)
    tiles = [
        tag(
            "div",
            tag("dt", row.label),
            tag("dd", _exact(row, row.median, row.scale.measure(row.median), words), class_="value"),
            tag("dd", prob, say("colon"), _range(row, words)),
            tag("dd", tag("small", say("point_is", value=row.scale.measure(row.point))))
            if row.point == row.point
            else None,
        )
        for row in _first_of_each(scene.rows)[:_TILES]
    ]
    columns = [
        Column(say("quantity")),
        Column(say("point_estimate"), numeric=True),
        Column(say("median"), numeric=True),
        Column(say("interval", prob=prob), numeric=True),
        Column(say("mean"), numeric=True),
        Column(say("mcse"), numeric=True),
        Column(say("unit")),
    ]
    body = [_statistics(row, words) for row in scene.rows]
    short = [columns[i] for i in (0, 1, 2, 3, 6)]
    others = [[cells[i] for i in (0, 1, 2, 3, 6)] for cells in (_statistics(r, words, False) for r in scene.others)]
    more = None
    if others:
        more = tag("details", tag("summary", say("all_results", count=len(others))), table(short, others))
    return join(
        [
            tag("ul", [tag("li", line) for line in _in_short(scene, page, words)], class_="short"),
            tag("dl", tiles, class_="tiles"),
            table(columns, body),
            tag("p", say("mcse_note"), class_="quiet"),
            more,
        ]
    )


def _first_of_each(rows: Sequence[Row]) -> list[Row]:
    """Of a quantity with a row per kind of hardware, say, the first one."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row.name, row)
    return list(found.values())


def _in_short(scene: Scene, page: Page, words: Words) -> Iterator[str]:
    """What somebody who reads nothing else should know."""
    say, prob = words.say, percent(page.prob)
    rows = {row.name: row for row in _first_of_each(scene.rows)}
    lead = [rows[name] for name in page.explained if name in rows] or list(rows.values())
    for row in lead[:_TOLD]:
        yield say(
            "short_result",
            name=row.label,
            median=row.scale.measure(row.median),
            prob=prob,
            low=row.scale.value(row.lower),
            high=row.scale.value(row.upper),
        )
    if page.learned is not None:
        for belief in page.learned.scenarios[scene.scenario].results[:1]:
            low, middle, high = belief.after
            yield say(
                "short_learned",
                name=belief.label,
                median=belief.scale.measure(middle),
                prob=prob,
                low=belief.scale.value(low),
                high=belief.scale.value(high),
            )
    if scene.statements:
        first = scene.statements[0]
        yield say("short_chance", event=first.text, chance=percent(first.probability, 1))
    for chart in scene.charts[:1]:
        shares = [(share.label, share.kinds[chart.kinds[-1]][0]) for share in chart.shares[:_TOLD]]
        if shares:
            told = say("also").join(say("short_share", name=name, share=percent(share, 0)) for name, share in shares)
            name = chart.label if page.read_at is None else say("labelled", name=chart.label, labels=page.read_at)
            yield say("short_source", name=name, shares=told)
    found = scene.information
    if found is not None and found.worths:
        best = found.worths[0]
        yield say("short_worth", name=best.label, worth=found.scale.measure(best.value))


def _range(row: Row, words: Words) -> str:
    return words.say("to", low=row.scale.value(row.lower), high=row.scale.value(row.upper))


def _exact(row: Row, value: float, shown: str, words: Words) -> Child:
    """A number with all of its digits: for a pointer, and for a machine that reads the page."""
    if value != value:
        return shown
    return tag("data", shown, value=f"{value:.9g}", title=words.exact(value, row.unit))


def _statistics(row: Row, words: Words, exact_too: bool = True) -> list[Child]:
    scale = row.scale

    def exact(value: float) -> Child:
        shown = scale.value(value, 4)
        return _exact(row, value, shown, words) if exact_too else shown

    unit = scale.unit if scale.unit else words.say("ratio")
    error = scale.value(row.mcse_median, 2)
    return [row.label, exact(row.point), exact(row.median), _range(row, words), exact(row.mean), error, unit]


def side_by_side(scenes: Sequence[Scene], page: Page, words: Words) -> Markup:
    """Make the table of scenarios: a row each, the results that stand out, the first probability."""
    say = words.say
    every: list[list[Row]] = [_first_of_each(scene.rows)[:_TILES] for scene in scenes]
    columns, scales = [Column(say("scenario")[:1].upper() + say("scenario")[1:])], []
    for column in zip(*every, strict=True):
        # One unit down a column, so that its numbers compare.
        scale = words.scale(column[0].unit, *(row.median for row in column))
        scales.append(scale)
        unit = say("labelled", name=column[0].label, labels=scale.unit) if scale.unit else column[0].label
        columns.append(Column(unit, numeric=True))
    # An event that has no statement in one scenario, since it never happens, has none here.
    events = {said.text for scene in scenes for said in scene.statements[:1]}
    told = len(events) == 1 and all(scene.statements for scene in scenes)
    if told:
        columns.append(Column(events.pop(), numeric=True))
    body: list[list[Child]] = []
    for scene, rows in zip(scenes, every, strict=True):
        cells: list[Child] = [page.scenarios[scene.scenario]]
        cells += [_middle_and_ends(row, scale, words) for row, scale in zip(rows, scales, strict=True)]
        body.append(cells + ([percent(scene.statements[0].probability, 1)] if told else []))
    return table(columns, body)


def _middle_and_ends(row: Row, scale: Scale, words: Words) -> Child:
    ends = words.say("to", low=scale.value(row.lower), high=scale.value(row.upper))
    return join([_exact(row, row.median, scale.value(row.median), words), tag("small", ends)])


def chances(scene: Scene, words: Words) -> Markup:
    """Make the table of probabilities."""
    say = words.say
    columns = [Column(say("event")), Column(say("chance"), numeric=True), Column(say("error"), numeric=True)]
    rows = [
        [
            [said.text, tag("small", said.detail) if said.detail else None],
            percent(said.probability, 1),
            number(100 * said.mcse, 2),
        ]
        for said in scene.statements
    ]
    return table(columns, rows)
