"""Statements: probabilities that a reader asks for, each with its Monte Carlo error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from demandsim.report.data import Statement
from demandsim.report.runs import Results
from demandsim.report.selection import Choice
from demandsim.report.words import Words
from demandsim.statistics.summarize import probability

__all__ = ["statements"]

#: Results whose sign decides, even where every draw agrees.
_SIGNED = ("gross_margin", "net_present_value")


def statements(choice: Choice, results: Results, place: Mapping[str, Any], words: Words) -> Iterator[Statement]:
    """How often results are positive, above 1 where they are a ratio of both sides, and above published limits."""
    for name in choice.headlines:
        if name not in results.summary:
            continue
        array = results.draws[name]
        dims = [str(dim) for dim in array.dims if dim not in ("chain", "draw")]
        here = array.sel({dim: label for dim, label in place.items() if dim in dims})
        here = here.isel({dim: -1 for dim in here.dims if dim not in ("chain", "draw")})
        label = words.locale.name(name, array.attrs.get("long_name"))
        signed = bool((here < 0).any()) and bool((here > 0).any())
        if name in _SIGNED or signed:
            yield _said(words.say("positive", name=label), here > 0)
        elif name == "revenue_to_cost":
            yield _said(words.say("above", name=label, limit="1"), here > 1)
    if results.checks is not None:
        yield from _checked(results, place, words)


def _said(text: str, event: Any) -> Statement:
    found = probability(event)
    return Statement(text, float(found.probability), float(found.mcse))


def _checked(results: Results, place: Mapping[str, Any], words: Words) -> Iterator[Statement]:
    checks = results.checks
    assert checks is not None
    for i in range(checks.sizes["check"]):
        here = checks.isel(check=i)
        here = here.sel({dim: label for dim, label in place.items() if dim in here.dims})
        here = here.isel({str(dim): -1 for dim in here.dims})
        quantity, limit = here.quantity.item(), here.limit_name.item()
        attrs = results.draws[quantity].attrs
        label = words.locale.name(quantity, attrs.get("long_name"))
        text = words.say("exceeds", name=label, limit=words.locale.names.get(limit, limit)) if limit else label
        result, bound = float(here.result), float(here.limit)
        detail = ""
        if result == result and bound == bound:
            scale = words.scale(here.units.item(), result, bound)
            detail = words.say("against", result=scale.value(result), limit=scale.measure(bound))
        if source := here.source.item():
            detail += words.say("separator") * bool(detail) + words.say("source", source=source)
        yield Statement(text, float(here.probability), float(here.mcse), detail)
