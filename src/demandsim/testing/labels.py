"""Labels: neither their order nor their company changes what a label's own result is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from hypothesis import strategies as st

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import Layout, Program, Values
from demandsim.testing.evaluate import names_of
from demandsim.testing.search import Claim, SearchSettings, search_for

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["assert_order_invariant", "assert_scenarios_paired"]


def assert_order_invariant(
    model: Model,
    of: Sequence[str] | str | None = None,
    *,
    dim: str,
    **search: Unpack[SearchSettings],
) -> None:
    """Assert that the order in which labels are listed changes nothing but the order of results.

    For dims without an order of their own, such as hardware, product or scenario; not for years.

    Parameters
    ----------
    model : Model
    of : str or sequence of str, optional
        Quantities; all computed ones by default.
    dim : str
    **search
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
    look, axis = search_for(model, names, search), _axis(model, names, dim)
    labels = look.bench.layout.coords[dim]
    # Orders shrink to the given one, at which nothing can differ; the reverse is simple too.
    backwards = tuple(reversed(range(len(labels))))
    orders = st.just(backwards) | st.permutations(range(len(labels))).map(tuple)

    def check(case: tuple[Values, tuple[int, ...]]) -> bool:
        world, order = case
        (tried,) = look.at(world)
        moved = {name: _taken(array, order, axis) for name, array in world.items()}
        program = _relabelled(model.program, {dim: tuple(labels[place] for place in order)})
        row = ("listed as", ", ".join(str(labels[place]) for place in order))
        again = look.again(world, moved, row, program)
        for name in names:
            # Back in the given order, so that the cell that is named is the one that is wrong.
            found = _taken(again.found[name], tuple(np.argsort(order)), axis)
            claim = Claim(name, f"{name} hangs on the order of {dim}", [row])
            look.equal(tried, claim, found, tried.found[name])
        return any(np.any(np.diff(array, axis=axis)) for array in world.values())

    look.run(st.tuples(look.worlds, orders), check, f"no assumption differed along {dim}")


def assert_scenarios_paired(
    model: Model,
    of: Sequence[str] | str | None = None,
    **search: Unpack[SearchSettings],
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
    **search
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
    look, coords = search_for(model, names, search), model.program.layout.coords
    if not model.scenarios.dims:
        raise DemandsimError("the model has no scenarios; add some with model.with_scenarios")
    axes = {dim: _axis(model, names, dim) for dim in model.scenarios.dims}
    ways = [(dim, place) for dim in axes for place in range(len(coords[dim]))]

    def check(case: tuple[Values, tuple[str, int]]) -> bool:
        world, (dim, place) = case
        axis, label = axes[dim], coords[dim][place]
        (tried,) = look.at(world)
        alone = {name: _taken(array, (place,), axis) for name, array in world.items()}
        row = ("alone", f"{dim}={label}")
        program = _relabelled(model.program, {dim: (label,)})
        again = look.again(world, alone, row, program)
        for name in names:
            found = tried.found[name].copy()
            own = [slice(None)] * found.ndim
            if found.shape[axis] > 1:
                own[axis] = slice(place, place + 1)
            found[tuple(own)] = again.found[name]
            claim = Claim(name, f"{name} of a scenario hangs on the other scenarios", [row])
            look.equal(tried, claim, found, tried.found[name])
        return True

    look.run(st.tuples(look.worlds, st.sampled_from(ways)), check)


def _axis(model: Model, names: Sequence[str], dim: str) -> int:
    """The axis of a dim along which anything varies that the quantities depend on."""
    layout = model.program.layout
    check_known([dim], layout.dims, "dim")
    roots = model.graph.ancestors(names) & model.assumptions.keys()
    if not any(dim in model.program.varying[name].dims for name in roots):
        raise DemandsimError(f"nothing that {', '.join(names)} depends on varies along '{dim}': nothing to test")
    return layout.dims.index(dim)


def _taken(array: Array, places: Sequence[int], axis: int) -> Array:
    """Some labels of an array with all axes; those along which it does not vary stay."""
    return np.take(array, places, axis=axis) if array.shape[axis] > 1 else array


def _relabelled(program: Program, coords: dict[str, tuple[Any, ...]]) -> Program:
    layout = program.layout
    made = Layout(layout.scenario_dims, layout.model_dims, {**layout.coords, **coords})
    return dataclasses.replace(program, layout=made)
