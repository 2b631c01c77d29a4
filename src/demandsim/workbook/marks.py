"""Marks: which cells of a workbook are assumptions and outputs, as its sheet ``demandsim`` or the caller says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from demandsim.errors import DemandsimError, WorkbookError, did_you_mean
from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.references import cell_named

__all__ = ["COLUMNS", "SHEET", "Mark", "Marks", "crystal_ball", "marks_of"]

SHEET = "demandsim"
#: Headers of the sheet: those of `mark` come behind, and are not read.
COLUMNS = ("what", "cell", "value", "with", "unit", "source")
_KINDS = ("assumption", "output", "correlation", "scenario", "candidate")
_HEADER_WITHIN = 30
#: What Crystal Ball leaves in a workbook: a hidden sheet, names, and functions of its own.
_CB_SHEET, _CB_NAME = "cb_data_", re.compile(r"cb(?:_|x_|cr_|workbookpriority)")
_CB_FUNCTION = re.compile(r"(?<![\w.])(?:_xll\.)?CB\.(\w+)\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Mark:
    """What is said of a cell: its distribution, if it is an assumption, its unit and its source."""

    law: Any = None
    unit: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Marks:
    """Assumptions, outputs, correlations and scenarios, by cell.

    Parameters
    ----------
    assumptions, outputs : mapping of Key to Mark
    correlations : mapping of (Key, Key) to float
        Spearman rank correlations.
    scenarios : mapping of label to (mapping of Key to value)
    """

    assumptions: Mapping[Key, Mark] = field(default_factory=dict)
    outputs: Mapping[Key, Mark] = field(default_factory=dict)
    correlations: Mapping[tuple[Key, Key], float] = field(default_factory=dict)
    scenarios: Mapping[str, Mapping[Key, Any]] = field(default_factory=dict)

    def adding(self, book: Book, outputs: Sequence[str], assume: Mapping[str, Any]) -> Marks:
        """What the caller says on top: outputs replace those of the sheet, assumptions are added or replaced."""
        if isinstance(outputs, str):
            outputs = [outputs]
        given = {cell_named(book, said): Mark(law) for said, law in assume.items()}
        known = {
            key: replace(mark, law=given[key].law, source=None) if key in given else mark
            for key, mark in self.assumptions.items()
        }
        wanted = {key: self.outputs.get(key, Mark()) for key in (cell_named(book, said) for said in outputs)}
        made = replace(self, assumptions={**given, **known}, outputs=wanted or self.outputs)
        both = [key for key in made.outputs if key in made.assumptions]
        if both:
            raise WorkbookError(f"{book.path}: {book.address(both[0])} is both an assumption and an output; keep one")
        return made


def marks_of(book: Book) -> Marks:
    """Read the sheet ``demandsim`` of a workbook; nothing is marked if there is none.

    Raises
    ------
    WorkbookError
        If a row cannot be read; it is named with its cell.
    """
    if SHEET not in book.sheets:
        return Marks()
    header, columns = _header(book)
    assumptions: dict[Key, Mark] = {}
    outputs: dict[Key, Mark] = {}
    correlations: dict[tuple[Key, Key], float] = {}
    scenarios: dict[str, dict[Key, Any]] = {}
    for row in range(header + 1, book.sheets[SHEET].rows + 1):
        cells = {name: book.saved((SHEET, row, column)) for name, column in columns.items()}
        kind = str(cells["what"] or "").strip().casefold()
        if not kind or kind == "candidate":
            continue
        if kind not in _KINDS:
            known = ", ".join(_KINDS)
            raise _fail(book, row, columns["what"], f"'{kind}' is none of {known}{did_you_mean(kind, _KINDS)}")
        key = _cell(book, row, columns["cell"], cells["cell"])
        if kind == "output":
            outputs[key] = Mark(unit=_text(cells["unit"]))
            continue
        if cells["value"] is None:
            raise _fail(book, row, columns["value"], f"is empty; write the value of this {kind}")
        if kind == "assumption":
            assumptions[key] = Mark(cells["value"], _text(cells["unit"]), _text(cells["source"]))
        elif kind == "scenario":
            label = _text(cells["with"])
            if not label:
                raise _fail(book, row, columns["with"], "is empty; write the name of the scenario")
            scenarios.setdefault(label, {})[key] = cells["value"]
        else:
            correlations[key, _cell(book, row, columns["with"], cells["with"])] = _rank(book, row, columns, cells)
    made = Marks(assumptions, outputs, correlations, scenarios)
    for key in (*(one for pair in correlations for one in pair), *(k for v in scenarios.values() for k in v)):
        if key not in assumptions:
            raise WorkbookError(
                f"{book.path}, sheet '{SHEET}': {book.address(key)} is in a correlation or scenario, but no "
                "assumption; add a row for it"
            )
    return made


def _header(book: Book) -> tuple[int, dict[str, int]]:
    sheet = book.sheets[SHEET]
    for row in range(1, min(sheet.rows, _HEADER_WITHIN) + 1):
        found = {
            str(value).strip().casefold(): column
            for column in range(1, sheet.columns + 1)
            if (value := book.saved((SHEET, row, column))) is not None
        }
        if {"what", "cell", "value"} <= found.keys():
            missing = [name for name in COLUMNS if name not in found]
            if missing:
                raise _fail(book, row, 1, f"this row of heads lacks '{missing[0]}'")
            return row, {name: found[name] for name in COLUMNS}
    raise WorkbookError(
        f"{book.path}, sheet '{SHEET}': no row has the heads {', '.join(COLUMNS)}; demandsim mark writes them"
    )


def _fail(book: Book, row: int, column: int, what: str) -> WorkbookError:
    return WorkbookError(f"{book.path}: {book.address((SHEET, row, column))}: {what}")


def _cell(book: Book, row: int, column: int, said: Any) -> Key:
    if not isinstance(said, str):
        raise _fail(book, row, column, "names no cell; write one, such as Inputs!C21")
    try:
        return cell_named(book, said)
    except DemandsimError as error:
        raise type(error)(f"{book.path}: {book.address((SHEET, row, column))}: {error}") from None


def _text(value: Any) -> str | None:
    return str(value).strip() or None if value is not None else None


def _rank(book: Book, row: int, columns: Mapping[str, int], cells: Mapping[str, Any]) -> float:
    rank = cells["value"]
    if type(rank) is not float or not -1 < rank < 1:
        raise _fail(book, row, columns["value"], f"is {rank!r}; write a rank correlation above -1 and below 1")
    return rank


def crystal_ball(book: Book) -> str:
    """Say what a workbook holds of Crystal Ball, whose assumptions are not read; empty if it holds nothing.

    Crystal Ball keeps its distributions outside of the cells, so that a cell of it looks like a sure number.
    """
    found = [f"a sheet {book.sheets[key].title}" for key in book.sheets if key.startswith(_CB_SHEET)]
    found += [f"a name {name.upper()}" for _, name in book.names if _CB_NAME.match(name)]
    calls = (
        (key, _CB_FUNCTION.search(made.text)) for key, made in book.formulas.items() if "cb." in made.text.casefold()
    )
    found += [f"CB.{call[1]} in {book.address(key)}" for key, call in calls if call]
    if not found:
        return ""
    return (
        f"holds data of Crystal Ball ({found[0]}), whose distributions are not read: its cells are sure numbers here; "
        f"write them on a sheet '{SHEET}', which demandsim mark makes, or name them with assume= or --assume"
    )
