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
from demandsim.sampling.dask import CHUNK, active_client, check_dask, lazy_arrays
from demandsim.sampling.dataset import Labels, labelled, run_attrs
from demandsim.sampling.in_memory import Pace, Sampled, continued, first_receipt, run_in_memory
from demandsim.sampling.program import Program
from demandsim.sampling.progress import Report
from demandsim.sampling.qmc import entropy_of
from demandsim.sampling.receipt import written
from demandsim.sampling.run import Run, guard_memory, threads_that_fit
from demandsim.sampling.stopping import Goal, Round, run_to_goal, written_goal
from demandsim.sampling.store.faults import named
from demandsim.sampling.store.lock import locked
from demandsim.sampling.store.netcdf import check_netcdf, clear, is_netcdf, read_netcdf, stored, write_netcdf
from demandsim.sampling.store.reading import open_draws
from demandsim.sampling.store.seals import write_stop_rule
from demandsim.sampling.store.zarr import check_installed, held_identity, write_zarr
from demandsim.statistics.design import DESIGNS, DesignName
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Parts", "Settings", "Way", "checked_run", "estimated", "simulated"]

#: Draws at which is looked whether single precision can hold them, and steps of it that their range must have.
_LOOKED_AT, _STEPS = 256, 64


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
        check_dask()
    path = None if way.store is None else Path(way.store)
    if path is not None and not is_netcdf(path):
        check_installed()
    if goal is not None:
        if way.chunks is not None and way.store is None:
            raise DemandsimError(
                "a tolerance and chunks= do not go together: the number of draws is not known before; "
                "draw to a store, with store='draws.zarr'"
            )
        missing = [name for name in goal.of if name not in run.keep]
        if missing:
            raise DemandsimError(f"the tolerance is about '{missing[0]}', which keep= leaves out; add it to keep")
    if path is not None and is_netcdf(path):
        return _in_file(parts, run, goal, way, path)
    if path is not None:
        return _in_folder(parts, run, goal, way, path)
    if goal is not None:
        return _to_goal(parts, run, goal, way)
    if way.chunks is not None or active_client() is not None:
        return _lazily(parts, run, way)
    return _labelled(parts, run_in_memory(run, way.pace))


def _labelled(parts: Parts, sampled: Sampled, **more: Any) -> xr.Dataset:
    receipt = written(sampled.receipt, sampled.run)
    marks = sorted(sampled.faults.counts)
    return labelled(sampled.run, sampled.arrays, parts.labels, receipt=receipt, marks=marks, **more)


def _to_goal(parts: Parts, run: Run, goal: Goal, way: Way, begun: Sampled | None = None) -> xr.Dataset:
    """Draw in memory until the goal is reached, on from what was drawn before."""

    def drawn(larger: Run, before: Sampled | None) -> Sampled:
        return continued(larger, way.pace, before or begun)

    sampled, last = run_to_goal(run, goal, drawn, way.on_round)
    return _labelled(parts, sampled, stop_rule=written_goal(goal, last))


def _in_file(parts: Parts, run: Run, goal: Goal | None, way: Way, path: Path) -> xr.Dataset:
    """Draw in memory and write a netCDF file whole; one of the same run is read instead, or extended."""
    with named(path, "write to"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path):
        clear(path)
        begun = None
        if path.exists():
            found = read_netcdf(path)
            if goal is not None and found.sizes["draw"] > run.draws:
                run = dataclasses.replace(run, draws=found.sizes["draw"])
            if check_netcdf(path, found, run, parts.labels.dataset) and goal is None:
                return found
            begun = stored(found, run)
        if goal is not None:
            draws = _to_goal(parts, run, goal, way, begun)
        else:
            draws = _labelled(parts, continued(run, way.pace, begun))
        write_netcdf(draws, path, alone=True)
        return draws


