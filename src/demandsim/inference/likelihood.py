r"""Likelihood: how well each draw agrees with the evidence, in logarithms.

An observation gives the density of its distribution at the draw's value, in its unit. For families that are
natural on the log scale (lognormal, loguniform) it is the density of the logarithm,

.. math:: \ell(q) = \log f(q) + \log q,

since a measurement that errs by a factor has, as a function of the true value q, no term :math:`1 / q`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law, is_labelled
from demandsim.errors import EvidenceError, UnknownNameError, did_you_mean
from demandsim.graph.graph import Graph
from demandsim.inference.evidence import Evidence, Happened, Observation
from demandsim.sampling.program import Layout, Program
from demandsim.statistics.event import Event
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Element", "Likelihood", "Term", "compiled", "on_log_scale"]

_LOG_FAMILIES = ("lognormal", "loguniform")
_LOG_SCIPY = ("lognorm", "loguniform", "reciprocal", "LogUniform")


def on_log_scale(distribution: Distribution) -> bool:
    """Tell whether a distribution is natural on the log scale, as all parts of a compound one must be.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> on_log_scale(dist.lognormal(1, 2)), on_log_scale(dist.normal(1, 2))
    (True, False)
    """
    if distribution.family == "scipy":
        return distribution.said[0][1] in _LOG_SCIPY
    parts = distribution.parts
    return distribution.family in _LOG_FAMILIES or (bool(parts) and all(map(on_log_scale, parts)))


@dataclass(frozen=True)
class Element:
    """One number that was observed: its law, and its labels."""

    law: Law
    labels: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Term:
    """One piece of evidence.

    Parameters
    ----------
    label : str
        The quantity, or the event in words.
    names : tuple of str
        Quantities that it is read from.
    worlds : frozenset of str
        Scenario dims over which it differs.
    value : callable
        From values with all axes and their layout to an array of shape (world dims, draws).
    elements : tuple of Element
        What an observation consists of; empty for an event.
    read : callable or None
        From an element, values and layout to the element's values, in the unit of the evidence, over scenario dims.
    log : bool
        On the log scale.
    """

    label: str
    names: tuple[str, ...]
    worlds: frozenset[str]
    value: Callable[[Mapping[str, Array], Layout], Array]
    elements: tuple[Element, ...] = ()
    read: Callable[[Element, Mapping[str, Array], Layout], Array] | None = None
    log: bool = False


@dataclass(frozen=True, eq=False)
class Likelihood:
    """All evidence together.

    Parameters
    ----------
    terms : tuple of Term
    world_dims : tuple of str
        Scenario dims over which the evidence differs: each combination is a world that is conditioned by itself.
    needed : frozenset of str
        Quantities that it is read from, and their ancestors.
    """

    terms: tuple[Term, ...]
    world_dims: tuple[str, ...]
    needed: frozenset[str]

    def __call__(self, values: Mapping[str, Array], layout: Layout, draws: int) -> Array:
        """Log-likelihood of every draw, shape (worlds, draws)."""
        shape = [layout.size(dim) if dim in self.world_dims else 1 for dim in layout.scenario_dims]
        total = np.zeros((*shape, draws))
        with np.errstate(all="ignore"):
            for term in self.terms:
                total = total + term.value(values, layout)
        return np.ascontiguousarray(np.broadcast_to(total, (*shape, draws))).reshape(-1, draws)

    def worlds(self, layout: Layout) -> list[dict[str, Any]]:
        """Scenario of each world."""
        sets = itertools.product(*(layout.coords[dim] for dim in self.world_dims))
        return [dict(zip(self.world_dims, labels, strict=True)) for labels in sets]


def compiled(evidence: Sequence[Evidence], program: Program, graph: Graph, units: Mapping[str, str]) -> Likelihood:
    """Compile evidence against a program; `units` are those in which quantities are declared."""
    terms = tuple(
        _observation(piece, program, units) if isinstance(piece, Observation) else _event(piece, program, graph, units)
        for piece in evidence
    )
    worlds = frozenset().union(*(term.worlds for term in terms))
    dims = tuple(dim for dim in program.layout.scenario_dims if dim in worlds)
    needed = frozenset(graph.ancestors(name for term in terms for name in term.names))
    return Likelihood(terms, dims, needed)


def _observation(piece: Observation, program: Program, units: Mapping[str, str]) -> Term:
    name, distribution = piece.quantity, piece.distribution
    factor, log = conversion_factor(units[name], piece.unit), on_log_scale(distribution)
    places = itertools.product(*(distribution.coords[dim] for dim in distribution.dims))
    elements = tuple(
        Element(law, dict(zip(distribution.dims, place, strict=True)))
        for law, place in zip(distribution.laws, places, strict=True)
    )

    def read(element: Element, values: Mapping[str, Array], layout: Layout) -> Array:
        found = _at_labels(values[name], element.labels, layout)
        return found if factor == 1.0 else found * factor

    def value(values: Mapping[str, Array], layout: Layout) -> Array:
        sizes = zip(layout.scenario_dims, values[name].shape, strict=False)
        shape = [layout.size(dim) if dim in distribution.dims else size for dim, size in sizes]
        out = np.zeros((*shape, values[name].shape[-1]))
        for element in elements:
            where = _in_scenarios(element.labels, layout)
            # In a world of its own, evidence about another scenario says nothing.
            if where is not None:
                out[where] += log_density(element.law, read(element, values, layout), log)
        return out

    own = program.varying[name].dims.union(distribution.dims)
    return Term(name, (name,), own.intersection(program.layout.scenario_dims), value, elements, read, log)


def _at_labels(array: Array, labels: Mapping[str, Any], layout: Layout) -> Array:
    """Values at some labels: without the model's own dims, of which those not named have one place."""
    where: list[Any] = []
    for dim, size in zip(layout.dims, array.shape, strict=False):
        place = layout.coords[dim].index(labels[dim]) if dim in labels and size > 1 else 0
        if dim not in layout.scenario_dims:
            where.append(place)
        else:
            where.append(slice(place, place + 1) if dim in labels else slice(None))
    found: Array = array[tuple(where)]
    return found


