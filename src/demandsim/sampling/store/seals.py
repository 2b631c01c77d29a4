"""Seals: one line with size and SHA-256 that tells, before any other reader, whether draws are as they were finished.

Libraries that read a damaged file may do anything: HDF5 is known to run in circles over it. What is sealed is
compared with its seal by plain reading, and reaches them only if every byte is as it was. A seal guards against
damage, not against malice: whoever changes a store can seal it again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from demandsim.errors import StoreError

__all__ = [
    "STOP_RULE",
    "check_file",
    "check_folder",
    "metadata_digest",
    "read_seal",
    "seal_file",
    "seal_folder",
    "write_stop_rule",
]

#: Bytes read at a time, whatever the size of a file.
_PIECE = 1 << 20
#: 1 sealed netCDF files in blocks, and digests of folders were made otherwise.
_VERSION = 2
_FORM = re.compile(rb"\ndemandsim seal (\d): (\d{20}) (bytes|files), sha256 [0-9a-f]{64}\n")
#: In a Zarr folder: beside the marks of blocks, where readers of Zarr look for nothing else.
_OF_FOLDER = Path("demandsim_blocks", "seal")
#: What a tolerance asked for and what was reached, beside them: known only when all blocks are there.
STOP_RULE = Path("demandsim_blocks", "stop_rule")


def _line(size: int, what: str, digest: str) -> bytes:
    return f"\ndemandsim seal {_VERSION}: {size:020d} {what}, sha256 {digest}\n".encode()


_LENGTH = len(_line(0, "bytes", "0" * 64))


def _feed(digest: Any, file: BufferedIOBase, size: int) -> None:
    """Digest the next `size` bytes, or what there is of them."""
    piece = memoryview(bytearray(min(_PIECE, max(size, 1))))
    while size > 0:
        read = file.readinto(piece[: min(size, len(piece))])
        if not read:
            return
        digest.update(piece[:read])
        size -= read


def read_seal(path: Path) -> bytes | None:
    """The seal of a file or folder as it stands there, unchecked; None if there is none."""
    place = path / _OF_FOLDER if path.is_dir() else path
    if not place.is_file():
        return None
    with place.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LENGTH))
        found = file.read(_LENGTH)
    return found if _FORM.fullmatch(found) else None


def seal_file(path: Path) -> None:
    """Append the seal to a file: HDF5 reads no further than the end that its own header names.

    ``head -c SIZE FILE | sha256sum`` gives the digest again.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        digest = hashlib.sha256()
        _feed(digest, file, size)
        file.seek(size)
        file.write(_line(size, "bytes", digest.hexdigest()))


def check_file(path: Path, file: BufferedIOBase) -> None:
    """Compare an open file with its seal, reading all of it once, and go back to its begin.

    Raises
    ------
    StoreError
        If there is no seal, or it does not agree.
    """
    seal = _existing(path, "bytes")
    size = file.seek(0, os.SEEK_END) - _LENGTH
    file.seek(0)
    digest = hashlib.sha256()
    _feed(digest, file, size)
    file.seek(0)
    _compare(path, seal, _line(size, "bytes", digest.hexdigest()))


def _parts(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of a Zarr folder but the seal, in one order everywhere; what systems hide there is not ours."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if not name.startswith(".")]
        linked = next((name for name in (*folders, *files) if os.path.islink(os.path.join(place, name))), None)
        if linked is not None:
            raise StoreError(f"store '{folder}' is damaged: '{linked}' is a link, and draws hold all of their numbers")
    named = {path.relative_to(folder).as_posix(): path for path in found}
    named.pop(_OF_FOLDER.as_posix(), None)
    yield from sorted(named.items())


def metadata_digest(folder: Path) -> str:
    """SHA-256 of everything that a Zarr folder says beside its numbers."""
    digest = hashlib.sha256()
    for name, path in _parts(folder):
        if path.name == "zarr.json":
            text = path.read_bytes()
            digest.update(f"{name}\0{len(text)}\n".encode() + text)
    return digest.hexdigest()


def _folder_line(folder: Path) -> bytes:
    """Names and sizes of all files and the text of the metadata; numbers are under checksums of their own."""
    names = [f"{name}\0{path.stat().st_size}\n" for name, path in _parts(folder)]
    told = "".join(names) + metadata_digest(folder)
    if (folder / STOP_RULE).is_file():
        told += (folder / STOP_RULE).read_text(encoding="utf-8")
    return _line(len(names), "files", hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest())


def seal_folder(path: Path) -> None:
    """Put a seal into a Zarr folder."""
    (path / _OF_FOLDER).write_bytes(_folder_line(path))


def write_stop_rule(path: Path, text: str) -> None:
    """Write down in a finished folder for which tolerance it was drawn; if killed meanwhile, the next run seals it."""
    (path / _OF_FOLDER).unlink(missing_ok=True)
    (path / STOP_RULE).write_text(text, encoding="utf-8")
    seal_folder(path)


def check_folder(path: Path) -> bytes:
    """Compare a Zarr folder with its seal, without reading its numbers, and return the seal.

    Raises
    ------
    StoreError
        If there is no seal, or it does not agree.
    """
    seal = _existing(path, "files")
    _compare(path, seal, _folder_line(path))
    return seal


def _existing(path: Path, what: str) -> bytes:
    seal = read_seal(path)
    if seal is None:
        raise StoreError(
            f"store '{path}' has no seal: demandsim did not finish it, or it was cut off or changed since; "
            "choose another path, or delete it and run again"
        )
    form = _FORM.fullmatch(seal)
    if form is None or int(form[1]) != _VERSION or form[3] != what.encode():
        raise StoreError(
            f"store '{path}' has a seal that this version of demandsim does not know; read it with the version that "
            "wrote it, or delete it and run again"
        )
    return seal


def _compare(path: Path, seal: bytes, found: bytes) -> None:
    if found == seal:
        return
    sizes = [line[line.index(b": ") + 2 : line.index(b",")].decode().lstrip("0") for line in (found, seal)]
    how = "its bytes are not those that were sealed"
    if sizes[0] != sizes[1]:
        how = f"it has {sizes[0]}, its seal says {sizes[1]}"
    raise StoreError(f"store '{path}' is damaged: {how}; delete it and run again")
