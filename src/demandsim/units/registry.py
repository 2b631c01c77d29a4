"""Unit registry: one pint registry with dimensions for what this field counts, and for what its users count."""

from __future__ import annotations

import functools
import logging
import re
import threading
from typing import Any

from demandsim.errors import UnitError

__all__ = ["CURRENCIES", "counted", "halfwidth", "registry", "spelt"]

#: No exchange rate is a unit factor: each is a dimension of its own.
CURRENCIES = ("CNY", "USD", "EUR", "GBP", "JPY", "KRW", "TWD", "HKD", "SGD", "INR")

_DEFINITIONS = """
FLOP = [compute]
token = [token]
parameter = [parameter]
card = [card] = _ = GPU
node = [node]
query = [query]
user = [user]
wan = 1e4
yi = 1e8
thousand = 1e3
million = 1e6
bn = 1e9 = _ = billion
tn = 1e12 = _ = trillion
"""
#: The Julian year, by default a synonym, keeps its quarter of a day, and so does the light year.
_YEARS = ("year = 365 * day = a = yr", "julian_year = 365.25 * day", "quarter_year = year / 4")
#: pint counts bits as plain numbers; a bandwidth must not pass for a frequency.
_DATA = ("byte = [information] = B = octet", "bit = byte / 8")

#: What units are called in reports, and how the registry calls them; longer ones first.
_SPELLINGS = {
    "US$": "USD",
    "HK$": "HKD",
    "RMB": "CNY",
    "人民币": "CNY",
    "美元": "USD",
    "港元": "HKD",
    "日元": "JPY",
    "欧元": "EUR",
    "¥": "CNY",
    "￥": "CNY",
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "元": "CNY",
    "百万": "million",
    "万": "wan",
    "亿": "yi",
    "千": "thousand",
    "张": "card",
    "卡": "card",
    "参数": "parameter",
    "词元": "token",
    "用户": "user",
    "请求": "query",
    "次": "query",
    "小时": "hour",
    "分钟": "minute",
    "秒": "second",
    "天": "day",
    "日": "day",
    "月": "month",
    "年": "year",
    "%": "percent",
}
_SIGN = re.compile(rf" ?({'|'.join(re.escape(word) for word in sorted(_SPELLINGS, key=lambda word: -len(word)))}) ?")

#: Without it, two threads that ask first would get two registries, whose units do not mix.
_MAKING = threading.RLock()

_NAME = re.compile(r"[^\W\d]\w{0,39}")


def registry() -> Any:
    """Return the pint registry in which every unit of demandsim is read.

    Compute (``FLOP``), ``token``, ``parameter``, ``card`` (or ``GPU``) and each currency are base
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
    for currency in CURRENCIES:
        ureg.define(f"{currency} = [currency_{currency.lower()}]")
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


#: What keyboards for Chinese, and Word, write for the signs of ASCII; letter for letter.
_HALFWIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | str.maketrans("“”„‘’−\u3000\u00a0", '"""\'\'-  ')


def halfwidth(text: str) -> str:
    """Return a text with the signs of ASCII for those of full width, and for curly quotes; it is as long as before.

    Examples
    --------
    >>> halfwidth("lognormal（５００，“a”）")
    'lognormal(500,"a")'
    """
    return text if text.isascii() else text.translate(_HALFWIDTH)


def spelt(unit: str) -> str:
    """Return a unit as the registry calls it, where reports call it otherwise.

    Examples
    --------
    >>> spelt("亿元/年"), spelt("QPS"), spelt("$/Mtoken"), spelt("10,000 cards")
    ('yi*CNY/year', 'query/second', 'USD/Mtoken', 'wan*cards')
    """
    text = re.sub(r"(?:\bx\s*)?(?<![\w.,])10,000\s*", "wan*", unit)
    text = re.sub(r"\bQPS\b", "query/second", text)
    text = re.sub(r"\breq(?:uest)?s?\b", "query", text)
    text = _SIGN.sub(lambda found: f"*{_SPELLINGS[found[1]]}*", text)
    # Signs stand beside each other without anything between them.
    text = re.sub(r"\*(\s*\*)+", "*", text) if "**" in text and text != unit else text
    return re.sub(r"^\s*\*|\*\s*$|(?<=/)\s*\*|\*(?=\s*[/)])|(?<=\()\*", "", text) if text != unit else unit


def counted(name: str) -> str:
    """Return what the registry calls a thing that users count, ``image`` of the unit ``{image}/day``.

    It is a dimension of its own. The braces are its symbol, so that a unit that pint writes can be read again.

    Raises
    ------
    UnitError
        If the name is no word.
    """
    if not _NAME.fullmatch(name):
        raise UnitError(
            f"'{{{name[:40]}}}' is no unit; braces hold one word of letters for what is counted: '{{image}}'"
        )
    with _MAKING:
        return _counted(name)


@functools.cache
def _counted(name: str) -> str:
    internal = f"counted_{name}"
    registry().define(f"{internal} = [{internal}] = {{{name}}}")
    return internal