def _in_folder(parts: Parts, run: Run, goal: Goal | None, way: Way, path: Path) -> xr.Dataset:
    """Draw block by block to a Zarr folder; with a goal, extend it until the goal is reached."""
    labels = parts.labels

    def write(larger: Run) -> None:
        attrs = run_attrs(larger, labels, written(first_receipt(larger), larger))
        write_zarr(path, larger, way.chunks, labels, attrs, way.pace)

    if goal is None:
        write(run)
        return open_draws(path)
    asked = goal.of

    def drawn(larger: Run, before: Sampled | None) -> Sampled:
        guard_memory(larger.only(asked))
        write(larger)
        return dataclasses.replace(stored(open_draws(path)[list(asked)].load(), larger), run=larger)

    held = held_identity(path)
    if held is not None and held["draws"] > run.draws:
        run = dataclasses.replace(run, draws=held["draws"])
    _, last = run_to_goal(run, goal, drawn, way.on_round)
    with locked(path):
        write_stop_rule(path, written_goal(goal, last))
    return open_draws(path)


def _lazily(parts: Parts, run: Run, way: Way) -> xr.Dataset:
    """Draw block by block, when the numbers are asked for."""
    chunk = way.chunks or CHUNK
    threads_that_fit(run, chunk, 1)
    receipt = written(first_receipt(run), run)
    # What is invalid is not known before it is computed: every result that varies carries a mark.
    marks = [name for name in run.keep if name in parts.computed and parts.program.varying[name].random]
    never = any(step.equation.invalid == "keep" for step in run.program.steps)
    marks = marks if run.on_invalid == "keep" or never else []
    return labelled(run, lazy_arrays(run, chunk), parts.labels, receipt=receipt, marks=marks)


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
    run = Run(parts.program, settings.design, entropy, chains, draws, wanted, needed, dtype, settings.on_invalid)
    if dtype == np.float32:
        _check_single(run)
    return run


def _check_single(run: Run) -> None:
    """Raise where single precision cannot hold what is kept: beyond its range, or with a spread that it rounds away.

    The first draws are looked at. Results that are too large are counted as what they become, infinite.
    """
    single = np.finfo(np.float32)
    with np.errstate(all="ignore"):
        values = run.block(0, min(run.draws, _LOOKED_AT))
        for name in run.keep:
            largest, apart = np.abs(values[name]).max(axis=-1), np.ptp(values[name], axis=-1)
            outside = (largest > 0) & (largest < single.tiny)
            if name in run.program.transforms:
                outside |= largest > single.max
            drowned = (apart > 0) & (apart < _STEPS * single.eps * largest)
            for wrong, why in ((outside, "is beyond its range"), (drowned, "differs by less than it can tell")):
                if wrong.any():
                    raise DemandsimError(
                        f"'{name}' cannot be stored in single precision: {float(largest[wrong].flat[0]):.6g} {why}; "
                        "use dtype='float64', or another unit"
                    )


def estimated(
    parts: Parts, settings: Settings, over: str | None, levels: Sequence[float], report: Report
) -> xr.Dataset:
    """Check all settings, then estimate what is kept by conditioning; see ``Model.estimate``."""
    import xarray as xr

    for level in levels:
        check_prob(level)
    prob, *probs = levels
    names = settings.keep or ()
    check_known(names, parts.computed, "computed quantity")
    if over is not None:
        check_known([over], parts.program.transforms, "assumption")
    run = checked_run(parts, settings)
    wanted = [0.5, (1 - prob) / 2, (1 + prob) / 2, *probs]
    words = ["mean", "median", "lower", "upper", *(f"p{100 * level:.10g}" for level in probs)]
    found, layout = {}, parts.program.layout
    for name, form, rows in estimates(run, names, wanted, over):
        dims = [dim for dim in layout.dims if dim in parts.program.varying[name].dims]
        table = np.array([[*values, *errors] for values, errors in rows])
        found[name] = xr.DataArray(
            table.reshape(*(layout.size(dim) for dim in dims), -1),
            dims=[*dims, "statistic"],
            coords={dim: list(layout.coords[dim]) for dim in dims},
            attrs={**parts.labels.variables[name], "integrated_out": form.over},
        )
        report(len(found), len(names))
    coords = {"statistic": [*words, *(f"mcse_{word}" for word in words)]}
    attrs = dict(parts.labels.dataset) | {"seed": str(run.seed), "design": run.design, "chains": run.chains}
    return xr.Dataset(found, coords=coords, attrs=attrs | {"draws": run.draws, "prob": prob, "kind": "eti"})
