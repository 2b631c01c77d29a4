"""Assumption sections: the table of assumptions, which readers sort and filter where a script runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from demandsim.report.assumptions import AssumptionRow, Variant
from demandsim.report.markup import Child, Markup, join, tag
from demandsim.report.tables_of_html import Column, table
from demandsim.report.words import Words
from demandsim.units.format import number, percent

__all__ = ["assumptions"]

#: A longer distribution, such as one with a value a year, is folded away.
_CODE = 60


def assumptions(rows: Sequence[AssumptionRow], prob: float, words: Words) -> Markup:
    """Make the table: what a scenario changes follows the switch."""
    say = words.say
    columns = [
        Column(say("assumption")),
        Column(say("point"), numeric=True, sorts=True),
        Column(say("interval", prob=percent(prob)), long=True),
        Column(say("spread"), numeric=True, sorts=True),
        Column(say("distribution"), long=True),
        Column(say("why"), long=True),
    ]
    body: list[list[Child]] = []
    for row in rows:
        several = len(row.variants) > 1

        def each(cell: Callable[[Variant], Child], row: AssumptionRow = row, several: bool = several) -> Child:
            if not several:
                return cell(row.variants[0])
            return [
                tag(
                    "span",
                    cell(variant),
                    class_="told",
                    data_scenario=" ".join(map(str, variant.scenarios)),
                    hidden=0 not in variant.scenarios,
                )
                for variant in row.variants
            ]

        body.append(
            [
                [row.label, tag("small", tag("code", row.name))],
                each(lambda variant: tag("span", variant.point, data_sort=f"{variant.size:.9g}")),
                each(lambda variant: [tag("span", line, class_="told") for line in variant.ends]),
                each(lambda variant: tag("span", _times(variant.spread), data_sort=_key(variant.spread))),
                each(lambda variant: [tag("span", variant.family, class_="told"), _code(variant.code, words)]),
                each(lambda variant: variant.source or "–"),
            ]
        )
    note = tag("p", say("assumptions_note", prob=percent(prob)), class_="quiet")
    return join([note, table(columns, body, kind="stack sorts wide")])


def _times(spread: float) -> str:
    """How many times as high the upper end is; nothing of what is fixed, or may be zero.

    Examples
    --------
    >>> _times(9.0), _times(1.0), _times(float("inf"))
    ('× 9.0', '–', '–')
    """
    return "–" if spread == 1 or not math.isfinite(spread) else f"× {number(spread, 2 if spread < 100 else 3)}"


def _key(spread: float) -> str:
    """What the spread is sorted by: an end at zero is wider than any other."""
    return f"{min(spread, 1e99):.6g}"


def _code(code: str, words: Words) -> Markup:
    written = tag("code", code)
    return written if len(code) <= _CODE else tag("details", tag("summary", words.say("in_study")), written)
