"""Scenes: what the runs say in each scenario at each time, as plain figures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.report.assumptions import ends_in_words
from demandsim.report.data import (
    Bar,
    Chart,
    Fan,
    Information,
    Moves,
    Row,
    Scene,
    Shape,
    Share,
    Worth,
)
from demandsim.report.runs import Results
from demandsim.report.selection import Choice
from demandsim.report.statements import statements
from demandsim.report.words import Words
from demandsim.units.format import label_text

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["at", "fans", "name_of", "scenes", "spread", "titled"]

_BINS = 48
#: Share of draws beyond either end of a drawn distribution, as in the pictures.
_TAIL = 0.004
#: Assumptions that a chart shows; the rest are counted.
_MOST = 10
#: Distributions that are drawn.
_SHAPES = 8
#: Rows of the table of all results.
_ALL = 120


def scenes(model: Model, choice: Choice, results: Results, prob: float, words: Words) -> Iterator[Scene]:
    """Make every scene: all scenarios, and in each all times."""
    times: list[Any] = list(choice.times) or [None]
    for (number, scenario), (moment, time) in itertools.product(enumerate(choice.scenarios), enumerate(times)):
        place = dict(scenario) | ({choice.time_dim: time} if choice.time_dim else {})
        rows = list(_rows(choice.headlines, choice, results, place, words))
        rest = [str(name) for name, a in results.summary.data_vars.items() if a.attrs.get("role") == "derived"]
        others = _rows([n for n in rest if n not in choice.headlines], choice, results, place, words)
        worth = results.worth[number] if results.worth else None
        yield Scene(
            number,
            moment if choice.time_dim else None,
            titled(scenario, {choice.time_dim: time} if choice.time_dim else {}, words),
            tuple(row for row, _ in rows),
            tuple(row for row, _ in itertools.islice(others, _ALL)),
            tuple(statements(choice, results, place, words)),
            tuple(shape for row, spot in rows[:_SHAPES] if (shape := _shape(row, results.draws, spot)) is not None),
            tuple(_moves(model, name, choice, results.moved, place, prob, words) for name in choice.explained)
            if results.moved is not None
            else (),
            tuple(_chart(model, name, results, place, words) for name in choice.explained)
            if results.shares is not None
            else (),
            None if worth is None else _information(worth, words),
        )


def titled(scenario: Mapping[str, str], time: Mapping[str, Any], words: Words) -> str:
    """Name a scene in a heading, with the dims of its scenarios."""
    parts = [words.locale.say("at", dim=words.locale.dim(dim), label=label) for dim, label in scenario.items()]
    said = words.say("comma").join([*parts, *([words.place(time)] if time else [])])
    return said[:1].upper() + said[1:]


def at(array: Any, place: Mapping[str, Any]) -> Any:
    """Select the labels of those dims that an array has."""
    return array.sel({dim: label for dim, label in place.items() if dim in array.dims})


def _last(array: Any, place: Mapping[str, Any]) -> Any:
    """Select a place, and of dims that are not in it the last label."""
    found = at(array, place)
    kept = {"assumption", "end", "statistic", "chain", "draw", "quantity"}
    return found.isel({dim: -1 for dim in found.dims if dim not in kept})


def name_of(array: Any, name: str, words: Words) -> str:
    """Name a variable of the draws; one that the model does not name says its own, like a heading."""
    given = array.attrs.get("long_name")
    return words.locale.name(name, None if given == name.replace("_", " ") else given)


def _rows(
    names: Any, choice: Choice, results: Results, place: Mapping[str, Any], words: Words
) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Rows of quantities, one per label of further dims, each with where it stands."""
    for name in names:
        if name not in results.summary:
            continue
        array, points = results.summary[name], results.point[name]
        for labels in choice.shown_labels(array.coords, [str(d) for d in array.dims if d != "statistic"]):
            spot = dict(place) | labels
            found = at(array, spot)
            s = {str(key): float(value) for key, value in zip(found.statistic.values, found.values, strict=True)}
            point = at(points, spot)
            value = float(point) if point.ndim == 0 else math.nan
            label = name_of(array, name, words)
            if labels:
                label = words.say("labelled", name=label, labels=words.place(labels))
            drawn = at(results.draws[name], spot).values
            yield (
                Row(
                    name,
                    label,
                    str(array.attrs.get("units", "1")),
                    words.scale(str(array.attrs.get("units", "1")), s["median"], value),
                    value,
                    s["median"],
                    s["mean"],
                    s["lower"],
                    s["upper"],
                    s["mcse_median"],
                    s["mcse_mean"],
                    float(np.mean(drawn <= value)) if math.isfinite(value) else math.nan,
                ),
                spot,
            )


def _shape(row: Row, draws: xr.Dataset, spot: Mapping[str, Any]) -> Shape | None:
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


