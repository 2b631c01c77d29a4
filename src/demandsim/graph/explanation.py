"""Explanation: an audit trail of one quantity, step by step, with numbers, units and sources."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.graph.arithmetic import ATOM, SUM, Term, traced
from demandsim.graph.equation import Equation
from demandsim.graph.frame import values_frame
from demandsim.graph.graph import Graph
from demandsim.graph.loop import Lag, previous
from demandsim.locale.words import Words, displayed
from demandsim.units.convert import base_factor, base_unit
from demandsim.units.format import label_text, readable, settled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True)
class Explanation:
    """The steps to one quantity, inputs first; ``print`` it to read it.

    Parameters
    ----------
    name : str
    lines : tuple of str
    values : mapping of str to DataArray
        Every quantity of it at the points, inputs first.
    formulas : mapping of str to str
        Of those that are computed.
    """

    name: str
    lines: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    formulas: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"<explanation of {self.name}: print it>"

    def _repr_html_(self) -> str:
        from demandsim.graph.html import lines_html

        return lines_html(self.told(displayed()))

    def told(self, words: Words) -> tuple[str, ...]:
        """Its lines in a language: heads, names and sources; formulas and numbers are as they are."""
        return self.lines if words.code == "en" else tuple(self._lines(words))

    def _lines(self, words: Words) -> Iterator[str]:
        long_names = {name: array.attrs.get("long_name", "") for name, array in self.values.items()}
        names = {f"{said}.": words.name(name, said) for name, said in long_names.items() if said}
        yield words.say("at_points", title=words.name(self.name, long_names.get(self.name)))
        for line in self.lines[1:]:
            said = line.strip()
            margin = line[: len(line) - len(line.lstrip())]
            head = said.partition(" ")[0]
            if said.startswith("Source: "):
                said = words.say("source", source=words.text(said.removeprefix("Source: ").removesuffix(".")))
            elif ", can be " in said:
                said, _, bounds = said.rpartition(", can be ")
                said += words.say("can_be", bounds=words.bounds(bounds))
            elif not margin and head in ("Assumptions", "Constants", "Steps"):
                said = words.say(head)
            yield margin + names.get(said, said)

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers as a pandas DataFrame: a row a quantity and label, with unit, formula and source."""
        return values_frame(self.values, self.formulas)


def explain(graph: Graph, name: str, point: Any, title: str, labels: int | None = 3) -> Explanation:
    """Trace a quantity back to its assumptions at the published points.

    Parameters
    ----------
    graph : Graph
    name : str
        Quantity to explain.
    point : Dataset
        Values at the points, with ``units``, ``long_name``, ``source`` in the attributes.
    title : str
    labels : int, optional
        How many labels of each step are worked out; all if None.

    Returns
    -------
    Explanation
    """
    wanted = graph.causes([name])
    assumed = [n for n in point.data_vars if n in wanted and n not in graph.equations]
    computed = [n for n in graph.written_order() if n in wanted]
    lines = [title, ""]
    if assumed:
        lines.append("Assumptions")
    for quantity in assumed:
        array = point[quantity]
        possible = array.attrs.get("bounds")
        lines.append(f"  {quantity} = {_values(array, labels)}" + (f", can be {possible}" if possible else ""))
        lines += _labels(array)
    constants = {n: c for q in computed for n, c in graph.equations[q].constants.items() if n not in point.data_vars}
    before = {n: _before(lag, point) for n, lag in graph.lags.items() if lag.of in point.data_vars}
    if constants:
        lines += ["", "Constants"]
        lines += [f"  {n} = {c!r}" for n, c in constants.items()]
    if computed:
        lines += ["", "Steps (a number stands in the unit beside it; a last factor without one converts units)"]
    for number, quantity in enumerate(computed, start=1):
        made = graph.written[quantity]
        array = point[quantity]
        lines.append(f"  {number}. {quantity} = {made.formula}")
        lines += _worked(made, array, point.assign(before), labels)
        lines += _labels(array, indent="     ")
    formulas = {n: graph.written[n].formula for n in computed}
    return Explanation(name, tuple(lines), {n: point[n] for n in (*assumed, *computed)}, formulas)


def _before(lag: Lag, point: Any) -> Any:
    """Values at the label before, in the unit of the quantity."""
    unit = point[lag.of].attrs.get("units", "1")
    if lag.start in point.data_vars:
        start = point[lag.start] * (base_factor(point[lag.start].attrs.get("units", "1")) / base_factor(unit))
    else:
        start = float(lag.constant or math.nan) / base_factor(unit)
    return previous(point[lag.of], start, lag.over).assign_attrs(units=unit)


def _labels(array: Any, indent: str = "    ") -> list[str]:
    found = []
    if array.attrs.get("long_name"):
        found.append(f"{indent}  {array.attrs['long_name']}.")
    if array.attrs.get("source"):
        found.append(f"{indent}  Source: {array.attrs['source']}.")
    return found


def _number(value: float, digits: int = 12) -> str:
    """Write a number: with at most 6 decimals, or 2 of a large one, unless more digits than usual are asked for."""
    if not np.isfinite(value):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e15:
        return f"{value:.{6 if digits == 12 else digits}g}"
    decimals = 6 if abs(value) < 1e4 else 2
    if digits > 12:
        decimals = max(digits - 1 - math.floor(math.log10(abs(value) or 1.0)), 0)
    text = f"{value if digits > 12 else settled(value):,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_unit(value: float, unit: str) -> str:
    return _number(value) if unit == "1" else f"{_number(value)} {unit}"


