r"""Student-t copula: rank correlations with tails that go together.

Scores :math:`x = z / \sqrt{g}` share one :math:`g \sim \chi^2_\nu / \nu`, so that where one is extreme the others
often are, also at correlation 0. The chance that one is beyond its p-quantile if the other is tends to

.. math:: \lambda = 2 T_{\nu + 1}\Bigl(-\sqrt{(\nu + 1)(1 - r) / (1 + r)}\Bigr)

where a normal copula has 0. Kendall's tau is :math:`\frac{2}{\pi} \arcsin r` in both; Spearman's rho is that of two
pairs that share a score's scale,

.. math:: \rho_s = \frac{6}{\pi} E \arcsin \frac{r}{\sqrt{(1 + g / g')(1 + g / g'')}}

Given some scores, another is a t with as many degrees of freedom more, which is how draws are made, one coordinate of
the unit cube each.

Sources: Demarta and McNeil, International Statistical Review 73 (2005); Ding, American Statistician 70 (2016), for the
conditional law; Heinen and Valdesogo, Statistics and Probability Letters 163 (2020), for Spearman's rho.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.inversion import QuantileTable, tabulate
from demandsim.errors import CorrelationError

__all__ = ["grades_of_scores", "kendall_to_spearman", "log_density", "scores_of_grades", "stepwise", "t_correlation"]
__all__ += ["scales", "t_rank_correlation"]

#: Terms of the series of the arcsine, and nodes of the integrals over the logarithm of g.
_TERMS, _NODES = 160, 400
#: Length by which the polynomial of a tail is stretched, and its relative error where it is checked.
_FAR, _TAIL_ERROR = 2.0, 2e-11


@functools.lru_cache(maxsize=256)
def _quantiles(df: float) -> QuantileTable:
    from scipy import special

    def ppf(u: Array) -> Array:
        return cast(Array, special.stdtrit(df, u))

    def cdf(x: Array) -> Array:
        return cast(Array, special.stdtr(df, x))

    return tabulate(ppf, cdf, lambda x: cdf(-x), lambda u: -ppf(u))


def scores_of_grades(u: Array, df: float) -> Array:
    """Scores of a t of numbers in (0, 1), of any shape."""
    return np.reshape(_quantiles(df)(np.ravel(u)), np.shape(u))


@functools.lru_cache(maxsize=256)
def _tail(df: float) -> tuple[float, ...]:
    r"""Coefficients of the smooth factor of the tail of a t, highest power first; none where few do not suffice.

    .. math:: T_\nu(-x) = \tfrac12 q^{\nu / 2} \, g(y), \quad q = \frac{\nu}{\nu + x^2}, \quad y = x \sqrt{q / 2}

    where g is smooth from 1 at 0, and a polynomial in :math:`1 / (y + 2)`, stretched to -1 to 1.
    """
    from numpy.polynomial import chebyshev
    from scipy import special

    half, most = df / 2, math.sqrt(df / 2)

    def factor(place: Array) -> Array:
        # Where y is, by its place between 0 and the most that it can be.
        w = np.minimum((_FAR / (1.0 - (1.0 + place) / 2 * most / (most + _FAR)) - _FAR) / most, 1 - 1e-15)
        q = (1 - w) * (1 + w)
        with np.errstate(all="ignore"):
            near = special.betainc(half, 0.5, q) / np.exp(half * np.log(q))
            far = w / (half * special.beta(half, 0.5)) * special.hyp2f1(half + 0.5, 1, half + 1, q)
        return cast(Array, np.where(half * np.log(q) > -30, near, far))

    probes = np.linspace(-1, 1, 401)
    exact = factor(probes)
    for degree in range(6, 21):
        found = chebyshev.cheb2poly(chebyshev.chebinterpolate(cast(Any, factor), degree))[::-1]
        if np.all(np.abs(np.polyval(found, probes) / exact - 1) < _TAIL_ERROR):
            return tuple(found.tolist())
    return ()


def grades_of_scores(x: Array, df: float) -> Array:
    """Numbers strictly inside (0, 1) of scores of a t; the smaller of a number and its rest has nine digits."""
    terms = _tail(df)
    if not terms:
        from scipy import special

        return cast(Array, np.clip(special.stdtr(df, x), 2.0**-54, 1.0 - 2.0**-53))
    most = math.sqrt(df / 2)
    with np.errstate(over="ignore"):
        ratio = x * x
        ratio /= df
        # y + 2, and from it the place of y.
        place = np.abs(x)
        place *= 1 / math.sqrt(2)
        place /= np.sqrt(1.0 + ratio)
        place += _FAR
        np.divide(-2 * _FAR * (most + _FAR) / most, place, out=place)
        place += 1 + 2 * _FAR / most
        out = np.full_like(place, terms[0] / 2)
        for term in terms[1:]:
            out *= place
            out += term / 2
        np.log1p(ratio, out=ratio)
        ratio *= -df / 2
        out *= np.exp(ratio, out=ratio)
    upper = x > 0
    np.subtract(1.0, out, out=out, where=upper)
    return np.clip(out, 2.0**-54, 1.0 - 2.0**-53, out=out)


def stepwise(matrix: Array, known: Sequence[Array | None], u: Sequence[Array], df: float) -> list[Array]:
    """Draw scores that are not known, one after the other, each given all before.

    Parameters
    ----------
    matrix : array of shape (n, n)
        Correlation of the scores.
    known : sequence of n arrays or None
        Scores that are given.
    u : sequence of n arrays
        Numbers in (0, 1); those of known scores are not looked at.
    df : float
        Degrees of freedom.

    Returns
    -------
    list of n arrays
        Sums run in a fixed order over whole arrays, so that the bits do not depend on block size.
    """
    places = [place for place, one in enumerate(known) if one is not None]
    found: dict[int, Array] = {place: cast(Array, known[place]) for place in places}
    order = [*places, *(place for place in range(len(known)) if place not in found)]
    root = np.linalg.cholesky(matrix[np.ix_(order, order)])
    white: list[Array] = []
    squares: Any = 0.0
    for row, place in enumerate(order):
        mean: Any = root[row, 0] * white[0] if row else 0.0
        for column in range(1, row):
            mean += root[row, column] * white[column]
        if place not in found:
            found[place] = _quantiles(df + row)(u[place])
            if row:
                spread = (df + squares) / (df + row)
                np.sqrt(spread, out=spread)
                spread *= root[row, row]
                found[place] *= spread
                found[place] += mean
        if row + 1 < len(order):
            white.append((found[place] - mean) / root[row, row] if row else found[place])
            squares = squares + white[-1] ** 2
    return [found[place] for place in range(len(known))]


def log_density(matrix: Array, x: Sequence[Array], df: float) -> Array:
    """Logarithm of the density of the copula at scores, up to a constant."""
    stacked = np.stack(x)
    square = np.einsum("i...,ij,j...->...", stacked, np.linalg.inv(matrix), stacked)
    alone = np.log1p(stacked**2 / df).sum(axis=0)
    return cast(Array, -0.5 * (df + len(x)) * np.log1p(square / df) + 0.5 * (df + 1) * alone)


def scales(df: float) -> tuple[Array, Array]:
    """Scales g that the scores of a t share, and their weights."""
    from scipy import special

    # Midpoints of equal shares of the logarithm of g, weighted by its density; smooth, so that few nodes do.
    low, high = (math.log(float(special.gammaincinv(df / 2, p))) for p in (1e-14, 1 - 1e-14))
    node = np.linspace(max(low, -120.0), high, _NODES)
    height = df / 2 * node - np.exp(node)
    weight = np.exp(height - height.max())
    return np.exp(node) * (2 / df), weight / weight.sum()


@functools.lru_cache(maxsize=64)
def _coefficients(df: float) -> Array:
    """Of r, r**3, ... in Spearman's rho, the last for all that follow."""
    g, weight = scales(df)
    # The share that g' has of g + g', by g and g'.
    share = 1 / (1 + g[:, None] / g[None, :])
    out, c, power = np.empty(_TERMS + 1), 1.0, np.sqrt(share)
    for k in range(_TERMS):
        out[k] = 6 / math.pi * c / (2 * k + 1) * float(weight @ (power @ weight) ** 2)
        c *= (2 * k + 1) / (2 * k + 2)
        power = power * share
    # All of it is 1 at r = 1.
    out[-1] = 1 - out[:-1].sum()
    return out


