"""Plain functions: the source of a simple equation, read as data, becomes a formula that a study file can hold."""

from __future__ import annotations

import ast
import inspect
import math
import sys
import textwrap
import tokenize
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from demandsim.errors import EquationError, shorten
from demandsim.graph.alias import Alias
from demandsim.graph.equation import Equation
from demandsim.graph.formula import ALONG, ELEMENTWISE, PAIRWISE, Formula

__all__ = ["as_formula"]


def as_formula(made: Equation) -> Formula:
    """Write an equation as a formula.

    Parameters
    ----------
    made : Equation
        Its function may give names to parts of its result, and return what formulas can say.

    Returns
    -------
    Formula
        With the same bits for numbers; NaN along a dim that is summed over is kept.

    Raises
    ------
    EquationError
        If it does anything else; the message says what.

    Examples
    --------
    >>> from demandsim.graph.equation import equation
    >>> @equation(unit="card")
    ... def cards(peak_compute, card_flops):
    ...     needed = peak_compute / card_flops
    ...     return np.maximum(needed, 1)
    >>> as_formula(cards).text
    'max(peak_compute / card_flops, 1)'
    """
    function = made.function
    if isinstance(function, Formula):
        return function
    if isinstance(function, Alias):
        return as_formula(function.of).renamed(made.name, function.changed)
    tree = _Function(function, made.inputs).result()
    return Formula(ast.unparse(tree), made.name, made.constants)


def _definition(function: Any) -> list[ast.stmt]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        raise EquationError(getattr(function, "instead", "its source cannot be read")) from None
    found = tree.body[0] if tree.body else None
    if not isinstance(found, ast.FunctionDef):
        raise EquationError("its source is not that of a plain function")
    return found.body


class _Function:
    """Names of a function, and the parts of a formula or the objects of Python that they stand for."""

    def __init__(self, function: Any, inputs: tuple[str, ...]) -> None:
        self.body = _definition(function)
        found = inspect.getclosurevars(function)
        self.names: dict[str, Any] = {**found.builtins, **found.globals, **found.nonlocals}
        self.names |= {name: ast.Name(name) for name in inputs}

    def result(self) -> ast.expr:
        for line in self.body:
            match line:
                case ast.Return(value=ast.expr() as value):
                    return self.read(value)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.names[name] = self.read(value)
                case ast.Import():
                    for one in line.names:
                        whole = one.name if one.asname else one.name.partition(".")[0]
                        self.names[one.asname or whole] = sys.modules.get(whole)
                case ast.Expr(value=ast.Constant(value=str())):
                    continue
                case _:
                    raise EquationError(f"it has '{_shown(line)}'")
        raise EquationError("it returns nothing")

    def read(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Constant():
                return _literal(node.value, node)
            case ast.Name(id=name):
                found = self.names.get(name)
                return found if isinstance(found, ast.expr) else _literal(found, node)
            case ast.UnaryOp(op=ast.Invert()):
                return ast.UnaryOp(ast.Not(), self.read(node.operand))
            case ast.UnaryOp():
                return ast.UnaryOp(node.op, self.read(node.operand))
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                join = ast.And() if isinstance(node.op, ast.BitAnd) else ast.Or()
                return ast.BoolOp(join, [self.read(node.left), self.read(node.right)])
            case ast.BinOp():
                return ast.BinOp(self.read(node.left), node.op, self.read(node.right))
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                return ast.Compare(self.read(left), [sign], [self.read(right)])
            case ast.Call():
                return self.called(node)
        raise EquationError(f"it has '{_shown(node)}'")

    def called(self, node: ast.Call) -> ast.expr:
        if any(isinstance(one, ast.Starred) for one in node.args) or None in [one.arg for one in node.keywords]:
            raise EquationError(f"it has '{_shown(node)}'")
        keywords = {str(one.arg): one.value for one in node.keywords if one.arg != "keep_attrs"}
        function = self._object(node.func)
        if function is not None:
            name = _known(function)
            if name is None or keywords:
                raise EquationError(f"it calls '{_shown(node.func)}', which formulas do not have")
            return _call(name, [self.read(one) for one in node.args])
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            keywords.pop("skipna", None)
            try:
                return _METHODS[node.func.attr](self, node.func.value, *node.args, **keywords)
            except TypeError:
                pass
        raise EquationError(f"it has '{_shown(node)}'")

    def _object(self, node: ast.expr) -> Any:
        """What a name such as ``np.exp`` stands for, unless it is a part of a formula."""
        if isinstance(node, ast.Name):
            found = self.names.get(node.id)
            return None if isinstance(found, ast.expr) else found
        owner = self._object(node.value) if isinstance(node, ast.Attribute) else None
        return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None  # type: ignore[attr-defined]


def _known(function: Any) -> str | None:
    """What formulas call a function of numpy, xarray or Python."""
    import xarray as xr

    rows = [(known, name) for table in (ELEMENTWISE, PAIRWISE) for name, known in table.items()]
    rows += [(np.abs, "abs"), (np.where, "where"), (xr.where, "where")]
    return next((name for known, name in rows if known is function), None)


def _call(name: str, parts: list[ast.expr]) -> ast.expr:
    return ast.Call(ast.Name(name), parts, [])


def _literal(value: Any, node: ast.expr) -> ast.expr:
    """A number that stands in the source, or that a name of the module holds."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise EquationError(f"it uses '{_shown(node)}', which is no number")
    if not math.isfinite(value):
        raise EquationError(f"it uses '{_shown(node)}', which is {value}")
    number: Any = value.item() if isinstance(value, np.generic) else value
    return ast.Constant(number) if number >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-number))


def _text(node: ast.expr) -> ast.Constant:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node
    raise EquationError(f"it names a dim by '{_shown(node)}'")


def _shown(node: ast.AST) -> str:
    return shorten(" ".join(ast.unparse(node).split()), 60)


def _along(name: str) -> Callable[..., ast.expr]:
    def read(own: _Function, of: ast.expr, dim: ast.expr) -> ast.expr:
        dims = dim.elts if isinstance(dim, ast.List | ast.Tuple) else [dim]
        return _call(name, [own.read(of), *map(_text, dims)])

    return read


def _clip(own: _Function, of: ast.expr, min: ast.expr | None = None, max: ast.expr | None = None) -> ast.expr:
    found = own.read(of)
    for name, bound in (("max", min), ("min", max)):
        if bound is not None and not (isinstance(bound, ast.Constant) and bound.value is None):
            found = _call(name, [found, own.read(bound)])
    return found


def _where(own: _Function, of: ast.expr, cond: ast.expr, other: ast.expr) -> ast.expr:
    return _call("where", [own.read(cond), own.read(of), own.read(other)])


def _shift(own: _Function, of: ast.expr, *, fill_value: ast.expr, **steps: ast.expr) -> ast.expr:
    found = own.read(of)
    for dim, count in steps.items():
        found = _call("shift", [found, ast.Constant(dim), own.read(count), own.read(fill_value)])
    return found


_METHODS: Mapping[str, Callable[..., ast.expr]] = {
    **{name: _along(name) for name in ALONG},
    "clip": _clip,
    "where": _where,
    "shift": _shift,
}
