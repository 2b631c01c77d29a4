"""Simulation: a compiled program that turns one block of the unit cube into values; pure.

A `Program` knows, for every quantity, which dims it varies over, and for every equation, whether
it may run on bare arrays. Inside, every array has the axes (scenario dims, model dims, draw), with
size 1 where a quantity does not vary, so that plain numpy broadcasting is alignment by label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, is_labelled
from demandsim.errors import EquationError
from demandsim.graph.equation import Equation
from demandsim.graph.result import computed
from demandsim.sampling.copula import Copula, correlated
from demandsim.sampling.qmc import Stream, uniforms
from demandsim.statistics.design import DesignName

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "InverseTransform",
    "Layout",
    "LostLabelsError",
    "Program",
    "Step",
    "Varying",
    "bare_run",
    "evaluate",
    "labelled_run",
    "segments",
]

Values = dict[str, Array]


@dataclass(frozen=True)
class Layout:
    """Axes that every array of a program has, and the labels along them.

    Parameters
    ----------
    scenario_dims, model_dims : tuple of str
    coords : mapping of dim to labels
    """

    scenario_dims: tuple[str, ...]
    model_dims: tuple[str, ...]
    coords: Mapping[str, tuple[Any, ...]]

    @property
    def dims(self) -> tuple[str, ...]:
        """Scenario dims, then the model's own; the draw axis comes after."""
        return self.scenario_dims + self.model_dims

    def size(self, dim: str) -> int:
        """Number of labels along a dim."""
        return len(self.coords[dim])

    def spread(self, array: Any, dims: Sequence[str]) -> Array:
        """Give an array with `dims` (in the order of the layout) and a last axis all axes."""
        shape = [self.size(dim) if dim in dims else 1 for dim in self.dims]
        return cast(Array, np.reshape(array, [*shape, np.shape(array)[-1]]))

    def at(self, array: Array, varying: Varying, label: str) -> float:
        """The one value at a label, of an array with all axes; NaN if it varies over what the label does not say."""
        spot: list[int] = []
        for dim in self.dims:
            words = list(map(str, np.asarray(self.coords[dim])))
            if dim in varying.dims and label not in words:
                return math.nan
            spot.append(words.index(label) if dim in varying.dims else 0)
        return float(array[(*spot, 0)])

    def label(self, array: Array, varying: Varying) -> xr.DataArray:
        """Wrap an array with all axes as a DataArray over the dims along which it varies."""
        import xarray as xr

        dims = tuple(dim for dim in self.dims if dim in varying.dims)
        if dims not in self._indexes:
            # The same indexes for all that has these dims: making and comparing them takes longer than sums.
            self._indexes[dims] = xr.Coordinates({dim: list(self.coords[dim]) for dim in dims})
        shape = [self.size(dim) for dim in dims] + [array.shape[-1]] * varying.random
        drawn = [*dims, "draw"] if varying.random else dims
        return xr.DataArray(array.reshape(shape), dims=drawn, coords=self._indexes[dims])

    @cached_property
    def _indexes(self) -> dict[tuple[str, ...], xr.Coordinates]:
        """Indexes of the labels along some dims, as they were asked for."""
        return {}


@dataclass(frozen=True)
class Varying:
    """Over which dims a quantity varies, and whether it varies from draw to draw."""

    dims: frozenset[str]
    random: bool

    @classmethod
    def union(cls, parts: Sequence[Varying]) -> Varying:
        """What a quantity computed element by element from `parts` varies over."""
        return cls(frozenset().union(*(part.dims for part in parts)), any(part.random for part in parts))


