"""Bindings: names that LET and LAMBDA give to values in a formula, and functions applied to rows, columns and cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from demandsim.workbook.calc.draws import broadcast, is_drawn
from demandsim.workbook.calc.functions import FUNCTIONS
from demandsim.workbook.calc.grammar import parsed
from demandsim.workbook.calc.nodes import Call, Node, Operand
from demandsim.workbook.calc.state import Code, Scope, State
from demandsim.workbook.calc.values import VALUE, CellError, Grid, UnsupportedError, number

__all__ = ["BINDING", "bind", "named_lambda"]

#: Functions whose arguments are names or functions.
BINDING = ("LET", "LAMBDA", "BYROW", "BYCOL", "MAP", "REDUCE", "SCAN", "MAKEARRAY")
_DEEPEST = 16
#: More cells than these are not made by one formula, nor is its LAMBDA called more often.
_MOST = 100_000

#: A function that a formula makes: values of its arguments go in.
Made = Callable[[State, Sequence[Any]], Any]


def bind(scope: Scope, node: Call) -> Code:
    """A function whose arguments are names or functions."""
    if node.name == "LET":
        return _let(scope, node)
    if node.name == "LAMBDA" or len(node.args) < 2:
        raise UnsupportedError(f"{node.name} is written in a way that is not read")
    made = _function(scope, node.args[-1])
    codes = [scope.node(part, True) for part in node.args[:-1]]
    apply = _APPLIED[node.name]

    def run(state: State) -> Any:
        return apply(lambda *args: made(state, args), *(code(state) for code in codes))

    return run


def named_lambda(scope: Scope, node: Call) -> Code | None:
    """A call of a LAMBDA that has a name in the workbook; None if there is none."""
    names, word = scope.book.names, node.name.casefold()
    said = names.get((scope.home[0], word), names.get((None, word)))
    if said is None:
        return None
    found = parsed(said if said.startswith("=") else f"={said}")
    if not (isinstance(found, Call) and found.name == "LAMBDA"):
        return None
    # It knows nothing of the names in the formula that calls it.
    before, scope.bound = scope.bound, {}
    made = _lambda(scope, found)
    scope.bound = before
    codes = [scope.node(part, True) for part in node.args]
    return lambda state: made(state, [code(state) for code in codes])


def _let(scope: Scope, node: Call) -> Code:
    if len(node.args) < 3 or len(node.args) % 2 == 0:
        raise UnsupportedError("LET takes names with values, and what is computed from them")
    before = dict(scope.bound)
    steps: list[tuple[Any, Code]] = []
    for name, value in zip(node.args[:-1:2], node.args[1:-1:2], strict=True):
        code = scope.node(value, True)
        steps.append((_slot(scope, name), code))
    body = scope.node(node.args[-1], True)
    scope.bound = before

    def run(state: State) -> Any:
        for slot, code in steps:
            state.values[slot] = code(state)
        return body(state)

    return run


def _slot(scope: Scope, name: Node) -> Any:
    """Where the value of a name is kept while its formula runs."""
    if not isinstance(name, Operand):
        raise UnsupportedError("a name in LET or LAMBDA is no name")
    slot = "bound", scope.home, next(scope.numbers)
    scope.bound = {**scope.bound, name.said.casefold(): slot}
    return slot


def _function(scope: Scope, node: Node) -> Made:
    if isinstance(node, Call) and node.name == "LAMBDA":
        return _lambda(scope, node)
    word = node.said.casefold() if isinstance(node, Operand) else ""
    known = FUNCTIONS.get(word.removeprefix("_xleta.").upper())
    if not word.startswith("_xleta.") or known is None:
        raise UnsupportedError("what is applied to rows, columns or cells is no function")
    return lambda state, args: known(*args)


def _lambda(scope: Scope, node: Call) -> Made:
    if not node.args:
        raise UnsupportedError("LAMBDA is empty")
    before = scope.bound
    scope.depth += 1
    if scope.depth > _DEEPEST:
        raise UnsupportedError("LAMBDA in LAMBDA is nested too deep, or calls itself, which is not read")
    slots = [_slot(scope, name) for name in node.args[:-1]]
    scope.inside += 1
    body = scope.node(node.args[-1], True)
    scope.inside -= 1
    scope.depth -= 1
    scope.bound = before

    def made(state: State, args: Sequence[Any]) -> Any:
        if len(args) != len(slots):
            return VALUE
        calls = state.values["lambda", scope.home] = state.values.get(("lambda", scope.home), 0) + 1
        if calls > _MOST:
            raise UnsupportedError(f"applies LAMBDA more than {_MOST:,} times")
        state.values.update(zip(slots, args, strict=True))
        return body(state)

    return made


# Applied to rows, columns and cells

Applied = Callable[..., Any]


def _grid(cells: Any) -> Grid:
    return cells if type(cells) is Grid else Grid([[cells]])


def _single(value: Any) -> Any:
    """The one value that a function of a row or a cell gives."""
    if type(value) is not Grid:
        return value
    return value.rows[0][0] if value.shape == (1, 1) else CellError("#CALC!")


def _by_row(made: Applied, cells: Any) -> Grid:
    return Grid([[_single(made(Grid([list(row)])))] for row in _grid(cells).rows])


def _by_column(made: Applied, cells: Any) -> Grid:
    columns = zip(*_grid(cells).rows, strict=True)
    return Grid([[_single(made(Grid([[value] for value in column]))) for column in columns]])


def _mapped(made: Applied, *several: Any) -> Any:
    return broadcast(lambda *values: _single(made(*values)), several)


def _reduced(made: Applied, start: Any, cells: Any) -> Any:
    for value in _grid(cells).flat():
        start = made(start, value)
    return start


def _scanned(made: Applied, start: Any, cells: Any) -> Grid:
    found: list[list[Any]] = []
    for row in _grid(cells).rows:
        found.append([])
        for value in row:
            start = _single(made(start, value))
            found[-1].append(start)
    return Grid(found)


def _made_array(made: Applied, rows: Any, columns: Any) -> Any:
    if is_drawn(rows) or is_drawn(columns):
        raise UnsupportedError("MAKEARRAY with an uncertain size is not read")
    height, width = int(number(rows)), int(number(columns))
    if height < 1 or width < 1:
        return VALUE
    if height * width > _MOST:
        raise UnsupportedError(f"MAKEARRAY makes more than {_MOST:,} cells")
    return Grid([[_single(made(i + 1.0, j + 1.0)) for j in range(width)] for i in range(height)])


_APPLIED: dict[str, Applied] = {
    "BYROW": _by_row,
    "BYCOL": _by_column,
    "MAP": _mapped,
    "REDUCE": _reduced,
    "SCAN": _scanned,
    "MAKEARRAY": _made_array,
}
