"""Values that the assumptions of a model may take: published ones first, round ones next, then any."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from demandsim._system import Array
from demandsim.distributions.base import Law, format_value
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import InverseTransform

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["edges_within", "ends_of", "values_within"]

#: Grades as far out as a draw can reach.
_FIRST, _LAST = 2.0**-54, 2.0**-53
#: Quantiles that are tried, besides round numbers and ends.
_GRID = 96


@dataclass(frozen=True)
class _Element:
    """One number of an assumption: its law, the value to begin with, and how far it may go."""

    law: Law
    centre: float
    low: float
    high: float
    prob: float

    def short(self, values: Array) -> list[float]:
        """Values in as few digits as leave them values that the law can have."""
        out: list[float] = values.tolist()
        if self.law.kind != "continuous":
            return out
        for digits in (6, 3):
            rounded = np.array([float(f"{x:.{digits}g}") for x in values.tolist()])
            fits = (self.low <= rounded) & (rounded <= self.high) & np.isfinite(self.law.logpdf(rounded))
            out = [x if fit else old for x, fit, old in zip(rounded.tolist(), fits.tolist(), out, strict=True)]
        return out

    def grid(self) -> list[float]:
        """Quantiles over the whole range."""
        u = 0.5 + self.prob * (np.arange(1, _GRID) / _GRID - 0.5)
        return self.short(self.law.ppf(u))

    def round_numbers(self) -> list[float]:
        """A dozen or so values that are easily read."""
        if self.law.kind != "continuous":
            return []
        if self.low > 0 and self.high > 20 * self.low:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
        else:
            step = 10.0 ** math.floor(math.log10((self.high - self.low) / 2))
            first = math.ceil(self.low / step)
            found = [float(f"{place * step:.12g}") for place in range(first, first + 40)]
        numbers = np.array([x for x in found if self.low <= x <= self.high])
        # Not every number between the ends needs to be a value: a mixture may have gaps.
        return [x for x in numbers[:20].tolist() if np.isfinite(self.law.logpdf(np.array([x]))[0])]

    def candidates(self) -> list[float]:
        """Values to try, the most readable first: the point, then by the number of digits."""
        others = {self.low, self.high, *self.round_numbers(), *self.grid()}
        return [self.centre, *sorted(others, key=lambda x: (len(format_value(x)), abs(x - self.centre), x))]


def ends_of(law: Law, prob: float) -> tuple[float, float]:
    """Ends of a central interval; with `prob` of 1, as far out as a draw can reach."""
    tail = (1.0 - prob) / 2
    low, high = law.ppf(np.array([max(tail, _FIRST)]))[0], law.isf(np.array([max(tail, _LAST)]))[0]
    return float(low), float(high)


def _element(law: Law, point: float, prob: float) -> _Element:
    low, high = ends_of(law, prob)
    middle = _Element(law, point, low, high, prob)
    if low <= point <= high:
        return middle
    return _Element(law, middle.short(law.ppf(np.array([0.5])))[0], low, high, prob)


type Together = Callable[[Sequence[_Element]], st.SearchStrategy[tuple[float, ...]]]


def _at_edges(elements: Sequence[_Element]) -> st.SearchStrategy[tuple[float, ...]]:
    """The point, or an end of the range."""
    rows = [[e.centre, e.low, e.high] for e in elements]
    return st.sampled_from(list(zip(*rows, strict=True)))


def _anywhere(elements: Sequence[_Element]) -> st.SearchStrategy[tuple[float, ...]]:
    """Values of elements that one random number decides."""
    first, count = elements[0], len(elements)
    if all(element.low == element.high for element in elements):
        return st.just(tuple(element.centre for element in elements))
    if all(element == first for element in elements):
        return st.sampled_from([(x,) * count for x in first.candidates()])
    rows = [[e.centre, e.low, e.high, *e.grid()] for e in elements]
    return st.sampled_from(list(zip(*rows, strict=True)))


def _groups(transform: InverseTransform, points: Array, prob: float) -> dict[int, list[tuple[int, int, _Element]]]:
    """Elements of an assumption by the random number that decides them."""
    groups: dict[int, list[tuple[int, int, _Element]]] = {}
    for row, variant in enumerate(transform.variants):
        for place in range(points.shape[1]):
            law = variant.laws[place if variant.dims else 0]
            stream = place if variant.dims and len(transform.streams) > 1 else 0
            groups.setdefault(stream, []).append((row, place, _element(law, float(points[row, place]), prob)))
    return groups


def _shares(transform: InverseTransform, point: Any, grades: Sequence[float]) -> Any:
    """Values that add up to 1, from the grade of each label."""
    rows = [
        np.ravel(variant.drawn(lambda place: np.array([grades[place]]))) * np.ones(len(grades))
        for variant in transform.variants
    ]
    return point.copy(data=np.reshape(rows if transform.scenario_dim else rows[0], point.shape))


def _of_assumption(transform: InverseTransform, point: Any, prob: float, together: Together) -> st.SearchStrategy[Any]:
    points = np.reshape(point.values, (len(transform.variants) if transform.scenario_dim else 1, -1))
    if any(variant.wholes for variant in transform.variants):
        grades = st.sampled_from([(1 - prob) / 2, 0.5, (1 + prob) / 2])
        return st.tuples(*[grades] * points.shape[1]).map(functools.partial(_shares, transform, point))
    groups = _groups(transform, points, prob)
    drawn = [together([element for _, _, element in group]) for group in groups.values()]
    if not point.dims:
        return drawn[0].map(lambda values: values[0])

    def labelled(values: tuple[tuple[float, ...], ...]) -> Any:
        out = np.empty(points.shape)
        for group, found in zip(groups.values(), values, strict=True):
            for (row, place, _), value in zip(group, found, strict=True):
                out[row, place] = value
        return point.copy(data=out.reshape(point.shape))

    centres = tuple(tuple(element.centre for _, _, element in group) for group in groups.values())
    every = st.tuples(*drawn)
    # Most labels at their points are easier to read than none.
    return (st.just(centres) | every).map(labelled) if len(drawn) > 1 else every.map(labelled)


def values_within(
    model: Model, *, prob: float = 0.9, of: Sequence[str] | str | None = None
) -> st.SearchStrategy[dict[str, Any]]:
    """Draw one value of each assumption from its central interval.

    Parameters
    ----------
    model : Model
    prob : float, default 0.9
        Probability of the interval; 1 for all that a draw can reach.
    of : str or sequence of str, optional
        Draw only what these quantities depend on.

    Returns
    -------
    strategy of dict of str to (float or DataArray)
        In the assumptions' units. DataArrays over labels, and over scenarios where these change the
        assumption; what one random number decides in `Model.simulate` (scenarios, a shared assumption)
        moves together. Examples shrink to the published points, then to round numbers.

    Raises
    ------
    UnknownNameError
        If the model has no such quantity.
    DemandsimError
        If `prob` is not above 0 and at most 1.

    Examples
    --------
    >>> import demandsim as ds
    >>> from hypothesis import given, settings
    >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> @settings(max_examples=5)
    ... @given(values=values_within(model, prob=0.8, of="cards"))
    ... def test_utilization_is_a_share(values):
    ...     assert 0 < values["utilization"] < 1
    >>> test_utilization_is_a_share()
    """
    if not 0 < prob <= 1:
        raise DemandsimError(f"prob must be above 0 and at most 1, not {prob!r}")
    return _drawn(model, prob, of, _anywhere)


def edges_within(model: Model, of: Sequence[str] | str | None) -> st.SearchStrategy[dict[str, Any]]:
    """Values as far out as a draw can reach, each at one end, at the other, or at its point."""
    return _drawn(model, 1.0, of, _at_edges)


def _drawn(
    model: Model, prob: float, of: Sequence[str] | str | None, together: Together
) -> st.SearchStrategy[dict[str, Any]]:
    names = [of] if isinstance(of, str) else list(model.quantities if of is None else of)
    check_known(names, model.quantities, "quantity")
    needed = model.graph.ancestors(names)
    points = model.point()
    return st.fixed_dictionaries(
        {
            name: _of_assumption(transform, points[name], prob, together)
            for name, transform in model.program.transforms.items()
            if name in needed
        }
    )
