"""Tables: a summary in readable units, as rows for the terminal, CSV or JSON, and as a table to print."""

from __future__ import annotations

import csv
import html
import io
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from demandsim._system import printable
from demandsim.errors import DemandsimError
from demandsim.graph.changes import changes_line, published_at, read_changes
from demandsim.locale.words import Words, displayed
from demandsim.units.format import Scaling, label_value, number, percent, readable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from demandsim.statistics.result_table import ResultTable

__all__ = [
    "FORMULA_SIGNS",
    "Row",
    "SummaryTable",
    "csv_text",
    "heads",
    "intervals",
    "places",
    "rows",
    "single_values",
    "table",
]


#: With which a spreadsheet takes the text of a cell for a formula, also in full width.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Row:
    """One quantity in one scenario.

    Parameters
    ----------
    quantity, long_name, role, unit : str
    labels : dict of dim to label
        Scenario, year, hardware, ...
    published : float
        What the study's source printed, in `unit`; NaN where it printed nothing.
    point : float
        The model's own single value, in `unit`.
    statistics : dict of str to float
        As `summarize` names them, in `unit`.
    divisor, readable_unit
        For printing: values are divided by the one and shown in the other.
    """

    quantity: str
    long_name: str
    role: str
    unit: str
    labels: dict[str, Any]
    published: float
    point: float
    statistics: dict[str, float]
    divisor: float
    readable_unit: str
    #: NaN is a result, or comes of one: "never".
    never: bool = False

    @property
    def share_left_out(self) -> float:
        """Share of the draws that are no numbers, which the statistics leave out."""
        return self.statistics.get("share_invalid", 0.0)

    def left_out(self) -> str:
        """Write the share of the draws that have no value, with their number where that is an error; empty if none."""
        share = percent(self.share_left_out, 1)
        if not self.share_left_out or self.never:
            return share if self.share_left_out else ""
        return f"{self.statistics['n_invalid']:,.0f} ({share})"

    @property
    def size(self) -> float:
        """The largest number of the row: a margin's point can be near zero."""
        value = self.point if math.isfinite(self.point) and self.point else self.statistics["median"]
        ends = (value, self.statistics["lower"], self.statistics["upper"])
        return max((abs(each) for each in ends if math.isfinite(each)), default=0.0)

    def single(self, key: str) -> str:
        """Write what was published, or the point; nothing where there is none."""
        value = float(getattr(self, key))
        return "" if math.isnan(value) else self.shown(value)

    def spans(self, to: str = " to ", also: str = " and ") -> str:
        """Write all intervals of this row: ``-3.64 to -2.36 and 2.36 to 3.64``."""
        return also.join(f"{self.shown(low)}{to}{self.shown(high)}" for low, high in intervals(self.statistics))

    def shown(self, value: float, digits: int = 4) -> str:
        """Write a value of this row in the readable unit."""
        return number(value / self.divisor, digits)


def rows(summary: xr.Dataset, point: xr.Dataset, scale: Scaling = readable) -> Iterator[Row]:
    """Pair a summary with the points and what was published, one row per quantity and label.

    Parameters
    ----------
    summary : Dataset
        Of `summarize`.
    point : Dataset
        Of ``model.point()``.
    scale : callable, optional
        Of a unit and a magnitude: the divisor and the unit in which it is shown.
    """
    for name, array in summary.data_vars.items():
        dims = [dim for dim in array.dims if dim != "statistic"]
        own = point[name] if name in point.data_vars else None
        # Where nobody has said a unit, as of a cell of a workbook, columns of units still have one.
        unit = str(array.attrs.get("units") or "1")
        found: list[Row] = []
        for place in itertools.product(*(range(array.sizes[dim]) for dim in dims)):
            spot = dict(zip(map(str, dims), place, strict=True))
            labels = {dim: label_value(array.coords[dim].values[i]) for dim, i in spot.items()}
            values = array.isel(spot)
            statistics = {str(s): float(v) for s, v in zip(summary.statistic.values, values.values, strict=True)}
            value = math.nan
            if own is not None:
                value = float(own.isel({d: i for d, i in spot.items() if d in own.dims}))
            found.append(
                Row(
                    str(name),
                    str(array.attrs.get("long_name", name)),
                    str(array.attrs.get("role", "")),
                    unit,
                    labels,
                    published_at(array.attrs, list(labels.values())),
                    value,
                    statistics,
                    1.0,
                    "",
                    array.attrs.get("invalid") == "keep",
                )
            )
        # One unit for a quantity, or its rows could not be compared: that of its largest number.
        divisor, shown = scale(unit, max((row.size for row in found), default=0.0))
        yield from (replace(row, divisor=divisor, readable_unit=shown) for row in found)


def single_values(table: Sequence[Row]) -> list[str]:
    """Which single values a table shows: what was published, if anything was; points, where they are not just that."""
    some = any(not math.isnan(row.published) for row in table)
    same = some and all(math.isclose(row.published, row.point, rel_tol=1e-9) for row in table)
    return (["published"] if some else []) + ([] if same else ["point"])