@dataclass(frozen=True)
class InverseTransform:
    """How the values of one assumption are drawn.

    Parameters
    ----------
    variants : tuple of Distribution
        One per scenario of `scenario_dim`, or a single one.
    scenario_dim : str or None
    dims : tuple of str
        Model dims, in the order of the layout.
    streams : tuple of int
        Streams of its elements, in the order of `dims`; one if it is shared or has no dims.
    factor : float
        From its unit to base units.
    """

    variants: tuple[Distribution, ...]
    scenario_dim: str | None
    dims: tuple[str, ...]
    streams: tuple[int, ...]
    factor: float

    @cached_property
    def varying(self) -> Varying:
        """Over what the assumption varies; not from draw to draw if every variant is sure."""
        dims = (self.scenario_dim, *self.dims) if self.scenario_dim else self.dims
        return Varying(frozenset(dims), not all(variant.is_constant for variant in self.variants))

    def to_base(self, values: Array) -> Array:
        """Convert values from the assumption's unit to base units."""
        return values if self.factor == 1.0 else values * self.factor

    def _grade(self, element: int, grades: Callable[[int], Array]) -> Array:
        stream = self.streams[element if len(self.streams) > 1 else 0]
        return grades(stream) if self.varying.random else np.array([0.5])

    def values(self, layout: Layout, grades: Callable[[int], Array], size: int) -> Array:
        """Draw `size` values, in the assumption's unit, with all axes of the layout."""
        random = self.varying.random
        count = size if random else 1
        shape = [len(self.variants), *(layout.size(dim) for dim in self.dims), count]
        out = np.empty(shape)
        rows = out.reshape(len(self.variants), -1, count)
        for place, variant in enumerate(self.variants):
            if variant.wholes:
                rows[place] = variant.drawn(lambda element: self._grade(element, grades))
                continue
            functions = variant.quantile_functions
            for element in range(rows.shape[1]):
                law = functions[element if variant.dims else 0]
                grade = self._grade(element if variant.dims else 0, grades)
                # One number that stands for all draws is looked up once.
                rows[place, element] = law(grade[:1] if grade.strides == (0,) else grade)
        dims = ((self.scenario_dim,) if self.scenario_dim else ()) + self.dims
        return layout.spread(out if self.scenario_dim else out[0], dims)


@dataclass(frozen=True)
class Step:
    """One equation, and how it may be run."""

    equation: Equation
    #: Gives the same bits on bare arrays, so labels are not needed.
    elementwise: bool
    #: Least and greatest possible result, in base units.
    limits: tuple[float, float] = (-math.inf, math.inf)

    def run(self, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying]) -> tuple[Array, Varying]:
        """Value of the equation, in base units, with all axes, and over what it varies; not to be written into."""
        if self.elementwise:
            result = bare_run(self.equation, base, layout)
            found = Varying.union([varying[name] for name in self.equation.inputs if name in varying])
        else:
            result, found = labelled_run(self.equation, base, layout, varying)
        result.flags.writeable = False
        return result, found

    def possible(self, result: Array) -> Array:
        """The result with NaN where it is none that the quantity can have; itself, most often."""
        low, high = self.limits
        below, above = low > -math.inf and not result.min() >= low, high < math.inf and not result.max() <= high
        if not (below or above):
            return result
        # NaN was NaN before; what is stored, summed up and blamed is then the same thing. Where NaN is a result, what
        # lies outside is none.
        none = np.inf if self.equation.invalid == "keep" else np.nan
        kept = np.where((result < low) | (result > high), none, result)
        kept.flags.writeable = False
        return kept


def evaluate(
    steps: Iterable[Step], base: Values, layout: Layout, varying: Mapping[str, Varying]
) -> tuple[Values, dict[str, Varying]]:
    """Run equations, in order, on what they build on: all values in base units, and over what each varies."""
    values, found = dict(base), dict(varying)
    for step, result, over in _evaluated(tuple(steps), dict(base), layout, varying):
        values[step.equation.name], found[step.equation.name] = result, over
    return values, found


def _evaluated(
    steps: Sequence[Step], base: Values, layout: Layout, varying: Mapping[str, Varying]
) -> Iterator[tuple[Step, Array, Varying]]:
    """Run equations one by one; `base` is written into, and what no later one needs is taken out of it.

    A result outside the bounds of its quantity is NaN, and so is what is computed from it.
    """
    last = {name: place for place, step in enumerate(steps) for name in step.equation.inputs}
    found = dict(varying)
    for place, step in enumerate(steps):
        name = step.equation.name
        with np.errstate(all="ignore"):
            result, found[name] = step.run(base, layout, found)
            base[name] = step.possible(result)
        del result
        yield step, base[name], found[name]
        for used in (name, *step.equation.inputs):
            if last.get(used, place) <= place:
                base.pop(used, None)


