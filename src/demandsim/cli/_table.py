"""Tables and lines that fit a terminal: fewer columns beside each other rather than half a number."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

__all__ = ["Column", "Part", "laid_out", "wrapped"]

_GAP = "  "
#: Columns of text are not made narrower than this.
_NARROWEST = 12
#: A character of a script that is written without spaces.
_WIDE = r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]"
#: What is kept in one piece: such a character with the marks that may not begin a line, or a run without spaces.
_PIECE = re.compile(rf"[“（《]*(?:{_WIDE}|(?:(?!{_WIDE})\S)+)[，。、；：？！）》”…]*|\s+")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    head : str
    kind : str
        ``"name"`` of the row, or its ``"key"`` if that is a number; ``"text"``, which may run over several
        lines; ``"number"``; ``"error"``, of a number, into which it can be folded; or ``"unit"``, of the row, which
        can go to its name.
    of : str, default ""
        Head of the number that an error is of.
    joined : bool, default False
        It stands beside the column at its left, also where a table is parted.
    """

    head: str
    kind: str = "number"
    of: str = ""
    joined: bool = False


@dataclass(frozen=True)
class _Grid:
    """Columns and rows of cells, each of one or more lines."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]
    heads: tuple[tuple[str, ...], ...]
    #: Names on lines of their own, above: of the head and of each row.
    titles: tuple[str, ...] = ()

    def widths(self) -> list[int]:
        cells = zip(self.heads, *self.rows, strict=True)
        return [max(cell_len(line) for cell in column for line in cell) for column in cells]

    def width(self) -> int:
        widths = self.widths()
        return sum(widths) + len(_GAP) * (len(widths) - 1)

    def part(self, places: Sequence[int]) -> _Grid:
        """Some columns, the row's name first."""
        chosen = [0, *places]
        return _Grid(
            tuple(self.columns[at] for at in chosen),
            tuple(tuple(row[at] for at in chosen) for row in self.rows),
            tuple(self.heads[at] for at in chosen),
            self.titles,
        )

    def lines(self) -> Part:
        """Write it, without blanks at the ends of lines."""
        # Heads stand at the bottom of their line, cells at the top.
        height = max(map(len, self.heads))
        low = tuple(("",) * (height - len(head)) + head for head in self.heads)
        head, *names = self.titles or ("",) * (1 + len(self.rows))
        body = (line for name, row in zip(names, self.rows, strict=True) for line in self._written(row, name))
        return Part(tuple(self._written(low, head)), tuple(body))

    def _written(self, row: Sequence[tuple[str, ...]], name: str) -> Iterator[str]:
        widths = self.widths()
        yield from [name] * bool(name)
        for texts in itertools.zip_longest(*row, fillvalue=""):
            cells = []
            for text, column, width in zip(texts, self.columns, widths, strict=True):
                blank = " " * (width - cell_len(text))
                cells.append(blank + text if column.kind in ("number", "error", "key") else text + blank)
            yield _GAP.join(cells).rstrip()


def wrapped(text: str, width: int | None, indent: int = 0) -> list[str]:
    """Break a text between words, or between the characters of a script without spaces; never inside a number.

    Parameters
    ----------
    text : str
        What indents its lines is kept.
    width : int or None
        Cells of a line; None never breaks. A word that is longer stands on a line of its own.
    indent : int, default 0
        By how much more the further lines are indented.

    Examples
    --------
    >>> wrapped("median 22.0 against 178 bn", 14)
    ['median 22.0', 'against 178 bn']
    """
    lines = []
    for whole in text.split("\n"):
        if width is None or cell_len(whole) <= width:
            lines.append(whole)
            continue
        margin = whole[: len(whole) - len(whole.lstrip())]
        line, further = margin, margin + " " * indent
        for piece in _PIECE.findall(whole.lstrip()):
            if line.strip() and cell_len(line + piece.rstrip()) > width:
                lines.append(line.rstrip())
                line = further
            line += piece if line.strip() or piece.strip() else ""
        lines.append(line.rstrip())
    return lines


@dataclass(frozen=True)
class Part:
    """Lines of a table: those of its head, and those of its rows."""

    head: tuple[str, ...]
    body: tuple[str, ...]


