"""Growth: tokens a day from the top down, by curves over elapsed time, and the rates that drive them."""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.errors import EquationError
from demandsim.graph.graph import equation
from demandsim.units.constant import constant

_YEAR = constant(1, "year")


@equation(unit="1/year", name="growth_rate")
def rate_from_factor(growth_factor: Any, growth_period: Any = _YEAR) -> Any:
    r"""Growth rate: continuous, from the factor by which tokens grow in a period.

    .. math:: r = \ln(f) / P

    Source: definition; a rate is per unit of time, so growth of 100% a year is ln 2 per year.
    """
    return np.log(growth_factor) / growth_period


@equation(unit="1/year", name="growth_rate")
def persistent_rate(mean_growth_rate: Any, rate_shock: Any, persistence: Any) -> Any:
    r"""Growth rate: a mean, and shocks of which a part lives on in the next year.

    .. math:: r_i = \bar r + d_i, \quad d_i = \rho \, d_{i-1} + \epsilon_i, \quad d_{-1} = 0

    With persistence 0 years are independent, and good ones cancel bad ones; with 1 the rate is a random walk.

    Source: autoregression of first order.
    """
    return mean_growth_rate + persisted(rate_shock, persistence, _time_dim("persistent_rate", "rate_shock", rate_shock))


@equation(unit="token/day", name="top_down_tokens", bounds=(0, None))
def exponential_growth(initial_tokens: Any, growth_rate: Any, elapsed_time: Any) -> Any:
    r"""Top-down tokens a day: exponential growth.

    .. math:: T = T_0 e^{r t}

    Source: solution of dT/dt = r T.

    Examples
    --------
    >>> float(exponential_growth(1e12, growth_rate=0.0, elapsed_time=3.0))
    1000000000000.0
    """
    return initial_tokens * np.exp(growth_rate * elapsed_time)


@equation(unit="token/day", name="top_down_tokens", bounds=(0, None))
def logistic_growth(initial_tokens: Any, growth_rate: Any, elapsed_time: Any, saturation_tokens: Any) -> Any:
    r"""Top-down tokens a day: logistic growth, at its fastest halfway to saturation.

    .. math:: T = \frac{K}{1 + (K / T_0 - 1) \, e^{-r t}}

    Source: P.-F. Verhulst, 1838: solution of dT/dt = r T (1 - T / K).

    Examples
    --------
    >>> float(logistic_growth(1e12, growth_rate=1.0, elapsed_time=0.0, saturation_tokens=4e12))
    1000000000000.0
    """
    return saturation_tokens / (1 + (saturation_tokens / initial_tokens - 1) * np.exp(-growth_rate * elapsed_time))


@equation(unit="token/day", name="top_down_tokens", bounds=(0, None))
def gompertz_growth(initial_tokens: Any, growth_rate: Any, elapsed_time: Any, saturation_tokens: Any) -> Any:
    r"""Top-down tokens a day: Gompertz growth, whose relative rate falls from the start.

    .. math:: T = K \exp\left(\ln(T_0 / K) \, e^{-r t}\right)

    Here r is the rate at which the logarithmic distance to saturation closes, not the initial growth.

    Source: B. Gompertz, 1825: solution of dT/dt = r T ln(K / T).
    """
    return saturation_tokens * np.exp(np.log(initial_tokens / saturation_tokens) * np.exp(-growth_rate * elapsed_time))


@equation(unit="token/day", name="top_down_tokens", bounds=(0, None))
def varying_growth(initial_tokens: Any, growth_rate: Any, elapsed_time: Any) -> Any:
    r"""Top-down tokens a day: exponential growth at a rate that differs from year to year.

    .. math:: T_i = T_0 \exp\Big(\sum_{j \le i} r_j \, (t_j - t_{j-1})\Big), \quad t_{-1} = 0

    The rate of a label holds over the time that ends there. Drawn once (`shared`, or without the dim) it persists;
    drawn anew each year, good years cancel bad ones; `persistent_rate` lies between.

    Source: solution of dT/dt = r(t) T with r constant between labels.
    """
    dim = _time_dim("varying_growth", "elapsed_time", elapsed_time)
    step = elapsed_time - elapsed_time.shift({dim: 1}, fill_value=0)
    return initial_tokens * np.exp((growth_rate * step).cumsum(dim, skipna=False))


@equation(unit="token/day", name="top_down_tokens", bounds=(0, None))
def varying_logistic_growth(initial_tokens: Any, growth_rate: Any, elapsed_time: Any, saturation_tokens: Any) -> Any:
    r"""Top-down tokens a day: growth at a rate that differs from year to year, on the way to saturation.

    .. math:: T_i = \frac{K}{1 + (K / T_0 - 1) \, e^{-R_i}}, \quad R_i = \sum_{j \le i} r_j \, (t_j - t_{j-1})

    The rate of a label, which holds over the time that ends there, is that far below saturation: what is left
    to grow slows it down. `varying_growth` is its limit without saturation. Tokens that begin above saturation
    fall towards it; where a negative rate would take them beyond all bounds the result is NaN, which is reported.

    Source: solution of dT/dt = r(t) T (1 - T / K) with r constant between labels.
    """
    dim = _time_dim("varying_logistic_growth", "elapsed_time", elapsed_time)
    step = elapsed_time - elapsed_time.shift({dim: 1}, fill_value=0)
    grown = (growth_rate * step).cumsum(dim, skipna=False)
    filled = 1 + (saturation_tokens / initial_tokens - 1) * np.exp(-grown)
    return saturation_tokens / filled.where(filled > 0)


@equation(unit="token/day", name="saturation_tokens", bounds=(0, None))
def saturation_by_multiple(initial_tokens: Any, saturation_multiple: Any) -> Any:
    r"""Tokens a day at saturation: a multiple of those at the beginning.

    .. math:: K = m \, T_0

    Source: definition; drawn apart from the beginning, saturation could lie below it.
    """
    return initial_tokens * saturation_multiple


def persisted(shock: Any, persistence: Any, dim: str) -> Any:
    """Shocks and what lives on of earlier ones, along a dim."""
    import xarray as xr

    drift = [shock.isel({dim: 0})]
    for place in range(1, shock.sizes[dim]):
        drift.append(persistence * drift[-1] + shock.isel({dim: place}))
    # Labels of the dim, not those of the single steps, which arithmetic drops.
    steps = xr.concat([step.drop_vars(dim, errors="ignore") for step in drift], dim=dim)
    return steps.assign_coords({dim: shock[dim]}) if dim in shock.coords else steps


def _time_dim(called: str, name: str, value: Any) -> str:
    """The dim along which time runs."""
    dims = getattr(value, "dims", ())
    return "year" if "year" in dims else "date" if "date" in dims else _no_time(called, name)


def _no_time(called: str, name: str) -> str:
    raise EquationError(f"{called} adds up over time: {name} needs a dim 'year' or 'date'")
