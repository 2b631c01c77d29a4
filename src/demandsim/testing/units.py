"""Restating: the same assumptions in other units, and the same equations in other base units."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from demandsim.distributions.base import is_labelled
from demandsim.distributions.empirical import constant
from demandsim.graph.assumption import Assumption
from demandsim.graph.scenario import Scenarios
from demandsim.sampling.program import Program, Step, Values
from demandsim.testing.alternative_units import comes_whole, pool, powers_of, written
from demandsim.testing.comparing import check_tolerance, compare, try_at
from demandsim.testing.evaluate import Bench, bench_of, names_of
from demandsim.testing.search import search
from demandsim.testing.strategies.values import values_within
from demandsim.units.convert import base_factor, conversion_factor

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["assert_unit_invariant"]

#: How often every assumption is restated, each time in other units.
_ROUNDS = 3


def assert_unit_invariant(
    model: Model,
    *,
    of: Sequence[str] | str | None = None,
    values: st.SearchStrategy[dict[str, Any]] | None = None,
    rtol: float = 1e-9,
    max_examples: int | None = None,
    seed: int | None = None,
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
    values, rtol, max_examples, seed
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
    check_tolerance(rtol)
    bench = bench_of(model, names)
    restated = functools.cache(functools.partial(_restated, model))
    drawn = values if values is not None else values_within(model, of=names)
    found = {dimension for unit in _units_within(bench) for dimension in powers_of(unit)}
    dimensions = sorted(dimension for dimension in found if not comes_whole(dimension))
    base_units = st.sampled_from(dimensions).flatmap(
        lambda dimension: st.tuples(st.just(dimension), st.sampled_from(pool(dimension)[1:]))
    )
    ways: st.SearchStrategy[Any] = st.integers(0, _ROUNDS - 1)
    cases = st.tuples(drawn.map(bench.arrays), ways | base_units if dimensions else ways)

    def check(case: tuple[Values, Any]) -> bool:
        world, way = case
        (tried,) = try_at(bench, [world])
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
        (again,) = try_at(bench, [moved], run=lambda worlds: bench.run(worlds, program), told=world, rows=[row])
        for name in names:
            compare(
                again,
                name,
                tried.found[name],
                f"{name} hangs on the units that are used",
                [row],
                size=np.abs(tried.found[name]),
                rtol=rtol,
                noise=lambda name: 2 * tried.noise(name),
            )
        return True

    search(cases, check, max_examples=max_examples, seed=seed, idle="nothing could be tested")


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
    return Step(dataclasses.replace(made, constants=constants), step.elementwise) if constants else step
