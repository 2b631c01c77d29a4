"""Label correlation: how the labels of an assumption move together, by one number, by distance or by a matrix."""

from __future__ import annotations

import json
import math
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution
from demandsim.distributions.format import is_labelled, labels_along
from demandsim.errors import CorrelationError, check_known, did_you_mean
from demandsim.graph.assumption import Assumption

__all__ = [
    "Decay",
    "LabelKey",
    "LabelRank",
    "RankMatrix",
    "ar1",
    "checked_label_correlations",
    "exponential",
    "replaced_labels",
    "written_rank",
]

#: Two assumptions, or twice the same, and a dim.
LabelKey = tuple[str, str, str]


@dataclass(frozen=True)
class Decay:
    """Rank correlation that falls with the distance between two labels: ``rank ** (distance / step)``.

    Parameters
    ----------
    family : str
        The function that made it.
    rank : float
        Rank correlation of two labels that are one step apart.
    step : float or None
        Distance, in the units of the labels (days for dates); that of the two lowest labels if None.
    """

    family: str
    rank: float
    step: float | None = None

    def __str__(self) -> str:
        if self.family == "exponential":
            return f"exponential({self.step!r})"
        return f"ar1({self.rank!r})" if self.step is None else f"ar1({self.rank!r}, step={self.step!r})"

    def between(self, dim: str, labels: Sequence[Any]) -> Array:
        """Matrix of rank correlations of all labels of a dim."""
        places = _places(dim, labels)
        lowest = np.sort(places)[:2]
        step = self.step if self.step is not None else float(np.ptp(lowest)) if len(lowest) > 1 else 1.0
        distance = np.abs(np.subtract.outer(places, places)) / step
        if self.rank < 0 and not np.allclose(distance, np.round(distance), atol=1e-9):
            raise CorrelationError(
                f"{self} along '{dim}': a negative rank correlation has no meaning between steps, and the labels are "
                "not whole steps apart; give a positive one, or a matrix"
            )
        if self.rank < 0:
            distance = np.round(distance)
        return np.asarray(self.rank**distance, dtype=np.float64)


@dataclass(frozen=True)
class RankMatrix:
    """Rank correlations by label, rows and columns in the order of the labels.

    Parameters
    ----------
    labels : tuple
    values : tuple of tuple of float
    """

    labels: tuple[Any, ...]
    values: tuple[tuple[float, ...], ...]

    def __str__(self) -> str:
        return json.dumps([list(row) for row in self.values])

    def between(self, dim: str, labels: Sequence[Any]) -> Array:
        """Matrix of rank correlations of all labels of a dim."""
        if tuple(labels) != self.labels:
            raise CorrelationError(
                f"rank correlations along '{dim}' are given for the labels {list(self.labels)}, and the model has "
                f"{list(labels)}; give them anew with model.correlate_labels"
            )
        return np.array(self.values, dtype=np.float64)


#: One number for all pairs of labels, or by distance, or a matrix.
LabelRank = float | Decay | RankMatrix


def ar1(rank: float, *, step: float | None = None) -> Decay:
    r"""Rank correlations of a first-order autoregression: `rank` between neighbours, less the farther apart.

    Parameters
    ----------
    rank : float
        Rank correlation of two labels one step apart, between -1 and 1.
    step : float, optional
        Length of a step in the units of the labels (days for dates); that of the two lowest labels by default.

    Returns
    -------
    Decay
        For ``model.correlate_labels``.

    Raises
    ------
    CorrelationError
        If `rank` is not between -1 and 1, or `step` is not positive.

    Notes
    -----
    .. math:: \rho_s(d) = \rho^{d / \mathrm{step}}

    for two labels that are d apart, also where labels are unevenly spaced. Source: Box, Jenkins, Reinsel and Ljung,
    Time Series Analysis, 5th ed. (2015), section 3.2.

    Examples
    --------
    >>> ar1(0.8).between("year", [2025, 2026, 2028]).round(3)
    array([[1.   , 0.8  , 0.512],
           [0.8  , 1.   , 0.64 ],
           [0.512, 0.64 , 1.   ]])
    """
    if not -1 < float(rank) < 1:
        raise CorrelationError(f"ar1: rank must lie between -1 and 1, not {rank!r}")
    if step is not None and not 0 < float(step) < math.inf:
        raise CorrelationError(f"ar1: step must be a positive number, not {step!r}")
    return Decay("ar1", float(rank), None if step is None else float(step))


