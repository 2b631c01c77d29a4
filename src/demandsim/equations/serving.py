"""Serving: cards of prefill and decode, and the utilization that follows from the tokens they serve a second."""

from __future__ import annotations

from typing import Any

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

#: The roofline itself, unless a model says what share of it a fleet achieves.
_ALL = constant(1, "1")


@equation(unit="token/day", bounds=(0, None))
def input_tokens(daily_tokens: Any, output_share: Any) -> Any:
    r"""Input tokens: all but the output.

    .. math:: T_i = T (1 - s_o)

    Source: definition.
    """
    return daily_tokens * (1 - output_share)


@equation(unit="token/day", bounds=(0, None))
def output_tokens(daily_tokens: Any, output_share: Any) -> Any:
    r"""Output tokens: the share of all tokens that is generated.

    .. math:: T_o = T s_o

    Source: definition; 22% of the tokens of DeepSeek's day.
    """
    return daily_tokens * output_share


@equation(unit="token/day", bounds=(0, None))
def computed_input_tokens(input_tokens: Any, cached_share: Any) -> Any:
    r"""Computed input tokens: those whose keys and values no cache holds.

    .. math:: T_c = T_i (1 - h)

    Source: DeepSeek, open-infra-index, day 6: 56.3% of input tokens hit the cache.
    """
    return input_tokens * (1 - cached_share)


@equation(unit="token/day", bounds=(0, None))
def computed_tokens(computed_input_tokens: Any, output_tokens: Any) -> Any:
    r"""Computed tokens: input that no cache holds, and output.

    .. math:: T_i (1 - h) + T_o

    Source: definition.
    """
    return computed_input_tokens + output_tokens


@equation(unit="token/s", name="token_rate", bounds=(0, None))
def computed_token_rate(computed_tokens: Any) -> Any:
    r"""Mean rate of computed tokens: in the report's chain, in the place of all tokens.

    Source: definition; the report computes every token.
    """
    return computed_tokens


@equation(unit="card", bounds=(0, None))
def prefill_cards(computed_input_tokens: Any, peak_ratio: Any, prefill_rate: Any, achieved_share: Any = _ALL) -> Any:
    r"""Cards of prefill: those that compute the input at the peak.

    .. math:: N_p = \frac{T_i (1 - h) \, r}{R_p \, \alpha}

    Source: definition; pools of their own for prefill and decode, as in DeepSeek's deployment.
    """
    return computed_input_tokens * peak_ratio / (prefill_rate * achieved_share)


@equation(unit="card", bounds=(0, None))
def decode_cards(output_tokens: Any, peak_ratio: Any, decode_rate: Any, achieved_share: Any = _ALL) -> Any:
    r"""Cards of decode: those that generate the output at the peak.

    .. math:: N_d = \frac{T_o \, r}{R_d \, \alpha}

    Source: definition; pools of their own for prefill and decode, as in DeepSeek's deployment.
    """
    return output_tokens * peak_ratio / (decode_rate * achieved_share)


@equation(unit="card", bounds=(0, None))
def cards(prefill_cards: Any, decode_cards: Any) -> Any:
    r"""Cards needed: both pools.

    .. math:: N = N_p + N_d

    Source: definition.
    """
    return prefill_cards + decode_cards


@equation(unit="1", bounds=(0, 1))
def prefill_utilization(prefill_rate: Any, flops_per_token: Any, card_flops: Any) -> Any:
    r"""Implied utilization of prefill: operations with weights over the card's peak.

    .. math:: u_p = R_p \, c / F

    Source: definition; published evidence counts weights only, and so does the report.
    """
    return prefill_rate * flops_per_token / card_flops


@equation(unit="1", bounds=(0, 1))
def decode_utilization(decode_rate: Any, flops_per_token: Any, card_flops: Any) -> Any:
    r"""Implied utilization of decode: operations with weights over the card's peak.

    .. math:: u_d = R_d \, c / F

    Source: definition; published evidence counts weights only, and so does the report.
    """
    return decode_rate * flops_per_token / card_flops


@equation(unit="1", bounds=(0, 1))
def prefill_utilization_with_attention(
    prefill_rate: Any, flops_per_token: Any, prefill_attention_flops: Any, card_flops: Any
) -> Any:
    r"""Implied utilization of prefill, attention included: all operations over the peak for weights.

    .. math:: R_p (c + c_a) / F

    Source: definition.
    """
    return prefill_rate * (flops_per_token + prefill_attention_flops) / card_flops


@equation(unit="1", bounds=(0, 1))
def decode_utilization_with_attention(
    decode_rate: Any, flops_per_token: Any, decode_attention_flops: Any, card_flops: Any
) -> Any:
    r"""Implied utilization of decode, attention included: all operations over the peak for weights.

    .. math:: R_d (c + c_a) / F

    Source: definition.
    """
    return decode_rate * (flops_per_token + decode_attention_flops) / card_flops


@equation(unit="1", bounds=(0, 1))
def utilization(
    computed_input_tokens: Any,
    output_tokens: Any,
    prefill_utilization: Any,
    decode_utilization: Any,
    achieved_share: Any = _ALL,
) -> Any:
    r"""Implied utilization: of both pools together, weights only, at the peak that they are sized for.

    .. math:: u = \alpha \frac{T_c + T_o}{T_c / u_p + T_o / u_d}

    In the report's chain it takes the place of the assumed 45%, with `computed_token_rate` as the token rate.

    Source: algebra: the same operations per token in both pools.

    Examples
    --------
    >>> round(utilization(266, 168, 0.151, 0.069), 3)
    0.103
    """
    computed = computed_input_tokens + output_tokens
    busy = computed_input_tokens / prefill_utilization + output_tokens / decode_utilization
    return achieved_share * computed / busy


@equation(unit="1", bounds=(0, 1))
def utilization_with_attention(
    prefill_cards: Any,
    decode_cards: Any,
    prefill_utilization_with_attention: Any,
    decode_utilization_with_attention: Any,
    achieved_share: Any = _ALL,
) -> Any:
    r"""Implied utilization, attention included: of both pools together.

    .. math:: u = \alpha \frac{N_p u_p + N_d u_d}{N_p + N_d}

    Source: definition.
    """
    busy = prefill_cards * prefill_utilization_with_attention + decode_cards * decode_utilization_with_attention
    return achieved_share * busy / (prefill_cards + decode_cards)
