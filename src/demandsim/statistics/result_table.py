"""Tables of results that are no summary: indices, tornados, decisions, values of information, scores, evidence.

A result is a Dataset whose variables come with companions: ``x_lower`` and ``x_upper``, ``lower_x`` and ``upper_x``,
``x_mcse`` or ``mcse_x``. Each variable becomes a column, its companions stand in the same cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.statistics.datatree import observations
from demandsim.statistics.ranking import ranked
from demandsim.units.format import label_text, label_value, number, readable

__all__ = ["Column", "ResultTable", "result_table"]

#: Dims whose labels are put in the order of their size.
_RANKED = ("assumption", "change")
#: What only the numbers have, since a line has an end: they are seldom what is asked first.
_SELDOM = ("sd", "median", "optimism", "terms", "efficient")
#: Up to so many columns each shows its error; of more only the first does.
_WITH_ERRORS = 3


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    head : str
    value : DataArray
        By the labels of the rows, or some of them.
    companions : mapping of {"lower", "upper", "mcse"} to DataArray
    unit : str
    shown : bool, default True
        Printed, and not only among the numbers.
    """

    head: str
    value: xr.DataArray
    companions: Mapping[str, xr.DataArray] = field(default_factory=dict)
    unit: str = "1"
    shown: bool = True

    def at(self, place: Mapping[str, Any]) -> Column:
        """What stands in one row."""
        beside = {kind: other.sel(_within(place, other)) for kind, other in self.companions.items()}
        return replace(self, value=self.value.sel(_within(place, self.value)), companions=beside)

    def scale(self, place: Mapping[str, Any], unit: str = "") -> tuple[float, str]:
        """Divisor and unit in which all numbers of the row's quantity read well."""
        if self.value.dtype.kind not in "iuf":
            return 1.0, ""
        group = {dim: label for dim, label in _within(place, self.value).items() if dim == "quantity"}
        return readable(unit or self.unit, float(np.nanmax(np.abs(self.value.sel(group).values), initial=0.0)))


@dataclass(frozen=True)
class ResultTable:
    """Rows of text and of numbers.

    Parameters
    ----------
    names : tuple of str
        Of what tells rows apart.
    keys : list of tuple
    texts, numbers : list of dict
        Cells by head; numbers are in declared units.
    notes : tuple of str
        What is true of many rows.
    """

    names: tuple[str, ...]
    keys: list[tuple[Any, ...]]
    texts: list[dict[str, str]]
    numbers: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


def result_table(result: xr.Dataset) -> ResultTable:
    """Rows of a result.

    Parameters
    ----------
    result : Dataset
        What an analysis returned.

    Raises
    ------
    DemandsimError
        If it is none.
    """
    if {"chain", "draw"} & set(result.dims):
        if "evidence" in result.attrs and observations(result):
            return _evidence(result)
        raise DemandsimError("a table is made of a summary, such as ds.table(ds.summarize(draws)), or of a result")
    if not result.data_vars:
        raise DemandsimError("there is nothing in it to make a table of")
    if "end" in result.dims and "setting" in result.coords:
        return _joined([_tornado(result, str(name)) for name in result.data_vars])
    if "score" in result.dims:
        return _joined([_scores(result[name]) for name in result.data_vars])
    return _estimates(result)


def _joined(tables: Sequence[ResultTable]) -> ResultTable:
    """Tables of several quantities, one below the other."""
    names = tuple(dict.fromkeys(name for table in tables for name in table.names))
    keys = [
        tuple(dict(zip(table.names, key, strict=True)).get(n, "") for n in names)
        for table in tables
        for key in table.keys
    ]
    texts = [row for table in tables for row in table.texts]
    numbers = [row for table in tables for row in table.numbers]
    return ResultTable(names, keys, texts, numbers, tuple(dict.fromkeys(n for table in tables for n in table.notes)))


