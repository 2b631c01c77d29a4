"""Description: a model at a glance, as text of 80 columns, as HTML for notebooks, and as a table of pandas."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import printable
from demandsim.distributions.sparkline import percentiles
from demandsim.graph.changes import changes_line
from demandsim.graph.frame import quantities_frame
from demandsim.graph.html import model_html
from demandsim.locale.words import displayed, words_of
from demandsim.units.format import number, readable

if TYPE_CHECKING:
    import pandas as pd

    from demandsim.graph.assumption import Assumption
    from demandsim.locale.words import Words

__all__ = ["Description"]

_COLUMNS = 80
#: Labels whose interval is written out, and names that a line lists.
_LABELS, _NAMES = 4, 6
#: How wide a central 90% interval may be, as a factor, before that is worth a word.
_WIDE = 1000
#: Between the outer ones a point is expected, the inner ones are the ends of the interval.
_ODD = np.array([0.01, 0.05, 0.95, 0.99])


@dataclass(frozen=True, repr=False)
class Description:
    """A model at a glance: print it, let a notebook show it, or take its table.

    Parameters
    ----------
    model : Model
    changed : str
        What it has that its study has not, as a line.
    """

    model: Any
    changed: str = ""

    def __str__(self) -> str:
        folded = (_folded(line) for line in self.lines(words_of("en", "terminal")))
        return printable("\n".join(itertools.chain.from_iterable(folded)))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        words = displayed()
        changed = changes_line(self.model.notes.name, self.model.changes, words=words) if self.changed else ""
        return model_html(self.model, changed, self.layers, list(self.odd(words)))

    def to_frame(self) -> pd.DataFrame:
        """Return all quantities as a pandas DataFrame, as ``model.to_frame()`` does, with the layer of each."""
        found = quantities_frame(self.model.assumptions, self.model.equations)
        return found.assign(layer=[self.layers.get(str(name), 0) for name in found.index])

    @property
    def layers(self) -> dict[str, int]:
        """Of each computed quantity how many steps it is from the assumptions, at most."""
        graph, found = self.model.graph, dict.fromkeys(self.model.assumptions, 0)
        for name in graph.order:
            found[name] = 1 + max((found.get(wanted, 0) for wanted in graph.equations[name].inputs), default=0)
        return {name: found[name] for name in sorted(graph.order, key=lambda name: found[name])}

    @property
    def results(self) -> list[str]:
        """What nothing else is computed from."""
        lags, asked = self.model.graph.lags, set()
        for name, made in self.model.graph.written.items():
            asked |= {lags[wanted].of if wanted in lags else wanted for wanted in made.inputs} - {name}
        return [name for name in self.model.equations if name not in asked]

    def lines(self, words: Words) -> Iterator[str]:
        """Say all of it in a language; lines that are indented say more about those above."""
        notes = self.model.notes
        yield from (words.text(line) for line in (notes.title or notes.name, notes.source, self.changed) if line)
        unsure = sum(not made.distribution.is_constant for made in self.model.assumptions.values())
        yield "\n" + words.say("assumptions_are", count=len(self.model.assumptions), unsure=unsure)
        for name, made in self.model.assumptions.items():
            yield from _assumption(name, made, words)
        yield from self._ties(words)
        for dim, labels in self.model.scenarios.grid.items():
            for label, overrides in labels.items():
                sets = "; ".join(f"{name} = {made.distribution}" for name, made in overrides.items())
                yield f"\n{words.dim(dim)} {words.label(label)}: {sets or words.say('as_above')}"
        if self.model.equations:
            yield "\n" + words.say("equations_by_layer")
        for name, layer in self.layers.items():
            made = self.model.equations[name]
            unit = "" if made.unit == "1" else f"  [{made.unit}]"
            bounds = f"  ({words.bounds(str(made.bounds))})" if made.bounds else ""
            yield f"  {layer:>2}  {made.name} = {made.formula}{unit}{bounds}"
        for head, rows in (
            ("results_are", [", ".join(self.results)] if self.results else []),
            ("evidence_is", [str(piece) for piece in self.model.evidence]),
            ("odd", list(self.odd(words))),
            ("notes", [words.text(note) for note in notes.notes]),
        ):
            yield from ["\n" + words.say(head), *(f"  - {row}" for row in rows)] if rows else []

    def _ties(self, words: Words) -> Iterator[str]:
        for pair, rho in self.model.correlations.items():
            why = self.model.notes.reasons.get(tuple(sorted(pair)))
            said = words.say("rank", pair=words.say("and").join(pair), rho=f"{rho:g}")
            yield f"\n{said}" + (words.say("why", why=words.text(why)) if why else "")
        for (one, other, dim), rank in self.model.label_correlations.items():
            of = one if one == other else words.say("and").join((one, other))
            yield "\n" + words.say("rank_labels", of=of, dim=dim, rho=rank)

    def odd(self, words: Words) -> Iterator[str]:
        """Say what a careful reader would ask about."""
        assumptions = self.model.assumptions
        seen = [name for piece in self.model.evidence for name in piece.names or self.model.quantities]
        if unused := sorted(self.model.graph.unused(assumptions, seen)):
            yield words.say("odd_unused", names=_listed(unused))
        if all(made.distribution.is_constant for made in assumptions.values()):
            yield words.say("odd_sure")
        for name, made in assumptions.items():
            if made.distribution.is_constant:
                continue
            lowest, low, high, highest = np.transpose([law.ppf(_ODD) for law in made.distribution.laws])
            point, shape = np.asarray(made.point), made.distribution.shape
            comparable = point.shape in ((), shape) and not made.distribution.wholes
            if comparable and np.any((point.ravel() < lowest) | (point.ravel() > highest)):
                yield words.say("odd_point", name=name)
            if np.any((low > 0) & (high > _WIDE * low)):
                yield words.say("odd_wide", name=name, factor=f"{_WIDE:,}")
        if unsaid := [name for name, made in assumptions.items() if not made.source]:
            yield words.say("odd_unsaid", count=len(unsaid), total=len(assumptions), names=_listed(unsaid))
        for dim, labels in self.model.scenarios.grid.items():
            for (one, first), (other, second) in itertools.combinations(labels.items(), 2):
                if dict(first) == dict(second):
                    yield words.say("odd_same", dim=words.dim(dim), one=words.label(one), other=words.label(other))


def _assumption(name: str, made: Assumption, words: Words) -> Iterator[str]:
    unit = "" if made.unit == "1" else f" {made.unit}"
    yield f"\n{name}: {made.distribution}{unit}"
    named = words.name(name, made.long_name) if words.code != "en" else made.long_name or name
    possible = words.say("can_be", bounds=f"{words.bounds(str(made.bounds))}{unit}") if made.bounds else ""
    yield f"  {named}{words.say('point', point=_numbers(made.point) + unit)}{_interval(made, words)}{possible}"
    if made.source:
        yield f"  {words.say('source', source=words.text(made.source))}"


def _interval(made: Assumption, words: Words) -> str:
    """Median and central 90% interval, label by label where these are few; nothing of what is sure."""
    law = made.distribution
    if law.is_constant:
        return ""
    size = max(abs(float(own.ppf(np.array([0.5]))[0])) for own in law.laws)
    divisor, unit = readable(made.unit, size)
    rows = percentiles(law, divisor=divisor)
    shown = rows if len(rows) <= _LABELS else [rows[0], rows[-1]]
    told = [
        (f"{label}: " if label else "") + words.say("median_interval", median=middle, low=low, high=high)
        for label, (low, middle, high) in shown
    ]
    more = words.say("labels_between", count=len(rows) - len(shown)) if len(rows) > len(shown) else ""
    counted = f" x {unit}" if unit[:1].isdigit() and not unit.startswith("1/") else f" {unit}" if unit else ""
    return words.say("separator") + words.say("separator").join(told) + counted + more


def _numbers(point: Any) -> str:
    """Write a point: a number, or those of an indexed assumption in brackets."""
    values = np.asarray(point, dtype=np.float64)
    if values.ndim == 0:
        return number(float(values))
    return "[" + ", ".join(_numbers(part) for part in values) + "]"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES])
    return shown + (f", ... ({len(names)})" if len(names) > _NAMES else "")


def _folded(line: str) -> list[str]:
    """A line of text in as many as fit 80 columns; a blank one before it is kept."""
    text = line.removeprefix("\n")
    margin = text[: len(text) - len(text.lstrip())] + "  "
    parts = textwrap.wrap(text, _COLUMNS, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)
    return [""] * (text != line) + (parts or [""])
