"""NetCDF: draws in one file, written whole at the end and read only if every byte is as it was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demandsim._system import available_memory, written_whole
from demandsim.errors import MemoryGuardError
from demandsim.sampling.dataset import identity_of, plain
from demandsim.sampling.run import Run
from demandsim.sampling.store.faults import check_same_run, damaged, named
from demandsim.sampling.store.seals import check_file, seal_file

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_netcdf", "is_netcdf", "read_netcdf", "write_netcdf"]


def is_netcdf(path: Path) -> bool:
    """Whether a path names a netCDF file."""
    return path.suffix in (".nc", ".nc4")


def write_netcdf(draws: xr.Dataset, path: str | Path) -> None:
    """Write draws to a sealed file, through a temporary file beside it.

    Raises
    ------
    OutputError
        If it cannot be written; what was there before stays.
    """
    target = Path(path)
    with named(target, "write to"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as unfinished:
            if hasattr(os, "posix_fallocate"):
                # HDF5 does not fail well on a full disk: whether there is room is asked before.
                with unfinished.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, max(draws.nbytes, 1))
            _without_nul(draws).to_netcdf(unfinished, engine="h5netcdf")
            seal_file(unfinished)


def _without_nul(draws: xr.Dataset) -> xr.Dataset:
    """The draws with attributes that a file can hold: a NUL character would end a text of it."""

    def held(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
        return {key: value.replace("\0", "\\x00") if isinstance(value, str) else value for key, value in attrs.items()}

    found = draws.copy(deep=False)
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
            f"'{path}' holds {size / 2**30:,.1f} GiB, {free / 2**30:,.1f} GiB are available; "
            "draws that do not fit in memory are read from a Zarr folder, of simulate(store='draws.zarr')"
        )
    # One open file for both, so that nothing takes its place between.
    with named(path, "read"), path.open("rb") as file:
        check_file(path, file)
        found = xr.load_dataset(file, engine="h5netcdf")
        found.attrs = {key: plain(value) for key, value in found.attrs.items()}
        for array in found.variables.values():
            array.attrs = {key: plain(value) for key, value in array.attrs.items()}
        if any(not {"chain", "draw"} <= set(array.dims) for array in found.data_vars.values()):
            raise damaged(path, "its variables are not over the dims 'chain' and 'draw'")
        return found


def check_netcdf(path: Path, found: xr.Dataset, run: Run, attrs: Mapping[str, Any]) -> None:
    """Refuse the draws of another run."""
    keep = list(map(str, found.data_vars))
    held = {**found.attrs, "seed": str(found.attrs.get("seed")), "keep": keep, "dtype": str(found[keep[0]].dtype)}
    check_same_run(path, held, identity_of(run, attrs))
