"""Compilation: lay out the axes, give every random element its stream, try every equation once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from demandsim.assumptions import Assumption
from demandsim.copula import gaussian_copula
from demandsim.designs import Stream
from demandsim.distributions.law import Distribution, is_labelled
from demandsim.distributions.wording import labels_along
from demandsim.errors import CorrelationError, EquationError, ScenarioError
from demandsim.graph import Equation, Graph
from demandsim.scenarios import Scenarios
from demandsim.simulation import (
    Array,
    Layout,
    LostLabelsError,
    Program,
    Sampler,
    Step,
    Varying,
    bare_run,
    labelled_run,
)
from demandsim.units import base_factor

__all__ = ["compile_program"]

#: Scores at which a new model's equations are tried, together and each alone: in no order, nor when rolled, so
#: that sorting is noticed.
_PROBES = np.array([0.5, 0.31, 0.77, 0.42])


def compile_program(
    graph: Graph,
    assumptions: Mapping[str, Assumption],
    *,
    scenarios: Scenarios,
    correlations: Mapping[tuple[str, str], float],
    dimensions: Sequence[str],
    nearest: bool = False,
) -> Program:
    """Lay out the axes, give every random element its stream, and try the equations once.

    Parameters
    ----------
    graph : Graph
    assumptions : mapping of str to Assumption
    scenarios : Scenarios
    correlations : mapping of (name, name) to float
        Spearman rank correlations.
    dimensions : sequence of str
        Assumptions in the order in which they take dimensions of a low-discrepancy sequence.
    nearest : bool
        Accept the nearest possible correlations.

    Returns
    -------
    Program

    Raises
    ------
    EquationError
        If an equation mixes draws, drops labels or makes new dims.
    CorrelationError
        If the correlations are impossible.
    """
    layout = _layout(assumptions, scenarios)
    samplers, streams = _samplers(assumptions, scenarios, dimensions, layout)
    pairs = _stream_pairs(correlations, samplers, layout)
    copula, used = gaussian_copula([_label(stream) for stream in streams], pairs, nearest=nearest)
    factors = {name: base_factor(made.unit) for name, made in graph.equations.items()}
    trial = Program(layout, samplers, streams, copula, used, (), factors, {})
    steps, varying = _tried(trial, graph)
    return Program(layout, samplers, streams, copula, used, steps, factors, varying)


def _label(stream: Stream) -> str:
    return stream.name if not stream.element else f"{stream.name}[{stream.element}]"


def _layout(assumptions: Mapping[str, Assumption], scenarios: Scenarios) -> Layout:
    coords: dict[str, tuple[Any, ...]] = {}
    first: dict[str, str] = {}
    for name in sorted(assumptions):
        for variant in scenarios.variants(name, assumptions[name]):
            labelled = [variant.distribution.coords]
            if is_labelled(variant.point):
                labelled.append({dim: labels_along(variant.point, dim) for dim in variant.point.dims})
            for dim, labels in itertools.chain.from_iterable(found.items() for found in labelled):
                if coords.setdefault(dim, tuple(labels)) != tuple(labels):
                    raise ScenarioError(
                        f"assumptions '{first[dim]}' and '{name}' disagree about the labels of '{dim}': "
                        f"{list(coords[dim])} and {list(labels)}"
                    )
                first.setdefault(dim, name)
    for dim in coords:
        if dim in ("chain", "draw", "statistic") or dim in scenarios.dims:
            raise ScenarioError(f"assumption '{first[dim]}' has a dim '{dim}', a name that is reserved")
    model_dims = tuple(sorted(coords))
    return Layout(scenarios.dims, model_dims, {**coords, **scenarios.coords})


def _samplers(
    assumptions: Mapping[str, Assumption], scenarios: Scenarios, dimensions: Sequence[str], layout: Layout
) -> tuple[dict[str, Sampler], tuple[Stream, ...]]:
    made: dict[str, Sampler] = {}
    streams: list[Stream] = []
    for name in dimensions:
        variants = tuple(variant.distribution for variant in scenarios.variants(name, assumptions[name]))
        dims = tuple(dim for dim in layout.model_dims if any(dim in variant.dims for variant in variants))
        for variant in variants:
            if variant.dims and set(variant.dims) != set(dims):
                raise ScenarioError(f"scenarios give assumption '{name}' different dims: {variant.dims} and {dims}")
        variants = tuple(_reordered(variant, dims) for variant in variants)
        count = 1 if assumptions[name].shared else math.prod(layout.size(dim) for dim in dims)
        own = tuple(range(len(streams), len(streams) + count))
        streams.extend(Stream(name, element, own[element]) for element in range(count))
        made[name] = Sampler(variants, scenarios.dim_of(name), dims, own, base_factor(assumptions[name].unit))
    return {name: made[name] for name in assumptions}, tuple(streams)


def _reordered(variant: Distribution, dims: tuple[str, ...]) -> Distribution:
    """The same distribution with its elements in the order of the layout's dims."""
    if not variant.dims or variant.dims == dims:
        return variant
    order = np.arange(len(variant.laws)).reshape(variant.shape)
    places = order.transpose([variant.dims.index(dim) for dim in dims]).ravel()
    laws = tuple(variant.laws[place] for place in places)
    return Distribution(variant.family, variant.said, laws, dims, variant.coords)


