"""System: the array type, cores, memory, files written whole and their names, text that is safe to show, versions."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "Array",
    "available_memory",
    "cores",
    "file_name",
    "is_table",
    "is_workbook",
    "keep_freed_memory",
    "memory_text",
    "once_it_pays",
    "printable",
    "repeated",
    "unless",
    "versions",
    "written_whole",
]

if TYPE_CHECKING:
    Array = npt.NDArray[np.float64]
    __version__: str


def __getattr__(name: str) -> Any:
    if name == "__version__":
        import importlib.metadata

        return _version(importlib.metadata, "demandsim")
    # Text and files need no arrays: numpy is a third of the time that a list of studies takes.
    if name != "Array":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import numpy as np
    import numpy.typing as npt

    return npt.NDArray[np.float64]


_CONTROL_GROUPS = Path("/sys/fs/cgroup")
#: Limit, use and idle pages of files, in the first version of control groups.
_NAMES_OF_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")

#: Bytes of a block of memory that is given back to the system as soon as it is free, unless as large a one was before.
_KEPT = 1 << 23
#: Numbers by which glibc's malloc.h calls what of it may be set.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

#: Numbers that a process makes before the loop that makes them is compiled: they took as long as that takes.
_WORTH_COMPILING = 2**26

#: Characters that steer a terminal, reverse the order of what follows, or are half of a character.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: What a name of a file is better without: separators, wildcards, quotes, and all that steers.
_UNSAFE = re.compile(r"[^\w \-.,()+@]+")
#: Names that Windows keeps for devices, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
#: Bytes of a file name: systems take 255, and what is written beside it is called a little longer.
_LONGEST_NAME = 120


@functools.cache
def keep_freed_memory() -> None:
    """Let the allocator keep blocks of some MB that are free, for the next that are asked for.

    glibc gives back to the system what is larger than the largest block that was ever freed, 128 KiB at first. To get
    blocks of draws anew, page by page, took 40% of the time of a run. One that is freed untouched teaches it.
    """
    import numpy as np

    np.empty(_KEPT, dtype=np.uint8)
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        # Where this is set, as for workers of Dask, glibc does not learn: it is told. Other systems have no such call.
        import ctypes

        with contextlib.suppress(AttributeError, OSError, TypeError):
            allocator = ctypes.CDLL(None)
            allocator.mallopt(_TRIM_THRESHOLD, 2 * _KEPT)
            allocator.mallopt(_MMAP_THRESHOLD, _KEPT)


def once_it_pays(signature: Callable[[Any], Any]) -> Callable[[Callable[..., None]], Callable[[int], Any]]:
    """Decorate a loop that is written for numba.

    In its place stands a function that is told how many numbers are to be made, and gives the compiled loop once a
    process has made so many that it pays; nothing before, and where numba, of the extra ``fast``, is not installed.

    Parameters
    ----------
    signature : callable
        Of numba; types of the arguments.
    """

    def decorated(loop: Callable[..., None]) -> Callable[[int], Any]:
        # Threads may miss some, which does no harm.
        made = 0

        @functools.cache
        def compiled() -> Any:
            try:
                import numba
            except ImportError:
                return None
            return numba.njit(signature(numba), nogil=True)(loop)

        @functools.wraps(loop)
        def fast(count: int) -> Any:
            nonlocal made
            made += count
            return compiled() if made > _WORTH_COMPILING else None

        fast.compiled = compiled  # type: ignore[attr-defined]
        return fast

    return decorated


def printable(text: str) -> str:
    r"""Write characters that would steer a terminal as their codes; line ends and tabs stay.

    Examples
    --------
    >>> printable("\x1b[31mred")
    '\\x1b[31mred'
    """
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def is_table(value: Any) -> bool:
    """Tell a table or column of pandas or polars, without importing either.

    Examples
    --------
    >>> import pandas as pd
    >>> is_table(pd.Series([1.0])), is_table([1.0])
    (True, False)
    """
    kind = type(value)
    return kind.__name__ in ("DataFrame", "Series") and kind.__module__.partition(".")[0] in ("pandas", "polars")


def is_workbook(path: str) -> bool:
    """Tell the name of an Excel workbook, which needs not exist.

    Examples
    --------
    >>> is_workbook("Model.XLSX"), is_workbook("study.toml")
    (True, False)
    """
    return path.lower().endswith((".xlsx", ".xlsm"))


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


def repeated(option: str, values: Iterable[str]) -> list[str]:
    """Give an option of a command once for each of some values."""
    return [word for value in values for word in (option, value)]


def unless(usual: Any, option: str, value: Any) -> list[str]:
    """Give an option of a command, unless it has its usual value."""
    return [] if value == usual else [option, f"{value:g}" if isinstance(value, float) else str(value)]


def available_memory() -> int:
    """Bytes that this process may still take: by the system, by its container and by its own limits."""
    limits = [2**62, *_free_of_system(), *_free_of_container(), *_free_of_process()]
    return max(min(limits), 0)


def memory_text(size: float) -> str:
    """Write an amount of memory in the unit in which it reads well.

    Examples
    --------
    >>> memory_text(5 * 2**40), memory_text(20_000_000), memory_text(900)
    ('5,120.0 GiB', '19.1 MiB', '0.9 KiB')
    """
    unit, factor = ("GiB", 2**30) if size >= 2**30 else ("MiB", 2**20) if size >= 2**20 else ("KiB", 2**10)
    return f"{size / factor:,.1f} {unit}"


def _free_of_system() -> Iterator[int]:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except OSError:
        if sys.platform == "win32":
            yield _free_of_windows()
        elif hasattr(os, "sysconf"):
            with contextlib.suppress(OSError, ValueError):
                yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _free_of_windows() -> int:
    import ctypes

    # MEMORYSTATUSEX: its own length and the load in percent, then seven sizes, of which the second is what is free.
    state = (ctypes.c_uint64 * 8)()
    ctypes.cast(state, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(state)
    done = getattr(ctypes, "windll").kernel32.GlobalMemoryStatusEx(ctypes.byref(state))  # noqa: B009  only there
    return int(state[2]) if done else 2**62


def _free_of_container() -> Iterator[int]:
    """Of each control group that the process is in, and of those above it: they all count."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for number, kinds, own in (line.split(":", 2) for line in groups):
        if number == "0":
            root, names = _CONTROL_GROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            root, names = _CONTROL_GROUPS / "memory", _NAMES_OF_1
        else:
            continue
        # Inside a container the path is often that of the host, and the group itself is mounted at the root.
        place = root / own.lstrip("/")
        for folder in (place, *place.parents):
            yield from _free_of_group(folder, *names)
            if folder == root:
                break


def _free_of_group(folder: Path, most: str, now: str, idle: str) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):
        limit = int((folder / most).read_text(encoding="ascii"))
        used = int((folder / now).read_text(encoding="ascii"))
        told = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        # Pages of files that nobody uses count as used, and are given up when memory is asked for.
        yield limit - used + int(told.get(idle, 0))


def _free_of_process() -> Iterator[int]:
    """What the limit of the process leaves of its address space."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            yield limit - pages * resource.getpagesize()
    except (ImportError, OSError):
        return


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def written_whole(path: str | Path, unfinished: Path | None = None) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes its place only if the block ends well.

    Whoever makes sure that nobody else writes the file can name the temporary one: what a kill leaves is then written
    over by the next.

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
    if target.exists() and not target.is_file():
        # Nothing takes the place of a folder, nor of a device such as /dev/null.
        raise OSError(errno.EISDIR if target.is_dir() else errno.EEXIST, "there is something else than a file")
    if unfinished is None:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        unfinished = Path(name)
    else:
        unfinished.write_bytes(b"")
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
