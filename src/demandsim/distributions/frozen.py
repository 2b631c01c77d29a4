"""A law that is a frozen distribution of `scipy.stats`, and how it travels between processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.bisect import first_double
from demandsim.distributions.closed_form import Named, named, named_in_scipy

__all__ = ["BetaLaw", "ScipyLaw", "StudentLaw", "law_of"]


@dataclass(frozen=True, eq=False)
class ScipyLaw(Law):
    """A law over a distribution of scipy.

    Parameters
    ----------
    rv : Named or frozen distribution
    quick : callable, optional
        The quantile function in closed form, to draw through; a table if there is none. An object
        that pickles, not a closure.
    moments : (mean, sd), optional
        Where the family knows them better than scipy computes them.
    bounds : (low, high), optional
        Where the family knows them better than ``loc + scale`` rounds them.
    """

    rv: Any
    quick: Callable[[Array], Array] | None = None
    moments: tuple[float, float] | None = None
    bounds: tuple[float, float] | None = None

    @property
    def kind(self) -> str:
        """Continuous or discrete."""
        if isinstance(self.rv, Named):
            return self.rv.kind
        return "continuous" if hasattr(self.rv, "logpdf") else "discrete"

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function that draws go through."""
        return self.quick or super().fast()

    def _within(self, x: Any) -> Array:
        found = np.asarray(x, dtype=np.float64)
        return found if self.bounds is None else np.clip(found, *self.bounds)

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self._within(self.rv.ppf(u))

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self._within(self.rv.isf(u))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.asarray(self.rv.cdf(x), dtype=np.float64)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return np.asarray(self.rv.sf(x), dtype=np.float64)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density (of the probability, if discrete) at `x`."""
        log = self.rv.logpmf if self.kind == "discrete" and not isinstance(self.rv, Named) else self.rv.logpdf
        return np.asarray(log(x), dtype=np.float64)

    def mean(self) -> float:
        """Expected value."""
        return float(self.rv.mean()) if self.moments is None else self.moments[0]

    def std(self) -> float:
        """Standard deviation."""
        return float(self.rv.std()) if self.moments is None else self.moments[1]

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        low, high = self.rv.support() if self.bounds is None else self.bounds
        return float(low), float(high)


def _repaired(x: Array, u: Array, rising: Callable[[Array], Any], sign: int = 1) -> Array:
    """Solve by bisection on (0, 1) for the quantiles that scipy answers with NaN."""
    failed = np.isnan(x) & (u > 0) & (u < 1)
    if not failed.any():
        return x
    level = sign * np.asarray(u, dtype=np.float64)[failed]
    x = np.array(x)
    x[failed] = first_double(lambda v, place: rising(v) >= level[place], np.zeros(level.size), np.ones(level.size))
    return x


@dataclass(frozen=True, eq=False)
class BetaLaw(ScipyLaw):
    """A beta between bounds, without two weaknesses of scipy's.

    Its quantile function fails at some extreme probabilities of ordinary betas; and its survival
    function takes ten times as long as its distribution function, which every table would pay.
    """

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        from scipy import special

        a, b = self.rv.shapes
        return self._stretched(_repaired(special.betaincinv(a, b, u), u, lambda x: special.betainc(a, b, x)))

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        from scipy import special

        a, b = self.rv.shapes
        return self._stretched(_repaired(special.betainccinv(a, b, u), u, lambda x: -special.betaincc(a, b, x), -1))

    def _stretched(self, x: Array) -> Array:
        low, high = self.support()
        return self._within(x if (low, high) == (0.0, 1.0) else low + (high - low) * x)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        from scipy import special

        a, b = self.rv.shapes
        low, high = self.support()
        x = np.clip(np.asarray(x, dtype=np.float64), low, high)
        below = special.betainc(a, b, (x - low) / (high - low))
        mirrored = special.betainc(b, a, (high - x) / (high - low))
        # Near the lower end the distance to the upper one has lost the digits that matter.
        out = np.where((x - low < high - x) & (below <= 0.9), 1.0 - below, mirrored)
        far = (below > 0.9) & (x - low < 1e-3 * (high - low))
        out[far] = special.betaincc(a, b, (x[far] - low) / (high - low))
        return np.asarray(out)


@dataclass(frozen=True, eq=False)
class StudentLaw(ScipyLaw):
    r"""Student's t, whose quantiles scipy gets wrong by 1e-8 around the median.

    There the probability between 0 and t is the series
    :math:`f(0) \, t \; {}_2F_1(\tfrac12, \tfrac{\nu + 1}{2}; \tfrac32; -t^2 / \nu)`.
    """

    def _centre(self, t: Array) -> tuple[Array, float, float]:
        """Probability between 0 and t; the density at 0; and how far the series is good."""
        from scipy import stats

        (df,) = self.rv.shapes
        top, term, total = float(stats.t.pdf(0.0, df)), np.ones_like(t), np.ones_like(t)
        for n in range(6):
            term = term * (-(t * t) * ((0.5 + n) * (df + 1 + 2 * n) / (2 * df) / ((1.5 + n) * (1 + n))))
            total = total + term
        return top * t * total, top, 0.02 * min(1.0, float(np.sqrt(df)))

    def _standard(self, x: Array) -> Array:
        return np.asarray((x - self.rv.loc) / self.rv.scale, dtype=np.float64)

    def _sides(self, x: Array, sign: int, far: Any) -> Array:
        t = self._standard(x)
        share, _, reach = self._centre(np.clip(t, -1.0, 1.0))
        return np.where(np.abs(t) < reach, 0.5 + sign * share, far)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return self._sides(x, 1, self.rv.cdf(x))

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return self._sides(x, -1, self.rv.sf(x))

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        asked = np.asarray(u, dtype=np.float64) - 0.5
        _, top, reach = self._centre(np.zeros(1))
        near = np.abs(asked) < 0.9 * reach * top
        t = asked[near] / top
        for _ in range(5):
            t += (asked[near] - self._centre(t)[0]) / top
        x: Array = np.array(self.rv.ppf(u), dtype=np.float64)
        x[near] = self.rv.loc + self.rv.scale * t
        return x

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        # Symmetric about loc.
        return np.asarray(2 * self.rv.loc - self.ppf(u))


#: Laws of ours where scipy's quantiles have weaknesses.
_MENDED: dict[str, type[ScipyLaw]] = {"beta": BetaLaw, "t": StudentLaw}


def law_of(rv: Any) -> ScipyLaw:
    """The law of a frozen distribution, or of one by name: ours where scipy's quantiles have weaknesses."""
    if not isinstance(rv, Named):
        if not named_in_scipy(rv.dist):
            return ScipyLaw(rv)
        rv = named(rv)
    return _MENDED.get(rv.name, ScipyLaw)(rv)
