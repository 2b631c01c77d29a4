"""Constants: numbers of nature and of definition with a unit, as defaults of an equation's parameters."""

from __future__ import annotations

import re
from typing import Any

from demandsim.errors import UnitError
from demandsim.units.convert import base_factor

__all__ = ["Constant", "constant"]


class Constant(float):
    """A number of nature or of definition with a unit, as the default of an equation's parameter.

    It is a float in base units, so that the equation stays a plain callable; in a model, an
    assumption or equation of the parameter's name takes its place.
    """

    unit: str
    value: float

    def __new__(cls, value: float, unit: str) -> Constant:  # noqa: D102 - the class docstring says it
        made = super().__new__(cls, value * base_factor(unit))
        made.unit, made.value = unit, float(value)
        return made

    def __reduce__(self) -> Any:
        return Constant, (self.value, self.unit)

    def __repr__(self) -> str:
        return f"{self.value:g} {self.unit}"


#: A number, and the unit behind it.
_TEXT = re.compile(r"\s*([-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d,.].*?)?\s*")


def constant(value: float | str, unit: str | None = None) -> Constant:
    """Make a constant with a unit for the default of an equation's parameter.

    Parameters
    ----------
    value : float or str
        A number; or a text with number and unit, ``"2 byte/parameter"``. An equation reads such a text by itself, as
        the default of a parameter.
    unit : str, optional
        Of a number; without one it is a plain number.

    Returns
    -------
    Constant
        A float in base units.

    Raises
    ------
    UnitError
        If the text does not begin with a number, or its unit cannot be read.

    Examples
    --------
    >>> def flops_per_token(parameters, per_parameter=constant(2, "FLOP/parameter/token")):
    ...     return per_parameter * parameters
    >>> flops_per_token(110e9)
    220000000000.0
    >>> constant("2 byte/parameter")
    2 byte/parameter
    """
    if not isinstance(value, str):
        return Constant(value, unit or "1")
    found = _TEXT.fullmatch(value)
    if found is None or unit is not None:
        raise UnitError(
            f"a constant is a number and a unit, constant(2, 'byte') or '2 byte', not {value!r}"
            + (f" and {unit!r}" if unit is not None else "")
        )
    return Constant(float(found[1].replace(",", "")), found[2] or "1")
