"""Sensitivity sections: tornado, shares of variance and value of information, as tables with drawn bars."""

from __future__ import annotations

from demandsim.report.charts import share_bar, swing_bar
from demandsim.report.data import Chart, Information, Moves
from demandsim.report.markup import Markup, join, tag
from demandsim.report.tables_of_html import bars
from demandsim.report.words import Words
from demandsim.units.format import percent

__all__ = ["LOOKS", "information", "moves_table", "shares_table"]

#: How the bar of each index is filled.
LOOKS = {"first_order": "inside", "total_order": "tail", "effect": "inside"}


def moves_table(moves: Moves, words: Words) -> Markup:
    """Make the table of a tornado."""
    say, scale = words.say, moves.scale
    rows = []
    for i, bar in enumerate(moves.bars):
        # On the left the lower result, as it is drawn; each says at which setting it stands.
        ends = sorted(((bar.at_low, bar.settings[0]), (bar.at_high, bar.settings[1])), key=lambda end: end[0])
        left, right = ([scale.value(end), tag("small", say("set", value=setting))] for end, setting in ends)
        cells = [("number", left), ("drawn", swing_bar(moves, i)), ("number", right)]
        rows.append(([bar.label, tag("small", bar.settings[2])], cells))
    text = None
    if moves.bars:
        first = moves.bars[0]
        low, high = sorted((first.at_low, first.at_high))
        text = tag("p", say("moves_text", name=first.label, low=scale.value(low), high=scale.measure(high)))
    caption = say("moves_caption", name=moves.label, base=scale.measure(moves.base))
    headings = [say("assumption"), say("lower_result"), say("swing"), say("higher_result")]
    return tag("div", text, bars(headings, rows, caption, ""), _left_out(moves.left_out, words))


def shares_table(chart: Chart, words: Words) -> Markup:
    """Make the table of shares of variance."""
    say = words.say
    if not chart.shares:
        return tag("p", say("nothing_uncertain"))
    lead = chart.kinds[-1]
    most = max(share.kinds[lead][0] for share in chart.shares)
    rows = []
    for share in chart.shares:
        parts = sorted(((share.kinds[kind][0], LOOKS[kind]) for kind in chart.kinds), key=lambda part: -part[0])
        text = " / ".join(percent(share.kinds[kind][0], 1) for kind in chart.kinds)
        drawn = share_bar(parts, share.kinds[lead][1:], most)
        rows.append((share.label, [("drawn", drawn), ("number", text)]))
    headings = [say("assumption"), say("share"), " / ".join(say(kind) for kind in chart.kinds)]
    first = chart.shares[0]
    told = tag("p", say("shares_text", name=first.label, share=percent(first.kinds[lead][0], 1)))
    return tag("div", told, bars(headings, rows, chart.label, "two"), _left_out(chart.left_out, words))


def information(found: Information | None, words: Words) -> Markup:
    """Make the sentence of the decision and the table of what each assumption is worth."""
    say = words.say
    if found is None:
        return join([])
    scale = found.scale
    most = max((worth.value for worth in found.worths), default=1.0)
    rows = [
        (
            worth.label,
            [
                ("drawn", share_bar([(worth.value / most, "inside")])),
                ("number", [scale.measure(worth.value), tag("small", f" ±{scale.value(worth.mcse, 2)}")]),
            ],
        )
        for worth in found.worths
    ]
    best = say(
        "information_best",
        best=found.orders.measure(found.best),
        payoff=words.scale("CNY", found.payoff).measure(found.payoff),
        evpi=scale.measure(found.evpi.value),
        mcse=scale.value(found.evpi.mcse, 2),
    )
    headings = [say("assumption"), say("worth"), say("evppi_is")]
    return join([tag("p", best), bars(headings, rows, "", "two"), _left_out(found.left_out, words)])


def _left_out(count: int, words: Words) -> Markup | None:
    return tag("p", words.say("left_out", count=count), class_="quiet") if count else None
