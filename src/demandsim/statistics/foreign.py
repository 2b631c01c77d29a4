"""Foreign draws: a table of somebody else's draws becomes a Dataset like that of a simulation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.graph.scenario import RESERVED
from demandsim.units.convert import check_unit

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["import_draws"]


def import_draws(
    table: pd.DataFrame | Mapping[str, Any] | np.ndarray[Any, Any] | xr.Dataset,
    *,
    assumptions: Sequence[str] = (),
    units: Mapping[str, str] | None = None,
    chain: str = "chain",
    independent: bool = False,
) -> xr.Dataset:
    """Make draws of a table that came from elsewhere, to be used like those of ``model.simulate``.

    Parameters
    ----------
    table : DataFrame, mapping of str to array of shape (draws,), structured array, or Dataset
        A row a draw, a column a quantity. A Dataset has dims ``chain`` and ``draw``.
    assumptions : sequence of str, optional
        Columns that are inputs of the others: what ``sensitivity.given_data``, ``decisions.value_of_information`` and
        the groups of `to_datatree` ask for.
    units : mapping of str to str, optional
        Unit of each quantity; none by default.
    chain : str, default "chain"
        Column that says of which chain a row is, if there is one; chains must be equally long. All rows are one chain
        otherwise. A column ``draw`` says their order.
    independent : bool, default False
        Whether the draws are independent of each other. Only then do errors follow from one chain; otherwise they come
        from the spread between several.

    Returns
    -------
    Dataset
        Dims ``chain`` and ``draw``, attributes ``units``, ``long_name`` and, if `assumptions` are named, ``role``.

    Raises
    ------
    DemandsimError
        If a column holds no numbers, is there twice or called like a dim; if columns or chains have different lengths,
        there is no row, or what says where rows belong has gaps.
    UnknownNameError, UnitError
        If `assumptions` or `units` name what there is not; if a unit cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import demandsim as ds
    >>> price = np.random.default_rng(1).lognormal(size=4096)
    >>> draws = import_draws({"price": price, "cost": 3 * price}, units={"cost": "CNY"}, independent=True)
    >>> ds.probability(draws.cost > 3).probability.round(1).item()
    0.5
    """
    import xarray as xr

    if isinstance(table, xr.Dataset):
        found = _of_dataset(table)
    else:
        columns = _columns(table)
        chains = columns.pop(chain, None)
        order = columns.pop("draw", None)
        if not columns:
            raise DemandsimError("the table has no column of draws; give a column a quantity, a row a draw")
        _check_free(columns)
        values = {name: _numbers(name, column) for name, column in columns.items()}
        labels, rows = _rows(chains, order, {name: column.size for name, column in values.items()})
        found = xr.Dataset(
            {name: (("chain", "draw"), column[rows]) for name, column in values.items()},
            coords={"chain": labels, "draw": np.arange(rows.shape[1])},
        )
    names = list(map(str, found.data_vars))
    check_known(assumptions, names, "column in assumptions:")
    check_known(units or {}, names, "column in units:")
    for name in names:
        attrs = {"units": "1", "long_name": name.replace("_", " ")} | dict(found[name].attrs)
        if units and name in units:
            attrs["units"] = check_unit(units[name])
        if assumptions:
            attrs["role"] = "assumption" if name in assumptions else "derived"
        found[name].attrs = attrs
    found = _marked(found, names)
    found["chain"].attrs["design"] = "random" if independent else "imported"
    found.attrs.setdefault("study", "imported draws")
    return found


def _columns(table: Any) -> dict[str, Any]:
    """Columns of a table by name."""
    more: dict[str, Any] = {}
    if isinstance(table, np.ndarray) and table.dtype.names:
        held = [(name, table[name]) for name in table.dtype.names]
    elif isinstance(table, Mapping):
        held = list(table.items())
    elif hasattr(table, "columns") and hasattr(table, "__getitem__"):
        held = [(name, table[name]) for name in table.columns]
        # An index that says where a row belongs, as that of Dataset.to_dataframe.
        index: Any = getattr(table, "index", None)
        levels = [level for level in (index.names if index is not None else ()) if level in ("chain", "draw")]
        more = {level: np.asarray(index.get_level_values(level)) for level in levels}
    else:
        raise DemandsimError(
            f"draws are imported from a DataFrame, a mapping of columns, a structured array or a Dataset, not from "
            f"{type(table).__name__}; write import_draws({{'cost': values}}), or read a file first: "
            "import_draws(pandas.read_csv('draws.csv'))"
        )
    _check_once([str(name) for name, _ in held])
    return more | {str(name): column for name, column in held}


def _check_once(names: Sequence[str]) -> None:
    """Refuse two columns of one name, of which one would be lost."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DemandsimError(f"the table has two columns '{twice}'; name each column once")


