"""Evidence: what the evidence of a study changes: its observations in words, prior against posterior."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.inference.evidence import Happened
from demandsim.report.data import Belief, Beliefs, Learned, Seen
from demandsim.report.fans import posterior_fan
from demandsim.report.runs import Results
from demandsim.report.scenes import event_text, name_of
from demandsim.report.selection import at
from demandsim.report.words import Words
from demandsim.statistics.datatree import told_evidence
from demandsim.statistics.event import Event
from demandsim.statistics.ranking import ranked
from demandsim.units.convert import conversion_factor
from demandsim.units.format import label_text, percent

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["learned"]

#: Assumptions that the page lists; the rest are counted.
_MOST = 8


def learned(results: Results, words: Words) -> Learned | None:
    """Put prior and posterior side by side, for every scenario; None where there is no posterior."""
    posterior = results.posterior
    if posterior is None:
        return None
    got = posterior.attrs
    pieces = told_evidence(posterior)
    how = words.say(
        "learned_how",
        total=f"{posterior.sizes['chain'] * posterior.sizes['draw']:,}",
        method=words.say(f"by_{got['method']}"),
        ess=f"{float(got['ess']):,.0f}",
        rhat=f"{float(got['rhat']):.3f}",
    )
    return Learned(tuple(_beliefs(results, pieces, labels, words) for labels in results.selection.scenarios), how)


def _ends(values: Any, prob: float) -> tuple[float, float, float]:
    low, middle, high = np.quantile(np.ravel(values), [(1 - prob) / 2, 0.5, (1 + prob) / 2]).tolist()
    return low, middle, high


def _seen(results: Results, scenario: Mapping[str, str], words: Words) -> Iterator[Seen]:
    """Each label of each observation in a scenario, and each event."""
    assert results.posterior is not None
    prob = results.prob
    for evidence in results.model.evidence:
        source = words.locale.text(evidence.source or "–")
        if isinstance(evidence, Happened):
            # A function of the draws has only its name.
            event = str(evidence)
            if isinstance(evidence.event, Event):
                event = event_text(evidence.event, results.draws, words, evidence.unit)
            yield Seen(event, words.say("happened"), "–", "–", source)
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
                ends = _ends(at(draws[name], {**scenario, **place}).values, prob)
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
            yield Seen(name_of(array, name, words, here), shown, told[0], told[1], source)


def _own(array: xr.DataArray, dim: str, label: Any) -> Any:
    """The label as the draws hold it: 2026 is 2026.0 where others are 2025.96."""
    return next((own for own in array[dim].values if label_text(own) == label_text(label)), label)


def _beliefs(
    results: Results, pieces: Sequence[Mapping[str, Any]], scenario: Mapping[str, str], words: Words
) -> Beliefs:
    assert results.posterior is not None
    chosen = results.selection
    moved = [belief for name in results.model.assumptions for belief in _both(results, name, scenario, words)]
    moved = [moved[i] for i in ranked([abs(belief.moved) for belief in moved])]
    found = [belief for name in chosen.headlines for belief in _both(results, name, scenario, words)]
    over_time = [name for name in chosen.headlines if chosen.time_dim in results.posterior[name].dims]
    fans = (posterior_fan(results, name, scenario, pieces, words) for name in over_time)
    return Beliefs(
        tuple(_seen(results, scenario, words)),
        tuple(moved[:_MOST]),
        tuple(found),
        max(len(moved) - _MOST, 0),
        tuple(fan for fan in fans if fan is not None),
    )


def _both(results: Results, name: str, scenario: Mapping[str, str], words: Words) -> Iterator[Belief]:
    """A quantity before and after, at the last time; nothing of what does not vary."""
    assert results.posterior is not None
    if not all({"chain", "draw"} <= set(draws[name].dims) for draws in (results.draws, results.posterior)):
        return
    prior, posterior = at(results.draws[name], scenario), at(results.posterior[name], scenario)
    dims = [str(dim) for dim in prior.dims if dim not in ("chain", "draw")]
    last = {dim: prior[dim].values[-1] for dim in dims if dim == results.selection.time_dim}
    for labels in results.selection.shown_labels(prior.coords, dims):
        place = last | labels
        before, after = at(prior, place).values.ravel(), at(posterior, place).values.ravel()
        if not before.size or np.ptp(before) == 0:
            continue
        ends, ends_after = _ends(before, results.prob), _ends(after, results.prob)
        scale = words.scale(str(prior.attrs.get("units", "1")), ends[1], ends_after[1])
        label = name_of(prior, name, words, place)
        yield Belief(label, scale, ends, ends_after, _score(before, ends_after[1]))


def _score(before: Any, median: float) -> float:
    """Where a median lies among draws of the prior, as a normal score."""
    from scipy import special

    ordered = np.sort(before)
    below, above = (np.searchsorted(ordered, median, side) for side in ("left", "right"))
    return float(special.ndtri((0.5 * (below + above) + 0.5) / (ordered.size + 1)))
