"""Growth: tokens a day from the top down, by curves over elapsed time, and the rates that drive them."""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.equations.processes import persisted, time_dim, unlabelled
from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_YEAR = constant(1, "year")
#: Below it a difference of exponentials has lost too many digits.
_SHORT = 0.05


@equation(unit="1/year", name="growth_rate")
def rate_from_factor(growth_factor: Any, growth_period: Any = _YEAR) -> Any:
    r"""Growth rate: continuous, from the factor by which tokens grow in a period.

    .. math:: r = \ln(f) / P

    Source: definition; a rate is per unit of time, so growth of 100% a year is ln 2 per year.
    """
    return np.log(growth_factor) / growth_period


@equation(unit="1/year", name="growth_rate")
def persistent_rate(mean_growth_rate: Any, growth_shock: Any, persistence: Any) -> Any:
    r"""Growth rate: a mean, and shocks of which a part lives on in the next year.

    .. math:: r_i = \bar r + d_i, \quad d_i = \rho \, d_{i-1} + \epsilon_i, \quad d_{-1} = 0

    With persistence 0 years are independent, and good ones cancel bad ones; with 1 the rate is a random walk.

    Source: autoregression of first order.
    """
    dim = time_dim("persistent_rate", "growth_shock", growth_shock)
    return mean_growth_rate + persisted(growth_shock, persistence, dim)


@equation(unit="1/year", name="growth_rate")
def reverting_rate(
    initial_rate: Any,
    mean_growth_rate: Any,
    half_life: Any,
    rate_sd: Any,
    rate_shock: Any,
    level_shock: Any,
    elapsed_time: Any,
) -> Any:
    r"""Growth rate: reverts to its mean, with shocks that last a while; the mean of it over the time before a label.

    .. math:: dg = \kappa (\bar r - g) \, dt + \sqrt{2 \kappa} \, s \, dW, \quad \kappa = \ln 2 / h, \qquad
        r_i = \frac{1}{t_i - t_{i-1}} \int_{t_{i-1}}^{t_i} g \, dt, \quad t_{-1} = 0

    The step from one label to the next is exact: the two standard normal shocks of a label make the rate at its end
    and what it has added up to, which are correlated. With `varying_growth` it gives exactly the tokens of this
    process, whatever the labels. A very long half-life is a local linear trend; a very short one makes of the
    logarithm a random walk with drift.

    Source: G. E. Uhlenbeck and L. S. Ornstein, Phys. Rev. 36 (1930); the joint step: D. T. Gillespie, Phys. Rev. E 54
    (1996).
    """
    dim = time_dim("reverting_rate", "elapsed_time", elapsed_time)
    step = elapsed_time - elapsed_time.shift({dim: 1}, fill_value=0)
    kept, weight, end_sd, tie, rest_sd = _reverting_step(np.log(1 + 1) * step / half_life)
    # Deviations from the mean rate at the beginning of each step: what is left of the first, and of shocks since.
    first = (initial_rate - mean_growth_rate) * np.exp(-np.log(1 + 1) * (elapsed_time - step) / half_life)
    shocks = persisted(rate_sd * end_sd * rate_shock, kept, dim).shift({dim: 1}, fill_value=0)
    # What is left of it over the step, what the rate at the end tells of the step, and the rest.
    return mean_growth_rate + weight * (first + shocks) + rate_sd * (tie * rate_shock + rest_sd * level_shock)


def _reverting_step(x: Any) -> tuple[Any, ...]:
    """Of a step of x half-lives over ln 2: what is kept, mean weight, sd of the end, its tie to the mean, rest."""
    return unlabelled(_step_in_numbers, x)


def _step_in_numbers(x: Any) -> tuple[Any, Any, Any, Any, Any]:
    # Of the rate, and of its square.
    lost = -np.expm1(-x)
    lost_square = lost * (2 - lost)
    # At no time at all nothing happens, and the mean is the rate itself.
    none = x == 0
    weight = lost / (x + none) + none
    end_sd = np.sqrt(lost_square)
    tie = x * weight * weight / (end_sd + none)
    rest = np.maximum(_mean_variance(x, lost, lost_square) - tie * tie, 0)
    return np.exp(-x), weight, end_sd, tie, np.sqrt(rest)


def _mean_variance(x: Any, lost: Any, lost_square: Any) -> Any:
    """Variance of the mean of a reverting rate over x, that of the rate being 1 and its start given."""
    long, short = np.maximum(x, _SHORT), np.minimum(x, _SHORT)
    exact = (x + x - 4 * lost + lost_square) / (long * long)
    # Differences of nearly equal numbers, replaced by the series of them.
    near = 2 / 3 - short * (1 / 2 - short * (7 / 30 - short * (1 / 12 - short * (31 / 1260 - short / 160))))
    return short * near * (x < _SHORT) + exact * (x >= _SHORT)


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


@equation(unit="1", name="adopted_share", bounds=(0, 1))
def bass_share(innovation: Any, imitation: Any, elapsed_time: Any) -> Any:
    r"""Share that has adopted: by itself, and in imitation of those who have.

    .. math:: F = \frac{1 - e^{-(p + q) t}}{1 + (q / p) \, e^{-(p + q) t}}

    Source: F. M. Bass, "A new product growth for model consumer durables", Management Science 15 (1969): solution of
    dF/dt = (p + q F) (1 - F) with F = 0 at the start.

    Examples
    --------
    >>> float(bass_share(0.03, 0.4, elapsed_time=0.0))
    0.0
    """
    left = np.exp(-(innovation + imitation) * elapsed_time)
    return (1 - left) / (1 + imitation / innovation * left)


@equation(unit="token/day", name="top_down_tokens", bounds=(0, None))
def bass_growth(adopted_share: Any, saturation_tokens: Any) -> Any:
    r"""Top-down tokens a day: saturation times the share that has adopted (Bass diffusion).

    .. math:: T = K F

    Source: F. M. Bass, Management Science 15 (1969); see `bass_share`.
    """
    return saturation_tokens * adopted_share


@equation(unit="token/day", name="top_down_tokens", bounds=(0, None))
def varying_growth(initial_tokens: Any, growth_rate: Any, elapsed_time: Any) -> Any:
    r"""Top-down tokens a day: exponential growth at a rate that differs from year to year.

    .. math:: T_i = T_0 \exp\Big(\sum_{j \le i} r_j \, (t_j - t_{j-1})\Big), \quad t_{-1} = 0

    The rate of a label holds over the time that ends there. Drawn once (`shared`, or without the dim) it persists;
    drawn anew each year, good years cancel bad ones; `persistent_rate` lies between.

    Source: solution of dT/dt = r(t) T with r constant between labels.
    """
    dim = time_dim("varying_growth", "elapsed_time", elapsed_time)
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
    dim = time_dim("varying_logistic_growth", "elapsed_time", elapsed_time)
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
