"""Sheets: what a workbook is made of, the same for writing and for reading."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["AT", "COMPUTED", "INPUTS", "LABEL_KINDS", "OPTIONAL", "PRINTED", "SURE", "SheetPlan", "printed_header"]

#: A header such as "at year" is that of the labels of a dim.
AT = "at "
#: In place of a distribution: no doubt, the point itself.
SURE = "sure"
PRINTED = "printed"


@dataclass(frozen=True)
class SheetPlan:
    """A sheet that is read back.

    Parameters
    ----------
    name : str
    columns : tuple of str
        Headers; those of dims and of published values come on top.
    intro : str
        First line, which tells people what the sheet is for.
    """

    name: str
    columns: tuple[str, ...]
    intro: str


_PLANS = (
    SheetPlan(
        "assumptions",
        ("name", "label", "point", "unit", "distribution", "shared", "source"),
        "Edit the tinted cells, save, then run: demandsim run THIS_FILE.xlsx. The point feeds the sheet 'results' at "
        "once; the distribution is what a simulation draws from ('sure': no doubt, the point itself).",
    ),
    SheetPlan(
        "scenarios",
        ("dim", "scenario", "name", "label", "point", "unit", "distribution", "source"),
        "What each scenario changes; everything else is as on the sheet 'assumptions'. A row without a name is a "
        "scenario that changes nothing.",
    ),
    SheetPlan(
        "correlations",
        ("one", "other", "spearman", "why"),
        "Rank correlations (Spearman) between two assumptions, above -1 and below 1.",
    ),
    SheetPlan(
        "evidence",
        ("quantity", "event", "unit", "distribution", "labels", "source"),
        "What was measured (a quantity, with a distribution as wide as the measurement errs) or is known to have "
        "happened (such as: gross_margin < 0); for model.infer.",
    ),
    SheetPlan(
        "published",
        ("quantity", "row", "unit", "digits"),
        "Figures as the source prints them, beside what the model computes; the check allows for the rounding of the "
        "last digit printed.",
    ),
    SheetPlan(
        "equations",
        ("equation", "quantity", "unit", "formula", "in Excel", "source"),
        "The equations of the model. Only the first column is read back: delete a row to leave one out, or name "
        "another that ships with demandsim.",
    ),
    SheetPlan(
        "notes",
        ("key", "text"),
        "What the study says about itself, and how to read this workbook.",
    ),
    SheetPlan(
        "labels",
        ("dim", "label", "kind"),
        "The labels of each dim, in order.",
    ),
)
#: Sheets that are read back, by name.
INPUTS = MappingProxyType({plan.name: plan for plan in _PLANS})
#: Those that stand there only if there is something on them.
OPTIONAL = ("evidence", "published", "labels")
#: Sheets of formulas, which are not read back.
COMPUTED = ("results", "steps", "units")

LABEL_KINDS = MappingProxyType({"whole number": int, "number": float, "text": str})


def printed_header(scenario: str) -> str:
    """Header of the published values of a scenario."""
    return f"{PRINTED}: {scenario}" if scenario else PRINTED
