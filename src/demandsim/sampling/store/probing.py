"""Probing: an unfinished netCDF file is read through in a process of its own, so that damage hangs or ends only that.

A killed process or a failing disk may leave a file that makes HDF5 run in circles or crash; it has no seal yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from demandsim.sampling.store.faults import damaged

__all__ = ["check_readable"]

#: Reading takes a second a GiB or so, from a slow network disk much longer: what does not end is given this long.
SECONDS, BYTES_PER_SECOND = 120, 16 * 2**20

# Every attribute and every piece of every array, one at a time: all that resuming a run goes through.
_PROBE = """
import sys
import h5py
print("begun", flush=True)
def look(name, found):
    dict(found.attrs)
    if isinstance(found, h5py.Dataset) and found.chunks:
        pieces = []
        found.id.chunk_iter(lambda piece: pieces.append(piece.chunk_offset))
        for starts in pieces:
            found[tuple(slice(start, start + size) for start, size in zip(starts, found.chunks))]
try:
    with h5py.File(sys.argv[1], "r") as file:
        look("", file)
        file.visititems(look)
except OSError as error:
    # Locked by another run, or not ours to read: no damage, and said by whoever opens it next.
    if not error.errno:
        raise
"""


def check_readable(path: Path) -> None:
    """Refuse an HDF5 file that cannot be read to its end.

    Raises
    ------
    StoreError
        If reading it fails, crashes, or does not end.
    """
    # A program that is frozen into one executable has no Python to start.
    if not sys.executable or getattr(sys, "frozen", False):
        return
    seconds = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    paths = os.pathsep.join(place for place in sys.path if place)
    words = [sys.executable, "-P", "-c", _PROBE, os.fspath(path.absolute())]
    try:
        done = subprocess.run(
            words,
            env=os.environ | {"PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise damaged(path, f"HDF5 was still reading it after {seconds:.0f} s") from None
    # What fails before it looks at the file says nothing about the file.
    if done.returncode and done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"reading it ended with {done.returncode}"]
        raise damaged(path, said[-1])
