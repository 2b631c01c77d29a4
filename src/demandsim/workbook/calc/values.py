"""Values of cells as Excel means them: numbers, texts, truths, blanks, errors that travel, and rectangles of these.

A number that is uncertain is an array with one element a draw. Where some draws are no numbers, it is `Mixed`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.errors import WorkbookError

__all__ = [
    "DIV0",
    "ERRORS",
    "NA",
    "NAME",
    "NULL",
    "NUM",
    "REF",
    "VALUE",
    "CellError",
    "Grid",
    "Mixed",
    "UnsupportedError",
    "bounded",
    "digits15",
    "number",
    "plain",
    "same15",
    "text",
    "truth",
]


class UnsupportedError(WorkbookError):
    """A formula that means something here unknown: it is refused, and never guessed."""


class CellError(Exception):
    """An error as a value of a cell, such as ``#DIV/0!``.

    Parameters
    ----------
    code : str
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def __repr__(self) -> str:
        return self.code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellError) and self.code == other.code

    def __hash__(self) -> int:
        return hash(self.code)

    def __reduce__(self) -> Any:
        return CellError, (self.code,)


_CODES = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!", "#GETTING_DATA")
ERRORS = {code: CellError(code) for code in _CODES}
NULL, DIV0, VALUE, REF, NAME, NUM, NA = (ERRORS[code] for code in _CODES[:7])


class Mixed:
    """Draws of which some are no numbers but texts, truths, blanks or errors.

    Parameters
    ----------
    numbers : array of shape (draws,)
        NaN where the draw is something else.
    odd : bool array of shape (draws,)
    things : object array of shape (draws,)
        What the odd draws are.
    """

    __slots__ = ("numbers", "odd", "things")

    def __init__(self, numbers: Array, odd: Any, things: Any) -> None:
        self.numbers, self.odd, self.things = numbers, odd, things

    def tolist(self) -> list[Any]:
        """Value of every draw."""
        found: list[Any] = self.numbers.tolist()
        for place in np.flatnonzero(self.odd):
            found[place] = self.things[place]
        return found


class Grid:
    """A rectangle of values.

    Parameters
    ----------
    rows : list of list of values
    at : (sheet, row, column), optional
        Where its first cell stands.
    shape : (rows, columns), optional
        Of the whole range, where blank cells beyond the used ones are left out.
    """

    __slots__ = ("at", "drawn", "rows", "shape")

    def __init__(
        self,
        rows: list[list[Any]],
        at: tuple[str, int, int] | None = None,
        shape: tuple[int, int] | None = None,
    ) -> None:
        self.rows, self.at = rows, at
        self.shape = shape or (len(rows), len(rows[0]) if rows else 0)
        self.drawn = any(type(v) is np.ndarray or type(v) is Mixed for row in rows for v in row)

    def flat(self) -> list[Any]:
        """All values, row by row."""
        return [value for row in self.rows for value in row]

    def cell(self, row: int, column: int) -> Any:
        """Value at a place counted from 0; blank beyond the used cells."""
        if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
            return REF
        return self.rows[row][column] if row < len(self.rows) and column < len(self.rows[row]) else None


#: Letters that a cell can hold.
_LONGEST = 32_767
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][-+]?\d+)?")
#: What Excel may take for a date, a time, a fraction or an amount of money: refused rather than guessed.
_PERHAPS = re.compile(
    r"[-+(]?\s*(?:[$€£¥]\s*[-\d.,]+|[\d.,]+\s*[$€£¥]|\([\d.,]+\)|\d+[-/.:]\d+(?:[-/.:]\d+)*(?:[ T]\d.*)?"
    r"|\d+\s+\d+/\d+|\d*[-/ ]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-/ ,.]*\d+.*)\s*\)?",
    re.IGNORECASE,
)