def _check_free(names: Iterable[str]) -> None:
    """Refuse quantities that are called like the dims of draws and summaries."""
    for name in names:
        if name in RESERVED:
            raise DemandsimError(
                f"a quantity cannot be called '{name}', which is a dim of draws or summaries; rename it"
            )


def _numbers(name: str, column: Any) -> Array:
    try:
        values: Any = np.asarray(column)
        # Objects are numbers that a table holds as such, as those of a column with gaps; a text is none.
        texts = values.dtype.kind == "O" and any(isinstance(value, str | bytes) for value in values.flat)
        if values.dtype.kind not in "biufO" or texts:
            raise TypeError("no numbers")
        masked = isinstance(column, np.ma.MaskedArray)
        found: Array = np.ma.filled(column.astype(np.float64), np.nan) if masked else values.astype(np.float64)
    except (TypeError, ValueError, ArithmeticError):
        raise DemandsimError(f"column '{name}' holds no numbers; leave it out, or turn it into numbers") from None
    if found.ndim != 1:
        raise DemandsimError(f"column '{name}' has {found.ndim} dims; give one number a row")
    return found


def _sortable(name: str, given: Any, size: int) -> Any:
    """What says where each row belongs."""
    try:
        found = np.asarray(given)
        np.sort(found, axis=None)
        # A gap, NaN or no date, is not even equal to itself.
        gaps = np.not_equal(found, found)
    except (TypeError, ValueError, ArithmeticError):
        raise DemandsimError(f"column '{name}' mixes numbers with texts or gaps; give a whole number a row") from None
    if found.shape != (size,):
        raise DemandsimError(f"column '{name}' has {found.size} numbers for {size} rows")
    if np.any(gaps):
        raise DemandsimError(f"column '{name}' has a gap; give a whole number a row")
    return found


def _rows(chains: Any, order: Any, sizes: Mapping[str, int]) -> tuple[list[Any], np.ndarray[Any, np.dtype[np.intp]]]:
    """Labels of the chains, and the rows of each in the order of the draws, shape (chains, draws)."""
    size = next(iter(sizes.values()))
    other = next((name for name in sizes if sizes[name] != size), None)
    if other is not None:
        raise DemandsimError(f"column '{next(iter(sizes))}' has {size} draws, '{other}' has {sizes[other]}")
    if size == 0:
        raise DemandsimError("the table has no row, so no draw")
    own, within = (
        np.zeros(size, dtype=int) if given is None else _sortable(name, given, size)
        for name, given in (("chain", chains), ("draw", order))
    )
    labels, place = np.unique(own, return_inverse=True)
    counts = np.bincount(place)
    if counts.min() != counts.max():
        raise DemandsimError(
            f"chains are of different lengths, from {counts.min()} to {counts.max()} draws; cut the longer ones"
        )
    return labels.tolist(), np.lexsort((within, place)).reshape(labels.size, -1)


def _marked(draws: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """With marks of draws that are no numbers, as draws of ours have them: NaN is above nothing, and below nothing."""
    whole = [name for name in names if draws[name].chunks is None and {"chain", "draw"} <= set(draws[name].dims)]
    bad = {name: ~np.isfinite(draws[name].values) for name in whole}
    marks = {name: mark for name, mark in bad.items() if mark.any()}
    found = draws.assign_coords({f"invalid_{name}": (draws[name].dims, mark) for name, mark in marks.items()})
    if marks:
        found["chain"].attrs["finite"] = ", ".join(name for name in whole if name not in marks)
    return found


def _of_dataset(draws: xr.Dataset) -> xr.Dataset:
    missing = [dim for dim in ("chain", "draw") if dim not in draws.dims]
    if missing:
        raise DemandsimError(
            f"the Dataset has no dim '{missing[0]}'; rename its own, as in draws.rename(sample='draw'), or add one "
            "chain: draws.expand_dims(chain=[0])"
        )
    names = [str(name) for name in draws.data_vars]
    _check_once(names)
    _check_free(names)
    held = draws.rename(dict(zip(draws.data_vars, names, strict=True)))
    for dim in ("chain", "draw"):
        if dim not in held.coords:
            held = held.assign_coords({dim: np.arange(held.sizes[dim])})
    for name in held.data_vars:
        if held[name].dtype.kind not in "biuf":
            raise DemandsimError(f"variable '{name}' holds no numbers; leave it out, or turn it into numbers")
    return held
