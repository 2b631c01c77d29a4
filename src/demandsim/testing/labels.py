"""Labels: neither their order nor their company changes what a label's own result is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import Layout, Program, Values
from demandsim.testing.comparing import Tried, check_tolerance, compare, try_at
from demandsim.testing.evaluate import Bench, bench_of, names_of
from demandsim.testing.search import search
from demandsim.testing.strategies.values import values_within

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["assert_order_invariant", "assert_scenarios_paired"]


def assert_order_invariant(
    model: Model,
    of: Sequence[str] | str | None = None,
    *,
    dim: str,
    values: st.SearchStrategy[dict[str, Any]] | None = None,
    rtol: float = 1e-9,
    max_examples: int | None = None,
    seed: int | None = None,
) -> None:
    """Assert that the order in which labels are listed changes nothing but the order of results.

    For dims without an order of their own, such as hardware, product or scenario; not for years.

    Parameters
    ----------
    model : Model
    of : str or sequence of str, optional
        Quantities; all computed ones by default.
    dim : str
    values, rtol, max_examples, seed
        As for `assert_homogeneous`.

    Raises
    ------
    AssertionError
        With the simplest counter-example found.
    UnknownNameError, DemandsimError
        Before anything runs, if a name is unknown, or nothing that is asked about depends on the dim.

    Examples
    --------
    >>> import demandsim as ds
    >>> assert_order_invariant(ds.load_study("guosen-2025-01"), dim="scenario", max_examples=5)
    """
    names = names_of(model, of)
    check_tolerance(rtol)
    bench, axis = _along(model, names, dim)
    labels = bench.layout.coords[dim]
    # Orders shrink to the given one, at which nothing can differ; the reverse is simple too.
    backwards = tuple(reversed(range(len(labels))))
    orders = st.just(backwards) | st.permutations(range(len(labels))).map(tuple)
    drawn = values if values is not None else values_within(model, of=names)

    def check(case: tuple[Values, tuple[int, ...]]) -> bool:
        world, order = case
        (tried,) = try_at(bench, [world])
        moved = {name: _taken(array, order, axis) for name, array in world.items()}
        program = _relabelled(model.program, {dim: tuple(labels[place] for place in order)})
        row = ("listed as", ", ".join(str(labels[place]) for place in order))
        (again,) = try_at(bench, [moved], run=lambda worlds: bench.run(worlds, program), told=world, rows=[row])
        for name in names:
            # Back in the given order, so that the cell that is named is the one that is wrong.
            found = _taken(again.found[name], tuple(np.argsort(order)), axis)
            _same(bench, world, name, found, tried, f"{name} hangs on the order of {dim}", row, rtol)
        return any(_differ(array, axis) for array in world.values())

    cases = st.tuples(drawn.map(bench.arrays), orders)
    idle = f"no assumption differed along {dim}"
    search(cases, check, max_examples=max_examples, seed=seed, idle=idle)


def assert_scenarios_paired(
    model: Model,
    of: Sequence[str] | str | None = None,
    *,
    values: st.SearchStrategy[dict[str, Any]] | None = None,
    rtol: float = 1e-9,
    max_examples: int | None = None,
    seed: int | None = None,
) -> None:
    """Assert that scenarios differ by what they change, and by nothing else.

    Each scenario, run by itself on the same values, gives what it gives in the company of the others: no
    equation mixes scenarios, so that their differences are those of a pair on the same random numbers.

    Parameters
    ----------
    model : Model
        With scenarios.
    of : str or sequence of str, optional
        Quantities; all computed ones by default.
    values, rtol, max_examples, seed
        As for `assert_homogeneous`.

    Raises
    ------
    AssertionError
        With the simplest counter-example found.
    UnknownNameError, DemandsimError
        Before anything runs, if a name is unknown, or nothing that is asked about depends on a scenario.

    Examples
    --------
    >>> import demandsim as ds
    >>> assert_scenarios_paired(ds.load_study("guosen-2025-01"), max_examples=5)
    """
    names = names_of(model, of)
    check_tolerance(rtol)
    if not model.scenarios.dims:
        raise DemandsimError("the model has no scenarios; add some with model.with_scenarios")
    ways: list[tuple[Bench, int, str, int]] = []
    for dim in model.scenarios.dims:
        bench, axis = _along(model, names, dim)
        ways += [(bench, axis, dim, place) for place in range(len(bench.layout.coords[dim]))]
    bench = ways[0][0]
    drawn = values if values is not None else values_within(model, of=names)

    def check(case: tuple[Values, tuple[Bench, int, str, int]]) -> bool:
        world, (_, axis, dim, place) = case
        (tried,) = try_at(bench, [world])
        alone = {name: _taken(array, (place,), axis) for name, array in world.items()}
        label = bench.layout.coords[dim][place]
        row = ("alone", f"{dim}={label}")
        program = _relabelled(model.program, {dim: (label,)})
        (again,) = try_at(bench, [alone], run=lambda worlds: bench.run(worlds, program), told=world, rows=[row])
        for name in names:
            found = tried.found[name].copy()
            own = [slice(None)] * found.ndim
            if found.shape[axis] > 1:
                own[axis] = slice(place, place + 1)
            found[tuple(own)] = again.found[name]
            _same(bench, world, name, found, tried, f"{name} of a scenario hangs on the other scenarios", row, rtol)
        return True

    cases = st.tuples(drawn.map(bench.arrays), st.sampled_from(ways))
    search(cases, check, max_examples=max_examples, seed=seed, idle="nothing could be tested")


def _along(model: Model, names: Sequence[str], dim: str) -> tuple[Bench, int]:
    layout = model.program.layout
    check_known([dim], layout.dims, "dim")
    bench = bench_of(model, names)
    if not any(dim in model.program.varying[name].dims for name in bench.points):
        raise DemandsimError(f"nothing that {', '.join(names)} depends on varies along '{dim}': nothing to test")
    return bench, layout.dims.index(dim)


def _taken(array: Array, places: Sequence[int], axis: int) -> Array:
    """Some labels of an array with all axes; those along which it does not vary stay."""
    return np.take(array, places, axis=axis) if array.shape[axis] > 1 else array


def _differ(array: Array, axis: int) -> bool:
    return bool(np.any(np.diff(array, axis=axis)))


def _relabelled(program: Program, coords: dict[str, tuple[Any, ...]]) -> Program:
    layout = program.layout
    made = Layout(layout.scenario_dims, layout.model_dims, {**layout.coords, **coords})
    return dataclasses.replace(program, layout=made)


def _same(
    bench: Bench, world: Values, name: str, found: Array, tried: Tried, claim: str, row: tuple[str, str], rtol: float
) -> None:
    compare(
        Tried(bench, world, {name: found}),
        name,
        tried.found[name],
        claim,
        [row],
        size=np.abs(tried.found[name]),
        rtol=rtol,
        noise=lambda name: 2 * tried.noise(name),
    )