def laid_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[Part]:
    """Lines of a table that fits, and of several with the same rows if it must be parted.

    Parameters
    ----------
    columns : sequence of Column
        The first is the row's name.
    rows : sequence of sequence of str
    width : int or None
        Cells that fit; None for as many as it takes.

    Returns
    -------
    list of Part
        One, or several with the same rows. Errors fold into their numbers and units into the names of rows before
        a table is parted.
    """
    whole = _Grid(
        tuple(columns),
        tuple(tuple((cell,) for cell in row) for row in rows),
        tuple((column.head,) for column in columns),
    )
    if width is None:
        return [whole.lines()]
    grid = whole
    for step in (lambda g: g, _with_low_heads, _with_errors_folded, _with_units_below):
        grid = step(grid)
        fitting = _with_texts_wrapped(grid, width)
        if fitting.width() <= width:
            return [fitting.lines()]
    parts = list(_parts(grid, width))
    if max(part.width() for part in parts) > width:
        parts = list(_parts(_with_names_above(grid), width))
    return [_with_texts_wrapped(part, width).lines() for part in parts]


def _with_low_heads(grid: _Grid) -> _Grid:
    """Heads of several words on several lines, where cells are narrower."""
    heads = []
    for place, (head, column) in enumerate(zip(grid.heads, grid.columns, strict=True)):
        cells = [cell_len(line) for row in grid.rows for line in row[place]]
        heads.append(tuple(wrapped(head[0], max([_NARROWEST, *cells]))) if column.kind != "name" else head)
    return replace(grid, heads=tuple(heads))


def _with_errors_folded(grid: _Grid) -> _Grid:
    """Numbers with their errors, ``87.6 ± 0.03``; the columns of the errors go."""
    kept = [place for place, column in enumerate(grid.columns) if column.kind != "error"]
    errors = {column.of: place for place, column in enumerate(grid.columns) if column.kind == "error"}
    rows = []
    for row in grid.rows:
        errs = {at: row[errors[grid.columns[at].head]][0] for at in kept if grid.columns[at].head in errors}
        rows.append(tuple((f"{row[at][0]} ± {errs[at]}",) if errs.get(at) else row[at] for at in kept))
    return _Grid(tuple(grid.columns[at] for at in kept), tuple(rows), tuple(grid.heads[at] for at in kept))


def _with_units_below(grid: _Grid) -> _Grid:
    """The unit of a row on a line below its name; one unit of all rows below a head."""
    place = next((at for at, column in enumerate(grid.columns) if column.kind == "unit"), None)
    if place is None:
        return grid
    kept = [at for at in range(1, len(grid.columns)) if at != place]
    left = grid.part(kept)
    units = [row[place][0] for row in grid.rows]
    if len(set(units)) == 1:
        at = int(left.columns[0].kind == "key")
        heads = [(*head, units[0]) if place == at else head for place, head in enumerate(left.heads)]
        return replace(left, heads=tuple(heads))
    named = [((*row[0], f"  {unit}") if unit else row[0], *row[1:]) for row, unit in zip(left.rows, units, strict=True)]
    return replace(left, rows=tuple(named))


def _with_names_above(grid: _Grid) -> _Grid:
    """Names of rows on lines of their own, for those that leave no room beside them."""
    cells = [grid.heads, *grid.rows]
    bare = [((*(cell[0][1:] or ("",)),), *cell[1:]) for cell in cells]
    return _Grid(grid.columns, tuple(bare[1:]), bare[0], tuple(cell[0][0] for cell in cells))


def _with_texts_wrapped(grid: _Grid, width: int) -> _Grid:
    """Texts over as many lines as make the table fit; the name of a row last."""
    for place in [*(at for at, column in enumerate(grid.columns) if column.kind == "text"), 0]:
        over = grid.width() - width
        if over > 0:
            grid = _narrowed(grid, place, max(_NARROWEST, grid.widths()[place] - over))
    return grid


def _narrowed(grid: _Grid, place: int, width: int) -> _Grid:
    """One column of texts, broken between words."""

    def lines(cell: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(line for text in cell for line in wrapped(text, width, indent=2))

    def changed(cells: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        return (*cells[:place], lines(cells[place]), *cells[place + 1 :])

    return _Grid(grid.columns, tuple(changed(row) for row in grid.rows), changed(grid.heads), grid.titles)


def _parts(grid: _Grid, width: int) -> Iterator[_Grid]:
    """As many columns beside the name as fit, those that are joined together if they can be."""
    places: list[int] = []
    for run in _runs(grid, width):
        if places and grid.part([*places, *run]).width() > width:
            yield grid.part(places)
            places = []
        places += run
    if places:
        yield grid.part(places)


def _runs(grid: _Grid, width: int) -> list[list[int]]:
    """Columns that stay together: joined ones, unless they alone are too wide."""
    runs: list[list[int]] = []
    for place, column in enumerate(grid.columns[1:], start=1):
        if runs and column.joined and grid.part([*runs[-1], place]).width() <= width:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs
