"""Figures: a published series as measurements of a logarithm, each with its day, its error and its direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.format import labels_along
from demandsim.errors import DemandsimError
from demandsim.units.dates import decimal_year, last_day, middle_day

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ERROR_FACTORS", "EXCESS", "Figures", "day_of", "figures_of"]

#: Factor by which a figure is off with 90%, by how its source means it; stated before any score was looked at.
ERROR_FACTORS: Mapping[str, float] = MappingProxyType(
    {"exact": 1.15, "about": 1.25, "over": 1.15, "under": 1.15, "derived": 1.3, "estimated": 1.5}
)
#: Mean distance, in logarithms, of the truth from a figure that is a bound: "over 4 trillion" is a tenth more.
EXCESS = 0.1

#: Of a normal error, the number of standard deviations in half a 90% interval.
_HALF = 1.6448536269514722


@dataclass(frozen=True, eq=False)
class Figures:
    """Measurements of one logarithm over time, in order of their days.

    Parameters
    ----------
    years : array of shape (figures,)
        Decimal years.
    logs : array of shape (figures,)
        Logarithms of what was read.
    sds : array of shape (figures,)
        Standard deviations of the errors of these.
    sides : array of shape (figures,)
        1 where the truth is above the figure ("over"), -1 where it is below, 0 otherwise.
    announced : array of shape (figures,)
        Decimal years of the days on which they came out.
    """

    years: Array
    logs: Array
    sds: Array
    sides: Array
    announced: Array

    def __len__(self) -> int:
        return int(self.years.size)

    def __getitem__(self, chosen: Any) -> Figures:
        return Figures(
            self.years[chosen], self.logs[chosen], self.sds[chosen], self.sides[chosen], self.announced[chosen]
        )

    def known(self, cutoff: float) -> Figures:
        """Figures that were announced before a decimal year."""
        return self[self.announced < cutoff]


def figures_of(series: xr.DataArray, factors: Mapping[str, float] = ERROR_FACTORS) -> Figures:
    """Read a series as measurements.

    Parameters
    ----------
    series : DataArray
        Positive figures over ``date``, such as a variable of ``ds.load_series``. Coordinates that it may have:
        ``qualifier``, ``period`` (the middle of a month or year is taken as its day), and ``announced`` (by default
        the end of the period).
    factors : mapping of str to float
        By qualifier, the factor by which a figure is off with 90%.

    Raises
    ------
    DemandsimError
        If there is no ``date``, a further dim, a figure that is not positive and finite, a label, period or
        announcement that is no day, or a qualifier without a factor above 1.

    Examples
    --------
    >>> import demandsim as ds
    >>> found = figures_of(ds.load_series("doubao-daily-tokens").daily_tokens)
    >>> len(found), float(found.sides[2])
    (11, 1.0)
    """
    if not hasattr(series, "values") or not hasattr(series, "dims") or hasattr(series, "data_vars"):
        raise DemandsimError(
            f"a series to forecast is a DataArray over 'date', not a {type(series).__name__}; "
            "take one variable, as in ds.load_series('doubao-daily-tokens').daily_tokens"
        )
    if series.dims != ("date",):
        raise DemandsimError(f"a series to forecast has the dim 'date' alone, not {series.dims}; select the others")
    series = series.dropna("date")
    values = series.values.astype(np.float64)
    if not values.size or not ((values > 0) & np.isfinite(values)).all():
        raise DemandsimError(f"'{series.name}' must be positive and finite: growth is of its logarithm")
    periods = [str(text) or day for text, day in zip(_texts(series, "period"), _days(series), strict=True)]
    words = [word or "exact" for word in _texts(series, "qualifier")]
    unknown = sorted(set(words) - set(factors))
    if unknown:
        raise DemandsimError(f"no factor for figures that are '{unknown[0]}'; name one, or leave them out")
    for word in sorted(set(words)):
        if not 1.0 < factors[word] < np.inf:
            raise DemandsimError(f"the factor of figures that are '{word}' is {factors[word]}; it must be above 1")
    said = _texts(series, "announced")
    try:
        years = np.array([decimal_year(middle_day(period)) for period in periods])
        announced = [
            decimal_year(middle_day(day) if day else last_day(period))
            for day, period in zip(said, periods, strict=True)
        ]
    except ValueError as error:
        raise DemandsimError(f"of '{series.name}', {error}") from None
    found = Figures(
        years,
        np.log(values),
        np.log([factors[word] for word in words]) / _HALF,
        np.array([{"over": 1.0, "under": -1.0}.get(word, 0.0) for word in words]),
        np.array(announced),
    )
    return found[np.argsort(years, kind="stable")]


def _days(series: xr.DataArray) -> list[str]:
    """Labels of a series as days. A whole number is none: numpy takes 2024 for a day of 1975."""
    labels = labels_along(series, "date")
    try:
        if any(isinstance(label, int | float) for label in labels):
            raise ValueError
        return [str(day) for day in np.array(labels, dtype="datetime64[D]")]
    except ValueError:
        raise DemandsimError(
            f"'{series.name}' has {labels[0]!r:.30} as a date; write days, such as np.datetime64('2024-06-30')"
        ) from None


def _texts(series: xr.DataArray, name: str) -> list[str]:
    return [str(text) for text in series[name].values] if name in series.coords else [""] * series.size


def day_of(year: float) -> Any:
    """Day of a decimal year.

    Examples
    --------
    >>> str(day_of(2026.48))[:10]
    '2026-06-25'
    """
    whole = int(year)
    start, end = np.datetime64(f"{whole}-01-01", "D"), np.datetime64(f"{whole + 1}-01-01", "D")
    days = round((year - whole) * int((end - start) / np.timedelta64(1, "D")))
    return (start + np.timedelta64(days, "D")).astype("datetime64[ns]")
