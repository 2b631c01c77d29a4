"""Distributions of scipy and PreliZ, numbers and texts, taken as they are."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from demandsim.distributions.compose import constant
from demandsim.distributions.families import ScipyLaw
from demandsim.distributions.law import Array, Distribution, Law, is_labelled
from demandsim.errors import DistributionError, did_you_mean

__all__ = ["as_distribution", "scipy_distribution"]


@dataclass(frozen=True, eq=False)
class NewScipyLaw:
    """A law that is a `ContinuousDistribution` or `DiscreteDistribution` object of scipy."""

    x: Any
    direct: bool = False

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return np.asarray(self.x.icdf(u), dtype=np.float64)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return np.asarray(self.x.iccdf(u), dtype=np.float64)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.asarray(self.x.cdf(x), dtype=np.float64)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return np.asarray(self.x.ccdf(x), dtype=np.float64)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        return np.asarray(self.x.logpdf(x), dtype=np.float64)

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
class DuckLaw:
    """A law with the methods of PreliZ: ``ppf``, ``cdf``, ``logpdf``, ``mean``, ``std``."""

    x: Any
    direct: bool = False

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return np.asarray(self.x.ppf(u), dtype=np.float64)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        inverse = getattr(self.x, "isf", None)
        return np.asarray(inverse(u) if inverse is not None else self.x.ppf(1.0 - u), dtype=np.float64)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.asarray(self.x.cdf(x), dtype=np.float64)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        survival = getattr(self.x, "sf", None)
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


def _scipy_menu(name: str) -> Any:
    from scipy import stats

    menu = {
        key: value
        for key, value in vars(stats).items()
        if isinstance(value, (stats.rv_continuous, stats.rv_discrete))
        or key in ("Normal", "Uniform", "Logistic", "Binomial")
    }
    if name not in menu:
        raise DistributionError(f"scipy has no distribution '{name}'{did_you_mean(name, menu)}")
    return menu[name]


def scipy_distribution(name: str, *args: Any, **kwargs: Any) -> Distribution:
    """A distribution of `scipy.stats` by name, as study files write it: ``scipy("gamma", 2, scale=3)``.

    Parameters
    ----------
    name : str
        Name in `scipy.stats`; legacy (``"gamma"``) or new (``"Normal"``).
    *args, **kwargs : float
        Its parameters.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If scipy has no such distribution, or not with these parameters.

    Examples
    --------
    >>> scipy_distribution("expon", scale=2.0).mean()
    np.float64(2.0)
    """
    factory = _scipy_menu(name)
    try:
        made = factory(*args, **kwargs)
    except (TypeError, ValueError) as error:
        raise DistributionError(f"scipy distribution '{name}': {error}") from None
    return as_distribution(made)


def _from_frozen(frozen: Any) -> Distribution:
    from scipy import stats

    parameters = [*frozen.args, *frozen.kwds.values()]
    if any(np.ndim(value) for value in parameters):
        raise DistributionError(
            f"scipy distribution '{frozen.dist.name}' has array parameters; use a constructor of "
            "demandsim.distributions with DataArrays, so that the dims have names"
        )
    said = [("", frozen.dist.name), *(("", v) for v in frozen.args), *frozen.kwds.items()]
    discrete = isinstance(frozen.dist, stats.rv_discrete)
    law = ScipyLaw(frozen, frozen.ppf if discrete else None)
    return _checked(Distribution("scipy", tuple(said), (law,)))


def _from_new(x: Any) -> Distribution:
    if np.shape(x.mean()):
        raise DistributionError("a scipy distribution with array parameters has no named dims; use DataArrays instead")
    from scipy import stats

    name = type(x).__name__
    if name == "CustomDistribution" or type(x) is not getattr(stats, name, None):
        return _checked(Distribution("scipy object", (("", repr(x)),), (NewScipyLaw(x, _is_discrete(x)),)))
    said = [("", name), *((key, float(value)) for key, value in x._original_parameters.items())]
    return _checked(Distribution("scipy", tuple(said), (NewScipyLaw(x, _is_discrete(x)),)))


def _is_discrete(x: Any) -> bool:
    return any(base.__name__ == "DiscreteDistribution" for base in type(x).__mro__)


def _checked(distribution: Distribution) -> Distribution:
    law = distribution.laws[0]
    quartiles = law.ppf(np.array([0.25, 0.5, 0.75]))
    if not np.all(np.isfinite(quartiles)) or quartiles[0] > quartiles[2]:
        raise DistributionError(f"{distribution}: its quantile function gives {quartiles.tolist()} at 0.25, 0.5, 0.75")
    return distribution


def as_distribution(value: Any) -> Distribution:
    """Take whatever has a quantile function as a distribution.

    Parameters
    ----------
    value : Distribution, number, DataArray, str, scipy or PreliZ distribution
        A number or a DataArray of numbers is constant; a text is read by the grammar of study files.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If it is none of these, or its quantile function gives no numbers.

    Examples
    --------
    >>> from scipy import stats
    >>> as_distribution(stats.gamma(2, scale=3))
    scipy("gamma", 2, scale=3)
    >>> as_distribution("beta(mean=0.45, sd=0.1)").mean().round(9)
    np.float64(0.45)
    """
    if isinstance(value, Distribution):
        return value
    if isinstance(value, (bool, np.bool_)):
        raise DistributionError(f"{value} is neither a number nor a distribution")
    if is_labelled(value):
        return constant(value)
    if isinstance(value, numbers.Real):
        return constant(float(value))
    if isinstance(value, str):
        from demandsim.distributions.grammar import parse_distribution

        return parse_distribution(value)
    if hasattr(value, "dist") and hasattr(value, "ppf"):
        return _from_frozen(value)
    if hasattr(value, "icdf") and hasattr(value, "iccdf"):
        return _from_new(value)
    if hasattr(value, "ppf") and hasattr(value, "cdf"):
        law = cast(Law, DuckLaw(value, direct=getattr(value, "kind", "continuous") == "discrete"))
        return _checked(Distribution("object", (("", repr(value)),), (law,)))
    raise DistributionError(
        f"{value!r} of type {type(value).__name__} is not a distribution: it has no quantile function ('ppf' or 'icdf')"
    )
