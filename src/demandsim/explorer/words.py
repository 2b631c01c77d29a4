"""Wording: what the explorer says in a language, over the words that it shares with the report page."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import tomllib

from demandsim.report import words as wording
from demandsim.report.words import Words

__all__ = ["words_of"]


@functools.cache
def words_of(code: str) -> Words:
    """Read a language.

    Raises
    ------
    UnknownNameError
        If there is no such language.

    Examples
    --------
    >>> words_of("en").say("reset"), words_of("zh").say("reset")
    ("Reset to the study's values", '恢复原研究的设定')
    """
    shared = wording.words_of(code)
    path = importlib.resources.files("demandsim.explorer").joinpath("locale", f"{code}.toml")
    own = tomllib.loads(path.read_text(encoding="utf-8"))
    return dataclasses.replace(shared, phrases={**shared.phrases, **own})
