"""Error of published figures: how far off each may be, by how its source means it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from demandsim.errors import SeriesError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["error_factors"]


def error_factors(figures: xr.DataArray, factors: Mapping[str, float]) -> xr.DataArray:
    """Factor by which each figure may be off, for a likelihood such as ``lognormal(median=..., factor=...)``.

    Parameters
    ----------
    figures : DataArray
        Of `load_series`, with the coordinate ``qualifier``.
    factors : mapping of str to float
        By qualifier, such as ``{"exact": 1.1, "about": 1.3}``; each above 1.

    Returns
    -------
    DataArray
        Dimensionless, with the dims and labels of `figures`.

    Raises
    ------
    SeriesError
        If the figures have no qualifiers, one of them has no factor, or a factor is not above 1.

    Examples
    --------
    >>> import demandsim as ds
    >>> tokens = ds.load_series("doubao-daily-tokens").daily_tokens
    >>> said = tokens[tokens.qualifier.isin(["exact", "about"])]
    >>> error_factors(said, {"exact": 1.25, "about": 1.5}).values
    array([1.25, 1.5 , 1.5 , 1.25])
    """
    import numpy as np

    if "qualifier" not in figures.coords:
        raise SeriesError(
            "these figures have no qualifiers; of a table of several variables take them with the figure: "
            "table.sel(variable='capex').capex"
        )
    words = figures.qualifier.values
    for word in sorted(set(words.ravel().tolist())):
        if word not in factors:
            raise SeriesError(f"no factor for figures that are '{word}'; name one, or leave them out")
        if not 1 < factors[word] < np.inf:
            raise SeriesError(f"the factor for '{word}' is {factors[word]}; it must be a finite number above 1")
    found = np.vectorize(lambda word: float(factors[word]), otypes=[float])(words)
    return figures.reset_coords(drop=True).copy(data=found).assign_attrs(units="1").rename("error_factor")
