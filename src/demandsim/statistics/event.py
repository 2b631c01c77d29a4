"""Events: what may happen to quantities, as text such as ``gross_margin > 0 and cards < 1e6``.

::

    event      := all {"or" all}
    all        := one {"and" one}
    one        := "not" one | "(" event ")" | comparison
    comparison := [term] sign term {sign term}
    sign       := "<" | "<=" | ">" | ">=" | "==" | "!="
    term       := quantity | number

A number is in the unit of the quantity that it is compared with. ``1 < x < 2`` is ``1 < x and x < 2``. Where
what the event is about is known, the first term may be left out: ``> 0``.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.errors import EventError, UnitError, UnknownNameError, check_known, marked, shorten
from demandsim.units.convert import conversion_factor, same_dimension
from demandsim.units.format import exact
from demandsim.units.registry import halfwidth

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Event", "event_of", "parse_event"]

_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
#: How closely a word binds: what binds less stands in parentheses.
_BINDS = {"or": 0, "and": 1, "not": 2}
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:(?:\d[\d_]*+(?:\.[\d_]*+)?+|\.\d[\d_]*+)(?:[eE][-+]?\d++)?+|inf\b|nan\b)(?![\w.]))
      | (?P<word>[^\W\d]\w*+)
      | (?P<sign>[<>=!]=?)
      | (?P<mark>[()])
    )""",
    re.VERBOSE,
)
_DEEPEST = 32
_WRITTEN = (
    "An event is written 'gross_margin < 0', '1e5 < cards < 1e6' or 'cards > 1e6 and gross_margin > 0', or as "
    "(quantity, comparison, value), such as ('gross_margin', '<', 0)"
)
_JOINED = re.compile(r"(?:and|or|not)\b|[&|,]", re.IGNORECASE)
#: A unit behind a number, or a number that it is grown together with.
_UNIT = re.compile(r"[0-9.]+\s?[^\W\d_]|%|[^\W\d]")

Term = str | float