def _stream_pairs(
    correlations: Mapping[tuple[str, str], float], samplers: Mapping[str, Sampler], layout: Layout
) -> dict[tuple[int, int], float]:
    """Spread correlations of assumptions over their elements: equal labels go together."""
    pairs: dict[tuple[int, int], float] = {}
    for (one, other), rho in correlations.items():
        first, second = samplers[one], samplers[other]
        for a, b in itertools.product(_elements(first, layout), _elements(second, layout)):
            if all(a[1][dim] == b[1][dim] for dim in a[1].keys() & b[1].keys()):
                pair = (min(a[0], b[0]), max(a[0], b[0]))
                if pairs.setdefault(pair, rho) != rho:
                    raise CorrelationError(f"'{one}' and '{other}' are given two correlations")
    return pairs


def _elements(sampler: Sampler, layout: Layout) -> list[tuple[int, dict[str, int]]]:
    if len(sampler.streams) == 1:
        return [(sampler.streams[0], {})]
    places = itertools.product(*(range(layout.size(dim)) for dim in sampler.dims))
    return [
        (stream, dict(zip(sampler.dims, place, strict=True)))
        for stream, place in zip(sampler.streams, places, strict=True)
    ]


def _tried(trial: Program, graph: Graph) -> tuple[tuple[Step, ...], dict[str, Varying]]:
    """Run every equation on a few draws, labelled and bare, together and alone."""
    layout = trial.layout
    # Streams differ from each other, so that no accidental symmetry hides a mistake.
    assumed = trial.assume(lambda stream: np.roll(_PROBES, stream), len(_PROBES))
    base = {name: trial.samplers[name].to_base(values) for name, values in assumed.items()}
    for values in base.values():
        values.flags.writeable = False
    varying = {name: sampler.varying for name, sampler in trial.samplers.items()}
    steps = []
    with np.errstate(all="ignore"):
        for name in graph.order:
            made = graph.equations[name]
            bare, bare_varying = _bare_try(made, base, layout, varying)
            try:
                result, found = labelled_run(made, base, layout, varying)
            except LostLabelsError:
                if bare is None:
                    raise
                result, found = bare, bare_varying
            same = bare is not None and bare_varying == found and np.array_equal(bare, result, equal_nan=True)
            varying[name] = found
            steps.append(Step(made, elementwise=same))
            _check_draws_apart(steps[-1], base, layout, varying, result)
            result.flags.writeable = False
            base[name] = result
    return tuple(steps), varying


def _bare_try(
    made: Equation, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying]
) -> tuple[Array | None, Varying]:
    """The result on bare arrays, if there is one that has the shape of an elementwise result."""
    inputs = [name for name in made.inputs if name in base]
    found = Varying.union([varying[name] for name in inputs])
    try:
        result = bare_run(made, base, layout)
    except Exception:
        # Whatever it was, the labelled run will say it with the names of the dims.
        return None, found
    shape = np.broadcast_shapes(*(base[name].shape for name in inputs), (1,) * (len(layout.dims) + 1))
    return (result if result.shape == shape else None), found


def _check_draws_apart(
    step: Step, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying], together: Array
) -> None:
    """Every draw must be computed from itself alone, or blocks and chains would leak into results."""
    for place in range(len(_PROBES)):
        alone = {n: v[..., place : place + 1] if varying[n].random else v for n, v in base.items()}
        if step.elementwise:
            single = bare_run(step.equation, alone, layout)
        else:
            single = labelled_run(step.equation, alone, layout, varying)[0]
        expected = together[..., place : place + 1] if together.shape[-1] > 1 else together
        # Not to the last bit: a sum over many years may round otherwise for one draw than for several.
        if single.shape != expected.shape or not np.allclose(
            single, expected, rtol=1e-9, atol=1e-9 * _typical(together), equal_nan=True
        ):
            raise EquationError(
                f"equation '{step.equation.name}' mixes draws: its value for one draw depends on the others; "
                "name the dim to reduce, as in x.sum('year')"
            )


def _typical(values: Array) -> float:
    """Largest finite size of the values: what a difference between them is measured against."""
    sizes = np.abs(values[np.isfinite(values)])
    return float(sizes.max()) if sizes.size else 0.0
