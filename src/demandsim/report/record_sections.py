"""Record sections: assumptions with their sources, errata, published rows, method, receipt, replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from demandsim.report.assumption_sections import assumptions
from demandsim.report.assumptions import AssumptionRow
from demandsim.report.data import Page
from demandsim.report.markup import Child, Markup, join, tag
from demandsim.report.provenance import Printed, Receipt
from demandsim.report.scene_sections import Section
from demandsim.report.tables_of_html import Column, table
from demandsim.report.words import Words
from demandsim.units.format import percent

__all__ = ["Record", "record_sections"]


@dataclass(frozen=True)
class Record:
    """What stands under the results, whatever the scenario.

    Parameters
    ----------
    assumptions : tuple of AssumptionRow
    correlations : tuple of (pair, rank correlation, why)
    notes : tuple of str
    printed : tuple of Printed
    receipt : Receipt or None
    equations : tuple of (name, label, formula, unit)
    settings : mapping
        Attributes of the draws: seed, design, chains, draws, versions.
    analysis : mapping
        Attributes of the shares of variance, if there are any.
    command : str
        What makes the page again.
    """

    assumptions: tuple[AssumptionRow, ...]
    correlations: tuple[tuple[str, float, str], ...]
    notes: tuple[str, ...]
    printed: tuple[Printed, ...]
    receipt: Receipt | None
    equations: tuple[tuple[str, str, str, str], ...]
    settings: Mapping[str, Any]
    analysis: Mapping[str, Any]
    command: str


def record_sections(record: Record, page: Page, words: Words) -> Iterator[Section]:
    """Make the sections that tell where the numbers come from."""
    say = words.say
    yield Section("assumptions", say("assumptions"), assumptions(record.assumptions, page.prob, words))
    yield Section("correlations", say("correlations"), _correlations(record, words))
    if record.notes:
        yield Section("notes", say("notes"), tag("ul", [tag("li", note) for note in record.notes]))
    if record.printed:
        yield Section("printed", say("printed"), _printed(record, words))
    yield Section("reading", say("reading"), _reading(page, words))
    yield Section("method", say("method"), _method(record, page, words))


def _reading(page: Page, words: Words) -> Markup:
    """Explain what a reader meets, and what the page cannot tell."""
    prob = percent(page.prob)
    keys = ["interval", "point", "swing", "shares", "worth", "belief", "error", "limits", "use"]
    known = {"worth": any(scene.information for scene in page.scenes), "belief": page.learned is not None}
    told = [
        tag(
            "div",
            tag("dt", words.say(f"reading_{key}", prob=prob)),
            tag("dd", words.say(f"reading_{key}_is", prob=prob)),
        )
        for key in keys
        if known.get(key, True)
    ]
    return tag("dl", told, class_="reading")


def _correlations(record: Record, words: Words) -> Markup:
    say = words.say
    if not record.correlations:
        return tag("p", say("uncorrelated"))
    columns = [Column(say("between_what")), Column(say("correlation"), numeric=True), Column(say("reason"), long=True)]
    rows = [[pair, f"{rho:g}".replace("-", "−"), why or "–"] for pair, rho, why in record.correlations]
    return table(columns, rows)


def _printed(record: Record, words: Words) -> Markup:
    say = words.say
    keys = list(dict.fromkeys(key for row in record.printed for key in row.cells))
    columns = [Column(say("printed_row"))]
    for key in keys:
        columns.append(Column(f"{key} {say('printed_is')}".strip(), numeric=True))
        columns.append(Column(f"{key} {say('computed_is')}".strip(), numeric=True))
    columns.append(Column(say("unit")))
    rows = []
    for row in record.printed:
        cells: list[Child] = [row.label]
        for key in keys:
            printed, computed, agrees = row.cells.get(key, ("–", "–", True))
            verdict = None
            if computed != "–":
                sign, look, word = ("✓", "good", "agrees") if agrees else ("≠", "bad", "differs")
                verdict = tag("span", f" {sign}", class_=look, role="img", aria_label=say(word))
            cells += [printed, [computed, verdict]]
        rows.append([*cells, _unit(row.unit, words)])
    return join([tag("p", say("printed_note"), class_="quiet"), table(columns, rows)])


def _unit(unit: str, words: Words) -> str:
    """A unit in words; Chinese reports count in 1e4 and 1e8."""
    many = {"wan*yi*": "wan_yi", "wan*": "wan", "yi*": "yi"}
    count = next((found for found in many if unit.startswith(found)), "")
    shown = words.locale.unit(unit.removeprefix(count), 0.0)[1]
    if not count:
        return shown or words.say("ratio")
    # Chinese words stand without a blank between them.
    gap = "" if shown[:1] > "\u2e80" else " "
    return f"{words.say(many[count])}{gap}{shown}".strip()


def _method(record: Record, page: Page, words: Words) -> Markup:
    say, got = words.say, record.settings
    total = int(got["chains"]) * int(got["draws"])
    facts = [
        (say("design"), say(str(got["design"]))),
        (say("draws"), say("totals", chains=got["chains"], draws=f"{int(got['draws']):,}", total=f"{total:,}")),
        (say("seed"), say("same_seed", seed=got["seed"])),
        (say("mcse_is"), say("mcse_note")),
    ]
    if record.analysis:
        runs, points = int(record.analysis.get("model_runs", 0)), int(record.analysis.get("draws", 0))
        if "read_at" in record.analysis:
            facts.append((say("analyses"), say("read_off", points=f"{points:,}", place=page.read_at)))
        elif runs:
            facts.append((say("analyses"), say("runs", runs=f"{runs:,}", points=f"{points:,}")))
    versions = say("comma").join(
        f"{key.removesuffix('_version')} {value}" for key, value in got.items() if str(key).endswith("_version")
    )
    facts += [(say("versions"), versions), (say("model_hash"), str(got.get("model_hash", "")))]
    columns = [Column(say("quantity")), Column("="), Column(say("unit"))]
    equations = [
        [[label, tag("small", tag("code", name))], tag("code", formula), _unit(unit, words)]
        for name, label, formula, unit in record.equations
    ]
    facts_table = tag("table", tag("tbody", [tag("tr", tag("th", a, scope="row"), tag("td", b)) for a, b in facts]))
    return join(
        [
            facts_table,
            tag("details", tag("summary", say("equations")), table(columns, equations)),
            _receipt(record.receipt, words),
            _beside(page, record, words),
            tag("h3", say("replay")),
            tag("p", say("replay_note")),
            tag("pre", tag("code", record.command), id="replay", tabindex=0),
        ]
    )


def _beside(page: Page, record: Record, words: Words) -> Markup | None:
    """What this page does not hold, and why."""
    say = words.say
    missing = dict(page.beside)
    missing |= {} if record.notes else {"notes": say("no_notes")}
    missing |= {} if record.printed else {"printed": say("no_printed")}
    if not missing:
        return None
    told = [tag("li", say(name), say("colon"), why) for name, why in missing.items()]
    return join([tag("h3", say("not_here")), tag("ul", told)])


def _receipt(found: Receipt | None, words: Words) -> Markup | None:
    if found is None:
        return None
    say = words.say
    worst = say("receipt_note", share=f"{100 * found.worst_share:.2g}")
    if found.pairs:
        worst += say("receipt_pairs", correlation=f"{found.worst_correlation:.2g}")
    columns = [Column(say("assumption"))]
    columns += [Column(say("requested", prob=f"{100 * prob:g}"), numeric=True) for prob in found.probs]
    rows = [
        [
            row.label,
            *(
                [asked, tag("small", f" {say('achieved')} {percent(got, 2)}")]
                for asked, got in zip(row.asked, row.achieved, strict=True)
            ),
        ]
        for row in found.quantiles
    ]
    pairs = None
    if found.pairs:
        heads = [
            Column(say("between_what")),
            Column(say("asked_correlation"), True),
            Column(say("got_correlation"), True),
        ]
        body = [[pair, f"{a:.4g}".replace("-", "−"), f"{b:.4g}".replace("-", "−")] for pair, a, b in found.pairs]
        pairs = table(heads, body)
    return join(
        [
            tag("h3", say("receipt")),
            tag("p", worst),
            tag("details", tag("summary", say("receipt_table")), table(columns, rows), pairs),
        ]
    )
