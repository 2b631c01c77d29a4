"""Workbooks: a model as Excel, with live formulas, and back again; and any other workbook as a model."""

from demandsim.workbook.candidates import mark_workbook
from demandsim.workbook.copy import write_results
from demandsim.workbook.model import read_workbook
from demandsim.workbook.write import write_workbook

__all__ = ["mark_workbook", "read_workbook", "write_results", "write_workbook"]
