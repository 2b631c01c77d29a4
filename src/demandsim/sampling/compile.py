"""Compilation: lay out the axes, give every random element its stream, have every equation tried once."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from demandsim._system import keep_freed_memory
from demandsim.distributions.base import Distribution, is_labelled
from demandsim.distributions.format import labels_along
from demandsim.errors import DistributionError, EquationError, ScenarioError, check_known
from demandsim.graph.assumption import Assumption
from demandsim.graph.graph import Graph
from demandsim.graph.scenario import RESERVED, Scenarios
from demandsim.sampling.dependence import Ties, copula_of
from demandsim.sampling.program import InverseTransform, Layout, Program
from demandsim.sampling.qmc import Stream
from demandsim.sampling.trials import already_tried, tried
from demandsim.units.convert import base_factor

__all__ = ["compile_program", "dimension_order", "draft_program"]


def dimension_order(
    graph: Graph, assumptions: Mapping[str, Assumption], given: Sequence[str] | None
) -> tuple[str, ...]:
    """What has a dimension keeps it; what is new takes the next.

    The first dimensions of a Sobol' sequence are the most even together, so they go to what is used
    and wide; the name settles the rest, so that the order in which they were given does not matter.
    """
    if given is not None:
        check_known(given, assumptions, "assumption in dimensions:")
    kept = list(dict.fromkeys(given or ()))
    names = [name for name in assumptions if name not in kept]
    used = graph.ancestors(graph.equations) if names else set()
    new = sorted(
        names,
        key=lambda name: (name not in used, -_relative_spread(assumptions[name]), name),
    )
    return (*kept, *new)


def _relative_spread(assumption: Assumption) -> float:
    low, middle, high = assumption.distribution.laws[0].ppf(np.array([0.05, 0.5, 0.95])).tolist()
    # Rounded, so that the last bits of another platform do not change the order.
    return round(float((high - low) / (abs(middle) or 1.0)), 6)


def draft_program(
    assumptions: Mapping[str, Assumption],
    scenarios: Scenarios,
    ties: Ties,
    *,
    dimensions: Sequence[str],
    made_dims: Mapping[str, Mapping[str, Sequence[Any]]] | None = None,
) -> Program:
    """Lay out the axes and give every random element its stream: a program without equations.

    Parameters
    ----------
    assumptions : mapping of str to Assumption
    scenarios : Scenarios
    ties : Ties
        How they go together.
    dimensions : sequence of str
        Assumptions in the order in which they take dimensions of a low-discrepancy sequence.
    made_dims : mapping of equation to (dim to labels), optional
        Dims that equations make.

    Raises
    ------
    CorrelationError
        If the correlations are impossible.
    ScenarioError
        If labels of a dim differ, or a dim has a name that is reserved.
    """
    keep_freed_memory()
    layout = _layout(assumptions, scenarios, made_dims or {})
    transforms, streams = _transforms(assumptions, scenarios, dimensions, layout)
    copula, used = copula_of(ties, transforms, layout)
    return Program(layout, transforms, streams, copula, used, (), {}, {})


def compile_program(draft: Program, graph: Graph, before: Program | None = None) -> Program:
    """Give a draft its equations, each tried once.

    Parameters
    ----------
    draft : Program
    graph : Graph
    before : Program, optional
        Of a model that this one differs from; its trials are taken over where they would be the same.

    Raises
    ------
    EquationError
        If an equation mixes draws, drops labels or makes new dims, or a quantity is called like a dim.
    """
    taken = {*RESERVED, *draft.layout.dims}
    for name in (*draft.transforms, *graph.equations):
        if name in taken:
            raise EquationError(
                f"a quantity cannot be called '{name}', which is a dim of the draws; rename one of them"
            )
    if before is not None and already_tried(before, draft, graph):
        return dataclasses.replace(draft, steps=before.steps, factors=before.factors, varying=before.varying)
    steps, varying = tried(draft, graph)
    factors = {name: base_factor(made.unit) for name, made in graph.equations.items()}
    limited = tuple(
        dataclasses.replace(step, limits=made.bounds.scaled(factors[made.name]).roomy()) if made.bounds else step
        for step, made in ((step, step.equation) for step in steps)
    )
    return dataclasses.replace(draft, steps=limited, factors=factors, varying=varying)


def _layout(
    assumptions: Mapping[str, Assumption], scenarios: Scenarios, made_dims: Mapping[str, Mapping[str, Sequence[Any]]]
) -> Layout:
    coords: dict[str, tuple[Any, ...]] = {}
    first: dict[str, str] = {}
    assumed = (
        (f"'{name}'", found)
        for name in sorted(assumptions)
        for found in _labelled(scenarios.variants(name, assumptions[name]))
    )
    computed = ((f"'{name}'", found) for name, found in sorted(made_dims.items()))
    for owner, found in itertools.chain(assumed, computed):
        for dim, labels in found.items():
            if coords.setdefault(dim, tuple(labels)) != tuple(labels):
                raise ScenarioError(
                    f"{first[dim]} and {owner} disagree about the labels of '{dim}': "
                    f"{list(coords[dim])} and {list(labels)}"
                )
            first.setdefault(dim, owner)
    for dim in coords:
        if dim in RESERVED or dim in scenarios.dims:
            raise ScenarioError(f"{first[dim]} has a dim '{dim}', a name that is reserved")
    model_dims = tuple(sorted(coords))
    return Layout(scenarios.dims, model_dims, {**coords, **scenarios.coords})


def _labelled(variants: Iterable[Assumption]) -> Iterator[Mapping[str, Sequence[Any]]]:
    """Labels of every distribution and point."""
    for variant in variants:
        yield variant.distribution.coords
        if is_labelled(variant.point):
            yield {dim: labels_along(variant.point, dim) for dim in variant.point.dims}


def _transforms(
    assumptions: Mapping[str, Assumption], scenarios: Scenarios, dimensions: Sequence[str], layout: Layout
) -> tuple[dict[str, InverseTransform], tuple[Stream, ...]]:
    made: dict[str, InverseTransform] = {}
    streams: list[Stream] = []
    for name in dimensions:
        variants = tuple(variant.distribution for variant in scenarios.variants(name, assumptions[name]))
        dims = tuple(dim for dim in layout.model_dims if any(dim in variant.dims for variant in variants))
        for variant in variants:
            if variant.dims and set(variant.dims) != set(dims):
                raise ScenarioError(f"scenarios give assumption '{name}' different dims: {variant.dims} and {dims}")
            if variant.wholes and assumptions[name].shared:
                raise DistributionError(
                    f"assumption '{name}' is shares of a whole, and its labels are drawn together anyway; leave out "
                    "shared=True (and a dim along which the shares are the same)"
                )
        variants = tuple(_reordered(variant, dims) for variant in variants)
        count = 1 if assumptions[name].shared else math.prod(layout.size(dim) for dim in dims)
        own = tuple(range(len(streams), len(streams) + count))
        streams.extend(Stream(name, element, own[element]) for element in range(count))
        made[name] = InverseTransform(variants, scenarios.dim_of(name), dims, own, base_factor(assumptions[name].unit))
    return {name: made[name] for name in assumptions}, tuple(streams)


def _reordered(variant: Distribution, dims: tuple[str, ...]) -> Distribution:
    """The same distribution with its elements in the order of the layout's dims."""
    if not variant.dims or variant.dims == dims:
        return variant
    order = np.arange(len(variant.laws)).reshape(variant.shape)
    places = order.transpose([variant.dims.index(dim) for dim in dims]).ravel()
    laws = tuple(variant.laws[place] for place in places)
    now = np.argsort(places)
    wholes = tuple(
        dataclasses.replace(whole, places=tuple(now[list(whole.places)].tolist())) for whole in variant.wholes
    )
    return Distribution(variant.family, variant.said, laws, dims, variant.coords, wholes)
