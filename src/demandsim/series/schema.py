"""Schema of a series file: rows of CSV, checked one by one; a fault is named by file, line and column."""

from __future__ import annotations

import csv
import datetime
import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from demandsim.errors import SeriesError, UnitError, did_you_mean
from demandsim.units.convert import check_unit
from demandsim.units.dates import first_day

__all__ = ["OPTIONAL", "QUALIFIERS", "REQUIRED", "STATUSES", "Row", "Table", "read_table"]

#: How we know what the source says. What a figure is computed from has the status of the weakest of these figures.
STATUSES: Mapping[str, str] = {
    "published": "printed in the source named, which was opened and read",
    "excerpt": "read in an excerpt of the source named, or as another page carries it",
    "unverified": "general knowledge, not checked against an opened source",
}

#: How the source means the number.
QUALIFIERS: Mapping[str, str] = {
    "exact": "given as a plain fact, to the digits printed",
    "about": "said to be rounded: about, close to, an order of magnitude",
    "over": "a lower bound: over, at least, passed",
    "under": "an upper bound: under, at most",
    "forecast": "of a time still to come when it was said: a forecast, a plan, guidance",
    "estimated": "an estimate or an assumption of the source, not a count or a measurement",
    "derived": "not printed: computed from other figures; the note says from which",
}

REQUIRED = ("variable", "value", "unit", "date", "source", "status")
OPTIONAL = ("qualifier", "announced", "note", "misprint", "erratum")

#: What a variable or label column may not be called: it would hide a coordinate or a dim of a simulation.
_RESERVED = (*REQUIRED, *OPTIONAL, "period", "chain", "draw", "scenario", "statistic")

#: Python would also take "1_000", "nan" and full-width digits.
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Row:
    """One published figure.

    Parameters
    ----------
    line : int
        Line of the file, counted from 1.
    labels : tuple of str
        One per label column.
    variable, unit, source, status, qualifier, announced, note, erratum : str
        `announced` is the day on which the figure came out, empty where no one has written it down.
    value, misprint : float
        In `unit`; `misprint` is what is printed elsewhere by mistake, NaN if nothing is.
    period : str
        The date as written.
    date : datetime.date
        First day of the period.
    """

    line: int
    labels: tuple[str, ...]
    variable: str
    value: float
    unit: str
    period: str
    date: datetime.date
    source: str
    status: str
    qualifier: str
    announced: str
    note: str
    misprint: float
    erratum: str


@dataclass(frozen=True)
class Table:
    """A series file that has been read.

    Parameters
    ----------
    title : str
    notes : tuple of str
    long_names : mapping of variable to str
    labels : tuple of str
        Label columns, in the order of the file.
    columns : frozenset of str
        All columns of the file.
    rows : tuple of Row
    """

    title: str
    notes: tuple[str, ...]
    long_names: Mapping[str, str]
    labels: tuple[str, ...]
    columns: frozenset[str]
    rows: tuple[Row, ...]


def read_table(text: str, where: str) -> Table:
    """Read the text of a series file; `where` names it in errors.

    Raises
    ------
    SeriesError
        If it does not follow the schema; the message names file, line and column.
    """
    head, body, skipped = _head(text)
    lines = _records(body, where, skipped)
    _, names = next(lines, (0, []))
    columns = [name.strip() for name in names]
    labels = _label_columns(columns, where, skipped + 1)
    rows = tuple(
        _row(dict(zip(columns, fields, strict=True)), labels, f"{where}, line {line}", line)
        for line, fields in _of_equal_length(lines, columns, where)
    )
    if not rows:
        raise SeriesError(f"{where}: holds no rows")
    variables = list(dict.fromkeys(row.variable for row in rows))
    for row in rows:
        if row.variable in labels:
            raise SeriesError(f"{where}, line {row.line}, column 'variable': '{row.variable}' is also a label column")
    title, notes, long_names = "", [], {}
    for line, key, said in head:
        if key == "title":
            title = said
        elif key == "note":
            notes.append(said)
        elif key in variables:
            long_names[key] = said
        else:
            hint = did_you_mean(key, ["title", "note", *variables])
            raise SeriesError(f"{where}, line {line}: '{key}' is neither title, note nor a variable{hint}")
    return Table(title, tuple(notes), long_names, labels, frozenset(columns), rows)


