"""Unit check: the graph runs once on pint quantities, and every dimension must be as declared."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from demandsim.distributions.law import is_labelled
from demandsim.errors import DimensionError
from demandsim.graph import Equation, Graph
from demandsim.units import registry

__all__ = ["check_units"]

Quantities = dict[str, Any]


def check_units(graph: Graph, points: Mapping[str, Any], units: Mapping[str, str]) -> None:
    """Run the graph on quantities with units.

    Parameters
    ----------
    graph : Graph
    points : mapping of assumption to float or DataArray
        One value each, in base units.
    units : mapping of assumption to unit

    Raises
    ------
    DimensionError
        If an equation mixes dimensions, or returns another than it declares; the message names it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantities: Quantities = {name: _quantity(value, units[name]) for name, value in points.items()}
        for name in graph.order:
            made = graph.equations[name]
            inputs = _inputs(made, quantities)
            try:
                result = _run(made, inputs)
            except _Mismatch as mismatch:
                raise DimensionError(_message(made, inputs, str(mismatch)) + _hint(made, inputs)) from None
            quantities[name] = result


class _Mismatch(Exception):
    """What is wrong with the dimensions of one equation."""


def _quantity(value: Any, unit: str) -> Any:
    base = registry().Quantity(1.0, unit if unit != "1" else "").to_base_units().units
    if is_labelled(value):
        return value.copy(data=registry().Quantity(np.asarray(value.values, dtype=np.float64), base))
    return registry().Quantity(float(value), base)


def _inputs(made: Equation, quantities: Quantities) -> Quantities:
    return {
        name: quantities[name]
        if name in quantities
        else _quantity(float(made.constants[name]), made.constants[name].unit)
        for name in made.inputs
    }


def _bare(result: Any) -> Any:
    """The pint quantity inside a result, or the number that has lost its unit."""
    data = getattr(result, "data", result) if is_labelled(result) else result
    return data if hasattr(data, "dimensionality") else registry().Quantity(data, "")


def _run(made: Equation, inputs: Quantities) -> Any:
    import pint

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A stripped unit would pass for a number: numpy functions must see the quantity.
        warnings.simplefilter("error", pint.UnitStrippedWarning)
        try:
            result = made.function(**inputs)
        except pint.DimensionalityError as error:
            raise _Mismatch(f"combines {_pretty(error.units1)} with {_pretty(error.units2)}") from None
        except pint.UnitStrippedWarning:
            raise _Mismatch(
                "drops the units of its inputs; use xr.where and ufuncs, which keep labels and units"
            ) from None
        except pint.errors.OffsetUnitCalculusError as error:
            raise _Mismatch(str(error)) from None
    found = _bare(result)
    declared = registry().Quantity(1.0, "" if made.unit == "1" else made.unit)
    if found.dimensionality != declared.dimensionality:
        raise _Mismatch(f"declares unit '{made.unit}' but returns '{_pretty(found.units)}'")
    return result


def _pretty(units: Any) -> str:
    text = format(registry().Unit(units), "C") if not isinstance(units, str) else units
    return "1" if text in ("", "dimensionless") else text.replace("**", "^")


def _message(made: Equation, inputs: Quantities, what: str) -> str:
    named = {name: _pretty(_bare(value).units) for name, value in inputs.items()}
    formula = made.formula
    for name, unit in named.items():
        formula = re.sub(rf"\b{name}\b(?! \[)", f"{name} [{unit}]", formula, count=1)
    return f"equation '{made.name}' {what}: {formula}."


def _hint(made: Equation, inputs: Quantities) -> str:
    """Try whether one input in another unit would mend it: the commonest slip."""
    try:
        returned = _bare(made.function(**inputs))
    except Exception:
        return _hint_by_neighbours(made, inputs)
    declared = registry().Quantity(1.0, "" if made.unit == "1" else made.unit)
    ratio = (declared / registry().Quantity(1.0, returned.units)).to_base_units().units
    for power in (1, -1):
        for name, value in inputs.items():
            if name not in made.constants and _mends(made, inputs, name, _bare(value).units * ratio**power):
                return f" Did you mean {name} in {_pretty(_bare(value).units * ratio**power)}?"
    return ""


def _hint_by_neighbours(made: Equation, inputs: Quantities) -> str:
    for name in inputs:
        for other in inputs.values():
            if name not in made.constants and _mends(made, inputs, name, _bare(other).units):
                return f" Did you mean {name} in {_pretty(_bare(other).units)}?"
    return ""


def _mends(made: Equation, inputs: Quantities, name: str, units: Any) -> bool:
    value = inputs[name]
    bare = registry().Quantity(_bare(value).magnitude, units)
    try:
        _run(made, {**inputs, name: value.copy(data=bare) if is_labelled(value) else bare})
    except Exception:
        return False
    return True
