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
from demandsim.errors import DistributionError, did_you_mean, shorten

__all__ = ["parse_distribution", "written"]

# Possessive (++, *+), so that no text makes the reader try its pieces in more than one way.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d[\d_]*+(?:\.[\d_]*+)?+|\.\d[\d_]*+)(?:[eE][-+]?\d++)?+(?![\w.]))
      | (?P<name>[A-Za-z_]\w*+)
      | (?P<string>"[^"\\\n]*+"|'[^'\\\n]*+')
      | (?P<mark>[()\[\],=])
    )""",
    re.VERBOSE | re.ASCII,
)
#: Shows where reading stopped.
_MARK = "⟨?⟩"
_LONGEST = 1_000_000
_DEEPEST = 32


@dataclass
class _Reader:
    text: str
    coords: Mapping[str, Sequence[Any]]
    place: int = 0
    depth: int = 0

    def fail(self, expected: str) -> DistributionError:
        # A mark where reading stopped, with a little of what stands before and after.
        before, rest = self.text[: self.place].rstrip(), self.text[self.place :].strip()
        marked = f"{'…' if len(before) > 30 else ''}{before[-30:]}{_MARK}{rest[:20]}{'…' if len(rest) > 20 else ''}"
        return DistributionError(
            f"cannot read '{shorten(self.text)}': at the mark {_MARK} in '{marked}' should stand {expected}; write a "
            "number, or such as lognormal(500, 1200), beta(mean=0.45, sd=0.1) or uniform(1, 2)"
        )

    def peek(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.place)
        if match is None:
            return ("end", "") if not self.text[self.place :].strip() else ("error", "")
        kind = match.lastgroup or "error"
        return kind, match.group(kind)

    def take(self) -> tuple[str, str]:
        kind, token = self.peek()
        match = _TOKEN.match(self.text, self.place)
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
        raise self.fail("a number, a list or a distribution")

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
                raise self.fail("',' or ']'")
            found.append(self.value())
        return found

    def call(self) -> Any:
        _, name = self.take()
        if name not in CONSTRUCTORS and name != "by":
            raise DistributionError(f"unknown distribution '{shorten(name)}'{did_you_mean(name[:80], CONSTRUCTORS)}")
        if not self.accept("("):
            raise self.fail(f"'(' after {name}")
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        while not self.accept(")"):
            if (args or kwargs) and not self.accept(","):
                raise self.fail("',' or ')'")
            self.argument(name, args, kwargs)
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
            raise self.fail("name=value: plain values come first")
        args.append(self.value())

    def make(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Distribution:
        make = CONSTRUCTORS[name].make
        signature = inspect.signature(make)
        takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        for key in kwargs:
            if key not in signature.parameters and not takes_any:
                near = did_you_mean(key[:80], signature.parameters)
                raise DistributionError(f"{name} has no parameter '{shorten(key)}'{near}")
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise DistributionError(f"{name}: {error}; it is written {name}{_written(signature)}") from None
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


def _written(signature: inspect.Signature) -> str:
    return "(" + ", ".join(str(p.name) for p in signature.parameters.values()) + ")"


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
    >>> parse_distribution("lognorm(1, 2)")
    Traceback (most recent call last):
    ...
    demandsim.errors.DistributionError: unknown distribution 'lognorm'; did you mean 'lognormal'?
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
        raise reader.fail("nothing more")
    if isinstance(value, (list, str, bool)):
        raise DistributionError(f"'{shorten(text)}' is not a distribution")
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
