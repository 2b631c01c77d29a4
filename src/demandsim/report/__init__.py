"""Report: one self-contained HTML page of a model, for a reader who has no Python."""

from demandsim.report.report import report_page, write_report

__all__ = ["report_page", "write_report"]