def csv_text(records: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Records as CSV text, one line each; columns in the order in which they are met, unless given.

    A text that a spreadsheet would run as a formula stands behind an apostrophe, as spreadsheets themselves write it.

    Examples
    --------
    >>> print(csv_text([{"scenario": "=1+1", "median": -2.5}]), end="")
    scenario,median
    '=1+1,-2.5
    """
    found = dict.fromkeys(key for record in records for key in record) if columns is None else columns
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(key) for key in found])
    writer.writerows([_cell(record.get(key, "")) for key in found] for record in records)
    return out.getvalue()


def _cell(value: Any) -> Any:
    """A cell of CSV: a number as it is, a text as a text."""
    if not isinstance(value, str) or not value.startswith(FORMULA_SIGNS) or _NUMBER.fullmatch(value):
        return printable(value) if isinstance(value, str) else value
    return f"'{printable(value)}"


def places(data: xr.Dataset | xr.DataArray, dims: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every combination of labels along some dims, to select by."""
    for spot in itertools.product(*(range(data.sizes[dim]) for dim in dims)):
        yield {dim: data.coords[dim].values[i].item() for dim, i in zip(dims, spot, strict=True)}


@dataclass(frozen=True, repr=False)
class SummaryTable:
    """A result as people read it: print it, or let a notebook show it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of text, in units in which numbers are short.
    numbers : pandas.DataFrame
        The same rows as numbers, in declared units.
    notes : tuple of str
        What holds for many rows, and what the model has that its study has not.
    """

    frame: pd.DataFrame
    numbers: pd.DataFrame
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers, in full and in declared units, as a pandas DataFrame to compute with."""
        return self.numbers.copy()

    def __repr__(self) -> str:
        return printable("\n".join((str(self.frame.to_string()), *self.notes)))

    def _repr_html_(self) -> str:
        words = displayed()
        notes = "".join(f"<p>{html.escape(printable(words.message(note)))}</p>" for note in self.notes)
        return printable(str(_in_words(self.frame, words).to_html())) + notes


def _in_words(frame: pd.DataFrame, words: Words) -> pd.DataFrame:
    """A table with heads, quantities and labels in a language; English names things as Python does."""
    if words.code == "en":
        return frame
    said = {key: words.say(f"head_{key}") for key in ("published", "point")}
    said |= {"mean": words.say("mean"), "unit": words.say("unit"), "quantity": words.say("display_quantity")}

    def named(name: Any) -> Any:
        text = str(name)
        if text.startswith("MCSE of "):
            return words.say("mcse_of", head=named(text.removeprefix("MCSE of ")))
        return said.get(text) or words.names.get(text) or words.dims.get(text) or words.labels.get(text, name)

    return frame.rename(columns=named, index=named).rename_axis(index=named)


def heads(statistics: Sequence[str], prob: float, *, hdi: bool = False) -> dict[str, str]:
    """Heads of the columns of a table, and the statistics that stand under them: mean, and quantiles by level.

    Examples
    --------
    >>> heads(["mean", "sd", "median", "lower", "upper", "p1", "p99"], 0.9)
    {'mean': 'mean', 'P1': 'p1', 'P5': 'lower', 'P50': 'median', 'P95': 'upper', 'P99': 'p99'}
    """
    tail = 50 * (1 - prob)
    levels = {50.0: "median"} if hdi else {50.0: "median", tail: "lower", 100 - tail: "upper"}
    for name in statistics:
        if name[0] == "p" and name[1:].replace(".", "", 1).isdigit():
            # A level that the interval has already is not shown twice.
            near = any(math.isclose(float(name[1:]), level, rel_tol=1e-9) for level in levels)
            levels |= {} if near else {float(name[1:]): name}
    quantiles = {f"P{level:.10g}": levels[level] for level in sorted(levels)}
    interval = {"HDI low": "lower", "HDI high": "upper"} if hdi and "lower_1" not in statistics else {}
    return {"mean": "mean", **interval, **quantiles}


def intervals(statistics: Mapping[str, float]) -> list[tuple[float, float]]:
    """Intervals of a row of a summary, in increasing order: several where a highest density interval has pieces.

    Examples
    --------
    >>> intervals({"lower": 0.0, "upper": 3.0, "lower_1": 0.0, "upper_1": 1.0, "lower_2": 2.0, "upper_2": 3.0})
    [(0.0, 1.0), (2.0, 3.0)]
    """
    numbers = [name.removeprefix("lower_") for name in statistics if name.startswith("lower_")]
    several = [(statistics[f"lower_{n}"], statistics[f"upper_{n}"]) for n in numbers]
    return [pair for pair in several if not math.isnan(pair[0])] or [(statistics["lower"], statistics["upper"])]


def table(result: xr.Dataset, point: xr.Dataset | None = None) -> SummaryTable:
    """Write a result as people read it: a row a quantity, in units in which numbers are short.

    Parameters
    ----------
    result : Dataset
        Of `summarize` or ``model.estimate``; or of any other analysis: indices, tornado, bridge, decision, value of
        information, scores, probability. Of draws of ``model.infer`` it is the table of the evidence.
    point : Dataset, optional
        Points to stand beside a summary, of ``model.point()``.

    Returns
    -------
    SummaryTable
        Rows by quantity and, where there are any, by labels of scenarios and dims. Of a summary the columns are
        ``published``, what the source of the study printed, and ``point``, where it is not the same; ``mean``,
        lower end of the interval, ``P50``, upper end, further quantiles that were asked for, by level,
        ``HDI`` with all intervals of a highest density set, ``MCSE of mean``, ``unit``; ``never``, the share of draws
        in which a quantity has no value because its equation says that there may be none, and ``left out``, of other
        draws that are no numbers. Of
        other results they are its variables, each with its error or interval in the cell. Its ``frame`` is a pandas
        DataFrame of text, ``to_frame()`` one of numbers in declared units.

    Raises
    ------
    DemandsimError
        If there is no such result in it.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> summary = ds.summarize(model.simulate(seed=20250127))[["cards", "capex"]]
    >>> print(ds.table(summary, model.point()))
                      published  point   mean     P5    P50    P95 MCSE of mean          unit
    quantity scenario
    cards    100T         85.78  85.78  128.8  20.98  87.57  369.1        0.022  10,000 cards
    capex    100T                128.7  199.2  29.74  131.5  586.0        0.040        bn CNY
    >>> round(ds.table(summary).to_frame().loc[("cards", "100T"), "P50"], -3)
    np.float64(876000.0)
    """
    import xarray as xr

    from demandsim.statistics.result_table import result_table

    if not isinstance(result, xr.Dataset):
        raise DemandsimError(
            f"a table is made of a Dataset, such as ds.table(ds.summarize(draws)), not of a {type(result).__name__}"
        )
    made = _summary_table(result, point) if "statistic" in result.dims else result_table(result)
    changed = changes_line(str(result.attrs.get("study", "")), read_changes(result.attrs))
    return SummaryTable(_frame(made, made.texts), _frame(made, made.numbers), (*made.notes, *filter(None, (changed,))))


def _frame(made: ResultTable, lines: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    if not made.names:
        return pd.DataFrame(lines, index=[""] * len(lines))
    if len(made.names) == 1:
        return pd.DataFrame(lines, index=pd.Index([key[0] for key in made.keys], name=made.names[0]))
    return pd.DataFrame(lines, index=pd.MultiIndex.from_tuples(made.keys, names=made.names))


def _summary_table(summary: xr.Dataset, point: xr.Dataset | None) -> ResultTable:
    import xarray as xr

    from demandsim.statistics.result_table import ResultTable

    found = list(rows(summary, xr.Dataset() if point is None else point))
    dims = list(dict.fromkeys(dim for row in found for dim in row.labels))
    names = [str(name) for name in summary.statistic.values]
    columns = heads(names, float(summary.attrs.get("prob", 0.9)), hdi=summary.attrs.get("kind") == "hdi")
    single = [key for key in single_values(found) if key != "point" or point is not None]
    texts = [_texts(row, single, columns) for row in found]
    for text, row in zip(texts, found, strict=True):
        # A column of each kind that occurs.
        for head, never in (("never", True), ("left out", False)):
            if any(other.share_left_out and other.never == never for other in found):
                text[head] = row.left_out() if row.never == never else ""
    numbers = [_numbers(row, single, columns) for row in found]
    keys = [(row.quantity, *(str(row.labels.get(dim, "")) for dim in dims)) for row in found]
    return ResultTable(("quantity", *dims), keys, texts, numbers)


def _texts(row: Row, single: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Cells of a row of a summary, as text."""
    s = row.statistics
    line = {key: row.single(key) for key in single}
    for head, name in columns.items():
        line[head] = row.shown(s[name])
        if head == "mean" and "lower_1" in s:
            line["HDI"] = row.spans()
    return line | {"MCSE of mean": row.shown(s["mcse_mean"], 2), "unit": row.readable_unit}


def _numbers(row: Row, single: Sequence[str], columns: Mapping[str, str]) -> dict[str, Any]:
    """The same as numbers, with all errors and all ends of intervals."""
    s = row.statistics
    own: dict[str, Any] = {key: float(getattr(row, key)) for key in single}
    own |= {head: s[name] for head, name in columns.items()}
    own |= {name: value for name, value in s.items() if name.startswith(("lower_", "upper_"))}
    own |= {f"MCSE of {head}": s[f"mcse_{name}"] for head, name in columns.items() if f"mcse_{name}" in s}
    return (
        own
        | {"unit": row.unit}
        | ({"left out": s["n_invalid"], "share left out": row.share_left_out} if "n_invalid" in s else {})
    )
