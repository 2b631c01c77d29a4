"""Fleet: cards by the year in which they were bought, and what they cost at once and per year."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from demandsim.equations.cohorts import fallen_due, over_years, purchases, retirements, survivors
from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_NO_LIMIT = constant(math.inf, "card")
_NONE_YET = constant(0, "card")
_YEAR = constant(1, "year")


@equation(unit="CNY", bounds=(0, None))
def capex(cards: Any, card_price: Any) -> Any:
    r"""Capex: the price of all cards together.

    .. math:: K = N p

    Cards only: no hosts, network, power, data centre or staff, as in the report.

    Source: Guosen, January 2025, Fig. 27 and 28.
    """
    return cards * card_price


@equation(unit="CNY/year", bounds=(0, None))
def annualized_capex(capex: Any, useful_life: Any) -> Any:
    r"""Annual compute cost: the price of the cards, straight-line over their useful life.

    .. math:: k = K / L

    Source: Guosen, January 2025, Fig. 27 and 28, row "annualised compute investment".
    """
    return capex / useful_life


@equation(unit="card", name="cards_required", bounds=(0, None))
def required_cards(cards: Any) -> Any:
    r"""Cards required: those that inference needs.

    Source: definition.
    """
    return cards


@equation(unit="card", name="cards_required", bounds=(0, None))
def required_fleet_cards(fleet_cards: Any) -> Any:
    r"""Cards required: those of inference and training together.

    Source: definition.
    """
    return fleet_cards


@equation(unit="card", bounds=(0, None))
def cards_bought(
    cards_required: Any,
    useful_life: Any,
    elapsed_time: Any,
    supply_limit: Any = _NO_LIMIT,
    initial_cards: Any = _NONE_YET,
    period: Any = _YEAR,
) -> Any:
    r"""Cards bought: in each year, what is missing, as far as there is supply.

    .. math:: B_t = \min\left(S_t, \max(0, D_t - V_t)\right), \quad
        V_t = V^0_t + \sum_{v<t} B_v \, \mathrm{clip}(L - (t - v), 0, 1)

    Cards are bought at the start of a year and serve from then on. One that lives :math:`L` years
    serves for :math:`L` years, the last of them in part where :math:`L` is no whole number. The
    initial fleet is of all ages and retires at an even pace over one life. `useful_life` may vary by
    year of purchase; below one period it gives NaN, as do years that do not follow each other by one.
    Cards that cannot be bought in time, since they must be ordered a year earlier, are a
    `supply_limit` of the first years.

    Source: accounting of cohorts.
    """
    return over_years(purchases, cards_required, useful_life, elapsed_time, supply_limit, initial_cards, period)


@equation(unit="card", bounds=(0, None))
def cards_surviving(
    cards_bought: Any, useful_life: Any, elapsed_time: Any, initial_cards: Any = _NONE_YET, period: Any = _YEAR
) -> Any:
    r"""Cards surviving: those of earlier years that still serve, before anything is bought.

    .. math:: V_t = V^0_t + \sum_{v<t} B_v \, \mathrm{clip}(L - (t - v), 0, 1)

    Source: accounting of cohorts; `cards_bought` says how they retire.
    """
    return over_years(survivors, cards_bought, useful_life, elapsed_time, initial_cards, period)


@equation(unit="card", bounds=(0, None))
def cards_in_service(cards_surviving: Any, cards_bought: Any) -> Any:
    r"""Cards in service: those that survive and those just bought.

    .. math:: N_t = V_t + B_t

    Source: accounting of cohorts.
    """
    return cards_surviving + cards_bought


@equation(unit="card", name="cards_in_service", bounds=(0, None))
def cards_in_service_at_once(cards: Any) -> Any:
    r"""Cards in service: all that are needed, for a model that looks at one moment.

    Source: definition.
    """
    return cards


@equation(unit="card")
def cards_retired(cards_in_service: Any, cards_surviving: Any) -> Any:
    r"""Cards retired: those of the year before that serve no more.

    .. math:: R_t = N_{t-1} - V_t

    Bought so far, with the initial fleet, is retired so far and in service. None retire in the first year.

    Source: accounting of cohorts.
    """
    return over_years(retirements, cards_in_service, cards_surviving)


@equation(unit="card", bounds=(0, None))
def unmet_cards(cards_required: Any, cards_surviving: Any, cards_bought: Any) -> Any:
    r"""Cards missing: those that are required and cannot be bought; never negative.

    .. math:: U_t = \max(0, D_t - V_t) - B_t

    Source: accounting of cohorts.
    """
    # Not from the cards in service: rounding would leave a billionth of a card where nothing is missing.
    missing = cards_required - cards_surviving
    return np.maximum(np.maximum(missing, 0) - cards_bought, 0)


@equation(unit="card", bounds=(0, None))
def cards_ordered(cards_bought: Any, lead_time: Any, elapsed_time: Any, period: Any = _YEAR) -> Any:
    r"""Cards ordered: in each year, those that arrive a lead time later.

    .. math:: O_t = \sum_{k \ge 0} B_{t+k} \, \max(0, 1 - |\lambda - k|)

    A lead time :math:`\lambda` between whole years divides the orders between the two. What arrives in the
    first year was ordered before it, and what arrives after the last one is not known: neither is counted.

    Source: accounting; published lead times were 8 to 52 weeks.
    """
    return over_years(fallen_due, cards_bought, lead_time, elapsed_time, period)