def t_rank_correlation(r: float, df: float) -> float:
    """Spearman rank correlation of continuous laws under a t copula.

    Examples
    --------
    >>> round(t_rank_correlation(0.5, 4), 4), round(t_rank_correlation(0.5, 1e6), 4)
    (0.469, 0.4826)
    """
    powers = r ** (2 * np.arange(_TERMS + 1) + 1.0)
    return float(_coefficients(df) @ powers)


def t_correlation(spearman: float, df: float) -> float:
    """Correlation of the scores that gives continuous laws a rank correlation.

    Examples
    --------
    >>> round(t_correlation(t_rank_correlation(0.5, 4), 4), 10)
    0.5
    """
    from scipy import optimize

    return float(optimize.brentq(lambda r: t_rank_correlation(r, df) - spearman, -1.0, 1.0, xtol=1e-15))


def kendall_to_spearman(tau: float, df: float | None = None) -> float:
    """Spearman's rho of continuous laws that have Kendall's tau, under a normal copula or a t copula.

    Raises
    ------
    CorrelationError
        If it is not between -1 and 1.

    Examples
    --------
    >>> round(kendall_to_spearman(1 / 3), 4)
    0.4826
    """
    if not -1 < tau < 1:
        raise CorrelationError(f"Kendall's tau lies between -1 and 1, not {tau!r}")
    r = math.sin(math.pi * tau / 2)
    return 6 / math.pi * math.asin(r / 2) if df is None else t_rank_correlation(r, df)
