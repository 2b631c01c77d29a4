"""Outcome: what inference found, its diagnostics, and the Dataset that it becomes."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.inference.conflict import Distance
from demandsim.inference.evidence import Evidence, Observation
from demandsim.inference.importance import arviz_kernels
from demandsim.inference.likelihood import Likelihood
from demandsim.inference.posterior_program import ConditionedProgram, joined, log_prior, widened
from demandsim.sampling.dataset import labelled
from demandsim.sampling.in_memory import Sampled
from demandsim.sampling.program import Layout
from demandsim.sampling.receipt import told
from demandsim.sampling.run import Run
from demandsim.sampling.simulate import Parts
from demandsim.statistics.datatree import numbered
from demandsim.units.format import label_value

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.inference.solution import Solution

__all__ = ["Outcome", "as_dataset", "read_values"]

#: Grades of an observation that draws of a posterior carry: its median and central 90% interval.
_OBSERVED = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What inference found, world by world.

    Parameters
    ----------
    solution : Solution
    worlds : sequence of mapping of scenario dim to label
    sampled : sequence of Sampled
    streams : tuple of int
    before, after : Distance or None
        The observation farthest from the prior, and from the posterior.
    """

    solution: Solution
    worlds: Sequence[Mapping[str, Any]]
    sampled: Sequence[Sampled]
    streams: tuple[int, ...]
    before: Distance | None
    after: Distance | None

    @functools.cached_property
    def mixing(self) -> dict[str, tuple[float, float]]:
        """R-hat and ArviZ's bulk effective size of every moved assumption and observed quantity, at its worst."""
        found: dict[str, tuple[float, float]] = {}
        if self.sampled[0].run.chains < 2 or self.sampled[0].run.draws < 4:
            return found
        for label, values in self._moved():
            # What takes one value in the posterior has no spread to compare.
            if float(np.ptp(values)) == 0.0:
                continue
            # Far from 0, a spread drowns in the rounding of the mean.
            centred = values - float(np.median(values))
            rhat = float(arviz_kernels().rhat(centred, chain_axis=0, draw_axis=1))
            size = float(arviz_kernels().ess(centred, chain_axis=0, draw_axis=1, method="bulk"))
            before = found.get(label, (0.0, math.inf))
            found[label] = (max(before[0], rhat), min(before[1], size))
        return found

    def _moved(self) -> Iterator[tuple[str, Array]]:
        """Streams that follow the evidence, by the name of their assumption, and what was observed."""
        for one, rows in zip(self.sampled, self.solution.rows, strict=True):
            program = one.run.program
            for stream, row in zip(self.streams, rows, strict=True):
                yield program.streams[stream].name, row.reshape(one.run.chains, one.run.draws)
            for name in self.solution.pool.run.keep:
                for row in one.arrays[name].reshape(-1, one.run.chains, one.run.draws):
                    yield name, row.astype(np.float64)

    @property
    def rhat(self) -> float:
        """The largest; NaN for one chain."""
        return max((rhat for rhat, _ in self.mixing.values()), default=math.nan)

    @property
    def rhat_of(self) -> str:
        """What has the largest."""
        return max(self.mixing, key=lambda name: self.mixing[name][0], default="")

    def attributes(self, evidence: Sequence[Evidence]) -> dict[str, Any]:
        """Diagnostics in plain numbers and words, which netCDF can hold."""
        solution = self.solution
        found: dict[str, Any] = {
            "method": solution.method,
            "method_reason": solution.why,
            "evidence": json.dumps([_in_words(piece) for piece in evidence]),
            "khat": float(solution.khat),
            "ess_weights": float(solution.size * len(solution.weights[0].sizes)),
            "rhat": float(self.rhat),
            "ess": float(min((size for _, size in self.mixing.values()), default=math.nan)),
            "prior_draws": int(solution.pool.run.total),
        }
        if solution.populations:
            every = [population for chains in solution.populations for population in chains]
            found["acceptance"] = float(np.mean([one.acceptance for one in every]))
            found["memory"] = float(max(one.memory for one in every))
            found["steps"] = int(max(one.steps for one in every))
        logs = [solution.log_evidence(place) for place in range(len(self.worlds))]
        for key, values in zip(("", "_mcse"), zip(*logs, strict=True), strict=True):
            found[f"log_marginal_likelihood{key}"] = values[0] if len(values) == 1 else list(values)
        for key, one in (("prior_distance", self.before), ("posterior_distance", self.after)):
            if one is not None:
                found[key] = float(one.deviations)
                found[f"{key}_of"] = one.label
        return found


def _in_words(piece: Evidence) -> dict[str, Any]:
    words: dict[str, Any] = {"evidence": str(piece), "unit": piece.unit, "source": piece.source or ""}
    if isinstance(piece, Observation):
        coords = {dim: [label_value(label) for label in labels] for dim, labels in piece.distribution.coords.items()}
        low, medians, high = np.transpose([law.ppf(np.array(_OBSERVED)) for law in piece.distribution.laws]).tolist()
        words |= {"quantity": piece.quantity, "observed": medians, "coords": coords, "lower": low, "upper": high}
    return words


