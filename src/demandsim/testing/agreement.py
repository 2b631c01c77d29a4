"""Agreement: parts add up to their total, two formulations give the same, and results stay within bounds."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import Values
from demandsim.testing.evaluate import Bench, Cell, names_of
from demandsim.testing.search import Claim, Search, SearchSettings, Tried, search_for
from demandsim.testing.strategies.values import edges_within, values_within
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["assert_bounded", "assert_conserved", "assert_same"]

type Bound = float | str


def assert_conserved(
    model: Model,
    *,
    total: Sequence[str] | str,
    parts: Sequence[str] | str,
    dim: str | None = None,
    **search: Unpack[SearchSettings],
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
    **search
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
    every, units = (*whole, *pieces), model.declared_units
    factors = {name: conversion_factor(units[name], units[whole[0]]) for name in every}
    axis = None
    if dim is not None:
        check_known([dim], model.program.layout.dims, "dim")
        if not any(dim in model.program.varying[name].dims for name in every):
            raise DemandsimError(f"none of {', '.join(every)} has the dim '{dim}'")
        axis = model.program.layout.dims.index(dim)
    look = search_for(model, every, search)
    over = f" over {dim}" if dim is not None else ""
    named = [d for d in look.bench.varying(every) if d != dim]
    claim = Claim(whole[0], f"{' + '.join(whole)} is not the sum of {', '.join(pieces)}{over}", dims=named)

    def summed(arrays: Callable[[str], Array], names: Sequence[str]) -> list[Array]:
        """Quantities, or their noise, in the total's unit and over the dim."""
        scaled = [arrays(name) * factors[name] for name in names]
        return [array.sum(axis=axis, keepdims=True) for array in scaled] if axis is not None else scaled

    def check(world: Values) -> bool:
        (tried,) = look.at(world)
        right = summed(tried.found.__getitem__, pieces)
        size = _plus(np.abs(array) for array in right)
        left = _plus(summed(tried.found.__getitem__, whole))
        look.equal(tried, claim, left, _plus(right), size, lambda: _plus(summed(tried.noise, every)))
        return bool(np.any(size))

    look.run(look.worlds, check, f"{' and '.join(every)} were all 0")


def _plus(arrays: Iterable[Array]) -> Array:
    return sum(arrays, np.zeros(()))


def assert_same(
    model: Model,
    other: Model,
    of: Sequence[str] | str | None = None,
    **search: Unpack[SearchSettings],
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
    **search
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
    one, two = model.program.layout, other.program.layout
    if any(one.coords.get(dim) != labels for dim, labels in two.coords.items()):
        raise DemandsimError(f"the models have different labels: {dict(one.coords)} and {dict(two.coords)}")
    needed = other.graph.ancestors(names) & other.assumptions.keys()
    check_known(sorted(needed), model.quantities, "quantity, an assumption of the other model:")
    ours, theirs = model.declared_units, other.declared_units
    factors = {name: conversion_factor(ours[name], theirs[name]) for name in needed}
    back = {name: conversion_factor(theirs[name], ours[name]) for name in names}
    look = search_for(model, [*names, *sorted(needed)], search)
    # The other model in this one's axes: it may lack scenarios, or dims of what it assumes.
    varying = {**other.program.varying, **{name: model.program.varying[name] for name in needed}}
    program = dataclasses.replace(other.program, layout=one, varying=varying)
    second = Bench(other, names, frozenset(other.graph.ancestors(names)), {})

    def check(world: Values) -> bool:
        (tried,) = look.at(world)
        handed = {name: tried.found[name][..., None] * factor for name, factor in factors.items()}
        again = look.again(world, handed, None, program, second)
        for name in names:
            text = f"{name} is not the same in both models: expected of the first, found in the second"
            look.equal(tried, Claim(name, text), again.found[name] * back[name], tried.found[name])
        return True

    look.run(look.worlds, check)


def assert_bounded(
    model: Model,
    of: Sequence[str] | str,
    *,
    low: Bound | None = None,
    high: Bound | None = None,
    **search: Unpack[SearchSettings],
) -> None:
    """Assert that a result stays within bounds, and is finite.

    Parameters
    ----------
    model : Model
    of : str or sequence of str
        Quantities; every scenario and label of each.
    low, high : float or str, optional
        Numbers in the quantity's unit, or names of quantities of the same dimension. Without any, only
        that the quantity is finite.
    **search
        As for `assert_homogeneous`; by default the values are those of the central intervals as well as all that
        a draw can reach, to the edges, and the tolerance is relative to the bound, or to what was found.

    Raises
    ------
    AssertionError
        With the simplest counter-example found.
    UnknownNameError, UnitError, DemandsimError
        Before anything runs, if a name is unknown, a bound has another dimension, or none can hold.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("deepseek-2025-02")
    >>> assert_bounded(model, "utilization", low=0, high=1, max_examples=5)
    >>> report = ds.load_study("guosen-2025-01")
    >>> assert_bounded(report, "gross_margin", high="revenue", max_examples=5)
    """
    names = names_of(model, of)
    bounds = [(bound, side) for bound, side in ((low, 1.0), (high, -1.0)) if bound is not None]
    for bound, _ in bounds:
        _check_bound(model, names, bound)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        raise DemandsimError(f"low={low!r} is above high={high!r}")
    others = [bound for bound, _ in bounds if isinstance(bound, str)]
    look = search_for(model, [*names, *others], search, functools.partial(_to_the_edges, model))

    def check(world: Values) -> bool:
        (tried,) = look.at(world)
        for name in names:
            for bound, side in bounds:
                _check_side(look, tried, name, bound, side)
        return True

    look.run(look.worlds, check)


def _to_the_edges(model: Model, of: Sequence[str]) -> Any:
    """Values of the central intervals, and all that a draw can reach."""
    return values_within(model, of=of) | values_within(model, of=of, prob=1) | edges_within(model, of)


def _check_bound(model: Model, names: Sequence[str], bound: Bound) -> None:
    if isinstance(bound, str):
        check_known([bound], model.quantities, "quantity as a bound:")
        for name in names:
            conversion_factor(model.declared_units[bound], model.declared_units[name])
    elif not math.isfinite(bound):
        raise DemandsimError(f"a bound must be a finite number or a quantity, not {bound!r}; leave it out for none")


def _check_side(look: Search, tried: Tried, name: str, bound: Bound, side: float) -> None:
    bench, units = look.bench, look.bench.model.declared_units
    where, word = ("below", "at least") if side > 0 else ("above", "at most")
    limit: Any = bound
    if isinstance(bound, str):
        limit = tried.found[bound] * conversion_factor(units[bound], units[name])
    found, limit = np.broadcast_arrays(tried.found[name], limit)
    both = [name, bound] if isinstance(bound, str) else [name]

    def shown(cell: Cell) -> list[tuple[str, str]]:
        of = f"{bound} = " if isinstance(bound, str) else ""
        return [
            ("expected", f"{word} {of}{bench.rounded(name, limit[cell])}"),
            ("found", bench.rounded(name, found[cell])),
        ]

    told = bound if isinstance(bound, str) else f"{bound:g}"
    claim = Claim(name, f"{name} is {where} {told}", dims=bench.varying(both))
    size = np.maximum(np.abs(limit), np.abs(found))
    look.hold(tried, claim, side * (limit - found), size, lambda: _plus(map(tried.noise, both)), shown)
