"""Recurrence: an equation whose value at the label before may be asked for, so that feedback can be said."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack, overload

from demandsim.errors import EquationError, UnitError
from demandsim.graph.equation import Equation, equation
from demandsim.graph.loop import Lag
from demandsim.units.constant import Constant, constant

__all__ = ["recurrence"]


class Said(TypedDict, total=False):
    """What a recurrence says as any equation does."""

    name: str | None
    long_name: str | None
    source: str | None
    bounds: tuple[float | None, float | None] | None
    invalid: Literal["raise", "keep"]


@overload
def recurrence(
    function: Callable[..., Any], *, over: str, unit: str, start: str | Constant | None = None, **said: Unpack[Said]
) -> Equation: ...


@overload
def recurrence(
    *, over: str, unit: str, start: str | Constant | None = None, **said: Unpack[Said]
) -> Callable[[Callable[..., Any]], Equation]: ...


def recurrence(
    function: Callable[..., Any] | None = None,
    *,
    over: str,
    unit: str,
    start: str | Constant | None = None,
    **said: Unpack[Said],
) -> Any:
    r"""Declare a function as an equation that others, and itself, may ask for as ``previous_NAME``: feedback.

    .. math:: x_t = f(x_{t-1}, y_{t-1}, z_t), \qquad x_0 = \text{start}

    Parameters
    ----------
    function : callable
        As of `equation`. A parameter ``previous_cash`` is the value of the recurrence ``cash`` at the label before.
        It sees one label at a time where it is part of a loop: the dim is gone.
    over : str
        Dim along which it steps, such as ``"year"``, label after label in the order of the model.
    unit : str
        Unit in which the result is reported.
    start : str or Constant, optional
        What ``previous_NAME`` is at the first label: the name of a quantity, or a value. The quantity
        ``initial_NAME`` by default; a value is written ``"20 yi*CNY"``.
    **said
        ``name``, ``long_name``, ``source``, ``bounds`` and ``invalid``, as of `equation`.

    Returns
    -------
    Equation
        Equations that need each other through the label before are stepped together, over all draws at once; in a
        study file ``over`` and ``start`` stand beside the formula, and in a workbook cells refer to the year before.

    Raises
    ------
    EquationError
        As of `equation`.

    Examples
    --------
    >>> import demandsim as ds, xarray as xr
    >>> @ds.recurrence(over="year", unit="CNY", start="seed_money")
    ... def cash(previous_cash, profit):
    ...     return previous_cash + profit
    >>> @ds.equation(unit="CNY")
    ... def profit(previous_cash, margin):
    ...     return margin * previous_cash
    >>> margin = xr.DataArray([0.1, 0.2], dims="year", coords={"year": [2025, 2026]})
    >>> model = ds.Model([cash, profit], {"margin": margin, "seed_money": ds.Assumption(100, "CNY")})
    >>> model.point().cash.values.round(6)
    array([110., 132.])
    """
    if function is None:
        return functools.partial(recurrence, over=over, unit=unit, start=start, **said)
    made = equation(function, unit=unit, **said)
    if not isinstance(over, str) or not over.isidentifier():
        raise EquationError(f"recurrence '{made.name}': over is the name of a dim, such as 'year', not {over!r}")
    if isinstance(start, str) and not start.isidentifier():
        try:
            start = constant(start)
        except UnitError as error:
            raise EquationError(f"recurrence '{made.name}': start is the name of a quantity, or {error}") from None
    if isinstance(start, Constant):
        return made.lagged(Lag(made.name, over, f"initial_{made.name}", start))
    if start is not None and not isinstance(start, str):
        raise EquationError(f"recurrence '{made.name}': start is the name of a quantity, or '{start!r} {unit}'")
    return made.lagged(Lag(made.name, over, start or f"initial_{made.name}"))
