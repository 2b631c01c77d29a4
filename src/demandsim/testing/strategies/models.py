"""Assumptions and models drawn at random: small chains of equations whose units fit, on assumptions of this field."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from demandsim import distributions as menu
from demandsim.distributions.base import Distribution
from demandsim.errors import check_known, check_whole
from demandsim.graph.assumption import Assumption
from demandsim.graph.equation import Equation, equation
from demandsim.graph.formula import Formula
from demandsim.model import Model
from demandsim.sampling.margin import attainable, margin_of
from demandsim.testing.strategies.distributions import distributions
from demandsim.testing.strategies.values import ends_of
from demandsim.testing.units import pool, powers_of, written
from demandsim.units.convert import base_factor

__all__ = ["UNITS", "assumptions", "models"]

#: Units of this field, all of positive quantities; that of a share comes first.
UNITS = (
    "1",
    "token/day",
    "Mtoken/s",
    "card",
    "TFLOP/s/card",
    "CNY/card",
    "CNY/Mtoken",
    "Gparameter",
    "FLOP/parameter/token",
    "year",
    "day",
    "W/card",
    "GB/s/card",
    "query/user/day",
    "Muser",
    "wan*card",
)

#: Powers and decimal exponents at which a chain stops growing: doubles end at 308.
_MOST_POWER, _MOST_DECADES = 4.0, 200.0


@st.composite
def _labelled(draw: st.DrawFn, coords: Mapping[str, Sequence[Any]], share: bool) -> Distribution:
    """A distribution over labels, whose parameters differ from label to label."""
    import xarray as xr

    shape = tuple(len(labels) for labels in coords.values())
    count = int(np.prod(shape))
    tenths = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    centres = xr.DataArray(np.array(tenths).reshape(shape) / 10.0, dims=list(coords), coords=dict(coords))
    family = draw(st.sampled_from(["constant", "uniform", "lognormal"]))
    if family == "constant":
        return menu.constant(centres)
    if family == "uniform" or share:
        return menu.uniform(centres * 0.9, centres * 1.1)
    return menu.lognormal(median=centres, factor=2.0)


@st.composite
def assumptions(
    draw: st.DrawFn,
    *,
    unit: st.SearchStrategy[str] | None = None,
    distribution: st.SearchStrategy[Any] | None = None,
    point: st.SearchStrategy[float | None] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
) -> Assumption:
    """Draw an assumption: positive values in a unit of this field.

    Parameters
    ----------
    unit : strategy of str, optional
    distribution : strategy of distributions, optional
        By default of positive values, and of shares below 1 where the unit is ``"1"``.
    point : strategy of float or None, optional
        None stands for the median, and is the default.
    coords : mapping of dim to labels, optional
        Give it these dims, as one draw for all labels or one each. `distribution` is then left aside.

    Returns
    -------
    strategy of Assumption

    Examples
    --------
    >>> from hypothesis import given, settings, strategies as st
    >>> @settings(max_examples=10)
    ... @given(price=assumptions(unit=st.just("CNY/card"), coords={"year": [2025, 2026]}))
    ... def test_prices_are_positive_in_every_year(price):
    ...     assert (price.point > 0).all()
    >>> test_prices_are_positive_in_every_year()
    """
    chosen = draw(st.sampled_from(UNITS) if unit is None else unit)
    share = chosen == "1"
    if coords:
        check_known([name for name, labels in coords.items() if not len(labels)], (), "labels of dim")
        return Assumption(draw(_labelled(coords, share)), chosen, shared=draw(st.booleans()))
    usual = distributions(support="unit" if share else "positive")
    made = draw(usual if distribution is None else distribution)
    return Assumption(made, chosen, point=draw(st.none() if point is None else point))


@dataclass(frozen=True)
class _Known:
    """A quantity that equations may use: its dimension, and the decades within which it stays, in base units."""

    name: str
    powers: Mapping[str, float]
    low: float
    high: float


def _made(name: str, above: Sequence[str], below: Sequence[str], adds: bool, unit: str) -> Equation:
    whole = (" + " if adds else " * ").join(above)
    formula = Formula(" / ".join([f"({whole})", *below]), name)
    return equation(formula, unit=unit, long_name=name.replace("_", " ").capitalize())


def _of(name: str, assumption: Assumption) -> _Known:
    decades = math.log10(base_factor(assumption.unit))
    ends = [ends_of(law, 1.0) for law in assumption.distribution.laws]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return _Known(name, powers_of(assumption.unit), math.log10(low) + decades, math.log10(high) + decades)


def _product(name: str, above: Sequence[_Known], below: Sequence[_Known]) -> _Known | None:
    """The product and quotient, unless its powers or its numbers grow too large."""
    powers: dict[str, float] = {}
    for known, sign in [*((k, 1) for k in above), *((k, -1) for k in below)]:
        for dimension, power in known.powers.items():
            powers[dimension] = powers.get(dimension, 0.0) + sign * power
    low = sum(k.low for k in above) - sum(k.high for k in below)
    high = sum(k.high for k in above) - sum(k.low for k in below)
    kept = {dimension: power for dimension, power in sorted(powers.items()) if power}
    small = all(abs(power) <= _MOST_POWER for power in kept.values()) and len(kept) <= 6
    return _Known(name, kept, low, high) if small and max(abs(low), abs(high)) <= _MOST_DECADES else None


@st.composite
def _step(draw: st.DrawFn, name: str, known: Sequence[_Known]) -> tuple[Equation, _Known]:
    """An equation over known quantities."""
    first = draw(st.sampled_from(known))
    alike = [k for k in known if k.powers == first.powers and k.name != first.name]
    if bool(alike) and draw(st.booleans()):
        terms = [first, *draw(st.lists(st.sampled_from(alike), min_size=1, max_size=2, unique_by=lambda k: k.name))]
        found = _Known(name, first.powers, min(k.low for k in terms), max(k.high for k in terms) + 1)
        return _made(name, [k.name for k in terms], [], True, _unit(draw, found)), found
    # What is used last is what a chain goes on from.
    others: st.SearchStrategy[list[_Known]] = st.lists(st.sampled_from(known), max_size=2, unique_by=lambda k: k.name)
    above, below = [first, *draw(others)], draw(others)
    names = [k.name for k in above]
    while (product := _product(name, above, below)) is None or len(set(names)) < len(names):
        above, below = above[:-1] if len(above) > 1 else above, below[:-1]
        names = [k.name for k in above]
        if len(above) == 1 and not below:
            product = _Known(name, first.powers, first.low, first.high)
            break
    return _made(name, names, [k.name for k in below], False, _unit(draw, product)), product


def _unit(draw: st.DrawFn, known: _Known) -> str:
    """A unit of the quantity's dimension in which to declare it."""
    names = {d: draw(st.sampled_from(pool(d)[:2])) for d in known.powers}
    return written(known.powers, names)


