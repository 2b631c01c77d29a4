"""Fans: quantities over time, before the evidence and after it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from demandsim.report.data import Fan
from demandsim.report.runs import Results
from demandsim.report.scenes import name_of
from demandsim.report.selection import at
from demandsim.report.words import Words
from demandsim.units.convert import conversion_factor
from demandsim.units.format import label_text

__all__ = ["fans", "posterior_fan", "spread"]

_LINES = ("lower", "p25", "median", "p75", "upper")


def fans(results: Results, words: Words) -> tuple[tuple[Fan, ...], ...]:
    """Quantiles over time of every headline that has times, by scenario."""
    scenarios = results.selection.scenarios if results.selection.time_dim else ()
    return tuple(tuple(_fans(results, labels, words)) for labels in scenarios)


def _fans(results: Results, scenario: Mapping[str, Any], words: Words) -> Iterator[Fan]:
    time_dim = results.selection.time_dim
    for name in results.selection.headlines:
        if name not in results.summary or time_dim not in results.summary[name].dims:
            continue
        array = results.summary[name]
        dims = [str(dim) for dim in array.dims if dim != "statistic"]
        for labels in results.selection.shown_labels(array.coords, dims)[-1:]:
            spot = dict(scenario) | labels
            found, point = at(array, spot), at(results.point[name], spot)
            lines = {key: found.sel(statistic=key).values for key in _LINES}
            points = point.values.tolist() if point.dims == (time_dim,) else [math.nan] * array.sizes[time_dim]
            yield _fan(found[time_dim].values, name_of(array, name, words, labels), array, lines, points, words)


def _fan(times: Any, label: str, array: Any, lines: Mapping[str, Any], points: Sequence[float], words: Words) -> Fan:
    scale = words.scale(str(array.attrs.get("units", "1")), *lines["median"].tolist())
    told = {key: tuple(values.tolist()) for key, values in lines.items()}
    return Fan(label, scale, tuple(map(label_text, times)), told, tuple(points), spread(times))


def posterior_fan(
    results: Results, name: str, scenario: Mapping[str, str], pieces: Sequence[Mapping[str, Any]], words: Words
) -> Fan | None:
    """Draw the posterior over time, with what was observed of it; None of what has other dims as well."""
    assert results.posterior is not None
    time_dim, prob = results.selection.time_dim, results.prob
    array = at(results.posterior[name], scenario)
    if set(array.dims) != {time_dim, "chain", "draw"}:
        return None
    times = array[time_dim].values
    points = [math.nan] * len(times)
    places = {label_text(label): place for place, label in enumerate(times)}
    for piece in pieces:
        if piece.get("quantity") == name and list(piece["coords"]) == [time_dim]:
            factor = conversion_factor(piece["unit"], str(array.attrs.get("units", "1")))
            for label, value in zip(piece["coords"][time_dim], np.ravel(piece["observed"]), strict=True):
                points[places[_number(label)]] = float(value) * factor
    drawn = array.transpose(time_dim, "chain", "draw").values.reshape(len(times), -1)
    grades = ((1 - prob) / 2, 0.25, 0.5, 0.75, (1 + prob) / 2)
    lines = {key: np.quantile(drawn, grade, axis=1) for key, grade in zip(_LINES, grades, strict=True)}
    label = words.say("given_evidence", name=name_of(array, name, words))
    return dataclasses.replace(_fan(times, label, array, lines, points, words), kind="observed_is")


def _number(label: str) -> str:
    """A label as attributes hold it, written as the page does: 2026.0 is 2026."""
    try:
        return label_text(float(label))
    except ValueError:
        return label


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
