"""Formula: arithmetic of named quantities as text, ``cards * price``, read by a grammar and never run as Python.

::

    formula   := sum
    sum       := product {("+" | "-") product}
    product   := signed {("*" | "/") signed}
    signed    := ("-" | "+") signed | power
    power     := part ["**" signed]
    part      := number | quantity | "(" sum ")" | call
    call      := "where" "(" condition "," sum "," sum ")"
               | ("min" | "max") "(" sum "," sum {"," sum} ")"
               | ("exp" | "log" | "sqrt" | "abs" | "floor" | "ceil") "(" sum ")"
               | ("sum" | "mean" | "prod" | "min" | "max" | "cumsum" | "cumprod") "(" sum "," dim {"," dim} ")"
               | "shift" "(" sum "," dim "," whole number "," number ")"
    condition := sum sign sum {sign sum} | "not" condition | condition ("and" | "or") condition | "(" condition ")"
    sign      := "<" | "<=" | ">" | ">=" | "==" | "!="
    dim       := text in quotes

It binds as Python does, whose parser makes the tree; what the tree may hold is said here, and nothing else passes.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from demandsim.errors import EquationError, check_known, did_you_mean, shorten

__all__ = ["ALONG", "ELEMENTWISE", "FUNCTIONS", "PAIRWISE", "Formula", "arguments"]

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": abs,
    "floor": np.floor,
    "ceil": np.ceil,
}
PAIRWISE: dict[str, Callable[..., Any]] = {"min": np.minimum, "max": np.maximum}
#: Methods of labelled arrays that join what stands along a dim.
ALONG = ("sum", "mean", "prod", "min", "max", "cumsum", "cumprod")
FUNCTIONS = ("where", "shift", *dict.fromkeys([*ELEMENTWISE, *PAIRWISE, *ALONG]))

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
#: What people write in formulas elsewhere, and what is written here.
_ELSEWHERE = {
    "^": "**",
    "×": "*",
    "·": "*",
    "÷": "/",
    "−": "-",
    "\uff08": "(",
    "\uff09": ")",
    "，": ",",
    "%": "/ 100",
    "#": "nothing",
}
_LONGEST, _DEEPEST = 10_000, 100


class Formula:
    """A function of named quantities that is written, pickled and compared as text.

    Parameters
    ----------
    text : str
        As the grammar above says.
    name : str
        Quantity that it computes.
    constants : mapping of str to Constant
        Inputs that have a value of their own unless the model gives another.

    Raises
    ------
    EquationError
        If the text does not follow the grammar; it says where, and what to write instead.

    Examples
    --------
    >>> cost = Formula("cards * max(price, floor_price)", "cost")
    >>> cost(cards=2.0, price=3.0, floor_price=4.0)
    np.float64(8.0)
    >>> Formula("open('x')", "cost")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    demandsim.errors.EquationError: formula of 'cost': unknown function 'open'; known: abs, ceil, cumprod, ...
    """

    def __init__(self, text: str, name: str, constants: Mapping[str, Any] | None = None) -> None:
        self.constants = dict(constants or {})
        self.tree = _read(text, name)
        #: Blanks and brackets that change nothing are left out.
        self.text = ast.unparse(self.tree)
        self.__name__ = self.__qualname__ = name
        # That of the class is not its label.
        self.__doc__ = None
        # In the order in which they are written.
        self.inputs = tuple(dict.fromkeys(n.id for n in sorted(_quantities(self.tree), key=lambda n: n.col_offset)))
        for unused in set(self.constants) - set(self.inputs):
            raise EquationError(f"formula of '{name}': constant '{unused}' does not stand in '{shorten(self.text)}'")
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        # Those with a value stand last, as Python wants it.
        ordered = sorted(self.inputs, key=lambda one: one in self.constants)
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(one, kind, default=self.constants.get(one, inspect.Parameter.empty)) for one in ordered]
        )

    def __reduce__(self) -> Any:
        return Formula, (self.text, self.__name__, self.constants)

    def renamed(self, name: str, names: Mapping[str, str]) -> Formula:
        """Return the formula with other names of its quantities, of those that it has."""
        check_known(names, self.inputs, f"input of formula '{self.__name__}':")
        tree = ast.parse(self.text, mode="eval").body
        for node in _quantities(tree):
            node.id = names.get(node.id, node.id)
        constants = {names.get(key, key): value for key, value in self.constants.items()}
        return Formula(ast.unparse(tree), name, constants)

    def __repr__(self) -> str:
        return f"<formula {self.__name__} = {self.text}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute it from numbers, arrays or labelled arrays, in base units."""
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        try:
            return _value(self.tree, bound.arguments)
        except ArithmeticError as error:
            # Of plain numbers: arrays have infinity.
            raise EquationError(f"formula of '{self.__name__}': numbers in it come to none: {error}") from None