@st.composite
def models(
    draw: st.DrawFn,
    *,
    assumption: st.SearchStrategy[Assumption] | None = None,
    most_assumptions: int = 5,
    most_equations: int = 5,
    coords: Mapping[str, Sequence[Any]] | None = None,
    correlated: st.SearchStrategy[bool] | None = None,
    scenarios: st.SearchStrategy[int] | None = None,
) -> Model:
    """Draw a small model: products, quotients and sums of like quantities, with units that fit.

    All quantities are positive and finite, as far out as a draw can reach.

    Parameters
    ----------
    assumption : strategy of Assumption, optional
        Of positive values; `assumptions` by default.
    most_assumptions, most_equations : int, default 5
        Quantities are called ``assumption_1``, ``quantity_1``, and so on.
    coords : mapping of dim to labels, optional
        Some assumptions, then, have these dims.
    correlated : strategy of bool, optional
        Whether two assumptions are correlated.
    scenarios : strategy of int, optional
        How many scenarios there are, each with an assumption of its own value; from 0 to 3.

    Returns
    -------
    strategy of Model
        They shrink to a single equation on sure values.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, deadline=None)
    ... @given(model=models())
    ... def test_results_have_no_holes(model):
    ...     assert not model.simulate(draws=16, chains=1, seed=1).isnull().any().to_array().any()
    >>> test_results_have_no_holes()
    """
    check_whole("most_assumptions", most_assumptions)
    check_whole("most_equations", most_equations)
    usual = assumptions() if assumption is None else assumption
    if coords:
        usual = usual | assumptions(coords=coords)
    drawn = draw(st.lists(usual, min_size=1, max_size=most_assumptions))
    assumed = {f"assumption_{place}": made for place, made in enumerate(drawn, start=1)}
    known = [_of(name, made) for name, made in assumed.items()]
    equations = []
    for place in range(1, draw(st.integers(1, most_equations)) + 1):
        made, found = draw(_step(f"quantity_{place}", known))
        equations.append(made)
        known.append(found)
    correlations = _correlations(draw, assumed, correlated)
    tied = {name for pair in correlations for name in pair}
    return Model.drafted(
        equations,
        assumed,
        correlations=correlations,
        scenarios=_scenarios(draw, assumed, tied, st.sampled_from([0, 0, 2, 3]) if scenarios is None else scenarios),
        told=assumed,
    )


def _correlations(
    draw: st.DrawFn, assumed: Mapping[str, Assumption], correlated: st.SearchStrategy[bool] | None
) -> dict[tuple[str, str], float]:
    unsure = [name for name, a in assumed.items() if not a.distribution.is_constant and not a.distribution.dims]
    if len(unsure) < 2 or not draw(st.booleans() if correlated is None else correlated):
        return {}
    # Laws that share values do not reach all of it.
    low, high = attainable(*(margin_of(assumed[name].distribution.laws[0]) for name in unsure[:2]))
    return {(unsure[0], unsure[1]): draw(st.sampled_from([0.5 * high, 0.5 * low, 0.9 * high]))}


def _scenarios(
    draw: st.DrawFn, assumed: Mapping[str, Assumption], tied: Collection[str], count: st.SearchStrategy[int]
) -> dict[str, dict[str, dict[str, Any]]]:
    plain = [name for name, a in assumed.items() if not a.distribution.dims]
    number = draw(count)
    if not plain or number < 1:
        return {}
    name = draw(st.sampled_from(plain))
    middle = float(np.float64(assumed[name].distribution.median()))
    others = distributions(
        support="positive" if assumed[name].unit != "1" else "unit",
        centres=st.just(middle) if middle < 1 or assumed[name].unit != "1" else None,
    )
    if name in tied:
        # Laws that share other values would move the correlation, which is worth a warning; sure values void it.
        own = margin_of(assumed[name].distribution.laws[0])
        others = others.map(lambda law: law if margin_of(law.laws[0]) == own else menu.constant(float(law.median())))
    labels = [f"case_{place}" for place in range(1, number + 1)]
    return {"scenario": {label: {name: draw(others)} for label in labels}}
