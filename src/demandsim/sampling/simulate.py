"""Simulating: settings are checked, then the run goes to memory, to a tolerance, to chunks or to a store."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.errors import DemandsimError, DesignWarning, check_known, check_whole
from demandsim.graph.graph import Graph
from demandsim.sampling.conditional import estimates
from demandsim.sampling.dask import CHUNK, active_client, lazy_arrays, pilot_receipt
from demandsim.sampling.dataset import Labels, labelled, run_attrs
from demandsim.sampling.in_memory import Pace, Sampled, run_in_memory
from demandsim.sampling.program import Program
from demandsim.sampling.qmc import entropy_of
from demandsim.sampling.receipt import requested_quantiles, written
from demandsim.sampling.run import Run
from demandsim.sampling.stopping import Goal, Round, run_to_goal, written_goal
from demandsim.sampling.store.netcdf import check_netcdf, is_netcdf, read_netcdf, write_netcdf
from demandsim.sampling.store.reading import open_draws
from demandsim.sampling.store.zarr import check_installed, write_zarr
from demandsim.statistics.design import DESIGNS, DesignName
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Parts", "Settings", "Way", "checked_run", "estimated", "simulated"]


@dataclass(frozen=True)
class Parts:
    """What simulating needs of a model."""

    program: Program
    graph: Graph
    quantities: tuple[str, ...]
    computed: tuple[str, ...]
    labels: Labels


@dataclass(frozen=True)
class Settings:
    """What to draw: everything that a bit of the result depends on; as ``Model.simulate`` describes it."""

    draws: int
    chains: int = 8
    seed: int | None = None
    design: DesignName = "sobol"
    keep: Sequence[str] | None = None
    on_invalid: str = "raise"
    dtype: str = "float64"


@dataclass(frozen=True)
class Way:
    """How to draw and where to: in memory at some pace, in chunks, or to a store."""

    pace: Pace
    on_round: Callable[[Round], None] | None = None
    chunks: int | None = None
    store: str | Path | None = None


def simulated(parts: Parts, settings: Settings, goal: Goal | None, way: Way) -> xr.Dataset:
    """Check all settings, then run; see ``Model.simulate``."""
    goal = None if goal is None else _checked_goal(parts, goal)
    run = checked_run(parts, settings)
    if way.chunks is not None:
        check_whole("chunks", way.chunks)
    if goal is not None:
        if way.chunks is not None or way.store is not None:
            raise DemandsimError(
                "a tolerance and chunks= or store= do not go together: the number of draws is not known before"
            )
        missing = [name for name in goal.of if name not in run.keep]
        if missing:
            raise DemandsimError(f"the tolerance is about '{missing[0]}', which keep= leaves out; add it to keep")
        sampled, last = run_to_goal(run, goal, way.pace, way.on_round)
        return _labelled(parts, sampled, stop_rule=written_goal(goal, last))
    if way.store is not None and is_netcdf(Path(way.store)):
        return _in_file(parts, run, way, Path(way.store))
    if way.chunks is not None or way.store is not None or active_client() is not None:
        return _lazily(parts, run, way)
    return _labelled(parts, run_in_memory(run, way.pace))


def _labelled(parts: Parts, sampled: Sampled, **more: Any) -> xr.Dataset:
    receipt = written(sampled.receipt, parts.program, requested_quantiles(parts.program))
    marks = sorted(sampled.faults.counts)
    return labelled(sampled.run, sampled.arrays, parts.labels, receipt=receipt, marks=marks, **more)


def _in_file(parts: Parts, run: Run, way: Way, path: Path) -> xr.Dataset:
    """Draw in memory and write a netCDF file whole; a file of the same run is read instead."""
    if path.exists():
        found = read_netcdf(path)
        check_netcdf(path, found, run, parts.labels.dataset)
        return found
    draws = _labelled(parts, run_in_memory(run, way.pace))
    write_netcdf(draws, path)
    return draws


def _lazily(parts: Parts, run: Run, way: Way) -> xr.Dataset:
    """Draw block by block, when the numbers are asked for, or to a Zarr folder."""
    pilot, requested = pilot_receipt(run)
    receipt, labels, chunk = written(pilot, parts.program, requested), parts.labels, way.chunks or CHUNK
    if way.store is not None:
        check_installed()
        write_zarr(Path(way.store), run, chunk, labels, run_attrs(run, labels, receipt), way.pace)
        return open_draws(way.store)
    # What is invalid is not known before it is computed: every result that varies carries a mark.
    marks = [name for name in run.keep if name in parts.computed and parts.program.varying[name].random]
    marks = marks if run.on_invalid == "keep" else []
    return labelled(run, lazy_arrays(run, chunk), labels, receipt=receipt, marks=marks)


def _checked_goal(parts: Parts, asked: Goal) -> Goal:
    """The goal for the named quantities, or all computed ones, that are not sure."""
    names = asked.of or parts.computed
    check_known(names, parts.quantities, "quantity in of:")
    unsure = tuple(name for name in names if parts.program.varying[name].random)
    return dataclasses.replace(asked, of=unsure)


def checked_run(parts: Parts, settings: Settings) -> Run:
    """Check settings and make the run; fresh entropy takes the place of a seed that is None.

    Raises
    ------
    DemandsimError
        If a setting is out of range or a name unknown.
    """
    check_known([settings.on_invalid], ("raise", "keep"), "on_invalid")
    check_known([settings.design], DESIGNS, "design")
    check_known([settings.dtype], ("float64", "float32"), "dtype")
    draws, chains = check_whole("draws", settings.draws), check_whole("chains", settings.chains)
    entropy = entropy_of(settings.seed)
    if DESIGNS[settings.design].balanced_at_powers_of_two and draws & (draws - 1):
        lower, upper = 1 << (draws.bit_length() - 1), 1 << draws.bit_length()
        warnings.warn(
            f"{draws} draws are not a power of two: design '{settings.design}' loses its balance, and with it the "
            f"faster convergence; use {lower} or {upper}, or design='latin_hypercube'",
            DesignWarning,
            stacklevel=4,
        )
    if isinstance(settings.keep, str):
        raise DemandsimError(f"keep must be a list of names, such as ['{settings.keep}']")
    wanted = tuple(parts.quantities if settings.keep is None else dict.fromkeys(settings.keep))
    check_known(wanted, parts.quantities, "quantity in keep:")
    needed = frozenset(parts.graph.ancestors(wanted))
    dtype = np.dtype(settings.dtype)
    return Run(parts.program, settings.design, entropy, chains, draws, wanted, needed, dtype, settings.on_invalid)


def estimated(parts: Parts, settings: Settings, over: str | None, prob: float, probs: Sequence[float]) -> xr.Dataset:
    """Check all settings, then estimate what is kept by conditioning; see ``Model.estimate``."""
    import xarray as xr

    for level in (prob, *probs):
        check_prob(level)
    names = settings.keep or ()
    check_known(names, parts.computed, "computed quantity")
    if over is not None:
        check_known([over], parts.program.transforms, "assumption")
    run = checked_run(parts, settings)
    levels = [0.5, (1 - prob) / 2, (1 + prob) / 2, *probs]
    words = ["mean", "median", "lower", "upper", *(f"p{100 * level:.10g}" for level in probs)]
    found, layout = {}, parts.program.layout
    for name, form, rows in estimates(run, names, levels, over):
        dims = [dim for dim in layout.dims if dim in parts.program.varying[name].dims]
        table = np.array([[*values, *errors] for values, errors in rows])
        found[name] = xr.DataArray(
            table.reshape(*(layout.size(dim) for dim in dims), -1),
            dims=[*dims, "statistic"],
            coords={dim: list(layout.coords[dim]) for dim in dims},
            attrs={**parts.labels.variables[name], "integrated_out": form.over},
        )
    coords = {"statistic": [*words, *(f"mcse_{word}" for word in words)]}
    attrs = dict(parts.labels.dataset) | {"seed": str(run.seed), "design": run.design, "chains": run.chains}
    return xr.Dataset(found, coords=coords, attrs=attrs | {"draws": run.draws, "prob": prob, "kind": "eti"})
