"""Labelling: dims, coordinates and attributes of the variables of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.sampling.qmc import recorded_seed
from demandsim.sampling.run import Run

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Labels", "dims_of", "identity_of", "labelled", "plain", "run_attrs"]


@dataclass(frozen=True)
class Labels:
    """What a Dataset says beside its numbers.

    Parameters
    ----------
    variables : mapping of str to attributes
        Units, long name, role and source of each quantity.
    dataset : mapping of str to value
        Study, versions, hash of the model.
    """

    variables: Mapping[str, Mapping[str, str]]
    dataset: Mapping[str, Any]


def plain(value: Any) -> Any:
    """A number or text as Python has it."""
    return value.item() if hasattr(value, "item") else value


def run_attrs(run: Run, labels: Labels, receipt: str) -> dict[str, Any]:
    """Attributes of the Dataset of a run; of a run that writes no receipt it is empty."""
    told = {"seed": recorded_seed(run.seed), "design": run.design, "chains": run.chains, "draws": run.draws}
    return dict(labels.dataset) | told | ({"receipt": receipt} if receipt else {})


def identity_of(run: Run, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that must agree for draws to be those of a run."""
    return {
        "model_hash": attrs.get("model_hash"),
        "demandsim_version": attrs.get("demandsim_version"),
        "seed": str(run.seed),
        "design": run.design,
        "chains": run.chains,
        "draws": run.draws,
        "keep": list(run.keep),
        "dtype": str(run.dtype),
    }


def dims_of(run: Run, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scenario dims and model dims of a quantity; chain and draw stand between them."""
    varying, layout = run.program.varying[name], run.program.layout
    own = tuple(dim for dim in layout.scenario_dims if dim in varying.dims)
    return own, tuple(dim for dim in layout.model_dims if dim in varying.dims)


def labelled(
    run: Run, arrays: Mapping[str, Any], labels: Labels, *, receipt: str, marks: Sequence[str], **more: Any
) -> xr.Dataset:
    """Make the Dataset of a run.

    Parameters
    ----------
    run : Run
    arrays : mapping of str to array
        numpy, axes (scenario dims, model dims, chain, draw); or Dask, axes (scenario dims, chain, draw,
        model dims).
    labels : Labels
    receipt : str
        JSON.
    marks : sequence of str
        Quantities whose draws with NaN or infinity are marked by a coordinate ``invalid_NAME``.
    **more
        Further attributes.
    """
    import xarray as xr

    layout = run.program.layout
    variables: dict[str, Any] = {}
    for name in run.keep:
        own, inner = dims_of(run, name)
        array = arrays[name]
        if isinstance(array, np.ndarray):
            # Stored with the draws innermost, shown with the model's own dims last.
            array = np.moveaxis(array, (-2, -1), (len(own), len(own) + 1))
        variables[name] = ((*own, "chain", "draw", *inner), array, dict(labels.variables[name]))
    used = {dim for dims, _, _ in variables.values() for dim in dims}
    coords: dict[str, Any] = {dim: list(names) for dim, names in layout.coords.items() if dim in used}
    # The design travels on the coordinate: attributes of a Dataset do not survive a comparison.
    coords["chain"] = ("chain", np.arange(run.chains), {"design": run.design})
    if all(isinstance(array, np.ndarray) for array in arrays.values()):
        # Lazy draws go without: the index of a billion draws would take what laziness saves.
        coords["draw"] = np.arange(run.draws)
    marked = [name for name in marks if name in variables]
    for name in marked:
        dims, array, _ = variables[name]
        coords[f"invalid_{name}"] = (dims, ~np.isfinite(array))
    if marked:
        # An event keeps the name of its quantity: of these, no draw has to be left out.
        coords["chain"][2]["finite"] = ", ".join(name for name in run.keep if name not in marked)
    return xr.Dataset(variables, coords=coords, attrs=run_attrs(run, labels, receipt) | more)
