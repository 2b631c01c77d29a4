"""Directives that print what a study says about itself: ``published NAME`` and ``errata NAME``."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from demandsim import convert, load_study


def _cell(text: str) -> nodes.entry:
    """A cell: numbers to the right, and what stands between double backticks as code."""
    parts = text.split("``")
    said = [nodes.literal(text=part) if i % 2 else nodes.Text(part) for i, part in enumerate(parts) if part]
    kind = ["number"] if re.fullmatch(r"[\d.,]+", text) else []
    return nodes.entry("", nodes.paragraph("", "", *said), classes=kind)


def table(head: list[str], rows: list[list[str]]) -> nodes.table:
    """A table of cells."""

    def line(cells: list[str]) -> nodes.row:
        return nodes.row("", *map(_cell, cells))

    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", line(head))
    group += nodes.tbody("", *(line(row) for row in rows))
    return nodes.table("", group)


class Published(Directive):
    """Figures that the source prints, beside the computed ones."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Compute the rows anew at every build."""
        model = load_study(self.arguments[0])
        point = model.point()
        scenarios = list(dict.fromkeys(label for row in model.notes.published for label in row.values))
        rows = []
        for row in model.notes.published:
            found = convert(point[row.quantity], row.unit)
            cells = [row.row, f"``{row.quantity}``", f"``{row.unit}``" if row.unit != "1" else "none"]
            for label in scenarios:
                here = float(found.sel(scenario=label) if "scenario" in found.dims else found)
                cells += [f"{row.values[label]:,.{row.digits}f}", f"{here:,.{row.digits}f}"]
            rows.append(cells)
        head = ["row", "quantity", "unit as printed"]
        return [table([*head, *(f"{label}, {what}" for label in scenarios for what in ("printed", "computed"))], rows)]


class Errata(Directive):
    """Errata, cautions and limits of the source, one an item."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Take them from the study."""
        notes = load_study(self.arguments[0]).notes.notes
        return [nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph(text=note)) for note in notes))]


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("published", Published)
    app.add_directive("errata", Errata)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
