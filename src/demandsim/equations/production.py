"""Production: what a measured day says of rates, nodes, utilization and money, and how far the roofline is from it."""

from __future__ import annotations

from typing import Any

from demandsim.graph.equation import equation


@equation(unit="token/s/card", bounds=(0, None))
def measured_input_rate(node_input_rate: Any, node_size: Any) -> Any:
    r"""Measured input rate: input tokens a second per card of prefill, cached ones included.

    Source: definition; DeepSeek, open-infra-index, day 6.
    """
    return node_input_rate / node_size


@equation(unit="token/s/card", bounds=(0, None))
def measured_output_rate(node_output_rate: Any, node_size: Any) -> Any:
    r"""Measured output rate: output tokens a second per card of decode.

    Source: definition; DeepSeek, open-infra-index, day 6.
    """
    return node_output_rate / node_size


@equation(unit="1/card", bounds=(0, None))
def observed_batch(measured_output_rate: Any, user_speed: Any) -> Any:
    r"""Observed batch: sequences per card that the measured rate and speed imply.

    .. math:: B = R / v

    Source: Little's law.
    """
    return measured_output_rate / user_speed


@equation(unit="card", bounds=(0, None))
def measured_prefill_cards(input_tokens: Any, peak_ratio: Any, measured_input_rate: Any) -> Any:
    r"""Cards of prefill by measurement: the peak of input over the measured rate.

    .. math:: T_i \, r / R

    Source: definition.
    """
    return input_tokens * peak_ratio / measured_input_rate


@equation(unit="card", bounds=(0, None))
def measured_decode_cards(output_tokens: Any, peak_ratio: Any, measured_output_rate: Any) -> Any:
    r"""Cards of decode by measurement: the peak of output over the measured rate.

    .. math:: T_o \, r / R

    Source: definition.
    """
    return output_tokens * peak_ratio / measured_output_rate


@equation(unit="card", bounds=(0, None))
def measured_cards(measured_prefill_cards: Any, measured_decode_cards: Any) -> Any:
    r"""Cards by measurement: both pools.

    .. math:: N = N_p + N_d

    Source: definition.
    """
    return measured_prefill_cards + measured_decode_cards


@equation(unit="card", name="cards", bounds=(0, None))
def empirical_cards(measured_prefill_cards: Any, measured_decode_cards: Any) -> Any:
    r"""Cards needed: by measured rates rather than by a utilization or a roofline.

    .. math:: N = N_p + N_d

    Source: definition.
    """
    return measured_prefill_cards + measured_decode_cards


@equation(unit="1", bounds=(0, None))
def prefill_shortfall(measured_prefill_cards: Any, prefill_cards: Any) -> Any:
    r"""Shortfall of prefill: cards by measurement over cards by the roofline.

    Source: definition.
    """
    return measured_prefill_cards / prefill_cards


@equation(unit="1", bounds=(0, None))
def decode_shortfall(measured_decode_cards: Any, decode_cards: Any) -> Any:
    r"""Shortfall of decode: cards by measurement over cards by the roofline.

    Source: definition.
    """
    return measured_decode_cards / decode_cards


@equation(unit="1", bounds=(0, None))
def roofline_shortfall(measured_cards: Any, cards: Any) -> Any:
    r"""Shortfall of the roofline: cards by measurement over cards by physics.

    What physics leaves out: uneven experts, hours of low load, scheduling. Its inverse is the `achieved_share` to
    carry, with its uncertainty, into a model of another fleet.

    Source: definition.
    """
    return measured_cards / cards


@equation(unit="1", bounds=(0, 1))
def measured_prefill_utilization_with_cached(measured_input_rate: Any, flops_per_token: Any, card_flops: Any) -> Any:
    r"""Measured utilization of prefill, cached tokens counted as if computed; weights only.

    .. math:: u = R \, c / F

    Source: definition.
    """
    return measured_input_rate * flops_per_token / card_flops


