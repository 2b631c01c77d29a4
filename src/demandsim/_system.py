"""System: the array type, cores, memory, files written whole, versions."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "available_memory", "cores", "versions", "written_whole"]

Array = npt.NDArray[np.float64]


def available_memory() -> int:
    """Bytes that this process may still take, by the system and by its container."""
    limits = [2**62]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    except OSError:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        top = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
        limits += [int(top) - int(used)] if top != "max" else []
    except OSError:
        pass
    return max(min(limits), 0)


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes its place only if the block ends well.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(Path(folder) / "a.txt") as unfinished:
    ...         _ = unfinished.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        # mkstemp makes private files; a result is as readable as any other file of the user.
        mask = os.umask(0)
        os.umask(mask)
        unfinished.chmod(0o666 & ~mask)
        unfinished.replace(target)
    finally:
        # Also on Ctrl-C: nothing half-written stays.
        unfinished.unlink(missing_ok=True)


@functools.cache
def versions() -> dict[str, str]:
    """Return what a Dataset says about the software that made it."""
    import importlib.metadata
    import platform

    packages = ("demandsim", "numpy", "scipy", "xarray")
    found = {f"{name}_version": _version(importlib.metadata, name) for name in packages}
    return found | {"python_version": platform.python_version()}


def _version(metadata: Any, name: str) -> str:
    try:
        return str(metadata.version(name))
    except metadata.PackageNotFoundError:
        return "source"
