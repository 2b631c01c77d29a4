"""Roofline: tokens a second per card in prefill and decode, bounded by compute, memory bandwidth and exchange."""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.equations.training import communication_overhead
from demandsim.graph.equation import equation
from demandsim.units.constant import constant

#: Without speculation a sequence gains one token in each step.
_ONE_TOKEN = constant(1, "token")
_BF16_BYTES = constant(2, "byte/parameter")


@equation(unit="TFLOP/s/card", name="card_flops", bounds=(0, None))
def precision_peak(
    bf16_flops: Any,
    weight_bytes_per_parameter: Any,
    fastest_flops: Any,
    bf16_bytes: Any = _BF16_BYTES,
) -> Any:
    r"""Peak of a precision: half the bytes, twice the operations, up to the card's fastest format.

    .. math:: F = \min\left(F_{16} \frac{2}{\beta}, F_\text{max}\right)

    One choice of precision so sets bytes and peak together: FP8 is 1 byte, BF16 is 2; weights of half a byte on a card
    whose fastest format is FP8 save memory and gain no compute.

    Source: H100/H800 dense peaks, 989 TFLOPS in BF16 and 1979 in FP8.

    Examples
    --------
    >>> [float(precision_peak(989.5e12, bytes, 1979e12)) / 1e12 for bytes in (2, 1, 0.5)]
    [989.5, 1979.0, 1979.0]
    """
    return np.minimum(bf16_flops * (bf16_bytes / weight_bytes_per_parameter), fastest_flops)


@equation(unit="token/s/card", bounds=(0, None))
def decode_compute_limit(
    flops_per_token: Any, decode_attention_flops: Any, card_flops: Any, attention_card_flops: Any, compute_cap: Any
) -> Any:
    r"""Compute roof of decoding: weights at the peak of their precision, attention at the peak of its own.

    .. math:: \frac{1}{R_c} = \frac{c}{F \kappa} + \frac{c_a}{F_a \kappa}

    Source: roofline; cap on arithmetic of 0.70 in the code of arXiv 2506.04645.
    """
    return compute_cap / (flops_per_token / card_flops + decode_attention_flops / attention_card_flops)


@equation(unit="token/s/card", bounds=(0, None))
def prefill_compute_limit(
    flops_per_token: Any, prefill_attention_flops: Any, card_flops: Any, attention_card_flops: Any, compute_cap: Any
) -> Any:
    r"""Compute roof of prefill: weights at the peak of their precision, attention at the peak of its own.

    .. math:: \frac{1}{R_c} = \frac{c}{F \kappa} + \frac{c_a}{F_a \kappa}

    Source: roofline; cap on arithmetic of 0.70 in the code of arXiv 2506.04645.
    """
    return compute_cap / (flops_per_token / card_flops + prefill_attention_flops / attention_card_flops)


@equation(unit="token/s/card", bounds=(0, None))
def prefill_bandwidth_limit(
    prefill_batch: Any,
    weight_bytes_per_parameter: Any,
    dense_parameters: Any,
    expert_parameters: Any,
    tensor_cards: Any,
    prefill_expert_cards: Any,
    memory_bandwidth: Any,
    bandwidth_cap: Any,
) -> Any:
    r"""Bandwidth roof of prefill: all weights of a card are read once for each batch of input tokens.

    .. math:: R_b = \frac{B_p \, W \kappa_b}{\beta (N_d / n_t + N_e / n_e)}

    Source: roofline; a batch of 16K tokens per card in DeepSeek's profile data.
    """
    weights = dense_parameters / tensor_cards + expert_parameters / prefill_expert_cards
    return prefill_batch * memory_bandwidth * bandwidth_cap / (weight_bytes_per_parameter * weights)


