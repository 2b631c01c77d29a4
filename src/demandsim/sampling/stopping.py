"""Stopping: as many draws as a tolerance needs, doubling and reusing what was drawn."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim.errors import DemandsimError, MemoryGuardError, ToleranceWarning, check_known, check_whole
from demandsim.sampling.in_memory import Sampled
from demandsim.sampling.run import Run
from demandsim.statistics.design import DESIGNS
from demandsim.statistics.estimators import Asked, array_statistics, check_prob

__all__ = ["Goal", "Reached", "Round", "goal_of", "run_to_goal", "written_goal"]

_STATISTICS = ("mean", "sd", "median", "lower", "upper")


@dataclass(frozen=True)
class Goal:
    """How accurate which statistics of which quantities must be.

    Parameters
    ----------
    of : tuple of str
        None stand for all computed quantities.
    statistics : tuple of str
        Of mean, sd, median, lower, upper.
    rtol, atol : float
        The MCSE must be at most ``max(atol, rtol * abs(estimate))``; `atol` in the quantity's unit.
    prob : float
        Probability of the interval from lower to upper.
    max_draws : int
        Draws of all chains together, at most.
    """

    of: tuple[str, ...]
    statistics: tuple[str, ...]
    rtol: float
    atol: float
    prob: float
    max_draws: int

    def __post_init__(self) -> None:
        check_known(self.statistics, _STATISTICS, "statistic")
        for name in ("rtol", "atol"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise DemandsimError(f"{name} must be a number of at least 0, not {value!r}")
        if not self.rtol and not self.atol:
            raise DemandsimError("give rtol, atol or both above 0: no number of draws makes the error zero")
        check_prob(self.prob)
        check_whole("max_draws", self.max_draws)


def goal_of(
    of: Sequence[str] | str | None, rtol: float, atol: float, *, statistics: Sequence[str], prob: float, max_draws: int
) -> Goal | None:
    """Read the tolerance that ``Model.simulate`` was given; None if it was given none."""
    if of is not None and not of:
        raise DemandsimError("of= is empty; leave it out for all computed quantities")
    if not rtol and not atol:
        if of is not None:
            raise DemandsimError("of= names what a tolerance is about; give rtol= or atol= as well")
        return None
    names = (of,) if isinstance(of, str) else tuple(of or ())
    return Goal(names, tuple(statistics), float(rtol), float(atol), prob, max_draws)


@dataclass(frozen=True)
class Reached:
    """One statistic, its error, and the error that was asked for."""

    quantity: str
    labels: str
    statistic: str
    estimate: float
    mcse: float
    tolerance: float

    @property
    def ratio(self) -> float:
        """Error over tolerance: 1 or less is good enough."""
        if math.isnan(self.mcse) or not self.tolerance:
            return math.inf if self.mcse else 0.0
        return self.mcse / self.tolerance

    def __str__(self) -> str:
        where = f" [{self.labels}]" if self.labels else ""
        found = f"{self.statistic} of {self.quantity}{where} = {self.estimate:.6g}"
        return f"{found}, MCSE {self.mcse:.2g} (goal {self.tolerance:.2g})"


@dataclass(frozen=True)
class Round:
    """What was reached with a number of draws."""

    draws: int
    rows: tuple[Reached, ...]

    @property
    def worst(self) -> Reached:
        """The statistic farthest from its goal."""
        return max(self.rows, key=lambda row: row.ratio)

    @property
    def done(self) -> bool:
        """True if every error is within its tolerance."""
        return all(row.mcse <= row.tolerance for row in self.rows)

    def __str__(self) -> str:
        return f"{self.draws:,} draws: {self.worst}"


def _rows(sampled: Sampled, goal: Goal) -> Iterator[Reached]:
    layout = sampled.run.program.layout
    places = {name: i for i, name in enumerate(_STATISTICS)}
    asked = Asked(goal.prob, iid=DESIGNS[sampled.run.design].independent)
    for name in goal.of:
        values = sampled.arrays[name]
        dims = [dim for dim in layout.dims if dim in sampled.run.program.varying[name].dims]
        for spot in np.ndindex(*values.shape[:-2]):
            labels = ", ".join(str(layout.coords[dim][i]) for dim, i in zip(dims, spot, strict=True))
            row, _ = array_statistics(np.asarray(values[spot], dtype=np.float64), asked)
            for statistic in goal.statistics:
                estimate, mcse = row[places[statistic]], row[places[statistic] + 5]
                yield Reached(name, labels, statistic, estimate, mcse, max(goal.atol, goal.rtol * abs(estimate)))


def run_to_goal(
    start: Run,
    goal: Goal,
    drawn: Callable[[Run, Sampled | None], Sampled],
    on_round: Callable[[Round], None] | None = None,
) -> tuple[Sampled, Round]:
    """Double the draws of every chain until the goal is reached, or `goal.max_draws` would be passed.

    Parameters
    ----------
    start : Run
        With the first number of draws.
    goal : Goal
    drawn : callable
        Draws a run, given what was drawn of it before; of what it returns, the quantities of the goal are looked at.
    on_round : callable, optional
        Called with a `Round` after every doubling.

    Returns
    -------
    sampled : Sampled
    last : Round
        Whose ``done`` says whether the goal was reached; if not, a `ToleranceWarning` says what was.
    """
    if start.chains < 2 and not DESIGNS[start.design].independent:
        raise DemandsimError(
            f"one chain of design '{start.design}' cannot tell its error; use chains=8 with rtol and atol"
        )
    if not DESIGNS[start.design].extensible:
        others = " or ".join(f"'{name}'" for name, design in DESIGNS.items() if design.extensible)
        raise DemandsimError(f"design '{start.design}' cannot be extended to a tolerance; use design {others}")
    sampled, why = drawn(start, None), ""
    while True:
        now = Round(sampled.run.total, tuple(_rows(sampled, goal)))
        if on_round is not None:
            on_round(now)
        if now.done:
            return sampled, now
        if 2 * sampled.run.total > goal.max_draws:
            why = f"max_draws={goal.max_draws:,} allows no more"
            break
        try:
            larger = dataclasses.replace(sampled.run, draws=2 * sampled.run.draws)
            sampled = drawn(larger, sampled)
        except MemoryGuardError as error:
            why = str(error)
            break
    missed = sorted((row for row in now.rows if row.mcse > row.tolerance), key=lambda row: -row.ratio)
    more = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
    warnings.warn(
        f"the tolerance was not reached with {now.draws:,} draws ({why}): {'; '.join(map(str, missed[:3]))}{more}",
        ToleranceWarning,
        stacklevel=4,
    )
    return sampled, now


def written_goal(goal: Goal, last: Round) -> str:
    """Write goal and what was reached as JSON, for the attribute ``stop_rule``."""
    rows: Sequence[dict[str, Any]] = [dataclasses.asdict(row) for row in last.rows]
    return json.dumps({"goal": dataclasses.asdict(goal), "reached": last.done, "draws": last.draws, "rows": rows})
