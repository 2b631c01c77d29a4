"""Assumptions: each one with its point, its distribution in words, its unit and its source."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.distributions.base import Law, is_labelled
from demandsim.graph.assumption import Assumption
from demandsim.report.words import Words
from demandsim.units.format import label_text, percent

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["AssumptionRow", "Variant", "assumption_rows", "ends_in_words"]

#: Labels of a dim that are written out; of more, the first and the last.
_WRITTEN = 4


@dataclass(frozen=True)
class Variant:
    """An assumption as some scenarios have it.

    Parameters
    ----------
    scenarios : tuple of int
        Numbers of the scenarios, in the order of the page.
    point : str
    size : float
        The point as a number, of several the largest.
    ends : tuple of str
        The central interval in words, a line per label.
    spread : float
        Its upper end over its lower one, of several labels the widest; 1 of what is fixed, infinity where an end
        is not positive.
    family : str
        Of the distribution, in words.
    code : str
        The distribution as the study file has it.
    source : str
    """

    scenarios: tuple[int, ...]
    point: str
    size: float
    ends: tuple[str, ...]
    spread: float
    family: str
    code: str
    source: str


@dataclass(frozen=True)
class AssumptionRow:
    """An assumption, and how it differs between scenarios."""

    name: str
    label: str
    unit: str
    variants: tuple[Variant, ...]


def assumption_rows(
    model: Model, scenarios: tuple[dict[str, str], ...], prob: float, words: Words
) -> Iterator[AssumptionRow]:
    """Describe every assumption, in the order of the study."""
    for name, base in model.assumptions.items():
        made = [_in_scenario(model, name, scenario) for scenario in scenarios]
        variants = []
        for assumption in dict.fromkeys(made):
            numbers = tuple(i for i, own in enumerate(made) if own == assumption)
            variants.append(
                Variant(
                    numbers,
                    _point(assumption, words),
                    float(np.max(assumption.point)),
                    # The point of a sure value says all of it.
                    ("–",) if _is_one_value(assumption) else tuple(_told(assumption, prob, words)),
                    max(_spread(law, prob) for law in assumption.distribution.laws),
                    _family(assumption, words),
                    str(assumption.distribution),
                    words.locale.text(assumption.source or ""),
                )
            )
        label = words.locale.name(name, base.long_name)
        yield AssumptionRow(name, label, base.unit, tuple(variants))


def ends_in_words(model: Model, name: str, place: Mapping[str, Any], prob: float, words: Words) -> tuple[str, str, str]:
    """Write the ends of an assumption's central interval in one place, such as a scenario and a year.

    Low and high as numbers, then both with their unit. Where the assumption has further labels, which all move
    together, an end is the lowest to the highest of them.
    """
    made = _in_scenario(model, name, place)
    ends = []
    for grade in ((1 - prob) / 2, (1 + prob) / 2):
        value = made.distribution.ppf(grade)
        if is_labelled(value):
            value = value.sel({d: v for d, v in place.items() if d in value.dims})
        ends.append((float(np.min(value)), float(np.max(value))))
    extremes = ends[0][0], ends[1][1]
    scale = words.scale(made.unit, *extremes)
    # As many digits as it takes to tell them apart.
    digits = next((n for n in (3, 4, 5) if scale.value(ends[0][0], n) != scale.value(ends[1][0], n)), 6)

    def said(least: float, most: float) -> str:
        texts = scale.given(least, digits), scale.given(most, digits)
        return texts[0] if texts[0] == texts[1] else words.say("to", low=texts[0], high=texts[1])

    return said(*ends[0]), said(*ends[1]), scale.with_unit(said(*extremes))


def _in_scenario(model: Model, name: str, place: Mapping[str, Any]) -> Assumption:
    dim = model.scenarios.dim_of(name)
    if dim is None or dim not in place:
        return model.assumptions[name]
    return model.scenarios.grid[dim][str(place[dim])].get(name, model.assumptions[name])


def _point(assumption: Assumption, words: Words) -> str:
    point = assumption.point
    if not is_labelled(point):
        scale = words.scale(assumption.unit, float(point))
        return scale.with_unit(scale.given(float(point)))
    low, high = float(point.min()), float(point.max())
    if low == high:
        scale = words.scale(assumption.unit, low)
        return scale.with_unit(scale.given(low))
    return words.span(assumption.unit, low, high)


def _is_one_value(assumption: Assumption) -> bool:
    return assumption.distribution.is_constant and not is_labelled(assumption.point)


def _family(assumption: Assumption, words: Words) -> str:
    family = words.family(assumption.distribution.family)
    shared = assumption.shared and len(assumption.distribution.laws) > 1
    return family + (words.say("separator") + words.say("shared") if shared else "")


def _ends(law: Law, prob: float) -> tuple[float, float]:
    low, high = law.ppf(np.array([(1 - prob) / 2, (1 + prob) / 2])).tolist()
    return low, high


def _spread(law: Law, prob: float) -> float:
    low, high = _ends(law, prob)
    if low == high:
        return 1.0
    return high / low if low > 0 else math.inf


def _told(assumption: Assumption, prob: float, words: Words) -> Iterator[str]:
    """Say between which values a distribution lies, by label where it has dims."""
    distribution = assumption.distribution
    laws = list(distribution.laws)
    places: list[dict[str, Any]] = [
        dict(zip(distribution.dims, labels, strict=True))
        for labels in itertools.product(*(distribution.coords[dim] for dim in distribution.dims))
    ]
    told = list(zip(places, laws, strict=False)) if len(places) == len(laws) else [({}, laws[0])]
    shown = told if len(told) <= _WRITTEN else [told[0], told[-1]]
    for labels, law in shown:
        where = words.place({dim: label_text(label) for dim, label in labels.items()})
        said = _said(assumption, law, prob, words)
        yield words.say("at", where=where, said=said) if where else said
    if len(told) > len(shown):
        yield words.say("between", count=len(told) - len(shown))


def _said(assumption: Assumption, law: Law, prob: float, words: Words) -> str:
    low, high = _ends(law, prob)
    if low == high:
        scale = words.scale(assumption.unit, low)
        return scale.with_unit(scale.given(low))
    outcomes = _outcomes(law)
    if outcomes:
        scale = words.scale(assumption.unit, *outcomes)
        return words.say("comma").join(
            words.say("outcome", value=scale.with_unit(scale.given(value)), chance=percent(chance, 0))
            for value, chance in outcomes.items()
        )
    return words.span(assumption.unit, low, high, 3)


def _outcomes(law: Law) -> dict[float, float]:
    """Values of a discrete distribution with their probabilities, if they are few; empty otherwise."""
    if law.kind != "discrete":
        return {}
    values = sorted(set(law.ppf(np.linspace(0.0005, 0.9995, 1000)).tolist()))
    if len(values) > _WRITTEN:
        return {}
    return {value: math.exp(float(law.logpdf(np.array([value]))[0])) for value in values}
