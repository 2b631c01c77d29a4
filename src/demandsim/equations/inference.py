"""Inference: from tokens a day to the cards that serve their peak."""

from __future__ import annotations

from typing import Any

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_PER_PARAMETER = constant(2, "FLOP/parameter/token")


@equation(unit="FLOP/token", bounds=(0, None))
def flops_per_token(activated_parameters: Any, flops_per_parameter: Any = _PER_PARAMETER) -> Any:
    r"""Compute of a token: a multiplication and an addition per activated parameter.

    .. math:: c = 2 N_\text{active}

    Attention over the context is left out, as in the report.

    Source: Guosen, January 2025, Fig. 27 and 28, formula of "theoretical compute for inference".

    Examples
    --------
    >>> flops_per_token(110e9)
    220000000000.0
    """
    return flops_per_parameter * activated_parameters


@equation(unit="token/s", bounds=(0, None))
def token_rate(daily_tokens: Any) -> Any:
    r"""Mean token rate: tokens a day as a rate.

    Source: Guosen, January 2025, Fig. 27 and 28, row "tokens per second".
    """
    return daily_tokens


@equation(unit="EFLOP/s", bounds=(0, None))
def peak_compute(flops_per_token: Any, token_rate: Any, peak_ratio: Any) -> Any:
    r"""Peak compute: mean compute times the peak ratio.

    .. math:: C_\text{peak} = c \, \dot T \, r

    Source: Guosen, January 2025, Fig. 27 and 28, row "theoretical compute for inference"; the printed
    formula leaves out the peak ratio that its number includes.
    """
    return flops_per_token * token_rate * peak_ratio


@equation(unit="card", bounds=(0, None))
def cards(peak_compute: Any, card_flops: Any, utilization: Any) -> Any:
    r"""Cards needed: those that serve the peak.

    .. math:: N = \frac{C_\text{peak}}{F \, u}

    Source: Guosen, January 2025, Fig. 27 and 28, row "actual number of cards".

    Examples
    --------
    >>> cards(peak_compute=1e18, card_flops=1e15, utilization=0.5)
    2000.0
    """
    return peak_compute / (card_flops * utilization)
