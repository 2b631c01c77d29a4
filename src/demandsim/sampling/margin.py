r"""Margin: which rank correlation two laws have when their normal scores are correlated by r.

For continuous laws it is :math:`\rho_s = \frac{6}{\pi} \arcsin\frac{r}{2}`, whatever they are. A value that
has a probability of its own (an atom) makes ties: its draws share the middle of their ranks. With A and B
the middle grades of the two laws as functions of the normal scores,

.. math:: \rho_s(r) = \frac{1}{\sigma_A \sigma_B} \int_0^r \int\!\!\int \varphi_2(x, y; q)\, dA(x)\, dB(y)\, dq

which rises with r, so that the r for a given rank correlation is found by bisection. The inner integrals are
sums over the jumps of A and B, and Gauss-Legendre rules between them.

Under a t copula :math:`\varphi_2` is the density factor of the t, and uncorrelated scores are dependent, so that the
integral starts from :math:`\rho_s(0)`, a sum over the scale that the scores share.

Sources: Plackett, Biometrika 41 (1954), for the integral; Nešlehová, J. Multivariate Analysis 98 (2007), for rank
correlations of laws with ties, and their ranges; Genz, Statistics and Computing 14 (2004), for the integral of a t.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.sampling.student_t import scales, t_correlation, t_rank_correlation

__all__ = ["Margin", "attainable", "margin_of", "normal_correlation", "rank_correlation"]

#: Grades at which a law is looked at: an atom of 1/128 or more covers two of them. The ties that smaller ones make
#: move a rank correlation by less than 1e-4.
_GRID = (np.arange(256) + 0.5) / 256
#: Normal scores beyond this have a probability of 1e-16.
_FAR = 8.3
#: Length, in normal scores, of a piece that one Gauss-Legendre rule covers, and the nodes of it.
_PIECE = 0.5
_NODES = 8
#: Angles asin(r) at which pieces of the integral over r end: ever shorter towards r = 1, where it changes fast.
_ANGLES = math.pi / 2 * (1 - 2.0 ** -np.arange(12))


@dataclass(frozen=True)
class Margin:
    """What a rank correlation knows of a law: where its atoms are.

    Parameters
    ----------
    atoms : tuple of (lower, upper)
        Grades that give one and the same value, in order; none for a continuous law.
    """

    atoms: tuple[tuple[float, float], ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether there is but one value."""
        return any(upper - lower > 1 - 1e-9 for lower, upper in self.atoms)

    @property
    def sd(self) -> float:
        """Standard deviation of the middle grades; sqrt(1/12) without atoms."""
        return math.sqrt(max(1 - sum((upper - lower) ** 3 for lower, upper in self.atoms), 0) / 12)

    def grades(self, u: Array) -> Array:
        """Middle grades of grades: an atom's draws share the middle of their ranks."""
        out = np.array(u)
        for lower, upper in self.atoms:
            out[(u > lower) & (u < upper)] = (lower + upper) / 2
        return out

    def jumps(self) -> tuple[Array, Array]:
        """Normal scores, and how much the middle grade rises at each: atoms jump, what lies between is a rule."""
        from scipy import special

        u, weight, ends = [], [], [0.0]
        for lower, upper in self.atoms:
            u += [lower, upper]
            weight += [(upper - lower) / 2] * 2
            ends += [lower, upper]
        x, rises = [special.ndtri(np.array(u))], [np.array(weight)]
        edges = np.clip(special.ndtri(np.array([*ends, 1.0])), -_FAR, _FAR)
        node, share = np.polynomial.legendre.leggauss(_NODES)
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            cuts = np.linspace(low, high, math.ceil((high - low) / _PIECE) + 1)
            half = np.diff(cuts)[:, None] / 2
            z = (cuts[:-1, None] + half * (1 + node)).ravel()
            x.append(z)
            rises.append((half * share).ravel() * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi))
        found, rise = np.concatenate(x), np.concatenate(rises)
        # A jump at the end of all grades happens to no draw.
        inside = np.abs(found) <= _FAR
        return found[inside], rise[inside]


