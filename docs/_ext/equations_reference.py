"""The page of shipped equations, written from their registry when the documentation is built."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from demandsim.equations import MENU
from demandsim.graph.equation import Equation


def _entry(made: Equation) -> str:
    # A heading inside an entry would be a heading of the page.
    text = re.sub(r"^(\w+)\n-+$", r".. rubric:: \1\n", inspect.getdoc(made.function) or "", flags=re.MULTILINE)
    constants = "".join(
        f"\n   | constant ``{name}``: {_number(value)}" for name, value in sorted(made.constants.items())
    )
    body = "\n".join(f"   {line}".rstrip() for line in text.splitlines())
    unit = "no unit" if made.unit in ("1", "") else f"``{made.unit}``"
    inputs = ", ".join(f"``{name}``" for name in made.inputs)
    head = f"``{made.reference}``"
    called = "" if made.reference.endswith(f".{made.name}") else f"   | computes ``{made.name}``\n"
    return f"{head}\n{called}   | unit: {unit}\n   | from: {inputs}{constants}\n\n{body}\n"


def _number(value: Any) -> str:
    return repr(value).removesuffix(" 1")


def page() -> str:
    """Return the page as reStructuredText."""
    title = "Equations"
    lines = [
        f"{title}\n{'=' * len(title)}\n",
        "Study files name an equation by room and function, such as ``inference.cards``; in Python they are",
        "``demandsim.equations.inference.cards``. Several equations may compute one quantity: a model takes one.\n",
    ]
    for room in MENU:
        module = importlib.import_module(f"demandsim.equations.{room}")
        made = [value for value in vars(module).values() if isinstance(value, Equation)]
        own = [each for each in made if each.function.__module__ == module.__name__]
        lines += [f"{room}\n{'-' * len(room)}\n", f"{inspect.getdoc(module)}\n"]
        lines += [_entry(each) for each in sorted(own, key=lambda each: each.reference)]
    return "\n".join(lines)


def _write(app: Any) -> None:
    target = Path(app.srcdir) / "reference" / "equations.rst"
    text = page()
    # Unchanged text keeps its date, so that an incremental build does not start anew.
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
