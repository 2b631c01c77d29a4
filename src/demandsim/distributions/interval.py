"""Intervals: another central interval for a distribution of the same family, and what cannot have one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from demandsim.distributions.base import Distribution
from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.distributions.format import is_labelled
from demandsim.distributions.metalog import MetalogLaw
from demandsim.errors import DistributionError

__all__ = ["central", "is_wide", "scaled", "shifted", "why_fixed", "with_interval"]

#: Why a distribution has no other interval, by the key of `why_fixed`.
_REASONS = {
    "sure": "it is a sure value",
    "no_interval": "it has no interval to ask for",
    "by_quantiles": "with labels it has only its quantiles",
}
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
    """Tell whether a family lives on the log scale, where steps of a slider are factors."""
    known = CONSTRUCTORS.get(distribution.family)
    return known is not None and known.interval is not None and known.support == "positive"


def why_fixed(distribution: Distribution) -> str:
    """Say why no slider can move a distribution and keep its family; empty if one can.

    Returns
    -------
    {"", "sure", "no_interval", "by_quantiles"}
        It is a sure value; its constructor takes no interval; with labels it has only its quantiles.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> why_fixed(dist.discrete([1, 2])), why_fixed(dist.normal(1, 2))
    ('no_interval', '')
    """
    if distribution.is_constant:
        return "sure"
    known = CONSTRUCTORS.get(distribution.family)
    if known is None or not known.moved_by or distribution.parts:
        return "no_interval"
    return "by_quantiles" if known.moved_by == "quantiles" and distribution.dims else ""


def _refuse_fixed(distribution: Distribution) -> None:
    if why := why_fixed(distribution):
        raise DistributionError(
            f"{distribution.family}(...) cannot be moved: {_REASONS[why]}; give another distribution"
        )


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
    _refuse_fixed(distribution)
    if not low < high:
        raise DistributionError("the low end must be below the high end")
    known, said = CONSTRUCTORS[distribution.family], _said(distribution)
    form = {name: said[name] for name in known.form if name in said}
    if known.moved_by == "interval":
        return known.make(low, high, **form, prob=prob)
    old_low, old_high = central(distribution, prob)
    if known.moved_by == "quantiles":
        law = cast(MetalogLaw, distribution.laws[0])
        return known.make(said["probs"], _stretched(law, said["values"], (old_low, old_high), (low, high)), **form)
    share = (said["mode"] - old_low) / (old_high - old_low)
    if 0 < share < 1:
        return known.make(low, _rounded(low + share * (high - low)), high, prob=prob, **form)
    # A mode in the tail: the whole shape is moved, with its bounds.
    factor = (high - low) / (old_high - old_low)
    ends = {name: _rounded(low + factor * (said[name] - old_low)) for name in ("low", "mode", "high")}
    return known.make(**ends, prob=said["prob"], **form)


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


def _changed(distribution: Distribution, names: tuple[str, ...], change: Callable[[Any], Any]) -> Distribution:
    _refuse_fixed(distribution)
    said = {name: _rounded(change(value)) if name in names else value for name, value in _said(distribution).items()}
    return CONSTRUCTORS[distribution.family].make(**said)


def _said(distribution: Distribution) -> dict[str, Any]:
    """What was said, by the names of the constructor's parameters."""
    names = iter(CONSTRUCTORS[distribution.family].parameters)
    return {name or next(names): value for name, value in distribution.said}


def _rounded(value: Any) -> Any:
    """Drop the digits of a computed number that nobody asked for; the text of it stays short."""
    if is_labelled(value):
        flat = [_rounded(item) for item in value.values.ravel().tolist()]
        return value.copy(data=np.reshape(flat, value.shape))
    return float(f"{value:.8g}")


def _stretched(law: MetalogLaw, values: Sequence[float], old: tuple[float, float], new: tuple[float, float]) -> Any:
    """Stretch the quantiles of a metalog linearly on the scale of its bounds, so that no value passes them."""
    if new[0] <= law.lower or new[1] >= law.upper:
        raise DistributionError(f"the interval must lie strictly between the bounds {law.lower:g} and {law.upper:g}")
    ends, places = law.unbounded(np.array([*old, *new]))[0], law.unbounded(np.array(values))[0]
    slope = (ends[3] - ends[2]) / (ends[1] - ends[0])
    return [_rounded(value) for value in law.bounded(ends[2] + slope * (places - ends[0])).tolist()]
