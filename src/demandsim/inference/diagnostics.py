"""Verdicts: which posteriors are refused, and in which words."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import standard_normal
from demandsim.errors import (
    ConvergenceError,
    EvidenceConflictError,
    EvidenceError,
    EvidenceWarning,
    ImpossibleEvidenceError,
)
from demandsim.inference.conflict import Distance
from demandsim.inference.evidence import Evidence
from demandsim.inference.likelihood import Likelihood
from demandsim.inference.prior_pool import Pool
from demandsim.inference.target import REACH
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.progress import Report
from demandsim.sampling.run import Run
from demandsim.sampling.simulate import Parts

if TYPE_CHECKING:
    from demandsim.inference.result import Outcome

__all__ = [
    "KHAT",
    "SURE",
    "Request",
    "check_converged",
    "check_possible",
    "check_reach",
    "conflict_text",
    "enough",
    "refuse",
]

#: k-hat up to which weights are sure, and above which they cannot be trusted; R-hat above which chains disagree.
SURE, KHAT, RHAT = 0.5, 0.7, 1.01
#: Chains need this many possible draws of the prior to begin with.
_LEAST_POSSIBLE = 20


@dataclass(frozen=True)
class Request:
    """What was asked of ``Model.infer``."""

    evidence: tuple[Evidence, ...]
    units: Mapping[str, str]
    method: str
    on_failure: str
    pace: Pace
    report: Report


def check_reach(rows: Sequence[Array]) -> None:
    """Raise where the posterior lies so far out that numbers in (0, 1) cannot tell its draws apart."""
    share = max(float(np.mean(np.abs(standard_normal()(one.ravel())) > REACH)) for one in rows if one.size)
    if share > 1e-3:
        raise EvidenceConflictError(
            f"the evidence needs assumptions more than {REACH:g} standard deviations from their prior medians, farther "
            "than a double can tell probabilities apart; look at its unit, or widen the assumptions behind it"
        )


def enough(draws: int) -> float:
    """Effective draws of a chain below which weights are left for the sampler."""
    return max(draws / 4, min(draws, 50))


def check_possible(likelihood: Likelihood, pool: Pool, parts: Parts, *, in_steps: bool) -> None:
    """Raise unless every chain has draws of the prior to begin with, in every world.

    Weights need draws that the evidence allows. Proposals and populations come to bounds in steps, where these tell
    how far a draw is from them.
    """
    possible = pool.agreement.soft if in_steps else pool.log_likelihood
    for place, world in enumerate(likelihood.worlds(parts.program.layout)):
        finite = np.isfinite(possible[place]).sum(axis=-1)
        if finite.min() >= _LEAST_POSSIBLE:
            continue
        where = "".join(f" in {dim} '{label}'" for dim, label in world.items())
        size = pool.run.total
        if finite.sum() == 0:
            raise ImpossibleEvidenceError(
                f"the evidence has zero likelihood{where} in all of {size:,} draws of the prior: "
                f"{_blamed(likelihood, pool, world)}. A value without measurement error needs one, such as "
                "normal(mean=..., sd=...); bounds that the prior never meets need a wider prior, or are wrong"
            )
        raise ImpossibleEvidenceError(
            f"the evidence rules out all but {int(finite.sum()):,} of {size:,} draws of the prior{where}, too few to "
            "begin with; state it with an error instead of a bound, or widen the assumptions that it is about"
        )


def _blamed(likelihood: Likelihood, pool: Pool, world: dict[str, Any]) -> str:
    """Which piece of evidence no draw of a world agrees with, among the first draws."""
    run = dataclasses.replace(pool.run, program=pool.run.program.in_world(world))
    size = min(run.draws, run.block_size)
    values = run.block(0, size)
    for term in likelihood.terms:
        with np.errstate(all="ignore"):
            alone = term.value(values, run.program.layout).whole
        if not np.isfinite(alone).any():
            return f"no draw agrees with the evidence on '{term.label}'"
    return "no draw agrees with all of it at once"


def conflict_text(one: Distance, than: str) -> str:
    """Say how far evidence is off, and what to do."""
    return (
        f"the evidence on '{one.label}' lies {one.deviations:.1f} standard deviations from {than}: it says about "
        f"{one.read:.4g}, where {one.expected:.4g} is expected. One of them is wrong: look at the unit, widen the "
        "assumptions behind it (model.assume) or the evidence's error; on_failure='warn' goes on all the same"
    )


def refuse(request: Request, kind: type[EvidenceError], text: str) -> None:
    """Raise, or warn if that was asked for."""
    if request.on_failure == "raise":
        raise kind(text)
    warnings.warn(text, EvidenceWarning, stacklevel=4)


def check_converged(outcome: Outcome, request: Request, run: Run) -> None:
    """Refuse draws that cannot be trusted, with what failed and what to try."""
    problems, found = [], outcome.solution
    if not found.populations:
        if found.khat > KHAT:
            problems.append(f"k-hat is {found.khat:.2f}, above {KHAT}: a few draws carry the weight")
        if found.size < enough(run.draws):
            problems.append(
                f"the weights are worth {found.size:.0f} draws per chain, fewer than {enough(run.draws):.0f} "
                f"for {run.draws} draws"
            )
        advice = "use method='auto' or 'ensemble', or ask for fewer draws"
    else:
        # A single population is judged by its own memory; several by whether they agree.
        stuck = max(population.memory for chains in found.populations for population in chains)
        if run.chains < 2 and stuck > 0.5:
            problems.append(f"draws remember where they began (correlation {stuck:.2f}): the sampler moves too little")
        advice = "ask for more draws, or make the evidence less sharp or the prior less wide"
    # With few draws chains differ by chance.
    limit = max(RHAT, 1 + 6 / run.draws)
    if outcome.rhat > limit:
        problems.append(f"R-hat of '{outcome.rhat_of}' is {outcome.rhat:.3f}, above {limit:.2f}: chains disagree")
    if problems:
        refuse(
            request,
            ConvergenceError,
            f"inference did not converge: {'; '.join(problems)}. Try this: {advice}; on_failure='warn' returns the "
            "draws as they are",
        )
