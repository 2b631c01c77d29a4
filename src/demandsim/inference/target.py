"""Target: the evidence as a function of normal scores, in one world; what samplers and proposals are aimed at."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores
from demandsim.errors import InvalidDrawsError
from demandsim.inference.likelihood import Likelihood
from demandsim.inference.prior_pool import spread
from demandsim.inference.term import Agreement
from demandsim.sampling.program import Program
from demandsim.sampling.run import BLOCK

__all__ = ["REACH", "Asking", "Reading", "Target", "out_of_reach", "side_by_side"]

#: Asks how well scores agree with the evidence, one batch after the other, and comes to something.
type Asking[T] = Generator[Array, Agreement, T]

#: Normal scores up to which the grades of a stream keep three digits.
REACH = 7.5
#: Heat from which on a bound that can be met is nearly met.
_LATE = 0.99


def out_of_reach(z: Array, fit: Agreement, heat: float) -> bool:
    """Tell that draws at a heat will never meet the bounds: they lie as far out as doubles go, or are held off.

    Where a bound can be met, the shortfall of draws is of the order of what its force lets through.
    """
    if not (fit.shortfall > 0.0).all():
        return False
    if float(np.mean((np.abs(z) > REACH).any(axis=0))) > 0.5:
        return True
    force = float(np.median(fit.shortfall)) * heat / (1.0 - heat) if heat < 1.0 else np.inf
    return heat > _LATE and force > 50.0 + 10.0 * len(z)


@dataclass(frozen=True)
class Reading:
    """One observed number as a normal measurement: what was read, and its error, on the scale of the evidence."""

    mean: float
    sd: float


@dataclass(frozen=True, eq=False)
class Target:
    """Evidence as a function of normal scores, which are independent and standard normal under the prior.

    Parameters
    ----------
    program : Program
        With a single world.
    likelihood : Likelihood
    streams : tuple of int
        Streams that the scores are of; the others do not matter.
    """

    program: Program
    likelihood: Likelihood
    streams: tuple[int, ...]

    def __call__(self, z: Array) -> Agreement:
        """Agreement with the evidence of scores of shape (streams, draws), in blocks that stay in the caches."""
        starts = range(0, z.shape[1], BLOCK)
        parts = [self._agreement(z[:, first : first + BLOCK]) for first in starts]
        return parts[0] if len(parts) == 1 else Agreement.joined(parts)

    def _agreement(self, z: Array) -> Agreement:
        return self.agreement(self.values(normal_scores(z)), z.shape[1])

    def values(self, u: Array | Sequence[Array]) -> Mapping[str, Array]:
        """What the evidence needs, from numbers in (0, 1) before the copula, a row of draws for each stream."""
        needed = set(self.likelihood.needed)
        rows = {stream: row for row, stream in enumerate(self.streams)}
        grades = self.program.correlated(lambda stream: u[rows[stream]])
        assumed = self.program.assume(grades, len(u[0]), needed)
        return {**assumed, **self.program.derive(assumed, needed)}

    def agreement(self, values: Mapping[str, Array], draws: int) -> Agreement:
        """Agreement of so many draws with the evidence."""
        found = self.likelihood(values, self.program.layout, draws)
        if np.isnan(found.soft).any() or np.isnan(found.shortfall).any():
            raise InvalidDrawsError(
                "while sampling, an equation that the evidence needs made a value that is no number, far in the tails "
                "of its assumptions; truncate their distributions"
            )
        return found[0]

    def readings(self, z: Array) -> tuple[list[Reading], Array]:
        """What was observed, as normal measurements, and what draws have in its place, shape (readings, draws)."""
        return self.read(self.values(normal_scores(z)), z.shape[1])

    def read(self, values: Mapping[str, Array], draws: int) -> tuple[list[Reading], Array]:
        """The same of draws whose values are known."""
        layout = self.program.layout
        found, rows = [], []
        for term in self.likelihood.terms:
            for element in term.elements:
                if term.read is None or any(
                    label not in layout.coords[dim] for dim, label in element.labels.items() if dim in layout.coords
                ):
                    continue
                low, middle, high = element.law.ppf(np.array([0.16, 0.5, 0.84]))
                x = np.broadcast_to(term.read(element, values, layout).reshape(-1), (draws,))
                with np.errstate(all="ignore"):
                    if term.log:
                        low, middle, high, x = np.log(low), np.log(middle), np.log(high), np.log(x)
                found.append(Reading(float(middle), float(high - low) / 2))
                rows.append(x)
        return found, np.array(rows).reshape(len(rows), draws)


def side_by_side[T](askers: Sequence[Asking[T]], target: Target, threads: int | None) -> list[T]:
    """Run samplers that move by themselves, and answer at once what all of them ask, since equations cost by the call.

    Parameters
    ----------
    askers : sequence of generators
    target : Target
    threads : int or None

    Returns
    -------
    list
        What each has come to.
    """
    done: dict[int, T] = {}
    answers: dict[int, Agreement] = {}

    def asked(place: int) -> Array | None:
        try:
            return askers[place].send(answers[place]) if place in answers else next(askers[place])
        except StopIteration as end:
            done[place] = end.value
            return None

    going = list(range(len(askers)))
    while going:
        scores = [z for z in spread(asked, going, threads) if z is not None]
        going = [place for place in going if place not in done]
        if going:
            found, ends = target(np.concatenate(scores, axis=1)), np.cumsum([z.shape[1] for z in scores]).tolist()
            answers = {at: found[end - z.shape[1] : end] for at, z, end in zip(going, scores, ends, strict=True)}
    return [done[place] for place in range(len(askers))]