def _estimates(result: xr.Dataset) -> ResultTable:
    """A result of variables and their companions."""
    main = {str(name): result[name] for name in result.data_vars if not _base(str(name), result)}
    wide = [array.dims for array in main.values() if "assumption_2" not in array.dims]
    dims = max(wide or [next(iter(main.values())).dims], key=len)
    columns, notes, others = [], [], []
    own = [name for name, array in main.items() if set(array.dims) == set(dims)]
    for name, array in main.items():
        if set(array.dims) == set(dims):
            companions = {kind: result[other] for kind, other in _companions(name, own, result).items()}
            unit = str(array.attrs.get("units", "1"))
            columns.append(Column(_words(name), array, companions, unit, name not in _SELDOM))
        elif set(array.dims) < set(dims) and dims:
            notes += _note(
                name, result, {kind: result[other] for kind, other in _companions(name, own, result).items()}
            )
        else:
            others.append(name)
    if others:
        listed = ", ".join(repr(each) for name in others for each in (name, *_companions(name, own, result).values()))
        notes.append(f"of other labels, not shown: ds.table(result[[{listed}]])")
    units = result.coords.get("units")
    return _laid_out(columns, _ordered(dims, str(result.attrs.get("action", ""))), notes, units)


def _base(name: str, result: xr.Dataset) -> str:
    """The variable that one is the companion of; empty if of none."""
    for kind in ("lower", "upper", "mcse"):
        for base in (name.removesuffix(f"_{kind}"), name.removeprefix(f"{kind}_")):
            if base != name and base in result:
                return base
    return "?" if name == "mcse" and len(result.data_vars) > 1 else ""


def _companions(name: str, own: Sequence[str], result: xr.Dataset) -> dict[str, str]:
    found = {}
    for kind in ("lower", "upper", "mcse"):
        for other in (f"{name}_{kind}", f"{kind}_{name}"):
            if other in result:
                found[kind] = other
    if "mcse" in result and list(own) == [name]:
        found.setdefault("mcse", "mcse")
    return found


def _words(name: str) -> str:
    return name.replace("_", " ")


def _ordered(dims: Sequence[Any], action: str) -> list[str]:
    """Quantities first, what is compared last."""
    last = (*_RANKED, "assumption_2", action)
    return sorted(
        map(str, dims), key=lambda dim: (dim != "quantity", dim in last, last.index(dim) if dim in last else 0)
    )


def _note(name: str, result: xr.Dataset, companions: Mapping[str, xr.DataArray]) -> list[str]:
    """Say what holds for many rows, on a line; that nothing was left out is not worth one."""
    array = result[name]
    if name == "n_invalid" and not bool(array.any()):
        return []
    parts = []
    for place in _places(array, list(map(str, array.dims))):
        here = array.sel(place)
        unit = str(here.coords["units"].item() if "units" in here.coords else array.attrs.get("units", "1"))
        divisor, label = readable(unit, float(here)) if here.dtype.kind == "f" else (1.0, "")
        text = _cell(here, {kind: other.sel(place) for kind, other in companions.items()}, divisor, True)
        where = ", ".join(label_text(label) for label in place.values())
        parts.append((f"{where}: " if where and array.size > 1 else "") + _counted(text, label))
    return [f"{_words(name)}: {'; '.join(parts)}"]


def _counted(text: str, label: str) -> str:
    """A number with the unit in which it is counted."""
    return f"{text} {'x ' if label[:1].isdigit() else ''}{label}".rstrip()


def _places(array: xr.DataArray, dims: Sequence[str]) -> Iterator[dict[str, Any]]:
    for spot in np.ndindex(*(array.sizes[dim] for dim in dims)):
        yield {dim: array[dim].values[i] for dim, i in zip(dims, spot, strict=True)}


def _cell(value: xr.DataArray, companions: Mapping[str, xr.DataArray], divisor: float, error: bool) -> str:
    """A value with its error and interval, as people read it."""
    if value.dtype.kind == "b":
        return "yes" if bool(value) else "no"
    if value.dtype.kind not in "iuf":
        return label_text(value.values)
    if math.isnan(float(value)):
        return "-"
    if value.dtype.kind in "iu":
        return f"{int(value):,}"
    text = number(float(value) / divisor)
    if {"lower", "upper"} <= companions.keys():
        low, high = (number(float(companions[end]) / divisor, 3) for end in ("lower", "upper"))
        return f"{text} ({low} to {high})"
    if error and "mcse" in companions and math.isfinite(float(companions["mcse"])):
        return f"{text} ± {number(float(companions['mcse']) / divisor, 2)}"
    return text


