"""Agreement: parts add up to their total, and two formulations give the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import Values
from demandsim.testing.comparing import Tried, check_tolerance, compare, try_at
from demandsim.testing.evaluate import Bench, bench_of, names_of
from demandsim.testing.search import search
from demandsim.testing.strategies.values import values_within
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["assert_conserved", "assert_same"]


def assert_conserved(
    model: Model,
    *,
    total: Sequence[str] | str,
    parts: Sequence[str] | str,
    dim: str | None = None,
    values: st.SearchStrategy[dict[str, Any]] | None = None,
    rtol: float = 1e-9,
    max_examples: int | None = None,
    seed: int | None = None,
) -> None:
    """Assert that parts add up to their total: nothing is lost, nothing is counted twice.

    Parameters
    ----------
    model : Model
    total, parts : str or sequence of str
        Quantities of one dimension; both sides may be sums: what there was and what came is what left and
        what there is.
    dim : str, optional
        Sum every quantity that has this dim over its labels.
    values, rtol, max_examples, seed
        As for `assert_homogeneous`; the tolerance is relative to the sum of the parts' sizes.

    Raises
    ------
    AssertionError
        With the simplest counter-example found; also if everything was 0.
    UnknownNameError, UnitError, DemandsimError
        Before anything runs, if a name is unknown or dimensions differ.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01")
    >>> assert_conserved(model, total="revenue", parts=["gross_margin", "annualized_capex"], max_examples=5)
    """
    whole, pieces = names_of(model, total), names_of(model, parts)
    check_tolerance(rtol)
    units = model.declared_units
    unit = units[whole[0]]
    factors = {name: conversion_factor(units[name], unit) for name in (*whole, *pieces)}
    axis = None
    if dim is not None:
        check_known([dim], model.program.layout.dims, "dim")
        if not any(dim in model.program.varying[name].dims for name in (*whole, *pieces)):
            raise DemandsimError(f"none of {', '.join((*whole, *pieces))} has the dim '{dim}'")
        axis = model.program.layout.dims.index(dim)
    bench = bench_of(model, (*whole, *pieces))
    vary = {d for name in bench.of for d in model.program.varying[name].dims}
    named = [d for d in bench.layout.dims if d in vary and d != dim]

    def summed(tried: Tried, name: str, of: str) -> Array:
        """A quantity in the total's unit, over the dim; or its noise."""
        array = (tried.noise(name) if of == "noise" else tried.found[name]) * factors[name]
        return array.sum(axis=axis, keepdims=True) if axis is not None else array

    def check(world: Values) -> bool:
        (tried,) = try_at(bench, [world])
        left = [summed(tried, name, "value") for name in whole]
        right = [summed(tried, name, "value") for name in pieces]
        size = sum((np.abs(array) for array in right), np.zeros(()))
        over = f" over {dim}" if dim is not None else ""
        first = whole[0]
        compare(
            Tried(bench, world, {first: sum(left, np.zeros(()))}),
            first,
            sum(right, np.zeros(())),
            f"{' + '.join(whole)} is not the sum of {', '.join(pieces)}{over}",
            [],
            size=size,
            rtol=rtol,
            noise=lambda _: sum((summed(tried, name, "noise") for name in (*whole, *pieces)), np.zeros(())),
            dims=named,
        )
        return bool(np.any(size))

    drawn = values if values is not None else values_within(model, of=bench.of)
    idle = f"{' and '.join((*whole, *pieces))} were all 0"
    search(drawn.map(bench.arrays), check, max_examples=max_examples, seed=seed, idle=idle)


def assert_same(
    model: Model,
    other: Model,
    of: Sequence[str] | str | None = None,
    *,
    values: st.SearchStrategy[dict[str, Any]] | None = None,
    rtol: float = 1e-9,
    max_examples: int | None = None,
    seed: int | None = None,
) -> None:
    """Assert that two formulations give the same results at the same values.

    What slips through every law of scaling, a forgotten factor of 8 or of 86,400, does not slip through this.

    Parameters
    ----------
    model : Model
    other : Model
        For example ``model.with_equations(by_hand)``. Each of its assumptions takes the value of the
        quantity of that name in `model`, assumed or computed, converted to its unit. It has no other dims.
    of : str or sequence of str, optional
        Quantities; by default all that both models compute.
    values, rtol, max_examples, seed
        As for `assert_homogeneous`.

    Raises
    ------
    AssertionError
        With the simplest counter-example found.
    UnknownNameError, UnitError, DemandsimError
        Before anything runs, if a name is unknown, or units or labels do not fit.

    Examples
    --------
    >>> import demandsim as ds
    >>> @ds.equation(unit="card")
    ... def cards(flops_per_token, daily_tokens, peak_ratio, card_flops, utilization):
    ...     return peak_ratio * flops_per_token * daily_tokens / card_flops / utilization
    >>> model = ds.load_study("guosen-2025-01")
    >>> assert_same(model, model.with_equations(cards), "cards", max_examples=5)
    """
    both = [name for name in model.equations if name in other.equations]
    names = names_of(model, both if of is None else of)
    check_known(names, other.quantities, "quantity in the other model:")
    check_tolerance(rtol)
    one, two = model.program.layout, other.program.layout
    if any(one.coords.get(dim) != labels for dim, labels in two.coords.items()):
        raise DemandsimError(f"the models have different labels: {dict(one.coords)} and {dict(two.coords)}")
    needed = other.graph.ancestors(names) & other.assumptions.keys()
    check_known(sorted(needed), model.quantities, "quantity, an assumption of the other model:")
    ours, theirs = model.declared_units, other.declared_units
    factors = {name: conversion_factor(ours[name], theirs[name]) for name in needed}
    back = {name: conversion_factor(theirs[name], ours[name]) for name in names}
    bench = bench_of(model, [*names, *sorted(needed)])
    # The other model in this one's axes: it may lack scenarios, or dims of what it assumes.
    varying = {**other.program.varying, **{name: model.program.varying[name] for name in needed}}
    program = dataclasses.replace(other.program, layout=one, varying=varying)
    second = Bench(other, names, frozenset(other.graph.ancestors(names)), {})
    asked = dataclasses.replace(bench, of=names)

    def check(world: Values) -> bool:
        (tried,) = try_at(bench, [world])
        handed = {name: tried.found[name][..., None] * factor for name, factor in factors.items()}
        (again,) = try_at(asked, [handed], told=world, run=lambda worlds: second.run(worlds, program))
        for name in names:
            found = Tried(bench, world, {name: again.found[name] * back[name]})
            expected = tried.found[name]
            compare(
                found,
                name,
                expected,
                f"{name} is not the same in both models: expected of the first, found in the second",
                [],
                size=np.abs(expected),
                rtol=rtol,
                noise=lambda name: 2 * tried.noise(name),
            )
        return True

    drawn = values if values is not None else values_within(model, of=bench.of)
    search(drawn.map(bench.arrays), check, max_examples=max_examples, seed=seed, idle="nothing could be tested")
