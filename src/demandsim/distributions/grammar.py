"""Distributions as text: ``beta(mean=0.45, sd=0.1)``, read by a small grammar and never evaluated.

::

    value   := number | string | true | false | list | call
    list    := "[" [value {"," value}] "]"
    call    := name "(" [argument {"," argument}] ")"
    argument:= [name "="] value

Names are those of the constructors, ``scipy`` for a distribution of scipy by name, and ``by`` for a
parameter with dims: ``lognormal(by("year", [1, 2]), by("year", [4, 8]))``, with the coordinates of
``year`` given elsewhere in the study. Its values may be distributions, each of its label:
``by("year", [1.5, 2, lognormal(2, 4)])``, known until now and forecast from then on.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demandsim.distributions.base import Distribution
from demandsim.distributions.by_label import by_label, repeated
from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.distributions.spelling import meant, misspelt, spellings, unknown
from demandsim.errors import DistributionError, did_you_mean, marked, shorten
from demandsim.units.registry import halfwidth

__all__ = ["parse_distribution", "written"]

# Possessive (++, *+), so that no text makes the reader try its pieces in more than one way.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:[0-9][0-9_]*+(?:\.[0-9_]*+)?+|\.[0-9][0-9_]*+)(?:[eE][-+]?[0-9]++)?+(?![a-zA-Z0-9_.]))
      | (?P<name>[^\W\d]\w*+)
      | (?P<string>"[^"\\\n]*+"|'[^'\\\n]*+')
      | (?P<mark>[()\[\],=])
    )""",
    re.VERBOSE,
)
_INSTEAD = "uniform(0.3, 0.6), discrete([5, 6]) or empirical([3, 1, 2])"
_SAID = {"too many positional arguments": "too many numbers"}
_LONGEST = 1_000_000
_DEEPEST = 32


