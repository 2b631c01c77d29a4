"""Batching: how many sequences a card decodes together, bounded by its memory and by its users' patience."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

#: Without speculation a sequence gains one token in each step.
_ONE_TOKEN = constant(1, "token")


@equation(unit="GB/card", bounds=(0, None))
def dense_bytes(weight_bytes_per_parameter: Any, dense_parameters: Any, tensor_cards: Any) -> Any:
    r"""Dense weights on a card: one copy for every group of cards that splits it.

    .. math:: D = \beta N_d / n_t

    Source: definition; 1 card where attention is data-parallel, as in DeepSeek's deployment; 8 in a tensor-parallel
    node.
    """
    return weight_bytes_per_parameter * dense_parameters / tensor_cards


@equation(unit="GB/card", bounds=(0, None))
def expert_bytes(weight_bytes_per_parameter: Any, expert_parameters: Any, expert_cards: Any) -> Any:
    r"""Weights of experts on a card: one copy spread over a deployment unit.

    .. math:: E = \beta N_e / n_e

    Source: definition; DeepSeek's day: units of 144 cards in decode, 32 in prefill; further copies of busy experts are
    left out.
    """
    return weight_bytes_per_parameter * expert_parameters / expert_cards


@equation(unit="1", bounds=(0, 1))
def touched_share(batch_size: Any, expert_cards: Any, expert_sparsity: Any) -> Any:
    r"""Experts touched: the share of expert weights that a step needs for any of its sequences.

    .. math:: 1 - (1 - 1/s)^{B n_e}

    Source: code of arXiv 2506.04645; every token is taken to choose its experts at random.

    Examples
    --------
    >>> float(touched_share(batch_size=0.5, expert_cards=4, expert_sparsity=2))
    0.75
    """
    return -np.expm1(np.log1p(-1 / expert_sparsity) * (batch_size * expert_cards))


@equation(unit="1/card", bounds=(0, None))
def memory_batch(
    memory_capacity: Any, memory_cap: Any, dense_bytes: Any, expert_bytes: Any, sequence_bytes: Any
) -> Any:
    r"""Batch that fits: sequences per card whose cache finds room beside the weights; 0 where these do not fit.

    .. math:: B_m = \max\left(0, \frac{M \kappa_m - D - E}{K}\right)

    Source: definition.
    """
    # Zero in the unit of the batch, so that the equation holds in any.
    room = memory_capacity * memory_cap - dense_bytes - expert_bytes
    return np.maximum(room, 0 * room) / sequence_bytes


@equation(unit="1/card", bounds=(0, None))
def latency_batch(
    user_speed: Any,
    step_latency: Any,
    decode_compute_limit: Any,
    dense_bytes: Any,
    expert_bytes: Any,
    sequence_bytes: Any,
    expert_cards: Any,
    expert_sparsity: Any,
    memory_bandwidth: Any,
    bandwidth_cap: Any,
    tokens_per_step: Any = _ONE_TOKEN,
) -> Any:
    r"""Batch that users wait for: the largest whose step still gives each its tokens a second; 0 where none does.

    .. math:: \max\left(\frac{n B}{R_c}, \frac{D + E (1 - q^B) + K B}{W \kappa_b}\right) + \tau = \frac{n}{v},
        \qquad q = (1 - 1/s)^{n_e}

    solved for B exactly: the compute side is linear; with :math:`\lambda = -\log q` and :math:`a` the bytes left after
    all weights, the memory side is :math:`B = a/K + \omega(\log(\lambda E / K) - \lambda a / K) / \lambda`, with
    Wright's omega function, :math:`\omega + \log \omega = x`.

    Source: algebra; Corless and Jeffrey, "The Wright omega function" (2002).
    """
    budget = tokens_per_step / user_speed - step_latency
    by_compute = budget * decode_compute_limit / tokens_per_step
    decay = -np.log1p(-1 / expert_sparsity) * expert_cards
    left = (budget * memory_bandwidth * bandwidth_cap - dense_bytes - expert_bytes) / sequence_bytes
    # xlogy is a logarithm that gives -inf for a dense model without a warning.
    grown = special.xlogy(1.0, decay * expert_bytes / sequence_bytes) - decay * left
    batch = np.minimum(by_compute, left + special.wrightomega(grown) / decay)
    return np.maximum(batch, 0 * batch)


@equation(unit="1/card", bounds=(0, None))
def batch_size(latency_batch: Any, memory_batch: Any) -> Any:
    r"""Batch: sequences decoded together per card, bounded by users' patience and by memory.

    .. math:: B = \min(B_\ell, B_m)

    A mean over time, so it need not be whole. Give it as an assumption where demand is what bounds it.

    Source: definition.
    """
    return np.minimum(latency_batch, memory_batch)
