"""Curves: rigid rivals of a growth rate that varies: exponential, logistic, Gompertz and Bass; and the naive forecast.

Each is the equation of its name in `demandsim.equations.growth`, fitted to logarithms of figures with wide priors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from demandsim._system import Array
from demandsim.distributions import loguniform, normal
from demandsim.distributions.base import Distribution, normal_scores, standard_normal
from demandsim.equations import growth
from demandsim.errors import DemandsimError, check_known
from demandsim.forecasting.figures import EXCESS, Figures
from demandsim.inference.importance import keyed, systematic, weighed_by
from demandsim.inference.proposal import Mixture

__all__ = ["CURVES", "Curve", "LastGrowth"]

#: Degrees of freedom of proposals, points per chain, and starts of the search for a mode.
_NU, _POINTS, _STARTS = 5.0, 1024, 6


@dataclass(frozen=True)
class _Family:
    """A curve, and the priors of its parameters: rates in 1/year, levels over the last or first figure known."""

    level: Callable[..., Array]
    priors: Mapping[str, Distribution]


def _bass(last: Array, since: Array, innovation: Array, imitation: Array, reach: Array) -> Array:
    return np.asarray(last * reach * growth.bass_share.function(innovation, imitation, since))


#: By name; of `since`, time counts from the first figure, and Bass' from half a year before it.
CURVES: Mapping[str, _Family] = MappingProxyType(
    {
        "exponential": _Family(
            lambda first, last, since, begin, rate: growth.exponential_growth.function(first * begin, rate, since),
            {"begin": normal(mean=0, sd=1), "rate": loguniform(0.02, 15)},
        ),
        "logistic": _Family(
            lambda first, last, since, begin, rate, reach: growth.logistic_growth.function(
                first * begin, rate, since, last * reach
            ),
            {"begin": normal(mean=0, sd=1), "rate": loguniform(0.02, 15), "reach": loguniform(0.5, 2000)},
        ),
        "gompertz": _Family(
            lambda first, last, since, begin, rate, reach: growth.gompertz_growth.function(
                first * begin, rate, since, last * reach
            ),
            {"begin": normal(mean=0, sd=1), "rate": loguniform(0.02, 15), "reach": loguniform(0.5, 2000)},
        ),
        "bass": _Family(
            lambda first, last, since, innovation, imitation, reach: _bass(
                last, since + 0.5, innovation, imitation, reach
            ),
            {"innovation": loguniform(1e-4, 1), "imitation": loguniform(0.05, 15), "reach": loguniform(0.5, 2000)},
        ),
    }
)


@dataclass(frozen=True)
class Curve:
    """A growth curve as a model of a series.

    Parameters
    ----------
    name : {"exponential", "logistic", "gompertz", "bass"}

    Examples
    --------
    >>> import demandsim as ds
    >>> from demandsim.forecasting import figures_of
    >>> figures = {"Doubao": figures_of(ds.load_series("doubao-daily-tokens").daily_tokens)}
    >>> Curve("gompertz").forecast(figures, "Doubao", np.array([2027.0]), draws=64, chains=2, seed=1).shape
    (2, 64, 1)
    """

    name: str

    def __post_init__(self) -> None:
        check_known([self.name], CURVES, "curve")

    def forecast(
        self, figures: Mapping[str, Figures], of: str, years: Array, *, draws: int, chains: int, seed: int
    ) -> Array:
        """Draws of the logarithm of one series, shape (chains, draws, years)."""
        own = figures[of]
        proposal = self._proposal(own, seed)
        points, rows = [], []
        for chain in range(chains):
            z, log_ratio = proposal.drawn(_cube(proposal.dims + 2, seed, chain))
            points.append(z)
            rows.append(self._fit(own, z) - log_ratio)
        weighed = weighed_by(np.stack(rows) - math.log(_POINTS))
        made = []
        for chain, (z, row) in enumerate(zip(points, weighed.log_weights, strict=True)):
            rng = keyed(seed, 22, 0, chain)
            made.append(self._logs(own, z[:, rng.permutation(systematic(row, draws, rng))], years))
        return np.stack(made)

    def _logs(self, own: Figures, z: Array, years: Array) -> Array:
        """Logarithms of the curve at scores of its parameters, shape (points, years)."""
        first, last = math.exp(own.logs[0]), math.exp(own.logs.max())
        values = []
        for law, row in zip(CURVES[self.name].priors.values(), z, strict=True):
            drawn = np.asarray(law.laws[0].ppf(normal_scores(row)), dtype=np.float64)
            values.append((np.exp(drawn) if law.family == "normal" else drawn)[:, None])
        since = (np.asarray(years) - own.years[0])[None, :]
        with np.errstate(all="ignore"):
            made = np.log(CURVES[self.name].level(first, last, since, *values))
        return np.nan_to_num(made, nan=-1e3, posinf=1e3, neginf=-1e3)

    def _residuals(self, own: Figures, z: Array) -> Array:
        """Differences from the figures in units of their error; a bound is read as its middle. Shape (points, n)."""
        read, sds = own.logs + EXCESS * own.sides, np.hypot(own.sds, EXCESS * np.abs(own.sides))
        return (self._logs(own, z, own.years) - read) / sds

    def _fit(self, own: Figures, z: Array) -> Array:
        off = self._residuals(own, z)
        sds = np.hypot(own.sds, EXCESS * np.abs(own.sides))
        return -0.5 * np.sum(off * off + np.log(2 * math.pi * sds**2), axis=1)

    def _proposal(self, own: Figures, seed: int) -> Mixture:
        """Student's t at each mode that a search from many points finds."""
        from scipy.optimize import least_squares

        dims = len(CURVES[self.name].priors)
        z = standard_normal()(_cube(dims, seed, -1).ravel()).reshape(dims, -1)
        fits = self._fit(own, z) - 0.5 * np.sum(z * z, axis=0)

        def misfit(one: Array) -> Array:
            return np.concatenate([one, np.clip(self._residuals(own, one[:, None])[0], -1e4, 1e4)])

        modes: list[tuple[float, Array, Array]] = []
        for start in np.argsort(-fits)[: _STARTS * 40 : 40]:
            found = least_squares(misfit, z[:, start], method="lm", max_nfev=200)
            if all(np.max(np.abs(found.x - mode)) > 0.05 for _, mode, _ in modes):
                covariance = np.linalg.inv(found.jac.T @ found.jac + 1e-9 * np.eye(dims))
                modes.append((-found.cost, found.x, np.linalg.cholesky((covariance + covariance.T) / 2)))
        best = max(cost for cost, _, _ in modes)
        kept = [mode for mode in modes if mode[0] > best - 8]
        weights = np.array([math.exp(cost - best) * float(np.prod(np.diag(root))) for cost, _, root in kept])
        shares = 0.8 * weights / weights.sum() + 0.2 / len(kept)
        # The prior is a part of it: what no mode reaches stays in sight.
        parts = (np.append(0.9 * shares, 0.1), [*(m for _, m, _ in kept), np.zeros(dims)])
        roots = [*(1.2 * root for _, _, root in kept), np.eye(dims)]
        return Mixture(parts[0], np.array(parts[1]), np.array(roots), _NU)


