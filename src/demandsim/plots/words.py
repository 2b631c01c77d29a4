"""Words: names, values, units and fonts of a picture in a language."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.locale.words import CHINESE, Words, words_of
from demandsim.units.convert import check_unit
from demandsim.units.format import brief, label_text, number, percent, readable

__all__ = ["Locale", "locale_of", "spare_fonts"]

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Locale(Words):
    """A language of pictures: its words, and values with their units."""

    def label(self, label: Any) -> str:
        """Name a label of a dim for readers.

        Examples
        --------
        >>> locale_of("en").label(2030)
        '2030'
        """
        return super().label(label_text(label))

    def axis(self, array: xr.DataArray, magnitude: float) -> tuple[float, str]:
        """Choose in what an axis counts values of an array; of the unit 1 it says that they are ratios.

        Examples
        --------
        >>> locale_of("en").axis(xr.DataArray(0.4), 0.4)
        (1.0, 'ratio')

        Where nobody has said a unit, as of a cell of a workbook, it says nothing:

        >>> locale_of("en").axis(xr.DataArray(0.4, attrs={"units": ""}), 0.4)
        (1.0, '')
        """
        return self.axis_unit(str(array.attrs.get("units", "1")), magnitude)

    def axis_unit(self, unit: str, magnitude: float) -> tuple[float, str]:
        """Choose in what an axis counts values in a unit, as `axis` does.

        Examples
        --------
        >>> locale_of("en").axis_unit("1", 0.4), locale_of("en").axis_unit("", 0.4)
        ((1.0, 'ratio'), (1.0, ''))
        """
        divisor, shown = self.unit(unit, magnitude)
        return divisor, shown or (self.say("ratio") if unit else "")

    def share(self, share: float) -> str:
        """Write a share as bars have room for it: in whole percent, unless it is small.

        Examples
        --------
        >>> locale_of("en").share(0.314), locale_of("en").share(0.031)
        ('31%', '3.1%')
        """
        return self.percent(share, 1 if abs(share) < 0.0995 else 0)

    def number(self, value: float, digits: int = 4) -> str:
        """Write a number with some significant digits, with the signs of the language.

        Examples
        --------
        >>> locale_of("en").number(1234.5678)
        '1,235'
        """
        return self.figures(number(value, digits))

    def percent(self, share: float, digits: int | None = None) -> str:
        """Write a share, or with `digits` an estimate of one, with the signs of the language.

        Examples
        --------
        >>> locale_of("en").percent(0.995), locale_of("en").percent(0.4837, 1)
        ('99.5%', '48.4%')
        """
        return self.figures(percent(share, digits))

    def setting(self, values: Iterable[float], unit: str) -> str:
        """Write a value, or the lowest and the highest of several, in a readable unit.

        Examples
        --------
        >>> locale_of("en").setting([3.667e10], "parameter")
        '36.7 bn parameters'
        """
        ends = [float(end) for end in values]
        ends = list(dict.fromkeys([min(ends), max(ends)]))
        divisor, shown = self.unit(check_unit(unit), max(map(abs, ends)))
        # Where a quantile is zero, its rounding is no value.
        words = [self.figures(brief(end / divisor if abs(end) > _ROUNDING else 0.0)) for end in ends]
        value = words[0] if len(words) == 1 else self.say("range", low=words[0], high=words[1])
        if shown.startswith("1/"):
            value, shown = value + shown[1:], ""
        return f"{value} {shown}".rstrip()

    def unit(self, unit: str, magnitude: float) -> tuple[float, str]:
        """Choose a divisor and a unit in which a value of this size reads well.

        Examples
        --------
        >>> locale_of("en").unit("token/day", 1e14)
        (1000000000000.0, 'tn tokens/day')
        """
        if unit in ("", "1", "dimensionless"):
            return 1.0, ""
        heads, tails, scales = (self.units[table] for table in ("head", "tail", "scales"))
        head, slash, tail = unit.partition("/")
        divisor, scale = 1.0, ""
        if head in scales:
            size = abs(magnitude)
            divisor, scale = next(((f, w) for f, w in scales[head] if size >= f), (1.0, ""))
            head = heads.get(head, head)
        else:
            divisor, label = readable(unit, magnitude)
            head, slash, tail = label.partition("/")
            head = heads.get(head) or re.sub(r"\w+", lambda found: heads.get(found[0], found[0]), head)
        tail = "/".join(tails.get(part, part) for part in tail.split("/"))
        return float(divisor), f"{scale}{head}{slash}{tail}".strip()


def locale_of(code: str, *readers: str, drawn: bool = True) -> Locale:
    """Read a language, and check that the machine has a font for it, unless nothing is `drawn` here.

    Parameters
    ----------
    code : str
    *readers : str
        Whose phrases are wanted besides those of pictures.
    drawn : bool, default True

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
    made = Locale(**vars(words_of(code, "plots", *readers)))
    if not made.fonts or not drawn:
        return made
    found = _installed(made.fonts)
    if not found:
        raise DemandsimError(
            f"locale='{code}' needs a font with its characters, and matplotlib found none of: {', '.join(made.fonts)}; "
            + made.font_hint
        )
    return replace(made, fonts=found[:1])


def spare_fonts(texts: Iterable[str]) -> tuple[str, ...]:
    """Return a font to fall back on where texts hold Chinese characters, if the machine has one."""
    return _installed(words_of("zh").fonts)[:1] if any(map(CHINESE.search, texts)) else ()


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
