"""Growth: between two figures, along dates, and backwards from a growth that is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.errors import SeriesError
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["cagr", "elapsed_years", "growth", "growth_on_quarter", "growth_on_year", "implied_earlier"]


def growth(value: Any, earlier: Any) -> Any:
    """Growth from an earlier value, as a share: 0.5 is 50%.

    Parameters
    ----------
    value, earlier : float, array or DataArray
        Above 0, in one unit; DataArrays that name other ``units`` of the same dimension are converted.

    Returns
    -------
    float, array or DataArray
        ``value / earlier - 1``, dimensionless; NaN where a labelled figure is absent.

    Raises
    ------
    SeriesError
        If a value is not above 0.

    Examples
    --------
    >>> round(growth(30, earlier=20), 12)
    0.5
    """
    unit = _unit(value)
    later, before = _above_zero("value", _plain(value, unit)), _above_zero("earlier", _plain(earlier, unit))
    return _labelled(later / before - 1, "1")


def implied_earlier(value: Any, growth: Any) -> Any:
    """Earlier value that a printed growth implies.

    Parameters
    ----------
    value : float, array or DataArray
        The later value, above 0.
    growth : float, array or DataArray
        As a share, 0.786 for 78.6%; a DataArray in ``%`` is converted. Above -1.

    Returns
    -------
    float, array or DataArray
        ``value / (1 + growth)``, in the unit of `value`.

    Raises
    ------
    SeriesError
        If `value` is not above 0, or `growth` not above -1.

    Examples
    --------
    >>> round(implied_earlier(13.061e9, growth=0.6215) / 1e9, 3)
    8.055
    """
    share = _plain(growth, "1")
    _refuse("growth", share, -1.0)
    return _labelled(_above_zero("value", value) / (1 + share), _unit(value))


def cagr(first: Any, last: Any, years: Any) -> Any:
    """Compound annual growth rate, as a share.

    Parameters
    ----------
    first, last : float, array or DataArray
        Above 0, in one unit.
    years : float, array or DataArray
        Time between them, above 0; a DataArray in another unit of time is converted.

    Returns
    -------
    float, array or DataArray
        ``(last / first) ** (1 / years) - 1``, dimensionless.

    Raises
    ------
    SeriesError
        If anything is not above 0.

    Examples
    --------
    >>> round(cagr(103.88, 178.0, years=2), 3)
    0.309
    """
    time = _above_zero("years", _plain(years, "year"))
    return _labelled((1 + growth(last, first)) ** (1 / time) - 1, "1")


def growth_on_year(series: xr.DataArray) -> xr.DataArray:
    """Growth on the same day a year earlier, along ``date``.

    Parameters
    ----------
    series : DataArray
        With a dim ``date`` of datetime64; values above 0.

    Returns
    -------
    DataArray
        Same dims, dimensionless; NaN where the series has no figure a year earlier.

    Examples
    --------
    >>> import xarray as xr
    >>> dates = np.array(["2023-07-01", "2024-07-01"], dtype="datetime64[ns]")
    >>> growth_on_year(xr.DataArray([10.0, 15.0], coords={"date": dates}, dims="date")).values
    array([nan, 0.5])
    """
    return _growth_over(series, months=12)


def growth_on_quarter(series: xr.DataArray) -> xr.DataArray:
    """Growth on the same day three months earlier, along ``date``; else as `growth_on_year`.

    Examples
    --------
    >>> import xarray as xr
    >>> dates = np.array(["2024-04-01", "2024-07-01"], dtype="datetime64[ns]")
    >>> growth_on_quarter(xr.DataArray([10.0, 15.0], coords={"date": dates}, dims="date")).values
    array([nan, 0.5])
    """
    return _growth_over(series, months=3)


def elapsed_years(series: Any, since: Any = None) -> Any:
    """Years of 365 days along ``date``, as the quantity ``elapsed_time`` of growth equations.

    Parameters
    ----------
    series : DataArray or Dataset
        With a dim ``date`` of datetime64.
    since : date or str, optional
        Where time begins; the first date by default.

    Returns
    -------
    DataArray
        Over ``date``, in years.

    Examples
    --------
    >>> import xarray as xr
    >>> dates = np.array(["2024-05-01", "2025-05-01"], dtype="datetime64[ns]")
    >>> elapsed_years(xr.DataArray([1.0, 2.0], coords={"date": dates}, dims="date")).values
    array([0., 1.])
    """
    _check_dated(series)
    start = series.date.values.min() if since is None else np.datetime64(since)
    day = np.timedelta64(1, "D")
    years = (series.date - start) / day * conversion_factor("day", "year")
    made: Any = years.drop_vars([name for name in years.coords if name != "date"]).rename("elapsed_time")
    made.attrs = {"units": "year", "long_name": "Elapsed time"}
    return made


def _growth_over(series: xr.DataArray, months: int) -> xr.DataArray:
    _check_dated(series)
    dates = series.date.values
    month = dates.astype("datetime64[M]")
    # The same day of an earlier month; the 31st becomes the 1st of the next where a month is shorter.
    before = (month - np.timedelta64(months, "M")).astype(dates.dtype) + (dates - month.astype(dates.dtype))
    earlier = series.reindex(date=before).assign_coords(date=series.date)
    return growth(series, earlier)  # type: ignore[no-any-return]


def _check_dated(series: Any) -> None:
    if "date" not in getattr(series, "dims", ()) or not np.issubdtype(series.date.dtype, np.datetime64):
        dims = tuple(getattr(series, "dims", ()))
        raise SeriesError(f"a series with a dim 'date' of datetime64 is needed, not one with dims {dims}")


def _unit(value: Any) -> str | None:
    return getattr(value, "attrs", {}).get("units")


def _plain(value: Any, unit: str | None) -> Any:
    """A labelled value in `unit`; a bare one is taken to be in it."""
    own = _unit(value)
    return value if own is None or unit is None else value * conversion_factor(own, unit)


def _above_zero(name: str, value: Any) -> Any:
    _refuse(name, value, 0.0)
    return value


def _refuse(name: str, value: Any, bound: float) -> None:
    numbers = np.asarray(value, dtype=np.float64)
    # An absent figure of a table stays absent; a bare number has no excuse.
    absent = np.isnan(numbers) if hasattr(value, "dims") else np.zeros(numbers.shape, dtype=bool)
    if not np.all(absent | ((numbers > bound) & np.isfinite(numbers))):
        raise SeriesError(f"{name} must be a finite number above {bound:g}, not {value!r}")


def _labelled(value: Any, unit: str | None) -> Any:
    """Say the unit of a result that has labels; what else its inputs said is not true of it."""
    if not hasattr(value, "dims"):
        return value
    made = value.copy()
    made.attrs = {"units": unit} if unit else {}
    return made
