"""Evidence sheet: what was measured and what is known to have happened, written and read back."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from demandsim.distributions.convert import as_distribution
from demandsim.errors import StudyError, WorkbookError, did_you_mean
from demandsim.graph.assumption import in_unit
from demandsim.inference.evidence import Evidence, Happened, Observation, happened
from demandsim.workbook.cells import Entry, SheetTable
from demandsim.workbook.page import Page
from demandsim.workbook.sheets import INPUTS

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["evidence_of", "write_evidence"]


def write_evidence(book: Any, model: Model) -> Page:
    """Write the evidence of a model, a row a piece."""
    import tomli_w

    plan = INPUTS["evidence"]
    widths = [(16, 34), (16, 40), (10, 24), (36, 52), (16, 40), (40, 70)]
    page = Page(book.create_sheet(plan.name), plan.intro, plan.columns, widths)
    for piece in model.evidence:
        try:
            table = piece.table()
        except StudyError as error:
            raise WorkbookError(str(error)) from None
        labels = tomli_w.dumps(table.get("coords", {}), multiline_strings=False).strip()
        told = [table.get(key) for key in ("quantity", "event", "unit", "distribution")]
        for column, text in enumerate([*told, labels or None, piece.source], start=1):
            page.text(page.row, column, text, "input unit" if column == 3 else "input")
        page.row += 1
    return page


def evidence_of(table: SheetTable, model: Model) -> list[Evidence]:
    """Read the evidence on a model.

    Raises
    ------
    WorkbookError
        Naming the cell.
    """
    return [_piece(entry, model) for entry in table]


def _piece(row: Entry, model: Model) -> Evidence:
    quantity, event, source = row.text("quantity"), row.text("event"), row.text("source")
    units = model.declared_units
    if (quantity is None) == (event is None):
        raise row.fail("event", "write either what happened here, or a quantity and a distribution")
    if event is not None:
        (found,) = row.read("event", lambda: happened(event, units))
        unit = row.unit(found.unit) if row.text("unit") else found.unit
        return Happened(found.event, unit, source)
    name = str(quantity).strip()
    entry = row.about(name)
    if name not in units:
        raise entry.fail("quantity", f"unknown quantity '{name}'{did_you_mean(name, units)}")
    said = entry.value("distribution")
    if said is None or isinstance(said, bool):
        raise entry.fail("distribution", "write a distribution, such as normal(mean=80e9, sd=15e9)")
    coords = {**model.program.layout.coords, **_labels(entry)}
    unit = entry.unit(units[name])
    distribution = entry.read("distribution", lambda: as_distribution(in_unit(said, unit), coords))
    return Observation(name, distribution, unit, source)


def _labels(entry: Entry) -> Mapping[str, Sequence[Any]]:
    """Labels that were observed, as lines such as ``year = [2025, 2026]``; read as data."""
    try:
        found = tomllib.loads(entry.text("labels") or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise entry.fail("labels", f"{error}; write a line per dim, such as year = [2025, 2026]") from None
    for dim, labels in found.items():
        plain = isinstance(labels, list) and all(type(label) in (int, float, str) for label in labels)
        if not plain:
            raise entry.fail("labels", f"'{dim}' needs a list of labels, such as {dim} = [2025, 2026]")
    return found