def _quantities(tree: ast.expr) -> list[ast.Name]:
    """Names in a tree that are no functions."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]


def _read(text: str, name: str) -> ast.expr:
    """The tree of a text that follows the grammar."""

    def refuse(what: str) -> EquationError:
        return EquationError(f"formula of '{name}': {what}")

    if len(text) > _LONGEST:
        raise refuse(f"is {len(text):,} characters long; at most {_LONGEST:,} are read. Give its parts names")
    for found, better in _ELSEWHERE.items():
        if found in text:
            raise refuse(f"write {better} for {found} in '{shorten(text)}'")
    # It may stand on several lines.
    text = " ".join(text.split())
    if not text:
        raise refuse("is empty; write such as cards * price")
    try:
        with warnings.catch_warnings():
            # Python warns of what it finds odd; all of that is refused below.
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        place = f" at '{shorten(text[max((error.offset or 1) - 1, 0) :], 20)}'" if error.lineno == 1 else ""
        raise refuse(f"cannot read '{shorten(text)}'{place}: {error.msg}") from None
    except (RecursionError, MemoryError, ValueError):
        raise refuse(f"cannot read '{shorten(text)}': it is nested too deep, or holds what is no text") from None
    level, depth = [tree], 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        depth += 1
        if depth > _DEEPEST:
            raise refuse(f"is nested more than {_DEEPEST} deep; give its parts names")
    try:
        if _kind(tree) != "number":
            raise EquationError("is a condition; write where(condition, 1, 0) for a number")
    except EquationError as error:
        raise refuse(str(error)) from None
    return tree


def _kind(node: ast.expr) -> str:
    """Whether a part of a tree is a number or a condition; raises for what no formula holds."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not math.isfinite(_float(value)):
                raise EquationError(f"{ast.unparse(node)} is too large for a number")
            return "number"
        case ast.Name():
            return "number"
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return _all(node, [node.operand], "number")
        case ast.UnaryOp(op=ast.Not()):
            return _all(node, [node.operand], "condition")
        case ast.BinOp() if type(node.op) in _BINARY:
            return _all(node, [node.left, node.right], "number")
        case ast.BoolOp():
            return _all(node, node.values, "condition")
        case ast.Compare() if all(type(sign) in _SIGNS for sign in node.ops):
            _all(node, [node.left, *node.comparators], "number")
            return "condition"
        case ast.Call(func=ast.Name(id=called)) if not node.keywords:
            return _checked_call(node, called)
    raise EquationError(f"'{shorten(ast.unparse(node), 60)}' is no part of a formula{_instead(node)}")


def _instead(node: ast.expr) -> str:
    match node:
        case ast.IfExp():
            return "; write where(condition, a, b)"
        case ast.BinOp(op=ast.FloorDiv()):
            return "; write floor(a / b)"
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()) | ast.UnaryOp(op=ast.Invert()):
            return "; write and, or, not"
        case ast.Constant(value=str()):
            return "; a name of a dim stands last, as in sum(x, 'year')"
    return "; it holds names, numbers, + - * / **, comparisons in where(), and the functions of formulas"


def _all(node: ast.expr, parts: list[ast.expr], kind: str) -> str:
    for part in parts:
        if _kind(part) != kind:
            wanted = "a number" if kind == "number" else "a condition, such as x > 0,"
            raise EquationError(f"'{shorten(ast.unparse(node), 60)}' takes {wanted} for '{ast.unparse(part)}'")
    return kind


def arguments(node: ast.Call) -> tuple[list[ast.expr], list[str]]:
    """Return the arguments of a call, and the dims that stand behind them."""
    dims = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    last = node.args[len(node.args) - len(dims) :]
    if [one.value for one in last if isinstance(one, ast.Constant)] != dims:
        raise EquationError(f"'{shorten(ast.unparse(node), 60)}': names of dims stand last")
    return node.args[: len(node.args) - len(dims)], dims