def _head(text: str) -> tuple[list[tuple[int, str, str]], str, int]:
    """Split off the lines ``# key: text`` that stand before the table."""
    head: list[tuple[int, str, str]] = []
    lines = text.splitlines(keepends=True)
    place = 0
    while place < len(lines) and (lines[place].startswith(("#", '"#')) or not lines[place].strip(" ,\r\n")):
        # A spreadsheet quotes a line with a comma in it, and fills it up with commas.
        said = next(csv.reader([lines[place]]), [""])
        key, _, rest = ",".join(said).rstrip(",").lstrip("# ").partition(":")
        if key.strip():
            head.append((place + 1, key.strip(), rest.strip()))
        place += 1
    return head, "".join(lines[place:]), place


def _records(body: str, where: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which each begins; empty ones are left out."""
    reader = csv.reader(body.splitlines(keepends=True), strict=True)
    begins = skipped + 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SeriesError(f"{where}, line {begins}: cannot be read as CSV: {error}") from None
        if any(field.strip() for field in fields):
            yield begins, fields
        begins = skipped + reader.line_num + 1


def _of_equal_length(
    lines: Iterator[tuple[int, list[str]]], columns: Sequence[str], where: str
) -> Iterator[tuple[int, list[str]]]:
    for line, fields in lines:
        if len(fields) != len(columns):
            raise SeriesError(
                f"{where}, line {line}: has {len(fields)} fields, the header {len(columns)}; "
                'a text with a comma in it stands in quotes: "a, b"'
            )
        yield line, [field.strip() for field in fields]


def _label_columns(columns: Sequence[str], where: str, line: int) -> tuple[str, ...]:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise SeriesError(
            f"{where}, line {line}: column '{missing[0]}' is missing; a series has {', '.join(REQUIRED)}, "
            f"if need be {', '.join(OPTIONAL)}, and a column for each label"
        )
    labels = tuple(name for name in columns if name not in (*REQUIRED, *OPTIONAL))
    for place, name in enumerate(columns):
        if name in columns[:place]:
            raise SeriesError(f"{where}, line {line}: column '{name}' stands twice")
    for name in labels:
        # A misspelt column must not pass for a label.
        near = difflib.get_close_matches(name, (*REQUIRED, *OPTIONAL), n=1, cutoff=0.8)
        if near:
            raise SeriesError(f"{where}, line {line}: unknown column '{name}'; did you mean '{near[0]}'?")
        _check_name(name, f"{where}, line {line}, column '{name}'")
    return labels


def _check_name(name: str, where: str) -> None:
    if not name.isidentifier():
        raise SeriesError(f"{where}: '{name}' is not a name; use letters, digits and underscores")
    if name in _RESERVED:
        raise SeriesError(f"{where}: the name '{name}' is reserved")


def _row(fields: Mapping[str, str], labels: Sequence[str], where: str, line: int) -> Row:
    for name in (*REQUIRED, "qualifier", *labels):
        if fields.get(name) == "":
            raise SeriesError(f"{where}, column '{name}': is empty; every row has a {name}")
    _check_name(fields["variable"], f"{where}, column 'variable'")
    for column, words in (("status", STATUSES), ("qualifier", QUALIFIERS)):
        word = fields.get(column)
        if word is not None and word not in words:
            hint = did_you_mean(word, words)
            if column == "status" and word in QUALIFIERS:
                hint = f"; '{word}' is a qualifier, which has a column of its own"
            raise SeriesError(f"{where}, column '{column}': unknown {column} '{word}'{hint}")
    try:
        check_unit(fields["unit"])
    except UnitError as error:
        raise SeriesError(f"{where}, column 'unit': {error}") from None
    try:
        date = first_day(fields["date"])
    except ValueError as error:
        raise SeriesError(f"{where}, column 'date': {error}") from None
    try:
        if fields.get("announced"):
            first_day(fields["announced"])
    except ValueError as error:
        raise SeriesError(f"{where}, column 'announced': {error}") from None
    misprint = fields.get("misprint", "")
    if misprint and not fields.get("erratum"):
        raise SeriesError(f"{where}, column 'erratum': is empty; a misprint says where it stands")
    return Row(
        line=line,
        labels=tuple(fields[name] for name in labels),
        variable=fields["variable"],
        value=_number(fields["value"], f"{where}, column 'value'"),
        unit=fields["unit"],
        period=fields["date"],
        date=date,
        source=fields["source"],
        status=fields["status"],
        qualifier=fields.get("qualifier", ""),
        announced=fields.get("announced", ""),
        note=fields.get("note", ""),
        misprint=_number(misprint, f"{where}, column 'misprint'") if misprint else math.nan,
        erratum=fields.get("erratum", ""),
    )


def _number(text: str, where: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise SeriesError(f"{where}: '{text}' is not a finite number; write it like 59.98e6, without separators")
    return value