@dataclass(frozen=True, eq=False)
class Program:
    """All that is needed to compute any block of draws.

    Parameters
    ----------
    layout : Layout
    transforms : mapping of assumption to InverseTransform
    streams : tuple of Stream
    copula : Copula
    correlations : mapping of (stream, stream) to float
        Spearman rank correlations in force.
    steps : tuple of Step
    factors : mapping of str to float
        From base units to the unit that each equation declares.
    varying : mapping of quantity to Varying
    """

    layout: Layout
    transforms: Mapping[str, InverseTransform]
    streams: tuple[Stream, ...]
    copula: Copula
    correlations: Mapping[tuple[int, int], float]
    steps: tuple[Step, ...]
    factors: Mapping[str, float]
    varying: Mapping[str, Varying]

    def grades(self, design: DesignName, seed: int, start: int, stop: int, draws: int) -> Callable[[int], Array]:
        """Numbers in (0, 1) for each stream of a block, correlated, made when first asked for.

        A block is a range of the flat index ``chain * draws + draw``, and may span chains.
        """

        def source(stream: int) -> Array:
            return uniforms(design, seed, self.streams[stream], list(segments(start, stop, draws)), draws)

        return self.correlated(source)

    def correlated(self, source: Callable[[int], Array]) -> Callable[[int], Array]:
        """Pass independent numbers through the copula."""
        made: dict[int, Array] = {}

        def grade(stream: int) -> Array:
            if stream not in made:
                group = self.copula.group_of(stream)
                if group is None:
                    made[stream] = source(stream)
                else:
                    members, factor = self.copula.groups[group]
                    moved = correlated(factor, [source(member) for member in members], self.copula.degrees[group])
                    made.update(zip(members, moved, strict=True))
            return made[stream]

        return grade

    def assume(self, grades: Callable[[int], Array], size: int, wanted: Set[str] | None = None) -> Values:
        """Values of the assumptions, each in its own unit."""
        return {
            name: transform.values(self.layout, grades, size)
            for name, transform in self.transforms.items()
            if wanted is None or name in wanted
        }

    def to_base(self, assumed: Values) -> Values:
        """Values of assumptions in base units, as equations take them: not to be written into."""
        base = {name: self.transforms[name].to_base(values) for name, values in assumed.items()}
        for values in base.values():
            # An equation that writes into its input would change it for the equations after it.
            values.flags.writeable = False
        return base

    def equation(self, name: str) -> Equation:
        """The equation that computes a quantity."""
        return next(step.equation for step in self.steps if step.equation.name == name)

    def in_world(self, world: Mapping[str, Any]) -> Program:
        """The same program with one scenario of each dim in `world`."""
        if not world:
            return self
        layout = self.layout
        coords = {dim: (world[dim],) if dim in world else labels for dim, labels in layout.coords.items()}

        def narrowed(transform: InverseTransform) -> InverseTransform:
            dim = transform.scenario_dim
            if dim is None or dim not in world:
                return transform
            variant = transform.variants[layout.coords[dim].index(world[dim])]
            return replace(transform, variants=(variant,))

        transforms = {name: narrowed(transform) for name, transform in self.transforms.items()}
        random = {name: transform.varying.random for name, transform in transforms.items()}
        for step in self.steps:
            inputs = [random[name] for name in step.equation.inputs if name in random]
            random[step.equation.name] = self.varying[step.equation.name].random and any(inputs)
        # What this scenario pins is sure in it, whatever the others do.
        varying = {name: Varying(found.dims, random.get(name, found.random)) for name, found in self.varying.items()}
        return replace(self, layout=replace(layout, coords=coords), transforms=transforms, varying=varying)

    def unbounded(self) -> Program:
        """The same program whose results may be anything, to find out what was outside."""
        return replace(self, steps=tuple(Step(step.equation, step.elementwise) for step in self.steps))

    def derive(self, assumed: Values, wanted: Set[str] | None = None) -> Values:
        """Values of the computed quantities, each in its declared unit."""
        return {step.equation.name: values for step, values in self.derived(assumed, wanted)}

    def derived(self, assumed: Values, wanted: Set[str] | None = None) -> Iterator[tuple[Step, Array]]:
        """The computed quantities one after the other, each in its declared unit; what is done with is forgotten."""
        steps = [step for step in self.steps if wanted is None or step.equation.name in wanted]
        for step, values, _ in _evaluated(steps, self.to_base(assumed), self.layout, self.varying):
            factor = self.factors[step.equation.name]
            with np.errstate(all="ignore"):
                yield step, values if factor == 1.0 else values / factor

    def derive_again(self, assumed: Values, wanted: Set[str], kept: dict[str, tuple[Array, Varying]]) -> Values:
        """As `derive`, of what is not computed already.

        Parameters
        ----------
        assumed : mapping of assumption to array
        wanted : set of str
        kept : dict
            Quantities that are computed already on the same draws, in base units, with what they vary over; those
            that are computed now are added.
        """
        steps = [step for step in self.steps if step.equation.name in wanted]
        base = {**{name: values for name, (values, _) in kept.items()}, **self.to_base(assumed)}
        varying = {**self.varying, **{name: own for name, (_, own) in kept.items()}}
        base, found = evaluate([s for s in steps if s.equation.name not in kept], base, self.layout, varying)
        names = [step.equation.name for step in steps]
        kept.update({name: (base[name], found[name]) for name in names})
        with np.errstate(all="ignore"):
            return {
                name: base[name] if self.factors[name] == 1.0 else base[name] / self.factors[name] for name in names
            }


