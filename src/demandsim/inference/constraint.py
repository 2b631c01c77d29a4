"""Constraint: an event that is known to have happened, and how far a draw is from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import is_labelled
from demandsim.errors import EvidenceError, UnknownNameError, did_you_mean
from demandsim.graph.graph import Graph
from demandsim.inference.evidence import Happened
from demandsim.inference.term import Agreement, Term, Values
from demandsim.sampling.program import Layout, Program
from demandsim.statistics.event import Event
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["happening"]

#: Draws that tell the scale of a comparison; the least shortfall of what did not happen, in that scale.
_TRIAL, _LEAST = 1024, 1e-12


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


def happening(piece: Happened, program: Program, graph: Graph, units: Mapping[str, str]) -> Term:
    """Compile an event against a program; `units` are those in which quantities are declared."""
    if not isinstance(piece.event, Event):
        return _function(piece, program, graph)
    event = piece.event.in_units(units, piece.unit)
    scales = _scales(event, program, graph, units)

    def value(values: Values, layout: Layout) -> Agreement:
        return _for_all(_shortfall(event, values, units, scales), layout)

    dims = frozenset().union(*(program.varying[name].dims for name in event.names))
    return Term(str(piece), event.names, dims.intersection(program.layout.scenario_dims), value)


def _for_all(shortfall: Array, layout: Layout) -> Agreement:
    """Zero where the event happens at every label of the model's own dims; NaN stays."""
    inner = tuple(range(len(layout.scenario_dims), shortfall.ndim - 1))
    worst = np.asarray(shortfall.max(axis=inner))
    return Agreement(np.where(np.isnan(worst), np.nan, 0.0), worst)


def _shortfall(event: Event, values: Values, units: Mapping[str, str], scales: Mapping[Event, float]) -> Array:
    """How far an event is from happening; exactly 0 where it happens, and NaN where a quantity is no number."""
    if event.word == "and":
        return functools.reduce(np.maximum, [_shortfall(one, values, units, scales) for one in event.parts])
    if event.word == "or":
        return functools.reduce(np.minimum, [_shortfall(one, values, units, scales) for one in event.parts])
    happens = event.chance(values, units)
    if event.word == "not":
        (inner,) = event.parts
        if inner.word in ("and", "or"):
            # Not (a and b) is not a or not b.
            word = "or" if inner.word == "and" else "and"
            return _shortfall(Event(word, tuple(Event("not", (one,)) for one in inner.parts)), values, units, scales)
        if inner.word == "not":
            return _shortfall(inner.parts[0], values, units, scales)
        event = inner
    missed = np.abs(_gap(event, values, units)) / scales[event]
    # What misses a strict bound by nothing, or lies beyond it by rounding, has not happened.
    return np.where(happens == 1.0, 0.0, np.where(np.isnan(happens), np.nan, np.maximum(missed, _LEAST)))


def _gap(event: Event, values: Values, units: Mapping[str, str]) -> Array:
    """Left side of a comparison less its right side, in the unit of the left."""
    left, right = (values[term] if isinstance(term, str) else term for term in event.parts)
    if event.simple is None:
        right = right * conversion_factor(units[event.parts[1]], units[event.parts[0]])
    return np.asarray(left - right, dtype=np.float64)


def _scales(event: Event, program: Program, graph: Graph, units: Mapping[str, str]) -> dict[Event, float]:
    """Spread of both sides' difference over draws of the prior, for every comparison."""
    needed = set(graph.ancestors(event.names))
    assumed = program.assume(program.grades("latin_hypercube", 0, 0, _TRIAL, _TRIAL), _TRIAL, needed)
    values = {**assumed, **program.derive(assumed, needed)}
    scales = {}
    with np.errstate(all="ignore"):
        for one in event.comparisons:
            gap = _gap(one, values, units)
            low, high = np.nanquantile(gap[np.isfinite(gap)], [0.16, 0.84]) if np.isfinite(gap).any() else (0.0, 0.0)
            scales[one] = float(high - low) / 2 or float(np.nanmax(np.abs(gap), initial=0.0)) or 1.0
    return scales


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

    def value(values: Values, layout: Layout) -> Agreement:
        found = event(_Seen(values, program, layout))
        ordered = found.transpose(*(dim for dim in layout.dims if dim in found.dims), "draw").values
        missed = layout.spread(np.where(ordered, 0.0, 1.0), [dim for dim in layout.dims if dim in found.dims])
        # A function does not tell by how much it fails: no step is easier than the whole.
        soft = np.where(_for_all(missed, layout).shortfall > 0, -np.inf, 0.0)
        return Agreement(soft, np.zeros_like(soft))

    worlds = frozenset(dim for dim in program.layout.scenario_dims if dim in tried.dims)
    return Term(str(piece), tuple(trial.names), worlds, value)
