"""Expressions: a formula as a function of the values of cells.

In a plain formula a range where one value is wanted stands for the cell beside the formula (implicit intersection);
in an array formula, and in the arguments of functions such as SUMPRODUCT, operators work on each of its cells.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from demandsim.workbook.calc.bindings import BINDING, bind, named_lambda
from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.chance import VOLATILE, risk, volatile
from demandsim.workbook.calc.draws import broadcast
from demandsim.workbook.calc.functions import FUNCTIONS, Function
from demandsim.workbook.calc.grammar import parsed
from demandsim.workbook.calc.names import stands_for
from demandsim.workbook.calc.nodes import (
    ArrayLiteral,
    Braces,
    Call,
    Intersection,
    Literal,
    Missing,
    Node,
    Operand,
    Operation,
    Percent,
    Sign,
    Span,
    Union,
    walked,
)
from demandsim.workbook.calc.operators import OPERATORS, minus, percent, snapped
from demandsim.workbook.calc.places import PLACES, alongside, of_places, place_of, value_at
from demandsim.workbook.calc.reductions import REDUCED, reduced
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.state import Code, Compiled, FrozenError, State, counted, taken
from demandsim.workbook.calc.values import NA, VALUE, CellError, Grid, UnsupportedError

__all__ = ["compiled"]

_CHOICES = ("IF", "IFS", "SWITCH", "CHOOSE", "IFERROR", "IFNA")
#: Functions that lead to cells, whose text is left out by sums.
#: Functions whose last range is made as large as their first.
_ALONGSIDE = ("SUMIF", "AVERAGEIF")
_REFERRING = (*_CHOICES, "INDEX", "OFFSET", "INDIRECT", "XLOOKUP")


def compiled(book: Book, key: Key, *, chance: bool = False) -> Compiled:
    """Compile the formula of a cell.

    Parameters
    ----------
    book : Book
    key : Key
    chance : bool
        Whether RAND is drawn, from values given by (cell, number of the call); its cell is frozen otherwise.

    Raises
    ------
    UnsupportedError
        If something in it is unknown here.
    FrozenError
        If its cached value stands for it.
    """
    made = book.formulas[key]
    if made.frozen:
        raise FrozenError(made.frozen)
    if made.spill is not None:
        anchor, row, column = made.spill
        spilled = ("spill", anchor)
        return Compiled(lambda state: _spilled(state.values.get(spilled), row, column), (Area(*anchor, *anchor[1:]),))
    node = parsed(made.text)
    compiler = _Compiler(book, key, chance)
    code = compiler.whole(node, made.array)
    areas = tuple(dict.fromkeys(compiler.areas))
    return Compiled(code, areas, tuple(compiler.drawn), tuple(compiler.parameters))


def _spilled(value: Any, row: int, column: int) -> Any:
    if type(value) is not Grid:
        return value
    i = 0 if len(value.rows) == 1 else row
    j = 0 if len(value.rows[0]) == 1 else column
    if i >= len(value.rows) or j >= len(value.rows[0]):
        return NA
    found = value.rows[i][j]
    return 0.0 if found is None else found


class _Compiler:
    """Turns the parts of one formula into functions."""

    def __init__(self, book: Book, home: Key, chance: bool) -> None:
        self.book, self.home, self.chance = book, home, chance
        self.areas: list[Area] = []
        self.drawn: list[Any] = []
        self.parameters: list[Area] = []
        self.root: Node = Missing()
        self.bound: dict[str, Any] = {}
        self.depth = 0
        self.numbers: Iterator[int] = itertools.count()
        self.inside = 0
        #: Whether arrays stand in braces: what is computed from them is an array, in a plain formula too.
        self.spreads = False

    def whole(self, node: Node, array: bool) -> Code:
        """The formula: its last sum is 0 where its terms are the same to 15 digits, and blank is 0."""
        self.root = node
        self.spreads = any(isinstance(part, (ArrayLiteral, Braces)) for part in walked(node))
        if array:
            code = self.node(node, True, last=True)
            spilled = ("spill", self.home)

            def run_array(state: State) -> Any:
                value = code(state)
                state.values[spilled] = value
                return _spilled(value, 0, 0)

            return run_array
        single = self.value(node, False, last=True)

        def run(state: State) -> Any:
            value = single(state)
            if type(value) is Grid:
                value = _spilled(value, 0, 0)
            return 0.0 if value is None else value

        return run

    # Values

    def node(self, node: Node, array: bool, *, last: bool = False) -> Code:
        """Compile a part, whatever it is; what stands in a LAMBDA counts its cells."""
        code = self.part(node, array, last)
        return counted(code, self.home) if self.inside and not isinstance(node, (Literal, Missing)) else code

    def part(self, node: Node, array: bool, last: bool) -> Code:
        if isinstance(node, Literal):
            value = node.value
            return lambda state: value
        if isinstance(node, Missing):
            return lambda state: None
        if isinstance(node, ArrayLiteral):
            rows = [list(row) for row in node.rows]
            return lambda state: Grid(rows)
        if isinstance(node, Braces):
            return self.braces(node)
        if isinstance(node, Operand):
            return self.operand(node, array)
        if isinstance(node, Operation):
            return self.operation(node, array, last)
        if isinstance(node, Sign):
            return self.sign(node, array)
        if isinstance(node, Percent):
            inner = self.value(node.node, array)
            many = array or self.spreads
            return (lambda state: broadcast(percent, (inner(state),))) if many else lambda state: percent(inner(state))
        if isinstance(node, (Intersection, Span)):
            where = place_of(self, node)
            return lambda state: value_at(self, state, where)
        if isinstance(node, Union):
            return self.union(node, array)
        assert isinstance(node, Call)
        return self.call(node, array)

    def value(self, node: Node, array: bool, *, last: bool = False) -> Code:
        """One value, the cell beside the formula if it is a range; in an array formula whatever it is."""
        if array:
            return self.node(node, True)
        if isinstance(node, Operand) and node.said.casefold() not in self.bound:
            node = self.beside(node)
        code = self.call(node, False, one=True) if isinstance(node, Call) else self.node(node, False, last=last)
        if isinstance(node, (Literal, Missing, Operation, Sign, Percent)):
            return code
        row, column = self.home[1:]
        spreads = self.spreads

        def run(state: State) -> Any:
            value = code(state)
            ranged = type(value) is Grid and not (spreads and value.at is None)
            return _beside(value, row, column) if ranged else value

        return run

    def beside(self, node: Operand) -> Node:
        """The one cell of a range that stands beside the formula, so that it depends on no other."""
        try:
            found = stands_for(self.book, node.said, self.home)
        except CellError as error:
            return Literal(CellError(error.code))
        if not isinstance(found, Area) or found.single:
            return node
        key = found.at(*self.home[1:])
        return Literal(VALUE) if key is None else Operand(self.book.address(key))

    def operation(self, node: Operation, array: bool, last: bool) -> Code:
        first = self.value(node.first, array)
        if not node.rest:
            return first
        steps = []
        for place, (sign, operand) in enumerate(node.rest, start=1):
            end = last and place == len(node.rest)
            call = snapped(sign) if end and sign in "+-" else OPERATORS[sign]
            steps.append((call, self.value(operand, array)))
        if array or self.spreads:

            def run_array(state: State) -> Any:
                value = first(state)
                for call, operand in steps:
                    value = broadcast(call, (value, operand(state)))
                return value

            return run_array
        if len(steps) == 1:
            only, other = steps[0]
            return lambda state: only(first(state), other(state))

        def run(state: State) -> Any:
            value = first(state)
            for call, operand in steps:
                value = call(value, operand(state))
            return value

        return run

    def sign(self, node: Sign, array: bool) -> Code:
        if node.sign == "+":
            return self.value(node.node, array)
        if isinstance(node.node, Literal) and isinstance(node.node.value, float):
            value = -node.node.value
            return lambda state: value
        if node.sign != "-":
            raise UnsupportedError(f"the sign '{node.sign}' is not read")
        inner = self.value(node.node, array)
        many = array or self.spreads
        return (lambda state: broadcast(minus, (inner(state),))) if many else lambda state: minus(inner(state))

    # References

    def operand(self, node: Operand, array: bool) -> Code:
        slot = self.bound.get(node.said.casefold()) if self.bound else None
        if slot is not None:
            return lambda state: state.values.get(slot)
        try:
            found = stands_for(self.book, node.said, self.home)
        except CellError as error:
            code = error.code
            return lambda state: CellError(code)
        if isinstance(found, Node):
            self.depth += 1
            if self.depth > 32:
                raise UnsupportedError(f"the name {node.said[:40]} leads too deep")
            made = self.node(found, True)
            self.depth -= 1
            return made
        if isinstance(found, tuple):
            return self.several(found)
        if node.said.startswith("@") and not found.single:
            beside = found.at(*self.home[1:])
            if beside is None:
                return lambda state: VALUE
            found = Area(*beside, *beside[1:])
        return self.area(found, array)

    def area(self, area: Area, array: bool) -> Code:
        if area.single:
            key = area.first
            self.areas.append(area)
            return lambda state: state.values.get(key)
        self.areas.append(area)
        return lambda state: taken(self.book, state, area)

    def several(self, areas: Sequence[Area]) -> Code:
        """The same range on several sheets, or several ranges, one under the other."""
        self.areas += areas

        def run(state: State) -> Any:
            values: list[Any] = []
            for area in areas:
                held = taken(self.book, state, area)
                values += held.flat() if type(held) is Grid else [held]
            return Grid([[value] for value in values])

        return run

    def union(self, node: Union, array: bool) -> Code:
        codes = [self.node(part, array) for part in node.nodes]

        def run(state: State) -> Any:
            values: list[Any] = []
            for code in codes:
                value = code(state)
                values += value.flat() if type(value) is Grid else [value]
            return Grid([[value] for value in values])

        return run

    def braces(self, node: Braces) -> Code:
        rows = [[self.node(part, True) for part in row] for row in node.rows]

        def run(state: State) -> Any:
            lines = [line for row in rows for line in _side_by_side([code(state) for code in row])]
            if len({len(line) for line in lines}) > 1:
                raise UnsupportedError("ranges of different widths stand one under the other in braces")
            return Grid(lines)

        return run

    # Functions

    def call(self, node: Call, array: bool, *, one: bool = False) -> Code:
        """A function; where one value is wanted, choices are between single values too."""
        name = node.name
        if name in VOLATILE:
            return volatile(self, node)
        if name in PLACES:
            return of_places(self, node, array)
        if name in BINDING:
            return bind(self, node)
        if name.startswith("RISK"):
            return risk(self, node)
        made = FUNCTIONS.get(name)
        if made is None:
            own = named_lambda(self, node)
            if own is None:
                raise UnsupportedError(f"the function {name[:40]} is not known")
            return own
        if len(node.args) < made.least or (node.args and made.letter(len(node.args) - 1) is None):
            raise UnsupportedError(f"{name} has {len(node.args)} arguments")
        single = one and name in _CHOICES
        codes = [
            self.value(part, False) if single else self.argument(made, place, part, array)
            for place, part in enumerate(node.args)
        ]
        if name in _ALONGSIDE and len(codes) == 3:
            codes[2] = self.beside_cells(node, codes[2])
        if name in REDUCED and len(codes) == 1 and self.is_range(node.args[0]) and not self.areas[-1].single:
            return reduced(self.book, name, self.areas[-1], _applied(made, codes))
        return _applied(made, codes)

    def is_range(self, node: Node) -> bool:
        """Whether a part is a range or the name of one, which stands where it stands."""
        if not isinstance(node, Operand) or node.said.startswith("@") or node.said.casefold() in self.bound:
            return False
        try:
            return isinstance(stands_for(self.book, node.said, self.home), Area)
        except CellError:
            return False

    def beside_cells(self, node: Call, code: Code) -> Code:
        """The cells that SUMIF adds up; what is no reference is taken as it is."""
        known = len(self.areas)
        try:
            where = alongside(self, node.args[0], node.args[2])
        except UnsupportedError:
            del self.areas[known:]
            return code
        return lambda state: value_at(self, state, where)

    def argument(self, made: Function, place: int, node: Node, array: bool) -> Code:
        letter = made.letter(place)
        if letter == "a":
            return self.node(node, True)
        if letter == "r":
            return self.ranged(self.node(node, array), node)
        if array:
            return self.node(node, True)
        return self.value(node, False)

    def ranged(self, code: Code, node: Node) -> Code:
        """A single cell where a range may stand is a range too: text in it is left out, rather than converted."""
        at: Key | None = None
        if isinstance(node, Operand):
            try:
                found = stands_for(self.book, node.said, self.home)
            except CellError:
                return code
            if not isinstance(found, Area) or not found.single:
                return code
            at = found.first
        elif not isinstance(node, (Intersection, Span)) and not (isinstance(node, Call) and node.name in _REFERRING):
            return code

        def run(state: State) -> Any:
            value = code(state)
            return value if type(value) is Grid else Grid([[value]], at)

        return run


def _applied(made: Function, codes: Sequence[Code]) -> Code:
    """A function of what its arguments come to."""
    if len(codes) == 1:
        (alone,) = codes
        return lambda state: made(alone(state))
    if len(codes) == 2:
        left, right = codes
        return lambda state: made(left(state), right(state))
    return lambda state: made(*[code(state) for code in codes])


def _side_by_side(values: Sequence[Any]) -> list[list[Any]]:
    """Rows of values and ranges that stand beside each other in braces."""
    blocks = [value.rows if type(value) is Grid else [[value]] for value in values]
    if len({len(block) for block in blocks}) > 1:
        raise UnsupportedError("ranges of different heights stand side by side in braces")
    return [[value for block in blocks for value in block[place]] for place in range(len(blocks[0]))]


def _beside(grid: Grid, row: int, column: int) -> Any:
    """The one value of a range that stands beside a formula; the first of what stands nowhere."""
    if grid.at is None:
        return grid.rows[0][0] if grid.rows and grid.rows[0] else VALUE
    height, width = grid.shape
    i = 0 if height == 1 else row - grid.at[1]
    j = 0 if width == 1 else column - grid.at[2]
    if not (0 <= i < height and 0 <= j < width):
        return VALUE
    return grid.cell(i, j)
