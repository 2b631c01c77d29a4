"""Hybrids: models between two versions, with some changes made and others not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError
from demandsim.graph.graph import Graph
from demandsim.sampling.program import Program, Varying, bare_run, labelled_run
from demandsim.sampling.qmc import Stream, sobol
from demandsim.units.convert import base_factor

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["CORRELATIONS", "Hybrids", "changes"]

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
        if _said(before, one, name) != _said(after, other, name):
            found.append(name)
    if random and one["correlations"] != other["correlations"]:
        found.append(CORRELATIONS)
    return found


def _said(model: Model, canonical: Mapping[str, dict[str, object]], name: str) -> object:
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
class Hybrids:
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
                point = self._points(version)[name]
                values = program.layout.spread(point[1][..., None], point[0])
            else:
                grades = self._grades(version, correlated)
                values = transform.values(program.layout, grades, self.draws)
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

    def _points(self, version: Model) -> Mapping[str, tuple[tuple[str, ...], Array]]:
        point = _point(version)
        return {name: (tuple(map(str, point[name].dims)), point[name].values) for name in version.assumptions}

    def values(self, made: Sequence[str]) -> dict[str, Array]:
        """Quantities `of`, in their units, when only the changes `made` are made.

        Returns
        -------
        dict of array
            Shape (scenario dims, model dims): the point, or the mean over the draws.
        """
        chosen = set(made)
        whole: dict[str, Model] = {}
        for name in dict.fromkeys([*self.before.quantities, *self.after.quantities]):
            both = name in self.before.quantities and name in self.after.quantities
            newer = name in chosen if both else name in self.after.quantities
            whole[name] = self.after if newer else self.before
        correlated = self.after if CORRELATIONS in chosen else self.before
        equations = {name: m.equations[name] for name, m in whole.items() if name in m.equations}
        graph = Graph.of(list(equations.values()), [name for name in whole if name not in equations])
        needed = graph.ancestors(self.of)
        base: dict[str, Array] = {}
        varying: dict[str, Varying] = {}
        for name in needed - set(equations):
            if name in whole:
                base[name] = self._assumed(name, whole[name], correlated)
                known = whole[name].program.varying[name]
                varying[name] = Varying(known.dims, known.random and bool(self.draws))
        layout = self.before.program.layout
        with np.errstate(all="ignore"):
            for name in graph.order:
                if name in needed:
                    step = next(s for s in whole[name].program.steps if s.equation.name == name)
                    inputs = [varying[i] for i in step.equation.inputs if i in varying]
                    if step.elementwise:
                        base[name], varying[name] = bare_run(step.equation, base, layout), Varying.union(inputs)
                    else:
                        base[name], varying[name] = labelled_run(step.equation, base, layout, varying)
                    base[name].flags.writeable = False
        return {name: base[name].mean(axis=-1) / self._factor(name) for name in self.of}

    def _factor(self, name: str) -> float:
        """From base units to the unit in which the later version reports a quantity."""
        known = self.after.assumptions.get(name) or self.after.equations[name]
        return base_factor(known.unit)


@functools.lru_cache(maxsize=8)
def _point(version: Model) -> xr.Dataset:
    return version.point()
