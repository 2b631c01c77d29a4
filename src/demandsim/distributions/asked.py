"""What may be asked of a family: an interval or moments, finite and in order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from demandsim.distributions.base import Law
from demandsim.errors import DistributionError

__all__ = [
    "Parameter",
    "central_z",
    "check_finite",
    "check_interval",
    "check_mode",
    "check_moments",
    "default_prob",
    "drop_infinite",
    "either",
    "positive",
]

#: A number, or a DataArray with one number per year, hardware, ...
type Parameter = Any


def check_finite(**values: float | None) -> None:
    """Raise unless every number given is finite."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise DistributionError(f"{name} must be a finite number, not {value}")


def check_interval(low: float, high: float, prob: float) -> None:
    """Raise unless the numbers make a central interval."""
    check_finite(low=low, high=high, prob=prob)
    if not low < high:
        raise DistributionError("low must be below high; a mean and an sd are given by name, as mean= and sd=")
    if not 0.0 < prob < 1.0:
        raise DistributionError("prob must lie between 0 and 1 (for example 0.9 for P5 to P95)")
    if not math.isfinite(high - low):
        raise DistributionError("low and high are too far apart for a double")


def check_moments(mean: float, sd: float, *, above_zero: str = "", prob: float | None = None) -> None:
    """Raise unless the numbers are moments; of the family `above_zero`, if its values are positive."""
    if prob is not None:
        raise DistributionError("prob belongs to an interval; with mean and sd leave it out")
    check_finite(mean=mean, sd=sd)
    if not sd > 0:
        raise DistributionError("sd must be positive (for a sure value use constant)")
    if above_zero and not mean > 0:
        raise DistributionError(f"mean must be positive: {above_zero} has no values at or below 0")


def check_mode(low: float, mode: float, high: float, prob: float) -> None:
    """Raise unless the numbers are bounds, or an interval, around a mode."""
    check_finite(low=low, mode=mode, high=high, prob=prob)
    if not low < high:
        raise DistributionError("low must be below high")
    if not low <= mode <= high:
        raise DistributionError("mode must lie between low and high")
    if not 0 < prob <= 1:
        raise DistributionError("prob must lie between 0 and 1, or be 1 for bounds")
    if prob < 1 and not low < mode < high:
        raise DistributionError("with prob below 1 the mode must lie strictly between low and high")
    if not math.isfinite(high - low):
        raise DistributionError("low and high are too far apart for a double")


def either(interval: tuple[Any, Any], moments: tuple[Any, Any], words: str = "mean and sd") -> bool:
    """Return True for an interval, False for moments; raise unless exactly one is complete."""
    whole = [None not in pair for pair in (interval, moments)]
    parts = [any(item is not None for item in pair) for pair in (interval, moments)]
    if whole == parts and whole.count(True) == 1:
        return whole[0]
    raise DistributionError(f"give either low and high, or {words}, and both of them")


def default_prob(prob: Parameter, interval: Parameter, default: float = 0.9) -> Parameter:
    """Probability of an interval that was given without one; None where there is no interval."""
    return default if prob is None and interval is not None else prob


def central_z(prob: float) -> float:
    """Half-width, in standard deviations, of a normal's central interval."""
    from scipy import special

    # From the tail: 1 - prob keeps the digits of a prob near 1.
    return -float(special.ndtri((1.0 - prob) / 2))


def drop_infinite(lower: Parameter, upper: Parameter) -> tuple[Parameter, Parameter]:
    """A bound at its own infinity is none: None instead."""
    return (
        None if isinstance(lower, float) and lower == -math.inf else lower,
        None if isinstance(upper, float) and upper == math.inf else upper,
    )


def positive(law: Law) -> Law:
    """Return a law of positive values if none of them, in practice, becomes zero in a double."""
    with np.errstate(all="ignore"):
        lost = law.cdf(np.array([np.finfo(np.float64).tiny]))[0]
    if not lost < 1e-9:
        raise DistributionError("it is so wide that its smallest values are zero in a double")
    return law
