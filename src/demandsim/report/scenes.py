"""Scenes: what the runs say in each scenario at each time, as plain values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.report.assumptions import ends_in_words
from demandsim.report.data import Bar, Chart, Information, Moves, Quantity, Scene, Shape, Share, Statement, Worth
from demandsim.report.runs import Results
from demandsim.report.selection import at, last_of
from demandsim.report.words import Words
from demandsim.statistics.event import Event
from demandsim.statistics.ranking import ranked
from demandsim.statistics.summarize import probability
from demandsim.units.format import percent

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["event_text", "name_of", "scenes", "titled"]

_BINS = 48
#: Share of draws beyond either end of a drawn distribution, as in the pictures.
_TAIL = 0.004
#: Assumptions that a chart shows; the rest are counted.
_MOST = 10
#: Distributions that are drawn.
_SHAPES = 8
#: Rows of the table of all results.
_ALL = 120


def scenes(results: Results, words: Words) -> Iterator[Scene]:
    """Make every scene: all scenarios, and in each all times."""
    chosen = results.selection
    times: list[Any] = list(chosen.times) or [None]
    rest = [str(name) for name, array in results.summary.data_vars.items() if array.attrs.get("role") == "derived"]
    rest = [name for name in rest if name not in chosen.headlines]
    for (number, scenario), (moment, time) in itertools.product(enumerate(chosen.scenarios), enumerate(times)):
        when = {chosen.time_dim: time} if chosen.time_dim else {}
        place = dict(scenario) | when
        rows = list(_rows(chosen.headlines, results, place, words))
        drawn = (_shape(row, results.draws, spot) for row, spot in rows[:_SHAPES])
        yield Scene(
            number,
            moment if chosen.time_dim else None,
            titled(scenario, when, words),
            tuple(row for row, _ in rows),
            tuple(row for row, _ in itertools.islice(_rows(rest, results, place, words), _ALL)),
            tuple(_statements(results, place, words)),
            tuple(shape for shape in drawn if shape is not None),
            tuple(_moves(results, place, words)),
            tuple(_charts(results, place, words)),
            _information(results.worth[number], words) if results.worth else None,
        )


def titled(scenario: Mapping[str, str], time: Mapping[str, Any], words: Words) -> str:
    """Name a scene in a heading, with the dims of its scenarios."""
    parts = [words.locale.say("at", dim=words.locale.dim(dim), label=label) for dim, label in scenario.items()]
    said = words.say("comma").join([*parts, *([words.place(time)] if time else [])])
    return said[:1].upper() + said[1:]


def name_of(array: Any, name: str, words: Words, labels: Mapping[str, Any] | None = None) -> str:
    """Name a variable of the draws, and where it is; one that the model does not name says its own, like a heading."""
    given = array.attrs.get("long_name")
    label = words.locale.name(name, None if given == name.replace("_", " ") else given)
    return words.say("labelled", name=label, labels=words.place(labels)) if labels else label


def _rows(
    names: Iterable[str], results: Results, place: Mapping[str, Any], words: Words
) -> Iterator[tuple[Quantity, dict[str, Any]]]:
    """Rows of quantities, one per label of further dims, each with where it stands."""
    for name in names:
        if name not in results.summary:
            continue
        array, unit = results.summary[name], str(results.summary[name].attrs.get("units", "1"))
        dims = [str(dim) for dim in array.dims if dim != "statistic"]
        places = [(labels, dict(place) | labels) for labels in results.selection.shown_labels(array.coords, dims)]
        found = [(labels, spot, at(array, spot), at(results.point[name], spot)) for labels, spot in places]
        # One unit for a quantity at all labels of a scene, so that they compare.
        sizes = [
            float(value) for *_, one, point in found for value in (one.sel(statistic="median"), point) if not value.ndim
        ]
        scale = words.scale(unit, *sizes)
        for labels, spot, one, point in found:
            s = {str(key): float(value) for key, value in zip(one.statistic.values, one.values, strict=True)}
            value = float(point) if point.ndim == 0 else math.nan
            drawn = at(results.draws[name], spot).values
            row = Quantity(
                name,
                name_of(array, name, words, labels),
                unit,
                scale,
                value,
                s["median"],
                s["mean"],
                s["lower"],
                s["upper"],
                s["mcse_median"],
                s["mcse_mean"],
                float(np.mean(drawn <= value)) if math.isfinite(value) else math.nan,
                _left_out(s.get("share_invalid", 0.0), array.attrs.get("invalid") == "keep", words),
            )
            yield row, spot


def _left_out(share: float, never: bool, words: Words) -> str:
    return words.say("never" if never else "no_numbers", share=percent(share, 1)) if share else ""


def _statements(results: Results, place: Mapping[str, Any], words: Words) -> Iterator[Statement]:
    """How often the events of the study happen, other results are positive, and published limits are exceeded."""
    known = [event for event in results.selection.events if all(name in results.draws for name in event.names)]
    for name in results.selection.headlines:
        if name not in results.summary:
            continue
        own = [event for event in known if event.names[0] == name]
        here = last_of(results.draws[name], place)
        if not own and bool((here < 0).any()) and bool((here > 0).any()):
            own = [Event(">", (name, 0.0))]
        for event in own:
            yield _said(_worded(event, results.draws, words), last_of(event(results.draws), place))
    if results.checks is not None:
        yield from _checked(results, place, words)


def event_text(event: Event, draws: xr.Dataset, words: Words, unit: str = "") -> str:
    """An event in words; its numbers are in `unit`, or each in that of its quantity."""

    def compared(one: Event) -> str:
        if one.simple is None:
            left, right = (name_of(draws[name], name, words) for name in one.parts)
            return f"{left} {one.word} {right}"
        name, sign, value = one.simple
        scale = words.scale(unit or str(draws[name].attrs.get("units", "1")), value)
        bound = scale.with_unit(scale.given(value)) if value else "0"
        return f"{name_of(draws[name], name, words)} {sign} {bound}"

    return event.written(compared, {word: words.say(word) for word in ("and", "or", "not")})


def _worded(event: Event, draws: xr.Dataset, words: Words) -> str:
    if event.simple is None or event.simple[1] != ">":
        return event_text(event, draws, words)
    name, _, bound = event.simple
    label = words.locale.name(name, draws[name].attrs.get("long_name"))
    if bound == 0:
        return words.say("positive", name=label)
    scale = words.scale(str(draws[name].attrs.get("units", "1")), bound)
    return words.say("above", name=label, limit=scale.with_unit(scale.given(bound)))


def _said(text: str, event: Any) -> Statement:
    found = probability(event)
    return Statement(text, float(found.probability), float(found.mcse))


def _checked(results: Results, place: Mapping[str, Any], words: Words) -> Iterator[Statement]:
    checks = results.checks
    assert checks is not None
    for i in range(checks.sizes["check"]):
        here = last_of(checks.isel(check=i), place)
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


def _shape(row: Quantity, draws: xr.Dataset, spot: Mapping[str, Any]) -> Shape | None:
    """Shares of draws in bins of even width, on a logarithmic scale where the range is wide."""
    values = at(draws[row.name], spot).values.ravel() / row.scale.divisor
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    start, stop = np.quantile(values, [_TAIL, 1 - _TAIL]).tolist()
    if not start < stop:
        return None
    wide = start > 0 and stop / start > 30
    edges = np.geomspace(start, stop, _BINS + 1) if wide else np.linspace(start, stop, _BINS + 1)
    ordered = np.sort(values)
    cumulative = np.searchsorted(ordered, edges, side="right") / values.size
    shares = np.histogram(values, edges)[0] / values.size
    return Shape(row, tuple(edges.tolist()), tuple(shares.tolist()), tuple(cumulative.tolist()), wide)


def _moves(results: Results, place: Mapping[str, Any], words: Words) -> Iterator[Moves]:
    if results.moved is None:
        return
    for name in results.selection.explained:
        array = last_of(results.moved[name], place)
        last = {str(dim): array[dim].item() for dim in results.moved[name].dims if dim not in array.dims}
        here: dict[str, Any] = {**last, **place}
        values = array.transpose("assumption", "end").values
        with np.errstate(invalid="ignore"):
            swing = np.abs(values[:, 2] - values[:, 0])
        swing = np.where(np.isfinite(swing), swing, np.inf)
        order = [i for i in ranked(swing, array.assumption.values) if swing[i] > 1e-12 * np.abs(values[i]).max()]
        bars = []
        for i in order[:_MOST]:
            moved = str(array.assumption.values[i])
            settings = ends_in_words(results.model, moved, here, results.prob, words)
            bars.append(Bar(_assumption(results.model, moved, words), settings, *values[i, [0, 2]].tolist()))
        base = float(values[0, 1])
        scale = words.scale(str(array.attrs.get("units", "1")), *([base] if base else [b.at_high for b in bars]))
        yield Moves(name_of(array, name, words), scale, base, tuple(bars), len(order) - len(bars))


def _assumption(model: Model, name: str, words: Words) -> str:
    made = model.assumptions.get(name)
    return words.locale.name(name, made.long_name if made is not None else None)


def _charts(results: Results, place: Mapping[str, Any], words: Words) -> Iterator[Chart]:
    if results.shares is None:
        return
    for name in results.selection.explained:
        here = last_of(results.shares.sel(quantity=name), place)
        kinds = tuple(kind for kind in ("first_order", "total_order", "effect") if kind in here)
        leading, least = here[kinds[-1]].values, here[f"{kinds[-1]}_lower"].values
        shares: dict[str, Share] = {}
        for i in ranked(np.nan_to_num(leading), here.assumption.values):
            # What cannot be told from none is not listed.
            if leading[i] > 5e-4 and least[i] > 1e-9:
                own = here.isel(assumption=i)
                key, label = _factor(results.model, str(own.assumption.item()), words)
                found = {kind: tuple(float(own[kind + end]) for end in ("", "_lower", "_upper")) for kind in kinds}
                shares.setdefault(key, Share(label, found))
        shown = tuple(shares.values())[:_MOST]
        every = len({str(key).partition("[")[0] for key in here.assumption.values})
        left_out = max(every - len(shown), 0)
        yield Chart(name_of(results.draws[name], name, words), kinds, shown, left_out)


def _factor(model: Model, factor: str, words: Words) -> tuple[str, str]:
    """Key and name of a factor, which is an assumption or one of its labels.

    One draw that is shared by all labels has one share: it stands once, without them.
    """
    name, _, labels = factor.partition("[")
    label = _assumption(model, name, words)
    if name in model.assumptions and model.assumptions[name].shared:
        return name, label
    return factor, words.say("labelled", name=label, labels=words.keyed(labels.removesuffix("]"))) if labels else label


def _information(worth: xr.Dataset, words: Words) -> Information:
    values, errors = worth.evppi.values, worth.mcse_evppi.values
    order = [i for i in ranked(values, worth.assumption.values) if values[i] > 0.001 * float(worth.evpi)]
    names, labels = worth.assumption.values, worth.long_name.values
    rows = [
        Worth(words.locale.name(str(names[i]), str(labels[i])), float(values[i]), float(errors[i]))
        for i in order[:_MOST]
    ]
    evpi, best = float(worth.evpi), float(worth.best)
    return Information(
        words.scale("CNY", evpi),
        words.scale("card", best),
        best,
        float(worth.expected_payoff),
        Worth("EVPI", evpi, float(worth.mcse_evpi)),
        tuple(rows),
        values.size - len(rows),
    )
