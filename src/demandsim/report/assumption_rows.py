"""Assumption rows: each assumption with its point, its distribution in words, its unit and its source."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.assumptions import Assumption
from demandsim.distributions.law import is_labelled
from demandsim.report.wording import Words, label_text, percent

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
    told : tuple of str
        The distribution in words, a line per label.
    code : str
        The distribution as the study file has it.
    source : str
    """

    scenarios: tuple[int, ...]
    point: str
    told: tuple[str, ...]
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
                    tuple(_told(assumption, prob, words)),
                    str(assumption.distribution),
                    assumption.source or "",
                )
            )
        label = words.locale.name(name, base.long_name)
        yield AssumptionRow(name, label, base.unit, tuple(variants))


def ends_in_words(model: Model, name: str, place: Mapping[str, Any], prob: float, words: Words) -> tuple[str, str, str]:
    """Write the ends of an assumption's central interval in one place, such as a scenario and a year.

    Low and high as numbers, then both with their unit.
    """
    made = _in_scenario(model, name, place)
    ends = []
    for grade in ((1 - prob) / 2, (1 + prob) / 2):
        value = made.distribution.ppf(grade)
        if is_labelled(value):
            # Of dims that are not in the place the last label, as in the chart.
            value = value.sel({d: v for d, v in place.items() if d in value.dims})
            value = float(value.isel(dict.fromkeys(value.dims, -1)))
        ends.append(float(value))
    scale = words.scale(made.unit, *ends)
    # As many digits as it takes to tell them apart.
    digits = next((n for n in (3, 4, 5) if scale.value(ends[0], n) != scale.value(ends[1], n)), 6)
    low, high = scale.value(ends[0], digits), scale.value(ends[1], digits)
    return low, high, scale.with_unit(words.say("to", low=low, high=high))


def _in_scenario(model: Model, name: str, place: Mapping[str, Any]) -> Assumption:
    dim = model.scenarios.dim_of(name)
    if dim is None or dim not in place:
        return model.assumptions[name]
    return model.scenarios.grid[dim][str(place[dim])].get(name, model.assumptions[name])


def _point(assumption: Assumption, words: Words) -> str:
    point = assumption.point
    if not is_labelled(point):
        return words.scale(assumption.unit, float(point)).measure(float(point), 4)
    flat = point.values.ravel()
    scale = words.scale(assumption.unit, *flat.tolist())
    if np.all(flat == flat[0]):
        return scale.measure(float(flat[0]), 4)
    ends = words.say("to", low=scale.value(float(flat.min()), 4), high=scale.value(float(flat.max()), 4))
    return scale.with_unit(ends)


def _told(assumption: Assumption, prob: float, words: Words) -> Iterator[str]:
    """Say a distribution in words: its family, its median and its central interval, by label where it has dims."""
    distribution = assumption.distribution
    family = words.families.get(distribution.family, distribution.family)
    laws = list(distribution.laws)
    places: list[dict[str, Any]] = [
        dict(zip(distribution.dims, labels, strict=True))
        for labels in itertools.product(*(distribution.coords[dim] for dim in distribution.dims))
    ]
    told = list(zip(places, laws, strict=False)) if len(places) == len(laws) else [({}, laws[0])]
    if len(told) > 1:
        yield family + (words.say("separator") + words.say("shared") if assumption.shared else "")
    shown = told if len(told) <= _WRITTEN else [told[0], told[-1]]
    for labels, law in shown:
        low, middle, high = law.ppf(np.array([(1 - prob) / 2, 0.5, (1 + prob) / 2])).tolist()
        where = words.place({dim: label_text(label) for dim, label in labels.items()})
        scale = words.scale(assumption.unit, low, high)
        if low == high:
            said = words.say("fixed", value=scale.measure(middle, 4))
        else:
            said = words.say(
                "told",
                median=scale.value(middle),
                prob=percent(prob, 0),
                low=scale.value(low),
                high=scale.measure(high),
            )
        yield words.say("at", where=where, said=said) if where else words.say("family", family=family, said=said)
    if len(told) > len(shown):
        yield words.say("between", count=len(told) - len(shown))
