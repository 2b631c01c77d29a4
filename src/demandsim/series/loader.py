"""Loader: a series file, shipped or the user's own, becomes a labelled Dataset with its provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
        ``qualifier``, ``announced`` (when it came out), ``note``, ``misprint`` and ``erratum``; with several
        variables these also have the dim ``variable``. ``status`` says how we know what the source says,
        ``qualifier`` how the source means the number: `STATUSES` and `QUALIFIERS` of ``demandsim.series`` have the
        words.
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
    >>> tokens.qualifier.sel(date="2024-12-15").item()
    'over'
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
        raise SeriesError(f"{path}: is not UTF-8 text (byte {error.start}); save it as CSV UTF-8") from None
    return _dataset(read_table(text, str(path)), path.stem, str(path))


def _dataset(table: Table, name: str, where: str) -> xr.Dataset:
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
    cells = math.prod(map(len, index.values()))
    if cells * len(variables) > _MOST_CELLS:
        raise SeriesError(f"{where}: labels {list(index)} multiply to {cells} cells; is each column a label?")
    units = {row.variable: row.unit for row in reversed(rows)}
    cube = _cube(table, index | {"variable": variables}, units, where)
    told = cube.drop_vars("value")
    # A single variable needs no dim to be told apart.
    told = told.isel(variable=0, drop=True) if len(variables) == 1 else told
    data = {
        variable: cube.value.sel(variable=variable, drop=True).assign_attrs(_attributes(table, variable, unit))
        for variable, unit in ((variable, units[variable]) for variable in variables)
    }
    attrs = {"series": name, "title": table.title or name, "notes": "\n".join(table.notes)}
    return xr.Dataset(data, attrs={key: said for key, said in attrs.items() if said}).assign_coords(told.variables)


def _cube(table: Table, index: Mapping[str, Sequence[Any]], units: Mapping[str, str], where: str) -> xr.Dataset:
    """All columns over all labels and variables; what the file does not have is NaN, or absent."""
    import numpy as np
    import pandas as pd
    import xarray as xr

    texts = ["source", "status", "period", *(key for key in OPTIONAL if key in table.columns and key != "misprint")]
    records = []
    for row in table.rows:
        factor = _factor(row, units[row.variable], where)
        numbers = {"value": row.value * factor, "misprint": row.misprint * factor}
        spot = dict(zip(table.labels, row.labels, strict=True)) | {"date": np.datetime64(row.date, "ns")}
        records.append({**spot, "variable": row.variable, **numbers, **{key: getattr(row, key) for key in texts}})
    frame = pd.DataFrame(records).set_index(list(index))
    frame = frame if "misprint" in table.columns else frame.drop(columns="misprint")
    labels = {dim: np.array(each, dtype="datetime64[ns]" if dim == "date" else None) for dim, each in index.items()}
    cube = xr.Dataset.from_dataframe(frame).reindex(labels).assign_coords(labels)
    return cube.assign({key: cube[key].fillna("absent" if key == "status" else "").astype(str) for key in texts})


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
    told = {
        key: "; ".join(dict.fromkeys(getattr(row, key) for row in rows)) for key in ("source", "status", "qualifier")
    }
    return {"units": unit, "long_name": label, **{key: said for key, said in told.items() if said}}
