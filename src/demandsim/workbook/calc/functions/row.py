"""Row: one function of formulas, by its names, what its arguments may be, and its definition for single values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from demandsim.workbook.calc.draws import broadcast, guarded, is_drawn, over_draws
from demandsim.workbook.calc.operators import numeric
from demandsim.workbook.calc.values import CellError, Grid, UnsupportedError, number, text

__all__ = ["FUNCTIONS", "Function", "function"]

#: Every known function by its name.
FUNCTIONS: dict[str, Function] = {}


@dataclass(frozen=True)
class Function:
    """A function that formulas may call.

    Parameters
    ----------
    name : str
    scalar : callable
        Its definition for single values.
    takes, more : str
        A letter for each argument, and for those that repeat: ``n`` a number, ``t`` a text, ``v`` any single value,
        ``e`` one that may be an error, ``r`` a range or a value, ``a`` the same, computed as in an array formula.
    vector : callable, optional
        The same for arrays of draws.
    structural : bool
        Whether the definition takes arrays of draws as they are, as choices do.
    least : int
        How many arguments it needs.
    """

    name: str
    scalar: Callable[..., Any]
    takes: str
    more: str = ""
    vector: Callable[..., Any] | None = None
    structural: bool = False
    least: int = 0

    def letter(self, place: int) -> str | None:
        """What the argument at a place may be; None if there are not as many."""
        if place < len(self.takes):
            return self.takes[place]
        return self.more[(place - len(self.takes)) % len(self.more)] if self.more else None

    @property
    def elementwise(self) -> bool:
        """Whether it takes single values only, so that array formulas apply it to each."""
        return not set(self.takes + self.more) & set("ra") and not self.structural

    def __call__(self, *args: Any) -> Any:
        """Compute it, for single values or for draws."""
        if self.elementwise:
            return broadcast(self._one, args)
        spots = [place for place, value in enumerate(args) if type(value) is Grid and self._is_single(place)]
        if not spots or self.structural:
            return self._one(*args)

        # Several values where it takes one: it is computed for each of them, with the ranges as they are.
        def each(*some: Any) -> Any:
            given = dict(zip(spots, some, strict=True))
            return self._one(*(given.get(place, value) for place, value in enumerate(args)))

        return broadcast(each, [args[place] for place in spots])

    def _is_single(self, place: int) -> bool:
        return self.letter(place) in ("n", "t", "v")

    def _one(self, *args: Any) -> Any:
        try:
            if self.structural:
                return guarded(self.scalar, args)
            if any(map(is_drawn, args)):
                return over_draws(self._defined, args, self._many if self.vector is not None else None)
            return guarded(self._defined, args)
        except (TypeError, IndexError, AttributeError, KeyError, StopIteration) as error:
            # Arguments of kinds that nobody has thought of are refused, and never guessed.
            raise UnsupportedError(f"{self.name} is not read with these arguments ({type(error).__name__})") from None

    def _defined(self, *args: Any) -> Any:
        return self.scalar(*(self._taken(place, value) for place, value in enumerate(args)))

    def _taken(self, place: int, value: Any) -> Any:
        letter = self.letter(place)
        if letter == "n":
            return number(value)
        if letter == "t":
            return text(value)
        if letter == "v" and isinstance(value, CellError):
            raise value
        return value

    def _many(self, *args: Any) -> Any:
        assert self.vector is not None
        return self.vector(
            *(numeric(value) if self.letter(place) == "n" else value for place, value in enumerate(args))
        )


def function(
    *names: str,
    takes: str = "",
    more: str = "",
    vector: Callable[..., Any] | None = None,
    structural: bool = False,
    least: int | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function under its names."""

    def register(scalar: Callable[..., Any]) -> Callable[..., Any]:
        needed = len(takes) if least is None else least
        for name in names:
            FUNCTIONS[name] = Function(name, scalar, takes, more, vector, structural, needed)
        return scalar

    return register
