"""Formats: what differs between a netCDF file and a Zarr folder; all else of a store is the same for both."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from demandsim.errors import DemandsimError
from demandsim.sampling.store import seals
from demandsim.sampling.store.probing import check_readable

__all__ = ["Format", "format_of"]

Mode = Literal["r", "r+", "w"]
#: HDF5 is entered by one thread at a time, and a file is never open twice.
_HDF5 = threading.Lock()


class Format(ABC):
    """How groups, arrays and seals are kept in one format; groups and arrays of either are indexed alike."""

    packages: ClassVar[tuple[str, ...]]

    def check_installed(self) -> None:
        """Say what to install where it is missing."""
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise DemandsimError(f"stores need {' and '.join(missing)}; install with: pip install 'demandsim[dask]'")

    @abstractmethod
    def working(self, path: Path) -> Path:
        """Where a store stands until it is finished."""

    @abstractmethod
    def turn(self) -> AbstractContextManager[Any]:
        """Wait until this thread may write or read."""

    @abstractmethod
    def opened(self, path: Path, mode: Mode) -> AbstractContextManager[Any]:
        """Open the group of a store."""

    @abstractmethod
    def declare(self, group: Any, sizes: Mapping[str, int]) -> None:
        """Make the dims of a new group known."""

    @abstractmethod
    def create(
        self,
        group: Any,
        name: str,
        dims: Mapping[str, int],
        pieces: tuple[int, ...],
        dtype: np.dtype[Any],
        attrs: Mapping[str, str],
    ) -> Any:
        """Make an array under checksums, stored in `pieces`."""

    @abstractmethod
    def dims(self, array: Any) -> tuple[str, ...]:
        """Names of the dims of an array."""

    @abstractmethod
    def check_unfinished(self, path: Path) -> None:
        """Refuse what an interrupted run left behind if it cannot be read."""

    @abstractmethod
    def check_finished(self, path: Path) -> bytes:
        """Refuse a store that is not as it was finished, before a library looks at it; return its seal."""

    @abstractmethod
    def finish(self, working: Path, target: Path) -> None:
        """Seal a store whose blocks are whole, and put it into its place."""


class _NetCDF(Format):
    """One file, written by one process."""

    packages = ("dask",)

    def working(self, path: Path) -> Path:
        return path.with_name(path.name + ".partial")

    def turn(self) -> AbstractContextManager[Any]:
        return _HDF5

    def opened(self, path: Path, mode: Mode) -> AbstractContextManager[Any]:
        import h5netcdf

        opened: AbstractContextManager[Any] = h5netcdf.File(path, mode)
        return opened

    def declare(self, group: Any, sizes: Mapping[str, int]) -> None:
        group.dimensions = dict(sizes)

    def create(
        self,
        group: Any,
        name: str,
        dims: Mapping[str, int],
        pieces: tuple[int, ...],
        dtype: np.dtype[Any],
        attrs: Mapping[str, str],
    ) -> Any:
        made = group.create_variable(name, tuple(dims), dtype, chunks=pieces, fletcher32=True)
        for key, value in attrs.items():
            made.attrs[key] = value
        return made

    def dims(self, array: Any) -> tuple[str, ...]:
        return tuple(array.dimensions)

    def check_unfinished(self, path: Path) -> None:
        check_readable(path)

    def check_finished(self, path: Path) -> bytes:
        return seals.check_file(path)

    def finish(self, working: Path, target: Path) -> None:
        seals.seal_file(working)
        working.replace(target)


class _Zarr(Format):
    """A folder, written by all threads, or by all workers of a cluster."""

    packages = ("dask", "zarr")

    def working(self, path: Path) -> Path:
        return path

    def turn(self) -> AbstractContextManager[Any]:
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def opened(self, path: Path, mode: Mode) -> Iterator[Any]:
        import zarr

        yield zarr.open_group(str(path), mode=mode, zarr_format=3)

    def declare(self, group: Any, sizes: Mapping[str, int]) -> None:
        pass

    def create(
        self,
        group: Any,
        name: str,
        dims: Mapping[str, int],
        pieces: tuple[int, ...],
        dtype: np.dtype[Any],
        attrs: Mapping[str, str],
    ) -> Any:
        from zarr.codecs import Crc32cCodec

        return group.create_array(
            name,
            shape=tuple(dims.values()),
            chunks=pieces,
            dtype=dtype,
            dimension_names=tuple(dims),
            compressors=[Crc32cCodec()],
            attributes=dict(attrs),
            fill_value=np.nan if dtype.kind == "f" else 0,
        )

    def dims(self, array: Any) -> tuple[str, ...]:
        return tuple(array.metadata.dimension_names)

    def check_unfinished(self, path: Path) -> None:
        # Zarr is read by Python: what is damaged raises.
        pass

    def check_finished(self, path: Path) -> bytes:
        return seals.check_folder(path)

    def finish(self, working: Path, target: Path) -> None:
        seals.seal_folder(working)


_NETCDF, _ZARR = _NetCDF(), _Zarr()


def format_of(path: Path) -> Format:
    """NetCDF if the name says so, otherwise Zarr."""
    return _NETCDF if path.name.removesuffix(".partial").endswith((".nc", ".nc4")) else _ZARR