def _moves(
    model: Model, name: str, choice: Choice, moved: xr.Dataset, place: Mapping[str, Any], prob: float, words: Words
) -> Moves:
    array = _last(moved[name], place)
    values = array.transpose("assumption", "end").values
    with np.errstate(invalid="ignore"):
        swing = np.abs(values[:, 2] - values[:, 0])
    swing = np.where(np.isfinite(swing), swing, np.inf)
    order = [i for i in np.argsort(-swing, kind="stable").tolist() if swing[i] > 0]
    bars = []
    for i in order[:_MOST]:
        label = str(array.assumption.values[i])
        settings = ends_in_words(model, label, place, prob, words)
        bars.append(Bar(_assumption(model, label, words), settings, float(values[i, 0]), float(values[i, 2])))
    base = float(values[0, 1])
    scale = words.scale(str(moved[name].attrs.get("units", "1")), *([base] if base else [b.at_high for b in bars]))
    return Moves(name_of(moved[name], name, words), scale, base, tuple(bars), len(order) - len(bars))


def _assumption(model: Model, name: str, words: Words) -> str:
    made = model.assumptions.get(name)
    return words.locale.name(name, made.long_name if made is not None else None)


def _chart(model: Model, name: str, results: Results, place: Mapping[str, Any], words: Words) -> Chart:
    assert results.shares is not None
    here = _last(results.shares.sel(quantity=name), place)
    kinds = tuple(kind for kind in ("first_order", "total_order", "effect") if kind in here)
    lead = kinds[-1]
    leading, least = here[lead].values, here[f"{lead}_lower"].values
    rows: dict[str, Share] = {}
    # What cannot be told from none is not listed.
    order = [
        i for i in np.argsort(-np.nan_to_num(leading), kind="stable").tolist() if leading[i] > 5e-4 and least[i] > 0
    ]
    for i in order:
        own = here.isel(assumption=i)
        found = {kind: (float(own[kind]), float(own[f"{kind}_lower"]), float(own[f"{kind}_upper"])) for kind in kinds}
        key, _, labels = str(own.assumption.item()).partition("[")
        label = _assumption(model, key, words)
        # One draw shared by all labels has one share: it stands once, without them.
        shared = key in model.assumptions and model.assumptions[key].shared
        if labels and not shared:
            label = words.say("labelled", name=label, labels=words.keyed(labels.removesuffix("]")))
        rows.setdefault(key if shared else str(own.assumption.item()), Share(label, found))
    shown = tuple(rows.values())[:_MOST]
    every = len({str(key).partition("[")[0] for key in here.assumption.values})
    return Chart(name_of(results.draws[name], name, words), kinds, shown, max(every - len(shown), 0))


def _information(worth: xr.Dataset, words: Words) -> Information:
    values, errors = worth.evppi.values, worth.mcse_evppi.values
    order = [i for i in np.argsort(-values, kind="stable").tolist() if values[i] > 0.001 * float(worth.evpi)]
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


def fans(choice: Choice, results: Results, words: Words) -> tuple[tuple[Fan, ...], ...]:
    """Quantiles over time of every headline that has times, by scenario."""
    if not choice.time_dim:
        return ()
    times = tuple(label_text(label) for label in results.summary[choice.time_dim].values)
    return tuple(tuple(_fans(choice, results, labels, times, words)) for labels in choice.scenarios)


def _fans(
    choice: Choice, results: Results, scenario: Mapping[str, Any], times: tuple[str, ...], words: Words
) -> Iterator[Fan]:
    for name in choice.headlines:
        if name not in results.summary or choice.time_dim not in results.summary[name].dims:
            continue
        array, points = results.summary[name], results.point[name]
        dims = [str(d) for d in array.dims if d != "statistic"]
        for labels in choice.shown_labels(array.coords, dims)[-1:]:
            spot = dict(scenario) | labels
            found = at(array, spot)
            lines = {
                key: tuple(found.sel(statistic=key).values.tolist())
                for key in ("lower", "p25", "median", "p75", "upper")
            }
            at_point = at(points, spot)
            known = at_point.dims == (choice.time_dim,)
            point = tuple(at_point.values.tolist()) if known else (math.nan,) * len(times)
            label = name_of(array, name, words)
            if labels:
                label = words.say("labelled", name=label, labels=words.place(labels))
            unit = str(array.attrs.get("units", "1"))
            scale, places = words.scale(unit, *lines["median"]), spread(results.summary[choice.time_dim].values)
            yield Fan(label, scale, times, lines, point, places)


def spread(labels: Any) -> tuple[float, ...]:
    """Where times stand on an axis from 0 to 1: numbers and dates by their distance, others evenly.

    Examples
    --------
    >>> spread([2025, 2026, 2029]), spread(["a", "b", "c"])
    ((0.0, 0.25, 1.0), (0.0, 0.5, 1.0))
    """
    array = np.asarray(labels)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[s]").astype(float)
    if array.dtype.kind not in "iuf" or not np.all(np.diff(array) > 0):
        array = np.arange(array.size)
    reach = float(array[-1] - array[0]) or 1.0
    return tuple(((array - array[0]) / reach).tolist())
