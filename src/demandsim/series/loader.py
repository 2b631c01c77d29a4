"""Loader: a series file, shipped or the user's own, becomes a labelled Dataset with its provenance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demandsim.errors import SeriesError, UnitError, UnknownNameError, did_you_mean
from demandsim.series.schema import OPTIONAL, Row, Table, read_table
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["list_series", "load_series"]

#: Cells of a Dataset: labels that multiply to more are a column that is no label.
_MOST_CELLS = 10_000_000


def _shipped() -> dict[str, Any]:
    folder = resources.files("demandsim.series")
    return {item.name.removesuffix(".csv"): item for item in folder.iterdir() if item.name.endswith(".csv")}


def list_series() -> tuple[str, ...]:
    """Names of the series and tables that ship with demandsim.

    Examples
    --------
    >>> "doubao-daily-tokens" in list_series()
    True
    """
    return tuple(sorted(_shipped()))


def load_series(series: str | Path) -> xr.Dataset:
    """Load published figures: a shipped series by name, or a CSV file by path.

    Parameters
    ----------
    series : str or Path
        A name of `list_series`, or a path that ends in ``.csv``; its columns are described in
        ``docs/reference/series.md``.

    Returns
    -------
    Dataset
        A variable for each name in the column ``variable``, with ``units``, ``long_name``, ``source`` and ``status``.
        Its dims are the label columns of the file (``company``, ``product``, ...). ``date`` is a dim where
        there are no label columns, or where they do not tell the rows apart; else it is a coordinate. Each figure
        has coordinates ``source``, ``status``, ``period`` (the date as written) and, if the file has them,
        ``note``, ``misprint`` and ``erratum``; with several variables these also have the dim ``variable``.
        A cell without a figure is NaN, and its status is ``absent``.

    Raises
    ------
    UnknownNameError
        If no series has that name, or there is no such file.
    SeriesError
        If a file cannot be read, or does not follow the schema; it names file, line and column.

    Examples
    --------
    >>> tokens = load_series("doubao-daily-tokens")
    >>> tokens.daily_tokens.attrs["units"]
    'token/day'
    >>> tokens.daily_tokens.sel(date="2024-12-15").item()
    4000000000000.0
    >>> users = load_series("monthly-active-users")
    >>> users.active_users.sel(product="Doubao").item()
    59980000.0
    """
    name = str(series)
    if not (name.endswith(".csv") or isinstance(series, Path) or "/" in name):
        shipped = _shipped()
        if name not in shipped:
            raise UnknownNameError(f"unknown series '{name}'{did_you_mean(name, shipped)}")
        return _dataset(read_table(shipped[name].read_text(encoding="utf-8"), f"{name}.csv"), name, f"{name}.csv")
    path = Path(series)
    if not path.is_file():
        raise UnknownNameError(f"there is no series file '{path}'{did_you_mean(path.stem, _shipped())}")
    try:
        # A spreadsheet's UTF-8 begins with a mark that is no part of the first column.
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SeriesError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SeriesError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from None
    return _dataset(read_table(text, str(path)), path.stem, str(path))


def _dataset(table: Table, name: str, where: str) -> xr.Dataset:
    import numpy as np
    import xarray as xr

    rows = table.rows
    dated = not table.labels or _repeated(rows, dated=False) is not None
    twice = _repeated(rows, dated=dated)
    if twice is not None:
        first, again = twice
        what = ", ".join([first.variable, *first.labels, *([first.date.isoformat()] if dated else [])])
        raise SeriesError(f"{where}, line {again.line}: repeats line {first.line} ({what})")
    index: dict[str, list[Any]] = {
        dim: list(dict.fromkeys(row.labels[place] for row in rows)) for place, dim in enumerate(table.labels)
    }
    if dated:
        index["date"] = sorted({row.date for row in rows})
    variables = list(dict.fromkeys(row.variable for row in rows))
    shape = [len(labels) for labels in index.values()]
    if math.prod(shape) * len(variables) > _MOST_CELLS:
        raise SeriesError(
            f"{where}: labels {list(index)} multiply to {math.prod(shape)} cells; is each column a label?"
        )
    places = {dim: {label: place for place, label in enumerate(labels)} for dim, labels in index.items()}

    def cell(row: Row) -> tuple[int, ...]:
        labels: tuple[Any, ...] = (*row.labels, row.date) if dated else row.labels
        return tuple(places[dim][label] for dim, label in zip(index, labels, strict=True))

    values = np.full([*shape, len(variables)], np.nan)
    misprints = values.copy()
    texts: dict[str, Any] = {
        key: np.full(values.shape, "absent" if key == "status" else "", dtype=object)
        for key in ("source", "status", "period", *(key for key in OPTIONAL if key in table.columns))
        if key != "misprint"
    }
    dates = np.full(values.shape, "NaT", dtype="datetime64[ns]")
    units: dict[str, str] = {}
    for row in rows:
        place = (*cell(row), variables.index(row.variable))
        factor = _factor(row, units.setdefault(row.variable, row.unit), where)
        values[place], misprints[place] = row.value * factor, row.misprint * factor
        dates[place] = np.datetime64(row.date, "ns")
        for key, array in texts.items():
            array[place] = getattr(row, key)

    # The last axis tells variables apart; a single one needs no dim for it.
    alone = len(variables) == 1
    dims = (*index, *(() if alone else ("variable",)))
    told: dict[str, Any] = {key: array.astype(str) for key, array in texts.items()}
    if "misprint" in table.columns:
        told["misprint"] = misprints
    if not dated:
        told["date"] = dates
    coords: dict[str, Any] = {key: (dims, array[..., 0] if alone else array) for key, array in told.items()}
    coords |= {
        dim: np.array(labels, dtype="datetime64[ns]") if dim == "date" else labels for dim, labels in index.items()
    }
    if not alone:
        coords["variable"] = variables
    data = {
        variable: (tuple(index), values[..., place], _attributes(table, variable, units[variable]))
        for place, variable in enumerate(variables)
    }
    attrs = {"series": name, "title": table.title or name, "notes": "\n".join(table.notes)}
    return xr.Dataset(data, coords, {key: said for key, said in attrs.items() if said})


def _repeated(rows: Sequence[Row], *, dated: bool) -> tuple[Row, Row] | None:
    """The first two rows that stand for one figure, if there are any."""
    seen: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        known = seen.setdefault((row.variable, row.labels, row.date if dated else None), row)
        if known is not row:
            return known, row
    return None


def _factor(row: Row, unit: str, where: str) -> float:
    try:
        return conversion_factor(row.unit, unit)
    except UnitError as error:
        raise SeriesError(
            f"{where}, line {row.line}, column 'unit': {error}; the first row of '{row.variable}' is in '{unit}'"
        ) from None


def _attributes(table: Table, variable: str, unit: str) -> dict[str, str]:
    rows = [row for row in table.rows if row.variable == variable]
    label = table.long_names.get(variable, variable.replace("_", " ").capitalize())
    # A variable taken out of a table leaves the coordinates behind: in short, they stay with it.
    told = {key: "; ".join(dict.fromkeys(getattr(row, key) for row in rows)) for key in ("source", "status")}
    return {"units": unit, "long_name": label, **told}