@dataclass(frozen=True)
class Event:
    """A comparison of quantities, or several joined by ``and``, ``or`` and ``not``.

    Parameters
    ----------
    word : str
        A comparison (``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``), ``and``, ``or`` or ``not``.
    parts : tuple
        Two terms of a comparison, quantities by name or numbers; or the events that are joined.

    Raises
    ------
    EventError
        If it compares two numbers, or anything with NaN.

    Examples
    --------
    >>> Event("and", (Event(">", ("gross_margin", 0.0)), Event("<", ("cards", 1e12))))
    Event('gross_margin > 0 and cards < 1e12')
    """

    word: str
    parts: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.word in _SIGNS:
            if any(isinstance(term, float) and math.isnan(term) for term in self.parts):
                raise EventError(f"event '{self}' compares with NaN, which nothing is above or below")
            if not any(isinstance(term, str) for term in self.parts):
                raise EventError(f"event '{self}' compares two numbers; name a quantity")
        elif self.word in ("and", "or"):
            # One way to write it: (a and b) and c is a and b and c.
            flat = [one.parts if one.word == self.word else (one,) for one in self.parts]
            object.__setattr__(self, "parts", tuple(one for some in flat for one in some))

    def __str__(self) -> str:
        def compared(one: Event) -> str:
            left, right = (term if isinstance(term, str) else exact(term) for term in one.parts)
            return f"{left} {one.word} {right}"

        return self.written(compared)

    def __repr__(self) -> str:
        return f"Event({str(self)!r})"

    def written(self, compared: Callable[[Event], str], words: Mapping[str, str] | None = None) -> str:
        """Write the event with other texts for its comparisons, and for ``and``, ``or`` and ``not``."""
        if self.word in _SIGNS:
            return compared(self)
        said = (words or {}).get(self.word, self.word)
        parts = [
            f"({text})" if _BINDS.get(one.word, 3) <= _BINDS[self.word] else text
            for one in self.parts
            for text in [one.written(compared, words)]
        ]
        return f"{said} {parts[0]}" if self.word == "not" else f" {said} ".join(parts)

    @property
    def comparisons(self) -> Iterator[Event]:
        """All comparisons in it, as they are written."""
        if self.word in _SIGNS:
            yield self
        else:
            for one in self.parts:
                yield from one.comparisons

    @property
    def names(self) -> tuple[str, ...]:
        """Quantities that it is read from."""
        return tuple(dict.fromkeys(t for one in self.comparisons for t in one.parts if isinstance(t, str)))

    @property
    def simple(self) -> tuple[str, str, float] | None:
        """Quantity, comparison and number, where the event is one comparison with a number."""
        if self.word in _SIGNS:
            left, right = self.parts
            if isinstance(right, float):
                return left, self.word, right
            if isinstance(left, float):
                return right, _MIRRORED[self.word], left
        return None

    def measured(self) -> tuple[str, ...]:
        """Quantities that are compared with numbers."""
        simple = (one.simple for one in self.comparisons)
        return tuple(dict.fromkeys(found[0] for found in simple if found))

    def in_units(self, units: Mapping[str, str], unit: str | None = None) -> Event:
        """Return the event with its numbers in the units of the quantities.

        Parameters
        ----------
        units : mapping of quantity to unit
        unit : str, optional
            In which its numbers are; by default, each in that of the quantity that it is compared with.

        Raises
        ------
        UnitError
            If it compares what has different dimensions.
        """
        if self.word not in _SIGNS:
            return Event(self.word, tuple(one.in_units(units, unit) for one in self.parts))
        found = self.simple
        if found is None:
            one, other = (units[name] for name in self.parts)
            if not same_dimension(one, other):
                raise UnitError(f"event '{self}' compares '{one}' with '{other}': different dimensions")
            return self
        factor = conversion_factor(units[found[0]], unit) if unit else 1.0
        return Event(self.word, tuple(term / factor if isinstance(term, float) else term for term in self.parts))

    def happens(self, values: Mapping[str, Any], units: Mapping[str, str]) -> Any:
        """Where the event happens, of arrays in the units of their quantities, labelled or plain.

        Parameters
        ----------
        values : mapping of quantity to array
        units : mapping of quantity to unit

        Returns
        -------
        bool array
            False, or anything, where a quantity is no number.
        """
        if self.word in _SIGNS:
            left, right = (values[term] if isinstance(term, str) else term for term in self.parts)
            if self.simple is None and (factor := conversion_factor(*(units[name] for name in self.parts[::-1]))) != 1:
                right = right * factor
            return _SIGNS[self.word](left, right)
        found = [one.happens(values, units) for one in self.parts]
        if self.word == "not":
            return ~found[0]
        out = found[0]
        for one in found[1:]:
            out = out & one if self.word == "and" else out | one
        return out

    def chance(self, values: Mapping[str, np.ndarray[Any, Any]], units: Mapping[str, str]) -> Any:
        """1 where the event happens and 0 where not, of plain arrays; NaN where a quantity is no number."""
        with np.errstate(invalid="ignore"):
            found = np.asarray(self.happens(values, units))
        # A comparison with NaN is False, which would pass for an answer.
        finite = np.asarray(True)
        for name in self.names:
            finite = finite & np.isfinite(values[name])
        return np.where(finite, found, np.nan)

    def __call__(self, draws: xr.Dataset) -> xr.DataArray:
        """Tell of every draw whether the event happens.

        Parameters
        ----------
        draws : Dataset
            With ``units`` of its variables.

        Returns
        -------
        bool DataArray
            For `probability`; over the dims of the quantities.

        Raises
        ------
        UnknownNameError
            If the draws lack a quantity.
        UnitError
            If quantities of different dimensions are compared.

        Examples
        --------
        >>> import demandsim as ds
        >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
        >>> bool((parse_event("revenue > annualized_capex")(draws) == (draws.gross_margin > 0)).all())
        True
        """
        check_known(self.names, [str(name) for name in draws.data_vars], "quantity in event:")
        units = {name: str(draws[name].attrs.get("units", "1")) for name in self.names}
        self.in_units(units)
        found: xr.DataArray = self.happens({name: draws[name] for name in self.names}, units)
        return found


def _check_sign(sign: str) -> None:
    if sign == "=":
        raise UnknownNameError("unknown comparison in event: '='; did you mean '=='?")
    check_known([sign], _SIGNS, "comparison in event:")


