"""Results of sensitivity analyses: labelled arrays, their provenance, and intervals from independent chains."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.graph.changes import changes_attrs
from demandsim.sampling.program import Layout
from demandsim.sensitivity.from_draws import Asked, Cells, Paired, Row, rows_of
from demandsim.sensitivity.inputs import long_name
from demandsim.statistics.mcse import spread_to_mcse

__all__ = ["Quantified", "chain_interval", "collected", "labelled", "named", "provenance"]

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


def collected(
    data: Asked,
    elements: Iterable[Paired],
    found: Iterable[Cells],
    long_names: Mapping[str, str],
    suffixes: Sequence[str],
) -> xr.Dataset:
    """Label what was found of every element of every quantity; of what is one number alone nothing stands beside it."""
    draws, whole, pairs = data.draws, [], zip(elements, found, strict=True)
    for name in data.of:
        dims = [str(dim) for dim in draws[name].dims if dim not in ("chain", "draw")]
        number = math.prod(draws.sizes[dim] for dim in dims)
        whole.append(_of_quantity(data, name, dims, list(itertools.islice(pairs, number)), long_names, suffixes))
    # Quantities over different dims: each is repeated along those that it does not have.
    every = {dim: draws[dim].values for dim in draws.dims if any(dim in part.dims for part in whole)}
    wide = [part.expand_dims({d: v for d, v in every.items() if d not in part.dims}) for part in whole]
    out = xr.concat(wide, dim="quantity", join="outer", coords="minimal", compat="override", combine_attrs="override")
    return out.assign_coords(quantity=list(data.of)).transpose("quantity", "assumption", ...)


def _of_quantity(
    data: Asked,
    name: str,
    dims: Sequence[str],
    found: Sequence[tuple[Paired, Cells]],
    long_names: Mapping[str, str],
    suffixes: Sequence[str],
) -> xr.Dataset:
    """Label what was found of every element of one quantity."""
    rows, coords = rows_of(data, name), {dim: data.draws[dim].values for dim in dims}
    shape = [data.draws.sizes[dim] for dim in dims]
    parts: dict[str, xr.DataArray] = {}
    for key, label in long_names.items():
        for place, suffix in enumerate(suffixes[: len(found[0][1][0][key])]):
            values = np.array([[cell[key][place] for cell in cells] for _, cells in found])
            parts[key + suffix] = xr.DataArray(
                values.reshape([*shape, len(rows)]),
                dims=[*dims, "assumption"],
                coords={**coords, "assumption": [row.label for row in rows]},
                attrs={"units": "1", "long_name": label + suffix.replace("_", ", ")},
            )
    counts = {"n_invalid": [one.invalid for one, _ in found]}
    if data.given is not None:
        counts["n_draws"] = [one.y.size for one, _ in found]
    for key, numbers in counts.items():
        parts[key] = xr.DataArray(np.array(numbers).reshape(shape), dims=dims, coords=coords)
    return xr.Dataset(parts).assign_coords(long_name=("assumption", [_shown(data.draws, row) for row in rows]))


def _shown(draws: xr.Dataset, row: Row) -> str:
    """Label of a row, for people."""
    if row.name not in draws:
        return row.name.replace("_", " ")
    return str(draws[row.name].attrs.get("long_name", row.name)) + row.label.removeprefix(row.name)
