"""Conditioned: a program whose streams follow the evidence, run like any other, and its worlds put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, standard_normal
from demandsim.errors import DistributionError
from demandsim.sampling.program import Layout, Program, Varying, segments
from demandsim.sampling.qmc import Stream, uniforms
from demandsim.sampling.run import Run, Stored, stored_shape
from demandsim.sampling.student_t import log_density, scores_of_grades
from demandsim.statistics.design import DesignName

__all__ = ["ConditionedProgram", "conditioned", "joined", "log_prior", "widened"]


@dataclass(frozen=True, eq=False)
class ConditionedProgram(Program):
    """A program in which some streams are given, and the others are drawn anew.

    Parameters
    ----------
    rows : mapping of stream to array of shape (chains * draws,)
        Numbers in (0, 1), before the copula.
    """

    rows: Mapping[int, Array] = field(default_factory=dict)

    def grades(self, design: DesignName, seed: int, start: int, stop: int, draws: int) -> Callable[[int], Array]:
        """Numbers in (0, 1) for each stream of a block, correlated; see `Program.grades`."""

        def source(stream: int) -> Array:
            if stream in self.rows:
                return self.rows[stream][start:stop]
            made = self.streams[stream]
            # A randomisation of its own: the streams of the pool have been chosen from, and are no longer even.
            fresh = Stream(f"{made.name}|posterior", made.element, made.dimension)
            return uniforms(design, seed, fresh, list(segments(start, stop, draws)), draws)

        return self.correlated(source)


def conditioned(program: Program, streams: Sequence[int], u: Array) -> ConditionedProgram:
    """Give the named streams the rows of `u`."""
    fields = {f.name: getattr(program, f.name) for f in dataclasses.fields(Program)}
    rows = {stream: np.ascontiguousarray(row) for stream, row in zip(streams, u, strict=True)}
    return ConditionedProgram(**fields, rows=rows)


def widened(program: Program, world_dims: Sequence[str]) -> Program:
    """The program as its posterior is: whatever varies from draw to draw also does so over the worlds."""
    varying = {name: Varying(v.dims | set(world_dims), True) if v.random else v for name, v in program.varying.items()}
    return dataclasses.replace(program, varying=varying)


def joined(run: Run, name: str, parts: Sequence[Stored], worlds: Sequence[Mapping[str, Any]]) -> Stored:
    """Put the arrays of one quantity together, over the worlds along their scenario dims.

    Parameters
    ----------
    run : Run
        With the widened program.
    name : str
    parts : sequence of array
        One per world, as `run_in_memory` stores them.
    worlds : sequence of mapping of dim to label
    """
    varying, layout = run.program.varying[name], run.program.layout
    dims = [dim for dim in layout.dims if dim in varying.dims]
    shape = stored_shape(run, name)
    out = np.empty(shape, dtype=run.dtype) if varying.random else np.empty((*shape[:-2], 1, 1), dtype=run.dtype)
    for part, world in zip(parts, worlds, strict=True):
        where = tuple(
            slice(at := layout.coords[dim].index(world[dim]), at + 1) if dim in world else slice(None) for dim in dims
        )
        target = out[where]
        values = part if varying.random else part[..., :1, :1]
        target[...] = values.reshape(target.shape)
    return out if varying.random else np.broadcast_to(out, shape)


def log_prior(program: ConditionedProgram, run: Run) -> tuple[Array, list[str]]:
    """Logarithm of the prior density of every draw, with that of the copula.

    Returns
    -------
    array of shape (scenario dims, chains * draws)
    left_out : list of str
        Assumptions that have no density, because they mix sure values with a continuous part.
    """
    grade = program.grades(run.design, run.seed, 0, run.total, run.draws)
    layout = program.layout
    total, left_out = np.zeros((*(1 for _ in layout.scenario_dims), run.total)), []
    for name, transform in program.transforms.items():
        if not transform.varying.random:
            continue
        try:
            rows = [
                np.zeros(run.total) + _log_density(variant, transform.streams, grade) for variant in transform.variants
            ]
        except DistributionError:
            left_out.append(name)
            continue
        if not all(np.isfinite(row).all() for row in rows):
            left_out.append(name)
            continue
        total = total + _over_scenarios(np.stack(rows), transform.scenario_dim, layout)
    for (members, root), df in zip(program.copula.groups, program.copula.degrees, strict=True):
        if df is not None:
            total = total + _log_t(program, members, root @ root.T, df, grade)
            continue
        # log of the copula's density, up to a constant: independent scores are normal, dependent ones too.
        given = sum(standard_normal()(program.rows[s]) ** 2 for s in members if s in program.rows)
        moved = sum(standard_normal()(grade(s)) ** 2 for s in members if s in program.rows)
        total = total + 0.5 * (moved - given)
    return total, left_out


def _log_density(variant: Distribution, streams: Sequence[int], grade: Callable[[int], Array]) -> Array | float:
    if variant.wholes:
        drawn = variant.drawn(lambda place: grade(streams[place]))
        return sum(whole.logpdf([drawn[place] for place in whole.places]) for whole in variant.wholes)
    total: Array | float = 0.0
    # A shared draw is one number, whatever the labels it is scaled for.
    for place, stream in enumerate(streams):
        law = variant.laws[place if variant.dims else 0]
        if law.support()[0] < law.support()[1]:
            total = total + law.logpdf(variant.quantile_functions[place if variant.dims else 0](grade(stream)))
    return total


def _log_t(
    program: ConditionedProgram, members: Sequence[int], matrix: Array, df: float, grade: Callable[[int], Array]
) -> Array | float:
    """Logarithm of the density of a t copula whose streams are all drawn anew."""
    if any(stream not in program.rows for stream in members):
        return 0.0
    return log_density(matrix, [scores_of_grades(grade(stream), df) for stream in members], df)


def _over_scenarios(rows: Array, dim: str | None, layout: Layout) -> Array:
    shape = [len(rows) if name == dim else 1 for name in layout.scenario_dims]
    return np.reshape(rows, (*shape, rows.shape[-1])) if len(rows) > 1 else np.reshape(rows, (*(1 for _ in shape), -1))
