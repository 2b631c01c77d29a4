r"""Copula: Spearman rank correlations between assumptions, by a Gaussian copula; or a Student-t one, group by group.

.. math:: r = 2 \sin(\pi \rho_s / 6)

turns the rank correlation :math:`\rho_s` that the expert gave into that of normal variables,
:math:`z' = L z` with :math:`L L^T = R` gives them that correlation, and :math:`\Phi(z')` are the
numbers that go through the quantile functions: the marginals stay as they are. Where a law has atoms,
draws share ranks, and :mod:`demandsim.sampling.margin` finds the :math:`r` that gives :math:`\rho_s` all the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores, standard_normal
from demandsim.errors import CorrelationError
from demandsim.sampling.margin import Margin, attainable, normal_correlation, rank_correlation
from demandsim.sampling.student_t import grades_of_scores, stepwise

__all__ = [
    "Copula",
    "ImpossibleCopulaError",
    "Margins",
    "correlated",
    "gaussian_copula",
    "nearest_correlation",
]

#: Of positions of streams.
Pair = tuple[int, int]
#: Of two streams, the laws whose rank correlation is asked for.
Margins = Callable[[int, int], tuple[Margin, Margin]]
#: Correlations of normal scores closer to 1 than this are taken for 1, with which no normal copula is left.
_SINGULAR = 1e-10
#: Largest correlation of normal scores used where a rank correlation cannot be reached.
_CLOSE = 1 - 1e-6


def continuous(one: int, other: int) -> tuple[Margin, Margin]:
    """Margins of streams that all feed continuous laws."""
    return Margin(), Margin()


@dataclass(frozen=True, eq=False)
class Copula:
    """Groups of streams that move together.

    Parameters
    ----------
    groups : tuple of (members, factor)
        Positions of the streams of a group, in order, and the Cholesky factor of their correlation.
    degrees : tuple of float or None
        Of each group, the degrees of freedom of its t copula; None for a normal one.
    """

    groups: tuple[tuple[tuple[int, ...], Array], ...] = ()
    degrees: tuple[float | None, ...] = ()

    def group_of(self, stream: int) -> int | None:
        """Return the group that a stream belongs to, or None."""
        for place, (members, _) in enumerate(self.groups):
            if stream in members:
                return place
        return None


def correlated(factor: Array, u: Sequence[Array], df: float | None = None) -> list[Array]:
    """Turn independent numbers in (0, 1), one array a member of a group, into correlated ones.

    Sums run in a fixed order over whole arrays, so that the bits do not depend on block size.
    """
    if df is not None:
        return [grades_of_scores(x, df) for x in stepwise(factor @ factor.T, [None] * len(u), u, df)]
    z = [standard_normal()(one) for one in u]
    out = []
    for row in range(len(z)):
        total = factor[row, 0] * z[0]
        for column in range(1, row + 1):
            total += factor[row, column] * z[column]
        out.append(normal_scores(total))
    return out


def gaussian_copula(
    labels: Mapping[int, str] | Sequence[str],
    spearman: Mapping[Pair, float],
    *,
    margins: Margins = continuous,
    degrees: Mapping[int, float] | None = None,
    nearest: bool = False,
) -> tuple[Copula, dict[Pair, float]]:
    """Build a copula for streams with given rank correlations.

    Parameters
    ----------
    labels : mapping of stream to str, or sequence
        A label for each stream, for messages.
    spearman : mapping of (stream, stream) to float
        Rank correlations; pairs that are not named are 0.
    margins : callable
        Of two streams, the margins of what they feed.
    degrees : mapping of stream to float, optional
        Degrees of freedom of a t copula; of one stream of a group they are those of the group.
    nearest : bool, default False
        Use the nearest possible correlations where the given ones are impossible.

    Returns
    -------
    Copula
    used : mapping of (stream, stream) to float
        The rank correlations in force, which differ from the given ones only with `nearest`; it may
        also correlate pairs that were not named.

    Raises
    ------
    CorrelationError
        If a pair of laws cannot have its correlation, with the range that it can have.
    ImpossibleCopulaError
        If a normal copula cannot have all of them together.
    """
    used, normal = dict(spearman), {}
    connected = _connected(spearman)
    tails = [_degrees(labels, members, degrees or {}) for members in connected]
    df_of = {stream: df for members, df in zip(connected, tails, strict=True) for stream in members}
    for pair, rho in spearman.items():
        normal[pair], used[pair] = _reached(labels, pair, rho, margins(*pair), nearest, df_of[pair[0]])
    for members, df in zip(connected, tails, strict=True):
        # Uncorrelated scores of a t are large together: values with atoms then have a rank correlation, unless told.
        for pair in itertools.combinations(members if df is not None else (), 2):
            if pair not in spearman and pair[::-1] not in spearman and all(each.atoms for each in margins(*pair)):
                normal[pair], _ = _reached(labels, pair, 0.0, margins(*pair), nearest, df)
    groups, impossible = [], []
    for members in connected:
        matrix = _matrix(members, normal)
        if np.linalg.eigvalsh(matrix)[0] < _SINGULAR:
            impossible.append((members, matrix))
            matrix = nearest_correlation(matrix)
            for (i, one), (j, other) in itertools.combinations(enumerate(members), 2):
                rho = rank_correlation(*margins(one, other), matrix[i, j], df_of[one])
                # A pair that nobody named was 0; where the nearest matrix moves it, that is said as well.
                if (one, other) in used or abs(rho) >= 5e-4:
                    used[one, other] = rho
        groups.append((members, np.linalg.cholesky(matrix)))
    if impossible and not nearest:
        raise ImpossibleCopulaError(_reason(*impossible[0], spearman), used)
    return Copula(tuple(groups), tuple(tails)), used


def _degrees(
    labels: Mapping[int, str] | Sequence[str], members: Sequence[int], degrees: Mapping[int, float]
) -> float | None:
    """Degrees of freedom of a group, if any member has some."""
    said = {degrees[stream]: stream for stream in members if stream in degrees}
    if len(said) > 1:
        (one, first), (other, second) = sorted(said.items())[:2]
        raise CorrelationError(
            f"'{labels[first]}' has df={one:g} and '{labels[second]}' df={other:g}, and they are correlated with each "
            "other, directly or through others: a group has one number of degrees of freedom"
        )
    return next(iter(said), None)


class ImpossibleCopulaError(CorrelationError):
    """Rank correlations that no normal copula has together.

    Parameters
    ----------
    reason : str
    used : mapping of (stream, stream) to float
        The nearest that one has.
    """

    def __init__(self, reason: str, used: Mapping[Pair, float]) -> None:
        super().__init__(reason)
        self.used = used


def _reason(members: Sequence[int], matrix: Array, spearman: Mapping[Pair, float]) -> str:
    """Why there is no copula: the ranks themselves cannot be so, or only the normal scores cannot."""
    ranks, scores = np.linalg.eigvalsh(_matrix(members, spearman))[0], np.linalg.eigvalsh(matrix)[0]
    if ranks < 0:
        return (
            "no quantities have these rank correlations together: their matrix is not positive definite (smallest "
            f"eigenvalue {ranks:.2g})"
        )
    return (
        "a normal copula cannot have these rank correlations together: their own matrix is positive definite "
        f"(smallest eigenvalue {ranks:.2g}), that of the normal scores, 2 sin(pi rho / 6) for each, is not "
        f"({scores:.2g})"
    )


def _reached(
    labels: Mapping[int, str] | Sequence[str],
    pair: Pair,
    rho: float,
    margins: tuple[Margin, Margin],
    nearest: bool,
    df: float | None,
) -> tuple[float, float]:
    """Correlation of the scores of a pair, and the rank correlation that its values then have."""
    one, other = margins
    if not (one.atoms or other.atoms) or one.is_constant or other.is_constant:
        # Beside a sure value no correlation shows; the copula stays as it was before it was pinned.
        return normal_correlation(Margin(), Margin(), rho, df), rho
    low, high = attainable(one, other)
    if low < rho < high:
        r = normal_correlation(one, other, rho, df)
        if abs(r) < _CLOSE:
            return r, rho
    if not nearest:
        names = sorted(labels[stream] for stream in pair)
        tied = " and ".join(sorted(f"'{labels[s]}'" for s, margin in zip(pair, margins, strict=True) if margin.atoms))
        # Towards 0, so that what is printed can be had.
        ends = [math.trunc(rank_correlation(one, other, r, df) * 1e4) / 1e4 for r in (-_CLOSE, _CLOSE)]
        raise CorrelationError(
            f"rank correlation {rho:g} of '{names[0]}' and '{names[1]}' cannot be reached, since draws of {tied} share "
            f"values: these two can have {ends[0]:g} to {ends[1]:g}; give a number between, or pass nearest=True to "
            "use the end of the range"
        )
    r = math.copysign(_CLOSE, rho)
    return r, rank_correlation(one, other, r, df)


def _matrix(members: Sequence[int], values: Mapping[Pair, float]) -> Array:
    """Correlation matrix of a group."""
    local = {stream: place for place, stream in enumerate(members)}
    matrix = np.eye(len(members))
    for (one, other), value in values.items():
        if one in local:
            matrix[local[one], local[other]] = matrix[local[other], local[one]] = value
    return matrix


def _connected(pairs: Mapping[Pair, float]) -> list[tuple[int, ...]]:
    """Groups of streams joined by any pair, each sorted, in the order of their first member."""
    root: dict[int, int] = {}

    def find(stream: int) -> int:
        while root.setdefault(stream, stream) != stream:
            stream = root[stream]
        return stream

    for one, other in pairs:
        root[max(find(one), find(other))] = min(find(one), find(other))
    groups: dict[int, list[int]] = {}
    for stream in sorted(root):
        groups.setdefault(find(stream), []).append(stream)
    return [tuple(members) for _, members in sorted(groups.items())]


def nearest_correlation(matrix: Array, *, smallest: float = 1e-6) -> Array:
    """Return the correlation matrix nearest to a symmetric one, with eigenvalues of at least `smallest`.

    Alternating projections between the positive semidefinite matrices and those with a unit
    diagonal, with Dykstra's correction. Source: Higham, IMA J. Numer. Anal. 22 (2002).

    Parameters
    ----------
    matrix : array of shape (n, n)
        Symmetric, ones on the diagonal.
    smallest : float
        Smallest eigenvalue of the result.

    Returns
    -------
    array of shape (n, n)

    Examples
    --------
    >>> import numpy as np
    >>> nearest_correlation(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])).round(3)
    array([[1.   , 0.761, 0.157],
           [0.761, 1.   , 0.761],
           [0.157, 0.761, 1.   ]])
    """
    y, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(2000):
        r = y - correction
        values, vectors = np.linalg.eigh(r)
        x = (vectors * np.maximum(values, smallest)) @ vectors.T
        correction = x - r
        previous, y = y, x.copy()
        np.fill_diagonal(y, 1.0)
        if np.max(np.abs(y - previous)) < 1e-12:
            break
    # A last rescaling makes the result a correlation matrix that is positive definite exactly.
    values, vectors = np.linalg.eigh(y)
    x = (vectors * np.maximum(values, smallest)) @ vectors.T
    scale = 1.0 / np.sqrt(np.diag(x))
    return (x + x.T) / 2 * np.outer(scale, scale)
