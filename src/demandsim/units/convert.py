"""Units at the border: read, checked and converted to coherent base units and back."""

from __future__ import annotations

import csv
import functools
import importlib.resources
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from demandsim.errors import UnitError, close_matches, shorten
from demandsim.units.registry import CURRENCIES, counted, halfwidth, registry, spelt

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.units.quantity import Dimension

__all__ = [
    "base_factor",
    "base_unit",
    "check_unit",
    "conversion_factor",
    "convert",
    "dimension_of",
    "parsed",
    "same_dimension",
]

#: What most misspelt units were meant to be.
_COMMON = (
    *("FLOP", "token", "parameter", "card", "node", "query", "user", "GPU", "CNY", "USD", "EUR", "wan", "yi"),
    *("second", "hour", "day", "month", "year", "watt", "joule", "byte", "percent", "million", "billion", "trillion"),
    *("kW", "MW", "GW", "kWh", "MWh", "GWh", "GB", "TB", "ktoken", "Mtoken", "Gtoken", "Ttoken"),
)
#: What is no unit here, and what is written for it.
_ELSEWHERE = {
    **dict.fromkeys(("yuan", "cnh", "rmb", "renminbi"), "CNY"),
    **dict.fromkeys(("dollar", "dollars", "bucks"), "USD"),
    **dict.fromkeys(("people", "person", "persons", "customer", "customers", "人"), "user"),
    **dict.fromkeys(("gpus", "h100", "h800", "a100", "b200", "accelerator", "accelerators"), "card"),
    "none": "1",
}

_LONGEST = 200
_LARGEST_POWER = 16
_POWER = re.compile(r"(?:\*\*|\^)[-+]?[\d.]+")
#: With each power written "^": a power of a power, or a number other than 1, is arithmetic without end ("9**9**9").
_ARITHMETIC = re.compile(r"\^\^|(?<![\w.])(?!1\b)\d")
#: "tokens a day".
_ARTICLE = re.compile(r"\w\s+an?\s+\w")
_COUNTED = re.compile(r"\{([^{}]*)\}")
#: Parts of a unit: a thing in braces, which stays as it is, or what stands between.
_COUNTED_OR_NOT = re.compile(r"\{[^{}]*\}|[^{}]+")
_WORD = re.compile(r"[^\W\d_]\w*")
#: Signs that no unit has; pint leaves out some of them, and what follows a "#", without a word.
_STRANGE = re.compile(r"[:;,=<>!?&|~@#`\"'\\\[\]]")
#: What pint reads otherwise than people here mean it, what it is there, and how it is written.
_TRAPS = {
    "quarter": ("a mass of 12.7 kg", "'quarter_year' or 'month'"),
    "ton": ("907 kg", "'t' for 1,000 kg, or 'short_ton'"),
    "pound": ("a mass", "'GBP', or 'lb' for the mass"),
    "pct": ("a mass", "'percent'"),
    "point": ("a length", "'percent', or '{point}' for what is counted"),
    "unit": ("a luminance", "'1' for none, or '{unit}' for what is counted"),
    "count": ("a dimension of its own", "'1' for none, or '{image}' for what is counted"),
    "chain": ("a length", "'{chain}'"),
    "link": ("a length", "'{link}'"),
    "hand": ("a length", "'{hand}'"),
    "cycle": ("an angle of 6.28", "'{cycle}', or 'Hz' for cycles a second"),
    "turn": ("an angle of 6.28", "'{turn}'"),
    **dict.fromkeys(("MAU", "DAU"), ("an atomic unit of mass or length", "'user', or 'Muser' for a million")),
    **{f"{prefix}b": ("an area or a magnetic tension", f"'{prefix}bit' or '{prefix}B'") for prefix in ("", *"kMGTP")},
    "k": ("Boltzmann's constant", "the prefix before its unit: 'ktoken'"),
    "M": ("a concentration", "the prefix before its unit: 'Mtoken'"),
    "G": ("a magnetic field", "the prefix before its unit: 'GFLOP'"),
    "T": ("a magnetic field", "the prefix before its unit: 'TFLOP'"),
    "D": ("a dipole moment", "'d' or 'day'"),
    "S": ("a conductance", "'s' or 'second'"),
    "c": ("the speed of light", "'speed_of_light', or '{c}' for what is counted"),
    "e": ("the charge of an electron", "'elementary_charge', or '{e}' for what is counted"),
    "u": ("a mass", "'{u}' for what is counted"),
    "R": ("the gas constant", "'molar_gas_constant'"),
}


