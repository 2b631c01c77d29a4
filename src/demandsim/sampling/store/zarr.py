"""Zarr: draws in a folder, written block by block; an interrupted run goes on from the blocks that are whole.

A folder says which run it belongs to and which of its blocks are whole. A block is marked only after its numbers are
written, by a checksum of them; what was interrupted has no seal yet, so that all of it that is trusted is read again
before the run goes on. All threads write, or all workers of a cluster, which must see the path.
"""

from __future__ import annotations

import importlib.util
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from demandsim._system import cores
from demandsim.errors import DemandsimError
from demandsim.sampling.dask import active_client, blocks_of
from demandsim.sampling.dataset import Labels, dims_of, identity_of, plain
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.run import Run, stored_shape
from demandsim.sampling.store.faults import check_same_run, damaged, named, not_ours
from demandsim.sampling.store.seals import check_folder, metadata_digest, read_seal, seal_folder

__all__ = ["IDENTITY", "LABELS", "MARKS", "check_installed", "opened", "read_identity", "read_marks", "write_zarr"]

MARKS = "demandsim_blocks"
IDENTITY = "demandsim_run"
LABELS = "labels"
#: Digest of the metadata with which a folder was made, beside the marks: readers of Zarr list nothing there.
_MADE = Path(MARKS, "made")


def check_installed() -> None:
    """Say what to install where it is missing."""
    missing = [name for name in ("dask", "zarr") if importlib.util.find_spec(name) is None]
    if missing:
        raise DemandsimError(
            f"Zarr folders of draws need {' and '.join(missing)}; install with: pip install 'demandsim[dask]', "
            "or store in a netCDF file, store='draws.nc'"
        )


def opened(path: Path, mode: Any) -> Any:
    """Open the group of a folder."""
    import zarr

    return zarr.open_group(str(path), mode=mode, zarr_format=3)


