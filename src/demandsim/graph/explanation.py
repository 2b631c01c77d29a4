"""Explanation: an audit trail of one quantity, step by step, with numbers, units and sources."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim.graph.graph import Graph
from demandsim.units.format import readable

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True)
class Explanation:
    """The steps to one quantity, inputs first; ``print`` it to read it.

    Parameters
    ----------
    name : str
    lines : tuple of str
    """

    name: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"<explanation of {self.name}: print it>"


def explain(graph: Graph, name: str, point: Any, title: str) -> Explanation:
    """Trace a quantity back to its assumptions at the published points.

    Parameters
    ----------
    graph : Graph
    name : str
        Quantity to explain.
    point : Dataset
        Values at the points, with ``units``, ``long_name``, ``source`` in the attributes.
    title : str

    Returns
    -------
    Explanation
    """
    wanted = graph.ancestors([name])
    assumed = [n for n in point.data_vars if n in wanted and n not in graph.equations]
    computed = [n for n in graph.order if n in wanted]
    lines = [title, ""]
    if assumed:
        lines.append("Assumptions")
    for quantity in assumed:
        array = point[quantity]
        possible = array.attrs.get("bounds")
        lines.append(f"  {quantity} = {_values(array)}" + (f", can be {possible}" if possible else ""))
        lines += _labels(array)
    constants = {n: c for q in computed for n, c in graph.equations[q].constants.items() if n not in point.data_vars}
    if constants:
        lines += ["", "Constants"]
        lines += [f"  {n} = {c!r}" for n, c in constants.items()]
    if computed:
        lines += ["", "Steps"]
    for number, quantity in enumerate(computed, start=1):
        made = graph.equations[quantity]
        array = point[quantity]
        lines.append(f"  {number}. {quantity} = {made.formula}")
        lines += _substituted(made.formula, made.inputs, made.constants, array, point)
        lines += _labels(array, indent="     ")
    return Explanation(name, tuple(lines))


def _labels(array: Any, indent: str = "    ") -> list[str]:
    found = []
    if array.attrs.get("long_name"):
        found.append(f"{indent}  {array.attrs['long_name']}.")
    if array.attrs.get("source"):
        found.append(f"{indent}  Source: {array.attrs['source']}.")
    return found


def _number(value: float) -> str:
    if not np.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e15:
        text = f"{value:,.6f}".rstrip("0").rstrip(".") if abs(value) < 1e4 else f"{value:,.2f}".rstrip("0").rstrip(".")
        return text if text != "0" or value == 0 else f"{value:.6g}"
    return f"{value:.6g}"


def _bracketed(numbers: Mapping[str, str], match: re.Match[str]) -> str:
    return f"[{numbers[match[0]]}]"


def _with_unit(value: float, unit: str) -> str:
    return _number(value) if unit == "1" else f"{_number(value)} {unit}"


def _values(array: Any) -> str:
    """Write a value with its unit, in each scenario if it has dims, and readably in brackets."""
    unit = array.attrs.get("units", "1")
    shown = "" if unit == "1" else f" {unit}"
    flat = np.ravel(array.values)
    if flat.size == 1:
        return _number(float(flat[0])) + shown + _in_words(float(flat[0]), unit)
    if flat.size > 12:
        ends = f"{_number(float(flat.min()))} to {_number(float(flat.max()))}"
        return f"{ends}{shown} over {', '.join(map(str, array.dims))}"
    parts = []
    for place in np.ndindex(*array.shape):
        label = ", ".join(str(array.coords[dim].values[i]) for dim, i in zip(array.dims, place, strict=True))
        value = float(array.values[place])
        parts.append(f"{label}: {_number(value)}{shown}{_in_words(value, unit)}")
    return "; ".join(parts)


def _in_words(value: float, unit: str) -> str:
    divisor, label = readable(unit, value)
    return (
        "" if divisor == 1.0 else f" ({_number(round(value / divisor, 4))} {'x ' if label[0].isdigit() else ''}{label})"
    )


def _substituted(
    formula: str, inputs: Sequence[str], constants: Mapping[str, Any], array: Any, point: Any
) -> list[str]:
    """The formula with its numbers, and the value; one line per scenario, for the first few."""

    def first(of: Any, place: Mapping[str, Any]) -> float:
        chosen = of.sel({dim: label for dim, label in place.items() if dim in of.dims})
        return float(np.ravel(chosen.values)[0])

    places = list(np.ndindex(*array.shape))[:3]
    lines = []
    for spot in places:
        place = {dim: array.coords[dim].values[i] for dim, i in zip(array.dims, spot, strict=True)}
        text = formula
        model_dims = {dim for n in inputs if n in point.data_vars for dim in point[n].dims} - set(place)
        if not model_dims and "\n" not in formula and ";" not in formula:
            numbers = {
                name: _with_unit(first(point[name], place), point[name].attrs.get("units", "1"))
                if name in point.data_vars
                else repr(constants[name])
                for name in inputs
            }
            # In one pass, so that a unit that is spelled like an input stays as it is.
            pattern = rf"\b({'|'.join(map(re.escape, inputs))})\b"
            text = re.sub(pattern, functools.partial(_bracketed, numbers), formula) if inputs else formula
        prefix = f"{', '.join(map(str, place.values()))}: " if place else ""
        unit = array.attrs.get("units", "1")
        value = first(array, place)
        shown = _with_unit(value, unit) + _in_words(value, unit)
        lines.append(f"       {prefix}= {text}" if text != formula else f"       {prefix}")
        lines.append(f"       {' ' * len(prefix)}= {shown}")
    if len(list(np.ndindex(*array.shape))) > len(places):
        lines.append(f"       ... {array.size} values over {', '.join(map(str, array.dims))}")
    return lines
