"""Alternative units: every way in which a quantity of some dimension might as well be written."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from demandsim.units.convert import parsed
from demandsim.units.registry import CURRENCIES

__all__ = ["POOLS", "comes_whole", "pool", "powers_of", "written"]

#: Units of each base dimension; the first is the one of `demandsim.units.convert`.
POOLS: dict[str, tuple[str, ...]] = {
    "[compute]": ("FLOP", "TFLOP", "EFLOP"),
    "[token]": ("token", "Mtoken", "Gtoken"),
    "[parameter]": ("parameter", "Gparameter"),
    "[card]": ("card", "kcard"),
    "[node]": ("node", "knode"),
    "[query]": ("query", "Mquery"),
    "[user]": ("user", "Muser"),
    **{f"[currency_{name.lower()}]": (name, f"M{name}", f"G{name}") for name in CURRENCIES},
    "[information]": ("byte", "GB", "TB", "bit"),
    "[time]": ("second", "hour", "day", "year"),
    "[mass]": ("kilogram", "gram", "tonne"),
    "[length]": ("meter", "centimeter", "kilometer"),
    "[temperature]": ("kelvin", "millikelvin"),
    "[current]": ("ampere", "milliampere"),
    "[substance]": ("mole", "millimole"),
    "[luminosity]": ("candela", "millicandela"),
}

_WHOLE = ("[card]", "[node]", "[query]", "[user]")
_OWN = "[counted_"

type Powers = Mapping[str, float]


def comes_whole(dimension: str) -> bool:
    """Whether it may be rounded up: half a node does not serve."""
    return dimension in _WHOLE or dimension.startswith(_OWN)


def pool(dimension: str) -> tuple[str, ...]:
    """Units of a base dimension, also of one that a user counts.

    Examples
    --------
    >>> pool("[time]")[:2], pool("[counted_image]")
    (('second', 'hour'), ('{image}', 'k{image}'))
    """
    if dimension.startswith(_OWN):
        name = dimension.removeprefix(_OWN).removesuffix("]")
        return f"{{{name}}}", f"k{{{name}}}"
    return POOLS[dimension]


@functools.lru_cache(maxsize=4096)
def powers_of(unit: str) -> dict[str, float]:
    """Powers of the base dimensions in a unit: ``token/day`` is ``{"[token]": 1, "[time]": -1}``."""
    dimensions = parsed(unit).dimensionality
    return {dimension: float(power) for dimension, power in sorted(dimensions.items()) if power}


def written(powers: Powers, names: Mapping[str, str] | None = None) -> str:
    """Write a unit of the given dimension, with the chosen unit of each base dimension.

    Examples
    --------
    >>> written({"[token]": 1, "[time]": -1}, {"[time]": "hour"})
    'token/hour'
    """
    chosen = {dimension: (names or {}).get(dimension, pool(dimension)[0]) for dimension in powers}
    above = [_power(chosen[d], power) for d, power in powers.items() if power > 0]
    below = [_power(chosen[d], -power) for d, power in powers.items() if power < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(name: str, power: float) -> str:
    return name if power == 1 else f"{name}**{power:g}"
