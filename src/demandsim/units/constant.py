"""Constants: numbers of nature and of definition with a unit, as defaults of an equation's parameters."""

from __future__ import annotations

from typing import Any

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


def constant(value: float, unit: str) -> Constant:
    """Make a constant with a unit for the default of an equation's parameter.

    Parameters
    ----------
    value : float
    unit : str

    Returns
    -------
    Constant
        A float in base units.

    Examples
    --------
    >>> def flops_per_token(parameters, per_parameter=constant(2, "FLOP/parameter/token")):
    ...     return per_parameter * parameters
    >>> flops_per_token(110e9)
    220000000000.0
    """
    return Constant(value, unit)