def as_dataset(
    outcome: Outcome, run: Run, parts: Parts, likelihood: Likelihood, evidence: Sequence[Evidence]
) -> xr.Dataset:
    """Make the Dataset of a posterior, with log-likelihood and log-prior as coordinates of its draws."""
    wide = widened(parts.program, likelihood.world_dims)
    whole = dataclasses.replace(run, program=wide)
    arrays = {
        name: joined(whole, name, [one.arrays[name] for one in outcome.sampled], outcome.worlds) for name in run.keep
    }
    marks = sorted({name for one in outcome.sampled for name in one.faults.counts})
    found = labelled(
        whole, arrays, parts.labels, receipt=_receipt(outcome), marks=marks, **outcome.attributes(evidence)
    )
    # Draws of a chain are no longer independent, whatever the design was: errors come from between the chains.
    found["chain"].attrs["design"] = f"{run.design}, {outcome.solution.method}"
    coords = {dim: list(labels) for dim, labels in wide.layout.coords.items()}
    densities, left_out = _densities(outcome, run, likelihood)
    new: dict[str, Any] = {}
    for name, (dims, array) in densities.items():
        used = {dim: coords[dim] for dim in dims if dim in coords and dim not in found.coords}
        found = found.assign_coords(used)
        new[name] = (dims, array)
    found = found.assign_coords(new)
    if left_out:
        found.attrs["log_prior_without"] = ", ".join(left_out)
    return found


def _receipt(outcome: Outcome) -> str:
    """Where the posterior lies in the quantiles of the prior; per world, if there are several."""
    quantiles: dict[str, Any] = {}
    correlations: dict[str, Any] = {}
    for one, world in zip(outcome.sampled, outcome.worlds, strict=True):
        found = told(one.receipt, one.run)
        where = f" ({', '.join(str(label) for label in world.values())})" if len(outcome.worlds) > 1 else ""
        quantiles |= {f"{name}{where}": row for name, row in found["quantiles"].items()}
        correlations |= {f"{name}{where}": row for name, row in found["rank_correlations"].items()}
    return json.dumps({"quantiles": quantiles, "rank_correlations": correlations}, sort_keys=True)


Labelled = tuple[tuple[str, ...], Any]


def _densities(outcome: Outcome, run: Run, likelihood: Likelihood) -> tuple[dict[str, Labelled], list[str]]:
    """Log-likelihood of each observation and log-prior of each draw, as named coordinates."""
    layout, priors = run.program.layout, []
    left_out: list[str] = []
    for one in outcome.sampled:
        assert isinstance(one.run.program, ConditionedProgram)
        values, left_out = log_prior(one.run.program, one.run)
        priors.append(values)
    found: dict[str, Labelled] = {"log_prior": _over_worlds(priors, outcome, run, layout, likelihood.world_dims)}
    for term in likelihood.terms:
        # An event weighs all that is left the same.
        if term.elements:
            name = numbered(f"log_likelihood_{term.label}", found)
            parts = [term.value(read_values(one, term.names), one.run.program.layout).whole for one in outcome.sampled]
            found[name] = _over_worlds(parts, outcome, run, layout, likelihood.world_dims)
    return found, left_out


def read_values(one: Sampled, names: Sequence[str]) -> dict[str, Array]:
    """Quantities of a run with all axes of its layout, chains one after the other."""
    layout, varying = one.run.program.layout, one.run.program.varying
    return {
        name: layout.spread(
            one.arrays[name].reshape(*one.arrays[name].shape[:-2], -1).astype(np.float64),
            [dim for dim in layout.dims if dim in varying[name].dims],
        )
        for name in names
    }


def _over_worlds(
    parts: Sequence[Array], outcome: Outcome, run: Run, layout: Layout, world_dims: Sequence[str]
) -> Labelled:
    """Put arrays of shape (scenario axes, chains * draws) together along the worlds."""
    shape = [
        layout.size(dim) if dim in world_dims else parts[0].shape[axis] for axis, dim in enumerate(layout.scenario_dims)
    ]
    out = np.empty((*shape, run.total))
    for part, world in zip(parts, outcome.worlds, strict=True):
        where = tuple(
            slice(at := layout.coords[dim].index(world[dim]), at + 1) if dim in world else slice(None)
            for dim in layout.scenario_dims
        )
        out[where] = part
    dims = tuple(dim for dim, size in zip(layout.scenario_dims, shape, strict=True) if dim in world_dims or size > 1)
    sizes = [layout.size(dim) for dim in dims]
    return (*dims, "chain", "draw"), out.reshape(*sizes, run.chains, run.draws)
