r"""Conflict: how far evidence lies from the prior, or from what other evidence allows.

Replicated measurements :math:`y = q + \epsilon` follow from draws of the prior and the error that the evidence
states for itself. What was read lies :math:`d` standard deviations off if it is that many times as far from the
median of y as the P0.1 or P99.9 of its side is, times 3.09: for a normal y the usual number, and for a skewed
one the number that its own tail tells. Source: Box, J. R. Stat. Soc. A 143 (1980), prior predictive checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.inference.importance import keyed
from demandsim.inference.likelihood import Likelihood
from demandsim.inference.term import Element, Term
from demandsim.sampling.program import Layout
from demandsim.units.format import label_value

__all__ = ["LIMIT", "Distance", "distances", "worst"]

#: Standard deviations from which on evidence counts as a contradiction; for a normal, one in 500 million.
LIMIT = 6.0
_TAIL, _TAIL_SCORE = 0.001, 3.0902


@dataclass(frozen=True)
class Distance:
    """How far what was read lies from what is expected.

    Parameters
    ----------
    label : str
        Quantity, with the labels of the element.
    deviations : float
        Distance in standard deviations.
    read, expected : float
        Medians of the evidence and of the draws, in the unit of the evidence.
    outside : bool
        True if no replicated measurement lies that far off.
    """

    label: str
    deviations: float
    read: float
    expected: float
    outside: bool

    @property
    def contradicts(self) -> bool:
        """Beyond the limit, and beyond every replicated measurement."""
        return self.deviations > LIMIT and self.outside


def _errors(element: Element, log: bool, seed: int, draws: int) -> tuple[float, Array]:
    """Median of the evidence, and errors around it, on its scale."""
    u = (np.arange(draws) + keyed(seed, 3).random(draws)) / draws
    found = element.law.ppf(np.clip(keyed(seed, 4).permutation(u), 1e-15, 1 - 1e-15))
    middle = element.law.ppf(np.array([0.5]))
    scaled = np.log(found) if log else found
    centre = float(np.log(middle[0]) if log else middle[0])
    return centre, scaled - centre


def distances(
    likelihood: Likelihood, values: Mapping[str, Array], layout: Layout, seed: int, *, errors: bool = True
) -> list[Distance]:
    """Distances of every observed number from draws of the model, in every scenario.

    Parameters
    ----------
    likelihood : Likelihood
    values : mapping of str to array
        Observed quantities, with all axes.
    layout : Layout
    seed : int
        Of the replicated errors.
    errors : bool, default True
        Compare with replicated measurements; else with the error of the evidence around the draws' median.
    """
    found = []
    with np.errstate(all="ignore"):
        for term in likelihood.terms:
            for element in term.elements:
                found += _of_element(term, element, values, layout, seed, errors)
    return found


def _of_element(
    term: Term, element: Element, values: Mapping[str, Array], layout: Layout, seed: int, errors: bool
) -> list[Distance]:
    if term.read is None or any(
        label not in layout.coords[dim] for dim, label in element.labels.items() if dim in layout.scenario_dims
    ):
        return []
    array = term.read(element, values, layout)
    centre, noise = _errors(element, term.log, seed, array.shape[-1])
    found = []
    for place in np.ndindex(array.shape[:-1]):
        row = array[place]
        drawn = np.log(row) if term.log else row
        replicated = drawn + noise if errors else np.median(drawn) + noise
        low, middle, high = np.quantile(replicated, [_TAIL, 0.5, 1 - _TAIL]).tolist()
        unit = ((high - middle) if centre > middle else (middle - low)) / _TAIL_SCORE
        outside = bool(centre > replicated.max() or centre < replicated.min())
        expected = float(np.median(row))
        read = float(np.exp(centre)) if term.log else centre
        off = abs(centre - middle) / unit if unit > 0 else (0.0 if centre == middle else np.inf)
        axes = zip(layout.scenario_dims, array.shape, place, strict=False)
        labels = {dim: layout.coords[dim][at] for dim, size, at in axes if size > 1} | dict(element.labels)
        where = "".join(f", {dim}={label_value(label)}" for dim, label in labels.items())
        found.append(Distance(f"{term.label}{where}", float(off), read, expected, outside))
    return found


def worst(found: list[Distance]) -> Distance | None:
    """The one farthest off."""
    numbers = [one for one in found if not np.isnan(one.deviations)]
    return max(numbers, key=lambda one: one.deviations, default=None)