def _laid_out(
    columns: Sequence[Column], dims: Sequence[str], notes: Sequence[str], units: xr.DataArray | None = None
) -> ResultTable:
    """Rows by the labels of `dims`; what has a unit is divided alike in all rows of a quantity."""
    keys, texts, numbers = [], [], []
    for place in _arranged(columns[0].value, dims):
        here = [column.at(place) for column in columns]
        if all(each.value.dtype.kind == "f" and math.isnan(float(each.value)) for each in here):
            continue
        own = "" if units is None else str(units.sel(_within(place, units)).item())
        scales = [column.scale(place, own) for column in columns]
        keys.append(tuple(label_text(label) for label in place.values()))
        texts.append(_texts(here, scales))
        numbers.append(_numbers(here, own or next((c.unit for c in columns if c.unit != "1"), "1")))
    if not any(row["unit"] for row in texts):
        texts = [{head: text for head, text in row.items() if head != "unit"} for row in texts]
    return ResultTable(tuple(dims), keys, texts, numbers, tuple(notes))


def _texts(here: Sequence[Column], scales: Sequence[tuple[float, str]]) -> dict[str, str]:
    """Cells of a line; another unit than that of the line's first number stands in the cell."""
    shown = [(column, scale) for column, scale in zip(here, scales, strict=True) if column.shown]
    unit = next((label for _, (_, label) in shown if label), "")
    line = {}
    for place, (column, (divisor, label)) in enumerate(shown):
        with_error = place == 0 or len(shown) <= _WITH_ERRORS
        text = _cell(column.value, column.companions, divisor, with_error)
        line[column.head] = _counted(text, label) if label not in ("", unit) else text
    return line | {"unit": unit}


def _numbers(here: Sequence[Column], unit: str) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for column in here:
        line[column.head] = label_value(column.value.values)
        line |= {f"{column.head} {kind}": float(value) for kind, value in column.companions.items()}
    return line | {"unit": unit}


def _within(place: Mapping[str, Any], array: xr.DataArray) -> dict[str, Any]:
    return {dim: label for dim, label in place.items() if dim in array.dims}


