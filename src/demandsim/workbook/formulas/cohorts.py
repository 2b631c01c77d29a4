"""Cohorts as formulas: how the cards of a year wear out, cell by cell, as `equations.cohorts` computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from demandsim.workbook.formulas.expressions import Expression
from demandsim.workbook.formulas.functions import JOINS
from demandsim.workbook.formulas.mixed_cohorts import MixedPurchases, share_served
from demandsim.workbook.formulas.stepwise import Workspace
from demandsim.workbook.formulas.terms import UNKNOWN, Term, UntranslatableError, choice, numeral

__all__ = ["cohorts"]

_ZERO, _ONE = numeral(0), numeral(1)
_sum, _least, _most = JOINS["sum"], JOINS["min"], JOINS["max"]


def cohorts(called: Any, arguments: Sequence[Any], work: Workspace) -> Expression | None:
    """Write a call of ``over_years`` as formulas; None if it is another call.

    Raises
    ------
    UntranslatableError
        If its kernel has no formula.
    """
    from demandsim.equations import cohorts as kernels

    if called is not kernels.over_years:
        return None
    kernel, *values = arguments
    parts = [v if isinstance(v, Expression) else Expression.single(numeral(float(v))) for v in values]
    sizes: dict[str, int] = {}
    for part in parts:
        sizes |= part.lengths
    writers: dict[Any, Callable[..., Term]] = {
        kernels.purchases: _bought,
        kernels.survivors: _surviving,
        kernels.retirements: _retired,
        kernels.written_off: _written_off,
        kernels.fallen_due: _ordered,
    }
    if kernel is kernels.mixed_purchases and {"year", "hardware"} <= sizes.keys():
        return Expression.of(sizes, MixedPurchases(parts, work, sizes["hardware"]).at)
    if kernel not in writers or "year" not in sizes:
        raise UntranslatableError(
            f"'{getattr(kernel, '__name__', kernel)}' goes year by year in a way without a formula"
        )
    years = sizes["year"]

    def written(place: dict[str, int]) -> Term:
        def of(part: Expression) -> Callable[[int], Term]:
            return lambda year: part.at({**place, "year": year})

        def earlier(year: int) -> Term:
            return work.own({**place, "year": year})

        return writers[kernel](place["year"], years, earlier, *(of(part) for part in parts))

    return Expression.of(sizes, written)


Yearly = Callable[[int], Term]


def _between(x: Term) -> Term:
    return _most([_ZERO, _least([_ONE, x])])


def _share(life: Yearly, elapsed: Yearly, period: Yearly, bought: int, year: int) -> Term:
    """Share of a year for which a card of an earlier or the same year serves."""
    return share_served(life(bought), elapsed(year) - elapsed(bought), period(0))


def _checked(term: Term, lives: Sequence[Term], period: Yearly) -> Term:
    """The term, unknown where a life is shorter than the period of the model."""
    distinct = list({life.text: life for life in lives}.values())
    return choice(_least(distinct).compared(">=", period(0)), term, UNKNOWN)


def _left_over(bought: Yearly, life: Yearly, elapsed: Yearly, initial: Yearly, period: Yearly, year: int) -> Term:
    aged = _between(_ONE - (elapsed(year) - elapsed(0)) / life(0))
    return _sum([initial(0) * aged, *(bought(v) * _share(life, elapsed, period, v, year) for v in range(year))])


def _surviving(
    year: int, years: int, own: Yearly, bought: Yearly, life: Yearly, elapsed: Yearly, initial: Yearly, period: Yearly
) -> Term:
    left = _left_over(bought, life, elapsed, initial, period, year)
    return _checked(left, [life(v) for v in range(year + 1)], period)


def _bought(
    year: int,
    years: int,
    own: Yearly,
    required: Yearly,
    life: Yearly,
    elapsed: Yearly,
    limit: Yearly,
    initial: Yearly,
    period: Yearly,
) -> Term:
    missing = required(year) - _left_over(own, life, elapsed, initial, period, year)
    found = _least([_most([missing, _ZERO]), limit(year)])
    return _checked(found, [life(v) for v in range(year + 1)], period)


def _retired(year: int, years: int, own: Yearly, in_service: Yearly, surviving: Yearly) -> Term:
    return in_service(year - 1) - surviving(year) if year else _ZERO * surviving(0)


def _written_off(
    year: int, years: int, own: Yearly, paid: Yearly, life: Yearly, elapsed: Yearly, period: Yearly
) -> Term:
    pieces = [paid(v) / life(v) * _share(life, elapsed, period, v, year) for v in range(year + 1)]
    return _checked(_sum(pieces), [life(v) for v in range(year + 1)], period)


def _ordered(year: int, years: int, own: Yearly, bought: Yearly, lead: Yearly, elapsed: Yearly, period: Yearly) -> Term:
    from demandsim.workbook.formulas.terms import function

    def due(later: int) -> Term:
        apart = lead(later) / period(0) - numeral(later - year)
        return bought(later) * _most([_ZERO, _ONE - function("ABS", [apart], abs)])

    return _sum([due(later) for later in range(year, years)])
