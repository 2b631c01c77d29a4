"""Functions of formulas, a row each, in rooms by subject."""

from demandsim.workbook.calc.functions import criteria, dates, finance, logic, lookup, mathematics, statistics, texts
from demandsim.workbook.calc.functions.row import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function"]

del criteria, dates, finance, logic, lookup, mathematics, statistics, texts
