"""Mixture: one of several distributions, for scenarios that exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demandsim.distributions.base import Law
from demandsim.distributions.constructor import constructor, listed
from demandsim.distributions.convert import as_distributions
from demandsim.distributions.empirical import shares_of
from demandsim.distributions.mixture_law import mixture_law
from demandsim.errors import DistributionError

__all__ = ["mixture"]


@constructor(read={"components": as_distributions, "weights": listed})
def mixture(components: Sequence[Any], weights: Sequence[float] | None = None) -> Law:
    """One of several distributions, each with its weight: scenarios that exclude each other.

    Parameters
    ----------
    components : sequence of distributions
        Anything that `as_distribution` takes; numbers are sure values.
    weights : sequence of float, optional
        Relative probabilities; equal by default.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If there are no components, or the weights do not fit them.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> mixture([normal(mean=0, sd=1), normal(mean=10, sd=1)], weights=[3, 1]).mean()
    np.float64(2.5)
    """
    if not components:
        raise DistributionError("components must hold at least one distribution")
    return mixture_law(
        [component.laws[0] for component in components], shares_of(weights, len(components), "components")
    )