def segments(start: int, stop: int, draws: int) -> Iterator[tuple[int, int, int]]:
    """Split a range of the flat index into (chain, first draw, last draw)."""
    while start < stop:
        chain, first = divmod(start, draws)
        last = min(draws, first + stop - start)
        yield chain, first, last
        start += last - first


def bare_run(made: Equation, base: Mapping[str, Array], layout: Layout) -> Array:
    """Run an equation on bare arrays with all axes, in base units."""
    size = max((base[name].shape[-1] for name in made.inputs if name in base), default=1)
    inputs = {n: _along(base[n], size) if n in base else float(made.constants[n]) for n in made.inputs}
    result = np.asarray(computed(made, inputs), dtype=np.float64)
    return result if result.ndim else result.reshape([1] * (len(layout.dims) + 1))


def _along(values: Array, draws: int) -> Array:
    """Values with as many draws as others have, but for single numbers.

    numpy squares where one exponent of 2 stands for a row of draws, and takes a power where it copied the exponents,
    which hangs on how long a block is: the last bit would, too.
    """
    if values.shape[-1] == draws or values.size == 1:
        return values
    repeated = values.repeat(draws, axis=-1)
    repeated.flags.writeable = False
    return repeated


def labelled_run(
    made: Equation, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying]
) -> tuple[Array, Varying]:
    """Run an equation on DataArrays, in base units, and bring the result back to all axes."""
    # A single draw is run twice over: numpy adds along years in another order when the draw axis has length 1,
    # and the last bits of a sum would depend on where blocks end.
    drawn = [name for name in made.inputs if name in base and varying[name].random]
    lone = bool(drawn) and all(base[name].shape[-1] == 1 for name in drawn)
    inputs = {
        name: layout.label(
            base[name].repeat(2, axis=-1) if lone and varying[name].random else base[name], varying[name]
        )
        if name in base
        else float(made.constants[name])
        for name in made.inputs
    }
    result = computed(made, inputs)
    if not is_labelled(result):
        value = np.asarray(result, dtype=np.float64)
        if value.ndim:
            raise LostLabelsError(
                f"equation '{made.name}' returns a bare array of shape {value.shape} from labelled inputs; "
                "use xr.where and ufuncs, which keep the labels"
            )
        return value.reshape([1] * (len(layout.dims) + 1)), Varying(frozenset(), False)
    dims = _checked_dims(made, result, layout)
    result = _by_label(made, result, dims, layout)
    random = "draw" in result.dims
    if lone and random:
        result = result.isel(draw=slice(1))
    values = np.asarray(result.transpose(*dims, *(("draw",) if random else ())).values, dtype=np.float64)
    return layout.spread(values if random else values[..., None], dims), Varying(frozenset(dims), random)


def _checked_dims(made: Equation, result: xr.DataArray, layout: Layout) -> list[str]:
    """Dims of a result, in the order of the layout."""
    unknown = [dim for dim in result.dims if dim not in (*layout.dims, "draw")]
    if unknown:
        raise EquationError(
            f"equation '{made.name}' makes a new dim {unknown[0]!r}; declare it, "
            f"@ds.equation(..., dims={{{unknown[0]!r}: [...]}}), or give an assumption that has it"
        )
    dims = [dim for dim in layout.dims if dim in result.dims]
    for dim in dims:
        if result.sizes[dim] != layout.size(dim):
            raise EquationError(
                f"equation '{made.name}' returns {result.sizes[dim]} values along '{dim}', which has {layout.size(dim)}"
            )
    return dims


def _by_label(made: Equation, result: xr.DataArray, dims: Sequence[str], layout: Layout) -> xr.DataArray:
    """A result with its values in the order of the layout's labels, as it says itself which value has which."""
    for dim in dims:
        # What has lost its labels along a dim stands in their order.
        if dim not in result.coords:
            continue
        own, labels = result.coords[dim].values.tolist(), list(layout.coords[dim])
        ours = np.asarray(labels).tolist()
        if own == ours:
            continue
        if sorted(map(str, own)) != sorted(map(str, ours)):
            raise EquationError(
                f"equation '{made.name}' returns values for other labels along '{dim}' ({_first(own)}) than there are "
                f"({_first(ours)}); to move values to other labels, write x.shift({dim}=1)",
                made.name,
            )
        result = result.isel({dim: [own.index(label) for label in ours]})
    return result


def _first(labels: Sequence[Any]) -> str:
    """The first labels of a dim."""
    return ", ".join(map(str, labels[:4])) + (", ..." if len(labels) > 4 else "")


class LostLabelsError(EquationError):
    """The result of a labelled run has no labels, as that of np.where."""
