"""Sliders: where the handles of each assumption may stand, what they mean there, and what is fixed."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from demandsim.distributions.base import Distribution
from demandsim.distributions.interval import central, is_wide, scaled, shifted, why_fixed, with_interval
from demandsim.errors import DistributionError, shorten
from demandsim.graph.assumption import Assumption
from demandsim.report.words import Scale, Words
from demandsim.units.amount import read_amount
from demandsim.units.format import percent

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["Fixed", "Handles", "Places", "Slider", "fixed_ones", "sliders"]

#: What the handles stand at, in the unit of the assumption: both ends of its interval, or one factor or shift.
type Handles = tuple[float, ...]
#: Their places on a slider.
type Places = tuple[int, ...]
#: A number without a unit, whose commas part thousands.
_BARE = re.compile(r"[-+]?((\d+|\d{1,3}(,\d{3})+)(\.\d*)?|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
#: Digits of what was typed.
_TYPED = 6

#: Steps within the study's interval, and beyond either end of it.
_WITHIN, _BEYOND = 80, 60
#: Steps to either side, and the largest factor, where one handle moves all labels.
_STEPS, _FACTOR = 80, 4.0


@dataclass(frozen=True)
class Slider:
    """One assumption in one scenario, and the values that its handles can take.

    Parameters
    ----------
    name : str
        Of the assumption.
    key : str
        What ``--set`` calls it: its name, with ``@LABEL`` where a scenario has its own distribution.
    label, note : str
        Its long name, and what is being moved, in words.
    way : {"interval", "factor", "shift"}
        Two handles for a central interval; one for a factor, or a shift, of all labels.
    values : tuple of float
        By position: ends of the interval in the assumption's unit, factors, or shifts.
    texts : tuple of str
        The same as people read them.
    start : tuple of int
        Where the study has the handles.
    scale : Scale
        In what the values are shown.
    assumption : Assumption
        As the study has it.
    """

    name: str
    key: str
    label: str
    note: str
    way: str
    values: tuple[float, ...]
    texts: tuple[str, ...]
    start: Places
    scale: Scale
    assumption: Assumption

    @property
    def own(self) -> Handles:
        """What the handles stand at in the study."""
        return tuple(self.values[place] for place in self.start)

    def with_stops(self, handles: Handles) -> Slider:
        """Return it with further places, at what was typed, which need not be a step of the slider."""
        texts = dict(zip(self.values, self.texts, strict=True))
        for value in handles:
            texts.setdefault(value, self._text(value))
        values = tuple(sorted(texts))
        start = tuple(values.index(value) for value in self.own)
        return replace(self, values=values, texts=tuple(texts[value] for value in values), start=start)

    def places(self, handles: Handles) -> Places:
        """Where values stand that it has."""
        return tuple(self.values.index(value) for value in handles)

    def _text(self, value: float) -> str:
        if self.way == "factor":
            return f"× {value:.{_TYPED}g}"
        text = self.scale.given(value, _TYPED)
        return f"+{text}" if self.way == "shift" and value > 0 else text

    def read(self, text: str) -> float:
        """Read a number as people type it: in the unit that is shown, or with a unit of its own.

        Raises
        ------
        DemandsimError
            If it is no number, its comma may be a decimal point, or its unit measures something else.
        """
        bare = text.strip().replace("−", "-")
        if self.way == "factor":
            bare = bare.lstrip("×x ")
        # Of thousand cards, 40 is 40,000; a factor has no unit.
        if _BARE.fullmatch(bare):
            value = float(bare.replace(",", "")) * (1.0 if self.way == "factor" else self.scale.divisor)
        else:
            said = read_amount(bare, "1" if self.way == "factor" else self.assumption.unit)
            try:
                value = float(said)
            except ValueError:
                value = math.nan
        if not math.isfinite(value):
            example = self.texts[self.start[0]]
            raise DistributionError(f"'{shorten(text)}' is no number to stand at; write one, such as {example}")
        if self.way == "factor" and value <= 0:
            raise DistributionError(f"'{shorten(text)}': a factor must be above 0")
        return float(f"{value:.15g}")

    def distribution(self, handles: Handles, prob: float) -> Distribution:
        """Return the distribution that the handles ask for; the study's own where they have not been moved.

        Raises
        ------
        DistributionError
            If its family has none like that.
        """
        own = self.assumption.distribution
        if handles == self.own:
            return own
        if self.way == "interval":
            return with_interval(own, handles[0], handles[1], prob)
        return scaled(own, handles[0]) if self.way == "factor" else shifted(own, handles[0])

    def why_not(self, law: Distribution) -> str:
        """Return the key of what is wrong with a distribution of its own family; empty if nothing is.

        Ends within bounds do not keep the tails beyond them there: of a PERT or a uniform distribution, say.
        """
        low, high = _bounds(self.assumption)
        bottom, top = _support(law)
        slack = 1e-9 * (top - bottom)
        return "negative" if bottom < low - slack else "above_one" if top > high + slack else ""


@dataclass(frozen=True)
class Fixed:
    """An assumption that no slider moves: its name and distribution in words, and why."""

    label: str
    told: str
    why: str


def sliders(assumptions: Mapping[str, tuple[str, Assumption]], prob: float, words: Words) -> tuple[Slider, ...]:
    """Make a slider of every assumption that has an interval to move.

    Parameters
    ----------
    assumptions : mapping of name to (key, Assumption)
    """
    made = (
        _of_labels(name, key, own, prob, words) if own.distribution.dims else _of_interval(name, key, own, prob, words)
        for name, (key, own) in assumptions.items()
        if not why_fixed(own.distribution)
    )
    return tuple(made)


def fixed_ones(model: Model, words: Words) -> tuple[Fixed, ...]:
    """List the assumptions that no slider moves."""
    found = []
    for name, own in model.assumptions.items():
        if why := why_fixed(own.distribution):
            told = words.say(why, family=_family(own, words))
            found.append(Fixed(_label(name, own, words), _told(own, words), told))
    return tuple(found)


def _told(own: Assumption, words: Words) -> str:
    law = own.distribution
    if law.is_constant and not law.dims:
        return words.scale(own.unit, float(law.ppf(0.5))).measure(float(law.ppf(0.5)), 4)
    text = str(law)
    return (text if len(text) <= 60 else f"{text[:57]}...") + (f" {own.unit}" if own.unit != "1" else "")


def _label(name: str, own: Assumption, words: Words) -> str:
    return words.locale.name(name, own.long_name)


def _family(own: Assumption, words: Words) -> str:
    return words.family(own.distribution.family)


def _of_interval(name: str, key: str, own: Assumption, prob: float, words: Words) -> Slider:
    law = own.distribution
    low, high = central(law, prob)
    wide = is_wide(law)
    start, stop = (math.log(low), math.log(high)) if wide else (low, high)
    step = (stop - start) / _WITHIN
    places = start + step * np.arange(-_BEYOND, _WITHIN + _BEYOND + 1)
    values = np.exp(places) if wide else places
    floor, ceiling = _limits(own)
    inside = (values >= floor) & (values <= ceiling)
    first = int(np.argmax(inside))
    # The study's ends are kept to the last bit; other values get as many digits as tell steps apart.
    kept = tuple(_short(v, step * (v if wide else 1.0)) for v in values[inside].tolist())
    scale = words.scale(own.unit, low, high)
    digits = max(3, 1 + math.ceil(math.log10(max(abs(low), abs(high)) / (high - low) * _WITHIN / 2)))
    texts = tuple(scale.value(v, min(digits, 12)) for v in kept)
    at_start = (_BEYOND - first, _BEYOND + _WITHIN - first)
    told = words.say("to", low=texts[at_start[0]], high=texts[at_start[1]])
    note = words.say("about_interval", family=_family(own, words), told=told)
    title = _titled(_label(name, own, words), scale, words)
    return Slider(name, key, title, note, "interval", kept, texts, at_start, scale, own)


def _titled(label: str, scale: Scale, words: Words) -> str:
    if not scale.unit:
        return label
    counted = scale.unit[:1].isdigit() and not scale.unit.startswith("1/")
    return words.say("with_unit", name=label, unit=f"× {scale.unit}" if counted else scale.unit)


def _support(law: Distribution) -> tuple[float, float]:
    ends = [one.support() for one in law.laws]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _bounds(own: Assumption) -> tuple[float, float]:
    """What it can be; where the study does not say, what is never negative stays so, and a share one."""
    bottom, top = _support(own.distribution)
    if own.bounds is not None:
        low, high = own.bounds.ends
        # The study's own interval stays on its slider, even if it is beyond.
        return min(low, bottom), max(high, top)
    return (0.0 if bottom >= 0 else -math.inf), (1.0 if own.unit == "1" and top <= 1 else math.inf)


def _limits(own: Assumption) -> tuple[float, float]:
    """What ends of an interval stay within."""
    if own.distribution.family in ("beta", "metalog"):
        # Never reaches its bounds; they themselves are left out.
        bottom, top = _support(own.distribution)
        return np.nextafter(bottom, math.inf), np.nextafter(top, -math.inf)
    return _bounds(own)


def _short(value: float, step: float) -> float:
    """Round to two digits more than the step between neighbours has."""
    return float(f"{value:.{max(2, 2 + math.ceil(math.log10(abs(value) / step)))}g}") if value else 0.0


def _of_labels(name: str, key: str, own: Assumption, prob: float, words: Words) -> Slider:
    """One handle for all labels: a factor where all values are positive, or else a shift."""
    law = own.distribution
    dims = functools.reduce(lambda one, other: words.say("pair", one=one, other=other), map(words.locale.dim, law.dims))
    lows, highs = np.asarray(law.ppf((1 - prob) / 2)), np.asarray(law.ppf((1 + prob) / 2))
    label = _label(name, own, words)
    low, high = float(lows.min()), float(highs.max())
    scale = words.scale(own.unit, low, high)
    about = {
        "family": _family(own, words),
        "dims": dims,
        "prob": percent(prob),
        "between": words.span(own.unit, low, high, 3),
    }
    if (np.asarray(law.median()) > 0).all() and low >= 0:
        most = _limits(own)[1] / high
        values = [float(f"{_FACTOR ** (i / _STEPS):.4g}") for i in range(-_STEPS, _STEPS + 1)]
        values = [value for value in values if value < most or value <= 1]
        texts = [f"× {value:.3g}" for value in values]
        note = words.say("about_factor", **about)
        return Slider(name, key, label, note, "factor", tuple(values), tuple(texts), (_STEPS,), scale, own)
    step = _round_step(float((highs - lows).max()) / 40)
    values = [float(f"{i * step:.6g}") for i in range(-_STEPS, _STEPS + 1)]
    texts = [("+" if v > 0 else "") + scale.value(v) for v in values]
    note, title = words.say("about_shift", **about), _titled(label, scale, words)
    return Slider(name, key, title, note, "shift", tuple(values), tuple(texts), (_STEPS,), scale, own)


def _round_step(raw: float) -> float:
    size = 10.0 ** math.floor(math.log10(raw))
    return next(size * f for f in (1, 2, 2.5, 5, 10) if size * f >= raw * (1 - 1e-9))
