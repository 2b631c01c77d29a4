"""By label: a distribution with a dim, made of one for each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from demandsim.distributions.base import Distribution
from demandsim.distributions.format import labels_along
from demandsim.errors import DistributionError, shorten

__all__ = ["by_label"]


def by_label(dim: str, labels: Sequence[Any], parts: Sequence[Distribution]) -> Distribution:
    """Join distributions of single numbers along a dim.

    Raises
    ------
    DistributionError
        If there are none, they are not as many as the labels, a label stands twice, or one has dims of its own.
    """
    import xarray as xr

    if not isinstance(dim, str) or not dim:
        raise DistributionError(f"by: the dim must be a name, not {dim!r}")
    if not parts or len(parts) != len(labels):
        raise DistributionError(f"by({dim}): {len(labels)} labels need as many values, not {len(parts)}")
    for label, part in zip(labels, parts, strict=True):
        if part.dims:
            raise DistributionError(f"by({dim}): {shorten(str(part))} at {label} has dims of its own")
    coords = labels_along(xr.DataArray(np.arange(len(labels)), coords={dim: list(labels)}, dims=dim), dim)
    if len(set(coords)) < len(coords):
        raise DistributionError(f"by: dim '{dim}' has a label twice")
    laws = tuple(part.laws[0] for part in parts)
    return Distribution("by", (("", dim), ("", list(parts))), laws, (dim,), {dim: coords})