def _values(array: Any, labels: int | None) -> str:
    """Write a value with its unit, in each scenario if it has dims, and readably in brackets."""
    unit = array.attrs.get("units", "1")
    shown = "" if unit == "1" else f" {unit}"
    flat = np.ravel(array.values)
    if flat.size == 1:
        return _number(float(flat[0])) + shown + _in_words(float(flat[0]), unit)
    if labels is not None and flat.size > 4 * labels:
        ends = f"{_number(float(flat.min()))} to {_number(float(flat.max()))}"
        return f"{ends}{shown} over {', '.join(map(str, array.dims))}"
    parts = []
    for place in np.ndindex(*array.shape):
        label = ", ".join(label_text(array.coords[dim].values[i]) for dim, i in zip(array.dims, place, strict=True))
        value = float(array.values[place])
        parts.append(f"{label}: {_number(value)}{shown}{_in_words(value, unit)}")
    return "; ".join(parts)


def _in_words(value: float, unit: str) -> str:
    divisor, label = readable(unit, value)
    return (
        "" if divisor == 1.0 else f" ({_number(round(value / divisor, 4))} {'x ' if label[0].isdigit() else ''}{label})"
    )


def _tracer(made: Equation, inputs: Mapping[str, Any], units: Mapping[str, str]) -> Callable[[int, bool], Any]:
    """Terms of an equation's result with numbers of some significant digits, in declared or in base units."""

    @functools.cache
    def terms(digits: int, base: bool) -> Any:
        def leaf(name: str, value: float) -> Term:
            scale = 1.0 if base else base_factor(units[name])
            unit = base_unit(units[name]) if base else units[name]
            text = _number(value / scale, digits)
            shown = float(text.replace(",", ""))
            return Term(f"[{text}]" if unit == "1" else f"[{text} {unit}]", ATOM, value, shown, scale)

        return traced(made, inputs, leaf)

    return terms


def _arithmetic(terms: Callable[[int, bool], Any], place: Mapping[str, Any], value: float, unit: str) -> str:
    """What a calculator finds `value` with, which stands in `unit`; empty if there is nothing to follow."""
    for base in (False, True):
        # More digits where few would not give the digits of the result.
        for digits in (12, 13, 17):
            array = terms(digits, base)
            if array is None:
                return ""
            term = array.sel({dim: label for dim, label in place.items() if dim in array.dims}).item()
            if not term.text or not math.isclose(term.value / base_factor(unit), value, rel_tol=1e-9):
                return ""
            if term.mixed:
                break
            factor, shown = _conversion(term.scale / base_factor(unit))
            if _number(term.shown * factor) == _number(value):
                return f"({term.text}){shown}" if shown and term.rank == SUM else f"{term.text}{shown}"
    return ""


def _conversion(factor: float) -> tuple[float, str]:
    """A factor between units as it is written behind a product: to 12 digits, and as a divisor if that is short."""
    if math.isclose(factor, 1.0, rel_tol=1e-12):
        return 1.0, ""
    divisor = settled(1.0 / factor)
    if factor < 1 and divisor.is_integer() and divisor < 1e15:
        return 1.0 / divisor, f" / {divisor:,.0f}"
    text = f"{factor:,.12g}"
    return float(text.replace(",", "")), f" * {text}"


def _worked(made: Equation, array: Any, point: Any, labels: int | None) -> list[str]:
    """The arithmetic and its result, label by label, for the first few or for all."""
    units = {
        n: point[n].attrs.get("units", "1") if n in point.data_vars else made.constants[n].unit for n in made.inputs
    }
    terms = _tracer(made, {n: _in_base(n, made, point) for n in made.inputs}, units)
    unit = array.attrs.get("units", "1")
    places = list(np.ndindex(*array.shape))
    lines = []
    for spot in places[:labels]:
        place = {dim: array.coords[dim].values[i] for dim, i in zip(array.dims, spot, strict=True)}
        value = float(array.values[spot])
        text = _arithmetic(terms, place, value, unit)
        prefix = f"{', '.join(map(label_text, place.values()))}: " if place else ""
        shown = _with_unit(value, unit) + _in_words(value, unit)
        if text:
            lines.append(f"       {prefix}= {text}")
            prefix = " " * len(prefix)
        lines.append(f"       {prefix}= {shown}")
        lines += [f"         {step}" for step in _trail(made, point, place, everything=labels is None)]
    if labels is not None and len(places) > labels:
        lines.append(f"       ... {array.size} values over {', '.join(map(str, array.dims))}")
    return lines


def _trail(made: Equation, point: Any, place: Mapping[str, Any], *, everything: bool) -> list[str]:
    """Steps within an equation that tells them itself, as the cells of a workbook do."""
    tell = getattr(made.function, "trail", None)
    if tell is None:
        return []
    values = {}
    for name in made.inputs:
        array = point[name]
        values[name] = float(array.sel({dim: label for dim, label in place.items() if dim in array.dims}))
    return list(tell(values, everything))


def _in_base(name: str, made: Equation, point: Any) -> Any:
    import xarray as xr

    if name not in point.data_vars:
        return xr.DataArray(float(made.constants[name]))
    return point[name] * base_factor(point[name].attrs.get("units", "1"))
