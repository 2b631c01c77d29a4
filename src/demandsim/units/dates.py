"""Dates as publishers write them: a day, month, quarter, year, or a span of two of these."""

from __future__ import annotations

import datetime
import re

__all__ = ["decimal_year", "first_day", "last_day", "middle_day"]

_PERIOD = re.compile(r"(?P<year>\d{4})(?:Q(?P<quarter>[1-4])|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?", re.ASCII)

#: Outside of these a year is a slip.
_YEARS = (1900, 2199)


def first_day(period: str) -> datetime.date:
    """Return the first day of a period.

    Parameters
    ----------
    period : str
        ``2024``, ``2024Q3``, ``2024-05``, ``2024-12-18``, or two of these with a slash between them.

    Raises
    ------
    ValueError
        If it cannot be read, is no day of the calendar, or ends before it begins.

    Examples
    --------
    >>> first_day("2024Q3").isoformat(), first_day("2024-11-28/2024-12-04").isoformat()
    ('2024-07-01', '2024-11-28')
    """
    start, slash, end = period.partition("/")
    if not all(map(_PERIOD.fullmatch, (start, end) if slash else (start,))):
        raise ValueError(f"'{period}' is not a date; write 2024, 2024Q3, 2024-05, 2024-12-18 or 2024-11-28/2024-12-04")
    first = _day(start)
    if slash and _day(end) < first:
        raise ValueError(f"'{period}' ends before it begins")
    return first


def _day(text: str) -> datetime.date:
    found = _PERIOD.fullmatch(text)
    assert found is not None
    year = int(found["year"])
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise ValueError(f"'{text}' lies outside the years {_YEARS[0]} to {_YEARS[1]}")
    month = 3 * int(found["quarter"]) - 2 if found["quarter"] else int(found["month"] or 1)
    try:
        return datetime.date(year, month, int(found["day"] or 1))
    except ValueError:
        raise ValueError(f"'{text}' is no day of the calendar") from None


def last_day(period: str) -> datetime.date:
    """Return the last day of a period, as `first_day` does the first.

    Examples
    --------
    >>> last_day("2024Q3").isoformat(), last_day("2024-02").isoformat(), last_day("2023/2024").isoformat()
    ('2024-09-30', '2024-02-29', '2024-12-31')
    """
    first_day(period)
    end = period.rpartition("/")[2]
    start = _day(end)
    months = 12 if len(end) == 4 else 3 if "Q" in end else 1 if len(end) == 7 else 0
    if not months:
        return start
    ahead = start.month - 1 + months
    return datetime.date(start.year + ahead // 12, ahead % 12 + 1, 1) - datetime.timedelta(days=1)


def middle_day(period: str) -> datetime.date:
    """Return the day halfway through a period.

    Examples
    --------
    >>> middle_day("2024-12").isoformat(), middle_day("2024-12-18").isoformat()
    ('2024-12-16', '2024-12-18')
    """
    first = first_day(period)
    return first + (last_day(period) - first) / 2


def decimal_year(day: datetime.date) -> float:
    """Return a day as a decimal year.

    Examples
    --------
    >>> decimal_year(datetime.date(2024, 7, 2))
    2024.5
    """
    length = (datetime.date(day.year + 1, 1, 1) - datetime.date(day.year, 1, 1)).days
    return day.year + (day - datetime.date(day.year, 1, 1)).days / length
