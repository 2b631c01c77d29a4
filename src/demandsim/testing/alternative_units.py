"""Alternative units: every way in which a quantity of some dimension might as well be written."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from demandsim.units import registry

__all__ = ["COUNTED", "POOLS", "powers_of", "written"]

#: Units of each base dimension; the first is the one of `demandsim.units`.
POOLS: dict[str, tuple[str, ...]] = {
    "[compute]": ("FLOP", "TFLOP", "EFLOP"),
    "[token]": ("token", "Mtoken", "Gtoken"),
    "[parameter]": ("parameter", "Gparameter"),
    "[card]": ("card", "kcard"),
    "[node]": ("node", "knode"),
    "[query]": ("query", "Mquery"),
    "[user]": ("user", "Muser"),
    "[currency_cny]": ("CNY", "MCNY", "GCNY"),
    "[currency_usd]": ("USD", "MUSD", "GUSD"),
    "[information]": ("byte", "GB", "TB", "bit"),
    "[time]": ("second", "hour", "day", "year"),
    "[mass]": ("kilogram", "gram", "tonne"),
    "[length]": ("meter", "centimeter", "kilometer"),
    "[temperature]": ("kelvin", "millikelvin"),
    "[current]": ("ampere", "milliampere"),
    "[substance]": ("mole", "millimole"),
    "[luminosity]": ("candela", "millicandela"),
}

#: What comes whole, and may be rounded up: half a node does not serve.
COUNTED = ("[card]", "[node]", "[query]", "[user]")

type Powers = Mapping[str, float]


@functools.lru_cache(maxsize=4096)
def powers_of(unit: str) -> dict[str, float]:
    """Powers of the base dimensions in a unit: ``token/day`` is ``{"[token]": 1, "[time]": -1}``."""
    text = unit.strip()
    dimensions = registry().Unit("" if text in ("1", "dimensionless") else text).dimensionality
    return {dimension: float(power) for dimension, power in sorted(dimensions.items()) if power}


def written(powers: Powers, names: Mapping[str, str] | None = None) -> str:
    """Write a unit of the given dimension, with the chosen unit of each base dimension.

    Examples
    --------
    >>> written({"[token]": 1, "[time]": -1}, {"[time]": "hour"})
    'token/hour'
    """
    chosen = {dimension: (names or {}).get(dimension, POOLS[dimension][0]) for dimension in powers}
    above = [_power(chosen[d], power) for d, power in powers.items() if power > 0]
    below = [_power(chosen[d], -power) for d, power in powers.items() if power < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(name: str, power: float) -> str:
    return name if power == 1 else f"{name}**{power:g}"
