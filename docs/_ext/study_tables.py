"""Directives that print what a study says about itself: ``published NAME`` and ``errata NAME``."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from demandsim import convert, load_study


def table(head: list[str], rows: list[list[str]]) -> nodes.table:
    """A table of plain cells."""

    def line(cells: list[str]) -> nodes.row:
        return nodes.row("", *(nodes.entry("", nodes.paragraph(text=cell)) for cell in cells))

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
            cells = [row.row, row.quantity, row.unit]
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
