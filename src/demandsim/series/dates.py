"""Dates as publishers write them: a day, month, quarter, year, or a span of two of these."""

from __future__ import annotations

import datetime
import re

__all__ = ["first_day"]

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
    first = _day(start)
    if slash and _day(end) < first:
        raise ValueError(f"'{period}' ends before it begins")
    return first


def _day(text: str) -> datetime.date:
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is not a date; write 2024, 2024Q3, 2024-05, 2024-12-18 or 2024-11-28/2024-12-04")
    year = int(found["year"])
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise ValueError(f"'{text}' lies outside the years {_YEARS[0]} to {_YEARS[1]}")
    month = 3 * int(found["quarter"]) - 2 if found["quarter"] else int(found["month"] or 1)
    try:
        return datetime.date(year, month, int(found["day"] or 1))
    except ValueError:
        raise ValueError(f"'{text}' is no day of the calendar") from None
