"""Numbers, shares and labels as text, each in one way for tables, pictures, pages and files."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

from demandsim.units.registry import CURRENCIES

__all__ = ["Scaling", "brief", "exact", "label_text", "label_value", "number", "percent", "readable", "settled"]

#: Of a unit and a magnitude: by what values are divided, and the unit in which they are shown then.
type Scaling = Callable[[str, float], tuple[float, str]]


def settled(value: float) -> float:
    """Return a number without its last digits, in which processors differ: 12 stay, more than anybody reads.

    What lies halfway between two texts is then written in one way everywhere.

    Examples
    --------
    >>> settled(2.5000000000000004), settled(2.4999999999999996)
    (2.5, 2.5)
    """
    return float(f"{value:.12g}")


def number(value: float, digits: int = 4) -> str:
    """Write a number with some significant digits, without an exponent where it reads well.

    Examples
    --------
    >>> number(1234.5678), number(0.00012345), number(float("nan"))
    ('1,235', '0.0001234', 'nan')
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    value = settled(value)
    size = math.floor(math.log10(abs(value)))
    if -5 <= size < 9:
        return f"{value:,.{max(digits - 1 - size, 0)}f}"
    return f"{value:.{digits - 1}e}"


def brief(value: float, digits: int = 3) -> str:
    """Write a number as `number` does, without the zeros that say nothing.

    Examples
    --------
    >>> brief(1.5), number(1.5, 3), brief(120)
    ('1.5', '1.50', '120')
    """
    text = number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def exact(value: float) -> str:
    """Write a number so that it is read back to the last bit, as short as that can be.

    Examples
    --------
    >>> exact(110e9), exact(0.1), exact(1979.0)
    ('1.1e11', '0.1', '1979')
    """
    plain = f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    if len(plain) <= 7:
        return plain
    digits, _, exponent = f"{value:.16e}".partition("e")
    scientific = f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return scientific if len(scientific) < len(plain) and float(scientific) == value else plain


def percent(share: float, digits: int | None = None) -> str:
    """Write a share; one that would read as none or as all says so.

    Parameters
    ----------
    share : float
    digits : int, optional
        Decimals of an estimate; by default as many as it has, up to four, as for a probability that was asked for.

    Examples
    --------
    >>> percent(0.9), percent(0.995), percent(0.4837, 1), percent(0.4837, 0)
    ('90%', '99.5%', '48.4%', '48%')
    >>> percent(0.0, 1), percent(0.0002, 1), percent(0.99999, 1)
    ('0%', '<0.1%', '>99.9%')
    """
    if not math.isfinite(share):
        return "–"
    if share in (0, 1):
        return f"{100 * share:.0f}%"
    # Settling may reach 0 or 1: what it was before decides whether it reads as less than all.
    given, share = share, settled(share)
    places = 4 if digits is None else digits
    least = 10.0**-places
    if given > 0 and share <= least / 200:
        return f"<{least:.{places}f}%"
    if given < 1 and share >= 1 - least / 200:
        return f">{100 - least:.{places}f}%"
    text = f"{100 * share:.{places}f}".replace("-", "−")
    return f"{text.rstrip('0').rstrip('.') if digits is None else text}%"


def label_value(label: Any) -> float | str:
    """Return a label of a dim as JSON has it: numbers stay numbers, a date is a text without its hours.

    Examples
    --------
    >>> import numpy as np
    >>> label_value(np.float64(2025.5)), label_value(np.datetime64("2025-09-30T00:00:00.000000000"))
    (2025.5, '2025-09-30')
    """
    if isinstance(label, str | int | float):
        # A bool or a float of numpy becomes Python's own.
        return label.item() if hasattr(label, "item") else label
    import numpy as np

    if isinstance(label, np.ndarray) and label.ndim == 0:
        label = label[()]
    if isinstance(label, np.datetime64 | datetime.date):
        return str(np.datetime_as_string(np.datetime64(label), unit="auto"))
    plain = label.item() if hasattr(label, "item") else label
    return plain if isinstance(plain, int | float) else str(plain)


def label_text(label: Any) -> str:
    """Write a label of a dim: a date without its hours, a whole number without a point.

    Examples
    --------
    >>> import numpy as np
    >>> label_text(2030.0), label_text("100T"), label_text(np.datetime64("2025-09-30T00:00:00"))
    ('2030', '100T', '2025-09-30')
    """
    value = label_value(label)
    return f"{value:.15g}" if isinstance(value, float) else str(value)


_SCALED = {"token", "parameter", "card", "GPU", *CURRENCIES}
_NO_BRACES = str.maketrans("", "", "{}")
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
    >>> readable("{image}/day", 2.5e7)
    (1000000.0, 'million image/day')
    >>> readable("CNY/Mtoken", 1.5)
    (1.0, 'CNY/Mtoken')
    """
    size = abs(settled(magnitude)) if math.isfinite(magnitude) else 0.0
    own = unit.startswith("{")
    unit = unit.translate(_NO_BRACES)
    head, slash, tail = unit.partition("/")
    if head in CURRENCIES and size >= 1e8:
        return 1e9, f"bn {unit}"
    if head == "FLOP" and size >= 1e9:
        return 1e9, f"G{unit}"
    if unit in ("card", "GPU") and size >= 1e4:
        return 1e4, f"10,000 {unit}s"
    if (own or head in _SCALED) and "*" not in unit:
        for scale, word in _MONEY_SCALES:
            if size >= scale * (10 if word == "thousand" else 1):
                return scale, f"{word} {head}{slash}{tail}"
    return 1.0, "" if unit in ("1", "", "dimensionless") else unit