def _arranged(values: xr.DataArray, dims: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every combination of labels, the largest of what is ranked first; of a pair only one of both orders."""
    inner = [dim for dim in dims if dim in _RANKED]
    outer = [dim for dim in dims if dim not in inner]
    if not inner or "assumption_2" in dims:
        for place in _places(values, dims):
            names = list(values["assumption"].values) if "assumption_2" in dims else []
            if not names or names.index(place["assumption"]) < names.index(place["assumption_2"]):
                yield place
        return
    dim = inner[0]
    for place in _places(values, outer):
        labels = values[dim].values
        for at in ranked(np.abs(values.sel(place).values), labels.tolist()):
            yield {**place, dim: labels[at]}


def _tornado(result: xr.Dataset, name: str) -> ResultTable:
    """What a quantity becomes at both ends of each assumption."""
    array, settings = result[name], result["setting"]
    unit = str(array.attrs.get("units", "1"))
    ends = {end: array.sel(end=end) for end in ("low", "base", "high")}
    swing = (ends["high"] - ends["low"]).where(np.isfinite(ends["high"]) & np.isfinite(ends["low"]))
    dims = _ordered(swing.dims, "")
    divisor, label = readable(unit, float(np.nanmax(np.abs(array.values), initial=0.0)))
    keys, texts, numbers = [], [], []
    for place in _arranged(swing, dims):
        values = {end: float(part.sel(place)) for end, part in ends.items()}
        if values["low"] == values["base"] == values["high"]:
            continue
        members = [
            m
            for m, row in zip(result["member"].values, result["row"].values, strict=True)
            if row == place["assumption"]
        ]
        line: dict[str, str] = {}
        numeric: dict[str, Any] = {}
        for end in ("low", "high"):
            own = settings.sel(member=members, end=end)
            own = own.sel({dim: value for dim, value in place.items() if dim in own.dims})
            units = str(result["setting_units"].sel(member=members[0]).item()) if len(members) == 1 else "1"
            line[end] = _setting(own, units) if len(members) == 1 else f"{len(members)} together"
            line[f"at {end}"] = number(values[end] / divisor)
            numeric |= {end: float(own.mean()) if len(members) == 1 else math.nan, f"at {end}": values[end]}
        texts.append(line | {"swing": number(float(swing.sel(place)) / divisor), "unit": label})
        keys.append((name, *(label_text(each) for each in place.values())))
        numbers.append(numeric | {"at base": values["base"], "swing": float(swing.sel(place)), "unit": unit})
    parts = []
    for place in _places(ends["base"], [dim for dim in dims if dim != "assumption"]):
        where = ", ".join(label_text(each) for each in place.values())
        text = _counted(number(float(ends["base"].sel(place).max()) / divisor), label)
        parts.append(f"{where}: {text}" if where else text)
    note = f"{name} with all assumptions at their {result.attrs.get('base', 'point')}: {'; '.join(parts)}"
    return ResultTable(("quantity", *dims), keys, texts, numbers, (note,))


def _setting(values: xr.DataArray, unit: str) -> str:
    low, high = float(values.min()), float(values.max())
    divisor, label = readable(unit, max(abs(low), abs(high)))
    ends = [number(low / divisor)] + ([number(high / divisor)] if high != low else [])
    return _counted(" to ".join(ends), label)


def _scores(array: xr.DataArray) -> ResultTable:
    """Scores of one quantity side by side, in its unit where they have one."""
    name, unit = str(array.name), str(array.attrs.get("units", "1"))
    labels = [str(score) for score in array["score"].values if not str(score).startswith("mcse_")]
    plain = ("pit", "covered", "log")
    columns = []
    for label in labels:
        error = f"mcse_{label}"
        beside = {"mcse": array.sel(score=error, drop=True)} if error in array["score"].values else {}
        own = "1" if label in plain else unit
        columns.append(Column(_words(label), array.sel(score=label, drop=True), beside, own))
    dims = [str(dim) for dim in array.dims if dim != "score"]
    made = _laid_out(columns, dims, ())
    return ResultTable(("quantity", *made.names), [(name, *key) for key in made.keys], made.texts, made.numbers)


def _evidence(posterior: xr.Dataset) -> ResultTable:
    """Each observation beside what is believed of its quantity after all of them."""
    keys: list[tuple[Any, ...]] = []
    texts: list[dict[str, str]] = []
    numbers: list[dict[str, Any]] = []
    for piece in observations(posterior):
        array = posterior[piece["quantity"]]
        dims = [dim for dim in array.dims if dim not in ("chain", "draw")]
        unit = str(array.attrs.get("units", "1"))
        coords = piece["coords"]
        observed = xr.DataArray(
            np.reshape(piece["observed"], [len(labels) for labels in coords.values()]), coords=coords, dims=list(coords)
        )
        for place in _places(array, list(map(str, dims))):
            labels = {dim: label_value(label) for dim, label in place.items()}
            if any(labels[dim] not in list(values) for dim, values in coords.items()):
                continue
            seen = float(observed.sel({dim: labels[dim] for dim in coords}))
            low, middle, high = np.nanquantile(array.sel(place).values, [0.05, 0.5, 0.95])
            divisor, label = readable(str(piece["unit"]), seen)
            factor = 1.0 if unit == piece["unit"] else _factor(unit, str(piece["unit"]))
            ends = {"posterior P5": low, "posterior P50": middle, "posterior P95": high}
            keys.append((piece["quantity"], ", ".join(label_text(each) for each in place.values())))
            texts.append(
                {"observed": number(seen / divisor)}
                | {head: number(float(value) * factor / divisor) for head, value in ends.items()}
                | {"unit": label}
            )
            numbers.append({"observed": seen, **{h: float(v) * factor for h, v in ends.items()}, "unit": piece["unit"]})
    a = posterior.attrs
    note = f"method {a['method']}, k-hat {a['khat']:.2f}, ESS {a['ess']:,.0f}, R-hat {a['rhat']:.3f}"
    return ResultTable(("quantity", "at"), keys, texts, numbers, (note,))


def _factor(unit: str, other: str) -> float:
    from demandsim.units.convert import conversion_factor

    return conversion_factor(unit, other)
