"""Evaluation: the computed quantities of a model at chosen values of its assumptions, and both as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import format_value, is_labelled
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import Layout, Program, Values, Varying, bare_run, labelled_run
from demandsim.units.convert import conversion_factor, same_dimension

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["Bench", "BrokenEquationError", "Cell", "World", "bench_of", "evaluated", "names_of"]

#: Relative size of the changes that rounding may make to an input: some dozens of units in the last place.
_LAST_BITS = 2.0**-46
#: How much of a world is told: labels of an assumption, and assumptions that are not at their points.
_MOST_LABELS, _MOST_LINES = 6, 10

type World = Mapping[str, Array]
type Cell = tuple[int, ...]


class BrokenEquationError(Exception):
    """An equation raised at values that it was tried at."""


@dataclass(frozen=True, eq=False)
class Bench:
    """A model under test: what is asked of it, and what that depends on.

    Parameters
    ----------
    model : Model
    of : tuple of str
        Quantities that are looked at.
    needed : frozenset of str
        They, and all that they are computed from.
    points : mapping of str to array
        Published values of the needed assumptions, with all axes.
    """

    model: Model
    of: tuple[str, ...]
    needed: frozenset[str]
    points: World

    @property
    def layout(self) -> Layout:
        """Axes of every array."""
        return self.model.program.layout

    def arrays(self, values: Mapping[str, Any]) -> Values:
        """Values of the needed assumptions with all axes; at their points where none is given."""
        check_known(values, self.model.assumptions, "assumption in values:")
        given = {name: self._spread(name, value) for name, value in values.items() if name in self.needed}
        return {name: given.get(name, point) for name, point in self.points.items()}

    def _spread(self, name: str, value: Any) -> Array:
        if not is_labelled(value):
            return np.full(self.points[name].shape, float(value))
        dims = [dim for dim in self.layout.dims if dim in value.dims]
        if len(dims) != len(value.dims):
            raise DemandsimError(f"values of '{name}' have dims {value.dims}; the model has {self.layout.dims}")
        ordered = value.transpose(*dims).reindex({dim: list(self.layout.coords[dim]) for dim in dims})
        return self.layout.spread(np.asarray(ordered.values, dtype=np.float64)[..., None], dims)

    def run(self, worlds: Sequence[World], program: Program | None = None) -> Values:
        """The quantities `of` at several sets of values; those are the last axis."""
        found = self._all(worlds, program)
        return {name: np.broadcast_to(found[name], (*found[name].shape[:-1], len(worlds))) for name in self.of}

    def _all(self, worlds: Sequence[World], program: Program | None = None) -> Values:
        stacked = {name: np.concatenate([world[name] for world in worlds], axis=-1) for name in worlds[0]}
        return evaluated(program or self.model.program, stacked, self.needed)

    def noise(self, world: World, name: str) -> Array:
        """How far rounding may move a quantity: smaller differences mean nothing.

        As far as the last bits of the assumptions do, which is far where near equals are subtracted and at
        the steps of what is rounded up; and by the last bits of what it may be a difference of, which is
        anything of its dimension that it is computed from.
        """
        worlds = [world]
        for moved in world:
            worlds += [{**world, moved: world[moved] * (1 + sign * _LAST_BITS)} for sign in (-1, 1)]
        found = self._all(worlds)
        felt = np.abs(found[name][..., 1:] - found[name][..., :1]).sum(axis=-1)
        units = self.model.declared_units
        largest = max(
            float(np.max(np.abs(found[other]))) * conversion_factor(units[other], units[name])
            for other in self.model.graph.ancestors([name]) & found.keys()
            if same_dimension(units[other], units[name])
        )
        return np.asarray(felt + _LAST_BITS * largest)

    def varying(self, names: Iterable[str]) -> list[str]:
        """Dims along which any of the quantities varies, in order."""
        found = {dim for name in names for dim in self.model.program.varying[name].dims}
        return [dim for dim in self.layout.dims if dim in found]

    def amount(self, name: str, value: float) -> str:
        """A value with its unit."""
        unit = self.model.declared_units[name]
        return format_value(float(value)) + ("" if unit in ("1", "", "dimensionless") else f" {unit}")

    def rounded(self, name: str, value: float) -> str:
        """A computed value with its unit, without the digits that only rounding made."""
        return self.amount(name, float(f"{value:.12g}"))

    def told(self, world: World, cell: Cell) -> list[str]:
        """The values that matter, a line each: in the scenario at hand, and at every label if they differ."""
        published = [name for name, values in world.items() if np.array_equal(values, self.points[name])]
        # What is as published need not be repeated, unless there is room for it.
        left_out = published if len(world) > _MOST_LINES else []
        lines = [
            f"{name} = {self._values(name, values, cell)}{' (its point)' if name in published else ''}"
            for name, values in world.items()
            if name not in left_out
        ]
        return [*lines, f"at their points: {', '.join(left_out)}"] if left_out else lines

    def _values(self, name: str, values: Array, cell: Cell) -> str:
        layout = self.layout
        kept = tuple(
            min(place, values.shape[axis] - 1) if dim in layout.scenario_dims else slice(None)
            for axis, (dim, place) in enumerate(zip(layout.dims, cell, strict=True))
        )
        left = values[kept][..., 0]
        if np.all(left == left.ravel()[0]):
            return self.amount(name, left.ravel()[0])
        labels = [
            ", ".join(
                str(layout.coords[dim][place])
                for dim, place, size in zip(layout.model_dims, places, left.shape, strict=True)
                if size > 1
            )
            for places in np.ndindex(*left.shape)
        ]
        told = [f"{self.amount(name, x)} ({label})" for label, x in zip(labels, left.ravel(), strict=True)]
        return ", ".join(told[:_MOST_LABELS]) + (f", ... ({len(told)} labels)" if len(told) > _MOST_LABELS else "")


def names_of(model: Model, of: Sequence[str] | str | None) -> tuple[str, ...]:
    """Quantities that were asked about; all computed ones by default.

    Raises
    ------
    UnknownNameError, DemandsimError
        If there is no such quantity, or none at all.
    """
    names = tuple(model.equations) if of is None else (of,) if isinstance(of, str) else tuple(of)
    check_known(names, model.quantities, "quantity")
    if not names:
        raise DemandsimError("there is no quantity to test: of= is empty, or the model has no equations")
    return names


def bench_of(model: Model, names: Iterable[str]) -> Bench:
    """Prepare a model whose quantities `names` are looked at."""
    of = tuple(dict.fromkeys(names))
    needed = frozenset(model.graph.ancestors(of))
    published, layout = model.point(), model.program.layout
    points = {}
    for name, transform in model.program.transforms.items():
        if name in needed:
            dims = ((transform.scenario_dim,) if transform.scenario_dim else ()) + transform.dims
            points[name] = layout.spread(published[name].transpose(*dims).values[..., None], dims)
    return Bench(model, of, needed, points)


def evaluated(program: Program, values: Values, needed: Iterable[str]) -> Values:
    """All needed quantities at the given values, in their units.

    As `Program.derive`, except that every assumption may differ from one set of values to the next, a sure
    one too.
    """
    wanted = set(needed)
    found = dict(values)
    base = {name: program.transforms[name].to_base(array) for name, array in values.items()}
    varying = {name: dataclasses.replace(program.varying[name], random=True) for name in values}
    for array in base.values():
        array.flags.writeable = False
    with np.errstate(all="ignore"):
        for step in program.steps:
            name = step.equation.name
            if name not in wanted:
                continue
            try:
                if step.elementwise:
                    base[name] = bare_run(step.equation, base, program.layout)
                    inputs = [varying[n] for n in step.equation.inputs if n in varying]
                    varying[name] = Varying.union(inputs)
                else:
                    base[name], varying[name] = labelled_run(step.equation, base, program.layout, varying)
            except Exception as error:
                raise BrokenEquationError(f"equation '{name}' raised {type(error).__name__}: {error}") from error
            base[name].flags.writeable = False
            factor = program.factors[name]
            found[name] = base[name] if factor == 1.0 else base[name] / factor
    return found
