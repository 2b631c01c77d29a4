"""Blocks: the numbers of one chunk of one chain, computed or read, written and marked by a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demandsim.sampling.dask import blocks_of
from demandsim.sampling.dataset import dims_of
from demandsim.sampling.run import Run, stored_shape
from demandsim.sampling.store.faults import damaged, named

__all__ = ["MARKS", "Before", "check_blocks", "opened", "write_block"]

MARKS = "demandsim_blocks"


def opened(path: Path, mode: Any) -> Any:
    """Open the group of a folder."""
    import zarr

    return zarr.open_group(str(path), mode=mode, zarr_format=3)


def _places(run: Run, chain: int, start: int, stop: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Where a block stands in every array."""
    for name in run.keep:
        own, inner = dims_of(run, name)
        yield name, (*(slice(None),) * len(own), chain, slice(start, stop), *(slice(None),) * len(inner))


def _summed(array: Any, run: Run, so_far: int) -> int:
    """CRC-32 of the numbers of a block."""
    return zlib.crc32(np.ascontiguousarray(array, dtype=run.dtype.newbyteorder("<")).data.cast("B"), so_far)


@dataclass(frozen=True)
class Before:
    """A finished folder that a run extends.

    Parameters
    ----------
    path : str
    draws : int
    keep : tuple of str
    """

    path: str
    draws: int
    keep: tuple[str, ...]


def write_block(run: Run, path: str, chunk: int, block: tuple[int, int, int], before: Before | None = None) -> None:
    """Make one block, write it, and then mark it as whole, with its checksum, or 1 where that is 0."""
    chain, start, stop = block
    values, target, mark = _numbers(run, block, before), Path(path), 0
    with named(target, "write to"):
        group = opened(target, "r+")
        for name, place in _places(run, chain, start, stop):
            group[name][place] = values[name]
            mark = _summed(values[name], run, mark)
        group[MARKS][chain, start // chunk] = mark or 1


def _numbers(run: Run, block: tuple[int, int, int], before: Before | None) -> dict[str, Any]:
    """Numbers of a block as they are stored: read where a folder has them, computed where it has not."""
    chain, start, stop = block
    edge = start if before is None else min(max(before.draws, start), stop)
    known: dict[str, Any] = {}
    if before is not None and edge > start:
        with named(Path(before.path), "read"):
            held = opened(Path(before.path), "r")
            known = {n: np.asarray(held[n][p]) for n, p in _places(run.only(before.keep), chain, start, edge)}
        missing = [name for name in run.keep if name not in before.keep]
        known |= _computed(run.only(missing), chain, start, edge) if missing else {}
    if edge == stop:
        return known
    new = _computed(run, chain, edge, stop)
    if not known:
        return new
    return {name: np.concatenate([known[name], new[name]], axis=len(dims_of(run, name)[0])) for name in run.keep}


def _computed(run: Run, chain: int, start: int, stop: int) -> dict[str, Any]:
    found = {}
    for name, values in run.range_of(chain, start, stop).items():
        shape = (*stored_shape(run, name)[:-2], stop - start)
        found[name] = np.moveaxis(np.broadcast_to(values, shape), -1, len(dims_of(run, name)[0]))
    return found


def check_blocks(group: Any, path: Path, run: Run, chunk: int, marks: Any) -> None:
    """Read all blocks that are marked, and compare them with their marks: a piece that has gone reads as zeros."""
    for chain, start, stop in blocks_of(run, chunk):
        mark, found = marks[chain, start // chunk], 0
        if mark:
            for name, place in _places(run, chain, start, stop):
                found = _summed(group[name][place], run, found)
            if (found or 1) != mark:
                raise damaged(path, f"chain {chain} [{start}:{stop}] does not hold the numbers that were written")
