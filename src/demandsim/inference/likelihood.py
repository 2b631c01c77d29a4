r"""Likelihood: how well each draw agrees with the evidence, in logarithms.

An observation gives the density of its distribution at the draw's value, in its unit. For families that are
natural on the log scale (lognormal, loguniform) it is the density of the logarithm,

.. math:: \ell(q) = \log f(q) + \log q,

since a measurement that errs by a factor has, as a function of the true value q, no term :math:`1 / q`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law
from demandsim.graph.graph import Graph
from demandsim.inference.constraint import happening
from demandsim.inference.evidence import Evidence, Observation
from demandsim.inference.term import Agreement, Element, Term, Values
from demandsim.sampling.program import Layout, Program
from demandsim.units.convert import conversion_factor

__all__ = ["Likelihood", "compiled", "heavy_tailed", "on_log_scale"]

_LOG_FAMILIES = ("lognormal", "loguniform")
#: Spreads from the median at which tails are looked at: here, and twice as far.
_FAR = 20.0
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

    def __call__(self, values: Values, layout: Layout, draws: int) -> Agreement:
        """Agreement of every draw, shape (worlds, draws)."""
        shape = [layout.size(dim) if dim in self.world_dims else 1 for dim in layout.scenario_dims]
        soft, shortfall = np.zeros((*shape, draws)), np.zeros((*shape, draws))
        with np.errstate(all="ignore"):
            for term in self.terms:
                found = term.value(values, layout)
                soft, shortfall = soft + found.soft, shortfall + found.shortfall
        return Agreement(soft.reshape(-1, draws), shortfall.reshape(-1, draws))

    def worlds(self, layout: Layout) -> list[dict[str, Any]]:
        """Scenario of each world."""
        sets = itertools.product(*(layout.coords[dim] for dim in self.world_dims))
        return [dict(zip(self.world_dims, labels, strict=True)) for labels in sets]


def compiled(evidence: Sequence[Evidence], program: Program, graph: Graph, units: Mapping[str, str]) -> Likelihood:
    """Compile evidence against a program; `units` are those in which quantities are declared."""
    terms = tuple(
        _observation(piece, program, units)
        if isinstance(piece, Observation)
        else happening(piece, program, graph, units)
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

    def read(element: Element, values: Values, layout: Layout) -> Array:
        found = _at_labels(values[name], element.labels, layout)
        return found if factor == 1.0 else found * factor

    def value(values: Values, layout: Layout) -> Agreement:
        sizes = zip(layout.scenario_dims, values[name].shape, strict=False)
        shape = [layout.size(dim) if dim in distribution.dims else size for dim, size in sizes]
        soft, shortfall = (np.zeros((*shape, values[name].shape[-1])) for _ in range(2))
        for element in elements:
            where = _in_scenarios(element.labels, layout)
            # In a world of its own, evidence about another scenario says nothing.
            if where is not None:
                x = read(element, values, layout)
                nearest, missed = _within(element.law, x)
                soft[where] += log_density(element.law, nearest, log)
                shortfall[where] += missed
        return Agreement(soft, shortfall)

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


def heavy_tailed(term: Term) -> bool:
    """Tell whether evidence far off is believed almost as much as evidence farther off, as a Student's t does.

    Then prior and evidence may both be right, with draws near the one, near the other, and between.
    """
    for element in term.elements:
        low, middle, high = element.law.ppf(np.array([0.16, 0.5, 0.84]))
        with np.errstate(all="ignore"):
            ends = np.log([low, middle, high]) if term.log else np.array([low, middle, high])
            for side in (ends[0] - ends[1], ends[2] - ends[1]):
                x = ends[1] + side * np.array([_FAR, 2 * _FAR])
                near, far = log_density(element.law, np.exp(x) if term.log else x, term.log)
                # Under an exponential tail the difference is as large as the distance; under a normal one, far larger.
                if near - far < 0.8 * _FAR:
                    return True
    return False


def _within(law: Law, x: Array) -> tuple[Array, Array]:
    """The nearest values that a law allows, and how far they are, in its own spread."""
    low, high = law.support()
    if not (low < high and (math.isfinite(low) or math.isfinite(high))):
        return x, np.zeros_like(x)
    ends = law.ppf(np.array([0.16, 0.84]))
    # A density may be 0 at the bound itself; NaN stays.
    edge = 1e-9 * float(ends[1] - ends[0])
    nearest = np.where(x < low, low + edge, np.where(x > high, high - edge, x))
    return nearest, np.abs(x - nearest) * np.where(x == nearest, 0.0, 2.0 / float(ends[1] - ends[0]))


def log_density(law: Law, x: Array, log: bool) -> Array:
    """Logarithm of the density at `x`, or of that of the logarithm; -inf outside of the support."""
    found = np.reshape(law.logpdf(x.ravel()), x.shape)
    if log:
        found = np.where(x > 0, found + np.log(np.where(x > 0, x, 1.0)), -np.inf)
    # A pole of a density, as a beta has it at 0, would outweigh everything else.
    return np.where(found == np.inf, np.nan, found)