def _create(path: Path, run: Run, chunk: int, labels: Labels, attrs: dict[str, Any]) -> None:
    """Make a folder without numbers."""
    from zarr.codecs import Crc32cCodec

    layout, group = run.program.layout, opened(path, "w")

    def create(name: str, dims: dict[str, int], pieces: dict[str, int], dtype: Any, attrs: dict[str, Any]) -> Any:
        return group.create_array(
            name,
            shape=tuple(dims.values()),
            chunks=tuple(pieces.get(dim, size) for dim, size in dims.items()),
            dtype=dtype,
            dimension_names=tuple(dims),
            compressors=[Crc32cCodec()],
            attributes=attrs,
            fill_value=np.nan if np.dtype(dtype).kind == "f" else 0,
        )

    for name in run.keep:
        own, inner = dims_of(run, name)
        sizes = {dim: layout.size(dim) for dim in (*own, *inner)} | {"chain": run.chains, "draw": run.draws}
        dims = {dim: sizes[dim] for dim in (*own, "chain", "draw", *inner)}
        pieces = {"chain": 1, "draw": min(chunk, run.draws)}
        create(name, dims, pieces, run.dtype, dict(labels.variables[name]))
    marked = {"chain": run.chains, "block": -(-run.draws // chunk)}
    create(MARKS, marked, dict.fromkeys(marked, 1), np.uint32, {})[...] = 0
    create("chain", {"chain": run.chains}, {}, np.int64, {"design": run.design})[:] = np.arange(run.chains)
    told = json.dumps({dim: list(map(plain, layout.coords[dim])) for dim in layout.dims})
    group.attrs.update({**attrs, LABELS: told, IDENTITY: json.dumps(identity_of(run, attrs) | {"chunk": chunk})})
    (path / _MADE).write_text(metadata_digest(path), encoding="ascii")


def read_identity(group: Any, path: Path) -> dict[str, Any]:
    """The run that a folder belongs to.

    Raises
    ------
    StoreError
        If it is no store of ours.
    """
    text = dict(group.attrs).get(IDENTITY)
    if text is None:
        raise not_ours(path)
    found: dict[str, Any] = json.loads(text)
    return found


def read_marks(group: Any, path: Path, identity: dict[str, Any]) -> Any:
    """Marks by chain and block, 0 where a block is missing; their number is checked before memory is taken."""
    marks, shape = group[MARKS], (identity["chains"], -(-identity["draws"] // identity["chunk"]))
    if tuple(marks.shape) != shape or np.dtype(marks.dtype) != np.uint32:
        raise damaged(path, "its marks of blocks have the wrong shape")
    return np.asarray(marks[...])


def _places(run: Run, chain: int, start: int, stop: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Where a block stands in every array."""
    for name in run.keep:
        own, inner = dims_of(run, name)
        yield name, (*(slice(None),) * len(own), chain, slice(start, stop), *(slice(None),) * len(inner))


def _summed(array: Any, run: Run, so_far: int) -> int:
    """CRC-32 of the numbers of a block."""
    return zlib.crc32(np.ascontiguousarray(array, dtype=run.dtype.newbyteorder("<")).data.cast("B"), so_far)


def write_block(run: Run, path: str, chunk: int, block: tuple[int, int, int]) -> None:
    """Compute one block, write it, and then mark it as whole, with its checksum, or 1 where that is 0."""
    chain, start, stop = block
    values, target, mark = run.range_of(chain, start, stop), Path(path), 0
    with named(target, "write to"):
        group = opened(target, "r+")
        for name, place in _places(run, chain, start, stop):
            shape = (*stored_shape(run, name)[:-2], stop - start)
            numbers = np.moveaxis(np.broadcast_to(values[name], shape), -1, len(dims_of(run, name)[0]))
            group[name][place] = numbers
            mark = _summed(numbers, run, mark)
        group[MARKS][chain, start // chunk] = mark or 1


def _check_blocks(group: Any, path: Path, run: Run, chunk: int, marks: Any) -> None:
    """Read all blocks that are marked, and compare them with their marks: a piece that has gone reads as zeros."""
    for chain, start, stop in blocks_of(run, chunk):
        mark, found = marks[chain, start // chunk], 0
        if mark:
            for name, place in _places(run, chain, start, stop):
                found = _summed(group[name][place], run, found)
            if (found or 1) != mark:
                raise damaged(path, f"chain {chain} [{start}:{stop}] does not hold the numbers that were written")


def write_zarr(path: Path, run: Run, chunk: int, labels: Labels, attrs: dict[str, Any], pace: Pace) -> None:
    """Write a run to a folder, or finish one that was interrupted; then seal it.

    Parameters
    ----------
    path : Path
    run, chunk, labels : Run, int, Labels
    attrs : dict
        Attributes of the Dataset.
    pace : Pace
        Threads, where no Dask cluster is active, and progress.

    Raises
    ------
    StoreError
        If the path holds another run, or a damaged store.
    OutputError
        If it cannot be written; blocks that are whole stay, and the next call goes on from them.
    """
    finished = path.exists() and read_seal(path) is not None
    with named(path, "read" if finished else "write to"):
        if finished:
            check_folder(path)
        elif not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _create(path, run, chunk, labels, attrs)
        group = opened(path, "r")
        identity = read_identity(group, path)
        check_same_run(path, identity, identity_of(run, attrs) | {"chunk": chunk})
        if finished:
            return
        if not (path / _MADE).is_file() or (path / _MADE).read_text(encoding="ascii") != metadata_digest(path):
            raise damaged(path, "its attributes, dims or types are not those that it was made with")
        marks = read_marks(group, path, identity)
        _check_blocks(group, path, run, chunk, marks)
    missing = [block for block in blocks_of(run, chunk) if not marks[block[0], block[1] // chunk]]
    done = run.total - sum(stop - start for _, start, stop in missing)
    for size in _written(run, str(path), chunk, missing, pace.threads):
        done += size
        if pace.progress is not None:
            pace.progress(done, run.total)
    with named(path, "finish"):
        seal_folder(path)


def _written(
    run: Run, path: str, chunk: int, missing: list[tuple[int, int, int]], threads: int | None
) -> Iterator[int]:
    """Write the missing blocks, on the active cluster or by threads; the draws of each, as they are done."""
    client = active_client()
    if client is not None:
        from distributed import as_completed

        shared = client.scatter(run, broadcast=True)
        futures = {client.submit(write_block, shared, path, chunk, b, pure=False): b[2] - b[1] for b in missing}
        for future in as_completed(list(futures)):
            future.result()
            yield futures[future]
        return
    with ThreadPoolExecutor(threads or cores()) as pool:
        jobs = [pool.submit(write_block, run, path, chunk, block) for block in missing]
        try:
            for job, (_, start, stop) in zip(jobs, missing, strict=True):
                job.result()
                yield stop - start
        finally:
            for job in jobs:
                job.cancel()
