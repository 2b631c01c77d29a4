"""Label: what a cell of a workbook is called: by the text on its left, and by the head above it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from demandsim.workbook.calc.book import Book, Key

__all__ = ["identifiers", "label_of", "unit_hint"]

_FAR = 60
_LONGEST = 48


def label_of(book: Book, key: Key) -> str | None:
    """Label of a cell: the text on its left and, where its row has more numbers, the head above it.

    Parameters
    ----------
    book : Book
    key : Key

    Returns
    -------
    str or None
        None if nothing is written beside it.
    """
    sheet, row, column = key
    left = _left(book, key)
    above = _above(book, key)
    if left is None:
        return above
    beside = ((sheet, row, place) for place in range(max(column - 3, 1), column + 4) if place != column)
    others = any(type(book.saved(one)) is float or one in book.formulas for one in beside)
    return f"{left}, {above}" if others and above and above != left else left


def _left(book: Book, key: Key) -> str | None:
    """First of the texts that stand together on the left: those after it are units and notes."""
    sheet, row, column = key
    found: str | None = None
    for place in range(column - 1, max(column - _FAR, 0), -1):
        value = book.saved((sheet, row, place))
        if isinstance(value, str) and value.strip():
            found = " ".join(value.split())
        elif found is not None:
            break
    return found


def _above(book: Book, key: Key) -> str | None:
    """The next text or year above, beyond numbers of the same kind."""
    sheet, row, column = key
    for place in range(row - 1, max(row - _FAR, 0), -1):
        value = book.saved((sheet, place, column))
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
        if type(value) is float and value == int(value) and 1900 <= value <= 2200:
            return str(int(value))
    return None


def identifiers(labels: Iterable[tuple[Key, str | None]], book: Book) -> dict[Key, str]:
    """Names of quantities after the labels of their cells; each is given once.

    Parameters
    ----------
    labels : iterable of (Key, label)
    book : Book

    Returns
    -------
    dict of Key to str
    """
    listed = list(labels)
    plain = {key: _identifier(label) for key, label in listed}
    counts: dict[str, int] = {}
    for name in plain.values():
        counts[name] = counts.get(name, 0) + 1
    found: dict[Key, str] = {}
    used: set[str] = set()
    for key, _ in listed:
        name = plain[key]
        if not name or counts[name] > 1 or name in used:
            # What shares its label goes by its address as well.
            where = _identifier(book.address(key).replace("!", " "))
            name = f"{name}_{where}" if name else where
        while name in used:
            name += "_"
        used.add(name)
        found[key] = name
    return found


def _identifier(label: str | None) -> str:
    """A label as a name.

    Examples
    --------
    >>> _identifier("Revenue growth (%)"), _identifier("2025 capex"), _identifier(None)
    ('revenue_growth', 'n_2025_capex', '')
    """
    words = re.sub(r"\W+", "_", (label or "").casefold()).strip("_")[:_LONGEST].strip("_")
    if not words:
        return ""
    if not words[0].isalpha():
        words = f"n_{words}"
    return words + "_" if keyword.iskeyword(words) or not words.isidentifier() else words


def unit_hint(form: str | None) -> str:
    """What a number format says of the unit: ``%`` or a currency.

    Examples
    --------
    >>> unit_hint("0.0%"), unit_hint('_($* #,##0_)'), unit_hint("[$€-2] #,##0"), unit_hint("General")
    ('%', '$', '€', '')
    """
    said = form or ""
    if "%" in said:
        return "%"
    if found := re.search(r"\[\$([^\]-]+)", said):
        return found[1]
    found = re.search(r"[$€£¥₹]|\b(?:USD|EUR|GBP|CNY|JPY|INR)\b", said)
    if found:
        return found[0]
    return "date" if re.search(r"[yd]{2}", re.sub(r'"[^"]*"|\[[^\]]*\]', "", said), re.IGNORECASE) else ""
