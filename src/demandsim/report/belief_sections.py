"""Belief sections: what was observed, and what it changes, as tables with an interval drawn before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence

from demandsim.report.charts import interval_bar
from demandsim.report.data import Belief, Beliefs
from demandsim.report.drawn_sections import fan_figure
from demandsim.report.markup import Child, Markup, join, tag
from demandsim.report.tables_of_html import Column, bars, table
from demandsim.report.words import Words

__all__ = ["beliefs"]


def beliefs(found: Beliefs, time_dim: str, prob: str, words: Words) -> Markup:
    """Make the sentence of what moved most, the observations, and what they change."""
    say = words.say
    seen = [[one.label, one.observed, one.before, one.after, one.source] for one in found.seen]
    columns = [
        Column(say("observed_is")),
        Column(say("observed_as"), long=True),
        Column(say("expected_before"), long=True),
        Column(say("expected_after"), long=True),
        Column(say("why"), long=True),
    ]
    most = None
    if found.assumptions:
        first = found.assumptions[0]
        ends = [first.scale.measure(side[1]) for side in (first.before, first.after)]
        sd = _signed(first.moved)
        most = tag("p", say("moved_most", name=first.label, before=ends[0], after=ends[1], moved=sd))
    figures = [fan_figure(fan, time_dim, prob, words) for fan in found.fans]
    return join(
        [
            most,
            _changes(found.assumptions, say("assumptions_moved"), prob, words),
            tag("p", say("left_out", count=found.left_out), class_="quiet") if found.left_out else None,
            _changes(found.results, say("results_moved"), prob, words),
            tag("div", figures, class_="charts") if figures else None,
            tag("h3", say("evidence_is")),
            table(columns, seen),
        ]
    )


def _changes(rows: Sequence[Belief], caption: str, prob: str, words: Words) -> Markup | None:
    """A row a quantity: its interval before, both drawn on an axis of their own, its interval after."""
    if not rows:
        return None
    say = words.say

    def ends(belief: Belief, side: tuple[float, float, float]) -> Child:
        low, middle, high = (belief.scale.value(value) for value in side)
        return [middle, tag("small", say("to", low=low, high=high))]

    made = []
    for row in rows:
        cells: list[tuple[str, Child]] = [
            ("number", ends(row, row.before)),
            ("drawn", interval_bar(row.before, row.after)),
            ("number", ends(row, row.after)),
            ("number", _signed(row.moved)),
        ]
        made.append(([row.label, tag("small", row.scale.unit or say("ratio"))], cells))
    headings = [
        say("quantity_or_assumption"),
        say("before_is", prob=prob),
        say("drawn"),
        say("after_is", prob=prob),
        say("moved"),
    ]
    return bars(headings, made, caption, "four")


def _signed(moved: float) -> str:
    """How far a median moved, with its sign.

    Examples
    --------
    >>> _signed(-2.24), _signed(0.31), _signed(0.01)
    ('−2.2', '+0.3', '0.0')
    """
    if not math.isfinite(moved):
        return "–"
    text = f"{moved:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")
