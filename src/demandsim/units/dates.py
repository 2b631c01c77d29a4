"""Dates as publishers write them: a day, month, quarter, year, or a span of two of these."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from demandsim.errors import DemandsimError, check_known

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["calendar_weights", "decimal_year", "first_day", "last_day", "middle_day"]

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


#: How days are joined, and what such labels look like.
_CALENDARS: Mapping[str, Any] = {
    "year": lambda day: day.year,
    "quarter": lambda day: f"{day.year}Q{(day.month + 2) // 3}",
    "month": lambda day: f"{day.year}-{day.month:02}",
}


def calendar_weights(periods: Mapping[Any, str], into: str = "quarter", *, dim: str = "fiscal") -> xr.DataArray:
    """Share of each fiscal period, by days, in each quarter, year or month of the calendar.

    Parameters
    ----------
    periods : mapping of label to str
        What each covers, as ``"2025-02/2026-01"`` of months or ``"2025-01-27/2025-04-27"`` of days.
    into : {"quarter", "year", "month"}
        The dim of the calendar: its labels are ``"2025Q1"``, ``2025`` or ``"2025-01"``.
    dim : str, default "fiscal"
        Dim of the periods.

    Returns
    -------
    DataArray
        Over `dim` and `into`; shares of a period add up to 1. An equation takes what was earned in fiscal periods as
        ``(revenue * weights).sum("fiscal")``; what is a level, and no sum over time, needs another mean.

    Raises
    ------
    DemandsimError
        If a period cannot be read, two overlap, or the calendar is unknown.

    Examples
    --------
    >>> calendar_weights({"FY26 Q1": "2025-01-27/2025-04-27", "FY26 Q2": "2025-04-28/2025-07-27"}).round(3).values
    array([[0.703, 0.297, 0.   ],
           [0.   , 0.703, 0.297]])
    """
    import numpy as np
    import xarray as xr

    check_known([into], _CALENDARS, "calendar")
    if not periods:
        raise DemandsimError("calendar_weights: name at least one period, such as {'FY2025': '2025-02/2026-01'}")
    rows: list[dict[Any, int]] = []
    taken: dict[int, Any] = {}
    for label, period in periods.items():
        try:
            first, last = first_day(str(period)), last_day(str(period))
        except ValueError as error:
            raise DemandsimError(f"calendar_weights: {label}: {error}") from None
        days = range(first.toordinal(), last.toordinal() + 1)
        if shared := next((day for day in days if day in taken), None):
            day = datetime.date.fromordinal(shared)
            raise DemandsimError(f"calendar_weights: {day} lies in {taken[shared]} and in {label}; days count once")
        taken |= dict.fromkeys(days, label)
        counts: dict[Any, int] = {}
        for day in map(datetime.date.fromordinal, days):
            place = _CALENDARS[into](day)
            counts[place] = counts.get(place, 0) + 1
        rows.append(counts)
    places = sorted({place for counts in rows for place in counts})
    shares = np.array([[counts.get(place, 0) / sum(counts.values()) for place in places] for counts in rows])
    return xr.DataArray(shares, dims=(dim, into), coords={dim: list(periods), into: places}, name="calendar_weights")