def _checked_call(node: ast.Call, name: str) -> str:
    if name not in FUNCTIONS:
        raise EquationError(f"unknown function '{shorten(name)}'{did_you_mean(name[:80], FUNCTIONS)}")
    if name == "shift":
        written = "shift(x, 'year', 1, 0): a quantity, a dim, a number of labels, what stands where nothing was"
        if len(node.args) != 4 or not _is_shift(*node.args[1:]):
            raise EquationError(f"shift is written {written}")
        return _all(node, node.args[:1], "number")
    parts, dims = arguments(node)
    if name == "where":
        if len(parts) != 3 or dims:
            raise EquationError("where is written where(condition, a, b)")
        _all(node, parts[:1], "condition")
        return _all(node, parts[1:], "number")
    if dims:
        if name not in ALONG or len(parts) != 1:
            raise EquationError(f"'{shorten(ast.unparse(node), 60)}': {name} takes no dim of several numbers")
    elif name in PAIRWISE:
        if len(parts) < 2:
            raise EquationError(f"{name} is written {name}(a, b), or {name}(a, 'year') along a dim")
    elif name in ALONG:
        raise EquationError(f"{name} is written {name}(x, 'year'): it says along which dim")
    elif len(parts) != 1:
        raise EquationError(f"{name} is written {name}(x)")
    return _all(node, parts, "number")


def _is_shift(dim: ast.expr, steps: ast.expr, fill: ast.expr) -> bool:
    def number(node: ast.expr) -> Any:
        signed = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        bare = node.operand if signed else node  # type: ignore[attr-defined]
        return bare.value if isinstance(bare, ast.Constant) and not isinstance(bare.value, bool) else None

    named = isinstance(dim, ast.Constant) and isinstance(dim.value, str)
    return named and isinstance(number(steps), int) and isinstance(number(fill), int | float)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Compute a tree that was checked."""
    match node:
        case ast.Constant(value=int() | float() as value):
            # Whole numbers of Python grow without end.
            return float(value)
        case ast.Name():
            return names[node.id]
        case ast.UnaryOp():
            operand = _value(node.operand, names)
            if isinstance(node.op, ast.Not):
                return np.logical_not(operand)
            return -operand if isinstance(node.op, ast.USub) else operand
        case ast.BinOp():
            return _BINARY[type(node.op)](_value(node.left, names), _value(node.right, names))
        case ast.BoolOp():
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return functools.reduce(join, [_value(part, names) for part in node.values])
        case ast.Compare():
            parts = [_value(part, names) for part in (node.left, *node.comparators)]
            found = [_SIGNS[type(sign)](*parts[place : place + 2]) for place, sign in enumerate(node.ops)]
            return functools.reduce(np.logical_and, found)
        case ast.Call(func=ast.Name(id=called)):
            return _called(node, called, names)
    raise AssertionError(ast.dump(node))


def _called(node: ast.Call, called: str, names: Mapping[str, Any]) -> Any:
    if called == "shift":
        dim, steps, fill = (ast.literal_eval(part) for part in node.args[1:])
        return _labelled(_value(node.args[0], names), called, [dim]).shift({dim: steps}, fill_value=float(fill))
    parts, dims = arguments(node)
    values = [_value(part, names) for part in parts]
    if dims:
        # A value that is none makes the sum none: xarray would leave it out.
        array = _labelled(values[0], called, dims)
        for dim in dims:
            array = getattr(array, called)(dim, skipna=False)
        return array
    if called == "where":
        return _chosen(*values)
    return functools.reduce(PAIRWISE[called], values) if called in PAIRWISE else ELEMENTWISE[called](values[0])


def _labelled(value: Any, called: str, dims: list[str]) -> Any:
    for dim in dims:
        if dim not in getattr(value, "dims", ()):
            raise EquationError(f"{called}(..., '{dim}') is of what has no dim '{dim}'")
    return value


def _chosen(condition: Any, one: Any, other: Any) -> Any:
    if any(hasattr(value, "dims") for value in (condition, one, other)):
        import xarray as xr

        return xr.where(condition, one, other)  # type: ignore[no-untyped-call]
    return np.where(condition, one, other)
