"""Interpolation between two versions of a model: some of the changes are made and others are not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError
from demandsim.graph.graph import Graph
from demandsim.sampling.program import Program, Step, Varying, evaluate
from demandsim.sampling.qmc import Stream, sobol
from demandsim.sensitivity.results import Quantified
from demandsim.units.convert import base_factor

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["CORRELATIONS", "Interpolation", "changes"]

#: What a change of any correlation is called.
CORRELATIONS = "correlations"


def changes(before: Model, after: Model, random: bool) -> list[str]:
    """Names of what differs in both versions: assumptions, equations, and the correlations.

    What only one version has is no change by itself: it matters through the equation that uses it.
    """
    one, other = before.canonical(), after.canonical()
    found = []
    for name in dict.fromkeys([*before.quantities, *after.quantities]):
        if name not in before.quantities or name not in after.quantities:
            continue
        if _definition(before, one, name) != _definition(after, other, name):
            found.append(name)
    if random and any(one.get(key) != other.get(key) for key in ("correlations", "label_correlations")):
        found.append(CORRELATIONS)
    return found


def _definition(model: Model, canonical: Mapping[str, dict[str, object]], name: str) -> object:
    """All that determines a quantity of a model by itself."""
    if name in model.equations:
        return "equation", canonical["equations"][name]
    scenarios = canonical["scenarios"]
    overrides = {
        (dim, label): over[name]
        for dim, labels in scenarios.items()
        for label, over in labels.items()  # type: ignore[attr-defined]
        if name in over
    }
    return "assumption", canonical["assumptions"][name], sorted(overrides.items(), key=str)


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Evaluates models with some of the changes made.

    Parameters
    ----------
    before, after : Model
    of : tuple of str
    draws : int
        Draws of one chain; 0 evaluates at the points.
    seed, chain : int
    """

    before: Model
    after: Model
    of: tuple[str, ...]
    draws: int = 0
    seed: int = 0
    chain: int = 0
    _kept: dict[object, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one, other = self.before.program.layout, self.after.program.layout
        if one.dims != other.dims or dict(one.coords) != dict(other.coords):
            raise DemandsimError(
                f"before and after have different scenarios or labels ({dict(one.coords)} and {dict(other.coords)}); "
                "select the same of both, as in model.select(scenario='100T')"
            )

    @functools.cached_property
    def _dimension(self) -> dict[tuple[str, int], int]:
        """Common random numbers: a dimension for every random element of either version."""
        streams = dict.fromkeys((s.name, s.element) for m in (self.before, self.after) for s in m.program.streams)
        return {key: place for place, key in enumerate(streams)}

    def _source(self, program: Program) -> Callable[[int], Array]:
        def source(position: int) -> Array:
            made = program.streams[position]
            key = Stream(f"{made.name}|bridge", made.element, self._dimension[made.name, made.element])
            return sobol(self.seed, self.chain, key, 0, self.draws, self.draws)

        return source

    def _assumed(self, name: str, version: Model, correlated: Model) -> Array:
        """Values of an assumption in base units, of one version under the correlations of another."""
        key = (name, version is self.after, correlated is self.after)
        if key not in self._kept:
            program = version.program
            transform = program.transforms[name]
            if not self.draws:
                point = _point(version)[name]
                values = program.layout.spread(point.values[..., None], [str(dim) for dim in point.dims])
            else:
                values = transform.values(program.layout, self._grades(version, correlated), self.draws)
            values = np.array(transform.to_base(values))
            values.flags.writeable = False
            self._kept[key] = values
        return self._kept[key]

    def _grades(self, version: Model, correlated: Model) -> Callable[[int], Array]:
        """Grades of a version's streams, by the copula of another version, matched by name."""
        other = {(s.name, s.element): place for place, s in enumerate(correlated.program.streams)}
        own, theirs = version.program, correlated.program.correlated(self._source(correlated.program))
        plain = self._source(own)

        def grade(position: int) -> Array:
            made = own.streams[position]
            place = other.get((made.name, made.element))
            return plain(position) if place is None else theirs(place)

        return grade

    @functools.cached_property
    def rows(self) -> list[Quantified]:
        """Quantities `of`, with the dims over which they vary in either version."""
        versions, dims = (self.before.program, self.after.program), self.before.program.layout.dims
        every = {name: frozenset().union(*(v.varying[name].dims for v in versions)) for name in self.of}
        return [Quantified(name, tuple(dim for dim in dims if dim in own)) for name, own in every.items()]

    def values(self, made: Collection[str]) -> Array:
        """Quantities `of`, in their units, when only the changes `made` are made.

        Returns
        -------
        array of shape (elements,)
            Of all `rows`, one after the other: the point, or the mean over the draws.
        """
        versions = self._versions(made)
        equations = {name: m.equations[name] for name, m in versions.items() if name in m.equations}
        graph = Graph.of(list(equations.values()), [name for name in versions if name not in equations])
        needed = graph.ancestors(self.of)
        steps = {name: s for name, m in versions.items() for s in m.program.steps if s.equation.name == name}
        correlated = self.after if CORRELATIONS in made else self.before
        assumed = {name: version for name, version in versions.items() if name in needed and name not in steps}
        base = {name: self._assumed(name, version, correlated) for name, version in assumed.items()}
        self._derive([steps[name] for name in graph.order if name in needed], base, assumed)
        found, layout = [], self.before.program.layout
        for row in self.rows:
            shape = [layout.size(dim) if dim in row.dims else 1 for dim in layout.dims]
            reported = self.after.assumptions.get(row.label) or self.after.equations[row.label]
            mean = base[row.label].mean(axis=-1) / base_factor(reported.unit)
            found.append(np.broadcast_to(mean, shape).ravel())
        return np.concatenate(found)

    def _versions(self, made: Collection[str]) -> dict[str, Model]:
        """Which version each quantity is taken from: what only one has, from that one."""
        one, other = self.before.quantities, self.after.quantities
        newer = {name for name in other if name in made or name not in one}
        return {name: self.after if name in newer else self.before for name in dict.fromkeys([*one, *other])}

    def _derive(self, steps: Sequence[Step], base: dict[str, Array], assumed: Mapping[str, Model]) -> None:
        """Add what equations of either version compute from the assumptions in `base`."""
        layout = self.before.program.layout
        known = {name: version.program.varying[name] for name, version in assumed.items()}
        varying = {name: Varying(own.dims, own.random and bool(self.draws)) for name, own in known.items()}
        base |= evaluate(steps, base, layout, varying)[0]


@functools.lru_cache(maxsize=8)
def _point(version: Model) -> xr.Dataset:
    return version.point()
