"""Unit check: the graph runs once on quantities, and every dimension must be as declared.

Each equation runs on quantities of our own, which know the common rules and refuse the rest; where they refuse, or a
dimension is not as declared, pint has the word. So no mistake passes that pint would have told, and each is told as
pint tells it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.distributions.base import is_labelled
from demandsim.errors import DimensionError, close_matches, equation_of
from demandsim.graph.equation import Equation
from demandsim.graph.graph import Graph
from demandsim.graph.result import check_numbers, computed
from demandsim.units.convert import dimension_of, parsed, same_dimension
from demandsim.units.quantity import Dimension, Quantity
from demandsim.units.registry import registry

if TYPE_CHECKING:
    import xarray as xr

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
    _check_starts(graph, units)
    measured = {name: _measured(value, dimension_of(units[name])) for name, value in points.items()}
    of = {**units, **{name: made.unit for name, made in graph.equations.items()}}
    with np.errstate(all="ignore"):
        for name in graph.order:
            made = graph.equations[name]
            # What steps through a loop is left to pint, which says in which of its equations a mistake is.
            found = _quickly(made, measured) if graph.written[name] is made else None
            if found is None:
                asked = {each: _told(measured[each], of[each]) for each in made.inputs if each in measured}
                found = _by_pint(graph, made, asked)
            measured[name] = found


def _measured(value: Any, dimension: Dimension) -> Any:
    """A quantity as an equation will see it: with the dims of its point, if it has any, and one draw."""
    if not is_labelled(value):
        return Quantity([float(value)], dimension)
    numbers = _drawn(value)
    return numbers.copy(data=Quantity(numbers.values, dimension))


def _quickly(made: Equation, measured: Mapping[str, Any]) -> Any:
    """The result, if the rules of our own quantities suffice to say that it is as declared; else nothing."""
    inputs = {
        name: measured[name]
        if name in measured
        else Quantity(float(made.constants[name]), dimension_of(made.constants[name].unit))
        for name in made.inputs
    }
    if any(map(is_labelled, inputs.values())):
        import xarray as xr

        # Everything labelled: ufuncs of xarray take no mixture of labels and bare quantities.
        inputs = {
            name: value if is_labelled(value) else xr.DataArray(value, dims=["draw"] * value.ndim)
            for name, value in inputs.items()
        }
    try:
        result = made.function(**inputs)
        held = result.data if is_labelled(result) else result
        bare = held.value if isinstance(held, Quantity) else held
        check_numbers(made, bare)
        if (held.dimension if isinstance(held, Quantity) else ()) != dimension_of(made.unit):
            return None
    except Exception:
        # Whatever it was: pint may know better, or say it.
        return None
    return result if isinstance(held, Quantity) else _relabelled_quickly(result, bare)


def _relabelled_quickly(result: Any, bare: Any) -> Any:
    """A number without dimension as a quantity."""
    return result.copy(data=Quantity(bare, ())) if is_labelled(result) else Quantity(bare, ())


def _told(measured: Any, unit: str) -> Any:
    """The same quantity as pint has it."""
    import xarray as xr

    labelled = measured if is_labelled(measured) else xr.DataArray(measured, dims=["draw"] * measured.ndim)
    return labelled.copy(data=registry().Quantity(labelled.data.value, _base(unit)))


def _by_pint(graph: Graph, made: Equation, quantities: Quantities) -> Any:
    """The result as pint finds it.

    Raises
    ------
    DimensionError
        If it is not as declared.
    """
    inputs = _inputs(made, quantities)
    try:
        result = _run(made, inputs)
    except _MismatchError as mismatch:
        inside = str(mismatch.equation) if mismatch.equation in graph.written else made.name
        if inside != made.name or graph.written[inside] is not made:
            made, inputs = graph.written[inside], _asked(graph, graph.written[inside], quantities)
            raise DimensionError(_message(made, inputs, str(mismatch))) from None
        raise DimensionError(_message(made, inputs, str(mismatch)) + _hint(made, inputs, graph.equations)) from None
    return result.copy(data=Quantity(_bare(result).magnitude, dimension_of(made.unit)))


def _check_starts(graph: Graph, units: Mapping[str, str]) -> None:
    """What a recurrence starts from must have its dimension."""
    declared = {**units, **{name: made.unit for name, made in graph.written.items()}}
    for lag in graph.lags.values():
        start = declared.get(lag.start, lag.constant.unit if lag.constant else None)
        if start is not None and not same_dimension(start, declared[lag.of]):
            raise DimensionError(
                f"recurrence '{lag.of}' declares unit '{declared[lag.of]}' but starts from {lag.start} in '{start}'; "
                f"give that in {declared[lag.of]}"
            )


class _MismatchError(Exception):
    """What is wrong with the dimensions of one equation; of which, where it was found inside a loop."""

    def __init__(self, what: str, equation: str | None = None) -> None:
        super().__init__(what)
        self.equation = equation


def _asked(graph: Graph, made: Equation, quantities: Quantities) -> Quantities:
    """What an equation of a loop asks for: of quantities that are still to be computed, their declared units."""

    def asked(name: str) -> Any:
        name = graph.lags[name].of if name in graph.lags else name
        if name in quantities:
            return quantities[name]
        unit = graph.written[name].unit if name in graph.written else made.constants[name].unit
        return _quantity(1.0, unit)

    return {name: asked(name) for name in made.inputs}


def _base(unit: str) -> Any:
    return registry().Quantity(1.0, parsed(unit)).to_base_units().units


def _quantity(value: Any, unit: str) -> Any:
    """A labelled quantity, as an equation will see it: with the dims of its point and one draw."""
    import xarray as xr

    numbers = _drawn(value if is_labelled(value) else xr.DataArray(float(value)))
    return numbers.copy(data=registry().Quantity(numbers.values, _base(unit)))


def _drawn(labelled: xr.DataArray) -> xr.DataArray:
    """Numbers with a dim of draws."""
    numbers = labelled.astype(np.float64)
    # A dim of that name is refused later, with the name of its assumption.
    return numbers if "draw" in numbers.dims else numbers.expand_dims("draw", axis=-1)


def _inputs(made: Equation, quantities: Quantities) -> Quantities:
    """Everything labelled, constants too: ufuncs of xarray take no mixture of labels and bare quantities."""
    return {
        name: quantities[name]
        if name in quantities
        else _quantity(float(made.constants[name]), made.constants[name].unit).isel(draw=0)
        for name in made.inputs
    }


def _bare(result: Any) -> Any:
    """The pint quantity inside a result, or the number that has lost its unit."""
    data = result.data if is_labelled(result) else result
    return data if hasattr(data, "dimensionality") else registry().Quantity(data, "")


def _run(made: Equation, inputs: Quantities) -> Any:
    import pint

    # pint writes a whole array into each AttributeError, and xarray asks for attributes that it lacks at every step.
    with np.errstate(all="ignore"), np.printoptions(threshold=1, edgeitems=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A stripped unit would pass for a number: numpy functions must see the quantity.
        warnings.simplefilter("error", pint.UnitStrippedWarning)
        try:
            result = made.function(**inputs)
        except pint.DimensionalityError as error:
            try:
                # xarray pads with bare NaN inside some of its methods, which is no fault of the equation.
                return _run_rescaled(made, inputs)
            except Exception:
                what = f"combines {_pretty(error.units1)} with {_pretty(error.units2)}"
                raise _MismatchError(what, equation_of(error)) from None
        except pint.errors.OffsetUnitCalculusError as error:
            raise _MismatchError(str(error)) from None
        except Exception:
            # Not every function knows quantities (np.where on labels, scipy.special): numbers will do.
            return _run_rescaled(made, inputs)
    check_numbers(made, result)
    found = _bare(result)
    try:
        agrees = found.dimensionality == _base(made.unit).dimensionality
    except TypeError:
        # A ratio to the power of an array has, to pint, a unit that it cannot look up.
        return _run_rescaled(made, inputs)
    if not agrees:
        raise _MismatchError(f"declares unit '{made.unit}' but returns '{_pretty(found.units)}'")
    return result if is_labelled(result) else _relabelled(result, inputs, made.unit)


def _run_rescaled(made: Equation, inputs: Quantities) -> Any:
    """Check by changing the unit of one dimension at a time: the result must change as declared."""
    quantities = {name: _bare(value) for name, value in inputs.items()}

    def run(numbers: Mapping[str, Any], dimension: str | None) -> Any:
        power = {name: quantities[name].dimensionality.get(dimension, 0) for name in numbers}
        return computed(made, {name: number * 2.0 ** power[name] for name, number in numbers.items()})

    given = {name: value.copy(data=quantities[name].magnitude) for name, value in inputs.items()}
    # Where values are far apart one of them may not be felt, so numbers near 1 are tried as well, and small and
    # large ones: a result that is 0 or no number tells nothing.
    trials = [given] + [
        {name: 0 * given[name] + size * (0.7 + step * place) for place, name in enumerate(given)}
        for size, step in ((1.0, 0.1), (1.0, -0.03), (0.1, 0.1), (10.0, 0.1))
    ]
    declared = _base(made.unit).dimensionality
    dimensions = {dimension for quantity in quantities.values() for dimension in quantity.dimensionality}
    for numbers in trials:
        plain = np.asarray(run(numbers, None))
        for dimension in sorted(dimensions | set(declared)):
            expected = plain * 2.0 ** declared.get(dimension, 0)
            if not np.allclose(np.asarray(run(numbers, dimension)), expected, rtol=1e-9, atol=0.0, equal_nan=True):
                raise _MismatchError(
                    f"declares unit '{made.unit}', but its result does not change with the unit of {dimension} "
                    "as that should"
                )
    return _relabelled(run(given, None), inputs, made.unit)


def _relabelled(result: Any, inputs: Quantities, unit: str) -> Any:
    """Put a result that has lost its unit or its labels back into a labelled quantity."""
    import xarray as xr

    if is_labelled(result):
        return result.copy(data=registry().Quantity(np.asarray(result), _base(unit)))
    numbers = np.asarray(_bare(result).magnitude)
    (template, *_) = xr.broadcast(*inputs.values()) if inputs else (xr.DataArray(0.0),)
    if numbers.shape == template.shape:
        return template.copy(data=registry().Quantity(numbers, _base(unit)))
    return xr.DataArray(registry().Quantity(np.asarray(np.ravel(numbers)[0]), _base(unit)))


def _pretty(units: Any) -> str:
    text = format(registry().Unit(units), "~C") if not isinstance(units, str) else units
    return "1" if text in ("", "dimensionless") else text.replace("**", "^")


def _message(made: Equation, inputs: Quantities, what: str) -> str:
    named = {name: _pretty(_bare(value).units) for name, value in inputs.items()}
    formula = made.formula
    for name, unit in named.items():
        formula = re.sub(rf"\b{name}\b(?! \[)", f"{name} [{unit}]", formula, count=1)
    return f"equation '{made.name}' {what}: {formula}."


def _hint(made: Equation, inputs: Quantities, computed: Container[str]) -> str:
    """Try whether one assumption in another unit would mend it: the commonest slip."""
    # What is computed has the unit that its own equation declares, and what is fixed stands in this one.
    free = [name for name in inputs if name not in made.constants and name not in computed]
    try:
        returned = _bare(made.function(**inputs))
    except Exception:
        return _hint_by_neighbours(made, inputs, free)
    if meant := _misspelt(made.unit, _pretty(returned.units)):
        return f" Did you mean unit='{meant}'?"
    ratio = (
        (registry().Quantity(1.0, _base(made.unit)) / registry().Quantity(1.0, returned.units)).to_base_units().units
    )
    tried = [(name, _bare(inputs[name]).units * ratio**power) for power in (1, -1) for name in free]

    def strange(one: tuple[str, Any]) -> tuple[bool, float]:
        before, after = _powers(_bare(inputs[one[0]]).units), _powers(one[1])
        # Who gave a unit meant some unit: that it should have been none comes last.
        return before > 0 == after, abs(after - before)

    # Any input could be the one that is wrong; likeliest is what would mend it with a unit much like its own.
    for name, units in sorted(tried, key=strange):
        if _mends(made, inputs, name, units):
            return f" Did you mean {name} in {_pretty(units)}?"
    return ""


def _misspelt(declared: str, returned: str) -> str:
    """The unit that is returned, where a word of the declared one looks like one of its own: ``crad`` for ``card``."""
    known = re.findall(r"[^\W\d]\w*", returned)
    strange = [word for word in re.findall(r"[^\W\d]\w*", declared) if word not in known]
    return returned if any(close_matches(word, known) for word in strange) else ""


def _powers(units: Any) -> float:
    return float(sum(map(abs, units.dimensionality.values())))


def _hint_by_neighbours(made: Equation, inputs: Quantities, free: Iterable[str]) -> str:
    for name in free:
        for other in inputs.values():
            if _mends(made, inputs, name, _bare(other).units):
                return f" Did you mean {name} in {_pretty(_bare(other).units)}?"
    return ""


def _mends(made: Equation, inputs: Quantities, name: str, units: Any) -> bool:
    value = inputs[name]
    try:
        _run(made, {**inputs, name: value.copy(data=registry().Quantity(_bare(value).magnitude, units))})
    except Exception:
        return False
    return True
