r"""Copula: Spearman rank correlations between assumptions, by a Gaussian copula.

.. math:: r = 2 \sin(\pi \rho_s / 6)

turns the rank correlation :math:`\rho_s` that the expert gave into that of normal variables,
:math:`z' = L z` with :math:`L L^T = R` gives them that correlation, and :math:`\Phi(z')` are the
numbers that go through the quantile functions: the marginals stay as they are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores, standard_normal
from demandsim.errors import CorrelationError, check_known

__all__ = [
    "Copula",
    "Correlations",
    "checked_correlations",
    "correlated",
    "gaussian_copula",
    "nearest_correlation",
    "replaced",
]

#: Spearman rank correlations of pairs of assumptions.
Correlations = Mapping[tuple[str, str], float]
#: Of positions of streams.
Pair = tuple[int, int]


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
    for pair, rho in correlations.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise CorrelationError(f"a correlation is given as {{('one', 'other'): 0.5}}, not for {pair!r}")
        check_known(pair, assumptions, "assumption in a correlation:")
        if pair[0] == pair[1]:
            raise CorrelationError(f"'{pair[0]}' cannot be correlated with itself")
        if not -1 < float(rho) < 1:
            raise CorrelationError(f"the rank correlation of {pair} must lie between -1 and 1, not {rho!r}")
        if _among(pair, pairs):
            raise CorrelationError(f"the pair {pair} is given twice")
        pairs[pair] = float(rho)
    return pairs


def replaced(correlations: Correlations, new: Correlations) -> dict[tuple[str, str], float]:
    """Add pairs to correlations; one that is there, either way round, gives way."""
    return {pair: rho for pair, rho in correlations.items() if not _among(pair, new)} | dict(new)


def _among(pair: tuple[str, str], pairs: Correlations) -> bool:
    return pair in pairs or pair[::-1] in pairs


@dataclass(frozen=True, eq=False)
class Copula:
    """Groups of streams that move together.

    Parameters
    ----------
    groups : tuple of (members, factor)
        Positions of the streams of a group, in order, and the Cholesky factor of their correlation.
    """

    groups: tuple[tuple[tuple[int, ...], Array], ...] = ()

    def group_of(self, stream: int) -> int | None:
        """Return the group that a stream belongs to, or None."""
        for place, (members, _) in enumerate(self.groups):
            if stream in members:
                return place
        return None


def correlated(factor: Array, u: Sequence[Array]) -> list[Array]:
    """Turn independent numbers in (0, 1), one array a member of a group, into correlated ones.

    Sums run in a fixed order over whole arrays, so that the bits do not depend on block size.
    """
    z = [standard_normal()(one) for one in u]
    out = []
    for row in range(len(z)):
        total = factor[row, 0] * z[0]
        for column in range(1, row + 1):
            total += factor[row, column] * z[column]
        out.append(normal_scores(total))
    return out


def gaussian_copula(
    names: Sequence[str], spearman: Mapping[Pair, float], *, nearest: bool = False
) -> tuple[Copula, dict[Pair, float]]:
    """Build a copula for streams with given rank correlations.

    Parameters
    ----------
    names : sequence of str
        A name for each stream, for messages.
    spearman : mapping of (stream, stream) to float
        Rank correlations; pairs that are not named are 0.
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
        If no joint distribution has these correlations; the message gives the nearest that exist.
    """
    used = dict(spearman)
    groups = []
    for members in _connected(spearman):
        local = {stream: place for place, stream in enumerate(members)}
        pairs = {pair: rho for pair, rho in spearman.items() if pair[0] in local}
        matrix = np.eye(len(members))
        for (one, other), rho in pairs.items():
            matrix[local[one], local[other]] = matrix[local[other], local[one]] = 2 * math.sin(math.pi * rho / 6)
        if np.linalg.eigvalsh(matrix)[0] < 1e-10:
            possible = nearest_correlation(matrix)
            changed = {
                (one, other): 6 / math.pi * math.asin(possible[local[one], local[other]] / 2)
                for one, other in itertools.combinations(members, 2)
            }
            # A pair that nobody named was 0; where the nearest matrix moves it, that is said as well.
            changed = {pair: rho for pair, rho in changed.items() if pair in pairs or abs(rho) >= 5e-4}
            if not nearest:
                raise CorrelationError(_impossible(names, pairs, changed))
            used.update(changed)
            matrix = possible
        groups.append((members, np.linalg.cholesky(matrix)))
    return Copula(tuple(groups)), used


def _impossible(names: Sequence[str], pairs: Mapping[Pair, float], changed: Mapping[Pair, float]) -> str:
    def table(values: Mapping[Pair, float]) -> str:
        # By name, since the order of the streams is nothing that a reader knows.
        rows = sorted((*sorted((names[a], names[b])), rho) for (a, b), rho in values.items())[:12]
        return ", ".join(f"({a}, {b}): {rho:.3f}" for a, b, rho in rows)

    return (
        f"rank correlations are not positive definite together: {table(pairs)} (pairs that are not named are 0); "
        f"the nearest that are: {table(changed)}; change them, or pass nearest=True to use these"
    )


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
