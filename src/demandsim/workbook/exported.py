"""Exported: a workbook that was written from a Model and edited becomes one again; faults are named with their cell."""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from demandsim.errors import (
    CorrelationError,
    DemandsimError,
    DimensionError,
    MissingAssumptionError,
    WorkbookWarning,
    did_you_mean,
)
from demandsim.graph.assumption import USER, Assumption
from demandsim.graph.changes import said_of
from demandsim.graph.equation import Equation
from demandsim.graph.label_correlation import LabelKey
from demandsim.graph.metadata import Published, StudyNotes
from demandsim.graph.presentation import Presentation
from demandsim.model import Model
from demandsim.statistics.event import parse_event
from demandsim.studies.loading import presentation_of
from demandsim.studies.schema import PresentationTable
from demandsim.workbook.assumptions import AssumptionRows, Found
from demandsim.workbook.cells import Entry, SheetTable, table_of
from demandsim.workbook.equations import equations_of, formulas_of
from demandsim.workbook.evidence import evidence_of
from demandsim.workbook.published import published_of
from demandsim.workbook.sheets import INPUTS, LABEL_KINDS, OPTIONAL
from demandsim.workbook.xlsx import Opened, opened

__all__ = ["is_exported", "read_exported"]


def is_exported(path: str | Path) -> bool:
    """Whether a workbook has the sheets that `write_workbook` writes."""
    present = {name.casefold() for name in opened(path).sheets}
    wanted = {plan.name for plan in INPUTS.values() if plan.name not in OPTIONAL}
    # One may have been renamed: that is then said, rather than that it is another workbook.
    return len(wanted & present) >= len(wanted) - 1


def read_exported(path: str | Path, *, equations: Iterable[Equation] = ()) -> Model:
    """Read the sheets that `write_workbook` writes.

    Units, dims, scenarios, correlations and evidence stand there as words, which the cells of its formulas do not say.

    Parameters
    ----------
    path : str or Path
    equations : iterable of Equation, optional
        Of which the workbook holds the formula need not be given.

    Raises
    ------
    WorkbookError
        If something cannot be read: it names sheet and cell.
    """
    book = opened(path)
    tables = {
        plan.name: table_of(book, plan.name, plan.columns) for plan in INPUTS.values() if plan.name not in OPTIONAL
    }
    present = {name.casefold() for name in book.sheets}
    coords = _coords(table_of(book, "labels", INPUTS["labels"].columns)) if "labels" in present else {}
    rows = AssumptionRows(coords)
    assumptions = rows.assumptions(tables["assumptions"])
    scenarios = rows.scenarios(tables["scenarios"], assumptions)
    own = {made.name: made for made in equations}
    settings = _Settings(tables["notes"])
    chosen = equations_of(tables["equations"], settings.formulas, own)
    pairs, ranks, reasons = _correlations(tables["correlations"], assumptions)
    tails = _tails(tables["correlations"])
    published: list[tuple[Entry, Published]] = []
    if "published" in present:
        published = list(published_of(table_of(book, "published", INPUTS["published"].columns)))
    study = _study_of(book, present)
    notes = StudyNotes(
        settings.said["name"],
        settings.said["title"],
        settings.said["source"],
        tuple(settings.notes),
        tuple(row for _, row in published),
        reasons,
        settings.presentation,
    )
    try:
        model = Model.drafted(
            chosen,
            {name: _sourced(name, found.made, study) for name, found in assumptions.items()},
            correlations=pairs,
            tails=tails,
            label_correlations=ranks,
            scenarios=scenarios,
            notes=notes,
            dimensions=[name for name in settings.dimensions if name in assumptions] or None,
            nearest=settings.nearest,
        )
    except DemandsimError as error:
        hint = _hint(error, chosen, assumptions, tables)
        raise type(error)(f"{book.path}: {error}{hint}") from None
    for entry, row in published:
        if row.quantity not in model.quantities:
            raise entry.fail(
                "quantity", f"unknown quantity '{row.quantity}'{did_you_mean(row.quantity, model.quantities)}"
            )
    if "evidence" in present:
        pieces = evidence_of(table_of(book, "evidence", INPUTS["evidence"].columns), model)
        try:
            model = model.with_evidence(pieces)
        except DemandsimError as error:
            raise type(error)(f"{book.path}, sheet 'evidence': {error}") from None
    for warning in rows.doubtful_points():
        warnings.warn(warning, WorkbookWarning, stacklevel=2)
    return model.loaded(_parts_of(study))


def _parts_of(study: Mapping[str, tuple[str, str | None]]) -> dict[str, str] | None:
    """What the study said, without sources; None where the workbook does not say."""
    return {part: said for part, (said, _) in study.items()} or None


def _study_of(book: Opened, present: Collection[str]) -> dict[str, tuple[str, str | None]]:
    """What the study said that the workbook was made from, part by part, and its sources."""
    if "study" not in present:
        return {}
    told = table_of(book, "study", INPUTS["study"].columns)
    return {entry.needed("part"): (entry.text("said") or "", entry.text("source")) for entry in told}


def _sourced(name: str, made: Assumption, study: Mapping[str, tuple[str, str | None]]) -> Assumption:
    """The assumption, whose old source is not that of what somebody has changed."""
    said, source = study.get(name, (None, None))
    return made if said in (None, said_of(made)) or made.source != source else made.relabelled(source=USER)


