"""Dimension order: which assumption takes which dimension of a low-discrepancy sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from demandsim.errors import check_known
from demandsim.graph.assumption import Assumption
from demandsim.graph.graph import Graph

__all__ = ["dimension_order"]


def dimension_order(
    graph: Graph, assumptions: Mapping[str, Assumption], given: Sequence[str] | None
) -> tuple[str, ...]:
    """What has a dimension keeps it; what is new takes the next.

    The first dimensions of a Sobol' sequence are the most even together, so they go to what is used
    and wide; the name settles the rest, so that the order in which they were given does not matter.
    """
    used = graph.ancestors(graph.equations)
    if given is not None:
        check_known(given, assumptions, "assumption in dimensions:")
    kept = list(dict.fromkeys(given or ()))
    new = sorted(
        (name for name in assumptions if name not in kept),
        key=lambda name: (name not in used, -_relative_spread(assumptions[name]), name),
    )
    return (*kept, *new)


def _relative_spread(assumption: Assumption) -> float:
    low, middle, high = assumption.distribution.laws[0].ppf(np.array([0.05, 0.5, 0.95])).tolist()
    # Rounded, so that the last bits of another platform do not change the order.
    return round(float((high - low) / (abs(middle) or 1.0)), 6)
