"""Training: the compute, time and cost of making a model, and its share of the fleet."""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_PER_PARAMETER = constant(6, "FLOP/parameter/token")


@equation(unit="FLOP", bounds=(0, None))
def training_compute(
    activated_parameters: Any, training_tokens: Any, training_flops_per_parameter: Any = _PER_PARAMETER
) -> Any:
    r"""Compute of training: a forward pass, and a backward pass of twice its size.

    .. math:: C = 6 N_\text{active} D

    Attention over the context is left out.

    Source: Kaplan et al., "Scaling laws for neural language models" (2020).

    Examples
    --------
    >>> f"{training_compute(37e9, 14.8e12):.3g}"
    '3.29e+24'
    """
    return training_flops_per_parameter * activated_parameters * training_tokens


@equation(unit="1", bounds=(0, None))
def communication_overhead(communication_ratio: Any, overlapped_share: Any) -> Any:
    r"""Time that communication adds, over computation alone: what overlaps costs only where it is the longer.

    .. math:: h = o \max(0, r - 1) + (1 - o) r

    Source: DeepSeek-V3 technical report: communication : computation about 1 : 1, which DualPipe overlaps.

    Examples
    --------
    >>> [float(communication_overhead(1, share)) for share in (0, 0.5, 1)]
    [1.0, 0.5, 0.0]
    """
    return overlapped_share * np.maximum(communication_ratio - 1, 0) + (1 - overlapped_share) * communication_ratio


@equation(unit="1", bounds=(0, 1))
def training_utilization(compute_utilization: Any, communication_overhead: Any) -> Any:
    r"""Training utilization: that of computation, diluted by the communication that nothing hides.

    .. math:: u = u_c / (1 + h)

    Source: definition of model FLOP utilization; median of 33 published runs: 0.375 (training-cost-trends, Epoch AI).
    """
    return compute_utilization / (1 + communication_overhead)


@equation(unit="1", name="training_utilization", bounds=(0, 1))
def achieved_training_utilization(training_compute: Any, training_card_hours: Any, card_flops: Any) -> Any:
    r"""Training utilization: as the card-hours of a run imply, over the peak of the precision named.

    .. math:: u = \frac{C}{H F}

    Source: definition.
    """
    return training_compute / (training_card_hours * card_flops)


@equation(unit="card*hour", bounds=(0, None))
def training_card_hours(training_compute: Any, card_flops: Any, training_utilization: Any) -> Any:
    r"""Card-hours of training: compute over usable compute per card.

    .. math:: H = \frac{C}{F u}

    FP8 doubles the peak of BF16; a utilization belongs to the peak that it was measured against.

    Source: definition.
    """
    return training_compute / (card_flops * training_utilization)


@equation(unit="USD", bounds=(0, None))
def training_cost(training_card_hours: Any, card_hour_price: Any) -> Any:
    r"""Cost of training: card-hours at a rent.

    .. math:: K = H p

    The final run only, as published: no research, failed runs, data or staff.

    Source: DeepSeek-V3 technical report: 2.788 million H800-hours at 2 USD.
    """
    return training_card_hours * card_hour_price


@equation(unit="day", bounds=(0, None))
def training_time(training_card_hours: Any, training_cards: Any) -> Any:
    r"""Time of training: card-hours shared by the cards.

    .. math:: t = H / N

    Source: definition; utilization is taken not to depend on the number of cards.
    """
    return training_card_hours / training_cards


@equation(unit="card", bounds=(0, None))
def fleet_cards(cards: Any, inference_share: Any) -> Any:
    r"""Cards of the fleet: inference, with training and research on top.

    .. math:: N = N_i / s

    Source: Guosen, January 2025: a forecast of 67.7% of China's compute in 2024.

    Examples
    --------
    >>> fleet_cards(600, 0.75)
    800.0
    """
    return cards / inference_share
