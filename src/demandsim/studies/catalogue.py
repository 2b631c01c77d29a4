"""Catalogue: the study files that ship with demandsim, and the text of any study file read as data."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any, NamedTuple

from demandsim.errors import StudyError, marked

__all__ = ["Entry", "catalogue", "entry", "list_studies", "read_toml", "shipped_files"]

#: Parts of a dotted key: the parser's time grows with their square.
_DEEPEST = 32
_TEXTS = re.compile(r'''"""(?:\\.|[^\\])*?"""|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*''', re.DOTALL)
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
#: Quotes of Word, and signs of keyboards for Chinese.
_WIDE = re.compile("[“”„‘’\uff01-\uff5e\u3000]")
_PARTS = re.compile(r"[=,\[\]{}\n]")


class Entry(NamedTuple):
    """A shipped study in the list of all: name, title and source, how much it has, and which results it pictures."""

    name: str
    title: str
    source: str
    assumptions: int
    equations: int
    pictured: tuple[str, ...] = ()


def shipped_files() -> dict[str, Any]:
    """Files of the shipped studies by name."""
    folder = resources.files("demandsim.studies")
    return {item.name.removesuffix(".toml"): item for item in folder.iterdir() if item.name.endswith(".toml")}


def list_studies() -> tuple[str, ...]:
    """Names of the studies that ship with demandsim.

    Examples
    --------
    >>> "guosen-2025-01" in list_studies()
    True
    """
    return tuple(sorted(shipped_files()))


def catalogue() -> Iterator[Entry]:
    """What is in each shipped study, read from its file alone: no model is built.

    Examples
    --------
    >>> [entry.assumptions for entry in catalogue() if entry.name == "guosen-2025-01"]
    [9]
    """
    for name in list_studies():
        yield entry(name)


@functools.cache
def entry(name: str) -> Entry:
    """What is in a shipped study, by its name."""
    study = read_toml(shipped_files()[name].read_text(encoding="utf-8"), f"{name}.toml")
    title, source = study.get("title", ""), study.get("source", "")
    shown = study.get("presentation", {})
    pictured = tuple(shown.get("pictured") or shown.get("results", ()))
    return Entry(name, title, source, len(study["assumptions"]), len(study["equations"]), pictured)


def _told(text: str, said: str) -> str:
    """What the parser says, with the line that it means and a mark in it."""
    found = _PLACE.search(said)
    line = text.splitlines()[int(found[1]) - 1] if found and len(text.splitlines()) >= int(found[1]) else ""
    if found is None or not line.strip():
        return said
    if "Cannot" in said:
        return f"line {found[1]} says again what was said before; {marked(line, int(found[2]) - 1)}"
    hint = '; quotes and signs are those of ASCII: name = "value"' if _WIDE.search(line) else ""
    right = '; a line is [table], or name = value, and texts stand in quotes: title = "Cards"'
    return f"line {found[1]} cannot be read; {marked(line, int(found[2]) - 1)}{hint or right}"


def read_toml(text: str, where: str) -> dict[str, Any]:
    """Read the text of a study file as TOML; what would take the parser's time or break it is refused."""
    # Of texts and comments only the ends stay: what is left of a line is keys, numbers and signs.
    bare = _TEXTS.sub("", text)
    if any(part.count(".") > _DEEPEST for part in _PARTS.split(bare)):
        raise StudyError(f"{where}: a key has more than {_DEEPEST} parts; no study nests so deep")
    try:
        # A spreadsheet's or editor's mark of UTF-8 is no part of the text.
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{where}: not valid TOML: {_told(text.removeprefix('\ufeff'), str(error))}") from None
    except RecursionError:
        raise StudyError(f"{where}: not valid TOML: nested too deep") from None
    except ValueError:
        # Python reads no integer of more than 4,300 digits.
        raise StudyError(f"{where}: holds a whole number of thousands of digits; write it as 1e30") from None
