"""Dates: days counted from 1900, with the 29 February 1900 that never was."""

from __future__ import annotations

import calendar
import datetime as dt
import math
from typing import Any

from demandsim.workbook.calc.functions.numbers import numbers
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.values import NUM, CellError

__all__ = ["day_of", "serial"]

_BEFORE, _AFTER = dt.date(1899, 12, 31), dt.date(1899, 12, 30)
_LAST = 2958465


def serial(year: int, month: int, day: int) -> float:
    """Number of a day; months and days beyond the year or month count on.

    Examples
    --------
    >>> serial(2024, 2, 29), serial(1900, 2, 29), serial(2023, 14, 1)
    (45351.0, 60.0, 45323.0)
    """
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    if not 1900 <= year <= 9999:
        raise CellError(NUM.code)
    first = dt.date(year, month, 1)
    start = (first - _AFTER).days if first >= dt.date(1900, 3, 1) else (first - _BEFORE).days
    found = start + day - 1
    if not 0 <= found <= _LAST:
        raise CellError(NUM.code)
    return float(found)


def day_of(value: float) -> tuple[int, int, int]:
    """Year, month and day of a number.

    Examples
    --------
    >>> day_of(45351.7), day_of(60.0), day_of(0.0)
    ((2024, 2, 29), (1900, 2, 29), (1900, 1, 0))
    """
    whole = math.floor(value)
    if not 0 <= whole <= _LAST:
        raise CellError(NUM.code)
    if whole == 60:
        return 1900, 2, 29
    if whole == 0:
        return 1900, 1, 0
    found = (_BEFORE if whole < 60 else _AFTER) + dt.timedelta(days=whole)
    return found.year, found.month, found.day


@function("DATE", takes="nnn")
def _date(year: float, month: float, day: float) -> float:
    whole = math.floor(year)
    return serial(whole + 1900 if 0 <= whole < 1900 else whole, math.floor(month), math.floor(day))


@function("YEAR", takes="n")
def _year(value: float) -> float:
    return float(day_of(value)[0])


@function("MONTH", takes="n")
def _month(value: float) -> float:
    return float(day_of(value)[1])


@function("DAY", takes="n")
def _day(value: float) -> float:
    return float(day_of(value)[2])


@function("DAYS", takes="nn")
def _days(end: float, start: float) -> float:
    return float(math.floor(end) - math.floor(start))


def _second(value: float) -> int:
    if value < 0:
        raise CellError(NUM.code)
    return round((value - math.floor(value)) * 86400) % 86400


