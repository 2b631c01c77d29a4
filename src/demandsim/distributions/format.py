"""Values as the text grammar reads them, without losing a bit."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import numpy as np

from demandsim.errors import DistributionError
from demandsim.units.format import exact

__all__ = [
    "as_labelled",
    "check_order",
    "check_zone",
    "date_of",
    "format_value",
    "is_labelled",
    "labels_along",
    "labels_of",
]


def is_labelled(value: Any) -> bool:
    """Tell a DataArray from numbers, without importing xarray."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(value, xarray.DataArray)


def as_labelled(value: Any) -> Any:
    """A Series or DataFrame of pandas as a DataArray, whose dims are called like its axes; all else as it is.

    Raises
    ------
    DistributionError
        If an axis has no name.

    Examples
    --------
    >>> import pandas as pd
    >>> as_labelled(pd.Series([1.0, 2.0], pd.Index(["north", "south"], name="region"))).dims
    ('region',)
    """
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.Series | pandas.DataFrame):
        return value
    import xarray as xr

    columns = [value.columns.name] if isinstance(value, pandas.DataFrame) else []
    if None in (*value.index.names, *columns):
        what = "rename_axis('year')" if not columns else "rename_axis(index='year', columns='region')"
        raise DistributionError(
            f"a {type(value).__name__} of pandas needs names of its axes, which become the dims: write .{what}; the "
            "distribution of a sample is dist.empirical(values.to_numpy())"
        )
    return xr.DataArray(value) if columns else value.to_xarray().drop_attrs()


def labels_of(dim: str, labels: Any) -> tuple[Any, ...]:
    """Labels as `labels_along` gives them, of a list.

    Raises
    ------
    DistributionError
        As `labels_along`, and if a label stands twice.

    Examples
    --------
    >>> labels_of("date", ["2025-01", "2025-02"])
    ('2025-01', '2025-02')
    """
    import xarray as xr

    found = labels_along(xr.DataArray(np.arange(len(labels)), coords={dim: list(labels)}, dims=dim), dim)
    if len(set(found)) < len(found):
        raise DistributionError(f"dim '{dim}' has a label twice")
    return found


#: Whole numbers that a cell of a workbook, or a double, tells apart.
_LARGEST_LABEL = 2**53
_ZONED = "dim '{dim}' has dates with a time zone; write them without one, as index.tz_localize(None) does"


def labels_along(array: Any, dim: Any) -> tuple[Any, ...]:
    """Labels of a DataArray along a dim: numbers and texts of Python, dates of any kind as numpy has them.

    Dates are in seconds if they are whole ones, and otherwise in microseconds.

    Raises
    ------
    DistributionError
        If a label is what files cannot hold or readers cannot select by; the message says what to use.
    """
    check_zone(array, dim)
    labels = array.coords[dim].values
    if labels.dtype.kind == "O":
        labels = _of_objects(labels, dim)
    kind = labels.dtype.kind
    if kind == "M":
        # In a plain list dates become whole numbers.
        return tuple(_dates(labels, dim))
    wrong = ""
    if kind == "b":
        wrong = "labels True and False, which are 1 and 0 elsewhere; name them: 'yes' and 'no'"
    elif kind == "f" and not np.isfinite(labels).all():
        wrong = "a label that is NaN or infinite; leave it out, or name it"
    elif kind in "iu" and np.any(np.abs(labels.astype(np.float64)) > _LARGEST_LABEL):
        wrong = "labels beyond 2**53, which doubles cannot tell apart; write them as text"
    elif kind == "U" and np.any(labels == ""):
        wrong = "an empty text as label; name it"
    elif kind not in "iufU":
        wrong = f"labels of type {labels.dtype.name}; use numbers, texts or dates"
    if wrong:
        raise DistributionError(f"dim '{dim}' has {wrong}")
    return tuple(labels.tolist())


def check_zone(array: Any, dim: Any) -> None:
    """Raise if labels of an index have a time zone: its values are another hour, often another day, than was written.

    Raises
    ------
    DistributionError
        What to write.
    """
    if getattr(array.indexes.get(dim), "tz", None) is not None:
        raise DistributionError(_ZONED.format(dim=dim))


def check_order(labels: Any, dim: Any) -> None:
    """Raise if labels along which values are computed one after the other are numbers or dates in no order.

    Examples
    --------
    >>> check_order(np.array([2025, 2027, 2030]), "year"), check_order(np.array(["seed", "B", "A"]), "round")
    (None, None)

    Raises
    ------
    DistributionError
        What to write.
    """
    if labels.dtype.kind in "iufM" and not ((apart := labels[1:] > labels[:-1]).all() or not apart.any()):
        raise DistributionError(
            f"dim '{dim}' has its labels in no order ({', '.join(map(str, labels[:4]))}), and values at each "
            f"are computed from those at the label before; sort them: array.sortby('{dim}')"
        )


def date_of(label: Any) -> Any:
    """A label as files of text have it: a date of numpy as one of Python, without hours where it has none.

    Examples
    --------
    >>> date_of(np.datetime64("2025-09-30T00:00:00")), date_of(2025)
    (datetime.date(2025, 9, 30), 2025)
    """
    if not isinstance(label, np.datetime64):
        return label
    moment = label.astype("datetime64[us]").item()
    return moment.date() if moment.time() == datetime.time() else moment


def _of_objects(labels: Any, dim: Any) -> Any:
    """Labels that stand as objects of Python, as numpy has them."""
    given = labels.tolist()
    if all(isinstance(label, str) for label in given):
        return np.array(given, dtype=str)
    if all(isinstance(label, datetime.date) for label in given):
        if any(getattr(label, "tzinfo", None) is not None for label in given):
            raise DistributionError(_ZONED.format(dim=dim))
        return np.array(given, dtype="datetime64[us]")
    kinds = sorted({type(label).__name__ for label in given})
    if kinds == ["Period"]:
        raise DistributionError(
            f"dim '{dim}' has periods of pandas, which files cannot hold; use their starts, index.to_timestamp(), or "
            "their texts, index.astype(str)"
        )
    raise DistributionError(
        f"dim '{dim}' has labels of type {' and '.join(kinds)}; use numbers, texts or dates, and one of them in a dim"
    )


def _dates(labels: Any, dim: Any) -> Any:
    if np.isnat(labels).any():
        raise DistributionError(f"dim '{dim}' has a label that is no date (NaT); leave it out")
    for unit in ("s", "us"):
        whole = labels.astype(f"datetime64[{unit}]")
        if np.array_equal(whole.astype(labels.dtype), labels):
            return whole
    raise DistributionError(f"dim '{dim}' has dates that are finer than a microsecond; round them")


def format_value(value: Any) -> str:
    """Write a number, list, text, DataArray or distribution as the grammar reads it.

    Examples
    --------
    >>> format_value(110e9), format_value([1, 0.1]), format_value(True)
    ('1.1e11', '[1, 0.1]', 'true')
    """
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if is_labelled(value):
        names = "".join(f'"{dim}", ' for dim in value.dims)
        return f"by({names}{format_value(value.values.tolist())})"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(format_value(item) for item in value) + "]"
    if hasattr(value, "laws"):
        return str(value)
    return exact(float(value))
