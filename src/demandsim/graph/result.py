"""Result of an equation: what may be one, and what goes wrong when a function of numbers is given draws."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from demandsim.distributions.format import is_labelled
from demandsim.errors import EquationError, in_equation
from demandsim.graph.equation import Equation

__all__ = ["check_numbers", "computed"]

#: What Python and numpy say, and what an equation did that they say it.
_MISTAKES: tuple[tuple[type[Exception], tuple[str, ...], str], ...] = (
    (
        ValueError,
        ("truth value of",),
        (
            "asks whether many draws at once are true, as Python's if, and, max and min do; write "
            "xr.where(condition, a, b), np.maximum, np.minimum, and &, | and ~ for and, or and not"
        ),
    ),
    (
        TypeError,
        ("converted to Python scalars", "__round__", "must be real number, not", "cannot be interpreted as an integer"),
        (
            "makes one number of many draws, as float(), int(), round() and the functions of math do; write np.exp(x) "
            "for math.exp(x), np.floor(x) for int(x), np.round(x) for round(x)"
        ),
    ),
    (
        ValueError,
        ("read-only", "destination is a view"),
        "writes into its input, which others use; write x = 2 * x for x *= 2, and xr.where for x[...] = value",
    ),
)
#: Whole numbers beyond it have neighbours that a double cannot tell apart, and 64 bits of them overflow in silence.
_LARGEST_WHOLE = 2**53
_KINDS = {
    "c": "complex numbers, whose imaginary part would be lost; use np.sqrt(np.maximum(x, 0)), or .real if you mean it",
    "O": "objects of Python; return numbers",
    "S": "text; return a number",
    "U": "text; return a number",
    "M": "dates; return numbers, such as years",
    "m": "spans of time; return numbers in base units, which are seconds",
    "V": "records; return one array of numbers",
}


def computed(made: Equation, inputs: Mapping[str, Any]) -> Any:
    """Call an equation, and say what it did wrong.

    Raises
    ------
    EquationError
        If it uses what Python has for single numbers, writes into its input, or returns what is no number; the message
        names the equation. Whatever else it raises is raised with its name in a note.
    """
    with in_equation(made.name):
        try:
            result = made.function(**inputs)
        except Exception as error:
            for kind, said, mistake in _MISTAKES:
                if isinstance(error, kind) and any(part in str(error) for part in said):
                    message = f"equation '{made.name}' {mistake} ({type(error).__name__}: {error})"
                    raise EquationError(message, made.name) from error
            raise
    check_numbers(made, result)
    return result


def check_numbers(made: Equation, result: Any) -> None:
    """Raise unless a result is one number or one array of real numbers.

    Raises
    ------
    EquationError
        If anything of it would be lost, such as an imaginary part, a mask or an index.
    """
    if result is None:
        raise EquationError(f"equation '{made.name}' returns None; end it with return", made.name)
    if isinstance(result, np.ma.MaskedArray):
        what = "a masked array, whose mask would be lost; use xr.where(condition, x, np.nan)"
        raise EquationError(f"equation '{made.name}' returns {what}", made.name)
    # What a quantity with a unit holds, while units are checked.
    held = getattr(result, "magnitude", result)
    if not (is_labelled(held) or isinstance(held, np.ndarray | np.generic | numbers.Number)):
        what = type(result).__name__
        article = "an" if what[0].lower() in "aeiou" else "a"
        raise EquationError(
            f"equation '{made.name}' returns {article} {what}; return one number or one array with the labels of its "
            "inputs",
            made.name,
        )
    if isinstance(held, int | float):
        return
    kind = held.dtype.kind if hasattr(held, "dtype") else np.asarray(held).dtype.kind
    if kind in _KINDS:
        raise EquationError(f"equation '{made.name}' returns {_KINDS[kind]}", made.name)
    if kind in "iu" and _largest(held) > _LARGEST_WHOLE:
        raise EquationError(
            f"equation '{made.name}' returns whole numbers beyond 2**53, where they overflow in silence; "
            "use np.floor or np.rint, which keep floats, rather than astype(int)",
            made.name,
        )


def _largest(whole: Any) -> float:
    data = getattr(whole, "data", whole) if is_labelled(whole) else whole
    return float(np.max(np.abs(np.asarray(getattr(data, "magnitude", data), dtype=np.float64)), initial=0.0))
