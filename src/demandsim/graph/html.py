"""HTML of assumptions, equations, explanations and whole models, for notebooks: all text of a model is escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from demandsim._system import printable
from demandsim.distributions.format import is_labelled
from demandsim.distributions.sparkline import percentiles, sparkline
from demandsim.units.format import brief, readable

if TYPE_CHECKING:
    from demandsim.graph.assumption import Assumption
    from demandsim.graph.graph import Equation

__all__ = ["assumption_html", "equation_html", "lines_html", "model_html"]

_INTERVAL = ("P5", "P50", "P95")


def _safe(text: Any) -> str:
    return html.escape(printable(str(text)))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td style="text-align:left">{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _scale(assumption: Assumption) -> tuple[float, str]:
    """What values are divided by, and in what they are then."""
    point = assumption.point
    return readable(assumption.unit, float(abs(point).max()) if is_labelled(point) else float(point))


def _point(assumption: Assumption, divisor: float) -> str:
    point = assumption.point
    if not is_labelled(point):
        return brief(float(point) / divisor, 6)
    low, high = brief(float(point.min()) / divisor, 6), brief(float(point.max()) / divisor, 6)
    return f"{low} to {high} over {_safe(', '.join(map(str, point.dims)))}" if low != high else low


def _cells(assumption: Assumption) -> list[str]:
    """What the tables say of an assumption: point, unit, density, interval, distribution, source."""
    law = assumption.distribution
    divisor, unit = _scale(assumption)
    interval = ""
    if not law.is_constant:
        (_, first), *others = percentiles(law, divisor=divisor)
        interval = f"{first[0]} to {first[2]}" + (f" and {len(others)} more" if others else "")
    said = "" if law.is_constant else f"<code>{_safe(str(law)[:200])}</code>"
    return [_point(assumption, divisor), _safe(unit), sparkline(law), interval, said, _safe(assumption.source or "")]


def assumption_html(assumption: Assumption) -> str:
    """Show an assumption: its density, point, interval, unit, bounds and source."""
    heads = ["point", "unit", "density", "P5 to P95", "distribution", "source"]
    title = f"<b>{_safe(assumption.long_name)}</b>" if assumption.long_name else ""
    bounds = f"<p>can be {_safe(assumption.bounds)}</p>" if assumption.bounds else ""
    return f"<div>{title}{_table(heads, [_cells(assumption)])}{bounds}</div>"


def _equation_cells(made: Equation) -> list[str]:
    unit = "" if made.unit == "1" else _safe(made.unit)
    return [_safe(made.name), f"<code>{_safe(made.formula)}</code>", unit, _safe(made.long_name or "")]


def equation_html(made: Equation) -> str:
    """Show an equation: its formula, unit, label, constants and source."""
    more = [f"{_safe(name)} = {_safe(repr(value))}" for name, value in made.constants.items()]
    more += [f"can be {_safe(made.bounds)}"] if made.bounds else []
    more += [f"Source: {_safe(made.source)}"] if made.source else []
    notes = "".join(f"<p>{line}</p>" for line in more)
    return f"<div>{_table(['quantity', 'formula', 'unit', ''], [_equation_cells(made)])}{notes}</div>"


def lines_html(lines: Sequence[str]) -> str:
    """Show lines of text of which the indented ones say more about those above."""
    shown = []
    for line in lines:
        depth = len(line) - len(line.lstrip())
        text = _safe(line.strip())
        weight = ";font-weight:bold" if line and not depth else ""
        family = ";font-family:monospace" if line.lstrip().startswith("=") else ""
        shown.append(f'<div style="padding-left:{depth}ch;min-height:0.5em{weight}{family}">{text}</div>')
    return f"<div>{''.join(shown)}</div>"


def model_html(model: Any, changed: str, layers: Mapping[str, int], odd: Sequence[str]) -> str:
    """Show a model: its assumptions with densities, units and sources, its equations, scenarios and evidence.

    Parameters
    ----------
    model : Model
    changed : str
        What it has that its study has not, as a line.
    layers : mapping of str to int
        Of each computed quantity, in which order they stand.
    odd : sequence of str
        What a careful reader would ask about.
    """
    heads = ["assumption", "point", "unit", "density", "P5 to P95", "distribution", "source"]
    rows = [
        [
            f'<span title="{html.escape(printable(made.long_name or name), quote=True)}">{_safe(name)}</span>',
            *_cells(made),
        ]
        for name, made in model.assumptions.items()
    ]
    parts = [f"<b>{_safe(model.notes.title or model.notes.name or 'Model')}</b>"]
    if changed:
        parts.append(f"<p>{_safe(changed)}</p>")
    parts.append(_table(heads, rows))
    if model.equations:
        equations = [[str(layer), *_equation_cells(model.equations[name])] for name, layer in layers.items()]
        parts.append(_table(["layer", "quantity", "formula", "unit", ""], equations))
    parts += [f"<p>{line}</p>" for line in _rest(model)]
    if odd:
        parts.append(f"<p>what looks odd:</p><ul>{''.join(f'<li>{_safe(line)}</li>' for line in odd)}</ul>")
    return f"<div>{''.join(parts)}</div>"


def _rest(model: Any) -> list[str]:
    """Scenarios, correlations and evidence, a line each."""
    lines = []
    for dim, labels in model.scenarios.grid.items():
        told = "; ".join(_safe(label) + _changed(overrides) for label, overrides in labels.items())
        lines.append(f"{_safe(dim)}: {told}")
    pairs = [f"{_safe(' and '.join(pair))} {rho:g}" for pair, rho in model.correlations.items()]
    pairs += [f"labels of {_safe(', '.join(key))} {_safe(rank)}" for key, rank in model.label_correlations.items()]
    lines += [f"rank correlations: {'; '.join(pairs)}"] if pairs else []
    return lines + [f"evidence: {_safe(piece)}" for piece in model.evidence]


def _changed(overrides: Mapping[str, Assumption]) -> str:
    said = []
    for name, made in overrides.items():
        divisor, unit = _scale(made)
        said.append(f"{_safe(name)} = {_point(made, divisor)} {_safe(unit)}".rstrip())
    return f" ({', '.join(said)})" if said else ""
