"""Results of sensitivity analyses: labelled arrays, their provenance, and intervals from independent chains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.graph.changes import changes_attrs
from demandsim.sampling.program import Layout
from demandsim.sensitivity.inputs import long_name
from demandsim.statistics.mcse import spread_to_mcse

__all__ = ["Quantified", "chain_interval", "labelled", "named", "provenance"]

#: Accuracy of integrals and rounding: no error is reported to be smaller, unless it is none.
_COMMON = 2e-6


@dataclass(frozen=True)
class Quantified:
    """A label along the dim ``quantity`` of a result, and the dims over which it varies."""

    label: str
    dims: tuple[str, ...]

    def elements(self, layout: Layout) -> int:
        """Number of its elements."""
        return math.prod(layout.size(dim) for dim in self.dims)


def chain_interval(estimate: Array, chains: Array, prob: float) -> tuple[Array, Array, Array]:
    r"""Bounds and Monte Carlo error from independent randomisations.

    .. math:: \bar x \pm t_{m-1,(1+p)/2} \, s / \sqrt m

    Parameters
    ----------
    estimate : array
    chains : array of shape (chains, ...)
    prob : float

    Returns
    -------
    lower, upper, mcse : array
    """
    from scipy import special

    m = len(chains)
    spread = np.std(chains, axis=0, ddof=1) / math.sqrt(m)
    # What chains have in common, such as an integral on a grid, their spread does not show.
    common = np.where(spread > 0, _COMMON, 0.0)
    half = float(special.stdtrit(m - 1, (1 + prob) / 2)) * spread + common
    return estimate - half, estimate + half, spread_to_mcse(np.moveaxis(chains, 0, -1)) + common


def labelled(
    part: Array, rows: Sequence[Quantified], layout: Layout, axes: Mapping[str, Sequence[Any]]
) -> xr.DataArray:
    """Put results of several quantities into one array.

    Parameters
    ----------
    part : array of shape (elements, *axes)
        The elements of all quantities, one quantity after the other, each in C order of its dims.
    rows : sequence of Quantified
    layout : Layout
    axes : mapping of dim to labels
        Dims after the elements.

    Returns
    -------
    DataArray
        Dims ``quantity``, `axes`, then all dims of any quantity; one is repeated along those over which it does
        not vary.
    """
    dims = [dim for dim in layout.dims if any(dim in row.dims for row in rows)]
    arrays = []
    for own, row in zip(np.split(part, np.cumsum([row.elements(layout) for row in rows])[:-1]), rows, strict=True):
        shape = [layout.size(dim) if dim in row.dims else 1 for dim in dims]
        full = np.reshape(own, (*shape, *part.shape[1:]))
        arrays.append(np.broadcast_to(full, (*(layout.size(dim) for dim in dims), *part.shape[1:])))
    coords = {dim: list(labels) for dim, labels in axes.items()} | {dim: list(layout.coords[dim]) for dim in dims}
    made = xr.DataArray(np.array(arrays), dims=["quantity", *dims, *axes])
    return made.assign_coords({"quantity": [row.label for row in rows], **coords}).transpose("quantity", *axes, *dims)


def named(out: xr.Dataset, model: Any) -> xr.Dataset:
    """Give the quantities of a result their labels, as coordinate ``quantity_long_name``."""
    names = [long_name(str(label), model) for label in out["quantity"].values]
    return out.assign_coords(quantity_long_name=("quantity", names))


def provenance(model: Any, **settings: Any) -> dict[str, Any]:
    """Attributes of a result: where it comes from, and how it was made."""
    return {"study": model.notes.name, "model_hash": model.hash, **changes_attrs(model), **settings}