@equation(unit="1", bounds=(0, 1))
def measured_prefill_utilization(
    measured_input_rate: Any, cached_share: Any, flops_per_token: Any, card_flops: Any
) -> Any:
    r"""Measured utilization of prefill, computed tokens only; weights only.

    .. math:: u = R (1 - h) c / F

    Source: definition.
    """
    return measured_input_rate * (1 - cached_share) * flops_per_token / card_flops


@equation(unit="1", bounds=(0, 1))
def measured_decode_utilization(measured_output_rate: Any, flops_per_token: Any, card_flops: Any) -> Any:
    r"""Measured utilization of decode; weights only.

    .. math:: u = R \, c / F

    Source: definition.
    """
    return measured_output_rate * flops_per_token / card_flops


@equation(unit="1", bounds=(0, 1))
def measured_utilization(
    computed_tokens: Any, flops_per_token: Any, mean_nodes: Any, node_size: Any, card_flops: Any
) -> Any:
    r"""Measured utilization: of all cards over the day, computed tokens and weights only.

    .. math:: u = \frac{(T_c + T_o) c}{N F}

    Source: definition.
    """
    return computed_tokens * flops_per_token / (mean_nodes * node_size * card_flops)


@equation(unit="1", bounds=(0, 1))
def measured_utilization_with_cached(
    input_tokens: Any, output_tokens: Any, flops_per_token: Any, mean_nodes: Any, node_size: Any, card_flops: Any
) -> Any:
    r"""Measured utilization, cached tokens counted as if computed: how the report's chain counts tokens.

    .. math:: u = \frac{(T_i + T_o) c}{N F}

    Source: definition.
    """
    return (input_tokens + output_tokens) * flops_per_token / (mean_nodes * node_size * card_flops)


@equation(unit="1", name="peak_ratio", bounds=(0, None))
def node_peak_ratio(peak_nodes: Any, mean_nodes: Any) -> Any:
    r"""Peak over mean of the nodes in use: where the fleet breathes with the load.

    .. math:: r = N_\text{peak} / N_\text{mean}

    Source: DeepSeek, open-infra-index, day 6: 278 and 226.75 nodes.
    """
    return peak_nodes / mean_nodes


@equation(unit="USD/day", bounds=(0, None))
def rental_cost(mean_nodes: Any, node_size: Any, card_hour_price: Any) -> Any:
    r"""Rental cost: the mean number of cards, rented by the hour.

    .. math:: C = N \, p

    Source: DeepSeek, open-infra-index, day 6.

    Examples
    --------
    >>> hour = 3600
    >>> round(rental_cost(226.75, 8, 2 / hour) * 24 * hour)
    87072
    """
    return mean_nodes * node_size * card_hour_price


@equation(unit="USD/day", bounds=(0, None))
def list_revenue(
    input_tokens: Any, output_tokens: Any, cached_share: Any, cached_price: Any, input_price: Any, output_price: Any
) -> Any:
    r"""Revenue at list prices: what all tokens would earn if each were sold.

    .. math:: T_i (h p_h + (1 - h) p_i) + T_o p_o

    Source: DeepSeek, open-infra-index, day 6, where it is called theoretical.
    """
    return (
        input_tokens * (cached_share * cached_price + (1 - cached_share) * input_price) + output_tokens * output_price
    )


@equation(unit="1", bounds=(-1, None))
def cost_profit_margin(list_revenue: Any, rental_cost: Any) -> Any:
    r"""Profit over cost, at list prices and if all tokens were sold.

    .. math:: R / C - 1

    Source: DeepSeek, open-infra-index, day 6.
    """
    return list_revenue / rental_cost - 1


@equation(unit="USD/Mtoken", bounds=(0, None))
def cost_per_output_token(rental_cost: Any, output_tokens: Any) -> Any:
    r"""Cost of output: all rent, prefill included, over the output tokens.

    .. math:: C / T_o

    Source: definition.
    """
    return rental_cost / output_tokens
