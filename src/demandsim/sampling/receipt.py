"""Receipts: what was asked of a sample against what it achieved.

Quantiles are counted, in integers, over all draws: counts add up to the same total whatever the blocks and threads.
Rank correlations are those of the values of the first draws of every chain, made again for them.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law
from demandsim.errors import DemandsimError
from demandsim.sampling.pairs import Number, number_label, numbers, pairs_of
from demandsim.sampling.program import Program
from demandsim.sampling.run import Run

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Receipt", "receipt"]

PROBS = (0.05, 0.5, 0.95)
#: Draws of all chains together whose rank correlations a receipt tells, and how many numbers may be ranked for it.
_RANKED_DRAWS = 1 << 16
_RANKED_NUMBERS = 1 << 21
#: Most pairs of which a receipt tells.
_PAIRS = 1000


@dataclass(frozen=True, eq=False)
class Receipt:
    """Counts of a sample, to be added up over blocks.

    Parameters
    ----------
    draws : int
    below : mapping of assumption to int array of shape (scenarios, elements, probs)
        Draws at or below each requested quantile.
    """

    draws: int = 0
    below: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def __add__(self, other: Receipt) -> Receipt:
        if not self.draws:
            return other
        below = {name: counts + other.below[name] for name, counts in self.below.items()}
        return Receipt(self.draws + other.draws, below)


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


def count(requested: Mapping[str, Array], assumed: Mapping[str, Array], size: int) -> Receipt:
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
    return Receipt(size, below)


def written(total: Receipt, run: Run) -> str:
    """Write a receipt as JSON for the attribute ``receipt`` of a Dataset."""
    return json.dumps(told(total, run), sort_keys=True)


def told(total: Receipt, run: Run) -> dict[str, Any]:
    """Tell what was requested and achieved, as `receipt` returns it."""
    quantiles: dict[str, Any] = {}
    requested = requested_quantiles(run.program)
    for name, counts in total.below.items():
        transform = run.program.transforms[name]
        for place in np.ndindex(*counts.shape[:2]):
            quantiles[number_label(name, transform, run.program.layout, *place)] = {
                "prob": list(PROBS),
                "requested": [float(f"{value:.10g}") for value in requested[name][place]],
                "achieved_prob": [round(int(n) / total.draws, 6) for n in counts[place]],
            }
    rows = _rank_correlations(run)
    # Of very many labels the pairs that are farthest off tell enough.
    shown = sorted(rows, key=lambda pair: -rows[pair].pop("apart"))[:_PAIRS]
    found = {"quantiles": quantiles, "rank_correlations": {pair: rows[pair] for pair in shown}}
    return found | ({"rank_correlations_left_out": len(rows) - len(shown)} if len(rows) > len(shown) else {})


def _rank_correlations(run: Run) -> dict[str, dict[str, Any]]:
    """What was asked of every pair of correlated numbers, what their values have, and how far apart both are."""
    program = run.program
    tied = frozenset(stream for pair in program.correlations for stream in pair)
    found = numbers(program.transforms, program.layout, tied)
    met = [
        (one, other, rho)
        for pair, rho in program.correlations.items()
        for one, other in pairs_of(found, program.layout, pair)
    ]
    draws, places, ranks = _first_ranks(run, [number for row in met for number in row[:2]])
    achieved = ranks @ ranks.T
    rows = {}
    for one, other, rho in met:
        row: dict[str, Any] = {
            "requested": float(f"{rho:.6g}"),
            "achieved": None,
            "draws": run.chains * draws,
            "apart": 0.0,
        }
        sure = [f"'{number.label}'" for number in (one, other) if number.is_sure]
        if sure:
            row["void"] = f"{' and '.join(sure)} {'is a sure value' if len(sure) == 1 else 'are sure values'}"
        else:
            a, b = places[one.place], places[other.place]
            # A rare value may not have been drawn at all.
            if achieved[a, a] and achieved[b, b]:
                row["achieved"] = round(float(achieved[a, b]), 6)
                row["apart"] = abs(row["achieved"] - row["requested"])
        rows[", ".join(sorted((one.label, other.label)))] = row
    return rows


def _first_ranks(run: Run, numbers: Sequence[Number]) -> tuple[int, dict[tuple[str, int, int], int], Array]:
    """How many draws of every chain are ranked, the row of each random number, and rows of ranks, of length 1."""
    random = list(dict.fromkeys(number.place for number in numbers if not number.is_sure))
    if not random:
        return 0, {}, np.zeros((0, 0))
    most = min(_RANKED_DRAWS, _RANKED_NUMBERS // max(len(random), 1)) // run.chains
    # A power of two, at which the beginning of a low-discrepancy sequence is even.
    draws = min(run.draws, 1 << max(most, 64).bit_length() - 1)
    values: dict[tuple[str, int, int], list[Array]] = {place: [] for place in random}
    for chain in range(run.chains):
        start = chain * run.draws
        assumed = run.program.assume(run.grades(start, start + draws), draws, {name for name, _, _ in random})
        for (name, variant, element), parts in values.items():
            transform = run.program.transforms[name]
            parts.append(assumed[name].reshape(len(transform.variants), -1, draws)[variant, element])
    rows = np.stack([_ranks(np.concatenate(parts)) for parts in values.values()])
    return draws, {place: row for row, place in enumerate(values)}, rows


def _ranks(values: Array) -> Array:
    """Ranks less their mean, scaled to length 1 unless all are one; draws of one value share the middle of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - 0.5 * (counts - 1) - 0.5 * (values.size + 1))[place]
    return ranks / (math.sqrt(float(ranks @ ranks)) or 1.0)


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
        below each; ``rank_correlations``: per pair, the requested Spearman correlation and that of the
        values of ``draws`` draws, the first of every chain; ``void`` says where a sure value leaves none. Of more
        than 1000 pairs those that are farthest off, and ``rank_correlations_left_out`` counts the others.

    Raises
    ------
    DemandsimError
        If `draws` carries no receipt.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
    >>> receipt(draws)["quantiles"]["utilization"]["achieved_prob"]
    [0.049..., 0.5, 0.950...]
    """
    if "receipt" not in draws.attrs:
        raise DemandsimError(
            "these draws carry no receipt: model.simulate and model.infer write one; draws of others, and what is "
            "computed from draws, have none"
        )
    found: dict[str, Any] = json.loads(draws.attrs["receipt"])
    return found
