r"""Reverting growth: the growth rate of a logarithm comes back to a mean, with shocks that last a while.

.. math:: dx_i = g_i \, dt + \tau \, dB_i, \qquad dg_i = \kappa \, (m_i - g_i) \, dt + \sqrt{2 \kappa} \, s \, dW_i

x is the logarithm of what a publisher counts, g its growth rate, m the mean rate, s the standard deviation of g around
it, :math:`\ln 2 / \kappa` the half-life of a shock, and :math:`\tau` the drift of the definition. Rates and means of
several publishers are correlated. Given s, the half-life, :math:`\tau` and the correlation, all of it is linear and
normal, exactly so between any two days; these four, and how far a truth lies beyond a figure that is only a bound,
are drawn as quasi-random points of their prior and weighed by the closed likelihood of the rest.

Sources: G. E. Uhlenbeck and L. S. Ornstein, Phys. Rev. 36 (1930); A. C. Harvey, "Forecasting, structural time series
models and the Kalman filter" (1989), whose local linear trend is the limit of long half-lives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions import lognormal, normal, uniform
from demandsim.distributions.base import Distribution, normal_scores, standard_normal
from demandsim.distributions.convert import as_distribution
from demandsim.errors import DemandsimError
from demandsim.forecasting.figures import EXCESS, Figures
from demandsim.forecasting.kalman import Step, log_likelihood, smoothed_draws
from demandsim.inference.importance import Weighed, keyed, systematic, weighed_by
from demandsim.inference.proposal import fitted

__all__ = ["GrowthPrior", "Paths", "RevertingGrowth"]

#: Standard deviation of the first level, before its figure is read: nothing is known of it.
_DIFFUSE = 10.0
#: Names of what is drawn as points, in order.
HYPERPARAMETERS = ("rate_sd", "half_life", "definition_drift", "growth_correlation")


@dataclass(frozen=True)
class GrowthPrior:
    """What is thought of growth before any figure of a series is read.

    The values were written down before any score was computed: services and technologies that are written about
    double in a year, give or take as much; rates differ from their mean by about as much, for about a year. What has
    just been launched may grow by far more at first: a factor of e**3 = 20 in a year is no surprise.

    Parameters
    ----------
    mean_growth : normal distribution
        Of the mean rate of the logarithm, in 1/year.
    rate_sd : distribution
        Of the standard deviation of the rate around its mean, in 1/year.
    half_life : distribution
        Of a shock to the rate, in years.
    definition_drift : distribution
        Standard deviation by which what a publisher counts drifts in a year, as a logarithm.
    growth_correlation : distribution
        Between the rates of several publishers, from 0 to 1.
    launch_sd : float
        Standard deviation of the rate at the first figure, around the centre of `mean_growth`, in 1/year.

    Examples
    --------
    >>> GrowthPrior().half_life.median().item()
    1.0
    """

    mean_growth: Distribution = field(default_factory=lambda: normal(mean=0.7, sd=0.7))
    rate_sd: Distribution = field(default_factory=lambda: lognormal(median=0.7, factor=4, prob=0.9))
    half_life: Distribution = field(default_factory=lambda: lognormal(median=1.0, factor=4, prob=0.9))
    definition_drift: Distribution = field(default_factory=lambda: lognormal(median=0.1, factor=3, prob=0.9))
    growth_correlation: Distribution = field(default_factory=lambda: uniform(0, 0.9))
    launch_sd: float = 3.0

    def __post_init__(self) -> None:
        for name in ("mean_growth", *HYPERPARAMETERS):
            object.__setattr__(self, name, as_distribution(getattr(self, name)))
        if self.mean_growth.family != "normal":
            raise DemandsimError(f"mean_growth must be a normal distribution, not {self.mean_growth}")

    def points(self, uniforms: Array) -> dict[str, Array]:
        """Hyperparameters at points of the unit cube, shape (points, 4)."""
        return {
            name: np.asarray(getattr(self, name).laws[0].ppf(uniforms[:, place]), dtype=np.float64)
            for place, name in enumerate(HYPERPARAMETERS)
        }


@dataclass(frozen=True, eq=False)
class Paths:
    """Draws of the posterior.

    Parameters
    ----------
    levels, rates : array of shape (chains, draws, publishers, years)
        Logarithms, and growth rates in 1/year.
    hyperparameters : mapping of str to array of shape (chains, draws)
    weighed : Weighed
        Of the points that they were chosen from.
    """

    levels: Array
    rates: Array
    hyperparameters: Mapping[str, Array]
    weighed: Weighed


@dataclass(frozen=True)
class RevertingGrowth:
    """A model of series whose growth rate reverts to a mean.

    Parameters
    ----------
    prior : GrowthPrior
    together : bool, default False
        Learn from the figures of all publishers that are given, and not only from those of the series forecast.
    points : int, default 1024
        Of hyperparameters per chain, a power of two.

    Examples
    --------
    >>> import demandsim as ds
    >>> from demandsim.forecasting import figures_of
    >>> figures = figures_of(ds.load_series("doubao-daily-tokens").daily_tokens)
    >>> paths = RevertingGrowth().paths([figures], np.array([2027.0]), draws=256, chains=4, seed=1)
    >>> paths.levels.shape
    (4, 256, 1, 1)
    """

    prior: GrowthPrior = field(default_factory=GrowthPrior)
    together: bool = False
    points: int = 1024

    def forecast(
        self, figures: Mapping[str, Figures], of: str, years: Array, *, draws: int, chains: int, seed: int
    ) -> Array:
        """Draws of the logarithm of one series, shape (chains, draws, years)."""
        others = [one for name, one in figures.items() if name != of and len(one)] if self.together else []
        return self.paths([figures[of], *others], years, draws=draws, chains=chains, seed=seed).levels[:, :, 0]

    def paths(self, figures: Sequence[Figures], years: Array, *, draws: int, chains: int, seed: int) -> Paths:
        """Draw paths of all publishers at `years`, given their figures."""
        timeline = _Timeline.of(figures, years)
        search = _Search(self.prior, timeline, len(figures), self.points, seed)
        weighed, points = search.weighed(chains)
        made, told = [], []
        for chain, (z, row) in enumerate(zip(points, weighed.log_weights, strict=True)):
            rng = keyed(seed, 12, 0, chain)
            process = search.process(z[:, rng.permutation(systematic(row, draws, rng))])
            states = smoothed_draws(*process.start(), process.steps(timeline), rng)
            made.append(states[:, timeline.asked].reshape(draws, years.size, len(figures), 3))
            told.append({**process.drawn, "mean_growth": states[:, -1, 2]})
        states = np.moveaxis(np.stack(made), 2, 3)
        names = (*HYPERPARAMETERS, "mean_growth")
        hyper = {name: np.stack([one[name] for one in told]) for name in names}
        return Paths(states[..., 0], states[..., 1], hyper, weighed)


@dataclass(frozen=True, eq=False)
class _Search:
    """Points of the hyperparameters: of the prior first, then of a proposal like what weighs most among these."""

    prior: GrowthPrior
    timeline: _Timeline
    publishers: int
    points: int
    seed: int

    @property
    def dims(self) -> int:
        """Hyperparameters, and the distance from each figure that is only a bound."""
        return len(HYPERPARAMETERS) + int(np.count_nonzero(self.timeline.sides))

    def process(self, z: Array) -> _Process:
        """The process at normal scores, shape (dims, points)."""
        uniforms = normal_scores(z).T
        excess = -EXCESS * np.log1p(-uniforms[:, len(HYPERPARAMETERS) :])
        return _Process(self.prior.points(uniforms) | {"excess": excess}, self.publishers, self.prior)

    def weighed(self, chains: int) -> tuple[Weighed, list[Array]]:
        """Points of every chain, shape (dims, points) each, and their weights."""
        first = [self._scores(self._cube(chain, 0)[2:]) for chain in range(chains)]
        weights = np.concatenate([self._likelihood(z) for z in first])
        rng = keyed(self.seed, 13)
        chosen = np.concatenate(first, axis=1)[:, systematic(weights, chains * self.points, rng)]
        proposal = fitted(chosen, 2, rng)
        drawn = [proposal.drawn(self._cube(chain, 1)) for chain in range(chains)]
        rows = [self._likelihood(z) - log_ratio for z, log_ratio in drawn]
        return weighed_by(np.stack(rows) - math.log(self.points)), [z for z, _ in drawn]

    def _cube(self, chain: int, round_: int) -> Array:
        from scipy.stats import qmc

        made = qmc.Sobol(self.dims + 2, rng=keyed(self.seed, 11, round_, chain)).random(self.points).T
        return np.asarray(np.clip(made, 1e-12, 1 - 1e-12))

    def _scores(self, uniforms: Array) -> Array:
        return np.asarray(np.reshape(standard_normal()(uniforms.ravel()), uniforms.shape))

    def _likelihood(self, z: Array) -> Array:
        process = self.process(z)
        return log_likelihood(*process.start(), process.steps(self.timeline))


@dataclass(frozen=True, eq=False)
class _Timeline:
    """Figures of all publishers and the years that are asked for, in order of time."""

    times: Array
    publishers: Array
    logs: Array
    variances: Array
    sides: Array
    order: npt.NDArray[np.intp]
    asked: npt.NDArray[np.intp]

    @classmethod
    def of(cls, figures: Sequence[Figures], years: Array) -> _Timeline:
        asked = len(years)
        none, no_one = np.zeros(asked), np.full(asked, -1)
        owners = [np.full(len(one), place) for place, one in enumerate(figures)]
        times = np.concatenate([*(one.years for one in figures), np.asarray(years, dtype=np.float64)])
        order = np.argsort(times, kind="stable")
        return cls(
            times,
            np.concatenate([*owners, no_one]),
            np.concatenate([*(one.logs for one in figures), none]),
            np.concatenate([*(one.sds**2 for one in figures), none]),
            np.concatenate([*(one.sides for one in figures), none]),
            order,
            np.argsort(order)[times.size - asked :],
        )


@dataclass(frozen=True, eq=False)
class _Process:
    """The process at many settings of its hyperparameters; three states per publisher: level, rate and mean rate."""

    drawn: Mapping[str, Array]
    publishers: int
    prior: GrowthPrior

    @property
    def settings(self) -> int:
        return int(self.drawn["rate_sd"].size)

    def _between(self, own: Array) -> Array:
        """A variance of each publisher, with the correlation between them; shape (settings, publishers, publishers)."""
        shared = self.drawn["growth_correlation"][:, None, None]
        return own[:, None, None] * (shared + (1 - shared) * np.eye(self.publishers))

    def start(self) -> tuple[Array, Array]:
        """Mean and covariance of the state at the first figure: any level, and the rate of a launch."""
        size = 3 * self.publishers
        centre, sd = (float(np.ravel(each())[0]) for each in (self.prior.mean_growth.mean, self.prior.mean_growth.sd))
        mean, covariance = np.zeros((self.settings, size)), np.zeros((self.settings, size, size))
        mean[:, 1::3] = mean[:, 2::3] = centre
        means = self._between(np.full(self.settings, sd**2))
        covariance[:, 0::3, 0::3] = _DIFFUSE**2 * np.eye(self.publishers)
        covariance[:, 2::3, 2::3] = means
        # A launch says nothing of the mean: a spread of its own, as in the equations of the study 'doubao-growth'.
        covariance[:, 1::3, 1::3] = self.prior.launch_sd**2 * np.eye(self.publishers)
        return mean, covariance

    def steps(self, timeline: _Timeline) -> list[Step]:
        """Steps from one time to the next."""
        found, bound, last = [], -np.ones(timeline.sides.size, dtype=int), float(timeline.times[timeline.order[0]])
        bound[timeline.sides != 0] = np.arange(np.count_nonzero(timeline.sides))
        for place in timeline.order:
            time, publisher = float(timeline.times[place]), int(timeline.publishers[place])
            move, noise = self._transition(time - last)
            last = time
            if publisher < 0:
                found.append(Step(move, noise))
                continue
            value: Any = timeline.logs[place]
            if bound[place] >= 0:
                value = value + timeline.sides[place] * self.drawn["excess"][:, bound[place]]
            found.append(Step(move, noise, 3 * publisher, value, float(timeline.variances[place])))
        return found

    def _transition(self, time: float) -> tuple[Array, Array]:
        size = 3 * self.publishers
        reach, covariances = transition(time, self.drawn["half_life"], self.drawn["rate_sd"])
        kept, gained = reach
        move, noise = np.tile(np.eye(size), (self.settings, 1, 1)), np.zeros((self.settings, size, size))
        for level in range(0, size, 3):
            move[:, level, level + 1], move[:, level, level + 2] = gained, time - gained
            move[:, level + 1, level + 1], move[:, level + 1, level + 2] = kept, 1 - kept
        own, cross, rate = (self._between(each) for each in covariances)
        drift = self.drawn["definition_drift"] ** 2 * time
        noise[:, 0::3, 0::3] = own + drift[:, None, None] * np.eye(self.publishers)
        noise[:, 0::3, 1::3] = noise[:, 1::3, 0::3] = cross
        noise[:, 1::3, 1::3] = rate
        return move, noise


def transition(time: float, half_life: Array, rate_sd: Array) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
    r"""Exact step of a reverting rate and of what it adds up to.

    .. math:: \phi = e^{-\kappa t}, \quad b = (1 - \phi) / \kappa, \quad \operatorname{Var} x = \frac{2 s^2}{\kappa}
        \Big(t - 2 b + \frac{1 - \phi^2}{2 \kappa}\Big), \quad \operatorname{Cov} = s^2 \kappa b^2, \quad
        \operatorname{Var} g = s^2 (1 - \phi^2)

    Returns
    -------
    (kept, gained), (level, cross, rate)
        :math:`\phi` and b; variances and covariance of what is new.

    Examples
    --------
    >>> (kept, gained), _ = transition(1.0, np.array([1.0]), np.array([0.5]))
    >>> float(kept[0]), round(float(gained[0]), 6)
    (0.5, 0.721348)
    """
    speed = math.log(2) / half_life
    x = speed * time
    kept, gained = np.exp(-x), -np.expm1(-x) / speed
    with np.errstate(all="ignore"):
        exact = 2 / speed**2 * (x + 2 * np.expm1(-x) - np.expm1(-2 * x) / 2)
    # Differences of nearly equal numbers, replaced by the series of them.
    short = 2 * time**2 * x * (1 / 3 - x / 4 + 7 * x**2 / 60)
    level = np.where(x < 1e-3, short, exact)
    variance = rate_sd**2
    return (kept, gained), (variance * level, variance * speed * gained**2, -variance * np.expm1(-2 * x))
