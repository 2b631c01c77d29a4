"""Dependence: rank correlations of assumptions spread over their streams, and the copula that has them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np

from demandsim._system import Array
from demandsim.errors import CorrelationError, CorrelationWarning, warn
from demandsim.graph.correlation import Correlations
from demandsim.graph.label_correlation import Decay, LabelKey, LabelRank, RankMatrix
from demandsim.sampling.copula import Copula, ImpossibleCopulaError, gaussian_copula
from demandsim.sampling.margin import Margin, margin_of, normal_correlation, rank_correlation
from demandsim.sampling.pairs import Numbers, Pair, labels_of_streams, numbers, pairs_of
from demandsim.sampling.program import InverseTransform, Layout

__all__ = ["Ties", "copula_of", "without_effect"]

Transforms = Mapping[str, InverseTransform]
LabelRanks = Mapping[LabelKey, LabelRank]

#: Pairs that a message lists: all those of 16 assumptions.
_LISTED = 120
#: Pairs of labels of two assumptions: each has a margin, and a copula of a thousand labels takes half a minute.
_MOST_PAIRS = 1_000_000
#: How far a rank correlation in one scenario may lie from what was asked before that is said.
_APART = 0.005


@dataclasses.dataclass(frozen=True)
class Ties:
    """How assumptions and their labels go together.

    Parameters
    ----------
    correlations : mapping of (name, name) to float
        Spearman rank correlations.
    labels : mapping of (name, name, dim) to float, Decay or RankMatrix
        Those between labels.
    tails : mapping of assumption to float
        Degrees of freedom of those whose group has a t copula.
    nearest : bool, default False
        Use the nearest possible correlations where the given ones are impossible.
    """

    correlations: Correlations
    labels: LabelRanks
    tails: Mapping[str, float]
    nearest: bool = False


def copula_of(ties: Ties, transforms: Transforms, layout: Layout) -> tuple[Copula, dict[Pair, float]]:
    """Build the copula that gives assumptions their rank correlations.

    Parameters
    ----------
    ties : Ties
    transforms : mapping of assumption to InverseTransform
    layout : Layout

    Returns
    -------
    Copula
    used : mapping of (stream, stream) to float
        The rank correlations in force.

    Raises
    ------
    CorrelationError
        If a pair cannot have its correlation, or not all can have theirs together; with what can be had.
    """
    correlations, labels = ties.correlations, ties.labels
    for name in {name for key in (*correlations, *labels) for name in key[:2]}:
        if any(variant.wholes for variant in transforms[name].variants):
            raise CorrelationError(
                f"'{name}' is shares of a whole, which are tied to each other and have no rank of their own to "
                "correlate; correlate what they depend on, or multiply by another assumption"
            )
    streams = labels_of_streams(transforms, layout)
    found = numbers(transforms, layout, _tied(correlations, labels, transforms))
    degrees = {stream: df for name, df in ties.tails.items() for stream in transforms[name].streams}

    def margins(one: int, other: int) -> tuple[Margin, Margin]:
        return _met(found, layout, (one, other))[0][1]

    def built(asked: Correlations, ranks: LabelRanks, nearest: bool) -> tuple[Copula, dict[Pair, float]]:
        spread = _stream_pairs(asked, ranks, transforms, layout)
        return gaussian_copula(streams, spread, margins=margins, degrees=degrees, nearest=nearest)

    def works(asked: Correlations, ranks: LabelRanks) -> bool:
        try:
            built(asked, ranks, False)
        except CorrelationError:
            return False
        return True

    try:
        copula, used = built(correlations, labels, ties.nearest)
    except ImpossibleCopulaError as error:
        possible, key = _possible(labels, lambda ranks: works({}, ranks))
        if key is not None:
            rank = labels[key]
            share = _largest(lambda share: works({}, {**possible, key: _scaled(rank, share)}))
            raise _impossible_labels(str(error), key, _scaled(rank, share), layout) from None
        near = _named(error.used, streams, correlations)
        typed = _typed(near, correlations, lambda asked: works(asked, labels))
        raise _impossible(str(error), correlations, typed) from None
    for pair, rho in used.items():
        _warn_of_others(_met(found, layout, pair), rho, copula.degrees[copula.group_of(pair[0]) or 0])
    return copula, used


def _tied(correlations: Correlations, labels: LabelRanks, transforms: Transforms) -> frozenset[int]:
    """Streams of the assumptions that any correlation is about."""
    names = {name for pair in (*correlations, *labels) for name in pair[:2]}
    return frozenset(stream for name in names for stream in transforms[name].streams)


def _possible(labels: LabelRanks, works: Callable[[LabelRanks], bool]) -> tuple[LabelRanks, LabelKey | None]:
    """Correlations of labels that can be had together, and the first beyond them that cannot, if there is one."""
    possible: dict[LabelKey, LabelRank] = {}
    # Labels of one assumption come first: those across two build on them.
    for key in sorted(labels, key=lambda key: key[0] != key[1]):
        if not works({**possible, key: labels[key]}):
            return possible, key
        possible[key] = labels[key]
    return possible, None


def _largest(works: Callable[[float], bool]) -> float:
    """Largest share of what was asked that works, to four digits."""
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return math.floor(low * 1e4) / 1e4


def _impossible_labels(reason: str, key: LabelKey, largest: LabelRank, layout: Layout) -> CorrelationError:
    """Labels that cannot go together as they are said to, and the largest part of it that can."""
    one, other, dim = key
    words = f"labels of '{one}'" if one == other else f"labels of '{one}' and '{other}'"
    labels = layout.coords[dim]
    shown = f"{largest}"
    if isinstance(largest, RankMatrix):
        shown = repr(
            {
                row: {column: rho for column, rho in zip(labels, values, strict=True) if one != other or row != column}
                for row, values in zip(labels, largest.values, strict=True)
            }
        )
    return CorrelationError(
        f"{words} along '{dim}': {reason}; as much of it as can be had, to be given as it stands: rank={shown}; or "
        "pass nearest=True to use the nearest"
    )


def _scaled(rank: LabelRank, share: float) -> LabelRank:
    """Rank correlations of labels, less of them."""
    if isinstance(rank, float):
        return round(rank * share, 6)
    if isinstance(rank, Decay):
        return dataclasses.replace(rank, rank=round(rank.rank * share, 6))
    values = tuple(tuple(rho if rho == 1 else round(rho * share, 6) for rho in row) for row in rank.values)
    return RankMatrix(rank.labels, values)


def without_effect(
    correlations: Correlations, labels: LabelRanks, transforms: Transforms, layout: Layout
) -> dict[tuple[str, str], str]:
    """Pairs of assumptions of which one is a sure value wherever they occur together, and why, in words."""
    found = numbers(transforms, layout, _tied(correlations, labels, transforms))
    said: dict[tuple[str, str], tuple[Correlations, LabelRanks]]
    said = {pair: ({pair: rho}, {}) for pair, rho in correlations.items()}
    said |= {key[:2]: ({}, {key: rank}) for key, rank in labels.items()}
    void = {}
    for pair, (asked, ranks) in said.items():
        met = [at for both in _stream_pairs(asked, ranks, transforms, layout) for at in _met(found, layout, both)]
        if all(any(margin.is_constant for margin in margins) for _, margins in met):
            words = f"'{pair[0]}' and '{pair[1]}'" if pair[0] != pair[1] else f"labels of '{pair[0]}'"
            void[pair] = f"the rank correlation of {words} has no effect: {_sure(pair, transforms)}"
    return void


def _sure(pair: tuple[str, str], transforms: Transforms) -> str:
    sure = [f"'{name}'" for name in dict.fromkeys(pair) if not transforms[name].varying.random]
    if not sure:
        return "wherever one of them is uncertain the other is a sure value"
    return f"{' and '.join(sure)} {'is a sure value' if len(sure) == 1 else 'are sure values'}"


def _met(found: Numbers, layout: Layout, pair: Pair) -> list[tuple[str, tuple[Margin, Margin]]]:
    """Where the numbers of two streams occur together, as words, and their margins: first where both are random."""
    met = [
        (" and ".join(sorted((one.label, other.label))), (margin_of(one.law), margin_of(other.law)))
        for one, other in pairs_of(found, layout, pair)
    ]
    return [at for at in met if not any(margin.is_constant for margin in at[1])] or met[:1]


def _warn_of_others(met: list[tuple[str, tuple[Margin, Margin]]], rho: float, df: float | None) -> None:
    """Say where laws of other scenarios have other ties, so that one copula gives them another correlation."""
    first = met[0][1]
    if any(margin.is_constant for margin in first):
        return
    for where, margins in met[1:]:
        if margins != first:
            other = rank_correlation(*margins, normal_correlation(*first, rho, df), df)
            if abs(other - rho) > _APART:
                warn(
                    f"the rank correlation {rho:g} is that of {met[0][0]}; {where} share other values, and theirs is "
                    f"{other:.3f}",
                    CorrelationWarning,
                )


def _named(used: Mapping[Pair, float], labels: Mapping[int, str], asked: Correlations) -> dict[tuple[str, str], float]:
    """Correlations of streams by the names of their assumptions, as the user gives them: means over labels."""
    values: dict[tuple[str, str], list[float]] = {}
    for pair, rho in used.items():
        one, other = sorted(labels[stream].partition("[")[0] for stream in pair)
        if one != other:
            values.setdefault((other, one) if (other, one) in asked else (one, other), []).append(rho)
    return {key: sum(rows) / len(rows) for key, rows in sorted(values.items())}


def _typed(near: Correlations, asked: Correlations, works: Callable[[Correlations], bool]) -> Correlations:
    """Numbers that can be typed in: the nearest, as short as they still work; or all that were asked, smaller.

    Labels can stand in the way of the nearest, which also correlates them with each other.
    """
    for digits in range(4, 18):
        short = {pair: round(rho, digits) for pair, rho in near.items() if round(rho, digits) or pair in asked}
        if works(short):
            return short
    share = _largest(lambda share: works({pair: round(share * rho, 6) for pair, rho in asked.items()}))
    return {pair: round(share * rho, 6) for pair, rho in asked.items()}


def _impossible(reason: str, asked: Correlations, typed: Correlations) -> CorrelationError:
    error = CorrelationError(
        f"{reason}: {_listed(asked)} (pairs that are not named are 0); the nearest that can be had, to be given as "
        f"they stand: {_listed(typed)}; or pass nearest=True to use the nearest"
    )
    error.nearest = dict(typed)
    return error


def _listed(values: Correlations) -> str:
    """Pairs as they are typed in; of very many the first."""
    shown = [f"{pair!r}: {rho!r}" for pair, rho in list(values.items())[:_LISTED]]
    if len(values) > len(shown):
        shown.append(f"... {len(values) - len(shown)} more, in the attribute 'nearest' of this error")
    return "{" + ", ".join(shown) + "}"


def _stream_pairs(
    correlations: Correlations, labels: LabelRanks, transforms: Transforms, layout: Layout
) -> dict[Pair, float]:
    """Spread correlations of assumptions over their elements: equal labels go together, others as they are said to."""
    along: dict[tuple[str, str], dict[str, Array]] = {}
    for (one, other, dim), rank in labels.items():
        count = layout.size(dim)
        matrix = np.full((count, count), rank) if isinstance(rank, float) else rank.between(dim, layout.coords[dim])
        if one == other:
            np.fill_diagonal(matrix, 1.0)
        along.setdefault((one, other), {})[dim] = matrix
    pairs: dict[Pair, float] = {}
    for one, other in correlations:
        if (one, other) in along or (other, one) in along:
            raise CorrelationError(
                f"'{one}' and '{other}' are correlated with correlate and, label by label, with correlate_labels; "
                "leave one out"
            )
    said = {**dict.fromkeys(along, 1.0), **correlations}
    for one, other in said:
        count = len(transforms[one].streams) * len(transforms[other].streams)
        if count > _MOST_PAIRS:
            raise CorrelationError(
                f"the labels of '{one}' and '{other}' are {count:,} pairs; at most {_MOST_PAIRS:,} are correlated: "
                "use fewer labels, or one draw for all of them (shared=True)"
            )
    for (one, other), rho in said.items():
        across = _across(one, other, along)
        for a, b in itertools.product(_elements(transforms[one], layout), _elements(transforms[other], layout)):
            if a[0] != b[0]:
                # What differs in several dims goes together by the product of all.
                value = rho * math.prod(
                    across[dim][a[1][dim], b[1][dim]] if dim in across else float(a[1][dim] == b[1][dim])
                    for dim in a[1].keys() & b[1].keys()
                )
                if value or all(a[1][dim] == b[1][dim] for dim in a[1].keys() & b[1].keys()):
                    pairs[min(a[0], b[0]), max(a[0], b[0])] = value
    return pairs


def _across(one: str, other: str, along: Mapping[tuple[str, str], Mapping[str, Array]]) -> dict[str, Array]:
    """How labels of two assumptions go together: as is said, or as those of either do if both do alike."""
    if (one, other) in along or one == other:
        return dict(along.get((one, other), {}))
    first, second = along.get((one, one), {}), along.get((other, other), {})
    return {dim: matrix for dim, matrix in first.items() if dim in second and np.array_equal(matrix, second[dim])}


def _elements(transform: InverseTransform, layout: Layout) -> list[tuple[int, dict[str, int]]]:
    if len(transform.streams) == 1:
        return [(transform.streams[0], {})]
    places = itertools.product(*(range(layout.size(dim)) for dim in transform.dims))
    return [
        (stream, dict(zip(transform.dims, place, strict=True)))
        for stream, place in zip(transform.streams, places, strict=True)
    ]
