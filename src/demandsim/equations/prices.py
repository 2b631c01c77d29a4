"""Prices: of input, cached and output tokens, by tier, over the years, and how tokens answer to them.

Two declines must not be mixed up. `constant_quality_decline` is how fast one and the same quality gets
cheaper: 9 to 900 times a year, by task. `price_decline` is how fast the price of a sold token falls, and
may be negative: buyers move on to better and dearer models, and list prices of a flagship can rise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.graph import equation
from demandsim.units.constant import constant

__all__ = [
    "cached_price_from_usd",
    "cached_price_path",
    "constant_quality_decline",
    "constant_quality_price",
    "elastic_tokens",
    "input_price_from_usd",
    "input_price_path",
    "output_price_from_usd",
    "output_price_path",
    "tier_share",
    "token_price_by_interval",
    "token_price_of_flows",
    "token_price_of_shares",
    "token_price_of_tiers",
    "token_price_path",
    "trading_up",
]

_YEAR = constant(1, "year")


# Of input, cached and output tokens


@equation(unit="CNY/Mtoken", name="input_price")
def input_price_from_usd(input_price_usd: Any, exchange_rate: Any) -> Any:
    r"""Price of input tokens that miss the cache, from its price in dollars.

    .. math:: p_\text{in} = p_{\text{in},\$} \, e

    Source: accounting identity; the exchange rate is an assumption of the model.
    """
    return input_price_usd * exchange_rate


@equation(unit="CNY/Mtoken", name="cached_price")
def cached_price_from_usd(cached_price_usd: Any, exchange_rate: Any) -> Any:
    r"""Price of input tokens that hit the cache, from its price in dollars.

    .. math:: p_\text{hit} = p_{\text{hit},\$} \, e

    Source: accounting identity; the exchange rate is an assumption of the model.
    """
    return cached_price_usd * exchange_rate


@equation(unit="CNY/Mtoken", name="output_price")
def output_price_from_usd(output_price_usd: Any, exchange_rate: Any) -> Any:
    r"""Price of output tokens, from its price in dollars.

    .. math:: p_\text{out} = p_{\text{out},\$} \, e

    Source: accounting identity; the exchange rate is an assumption of the model.
    """
    return output_price_usd * exchange_rate


@equation(unit="CNY/Mtoken", name="token_price")
def token_price_of_flows(
    input_tokens: Any, output_tokens: Any, cached_share: Any, input_price: Any, cached_price: Any, output_price: Any
) -> Any:
    r"""Mean API price: three prices weighted by the tokens that they are paid for.

    .. math:: p = \frac{T_\text{in} \bigl((1 - h) p_\text{in} + h p_\text{hit}\bigr) + T_\text{out} p_\text{out}}
              {T_\text{in} + T_\text{out}}

    Source: accounting identity, by the three prices that providers publish.
    """
    per_input = (1 - cached_share) * input_price + cached_share * cached_price
    return (input_tokens * per_input + output_tokens * output_price) / (input_tokens + output_tokens)


@equation(unit="CNY/Mtoken", name="token_price")
def token_price_of_shares(
    input_share: Any, cached_share: Any, input_price: Any, cached_price: Any, output_price: Any
) -> Any:
    r"""Mean API price: three prices weighted by their shares of the tokens.

    .. math:: p = i \bigl((1 - h) p_\text{in} + h p_\text{hit}\bigr) + (1 - i) p_\text{out}

    The share of input :math:`i` is of all tokens, the cached share :math:`h` of the input.

    Source: accounting identity, by the three prices that providers publish.
    """
    per_input = (1 - cached_share) * input_price + cached_share * cached_price
    return input_share * per_input + (1 - input_share) * output_price


# By tier


@equation(unit="1")
def tier_share(tier_weight: Any) -> Any:
    r"""Share of tokens by tier of price, over the dim ``tier``: adds up to 1.

    .. math:: t_i = w_i / \sum_j w_j

    Weights may be drawn independently of each other, which shares that must add up cannot be.

    Source: definition of a share.
    """
    return tier_weight / tier_weight.sum("tier", skipna=False)


@equation(unit="CNY/Mtoken", name="token_price")
def token_price_of_tiers(tier_weight: Any, tier_price: Any) -> Any:
    r"""Mean API price over tiers, such as models or kinds of customer, of the dim ``tier``.

    .. math:: p = \frac{\sum_i w_i p_i}{\sum_i w_i}

    Weights are divided by their sum here, so that they need not add up to 1.

    Source: definition of a weighted mean.
    """
    return (tier_weight * tier_price).sum("tier", skipna=False) / tier_weight.sum("tier", skipna=False)


# Over the years


@equation(unit="CNY/Mtoken", name="token_price")
def token_price_path(initial_price: Any, price_decline: Any, elapsed_time: Any) -> Any:
    r"""Mean API price over the years, at one rate of decline.

    .. math:: p_t = p_0 \, e^{-d t}

    The decline is that of the price of a sold token, whatever model it comes from: of either sign,
    and not the decline at constant quality. A rate that varies over the years is the matter of
    ``prices.token_price_by_interval``.

    Source: definition of a constant rate.

    Examples
    --------
    >>> float(round(token_price_path(1.5, 0.25, 2.0), 4)), float(round(token_price_path(1.5, -0.25, 2.0), 4))
    (0.9098, 2.4731)
    """
    return initial_price * np.exp(-(price_decline * elapsed_time))


@equation(unit="CNY/Mtoken", name="token_price")
def token_price_by_interval(initial_price: Any, price_decline: Any, elapsed_time: Any) -> Any:
    r"""Mean API price over the years, at a rate of decline that varies with the dim ``year``.

    .. math:: p_t = p_0 \exp\Bigl(-\sum_{s \le t} d_s (\tau_s - \tau_{s-1})\Bigr)

    The rate at a label holds in the interval that ends there; the first begins at time 0.

    Source: definition of a rate that is constant between the labels.
    """
    interval = elapsed_time - elapsed_time.shift(year=1, fill_value=0.0)
    return initial_price * np.exp(-(price_decline * interval).cumsum("year", skipna=False))


@equation(unit="CNY/Mtoken", name="input_price")
def input_price_path(initial_input_price: Any, price_decline: Any, elapsed_time: Any) -> Any:
    r"""Price of input tokens over the years.

    .. math:: p_t = p_0 \, e^{-d t}

    Source: definition of a constant rate.
    """
    return initial_input_price * np.exp(-(price_decline * elapsed_time))


@equation(unit="CNY/Mtoken", name="cached_price")
def cached_price_path(initial_cached_price: Any, price_decline: Any, elapsed_time: Any) -> Any:
    r"""Price of cached tokens over the years.

    .. math:: p_t = p_0 \, e^{-d t}

    Source: definition of a constant rate.
    """
    return initial_cached_price * np.exp(-(price_decline * elapsed_time))


@equation(unit="CNY/Mtoken", name="output_price")
def output_price_path(initial_output_price: Any, price_decline: Any, elapsed_time: Any) -> Any:
    r"""Price of output tokens over the years.

    .. math:: p_t = p_0 \, e^{-d t}

    Source: definition of a constant rate.
    """
    return initial_output_price * np.exp(-(price_decline * elapsed_time))


@equation(unit="1/year")
def constant_quality_decline(yearly_price_fold: Any, period: Any = _YEAR) -> Any:
    r"""Decline of price at constant quality, from how many times it falls in a year.

    .. math:: q = \ln f / \Delta

    Not the decline of what a sold token earns: see ``prices.trading_up``.

    Source: Epoch AI, "LLM inference price trends", 12 March 2025: 9 to 900 times a year, by task.
    """
    return np.log(yearly_price_fold) / period


@equation(unit="CNY/Mtoken")
def constant_quality_price(initial_price: Any, constant_quality_decline: Any, elapsed_time: Any) -> Any:
    r"""Price over the years of what the quality of the first year costs: not the price of a sold token.

    .. math:: p_t = p_0 \, e^{-q t}

    Source: definition of a constant rate.
    """
    return initial_price * np.exp(-(constant_quality_decline * elapsed_time))


@equation(unit="1/year")
def trading_up(constant_quality_decline: Any, price_decline: Any) -> Any:
    r"""Trading up: how fast buyers move to better and dearer models.

    .. math:: g = q - d

    What lies between the decline at constant quality and that of the price of a sold token.

    Source: the two definitions, subtracted.
    """
    return constant_quality_decline - price_decline


# How tokens answer


@equation(unit="token/day", name="daily_tokens")
def elastic_tokens(reference_tokens: Any, token_price: Any, reference_price: Any, price_elasticity: Any) -> Any:
    r"""Tokens a day that the price calls forth, at a constant elasticity.

    .. math:: T = T_0 \, (p / p_0)^{-\varepsilon}

    An elasticity above 1 means that a lower price earns more.

    Source: definition of a constant price elasticity of demand.
    """
    return reference_tokens * (token_price / reference_price) ** -price_elasticity
