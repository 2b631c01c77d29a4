"""Laws that are objects of others: scipy's new distributions, and whatever has PreliZ's methods."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law

__all__ = ["ObjectLaw"]


@dataclass(frozen=True, eq=False)
class ObjectLaw(Law):
    """A law whose functions are the methods of an object, by the names of scipy's new kind or those of PreliZ.

    Parameters
    ----------
    x : object
        With ``icdf`` or ``ppf``, ``cdf``, ``logpdf``, ``mean``, ``standard_deviation`` or ``std``; where it has
        them, ``iccdf`` or ``isf``, ``ccdf`` or ``sf``, ``support``.
    """

    x: Any

    @property
    def kind(self) -> str:
        """Continuous or discrete."""
        bases = {base.__name__ for base in type(self.x).__mro__}
        discrete = "DiscreteDistribution" in bases or getattr(self.x, "kind", "") == "discrete"
        return "discrete" if discrete else "continuous"

    def _method(self, *names: str) -> Callable[..., Any] | None:
        return next((getattr(self.x, name) for name in names if hasattr(self.x, name)), None)

    def _asked(self, at: Any, *names: str) -> Array:
        method = self._method(*names)
        if method is None:
            raise AttributeError(f"{type(self.x).__name__} has no {' and no '.join(names)}")
        return np.asarray(method(at), dtype=np.float64)

    def _whole(self, x: Array) -> Array:
        # Between whole numbers some discrete distributions interpolate; none has probability there.
        return np.floor(x) if self.kind == "discrete" else np.asarray(x, dtype=np.float64)

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self._asked(u, "icdf", "ppf")

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self._asked(u, "iccdf", "isf") if self._method("iccdf", "isf") else super().isf(u)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return self._asked(self._whole(x), "cdf")

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return self._asked(self._whole(x), "ccdf", "sf") if self._method("ccdf", "sf") else super().sf(x)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        return self._asked(x, *(("logpmf", "logpdf") if self.kind == "discrete" else ("logpdf",)))

    def mean(self) -> float:
        """Expected value."""
        return float(self.x.mean())

    def std(self) -> float:
        """Standard deviation."""
        return float((self._method("standard_deviation") or self.x.std)())

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        ends = getattr(self.x, "support", None)
        low, high = ends() if callable(ends) else (-np.inf, np.inf) if ends is None else ends
        return float(low), float(high)

    def __reduce__(self) -> tuple[Any, ...]:
        from scipy import stats

        # scipy's own pickle of a named distribution brings the standard one, without its parameters.
        name = type(self.x).__name__
        if type(self.x) is getattr(stats, name, None):
            return _named, (name, dict(self.x._original_parameters))
        # Not every object survives its own pickle, and not every one that fails says so.
        u = np.array([1e-3, 0.25, 0.5, 0.75, 0.999])
        try:
            stored = pickle.dumps(self.x)
            same = np.array_equal(_revived(stored).ppf(u), self.ppf(u))
        except Exception as error:
            raise pickle.PicklingError(f"{self.x!r} cannot be sent to another process: {error}") from error
        if not same:
            raise pickle.PicklingError(f"{self.x!r} cannot be sent to another process: its copy has other quantiles")
        return _revived, (stored,)


def _revived(stored: bytes) -> ObjectLaw:
    return ObjectLaw(pickle.loads(stored))


def _named(name: str, parameters: dict[str, float]) -> ObjectLaw:
    from scipy import stats

    return ObjectLaw(getattr(stats, name)(**parameters))
