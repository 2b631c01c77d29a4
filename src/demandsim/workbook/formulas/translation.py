"""Translation: the source of an equation, read as data, becomes formulas of Excel; nothing of it is run."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from demandsim.distributions.format import is_labelled
from demandsim.graph.alias import Alias
from demandsim.graph.equation import Equation
from demandsim.graph.formula import ELEMENTWISE, PAIRWISE, Formula, arguments
from demandsim.workbook.formulas.cohorts import cohorts
from demandsim.workbook.formulas.expressions import Expression, Workspace, as_expression, combined, plain_number
from demandsim.workbook.formulas.functions import JOINS, known_functions
from demandsim.workbook.formulas.methods import method
from demandsim.workbook.formulas.special import persisted, wright_omega
from demandsim.workbook.formulas.terms import Term, UntranslatableError

__all__ = ["translated"]

#: How deep functions may call each other.
_DEEPEST = 8
#: Characters of a formula that a name may stand for in another.
_LONG = 200

_OPERATORS: dict[type[ast.operator], Callable[[Term, Term], Term]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.BitAnd: lambda a, b: JOINS["all"]([a, b]),
    ast.BitOr: lambda a, b: JOINS["any"]([a, b]),
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "=",
    ast.NotEq: "<>",
}


def translated(equation: Equation, inputs: Mapping[str, Expression], work: Workspace) -> Expression:
    """Write an equation as a formula per place.

    Parameters
    ----------
    equation : Equation
    inputs : mapping of str to Expression
        The cells of its inputs, in base units.
    work : Workspace
        Where its formulas may stand.

    Raises
    ------
    UntranslatableError
        If it does something that has no formula; the message says what.
    """
    if isinstance(equation.function, Alias):
        return translated(equation.function.of, equation.function.inner(inputs), work)
    reader = _Reader(equation.function, dict(inputs), work, 0)
    formula = equation.function
    result = reader.read(formula.tree) if isinstance(formula, Formula) else reader.result()
    return as_expression(result).each(Term.as_number)


@functools.lru_cache(maxsize=1024)
def _definition(function: types.FunctionType) -> ast.FunctionDef:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        raise UntranslatableError(getattr(function, "instead", "its source cannot be read")) from None
    found = tree.body[0] if tree.body else None
    if not isinstance(found, ast.FunctionDef):
        raise UntranslatableError("its source is not that of a plain function")
    return found


@dataclass(frozen=True)
class _Method:
    """A method of an expression, waiting for its arguments."""

    of: Expression
    name: str


@dataclass
class _Reader:
    """One call of one function: names and what they stand for."""

    function: Any
    names: dict[str, Any]
    work: Workspace
    depth: int

    def result(self) -> Any:
        """What it returns: formulas, several of them, or the name of a dim."""
        for line in _definition(self.function).body:
            if isinstance(line, ast.Return) and line.value is not None:
                found = self.read(line.value)
                return found if isinstance(found, str | tuple) else as_expression(found)
            self.read(line)
        raise UntranslatableError("it returns nothing")

    def read(self, node: ast.AST) -> Any:
        """Read a statement or an expression with the method that is called like its kind."""
        read = getattr(self, f"_{type(node).__name__.lower()}", None)
        if read is None:
            raise _no_formula(node)
        return read(node)

    def _expr(self, line: ast.Expr) -> None:
        if not isinstance(line.value, ast.Constant):
            raise _no_formula(line)

    def _import(self, line: ast.Import) -> None:
        # Only what the model has loaded already: reading an equation imports nothing.
        for alias in line.names:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            self.names[alias.asname or whole] = _loaded(whole)

    def _importfrom(self, line: ast.ImportFrom) -> None:
        if line.level or not line.module:
            raise _no_formula(line)
        for alias in line.names:
            self.names[alias.asname or alias.name] = getattr(_loaded(line.module), alias.name, None)

    def _assign(self, line: ast.Assign | ast.AnnAssign) -> None:
        targets = line.targets if isinstance(line, ast.Assign) else [line.target]
        if line.value is None:
            raise _no_formula(line)
        value = self.read(line.value)
        for target in targets:
            parts, values = (target.elts, value) if isinstance(target, ast.Tuple) else ([target], (value,))
            names = [part.id for part in parts if isinstance(part, ast.Name)]
            if not isinstance(values, tuple) or len(names) < len(parts):
                raise _no_formula(line)
            if len(names) != len(values):
                raise UntranslatableError(f"'{_shown(line)}' gives {len(names)} names to {len(values)} values")
            self.names |= {name: self._kept(own) for name, own in zip(names, values, strict=True)}

    _annassign = _assign

    def _kept(self, value: Any) -> Any:
        """What a name stands for: a long formula in a cell of its own, since it may be asked for many times."""
        if not isinstance(value, Expression):
            return value
        return value.each(lambda term: term if term.truth or len(term.text) <= _LONG else self.work.step(term))

    def _augassign(self, line: ast.AugAssign) -> None:
        if not isinstance(line.target, ast.Name):
            raise _no_formula(line)
        self.names[line.target.id] = self.operation(line.op, self.names.get(line.target.id), self.read(line.value))

    def _raise(self, line: ast.Raise) -> None:
        raise UntranslatableError("it raises an error for inputs of these dims")

    def operation(self, operator: ast.operator, left: Any, right: Any) -> Expression:
        if (write := _OPERATORS.get(type(operator))) is None:
            raise UntranslatableError(f"the operator {type(operator).__name__} has no formula")
        parts = [as_expression(left), as_expression(right)]
        if isinstance(operator, ast.BitAnd | ast.BitOr) and not all(t.truth for part in parts for t in part.terms):
            raise UntranslatableError("takes numbers for true or false")
        return combined(parts, write)

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _list(self, node: ast.List) -> Any:
        return [self.read(item) for item in node.elts]

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.read(item) for item in node.elts)

    def _dict(self, node: ast.Dict) -> Any:
        keys = [self.read(key) for key in node.keys if key is not None]
        return dict(zip(keys, (self.read(value) for value in node.values), strict=True))

    def _name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return self.names[node.id]
        held = inspect.getclosurevars(self.function)
        for names in (held.nonlocals, held.globals, held.builtins):
            if node.id in names:
                found = names[node.id]
                return self.work.table(found) if is_labelled(found) else found
        raise UntranslatableError(f"it uses '{node.id}', which is not known")

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self.read(node.value)
        if isinstance(owner, types.ModuleType):
            return getattr(owner, node.attr, None)
        if isinstance(owner, Expression):
            return owner.dims if node.attr == "dims" else _Method(owner, node.attr)
        raise _no_formula(node)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        operand = self.read(node.operand)
        if isinstance(node.op, ast.USub):
            return -operand if plain_number(operand) else as_expression(operand).each(lambda term: -term)
        if isinstance(node.op, ast.UAdd):
            return operand
        if isinstance(node.op, ast.Invert | ast.Not):
            import numpy as np

            return as_expression(operand).each(known_functions()[np.logical_not])
        raise _no_formula(node)

    def _binop(self, node: ast.BinOp) -> Any:
        return self.operation(node.op, self.read(node.left), self.read(node.right))

    def _compare(self, node: ast.Compare) -> Any:
        parts = [self.read(part) for part in (node.left, *node.comparators)]
        if isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(parts[1], tuple) and len(parts) == 2:
            return (parts[0] in parts[1]) == isinstance(node.ops[0], ast.In)
        found = []
        for left, operator, right in zip(parts, node.ops, parts[1:], strict=False):
            if (sign := _COMPARISONS.get(type(operator))) is None:
                raise _no_formula(node)
            pair = [as_expression(left), as_expression(right)]
            found.append(combined(pair, lambda a, b, sign=sign: a.compared(sign, b)))
        return combined(found, lambda *terms: JOINS["all"](terms))

    def _boolop(self, node: ast.BoolOp) -> Any:
        join = JOINS["all" if isinstance(node.op, ast.And) else "any"]
        return combined([as_expression(self.read(part)) for part in node.values], lambda *terms: join(terms))

    def _ifexp(self, node: ast.IfExp) -> Any:
        test = self.read(node.test)
        if not isinstance(test, bool):
            raise UntranslatableError(f"'{_shown(node)}' decides once for all draws")
        return self.read(node.body if test else node.orelse)

    def _in_formula(self, node: ast.Call, name: str) -> Expression:
        """The call of a function of formulas."""
        if name == "shift":
            dim, steps, fill = (ast.literal_eval(part) for part in node.args[1:])
            return method(as_expression(self.read(node.args[0])), name, [{dim: steps}, fill], {})
        values, dims = arguments(node)
        parts = [as_expression(self.read(part)) for part in values]
        if dims:
            return method(parts[0], name, [dims], {})
        if name in PAIRWISE:
            return combined(parts, lambda *terms: JOINS[name](terms))
        import numpy as np

        return combined(parts, known_functions()[np.where if name == "where" else ELEMENTWISE[name]])

    def _call(self, node: ast.Call) -> Any:
        if isinstance(self.function, Formula):
            return self._in_formula(node, node.func.id)  # type: ignore[attr-defined]  # formulas call names only
        called = self.read(node.func)
        if any(isinstance(argument, ast.Starred) for argument in node.args) or None in [k.arg for k in node.keywords]:
            raise UntranslatableError(f"'{_shown(node)}' hides its arguments")
        positional = [self.read(argument) for argument in node.args]
        keywords = {str(keyword.arg): self.read(keyword.value) for keyword in node.keywords}
        if isinstance(called, _Method):
            return self._method(called, positional, keywords)
        if called is float and len(positional) == 1:
            return positional[0]
        if called is getattr and len(positional) == 3 and positional[1] == "dims":
            return positional[0].dims if isinstance(positional[0], Expression) else positional[2]
        keywords.pop("keep_attrs", None)
        if (write := _known(called)) is not None:
            if keywords:
                raise UntranslatableError(f"'{_shown(node)}' names arguments that have no formula")
            return combined([as_expression(value) for value in positional], write)
        if called is _unlabelled():
            called, *positional = positional
        found = self._special(called, positional, keywords)
        return self._inlined(called, positional, keywords, node) if found is None else found

    def _method(self, called: _Method, positional: list[Any], keywords: dict[str, Any]) -> Expression:
        if called.name != "sel":
            return method(called.of, called.name, positional, keywords)
        chosen = {**(positional[0] if positional else {}), **keywords}
        return self.work.taken(called.of, {name: label for name, label in chosen.items() if name != "drop"})

    def _special(self, called: Any, positional: list[Any], keywords: dict[str, Any]) -> Expression | None:
        """What is computed in a way that cannot be read; None if it is another function."""
        import xarray as xr
        from scipy import special

        from demandsim.equations import processes

        if called is xr.DataArray:
            # Only what stands in the source as numbers and labels.
            return self.work.table(called(*positional, **keywords))
        if called is special.wrightomega and len(positional) == 1 and not keywords:
            return as_expression(positional[0]).each(lambda term: wright_omega(term, self.work.step))
        if called is processes.persisted:
            return persisted(*positional, **keywords, step=self.work.step)
        return cohorts(called, positional, self.work)

    def _inlined(self, called: Any, positional: list[Any], keywords: dict[str, Any], node: ast.Call) -> Any:
        """The formula of another plain function of Python, read in the same way."""
        plain = called.function if isinstance(called, Equation) else called
        if not isinstance(plain, types.FunctionType) or plain.__module__.partition(".")[0] in (
            "numpy",
            "xarray",
            "scipy",
        ):
            raise _no_formula(node.func)
        if self.depth >= _DEEPEST:
            raise UntranslatableError(f"functions call each other more than {_DEEPEST} deep")
        try:
            bound = inspect.signature(plain).bind(*positional, **keywords)
        except TypeError as error:
            raise UntranslatableError(f"'{_shown(node)}': {error}") from None
        bound.apply_defaults()
        return _Reader(plain, dict(bound.arguments), self.work, self.depth + 1).result()


def _known(called: Any) -> Callable[..., Term] | None:
    try:
        return known_functions().get(called)
    except TypeError:
        return None


def _unlabelled() -> Any:
    from demandsim.equations.processes import unlabelled

    return unlabelled


def _loaded(module: str) -> Any:
    if module not in sys.modules:
        raise UntranslatableError(f"it imports '{module}'")
    return sys.modules[module]


def _no_formula(node: ast.AST) -> UntranslatableError:
    return UntranslatableError(f"'{_shown(node)}' has no formula")


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 60 else text[:57] + "..."
