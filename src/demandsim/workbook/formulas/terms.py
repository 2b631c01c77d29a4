"""Terms: formulas of Excel with the value that Excel will give them, and how they combine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["LARGEST", "UNKNOWN", "Term", "UntranslatableError", "choice", "function", "named", "numeral"]

#: Longest formula that Excel takes is 8192 characters, with the sign of equality.
_LONGEST = 8000
#: Largest number that a cell holds; stands for infinity.
LARGEST = 9.99999999999999e307

# How tightly a text binds. In Excel a sign binds more tightly than a power: -2^2 is 4.
_COMPARED, _SUM, _PRODUCT, _POWER, _SIGNED, _ATOM = 1, 3, 4, 5, 7, 9


class UntranslatableError(Exception):
    """Why an equation cannot be written as a formula of Excel."""


@dataclass(frozen=True)
class Term:
    """A formula, or a part of one.

    Parameters
    ----------
    text : str
        Without the leading sign of equality.
    value : float
        What Excel will compute; NaN stands for every error.
    level : int
        How tightly the text binds: what binds less is put in brackets.
    truth : bool
        Whether it is true or false rather than a number.
    """

    text: str
    value: float
    level: int = _ATOM
    truth: bool = False

    def __post_init__(self) -> None:
        if len(self.text) > _LONGEST:
            raise UntranslatableError(f"its formula is longer than the {_LONGEST} characters that Excel takes")
        if not math.isfinite(self.value):
            object.__setattr__(self, "value", math.nan)

    def within(self, level: int) -> str:
        """Text to stand beside an operator that binds with `level`."""
        return self.text if self.level >= level else f"({self.text})"

    def as_number(self) -> Term:
        """Return 1 or 0 for a truth, a number as it is."""
        return Term(f"IF({self.text},1,0)", self.value) if self.truth else self

    def __neg__(self) -> Term:
        own = self.as_number()
        return Term(f"-{own.within(_ATOM)}", -own.value, _SIGNED)

    def __add__(self, other: Term) -> Term:
        return _binary("+", _SUM, self, other, lambda a, b: a + b)

    def __sub__(self, other: Term) -> Term:
        return _binary("-", _SUM, self, other, lambda a, b: a - b)

    def __mul__(self, other: Term) -> Term:
        return _binary("*", _PRODUCT, self, other, lambda a, b: a * b)

    def __truediv__(self, other: Term) -> Term:
        return _binary("/", _PRODUCT, self, other, lambda a, b: a / b)

    def __pow__(self, other: Term) -> Term:
        one, two = self.as_number(), other.as_number()
        text = f"{one.within(_ATOM)}^{two.within(_ATOM)}"
        return Term(text, _computed(_raised, one.value, two.value), _POWER)

    def compared(self, sign: str, other: Term) -> Term:
        """Compare with another: ``<``, ``<=``, ``>``, ``>=``, ``=`` or ``<>``."""
        one, two = self.as_number(), other.as_number()
        a, b = one.value, two.value
        found = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a == b, "<>": a != b}[sign]
        value = math.nan if math.isnan(a) or math.isnan(b) else float(found)
        return Term(f"{one.within(_SUM)}{sign}{two.within(_SUM)}", value, _COMPARED, truth=True)


UNKNOWN = Term("NA()", math.nan)


def _raised(base: float, power: float) -> float:
    # Excel has no 0^0.
    return math.nan if base == 0 and power == 0 else base**power


def _computed(compute: Callable[..., float], *values: float) -> float:
    if any(math.isnan(value) for value in values):
        return math.nan
    try:
        result = compute(*values)
    except (ArithmeticError, ValueError):
        return math.nan
    return math.nan if isinstance(result, complex) else float(result)


def _binary(sign: str, level: int, one: Term, other: Term, compute: Callable[[float, float], float]) -> Term:
    left, right = one.as_number(), other.as_number()
    # The right side is put in brackets also where it need not be, so that rounding is the same.
    text = f"{left.within(level)}{sign}{right.within(level + 1)}"
    return Term(text, _computed(compute, left.value, right.value), level)


def numeral(value: float) -> Term:
    """Write a number.

    Examples
    --------
    >>> numeral(2).text, numeral(0.1).text, numeral(1e-9).text
    ('2', '0.1', '1E-09')
    """
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        value = math.copysign(LARGEST, value)
    text = f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(float(value)).upper()
    return Term(text, float(value), _SIGNED if text.startswith("-") else _ATOM)


def named(name: str, value: float) -> Term:
    """Name a cell that holds `value`."""
    return Term(name, LARGEST if value == math.inf else value)


def function(name: str, arguments: Sequence[Term], compute: Callable[..., float], *, truth: bool = False) -> Term:
    """Call a function of Excel.

    Examples
    --------
    >>> function("MIN", [named("cards", 3.0), numeral(2)], min)
    Term(text='MIN(cards,2)', value=2.0, level=9, truth=False)
    """
    numbers = [term if truth else term.as_number() for term in arguments]
    text = f"{name}({','.join(term.text for term in numbers)})"
    return Term(text, _computed(compute, *(term.value for term in numbers)), truth=truth)


def choice(condition: Term, yes: Term, no: Term) -> Term:
    """Choose by a condition; the other branch is not computed, so that its errors do not matter."""
    chosen = math.nan if math.isnan(condition.value) else (yes if condition.value else no).value
    if yes.truth and no.truth:
        return Term(f"IF({condition.text},{yes.text},{no.text})", chosen, truth=True)
    return Term(f"IF({condition.text},{yes.as_number().text},{no.as_number().text})", chosen)
