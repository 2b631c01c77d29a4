"""Pooling: the opinions of several experts on one number, made into one distribution."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import constructor, listed, sound
from demandsim.distributions.convert import as_distributions
from demandsim.distributions.empirical import shares_of
from demandsim.distributions.frozen import ScipyLaw, law_of
from demandsim.distributions.mixture_law import mixture_law
from demandsim.distributions.step_law import StepLaw
from demandsim.errors import DistributionError, check_known

__all__ = ["pooled"]

_KINDS = ("linear", "logarithmic")


def _kind(family: str, name: str, kind: Any) -> str | None:
    try:
        check_known([str(kind)], _KINDS, "kind of pool")
    except LookupError as error:
        raise DistributionError(f"{family}: {error}") from None
    return None if kind == "linear" else str(kind)


@constructor(read={"distributions": as_distributions, "weights": listed, "kind": _kind})
def pooled(distributions: Sequence[Any], weights: Sequence[float] | None = None, *, kind: str = "linear") -> Law:
    r"""Several opinions on one number, weighted, as one distribution.

    Parameters
    ----------
    distributions : sequence of distributions
        One per expert; anything that `as_distribution` takes.
    weights : sequence of float, optional
        Relative weights; equal by default.
    kind : {"linear", "logarithmic"}, default "linear"
        The linear pool believes that one expert is right, and is as wide as they disagree; the logarithmic
        one looks for what all can accept, and is narrower.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If there are no opinions, weights do not fit them, no value is possible to all (logarithmic), or the
        logarithmic pool has no closed form: it has one for opinions of one family, normal, lognormal, uniform,
        loguniform, beta or gamma, or of weighted values.

    Notes
    -----
    .. math:: f(x) = \sum_i w_i f_i(x) \quad \text{or} \quad f(x) \propto \prod_i f_i(x)^{w_i},
        \qquad \sum_i w_i = 1.

    Of normals the second has precision :math:`\sum w_i / s_i^2`. Source: Genest and Zidek, Stat. Sci. 1 (1986).

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> experts = [normal(mean=0, sd=1), normal(mean=4, sd=1)]
    >>> pooled(experts).sd().round(3), pooled(experts, kind="logarithmic").sd()
    (np.float64(2.236), np.float64(1.0))
    """
    if not distributions:
        raise DistributionError("distributions must hold at least one")
    laws = [opinion.laws[0] for opinion in distributions]
    shares = shares_of(weights, len(laws), "distributions")
    if kind == "linear":
        return mixture_law(laws, shares)
    kept = [(law, float(share)) for law, share in zip(laws, shares, strict=True) if share > 0]
    return _logarithmic([law for law, _ in kept], np.array([share for _, share in kept]))


def _logarithmic(laws: list[Law], shares: Array) -> Law:
    if len(laws) == 1:
        return laws[0]
    if all(isinstance(law, StepLaw) for law in laws):
        return _of_values([law for law in laws if isinstance(law, StepLaw)], shares)
    families = {getattr(law.rv, "name", "") if isinstance(law, ScipyLaw) else type(law).__name__ for law in laws}
    solve = _SOLVED.get(families.pop()) if len(families) == 1 else None
    if solve is None:
        raise DistributionError(
            "a logarithmic pool needs opinions of one family: normal, lognormal, uniform, loguniform, beta, gamma or "
            "weighted values; state them in one, or use kind='linear'"
        )
    return sound(law_of(solve([law.rv for law in laws if isinstance(law, ScipyLaw)], shares)))


def _of_values(laws: list[StepLaw], shares: Array) -> Law:
    common = functools.reduce(np.intersect1d, [law.values for law in laws])
    if not common.size:
        raise DistributionError("no value is possible to all")
    logs = sum(share * law.logpdf(common) for law, share in zip(laws, shares, strict=True))
    chances = np.exp(logs - np.max(logs))
    return StepLaw(common, np.asarray(chances / chances.sum()))


def _said(rv: Named) -> list[float]:
    """Shapes, then loc and scale, of a frozen distribution."""
    return [float(value) for value in (*rv.shapes, rv.loc, rv.scale)]


def _normal(rvs: list[Named], shares: Array) -> Named:
    means, sds = np.array([_said(rv) for rv in rvs]).T
    # In units of the smallest sd, so that precisions stay within a double.
    precisions = shares * (sds.min() / sds) ** 2
    mean = float(means[0] + precisions @ (means - means[0]) / precisions.sum())
    return Named("norm", (), mean, float(sds.min() / math.sqrt(precisions.sum())))


def _lognormal(rvs: list[Named], shares: Array) -> Named:
    rows = np.array([_said(rv) for rv in rvs])
    _no_shift(rows[:, 1])
    logs = _normal([Named("norm", (), math.log(scale), s) for s, _, scale in rows.tolist()], shares)
    mean, sd = _said(logs)
    return Named("lognorm", (sd,), 0.0, math.exp(mean))


def _no_shift(locs: Array) -> None:
    if locs.any():
        raise DistributionError("a logarithmic pool takes no shifted distributions; use kind='linear'")


def _shared(lows: Array, highs: Array) -> tuple[float, float]:
    low, high = float(lows.max()), float(highs.min())
    if not low < high:
        raise DistributionError("no value is possible to all: their bounds do not overlap")
    return low, high


def _uniform(rvs: list[Named], shares: Array) -> Named:
    low, high = _shared(*np.array([rv.support() for rv in rvs]).T)
    return Named("uniform", (), low, high - low)


def _loguniform(rvs: list[Named], shares: Array) -> Named:
    return Named("loguniform", _shared(*np.array([rv.support() for rv in rvs]).T))


def _beta(rvs: list[Named], shares: Array) -> Named:
    rows = np.array([_said(rv) for rv in rvs])
    if np.any(rows[:, 2:] != rows[0, 2:]):
        raise DistributionError("a logarithmic pool takes betas of the same bounds; use kind='linear'")
    # The exponents of x and 1 - x are averaged: x ** (a - 1).
    a, b = shares @ rows[:, :2]
    return Named("beta", (float(a), float(b)), rows[0, 2], rows[0, 3])


def _gamma(rvs: list[Named], shares: Array) -> Named:
    rows = np.array([_said(rv) for rv in rvs])
    _no_shift(rows[:, 1])
    return Named("gamma", (float(shares @ rows[:, 0]),), 0.0, float(1 / (shares @ (1 / rows[:, 2]))))


_SOLVED = {
    "norm": _normal,
    "lognorm": _lognormal,
    "uniform": _uniform,
    "loguniform": _loguniform,
    "reciprocal": _loguniform,
    "beta": _beta,
    "gamma": _gamma,
}
