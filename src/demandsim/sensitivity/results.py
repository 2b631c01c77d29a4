"""Tables: results of sensitivity analyses as labelled arrays, with intervals from independent chains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.errors import check_whole
from demandsim.sampling.program import Layout
from demandsim.sensitivity.inputs import Factor
from demandsim.statistics.estimators import spread_to_mcse

__all__ = ["Rows", "chain_interval", "estimates_table", "labelled", "named", "provenance"]


#: Accuracy of integrals and rounding: no error is reported to be smaller, unless it is none.
_COMMON = 2e-6


@dataclass(frozen=True)
class Rows:
    """One target of a result, and the dims over which it varies."""

    label: str
    dims: tuple[str, ...]


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


def check_chains(chains: Any) -> None:
    """Raise unless there are chains whose spread can tell the error."""
    check_whole("chains", chains, 2, why=": their spread is the error")


def labelled(
    parts: Sequence[Array], rows: Sequence[Rows], layout: Layout, axes: Mapping[str, Sequence[Any]]
) -> xr.DataArray:
    """Put results of several targets into one array.

    Parameters
    ----------
    parts : sequence of array of shape (elements, *axes)
        One per target; elements run over its dims in C order.
    rows : sequence of Rows
    layout : Layout
    axes : mapping of dim to labels
        Dims of each part after the elements.

    Returns
    -------
    DataArray
        Dims ``quantity``, `axes`, then all dims of any target; a target is repeated along those over
        which it does not vary.
    """
    dims = [dim for dim in layout.dims if any(dim in row.dims for row in rows)]
    arrays = []
    for part, row in zip(parts, rows, strict=True):
        shape = [layout.size(dim) if dim in row.dims else 1 for dim in dims]
        full = np.reshape(part, (*shape, *part.shape[1:]))
        arrays.append(np.broadcast_to(full, (*(layout.size(dim) for dim in dims), *part.shape[1:])))
    coords = {dim: list(labels) for dim, labels in axes.items()} | {dim: list(layout.coords[dim]) for dim in dims}
    made = xr.DataArray(np.array(arrays), dims=["quantity", *dims, *axes])
    return made.assign_coords({"quantity": [row.label for row in rows], **coords}).transpose("quantity", *axes, *dims)


def estimates_table(
    found: Mapping[str, Sequence[tuple[Array, Array, Array, Array]]],
    rows: Sequence[Rows],
    layout: Layout,
    factors: Sequence[Factor],
    long_names: Mapping[str, str],
) -> xr.Dataset:
    """Make the Dataset of estimates with their lower and upper bounds and errors.

    Parameters
    ----------
    found : mapping of name to, for each target, (estimate, lower, upper, mcse)
        Each of shape (elements, factors), or (elements, factors, factors).
    rows, layout, factors
    long_names : mapping of name to label
    """
    names = [factor.name for factor in factors]
    out = xr.Dataset()
    for name, parts in found.items():
        axes = {"assumption": names} | ({"assumption_2": names} if parts[0][0].ndim == 3 else {})
        for place, suffix in enumerate(("", "_lower", "_upper", "_mcse")):
            array = labelled([part[place] for part in parts], rows, layout, axes)
            label = long_names[name] + {"": "", "_lower": ", lower", "_upper": ", upper", "_mcse": ", error"}[suffix]
            out[name + suffix] = array.assign_attrs(units="1", long_name=label)
    return out.assign_coords(long_name=("assumption", [factor.long_name for factor in factors]))


def named(out: xr.Dataset, model: Any) -> xr.Dataset:
    """Give the quantities of a result their labels, as coordinate ``quantity_long_name``."""
    names = []
    for label in out["quantity"].values.tolist():
        made = model.assumptions.get(label) or model.equations.get(label)
        names.append((made.long_name if made is not None else None) or str(label).replace("_", " "))
    return out.assign_coords(quantity_long_name=("quantity", names))


def provenance(model: Any, **settings: Any) -> dict[str, Any]:
    """Attributes of a result: where it comes from, and how it was made."""
    return {"study": model.notes.name, "model_hash": model.hash, **settings}
