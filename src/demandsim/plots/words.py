"""Wording: words, names of quantities, units and fonts of a picture, in English or Chinese."""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from demandsim.errors import DemandsimError, UnitError, check_known
from demandsim.units.convert import check_unit
from demandsim.units.format import brief, label_text, readable

__all__ = ["LOCALES", "Locale", "locale_of", "spare_fonts"]

#: Each has a file in the folder `locale`.
LOCALES = ("en", "zh")

_HINTS = {
    "zh": "install one (Debian, Ubuntu: apt install fonts-noto-cjk; Fedora: dnf install google-noto-sans-cjk-fonts; "
    "macOS and Windows bring one), or use locale='en'"
}

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
#: A value, or the lowest and highest of several, with a unit; in a group after the name of the assumption.
_SETTING = re.compile(rf"(?:([^\W\d]\w*) )?({_NUMBER})(?: to ({_NUMBER}))?(?: ((?:1/)?[^\d\s]\S*))?")
_ROUNDING = 1e-12
_CHINESE = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True)
class Locale:
    """A language of pictures.

    Parameters
    ----------
    code : str
    words, names, dims, labels : mapping of str to str
        Phrases by key; quantities, dims and labels of dims by their name in a model.
    texts : mapping of str to str
        Titles and sources of the shipped studies, by what they are in English.
    heads, tails : mapping of str to str
        Parts of a unit before and after its first slash.
    scales : mapping of unit to list of (size, word)
        In what large values are counted.
    fonts : tuple of str
        Families that the machine has, in order of liking; none where any will do.
    """

    code: str
    words: Mapping[str, str]
    names: Mapping[str, str]
    dims: Mapping[str, str]
    labels: Mapping[str, str]
    texts: Mapping[str, str]
    heads: Mapping[str, str]
    tails: Mapping[str, str]
    scales: Mapping[str, Any]
    fonts: tuple[str, ...]

    def say(self, key: str, **values: Any) -> str:
        """Fill in a phrase; a label of a dim in its blank `label` is put in words.

        Examples
        --------
        >>> locale_of("en").say("seed", seed=1)
        'seed 1'
        """
        if "label" in values:
            values["label"] = self.label(values["label"])
        return self.words[key].format(**values)

    def name(self, name: str, long_name: str | None = None) -> str:
        """Name a quantity for readers: never as code if there is another way.

        A name that a model gives in Chinese is its author's own, and goes before that of the locale.

        Examples
        --------
        >>> locale_of("en").name("card_price", "Price of a card"), locale_of("en").name("card_price")
        ('Price of a card', 'Card price')
        """
        if long_name and _CHINESE.search(long_name):
            return long_name
        if name in self.names or long_name:
            return self.names.get(name) or str(long_name)
        # An event is named by what it compares: "gross_margin > 0".
        spaced = re.sub(r"[^\W\d]\w*", lambda found: self.names.get(found[0], found[0].replace("_", " ")), name)
        return spaced[:1].upper() + spaced[1:]

    def dim(self, name: str) -> str:
        """Name a dim for readers."""
        return self.dims.get(name, name.replace("_", " "))

    def label(self, label: Any) -> str:
        """Name a label of a dim for readers: its own name, unless it is one of a shipped study.

        Examples
        --------
        >>> locale_of("en").label(2030)
        '2030'
        """
        written = label_text(label)
        return self.labels.get(written, written)

    def text(self, text: str) -> str:
        """Say a title or a source in words of the locale; one that it does not know stays as it is.

        Examples
        --------
        >>> locale_of("en").text("Our own model")
        'Our own model'
        """
        return self.texts.get(text, text)

    def setting(self, text: str) -> str:
        """Write a value with its unit, as an analysis names what it set, in a readable unit.

        Examples
        --------
        >>> locale_of("en").setting("3.667e+10 parameter")
        '36.7 bn parameters'
        """
        parts = text.split(", ")
        if len(parts) > 1:
            return ", ".join(self.setting(part) for part in parts)
        found = _SETTING.fullmatch(text)
        if found is None:
            return text
        name, low, high, unit = found.groups()
        ends = [float(end) for end in (low, high) if end]
        try:
            divisor, shown = self.unit(check_unit(unit or "1"), max(map(abs, ends)))
        except UnitError:
            return text
        # Where a quantile is zero, its rounding is no value.
        words = [brief(end / divisor if abs(end) > _ROUNDING else 0.0) for end in ends]
        value = words[0] if len(words) == 1 else self.say("range", low=words[0], high=words[1])
        if shown.startswith("1/"):
            value, shown = value + shown[1:], ""
        return " ".join(part for part in (self.name(name) if name else "", value, shown) if part)

    def unit(self, unit: str, magnitude: float) -> tuple[float, str]:
        """Choose a divisor and a unit in which a value of this size reads well.

        Examples
        --------
        >>> locale_of("en").unit("token/day", 1e14)
        (1000000000000.0, 'tn tokens/day')
        """
        if unit in ("", "1", "dimensionless"):
            return 1.0, ""
        head, slash, tail = unit.partition("/")
        divisor, scale = 1.0, ""
        if head in self.scales:
            size = abs(magnitude)
            divisor, scale = next(((f, w) for f, w in self.scales[head] if size >= f), (1.0, ""))
            head = self.heads.get(head, head)
        else:
            divisor, label = readable(unit, magnitude)
            head, slash, tail = label.partition("/")
            head = self.heads.get(head) or re.sub(r"\w+", lambda found: self.heads.get(found[0], found[0]), head)
        tail = "/".join(self.tails.get(part, part) for part in tail.split("/"))
        return float(divisor), f"{scale}{head}{slash}{tail}".strip()


def locale_of(code: str, *, drawn: bool = True) -> Locale:
    """Read a language, and check that the machine has a font for it, unless nothing is `drawn` here.

    Raises
    ------
    UnknownNameError
        If there is no such language.
    DemandsimError
        If no font is installed that has its characters.

    Examples
    --------
    >>> locale_of("en").code
    'en'
    """
    check_known([code], LOCALES, "locale")
    made = _read(code)
    if not made.fonts or not drawn:
        return made
    found = _installed(made.fonts)
    if not found:
        raise DemandsimError(
            f"locale='{code}' needs a font with its characters, and matplotlib found none of: {', '.join(made.fonts)}; "
            + _HINTS[code]
        )
    return replace(made, fonts=found[:1])


def spare_fonts(texts: Iterable[str]) -> tuple[str, ...]:
    """Return a font to fall back on where texts hold Chinese characters, if the machine has one."""
    return _installed(_read("zh").fonts)[:1] if any(map(_CHINESE.search, texts)) else ()


def _installed(families: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the families that the machine has."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    found = tuple(family for family in families if family in manager.get_font_names())
    if not found:
        # matplotlib remembers its list of fonts for weeks: one installed since then is not on it.
        known = {font.fname for font in manager.ttflist}
        for path in sorted(set(font_manager.findSystemFonts()) - known):
            with contextlib.suppress(RuntimeError, OSError):
                manager.addfont(path)
        found = tuple(family for family in families if family in manager.get_font_names())
    return found


@functools.cache
def _read(code: str) -> Locale:
    text = importlib.resources.files("demandsim.plots").joinpath("locale", f"{code}.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)
    units = said["units"]
    return Locale(
        code,
        said["words"],
        said["names"],
        said["dims"],
        said["labels"],
        said["texts"],
        units["head"],
        units["tail"],
        said["scales"],
        tuple(said["fonts"]),
    )