function("HOUR", takes="n")(lambda value: float(_second(value) // 3600))
function("MINUTE", takes="n")(lambda value: float(_second(value) % 3600 // 60))
function("SECOND", takes="n")(lambda value: float(_second(value) % 60))


@function("TIME", takes="nnn")
def _time(hour: float, minute: float, second: float) -> float:
    return ((math.floor(hour) * 3600 + math.floor(minute) * 60 + math.floor(second)) / 86400) % 1.0


def _moved(value: float, months: float) -> tuple[int, int, int]:
    year, month, day = day_of(value)
    count = year * 12 + month - 1 + math.trunc(months)
    return count // 12, count % 12 + 1, day


@function("EDATE", takes="nn")
def _edate(value: float, months: float) -> float:
    year, month, day = _moved(value, months)
    if not 1900 <= year <= 9999:
        raise CellError(NUM.code)
    return serial(year, month, min(day, calendar.monthrange(year, month)[1]))


@function("EOMONTH", takes="nn")
def _eomonth(value: float, months: float) -> float:
    year, month, _ = _moved(value, months)
    return serial(year, month + 1, 0) if (year, month) != (1900, 2) else 60.0


@function("WEEKDAY", takes="nn", least=1)
def _weekday(value: float, kind: float = 1.0) -> float:
    if value < 0:
        raise CellError(NUM.code)
    sunday = (math.floor(value) - 1) % 7
    if kind == 1:
        return sunday + 1.0
    monday = (sunday - 1) % 7
    if kind in (2, 11):
        return monday + 1.0
    if kind == 3:
        return float(monday)
    raise CellError(NUM.code)


def _leap(year: int) -> bool:
    return calendar.isleap(year) or year == 1900


def _actual(start: float, end: float) -> float:
    """Years between two days by their actual lengths, averaged over the years they touch."""
    one, other = day_of(start), day_of(end)
    whole = other[0] - one[0]
    if whole == 0 or (whole == 1 and other[1:] <= one[1:]):
        if whole == 0:
            leap = _leap(one[0])
        else:
            leap = (_leap(one[0]) and one[1:] <= (2, 29)) or (_leap(other[0]) and other[1:] >= (2, 29))
        return (end - start) / (366.0 if leap else 365.0)
    years = range(one[0], other[0] + 1)
    return (end - start) / (sum(366 if _leap(year) else 365 for year in years) / len(years))


def _days360(start: float, end: float, european: bool) -> float:
    (y1, m1, d1), (y2, m2, d2) = day_of(start), day_of(end)
    if european:
        d1, d2 = min(d1, 30), min(d2, 30)
    else:
        last1 = m1 == 2 and d1 == calendar.monthrange(y1, 2)[1]
        last2 = m2 == 2 and d2 == calendar.monthrange(y2, 2)[1]
        if last1 and last2:
            d2 = 30
        if last1 or d1 == 31:
            d1 = 30
        if d2 == 31 and d1 == 30:
            d2 = 30
    return float((y2 - y1) * 360 + (m2 - m1) * 30 + d2 - d1)


@function("YEARFRAC", takes="nnn", least=2)
def _yearfrac(start: float, end: float, basis: float = 0.0) -> float:
    first, last = sorted((float(math.floor(start)), float(math.floor(end))))
    kind = math.floor(basis)
    if kind == 1:
        return _actual(first, last)
    if kind in (2, 3):
        return (last - first) / (360.0 if kind == 2 else 365.0)
    if kind in (0, 4):
        return _days360(first, last, kind == 4) / 360.0
    raise CellError(NUM.code)


@function("DATEDIF", takes="nnt")
def _datedif(start: float, end: float, unit: str) -> float:
    if end < start:
        raise CellError(NUM.code)
    (y1, m1, d1), (y2, m2, d2) = day_of(start), day_of(end)
    months = (y2 - y1) * 12 + m2 - m1 - (d2 < d1)
    kind = unit.upper()
    if kind in ("Y", "M", "D", "YM"):
        return float(
            {"Y": months // 12, "M": months, "D": math.floor(end) - math.floor(start), "YM": months % 12}[kind]
        )
    raise CellError(NUM.code)


def _working(day: int, closed: set[int]) -> bool:
    return (day - 1) % 7 not in (0, 6) and day not in closed


def _closed(holidays: Any) -> set[int]:
    return set() if holidays is None else {math.floor(v) for v in numbers([holidays])}


@function("NETWORKDAYS", takes="nnr", least=2)
def _networkdays(start: float, end: float, holidays: Any = None) -> float:
    first, last = math.floor(start), math.floor(end)
    closed, sign = _closed(holidays), 1
    if first > last:
        first, last, sign = last, first, -1
    if last - first > 400_000 or first < 0:
        raise CellError(NUM.code)
    return float(sign * sum(_working(day, closed) for day in range(first, last + 1)))


@function("WORKDAY", takes="nnr", least=2)
def _workday(start: float, count: float, holidays: Any = None) -> float:
    day, left, closed = math.floor(start), math.trunc(count), _closed(holidays)
    if abs(left) > 300_000:
        raise CellError(NUM.code)
    way = 1 if left > 0 else -1
    while left:
        day += way
        if not 0 <= day <= _LAST:
            raise CellError(NUM.code)
        left -= way * _working(day, closed)
    return float(day)
