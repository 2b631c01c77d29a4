"""Expressions: a formula as a function of the values of cells.

In a plain formula a range where one value is wanted stands for the cell beside the formula (implicit intersection);
in an array formula, and in the arguments of functions such as SUMPRODUCT, operators work on each of its cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.draws import broadcast, guarded, is_drawn
from demandsim.workbook.calc.functions import FUNCTIONS, Function
from demandsim.workbook.calc.grammar import (
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
    parsed,
    walked,
)
from demandsim.workbook.calc.operators import OPERATORS, minus, percent, snapped
from demandsim.workbook.calc.references import Area, resolved
from demandsim.workbook.calc.risk import LAWS, PROPERTIES, Drawn, Property, drawn
from demandsim.workbook.calc.values import NA, NULL, REF, VALUE, CellError, Grid, UnsupportedError, number, text

__all__ = ["Compiled", "FrozenError", "Needed", "State", "compiled", "references_of", "stands_for"]

Code = Callable[["State"], Any]


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


_REMEMBERED = 200_000
_VOLATILE = {"NOW": "the clock", "TODAY": "the clock", "RAND": "chance", "RANDBETWEEN": "chance", "RANDARRAY": "chance"}
#: Functions that look at where something stands, rather than at its value.
_PLACES = ("ROW", "COLUMN", "OFFSET", "INDIRECT", "SUBTOTAL", "SINGLE", "ISREF", "ANCHORARRAY")
#: Functions that give back one of their arguments.
_CHOICES = ("IF", "IFS", "SWITCH", "CHOOSE", "IFERROR", "IFNA")
#: Functions that lead to cells, whose text is left out by sums.
_REFERRING = (*_CHOICES, "INDEX", "OFFSET", "INDIRECT", "XLOOKUP")
_CHANCE = ("RAND", "RANDBETWEEN")


def stands_for(book: Book, said: str, home: Key) -> Area | tuple[Area, ...] | Node:
    """What a reference or a name stands for: ranges, or the formula behind a name."""
    # Only a table reference depends on the cell in which it stands; others on its sheet.
    where = home[0], said
    known = book.known.get(where)
    if known is None:
        known = _stands_for(book, said, home)
        if "[" not in said and len(book.known) < _REMEMBERED:
            book.known[where] = known
    return known


def _stands_for(book: Book, said: str, home: Key) -> Area | tuple[Area, ...] | Node:
    for _ in range(16):
        found = resolved(book, said, home)
        if not isinstance(found, str):
            return found
        node = parsed(found)
        if not isinstance(node, Operand):
            return node
        said = node.said
    raise UnsupportedError(f"the name {said[:40]} stands for itself")


def references_of(book: Book, node: Node, home: Key) -> list[Area]:
    """All ranges that are written in a formula."""
    found: list[Area] = []
    waiting, names = [node], 0
    while waiting:
        for part in walked(waiting.pop()):
            if not isinstance(part, Operand):
                continue
            try:
                target = stands_for(book, part.said, home)
            except (CellError, UnsupportedError):
                continue
            if isinstance(target, Node):
                names += 1
                if names > 1000:
                    raise UnsupportedError("names of the workbook stand for each other")
                waiting.append(target)
            else:
                found += [target] if isinstance(target, Area) else list(target)
    return found


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
        self.root: Node | None = None
        self.depth = 0
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
            place = self.place(node)
            return lambda state: self.guarded(state, place)
        if isinstance(node, Union):
            return self.union(node, array)
        assert isinstance(node, Call)
        return self.call(node, array)

    def value(self, node: Node, array: bool, *, last: bool = False) -> Code:
        """One value, the cell beside the formula if it is a range; in an array formula whatever it is."""
        if array:
            return self.node(node, True)
        if isinstance(node, Operand):
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
        return lambda state: self.taken(state, area)

    def several(self, areas: Sequence[Area]) -> Code:
        """The same range on several sheets, or several ranges, one under the other."""
        self.areas += areas

        def run(state: State) -> Any:
            values: list[Any] = []
            for area in areas:
                taken = self.taken(state, area)
                values += taken.flat() if type(taken) is Grid else [taken]
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

    def taken(self, state: State, area: Area | None) -> Any:
        """Values of a range."""
        if area is None:
            return NULL
        known = state.grids.get(area)
        if known is not None:
            return known
        get = state.values.get
        if area.single:
            return get(area.first)
        used = area.clipped(self.book)
        sheet, columns = used.sheet, range(used.left, used.right + 1)
        rows = [[get((sheet, row, column)) for column in columns] for row in range(used.top, used.bottom + 1)]
        return Grid(rows, area.first, area.shape)

    def place(self, node: Node) -> Callable[[State], Area | None]:
        """Where something stands, found out when it runs."""
        if isinstance(node, Operand):
            try:
                found = stands_for(self.book, node.said, self.home)
            except CellError as error:
                return _raising(error.code)
            if isinstance(found, Node):
                return self.place(found)
            if isinstance(found, tuple):
                raise UnsupportedError("a range over several sheets stands where one range is wanted")
            area = found
            self.areas.append(area)
            return lambda state: area
        if isinstance(node, Intersection):
            left, right = self.place(node.left), self.place(node.right)

            def shared(state: State) -> Area | None:
                one, other = left(state), right(state)
                return one.shared(other) if one and other else None

            return shared
        if isinstance(node, Span):
            return self.computed(self.span(node))
        if isinstance(node, Call) and node.name in ("OFFSET", "INDIRECT", "INDEX"):
            made = {"OFFSET": self.offset, "INDIRECT": self.indirect, "INDEX": self.index}[node.name](node)
            return self.computed(made)
        raise UnsupportedError("a reference is computed in a way that is not read")

    def computed(self, place: Callable[[State], Area | None]) -> Callable[[State], Area | None]:
        def run(state: State) -> Area | None:
            area = place(state)
            if area is not None:
                state.visit(area)
            return area

        return run

    def span(self, node: Span) -> Callable[[State], Area | None]:
        left, right = self.place(node.left), self.place(node.right)

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

    def offset(self, node: Call) -> Callable[[State], Area | None]:
        if not 3 <= len(node.args) <= 5:
            raise UnsupportedError("OFFSET takes three to five arguments")
        # Where it starts is no value that it takes.
        known = len(self.areas)
        start = self.place(node.args[0])
        del self.areas[known:]
        numbers = [self.value(part, False) for part in node.args[1:]]
        given = [not isinstance(part, Missing) for part in node.args[1:]]

        def run(state: State) -> Area | None:
            origin = start(state)
            if origin is None:
                raise REF
            found = [_sure("OFFSET", code(state)) for code in numbers]
            down, right = int(found[0]), int(found[1])
            height = int(found[2]) if len(found) > 2 and given[2] else origin.shape[0]
            width = int(found[3]) if len(found) > 3 and given[3] else origin.shape[1]
            return _moved(origin, down, right, height, width)

        return run

    def indirect(self, node: Call) -> Callable[[State], Area | None]:
        if len(node.args) != 1:
            raise UnsupportedError("INDIRECT with R1C1 references is not read")
        said = self.value(node.args[0], False)

        def run(state: State) -> Area | None:
            value = said(state)
            if is_drawn(value):
                raise UnsupportedError("INDIRECT of an uncertain text is not read")
            found = stands_for(self.book, text(value), self.home)
            if isinstance(found, Area) and found.sheet not in self.book.sheets:
                raise REF
            if not isinstance(found, Area):
                raise UnsupportedError("INDIRECT of a name that is no range is not read")
            return found

        return run

    def index(self, node: Call) -> Callable[[State], Area | None]:
        if not 2 <= len(node.args) <= 3:
            raise UnsupportedError("INDEX of several areas is not read")
        start = self.place(node.args[0])
        numbers = [self.value(part, False) for part in node.args[1:]]

        def run(state: State) -> Area | None:
            origin = start(state)
            if origin is None:
                raise REF
            found = [int(_sure("INDEX as a reference", code(state))) for code in numbers]
            height, width = origin.shape
            if len(found) == 1:
                found = [1, found[0]] if height == 1 else [found[0], 1]
            row, column = found
            if not (1 <= row <= height and 1 <= column <= width):
                raise REF
            return _moved(origin, row - 1, column - 1, 1, 1)

        return run

    # Functions

    def call(self, node: Call, array: bool, *, one: bool = False) -> Code:
        """A function; where one value is wanted, choices are between single values too."""
        name = node.name
        if name in _VOLATILE:
            return self.volatile(node)
        if name in _PLACES:
            return self.of_places(node, array)
        if name.startswith("RISK"):
            return self.risk(node)
        made = FUNCTIONS.get(name)
        if made is None:
            raise UnsupportedError(f"the function {name[:40]} is not known")
        if len(node.args) < made.least or (node.args and made.letter(len(node.args) - 1) is None):
            raise UnsupportedError(f"{name} has {len(node.args)} arguments")
        single = one and name in _CHOICES
        codes = [
            self.value(part, False) if single else self.argument(made, place, part, array)
            for place, part in enumerate(node.args)
        ]
        if len(codes) == 1:
            alone = codes[0]
            return lambda state: made(alone(state))
        if len(codes) == 2:
            left, right = codes
            return lambda state: made(left(state), right(state))
        return lambda state: made(*[code(state) for code in codes])

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

    def volatile(self, node: Call) -> Code:
        if not self.chance or node.name not in _CHANCE:
            raise FrozenError(f"{node.name} asks for {_VOLATILE[node.name]}")
        key = ("chance", self.home, len(self.drawn))
        self.drawn.append(key)
        if node.name == "RAND":
            return lambda state: state.values[key]
        low, high = (self.value(part, False) for part in node.args)
        step = OPERATORS["+"], OPERATORS["-"], OPERATORS["*"], FUNCTIONS["INT"]

        def run(state: State) -> Any:
            plus, less, times, floor = step
            bottom = low(state)
            count = plus(less(high(state), bottom), 1.0)
            return plus(bottom, floor(times(state.values[key], count)))

        return run

    def risk(self, node: Call) -> Code:
        """A distribution of @RISK: a draw, whose law is found when its parameters are."""
        if node.name == "RISKOUTPUT":
            # It stands before what is an output, and adds nothing.
            return lambda state: 0.0
        if node.name not in LAWS:
            raise UnsupportedError(f"the function {node.name} of @RISK is not known")
        key = ("risk", self.home, len(self.drawn))
        self.drawn.append(key)
        before = len(self.areas)
        codes = [self.risk_argument(part) for part in node.args]
        self.parameters += self.areas[before:]
        alone = node is self.root
        cached = self.book.cached.get(self.home) if alone else None

        def run(state: State) -> Any:
            value = state.values.get(key)
            if value is not None:
                return value
            args = [code(state) for code in codes]
            if any(map(is_drawn, args)):
                raise UnsupportedError("a distribution whose parameters are uncertain is not read")
            made = drawn(node.name, args, cached)
            state.laws[key], state.values[key] = made, made.rest
            return made.rest

        return run

    def risk_argument(self, node: Node) -> Code:
        if not (isinstance(node, Call) and node.name.startswith("RISK")):
            return self.node(node, True)
        kind = node.name
        if kind not in PROPERTIES:
            raise UnsupportedError(f"the property {kind} of @RISK is not known")
        area: Area | None = None
        if kind == "RISKCORRMAT":
            found = stands_for(self.book, node.args[0].said, self.home) if isinstance(node.args[0], Operand) else None
            if not isinstance(found, Area):
                raise UnsupportedError("RiskCorrmat takes a range")
            area = found
            self.areas.append(area)
        codes = [self.value(part, False) for part in node.args[1 if area else 0 :]]
        return lambda state: Property(kind, tuple(code(state) for code in codes), area)

    def of_places(self, node: Call, array: bool) -> Code:
        name = node.name
        if name in ("ROW", "COLUMN"):
            return self.row_or_column(node, array)
        if name in ("OFFSET", "INDIRECT"):
            place = self.place(node)
            return lambda state: self.guarded(state, place)
        if name == "SUBTOTAL":
            return self.subtotal(node)
        if name == "SINGLE" and len(node.args) == 1:
            return self.value(node.args[0], False)
        raise UnsupportedError(f"the function {name} is not read")

    def guarded(self, state: State, place: Callable[[State], Area | None]) -> Any:
        try:
            area = place(state)
        except CellError as error:
            return CellError(error.code)
        if area is not None and area.sheet not in self.book.sheets:
            return REF
        return self.taken(state, area)

    def row_or_column(self, node: Call, array: bool) -> Code:
        down = node.name == "ROW"
        if not node.args:
            own = float(self.home[1] if down else self.home[2])
            return lambda state: own
        known = len(self.areas)
        place = self.place(node.args[0])
        del self.areas[known:]

        def run(state: State) -> Any:
            try:
                area = place(state)
            except CellError as error:
                return CellError(error.code)
            if area is None:
                return NULL
            if not array or area.single:
                return float(area.top if down else area.left)
            used = area.clipped(self.book) if area.shape[0] * area.shape[1] > 100_000 else area
            if down:
                return Grid([[float(row)] for row in range(used.top, used.bottom + 1)])
            return Grid([[float(column) for column in range(used.left, used.right + 1)]])

        return run

    def subtotal(self, node: Call) -> Code:
        """A sum or its like that leaves out cells which are subtotals themselves."""
        if len(node.args) < 2:
            raise UnsupportedError("SUBTOTAL takes a number and ranges")
        which = self.value(node.args[0], False)
        places = [self.place(part) for part in node.args[1:]]

        def run_subtotal(state: State) -> Any:
            name = _SUBTOTALS.get(int(_sure("SUBTOTAL", which(state))) % 100)
            if name is None:
                return VALUE
            values = []
            for place in places:
                area = place(state)
                if area is None:
                    return NULL
                keys = [key for key in area.clipped(self.book).cells() if not self.is_subtotal(key)]
                values += [state.values.get(key) for key in keys]
            return FUNCTIONS[name](Grid([values or [None]]))

        return lambda state: guarded(run_subtotal, (state,))

    def is_subtotal(self, key: Key) -> bool:
        made = self.book.formulas.get(key)
        return made is not None and "SUBTOTAL(" in made.text.upper()


def _side_by_side(values: Sequence[Any]) -> list[list[Any]]:
    """Rows of values and ranges that stand beside each other in braces."""
    blocks = [value.rows if type(value) is Grid else [[value]] for value in values]
    if len({len(block) for block in blocks}) > 1:
        raise UnsupportedError("ranges of different heights stand side by side in braces")
    return [[value for block in blocks for value in block[place]] for place in range(len(blocks[0]))]


def _raising(code: str) -> Callable[[State], Area | None]:
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


def _sure(name: str, value: Any) -> float:
    if is_drawn(value):
        raise UnsupportedError(f"{name} with an uncertain argument is not read")
    return number(value)


def _moved(origin: Area, down: int, right: int, height: int, width: int) -> Area:
    top, left = origin.top + down, origin.left + right
    if height < 0:
        top, height = top + height + 1, -height
    if width < 0:
        left, width = left + width + 1, -width
    if top < 1 or left < 1 or height < 1 or width < 1 or top + height > 1_048_577 or left + width > 16_385:
        raise REF
    return Area(origin.sheet, top, left, top + height - 1, left + width - 1)


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
