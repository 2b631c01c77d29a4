"""Believing: what the evidence of a study changes: its observations in words, prior against posterior."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.inference.evidence import Happened
from demandsim.report.data import Belief, Beliefs, Fan, Learned, Seen
from demandsim.report.runs import Results
from demandsim.report.scenes import at, name_of, spread
from demandsim.report.selection import Choice
from demandsim.report.words import Words
from demandsim.statistics.event import Event
from demandsim.units.convert import conversion_factor
from demandsim.units.format import label_text, percent

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["learned"]

#: Assumptions that the page lists; the rest are counted.
_MOST = 8


def learned(model: Model, choice: Choice, results: Results, prob: float, words: Words) -> Learned | None:
    """Put prior and posterior side by side, for every scenario; None where there is no posterior."""
    posterior = results.posterior
    if posterior is None:
        return None
    pieces = json.loads(posterior.attrs["evidence"])
    told = [_beliefs(model, choice, results, pieces, labels, prob, words) for labels in choice.scenarios]
    got = posterior.attrs
    how = words.say(
        "learned_how",
        total=f"{posterior.sizes['chain'] * posterior.sizes['draw']:,}",
        method=words.say(f"by_{got['method']}"),
        ess=f"{float(got['ess']):,.0f}",
        rhat=f"{float(got['rhat']):.3f}",
    )
    return Learned(tuple(told), how)


def _ends(values: Any, prob: float) -> tuple[float, float, float]:
    low, middle, high = np.quantile(np.ravel(values), [(1 - prob) / 2, 0.5, (1 + prob) / 2]).tolist()
    return low, middle, high


def _seen(model: Model, results: Results, scenario: dict[str, str], prob: float, words: Words) -> Iterator[Seen]:
    """Each label of each observation in a scenario, and each event."""
    assert results.posterior is not None
    for evidence in model.evidence:
        source = words.locale.text(evidence.source or "–")
        if isinstance(evidence, Happened):
            yield Seen(_happened(evidence, results, words), words.say("happened"), "–", "–", source)
            continue
        name, made = evidence.quantity, evidence.distribution
        array = results.draws[name]
        factor = conversion_factor(evidence.unit, str(array.attrs.get("units", "1")))
        for law, labels in zip(made.laws, itertools.product(*made.coords.values()), strict=False):
            place = {dim: _own(array, dim, label) for dim, label in zip(made.coords, labels, strict=True)}
            if any(scenario.get(dim, label) != label for dim, label in place.items()):
                continue
            low, middle, high = (factor * law.ppf(np.array([(1 - prob) / 2, 0.5, (1 + prob) / 2]))).tolist()
            told = []
            for draws in (results.draws, results.posterior):
                ends = _ends(at(draws[name], scenario | place).values, prob)
                scale = words.scale(str(array.attrs.get("units", "1")), ends[1])
                told.append(scale.with_unit(words.say("to", low=scale.value(ends[0]), high=scale.value(ends[2]))))
            scale = words.scale(str(array.attrs.get("units", "1")), middle)
            shown = words.say(
                "observed",
                value=scale.given(middle, 3),
                prob=percent(prob),
                range=scale.with_unit(words.say("to", low=scale.value(low), high=scale.value(high))),
            )
            here = {dim: label for dim, label in place.items() if dim not in scenario}
            yield Seen(_named(array, name, here, words), shown, told[0], told[1], source)


def _happened(evidence: Happened, results: Results, words: Words) -> str:
    """An event in words; a function of the draws has only its name."""
    if not isinstance(evidence.event, Event):
        return str(evidence)

    def compared(one: Event) -> str:
        if one.simple is None:
            left, right = (name_of(results.draws[name], name, words) for name in one.parts)
            return f"{left} {one.word} {right}"
        name, sign, value = one.simple
        scale = words.scale(evidence.unit or str(results.draws[name].attrs["units"]), value)
        bound = scale.with_unit(scale.given(value)) if value else "0"
        return f"{name_of(results.draws[name], name, words)} {sign} {bound}"

    return evidence.event.written(compared, {word: words.say(word) for word in ("and", "or", "not")})


def _own(array: xr.DataArray, dim: str, label: Any) -> Any:
    """The label as the draws hold it: 2026 is 2026.0 where others are 2025.96."""
    return next((own for own in array[dim].values if label_text(own) == label_text(label)), label)


def _named(array: xr.DataArray, name: str, place: Mapping[str, Any], words: Words) -> str:
    label = name_of(array, name, words)
    return words.say("labelled", name=label, labels=words.place(place)) if place else label


def _beliefs(
    model: Model,
    choice: Choice,
    results: Results,
    pieces: Sequence[Mapping[str, Any]],
    scenario: Mapping[str, str],
    prob: float,
    words: Words,
) -> Beliefs:
    assert results.posterior is not None
    moved = [belief for name in model.assumptions for belief in _both(results, name, scenario, choice, prob, words)]
    moved.sort(key=lambda belief: -abs(belief.moved))
    found = [belief for name in choice.headlines for belief in _both(results, name, scenario, choice, prob, words)]
    fans = [
        fan
        for name in choice.headlines
        if choice.time_dim
        and {choice.time_dim, "chain"} <= set(results.posterior[name].dims)
        and (fan := _fan(results, name, scenario, choice, pieces, prob, words)) is not None
    ]
    seen = tuple(_seen(model, results, dict(scenario), prob, words))
    return Beliefs(seen, tuple(moved[:_MOST]), tuple(found), max(len(moved) - _MOST, 0), tuple(fans))


def _both(
    results: Results, name: str, scenario: Mapping[str, str], choice: Choice, prob: float, words: Words
) -> Iterator[Belief]:
    """A quantity before and after, at the last time; nothing of what does not vary."""
    assert results.posterior is not None
    if not all({"chain", "draw"} <= set(draws[name].dims) for draws in (results.draws, results.posterior)):
        return
    prior, posterior = at(results.draws[name], scenario), at(results.posterior[name], scenario)
    dims = [str(dim) for dim in prior.dims if dim not in ("chain", "draw")]
    times = [dim for dim in dims if dim == choice.time_dim]
    last = {dim: prior[dim].values[-1] for dim in times}
    for labels in choice.shown_labels(prior.coords, dims):
        place = last | labels
        before, after = at(prior, place).values.ravel(), at(posterior, place).values.ravel()
        if not before.size or np.ptp(before) == 0:
            continue
        ends, ends_after = _ends(before, prob), _ends(after, prob)
        scale = words.scale(str(prior.attrs.get("units", "1")), ends[1], ends_after[1])
        yield Belief(
            _named(results.draws[name], name, place, words),
            scale,
            ends,
            ends_after,
            _score(before, ends_after[1]),
        )


def _score(before: Any, median: float) -> float:
    """Where a median lies among draws of the prior, as a normal score."""
    from scipy import special

    ordered = np.sort(before)
    below, above = (np.searchsorted(ordered, median, side) for side in ("left", "right"))
    return float(special.ndtri((0.5 * (below + above) + 0.5) / (ordered.size + 1)))


def _fan(
    results: Results,
    name: str,
    scenario: Mapping[str, str],
    choice: Choice,
    pieces: Sequence[Mapping[str, Any]],
    prob: float,
    words: Words,
) -> Fan | None:
    """The posterior over time, with what was observed of it."""
    assert results.posterior is not None
    array = at(results.posterior[name], scenario)
    if set(array.dims) != {choice.time_dim, "chain", "draw"}:
        return None
    labels = array[choice.time_dim].values
    unit = str(array.attrs.get("units", "1"))
    points = [math.nan] * len(labels)
    places = {label_text(label): place for place, label in enumerate(labels)}
    for piece in pieces:
        if piece.get("quantity") == name and list(piece["coords"]) == [choice.time_dim]:
            values = zip(piece["coords"][choice.time_dim], np.ravel(piece["observed"]), strict=True)
            for label, value in values:
                points[places[_number(label)]] = float(value) * conversion_factor(piece["unit"], unit)
    ends = {"lower": (1 - prob) / 2, "p25": 0.25, "median": 0.5, "p75": 0.75, "upper": (1 + prob) / 2}
    drawn = array.transpose(choice.time_dim, "chain", "draw").values.reshape(len(labels), -1)
    lines = {key: tuple(np.quantile(drawn, grade, axis=1).tolist()) for key, grade in ends.items()}
    label = words.say("given_evidence", name=name_of(array, name, words))
    times = tuple(label_text(one) for one in labels)
    return Fan(label, words.scale(unit, *lines["median"]), times, lines, tuple(points), spread(labels), "observed_is")


def _number(label: str) -> str:
    """A label as attributes hold it, written as the page does: 2026.0 is 2026."""
    try:
        return label_text(float(label))
    except ValueError:
        return label
