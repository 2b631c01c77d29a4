"""Stores: draws on disk, written block by block, so that an interrupted run goes on where it stopped.

A store says which run it belongs to and which of its blocks are whole. A block is marked only after
its numbers are written; every number is under a checksum; a store that is not finished cannot be
opened by mistake.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from demandsim.chunked import active_client, blocks_of
from demandsim.errors import DemandsimError, OutputError, StoreError
from demandsim.labelling import Labels, dims_of
from demandsim.machine import cores
from demandsim.runs import Run, stored_shape

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["open_draws", "write_store"]

_MARKS = "demandsim_blocks"
_IDENTITY = "demandsim_run"
_WRITING = threading.Lock()


def _identity(run: Run, chunk: int, labels: Labels) -> dict[str, Any]:
    """Everything that must agree for blocks of two runs to belong together."""
    return {
        "model_hash": labels.dataset.get("model_hash"),
        "demandsim_version": labels.dataset.get("demandsim_version"),
        "seed": str(run.seed),
        "design": run.design,
        "chains": run.chains,
        "draws": run.draws,
        "keep": list(run.keep),
        "dtype": str(run.dtype),
        "chunk": chunk,
    }


@contextlib.contextmanager
def _named(path: Path, doing: str) -> Iterator[None]:
    """Turn faults of the disk and of the formats into one clear error."""
    try:
        yield
    except OSError as error:
        if isinstance(error, DemandsimError):
            raise
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot {doing} store '{path}': {reason}; blocks that are whole stay, run again to go on"
        ) from error
    except DemandsimError:
        raise
    except Exception as error:
        # A damaged file makes the libraries below raise nearly anything; what an equation raised is its own fault.
        if doing != "read" and not isinstance(error, (ValueError, KeyError, RuntimeError, TypeError)):
            raise
        raise StoreError(
            f"store '{path}' is damaged ({type(error).__name__}: {error}); delete it and run again"
        ) from error


def _is_netcdf(path: Path) -> bool:
    return path.name.removesuffix(".partial").endswith((".nc", ".nc4"))


def _check_installed(path: Path) -> None:
    needed = ["dask"] if _is_netcdf(path) else ["dask", "zarr"]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise DemandsimError(f"stores need {' and '.join(missing)}; install with: pip install 'demandsim[dask]'")


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


@contextlib.contextmanager
def _opened(path: Path, mode: Literal["r", "r+", "w"]) -> Iterator[Any]:
    """Open the group of a store, of either format; both are indexed alike."""
    if _is_netcdf(path):
        import h5netcdf

        with h5netcdf.File(path, mode) as file:
            yield file
    else:
        import zarr

        yield zarr.open_group(str(path), mode=mode, zarr_format=3)


def _create(path: Path, run: Run, chunk: int, labels: Labels, attrs: dict[str, Any]) -> None:
    layout = run.program.layout
    blocks = -(-run.draws // chunk)
    sizes = {"chain": run.chains, "draw": run.draws, "block": blocks}
    sizes |= {dim: layout.size(dim) for dim in layout.dims}
    with _opened(path, "w") as group:
        if _is_netcdf(path):
            group.dimensions = sizes
        for name in run.keep:
            own, inner = dims_of(run, name)
            dims = (*own, "chain", "draw", *inner)
            shape = tuple(sizes[dim] for dim in dims)
            pieces = tuple(1 if d == "chain" else min(chunk, run.draws) if d == "draw" else sizes[d] for d in dims)
            _new_array(group, path, name, dims, shape, pieces, run.dtype, dict(labels.variables[name]))
        _new_array(group, path, _MARKS, ("chain", "block"), (run.chains, blocks), (1, 1), np.dtype(np.uint8), {})
        _new_array(
            group, path, "chain", ("chain",), (run.chains,), (run.chains,), np.dtype(np.int64), {"design": run.design}
        )
        group["chain"][:] = np.arange(run.chains)
        for key, value in attrs.items():
            group.attrs[key] = value
        group.attrs["labels"] = json.dumps({dim: list(map(_plain, layout.coords[dim])) for dim in layout.dims})
        group.attrs[_IDENTITY] = json.dumps(_identity(run, chunk, labels))


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


def _new_array(
    group: Any, path: Path, name: str, dims: tuple[str, ...], shape: Any, pieces: Any, dtype: Any, attrs: dict[str, str]
) -> None:
    if _is_netcdf(path):
        made = group.create_variable(name, dims, dtype, chunks=pieces, fletcher32=True)
        if name == _MARKS:
            made[...] = np.zeros(shape, dtype=np.uint8)
        for key, value in attrs.items():
            made.attrs[key] = value
        return
    from zarr.codecs import Crc32cCodec

    group.create_array(
        name,
        shape=shape,
        chunks=pieces,
        dtype=dtype,
        dimension_names=dims,
        compressors=[Crc32cCodec()],
        attributes=attrs,
        fill_value=np.nan if dtype.kind == "f" else 0,
    )


def write_block(run: Run, path: str, chunk: int, chain: int, start: int, stop: int) -> None:
    """Compute one block, write it, and then mark it as whole."""
    values = run.range_of(chain, start, stop)
    target = Path(path)
    with _named(target, "write to"), _WRITING if _is_netcdf(target) else contextlib.nullcontext():
        with _opened(target, "r+") as group:
            for name in run.keep:
                own, inner = dims_of(run, name)
                shape = (*stored_shape(run, name)[:-2], stop - start)
                block = np.moveaxis(np.broadcast_to(values[name], shape), -1, len(own))
                group[name][(*(slice(None),) * len(own), chain, slice(start, stop), *(slice(None),) * len(inner))] = (
                    block
                )
        with _opened(target, "r+") as group:
            group[_MARKS][chain, start // chunk] = 1


def write_store(
    path: str | Path,
    run: Run,
    chunk: int,
    labels: Labels,
    attrs: dict[str, Any],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a run to a store, or finish one that was interrupted.

    Parameters
    ----------
    path : str or Path
        Ends in ``.nc`` for netCDF (one file, written by one process), otherwise a Zarr folder (written
        by all threads, or by the active Dask cluster, which must see the path).
    run, chunk, labels : Run, int, Labels
    attrs : dict
        Attributes of the Dataset.
    threads : int, optional
    progress : callable, optional
        Called with (draws done, draws in total).

    Raises
    ------
    StoreError
        If the path holds another run, or a damaged store.
    OutputError
        If it cannot be written; blocks that are whole stay, and the next call goes on from them.
    """
    target = Path(path)
    _check_installed(target)
    if target.exists() and _finished(target, run, chunk, labels):
        return
    working = _partial(target) if _is_netcdf(target) else target
    with _named(target, "write to"):
        if working.exists():
            _same_run(working, run, chunk, labels)
        else:
            working.parent.mkdir(parents=True, exist_ok=True)
            _create(working, run, chunk, labels, attrs)
        with _opened(working, "r") as group:
            marks = np.asarray(group[_MARKS][...])
    missing = [b for b in blocks_of(run, chunk) if not marks[b[0], b[1] // chunk]]
    done = run.total - sum(stop - start for _, start, stop in missing)
    client = None if _is_netcdf(target) else active_client()
    for size in _written(run, str(working), chunk, missing, threads, client):
        done += size
        if progress is not None:
            progress(done, run.total)
    with _named(target, "finish"):
        if _is_netcdf(target):
            working.replace(target)


def _written(
    run: Run, path: str, chunk: int, missing: list[tuple[int, int, int]], threads: int | None, client: Any
) -> Iterator[int]:
    if client is not None:
        from distributed import as_completed

        shared = client.scatter(run, broadcast=True)
        futures = {client.submit(write_block, shared, path, chunk, *b, pure=False): b[2] - b[1] for b in missing}
        for future in as_completed(list(futures)):
            future.result()
            yield futures[future]
        return
    with ThreadPoolExecutor(threads or cores()) as pool:
        jobs = [pool.submit(write_block, run, path, chunk, *b) for b in missing]
        try:
            for job, (_, start, stop) in zip(jobs, missing, strict=True):
                job.result()
                yield stop - start
        finally:
            for job in jobs:
                job.cancel()


def _finished(path: Path, run: Run, chunk: int, labels: Labels) -> bool:
    with _named(path, "read"):
        _same_run(path, run, chunk, labels)
        with _opened(path, "r") as group:
            return bool(np.asarray(group[_MARKS][...]).all())


def _read_identity(path: Path) -> dict[str, Any]:
    with _opened(path, "r") as group:
        text = dict(group.attrs).get(_IDENTITY)
    if text is None:
        raise StoreError(f"'{path}' is not a store of demandsim draws; choose another path")
    found: dict[str, Any] = json.loads(text)
    return found


def _same_run(path: Path, run: Run, chunk: int, labels: Labels) -> None:
    found, wanted = _read_identity(path), _identity(run, chunk, labels)
    for key, value in wanted.items():
        if found.get(key) != value:
            raise StoreError(
                f"store '{path}' holds another run: its {key} is {found.get(key)!r}, this run's is {value!r}; "
                "choose another path, or delete it"
            )


def open_draws(path: str | Path) -> xr.Dataset:
    """Open the draws of a finished store, lazily.

    Parameters
    ----------
    path : str or Path
        Written by ``model.simulate(store=path)``.

    Returns
    -------
    Dataset
        Dask-backed, as ``model.simulate(chunks=...)`` returns.

    Raises
    ------
    StoreError
        If there is no store, it is unfinished or damaged. Damage of a block shows when it is read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import demandsim as ds
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "draws.nc"
    ...     _ = ds.load_study("guosen-2025-01").simulate(draws=64, seed=1, store=path)
    ...     ds.open_draws(path).cards.sizes["draw"]
    64
    """
    target = Path(path)
    _check_installed(target)
    if not target.exists():
        unfinished = " (an unfinished one is there: run the same simulate again)" if _partial(target).exists() else ""
        raise StoreError(f"there is no store '{target}'{unfinished}")
    with _named(target, "read"):
        identity = _read_identity(target)
        with _opened(target, "r") as group:
            marks = np.asarray(group[_MARKS][...])
            attrs = {k: _plain(v) for k, v in dict(group.attrs).items() if k not in (_IDENTITY, "labels")}
            labels = json.loads(dict(group.attrs)["labels"])
            found = {name: _described(group, target, name) for name in identity["keep"]}
        sizes = {"chain": identity["chains"], "draw": identity["draws"]} | {d: len(v) for d, v in labels.items()}
        for name, (dims, shape, *_) in found.items():
            if {"chain", "draw"} - set(dims) or shape != tuple(sizes[dim] for dim in dims):
                raise StoreError(f"store '{target}' is damaged: '{name}' has the wrong shape; delete it and run again")
        opened = _lazily(target, identity, attrs, labels, found)
    if not marks.all():
        raise StoreError(
            f"store '{target}' is unfinished: {int(marks.sum())} of {marks.size} blocks are whole; "
            "run the same simulate again to finish it"
        )
    return opened


def _described(group: Any, path: Path, name: str) -> tuple[tuple[str, ...], tuple[int, ...], Any, dict[str, Any]]:
    array = group[name]
    dims = array.dimensions if _is_netcdf(path) else array.metadata.dimension_names
    attrs = {key: _plain(value) for key, value in dict(array.attrs).items()}
    return tuple(dims), tuple(array.shape), np.dtype(array.dtype), attrs


def read_block(path: str, name: str, where: tuple[slice, ...]) -> Any:
    """Read part of a variable; damage is an error that names the block."""
    target = Path(path)
    try:
        with _WRITING if _is_netcdf(target) else contextlib.nullcontext(), _opened(target, "r") as group:
            return np.asarray(group[name][where])
    except Exception as error:
        spot = ", ".join(f"{s.start}:{s.stop}" for s in where)
        raise StoreError(
            f"store '{target}' is damaged at '{name}' [{spot}] ({type(error).__name__}: {error}); "
            "delete it and run again"
        ) from error


def _lazily(path: Path, identity: Any, attrs: Any, labels: Any, found: Any) -> xr.Dataset:
    import uuid

    import dask.array as da
    import xarray as xr

    variables = {}
    for name, (dims, shape, dtype, own) in found.items():
        chunks = tuple(
            (1,) * n if d == "chain" else _cuts(n, identity["chunk"]) if d == "draw" else (n,)
            for d, n in zip(dims, shape, strict=True)
        )
        edges = [np.concatenate([[0], np.cumsum(c)]) for c in chunks]
        key = f"read-{name}-{uuid.uuid4().hex[:16]}"
        graph = {
            (key, *spot): (
                read_block,
                str(path),
                name,
                tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(edges, spot, strict=True)),
            )
            for spot in np.ndindex(*(len(c) for c in chunks))
        }
        variables[name] = (dims, da.Array(graph, key, chunks, dtype=dtype), own)
    coords: dict[str, Any] = {
        dim: values for dim, values in labels.items() if any(dim in d for d, *_ in found.values())
    }
    coords["chain"] = ("chain", np.arange(identity["chains"]), {"design": identity["design"]})
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _cuts(total: int, size: int) -> tuple[int, ...]:
    return tuple(min(size, total - start) for start in range(0, total, size))
