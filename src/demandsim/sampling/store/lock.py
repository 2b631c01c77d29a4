"""Lock: one process at a time writes a store; whoever comes second is told who the first is."""

from __future__ import annotations

import contextlib
import datetime
import errno
import importlib
import json
import os
import socket
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from demandsim.errors import StoreError

__all__ = ["locked", "said_by_owner"]

#: Where Windows locks a byte: beyond what the file holds, which others may read.
_BEYOND = 1 << 30
#: Seconds until whoever holds a lock has said so: the word is written a moment after the lock is taken.
_PATIENCE = 1.0
_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK)


def _place(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a store, in a file beside it; the system lets go of it when the process ends, however it ends.

    Raises
    ------
    StoreError
        If another process, or another thread of this one, writes the store.
    """
    place = _place(path)
    file = _taken(place, path)
    try:
        owner = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}",
        }
        with contextlib.suppress(OSError):
            # On a full disk the lock holds as well, without a word of who holds it.
            file.seek(0)
            file.truncate()
            file.write(json.dumps(owner).encode())
        yield
    finally:
        if _module("fcntl") is not None:
            # While it is held: nobody else can lock the name that goes.
            place.unlink(missing_ok=True)
            file.close()
        else:
            # Windows gives up no name of an open file.
            file.close()
            with contextlib.suppress(OSError):
                place.unlink()


def said_by_owner(path: Path) -> str:
    """Who writes a store, or wrote it last without finishing it, as a clause; empty if nobody left word."""
    try:
        owner = json.loads(_place(path).read_bytes())
        return f"process {owner['process']} on host '{owner['host']}', since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _taken(place: Path, path: Path) -> FileIO:
    patient_until = time.monotonic() + _PATIENCE
    while True:
        file = place.open("a+b", buffering=0)
        try:
            if _take(file.fileno(), file):
                # Who ended meanwhile took the name away: what is locked must be what has the name.
                if os.path.samestat(os.fstat(file.fileno()), place.stat()):
                    return file
            elif (who := said_by_owner(path)) or time.monotonic() > patient_until:
                raise StoreError(
                    f"store '{path}' is being written by {who or 'another process'}; "
                    "wait until that has ended, or choose another path"
                )
            else:
                time.sleep(0.01)
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _take(descriptor: int, file: FileIO) -> bool:
    """Lock a file, without waiting; False if somebody else has."""
    posix, windows = _module("fcntl"), _module("msvcrt")
    try:
        if posix is not None:
            posix.flock(descriptor, posix.LOCK_EX | posix.LOCK_NB)
        elif windows is not None:
            file.seek(_BEYOND)
            windows.locking(descriptor, windows.LK_NBLCK, 1)
    except OSError as error:
        # A file system without locks, as some networks have, does not keep a store from being written.
        return error.errno not in _BUSY
    return True
