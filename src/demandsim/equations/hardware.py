"""Hardware: kinds of cards side by side, their performance and price by generation, and a mix that meets one demand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from demandsim.equations.cohorts import mixed_purchases, over_years, survivors
from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_NO_LIMIT = constant(math.inf, "card")
_NONE_YET = constant(0, "card")
_YEAR = constant(1, "year")
_ALL = constant(1, "1")


@equation(unit="TFLOP/s/card", name="card_flops", bounds=(0, None))
def card_flops_by_generation(initial_card_flops: Any, performance_growth: Any, elapsed_time: Any) -> Any:
    r"""Peak compute of a card: of the generation on sale in each year.

    .. math:: F_t = F_0 \, e^{g t}

    Source: exponential growth; the rate is an assumption.
    """
    return initial_card_flops * np.exp(performance_growth * elapsed_time)


@equation(unit="CNY/card", name="card_price", bounds=(0, None))
def card_price_by_decline(initial_card_price: Any, card_price_decline: Any, elapsed_time: Any) -> Any:
    r"""Price of a card: of one kind, as it grows old.

    .. math:: p_t = p_0 \, e^{-\delta t}

    Source: exponential decline; the rate, of either sign, is an assumption.
    """
    return initial_card_price * np.exp(-card_price_decline * elapsed_time)


@equation(unit="CNY/card", name="card_price", bounds=(0, None))
def card_price_by_performance(
    initial_card_price: Any,
    initial_card_flops: Any,
    card_flops: Any,
    price_performance_factor: Any,
    elapsed_time: Any,
    period: Any = _YEAR,
) -> Any:
    r"""Price of a card: a faster one costs more, but less per unit of compute.

    .. math:: p_t = p_0 \, \frac{F_t}{F_0} \, q^{-t}

    Source: price-performance of machine-learning hardware grows by a factor q of 1.38 a year
    (epoch-research/training-cost-trends).

    Examples
    --------
    >>> round(float(card_price_by_performance(1.38, 1.0, 1.0, 1.38, elapsed_time=1.0, period=1.0)), 12)
    1.0
    """
    return initial_card_price * (card_flops / initial_card_flops) / price_performance_factor ** (elapsed_time / period)


@equation(unit="TFLOP/s/card", bounds=(0, None))
def usable_flops(card_flops: Any, utilization: Any) -> Any:
    r"""Usable compute of a card: its peak times the utilization that the work reaches.

    .. math:: f = F \, u

    Source: Guosen, January 2025, Fig. 27 and 28, the denominator of "actual number of cards".
    """
    return card_flops * utilization


@equation(unit="1", bounds=(0, 1))
def hardware_share(hardware_weight: Any) -> Any:
    r"""Share of the work by hardware: weights brought to a sum of one.

    .. math:: s_h = w_h / \sum_j w_j

    Shares that are drawn one by one do not add up to one; weights may be anything above zero.

    Source: definition.
    """
    return hardware_weight / hardware_weight.sum("hardware", skipna=False)


@equation(unit="card", name="cards_bought", bounds=(0, None))
def cards_bought_by_mix(
    capacity_compute: Any,
    hardware_share: Any,
    usable_flops: Any,
    useful_life: Any,
    elapsed_time: Any,
    supply_limit: Any = _NO_LIMIT,
    initial_cards: Any = _NONE_YET,
    period: Any = _YEAR,
) -> Any:
    r"""Cards bought: by year and kind of hardware, so that all kinds together carry the compute to install.

    .. math:: G_t = \max\left(0, C_t - \sum_h W_{h,t}\right), \quad
        B_{h,t} = \min\left(S_{h,t}, s_h G_t / f_{h,t} + \text{what others cannot supply}\right)

    The mix is that of what is bought, not of what is in service. A kind that is short of supply (an
    export control is a `supply_limit` of 0 from a year on) leaves its part to the first kind, in the order
    of the labels, that has some left; what none has is `unmet_compute`. Cards keep the performance of
    the year in which they were bought. `cards_bought` of the room `fleet` says how they retire, and what
    makes NaN; here also a mix that is negative or does not add up to one.

    Source: accounting of cohorts.
    """
    return over_years(
        mixed_purchases,
        capacity_compute,
        hardware_share,
        usable_flops,
        useful_life,
        elapsed_time,
        supply_limit,
        initial_cards,
        period,
    )


@equation(unit="EFLOP/s", bounds=(0, None))
def compute_surviving(
    cards_bought: Any,
    usable_flops: Any,
    useful_life: Any,
    elapsed_time: Any,
    initial_cards: Any = _NONE_YET,
    period: Any = _YEAR,
) -> Any:
    r"""Compute surviving: that of the cards of earlier years, each with the performance of its year.

    .. math:: W_t = W^0_t + \sum_{v<t} B_v f_v \, \mathrm{clip}(L - (t - v), 0, 1)

    The initial fleet has the performance of the first year.

    Source: accounting of cohorts.
    """
    # A dim year of the performance, if it has one, begins with the first year.
    first = usable_flops.isel(year=0, drop=True) if "year" in getattr(usable_flops, "dims", ()) else usable_flops
    return over_years(survivors, cards_bought * usable_flops, useful_life, elapsed_time, initial_cards * first, period)


@equation(unit="EFLOP/s", bounds=(0, None))
def compute_in_service(compute_surviving: Any, cards_bought: Any, usable_flops: Any) -> Any:
    r"""Compute in service: usable compute of all cards.

    .. math:: W_t + B_t f_t

    Source: accounting of cohorts.
    """
    return compute_surviving + cards_bought * usable_flops


@equation(unit="EFLOP/s", bounds=(0, None))
def unmet_compute(
    capacity_compute: Any,
    compute_surviving: Any,
    cards_bought: Any,
    usable_flops: Any,
    supply_limit: Any = _NO_LIMIT,
) -> Any:
    r"""Compute missing: what is to be installed and no kind of hardware can supply; never negative.

    .. math:: U_t = \max\left(0, C_t - \sum_h \left(W_{h,t} + B_{h,t} f_{h,t}\right)\right)

    Source: accounting of cohorts.
    """
    held = (compute_surviving + cards_bought * usable_flops).sum("hardware", skipna=False)
    return _missing(capacity_compute - held, (cards_bought < supply_limit).any("hardware"))


def _missing(difference: Any, room: Any) -> Any:
    import xarray as xr

    where: Any = xr.where
    # As long as a kind has supply left, what seems to be missing is rounding.
    return where(room | (difference < 0), 0 * abs(difference), difference)


@equation(unit="card", name="unmet_cards", bounds=(0, None))
def unmet_cards_of_mix(unmet_compute: Any, hardware_share: Any, usable_flops: Any) -> Any:
    r"""Cards missing: those of the wanted mix that would do what is left undone.

    .. math:: s_h U / f_h

    Source: accounting of cohorts.
    """
    return hardware_share * unmet_compute / usable_flops


@equation(unit="1", bounds=(0, 1))
def served_share(compute_in_service: Any, capacity_compute: Any, everything: Any = _ALL) -> Any:
    r"""Share of the load that is served: 1 as long as nothing is missing.

    .. math:: \min\left(1, \frac{\sum_h (W_h + B_h f_h)}{C}\right)

    Source: accounting of cohorts.
    """
    return np.minimum(everything, compute_in_service.sum("hardware", skipna=False) / capacity_compute)
