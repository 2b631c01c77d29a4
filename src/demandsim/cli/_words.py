"""Words of the terminal: names, heads and units in the language that was asked for; English names things as Python."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

from demandsim.cli._options import LocaleName
from demandsim.locale.words import Words, displayed, words_of
from demandsim.units.format import Scaling, readable

if TYPE_CHECKING:
    from demandsim.plots.words import Locale

__all__ = ["asked", "named", "scale_of", "spoken"]


def asked() -> Words:
    """The language that the call asks for, before any of it is read: also of what is wrong with it."""
    given = [after for before, after in itertools.pairwise(sys.argv) if before == "--locale"]
    given += [word.partition("=")[2] for word in sys.argv if word.startswith("--locale=")]
    return words_of(given[-1], "terminal") if given and given[-1] in set(LocaleName) else displayed()


def spoken(locale: LocaleName) -> Locale:
    """Read the language of a command; no font is needed for what a terminal shows."""
    from demandsim.plots.words import locale_of

    return locale_of(locale.value, "terminal", drawn=False)


def named(words: Locale, name: str, long_name: str | None = None) -> str:
    """Name a quantity: in English by the name that other commands take, in other languages in words."""
    # A label that only repeats the name is none.
    return name if words.code == "en" else words.name(name, long_name if long_name != name else None)


def scale_of(words: Locale) -> Scaling:
    """Return what chooses the divisor and the unit in which a value of some size reads well."""
    return readable if words.code == "en" else words.unit
