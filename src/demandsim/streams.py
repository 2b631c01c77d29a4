"""Streams: statistics of Dask-backed draws, block by block, never holding the draws.

Each chain is folded into sketches, block after block; a finished chain leaves its own statistics and is
merged into the pool. Memory is that of a few blocks and sketches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.estimates import Array, Kind, Sample, share_and_error, statistics
from demandsim.machine import cores
from demandsim.sketches import Moments, Sketch, merged, sketch_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["stream_shares", "stream_statistics"]

Place = tuple[str, tuple[int, ...]]
Row = tuple[list[float], int]


def _workers() -> int:
    """Parallel folds worth having: the threads of the active cluster, or of this machine."""
    try:
        from distributed import get_client

        return max(int(sum(get_client().nthreads().values())), 1)
    except (ImportError, ValueError):
        return cores()


def _aligned(arrays: Sequence[xr.DataArray]) -> list[Any]:
    """Dask arrays with one chain and the same draws per block; as they are, if they already have."""
    import dask.array as da

    edges = sorted({edge for a in arrays for edge in np.cumsum((0, *a.chunksizes["draw"])).tolist()})
    draws = tuple(np.diff(edges).tolist())
    found = []
    for array in arrays:
        wanted = tuple(
            (1,) * n if dim == "chain" else draws if dim == "draw" else (n,) for dim, n in array.sizes.items()
        )
        found.append(array.data if array.chunks == wanted else da.rechunk(array.data, wanted))
    return found


def _fold(
    total: dict[Place, Sketch] | None, names: Sequence[tuple[str, int, int]], blocks: Sequence[Array]
) -> dict[Place, Sketch]:
    """Add one block of each variable to the sketches of its elements; `names` come with the axes of chain and draw."""
    found = {}
    for (name, chain, draw), block in zip(names, blocks, strict=True):
        # The order of axes is settled here, in numpy: a step of the graph per variable costs more.
        ordered = np.moveaxis(block, (chain, draw), (-2, -1))[..., 0, :]
        for place in np.ndindex(*ordered.shape[:-1]):
            values = ordered[place]
            sure = values.strides == (0,)
            new = _repeated(float(values[0]), values.size) if sure else sketch_of(values)
            found[name, tuple(place)] = merged(total[name, tuple(place)], new) if total is not None else new
    return found


def _repeated(value: float, times: int) -> Sketch:
    """Sketch of a sure value, without looking at its copies."""
    one = sketch_of(np.array([value]))
    if not one.count:
        return Sketch(one.moments, one.smallest, one.largest, one.negative, one.positive, 0, times)
    negative, positive = ((first, counts * times) for first, counts in (one.negative, one.positive))
    return Sketch(Moments(times, value), value, value, negative, positive, one.zeros * times, 0)


def _merge_all(parts: Sequence[dict[Place, Sketch]]) -> dict[Place, Sketch]:
    total = dict(parts[0])
    for part in parts[1:]:
        total = {key: merged(sketch, part[key]) for key, sketch in total.items()}
    return total


@dataclass(frozen=True)
class _ChainRecord:
    """Statistics that a finished chain leaves: its sketch itself is only kept in the pool."""

    moments: Moments
    levels: Mapping[float, float]
    interval: tuple[float, float]

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles at levels asked for in advance."""
        return [self.levels[prob] for prob in probs]

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval, found in advance."""
        return self.interval


def stream_statistics(
    arrays: Mapping[str, xr.DataArray], prob: float, kind: Kind, probs: Sequence[float], iid: bool
) -> dict[Place, Row]:
    """Statistics of every element of Dask-backed variables.

    Parameters
    ----------
    arrays : mapping of str to DataArray
        With dims ``chain`` and ``draw``.
    prob, kind, probs, iid
        As for `statistics`.

    Returns
    -------
    mapping of (name, place) to (statistics, number left out)
    """
    from dask.base import compute
    from dask.delayed import delayed

    names = list(arrays)
    chains = next(iter(arrays.values())).sizes["chain"]
    levels = (0.5, (1 - prob) / 2, (1 + prob) / 2, *probs)
    # Not optimised one by one: each variable would get a copy of the block that all of them share.
    parts = [data.to_delayed(optimize_graph=False) for data in _aligned([arrays[name] for name in names])]
    axes = [(name, arrays[name].get_axis_num("chain"), arrays[name].get_axis_num("draw")) for name in names]
    fold, merge, record, finish = (delayed(f, pure=False) for f in (_fold, _merge_all, _recorded, _finished))
    pool: Any = None
    records = []
    for chain in range(chains):
        columns = [
            np.moveaxis(part, (c, d), (-2, -1)).reshape(-1, *np.array(part.shape)[[c, d]])[0, chain]
            for part, (_, c, d) in zip(parts, axes, strict=True)
        ]
        blocks = [list(row) for row in zip(*columns, strict=True)]
        # Whole chains side by side where there are enough of them: less to merge between workers.
        lanes = min(-(-_workers() // chains), len(blocks))
        totals: list[Any] = [None] * lanes
        for lane in range(lanes):
            for block in blocks[lane * len(blocks) // lanes : (lane + 1) * len(blocks) // lanes]:
                totals[lane] = fold(totals[lane], axes, block)
        found = merge(totals) if lanes > 1 else totals[0]
        records.append(record(found, levels, prob, kind))
        pool = found if pool is None else merge([pool, found])
    rows: dict[Place, Row]
    # Only statistics come back from the workers, not the sketches.
    (rows,) = compute(finish(pool, records, prob, kind, probs, iid))
    return rows


def _recorded(
    found: dict[Place, Sketch], levels: Sequence[float], prob: float, kind: Kind
) -> dict[Place, _ChainRecord]:
    """Statistics of one chain."""
    return {
        key: _ChainRecord(
            sketch.moments,
            dict(zip(levels, sketch.quantiles(levels), strict=True)),
            sketch.narrowest(prob) if kind == "hdi" else (math.nan, math.nan),
        )
        for key, sketch in found.items()
        if sketch.count
    }


def _finished(
    pool: dict[Place, Sketch],
    records: Sequence[dict[Place, _ChainRecord]],
    prob: float,
    kind: Kind,
    probs: Sequence[float],
    iid: bool,
) -> dict[Place, Row]:
    """Statistics of all chains together, with their errors."""
    rows: dict[Place, Row] = {}
    for key, sketch in pool.items():
        own: list[Sample] = [record[key] for record in records if key in record]
        row = statistics(own, sketch, prob, kind, probs, iid)
        if sketch.count and sketch.smallest == sketch.largest:
            count = 5 + len(probs)
            row = [sketch.smallest, 0.0, *([sketch.smallest] * (count - 2)), *([0.0] * count)]
        rows[key] = (row, sketch.invalid)
    return rows


def stream_shares(
    event: xr.DataArray, invalid: xr.DataArray | None, iid: bool
) -> dict[tuple[int, ...], tuple[float, float, int]]:
    """Share, MCSE and number left out of a Dask-backed event, for every element."""
    from dask.base import compute

    ordered = event.transpose(..., "chain", "draw")
    hits = ordered if invalid is None else ordered & ~invalid
    valid = None if invalid is None else (~invalid).broadcast_like(event).transpose(..., "chain", "draw")
    sums = [hits.sum("draw").data] + ([] if valid is None else [valid.sum("draw").data])
    counted = compute(*sums)
    totals = np.full(counted[0].shape, event.sizes["draw"]) if valid is None else counted[1]
    found = {}
    for place in np.ndindex(*counted[0].shape[:-1]):
        share, mcse = share_and_error(counted[0][place], totals[place], iid)
        found[tuple(place)] = (share, mcse, int(event.sizes["draw"] * counted[0].shape[-1] - totals[place].sum()))
    return found
