"""Nodes: the parts of a formula, as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ArrayLiteral",
    "Braces",
    "Call",
    "Intersection",
    "Literal",
    "Missing",
    "Node",
    "Operand",
    "Operation",
    "Percent",
    "Sign",
    "Span",
    "Union",
    "walked",
]


class Node:
    """A part of a formula."""

    __slots__ = ()

    @property
    def parts(self) -> tuple[Node, ...]:
        """The parts that it is made of."""
        return ()


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a text, a truth or an error, as written."""

    value: Any


@dataclass(frozen=True, slots=True)
class Missing(Node):
    """An argument that is left empty."""


@dataclass(frozen=True, slots=True)
class Operand(Node):
    """A reference or a name, as written."""

    said: str


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Node):
    """Constants in braces."""

    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Braces(Node):
    """Values and ranges in braces, side by side and one under the other, as Google Sheets allows."""

    rows: tuple[tuple[Node, ...], ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """All of them."""
        return tuple(node for row in self.rows for node in row)


@dataclass(frozen=True, slots=True)
class Operation(Node):
    """Operators of the same strength, one after the other from the left."""

    first: Node
    rest: tuple[tuple[str, Node], ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The operands."""
        return (self.first, *(node for _, node in self.rest))


@dataclass(frozen=True, slots=True)
class Sign(Node):
    """A sign in front."""

    sign: str
    node: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """What has the sign."""
        return (self.node,)


@dataclass(frozen=True, slots=True)
class Percent(Node):
    """A percent sign behind."""

    node: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """What is in percent."""
        return (self.node,)


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function with its arguments."""

    name: str
    args: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The arguments."""
        return self.args


@dataclass(frozen=True, slots=True)
class _Pair(Node):
    left: Node
    right: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both references."""
        return self.left, self.right


@dataclass(frozen=True, slots=True)
class Intersection(_Pair):
    """What two ranges share."""


@dataclass(frozen=True, slots=True)
class Span(_Pair):
    """A range from one reference to another, where one at least is computed."""


@dataclass(frozen=True, slots=True)
class Union(Node):
    """Several ranges in brackets."""

    nodes: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The ranges."""
        return self.nodes


def walked(node: Node) -> Iterator[Node]:
    """A part of a formula and all parts within it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(one.parts)
