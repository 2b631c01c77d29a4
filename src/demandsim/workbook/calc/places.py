"""Places: where references lead, as OFFSET, INDEX and ``:`` compute them, and functions of where something stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from demandsim.workbook.calc.book import Key
from demandsim.workbook.calc.draws import guarded, is_drawn
from demandsim.workbook.calc.functions import FUNCTIONS
from demandsim.workbook.calc.names import stands_for
from demandsim.workbook.calc.nodes import Call, Intersection, Missing, Node, Operand, Span
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.state import Code, Scope, State, sure, taken
from demandsim.workbook.calc.values import NA, NULL, REF, VALUE, CellError, Grid, UnsupportedError, text

__all__ = ["PLACES", "alongside", "of_places", "place_of", "value_at"]

Place = Callable[[State], Area | None]
#: Files mark functions and names that older programs do not know.
_PREFIX = re.compile(r"_xl(?:fn|ws|pm|udf)\.", re.IGNORECASE)

#: Functions that look at where something stands, rather than at its value.
PLACES = ("ROW", "COLUMN", "OFFSET", "INDIRECT", "SUBTOTAL", "SINGLE", "ISREF", "ANCHORARRAY", "FORMULATEXT")


def place_of(scope: Scope, node: Node) -> Place:
    """Where something stands, found out when it runs."""
    if isinstance(node, Operand):
        try:
            found = stands_for(scope.book, node.said, scope.home)
        except CellError as error:
            return _raising(error.code)
        if isinstance(found, Node):
            return place_of(scope, found)
        if isinstance(found, tuple):
            raise UnsupportedError("a range over several sheets stands where one range is wanted")
        area = found
        scope.areas.append(area)
        return lambda state: area
    if isinstance(node, Intersection):
        left, right = place_of(scope, node.left), place_of(scope, node.right)

        def shared(state: State) -> Area | None:
            one, other = left(state), right(state)
            return one.shared(other) if one and other else None

        return shared
    if isinstance(node, Span):
        return _computed(scope, _span(scope, node))
    if isinstance(node, Call) and node.name in _COMPUTED:
        return _computed(scope, _COMPUTED[node.name](scope, node))
    raise UnsupportedError("a reference is computed in a way that is not read")


def _computed(scope: Scope, place: Place) -> Place:
    def run(state: State) -> Area | None:
        area = place(state)
        if area is not None:
            state.visit(area)
        return area

    return run


def _span(scope: Scope, node: Span) -> Place:
    left, right = place_of(scope, node.left), place_of(scope, node.right)

    def run(state: State) -> Area | None:
        one, other = left(state), right(state)
        if one is None or other is None or one.sheet != other.sheet:
            raise REF
        return Area(
            one.sheet,
            min(one.top, other.top),
            min(one.left, other.left),
            max(one.bottom, other.bottom),
            max(one.right, other.right),
        )

    return run


def _offset(scope: Scope, node: Call) -> Place:
    if not 3 <= len(node.args) <= 5:
        raise UnsupportedError("OFFSET takes three to five arguments")
    # Where it starts is no value that it takes.
    known = len(scope.areas)
    start = place_of(scope, node.args[0])
    del scope.areas[known:]
    numbers = [scope.value(part, False) for part in node.args[1:]]
    given = [not isinstance(part, Missing) for part in node.args[1:]]

    def run(state: State) -> Area | None:
        origin = start(state)
        if origin is None:
            raise REF
        found = [sure("OFFSET", code(state)) for code in numbers]
        down, right = int(found[0]), int(found[1])
        height = int(found[2]) if len(found) > 2 and given[2] else origin.shape[0]
        width = int(found[3]) if len(found) > 3 and given[3] else origin.shape[1]
        return _moved(origin, down, right, height, width)

    return run


def _indirect(scope: Scope, node: Call) -> Place:
    if len(node.args) != 1:
        raise UnsupportedError("INDIRECT with R1C1 references is not read")
    said = scope.value(node.args[0], False)

    def run(state: State) -> Area | None:
        value = said(state)
        if is_drawn(value):
            raise UnsupportedError("INDIRECT of an uncertain text is not read")
        found = stands_for(scope.book, text(value), scope.home)
        if isinstance(found, Area) and found.sheet not in scope.book.sheets:
            raise REF
        if not isinstance(found, Area):
            raise UnsupportedError("INDIRECT of a name that is no range is not read")
        return found

    return run


def _index(scope: Scope, node: Call) -> Place:
    if not 2 <= len(node.args) <= 3:
        raise UnsupportedError("INDEX of several areas is not read")
    start = place_of(scope, node.args[0])
    numbers = [scope.value(part, False) for part in node.args[1:]]

    def run(state: State) -> Area | None:
        origin = start(state)
        if origin is None:
            raise REF
        found = [int(sure("INDEX as a reference", code(state))) for code in numbers]
        height, width = origin.shape
        if len(found) == 1:
            found = [1, found[0]] if height == 1 else [found[0], 1]
        row, column = found
        if not (1 <= row <= height and 1 <= column <= width):
            raise REF
        return _moved(origin, row - 1, column - 1, 1, 1)

    return run


# Functions


def of_places(scope: Scope, node: Call, array: bool) -> Code:
    """A function of where something stands."""
    name = node.name
    if name in ("ROW", "COLUMN"):
        return _row_or_column(scope, node, array)
    if name in ("OFFSET", "INDIRECT", "ANCHORARRAY"):
        place = place_of(scope, node)
        return lambda state: value_at(scope, state, place)
    if name == "SUBTOTAL":
        return _subtotal(scope, node)
    if name == "FORMULATEXT" and len(node.args) == 1:
        return _written(scope, node)
    if name == "SINGLE" and len(node.args) == 1:
        return scope.value(node.args[0], False)
    raise UnsupportedError(f"the function {name} is not read")


def alongside(scope: Scope, cells: Node, values: Node) -> Place:
    """What SUMIF adds up: as many cells as it looks at, from the first one that is named."""
    over, start = place_of(scope, cells), place_of(scope, values)

    def run(state: State) -> Area | None:
        tested, named = over(state), start(state)
        if tested is None or named is None:
            raise NULL
        return _moved(named, 0, 0, *tested.shape)

    return _computed(scope, run)


def value_at(scope: Scope, state: State, place: Place) -> Any:
    """Values of the range that a place turns out to be."""
    try:
        area = place(state)
    except CellError as error:
        return CellError(error.code)
    if area is not None and area.sheet not in scope.book.sheets:
        return REF
    return taken(scope.book, state, area)


def _row_or_column(scope: Scope, node: Call, array: bool) -> Code:
    down = node.name == "ROW"
    if not node.args:
        own = float(scope.home[1] if down else scope.home[2])
        return lambda state: own
    known = len(scope.areas)
    place = place_of(scope, node.args[0])
    del scope.areas[known:]

    def run(state: State) -> Any:
        try:
            area = place(state)
        except CellError as error:
            return CellError(error.code)
        if area is None:
            return NULL
        if not array or area.single:
            return float(area.top if down else area.left)
        used = area.clipped(scope.book) if area.shape[0] * area.shape[1] > 100_000 else area
        if down:
            return Grid([[float(row)] for row in range(used.top, used.bottom + 1)])
        return Grid([[float(column) for column in range(used.left, used.right + 1)]])

    return run


def _written(scope: Scope, node: Call) -> Code:
    """The formula of a cell, which is no value that it takes."""
    known = len(scope.areas)
    where = place_of(scope, node.args[0])
    del scope.areas[known:]

    def run(state: State) -> Any:
        area = where(state)
        made = scope.book.formulas.get(area.first) if area is not None else None
        return NA if made is None else _PREFIX.sub("", made.text)

    return run


def _subtotal(scope: Scope, node: Call) -> Code:
    """A sum or its like that leaves out cells which are subtotals themselves."""
    if len(node.args) < 2:
        raise UnsupportedError("SUBTOTAL takes a number and ranges")
    which = scope.value(node.args[0], False)
    places = [place_of(scope, part) for part in node.args[1:]]

    def run_subtotal(state: State) -> Any:
        name = _SUBTOTALS.get(int(sure("SUBTOTAL", which(state))) % 100)
        if name is None:
            return VALUE
        values = []
        for place in places:
            area = place(state)
            if area is None:
                return NULL
            keys = [key for key in area.clipped(scope.book).cells() if not _is_subtotal(scope, key)]
            values += [state.values.get(key) for key in keys]
        return FUNCTIONS[name](Grid([values or [None]]))

    return lambda state: guarded(run_subtotal, (state,))


def _is_subtotal(scope: Scope, key: Key) -> bool:
    made = scope.book.formulas.get(key)
    return made is not None and "SUBTOTAL(" in made.text.upper()


def _raising(code: str) -> Place:
    def run(state: State) -> Area | None:
        raise CellError(code)

    return run


_SUBTOTALS = {
    1: "AVERAGE",
    2: "COUNT",
    3: "COUNTA",
    4: "MAX",
    5: "MIN",
    6: "PRODUCT",
    7: "STDEV",
    8: "STDEVP",
    9: "SUM",
    10: "VAR",
    11: "VARP",
}


def _moved(origin: Area, down: int, right: int, height: int, width: int) -> Area:
    top, left = origin.top + down, origin.left + right
    if height < 0:
        top, height = top + height + 1, -height
    if width < 0:
        left, width = left + width + 1, -width
    if top < 1 or left < 1 or height < 1 or width < 1 or top + height > 1_048_577 or left + width > 16_385:
        raise REF
    return Area(origin.sheet, top, left, top + height - 1, left + width - 1)


def _spill(scope: Scope, node: Call) -> Place:
    """The whole of an array formula, as ``A1#`` means it: as far as it reached when it was saved."""
    if len(node.args) != 1:
        raise UnsupportedError("a spilled range is written in a way that is not read")
    start = place_of(scope, node.args[0])

    def run(state: State) -> Area | None:
        anchor = start(state)
        shape = scope.book.spills.get(anchor.first) if anchor is not None else None
        if anchor is None or shape is None:
            raise REF
        return _moved(anchor, 0, 0, *shape)

    return run


_COMPUTED = {"OFFSET": _offset, "INDIRECT": _indirect, "INDEX": _index, "ANCHORARRAY": _spill}
