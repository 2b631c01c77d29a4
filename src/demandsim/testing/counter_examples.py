"""Counter-examples as text: the invariant, what was expected and found, and the values that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import format_value
from demandsim.sampling.program import Layout, Values
from demandsim.testing.evaluate import Bench
from demandsim.testing.search import CounterExampleError

__all__ = ["amount", "check_finite", "fail", "rounded", "varying", "worst_cell"]

_MOST_LABELS = 6
_MOST_LINES = 10

type Cell = tuple[int, ...]


def worst_cell(excess: Array) -> Cell:
    """The cell of an array over labels in which `excess` is largest; NaN counts as most."""
    place = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
    return tuple(int(index) for index in np.unravel_index(place, excess.shape))


def amount(bench: Bench, name: str, value: float) -> str:
    """A value with its unit."""
    unit = bench.model.declared_units[name]
    return format_value(float(value)) + ("" if unit in ("1", "", "dimensionless") else f" {unit}")


def rounded(bench: Bench, name: str, value: float) -> str:
    """A computed value with its unit, without the digits that only rounding made."""
    return amount(bench, name, float(f"{value:.12g}"))


def fail(
    bench: Bench,
    claim: str,
    rows: Sequence[tuple[str, str]],
    world: Mapping[str, Array],
    cell: Cell,
    dims: Sequence[str],
) -> NoReturn:
    """Raise with everything that a reader needs to see what is wrong.

    Parameters
    ----------
    bench : Bench
    claim : str
        The invariant that does not hold.
    rows : sequence of (label, text)
    world : mapping of str to array
        Values of the assumptions, with all axes.
    cell : tuple of int
        Place along each axis.
    dims : sequence of str
        Those along which the quantity varies.
    """
    where = [f"{dim}={bench.layout.coords[dim][cell[bench.layout.dims.index(dim)]]}" for dim in dims]
    told = [*rows, *([("at", ", ".join(where))] if where else [])]
    lines = [claim, *(f"  {label + ':':<10} {text}" for label, text in told), "  with:"]
    published = [name for name, values in world.items() if np.array_equal(values, bench.points[name])]
    # What is as published need not be repeated, unless there is room for it.
    left_out = published if len(world) > _MOST_LINES else []
    for name, values in world.items():
        if name not in left_out:
            at_point = " (its point)" if name in published else ""
            lines.append(f"    {name} = {_told(bench, name, values, cell)}{at_point}")
    if left_out:
        lines.append(f"    at their points: {', '.join(left_out)}")
    raise CounterExampleError("\n".join(lines))


def _told(bench: Bench, name: str, values: Array, cell: Cell) -> str:
    """Values of an assumption: in the scenario at hand, and at every label if they differ."""
    layout = bench.layout
    kept = tuple(
        min(place, values.shape[axis] - 1) if dim in layout.scenario_dims else slice(None)
        for axis, (dim, place) in enumerate(zip(layout.dims, cell, strict=True))
    )
    left = values[kept][..., 0]
    if left.size == 1 or np.all(left == left.ravel()[0]):
        return amount(bench, name, left.ravel()[0])
    labels = [", ".join(parts) for parts in _labels(layout, left.shape)]
    told = [f"{amount(bench, name, x)} ({label})" for label, x in zip(labels, left.ravel(), strict=True)]
    return ", ".join(told[:_MOST_LABELS]) + (f", ... ({len(told)} labels)" if len(told) > _MOST_LABELS else "")


def _labels(layout: Layout, shape: Sequence[int]) -> list[list[str]]:
    return [
        [
            str(layout.coords[dim][place])
            for dim, place, size in zip(layout.model_dims, places, shape, strict=True)
            if size > 1
        ]
        for places in np.ndindex(*shape)
    ]


def check_finite(
    bench: Bench, found: Values, worlds: Sequence[Mapping[str, Array]], rows: Sequence[tuple[str, str]] = ()
) -> None:
    """Fail if a quantity is NaN or infinite at any of the values."""
    for name in bench.of:
        bad: npt.NDArray[np.bool_] = ~np.isfinite(found[name])
        if bad.any():
            *cell, number = (int(index[0]) for index in np.nonzero(bad))
            told = [*rows, ("found", str(found[name][(*cell, number)]))]
            fail(bench, f"{name} is not finite", told, worlds[number], tuple(cell), varying(bench, name))


def varying(bench: Bench, name: str) -> list[str]:
    """Dims along which a quantity varies, in order."""
    return [dim for dim in bench.layout.dims if dim in bench.model.program.varying[name].dims]
