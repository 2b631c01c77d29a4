"""Faults of the disk and of the formats, told as one clear error that names the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from demandsim.errors import DemandsimError, OutputError, StoreError

__all__ = ["damaged", "named"]


def damaged(path: Path, what: str) -> StoreError:
    """Say what is wrong with a store that nobody can mend."""
    return StoreError(f"store '{path}' is damaged: {what}; delete it and run again")


@contextlib.contextmanager
def named(path: Path, doing: str) -> Iterator[None]:
    """Turn what goes wrong while `doing` something with a store into an OutputError or a StoreError."""
    try:
        yield
    except DemandsimError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot {doing} store '{path}': {reason}; blocks that are whole stay, run again to go on"
        ) from error
    except MemoryError as error:
        if doing != "read":
            raise
        raise damaged(path, "it asks for more memory than there is") from error
    except Exception as error:
        # A damaged store makes the libraries below raise nearly anything.
        raise damaged(path, f"{type(error).__name__}: {error}") from error
