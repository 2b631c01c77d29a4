"""Fleet: what the cards cost, at once and per year."""

from __future__ import annotations

from typing import Any

from demandsim.graph import equation

__all__ = ["annualized_capex", "capex"]


@equation(unit="CNY")
def capex(cards: Any, card_price: Any) -> Any:
    r"""Capex: the price of all cards together.

    .. math:: K = N p

    Cards only: no hosts, network, power, data centre or staff, as in the report.

    Source: Guosen, January 2025, Fig. 28.
    """
    return cards * card_price


@equation(unit="CNY/year")
def annualized_capex(capex: Any, useful_life: Any) -> Any:
    r"""Annual compute cost: the price of the cards, straight-line over their useful life.

    .. math:: k = K / L

    Source: Guosen, January 2025, Fig. 28, row "annualised compute investment".
    """
    return capex / useful_life
