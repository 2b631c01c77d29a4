"""Economics: what the tokens earn, and whether that covers the compute."""

from __future__ import annotations

from typing import Any

from demandsim.graph import equation

__all__ = ["break_even_price", "gross_margin", "revenue", "revenue_to_cost"]


@equation(unit="CNY/year")
def revenue(daily_tokens: Any, token_price: Any, paid_share: Any) -> Any:
    r"""API revenue: tokens sold times their price.

    .. math:: R = T \, p \, s

    Source: Guosen, January 2025, Fig. 28, rows "daily API revenue" and "annual revenue".
    """
    return daily_tokens * token_price * paid_share


@equation(unit="CNY/year")
def gross_margin(revenue: Any, annualized_capex: Any) -> Any:
    r"""Gross margin: what revenue leaves after the cost of compute, as an amount.

    .. math:: M = R - k

    Source: Guosen, January 2025, Fig. 28, the last two rows compared.
    """
    return revenue - annualized_capex


@equation(unit="1")
def revenue_to_cost(revenue: Any, annualized_capex: Any) -> Any:
    r"""Revenue over compute cost: above 1 the business covers its compute.

    .. math:: R / k

    Source: Guosen, January 2025, Fig. 28, the last two rows compared.
    """
    return revenue / annualized_capex


@equation(unit="CNY/Mtoken")
def break_even_price(annualized_capex: Any, daily_tokens: Any, paid_share: Any) -> Any:
    r"""Break-even price: that at which revenue just covers the compute.

    .. math:: p^* = \frac{k}{T s}

    Source: Guosen, January 2025, Fig. 28, solved for the mean API price.
    """
    return annualized_capex / (daily_tokens * paid_share)
