"""Reading: the draws of a finished store; of a Zarr folder lazily, every block when it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.errors import StoreError
from demandsim.sampling.dataset import plain
from demandsim.sampling.run import spans
from demandsim.sampling.store import zarr
from demandsim.sampling.store.blocks import MARKS, opened
from demandsim.sampling.store.faults import damaged, named, not_ours
from demandsim.sampling.store.lock import said_by_owner
from demandsim.sampling.store.netcdf import is_netcdf, read_netcdf
from demandsim.sampling.store.seals import STOP_RULE, check_folder, read_seal

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["open_draws"]

#: Draws of a chain that have an index, as in memory: that of a billion would take what laziness saves.
_INDEXED = 1 << 20


def open_draws(path: str | Path) -> xr.Dataset:
    """Open the draws of a finished store.

    A store is first compared with the seal that finishing it left. A netCDF file is read through for it, and then into
    memory; of a Zarr folder only names, sizes and metadata are compared, so that large runs open at once.

    Parameters
    ----------
    path : str or Path
        Written by ``model.simulate(store=path)``.

    Returns
    -------
    Dataset
        Of a Zarr folder Dask-backed, as ``model.simulate(chunks=...)`` returns; of a netCDF file in memory.

    Raises
    ------
    StoreError
        If there is no store, it is unfinished, or it was damaged or changed since. Damage of a Zarr folder's numbers
        shows when they are read.
    MemoryGuardError
        If a netCDF file does not fit in memory.

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
    if not target.exists():
        if zarr.interrupted_exchange(target):
            raise StoreError(f"store '{target}' was being extended; run the same simulate again to put it in place")
        raise StoreError(f"there is no store '{target}'")
    if is_netcdf(target):
        return read_netcdf(target)
    zarr.check_installed()
    if read_seal(target) is None:
        if not (target / MARKS).exists():
            raise not_ours(target)
        owner = said_by_owner(target)
        raise StoreError(
            f"store '{target}' is unfinished, or was changed since it was finished: run the same simulate again to "
            "finish it" + (f", unless it is still being written by {owner}" if owner else "")
        )
    with named(target, "read"):
        seal = check_folder(target)
        group = opened(target, "r")
        identity = zarr.read_identity(group, target)
        marks = zarr.read_marks(group, target, identity)
        if not marks.all():
            raise damaged(target, f"it is sealed, but only {np.count_nonzero(marks)} of {marks.size} blocks are whole")
        return _lazily(target, seal, group, identity)


def read_block(path: str, seal: bytes, name: str, where: tuple[slice, ...]) -> Any:
    """Read part of a variable; damage is an error that names the block."""
    target = Path(path)
    spot = ", ".join(f"{s.start}:{s.stop}" for s in where)
    try:
        if read_seal(target) != seal:
            raise StoreError(f"store '{target}' was changed after it was opened; open it again")
        return np.asarray(opened(target, "r")[name][where])
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"store '{target}' is damaged at '{name}' [{spot}] ({type(error).__name__}: {error}); "
            "delete it and run again"
        ) from error


def _lazily(path: Path, seal: bytes, group: Any, identity: dict[str, Any]) -> xr.Dataset:
    import uuid

    import dask.array as da
    import xarray as xr

    attrs = {key: plain(value) for key, value in dict(group.attrs).items() if key not in (zarr.IDENTITY, zarr.LABELS)}
    if (path / STOP_RULE).is_file():
        attrs["stop_rule"] = (path / STOP_RULE).read_text(encoding="utf-8")
    used = {dim for name in identity["keep"] for dim in group[name].metadata.dimension_names}
    labels = {dim: zarr.read_labels(group, dim, path) for dim in sorted(used - {"chain", "draw"})}
    sizes = {"chain": identity["chains"], "draw": identity["draws"]} | {d: len(v) for d, v in labels.items()}
    draws = tuple(stop - start for start, stop in spans(0, identity["draws"], identity["chunk"]))
    pieces = {"chain": (1,) * identity["chains"], "draw": draws}
    variables = {}
    for name in identity["keep"]:
        array = group[name]
        if array.dtype.kind not in "biuf":
            raise damaged(path, f"'{name}' holds {array.dtype}, not numbers")
        dims = tuple(array.metadata.dimension_names)
        if not set(pieces) <= set(dims) or tuple(array.shape) != tuple(sizes[dim] for dim in dims):
            raise damaged(path, f"'{name}' has the wrong shape")
        chunks = tuple(pieces.get(dim, (sizes[dim],)) for dim in dims)
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
        variables[name] = (dims, da.Array(graph, key, chunks, dtype=array.dtype), dict(array.attrs))
    coords: dict[str, Any] = dict(labels)
    coords["chain"] = ("chain", np.arange(identity["chains"]), {"design": identity["design"]})
    if identity["draws"] <= _INDEXED:
        coords["draw"] = np.arange(identity["draws"])
    return xr.Dataset(variables, coords=coords, attrs=attrs)
