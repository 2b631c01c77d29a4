"""Sheets: what a workbook is made of, for writing and for reading; and those of units and of steps, for formulas."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from demandsim.units.convert import base_factor, parsed, same_dimension
from demandsim.units.registry import registry
from demandsim.workbook.cells import NamedCells
from demandsim.workbook.formulas.terms import Term, named
from demandsim.workbook.page import FIRST_ROW, Page

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = [
    "AS_WRITTEN",
    "AT",
    "INPUTS",
    "LABEL_KINDS",
    "OPTIONAL",
    "ORDER",
    "SURE",
    "StepsSheet",
    "UnitsSheet",
    "base_unit",
]

#: A header such as "at year" is that of the labels of a dim.
AT = "at "
#: In place of a distribution: no doubt, the point itself.
SURE = "sure"
#: Columns that keep what was exported, so that an edit of the one without the other is seen.
AS_WRITTEN = ("point as written", "distribution as written")


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
    more : tuple of str
        Headers of columns at the end that may be missing.
    """

    name: str
    columns: tuple[str, ...]
    intro: str
    more: tuple[str, ...] = ()


_PLANS = (
    SheetPlan(
        "assumptions",
        ("name", "label", "point", "unit", "distribution", "shared", "source"),
        "Edit the framed cells, save, then run: demandsim run THIS_FILE.xlsx. The point feeds the sheet 'results' at "
        "once; the distribution is what a simulation draws from ('sure': no doubt, the point itself). A point edited "
        "without its distribution turns the latter orange. All that is tinted is read back.",
        ("lower bound", "upper bound", *AS_WRITTEN),
    ),
    SheetPlan(
        "scenarios",
        ("dim", "scenario", "name", "label", "point", "unit", "distribution", "source"),
        "What each scenario changes; everything else is as on the sheet 'assumptions'. A row without a name is a "
        "scenario that changes nothing.",
        AS_WRITTEN,
    ),
    SheetPlan(
        "correlations",
        ("one", "other", "spearman", "why"),
        "Rank correlations (Spearman) between two assumptions, above -1 and below 1. With a dim, between its labels "
        "(one assumption stands twice): a number, ar1(0.8), exponential(3), or rows in the order of the labels. With "
        "df, the degrees of freedom of a Student-t copula, extremes come together.",
        ("dim", "df"),
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
        "The equations of the model. Of one that ships with demandsim only the first column is read back; of your own "
        "also unit and formula. Delete a row to leave one out.",
    ),
    SheetPlan(
        "notes",
        ("key", "text"),
        "What the study says about itself, and how to read this workbook.",
    ),
    SheetPlan(
        "study",
        ("part", "said", "source"),
        "What the study says that this workbook was made from: whatever differs is told as a change. Not to be edited.",
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
OPTIONAL = ("evidence", "published", "study", "labels")
#: As they stand in a workbook; results, steps, simulation, tornado and units are not read back.
ORDER = (
    *("assumptions", "scenarios", "correlations", "evidence", "results", "steps", "simulation", "tornado"),
    *("published", "equations", "notes", "study", "labels", "units"),
)

LABEL_KINDS = MappingProxyType({"whole number": int, "number": float, "text": str})

#: Into which an analyst may want to change the unit of an assumption, where the dimension fits.
_OTHERS = """
1 % parameter Gparameter yi*parameter token/s token/day token/year Mtoken/day Gtoken/day Ttoken/day yi*token/day
token Mtoken Gtoken Ttoken FLOP/s/card TFLOP/s/card PFLOP/s/card EFLOP/s CNY/token CNY/ktoken CNY/Mtoken USD/token
USD/ktoken USD/Mtoken CNY/card kCNY/card wan*CNY/card USD/card kUSD/card second hour day month year card wan*card node
user Muser yi*user query/user/day query/day token/query CNY/year GCNY/year yi*CNY/year USD/year GUSD/year CNY USD
W/card kW/card CNY/kWh USD/kWh byte/parameter byte/token kB/token GB/card TB/s/card GB/s/card CNY/USD 1/year %/year
card*hour USD/card/hour CNY/card/hour card/node
"""


def base_unit(unit: str) -> str:
    """Write the base unit of a unit, such as ``FLOP/card/s`` of TFLOP/s/card."""
    found = registry().Quantity(1.0, parsed(unit)).to_base_units().units
    return format(found, "~C").replace("**", "^") or "1"


class UnitsSheet:
    """The sheet of units.

    Parameters
    ----------
    book : openpyxl Workbook
    model : Model
    """

    def __init__(self, book: Any, model: Model) -> None:
        self.page = Page(
            book.create_sheet("units"),
            "What one of each unit is in base units. A year has 365 days; wan is 1e4, yi is 1e8; currencies do not "
            "convert without an exchange rate. Add a unit here if a formula says #N/A.",
            ("unit", "in base units", "base unit"),
            ((16, 30), (16, 24), (16, 30)),
        )
        assumed = [a.unit for a in model.assumptions.values()]
        given = [made.unit for made in model.equations.values()]
        given += [c.unit for made in model.equations.values() for c in made.constants.values()]
        given += [row.unit for row in model.notes.published]
        given += [a.unit for labels in model.scenarios.grid.values() for o in labels.values() for a in o.values()]
        alternatives = [unit for unit in _OTHERS.split() if any(same_dimension(unit, one) for one in set(assumed))]
        self.rows: dict[str, int] = {}
        for unit in dict.fromkeys([*assumed, *given, *alternatives]):
            self.rows[unit] = self.page.row
            self.page.add((unit, "name"), (base_factor(unit), "computed"), (base_unit(unit), "unit"))
        # Some room, so that what is added below is found as well.
        self._last = self.page.row + 20

    def factor(self, unit: str) -> str:
        """Return the cell that has the factor of a unit."""
        return f"units!$B${self.rows[unit]}"

    def looked_up(self, cell: str) -> str:
        """Write the formula that finds the factor of the unit in a cell; capitals and * count."""
        names, factors = (f"units!${column}${FIRST_ROW}:${column}${self._last}" for column in "AB")
        return f"IF(SUMPRODUCT(EXACT({names},{cell})*1)=1,SUMPRODUCT(EXACT({names},{cell})*{factors}),NA())"


class StepsSheet:
    """A sheet that is made when a first step is written.

    Parameters
    ----------
    book : openpyxl Workbook
    names : NamedCells
    """

    def __init__(self, book: Any, names: NamedCells) -> None:
        self._book, self._names = book, names
        self.page: Page | None = None
        self._waiting: list[tuple[str, str, Term, str]] = []

    def add(self, quantity: str, scenario: str, term: Term) -> Term:
        """Put a term into a cell of its own, once `keep` is called."""
        row = (self.page.row if self.page else 3) + len(self._waiting)
        cell = self._names.give(quantity, ["step"], f"steps!$D${row}")
        self._waiting.append((quantity, scenario, term, cell))
        return named(cell, term.value)

    def keep(self) -> None:
        """Write the steps that wait."""
        if self._waiting and self.page is None:
            self.page = Page(
                self._book.create_sheet("steps"),
                "Steps of results that take more than one formula, in base units; 'results' refers to them by name.",
                ("quantity", "scenario", "name of the cell", "value"),
                ((16, 34), (10, 30), (20, 44), (16, 24)),
            )
        for quantity, scenario, term, cell in self._waiting:
            page = self.page
            assert page is not None
            page.formula(page.row, 4, term.as_number().text, term.value, "base")
            page.add((quantity, "name"), (scenario, "short"), (cell, "short"))
        self._waiting.clear()

    def drop(self) -> None:
        """Forget the steps that wait."""
        for *_, cell in self._waiting:
            del self._names.given[cell]
        self._waiting.clear()
