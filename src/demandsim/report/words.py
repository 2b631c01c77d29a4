"""Words: values, ranges and places of the page in a language; names, units and dims are those of the pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from demandsim.locale import words
from demandsim.plots.words import Locale, locale_of
from demandsim.units.format import number

__all__ = ["Scale", "Words", "words_of"]


@dataclass(frozen=True)
class Scale:
    """In what a quantity is counted.

    Parameters
    ----------
    divisor : float
        Values in the declared unit are divided by it.
    unit : str
        Readable unit, empty for a ratio.
    unsaid : bool
        Whether nobody has said the unit, as of a cell of a workbook.
    """

    divisor: float = 1.0
    unit: str = ""
    unsaid: bool = field(default=False, repr=False)

    def named(self, ratio: str) -> str:
        """Name the unit at the head of a column or chart: by this word for a ratio, and not at all if nobody has.

        Examples
        --------
        >>> Scale(1e9, "bn CNY").named("ratio"), Scale().named("ratio"), Scale(unsaid=True).named("ratio")
        ('bn CNY', 'ratio', '')
        """
        return self.unit or ("" if self.unsaid else ratio)

    def value(self, value: float, digits: int = 3) -> str:
        """Write a value without its unit; what is missing is a dash.

        Examples
        --------
        >>> Scale(1e9, "bn CNY").value(2.1443e10), Scale().value(0.99996), Scale().value(1979.4)
        ('21.4', '1.00', '1,979')
        """
        if not math.isfinite(value):
            return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
        shown = value / self.divisor
        # What rounding turns into 1 has the digits of 1; those before the point stay as they are.
        rounded = float(f"{shown:.{digits - 1}e}")
        return number(rounded if abs(rounded) < 10**digits else shown, digits).replace("-", "−")

    def with_unit(self, value: str) -> str:
        """Put the unit behind a written value; one that begins with a number is multiplied, unless it divides.

        Examples
        --------
        >>> Scale(1e3, "thousand cards").with_unit("858"), Scale(1.0, "1/year").with_unit("0.45")
        ('858 thousand cards', '0.45/year')
        """
        if not self.unit:
            return value
        if self.unit.startswith("1/"):
            return value + self.unit[1:]
        return f"{value} × {self.unit}" if self.unit[0].isdigit() else f"{value} {self.unit}"

    def measure(self, value: float, digits: int = 3) -> str:
        """Write a value with its unit."""
        return self.with_unit(self.value(value, digits))

    def given(self, value: float, digits: int = 4) -> str:
        """Write what somebody put in, without zeros that would promise digits.

        Examples
        --------
        >>> Scale(1e9).given(1.1e11), Scale().given(0.45), Scale().given(1979.0)
        ('110', '0.45', '1,979')
        """
        text = self.value(value, digits)
        return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


@dataclass(frozen=True)
class Words(words.Words):
    """A language of the page; `locale` holds names, dims and units as the pictures have them."""

    locale: Locale = field(kw_only=True)

    def scale(self, unit: str, *values: float) -> Scale:
        """Choose in what values of a unit read well, by the largest of them.

        Examples
        --------
        >>> words_of("en").scale("CNY/year", 2e10, 3e9)
        Scale(divisor=1000000000.0, unit='bn CNY/year')
        """
        size = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
        for least, divisor, shown in self.units["page"].get(unit, ()):
            if size >= least:
                return Scale(divisor, shown)
        return Scale(*self.locale.unit(unit, size), unsaid=not unit)

    def span(self, unit: str, low: float, high: float, digits: int = 4) -> str:
        """Write what was put in as a range: each end in a unit of its own where one for both reads badly.

        Examples
        --------
        >>> words_of("en").span("card", 0.5, 1.85e6), words_of("en").span("card", 4e4, 6e4)
        ('0.5 cards to 1.85 million cards', '40 to 60 thousand cards')
        """
        least, most = self.scale(unit, low), self.scale(unit, low, high)
        if low == 0 or abs(low) >= 0.01 * most.divisor or least == most:
            return most.with_unit(self.say("to", low=most.given(low, digits), high=most.given(high, digits)))
        ends = (least.with_unit(least.given(low, digits)), most.with_unit(most.given(high, digits)))
        return self.say("to", low=ends[0], high=ends[1])

    def exact(self, value: float, unit: str) -> str:
        """Write a value to seven digits in its declared unit, for whoever wants to compute on.

        Examples
        --------
        >>> words_of("en").exact(857772.0416, "card"), words_of("en").exact(2.14429e10, "CNY/year")
        ('857,772 cards', '21,442,900,000 CNY/year')
        """
        rounded = float(f"{value:.7g}")
        written = f"{rounded:,.0f}" if abs(rounded) >= 1e6 else f"{rounded:,.7g}"
        return Scale(1.0, self.locale.unit(unit, 0.0)[1]).with_unit(written.replace("-", "−"))

    def keyed(self, labels: str) -> str:
        """Write labels as indices name them, ``year=2026, hardware=H20``.

        Examples
        --------
        >>> words_of("en").keyed("year=2026, hardware=H20"), words_of("en").keyed("all of it")
        ('2026, H20', 'all of it')
        """
        pairs = [part.partition("=") for part in labels.split(", ")]
        if not all(equals for _, equals, _ in pairs):
            return labels
        return self.place({dim: label for dim, _, label in pairs})

    def place(self, labels: Mapping[str, Any]) -> str:
        """Write labels of dims: a text stands for itself, a number needs its dim."""
        parts = [
            self.locale.label(label)
            if isinstance(label, str) or dim == "year"
            else f"{self.locale.dim(dim)} {self.locale.label(label)}"
            for dim, label in labels.items()
        ]
        return self.phrases["comma"].join(parts)


def words_of(code: str, *readers: str) -> Words:
    """Read a language, and the phrases of further `readers` than the page.

    Raises
    ------
    UnknownNameError
        If there is no such language.

    Examples
    --------
    >>> words_of("zh").tag, words_of("zh").say("seed")
    ('zh-Hans', '种子')
    """
    return Words(**vars(words.words_of(code, "report", *readers)), locale=locale_of(code, drawn=False))
