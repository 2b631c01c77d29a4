"""Simulating: settings are checked, then the run goes to memory, to a tolerance, to chunks or to a store."""

from __future__ import annotations

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
from demandsim.sampling.dataset import Labels, labelled
from demandsim.sampling.in_memory import Progress, run_in_memory
from demandsim.sampling.program import Program
from demandsim.sampling.qmc import entropy_of
from demandsim.sampling.receipt import requested_quantiles, written
from demandsim.sampling.run import Run
from demandsim.sampling.stopping import Goal, Round, run_to_goal, written_goal
from demandsim.sampling.store import open_draws, write_store
from demandsim.statistics.design import DESIGNS, DesignName
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Pace", "Parts", "Settings", "Tolerance", "checked_run", "estimated", "simulated"]


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
    """How to randomise and what to store; as ``Model.simulate`` describes them."""

    chains: int = 8
    seed: int | None = None
    design: DesignName = "sobol"
    keep: Sequence[str] | None = None
    on_invalid: str = "raise"
    dtype: str = "float64"


@dataclass(frozen=True)
class Tolerance:
    """How accurate to be; no tolerance if `rtol` and `atol` are 0."""

    rtol: float
    atol: float
    of: Sequence[str] | str | None
    statistics: tuple[str, ...]
    prob: float
    max_draws: int


@dataclass(frozen=True)
class Pace:
    """How to go about it; none of it changes a bit of the result."""

    threads: int | None = None
    block: int | None = None
    progress: Progress | None = None
    on_round: Callable[[Round], None] | None = None


def simulated(
    parts: Parts,
    draws: int | None,
    settings: Settings,
    tolerance: Tolerance,
    pace: Pace,
    *,
    chunks: int | None,
    store: str | Path | None,
) -> xr.Dataset:
    """Check all settings, then run; see ``Model.simulate``."""
    goal = _goal(parts, tolerance)
    begin = (8192 if goal is None else 1024) if draws is None else draws
    run = checked_run(parts, begin, settings)
    for name, value in (("block", pace.block), ("threads", pace.threads), ("chunks", chunks)):
        if value is not None:
            check_whole(name, value)
    if goal is None and (chunks is not None or store is not None or active_client() is not None):
        return _lazily(parts, run, chunks or CHUNK, store, pace)
    if chunks is not None or store is not None:
        raise DemandsimError(
            "a tolerance and chunks= or store= do not go together: the number of draws is not known before"
        )
    more: dict[str, Any] = {}
    if goal is None:
        sampled = run_in_memory(run, threads=pace.threads, block=pace.block, progress=pace.progress)
    else:
        missing = [name for name in goal.of if name not in run.keep]
        if missing:
            raise DemandsimError(f"the tolerance is about '{missing[0]}', which keep= leaves out; add it to keep")
        sampled, last = run_to_goal(
            run, goal, threads=pace.threads, block=pace.block, progress=pace.progress, on_round=pace.on_round
        )
        more["stop_rule"] = written_goal(goal, last)
    receipt = written(sampled.receipt, parts.program, requested_quantiles(parts.program))
    marks = sorted(sampled.faults.counts)
    return labelled(sampled.run, sampled.arrays, parts.labels, receipt=receipt, marks=marks, **more)


def _goal(parts: Parts, asked: Tolerance) -> Goal | None:
    if not asked.rtol and not asked.atol:
        if asked.of is not None:
            raise DemandsimError("of= names what a tolerance is about; give rtol= or atol= as well")
        return None
    names = [asked.of] if isinstance(asked.of, str) else list(parts.computed if asked.of is None else asked.of)
    check_known(names, parts.quantities, "quantity in of:")
    check_prob(asked.prob)
    check_whole("max_draws", asked.max_draws)
    unsure = tuple(name for name in names if parts.program.varying[name].random)
    return Goal(unsure, asked.statistics, float(asked.rtol), float(asked.atol), asked.prob, int(asked.max_draws))


def checked_run(parts: Parts, draws: int, settings: Settings) -> Run:
    """Check settings and make the run; fresh entropy takes the place of a seed that is None.

    Raises
    ------
    DemandsimError
        If a setting is out of range or a name unknown.
    """
    check_known([settings.on_invalid], ("raise", "keep"), "on_invalid")
    check_known([settings.design], DESIGNS, "design")
    check_known([settings.dtype], ("float64", "float32"), "dtype")
    draws, chains = check_whole("draws", draws), check_whole("chains", settings.chains)
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


def _lazily(parts: Parts, run: Run, chunk: int, store: str | Path | None, pace: Pace) -> xr.Dataset:
    pilot, requested = pilot_receipt(run)
    receipt, labels = written(pilot, parts.program, requested), parts.labels
    if store is not None:
        attrs = dict(labels.dataset) | {
            "seed": str(run.seed),
            "design": run.design,
            "chains": run.chains,
            "draws": run.draws,
            "receipt": receipt,
        }
        write_store(store, run, chunk, labels, attrs, threads=pace.threads, progress=pace.progress)
        return open_draws(store)
    # What is invalid is not known before it is computed: every result that varies carries a mark.
    marks = [name for name in run.keep if name in parts.computed and parts.program.varying[name].random]
    marks = marks if run.on_invalid == "keep" else []
    return labelled(run, lazy_arrays(run, chunk), labels, receipt=receipt, marks=marks)


def estimated(
    parts: Parts,
    of: Sequence[str] | str,
    over: str | None,
    draws: int,
    settings: Settings,
    *,
    prob: float,
    probs: Sequence[float],
) -> xr.Dataset:
    """Check all settings, then estimate by conditioning; see ``Model.estimate``."""
    import xarray as xr

    for level in (prob, *probs):
        check_prob(level)
    names = [of] if isinstance(of, str) else list(of)
    check_known(names, parts.computed, "computed quantity")
    if over is not None:
        check_known([over], parts.program.transforms, "assumption")
    run = checked_run(parts, draws, Settings(settings.chains, settings.seed, settings.design, names))
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
