"""Blocks: the numbers of one chain and a range of draws, written, and read back where a run goes on."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from demandsim.sampling.dask import blocks_of
from demandsim.sampling.dataset import dims_of
from demandsim.sampling.run import Run, stored_shape
from demandsim.sampling.store.faults import damaged

__all__ = ["check_blocks", "put_block"]


def _places(run: Run, chain: int, start: int, stop: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Where a block stands in every array."""
    for name in run.keep:
        own, inner = dims_of(run, name)
        yield name, (*(slice(None),) * len(own), chain, slice(start, stop), *(slice(None),) * len(inner))


def _summed(array: Any, run: Run, so_far: int) -> int:
    return zlib.crc32(np.ascontiguousarray(array, dtype=run.dtype.newbyteorder("<")).data.cast("B"), so_far)


def put_block(group: Any, run: Run, values: Mapping[str, Any], chain: int, start: int, stop: int) -> int:
    """Write a block and return its mark: the CRC-32 of its numbers, or 1 where that is 0."""
    mark = 0
    for name, place in _places(run, chain, start, stop):
        own, _ = dims_of(run, name)
        shape = (*stored_shape(run, name)[:-2], stop - start)
        block = np.moveaxis(np.broadcast_to(values[name], shape), -1, len(own))
        group[name][place] = block
        mark = _summed(block, run, mark)
    return mark or 1


def check_blocks(group: Any, path: Path, run: Run, chunk: int, marks: Any) -> None:
    """Read all blocks that are marked, and compare them with their marks.

    Checksums of the formats say nothing of a piece that has gone: it reads as zeros.

    Raises
    ------
    StoreError
        If a block does not hold the numbers that were marked.
    """
    for chain, start, stop in blocks_of(run, chunk):
        mark, found = marks[chain, start // chunk], 0
        if not mark:
            continue
        for name, place in _places(run, chain, start, stop):
            found = _summed(group[name][place], run, found)
        if (found or 1) != mark:
            raise damaged(path, f"chain {chain} [{start}:{stop}] does not hold the numbers that were written")
