"""Graph: equations are plain functions, resolved by the names of their parameters."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demandsim.errors import (
    CycleError,
    EquationError,
    MissingAssumptionError,
    close_matches,
    did_you_mean,
)
from demandsim.graph.equation import Equation
from demandsim.graph.loop import PREVIOUS, Lag, without_loops
from demandsim.units.convert import check_unit

__all__ = ["Graph", "ancestors", "unused_words"]


@dataclass(frozen=True, eq=False)
class Graph:
    """Equations in an order in which each finds its inputs computed.

    Parameters
    ----------
    equations : tuple of Equation
        As given; the order does not matter.
    order : tuple of str
        Names of the computed quantities, inputs first.
    written : mapping of str to Equation
        As they were given: those of a loop need values of the label before.
    lags : mapping of str to Lag
        What ``previous_NAME`` stands for.
    """

    equations: Mapping[str, Equation]
    order: tuple[str, ...]
    written: Mapping[str, Equation]
    lags: Mapping[str, Lag]

    @classmethod
    def of(cls, equations: Sequence[Equation], assumptions: Iterable[str]) -> Graph:
        """Order the equations over the given assumptions.

        Raises
        ------
        EquationError
            If two equations compute one quantity, or one computes an assumption.
        MissingAssumptionError
            If an input is neither assumption nor equation.
        CycleError
            If equations need each other; the path is shown.
        UnitError
            If a declared unit cannot be read.
        """
        given = set(assumptions)
        by_name: dict[str, Equation] = {}
        for made in equations:
            if made.name in by_name:
                raise EquationError(f"two equations compute '{made.name}'; keep one")
            if made.name in given:
                raise EquationError(f"'{made.name}' is both an assumption and an equation; keep one")
            check_unit(made.unit)
            by_name[made.name] = made
        known = given | set(by_name)
        steps = {PREVIOUS + name: made.lag for name, made in by_name.items() if made.lag is not None}
        lags = {name: lag for name, lag in steps.items() if name not in known}
        for name in sorted(by_name):
            _check_inputs(by_name[name], known, lags)
        used = {wanted for made in by_name.values() for wanted in made.inputs} & set(lags)
        written = by_name
        if used:
            by_name = without_loops(by_name, {name: lags[name] for name in sorted(used)}, _LOOPS)
        try:
            order = _in_order(by_name)
        except graphlib.CycleError as error:
            path = " -> ".join(reversed(error.args[1]))
            raise CycleError(
                "equations need each other in a circle; what one needs of the year before is asked for as "
                f"{PREVIOUS}{error.args[1][0]}, of a @ds.recurrence(over='year', ...): {path}"
            ) from None
        return cls(by_name, order, written, lags)

    @property
    def made_dims(self) -> dict[str, Mapping[str, Sequence[Any]]]:
        """Dims that equations make themselves, with their labels."""
        return {
            name: {d: labels or () for d, labels in made.dims.items()}
            for name, made in self.written.items()
            if made.dims
        }

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Return the given quantities and all that they are computed from."""
        return ancestors({name: made.inputs for name, made in self.equations.items()}, names)

    def causes(self, names: Iterable[str]) -> set[str]:
        """Return the given quantities and all that they are computed from, at their own label or one before."""
        return ancestors({name: self._asked(made) for name, made in self.written.items()}, names)

    def _asked(self, made: Equation) -> list[str]:
        lags = self.lags
        return [w for name in made.inputs for w in ((lags[name].of, lags[name].start) if name in lags else (name,))]

    def written_order(self) -> tuple[str, ...]:
        """Names of the computed quantities, those that one needs at its own label first."""
        return _in_order(self.written)

    def unused(self, assumptions: Iterable[str], known: Iterable[str] = ()) -> set[str]:
        """Return the assumptions that no equation asks for, and no evidence is on, which is on the `known`.

        Without equations the assumptions themselves are what is asked for.
        """
        return set(assumptions) - self.ancestors([*self.equations, *known]) if self.equations else set()


#: Loops that were taken apart, so that a changed model has the same equations and they need not be tried again.
_LOOPS: dict[Any, Equation] = {}


def _in_order(equations: Mapping[str, Equation]) -> tuple[str, ...]:
    """Names of the computed quantities, each after those that it needs."""
    needs = {name: sorted(equations.keys() & set(equations[name].inputs)) for name in sorted(equations)}
    return tuple(graphlib.TopologicalSorter(needs).static_order())


def _check_inputs(made: Equation, known: set[str], lags: Mapping[str, Lag]) -> None:
    """Raise for an input that nothing gives."""
    starts = [(made.lag.start, made.lag.constant)] if made.lag is not None else []
    for wanted, own in [*((wanted, made.constants.get(wanted)) for wanted in made.inputs), *starts]:
        if wanted in known or own is not None or wanted in lags:
            continue
        hint = did_you_mean(wanted, [*known, *lags])
        before = wanted.removeprefix(PREVIOUS)
        if before != wanted and before in known:
            hint = (
                f"; for its value at the label before, make '{before}' a recurrence: @ds.recurrence(over='year', ...)"
            )
        raise MissingAssumptionError(
            f"equation '{made.name}' needs '{wanted}', which is neither an assumption nor an equation{hint}"
        )


def unused_words(unused: Iterable[str], quantities: Iterable[str]) -> str:
    """Say that no equation asks for some assumptions, and what to do about it."""
    wrong = sorted(unused)
    right = [name for name in quantities if name not in wrong]
    near = [f"did you mean '{match}'? Else " for name in wrong for match in close_matches(name, right)][:1]
    return (
        f"no equation asks for {', '.join(map(repr, wrong))}, so that nothing depends on it; {''.join(near)}"
        "add one with model.with_equations(...), or leave it out with model.drop(...)"
    )


def ancestors(inputs: Mapping[str, Sequence[str]], names: Iterable[str]) -> set[str]:
    """Return the given quantities and all that they are computed from.

    Parameters
    ----------
    inputs : mapping of str to sequence of str
        What each computed quantity is computed from.
    names : iterable of str
    """
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(inputs.get(name, ()))
    return found
