"""The directive ``rooms``: every room of the package in import order, what it is for, and what it looks into.

Order and imports are read from the code, so that the table cannot grow stale.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from study_tables import table

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "demandsim"


def order() -> list[str]:
    """Rooms in the order that the test of the architecture holds them to."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "ORDER":
            return [name for name in ast.literal_eval(node.value) if _files(name)]
    raise LookupError("tests/test_architecture.py has no ORDER")


def _files(room: str) -> list[Path]:
    folder, file = SOURCE / room, SOURCE / f"{room}.py"
    return sorted(folder.glob("*.py")) if folder.is_dir() else [file] if file.is_file() else []


def purpose(room: str) -> str:
    """First sentence of the room's docstring, without its name."""
    folder = SOURCE / room
    file = folder / "__init__.py" if folder.is_dir() else SOURCE / f"{room}.py"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = " ".join(text.partition("\n\n")[0].split())
    return first.partition(": ")[2] or first


def looks_into(room: str) -> set[str]:
    """Rooms that it imports from, wherever in the file."""
    found = set()
    for file in _files(room):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "demandsim":
                parts = node.module.split(".")[1:] if node.module else []
                found |= {parts[0]} if parts else {alias.name for alias in node.names}
    return found & set(order()) - {room}


class Rooms(Directive):
    """A row a room."""

    def run(self) -> list[nodes.Node]:
        """Read the code."""
        names = order()
        rows = []
        for place, room in enumerate(names):
            sees = sorted(looks_into(room) & set(names[:place]), key=names.index)
            rows.append([room, purpose(room), ", ".join(sees) or "nothing"])
        return [table(["room", "purpose", "looks into"], rows)]


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("rooms", Rooms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
