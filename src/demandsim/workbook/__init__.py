"""Workbooks: a model as Excel, with assumptions to edit and results as live formulas, and back again."""

from demandsim.workbook.read import read_workbook
from demandsim.workbook.write import write_workbook

__all__ = ["read_workbook", "write_workbook"]
