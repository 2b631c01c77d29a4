"""A law that is a frozen distribution of `scipy.stats`, and how it travels between processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim.distributions.inverses import tabulate
from demandsim.distributions.law import Array

__all__ = ["BetaLaw", "ScipyLaw", "named_in_scipy"]


@dataclass(frozen=True, eq=False)
class ScipyLaw:
    """A law over a frozen distribution of scipy.

    Parameters
    ----------
    rv : frozen distribution
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
        return "continuous" if hasattr(self.rv, "logpdf") else "discrete"

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function that draws go through."""
        return self.quick if self.quick is not None else tabulate(self.ppf, self.cdf, self.sf, self.isf)

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
        """Logarithm of the density at `x`."""
        log = self.rv.logpdf if self.kind == "continuous" else self.rv.logpmf
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

    def __reduce__(self) -> tuple[Any, ...]:
        # By name and parameters: a frozen distribution pickles 12 kB of machinery otherwise.
        rv: Any = _Named(self.rv.dist.name, self.rv.args, self.rv.kwds) if named_in_scipy(self.rv.dist) else self.rv
        return _remade, (type(self), rv, self.quick, self.moments, self.bounds)


@dataclass(frozen=True)
class _Named:
    name: str
    args: tuple[Any, ...]
    kwds: dict[str, Any]


def named_in_scipy(dist: Any) -> bool:
    """Tell whether `scipy.stats` has this very distribution under its name."""
    from scipy import stats

    return type(getattr(stats, dist.name, None)) is type(dist)


def _remade(kind: type[ScipyLaw], rv: Any, quick: Any, moments: Any, bounds: Any) -> ScipyLaw:
    from scipy import stats

    frozen = getattr(stats, rv.name)(*rv.args, **rv.kwds) if isinstance(rv, _Named) else rv
    return kind(frozen, quick, moments, bounds)


@dataclass(frozen=True, eq=False)
class BetaLaw(ScipyLaw):
    """A beta between bounds, with a survival function that costs what its distribution function does.

    scipy's own takes ten times as long, which every table and mixture would pay.
    """

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        from scipy import special

        a, b = self.rv.args
        low, high = self.support()
        x = np.clip(np.asarray(x, dtype=np.float64), low, high)
        below = special.betainc(a, b, (x - low) / (high - low))
        mirrored = special.betainc(b, a, (high - x) / (high - low))
        # Near the lower end the distance to the upper one has lost the digits that matter.
        out = np.where((x - low < high - x) & (below <= 0.9), 1.0 - below, mirrored)
        far = (below > 0.9) & (x - low < 1e-3 * (high - low))
        out[far] = special.betaincc(a, b, (x[far] - low) / (high - low))
        return np.asarray(out)
