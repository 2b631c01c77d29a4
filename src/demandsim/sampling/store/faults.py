"""Faults of the disk, of the formats and of what is asked, told as one clear error that names the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from demandsim.errors import DemandsimError, OutputError, StoreError
from demandsim.statistics.design import DESIGNS

__all__ = ["check_same_run", "damaged", "named", "not_ours"]


def damaged(path: Path, what: str) -> StoreError:
    """Say what is wrong with a store that nobody can mend."""
    return StoreError(f"store '{path}' is damaged: {what}; delete it and run again")


def not_ours(path: Path) -> StoreError:
    """Say that something else stands where a store should."""
    return StoreError(f"'{path}' is not a store of demandsim draws; choose another path")


def check_same_run(path: Path, held: Mapping[str, Any], wanted: Mapping[str, Any], extends: bool = False) -> bool:
    """Refuse a store of another run, which differs in anything that changes a number.

    Parameters
    ----------
    path : Path
    held, wanted : mapping
        As `identity_of` gives them.
    extends : bool, default False
        Whether a run with more draws, or with more quantities, may go on from the store.

    Returns
    -------
    bool
        Whether the store holds all that is wanted.
    """
    more = {"draws", "keep"} if extends else set()
    if more and held["draws"] < wanted["draws"] and not DESIGNS[wanted["design"]].extensible:
        raise StoreError(
            f"store '{path}' holds {held['draws']:,} draws of each chain, and design '{wanted['design']}' cannot be "
            "extended; choose another path, or delete it"
        )
    for key, value in wanted.items():
        enough = held.get(key) == value
        if key == "keep":
            enough = set(value) >= set(held[key]) if key in more else set(value) == set(held[key])
        elif key in more:
            enough = held[key] <= value
        if not enough:
            raise StoreError(
                f"store '{path}' holds another run: its {key} is {held.get(key)!r}, this run's is {value!r}; "
                "choose another path, or delete it"
            )
    return bool(held["draws"] == wanted["draws"] and set(held["keep"]) == set(wanted["keep"]))


@contextlib.contextmanager
def named(path: Path, doing: str) -> Iterator[None]:
    """Turn what goes wrong while `doing` something with a store into an OutputError or a StoreError."""
    if "\0" in str(path):
        raise OutputError(f"cannot {doing} store {str(path)!r}: a name of a file holds no NUL character")
    try:
        yield
    except DemandsimError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot {doing} store '{path}': {reason}; make room or choose another path, and run again "
            "(a Zarr folder goes on from its whole blocks)"
        ) from error
    except MemoryError as error:
        if doing != "read":
            raise
        raise damaged(path, "it asks for more memory than there is") from error
    except Exception as error:
        if doing != "read":
            raise OutputError(f"cannot {doing} store '{path}': {type(error).__name__}: {error}") from error
        # A damaged store makes the libraries below raise nearly anything.
        raise damaged(path, f"{type(error).__name__}: {error}") from error