@equation(unit="1", bounds=(0, None))
def prefill_overhead(prefill_communication_ratio: Any, prefill_overlapped_share: Any) -> Any:
    r"""Time that exchange between cards adds to prefill, over computation alone.

    .. math:: o \max(0, r - 1) + (1 - o) r

    Source: as for training; DeepSeek reports communication : computation of about 1 : 1 without overlap.
    """
    return communication_overhead(prefill_communication_ratio, prefill_overlapped_share)


@equation(unit="token/s/card", bounds=(0, None))
def prefill_rate(prefill_compute_limit: Any, prefill_bandwidth_limit: Any, prefill_overhead: Any) -> Any:
    r"""Prefill rate: computed input tokens a second per card, the lower of two roofs less communication.

    .. math:: R_p = \frac{\min(R_c, R_b)}{1 + h}

    Source: roofline.

    Examples
    --------
    >>> float(prefill_rate(8e3, 1e5, 0.25))
    6400.0
    """
    return np.minimum(prefill_compute_limit, prefill_bandwidth_limit) / (1 + prefill_overhead)


@equation(unit="ms", bounds=(0, None))
def step_latency(exchange_layers: Any, exchange_time: Any, decode_overlapped_share: Any) -> Any:
    r"""Latency of a step: exchange between cards that no computation hides.

    .. math:: \tau = L_e t_e (1 - o)

    Source: dispatch and combine take 192 and 369 microseconds a layer among 128 H800 (DeepEP, first release).
    """
    return exchange_layers * exchange_time * (1 - decode_overlapped_share)


@equation(unit="ms", bounds=(0, None))
def compute_time(batch_size: Any, decode_compute_limit: Any, tokens_per_step: Any = _ONE_TOKEN) -> Any:
    r"""Compute time of a step: its tokens at the compute roof.

    .. math:: t_c = n B / R_c

    Source: roofline.
    """
    return batch_size * tokens_per_step / decode_compute_limit


@equation(unit="ms", bounds=(0, None))
def bandwidth_time(
    batch_size: Any,
    touched_share: Any,
    dense_bytes: Any,
    expert_bytes: Any,
    sequence_bytes: Any,
    memory_bandwidth: Any,
    bandwidth_cap: Any,
) -> Any:
    r"""Memory time of a step: the weights that it touches and the cache of its sequences, read once.

    .. math:: t_b = \frac{D + x E + K B}{W \kappa_b}

    Source: roofline; cap on bandwidth of 0.75 in the code of arXiv 2506.04645.
    """
    read = dense_bytes + touched_share * expert_bytes + batch_size * sequence_bytes
    return read / (memory_bandwidth * bandwidth_cap)


@equation(unit="token/s/card", bounds=(0, None))
def decode_bandwidth_limit(batch_size: Any, bandwidth_time: Any, tokens_per_step: Any = _ONE_TOKEN) -> Any:
    r"""Bandwidth roof of decoding: what the memory could feed at this batch.

    .. math:: R_b = n B / t_b

    Source: roofline.
    """
    return batch_size * tokens_per_step / bandwidth_time


@equation(unit="ms", bounds=(0, None))
def decode_step_time(compute_time: Any, bandwidth_time: Any, step_latency: Any) -> Any:
    r"""Step of decoding: the longer of computing and reading, and what exchange adds.

    .. math:: t = \max(t_c, t_b) + \tau

    Source: roofline.
    """
    return np.maximum(compute_time, bandwidth_time) + step_latency


@equation(unit="ms/token", bounds=(0, None))
def output_latency(decode_step_time: Any, tokens_per_step: Any = _ONE_TOKEN) -> Any:
    r"""Time per output token: what a user waits for each.

    .. math:: t / n

    Source: definition.
    """
    return decode_step_time / tokens_per_step


@equation(unit="token/s/card", bounds=(0, None))
def decode_rate(batch_size: Any, decode_step_time: Any, tokens_per_step: Any = _ONE_TOKEN) -> Any:
    r"""Decode rate: output tokens a second per card.

    .. math:: R_d = n B / t

    Source: definition; Little's law for a card.
    """
    return batch_size * tokens_per_step / decode_step_time