def margin_of(law: Law) -> Margin:
    """Find the atoms of a law in its quantile function, which is what draws go through.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> margin_of(dist.discrete([0, 1], weights=[0.75, 0.25]).laws[0])
    Margin(atoms=((0.0, 0.75), (0.75, 1.0)))
    """
    return _found(cast(Hashable, law))


@functools.lru_cache(maxsize=4096)
def _found(law: Any) -> Margin:
    low, high = law.support()
    if low == high:
        return Margin(((0.0, 1.0),))
    x = law.ppf(_GRID)
    starts = np.flatnonzero(np.concatenate([[True], x[1:] != x[:-1]]))
    stops = np.append(starts[1:], x.size) - 1
    wide = stops > starts
    starts, stops = starts[wide], stops[wide]
    if not starts.size:
        return Margin()
    value, step = x[starts], 1 / _GRID.size
    # Each end lies between the last grade that gives another value and the first that gives this one.
    ends = []
    for first, sign in ((_GRID[starts], -1), (_GRID[stops], 1)):
        inside, outside = first, np.clip(first + sign * step, 0.0, 1.0)
        for _ in range(44):
            middle = (inside + outside) / 2
            same = law.ppf(np.clip(middle, 2.0**-60, 1 - 2.0**-53)) == value
            inside, outside = np.where(same, middle, inside), np.where(same, outside, middle)
        ends.append(np.round(outside, 12))
    return Margin(tuple(zip(ends[0].tolist(), ends[1].tolist(), strict=True)))


def attainable(one: Margin, other: Margin) -> tuple[float, float]:
    """Range of the rank correlations that two laws can have, from countermonotone to comonotone.

    Examples
    --------
    >>> low, high = attainable(Margin(((0.0, 0.95), (0.95, 1.0))), Margin())
    >>> round(low, 4), round(high, 4)
    (-0.3775, 0.3775)
    """
    cuts = {0.0, 1.0, *(end for atom in one.atoms for end in atom)}
    both = {*(end for atom in other.atoms for end in atom)}

    def extreme(mirrored: bool) -> float:
        ends = np.array(sorted(cuts | ({1 - end for end in both} if mirrored else both)))
        node, share = np.polynomial.legendre.leggauss(2)
        # Both are straight lines between the cuts, for whose product two nodes are exact.
        u = ends[:-1, None] + np.diff(ends)[:, None] * (1 + node) / 2
        weight = np.diff(ends)[:, None] * share / 2
        b = other.grades(1 - u if mirrored else u)
        covariance = float(np.sum(weight * (one.grades(u) - 0.5) * (b - 0.5)))
        return covariance / (one.sd * other.sd)

    return extreme(True), extreme(False)


def rank_correlation(one: Margin, other: Margin, r: float, df: float | None = None) -> float:
    """Spearman rank correlation of two laws whose scores are correlated by `r`, normal ones or those of a t.

    Examples
    --------
    >>> round(rank_correlation(Margin(), Margin(), 0.5), 4)
    0.4826
    >>> coin = Margin(((0.0, 0.5), (0.5, 1.0)))
    >>> round(rank_correlation(coin, coin, 0.5), 4)  # 2 / pi * asin(r)
    0.3333
    """
    if not one.atoms and not other.atoms:
        return 6 / math.pi * math.asin(r / 2) if df is None else t_rank_correlation(r, df)
    moved = math.copysign(_Curve.of(one, other, r < 0, df).at(math.asin(abs(r))), r)
    return _uncorrelated(one, other, df) + moved


def normal_correlation(one: Margin, other: Margin, spearman: float, df: float | None = None) -> float:
    """Correlation of scores that gives two laws a rank correlation inside their `attainable` range.

    Examples
    --------
    >>> coin = Margin(((0.0, 0.5), (0.5, 1.0)))
    >>> round(normal_correlation(coin, coin, 1 / 3), 4)
    0.5
    """
    if not one.atoms and not other.atoms:
        return 2 * math.sin(math.pi * spearman / 6) if df is None else t_correlation(spearman, df)
    away = spearman - _uncorrelated(one, other, df)
    return math.copysign(math.sin(_Curve.of(one, other, away < 0, df).angle(abs(away))), away)


