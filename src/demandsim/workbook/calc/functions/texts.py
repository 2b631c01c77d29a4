"""Texts: joined, cut, searched, and numbers written as texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from demandsim.workbook.calc.functions.criteria import wildcard
from demandsim.workbook.calc.functions.dates import day_of
from demandsim.workbook.calc.functions.mathematics import rounded
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.values import VALUE, CellError, Grid, UnsupportedError, bounded, number, text

__all__: list[str] = []

_LONGEST = 32_767


@function("CONCATENATE", "CONCAT", more="r", least=1)
def _concat(*args: Any) -> str:
    return bounded("".join(text(v) for a in args for v in (a.flat() if type(a) is Grid else [a])))


@function("TEXTJOIN", takes="tv", more="r", least=3)
def _textjoin(between: str, skip: Any, *args: Any) -> str:
    parts = [text(v) for a in args for v in (a.flat() if type(a) is Grid else [a])]
    return bounded(between.join(part for part in parts if part or not number(skip)))


def _count(value: float) -> int:
    if value < 0:
        raise CellError(VALUE.code)
    return int(value)


@function("LEFT", takes="tn", least=1)
def _left(said: str, count: float = 1.0) -> str:
    return said[: _count(count)]


@function("RIGHT", takes="tn", least=1)
def _right(said: str, count: float = 1.0) -> str:
    kept = _count(count)
    return said[-kept:] if kept else ""


@function("MID", takes="tnn")
def _mid(said: str, start: float, count: float) -> str:
    if start < 1:
        raise CellError(VALUE.code)
    return said[int(start) - 1 : int(start) - 1 + _count(count)]


@function("LEN", takes="t")
def _len(said: str) -> float:
    return float(len(said))


function("UPPER", takes="t")(str.upper)
function("LOWER", takes="t")(str.lower)
function("TRIM", takes="t")(lambda said: " ".join(part for part in said.split(" ") if part))
function("EXACT", takes="tt")(lambda one, other: one == other)
function("T", takes="v")(lambda value: value if isinstance(value, str) else "")


@function("PROPER", takes="t")
def _proper(said: str) -> str:
    return re.sub(r"[^\W\d_]+", lambda word: word[0].capitalize(), said)


@function("REPT", takes="tn")
def _rept(said: str, count: float) -> str:
    if count < 0 or len(said) * int(count) > _LONGEST:
        raise CellError(VALUE.code)
    return said * int(count)


@function("FIND", takes="ttn", least=2)
def _find(part: str, said: str, start: float = 1.0) -> float:
    place = said.find(part, int(start) - 1) if 1 <= start <= len(said) + 1 else -1
    if place < 0:
        raise CellError(VALUE.code)
    return place + 1.0


@function("SEARCH", takes="ttn", least=2)
def _search(part: str, said: str, start: float = 1.0) -> float:
    if not 1 <= start <= len(said) + 1:
        raise CellError(VALUE.code)
    pattern = wildcard(part) or re.compile(re.escape(part), re.IGNORECASE)
    found = pattern.search(said, int(start) - 1)
    if found is None:
        raise CellError(VALUE.code)
    return found.start() + 1.0


@function("SUBSTITUTE", takes="tttn", least=3)
def _substitute(said: str, old: str, new: str, which: float | None = None) -> str:
    if not old:
        return said
    if which is None:
        return bounded(said.replace(old, new))
    parts = said.split(old)
    spot = int(which)
    if not 1 <= spot < len(parts):
        return said
    return bounded(old.join(parts[:spot]) + new + old.join(parts[spot:]))


@function("REPLACE", takes="tnnt")
def _replace(said: str, start: float, count: float, new: str) -> str:
    if start < 1:
        raise CellError(VALUE.code)
    first = int(start) - 1
    return bounded(said[:first] + new + said[first + _count(count) :])


@function("VALUE", takes="v")
def _value(said: Any) -> float:
    return number(said)


@function("CHAR", takes="n")
def _char(code: float) -> str:
    if not 1 <= code < 256:
        raise CellError(VALUE.code)
    return bytes([int(code)]).decode("cp1252", "replace")


@function("HYPERLINK", takes="tv", least=1)
def _hyperlink(link: str, said: Any = None) -> Any:
    return link if said is None else said


_NUMBER = re.compile(r"(?P<before>[$€£¥]?)(?P<whole>#,##0|0+|#)(?:\.(?P<decimals>0+))?(?P<percent>%?)(?P<after>x?)")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS: dict[str, Callable[[int, int, int], str]] = {
    "yyyy": lambda y, m, d: f"{y:04d}",
    "yy": lambda y, m, d: f"{y % 100:02d}",
    "mmmm": lambda y, m, d: _MONTHS[m - 1],
    "mmm": lambda y, m, d: _MONTHS[m - 1][:3],
    "mm": lambda y, m, d: f"{m:02d}",
    "m": lambda y, m, d: str(m),
    "dd": lambda y, m, d: f"{d:02d}",
    "d": lambda y, m, d: str(d),
}


@function("TEXT", takes="vt")
def _text(value: Any, form: str) -> str:
    if isinstance(value, str):
        return value
    amount = number(value)
    found = _NUMBER.fullmatch(form.replace('"x"', "x"))
    if found:
        return _written(amount, found)
    parts = re.findall(r"y+|m+|d+|[-/ .,]+|.", form, re.IGNORECASE)
    if all(part.lower() in _DAYS or re.fullmatch(r"[-/ .,]+", part) for part in parts) and parts:
        day = day_of(amount)
        return "".join(_DAYS[part.lower()](*day) if part.lower() in _DAYS else part for part in parts)
    raise UnsupportedError(f"TEXT with the format '{form[:30]}' is not read")


def _written(amount: float, form: re.Match[str]) -> str:
    decimals = len(form["decimals"] or "")
    shown = rounded(amount * 100 if form["percent"] else amount, decimals)
    width = len(form["whole"]) if set(form["whole"]) == {"0"} else 1
    comma = "," if "," in form["whole"] else ""
    digits = f"{abs(shown):{comma}.{decimals}f}"
    whole, _, rest = digits.partition(".")
    whole = "" if form["whole"] == "#" and whole == "0" else whole.zfill(width)
    sign = "-" if shown < 0 else ""
    return f"{sign}{form['before']}{whole}{'.' + rest if rest else ''}{form['percent']}{form['after']}"
