"""Laws that are objects of others: scipy's new distributions, and whatever has PreliZ's methods."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.inversion import tabulate

__all__ = ["DuckLaw", "NewScipyLaw"]


@dataclass(frozen=True, eq=False)
class _ObjectLaw:
    """What both kinds share: the object, a table of its quantiles, and a copy that is checked."""

    x: Any

    @property
    def kind(self) -> str:
        """Continuous or discrete."""
        raise NotImplementedError

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        raise NotImplementedError

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        raise NotImplementedError

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        raise NotImplementedError

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        raise NotImplementedError

    def _whole(self, x: Array) -> Array:
        # Between whole numbers some discrete distributions interpolate; none has probability there.
        return np.floor(x) if self.kind == "discrete" else np.asarray(x, dtype=np.float64)

    def fast(self) -> Callable[[Array], Array]:
        """A table of the quantile function."""
        return tabulate(self.ppf, self.cdf, self.sf, self.isf)

    def __reduce__(self) -> tuple[Any, ...]:
        # Not every object survives its own pickle, and not every one that fails says so.
        u = np.array([1e-3, 0.25, 0.5, 0.75, 0.999])
        try:
            stored = pickle.dumps(self.x)
            same = np.array_equal(type(self)(pickle.loads(stored)).ppf(u), self.ppf(u))
        except Exception as error:
            raise pickle.PicklingError(f"{self.x!r} cannot be sent to another process: {error}") from error
        if not same:
            raise pickle.PicklingError(f"{self.x!r} cannot be sent to another process: its copy has other quantiles")
        return _revived, (type(self), stored)


def _revived(kind: type[_ObjectLaw], stored: bytes) -> _ObjectLaw:
    return kind(pickle.loads(stored))


@dataclass(frozen=True, eq=False)
class NewScipyLaw(_ObjectLaw):
    """A law that is a `ContinuousDistribution` or `DiscreteDistribution` object of scipy."""

    @property
    def kind(self) -> str:
        """Continuous or discrete."""
        bases = {base.__name__ for base in type(self.x).__mro__}
        return "discrete" if "DiscreteDistribution" in bases else "continuous"

    def __reduce__(self) -> tuple[Any, ...]:
        from scipy import stats

        # scipy's own pickle of a named distribution brings the standard one, without its parameters.
        kind = getattr(stats, type(self.x).__name__, None)
        if type(self.x) is kind:
            return _named, (type(self.x).__name__, dict(self.x._original_parameters))
        return super().__reduce__()

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return np.asarray(self.x.icdf(u), dtype=np.float64)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return np.asarray(self.x.iccdf(u), dtype=np.float64)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.asarray(self.x.cdf(self._whole(x)), dtype=np.float64)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return np.asarray(self.x.ccdf(self._whole(x)), dtype=np.float64)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        log = self.x.logpmf if self.kind == "discrete" else self.x.logpdf
        return np.asarray(log(x), dtype=np.float64)

    def mean(self) -> float:
        """Expected value."""
        return float(self.x.mean())

    def std(self) -> float:
        """Standard deviation."""
        return float(self.x.standard_deviation())

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        low, high = self.x.support()
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class DuckLaw(_ObjectLaw):
    """A law with the methods of PreliZ: ``ppf``, ``cdf``, ``logpdf``, ``mean``, ``std``."""

    @property
    def kind(self) -> str:
        """What the object says it is."""
        return "discrete" if getattr(self.x, "kind", "continuous") == "discrete" else "continuous"

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return np.asarray(self.x.ppf(u), dtype=np.float64)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        inverse = getattr(self.x, "isf", None)
        return np.asarray(inverse(u) if inverse is not None else self.x.ppf(1.0 - u), dtype=np.float64)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.asarray(self.x.cdf(self._whole(x)), dtype=np.float64)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        survival, x = getattr(self.x, "sf", None), self._whole(x)
        return np.asarray(survival(x) if survival is not None else 1.0 - self.x.cdf(x), dtype=np.float64)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        return np.asarray(self.x.logpdf(x), dtype=np.float64)

    def mean(self) -> float:
        """Expected value."""
        return float(self.x.mean())

    def std(self) -> float:
        """Standard deviation."""
        return float(self.x.std())

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        ends = getattr(self.x, "support", None)
        low, high = ends() if callable(ends) else ends if ends is not None else (-np.inf, np.inf)
        return float(low), float(high)


def _named(name: str, parameters: dict[str, float]) -> NewScipyLaw:
    from scipy import stats

    return NewScipyLaw(getattr(stats, name)(**parameters))
