"""Units: the same assumptions in other units of their dimension, and the same equations in other base units."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from hypothesis import strategies as st

from demandsim.distributions.base import is_labelled
from demandsim.distributions.empirical import constant
from demandsim.graph.assumption import Assumption
from demandsim.graph.scenario import Scenarios
from demandsim.sampling.program import Program, Step, Values
from demandsim.testing.evaluate import Bench, names_of
from demandsim.testing.search import Claim, SearchSettings, search_for
from demandsim.units.convert import base_factor, conversion_factor, parsed
from demandsim.units.registry import CURRENCIES

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["POOLS", "assert_unit_invariant", "pool", "powers_of", "written"]

#: Units of each base dimension; the first is the one of `demandsim.units.convert`.
POOLS: dict[str, tuple[str, ...]] = {
    "[compute]": ("FLOP", "TFLOP", "EFLOP"),
    "[token]": ("token", "Mtoken", "Gtoken"),
    "[parameter]": ("parameter", "Gparameter"),
    "[card]": ("card", "kcard"),
    "[node]": ("node", "knode"),
    "[query]": ("query", "Mquery"),
    "[user]": ("user", "Muser"),
    **{f"[currency_{name.lower()}]": (name, f"M{name}", f"G{name}") for name in CURRENCIES},
    "[information]": ("byte", "GB", "TB", "bit"),
    "[time]": ("second", "hour", "day", "year"),
    "[mass]": ("kilogram", "gram", "tonne"),
    "[length]": ("meter", "centimeter", "kilometer"),
    "[temperature]": ("kelvin", "millikelvin"),
    "[current]": ("ampere", "milliampere"),
    "[substance]": ("mole", "millimole"),
    "[luminosity]": ("candela", "millicandela"),
}

_WHOLE = ("[card]", "[node]", "[query]", "[user]")
_OWN = "[counted_"

type Powers = Mapping[str, float]
#: How often every assumption is restated, each time in other units.
_ROUNDS = 3


def assert_unit_invariant(
    model: Model,
    *,
    of: Sequence[str] | str | None = None,
    **search: Unpack[SearchSettings],
) -> None:
    """Assert that no result hangs on the units in which anything is written or counted.

    Every assumption is restated in other units of its dimension (token/day as Gtoken/hour, shares in
    percent), and the equations are run in other base units (days instead of seconds, TFLOP instead of
    FLOP; cards, nodes, queries and users come whole and stay): a number with a hidden unit, such as
    ``where(tokens > 1e12, ...)``, gives itself away there.
    A constant factor on a whole result does not: hold that against a second formulation, `assert_same`.

    Parameters
    ----------
    model : Model
    of : str or sequence of str, optional
        Quantities; all computed ones by default.
    **search
        As for `assert_homogeneous`.

    Raises
    ------
    AssertionError
        With the simplest counter-example found.
    UnknownNameError
        Before anything runs, if there is no such quantity.

    Examples
    --------
    >>> import demandsim as ds
    >>> assert_unit_invariant(ds.load_study("guosen-2025-01"), of="cards", max_examples=5)
    """
    names = names_of(model, of)
    look = search_for(model, names, search)
    restated = functools.cache(functools.partial(_restated, model))
    found = {dimension for unit in _units_within(look.bench) for dimension in powers_of(unit)}
    dimensions = sorted(dimension for dimension in found if not _comes_whole(dimension))
    base_units = st.sampled_from(dimensions).flatmap(
        lambda dimension: st.tuples(st.just(dimension), st.sampled_from(pool(dimension)[1:]))
    )
    ways: st.SearchStrategy[Any] = st.integers(0, _ROUNDS - 1)
    cases = st.tuples(look.worlds, ways | base_units if dimensions else ways)

    def check(case: tuple[Values, Any]) -> bool:
        world, way = case
        (tried,) = look.at(world)
        if isinstance(way, int):
            units = restated(way).declared_units
            factors = {name: conversion_factor(model.assumptions[name].unit, units[name]) for name in world}
            program, moved = restated(way).program, {name: array * factors[name] for name, array in world.items()}
            changed = [name for name, factor in factors.items() if factor != 1.0]
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            row = ("restated", ", ".join(f"{name} in {units[name]}" for name in changed[:3]) + more)
        else:
            program, moved = _in_base_units(model, *way), world
            row = ("counted in", f"{way[1]} instead of {pool(way[0])[0]}")
        again = look.again(world, moved, row, program)
        for name in names:
            claim = Claim(name, f"{name} hangs on the units that are used", [row])
            look.equal(tried, claim, again.found[name], tried.found[name])
        return True

    look.run(cases, check)


def _units_within(bench: Bench) -> list[str]:
    """Units of all that the quantities are computed from, constants of equations too."""
    model = bench.model
    used = [made for name, made in model.equations.items() if name in bench.needed]
    constants = [given.unit for made in used for given in made.constants.values()]
    return [*(model.declared_units[name] for name in bench.needed if name in model.declared_units), *constants]


def _alternative(unit: str, number: int) -> str:
    """Another unit of the same dimension, a different one each time."""
    powers = powers_of(unit)
    if not powers:
        return ("%", "1")[number % 2]
    # The first is the base unit, where a unit has any prefix; then ever other ones.
    names = {d: pool(d)[(number + place) % len(pool(d))] for place, d in enumerate(powers)}
    return written(powers, names)


def _restated(model: Model, number: int) -> Model:
    """A model of its own whose assumptions are the points of `model`, in other units."""
    units = {name: _alternative(a.unit, number) for name, a in model.assumptions.items()}

    def restate(name: str, assumption: Assumption) -> Assumption:
        factor = conversion_factor(model.assumptions[name].unit, units[name])
        point = assumption.point * factor
        made = assumption.distribution
        if made.dims and not is_labelled(point):
            point = made.median() * 0 + point
        return Assumption(constant(point), units[name], shared=assumption.shared)

    assumed = {name: restate(name, a) for name, a in model.assumptions.items()}
    grid = {
        dim: {label: {n: restate(n, a) for n, a in over.items()} for label, over in labels.items()}
        for dim, labels in model.scenarios.grid.items()
    }
    given = list(model.equations.values())
    return type(model)(given, assumed, scenarios=Scenarios(grid), dimensions=model.dimensions)


def _in_base_units(model: Model, dimension: str, unit: str) -> Program:
    """The same program, with one dimension counted in another base unit."""
    size = base_factor(pool(dimension)[0]) / base_factor(unit)

    def scale(of: str) -> float:
        return math.pow(size, powers_of(of).get(dimension, 0.0))

    program = model.program
    transforms = {
        name: dataclasses.replace(transform, factor=transform.factor * scale(model.assumptions[name].unit))
        for name, transform in program.transforms.items()
    }
    steps = tuple(_rescaled(step, scale) for step in program.steps)
    factors = {name: factor * scale(model.equations[name].unit) for name, factor in program.factors.items()}
    return dataclasses.replace(program, transforms=transforms, steps=steps, factors=factors)


def _rescaled(step: Step, scale: Any) -> Step:
    made = step.equation
    constants: Mapping[str, Any] = {name: float(c) * scale(c.unit) for name, c in made.constants.items()}
    low, high = (limit * scale(made.unit) for limit in step.limits)
    return Step(dataclasses.replace(made, constants=constants), step.elementwise, (low, high))


def _comes_whole(dimension: str) -> bool:
    """Whether it may be rounded up: half a node does not serve."""
    return dimension in _WHOLE or dimension.startswith(_OWN)


def pool(dimension: str) -> tuple[str, ...]:
    """Units of a base dimension, also of one that a user counts.

    Examples
    --------
    >>> pool("[time]")[:2], pool("[counted_image]")
    (('second', 'hour'), ('{image}', 'k{image}'))
    """
    if dimension.startswith(_OWN):
        name = dimension.removeprefix(_OWN).removesuffix("]")
        return f"{{{name}}}", f"k{{{name}}}"
    return POOLS[dimension]


@functools.lru_cache(maxsize=4096)
def powers_of(unit: str) -> dict[str, float]:
    """Powers of the base dimensions in a unit: ``token/day`` is ``{"[token]": 1, "[time]": -1}``."""
    dimensions = parsed(unit).dimensionality
    return {dimension: float(power) for dimension, power in sorted(dimensions.items()) if power}


def written(powers: Powers, names: Mapping[str, str] | None = None) -> str:
    """Write a unit of the given dimension, with the chosen unit of each base dimension.

    Examples
    --------
    >>> written({"[token]": 1, "[time]": -1}, {"[time]": "hour"})
    'token/hour'
    """
    chosen = {dimension: (names or {}).get(dimension, pool(dimension)[0]) for dimension in powers}
    above = [_power(chosen[d], power) for d, power in powers.items() if power > 0]
    below = [_power(chosen[d], -power) for d, power in powers.items() if power < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(name: str, power: float) -> str:
    return name if power == 1 else f"{name}**{power:g}"
