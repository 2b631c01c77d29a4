"""Searching: hypothesis looks for values at which an invariant does not hold; the simplest is an AssertionError."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known, check_whole
from demandsim.sampling.program import Program, Values
from demandsim.testing.evaluate import Bench, BrokenEquationError, Cell, World, bench_of
from demandsim.testing.strategies.values import values_within

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["Claim", "CounterExampleError", "Search", "SearchSettings", "Tried", "search_for"]

type Row = tuple[str, str]


class SearchSettings(TypedDict, total=False):
    """What every assertion takes by keyword: where it looks, how closely, and how often.

    Parameters
    ----------
    values : strategy, optional
        Of dicts of assumption to value; `values_within` by default.
    rtol : float, default 1e-9
        Relative tolerance. Differences that rounding explains are let pass.
    max_examples, seed : int, optional
        Those of the active hypothesis profile by default.
    """

    values: st.SearchStrategy[dict[str, Any]] | None
    rtol: float
    max_examples: int | None
    seed: int | None


class CounterExampleError(AssertionError):
    """Values at which an invariant does not hold."""


@dataclass(frozen=True)
class _Case[Case]:
    """A case whose repr hypothesis may ask for: that of labelled arrays would be a page."""

    held: Case

    def __repr__(self) -> str:
        return "..."


@dataclass(frozen=True)
class Tried:
    """Values of the assumptions, and what the model makes of them, with all axes but that of draws."""

    bench: Bench
    world: World
    found: Values

    def noise(self, name: str) -> Array:
        """What rounding alone may do to a quantity."""
        return self.bench.noise(self.world, name)


@dataclass(frozen=True)
class Claim:
    """What is said of a quantity where it does not hold.

    Parameters
    ----------
    name : str
    text : str
    rows : sequence of (label, text)
        What else to tell.
    dims : sequence of str, optional
        Those that name the cell; by default those along which the quantity varies.
    """

    name: str
    text: str
    rows: Sequence[Row] = ()
    dims: Sequence[str] | None = None


def search_for(
    model: Model,
    names: Iterable[str],
    given_settings: SearchSettings,
    usual: Callable[[tuple[str, ...]], st.SearchStrategy[dict[str, Any]]] | None = None,
) -> Search:
    """Prepare a search over the values of what the quantities depend on.

    Parameters
    ----------
    model : Model
    names : iterable of str
    given_settings : SearchSettings
    usual : callable, optional
        Makes the strategy that stands in for ``values``; `values_within` by default.

    Raises
    ------
    UnknownNameError, DemandsimError
        If a setting is unknown, or is none.
    """
    check_known(given_settings, SearchSettings.__annotations__, "setting of the search:")
    rtol, drawn = given_settings.get("rtol", 1e-9), given_settings.get("values")
    if not 0 <= rtol < 1:
        raise DemandsimError(f"rtol must be at least 0 and below 1, not {rtol!r}")
    bench = bench_of(model, names)
    if drawn is None:
        drawn = usual(bench.of) if usual else values_within(model, of=bench.of)
    return Search(bench, drawn, rtol, given_settings.get("max_examples"), given_settings.get("seed"))


@dataclass(frozen=True, eq=False)
class Search:
    """A search at a bench, under the settings of the active hypothesis profile."""

    bench: Bench
    drawn: st.SearchStrategy[dict[str, Any]]
    rtol: float
    max_examples: int | None
    seed: int | None

    @property
    def worlds(self) -> st.SearchStrategy[Values]:
        """Values of all assumptions that matter, with all axes."""
        return self.drawn.map(self.bench.arrays)

    def run[Case](
        self,
        cases: st.SearchStrategy[Case],
        check: Callable[[Case], bool],
        idle: str = "nothing could be tested",
    ) -> None:
        """Check many cases.

        Parameters
        ----------
        cases : strategy
        check : callable
            Raises `CounterExampleError`; returns whether the case could have shown a fault at all.
        idle : str
            What to say if no case could have shown a fault.

        Raises
        ------
        AssertionError
            With the simplest counter-example and the seed that finds it again.
        """
        profile, seed = settings(), self.seed
        if self.max_examples is not None:
            check_whole("max_examples", self.max_examples)
        if seed is not None:
            check_whole("seed", seed, least=0)
        elif not profile.derandomize:
            seed = random.SystemRandom().getrandbits(32)
        chosen = settings(
            profile,
            max_examples=self.max_examples or profile.max_examples,
            # Searches of several invariants would read each other's entries. Ours are found again by their seed.
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=[phase for phase in profile.phases if phase in (Phase.generate, Phase.shrink)],
            suppress_health_check=[*profile.suppress_health_check, HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        telling: list[bool] = []

        def test(case: _Case[Case]) -> None:
            telling.append(check(case.held))

        tested: Callable[[], None] = chosen(given(case=cases.map(_Case))(test))
        if seed is not None:
            tested = seeded(seed)(tested)
        found = f"found with seed={seed}" if seed is not None else "found under the hypothesis profile's fixed seed"
        try:
            tested()
        except CounterExampleError as error:
            raise AssertionError(f"{error}\n  {found}") from None
        except Unsatisfiable:
            raise DemandsimError(f"no values were found to test with; {idle}") from None
        if not any(telling):
            raise AssertionError(
                f"{idle}, in any of {len(telling)} examples: nothing was tested; give other values="
            ) from None

    def at(self, *worlds: World) -> list[Tried]:
        """Run the model at several sets of values; what is not finite, or raises, is a counter-example."""
        return self._tried(self.bench, worlds, worlds, None, ())

    def again(
        self, world: World, restated: World, row: Row | None, program: Program, bench: Bench | None = None
    ) -> Tried:
        """Run a program at values in other words, and tell of the values themselves.

        Parameters
        ----------
        world : values
            Those to tell of.
        restated : values
            The same in other words.
        row : (label, text), optional
            Which says how they differ.
        program : Program
        bench : Bench, optional
            Another model's.
        """
        return self._tried(bench or self.bench, [restated], [world], program, [row] if row else ())[0]

    def _tried(
        self,
        bench: Bench,
        worlds: Sequence[World],
        shown: Sequence[World],
        program: Program | None,
        rows: Sequence[Row],
    ) -> list[Tried]:
        try:
            found = bench.run(worlds, program)
        except BrokenEquationError as error:
            self._fail(Claim("", str(error), rows, ()), shown[_first_broken(bench, worlds, program)], ())
        for name in bench.of:
            bad = ~np.isfinite(found[name])
            if bad.any():
                *cell, number = (int(index[0]) for index in np.nonzero(bad))
                claim = Claim(name, f"{name} is not finite", [*rows, ("found", str(found[name][(*cell, number)]))])
                self._fail(claim, shown[number], tuple(cell))
        return [
            Tried(self.bench, world, {name: array[..., place] for name, array in found.items()})
            for place, world in enumerate(shown)
        ]

    def equal(
        self,
        tried: Tried,
        claim: Claim,
        found: Array,
        expected: Array,
        size: Array | None = None,
        slack: Callable[[], Array] | None = None,
    ) -> None:
        """Fail unless a quantity is as expected in every cell.

        Parameters
        ----------
        tried : Tried
        claim : Claim
        found, expected : array
        size : array, optional
            What the tolerance is relative to; what was expected by default.
        slack : callable, optional
            What rounding alone may do; by default that of two runs.
        """
        found, expected = np.broadcast_arrays(found, expected)

        def shown(cell: Cell) -> list[Row]:
            both = {"expected": expected, "found": found}
            return [(word, self.bench.rounded(claim.name, array[cell])) for word, array in both.items()]

        def of_two_runs() -> Array:
            return 2 * tried.noise(claim.name)

        size = np.abs(expected) if size is None else size
        self.hold(tried, claim, np.abs(found - expected), size, slack or of_two_runs, shown)

    def hold(
        self,
        tried: Tried,
        claim: Claim,
        off: Array,
        size: Array,
        slack: Callable[[], Array],
        shown: Callable[[Cell], list[Row]],
    ) -> None:
        """Fail unless a claim holds in every cell, to within what rounding can explain.

        Parameters
        ----------
        tried : Tried
        claim : Claim
        off : array
            By how much it does not hold. NaN cannot hold either.
        size : array
            What the tolerance is relative to.
        slack : callable
            Asked only where the tolerance is passed: what rounding alone may do.
        shown : callable
            Rows that say what is wrong in a cell.
        """
        off, size = np.broadcast_arrays(off, size)
        wrong = ~(off <= self.rtol * size)
        if wrong.any():
            wrong &= ~(off <= slack())
        if wrong.any():
            excess = np.where(wrong, np.where(np.isnan(off), np.inf, off), -np.inf)
            cell = tuple(int(index) for index in np.unravel_index(int(np.argmax(excess)), off.shape))
            rows = [*claim.rows, *shown(cell)]
            self._fail(Claim(claim.name, claim.text, rows, claim.dims), tried.world, cell)

    def _fail(self, claim: Claim, world: World, cell: Cell) -> NoReturn:
        """Raise with everything that a reader needs to see what is wrong."""
        layout = self.bench.layout
        cell = cell or (0,) * len(layout.dims)
        dims = self.bench.varying([claim.name]) if claim.dims is None else claim.dims
        where = ", ".join(f"{dim}={layout.coords[dim][cell[layout.dims.index(dim)]]}" for dim in dims)
        rows = [*claim.rows, *([("at", where)] if where else [])]
        lines = [claim.text, *(f"  {label + ':':<10} {text}" for label, text in rows), "  with:"]
        raise CounterExampleError("\n".join([*lines, *(f"    {line}" for line in self.bench.told(world, cell))]))


def _first_broken(bench: Bench, worlds: Sequence[World], program: Program | None) -> int:
    for place, world in enumerate(worlds):
        try:
            bench.run([world], program)
        except BrokenEquationError:
            return place
    return 0