@dataclass(frozen=True)
class LastGrowth:
    """The naive forecast: the growth between the last two figures goes on.

    Its draws differ by the errors of these two figures alone. One figure says nothing of growth: it stays as it is.

    Examples
    --------
    >>> one = np.array([2024.0, 2025.0])
    >>> figures = {"x": Figures(one, np.array([0.0, 1.0]), 0.01 * np.ones(2), np.zeros(2), one)}
    >>> round(float(np.median(LastGrowth().forecast(figures, "x", one + 2, draws=99, chains=1, seed=1)[..., 1])), 1)
    3.0
    """

    def forecast(
        self, figures: Mapping[str, Figures], of: str, years: Array, *, draws: int, chains: int, seed: int
    ) -> Array:
        """Draws of the logarithm of one series, shape (chains, draws, years)."""
        own = figures[of]
        if not len(own):
            raise DemandsimError(f"'{of}' has no figure yet: nothing goes on")
        noise = np.stack([keyed(seed, 23, 0, chain).standard_normal((draws, 2)) for chain in range(chains)])
        last = own.logs[-1] + EXCESS * own.sides[-1] + own.sds[-1] * noise[..., :1]
        before = own[own.years < own.years[-1] - 1 / 52]
        if not len(before):
            return np.asarray(last + np.zeros(len(years)))
        first = before.logs[-1] + EXCESS * before.sides[-1] + before.sds[-1] * noise[..., 1:]
        rate = (last - first) / (own.years[-1] - before.years[-1])
        return np.asarray(last + rate * (np.asarray(years) - own.years[-1]))


def _cube(dims: int, seed: int, chain: int) -> Array:
    from scipy.stats import qmc

    made = qmc.Sobol(dims, rng=keyed(seed, 21, 0, chain + 1)).random(_POINTS).T
    return np.asarray(np.clip(made, 1e-12, 1 - 1e-12))
