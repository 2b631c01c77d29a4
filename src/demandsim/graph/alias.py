"""Alias: the function of an equation under other names of its quantities, as submodels have."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from demandsim.errors import EquationError, check_known

__all__ = ["Alias", "read_alias"]

_WRITTEN = re.compile(
    r"\s*(?P<of>[\w.]+)\s*(?:\((?P<names>[^()]*)\))?\s*(?:\bas\s+(?P<name>\w+)(?:\s+in\s+(?P<unit>\S.*?))?)?\s*"
)


class Alias:
    """A function that takes the inputs of an equation by other names.

    Parameters
    ----------
    of : Equation
    name : str
        Quantity that it computes.
    names : mapping of str to str
        What inputs of `of` are called, where they are called otherwise.

    Raises
    ------
    UnknownNameError
        If `of` has no such input.
    EquationError
        If two inputs would have one name.
    """

    def __init__(self, of: Any, name: str, names: Mapping[str, str]) -> None:
        check_known(names, of.inputs, f"input of equation '{of.name}':")
        self.of, self.__name__, self.__qualname__ = of, name, name
        self.__doc__ = of.function.__doc__
        self.names = {inner: names.get(inner, inner) for inner in of.inputs}
        if len(set(self.names.values())) < len(self.names):
            raise EquationError(f"equation '{name}': two inputs of '{of.name}' would have one name: {self.names}")
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        given = sorted(self.names.items(), key=lambda pair: pair[0] in of.constants)
        self.__signature__ = inspect.Signature(
            [
                inspect.Parameter(outer, kind, default=of.constants.get(inner, inspect.Parameter.empty))
                for inner, outer in given
            ]
        )

    def __reduce__(self) -> Any:
        return Alias, (self.of, self.__name__, self.changed)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute it from plain values in base units."""
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        return self.of.function(**self.inner(bound.arguments))

    def inner(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is known by the outer names by those of the equation itself."""
        return {inner: values[outer] for inner, outer in self.names.items() if outer in values}

    @property
    def changed(self) -> dict[str, str]:
        """Inputs that are called otherwise, and what they are called."""
        return {inner: outer for inner, outer in self.names.items() if inner != outer}

    @property
    def text(self) -> str:
        """The right-hand side with the outer names."""
        # Neither what stands behind a dot or in quotes, nor functions and keywords, are quantities.
        names = "|".join(sorted(map(re.escape, self.names), key=len, reverse=True)) or "(?!)"
        return re.sub(
            rf"(?<![\w.'\"])({names})(?![\w'\"])(?!\s*\(|=(?!=))", lambda m: self.names[m[1]], self.of.formula
        )

    @property
    def reference(self) -> str:
        """As study files write it: ``inference.cards(utilization=load) as needed_cards``."""
        said = ", ".join(f"{inner}={outer}" for inner, outer in self.changed.items())
        return f"{self.of.reference}{f'({said})' if said else ''} as {self.__name__}"


def read_alias(text: str) -> tuple[str, dict[str, str], str | None, str | None] | None:
    """Read the name of an equation, what its inputs are called, its own name and its unit; None if it is none.

    Examples
    --------
    >>> read_alias("inference.cards(utilization=load) as needed_cards")
    ('inference.cards', {'utilization': 'load'}, 'needed_cards', None)
    >>> read_alias("processes.random_walk as card_price in CNY/card")
    ('processes.random_walk', {}, 'card_price', 'CNY/card')
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    names = {}
    for part in filter(str.strip, (found["names"] or "").split(",")):
        inner, sign, outer = (one.strip() for one in part.partition("="))
        if not sign or not outer.isidentifier() or inner in names:
            return None
        names[inner] = outer
    return found["of"], names, found["name"], found["unit"]
