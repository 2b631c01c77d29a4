"""Grammar of formulas: tokens become a tree by Excel's precedence; nothing is evaluated.

From strong to weak: references (``:``, space), minus in front, ``%``, ``^``, ``*`` ``/``, ``+`` ``-``, ``&``,
comparisons. All of them bind from the left: ``2^3^2`` is 64, and ``-2^2`` is 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
)
from demandsim.workbook.calc.operators import PRECEDENCE
from demandsim.workbook.calc.values import ERRORS, UnsupportedError

__all__ = ["parsed"]

_LONGEST = 8192
_DEEPEST = 64


def parsed(formula: str) -> Node:
    """Read a formula.

    Parameters
    ----------
    formula : str
        With its ``=``, as workbooks store it: in English, with commas.

    Raises
    ------
    UnsupportedError
        If it does not follow the grammar.

    Examples
    --------
    >>> parsed("=-A1^2%").parts[0]
    Sign(sign='-', node=Operand(said='A1'))
    """
    from openpyxl.formula import Tokenizer

    if len(formula) > _LONGEST:
        raise UnsupportedError(f"the formula has {len(formula):,} characters; Excel reads {_LONGEST:,}")
    try:
        tokens = Tokenizer(formula).items
    except Exception as error:
        # It raises more than its own errors on what is no formula.
        raise UnsupportedError(f"the formula cannot be read ({str(error)[:80]})") from None
    reader = _Reader(_without_space(tokens))
    node = reader.expression(0)
    if reader.peek() is not None:
        raise reader.fail("the end")
    return node


@dataclass(slots=True)
class _Token:
    kind: str
    subtype: str
    value: str


def _without_space(tokens: list[Any]) -> list[_Token]:
    """Tokens without spaces, but for one that stands between two references: that is an operator."""
    found: list[_Token] = []
    for place, token in enumerate(tokens):
        if token.type != "WHITE-SPACE":
            found.append(_Token(token.type, token.subtype, token.value))
            continue
        after = next((t for t in tokens[place + 1 :] if t.type != "WHITE-SPACE"), None)
        before = found[-1] if found else None
        if before is None or after is None:
            continue
        ends = before.kind == "OPERAND" or before.subtype == "CLOSE"
        starts = after.type == "OPERAND" or after.subtype == "OPEN"
        if ends and starts:
            found.append(_Token("OPERATOR-INFIX", "", " "))
    return found


_REFERENCES = 7


class _Reader:
    """Reads tokens from the left; how strongly an operator must bind to go on is given."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0

    def peek(self) -> _Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self) -> _Token:
        token = self.peek()
        if token is None:
            raise self.fail("more")
        self.place += 1
        return token

    def fail(self, expected: str) -> UnsupportedError:
        token = self.peek()
        return UnsupportedError(
            f"the formula cannot be read: expected {expected}, found {token.value if token else 'its end'}"
        )

    def nested(self, read: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise UnsupportedError(f"the formula is nested more than {_DEEPEST} deep")
        node = read()
        self.depth -= 1
        return node

    def expression(self, least: int) -> Node:
        return self.nested(lambda: self._expression(least))

    def _expression(self, least: int) -> Node:
        node = self._operand()
        while (token := self.peek()) is not None:
            if token.kind == "OPERATOR-POSTFIX":
                self.take()
                node = Percent(node)
                continue
            strength = self._strength(token)
            if strength is None or strength < least:
                break
            node = self._operation(node, strength)
        return node

    def _strength(self, token: _Token) -> int | None:
        if token.kind == "FUNC" and token.value.startswith(":"):
            return _REFERENCES
        if token.kind == "OPERAND" and token.value.startswith(":"):
            return _REFERENCES
        if token.kind != "OPERATOR-INFIX":
            return None
        if token.value in (" ", ":"):
            return _REFERENCES
        if token.value == ",":
            return None
        if token.value not in PRECEDENCE:
            raise UnsupportedError(f"the operator '{token.value}' is not read")
        return PRECEDENCE[token.value]

    def _operation(self, first: Node, strength: int) -> Node:
        token = self.peek()
        assert token is not None
        if strength == _REFERENCES:
            if token.kind == "OPERATOR-INFIX":
                self.take()
                right = self.expression(_REFERENCES + 1)
                return Intersection(first, right) if token.value == " " else Span(first, right)
            token.value = token.value[1:]
            return Span(first, self.expression(_REFERENCES + 1))
        rest: list[tuple[str, Node]] = []
        while (token := self.peek()) is not None and token.kind == "OPERATOR-INFIX":
            if PRECEDENCE.get(token.value) != strength:
                break
            self.take()
            rest.append((token.value, self.expression(strength + 1)))
        return Operation(first, tuple(rest))

    def _operand(self) -> Node:
        token = self.take()
        if token.kind == "OPERATOR-PREFIX":
            return Sign(token.value, self.expression(6))
        if token.kind == "OPERAND":
            return _literal(token)
        if token.kind == "PAREN" and token.subtype == "OPEN":
            return self._bracketed()
        if token.kind == "FUNC" and token.subtype == "OPEN":
            return self._call(token.value[:-1])
        if token.kind == "ARRAY" and token.subtype == "OPEN":
            return self._array()
        self.place -= 1
        raise self.fail("a value")

    def _bracketed(self) -> Node:
        nodes = [self.expression(0)]
        while (token := self.take()).subtype != "CLOSE":
            if token.value != ",":
                self.place -= 1
                raise self.fail("')'")
            nodes.append(self.expression(0))
        if len(nodes) > 1:
            return Union(tuple(nodes))
        # Brackets end a chain: what stands in them is one value.
        return Operation(nodes[0], ()) if isinstance(nodes[0], Operation) else nodes[0]

    def _call(self, name: str) -> Node:
        before, colon, rest = name.rpartition(":")
        args: list[Node] = []
        token = self.peek()
        if token is not None and token.kind == "FUNC" and token.subtype == "CLOSE":
            self.take()
        else:
            while True:
                token = self.peek()
                empty = token is not None and (token.kind == "SEP" or (token.kind, token.subtype) == ("FUNC", "CLOSE"))
                args.append(Missing() if empty else self.expression(0))
                token = self.take()
                if (token.kind, token.subtype) == ("FUNC", "CLOSE"):
                    break
                if token.kind != "SEP":
                    self.place -= 1
                    raise self.fail("',' or ')'")
        made = Call(_function_name(rest if colon else name), tuple(args))
        return Span(Operand(before), made) if colon and before else made

    def _array(self) -> Node:
        rows: list[list[Node]] = [[]]
        while (token := self.take()).kind != "ARRAY":
            if token.kind == "SEP":
                if token.value == ";":
                    rows.append([])
            elif token.kind != "ARRAYROW":
                self.place -= 1
                rows[-1].append(self.expression(0))
        kept = [row for row in rows if row]
        if not kept:
            raise self.fail("a value in braces")
        constants = [tuple(_constant(node) for node in row) for row in kept]
        if any(value is None for row in constants for value in row):
            return Braces(tuple(map(tuple, kept)))
        if len({len(row) for row in kept}) > 1:
            raise UnsupportedError("the rows of an array in braces have different lengths")
        return ArrayLiteral(tuple(constants))


def _constant(node: Node) -> Any:
    """Value of a part that is a constant, perhaps with its sign; None if it is not."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Sign) and isinstance(node.node, Literal) and isinstance(node.node.value, float):
        return -node.node.value if node.sign == "-" else node.node.value
    return None


def _function_name(said: str) -> str:
    name = said.upper().lstrip("@")
    for prefix in ("_XLFN.", "_XLWS.", "_XLUDF."):
        name = name.removeprefix(prefix)
    return name


def _literal(token: _Token) -> Node:
    said = token.value
    # The tokenizer takes names such as "nan" for numbers.
    if token.subtype == "NUMBER" and said[:1] in "0123456789.":
        value = float(said)
        if not math.isfinite(value):
            raise UnsupportedError(f"the number {said[:20]} is too large")
        return Literal(value)
    if token.subtype == "TEXT":
        return Literal(said[1:-1].replace('""', '"'))
    if token.subtype == "LOGICAL":
        return Literal(said.upper() == "TRUE")
    if token.subtype == "ERROR":
        return Literal(ERRORS.get(said.upper(), ERRORS["#NAME?"]))
    return Operand(said)
