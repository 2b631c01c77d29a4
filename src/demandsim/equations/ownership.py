"""Ownership: what cards cost beyond their price (hosts, network, power, housing), by year and per hour of use."""

from __future__ import annotations

from typing import Any

from demandsim.equations.cohorts import over_years, written_off
from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_YEAR = constant(1, "year")


@equation(unit="1", bounds=(0, None))
def cluster_cost_ratio(server_cost_ratio: Any, network_cost_share: Any) -> Any:
    r"""Cluster over chip cost: chips, hosts and the network that joins them.

    .. math:: \kappa = \frac{\kappa_\text{server}}{1 - s_\text{network}}

    Source: server over chip cost 1.64 (1.54 to 1.69), interconnect 19% of the cost of a cluster
    (epoch-research/training-cost-trends): about 2.0.

    Examples
    --------
    >>> round(cluster_cost_ratio(server_cost_ratio=1.64, network_cost_share=0.19), 2)
    2.02
    """
    return server_cost_ratio / (1 - network_cost_share)


@equation(unit="CNY/card", bounds=(0, None))
def installed_price(card_price: Any, cluster_cost_ratio: Any) -> Any:
    r"""Installed price of a card: with its part of host and network.

    .. math:: P = p \, \kappa

    Source: accounting.
    """
    return card_price * cluster_cost_ratio


@equation(unit="CNY", bounds=(0, None))
def purchase_capex(cards_bought: Any, installed_price: Any) -> Any:
    r"""Capex of a year: what is paid for the cards bought in it, installed.

    .. math:: K_t = B_t P_t

    Source: accounting.
    """
    return cards_bought * installed_price


@equation(unit="CNY/year", bounds=(0, None))
def depreciation(purchase_capex: Any, useful_life: Any, elapsed_time: Any, period: Any = _YEAR) -> Any:
    r"""Depreciation: straight-line over the life of each cohort.

    .. math:: k_t = \sum_{v \le t} \frac{K_v}{L} \, \mathrm{clip}(L - (t - v), 0, 1)

    Over the life of a cohort it adds up to what was paid, exactly, also where the life ends within a
    year. The initial fleet counts as written off.

    Source: Guosen, January 2025, Fig. 27 and 28, row "annualised compute investment", cohort by cohort.
    """
    return over_years(written_off, purchase_capex, useful_life, elapsed_time, period)


@equation(unit="CNY/year", name="depreciation", bounds=(0, None))
def depreciation_at_once(cards_in_service: Any, installed_price: Any, useful_life: Any) -> Any:
    r"""Depreciation: straight-line, for a model that looks at one moment.

    .. math:: k = N P / L

    Source: Guosen, January 2025, Fig. 27 and 28, row "annualised compute investment", on the installed price.
    """
    return cards_in_service * installed_price / useful_life


@equation(unit="CNY")
def book_value(purchase_capex: Any, depreciation: Any, period: Any = _YEAR) -> Any:
    r"""Book value: at the end of each year, what was paid and is not yet depreciated.

    .. math:: \sum_{v \le t} (K_v - k_v)

    Source: accounting.
    """
    return (purchase_capex - depreciation * period).cumsum("year", skipna=False)


@equation(unit="CNY/card/year", bounds=(0, None))
def card_energy_cost(card_power: Any, server_power_ratio: Any, pue: Any, electricity_price: Any) -> Any:
    r"""Energy cost of a card: its power with host, cooling and losses, all year, at the price of electricity.

    .. math:: e = w \, \omega \, \mathrm{PUE} \, p_\text{el}

    `card_power` is the mean power of a card in service. Server over chip power of an H100: 1.82; PUE 1.1
    at hyperscalers, 1.56 in the mean of a survey.

    Source: epoch-research/training-cost-trends.
    """
    return card_power * server_power_ratio * pue * electricity_price


@equation(unit="CNY/year", bounds=(0, None))
def energy_cost(cards_in_service: Any, card_energy_cost: Any) -> Any:
    r"""Energy cost: of all cards in service.

    .. math:: E = N e

    Source: accounting.
    """
    return cards_in_service * card_energy_cost


