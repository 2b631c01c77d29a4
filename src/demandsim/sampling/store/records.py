"""Records: what a store says of itself: which run it belongs to, its labels, and which of its blocks are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from demandsim.errors import StoreError
from demandsim.sampling.dataset import Labels, dims_of
from demandsim.sampling.run import Run
from demandsim.sampling.store.faults import damaged
from demandsim.sampling.store.formats import Format

__all__ = [
    "DESCRIPTION",
    "IDENTITY",
    "LABELS",
    "MARKS",
    "check_description",
    "check_same_run",
    "create",
    "plain",
    "read_identity",
    "read_marks",
]

MARKS = "demandsim_blocks"
IDENTITY = "demandsim_run"
LABELS = "labels"
DESCRIPTION = "demandsim_description"


def plain(value: Any) -> Any:
    """A number or text as Python has it."""
    return value.item() if hasattr(value, "item") else value


def _identity(run: Run, chunk: int, labels: Labels) -> dict[str, Any]:
    """Everything that must agree for blocks of two runs to belong together."""
    return {
        "model_hash": labels.dataset.get("model_hash"),
        "demandsim_version": labels.dataset.get("demandsim_version"),
        "seed": str(run.seed),
        "design": run.design,
        "chains": run.chains,
        "draws": run.draws,
        "keep": list(run.keep),
        "dtype": str(run.dtype),
        "chunk": chunk,
    }


def create(form: Format, path: Path, run: Run, chunk: int, labels: Labels, attrs: dict[str, Any]) -> None:
    """Make a store without numbers."""
    layout, blocks = run.program.layout, -(-run.draws // chunk)
    sizes = {"chain": run.chains, "draw": run.draws, "block": blocks}
    sizes |= {dim: layout.size(dim) for dim in layout.dims}
    with form.opened(path, "w") as group:
        form.declare(group, sizes)
        for name in run.keep:
            own, inner = dims_of(run, name)
            dims = {dim: sizes[dim] for dim in (*own, "chain", "draw", *inner)}
            pieces = tuple(1 if d == "chain" else min(chunk, n) if d == "draw" else n for d, n in dims.items())
            form.create(group, name, dims, pieces, run.dtype, dict(labels.variables[name]))
        marked = {"chain": run.chains, "block": blocks}
        marks = form.create(group, MARKS, marked, (1, 1), np.dtype(np.uint32), {})
        marks[...] = np.zeros((run.chains, blocks), dtype=np.uint32)
        chain = form.create(
            group, "chain", {"chain": run.chains}, (run.chains,), np.dtype(np.int64), {"design": run.design}
        )
        chain[:] = np.arange(run.chains)
        for key, value in attrs.items():
            group.attrs[key] = value
        group.attrs[LABELS] = json.dumps({dim: list(map(plain, layout.coords[dim])) for dim in layout.dims})
        group.attrs[IDENTITY] = json.dumps(_identity(run, chunk, labels))
    # What is written is read back: libraries add to attributes, and change their types.
    with form.opened(path, "r") as group:
        digest = _description(form, group, run.keep)
    with form.opened(path, "r+") as group:
        group.attrs[DESCRIPTION] = digest


def _description(form: Format, group: Any, names: Sequence[str]) -> str:
    """SHA-256 of everything that a store says beside its draws and marks."""
    told: list[Any] = [
        sorted((key, repr(plain(value))) for key, value in dict(group.attrs).items() if key != DESCRIPTION)
    ]
    for name in (*names, MARKS, "chain"):
        array = group[name]
        attrs = sorted((key, repr(plain(value))) for key, value in dict(array.attrs).items())
        told.append([name, form.dims(array), list(array.shape), np.dtype(array.dtype).str, attrs])
    told.append(np.asarray(group["chain"][...]).tolist())
    return hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest()


def check_description(form: Format, group: Any, path: Path) -> None:
    """Compare attributes, dims and types with what they were when the store was made.

    Raises
    ------
    StoreError
        If anything differs.
    """
    wanted = dict(group.attrs).get(DESCRIPTION)
    if wanted != _description(form, group, read_identity(group, path)["keep"]):
        raise damaged(path, "its attributes, dims or types are not those that it was made with")


def read_identity(group: Any, path: Path) -> dict[str, Any]:
    """The run that a store belongs to.

    Raises
    ------
    StoreError
        If it is no store of ours.
    """
    text = dict(group.attrs).get(IDENTITY)
    if text is None:
        raise StoreError(f"'{path}' is not a store of demandsim draws; choose another path")
    found: dict[str, Any] = json.loads(text)
    return found


def check_same_run(group: Any, path: Path, run: Run, chunk: int, labels: Labels) -> None:
    """Refuse a store of another run.

    Raises
    ------
    StoreError
        If anything differs that changes a number.
    """
    found = read_identity(group, path)
    for key, value in _identity(run, chunk, labels).items():
        if found.get(key) != value:
            raise StoreError(
                f"store '{path}' holds another run: its {key} is {found.get(key)!r}, this run's is {value!r}; "
                "choose another path, or delete it"
            )


def read_marks(group: Any, path: Path, identity: dict[str, Any]) -> Any:
    """Marks by chain and block, 0 where a block is missing; their number is checked before memory is taken."""
    marks, shape = group[MARKS], (identity["chains"], -(-identity["draws"] // identity["chunk"]))
    if tuple(marks.shape) != shape or np.dtype(marks.dtype) != np.uint32:
        raise damaged(path, "its marks of blocks have the wrong shape")
    return np.asarray(marks[...])
