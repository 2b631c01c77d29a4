"""Tables of HTML: rows that turn into blocks on a phone, with the roles that keep them tables for a screen reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from demandsim.report.markup import Child, Markup, tag

__all__ = ["Column", "bars", "table"]


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether its cells are numbers, or long enough for a line of their own."""

    heading: str
    numeric: bool = False
    long: bool = False
    #: By the number that a cell carries, where readers sort; by its text otherwise.
    sorts: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[Child]], caption: str = "", kind: str = "stack") -> Markup:
    """Make a table whose first column names the row; of the kind ``sorts`` the script lets readers sort and filter.

    Examples
    --------
    >>> table([Column("a"), Column("b", numeric=True)], [["x", "1"]]).count("scope=")
    3
    """
    head = [
        tag(
            "th",
            column.heading,
            scope="col",
            role="columnheader",
            class_="number" if column.numeric else None,
            data_sorts="number" if column.sorts else None,
        )
        for column in columns
    ]
    body = []
    for row in rows:
        first, *cells = row
        made = [tag("th", first, scope="row", role="rowheader")]
        for column, cell in zip(columns[1:], cells, strict=True):
            kinds = " ".join(word for word, on in (("number", column.numeric), ("wide", column.long)) if on)
            # One box, however many parts: on a phone the cell stands beside the name of its column.
            whole = cell if isinstance(cell, str) else tag("span", cell)
            made.append(tag("td", whole, role="cell", class_=kinds or None, data_label=column.heading))
        body.append(tag("tr", made, role="row"))
    return _table(caption, kind, head, body)


def bars(
    headings: Sequence[str], rows: Iterable[tuple[Child, Sequence[tuple[str, Child]]]], caption: str, kind: str
) -> Markup:
    """Make a table of which one column holds drawn bars; each cell comes with its class."""
    made = list(rows)
    looks = [None, *(look if look == "number" else None for look, _ in made[0][1])] if made else [None] * len(headings)
    head = [
        tag("th", heading, scope="col", role="columnheader", class_=look)
        for heading, look in zip(headings, looks, strict=True)
    ]
    body = [
        tag(
            "tr",
            tag("th", name, scope="row", role="rowheader"),
            [tag("td", cell, role="cell", class_=look) for look, cell in cells],
            role="row",
        )
        for name, cells in made
    ]
    return _table(caption, f"bars {kind}".strip(), head, body)


def _table(caption: str, kind: str, head: Sequence[Markup], body: Sequence[Markup]) -> Markup:
    return tag(
        "table",
        tag("caption", caption) if caption else None,
        tag("thead", tag("tr", head, role="row"), role="rowgroup"),
        tag("tbody", body, role="rowgroup"),
        class_=kind,
        role="table",
    )
