"""Receipts: what was asked of a sample against what it achieved, in exact integer counts.

Counts add up to the same total whatever the blocks and threads, so a receipt has the same bits.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law
from demandsim.sampling.program import Program

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Receipt", "receipt"]

PROBS = (0.05, 0.5, 0.95)
#: Grades are rounded to 16 bits, so that sums of products over 2**30 draws fit in 64.
_GRADE_BITS = 16


@dataclass(frozen=True, eq=False)
class Receipt:
    """Counts of a sample, to be added up over blocks.

    Parameters
    ----------
    draws : int
    below : mapping of assumption to int array of shape (scenarios, elements, probs)
        Draws at or below each requested quantile.
    moments : mapping of (stream, stream) to tuple of int
        Sums of a, b, a * a, b * b and a * b over the rounded grades of the pair.
    """

    draws: int = 0
    below: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    moments: Mapping[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)

    def __add__(self, other: Receipt) -> Receipt:
        if not self.draws:
            return other
        below = {name: counts + other.below[name] for name, counts in self.below.items()}
        moments = {
            pair: tuple(a + b for a, b in zip(sums, other.moments[pair], strict=True))
            for pair, sums in self.moments.items()
        }
        return Receipt(self.draws + other.draws, below, moments)


@functools.lru_cache(maxsize=16)
def requested_quantiles(program: Program) -> dict[str, Array]:
    """Quantiles at `PROBS` of every random assumption, shape (scenarios, elements, probs)."""
    return {
        name: np.array([[law.ppf(np.array(PROBS)) for law in laws] for laws in _balanced(transform.variants)])
        for name, transform in program.transforms.items()
        if transform.varying.random
    }


def _balanced(variants: tuple[Distribution, ...]) -> list[tuple[Law, ...]]:
    """Laws of variants, equally many: those of one without dims stand for all elements of the others."""
    most = max(len(variant.laws) for variant in variants)
    return [variant.laws if len(variant.laws) == most else variant.laws * most for variant in variants]


def count(
    program: Program,
    requested: Mapping[str, Array],
    assumed: Mapping[str, Array],
    grades: Callable[[int], Array],
    size: int,
) -> Receipt:
    """Count one block."""
    below = {}
    for name, quantiles in requested.items():
        if name in assumed:
            values = np.ascontiguousarray(assumed[name]).reshape(quantiles.shape[0], quantiles.shape[1], -1)
            below[name] = np.array(
                [
                    [[np.count_nonzero(values[i, e] <= q) for q in quantiles[i, e]] for e in range(quantiles.shape[1])]
                    for i in range(quantiles.shape[0])
                ],
                dtype=np.int64,
            )
    moments = {}
    for one, other in program.correlations:
        a = (grades(one) * (1 << _GRADE_BITS)).astype(np.int64)
        b = (grades(other) * (1 << _GRADE_BITS)).astype(np.int64)
        moments[one, other] = tuple(int(np.sum(part)) for part in (a, b, a * a, b * b, a * b))
    return Receipt(size, below, moments)


def written(total: Receipt, program: Program, requested: Mapping[str, Array]) -> str:
    """Write a receipt as JSON for the attribute ``receipt`` of a Dataset."""
    return json.dumps(told(total, program, requested), sort_keys=True)


def told(total: Receipt, program: Program, requested: Mapping[str, Array]) -> dict[str, dict[str, Any]]:
    """Tell what was requested and achieved, as `receipt` returns it."""
    quantiles: dict[str, Any] = {}
    for name, counts in total.below.items():
        for label, place in _labels(program, name, counts.shape[:2]):
            quantiles[label] = {
                "prob": list(PROBS),
                "requested": [float(f"{value:.10g}") for value in requested[name][place]],
                "achieved_prob": [round(int(n) / total.draws, 6) for n in counts[place]],
            }
    correlations = {
        ", ".join(sorted((program.streams[one].label, program.streams[other].label))): {
            "requested": float(f"{program.correlations[one, other]:.6g}"),
            "achieved": round(_rank_correlation(total.draws, total.moments[one, other]), 6),
        }
        for one, other in total.moments
    }
    return {"quantiles": quantiles, "rank_correlations": correlations}


def _rank_correlation(draws: int, sums: tuple[int, ...]) -> float:
    a, b, aa, bb, ab = sums
    spread = (draws * aa - a * a) * (draws * bb - b * b)
    return (draws * ab - a * b) / math.sqrt(spread) if spread > 0 else math.nan


def _labels(program: Program, name: str, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    transform, layout = program.transforms[name], program.layout
    found = []
    for place in np.ndindex(*shape):
        words = []
        if transform.scenario_dim:
            words.append(str(layout.coords[transform.scenario_dim][place[0]]))
        if transform.dims and shape[1] > 1:
            where = np.unravel_index(place[1], [layout.size(dim) for dim in transform.dims])
            words += [f"{dim}={layout.coords[dim][int(i)]}" for dim, i in zip(transform.dims, where, strict=True)]
        found.append((f"{name}[{', '.join(words)}]" if words else name, tuple(place)))
    return found


def receipt(draws: xr.Dataset) -> dict[str, Any]:
    """Read what a simulation asked of its sample against what the sample achieved.

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate``.

    Returns
    -------
    dict
        ``quantiles``: per assumption, the requested P5, P50 and P95 and the share of draws at or
        below each; ``rank_correlations``: per pair, requested and achieved Spearman correlation
        (of the grades, before any discrete distribution makes ties).

    Raises
    ------
    KeyError
        If `draws` carries no receipt.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
    >>> receipt(draws)["quantiles"]["utilization"]["achieved_prob"]
    [0.049..., 0.5, 0.950...]
    """
    found: dict[str, Any] = json.loads(draws.attrs["receipt"])
    return found
