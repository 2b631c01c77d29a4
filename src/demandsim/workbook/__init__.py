"""Workbooks: a model as Excel, with live formulas, and back again; and any other workbook as a model."""

from demandsim.workbook.model import read_workbook
from demandsim.workbook.write import write_workbook

__all__ = ["read_workbook", "write_workbook"]
