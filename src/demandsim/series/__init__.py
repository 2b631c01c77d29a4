"""Series: published figures with unit, date, source, status and qualifier, as CSV files; and the growth between them.

The schema of the files, and what loading one gives, stand in ``docs/reference/series.md``.
"""

from demandsim.series.error import error_factors
from demandsim.series.growth import cagr, elapsed_years, growth, growth_on_quarter, growth_on_year, implied_earlier
from demandsim.series.loader import list_series, load_series
from demandsim.series.schema import QUALIFIERS, STATUSES

__all__ = [
    "QUALIFIERS",
    "STATUSES",
    "cagr",
    "elapsed_years",
    "error_factors",
    "growth",
    "growth_on_quarter",
    "growth_on_year",
    "implied_earlier",
    "list_series",
    "load_series",
]
