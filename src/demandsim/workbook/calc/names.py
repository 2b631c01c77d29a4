"""Names: what references and names in formulas stand for, and all ranges that a formula names."""

from __future__ import annotations

from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.grammar import parsed
from demandsim.workbook.calc.nodes import Node, Operand, walked
from demandsim.workbook.calc.references import Area, resolved
from demandsim.workbook.calc.values import CellError, UnsupportedError

__all__ = ["references_of", "stands_for"]

_REMEMBERED = 200_000


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
