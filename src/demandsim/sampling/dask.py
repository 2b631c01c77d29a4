"""Chunks: Dask-backed draws, lazy, out of core or on a cluster; each block a pure function.

A block is (run, chain, start, stop) and nothing else: it can be computed by any worker, again after
a worker has died, and gives the same bits as in memory.
"""

from __future__ import annotations

import importlib.util
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError
from demandsim.sampling.dataset import dims_of
from demandsim.sampling.run import Run, spans

__all__ = ["CHUNK", "active_client", "blocks_of", "check_dask", "lazy_arrays"]

#: Draws of one chunk where the caller does not say: large enough for a scheduler, small enough for memory.
CHUNK = 1 << 19


def active_client() -> Any:
    """Return the active `dask.distributed.Client`, or None; never starts or imports one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def check_dask() -> None:
    """Say what to install where it is missing."""
    if importlib.util.find_spec("dask") is None:
        raise DemandsimError("chunks= needs Dask; install it with: pip install 'demandsim[dask]'")


def blocks_of(run: Run, chunk: int) -> Iterator[tuple[int, int, int]]:
    """All blocks of a run as (chain, start, stop)."""
    for chain in range(run.chains):
        for start, stop in spans(0, run.draws, chunk):
            yield chain, start, stop


def compute(run: Run, chain: int, start: int, stop: int) -> dict[str, Array]:
    """Compute one block: the task that a worker runs."""
    return run.range_of(chain, start, stop)


def _part(block: dict[str, Array], name: str, size: int, scenario_dims: int) -> Array:
    """One variable of a block, axes as the Dataset shows them: scenario dims, its chain, draw, model dims."""
    array = block[name]
    whole = array if array.shape[-1] == size else np.broadcast_to(array, (*array.shape[:-1], size))
    return np.moveaxis(whole[..., None, :], (-2, -1), (scenario_dims, scenario_dims + 1))


def lazy_arrays(run: Run, chunk: int) -> dict[str, Any]:
    """Dask arrays of the kept quantities, axes (scenario dims, chain, draw, model dims).

    Parameters
    ----------
    run : Run
    chunk : int
        Draws of one block.
    """
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    token = uuid.uuid4().hex[:16]
    whole, block = f"run-{token}", f"block-{token}"
    sizes = tuple(stop - start for start, stop in spans(0, run.draws, chunk))
    layer: dict[Any, Any] = {whole: run}
    for chain, start, stop in blocks_of(run, chunk):
        layer[block, chain, start // chunk] = (compute, whole, chain, start, stop)
    arrays = {}
    for name in run.keep:
        own, inner = (tuple(run.program.layout.size(dim) for dim in dims) for dims in dims_of(run, name))
        key = f"{name}-{token}"
        before, after = (0,) * len(own), (0,) * len(inner)
        parts = {
            (key, *before, chain, place, *after): (_part, (block, chain, place), name, sizes[place], len(own))
            for chain in range(run.chains)
            for place in range(len(sizes))
        }
        layers: dict[str, Any] = {block: layer, key: parts}
        graph = HighLevelGraph(layers, {block: set(), key: {block}})
        chunks = (*((n,) for n in own), (1,) * run.chains, sizes, *((n,) for n in inner))
        arrays[name] = da.Array(graph, key, chunks, dtype=run.dtype)
    return arrays
