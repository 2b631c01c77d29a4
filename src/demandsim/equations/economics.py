"""Economics: what the tokens earn, what they cost, and whether the one covers the other.

How prices come about stands in `prices`, when a business breaks even in `break_even`, and what it is
worth over the years in `investment`.
"""

from __future__ import annotations

from typing import Any

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

#: Costs that depend on neither cards nor tokens; a model that has none says nothing of them.
_NO_FIXED_COST = constant(0, "CNY/year")


@equation(unit="CNY/year", bounds=(0, None))
def revenue(daily_tokens: Any, token_price: Any, paid_share: Any) -> Any:
    r"""API revenue: tokens sold times their price.

    .. math:: R = T \, p \, s

    Source: Guosen, January 2025, Fig. 27 and 28, rows "daily API revenue" and "annual revenue".
    """
    return daily_tokens * token_price * paid_share


@equation(unit="CNY/year", name="revenue", bounds=(0, None))
def revenue_of_served(daily_tokens: Any, served_share: Any, token_price: Any, paid_share: Any) -> Any:
    r"""API revenue: what is served of the tokens that are asked for, times the paid share and the price.

    .. math:: R = T \, v \, p \, s

    Where supply falls short, tokens that no card can serve earn nothing.

    Source: as `revenue`, for a fleet that may be too small.
    """
    return daily_tokens * served_share * token_price * paid_share


@equation(unit="CNY/year")
def gross_margin(revenue: Any, annualized_capex: Any) -> Any:
    r"""Gross margin: what revenue leaves after the cost of compute, as an amount.

    .. math:: M = R - k

    Source: Guosen, January 2025, Fig. 27 and 28, the last two rows compared.
    """
    return revenue - annualized_capex


@equation(unit="1", bounds=(0, None))
def revenue_to_cost(revenue: Any, annualized_capex: Any) -> Any:
    r"""Revenue over compute cost: above 1 the business covers its compute.

    .. math:: R / k

    Source: Guosen, January 2025, Fig. 27 and 28, the last two rows compared.
    """
    return revenue / annualized_capex


@equation(unit="CNY/Mtoken", bounds=(0, None))
def break_even_price(annualized_capex: Any, daily_tokens: Any, paid_share: Any) -> Any:
    r"""Break-even price: that at which revenue just covers the compute.

    .. math:: p^* = \frac{k}{T s}

    Source: Guosen, January 2025, Fig. 27 and 28, solved for the mean API price.
    """
    return annualized_capex / (daily_tokens * paid_share)


# What is sold


@equation(unit="1", name="paid_share", bounds=(0, 1))
def paid_share_of_sales(sold_tokens: Any, daily_tokens: Any) -> Any:
    r"""Paid share of tokens: tokens sold to outside customers over all tokens.

    .. math:: s = T_\text{sold} / T

    Both must be counted by one definition: publishers' differ by up to ten times.

    Source: accounting identity; see IDC's external tokens of the first half of 2025 for a figure.
    """
    return sold_tokens / daily_tokens


# What it costs, and what is left


@equation(unit="CNY/year", name="gross_margin")
def gross_margin_of_total_cost(revenue: Any, total_cost_of_ownership: Any) -> Any:
    r"""Gross margin: what revenue leaves after the total cost of the fleet.

    .. math:: M = R - C

    Takes the place of the report's, which counts the price of the cards alone.

    Source: accounting identity.
    """
    return revenue - total_cost_of_ownership


@equation(unit="CNY/year")
def operating_profit(gross_margin: Any, fixed_cost: Any = _NO_FIXED_COST) -> Any:
    r"""Operating profit: gross margin less what does not grow with the fleet.

    .. math:: P = M - F

    Fixed cost is staff, research, sales: whatever depends on neither cards nor tokens.

    Source: accounting identity.
    """
    return gross_margin - fixed_cost


@equation(unit="1", bounds=(None, 1))
def margin_share(gross_margin: Any, revenue: Any) -> Any:
    r"""Gross margin over revenue: below 0 a loss, at most 1.

    .. math:: m = M / R

    Source: accounting identity.
    """
    return gross_margin / revenue
