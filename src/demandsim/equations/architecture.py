"""Architecture: what a token costs in operations and bytes, from the shape of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

#: A multiplication and an addition for each pair of a token and an earlier one.
_PER_PRODUCT = constant(2, "FLOP/token**2")


@equation(unit="FLOP/token**2", bounds=(0, None))
def decode_attention_cost(
    layers: Any,
    attention_heads: Any,
    cached_key_width: Any,
    cached_value_width: Any,
    flops_per_product: Any = _PER_PRODUCT,
) -> Any:
    r"""Attention while decoding: operations per output token and token of its context.

    .. math:: a_d = 2 L H (w_k + w_v)

    The widths are those of a head as cached: its head size twice in usual attention; 576 and 512 where keys and
    values stay compressed, as in DeepSeek-V3.

    Source: DeepSeek-V3's published model code (scores over 512 + 64 numbers, values over 512, each of 128 heads).

    Examples
    --------
    >>> decode_attention_cost(61, 128, 576, 512)
    16990208.0
    """
    return flops_per_product * layers * attention_heads * (cached_key_width + cached_value_width)


@equation(unit="FLOP/token**2", bounds=(0, None))
def prefill_attention_cost(
    layers: Any, attention_heads: Any, key_width: Any, value_width: Any, flops_per_product: Any = _PER_PRODUCT
) -> Any:
    r"""Attention while prefilling: operations per input token and token of its context.

    .. math:: a_p = 2 L H (w_k + w_v)

    Prefill works on keys and values of full heads: 192 and 128 wide in DeepSeek-V3.

    Source: DeepSeek-V3's published model code.

    Examples
    --------
    >>> prefill_attention_cost(61, 128, 192, 128)
    4997120.0
    """
    return flops_per_product * layers * attention_heads * (key_width + value_width)


@equation(unit="GFLOP/token", bounds=(0, None))
def decode_attention_flops(decode_attention_cost: Any, context_tokens: Any) -> Any:
    r"""Attention of an output token: over the context that it looks back on.

    .. math:: c_a = a_d \, \ell

    Source: arXiv 2506.04645 and its code; at 4,989 tokens DeepSeek-V3's attention costs as much as its weights.
    """
    return decode_attention_cost * context_tokens


@equation(unit="GFLOP/token", bounds=(0, None))
def prefill_attention_flops(prefill_attention_cost: Any, prefill_context_tokens: Any) -> Any:
    r"""Attention of an input token: over the tokens before it, cached ones among them.

    .. math:: c_a = a_p \, \ell_p

    Source: definition; causal attention looks back only, so the mean over a prompt is half its length.
    """
    return prefill_attention_cost * prefill_context_tokens


@equation(unit="byte/token", bounds=(0, None))
def kv_bytes_per_token(layers: Any, cache_width: Any, cache_bytes_per_number: Any) -> Any:
    r"""Cache of a token: the keys and values that all layers keep of it.

    .. math:: b = L \, w \, \beta

    The width is that of all heads of a layer: twice the key-value heads times their size in usual attention.

    Source: DeepSeek-V3's published configuration: 61 layers of 512 + 64 numbers, two bytes each.

    Examples
    --------
    >>> kv_bytes_per_token(61, 576, 2)
    70272
    """
    return layers * cache_width * cache_bytes_per_number


@equation(unit="MB", bounds=(0, None))
def sequence_bytes(context_tokens: Any, kv_bytes_per_token: Any) -> Any:
    r"""Cache of a sequence: what every step of decoding reads for it.

    .. math:: K = \ell \, b

    Source: definition.
    """
    return context_tokens * kv_bytes_per_token


@equation(unit="parameter", bounds=(0, None))
def expert_parameters(total_parameters: Any, activated_parameters: Any, expert_sparsity: Any) -> Any:
    r"""Parameters of experts: those of which a token uses one part in s.

    .. math:: N_e = \frac{N - N_\text{active}}{1 - 1/s}

    Follows from :math:`N = N_d + N_e` and :math:`N_\text{active} = N_d + N_e / s`. For a dense model it is 0, with any
    sparsity above 1.

    Source: algebra; for DeepSeek-V3 within 0.1% of the count from its configuration.

    Examples
    --------
    >>> round(expert_parameters(671e9, 37e9, 32) / 1e9, 1)
    654.5
    """
    return (total_parameters - activated_parameters) / (1 - 1 / expert_sparsity)


@equation(unit="parameter", bounds=(0, None))
def dense_parameters(total_parameters: Any, expert_parameters: Any) -> Any:
    r"""Dense parameters: those that every token uses, attention and shared experts among them.

    .. math:: N_d = N - N_e

    NaN, which a simulation refuses, for a model that cannot be: one that activates less than one part in s of all.

    Source: algebra.
    """
    where: Any = xr.where
    dense = total_parameters - expert_parameters
    # What is left of nothing but experts is 0 up to rounding.
    return where(dense >= -1e-9 * total_parameters, np.maximum(dense, 0 * dense), np.nan)
