r"""Adaptive importance sampling: proposals that follow the evidence from easy to whole, then draws with their weights.

All draws of all proposals so far weigh together, by the mixture that they come from, the prior among its parts:
what any proposal has lost sight of shows as a heavy weight. A heat counts as reached when the draws are worth enough
at it and at every heat before, so that a mode that is rare in the prior is not passed by. Then every chain draws anew
from the last proposal, with a randomisation of its own, next to its own draws of the prior.

Sources: Cornuet, Marin, Mira and Robert, "Adaptive multiple importance sampling", Scand. J. Stat. 39 (2012); Owen and
Zhou, "Safe and effective importance sampling", J. Am. Stat. Assoc. 95 (2000).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import standard_normal
from demandsim.inference.importance import Weighed, effective_size, keyed, systematic, weighed_by
from demandsim.inference.prior_pool import Pool, chosen_uniforms, spread
from demandsim.inference.proposal import Mixture, Proposal, fitted, regressed
from demandsim.inference.subspace import bent
from demandsim.inference.target import Target, out_of_reach
from demandsim.inference.term import Agreement
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.progress import Report, part
from demandsim.sampling.qmc import UNIFORMS, Stream

__all__ = ["Adapted", "adapted"]

#: Draws of a proposal on the way, rounds at most, and heats that are looked at ahead.
_ROUND, _MOST_ROUNDS, _AHEAD = 2048, 40, 24
#: Weights below this share of the largest do not matter, in logarithms.
_NEGLIGIBLE = 25.0
#: Draws that a mixture is fitted to.
_FITTED = 2048
#: Final draws per draw that is asked for, at most.
_MOST_RATIO = 16
#: k-hat up to which a proposal is good.
_GOOD = 0.5
_TRIES = 3
#: Share of the way that ends where the evidence is come to.
_WALKED = 0.5
#: Inputs above which the second try bends with the evidence: a mixture of few parts cannot. The first then ends where
#: its draws are worth less than this share of their number.
_MANY, _POOR = 12, 0.15


@dataclass(frozen=True, eq=False)
class Adapted:
    """Draws of one world with their weights.

    Parameters
    ----------
    weighed : Weighed
    z : tuple of array of shape (streams, draws)
        Per chain: draws of the prior that count, then those of the proposal.
    rounds : int
        Proposals on the way.
    """

    weighed: Weighed
    z: tuple[Array, ...]
    rounds: int

    def resampled(self, draws: int, seed: int, world: int) -> Array:
        """Equal-weight scores, shape (streams, chains * draws)."""
        parts = []
        for chain, (row, z) in enumerate(zip(self.weighed.log_weights, self.z, strict=True)):
            rng = keyed(seed, 7, world, chain)
            # Draws of the prior and of the proposal mixed: halves of a chain are compared as well.
            parts.append(z[:, rng.permutation(systematic(row, draws, rng))])
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, eq=False)
class _Cloud:
    """Draws of all proposals so far, and the logarithm of how many there are around each, over the prior's density."""

    z: Array
    fit: Agreement
    crowd: Array

    def weights(self, heat: float) -> Array:
        return self.fit.at(heat) - self.crowd

    def pruned(self, heat: float) -> _Cloud:
        """Without what weighs next to nothing at this heat and at the last."""
        keep = np.zeros(self.crowd.size, dtype=bool)
        for each in (heat, 0.5 * (1.0 + heat), 1.0):
            weights = self.weights(each)
            top = weights.max(initial=-math.inf)
            keep |= weights > (top - _NEGLIGIBLE if math.isfinite(top) else -math.inf)
        return _Cloud(self.z[:, keep], self.fit[keep], self.crowd[keep])