def plain(said: str) -> float | None:
    """Read a text that is a plain number, such as ``" 1,200.5 "`` or ``"12%"``; None if it is none.

    Examples
    --------
    >>> plain("12.5%"), plain("1,200"), plain("FY25")
    (0.125, 1200.0, None)
    """
    stripped = said.strip()
    percent = stripped.endswith("%")
    bare = stripped[:-1].rstrip() if percent else stripped
    if not any(letter.isdigit() for letter in bare) or not _NUMBER.fullmatch(bare) or not bare.isascii():
        return None
    value = float(bare.replace(",", ""))
    if not math.isfinite(value):
        return None
    return value / 100.0 if percent else value


def _day(said: str) -> float | None:
    """A date as year, month and day, which Excel reads the same in every language; None if it is none."""
    if not _ISO.fullmatch(said):
        return None
    try:
        days = (date.fromisoformat(said) - date(1899, 12, 30)).days
    except ValueError:
        return None
    # Before March 1900 Excel counts a day that never was.
    return float(days) if days > 60 else None


def number(value: Any) -> float:
    """A single value as a number: blank is 0, truth 1, and text what it reads as.

    Raises
    ------
    CellError
        If it is an error, or a text that is no number.
    UnsupportedError
        If it is a text that may be a date or money, which depends on the language of the computer.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if value is None:
        return 0.0
    if kind is bool or kind is int:
        return float(value)
    if kind is CellError:
        raise value
    if kind is str:
        found = plain(value)
        if found is not None:
            return found
        day = _day(value.strip())
        if day is not None:
            return day
        if _PERHAPS.fullmatch(value.strip()):
            raise UnsupportedError(
                f"takes the text '{value[:40]}' for a number, which depends on the computer's language"
            )
        raise VALUE
    if kind is Grid:
        if len(value.rows) == 1 and len(value.rows[0]) == 1:
            return number(value.rows[0][0])
        raise VALUE
    return float(value)


def text(value: Any) -> str:
    """A single value as text, as ``&`` joins it.

    Examples
    --------
    >>> text(1 / 3), text(2025.0), text(True), text(None), text(1e-5)
    ('0.333333333333333', '2025', 'TRUE', '', '0.00001')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, CellError):
        raise value
    if isinstance(value, str):
        return value
    if isinstance(value, Grid):
        if len(value.rows) == 1 and len(value.rows[0]) == 1:
            return text(value.rows[0][0])
        raise VALUE
    value = float(value)
    if value == 0:
        return "0"
    said = f"{value:.14e}"
    if 1e-9 <= abs(value) < 1e21:
        fixed = format(Decimal(said), "f")
        return fixed.rstrip("0").rstrip(".") if "." in fixed else fixed
    head, _, tail = said.partition("e")
    head = head.rstrip("0").rstrip(".")
    return f"{head}E{tail[0]}{int(tail[1:]):02d}"


def bounded(said: str) -> str:
    """A text that a cell can hold.

    Raises
    ------
    CellError
        If it is longer: Excel has none such.
    """
    if len(said) > _LONGEST:
        raise VALUE
    return said


def truth(value: Any) -> bool:
    """A single value as true or false.

    Raises
    ------
    CellError
        If it is an error, or a text other than TRUE and FALSE.
    """
    if isinstance(value, str):
        said = value.strip().upper()
        if said in ("TRUE", "FALSE"):
            return said == "TRUE"
        raise VALUE
    return number(value) != 0


def digits15(value: float) -> float:
    """The number that Excel keeps: its first 15 digits."""
    return float(f"{value:.14e}")


def same15(one: float, other: float) -> bool:
    """Whether two numbers are the same to Excel, which compares 15 digits.

    Examples
    --------
    >>> same15(0.1 + 0.2, 0.3), same15(1.0, 1.0 + 1e-13)
    (True, False)
    """
    if one == other:
        return True
    if abs(one - other) > 1e-14 * abs(one):
        return False
    return f"{one:.14e}" == f"{other:.14e}"


def sure(values: Sequence[Any]) -> bool:
    """Whether no value depends on the draw."""
    return not any(type(v) is np.ndarray or type(v) is Mixed or (type(v) is Grid and v.drawn) for v in values)
