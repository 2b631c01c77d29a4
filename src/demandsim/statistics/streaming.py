"""Streams: statistics of Dask-backed draws, block by block, never holding the draws.

Each block is sketched by itself, so that no block waits for another, and the sketches of a chain merge in
the order of its blocks; the chains are merged at the end. Sketches are fine where the first block says that
the quantiles will be; where all draws say that it was wrong, what it was wrong about is read a second time.
Memory is that of a few blocks, and of one sketch per chain.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial, reduce
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.statistics.estimators import (
    Asked,
    Estimates,
    estimated,
    share_and_error,
    sure_statistics,
)
from demandsim.statistics.sketch import Focus, Sketch, focus_on, guessed_focus, merged, repeated, sketch_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["finished", "guessed", "joined", "sketched", "stream_shares", "stream_statistics"]

Place = tuple[str, tuple[int, ...]]
#: Name of a variable, and its axes of chain and draw.
Axes = tuple[str, int, int]


def _aligned(arrays: Sequence[xr.Variable]) -> list[Any]:
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


def stream_statistics(arrays: Mapping[str, xr.Variable], asked: Asked) -> dict[Place, Estimates]:
    """Statistics of every element of Dask-backed variables.

    Parameters
    ----------
    arrays : mapping of str to Variable
        With dims ``chain`` and ``draw``.
    asked : Asked

    Returns
    -------
    mapping of (name, place) to Estimates
    """
    rows, missed = _read(arrays, asked, None)
    while missed:
        # The coarse counts of all draws say exactly where: once more is enough.
        again, missed = _read({name: arrays[name] for name, _ in missed}, asked, missed)
        rows |= again
    return rows


def _read(
    arrays: Mapping[str, xr.Variable], asked: Asked, focus: dict[Place, Focus] | None
) -> tuple[dict[Place, Estimates], dict[Place, Focus]]:
    """Read all draws once: statistics, and where they should have been counted finely.

    The graph is written out: one call of `dask.delayed` per block would look through all graphs so far.
    """
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    names, some = list(arrays), next(iter(arrays.values()))
    axes = [(name, arrays[name].get_axis_num("chain"), arrays[name].get_axis_num("draw")) for name in names]
    parts = _aligned([arrays[name] for name in names])
    blocks = parts[0].numblocks[axes[0][2]]
    token = uuid.uuid4().hex[:16]
    focused, block, total, done = (f"{part}-{token}" for part in ("focus", "sketch", "chain", "summary"))

    def keys(chain: int, place: int) -> list[tuple[Any, ...]]:
        return [
            (part.name, *(chain if axis == c else place if axis == d else 0 for axis in range(part.ndim)))
            for part, (_, c, d) in zip(parts, axes, strict=True)
        ]

    guess, sketch = partial(_guessed, axes, asked, some.sizes["draw"]), partial(_sketched, axes)
    layer: dict[Any, Any] = {focused: (guess, keys(0, 0)) if focus is None else (partial(dict, focus),)}
    for chain, place in product(range(some.sizes["chain"]), range(blocks)):
        layer[block, chain, place] = (sketch, focused, keys(chain, place))
    for chain in range(some.sizes["chain"]):
        for place in range(1, blocks):
            before = (total if place > 1 else block, chain, place - 1)
            layer[total, chain, place] = (joined, before, (block, chain, place))
    wholes = [(total if blocks > 1 else block, chain, blocks - 1) for chain in range(some.sizes["chain"])]
    layer[done] = (partial(finished, asked), wholes)
    # Only statistics come back from the workers, not the sketches.
    graph = HighLevelGraph.from_collections(done, layer, dependencies=parts)
    found: tuple[dict[Place, Estimates], dict[Place, Focus]] = Delayed(done, graph).compute()
    return found


def _elements(axes: Sequence[Axes], blocks: Sequence[Array]) -> Any:
    """Draws of every element of one block of each variable."""
    for (name, chain, draw), block in zip(axes, blocks, strict=True):
        # The order of axes is settled here, in numpy: a step of the graph per variable costs more.
        ordered = np.moveaxis(block, (chain, draw), (-2, -1))[..., 0, :]
        for place in np.ndindex(*ordered.shape[:-1]):
            yield (name, tuple(place)), ordered[place]


def _is_sure(values: Array) -> bool:
    """Whether one number stands for all, as a view."""
    return values.strides == (0,)


def _guessed(axes: Sequence[Axes], asked: Asked, draws: int, blocks: Sequence[Array]) -> dict[Place, Focus]:
    return guessed(_elements(axes, blocks), asked, draws)


def guessed(elements: Iterable[tuple[Place, Array]], asked: Asked, draws: int) -> dict[Place, Focus]:
    """Where to count the elements finely, from their first values; `draws` follow in each chain."""
    return {
        key: guessed_focus(values[:1] if _is_sure(values) else values, asked.levels, asked.narrowest, draws)
        for key, values in elements
    }


def _sketched(axes: Sequence[Axes], focus: Mapping[Place, Focus], blocks: Sequence[Array]) -> dict[Place, Sketch]:
    return sketched(_elements(axes, blocks), focus)


def sketched(elements: Iterable[tuple[Place, Array]], focus: Mapping[Place, Focus]) -> dict[Place, Sketch]:
    """Sketch the elements that have a focus."""
    return {
        key: repeated(float(values[0]), values.size, focus[key]) if _is_sure(values) else sketch_of(values, focus[key])
        for key, values in elements
        if key in focus
    }


def joined(total: Mapping[Place, Sketch], part: Mapping[Place, Sketch]) -> dict[Place, Sketch]:
    """Sketches of values and of those that follow them, together."""
    return {key: merged(sketch, part[key]) for key, sketch in total.items()}


def finished(
    asked: Asked, found: Sequence[Mapping[Place, Sketch]]
) -> tuple[dict[Place, Estimates], dict[Place, Focus]]:
    """Statistics of all chains together with their errors, and where they should have been counted finely."""
    rows: dict[Place, Estimates] = {}
    missed: dict[Place, Focus] = {}
    for key in found[0]:
        own = [sketches[key] for sketches in found]
        sketch = reduce(merged, own)
        table, chains = sketch.table(), [one.table() for one in own if one.count]
        if sketch.count and sketch.smallest == sketch.largest:
            rows[key] = Estimates(sure_statistics(sketch.smallest, asked), sketch.invalid, math.nan)
            levels = asked.levels
        else:
            rows[key], around = estimated(chains, table, asked, sketch.invalid)
            levels = [*asked.levels, *around]
        coarse = table.unresolved(levels, asked.narrowest)
        coarse += [one for chain in chains for one in chain.unresolved([], asked.narrowest)]
        if coarse:
            missed[key] = sketch.focus | focus_on(coarse)
    return rows, missed


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
