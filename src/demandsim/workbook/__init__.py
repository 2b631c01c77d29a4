"""Workbooks: a model as Excel, with live formulas, and back again; and any other workbook as a model."""

from demandsim.workbook.candidates import mark_workbook
from demandsim.workbook.copy import write_results
from demandsim.workbook.model import read_workbook
from demandsim.workbook.sipmath import SipLibrary, read_sipmath, write_sipmath
from demandsim.workbook.write import write_workbook

__all__ = [
    "SipLibrary",
    "mark_workbook",
    "read_sipmath",
    "read_workbook",
    "write_results",
    "write_sipmath",
    "write_workbook",
]
