"""HTML of assumptions, equations, explanations and whole models, for notebooks: all text of a model is escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from demandsim._system import printable
from demandsim.distributions.format import is_labelled
from demandsim.distributions.sparkline import percentiles, sparkline
from demandsim.locale.words import Words, displayed
from demandsim.units.format import brief, readable

if TYPE_CHECKING:
    from demandsim.graph.assumption import Assumption
    from demandsim.graph.equation import Equation

__all__ = ["assumption_html", "equation_html", "lines_html", "model_html"]

_OF_ASSUMPTIONS = ("point", "unit", "density", "interval", "distribution", "source")
_OF_EQUATIONS = ("quantity", "formula", "unit")


def _safe(text: Any) -> str:
    return html.escape(printable(str(text)))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th style="text-align:left">{each}</th>' for each in heads)
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
    if low == high:
        return low
    words = displayed()
    return words.say(
        "display_over", low=low, high=high, dims=_safe(words.say("comma").join(map(words.dim, point.dims)))
    )


def _cells(assumption: Assumption) -> list[str]:
    """What the tables say of an assumption: point, unit, density, interval, distribution, source."""
    law = assumption.distribution
    divisor, unit = _scale(assumption)
    interval, words = "", displayed()
    if not law.is_constant:
        (_, first), *others = percentiles(law, divisor=divisor)
        interval = f'<span style="white-space:nowrap">{first[0]}{words.phrases[" to "]}{first[2]}</span>'
        interval += words.say("more_changes", count=len(others)) if others else ""
    said = "" if law.is_constant else f"<code>{_safe(str(law)[:200])}</code>"
    return [
        _point(assumption, divisor),
        _safe(unit),
        sparkline(law),
        interval,
        said,
        _safe(words.text(assumption.source or "")),
    ]


def _heads(words: Words, *keys: str) -> list[str]:
    return [_safe(words.say(f"display_{key}")) for key in keys]


def assumption_html(assumption: Assumption) -> str:
    """Show an assumption: its density, point, interval, unit, bounds and source."""
    words = displayed()
    title = f"<b>{_safe(assumption.long_name)}</b>" if assumption.long_name else ""
    said = words.say("display_can_be", bounds=words.bounds(str(assumption.bounds))) if assumption.bounds else ""
    bounds = f"<p>{_safe(said)}</p>" if said else ""
    return f"<div>{title}{_table(_heads(words, *_OF_ASSUMPTIONS), [_cells(assumption)])}{bounds}</div>"


def _equation_cells(made: Equation) -> list[str]:
    unit = "" if made.unit == "1" else _safe(made.unit)
    label = displayed().names.get(made.name, made.long_name or "")
    return [_safe(made.name), f"<code>{_safe(made.formula)}</code>", unit, _safe(label)]


def equation_html(made: Equation) -> str:
    """Show an equation: its formula, unit, label, constants and source."""
    words = displayed()
    more = [f"{name} = {value!r}" for name, value in made.constants.items()]
    more += [words.say("display_can_be", bounds=words.bounds(str(made.bounds)))] if made.bounds else []
    more += [words.say("source", source=words.text(made.source))] if made.source else []
    notes = "".join(f"<p>{_safe(line)}</p>" for line in more)
    return f"<div>{_table([*_heads(words, *_OF_EQUATIONS), ''], [_equation_cells(made)])}{notes}</div>"


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
    words = displayed()
    rows = [[_named(name, made, words), *_cells(made)] for name, made in model.assumptions.items()]
    title = words.text(model.notes.title or "") or model.notes.name or words.say("display_model")
    parts = [f"<b>{_safe(title)}</b>"]
    if changed:
        parts.append(f"<p>{_safe(changed)}</p>")
    parts.append(_table(_heads(words, "assumption", *_OF_ASSUMPTIONS), rows))
    if model.equations:
        equations = [[str(layer), *_equation_cells(model.equations[name])] for name, layer in layers.items()]
        parts.append(_table([*_heads(words, "layer", *_OF_EQUATIONS), ""], equations))
    parts += [f"<p>{_safe(line)}</p>" for line in _rest(model, words)]
    if odd:
        said = _safe(words.say("odd"))
        parts.append(f"<p>{said}</p><ul>{''.join(f'<li>{_safe(line)}</li>' for line in odd)}</ul>")
    return f"<div>{''.join(parts)}</div>"


def _named(name: str, made: Assumption, words: Words) -> str:
    """The name of an assumption, as calls need it, with what it means; other languages than that of names say it."""
    means = words.names.get(name, made.long_name or name)
    beside = f"<br>{_safe(means)}" if words.code != "en" and means != name else ""
    return f'<span title="{html.escape(printable(means), quote=True)}">{_safe(name)}</span>{beside}'


def _rest(model: Any, words: Words) -> list[str]:
    """Scenarios, correlations and evidence, a line each."""
    lines, separator = [], words.say("separator")
    for dim, labels in model.scenarios.grid.items():
        told = separator.join(words.label(label) + _changed(overrides) for label, overrides in labels.items())
        lines.append(words.say("said_of", what=words.dim(dim), said=told))
    for pair, rho in model.correlations.items():
        lines.append(words.say("rank", pair=words.say("and").join(pair), rho=f"{rho:g}"))
    for (one, other, dim), rank in model.label_correlations.items():
        of = one if one == other else words.say("and").join((one, other))
        lines.append(words.say("rank_labels", of=of, dim=words.dim(dim), rho=rank))
    return lines + [words.say("evidence", piece=piece) for piece in model.evidence]


def _changed(overrides: Mapping[str, Assumption]) -> str:
    said = []
    for name, made in overrides.items():
        divisor, unit = _scale(made)
        said.append(f"{name} = {_point(made, divisor)} {unit}".rstrip())
    return f" ({', '.join(said)})" if said else ""
