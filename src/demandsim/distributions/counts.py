"""Counts: whether something happens, how often of so many times, and how often in all."""

from __future__ import annotations

import numpy as np

from demandsim.distributions.base import Law
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import Number, check_finite, constructor, sound
from demandsim.distributions.frozen import ScipyLaw
from demandsim.distributions.step_law import StepLaw, step_law
from demandsim.errors import DistributionError

__all__ = ["bernoulli", "binomial", "poisson"]

#: A Poisson of more has neighbours so close that a normal of its moments is the same.
_MOST = 1e12


def _check_share(share: float) -> None:
    check_finite(share=share)
    if not 0 <= share <= 1:
        raise DistributionError(f"share must lie between 0 and 1, not {share:g}")


@constructor()
def bernoulli(share: Number) -> Law:
    """One with a probability, else zero: an event that happens or does not.

    Parameters
    ----------
    share : float or DataArray
        Probability of 1.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If it is no probability.

    Examples
    --------
    >>> bernoulli(0.3).mean(), bernoulli(0.3).ppf([0.69, 0.71])
    (np.float64(0.3), array([0., 1.]))
    """
    _check_share(share)
    return step_law(np.array([0.0, 1.0]), np.array([1.0 - share, share]))


@constructor()
def binomial(trials: Number, share: Number) -> Law:
    """How often something happens in a number of independent trials.

    Parameters
    ----------
    trials : float or DataArray
        A whole number, at least 0.
    share : float or DataArray
        Probability that it happens in one of them.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If `trials` is no such number, or `share` no probability.

    Examples
    --------
    >>> binomial(10, 0.3).mean()
    np.float64(3.0)
    """
    check_finite(trials=trials)
    _check_share(share)
    if trials < 0 or trials != round(trials) or trials > _MOST:
        raise DistributionError(f"trials must be a whole number from 0 to {_MOST:g}, not {trials:g}")
    if trials == 0 or share in (0, 1):
        return StepLaw(np.array([trials * share]), np.ones(1))
    return sound(ScipyLaw(Named("binom", (int(trials), share))))


@constructor()
def poisson(mean: Number) -> Law:
    """How often something happens that happens independently of before, such as outages in a year.

    Parameters
    ----------
    mean : float or DataArray
        Expected number, above 0.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If `mean` is not a positive number, or so large that a normal is the same.

    Examples
    --------
    >>> poisson(3.5).sd().round(4)
    np.float64(1.8708)
    """
    check_finite(mean=mean)
    if not 0 < mean <= _MOST:
        raise DistributionError(f"mean must be above 0 and at most {_MOST:g}, not {mean:g}; beyond, use a normal")
    return sound(ScipyLaw(Named("poisson", (mean,))))
