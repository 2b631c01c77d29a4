"""Intervals: another central interval for a distribution of the same family, and what cannot have one."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from demandsim import distributions
from demandsim.distributions.base import Distribution, is_labelled
from demandsim.errors import DistributionError
from demandsim.locale import Words, words_of

__all__ = ["central", "is_wide", "scaled", "shifted", "why_fixed", "with_interval"]

#: Families whose constructor takes a central interval, with what else was said that must stay.
_BY_INTERVAL: dict[str, tuple[str, ...]] = {
    "normal": (),
    "lognormal": (),
    "uniform": (),
    "loguniform": (),
    "beta": (),
    "gamma": (),
    "student_t": ("df",),
}
_AROUND_MODE = ("triangular", "pert")
#: Families that live on the log scale, where steps of a slider are factors.
_WIDE = ("lognormal", "loguniform", "gamma")
#: What is multiplied when all values are, and what is moved when all values are.
_SIZES = ("low", "mode", "high", "mean", "sd", "median")
_PLACES = ("low", "mode", "high", "mean")


def central(distribution: Distribution, prob: float = 0.9) -> tuple[float, float]:
    """Ends of the central interval of a distribution without dims.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> [round(end, 9) for end in central(dist.uniform(0, 10))]
    [0.5, 9.5]
    """
    return float(distribution.ppf((1 - prob) / 2)), float(distribution.ppf((1 + prob) / 2))


def is_wide(distribution: Distribution) -> bool:
    """Tell whether a family lives on the log scale."""
    return distribution.family in _WIDE


def why_fixed(distribution: Distribution, words: Words | None = None) -> str:
    """Say why no slider can move a distribution and keep its family; empty if one can.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> why_fixed(dist.discrete([1, 2])), why_fixed(dist.normal(1, 2))
    ('Discrete: no interval to ask for', '')
    """
    words, family = words or words_of("en", "explorer"), distribution.family
    if distribution.is_constant:
        return words.say("sure")
    movable = (*_BY_INTERVAL, *_AROUND_MODE) + (() if distribution.dims else ("metalog",))
    if family in movable:
        return ""
    return words.say("by_quantiles" if family == "metalog" else "no_interval", family=words.family(family))


def with_interval(distribution: Distribution, low: float, high: float, prob: float = 0.9) -> Distribution:
    """Return a distribution of the same family whose central interval is (low, high).

    Raises
    ------
    DistributionError
        If the family has none with that interval.

    Notes
    -----
    PERT and triangular keep the place of their mode within the interval. A metalog is stretched on the scale on
    which it is linear: that of its values, or of the logarithm of their distance from a bound, which stays.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> with_interval(dist.beta(mean=0.45, sd=0.1), 0.2, 0.5)
    beta(0.2, 0.5, prob=0.9)
    >>> with_interval(dist.pert(0, 1, 2), 10, 20).ppf([0.05, 0.95]).round(6)
    array([10., 20.])
    """
    if why := why_fixed(distribution):
        raise DistributionError(f"{distribution.family}(...) cannot be moved ({why}); give another distribution")
    if not low < high:
        raise DistributionError(words_of("en", "explorer").say("crossed"))
    family, make = distribution.family, getattr(distributions, distribution.family)
    said = _said(distribution)
    if family in _BY_INTERVAL:
        kept = {name: said[name] for name in _BY_INTERVAL[family] if name in said}
        return _same(make(low, high, **kept, prob=prob))
    if family == "metalog":
        return _stretched(distribution, said, low, high, prob)
    old_low, old_high = central(distribution, prob)
    share, kept = (said["mode"] - old_low) / (old_high - old_low), {n: said[n] for n in ("shape",) if n in said}
    if 0 < share < 1:
        return _same(make(low, _rounded(low + share * (high - low)), high, prob=prob, **kept))
    # A mode in the tail: the whole shape is moved, with its bounds.
    factor = (high - low) / (old_high - old_low)
    ends = {name: _rounded(low + factor * (said[name] - old_low)) for name in ("low", "mode", "high")}
    return _same(make(**ends, **{name: said[name] for name in ("prob", "shape") if name in said}))


def scaled(distribution: Distribution, factor: float) -> Distribution:
    """Multiply every value, at all labels, by one factor.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> scaled(dist.lognormal(median=100, factor=2), 1.5)
    lognormal(median=150, factor=2, prob=0.9)
    """
    return _changed(distribution, _SIZES, lambda value: value * factor)


def shifted(distribution: Distribution, by: float) -> Distribution:
    """Move every value, at all labels, by the same amount.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> shifted(dist.normal(-0.25, 0.25), 0.1)
    normal(-0.15, 0.35, prob=0.9)
    """
    return _changed(distribution, _PLACES, lambda value: value + by)


def _changed(distribution: Distribution, names: tuple[str, ...], change: Any) -> Distribution:
    if why := why_fixed(distribution):
        raise DistributionError(f"{distribution.family}(...) cannot be moved ({why}); give another distribution")
    said = {name: _rounded(change(value)) if name in names else value for name, value in _said(distribution).items()}
    return _same(getattr(distributions, distribution.family)(**said))


def _said(distribution: Distribution) -> dict[str, Any]:
    """What was said, by the names of the constructor's parameters."""
    names = iter(inspect.signature(getattr(distributions, distribution.family)).parameters)
    return {name or next(names): value for name, value in distribution.said}


def _rounded(value: Any) -> Any:
    """Drop the digits of a computed number that nobody asked for; the text of it stays short."""
    if is_labelled(value):
        flat = [_rounded(item) for item in value.values.ravel().tolist()]
        return value.copy(data=np.reshape(flat, value.shape))
    return float(f"{value:.8g}")


def _stretched(distribution: Distribution, said: dict[str, Any], low: float, high: float, prob: float) -> Distribution:
    """Stretch a metalog linearly on the scale of its bounds, so that no value passes them."""
    lower, upper = float(said.get("lower", -math.inf)), float(said.get("upper", math.inf))
    if low <= lower or high >= upper:
        raise DistributionError(f"the interval must lie strictly between the bounds {lower:g} and {upper:g}")

    def there(x: float) -> float:
        if math.isfinite(lower) and math.isfinite(upper):
            return math.log((x - lower) / (upper - x))
        return math.log(x - lower) if math.isfinite(lower) else -math.log(upper - x) if math.isfinite(upper) else x

    def back(y: float) -> float:
        if math.isfinite(lower) and math.isfinite(upper):
            return lower + (upper - lower) / (1 + math.exp(-y))
        return lower + math.exp(y) if math.isfinite(lower) else upper - math.exp(-y) if math.isfinite(upper) else y

    old_low, old_high = (there(end) for end in central(distribution, prob))
    slope = (there(high) - there(low)) / (old_high - old_low)
    values = [_rounded(back(there(low) + slope * (there(value) - old_low))) for value in said["values"]]
    bounds = {name: said[name] for name in ("lower", "upper") if name in said}
    return _same(distributions.metalog(said["probs"], values, **bounds))


def _same(made: Any) -> Distribution:
    assert isinstance(made, Distribution)
    return made
