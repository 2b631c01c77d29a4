"""Comparing: whether what was found is what was expected, to within what rounding can explain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError
from demandsim.sampling.program import Values
from demandsim.testing.counter_examples import check_finite, fail, rounded, varying, worst_cell
from demandsim.testing.evaluate import Bench, BrokenEquationError

__all__ = ["Tried", "check_tolerance", "compare", "try_at"]

type World = Mapping[str, Array]


@dataclass(frozen=True)
class Tried:
    """Values of the assumptions, and what the model makes of them.

    Parameters
    ----------
    bench : Bench
    world : mapping of str to array
    found : mapping of str to array
        Values of `bench.of`, with all axes but that of draws.
    """

    bench: Bench
    world: World
    found: Values

    def noise(self, name: str) -> Array:
        """What rounding alone may do to a quantity."""
        return self.bench.noise(self.world, name)


def check_tolerance(rtol: float) -> None:
    """Raise unless `rtol` is a tolerance."""
    if not 0 <= rtol < 1:
        raise DemandsimError(f"rtol must be at least 0 and below 1, not {rtol!r}")


def try_at(
    bench: Bench,
    worlds: Sequence[World],
    *,
    run: Callable[[Sequence[World]], Values] | None = None,
    told: World | None = None,
    rows: Sequence[tuple[str, str]] = (),
) -> list[Tried]:
    """Run the model at several sets of values; what is not finite, or raises, is a counter-example.

    Parameters
    ----------
    bench : Bench
    worlds : sequence of values
    run : callable, optional
        What runs them, instead of the model itself.
    told : values, optional
        What to tell of, where `worlds` are those values in other words, which `rows` say.
    rows : sequence of (label, text)
    """
    shown = worlds if told is None else [told] * len(worlds)
    try:
        found = (run or bench.run)(worlds)
    except BrokenEquationError as error:
        fail(bench, str(error), rows, shown[_first_broken(run or bench.run, worlds)], (0,) * len(bench.layout.dims), ())
    check_finite(bench, found, shown, rows)
    return [
        Tried(bench, world, {name: array[..., place] for name, array in found.items()})
        for place, world in enumerate(shown)
    ]


def _first_broken(run: Callable[[Sequence[World]], Values], worlds: Sequence[World]) -> int:
    for place, world in enumerate(worlds):
        try:
            run([world])
        except BrokenEquationError:
            return place
    return 0


def compare(
    tried: Tried,
    name: str,
    expected: Array,
    claim: str,
    rows: Sequence[tuple[str, str]],
    *,
    size: Array,
    rtol: float,
    noise: Callable[[str], Array],
    dims: Sequence[str] | None = None,
) -> None:
    """Fail unless a quantity is as expected in every cell.

    Parameters
    ----------
    tried : Tried
    name : str
    expected : array
    claim : str
    rows : sequence of (label, text)
        What else to tell.
    size : array
        What `rtol` is relative to.
    rtol : float
    noise : callable
        Asked only where the tolerance is passed: what rounding alone may do to a quantity.
    dims : sequence of str, optional
        Those that name the cell; by default those along which the quantity varies.
    """
    found = tried.found[name]
    expected, found, size = np.broadcast_arrays(expected, found, size)
    off = np.abs(found - expected)
    excess = off - rtol * size
    # An expectation that is not finite cannot be met either.
    wrong = ~(excess <= 0)
    if wrong.any():
        wrong &= ~(off <= noise(name))
    if wrong.any():
        cell = worst_cell(np.where(wrong, off, -1.0))
        told = [
            ("expected", rounded(tried.bench, name, expected[cell])),
            ("found", rounded(tried.bench, name, found[cell])),
        ]
        named = varying(tried.bench, name) if dims is None else dims
        fail(tried.bench, claim, [*rows, *told], tried.world, cell, named)