def _coords(table: SheetTable) -> dict[str, list[Any]]:
    coords: dict[str, list[Any]] = {}
    for entry in table:
        dim = entry.needed("dim")
        entry = entry.about(dim)
        kind = entry.needed("kind")
        if kind not in LABEL_KINDS:
            raise entry.fail("kind", f"unknown kind '{kind}'{did_you_mean(kind, LABEL_KINDS)}")
        if kind == "text":
            label: Any = entry.text("label")
        else:
            number = entry.number("label")
            if kind == "whole number" and number is not None and not number.is_integer():
                raise entry.fail("label", f"is {number!r}, which is no whole number")
            label = None if number is None else LABEL_KINDS[kind](number)
        if label is None:
            raise entry.fail("label", "is empty; write the label")
        if label in coords.setdefault(dim, []):
            raise entry.fail("label", f"the label {label!r} stands here twice")
        coords[dim].append(label)
    return coords


def _correlations(
    table: SheetTable, assumptions: Mapping[str, Found]
) -> tuple[dict[tuple[str, str], float], dict[LabelKey, Any], dict[tuple[str, ...], str]]:
    pairs: dict[tuple[str, str], float] = {}
    ranks: dict[LabelKey, Any] = {}
    reasons: dict[tuple[str, ...], str] = {}
    for row in table:
        pair = row.needed("one"), row.needed("other")
        entry = row.about(" and ".join(pair))
        for header, name in zip(("one", "other"), pair, strict=True):
            if name not in assumptions:
                raise entry.fail(header, f"unknown assumption '{name}'{did_you_mean(name, assumptions)}")
        if "dim" in table.columns and (dim := entry.text("dim")):
            ranks[(*pair, dim)] = entry.value("spearman")
            continue
        if pair[0] == pair[1]:
            raise entry.fail("other", f"'{pair[0]}' cannot be correlated with itself")
        rho = entry.number("spearman")
        if rho is None or not -1 < rho < 1:
            said = "is empty" if rho is None else f"is {rho:g}"
            raise entry.fail("spearman", f"{said}; write a rank correlation above -1 and below 1, or delete the row")
        if pair in pairs or pair[::-1] in pairs:
            raise entry.fail("one", f"the pair {pair} is given twice")
        pairs[pair] = rho
        if why := entry.text("why"):
            reasons[tuple(sorted(pair))] = why
    return pairs, ranks, reasons


def _tails(table: SheetTable) -> dict[str, float]:
    """Degrees of freedom of assumptions whose correlations have a t copula."""
    found: dict[str, float] = {}
    for row in table:
        if "df" in table.columns and (df := row.number("df")) is not None:
            found |= dict.fromkeys((row.needed("one"), row.needed("other")), df)
    return found


class _Settings:
    """What the sheet of notes says."""

    def __init__(self, table: SheetTable) -> None:
        self.said = {"name": "", "title": "", "source": ""}
        self.notes: list[str] = []
        self.dimensions: list[str] = []
        self.nearest = False
        self.presentation = Presentation()
        self.formulas: dict[str, dict[str, Any]] = {}
        known = (
            *self.said,
            "note",
            "presentation",
            "formulas",
            "order of dimensions",
            "nearest correlations",
            "schema",
        )
        for row in table:
            key = row.needed("key")
            entry = row.about(key)
            if key in self.said:
                self.said[key] = entry.text("text") or ""
            elif key == "note":
                self.notes += [text] if (text := entry.text("text")) else []
            elif key == "presentation":
                self.presentation = _presentation(entry)
            elif key == "formulas":
                self.formulas = formulas_of(entry)
            elif key == "order of dimensions":
                self.dimensions = [name for part in (entry.text("text") or "").split(",") if (name := part.strip())]
            elif key == "nearest correlations":
                self.nearest = entry.yes("text")
            elif key == "schema":
                if entry.text("text") != "1":
                    raise entry.fail("text", f"schema '{entry.text('text')}' is not known to this version of demandsim")
            elif key not in ("changed", "guide", "not a formula"):
                raise entry.fail("key", f"unknown key '{key}'{did_you_mean(key, known)}")


def _presentation(entry: Entry) -> Presentation:
    """What readers look for first, as text of a study file; read as data."""
    try:
        table = PresentationTable.model_validate(tomllib.loads(entry.text("text") or ""))
        for told in table.events.values():
            parse_event(told.event)
    except (tomllib.TOMLDecodeError, ValidationError, DemandsimError, RecursionError) as error:
        said = str(error).splitlines()[0]
        raise entry.fail("text", f'{said}; write as in a study file, such as results = ["cards"]') from None
    return presentation_of(table)


def _hint(
    error: DemandsimError, chosen: list[Equation], assumptions: Mapping[str, Found], tables: Mapping[str, SheetTable]
) -> str:
    """Name the cells that an error of the model as a whole is likely to come from."""
    quoted = re.findall(r"'(\w+)'", str(error))
    if isinstance(error, MissingAssumptionError) and len(quoted) > 1:
        used = {name for made in chosen for name in made.inputs}
        near = did_you_mean(quoted[1], (name for name in assumptions if name not in used))
        for name, found in assumptions.items():
            if near == f"; did you mean '{name}'?":
                return f" It may be the one in {found.entry.where('name').partition(', ')[2]}."
        return f"; sheet 'assumptions' has no row for '{quoted[1]}'"
    if isinstance(error, DimensionError) and quoted:
        made = next((one for one in chosen if one.name == quoted[0]), None)
        cells = (
            [assumptions[n].entry.where("unit").partition(", ")[2] for n in made.inputs if n in assumptions]
            if made
            else []
        )
        return f" Units of its inputs: {'; '.join(cells)}." if cells else ""
    if isinstance(error, CorrelationError):
        return " (sheet 'correlations')"
    return ""