class _Reader:
    """The tokens of an event, read from left to right."""

    def __init__(self, text: str, of: str | None) -> None:
        self.text, self.of, self.place, self.depth = halfwidth(text), of, 0, 0

    def fail(self, expected: str) -> EventError:
        before, rest = self.text[: self.place].rstrip(), self.text[self.place :].strip()
        if _JOINED.match(rest):
            expected = "comparisons are joined by 'and' or 'or', in small letters"
        elif _UNIT.match(rest) and before[-1:] not in "()":
            expected = "a number stands in the unit of its quantity, with no unit behind it"
        return EventError(
            f"cannot read the event '{shorten(self.text)}': {expected}; {marked(self.text, self.place)}. {_WRITTEN}"
        )

    def peek(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.place)
        if match is None:
            return ("end", "") if not self.text[self.place :].strip() else ("error", "")
        kind = str(match.lastgroup)
        return kind, match.group(kind)

    def accept(self, kind: str, *tokens: str) -> str | None:
        found = self.peek()
        match = _TOKEN.match(self.text, self.place)
        if match is None or found[0] != kind or (tokens and found[1] not in tokens):
            return None
        self.place = match.end()
        return found[1]

    def whole(self) -> Event:
        made = self.joined("or")
        if self.peek()[0] != "end":
            raise self.fail("comparisons are joined by 'and' or 'or'")
        return made

    def joined(self, word: str) -> Event:
        def one() -> Event:
            return self.joined("and") if word == "or" else self.one()

        parts = [one()]
        while self.accept("word", word):
            parts.append(one())
        return Event(word, tuple(parts)) if len(parts) > 1 else parts[0]

    def one(self) -> Event:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise EventError(f"the event '{shorten(self.text)}' is nested more than {_DEEPEST} deep")
        if self.accept("word", "not"):
            made = Event("not", (self.one(),))
        elif self.accept("mark", "("):
            made = self.joined("or")
            if not self.accept("mark", ")"):
                raise self.fail("a bracket is not closed")
        else:
            made = self.comparison()
        self.depth -= 1
        return made

    def comparison(self) -> Event:
        left: Term
        if self.peek()[0] == "sign":
            if self.of is None:
                raise EventError(
                    f"event '{shorten(self.text)}' does not say of which quantity: of= is missing. {_WRITTEN}"
                )
            left = self.of
        else:
            left = self.term("a quantity or a number should stand here")
        found = []
        while (sign := self.accept("sign")) is not None:
            _check_sign(sign)
            right = self.term("a quantity or a number is missing after the comparison")
            found.append(Event(sign, (left, right)))
            left = right
        if not found:
            raise self.fail("a comparison, such as > 0, is missing")
        return found[0] if len(found) == 1 else Event("and", tuple(found))

    def term(self, expected: str) -> Term:
        kind, token = self.peek()
        if (number := self.accept("number")) is not None:
            return float(number.replace("_", ""))
        if kind != "word" or token in _BINDS:
            raise self.fail(expected)
        return str(self.accept("word"))


def parse_event(text: str, known: Iterable[str] | None = None, *, of: str | None = None) -> Event:
    """Read an event from text.

    Parameters
    ----------
    text : str
        For example ``"gross_margin > 0"``, ``"gross_margin > annualized_capex"`` or ``"1e5 < cards < 1e6 or not
        gross_margin < 0"``.
    known : iterable of str, optional
        Quantities that there are.
    of : str, optional
        Quantity that a comparison without a first term, such as ``"> 0"``, is about.

    Returns
    -------
    Event

    Raises
    ------
    EventError
        If the text does not follow the grammar.
    UnknownNameError
        If there is no such quantity or comparison; with the nearest.

    Examples
    --------
    >>> parse_event("0 < gross_margin <= 1e9").names
    ('gross_margin',)
    >>> parse_event("> 0", of="gross_margin")
    Event('gross_margin > 0')
    """
    made = _Reader(text, of).whole()
    if known is not None:
        check_known(made.names, known, "quantity in event:")
    return made


def event_of(given: Any, known: Iterable[str] | None = None, *, of: str | None = None) -> Event:
    """Read an event as users give it: a text, a tuple ``("gross_margin", ">", 0)``, or an `Event`.

    Raises
    ------
    EventError, UnknownNameError
        As `parse_event`; also if it is none of these.
    """
    if isinstance(given, str):
        return parse_event(given, known, of=of)
    if isinstance(given, tuple):
        if len(given) != 3 or not all(isinstance(part, str) for part in given[:2]):
            raise EventError(f"{shorten(repr(given))} is no event. {_WRITTEN}")
        name, sign, value = given
        _check_sign(sign)
        if not isinstance(value, str):
            try:
                value = float(value)
            except (TypeError, ValueError):
                raise EventError(f"event compares '{name}' with {value!r}, which is no number") from None
        given = Event(sign, (name, value))
    if not isinstance(given, Event):
        raise EventError(f"{shorten(repr(given))} is no event. {_WRITTEN}")
    if known is not None:
        check_known(given.names, known, "quantity in event:")
    return given