def adapted(pool: Pool, target: Target, world: int, draws: int, pace: Pace) -> Adapted | None:
    """Adapt a proposal to the evidence of one world, and draw from it.

    Parameters
    ----------
    pool : Pool
    target : Target
    world : int
    draws : int
        That are asked for, per chain.
    pace : Pace

    Returns
    -------
    Adapted or None
        None where no proposal came to the evidence. Whether its weights are good is for the caller to judge.
    """
    way = _Way(pool, target, world)
    report = pace.progress or (lambda done, total: None)
    if not way.walk(part(report, 0.0, _WALKED)):
        return None
    found, parts = None, _parts(len(target.streams))
    for attempt in range(_TRIES):
        curve = way.bent() if attempt == 1 else None
        proposal = curve or way.fit(1.0, parts)
        start, stop = (1.0 - (1.0 - _WALKED) / 2**more for more in (attempt, attempt + 1))
        found = _drawn(way, proposal, attempt, draws, dataclasses.replace(pace, progress=part(report, start, stop)))
        if found.weighed.khat <= _GOOD and float(found.weighed.sizes.min()) >= draws / 2:
            break
        # What came out tells where the proposal is too thin.
        way.take(proposal, f"try {attempt}", 2 * _ROUND)
        parts = min(2 * parts, 12) if len(target.streams) <= 12 else parts + 1
    return found


def _parts(dims: int) -> int:
    """Parts of a mixture: many where dimensions are few."""
    return 6 if dims <= 2 else 4 if dims <= 8 else 2 if dims <= 16 else 1


class _Way:
    """The way from prior to posterior: proposals so far, and their draws."""

    def __init__(self, pool: Pool, target: Target, world: int) -> None:
        self.pool, self.target, self.world = pool, target, world
        self.rng = keyed(pool.run.seed, 6, world)
        run = pool.run
        flat = pool.agreement[world]
        fit = Agreement(flat.soft.ravel(), flat.shortfall.ravel())
        every = np.arange(run.draws)
        u = np.concatenate([chosen_uniforms(pool, target.streams, chain, every) for chain in range(run.chains)], axis=1)
        z = np.reshape(standard_normal()(u.ravel()), u.shape)
        self.cloud = _Cloud(z, fit, np.full(run.total, math.log(run.total)))
        self.past: list[tuple[float, Proposal]] = []
        self.dims = len(target.streams)
        self.enough = _ROUND / 8 + 4.0 * self.dims

    def walk(self, report: Report) -> bool:
        """Go to the whole evidence; False if it cannot be reached."""
        heat, stays = 0.0, 0
        self._regress()
        for round_ in range(_MOST_ROUNDS):
            reached = self._reached(heat)
            if reached >= 1.0:
                return True
            stays = stays + 1 if reached <= heat else 0
            if stays > 3:
                return False
            heat = max(reached, heat)
            report(round_ + 1, _MOST_ROUNDS)
            if self.past and out_of_reach(self.cloud.z[:, -_ROUND:], self.cloud.fit[-_ROUND:], heat):
                return False
            self.cloud = self.cloud.pruned(heat)
            self.take(self.fit(heat, _parts(self.dims)), f"round {round_}", _ROUND)
        return False

    def _reached(self, heat: float) -> float:
        """The largest heat up to which the draws are worth enough, at every heat on the way."""
        first = -30.0 if heat <= 0.0 else math.log(heat / (1.0 - heat))
        # Easy heats first: most of what separates prior from posterior happens there.
        ahead = [1.0 / (1.0 + math.exp(-x)) for x in np.linspace(first, 14.0, 8 * _AHEAD if heat <= 0 else 4 * _AHEAD)]
        best = heat
        for each in [*ahead[1:], 1.0]:
            if effective_size(self.cloud.weights(each)) < self.enough:
                return best
            best = each
        return 1.0

    def fit(self, heat: float, parts: int) -> Mixture:
        """A mixture like the easier problem at a heat."""
        weights = self.cloud.weights(heat)
        places = systematic(weights, _FITTED, self.rng)
        return fitted(self.cloud.z[:, places], parts, self.rng)

    def bent(self) -> Proposal | None:
        """A proposal that bends with the evidence in the few directions that this informs, where inputs are many."""
        if self.dims <= _MANY:
            return None
        near = self.cloud.z[:, systematic(self.cloud.weights(1.0), _FITTED, self.rng)]
        return bent(self.target, near, _points(self.pool, self.dims, f"bent|{self.world}", 0, 2 * _ROUND), self.rng)

    def take(self, proposal: Proposal, name: str, draws: int) -> None:
        """Draw from a proposal, and weigh all draws anew."""
        z, own = proposal.drawn(_points(self.pool, self.dims, f"{name}|{self.world}", 0, draws))
        fit = self.target(z)
        size = math.log(draws)
        old = np.logaddexp(self.cloud.crowd, size + proposal.log_ratio(self.cloud.z))
        new = np.full(draws, math.log(self.pool.run.total))
        for count, one in self.past:
            new = np.logaddexp(new, count + one.log_ratio(z))
        new = np.logaddexp(new, size + own)
        self.past.append((size, proposal))
        self.cloud = _Cloud(
            np.concatenate([self.cloud.z, z], axis=1),
            Agreement.joined([self.cloud.fit, fit]),
            np.concatenate([old, new]),
        )

    def _regress(self) -> None:
        """Proposals by linear regression of what was observed, each in the place of the one before."""
        at = systematic(self.cloud.weights(0.0), _FITTED, self.rng)
        z = self.cloud.z[:, at]
        for round_ in range(3):
            readings, x = self.target.readings(z)
            made = regressed(z, x, readings) if readings else None
            if made is None:
                return
            before = self.cloud.crowd.size
            self.take(made, f"regression {round_}", _ROUND)
            weights = self.cloud.weights(1.0)[before:]
            if effective_size(weights) > 0.3 * _ROUND:
                return
            # The next line goes through draws that are near to the evidence.
            z = self.cloud.z[:, before:]