@equation(unit="CNY/year", bounds=(0, None))
def datacenter_cost(
    cards_in_service: Any, card_power: Any, server_power_ratio: Any, datacenter_power_price: Any
) -> Any:
    r"""Data-centre cost: buildings and their power and cooling plant, rented by the power of the servers.

    .. math:: D = N \, w \, \omega \, p_\text{dc}

    Source: accounting; data centres are priced per kW of servers, without the electricity.
    """
    return cards_in_service * card_power * server_power_ratio * datacenter_power_price


@equation(unit="CNY/year", bounds=(0, None))
def maintenance_cost(cards_in_service: Any, installed_price: Any, maintenance_share: Any) -> Any:
    r"""Maintenance: a share, per year, of what the cards in service would cost at today's price.

    .. math:: M = m \, N P

    Source: accounting; the share is an assumption.
    """
    return cards_in_service * installed_price * maintenance_share


@equation(unit="CNY/year", bounds=(0, None))
def operating_cost(energy_cost: Any, datacenter_cost: Any, maintenance_cost: Any) -> Any:
    r"""Operating cost: energy, data centre and maintenance.

    .. math:: O = E + D + M

    The equation of that name in `economics` leaves out maintenance.

    Source: accounting.
    """
    return energy_cost + datacenter_cost + maintenance_cost


@equation(unit="CNY/year", bounds=(0, None))
def total_cost_of_ownership(depreciation: Any, operating_cost: Any) -> Any:
    r"""Total cost of ownership: depreciation and operating cost, without the cost of capital.

    .. math:: k + O

    Source: accounting.
    """
    return depreciation + operating_cost


@equation(unit="CNY/year", name="total_cost_of_ownership", bounds=(0, None))
def total_cost_of_mix(depreciation: Any, operating_cost: Any) -> Any:
    r"""Total cost of ownership: of all kinds of hardware together, without the cost of capital.

    .. math:: \sum_h (k_h + O_h)

    Source: accounting.
    """
    return (depreciation + operating_cost).sum("hardware", skipna=False)


@equation(unit="CNY", bounds=(0, None))
def cash_out(purchase_capex: Any, operating_cost: Any, period: Any = _YEAR) -> Any:
    r"""Cash out in a year: what is paid for new cards and for running the fleet.

    .. math:: K_t + O_t

    Source: accounting.
    """
    return purchase_capex + operating_cost * period


@equation(unit="CNY", name="cash_out", bounds=(0, None))
def cash_out_of_mix(purchase_capex: Any, operating_cost: Any, period: Any = _YEAR) -> Any:
    r"""Cash out in a year: for new cards and for running the fleet, of all kinds of hardware together.

    .. math:: \sum_h (K_{h,t} + O_{h,t})

    Source: accounting.
    """
    return (purchase_capex + operating_cost * period).sum("hardware", skipna=False)


@equation(unit="CNY/card/hour", bounds=(0, None))
def card_hour_cost(depreciation: Any, operating_cost: Any, cards_in_service: Any) -> Any:
    r"""Cost of a card-hour: depreciation and operating cost over the cards in service, busy or not.

    .. math:: (k + O) / N

    By kind of hardware, if there are several.

    Source: accounting.
    """
    return (depreciation + operating_cost) / cards_in_service


@equation(unit="CNY*s/PFLOP/year", bounds=(0, None))
def compute_cost(card_hour_cost: Any, usable_flops: Any) -> Any:
    r"""Cost of usable compute: of one PFLOP/s for a year.

    .. math:: \frac{k + O}{N f}

    Source: accounting.
    """
    return card_hour_cost / usable_flops


@equation(unit="CNY/Mtoken", bounds=(0, None))
def token_cost(total_cost_of_ownership: Any, daily_tokens: Any) -> Any:
    r"""Cost of a token: total cost of ownership over the tokens served.

    .. math:: (k + O) / T

    Source: accounting.
    """
    return total_cost_of_ownership / daily_tokens


@equation(unit="CNY/Mtoken", name="token_cost", bounds=(0, None))
def token_cost_of_compute(compute_cost: Any, flops_per_token: Any) -> Any:
    r"""Cost of a token: its compute at the cost of usable compute.

    .. math:: c \, \frac{k + O}{N f}

    For kinds of hardware side by side, each at the utilization that it reaches, idle hours included.

    Source: accounting.
    """
    return compute_cost * flops_per_token
