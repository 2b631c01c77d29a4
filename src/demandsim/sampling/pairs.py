"""Pairs: the numbers that two correlated streams make, scenario by scenario and label by label."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from demandsim.distributions.base import Law
from demandsim.sampling.program import InverseTransform, Layout

__all__ = ["Number", "Numbers", "Pair", "labels_of_streams", "number_label", "numbers", "pairs_of"]

#: Of positions of streams.
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Number:
    """One number that is drawn: an assumption in one scenario, at one label of each of its dims.

    Parameters
    ----------
    name : str
    variant, element : int
        Scenario among those of the dim that changes it, and place among its labels.
    law : Law
    label : str
        For messages, such as ``price[100T, year=2026]``.
    at : mapping of dim to int
        Where it lies; along a dim over which one draw is shared it stands for itself.
    """

    name: str
    variant: int
    element: int
    law: Law
    label: str
    at: Mapping[str, int]

    @property
    def place(self) -> tuple[str, int, int]:
        """Assumption, variant and element."""
        return self.name, self.variant, self.element

    @functools.cached_property
    def is_sure(self) -> bool:
        """Whether it has but one value."""
        low, high = self.law.support()
        return low == high


def number_label(name: str, transform: InverseTransform, layout: Layout, variant: int, element: int) -> str:
    """Name of an assumption with its scenario and labels, as far as it has any."""
    words = [str(layout.coords[transform.scenario_dim][variant])] if transform.scenario_dim else []
    words += [f"{dim}={layout.coords[dim][place]}" for dim, place in _place(transform, layout, element).items()]
    return f"{name}[{', '.join(words)}]" if words else name


def labels_of_streams(transforms: Mapping[str, InverseTransform], layout: Layout) -> dict[int, str]:
    """Name of the assumption that each stream feeds, with its labels, whatever the scenario."""
    found = {}
    for name, transform in transforms.items():
        for element, stream in enumerate(transform.streams):
            place = _place(transform, layout, element) if len(transform.streams) > 1 else {}
            words = [f"{dim}={layout.coords[dim][at]}" for dim, at in place.items()]
            found[stream] = f"{name}[{', '.join(words)}]" if words else name
    return found


def _place(transform: InverseTransform, layout: Layout, element: int) -> dict[str, int]:
    """Place along each dim of an element in C order."""
    place = {}
    for dim in reversed(transform.dims):
        element, place[dim] = divmod(element, layout.size(dim))
    return dict(reversed(place.items()))


#: All numbers that each stream makes.
Numbers = Mapping[int, Sequence[Number]]


def numbers(transforms: Mapping[str, InverseTransform], layout: Layout, streams: Set[int]) -> dict[int, list[Number]]:
    """All numbers that some streams make: one a scenario and, if its draw is shared, one a label."""
    found: dict[int, list[Number]] = {}
    for name, transform in transforms.items():
        if streams.isdisjoint(transform.streams):
            # Most assumptions are tied to no other, and may have a hundred thousand labels.
            continue
        shared = len(transform.streams) == 1
        for variant, made in enumerate(transform.variants):
            for element in range(max(len(other.laws) for other in transform.variants)):
                at = _place(transform, layout, element)
                if transform.scenario_dim:
                    at[transform.scenario_dim] = variant
                law = made.laws[element if len(made.laws) > 1 else 0]
                label = number_label(name, transform, layout, variant, element)
                stream = transform.streams[0 if shared else element]
                found.setdefault(stream, []).append(Number(name, variant, element, law, label, at))
    return found


def pairs_of(found: Numbers, layout: Layout, pair: Pair) -> Iterator[tuple[Number, Number]]:
    """Numbers of two streams that occur together: in the same scenario and, where both have labels, at the same.

    Labels that a stream of its own feeds meet all others that it was correlated with.
    """
    both = list(itertools.product(found[pair[0]], found[pair[1]]))
    scenarios = [met for met in both if _agree(*met, layout.scenario_dims)]
    return iter([met for met in scenarios if _agree(*met, layout.model_dims)] or scenarios)


def _agree(one: Number, other: Number, dims: tuple[str, ...]) -> bool:
    return all(one.at[dim] == other.at[dim] for dim in dims if dim in one.at and dim in other.at)
