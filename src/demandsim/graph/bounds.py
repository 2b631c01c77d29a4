"""Bounds: what a quantity can be; a value outside raises, probability outside is said with what to use instead."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from demandsim.distributions.base import Distribution, is_labelled
from demandsim.errors import BoundsError, BoundsWarning, DemandsimError, DistributionError, UnitError, warn
from demandsim.units.format import percent

__all__ = ["Bounds", "about", "check_point", "warn_outside"]

#: Probability outside that is not worth a word: none of a billion draws.
_NEGLIGIBLE = 1e-9
#: What rounding may add to a bound that is not 0.
_ROOM = 1e-9

#: Name of the assumption that is being made, where it is known.
_NAME: ContextVar[str] = ContextVar("name", default="")


class Bounds(NamedTuple):
    """Least and greatest value that a quantity can have, in its unit; None where there is no bound.

    Examples
    --------
    >>> Bounds.of((0, 1)).holds(0.45), Bounds.of((0, None)).holds(-1)
    (True, False)
    """

    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, given: Any) -> Bounds | None:
        """Read a pair as it is written in code or in a study file, where infinity stands for no bound.

        Raises
        ------
        BoundsError
            If it is no pair of numbers, or they are out of order.
        """
        if given is None:
            return None
        wrong = f"bounds must be a pair such as (0, 1), or (0, None) without an upper bound, not {given!r}"
        if isinstance(given, str) or np.ndim(given) != 1 or len(given) != 2:
            raise BoundsError(wrong)
        try:
            low, high = (-math.inf if given[0] is None else given[0]), (math.inf if given[1] is None else given[1])
            low, high = float(low), float(high)
        except (TypeError, ValueError):
            raise BoundsError(wrong) from None
        if math.isnan(low) or math.isnan(high):
            raise BoundsError(wrong)
        if not low < high:
            raise BoundsError(f"bounds must have the lower one first and the greater one last, not {given!r}")
        return cls(low if math.isfinite(low) else None, high if math.isfinite(high) else None)

    @property
    def ends(self) -> tuple[float, float]:
        """As numbers, infinite where there is no bound."""
        return (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)

    def scaled(self, factor: float) -> Bounds:
        """In a unit of which `factor` make up one of this one's."""
        return Bounds(*(None if end is None else end * factor for end in self))

    def roomy(self) -> tuple[float, float]:
        """The ends, with room for the rounding of a computed value; a bound of 0 needs none."""
        low, high = self.ends
        return (low - _ROOM * abs(low) if low else low), (high + _ROOM * abs(high) if high else high)

    def holds(self, value: float) -> bool:
        """Whether a value is possible."""
        low, high = self.roomy()
        return low <= value <= high

    def passed(self, value: float) -> str:
        """Say which bound a value outside lies beyond: ``below the lower bound 0``."""
        low, high = self.ends
        return f"below its lower bound {low:g}" if value < low else f"above its upper bound {high:g}"

    def __str__(self) -> str:
        low, high = (None if end is None else f"{end:g}" for end in self)
        if low is None or high is None:
            return "any number" if low == high else f"at least {low}" if high is None else f"at most {high}"
        return f"{low} to {high}"


@contextlib.contextmanager
def about(name: str) -> Iterator[None]:
    """Have what is said inside, of an assumption that does not know its own name, name it."""
    token = _NAME.set(name)
    try:
        yield
    except (DistributionError, UnitError) as error:
        if name in str(error):
            raise
        raise type(error)(f"'{name}': {error}") from None
    finally:
        _NAME.reset(token)


def _subject() -> str:
    return f"'{_NAME.get()}': " if _NAME.get() else ""


def check_point(point: Any, bounds: Bounds | None, unit: str) -> None:
    """Raise if a point, or that of a label, is impossible.

    Raises
    ------
    BoundsError
        With the bound, and with what was probably meant.
    """
    if bounds is None:
        return
    for value in point.values.ravel().tolist() if is_labelled(point) else [float(point)]:
        if not bounds.holds(value):
            in_unit = "" if unit == "1" else f" {unit}"
            raise BoundsError(f"{_subject()}{value:g}{in_unit} is {bounds.passed(value)}{_meant(value, bounds, unit)}")


def _meant(value: float, bounds: Bounds, unit: str) -> str:
    low, high = bounds.ends
    if unit == "1" and high <= 1 and 2 <= value <= 100 and low <= value / 100 <= high:
        return f"; {value:g}% is {value / 100:g}"
    return f"; it can be {bounds}"


def warn_outside(distribution: Distribution, bounds: Bounds | None, unit: str) -> None:
    """Warn if a distribution has probability outside, with how much and with what to use instead."""
    if bounds is None:
        return
    low, high = bounds.roomy()
    below = max(
        (_mass(law.cdf, np.nextafter(low, -math.inf)) for law in distribution.laws if _starts(law) < low), default=0.0
    )
    above = max((_mass(law.sf, high) for law in distribution.laws if _ends(law) > high), default=0.0)
    parts = [
        f"{percent(share, 1 if share < 0.01 else 0)} is {bounds.passed(end)}"
        for share, end in ((below, -math.inf), (above, math.inf))
        if share > _NEGLIGIBLE
    ]
    if parts:
        in_unit = "" if unit == "1" else f" {unit}"
        said = str(distribution)
        warn(
            f"{_subject()}{said if len(said) <= 100 else distribution.family}{in_unit}: {' and '.join(parts)}; "
            f"use {_instead(distribution, bounds)}",
            BoundsWarning,
        )


def _starts(law: Any) -> float:
    return float(law.support()[0])


def _ends(law: Any) -> float:
    return float(law.support()[1])


def _mass(function: Any, at: float) -> float:
    with np.errstate(all="ignore"):
        return float(function(np.array([at]))[0])


def _instead(distribution: Distribution, bounds: Bounds) -> str:
    """A distribution, as it can be typed in, that is about the same and keeps within the bounds."""
    from demandsim.distributions.convert import as_distribution

    low, high = (None if end is None else f"{end:g}" for end in bounds)
    said = str(distribution) if len(str(distribution)) <= 100 else "..."
    ends = ", ".join(f"{word}={end}" for word, end in (("lower", low), ("upper", high)) if end is not None)
    cut = f"truncated({said}, {ends})"
    if distribution.dims:
        return cut
    family = {("0", "1"): "beta", ("0", None): "lognormal"}.get((low or "", high))
    with np.errstate(all="ignore"):
        mean, sd = float(distribution.mean()), float(distribution.sd())
    other = f"{family}(mean={mean:.4g}, sd={sd:.4g})"
    try:
        return f"{other}, or {cut}" if family and as_distribution(other) else cut
    except DemandsimError:
        return cut
