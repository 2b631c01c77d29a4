"""Demand: how many tokens a day, from users and queries up, held against a growth curve from the top down."""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_PER_PARAMETER = constant(2, "FLOP/parameter/token")
_FLOOR = constant(100e9, "parameter")


@equation(unit="query/day", bounds=(0, None))
def queries(active_users: Any, queries_per_user: Any) -> Any:
    r"""Queries a day: active users times what each asks.

    .. math:: Q = U q

    Of monthly active users only a part is active on a day: `queries_per_user` is the mean over all of `active_users`.

    Source: Guosen, January 2025, section on users and calls, as a formula of ours.
    """
    return active_users * queries_per_user


@equation(unit="1", bounds=(0, 1))
def chain_of_thought_helps(activated_parameters: Any, chain_of_thought_floor: Any = _FLOOR) -> Any:
    r"""Chain of thought helps: 1 for a model large enough for it, else 0.

    .. math:: h = [N_\text{active} \ge N_0]

    The report's remark is older than its test: DeepSeek-R1 reasons with 37e9 activated parameters. The floor is
    an assumption like any other; an assumption of this name between 0 and 1 takes it for a share of queries.

    Source: Guosen, January 2025: a marked effect only above about 100e9 parameters, so a floor on model size.

    Examples
    --------
    >>> chain_of_thought_helps(110e9), chain_of_thought_helps(37e9)
    (1.0, 0.0)
    """
    return (activated_parameters >= chain_of_thought_floor) * 1.0


@equation(unit="1", bounds=(0, None))
def reasoning_multiplier(chain_of_thought_helps: Any, chain_of_thought_multiplier: Any) -> Any:
    r"""Reasoning multiplier: answer tokens with chain of thought, over those without it.

    .. math:: m = h m_0 + (1 - h)

    Source: Guosen, January 2025: chain of thought multiplies the number of inference steps.
    """
    return chain_of_thought_helps * chain_of_thought_multiplier + (1 - chain_of_thought_helps)


@equation(unit="token/query", bounds=(0, None))
def tokens_per_query(prompt_tokens: Any, answer_tokens: Any, reasoning_multiplier: Any) -> Any:
    r"""Tokens of a query: its prompt, and an answer that reasoning makes longer.

    .. math:: t = t_\text{prompt} + m \, t_\text{answer}

    Source: Guosen, January 2025, compute of one query; the multiplier acts on answers, since a prompt is read once.
    """
    return prompt_tokens + answer_tokens * reasoning_multiplier


@equation(unit="FLOP/query", bounds=(0, None))
def flops_per_query(activated_parameters: Any, tokens_per_query: Any, flops_per_parameter: Any = _PER_PARAMETER) -> Any:
    r"""Compute of a query: a multiplication and an addition per activated parameter and token.

    .. math:: C = 2 N_\text{active} \, t

    Attention over the context is left out, as in the report.

    Source: Guosen, January 2025: parameters x (prompt tokens + answer tokens) x 2 FLOP.

    Examples
    --------
    >>> flops_per_query(110e9, tokens_per_query=1000)
    220000000000000.0
    """
    return flops_per_parameter * activated_parameters * tokens_per_query


@equation(unit="token/day", bounds=(0, None))
def product_tokens(queries: Any, tokens_per_query: Any) -> Any:
    r"""Tokens a day of a product: its queries times the tokens of each.

    .. math:: T_i = Q_i t_i

    Source: product of the two definitions.
    """
    return queries * tokens_per_query


@equation(unit="token/day", bounds=(0, None))
def bottom_up_tokens(product_tokens: Any) -> Any:
    r"""Bottom-up tokens a day: the sum over products.

    .. math:: T = \sum_i T_i

    Of a model without a dim ``product``, `one_product` computes the same quantity.

    Source: sum of the products.
    """
    return product_tokens.sum("product", skipna=False)


@equation(unit="token/day", name="bottom_up_tokens", bounds=(0, None))
def one_product(queries: Any, tokens_per_query: Any) -> Any:
    r"""Bottom-up tokens a day: those of a single product.

    .. math:: T = Q t

    Source: product of the two definitions.
    """
    return queries * tokens_per_query


@equation(unit="token/day", name="daily_tokens", bounds=(0, None))
def from_bottom_up(bottom_up_tokens: Any) -> Any:
    r"""Tokens a day: those of users and queries.

    Source: choice of the bottom-up estimate.
    """
    return bottom_up_tokens


@equation(unit="token/day", name="daily_tokens", bounds=(0, None))
def from_top_down(top_down_tokens: Any) -> Any:
    r"""Tokens a day: those of the growth curve.

    Source: choice of the top-down estimate.
    """
    return top_down_tokens


@equation(unit="token/day", name="daily_tokens", bounds=(0, None))
def reconciled(bottom_up_tokens: Any, top_down_tokens: Any, top_down_weight: Any) -> Any:
    r"""Tokens a day: the weighted geometric mean of bottom-up and top-down.

    .. math:: T = T_\text{up}^{1 - w} \, T_\text{down}^{w}

    Source: logarithmic opinion pool of two estimates that are off by factors.

    Examples
    --------
    >>> round(float(reconciled(1e12, 4e12, top_down_weight=0.5)) / 1e12, 9)
    2.0
    """
    return bottom_up_tokens * np.exp(top_down_weight * np.log(top_down_tokens / bottom_up_tokens))


@equation(unit="1", bounds=(0, None))
def reconciliation_ratio(bottom_up_tokens: Any, top_down_tokens: Any) -> Any:
    r"""Reconciliation ratio: bottom-up over top-down; 1 where they agree.

    .. math:: T_\text{up} / T_\text{down}

    Source: ratio of the two estimates.
    """
    return bottom_up_tokens / top_down_tokens


@equation(unit="token/day", bounds=(0, None))
def reported_tokens(daily_tokens: Any, definition_ratio: Any) -> Any:
    r"""Reported tokens a day: ours, as a publisher counts them.

    .. math:: T_\text{reported} = d \, T

    Some count their own products, some outside customers only: definitions differ by up to ten times.

    Source: comparison of publishers' definitions; evidence on reports is evidence on this quantity.
    """
    return daily_tokens * definition_ratio