def _in_scenarios(labels: Mapping[str, Any], layout: Layout) -> tuple[slice, ...] | None:
    """Where labels lie on the scenario axes; None if they are of a scenario that is not there."""
    where = []
    for dim in layout.scenario_dims:
        if dim in labels and labels[dim] not in layout.coords[dim]:
            return None
        place = layout.coords[dim].index(labels[dim]) if dim in labels else 0
        where.append(slice(place, place + 1) if dim in labels else slice(None))
    return tuple(where)


def log_density(law: Law, x: Array, log: bool) -> Array:
    """Logarithm of the density at `x`, or of that of the logarithm; -inf outside of the support."""
    found = np.reshape(law.logpdf(x.ravel()), x.shape)
    if log:
        found = np.where(x > 0, found + np.log(np.where(x > 0, x, 1.0)), -np.inf)
    # A pole of a density, as a beta has it at 0, would outweigh everything else.
    return np.where(found == np.inf, np.nan, found)


class _Seen:
    """The draws as an event sees them, noting which quantities it looks at."""

    def __init__(self, values: Mapping[str, Array], program: Program, layout: Layout) -> None:
        self._values, self._program, self._layout = values, program, layout
        self.names: list[str] = []

    def __getitem__(self, name: str) -> xr.DataArray:
        if name not in self._values:
            raise UnknownNameError(f"unknown quantity in event: '{name}'{did_you_mean(name, self._values)}")
        if name not in self.names:
            self.names.append(name)
        return self._layout.label(self._values[name], self._program.varying[name])

    def __getattr__(self, name: str) -> xr.DataArray:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]


def _event(piece: Happened, program: Program, graph: Graph, units: Mapping[str, str]) -> Term:
    if not isinstance(piece.event, Event):
        return _function(piece, program, graph)
    event = piece.event.in_units(units, piece.unit)

    def value(values: Mapping[str, Array], layout: Layout) -> Array:
        return _for_all(event.chance(values, units), layout)

    dims = frozenset().union(*(program.varying[name].dims for name in event.names))
    return Term(str(piece), event.names, dims.intersection(program.layout.scenario_dims), value)


def _for_all(happens: Array, layout: Layout) -> Array:
    """Zero where the event happens at every label of the model's own dims, else -inf; NaN stays."""
    inner = tuple(range(len(layout.scenario_dims), happens.ndim - 1))
    return np.log(happens.min(axis=inner))


def _function(piece: Happened, program: Program, graph: Graph) -> Term:
    event = cast(Callable[..., Any], piece.event)
    everything = set(graph.ancestors([*program.transforms, *graph.order]))
    middle = program.assume(lambda stream: np.full(2, 0.5), 2, everything)
    trial = _Seen({**middle, **program.derive(middle, everything)}, program, program.layout)
    tried = event(trial)
    if not is_labelled(tried) or tried.dtype != bool or "draw" not in tried.dims:
        raise EvidenceError(
            f"event '{piece}' must return a bool DataArray over the draws, such as lambda d: d.gross_margin > 0"
        )

    def value(values: Mapping[str, Array], layout: Layout) -> Array:
        found = event(_Seen(values, program, layout))
        ordered = found.transpose(*(dim for dim in layout.dims if dim in found.dims), "draw").values.astype(float)
        return _for_all(layout.spread(ordered, [dim for dim in layout.dims if dim in found.dims]), layout)

    worlds = frozenset(dim for dim in program.layout.scenario_dims if dim in tried.dims)
    return Term(str(piece), tuple(trial.names), worlds, value)
