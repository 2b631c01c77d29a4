"""Amounts as people write them: ``150 thousand CNY/card``, ``45%``, ``¥1.5/Mtoken``, ``8% to 28%``, ``2.14 亿元``."""

from __future__ import annotations

import re

from demandsim.errors import DistributionError, UnitError, shorten
from demandsim.units.convert import conversion_factor
from demandsim.units.format import exact
from demandsim.units.registry import halfwidth

__all__ = ["read_amount"]

_DIGITS = r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+−]?\.\d+"
_CURRENCY = r"(?:US\$|[¥￥$€£])"
#: A number, or two with "to" between them, with a currency before or a unit behind.
_AMOUNT = re.compile(
    rf"\s*(?P<currency>{_CURRENCY})?\s*(?P<low>{_DIGITS})\s*(?P<percent>%)?"
    rf"(?:\s*(?:to|–|—|~|至|到)\s*{_CURRENCY}?\s*(?P<high>{_DIGITS}))?\s*(?P<unit>[^\d\s(),=\[\]_.][^()=\[\]]*|(?:x\s*)?10,000\s.*|/.*)?\s*"
)
#: A comma that does not part thousands.
_DECIMAL_COMMA = re.compile(r"\s*([-+−]?\d+(?:\.\d{3})*),(\d+)\s*(%|[^\d\s,].*)?\s*")
#: A number and a sign or letter that is no unit, with what is written for it.
_NOT_UNITS = (
    (re.compile(r"±|\+/?-"), "a value and its error are written normal(mean=..., sd=...)"),
    (re.compile(r"[-–—−~]\s*[\d.]"), "a range is written as in 0.3 to 0.6"),
    (re.compile(r"[-+−*^×÷]|/\s*[\d.]"), "nothing is calculated here; write the result as one number, such as 1e6"),
    (re.compile(r"['’ ]\d"), "thousands are parted by commas or by nothing, as in 150,000"),
)
_MULTIPLES = ("千", "万", "百万", "亿", "thousand", "million", "bn", "billion", "tn", "trillion", "wan", "yi")
_LETTERS = {"k": "thousand", "K": "thousand", "M": "million", "B": "billion", "G": "billion", "T": "trillion"}


def read_amount(text: str, unit: str) -> str:
    """Read an amount, or an interval of one, as a text in a unit that the grammar of distributions reads.

    Parameters
    ----------
    text : str
        Anything that is no amount is returned as it is.
    unit : str
        In which the number is wanted. An amount without a unit is in it already.

    Returns
    -------
    str
        A number; or for ``low to high`` the distribution with that central 90% interval: a beta for a share, a
        lognormal for what is positive, else a normal.

    Raises
    ------
    DistributionError
        If a comma may be a decimal point.
    UnitError
        If the amount's unit cannot be read, or measures something else.

    Examples
    --------
    >>> read_amount("150 thousand CNY/card", "CNY/card"), read_amount("45%", "1")
    ('150000', '0.45')
    >>> read_amount("0.08 to 0.28", "1"), read_amount("2 to 3 bn CNY", "CNY")
    ('beta(0.08, 0.28)', 'lognormal(2e9, 3e9)')
    >>> read_amount("normal(1, 2)", "1")
    'normal(1, 2)'
    """
    plain = halfwidth(text)
    found = _AMOUNT.fullmatch(plain)
    if (doubtful := _DECIMAL_COMMA.fullmatch(plain)) and found is None:
        whole, part = doubtful[1].replace(".", ""), doubtful[2]
        raise DistributionError(
            f"'{shorten(text)}': is the comma a decimal point? Write {whole}.{part}; "
            f"commas part thousands only, as in 150,000"
        )
    if found is None:
        return text
    said = _said_unit(found)
    if not said and found["high"] is None:
        return exact(_number(found["low"]))
    for sign, instead in _NOT_UNITS:
        if sign.match(found["unit"] or ""):
            raise DistributionError(f"cannot read '{shorten(text)}': {instead}")
    try:
        factor = conversion_factor(said, unit) if said else 1.0
    except UnitError as error:
        multiple = _LETTERS.get(said) or (said if said in _MULTIPLES else "")
        right = " ".join(f"{found['low']} {multiple} {'' if unit == '1' else unit}".split())
        hint = f"write '{right}'" if multiple else f"write it in '{unit}', or as a plain number in that"
        raise UnitError(f"'{shorten(text)}' for what is in '{unit}': {error}; {hint}") from None
    low = float(f"{_number(found['low']) * factor:.15g}")
    if found["high"] is None:
        return exact(low)
    return _interval(low, float(f"{_number(found['high']) * factor:.15g}"), unit)


def _said_unit(found: re.Match[str]) -> str:
    """The unit that an amount names, with the currency before it and the percent behind; empty if none."""
    said = (found["unit"] or "").strip()
    if found["currency"]:
        said = found["currency"] + said if not said or said.startswith("/") else f"{found['currency']}*{said}"
    if found["percent"] or said == "%":
        said = "percent" if said in ("", "%") else f"percent*{said}"
    return said


def _interval(low: float, high: float, unit: str) -> str:
    """The distribution that an interval means without more being said."""
    ends = f"{exact(low)}, {exact(high)}"
    if 0 < low < high < 1 and unit in ("1", ""):
        return f"beta({ends})"
    return f"lognormal({ends})" if low > 0 else f"normal({ends})"


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))
