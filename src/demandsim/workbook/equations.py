"""Equations of a workbook: those that ship by their names, one's own as formulas in a column that may be edited."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from demandsim.equations import equation_named
from demandsim.errors import DemandsimError, EquationError, UnknownNameError
from demandsim.graph.equation import Equation
from demandsim.graph.plain_function import as_formula
from demandsim.studies.loading import formula_equation
from demandsim.studies.schema import FormulaTable
from demandsim.workbook.cells import Entry, SheetTable

__all__ = ["equations_of", "formula_text", "formulas_of"]

#: Stands before the source of a function that no formula can say, so that it is not read as one.
_PYTHON = "Python: "


def formula_text(made: Equation) -> str:
    """The right-hand side of an equation: a formula, where one can say it, or else its source."""
    if made.reference != made.name:
        return made.formula[:2000]
    try:
        return as_formula(made).text
    except EquationError:
        return (_PYTHON + made.formula)[:2000]


def formulas_of(entry: Entry) -> dict[str, dict[str, Any]]:
    """What formulas have beside text, unit and source, as text of a study file; read as data."""
    try:
        found = tomllib.loads(entry.text("text") or "")
        if not all(isinstance(table, dict) for table in found.values()):
            raise ValueError("a formula is a table")
    except (ValueError, RecursionError) as error:
        said = str(error).splitlines()[0]
        raise entry.fail("text", f"{said}; write as in a study file, such as [cost] bounds = [0, inf]") from None
    return found


def equations_of(
    table: SheetTable, formulas: Mapping[str, Mapping[str, Any]], own: Mapping[str, Equation]
) -> list[Equation]:
    """Equations in the order of their rows.

    Parameters
    ----------
    table : SheetTable
    formulas : mapping of name to table
        What formulas have beside text, unit and source.
    own : mapping of name to Equation
        Those of the caller, which come first.

    Raises
    ------
    WorkbookError
        If a row names no equation, and its formula cannot be read.
    """
    return [_equation(entry, formulas, own) for entry in table]


def _equation(entry: Entry, formulas: Mapping[str, Mapping[str, Any]], own: Mapping[str, Equation]) -> Equation:
    reference = entry.needed("equation")
    if reference in own:
        return own[reference]
    said = entry.text("formula")
    # The formula of a row belongs to its quantity, whatever stands in the first column by now.
    if reference == entry.text("quantity") and said is not None and not said.startswith(_PYTHON):
        source = entry.text("source")
        try:
            given = {**formulas.get(reference, {}), "formula": said, "unit": entry.unit("1"), "source": source}
            return formula_equation(reference, FormulaTable.model_validate(given))
        except (DemandsimError, ValueError) as error:
            raise entry.fail("formula", str(error)) from None
    try:
        return equation_named(reference)
    except UnknownNameError as error:
        more = "" if "." in reference else "; an equation of your own is passed as read_workbook(path, equations=[...])"
        raise entry.fail("equation", f"{error}{more}") from None