@functools.lru_cache(maxsize=4096)
def parsed(unit: str) -> Any:
    """Read a unit; what somebody counts that has no unit here stands in braces.

    Raises
    ------
    UnitError
        If it cannot be read, or has an offset (such as degrees Celsius).

    Examples
    --------
    >>> parsed("M{image}/day").dimensionality == parsed("{image}/s").dimensionality
    True
    >>> parsed("token/day").dimensionality == parsed("{image}/day").dimensionality
    False
    """
    if not isinstance(unit, str):
        raise UnitError(f"a unit is a text such as 'token/day', not {unit!r}")
    text = _COUNTED_OR_NOT.sub(_respelt, halfwidth(unit).strip())
    if text in ("", "1", "dimensionless"):
        return registry().Unit("")
    shown = shorten(unit.strip(), 60)
    _check_text(text, shown)
    try:
        made = registry().Unit(_COUNTED.sub(lambda found: counted(found[1]), text))
        powers = [abs(power) for _, power in made._units.items()]
        if not all(power <= _LARGEST_POWER for power in powers):
            raise UnitError(f"unit '{shown}' has a power above {_LARGEST_POWER}")
        one = registry().Quantity(1.0, made)
        if not one._is_multiplicative:
            raise UnitError(f"unit '{shown}' has an offset; use one that only scales, such as 'kelvin'")
        factor = float(one.to_base_units().magnitude)
    except UnitError:
        raise
    except OverflowError:
        factor = math.inf
    except Exception as error:
        # pint raises half a dozen types, some of them Python's own parser's.
        raise UnitError(
            f"unknown unit '{shown}': {_wrong(error)} Write it like 'token/day', 'TFLOP/s/card' or 'CNY/Mtoken', and "
            "'1' for none; a thing of your own that is counted stands in braces: 'M{image}/day'"
        ) from None
    if not (math.isfinite(factor) and factor > 0):
        raise UnitError(f"unit '{shown}' is too large or too small for a double")
    return made


def _check_text(text: str, shown: str) -> None:
    """Refuse what pint would read otherwise than it is meant, or without end."""
    if len(text) > _LONGEST:
        raise UnitError(f"unit '{shown}' is {len(text)} characters long; at most {_LONGEST} are read")
    if strange := _STRANGE.search(_COUNTED.sub("counted", text)):
        raise UnitError(f"unknown unit '{shown}': a unit holds no {strange[0]!r}; write it like 'token/day'")
    bare = _POWER.sub("^", "".join(text.split()))
    if _ARITHMETIC.search(bare):
        raise UnitError(
            f"unit '{shown}' holds a number; write the prefix at its unit, as in 'CNY/Mtoken', or a multiplier: "
            "'wan*card' for 10,000, 'yi*CNY' for 100 million"
        )
    if sign := re.search(r"[-+]|//", bare):
        raise UnitError(f"unit '{shown}': '{sign[0]}' is no sign of units; write a product or a ratio, 'token/day'")
    if _ARTICLE.search(text):
        raise UnitError(f"unit '{shown}': 'a' would be a year (annum); write a slash, as in 'token/day'")
    for word in _WORD.findall(_COUNTED.sub("counted", text)):
        trap = word if word in _TRAPS else word.removesuffix("s")
        if trap in _TRAPS and (trap == word or len(trap) > 2):
            what, meant = _TRAPS[trap]
            raise UnitError(f"'{word}' in unit '{shown}' would be {what}; write {meant}")


def _respelt(part: re.Match[str]) -> str:
    return part[0] if part[0].startswith("{") else spelt(part[0])


def _wrong(error: Exception) -> str:
    """Name the word that pint does not know, with the unit that is probably meant; all else is an order of signs."""
    unknown = getattr(error, "unit_names", "")
    name = unknown if isinstance(unknown, str) else str(unknown[0])
    if not name:
        return "something is missing before or after a sign, or a bracket is not closed."
    said = f"'{shorten(name, 40)}' is not known"
    if name.upper().endswith("FLOPS"):
        return f"{said}; a rate of compute is written FLOP/s, so '{name[:-5]}FLOP/s'."
    lower = {unit.lower(): unit for unit in _COMMON}
    meant = _ELSEWHERE.get(name.lower()) or lower.get(name.lower()) or lower.get(name.lower().removesuffix("s"))
    near = [meant] if meant else close_matches(name, _COMMON)
    return f"{said}; did you mean '{near[0]}'?" if near else f"{said}."


class _Known(NamedTuple):
    """What pint says of a unit, or of the way from it to another."""

    factor: float
    dimension: Dimension


