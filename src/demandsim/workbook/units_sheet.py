"""Units sheet: what one of each unit is in base units, for the formulas to look up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demandsim.units.constant import Constant
from demandsim.units.convert import base_factor, parsed, same_dimension
from demandsim.units.registry import registry
from demandsim.workbook.formulas.terms import LARGEST
from demandsim.workbook.page import FIRST_ROW, Page

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["UnitsSheet", "base_unit"]

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
            self.page.text(self.page.row, 1, unit, "name")
            self.page.number(self.page.row, 2, base_factor(unit), "computed", "General")
            self.page.text(self.page.row, 3, base_unit(unit), "unit")
            self.page.row += 1
        # Some room, so that what is added below is found as well.
        self._last = self.page.row + 20

    def factor(self, unit: str) -> str:
        """Return the cell that has the factor of a unit."""
        return f"units!$B${self.rows[unit]}"

    def looked_up(self, cell: str) -> str:
        """Write the formula that finds the factor of the unit in a cell; capitals and * count."""
        names, factors = (f"units!${column}${FIRST_ROW}:${column}${self._last}" for column in "AB")
        return f"IF(SUMPRODUCT(EXACT({names},{cell})*1)=1,SUMPRODUCT(EXACT({names},{cell})*{factors}),NA())"


def stored(constant: Constant) -> float:
    """Value of a constant as a cell can hold it: infinity is the largest number."""
    return min(max(constant.value, -LARGEST), LARGEST)
