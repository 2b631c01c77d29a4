"""Investment: cash by year, what it is worth today, and when it has come back.

As in `fleet`, what is bought in a year of the dim ``year`` is paid at its start, the ``elapsed_time`` of its label;
earnings flow in evenly from then on until a year later. Amounts of a year are in CNY, rates in CNY/year.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_NO_FIXED_COST = constant(0, "CNY/year")
_YEAR = constant(1, "year")
#: What flows evenly over a year arrives in its middle on average.
_MIDDLE = constant(0.5, "year")


# Cash by year


@equation(unit="CNY")
def earnings(revenue: Any, operating_cost: Any, fixed_cost: Any = _NO_FIXED_COST, period: Any = _YEAR) -> Any:
    r"""Earnings of a year: revenue less what the fleet takes to run and less fixed cost, before any purchase.

    .. math:: e_t = (R_t - O_t - F_t) \, \Delta

    Depreciation is no cash: a purchase counts when it is paid.

    Source: accounting identity.
    """
    return (revenue - operating_cost - fixed_cost) * period


@equation(unit="CNY")
def cash_flow(earnings: Any, purchase_capex: Any) -> Any:
    r"""Cash flow of a year: earnings less what was bought.

    .. math:: f_t = e_t - I_t

    Source: accounting identity.
    """
    return earnings - purchase_capex


@equation(unit="CNY")
def cumulated_cash(cash_flow: Any) -> Any:
    r"""Cumulated cash: all that has come in less all that has gone out, by the end of a year.

    .. math:: A_t = \sum_{s \le t} f_s

    Source: definition.
    """
    return cash_flow.cumsum("year", skipna=False)


@equation(unit="CNY", bounds=(0, None))
def funding_need(cumulated_cash: Any, earnings: Any) -> Any:
    r"""Funding need: the deepest that cumulated cash goes below zero.

    .. math:: \max\bigl(0, -\min_t (A_t - e_t), -\min_t A_t\bigr)

    It is deepest right after a purchase, or at the end of a year of losses.

    Source: definition.
    """
    return np.maximum(-np.minimum(cumulated_cash - earnings, cumulated_cash).min("year", skipna=False), 0)


# What it is worth today


@equation(unit="1", bounds=(0, None))
def discount_factor(discount_rate: Any, elapsed_time: Any, period: Any = _YEAR) -> Any:
    r"""Discount factor of a purchase: what an amount at the start of a year is worth at time 0.

    .. math:: v_t = (1 + r)^{-t}

    The rate is effective: 0.1 per year makes 1.1 of 1 in a year, not exp(0.1).

    Source: definition of an effective annual rate.

    Examples
    --------
    >>> year = 365 * 86400
    >>> round(discount_factor(0.1 / year, 2.0 * year), 6)
    0.826446
    """
    return (1 + discount_rate * period) ** -(elapsed_time / period)


@equation(unit="1", bounds=(0, None))
def earnings_discount_factor(
    discount_rate: Any, elapsed_time: Any, earnings_delay: Any = _MIDDLE, period: Any = _YEAR
) -> Any:
    r"""Discount factor of earnings: as if all of a year's arrived in its middle.

    .. math:: w_t = (1 + r)^{-(t + \delta)}

    A delay of 1 year is the convention of spreadsheets, in which a year's cash arrives at its end.

    Source: mid-year convention of investment appraisal.
    """
    return (1 + discount_rate * period) ** -((elapsed_time + earnings_delay) / period)


@equation(unit="CNY")
def net_present_value(earnings: Any, purchase_capex: Any, earnings_discount_factor: Any, discount_factor: Any) -> Any:
    r"""Net present value of all years, over the dim ``year``.

    .. math:: V = \sum_t (e_t w_t - I_t v_t)

    What the fleet is still worth at the end of the horizon is not in it.

    Source: definition.
    """
    return (earnings * earnings_discount_factor - purchase_capex * discount_factor).sum("year", skipna=False)


# When it has come back


@equation(unit="1", bounds=(0, 1))
def pays_back(cumulated_cash: Any, earnings: Any) -> Any:
    r"""Pays back: 1 if cumulated cash gets out of the red within the horizon of the dim ``year``, else 0.

    .. math:: \mathbb{1}\bigl[\max_t \max(A_t, A_t - e_t) \ge 0\bigr]

    Its mean is the probability that the money comes back within the horizon.

    Source: definition.
    """
    # Unlike a comparison, the step function hands NaN on.
    return np.heaviside(np.maximum(cumulated_cash, cumulated_cash - earnings).max("year", skipna=False), 1.0)


@equation(unit="year", bounds=(0, None))
def payback_time(cumulated_cash: Any, earnings: Any, elapsed_time: Any, period: Any = _YEAR) -> Any:
    r"""Payback time: when cumulated cash is first not negative, cut off at the end of the horizon.

    .. math:: \tau^* = \min_t \Bigl\{ t + \Delta \frac{-(A_t - e_t)}{e_t} : A_t - e_t < 0 \le A_t \Bigr\}

    Linear within the year, since earnings flow in evenly; where nothing was bought that had to come back,
    the start of that year. A later purchase may take cash below zero again. Where the money does not come
    back within the horizon the result is the end of the last year, a lower bound: read it with ``pays_back``,
    which is 0 there. Quantiles below the probability of paying back are not touched by the cut; the mean is
    a lower bound.

    Source: definition, with linear interpolation within the year.
    """
    start = cumulated_cash - earnings
    crossed = (start < 0) & (cumulated_cash >= 0)
    waited = (-start / earnings.where(crossed)).where(crossed, 0.0)
    never = np.maximum(start, cumulated_cash) < 0
    reached = (elapsed_time + waited * period).where(~never, elapsed_time.max("year") + period)
    known = np.isfinite(cumulated_cash + earnings).all("year")
    return reached.min("year").where(known)
