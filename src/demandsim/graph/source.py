"""Source: what an equation says in its code and docstring, and what of a model determines its draws."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
import textwrap
import tokenize
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.distributions.format import is_labelled
from demandsim.graph.alias import Alias
from demandsim.graph.formula import Formula
from demandsim.graph.loop import Lagged, Stepped
from demandsim.units.format import settled

if TYPE_CHECKING:
    from demandsim.graph.assumption import Assumption
    from demandsim.model import Model

__all__ = ["canonical", "code_digest", "fingerprint", "formula_of", "held_values", "label_and_source"]


def formula_of(function: Callable[..., Any]) -> str | None:
    """Read the right-hand side of a function from its source, where there is one that was run."""
    if isinstance(function, Formula | Alias | Stepped | Lagged):
        return function.text
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return None
    body = tree.body[0]
    if not isinstance(body, ast.FunctionDef):
        return None
    lines = [line for line in body.body if not _is_docstring(line)]
    if len(lines) == 1 and isinstance(lines[0], ast.Return) and lines[0].value is not None:
        return ast.unparse(lines[0].value)
    return "; ".join(" ".join(ast.unparse(line).split()) for line in lines)


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def code_digest(function: Callable[..., Any]) -> str | None:
    """Fingerprint the compiled code of a function whose source cannot be read, where it has any."""
    code = getattr(function, "__code__", None)
    return None if code is None else _digest(code)


def _digest(code: types.CodeType) -> str:
    constants = [_digest(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    text = repr((code.co_code, constants, code.co_names, code.co_varnames))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def held_values(function: Callable[..., Any]) -> list[str]:
    """Return the numbers and texts that a function holds from where it was made: part of what it computes."""
    held = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    return [repr(value) for value in held if isinstance(value, (int, float, str))]


def label_and_source(doc: str | None) -> tuple[str | None, str | None]:
    """Read the label and the ``Source:`` of an equation from its docstring."""
    if not doc:
        return None, None
    text = inspect.cleandoc(doc)
    first = text.split("\n\n")[0].replace("\n", " ").strip().rstrip(".")
    cited = re.search(r"^Source: (.+?)(?:\n\s*\n|\Z)", text, re.MULTILINE | re.DOTALL)
    # A caption may go on after a colon; the label is what stands before it.
    label = first.partition(":")[0].strip()
    return label or None, " ".join(cited.group(1).split()).rstrip(".") if cited else None


def canonical(model: Model) -> dict[str, Any]:
    """Return everything that determines the draws, independent of the order in which it was given."""
    return {
        "assumptions": {name: _described(a) for name, a in sorted(model.assumptions.items())},
        "equations": {name: [e.unit, e.fingerprint, list(e.inputs)] for name, e in sorted(model.equations.items())},
        "correlations": sorted([*sorted(pair), rho] for pair, rho in model.correlations.items()),
        # Only where there are some, so that a model without keeps its hash.
        **(
            {"label_correlations": sorted([*key, str(rank)] for key, rank in model.label_correlations.items())}
            if model.label_correlations
            else {}
        ),
        **({"tails": dict(sorted(model.tails.items()))} if model.tails else {}),
        "scenarios": {
            dim: {label: {n: _described(a) for n, a in sorted(over.items())} for label, over in labels.items()}
            for dim, labels in model.scenarios.grid.items()
        },
        "dimensions": list(model.dimensions),
        "nearest": model.nearest,
        # Only where there is some, so that a model without keeps its hash.
        **({"evidence": [piece.canonical() for piece in model.evidence]} if model.evidence else {}),
    }


def _described(assumption: Assumption) -> list[Any]:
    point = assumption.point
    # A median is computed, with last bits that differ between processors; what is said is not.
    flat = np.vectorize(settled, otypes=[float])(point.values).tolist() if is_labelled(point) else settled(point)
    coords = {dim: list(labels) for dim, labels in assumption.distribution.coords.items()}
    return [str(assumption.distribution), coords, assumption.unit, flat, assumption.shared]


def fingerprint(model: Model) -> str:
    """Return a short hash of everything that determines the draws."""
    text = json.dumps(canonical(model), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
