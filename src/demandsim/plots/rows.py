"""Rows: assumptions and changes named down the side of a panel, and the checks that a Dataset has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import bare, wrapped
from demandsim.plots.words import Locale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FRAME", "MOST", "ROW", "check_dims", "long_names", "name_rows"]

#: Bars of one panel that a reader takes in.
MOST = 12
#: Inches of a row, and of what stands above and below the rows of a panel.
ROW, FRAME = 0.36, 0.95


def check_dims(data: xr.Dataset, dims: Sequence[str], maker: str) -> None:
    """Raise unless a Dataset has the dims of the analysis that a picture shows."""
    missing = [dim for dim in dims if dim not in data.dims]
    if missing:
        raise DemandsimError(f"this Dataset has no dim '{missing[0]}'; pass what {maker} returns")


def name_rows(axes: Axes, order: Sequence[str], data: xr.Dataset, locale: Locale, *, first: bool) -> None:
    """Name assumptions down the side of a panel, and leave it without a frame; only the `first` has names."""
    names = long_names(data, "assumption")
    texts = [wrapped(locale.name(a, names.get(a))) if first else "" for a in order]
    axes.set_yticks(range(len(order)), texts, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(order) - 0.4, -0.6)
    bare(axes, "left", "top", "right")


def long_names(data: xr.Dataset, dim: str) -> dict[str, str]:
    """Return the labels that a Dataset has for the names along a dim."""
    for name in (f"{dim}_long_name", "long_name"):
        if name in data.coords and data[name].dims == (dim,):
            return dict(zip(map(str, data[dim].values), map(str, data[name].values), strict=True))
    return {}
