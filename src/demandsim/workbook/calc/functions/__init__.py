"""Functions of formulas, a row each, in rooms by subject."""

from demandsim.workbook.calc.functions import (
    arrays,
    criteria,
    dates,
    finance,
    logic,
    lookup,
    mathematics,
    probability,
    statistics,
    texts,
)
from demandsim.workbook.calc.functions.row import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function"]

del arrays, criteria, dates, finance, logic, lookup, mathematics, probability, statistics, texts