@functools.lru_cache(maxsize=256)
def _uncorrelated(one: Margin, other: Margin, df: float | None) -> float:
    """Rank correlation at uncorrelated scores, which a t makes large together all the same."""
    if df is None:
        return 0.0
    from scipy import special

    (x, a), (y, b) = one.jumps(), other.jumps()
    # Midpoints of the scale's logarithm, as for continuous laws: smooth, so that few do.
    g, weight = scales(df)
    below = [special.ndtr(np.outer(_t_scores(z, df), np.sqrt(g))) for z in (x, y)]
    apart = [each - special.ndtr(z)[:, None] for each, z in zip(below, (x, y), strict=True)]
    together = float(np.sum(weight * (a @ apart[0]) * (b @ apart[1])))
    return together / (one.sd * other.sd)


def _t_scores(z: Array, df: float) -> Array:
    """Scores of a t at the grades of normal ones, as exact in both tails."""
    from scipy import special

    return np.asarray(np.copysign(special.stdtrit(df, special.ndtr(-np.abs(z))), z))


def _density(exponent: Array, df: float | None) -> Array:
    """Density factor of two scores, by the exponent that it has if they are normal."""
    return np.asarray(np.exp(exponent) if df is None else np.exp(-df / 2 * np.log1p(exponent * (-2 / df))))


@dataclass(frozen=True, eq=False)
class _Curve:
    """Absolute rank correlation of two laws over the angle asin(abs(r)), rising."""

    slope: Callable[[Array], Array]
    reached: Array

    @classmethod
    @functools.lru_cache(maxsize=256)
    def of(cls, one: Margin, other: Margin, falling: bool, df: float | None) -> _Curve:
        (x, a), (y, b) = one.jumps(), other.jumps()
        x, y = (x, y) if df is None else (_t_scores(x, df), _t_scores(y, df))
        y = -y if falling else y
        weight = np.outer(a, b) / (2 * math.pi * one.sd * other.sd)
        product, squares = np.multiply.outer(x, y), np.add.outer(x * x, y * y)

        def slope(angle: Array) -> Array:
            sine, cosine = np.sin(angle), np.cos(angle)
            # One angle after the other: laws with many jumps would need much memory at once.
            return np.array(
                [
                    np.sum(weight * _density((product * s - squares / 2) / (c * c), df))
                    for s, c in zip(sine, cosine, strict=True)
                ]
            )

        made = cls(slope, np.zeros(1))
        pieces = [made._piece(low, high) for low, high in itertools.pairwise(_ANGLES)]
        return cls(slope, np.concatenate([[0.0], np.cumsum(pieces)]))

    def _piece(self, low: float, high: float) -> float:
        node, share = np.polynomial.legendre.leggauss(_NODES)
        half = (high - low) / 2
        return float(half * np.sum(share * self.slope(low + half * (1 + node))))

    def at(self, angle: float) -> float:
        """Rank correlation at an angle."""
        place = min(int(np.searchsorted(_ANGLES, angle, side="right")), len(_ANGLES)) - 1
        return float(self.reached[place]) + self._piece(_ANGLES[place], min(angle, _ANGLES[-1]))

    def angle(self, spearman: float) -> float:
        """Angle at which a rank correlation is reached; the last if it is not."""
        from scipy import optimize

        place = int(np.searchsorted(self.reached, spearman, side="right")) - 1
        if place + 1 >= len(_ANGLES):
            return float(_ANGLES[-1])
        low, high = _ANGLES[place], _ANGLES[place + 1]
        before = float(self.reached[place])
        return float(optimize.brentq(lambda t: before + self._piece(low, t) - spearman, low, high, xtol=1e-13))