def _points(pool: Pool, dims: int, name: str, chain: int, draws: int) -> Array:
    """Points for a proposal, of a randomisation of their own."""
    run = pool.run
    streams = [Stream(f"proposal {name}|{row}", 0, row) for row in range(dims + 2)]
    return np.stack([UNIFORMS[run.design](run.seed, chain, one, 0, draws, draws) for one in streams])


def _drawn(way: _Way, proposal: Proposal, attempt: int, draws: int, pace: Pace) -> Adapted:
    """Draws of every chain, as many as are worth what was asked for."""
    pool, world = way.pool, way.world
    # Evidence that failed the first try is hard: more draws at once, rather than some in vain.
    size = 1 << max(math.ceil(math.log2((4 if attempt else 2) * draws)), 9)
    while True:
        name = f"last {attempt} {size}|{world}"

        def one(chain: int, size: int = size, name: str = name) -> tuple[Array, Array]:
            return _chain(way, proposal, _points(pool, way.dims, name, chain, size), chain)

        done = spread(one, range(pool.run.chains), pace.threads, pace.progress)
        longest = max(row.size for _, row in done)
        rows = np.full((len(done), longest), -math.inf)
        for place, (_, row) in enumerate(done):
            rows[place, : row.size] = row
        found = Adapted(weighed_by(rows), tuple(z for z, _ in done), len(way.past))
        worth = float(found.weighed.sizes.min())
        poor = not attempt and way.dims > _MANY and worth < _POOR * size
        if worth >= draws or size >= _MOST_RATIO * draws or found.weighed.khat > _GOOD or poor:
            return found
        size = min(
            max(2 * size, 1 << math.ceil(math.log2(1.2 * size * draws / max(worth, 1.0)))), _MOST_RATIO * 2 * draws
        )


def _chain(way: _Way, proposal: Proposal, points: Array, chain: int) -> tuple[Array, Array]:
    """Draws of one chain and their log-weights: what counts of its prior, then the proposal's."""
    pool, target = way.pool, way.target
    z, own_ratio = proposal.drawn(points)
    draws, prior = math.log(z.shape[1]), math.log(pool.run.draws)
    weights = target(z).whole - np.logaddexp(prior, draws + own_ratio)
    own = pool.log_likelihood[way.world, chain]
    top = weights.max(initial=-math.inf)
    counts = np.flatnonzero(own - prior > (top - _NEGLIGIBLE if math.isfinite(top) else -math.inf))
    u = chosen_uniforms(pool, target.streams, chain, counts)
    first = np.reshape(standard_normal()(u.ravel()), u.shape)
    before = own[counts] - np.logaddexp(prior, draws + proposal.log_ratio(first))
    return np.concatenate([first, z], axis=1), np.concatenate([before, weights])