@functools.cache
def _known() -> dict[tuple[str, str], _Known]:
    """Units of shipped studies and equations, by name and what they are converted to; to base units by "".

    Read from a table, since pint alone takes longer to start than a study to load; a test makes the table again.
    """
    text = importlib.resources.files("demandsim.units").joinpath("known.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        parts = [part.rpartition(":") for part in row["dimension"].split()]
        dimension = tuple((name, float(power)) for name, _, power in parts)
        found[row["unit"], row["to"]] = _Known(float(row["factor"]), dimension)
    return found


def check_unit(unit: str) -> str:
    """Return `unit` if the registry can read it.

    Raises
    ------
    UnitError
        If it cannot be read, or has an offset (such as degrees Celsius).
    """
    if not isinstance(unit, str) or (unit, "") not in _known():
        parsed(unit)
    return unit


@functools.lru_cache(maxsize=4096)
def base_factor(unit: str) -> float:
    """Return the number that takes values in `unit` to coherent base units.

    Base units are FLOP, token, parameter, card, CNY, USD, second, ...

    Examples
    --------
    >>> base_factor("TFLOP/s/card")
    1000000000000.0
    >>> base_factor("token/day") * 86400
    1.0
    """
    known = _known().get((unit, ""))
    if known is not None:
        return known.factor
    return float(registry().Quantity(1.0, parsed(unit)).to_base_units().magnitude)


@functools.lru_cache(maxsize=4096)
def dimension_of(unit: str) -> Dimension:
    """Return the exponents of the base dimensions of a unit, by their names.

    Examples
    --------
    >>> dimension_of("token/day")
    (('[time]', -1.0), ('[token]', 1.0))
    """
    known = _known().get((unit, ""))
    if known is not None:
        return known.dimension
    return tuple(sorted((name, float(power)) for name, power in parsed(unit).dimensionality.items() if power))


def base_unit(unit: str) -> str:
    """Return the coherent base unit of a unit, as text.

    Examples
    --------
    >>> base_unit("TFLOP/s/card"), base_unit("CNY/Mtoken")
    ('FLOP/card/s', 'CNY/token')
    """
    base = format(registry().Quantity(1.0, parsed(unit)).to_base_units().units, "~C").replace("**", "^")
    return base if base not in ("", "dimensionless") else "1"


def same_dimension(one: str, other: str) -> bool:
    """Tell whether two units measure the same dimension."""
    return dimension_of(one) == dimension_of(other)


def conversion_factor(unit: str, to: str) -> float:
    """Return the number that takes values in `unit` to the unit `to`.

    Raises
    ------
    UnitError
        If the dimensions differ; CNY and USD do.

    Examples
    --------
    >>> conversion_factor("CNY/year", "CNY/day") * 365
    1.0
    """
    if not same_dimension(unit, to):
        hint = ""
        ours, theirs = _currency(unit), _currency(to)
        if ours and theirs and ours != theirs:
            hint = f"; convert currencies with an explicit assumption such as exchange_rate [{ours}/{theirs}]"
        raise UnitError(f"cannot convert '{unit}' to '{to}': different dimensions{hint}")
    if unit == to:
        return 1.0
    known = _known().get((unit, to)) if to else None
    if known is not None:
        return known.factor
    return float(registry().Quantity(1.0, parsed(unit)).to(parsed(to)).magnitude)


def _currency(unit: str) -> str:
    names = [name for name, _ in parsed(unit)._units.items()]
    return next((currency for currency in CURRENCIES for name in names if name.endswith(currency)), "")


def convert(array: xr.DataArray, unit: str) -> xr.DataArray:
    """Return `array` in another `unit`; its ``attrs["units"]`` says what it is in.

    Parameters
    ----------
    array : DataArray
        With the attribute ``units``, as every variable of a simulation has.
    unit : str
        For example ``"wan*card"`` (10,000 cards) or ``"yi*CNY/day"``.

    Returns
    -------
    DataArray
        Same dims, attrs kept, ``units`` replaced.

    Raises
    ------
    UnitError
        If the dimensions differ, or `array` has no ``units``.

    Examples
    --------
    >>> import xarray as xr
    >>> convert(xr.DataArray(730.0, attrs={"units": "CNY/year"}), "CNY/day").item()
    2.0
    """
    if not hasattr(array, "attrs"):
        raise UnitError(f"convert takes a DataArray with units, such as draws.cards, not a {type(array).__name__}")
    if "units" not in array.attrs:
        raise UnitError(f"variable '{array.name}' has no attribute 'units', so it cannot be converted")
    factor = conversion_factor(array.attrs["units"], unit)
    converted = array.copy(data=array.data * factor)
    converted.attrs = {**array.attrs, "units": unit}
    return converted
