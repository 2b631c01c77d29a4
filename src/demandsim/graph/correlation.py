"""Correlation: rank correlations between assumptions, as an expert gives them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from demandsim.errors import CorrelationError, check_known

__all__ = ["Correlations", "checked_correlations", "checked_tails", "replaced"]

#: Spearman rank correlations of pairs of assumptions.
Correlations = Mapping[tuple[str, str], float]

_WRITTEN = "correlations are given by pairs, as {('utilization', 'peak_ratio'): 0.5}"


def checked_correlations(correlations: Correlations, assumptions: Iterable[str]) -> dict[tuple[str, str], float]:
    """Read correlations as given.

    Raises
    ------
    CorrelationError
        If a pair is no pair of two assumptions, is given twice, or its correlation is not between -1 and 1.
    UnknownNameError
        If there is no such assumption.
    """
    pairs: dict[tuple[str, str], float] = {}
    if not isinstance(correlations, Mapping):
        raise CorrelationError(f"{_WRITTEN}, not as a {type(correlations).__name__}")
    for pair, rho in correlations.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise CorrelationError(f"{_WRITTEN}, not for {pair!r}")
        check_known(pair, assumptions, "assumption in a correlation:")
        if pair[0] == pair[1]:
            raise CorrelationError(f"'{pair[0]}' cannot be correlated with itself")
        said: object = rho
        if isinstance(said, str) or not -1 < float(rho) < 1:
            raise CorrelationError(f"the rank correlation of {pair} must lie between -1 and 1, not {rho!r}")
        if _among(pair, pairs):
            raise CorrelationError(f"the pair {pair} is given twice")
        pairs[pair] = float(rho)
    return pairs


def _is_degrees(df: Any) -> bool:
    return isinstance(df, int | float) and not isinstance(df, bool) and 1 <= df < math.inf


def checked_tails(
    tails: Mapping[str, float],
    assumptions: Iterable[str],
    correlations: Correlations,
    labels: Iterable[tuple[str, str, str]],
) -> dict[str, float]:
    """Read degrees of freedom of t copulas; those of assumptions without any correlation are left out.

    Raises
    ------
    CorrelationError
        If one is no number from 1 on.
    """
    known = list(assumptions)
    tied = {name for pair in correlations for name in pair} | {name for key in labels for name in key[:2]}
    for name, df in tails.items():
        if not _is_degrees(df):
            raise CorrelationError(
                f"df of '{name}' must be a number from 1 on, not {df!r}; leave it out for a normal copula"
            )
    return {name: float(df) for name, df in tails.items() if name in known and name in tied}


def replaced(correlations: Correlations, new: Correlations) -> dict[tuple[str, str], float]:
    """Add pairs to correlations; one that is there, either way round, gives way."""
    if not isinstance(new, Mapping):
        raise CorrelationError(f"{_WRITTEN}, not as a {type(new).__name__}")
    return {pair: rho for pair, rho in correlations.items() if not _among(pair, new)} | dict(new)


def _among(pair: tuple[str, str], pairs: Correlations) -> bool:
    return pair in pairs or pair[::-1] in pairs