@dataclass
class _Reader:
    text: str
    coords: Mapping[str, Sequence[Any]]
    place: int = 0
    depth: int = 0
    #: Distribution that is being read, the innermost one.
    family: str = ""

    def __post_init__(self) -> None:
        # Letter for letter, so that places in both are the same.
        self.plain = halfwidth(self.text)

    def fail(self, expected: str) -> DistributionError:
        return DistributionError(
            f"cannot read '{shorten(self.text)}': {misspelt(self.plain, self.place, expected)}; "
            f"{marked(self.text, self.place)}. Write it like {spellings(self.family)}"
        )

    def peek(self) -> tuple[str, str]:
        match = _TOKEN.match(self.plain, self.place)
        if match is None:
            return ("end", "") if not self.text[self.place :].strip() else ("error", "")
        kind = match.lastgroup or "error"
        # What stands in quotes stays as it is written.
        return kind, (self.text if kind == "string" else self.plain)[slice(*match.span(kind))]

    def take(self) -> tuple[str, str]:
        kind, token = self.peek()
        match = _TOKEN.match(self.plain, self.place)
        if match is not None:
            self.place = match.end()
        return kind, token

    def accept(self, mark: str) -> bool:
        if self.peek() == ("mark", mark):
            self.take()
            return True
        return False

    def value(self) -> Any:
        kind, token = self.peek()
        if kind == "number":
            self.take()
            return float(token.replace("_", ""))
        if kind == "string":
            self.take()
            return token[1:-1]
        if self.peek() == ("mark", "["):
            return self.nested(self.items)
        if kind == "name":
            if token in ("true", "false"):
                self.take()
                return token == "true"
            return self.nested(self.call)
        raise self.fail("a number or a distribution should stand here")

    def nested(self, read: Callable[[], Any]) -> Any:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise DistributionError(f"the distribution '{shorten(self.text)}' is nested more than {_DEEPEST} deep")
        result = read()
        self.depth -= 1
        return result

    def items(self) -> list[Any]:
        self.take()
        found: list[Any] = []
        while not self.accept("]"):
            if found and not self.accept(","):
                raise self.fail("a list goes on with a comma, or ends with ]")
            found.append(self.value())
        return found

    def call(self) -> Any:
        _, name = self.take()
        if name not in CONSTRUCTORS and name != "by":
            raise DistributionError(unknown(shorten(name), self.plain[self.place :]))
        around, self.family = self.family, name
        if not self.accept("("):
            raise self.fail(f"the numbers of {name} stand in parentheses behind it")
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        while not self.accept(")"):
            if (args or kwargs) and not self.accept(","):
                raise self.fail("numbers are parted by commas, and end with )")
            self.argument(name, args, kwargs)
        self.family = around
        return self.indexed(args, kwargs) if name == "by" else self.make(name, args, kwargs)

    def argument(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        start = self.place
        kind, token = self.take()
        if kind == "name" and self.accept("="):
            if token in kwargs:
                raise DistributionError(f"{name}: parameter '{shorten(token)}' is given twice")
            kwargs[token] = self.value()
            return
        self.place = start
        if kwargs:
            raise self.fail("what has no name stands before what has one")
        args.append(self.value())

    def make(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Distribution:
        make = CONSTRUCTORS[name].make
        signature = inspect.signature(make)
        takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        for key in kwargs:
            if key not in signature.parameters and not takes_any:
                near = meant(key[:80], list(signature.parameters))
                hint = f"; did you mean '{near}'?" if near else f"{did_you_mean(key[:80], signature.parameters)}."
                raise DistributionError(
                    f"{name} has no parameter '{shorten(key)}'{hint} It is written like {spellings(name)}"
                )
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            said = _SAID.get(str(error), str(error).replace("a required argument: ", ""))
            comma = " (is a comma a decimal point? Write 0.4)" if re.search(r"\d,\d", self.plain) else ""
            raise DistributionError(f"{name}: {said}{comma}; it is written like {spellings(name)}") from None
        try:
            return make(*args, **kwargs)
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(error, DistributionError):
                raise
            raise DistributionError(f"{name}: {error}") from None

    def distributions_by_label(self, dims: list[str], values: Any) -> Distribution | None:
        """The distribution of one for all labels, or one for each; nothing of numbers."""
        if isinstance(values, Distribution):
            return repeated(values, {dim: self.coords[dim] for dim in dims})
        if isinstance(values, list) and any(isinstance(value, Distribution) for value in values) and len(dims) == 1:
            parts = [v if isinstance(v, Distribution) else CONSTRUCTORS["constant"].make(v) for v in values]
            return by_label(dims[0], self.coords[dims[0]], parts)
        return None

    def indexed(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        import numpy as np
        import xarray as xr

        *dims, values = args or [None]
        if kwargs or not dims or not all(isinstance(dim, str) for dim in dims):
            raise DistributionError('by is written by("year", [1, 2, 3]), with one name per dim')
        for dim in dims:
            if dim not in self.coords:
                raise DistributionError(
                    f"dim '{shorten(dim)}' has no coordinates{did_you_mean(dim[:80], map(str, self.coords))}"
                )
            if dims.count(dim) > 1:
                raise DistributionError(f"by: dim '{dim}' is named twice")
        found = self.distributions_by_label(dims, values)
        if found is not None:
            return found
        try:
            array = np.array(values)
        except ValueError:
            array = np.array(None)
        if array.dtype != np.float64:
            raise DistributionError(f"by({', '.join(dims)}): the values must be numbers in equal rows")
        shape = tuple(len(self.coords[dim]) for dim in dims)
        if array.shape != shape:
            raise DistributionError(f"by({', '.join(dims)}): expected values of shape {shape}, found {array.shape}")
        return xr.DataArray(array, dims=dims, coords={dim: list(self.coords[dim]) for dim in dims})


def parse_distribution(text: str, coords: Mapping[str, Sequence[Any]] | None = None) -> Distribution:
    """Read a distribution from text.

    Parameters
    ----------
    text : str
        For example ``"lognormal(500, 1200, prob=0.9)"`` or ``"0.45"``.
    coords : mapping of dim to labels, optional
        Coordinates of the dims that ``by(...)`` names.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If the text does not follow the grammar, or names an impossible distribution.

    Examples
    --------
    >>> parse_distribution("truncated(normal(8, 12), lower=9)").laws[0].support()
    (9.0, inf)
    >>> parse_distribution("pert(1, 2)")
    Traceback (most recent call last):
    ...
    demandsim.errors.DistributionError: pert: missing 'high'; it is written like pert(1, 2, 4), ...
    """
    if not isinstance(text, str):
        raise DistributionError(f"a distribution is read from text, not from {shorten(repr(text))}")
    if len(text) > _LONGEST:
        raise DistributionError(
            f"the text of a distribution is {len(text)} characters long; at most {_LONGEST} are read"
        )
    reader = _Reader(text, coords or {})
    value = reader.value()
    if reader.peek()[0] != "end":
        raise reader.fail("nothing stands behind a distribution, which is in the unit of its assumption")
    if isinstance(value, (list, str, bool)):
        what = "a list" if isinstance(value, list) else "a text in quotes" if isinstance(value, str) else "a switch"
        raise DistributionError(f"'{shorten(text)}' is not a distribution but {what}; write it like {_INSTEAD}")
    return value if isinstance(value, Distribution) else CONSTRUCTORS["constant"].make(value)


def written(distribution: Distribution) -> float | str:
    """Write a distribution as study files hold it: a number if it is sure, else a text for `parse_distribution`.

    Raises
    ------
    DistributionError
        If it, or a part of it, is an object that no constructor made.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> written(dist.constant(1979)), written(dist.normal(8, 12))
    (1979.0, 'normal(8, 12, prob=0.9)')
    """
    if distribution.family == "constant" and not distribution.dims:
        return float(distribution.said[0][1])
    if distribution.family not in CONSTRUCTORS:
        raise DistributionError(
            f"{distribution} cannot be written as text; use a constructor of demandsim.distributions, such as metalog "
            "or empirical"
        )
    for part in distribution.parts:
        written(part)
    return str(distribution)
