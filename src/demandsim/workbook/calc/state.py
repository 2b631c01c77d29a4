"""State: values of cells while formulas run, what a compiled formula is, and what its parts may ask of its compiler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.draws import is_drawn
from demandsim.workbook.calc.nodes import Node
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.risk import Drawn
from demandsim.workbook.calc.values import NULL, Grid, UnsupportedError, number

__all__ = ["Code", "Compiled", "FrozenError", "Needed", "Scope", "State", "counted", "sure", "taken"]

Code = Callable[["State"], Any]
#: More cells than these no LAMBDA of a formula goes through: some seconds of work.
_MOST = 10_000_000


class FrozenError(UnsupportedError):
    """A formula for which its cached value stands: it asks for the clock, chance or another file."""


class Needed(Exception):  # noqa: N818  no error, but a question
    """Cells that a computed reference leads to, and that must be computed first."""

    def __init__(self, area: Area) -> None:
        super().__init__(area)
        self.area = area


@dataclass(slots=True)
class State:
    """Values of cells while they are computed.

    Parameters
    ----------
    values : dict of Key to value
    grids : mapping of Area to Grid
        Ranges in which nothing depends on the draw.
    visit : callable
        Told of every range that is computed, such as that of OFFSET.
    """

    values: dict[Any, Any]
    grids: Mapping[Area, Grid] = field(default_factory=dict)
    visit: Callable[[Area], None] = lambda area: None
    #: Distributions that formulas hold, found when they are first computed.
    laws: dict[Any, Drawn] = field(default_factory=dict)
    #: What ranges came to, by function and first cell: the last range that begins there, and its sum or extreme.
    begun: dict[tuple[Any, ...], tuple[Area, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A formula that can be run.

    Parameters
    ----------
    run : callable
    areas : tuple of Area
        Ranges that it takes.
    chance : tuple of (kind, cell, number)
        Draws that it asks for.
    parameters : tuple of Area
        Those of the ranges that distributions in it take for their parameters.
    """

    run: Code
    areas: tuple[Area, ...]
    chance: tuple[Any, ...] = ()
    parameters: tuple[Area, ...] = ()


class Scope(Protocol):
    """What the parts of one formula know of it while it is compiled.

    Parameters
    ----------
    book : Book
    home : Key
        The cell.
    chance : bool
        Whether RAND is drawn.
    root : Node
        The whole formula.
    areas, parameters : list of Area
        Ranges that it takes, and those that distributions in it take for their parameters.
    drawn : list
        Draws that it asks for.
    bound : dict of str to place
        Names that LET and LAMBDA give to values, and where these are kept.
    depth : int
        How deep names lead.
    numbers : iterator of int
        Numbers of such places.
    """

    book: Book
    home: Key
    chance: bool
    root: Node
    areas: list[Area]
    parameters: list[Area]
    drawn: list[Any]
    bound: dict[str, Any]
    depth: int
    numbers: Iterator[int]
    #: How many functions of the formula's own stand around what is compiled.
    inside: int

    def node(self, node: Node, array: bool) -> Code:
        """Compile a part, whatever it is."""

    def value(self, node: Node, array: bool) -> Code:
        """Compile a part of which one value is wanted."""


def counted(code: Code, home: Key) -> Code:
    """Count the cells that a part of a LAMBDA gives, each time it is applied, and refuse what would take minutes."""
    place = "cells of lambda", home

    def run(state: State) -> Any:
        found = code(state)
        many = found.shape[0] * found.shape[1] if type(found) is Grid else 1
        total = state.values[place] = state.values.get(place, 0) + many
        if total > _MOST:
            raise UnsupportedError(f"its LAMBDA goes through more than {_MOST:,} cells")
        return found

    return run


def taken(book: Book, state: State, area: Area | None) -> Any:
    """Values of a range."""
    if area is None:
        return NULL
    known = state.grids.get(area)
    if known is not None:
        return known
    get = state.values.get
    if area.single:
        return get(area.first)
    used = area.clipped(book)
    sheet, columns = used.sheet, range(used.left, used.right + 1)
    rows = [[get((sheet, row, column)) for column in columns] for row in range(used.top, used.bottom + 1)]
    return Grid(rows, area.first, area.shape)


def sure(name: str, value: Any) -> float:
    """An argument that may not depend on the draw."""
    if is_drawn(value):
        raise UnsupportedError(f"{name} with an uncertain argument is not read")
    return number(value)
