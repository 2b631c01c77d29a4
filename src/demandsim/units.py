"""Units at the border: one pint registry, coherent base units, a 365-day year."""

from __future__ import annotations

import functools
import logging
import math
import re
import threading
from typing import TYPE_CHECKING, Any

from demandsim.errors import UnitError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["base_factor", "check_unit", "conversion_factor", "convert", "readable", "registry", "same_dimension"]

_DEFINITIONS = """
FLOP = [compute]
token = [token]
parameter = [parameter]
card = [card]
node = [node]
query = [query]
user = [user]
CNY = [currency_cny]
USD = [currency_usd]
wan = 1e4
yi = 1e8
"""
#: The Julian year, by default a synonym, keeps its quarter of a day, and so does the light year.
_YEARS = ("year = 365 * day = a = yr", "julian_year = 365.25 * day")
#: pint counts bits as plain numbers; a bandwidth must not pass for a frequency.
_DATA = ("byte = [information] = B = octet", "bit = byte / 8")
#: What most misspelt units were meant to be.
_COMMON = "FLOP token parameter card node query user CNY USD wan yi second hour day month year watt joule byte percent"

#: Without it, two threads that ask first would get two registries, whose units do not mix.
_MAKING = threading.Lock()

_LONGEST = 200
_LARGEST_POWER = 16
_POWER = re.compile(r"(?:\*\*|\^)[-+]?[\d.]+")
#: With each power written "^": a power of a power, or a number other than 1, is arithmetic without end ("9**9**9").
_ARITHMETIC = re.compile(r"\^\^|(?<![\w.])(?!1\b)\d")


def registry() -> Any:
    """Return the pint registry in which every unit of demandsim is read.

    Compute (``FLOP``), ``token``, ``parameter``, ``card``, ``CNY`` and ``USD`` are base
    dimensions of their own, so that none of them cancels against another; currencies convert
    only by an explicit exchange rate. A ``year`` is 365 days, as in the source report. ``wan``
    (1e4) and ``yi`` (1e8) are the multipliers that Chinese reports print.

    Returns
    -------
    pint.UnitRegistry

    Examples
    --------
    >>> registry()("1 year").to("day").magnitude == 365
    True
    """
    with _MAKING:
        return _registry()


@functools.cache
def _registry() -> Any:
    import pint

    ureg: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=False, cache_folder=None)
    for line in _DEFINITIONS.strip().splitlines():
        ureg.define(line)
    # pint warns that 'year' is redefined: that is what we want, once and silently.
    log = logging.getLogger("pint.util")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        for line in (*_YEARS, *_DATA):
            ureg.define(line)
        # What pint worked out for gigabytes while a byte was a plain number is stale.
        ureg._build_cache()
    finally:
        log.setLevel(level)
    ureg.formatter.default_format = "C"
    return ureg


@functools.lru_cache(maxsize=4096)
def _unit(unit: str) -> Any:
    if not isinstance(unit, str):
        raise UnitError(f"a unit is a text such as 'token/day', not {unit!r}")
    text = unit.strip()
    if text in ("", "1", "dimensionless"):
        return registry().Unit("")
    shown = text if len(text) <= 60 else text[:57] + "..."
    if len(text) > _LONGEST:
        raise UnitError(f"unit '{shown}' is {len(text)} characters long; at most {_LONGEST} are read")
    if _ARITHMETIC.search(_POWER.sub("^", "".join(text.split()))):
        raise UnitError(f"unit '{shown}' holds a number; only powers and the multipliers wan and yi do: 'wan*card'")
    try:
        parsed = registry().Unit(text)
        powers = [abs(power) for _, power in parsed._units.items()]
        if not all(power <= _LARGEST_POWER for power in powers):
            raise UnitError(f"unit '{shown}' has a power above {_LARGEST_POWER}")
        one = registry().Quantity(1.0, parsed)
        if not one._is_multiplicative:
            raise UnitError(f"unit '{shown}' has an offset; use one that only scales, such as 'kelvin'")
        factor = float(one.to_base_units().magnitude)
    except UnitError:
        raise
    except OverflowError:
        factor = math.inf
    except Exception as error:
        # pint raises half a dozen types, some of them Python's own parser's.
        said = str(error) if len(str(error)) <= 100 else type(error).__name__
        raise UnitError(
            f"unknown unit '{shown}' ({said}){_meant(error)}; "
            "write it like 'token/day', 'TFLOP/s/card', 'CNY/Mtoken', or '1' for none"
        ) from None
    if not (math.isfinite(factor) and factor > 0):
        raise UnitError(f"unit '{shown}' is too large or too small for a double")
    return parsed


def _meant(error: Exception) -> str:
    """Hint at the unit nearest to the one that pint does not know, if any is near."""
    unknown = getattr(error, "unit_names", "")
    name = unknown if isinstance(unknown, str) else str(unknown[0])
    if name.endswith("FLOPS"):
        return "; a rate of compute is written FLOP/s"
    hint = did_you_mean(name, _COMMON.split())
    return hint if hint.startswith("; did you mean") else ""


def check_unit(unit: str) -> str:
    """Return `unit` if the registry can read it.

    Raises
    ------
    UnitError
        If it cannot be read, or has an offset (such as degrees Celsius).
    """
    _unit(unit)
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
    quantity = registry().Quantity(1.0, _unit(unit)).to_base_units()
    return float(quantity.magnitude)


def same_dimension(one: str, other: str) -> bool:
    """Tell whether two units measure the same dimension."""
    return bool(_unit(one).dimensionality == _unit(other).dimensionality)


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
        if {"CNY", "USD"} <= {*_names(unit), *_names(to)}:
            hint = "; convert currencies with an explicit assumption such as exchange_rate [CNY/USD]"
        raise UnitError(f"cannot convert '{unit}' to '{to}': different dimensions{hint}")
    if unit == to:
        return 1.0
    return float(registry().Quantity(1.0, _unit(unit)).to(_unit(to)).magnitude)


def _names(unit: str) -> list[str]:
    return [name for name, _ in _unit(unit)._units.items()]


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
    if "units" not in array.attrs:
        raise UnitError(f"variable '{array.name}' has no attribute 'units', so it cannot be converted")
    factor = conversion_factor(array.attrs["units"], unit)
    converted = array.copy(data=array.data * factor)
    converted.attrs = {**array.attrs, "units": unit}
    return converted


_MONEY_SCALES = ((1e12, "tn"), (1e9, "bn"), (1e6, "million"), (1e3, "thousand"))


def readable(unit: str, magnitude: float) -> tuple[float, str]:
    """Choose a divisor and a label in which a value of this size reads well.

    Parameters
    ----------
    unit : str
        Unit of the value.
    magnitude : float
        A typical absolute value in that unit.

    Returns
    -------
    divisor : float
        Divide values by it.
    label : str
        Unit to print, such as ``"10,000 cards"`` or ``"bn CNY/year"``.

    Examples
    --------
    >>> readable("card", 857_774)
    (10000.0, '10,000 cards')
    >>> readable("CNY/year", 2.1e10)
    (1000000000.0, 'bn CNY/year')
    >>> readable("CNY/Mtoken", 1.5)
    (1.0, 'CNY/Mtoken')
    """
    size = abs(magnitude) if math.isfinite(magnitude) else 0.0
    head, slash, tail = unit.partition("/")
    if head in ("CNY", "USD") and size >= 1e8:
        return 1e9, f"bn {unit}"
    if head == "FLOP" and size >= 1e9:
        return 1e9, f"G{unit}"
    if unit == "card" and size >= 1e4:
        return 1e4, "10,000 cards"
    if head in ("token", "parameter", "CNY", "USD", "card") and "*" not in unit:
        for scale, word in _MONEY_SCALES:
            if size >= scale * (10 if word == "thousand" else 1):
                return scale, f"{word} {head}{slash}{tail}"
    return 1.0, "" if unit in ("1", "", "dimensionless") else unit
