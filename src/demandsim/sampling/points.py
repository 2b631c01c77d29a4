"""Point values: the published points of all assumptions, as a program takes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from demandsim.distributions.base import is_labelled
from demandsim.errors import BoundsError
from demandsim.graph.assumption import Assumption
from demandsim.graph.scenario import Scenarios
from demandsim.sampling.program import Program, Values

__all__ = ["point_values", "possible_results"]


def point_values(program: Program, assumptions: Mapping[str, Assumption], scenarios: Scenarios) -> Values:
    """Return the point of every assumption, in its unit, with all axes of the layout and one draw."""
    layout = program.layout
    values = {}
    for name, transform in program.transforms.items():
        variants = list(scenarios.variants(name, assumptions[name]))
        shape = tuple(layout.size(dim) for dim in transform.dims)
        rows = [_one_point(variant, transform.dims, shape) for variant in variants]
        dims = ((transform.scenario_dim,) if transform.scenario_dim else ()) + transform.dims
        stacked = np.stack(rows) if transform.scenario_dim else rows[0]
        values[name] = layout.spread(stacked[..., None], dims)
    return values


def possible_results(program: Program, points: Values) -> Values:
    """Compute the results at the points, in their units.

    Raises
    ------
    BoundsError
        If one is outside the bounds of its quantity.
    """
    results = program.unbounded().derive(points)
    for made in (step.equation for step in program.steps):
        if made.bounds is None:
            continue
        for value in results[made.name].flat:
            if not (math.isnan(value) or made.bounds.holds(value)):
                unit = "" if made.unit == "1" else f" {made.unit}"
                raise BoundsError(f"'{made.name}' is {value:g}{unit} at the points, {made.bounds.passed(value)}")
    return results


def _one_point(variant: Assumption, dims: tuple[str, ...], shape: tuple[int, ...]) -> Any:
    point = variant.point
    if not is_labelled(point):
        return np.full(shape, float(point))
    missing = [dim for dim in dims if dim not in point.dims]
    ordered = point.transpose(*(dim for dim in dims if dim in point.dims)).values
    for axis, dim in enumerate(dims):
        if dim in missing:
            ordered = np.expand_dims(ordered, axis)
    return np.broadcast_to(ordered, shape)
