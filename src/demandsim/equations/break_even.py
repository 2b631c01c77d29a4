"""Break-even: the price, share, utilization or volume at which revenue just covers the cost, solved exactly.

What the report counts as cost is ``annualized_capex`` (`economics` holds its break-even price); a fuller account
is ``total_cost_of_ownership``, proportional to the number of cards, and ``fixed_cost``, which depends on neither
cards nor tokens and is zero unless the model says otherwise. Utilization and volume are solved for a fleet that is
sized for its demand; where cohorts were bought for another year's demand, cost is not proportional to need.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_NO_FIXED_COST = constant(0, "CNY/year")


# Price and paid share


@equation(unit="CNY/Mtoken", name="break_even_price", bounds=(0, None))
def break_even_price_of_total_cost(
    total_cost_of_ownership: Any, daily_tokens: Any, paid_share: Any, fixed_cost: Any = _NO_FIXED_COST
) -> Any:
    r"""Break-even price: that at which revenue just covers total and fixed cost.

    .. math:: p^* = \frac{C + F}{T s}

    Source: zero of the operating profit.
    """
    return (total_cost_of_ownership + fixed_cost) / (daily_tokens * paid_share)


@equation(unit="1", bounds=(0, None))
def break_even_paid_share(annualized_capex: Any, daily_tokens: Any, token_price: Any) -> Any:
    r"""Break-even paid share: that at which revenue just covers the compute.

    .. math:: s^* = \frac{k}{T p}

    Above 1 no share is enough at this price.

    Source: Guosen, January 2025, Fig. 27 and 28, solved for the paid share of calls.
    """
    return annualized_capex / (daily_tokens * token_price)


@equation(unit="1", name="break_even_paid_share", bounds=(0, None))
def break_even_paid_share_of_total_cost(
    total_cost_of_ownership: Any, daily_tokens: Any, token_price: Any, fixed_cost: Any = _NO_FIXED_COST
) -> Any:
    r"""Break-even paid share: that at which revenue just covers total and fixed cost.

    .. math:: s^* = \frac{C + F}{T p}

    Above 1 no share is enough at this price.

    Source: zero of the operating profit.
    """
    return (total_cost_of_ownership + fixed_cost) / (daily_tokens * token_price)


# Utilization


@equation(unit="1", bounds=(0, None))
def break_even_utilization(utilization: Any, annualized_capex: Any, revenue: Any) -> Any:
    r"""Break-even utilization: that at which revenue just covers the compute.

    .. math:: u^* = u \, k / R

    Cards, and their cost :math:`k`, are inversely proportional to utilization, whatever else is in them:
    the peak ratio is in :math:`k` once if the fleet counts it, and not at all if utilization already
    includes it. So :math:`u^*` is of the kind that the model's utilization is: at the peak in the first
    case, on average in the second. Above 1 no utilization is enough.

    Source: Guosen, January 2025, Fig. 27 and 28, solved for the utilization per card.
    """
    return utilization * annualized_capex / revenue


@equation(unit="1", name="break_even_utilization", bounds=(0, None))
def break_even_utilization_of_total_cost(
    utilization: Any, total_cost_of_ownership: Any, revenue: Any, fixed_cost: Any = _NO_FIXED_COST
) -> Any:
    r"""Break-even utilization: that at which revenue just covers total and fixed cost.

    .. math:: u^* = \frac{u \, C}{\max(R - F, 0)}

    Where revenue does not even cover the fixed cost there is none, and the result is infinite: a model
    raises, or counts such draws. ``utilization_cover`` is finite everywhere. Peak as in
    ``break_even.break_even_utilization``.

    Source: zero of the operating profit.
    """
    return utilization * total_cost_of_ownership / np.maximum(revenue - fixed_cost, 0)


@equation(unit="1")
def utilization_cover(total_cost_of_ownership: Any, revenue: Any, fixed_cost: Any = _NO_FIXED_COST) -> Any:
    r"""Utilization over its break-even: at least 1 where the business covers its cost.

    .. math:: u / u^* = (R - F) / C

    Finite also where no utilization breaks even: it is negative there.

    Source: zero of the operating profit.
    """
    return (revenue - fixed_cost) / total_cost_of_ownership


# Volume


@equation(unit="CNY/Mtoken")
def contribution(revenue: Any, total_cost_of_ownership: Any, daily_tokens: Any) -> Any:
    r"""Contribution of a token: what it earns less what its share of the fleet costs.

    .. math:: b = (R - C) / T

    Source: definition of the contribution margin.
    """
    return (revenue - total_cost_of_ownership) / daily_tokens


@equation(unit="token/day", bounds=(0, None))
def break_even_tokens(contribution: Any, fixed_cost: Any) -> Any:
    r"""Break-even tokens a day: those whose contributions cover the fixed cost.

    .. math:: T^* = F / \max(b, 0)

    Without fixed cost volume decides nothing, since revenue and cost grow alike. Where each token loses
    money no volume breaks even, and the result is infinite, never negative: a model raises, or counts such
    draws. ``fixed_cost_cover`` is finite everywhere.

    Source: zero of the operating profit.
    """
    return fixed_cost / np.maximum(contribution, 0)


@equation(unit="1")
def fixed_cost_cover(contribution: Any, daily_tokens: Any, fixed_cost: Any) -> Any:
    r"""Tokens over their break-even: at least 1 where contributions cover the fixed cost.

    .. math:: T / T^* = b T / F

    Finite also where no volume breaks even: it is negative there.

    Source: zero of the operating profit.
    """
    return contribution * daily_tokens / fixed_cost
