"""Wording: what the page says, in English or Chinese; names, units and dims are those of the pictures."""

from __future__ import annotations

import functools
import importlib.resources
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demandsim.plots.wording import Locale, locale_of
from demandsim.tables import number

__all__ = ["Scale", "Words", "label_text", "percent", "words_of"]


@dataclass(frozen=True)
class Scale:
    """In what a quantity is counted.

    Parameters
    ----------
    divisor : float
        Values in the declared unit are divided by it.
    unit : str
        Readable unit, empty for a ratio.
    """

    divisor: float = 1.0
    unit: str = ""

    def value(self, value: float, digits: int = 3) -> str:
        """Write a value without its unit; what is missing is a dash.

        Examples
        --------
        >>> Scale(1e9, "bn CNY").value(2.1443e10), Scale().value(float("nan"))
        ('21.4', '–')
        """
        if not math.isfinite(value):
            return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
        return number(value / self.divisor, digits).replace("-", "−")

    def with_unit(self, value: str) -> str:
        """Put the unit behind a written value; one that begins with a number is multiplied, unless it divides.

        Examples
        --------
        >>> Scale(1e4, "10,000 cards").with_unit("85.8"), Scale(1.0, "1/year").with_unit("0.45")
        ('85.8 × 10,000 cards', '0.45/year')
        """
        if not self.unit:
            return value
        if self.unit.startswith("1/"):
            return value + self.unit[1:]
        return f"{value} × {self.unit}" if self.unit[0].isdigit() else f"{value} {self.unit}"

    def measure(self, value: float, digits: int = 3) -> str:
        """Write a value with its unit."""
        return self.with_unit(self.value(value, digits))


@dataclass(frozen=True)
class Words:
    """A language of the page.

    Parameters
    ----------
    lang : str
        Language tag of the document.
    phrases, families : mapping of str to str
        Phrases by key; families of distributions by the name of their constructor.
    locale : Locale
        Names, dims and units, as the pictures have them.
    """

    lang: str
    phrases: Mapping[str, str]
    families: Mapping[str, str]
    locale: Locale

    def say(self, key: str, **values: Any) -> str:
        """Fill in a phrase.

        Examples
        --------
        >>> words_of("en").say("seed")
        'Seed'
        """
        return self.phrases[key].format(**values)

    def scale(self, unit: str, *values: float) -> Scale:
        """Choose in what values of a unit read well, by the largest of them.

        Examples
        --------
        >>> words_of("en").scale("CNY/year", 2e10, 3e9)
        Scale(divisor=1000000000.0, unit='bn CNY/year')
        """
        sizes = [abs(value) for value in values if math.isfinite(value)]
        return Scale(*self.locale.unit(unit, max(sizes, default=0.0)))

    def place(self, labels: Mapping[str, Any]) -> str:
        """Write labels of dims: a text stands for itself, a number needs its dim."""
        parts = [
            label_text(label)
            if isinstance(label, str) or dim == "year"
            else f"{self.locale.dim(dim)} {label_text(label)}"
            for dim, label in labels.items()
        ]
        return self.phrases["comma"].join(parts)


def label_text(label: Any) -> str:
    """Write a label of a dim: a date without its hours."""
    if hasattr(label, "dtype") and label.dtype.kind == "M":
        return str(label.astype("datetime64[D]"))
    if hasattr(label, "item"):
        label = label.item()
    return f"{label:g}" if isinstance(label, float) else str(label)


def percent(share: float, digits: int = 1) -> str:
    """Write a share; one that would read as none or as all says so.

    Examples
    --------
    >>> percent(0.4837), percent(0.0), percent(0.0002), percent(0.99999), percent(0.9, 0)
    ('48.4%', '0%', '<0.1%', '>99.9%', '90%')
    """
    if not math.isfinite(share):
        return "–"
    if share in (0, 1):
        return f"{100 * share:.0f}%"
    least = 10.0**-digits
    if 0 < share < least / 200:
        return f"<{least:g}%"
    if 1 > share > 1 - least / 200:
        return f">{100 - least:.{digits}f}%"
    return f"{100 * share:.{digits}f}%".replace("-", "−")


@functools.cache
def words_of(code: str) -> Words:
    """Read a language.

    Raises
    ------
    UnknownNameError
        If there is no such language.

    Examples
    --------
    >>> words_of("zh").lang
    'zh-Hans'
    """
    locale = locale_of(code, drawn=False)
    path = importlib.resources.files("demandsim.report").joinpath("locale", f"{code}.toml")
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    return Words(said["lang"], said["words"], said["families"], locale)
