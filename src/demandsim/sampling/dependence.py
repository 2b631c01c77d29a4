"""Dependence: rank correlations of assumptions spread over their streams, and the copula that has them."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping

from demandsim.errors import CorrelationError, CorrelationWarning
from demandsim.graph.correlation import Correlations
from demandsim.sampling.copula import Copula, ImpossibleCopulaError, gaussian_copula
from demandsim.sampling.margin import Margin, margin_of, normal_correlation, rank_correlation
from demandsim.sampling.pairs import Pair, labels_of_streams, pairs_of
from demandsim.sampling.program import InverseTransform, Layout

__all__ = ["copula_of", "without_effect"]

Transforms = Mapping[str, InverseTransform]

#: Pairs that a message lists: all those of 16 assumptions.
_LISTED = 120
#: How far a rank correlation in one scenario may lie from what was asked before that is said.
_APART = 0.005


def copula_of(
    correlations: Correlations, transforms: Transforms, layout: Layout, *, nearest: bool = False
) -> tuple[Copula, dict[Pair, float]]:
    """Build the copula that gives assumptions their rank correlations.

    Parameters
    ----------
    correlations : mapping of (name, name) to float
        Spearman rank correlations.
    transforms : mapping of assumption to InverseTransform
    layout : Layout
    nearest : bool, default False
        Use the nearest possible correlations where the given ones are impossible.

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
    labels = labels_of_streams(transforms, layout)

    def margins(one: int, other: int) -> tuple[Margin, Margin]:
        return _met(transforms, layout, (one, other))[0][1]

    def built(asked: Correlations, nearest: bool) -> tuple[Copula, dict[Pair, float]]:
        spread = _stream_pairs(asked, transforms, layout)
        return gaussian_copula(labels, spread, margins=margins, nearest=nearest)

    def works(asked: Correlations) -> bool:
        try:
            built(asked, False)
        except CorrelationError:
            return False
        return True

    try:
        copula, used = built(correlations, nearest)
    except ImpossibleCopulaError as error:
        near = _named(error.used, labels, correlations)
        raise _impossible(str(error), correlations, _typed(near, correlations, works)) from None
    for pair, rho in used.items():
        _warn_of_others(_met(transforms, layout, pair), rho)
    return copula, used


def without_effect(correlations: Correlations, transforms: Transforms, layout: Layout) -> dict[tuple[str, str], str]:
    """Pairs of assumptions of which one is a sure value wherever they occur together, and why, in words."""
    found: dict[tuple[str, str], list[bool]] = {}
    for (one, other), rho in correlations.items():
        for pair in _stream_pairs({(one, other): rho}, transforms, layout):
            sure = [any(margin.is_constant for margin in margins) for _, margins in _met(transforms, layout, pair)]
            found.setdefault((one, other), []).extend(sure)
    return {
        pair: f"the rank correlation of '{pair[0]}' and '{pair[1]}' has no effect: {_sure(pair, transforms)}"
        for pair, sure in found.items()
        if all(sure)
    }


def _sure(pair: tuple[str, str], transforms: Transforms) -> str:
    sure = [f"'{name}'" for name in pair if not transforms[name].varying.random]
    if not sure:
        return "wherever one of them is uncertain the other is a sure value"
    return f"{' and '.join(sure)} {'is a sure value' if len(sure) == 1 else 'are sure values'}"


def _met(transforms: Transforms, layout: Layout, pair: Pair) -> list[tuple[str, tuple[Margin, Margin]]]:
    """Where the numbers of two streams occur together, as words, and their margins: first where both are random."""
    found = [
        (" and ".join(sorted((one.label, other.label))), (margin_of(one.law), margin_of(other.law)))
        for one, other in pairs_of(transforms, layout, pair)
    ]
    return [at for at in found if not any(margin.is_constant for margin in at[1])] or found[:1]


def _warn_of_others(met: list[tuple[str, tuple[Margin, Margin]]], rho: float) -> None:
    """Say where laws of other scenarios have other ties, so that one copula gives them another correlation."""
    first = met[0][1]
    if any(margin.is_constant for margin in first):
        return
    for where, margins in met[1:]:
        if margins != first:
            other = rank_correlation(*margins, normal_correlation(*first, rho))
            if abs(other - rho) > _APART:
                warnings.warn(
                    f"the rank correlation {rho:g} is that of {met[0][0]}; {where} share other values, and theirs is "
                    f"{other:.3f}",
                    CorrelationWarning,
                    stacklevel=2,
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
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if works({pair: middle * rho for pair, rho in asked.items()}) else (low, middle)
    return {pair: math.trunc(low * rho * 1e4) / 1e4 for pair, rho in asked.items()}


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


def _stream_pairs(correlations: Correlations, transforms: Transforms, layout: Layout) -> dict[Pair, float]:
    """Spread correlations of assumptions over their elements: equal labels go together."""
    pairs: dict[Pair, float] = {}
    for (one, other), rho in correlations.items():
        first, second = transforms[one], transforms[other]
        for a, b in itertools.product(_elements(first, layout), _elements(second, layout)):
            if all(a[1][dim] == b[1][dim] for dim in a[1].keys() & b[1].keys()):
                pair = (min(a[0], b[0]), max(a[0], b[0]))
                if pairs.setdefault(pair, rho) != rho:
                    raise CorrelationError(f"'{one}' and '{other}' are given two correlations")
    return pairs


def _elements(transform: InverseTransform, layout: Layout) -> list[tuple[int, dict[str, int]]]:
    if len(transform.streams) == 1:
        return [(transform.streams[0], {})]
    places = itertools.product(*(range(layout.size(dim)) for dim in transform.dims))
    return [
        (stream, dict(zip(transform.dims, place, strict=True)))
        for stream, place in zip(transform.streams, places, strict=True)
    ]
