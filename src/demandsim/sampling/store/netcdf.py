"""NetCDF: draws in one file, written whole at the end and read only if every byte is as it was written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import available_memory, memory_text, written_whole
from demandsim.distributions.format import labels_along
from demandsim.errors import MemoryGuardError
from demandsim.sampling.dataset import dims_of, identity_of, plain
from demandsim.sampling.in_memory import Sampled
from demandsim.sampling.run import Faults, Run
from demandsim.sampling.store.faults import check_same_run, damaged, named
from demandsim.sampling.store.seals import check_file, seal_file

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_netcdf", "clear", "is_netcdf", "read_netcdf", "stored", "write_netcdf"]


class _Patient(io.FileIO):
    """A file that tells HDF5 of no fault, which may crash over a full disk; whoever gave it looks for `fault`."""

    fault: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or remember why not."""
        size = memoryview(data).nbytes
        if self.fault is None:
            try:
                written = 0
                while written < size:
                    written += super().write(memoryview(data).cast("B")[written:]) or 0
            except OSError as error:
                self.fault = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or remember why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.fault = self.fault or error
            return size or 0


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def clear(path: Path) -> None:
    """Remove what a kill left of a file that was being written; for whoever holds its lock."""
    _unfinished(path).unlink(missing_ok=True)


def is_netcdf(path: Path) -> bool:
    """Whether a path names a netCDF file."""
    return path.suffix in (".nc", ".nc4")


def write_netcdf(draws: xr.Dataset, path: str | Path, *, alone: bool = False) -> None:
    """Write draws to a sealed file, through a temporary file beside it; `alone` says that the caller holds its lock.

    Raises
    ------
    OutputError
        If it cannot be written; what was there before stays.
    """
    target = Path(path)
    with named(target, "write to"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target, _unfinished(target) if alone else None) as unfinished:
            with _Patient(unfinished, "r+b") as file:
                try:
                    _dump(_without_nul(draws), file)
                finally:
                    if file.fault is not None:
                        raise file.fault
            seal_file(unfinished)


def _dump(draws: xr.Dataset, file: Any) -> None:
    """Write as `to_netcdf` does, which looks for a lock in Dask's schedulers and imports all of them for it."""
    from xarray.backends import H5NetCDFStore

    store = H5NetCDFStore.open(file, mode="w", lock=False)
    try:
        draws.dump_to_store(store)
    finally:
        store.close()


def _without_nul(draws: xr.Dataset) -> xr.Dataset:
    """The draws with attributes that a file can hold: a NUL character would end a text of it."""

    def held(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
        return {key: value.replace("\0", "\\x00") if isinstance(value, str) else value for key, value in attrs.items()}

    found = draws.compute()
    for variable in (found, *(found[name] for name in found.variables)):
        variable.attrs = held(variable.attrs)
    return found


def read_netcdf(path: Path) -> xr.Dataset:
    """Read draws into memory, after every byte was compared with the seal: HDF5 may hang or crash over a damaged file.

    Raises
    ------
    StoreError
        If the file is no sealed file of draws, or was damaged or changed since it was written.
    MemoryGuardError
        If it does not fit in memory.
    """
    import xarray as xr

    size, free = path.stat().st_size, available_memory()
    if size > 0.9 * free:
        raise MemoryGuardError(
            f"'{path}' holds {memory_text(size)}, {memory_text(free)} are available; "
            "draws that do not fit in memory are read from a Zarr folder, of simulate(store='draws.zarr')"
        )
    # One open file for both, so that nothing takes its place between.
    with named(path, "read"), path.open("rb") as file:
        check_file(path, file)
        _check_own(path, file)
        # Dates as they are in memory: xarray would make nanoseconds of them, which end in 2262.
        dates = xr.coders.CFDatetimeCoder(time_unit="us")
        found = xr.load_dataset(file, engine="h5netcdf", decode_times=dates)
        moments = {dim: labels_along(found, dim) for dim in found.coords if found[dim].dtype.kind == "M"}
        found = found.assign_coords({dim: list(labels) for dim, labels in moments.items()})
        found.attrs = {key: plain(value) for key, value in found.attrs.items()}
        for array in found.variables.values():
            array.attrs = {key: plain(value) for key, value in array.attrs.items()}
        _check_kinds(path, found)
        if any(not {"chain", "draw"} <= set(array.dims) for array in found.data_vars.values()):
            raise damaged(path, "its variables are not over the dims 'chain' and 'draw'")
        return found


def _check_own(path: Path, file: io.BufferedIOBase) -> None:
    """Refuse parts that HDF5 would fetch from elsewhere: links, and numbers that stand in any other file."""
    import h5py

    with h5py.File(file, "r") as held:
        for name in held:
            own = isinstance(held.get(name, getlink=True), h5py.HardLink)
            if not own or not isinstance(held[name], h5py.Dataset) or held[name].external or held[name].is_virtual:
                raise damaged(path, f"'{name}' leads elsewhere, and draws hold all of their numbers")
    file.seek(0)


def _check_kinds(path: Path, found: xr.Dataset) -> None:
    """Refuse objects of any kind, such as pickles: draws are numbers, and labels numbers, dates or texts."""
    for name, array in found.variables.items():
        kind = array.dtype.kind
        texts = kind in "OUT" and all(isinstance(label, str) for label in array.values.flat)
        if kind not in "biuf" and not (name in found.coords and (kind == "M" or texts)):
            raise damaged(path, f"'{name}' holds {array.dtype}, not numbers")


def check_netcdf(path: Path, found: xr.Dataset, run: Run, attrs: Mapping[str, Any]) -> bool:
    """Refuse the draws of another run; tell whether all that is wanted is there, or must be added."""
    keep = list(map(str, found.data_vars))
    held = {**found.attrs, "seed": str(found.attrs.get("seed")), "keep": keep, "dtype": str(found[keep[0]].dtype)}
    return check_same_run(path, held, identity_of(run, attrs), extends=True)


def stored(found: xr.Dataset, run: Run) -> Sampled:
    """Draws that were stored, as a run holds them."""
    arrays, faults = {}, Faults()
    for name, array in found.data_vars.items():
        own, inner = dims_of(run, str(name))
        values = array.transpose(*own, *inner, "chain", "draw").values
        arrays[str(name)] = values
        bad = ~np.isfinite(values)
        if bad.any():
            place = int(np.argmax(bad.reshape(-1, values.shape[-2] * values.shape[-1]).any(axis=0)))
            faults.merge(Faults({str(name): int(np.count_nonzero(bad))}, {str(name): place}))
    return Sampled(run.only(tuple(arrays), found.sizes["draw"]), arrays, faults=faults)
