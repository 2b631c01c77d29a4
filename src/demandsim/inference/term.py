r"""Term: one piece of evidence, compiled: what it is read from, and how well values agree with it.

Between prior and posterior stand easier problems, of heat t from 0 to 1,

.. math:: \log L_t = t \log L - \frac{t}{1 - t} s,

with s the shortfall: how far a bound is missed, in standard deviations of what it bounds. At t = 1 a bound holds
or not; before, what misses it by less is likelier, so that bounds of any rarity are come by in steps.

Source: Au and Beck, "Estimation of small failure probabilities in high dimensions by subset simulation",
Probabilistic Engineering Mechanics 16 (2001), the sequence of easier events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.sampling.program import Layout

__all__ = ["Agreement", "Element", "Term", "Values"]

Values = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well draws agree with evidence.

    Parameters
    ----------
    soft : array of shape (..., draws)
        Log-likelihood; where a bound is missed, that of the nearest value within it.
    shortfall : array of the same shape
        0 where all bounds are met.
    """

    soft: Array
    shortfall: Array

    def at(self, heat: float) -> Array:
        """Log-likelihood of the easier problem; that of the evidence itself at heat 1, and 0 at heat 0."""
        if heat <= 0.0:
            return np.zeros_like(self.soft)
        if heat >= 1.0:
            return self.whole
        return np.asarray(heat * self.soft - heat / (1.0 - heat) * self.shortfall)

    @property
    def whole(self) -> Array:
        """Log-likelihood: -inf where a bound is missed."""
        return np.where(self.shortfall > 0.0, -np.inf, self.soft)

    def __getitem__(self, places: Any) -> Agreement:
        return Agreement(self.soft[places], self.shortfall[places])

    def where(self, take: Array, other: Agreement) -> Agreement:
        """Draws of `other` where `take`, else the own ones."""
        return Agreement(np.where(take, other.soft, self.soft), np.where(take, other.shortfall, self.shortfall))

    @classmethod
    def joined(cls, parts: Sequence[Agreement]) -> Agreement:
        """Put draws one after the other."""
        soft, short = ([getattr(one, name) for one in parts] for name in ("soft", "shortfall"))
        return cls(np.concatenate(soft, axis=-1), np.concatenate(short, axis=-1))


@dataclass(frozen=True)
class Element:
    """One number that was observed: its law, and its labels."""

    law: Law
    labels: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Term:
    """One piece of evidence.

    Parameters
    ----------
    label : str
        The quantity, or the event in words.
    names : tuple of str
        Quantities that it is read from.
    worlds : frozenset of str
        Scenario dims over which it differs.
    value : callable
        From values with all axes and their layout to the agreement, of shape (world dims, draws).
    elements : tuple of Element
        What an observation consists of; empty for an event.
    read : callable or None
        From an element, values and layout to the element's values, in the unit of the evidence, over scenario dims.
    log : bool
        On the log scale.
    """

    label: str
    names: tuple[str, ...]
    worlds: frozenset[str]
    value: Callable[[Values, Layout], Agreement]
    elements: tuple[Element, ...] = ()
    read: Callable[[Element, Values, Layout], Array] | None = None
    log: bool = False
