"""Words of the terminal: names, heads and units in the language that was asked for; English names things as Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from demandsim.cli._options import LocaleName
from demandsim.units.format import readable

if TYPE_CHECKING:
    from demandsim.plots.words import Locale

__all__ = ["named", "scale_of", "spoken"]


def spoken(locale: LocaleName) -> Locale:
    """Read the language of a command; no font is needed for what a terminal shows."""
    from demandsim.plots.words import locale_of

    return locale_of(locale.value, "terminal", drawn=False)


def named(words: Locale, name: str, long_name: str | None = None) -> str:
    """Name a quantity: in English by the name that other commands take, in other languages in words."""
    return name if words.code == "en" else words.name(name, long_name)


def scale_of(words: Locale) -> Callable[[str, float], tuple[float, str]]:
    """Return what chooses the divisor and the unit in which a value of some size reads well."""
    return readable if words.code == "en" else words.unit
