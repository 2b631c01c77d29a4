"""Market: the fleet held against what the market sells and what the providers spend.

A quantity named ``exceeds_...`` is 1 where a limit is passed and 0 where not, so that its mean is a probability;
``ds.cross_check`` reads all that a run has, and says them in words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_YEAR = constant(1, "year")


# What is spent on chips in a year


@equation(unit="CNY/year", name="chip_spending", bounds=(0, None))
def chip_spending_of_build(capex: Any, build_time: Any) -> Any:
    r"""Chip spending: that of building the whole fleet in a given time.

    .. math:: S = K / t_\text{build}

    Source: accounting identity; the report says how large the fleet is, not how fast it is built.
    """
    return capex / build_time


@equation(unit="CNY/year", name="chip_spending", bounds=(0, None))
def chip_spending_of_hardware(cards_bought: Any, card_price: Any, period: Any = _YEAR) -> Any:
    r"""Chip spending: cards bought in a year, at their prices, over all kinds of the dim ``hardware``.

    .. math:: S = \sum_h B_h \, p_h / \Delta

    Source: accounting identity.
    """
    return (cards_bought * card_price / period).sum("hardware", skipna=False)


# Against the market


@equation(unit="1/year")
def market_cagr(earlier_chip_market: Any, later_chip_market: Any, market_span: Any, period: Any = _YEAR) -> Any:
    r"""Growth of the chip market: compound annual rate between two published years.

    .. math:: g = (Y_1 / Y_0)^{1 / n} - 1

    Source: definition; about 103.88 bn CNY in 2023 and a forecast of 178.0 bn in 2025 are 30.9% a year (Guosen, January
    2025).

    Examples
    --------
    >>> year = 365 * 86400
    >>> round(market_cagr(103.88e9, 178.0e9, 2.0 * year) * year, 3)
    0.309
    """
    return ((later_chip_market / earlier_chip_market) ** (period / market_span) - 1) / period


@equation(unit="CNY/year", bounds=(0, None))
def chip_market(initial_chip_market: Any, market_cagr: Any, elapsed_time: Any, period: Any = _YEAR) -> Any:
    r"""Chip market: sales of AI chips in a year, from those at time 0 and their growth.

    .. math:: Y_t = Y_0 \, (1 + g)^t

    Source: Guosen, January 2025: China's was about 103.88 bn CNY in 2023, with a forecast of 178.0 bn in 2025; what
    comes after is extrapolated.
    """
    return initial_chip_market * (1 + market_cagr * period) ** (elapsed_time / period)


@equation(unit="1", bounds=(0, None))
def market_share_needed(chip_spending: Any, chip_market: Any) -> Any:
    r"""Share of the chip market that the fleet needs: above 1 there are not enough chips for it.

    .. math:: S / Y

    Source: cross-check.
    """
    return chip_spending / chip_market


@equation(unit="1", bounds=(0, 1))
def exceeds_market(chip_spending: Any, chip_market: Any) -> Any:
    r"""Exceeds the chip market: 1 where the fleet needs more than all of it, else 0.

    .. math:: \mathbb{1}[S > Y]

    Source: cross-check.

    Examples
    --------
    >>> float(exceeds_market(214e9, 178e9)), float(exceeds_market(21.4e9, 178e9))
    (1.0, 0.0)
    """
    # Unlike a comparison, the step function hands NaN on.
    return np.heaviside(chip_spending / chip_market - 1, 0.0)


# Against the provider's money


@equation(unit="1", bounds=(0, None))
def capex_share_needed(chip_spending: Any, provider_capex: Any) -> Any:
    r"""Share of the provider's capex that the fleet needs: above 1 there is not enough money for it.

    .. math:: S / K_\text{provider}

    Source: cross-check.
    """
    return chip_spending / provider_capex


@equation(unit="1", bounds=(0, 1))
def exceeds_capex(chip_spending: Any, provider_capex: Any) -> Any:
    r"""Exceeds the provider's capex: 1 where chips alone cost more than all of it, else 0.

    .. math:: \mathbb{1}[S > K_\text{provider}]

    Source: cross-check.
    """
    return np.heaviside(chip_spending / provider_capex - 1, 0.0)


@equation(unit="CNY/year", bounds=(0, None))
def provider_chip_budget(provider_capex: Any, chip_share: Any) -> Any:
    r"""Provider's chip budget: the part of its capex that buys AI processors.

    .. math:: K_\text{chips} = c \, K_\text{provider}

    Source: accounting identity; ByteDance planned 85 of 160 bn CNY for AI processors in 2026 (Financial Times,
    23 December 2025).
    """
    return provider_capex * chip_share


@equation(unit="1", bounds=(0, None))
def chip_budget_share_needed(chip_spending: Any, provider_chip_budget: Any) -> Any:
    r"""Share of the provider's chip budget that the fleet needs.

    .. math:: S / K_\text{chips}

    Source: cross-check.
    """
    return chip_spending / provider_chip_budget


@equation(unit="1", bounds=(0, 1))
def exceeds_chip_budget(chip_spending: Any, provider_chip_budget: Any) -> Any:
    r"""Exceeds the provider's chip budget: 1 where chips cost more than it, else 0.

    .. math:: \mathbb{1}[S > K_\text{chips}]

    Source: cross-check.
    """
    return np.heaviside(chip_spending / provider_chip_budget - 1, 0.0)
