"""Prices: of input, cached and output tokens, by tier, over the years, and how tokens answer to them.

Two declines must not be mixed up. `constant_quality_decline` is how fast one and the same quality gets
cheaper: 9 to 900 times a year, by task. `price_decline` is how fast the price of a sold token falls, and
may be negative: buyers move on to better and dearer models, and list prices of a flagship can rise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_YEAR = constant(1, "year")


# Of input, cached and output tokens


@equation(unit="CNY/Mtoken", name="input_price", bounds=(0, None))
def input_price_from_usd(input_price_usd: Any, exchange_rate: Any) -> Any:
    r"""Price of input tokens that miss the cache, from its price in dollars.

    .. math:: p_\text{in} = p_{\text{in},\$} \, e

    Source: accounting identity; the exchange rate is an assumption of the model.
    """
    return input_price_usd * exchange_rate


@equation(unit="CNY/Mtoken", name="cached_price", bounds=(0, None))
def cached_price_from_usd(cached_price_usd: Any, exchange_rate: Any) -> Any:
    r"""Price of input tokens that hit the cache, from its price in dollars.

    .. math:: p_\text{hit} = p_{\text{hit},\$} \, e

    Source: accounting identity; the exchange rate is an assumption of the model.
    """
    return cached_price_usd * exchange_rate


@equation(unit="CNY/Mtoken", name="output_price", bounds=(0, None))
def output_price_from_usd(output_price_usd: Any, exchange_rate: Any) -> Any:
    r"""Price of output tokens, from its price in dollars.

    .. math:: p_\text{out} = p_{\text{out},\$} \, e

    Source: accounting identity; the exchange rate is an assumption of the model.
    """
    return output_price_usd * exchange_rate


@equation(unit="CNY/Mtoken", name="token_price", bounds=(0, None))
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


# By tier


@equation(unit="CNY/Mtoken", name="token_price", bounds=(0, None))
def token_price_of_tiers(tier_weight: Any, tier_price: Any) -> Any:
    r"""Mean API price over tiers, such as models or kinds of customer, of the dim ``tier``.

    .. math:: p = \frac{\sum_i w_i p_i}{\sum_i w_i}

    Weights are divided by their sum here, so that they need not add up to 1.

    Source: definition of a weighted mean.
    """
    return (tier_weight * tier_price).sum("tier", skipna=False) / tier_weight.sum("tier", skipna=False)


# Over the years


@equation(unit="CNY/Mtoken", name="token_price", bounds=(0, None))
def token_price_path(initial_price: Any, price_decline: Any, elapsed_time: Any) -> Any:
    r"""Mean API price over the years, at one rate of decline.

    .. math:: p_t = p_0 \, e^{-d t}

    The decline is that of the price of a sold token, whatever model it comes from: of either sign,
    and not the decline at constant quality.

    Source: definition of a constant rate.

    Examples
    --------
    >>> float(round(token_price_path(1.5, 0.25, 2.0), 4)), float(round(token_price_path(1.5, -0.25, 2.0), 4))
    (0.9098, 2.4731)
    """
    return initial_price * np.exp(-(price_decline * elapsed_time))


@equation(unit="1/year")
def constant_quality_decline(yearly_price_fold: Any, period: Any = _YEAR) -> Any:
    r"""Decline of price at constant quality, from how many times it falls in a year.

    .. math:: q = \ln f / \Delta

    Not the decline of what a sold token earns: see ``prices.trading_up``.

    Source: Epoch AI, "LLM inference price trends", 12 March 2025: 9 to 900 times a year, by task.
    """
    return np.log(yearly_price_fold) / period


@equation(unit="1/year")
def trading_up(constant_quality_decline: Any, price_decline: Any) -> Any:
    r"""Trading up: how fast buyers move to better and dearer models.

    .. math:: g = q - d

    What lies between the decline at constant quality and that of the price of a sold token.

    Source: the two definitions, subtracted.
    """
    return constant_quality_decline - price_decline


# How tokens answer


@equation(unit="token/day", name="daily_tokens", bounds=(0, None))
def elastic_tokens(reference_tokens: Any, token_price: Any, reference_price: Any, price_elasticity: Any) -> Any:
    r"""Tokens a day that the price calls forth, at a constant elasticity.

    .. math:: T = T_0 \, (p / p_0)^{-\varepsilon}

    An elasticity above 1 means that a lower price earns more.

    Source: definition of a constant price elasticity of demand.
    """
    return reference_tokens * (token_price / reference_price) ** -price_elasticity
