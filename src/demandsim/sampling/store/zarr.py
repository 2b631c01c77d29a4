"""Zarr: draws in a folder, written block by block; an interrupted run goes on from the blocks that are whole.

A folder appears at its path only when all but its numbers is there. A finished one that is extended stays as it is, and
whole, until the larger one beside it is finished and takes its place.

A folder says which run it belongs to and which of its blocks are whole. A block is marked only after its numbers are
written, by a checksum of them; what was interrupted has no seal yet, so that all of it that is trusted is read again
before the run goes on. All threads write, or all workers of a cluster, which must see the path.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from demandsim._system import cores
from demandsim.errors import DemandsimError
from demandsim.sampling.dask import CHUNK, active_client, blocks_of
from demandsim.sampling.dataset import Labels, dims_of, identity_of
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.run import Run, threads_that_fit
from demandsim.sampling.store.blocks import MARKS, Before, check_blocks, opened, write_block
from demandsim.sampling.store.faults import check_same_run, damaged, named, not_ours
from demandsim.sampling.store.lock import locked
from demandsim.sampling.store.seals import check_folder, metadata_digest, read_seal, seal_folder

__all__ = [
    "IDENTITY",
    "LABELS",
    "check_installed",
    "held_identity",
    "interrupted_exchange",
    "read_identity",
    "read_labels",
    "read_marks",
    "write_zarr",
]

IDENTITY = "demandsim_run"
#: Texts of the labels, which the seal covers: the labels themselves are arrays beside the draws, for every reader.
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


def _create(path: Path, run: Run, chunk: int, labels: Labels, attrs: dict[str, Any]) -> None:
    """Make a folder without numbers, whole or not at all."""
    unfinished = _beside(path, "new")
    try:
        _remove(unfinished)
        _fill_in(unfinished, run, chunk, labels, attrs)
        unfinished.rename(path)
    finally:
        # Gone when it has its name; of a fault nothing stays, and what a kill leaves is removed by the next run.
        shutil.rmtree(unfinished, ignore_errors=True)


def _beside(path: Path, what: str) -> Path:
    """A hidden folder beside a store, of the one process that holds its lock."""
    return path.with_name(f".{path.name}.{what}")


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _fill_in(path: Path, run: Run, chunk: int, labels: Labels, attrs: dict[str, Any]) -> None:
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
    used = {dim for name in run.keep for dims in dims_of(run, name) for dim in dims}
    dims_used = [dim for dim in layout.dims if dim in used]
    for dim in dims_used:
        values, told = _written_labels(np.asarray(list(layout.coords[dim])))
        create(dim, {dim: values.size}, {}, str if values.dtype.kind == "T" else values.dtype, told)[...] = values
    texts = json.dumps({dim: list(map(str, layout.coords[dim])) for dim in dims_used})
    group.attrs.update({**attrs, LABELS: texts, IDENTITY: json.dumps(identity_of(run, attrs) | {"chunk": chunk})})
    (path / _MADE).write_text(metadata_digest(path), encoding="ascii")


def _written_labels(labels: Any) -> tuple[Any, dict[str, Any]]:
    """Labels as Zarr holds them: dates as whole numbers since a day, as xarray writes and reads them itself."""
    if labels.dtype.kind == "M":
        unit, word = ("s", "seconds") if np.datetime_data(labels.dtype)[0] == "s" else ("us", "microseconds")
        attrs = {"units": f"{word} since 1970-01-01", "calendar": "proleptic_gregorian"}
        return labels.astype(f"datetime64[{unit}]").astype(np.int64), attrs
    return (labels.astype(np.dtypes.StringDType()) if labels.dtype.kind == "U" else labels), {}


def read_labels(group: Any, dim: str, path: Path) -> Any:
    """Labels along a dim, as they were before they were written.

    Raises
    ------
    StoreError
        If they are not those that were sealed.
    """
    array = group[dim]
    values, said = np.asarray(array[...]), str(dict(array.attrs).get("units", ""))
    if said:
        values = values.astype("datetime64[s]" if said.startswith("seconds") else "datetime64[us]")
    elif values.dtype.kind in "TO":
        values = np.array([str(label) for label in values.tolist()])
    sealed: dict[str, list[str]] = json.loads(dict(group.attrs)[LABELS])
    if sealed.get(dim) != list(map(str, values if values.dtype.kind == "M" else values.tolist())):
        raise damaged(path, f"the labels of '{dim}' are not those that were written")
    return values


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


def write_zarr(path: Path, run: Run, chunk: int | None, labels: Labels, attrs: dict[str, Any], pace: Pace) -> None:
    """Write a run to a folder, finish one that was interrupted, or extend one that is finished; then seal it.

    Parameters
    ----------
    path : Path
    run : Run
    chunk : int or None
        Draws of one block; None takes those of the folder, or a number that suits most.
    labels : Labels
    attrs : dict
        Attributes of the Dataset.
    pace : Pace
        Threads, where no Dask cluster is active, and progress.

    Raises
    ------
    StoreError
        If the path holds another run, or a damaged store, or another process writes it.
    OutputError
        If it cannot be written; blocks that are whole stay, and the next call goes on from them.
    MemoryGuardError
        If a block does not fit in memory.
    """
    with contextlib.ExitStack() as held_open:
        with named(path, "write to"):
            path.parent.mkdir(parents=True, exist_ok=True)
            held_open.enter_context(locked(path))
            _recover(path)
        held = held_identity(path)
        size = chunk or (CHUNK if held is None else held["chunk"])
        pace = dataclasses.replace(pace, threads=threads_that_fit(run, size, pace.threads or cores()))
        wanted = identity_of(run, attrs) | {"chunk": size}
        if held is None:
            with named(path, "write to"):
                _create(path, run, size, labels, attrs)
        elif read_seal(path) is not None:
            if not check_same_run(path, held, wanted, extends=True):
                _extend(path, held, run, labels, attrs, pace)
            return
        _finish(path, run, wanted, pace, None)


def _extend(path: Path, held: dict[str, Any], run: Run, labels: Labels, attrs: dict[str, Any], pace: Pace) -> None:
    """Make the larger folder beside the finished one, and let it take its place."""
    more, wanted = _beside(path, "more"), identity_of(run, attrs) | {"chunk": held["chunk"]}
    before = Before(str(path), held["draws"], tuple(held["keep"]))
    with named(path, "write to"):
        if held_identity(more) != wanted:
            _remove(more)
            _create(more, run, wanted["chunk"], labels, attrs)
    if read_seal(more) is None:
        _finish(more, run, wanted, pace, before)
    with named(path, "write to"):
        path.rename(_beside(path, "old"))
        _recover(path)


def interrupted_exchange(path: Path) -> bool:
    """Whether a folder gave up its place to a larger one that has not taken it."""
    return _beside(path, "old").exists()


def _recover(path: Path) -> None:
    """Finish an exchange of folders that was interrupted, forwards if the larger one is finished."""
    old, more = _beside(path, "old"), _beside(path, "more")
    if old.exists() and not path.exists():
        (more if more.exists() and read_seal(more) is not None else old).rename(path)
    _remove(old)


def held_identity(path: Path) -> dict[str, Any] | None:
    """The run that stands at a path, finished or not; None if nothing does.

    Raises
    ------
    StoreError
        If something else stands there, or it does not agree with its seal.
    """
    if not path.exists():
        return None
    with named(path, "read"):
        if read_seal(path) is not None:
            check_folder(path)
        return read_identity(opened(path, "r"), path)


def _finish(path: Path, run: Run, wanted: dict[str, Any], pace: Pace, before: Before | None) -> None:
    """Write the blocks that a folder misses, and seal it."""
    chunk = wanted["chunk"]
    with named(path, "read"):
        group = opened(path, "r")
        check_same_run(path, read_identity(group, path), wanted)
        if not (path / _MADE).is_file() or (path / _MADE).read_text(encoding="ascii") != metadata_digest(path):
            raise damaged(path, "its attributes, dims or types are not those that it was made with")
        for left in path.rglob("*.partial"):
            # Of a write that was killed.
            left.unlink()
        marks = read_marks(group, path, read_identity(group, path))
        check_blocks(group, path, run, chunk, marks)
    missing = [block for block in blocks_of(run, chunk) if not marks[block[0], block[1] // chunk]]
    done = run.total - sum(stop - start for _, start, stop in missing)
    for size in _written(run, str(path), chunk, missing, pace.threads, before):
        done += size
        if pace.progress is not None:
            pace.progress(done, run.total)
    with named(path, "finish"):
        seal_folder(path)


def _written(
    run: Run,
    path: str,
    chunk: int,
    missing: list[tuple[int, int, int]],
    threads: int | None,
    before: Before | None,
) -> Iterator[int]:
    """Write the missing blocks, on the active cluster or by threads; the draws of each, as they are done."""
    client = active_client()
    if client is not None:
        from distributed import as_completed

        shared = client.scatter(run, broadcast=True)
        futures = {client.submit(write_block, shared, path, chunk, b, before, pure=False): b[2] - b[1] for b in missing}
        for future in as_completed(list(futures)):
            future.result()
            yield futures[future]
        return
    with ThreadPoolExecutor(threads or cores()) as pool:
        jobs = [pool.submit(write_block, run, path, chunk, block, before) for block in missing]
        try:
            for job, (_, start, stop) in zip(jobs, missing, strict=True):
                job.result()
                yield stop - start
        finally:
            for job in jobs:
                job.cancel()
