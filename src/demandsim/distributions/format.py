"""Values as the text grammar reads them, without losing a bit."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from demandsim.units.format import exact

__all__ = ["format_value", "is_labelled", "labels_along"]


def is_labelled(value: Any) -> bool:
    """Tell a DataArray from numbers, without importing xarray."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(value, xarray.DataArray)


def labels_along(array: Any, dim: Any) -> tuple[Any, ...]:
    """Labels of a DataArray along a dim: numbers and texts of Python, dates as numpy has them."""
    labels = array.coords[dim].values
    # In a plain list dates become whole numbers.
    return tuple(labels if labels.dtype.kind in "mM" else labels.tolist())


def format_value(value: Any) -> str:
    """Write a number, list, text, DataArray or distribution as the grammar reads it.

    Examples
    --------
    >>> format_value(110e9), format_value([1, 0.1]), format_value(True)
    ('1.1e11', '[1, 0.1]', 'true')
    """
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if is_labelled(value):
        names = "".join(f'"{dim}", ' for dim in value.dims)
        return f"by({names}{format_value(value.values.tolist())})"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(format_value(item) for item in value) + "]"
    if hasattr(value, "laws"):
        return str(value)
    return exact(float(value))
