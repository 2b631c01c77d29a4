"""Reading: the draws of a finished store, opened lazily; every block is read when it is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from demandsim.errors import StoreError
from demandsim.sampling.store import records
from demandsim.sampling.store.faults import damaged, named
from demandsim.sampling.store.formats import Format, format_of
from demandsim.sampling.store.seals import read_seal

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["open_draws"]


class _Found(NamedTuple):
    """A variable as a store describes it."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attrs: dict[str, Any]


def open_draws(path: str | Path) -> xr.Dataset:
    """Open the draws of a finished store, lazily.

    A store is first compared with the seal that finishing it left. A netCDF file is read through for it, at about
    1.8 GiB/s where it is in memory and as fast as the disk where not; of a Zarr folder only names, sizes and metadata
    are, so that large runs open at once there.

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
        If there is no store, it is unfinished, or it was damaged or changed since. Damage of a Zarr folder's numbers
        shows when they are read.

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
    form = format_of(target)
    form.check_installed()
    _check_there(form, target)
    with named(target, "read"):
        seal = form.check_finished(target)
        with form.turn(), form.opened(target, "r") as group:
            identity = records.read_identity(group, target)
            marks = records.read_marks(group, target, identity)
            attrs = {key: records.plain(value) for key, value in dict(group.attrs).items()}
            found = {name: _described(form, group[name]) for name in identity["keep"]}
        labels = json.loads(attrs.pop(records.LABELS))
        for name in (records.IDENTITY, records.DESCRIPTION):
            attrs.pop(name, None)
        sizes = {"chain": identity["chains"], "draw": identity["draws"]} | {d: len(v) for d, v in labels.items()}
        for name, (dims, shape, *_) in found.items():
            if {"chain", "draw"} - set(dims) or shape != tuple(sizes[dim] for dim in dims):
                raise damaged(target, f"'{name}' has the wrong shape")
        if not marks.all():
            raise damaged(target, f"it is sealed, but only {np.count_nonzero(marks)} of {marks.size} blocks are whole")
        return _lazily(target, seal, identity, attrs, labels, found)


def _check_there(form: Format, target: Path) -> None:
    """Refuse what is missing or unfinished, and say how to finish it."""
    working, again = form.working(target), "run the same simulate again to finish it"
    if not target.exists():
        unfinished = f" (an unfinished one is there: {again})" if working.exists() else ""
        raise StoreError(f"there is no store '{target}'{unfinished}")
    if working == target and read_seal(target) is None:
        if not (target / records.MARKS).exists():
            raise StoreError(f"'{target}' is not a store of demandsim draws; choose another path")
        raise StoreError(f"store '{target}' is unfinished, or was changed since it was finished: {again}")


def _described(form: Format, array: Any) -> _Found:
    attrs = {key: records.plain(value) for key, value in dict(array.attrs).items()}
    return _Found(form.dims(array), tuple(array.shape), np.dtype(array.dtype), attrs)


def read_block(path: str, seal: bytes, name: str, where: tuple[slice, ...]) -> Any:
    """Read part of a variable; damage is an error that names the block."""
    target = Path(path)
    form = format_of(target)
    spot = ", ".join(f"{s.start}:{s.stop}" for s in where)
    try:
        with form.turn():
            if read_seal(target) != seal:
                raise StoreError(f"store '{target}' was changed after it was opened; open it again")
            with form.opened(target, "r") as group:
                return np.asarray(group[name][where])
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"store '{target}' is damaged at '{name}' [{spot}] ({type(error).__name__}: {error}); "
            "delete it and run again"
        ) from error


def _lazily(
    path: Path, seal: bytes, identity: Any, attrs: dict[str, Any], labels: dict[str, Any], found: dict[str, _Found]
) -> xr.Dataset:
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
                seal,
                name,
                tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(edges, spot, strict=True)),
            )
            for spot in np.ndindex(*(len(c) for c in chunks))
        }
        variables[name] = (dims, da.Array(graph, key, chunks, dtype=dtype), own)
    coords: dict[str, Any] = {
        dim: values for dim, values in labels.items() if any(dim in each.dims for each in found.values())
    }
    coords["chain"] = ("chain", np.arange(identity["chains"]), {"design": identity["design"]})
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _cuts(total: int, size: int) -> tuple[int, ...]:
    return tuple(min(size, total - start) for start in range(0, total, size))