def exponential(scale: float) -> Decay:
    r"""Rank correlations that fall exponentially with the distance between labels.

    Parameters
    ----------
    scale : float
        Distance over which the rank correlation falls to 1/e, in the units of the labels (days for dates).

    Returns
    -------
    Decay
        For ``model.correlate_labels``.

    Raises
    ------
    CorrelationError
        If `scale` is not positive.

    Notes
    -----
    .. math:: \rho_s(d) = e^{-d / \mathrm{scale}}

    Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), section 4.2.1.

    Examples
    --------
    >>> exponential(3).between("year", [2025, 2026, 2030]).round(3)
    array([[1.   , 0.717, 0.189],
           [0.717, 1.   , 0.264],
           [0.189, 0.264, 1.   ]])
    """
    if not 0 < float(scale) < math.inf:
        raise CorrelationError(f"exponential: scale must be a positive number, not {scale!r}")
    return Decay("exponential", math.exp(-1), float(scale))


def _places(dim: str, labels: Sequence[Any]) -> Array:
    """Labels as numbers: dates in days."""
    values = np.asarray(labels)
    if values.dtype.kind == "M":
        days: Array = (values - values[0]) / np.timedelta64(1, "D")
        return days
    if values.dtype.kind not in "iuf":
        raise CorrelationError(
            f"labels of '{dim}' such as {labels[0]!r} have no distance; give one number for all pairs, or a matrix"
        )
    return values.astype(np.float64)


_CALL = re.compile(r"\s*(ar1|exponential)\s*\(\s*([-+.\deE]+)\s*(?:,\s*step\s*=\s*([-+.\deE]+)\s*)?\)\s*")


def _read(text: str) -> Any:
    """What a text says: ``ar1(0.8)``, ``exponential(3)``, a number, or rows of numbers."""
    found = _CALL.fullmatch(text)
    try:
        if found is None:
            return json.loads(text)
        family, number, step = found.groups()
        if family == "exponential":
            return exponential(float(number)) if step is None else None
        return ar1(float(number), step=None if step is None else float(step))
    except ValueError as error:
        if isinstance(error, CorrelationError):
            raise
    raise CorrelationError(
        f"rank correlation '{text}' cannot be read; write a number, 'ar1(0.8)', 'exponential(3)' or rows of numbers"
    )


def checked_label_correlations(
    given: Mapping[Any, Any], assumptions: Mapping[str, Assumption]
) -> dict[LabelKey, LabelRank]:
    """Read rank correlations between labels as given, by (assumption, dim) or (one, other, dim).

    Raises
    ------
    CorrelationError
        If an assumption has no such dim, or one draw for all of it; if a number is not between -1 and 1; if a matrix
        does not fit the labels.
    UnknownNameError
        If there is no such assumption.
    """
    made: dict[LabelKey, LabelRank] = {}
    for key, rank in given.items():
        one, other, dim = key if len(key) == 3 else (key[0], key[0], key[1])
        check_known((one, other), assumptions, "assumption in a correlation of labels:")
        for name in (one, other):
            _check_dim(name, assumptions[name], dim)
        if (one, other, dim) in made or (other, one, dim) in made:
            raise CorrelationError(f"{_words(one, other)} are given rank correlations along '{dim}' twice")
        labels = tuple(assumptions[one].distribution.coords[dim])
        made[one, other, dim] = _checked_rank(rank, _words(one, other), dim, labels, one == other)
    return made


def written_rank(rank: LabelRank) -> Any:
    """A rank correlation of labels as a study file has it: a number, a text, or rows in the order of the labels."""
    return (
        [list(row) for row in rank.values]
        if isinstance(rank, RankMatrix)
        else rank
        if isinstance(rank, float)
        else str(rank)
    )


def replaced_labels(
    given: Mapping[LabelKey, LabelRank], new: Mapping[LabelKey, LabelRank]
) -> dict[LabelKey, LabelRank]:
    """Add rank correlations of labels; what is there for the same assumptions and dim gives way."""
    gone = {*new, *((other, one, dim) for one, other, dim in new)}
    return {key: rank for key, rank in given.items() if key not in gone} | dict(new)


def _words(one: str, other: str) -> str:
    return f"labels of '{one}'" if one == other else f"labels of '{one}' and '{other}'"


