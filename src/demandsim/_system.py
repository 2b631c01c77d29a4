"""System: the array type, cores, memory, files written whole and their names, text that is safe to show, versions."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "available_memory", "cores", "file_name", "printable", "versions", "written_whole"]

Array = npt.NDArray[np.float64]

#: Characters that steer a terminal, reverse the order of what follows, or are half of a character.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: What a name of a file is better without: separators, wildcards, quotes, and all that steers.
_UNSAFE = re.compile(r"[^\w \-.,()+@]+")
#: Names that Windows keeps for devices, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
#: Bytes of a file name: systems take 255, and what is written beside it is called a little longer.
_LONGEST_NAME = 120


def printable(text: str) -> str:
    r"""Write characters that would steer a terminal as their codes; line ends and tabs stay.

    Examples
    --------
    >>> printable("\x1b[31mred")
    '\\x1b[31mred'
    """
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def file_name(text: str, otherwise: str = "model") -> str:
    """Make one component of a path of any text, valid on every system; `otherwise` if nothing is left of it.

    Examples
    --------
    >>> file_name("../../etc/passwd"), file_name("guosen-2025-01"), file_name("豆包 2025"), file_name("nul.txt")
    ('etc-passwd', 'guosen-2025-01', '豆包 2025', '_nul.txt')
    """
    name = _UNSAFE.sub("-", unicodedata.normalize("NFC", text))
    name = name.encode()[:_LONGEST_NAME].decode(errors="ignore").strip(" .-")
    if _DEVICES.match(name):
        name = f"_{name}"
    return name or otherwise


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
    if "\0" in str(target):
        # Where systems raise a ValueError, callers look for an OSError.
        raise OSError(errno.EINVAL, "a name of a file holds no NUL character")
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
