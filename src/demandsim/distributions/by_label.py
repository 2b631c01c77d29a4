"""By label: a distribution with a dim, made of one for each label, or of the same for all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from demandsim.distributions.base import Distribution
from demandsim.distributions.format import labels_of
from demandsim.errors import DistributionError, shorten

__all__ = ["MOST_LAWS", "by_label", "repeated"]

#: Distributions of one assumption: each takes about a millisecond to make, and again to draw.
MOST_LAWS = 10_000


def by_label(dim: str, labels: Sequence[Any], parts: Sequence[Distribution]) -> Distribution:
    """Join distributions of single numbers along a dim.

    Raises
    ------
    DistributionError
        If there are none, they are not as many as the labels, a label stands twice, or one has dims of its own.
    """
    if not isinstance(dim, str) or not dim:
        raise DistributionError(f"by: the dim must be a name, not {dim!r}")
    if not parts or len(parts) != len(labels):
        raise DistributionError(f"by({dim}): {len(labels)} labels need as many values, not {len(parts)}")
    for label, part in zip(labels, parts, strict=True):
        if part.dims:
            raise DistributionError(f"by({dim}): {shorten(str(part))} at {label} has dims of its own")
    coords = labels_of(dim, labels)
    laws = tuple(part.laws[0] for part in parts)
    return Distribution("by", (("", dim), ("", list(parts))), laws, (dim,), {dim: coords})


def repeated(part: Distribution, coords: Mapping[str, Sequence[Any]]) -> Distribution:
    """Give a distribution further dims: the same law at every label, and a draw of its own.

    Raises
    ------
    DistributionError
        If it has such a dim already, or there are too many labels.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> print(repeated(normal(1, 2), {"region": ["north", "south"]}))
    by("region", normal(1, 2, prob=0.9))
    """
    import xarray as xr

    own = {dim: labels_of(dim, labels) for dim, labels in coords.items()}
    for dim in own:
        if dim in part.dims:
            raise DistributionError(f"by({dim}): {shorten(str(part))} has the dim already")
    shape = tuple(map(len, own.values()))
    count = math.prod(shape)
    if part.family == "constant" and not part.dims:
        value = xr.DataArray(np.full(shape, part.laws[0].ppf(np.array([0.5]))[0]), dims=list(own))
        value = value.assign_coords({dim: list(labels) for dim, labels in own.items()})
        return Distribution("constant", (("", value),), part.laws * count, tuple(own), own)
    if count * len(part.laws) > MOST_LAWS:
        raise DistributionError(f"by({', '.join(own)}): {count:,} labels are more than {MOST_LAWS:,} distributions")
    said = (*(("", dim) for dim in own), ("", part))
    wholes = tuple(
        dataclasses.replace(whole, places=tuple(place + k * len(part.laws) for place in whole.places))
        for k in range(count)
        for whole in part.wholes
    )
    return Distribution("by", said, part.laws * count, (*own, *part.dims), {**own, **part.coords}, wholes)