def _check_dim(name: str, assumption: Assumption, dim: str) -> None:
    distribution: Distribution = assumption.distribution
    if dim not in distribution.dims:
        near = did_you_mean(dim, distribution.dims) if distribution.dims else "; it is a single number: model.correlate"
        raise CorrelationError(f"assumption '{name}' has no dim '{dim}'{near}")
    if assumption.shared:
        raise CorrelationError(
            f"assumption '{name}' has one shared draw for all labels of '{dim}', which move as one already; make it "
            "shared=False to correlate them"
        )


def _checked_rank(rank: Any, words: str, dim: str, labels: tuple[Any, ...], within: bool) -> LabelRank:
    rank = _read(rank) if isinstance(rank, str) else rank
    if isinstance(rank, Decay):
        if not within:
            raise CorrelationError(
                f"{words}: {rank} says nothing of two assumptions; give a number or a matrix by label"
            )
        rank.between(dim, labels)
        return rank
    if isinstance(rank, numbers.Real):
        if not -1 < float(rank) < 1:
            raise CorrelationError(f"{words} along '{dim}': a rank correlation must lie between -1 and 1, not {rank!r}")
        return float(rank)
    if isinstance(rank, RankMatrix):
        rank.between(dim, labels)
        return rank
    matrix = _matrix(rank, words, dim, labels, within)
    _check_matrix(matrix, words, dim, labels, within)
    return RankMatrix(labels, tuple(map(tuple, matrix.tolist())))


def _matrix(rank: Any, words: str, dim: str, labels: tuple[Any, ...], within: bool) -> Array:
    """A matrix in the order of the labels, from a DataArray, a DataFrame, nested mappings or rows."""
    table = _by_label(rank)
    where = f"{words} along '{dim}'"
    if table is None:
        try:
            matrix = np.array(rank, dtype=np.float64)
        except (TypeError, ValueError):
            raise CorrelationError(f"{where}: {rank!r} is no number, matrix, ar1(...) or exponential(...)") from None
        if matrix.shape != (len(labels), len(labels)):
            raise CorrelationError(
                f"{where}: a matrix of shape {matrix.shape} is given for {len(labels)} labels {list(labels)}"
            )
        return matrix
    # What is not named is 0, and a label goes with itself.
    matrix = np.eye(len(labels)) if within else np.zeros((len(labels), len(labels)))
    named: dict[tuple[int, int], float] = {}
    for row, columns in table.items():
        for column, value in columns.items():
            for label in (row, column):
                if label not in labels:
                    raise CorrelationError(
                        f"{where}: unknown label {label!r}{did_you_mean(str(label), map(str, labels))}; it has "
                        f"{list(labels)}"
                    )
            named[labels.index(row), labels.index(column)] = float(value)
    for (i, j), value in named.items():
        matrix[i, j] = value
        if within and (j, i) not in named:
            matrix[j, i] = value
    return matrix


def _by_label(rank: Any) -> dict[Any, dict[Any, float]] | None:
    """Rows of a table that names its labels; None if it does not."""
    if is_labelled(rank):
        if rank.ndim != 2 or not all(dim in rank.coords for dim in rank.dims):
            raise CorrelationError("a matrix by label is a DataArray with two dims, both with labels")
        rows, columns = (list(labels_along(rank, dim)) for dim in rank.dims)
        values = rank.values.tolist()
    elif hasattr(rank, "index") and hasattr(rank, "columns"):
        rows, columns, values = list(rank.index), list(rank.columns), rank.to_numpy().tolist()
    elif isinstance(rank, Mapping):
        if not all(isinstance(columns, Mapping) for columns in rank.values()):
            raise CorrelationError("rank correlations by label are given as {'one': {'other': 0.5}}")
        return {row: dict(columns) for row, columns in rank.items()}
    else:
        return None
    return {row: dict(zip(columns, line, strict=True)) for row, line in zip(rows, values, strict=True)}


def _check_matrix(matrix: Array, words: str, dim: str, labels: Iterable[Any], within: bool) -> None:
    names = [str(label) for label in labels]
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            value = matrix[i, j]
            where = f"{words} along '{dim}', {one} and {other}"
            if within and i == j:
                if value != 1:
                    raise CorrelationError(f"{where}: a label goes with itself by 1, not {value:g}")
            elif not -1 < value < 1:
                raise CorrelationError(f"{where}: a rank correlation must lie between -1 and 1, not {value:g}")
            elif within and value != matrix[j, i]:
                raise CorrelationError(f"{where}: {value:g} one way round and {matrix[j, i]:g} the other; give one")
