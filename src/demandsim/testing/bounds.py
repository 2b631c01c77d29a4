"""Bounds: a result stays where physics and accounting allow it to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import Values
from demandsim.testing.comparing import Tried, check_tolerance, try_at
from demandsim.testing.counter_examples import fail, rounded, varying, worst_cell
from demandsim.testing.evaluate import bench_of, names_of
from demandsim.testing.search import search
from demandsim.testing.strategies.values import edges_within, values_within
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["assert_bounded"]

Bound = float | str


def assert_bounded(
    model: Model,
    of: Sequence[str] | str,
    *,
    low: Bound | None = None,
    high: Bound | None = None,
    values: st.SearchStrategy[dict[str, Any]] | None = None,
    rtol: float = 1e-9,
    max_examples: int | None = None,
    seed: int | None = None,
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
    values : strategy, optional
        Of dicts of assumption to value; by default the central intervals as well as all that a draw can
        reach, to the edges.
    rtol, max_examples, seed
        As for `assert_homogeneous`; the tolerance is relative to the bound, or to what was found.

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
    check_tolerance(rtol)
    bounds = [(bound, side) for bound, side in ((low, 1.0), (high, -1.0)) if bound is not None]
    for bound, _ in bounds:
        _check_bound(model, names, bound)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        raise DemandsimError(f"low={low!r} is above high={high!r}")
    bench = bench_of(model, [*names, *(bound for bound, _ in bounds if isinstance(bound, str))])
    units = model.declared_units
    drawn = values
    if drawn is None:
        reach = values_within(model, of=bench.of, prob=1) | edges_within(model, bench.of)
        drawn = values_within(model, of=bench.of) | reach

    def check(world: Values) -> bool:
        (tried,) = try_at(bench, [world])
        for name in names:
            for bound, side in bounds:
                _check_side(tried, name, bound, side, units, rtol)
        return True

    search(drawn.map(bench.arrays), check, max_examples=max_examples, seed=seed, idle="nothing could be tested")


def _check_bound(model: Model, names: Sequence[str], bound: Bound) -> None:
    if isinstance(bound, str):
        check_known([bound], model.quantities, "quantity as a bound:")
        for name in names:
            conversion_factor(model.declared_units[bound], model.declared_units[name])
    elif not math.isfinite(bound):
        raise DemandsimError(f"a bound must be a finite number or a quantity, not {bound!r}; leave it out for none")


def _check_side(tried: Tried, name: str, bound: Bound, side: float, units: dict[str, str], rtol: float) -> None:
    limit: Any = bound
    if isinstance(bound, str):
        limit = tried.found[bound] * conversion_factor(units[bound], units[name])
    found, limit = np.broadcast_arrays(tried.found[name], limit)
    over = side * (limit - found)
    wrong = over > rtol * np.maximum(np.abs(limit), np.abs(found))
    if wrong.any():
        slack = tried.noise(name) + (tried.noise(bound) if isinstance(bound, str) else 0.0)
        wrong = wrong & (over > slack)
    if wrong.any():
        cell = worst_cell(np.where(wrong, over, -np.inf))
        where, word = ("below", "at least") if side > 0 else ("above", "at most")
        shown = f"{bound} = " if isinstance(bound, str) else ""
        rows = [
            ("expected", f"{word} {shown}{rounded(tried.bench, name, limit[cell])}"),
            ("found", rounded(tried.bench, name, found[cell])),
        ]
        dims = [*varying(tried.bench, name), *(varying(tried.bench, bound) if isinstance(bound, str) else [])]
        told = [dim for dim in tried.bench.layout.dims if dim in dims]
        bound_text = f"{bound:g}" if not isinstance(bound, str) else bound
        fail(tried.bench, f"{name} is {where} {bound_text}", rows, tried.world, cell, told)
