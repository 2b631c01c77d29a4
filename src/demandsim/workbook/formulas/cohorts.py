"""Cohorts as formulas: how the cards of a year wear out, cell by cell, as `equations.cohorts` computes them.

The kernels compute in place over years and draws, so that their source says nothing to a formula; here is the same
reckoning term by term. Every cell is compared with what the kernel has while a workbook is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from demandsim.workbook.formulas.expressions import Expression, Place, Workspace, as_expression
from demandsim.workbook.formulas.functions import JOINS
from demandsim.workbook.formulas.terms import UNKNOWN, Term, UntranslatableError, choice, function, numeral

__all__ = ["cohorts"]

_ZERO, _ONE = numeral(0), numeral(1)
#: How far the parts of a mix may be from one, as in the kernel.
_ROUNDING = numeral(1e-9)
_sum, _least, _most = JOINS["sum"], JOINS["min"], JOINS["max"]

Yearly = Callable[[int], Term]


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
    parts = [as_expression(value) for value in values]
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
        return _mixed(parts, sizes, work)
    if kernel not in writers or "year" not in sizes:
        raise UntranslatableError(
            f"'{getattr(kernel, '__name__', kernel)}' goes year by year in a way without a formula"
        )

    def written(place: dict[str, int]) -> Term:
        def yearly(at: Callable[[Place], Term]) -> Yearly:
            return lambda year: at({**place, "year": year})

        at = _Year(place["year"], sizes["year"], yearly(work.own))
        return writers[kernel](at, *(yearly(part.at) for part in parts))

    return Expression.of(sizes, written)


@dataclass(frozen=True)
class _Year:
    """A year whose cell is written: its place among how many, and the cells of the result itself."""

    now: int
    years: int
    own: Yearly


@dataclass(frozen=True)
class _Ages:
    """How long cards live that were bought in each year, and when the years begin."""

    life: Yearly
    elapsed: Yearly
    period: Yearly

    def share(self, bought: int, now: int) -> Term:
        """Share of a year for which a card of an earlier or the same year serves."""
        age = self.elapsed(now) - self.elapsed(bought)
        return _between((self.life(bought) - age) / self.period(0))

    def left_over(self, bought: Yearly, initial: Term, now: int) -> Term:
        """What is left of the purchases of earlier years, and of what there was before the first."""
        aged = _between(_ONE - (self.elapsed(now) - self.elapsed(0)) / self.life(0))
        return _sum([initial * aged, *(bought(past) * self.share(past, now) for past in range(now))])

    def lasting(self, now: int) -> Sequence[Term]:
        """Lives of the cards bought until a year, each once."""
        lives = [self.life(past) for past in range(now + 1)]
        return list({life.text: life for life in lives}.values())

    def checked(self, term: Term, now: int) -> Term:
        """The term, unknown where a life is shorter than the period of the model."""
        return choice(_least(self.lasting(now)).compared(">=", self.period(0)), term, UNKNOWN)


def _between(x: Term) -> Term:
    return _most([_ZERO, _least([_ONE, x])])


def _surviving(at: _Year, bought: Yearly, life: Yearly, elapsed: Yearly, initial: Yearly, period: Yearly) -> Term:
    ages = _Ages(life, elapsed, period)
    return ages.checked(ages.left_over(bought, initial(0), at.now), at.now)


def _bought(at: _Year, required: Yearly, *parts: Yearly) -> Term:
    life, elapsed, limit, initial, period = parts
    ages = _Ages(life, elapsed, period)
    missing = required(at.now) - ages.left_over(at.own, initial(0), at.now)
    return ages.checked(_least([_most([missing, _ZERO]), limit(at.now)]), at.now)


def _retired(at: _Year, in_service: Yearly, surviving: Yearly) -> Term:
    return in_service(at.now - 1) - surviving(at.now) if at.now else _ZERO * surviving(0)


def _written_off(at: _Year, paid: Yearly, life: Yearly, elapsed: Yearly, period: Yearly) -> Term:
    ages = _Ages(life, elapsed, period)
    pieces = [paid(past) / life(past) * ages.share(past, at.now) for past in range(at.now + 1)]
    return ages.checked(_sum(pieces), at.now)


def _ordered(at: _Year, bought: Yearly, lead: Yearly, elapsed: Yearly, period: Yearly) -> Term:
    def due(later: int) -> Term:
        apart = function("ABS", [lead(later) / period(0) - numeral(later - at.now)], abs)
        return bought(later) * _most([_ZERO, _ONE - apart])

    return _sum([due(later) for later in range(at.now, at.years)])


def _mixed(parts: Sequence[Expression], sizes: dict[str, int], work: Workspace) -> Expression:
    """Purchases of all kinds of hardware that together do the work required."""
    if "hardware" in parts[0].dims:
        raise UntranslatableError("the work that all kinds of hardware share varies by hardware")
    made: dict[tuple[tuple[str, int], ...], list[Term]] = {}

    def written(place: dict[str, int]) -> Term:
        others = {dim: at for dim, at in place.items() if dim != "hardware"}
        # All kinds of a year are bought together.
        cards = made.setdefault(tuple(others.items()), [])
        if not cards:
            cards += _bought_by_mix(parts, others, sizes["hardware"], work)
        return cards[place["hardware"]]

    return Expression.of(sizes, written)


def _bought_by_mix(parts: Sequence[Expression], place: dict[str, int], count: int, work: Workspace) -> list[Term]:
    """Cards of each kind that are bought in a year, each in a few cells."""
    step, now, kinds = work.step, place["year"], range(count)

    def kind_of(at: Callable[[Place], Term], kind: int) -> Yearly:
        return lambda year: at({**place, "year": year, "hardware": kind})

    by_kind = [[kind_of(part.at, kind) for part in parts] for kind in kinds]
    ages = [_Ages(life, elapsed, period) for *_, life, elapsed, _, _, period in by_kind]
    required, shares = by_kind[0][0](now), [row[1](now) for row in by_kind]
    speeds, most = [row[2](now) for row in by_kind], [row[5](now) for row in by_kind]

    def held(kind: int) -> Term:
        own, (_, _, speed, _, _, _, initial, _) = kind_of(work.own, kind), by_kind[kind]
        return step(ages[kind].left_over(lambda past: own(past) * speed(past), initial(0) * speed(0), now))

    missing = step(_most([required - _sum([held(kind) for kind in kinds]), _ZERO]))
    apart = function("ABS", [_sum(shares) - _ONE], abs)
    whole = JOINS["all"]([apart.compared("<=", _ROUNDING), _least(shares).compared(">=", _ZERO)])
    lives = {life.text: life for one in ages for life in one.lasting(now)}
    good = _least(list(lives.values())).compared(">=", ages[0].period(0))
    missing = step(choice(JOINS["all"]([whole, good]), missing, UNKNOWN))
    wanted = [step(share * missing / speed) for share, speed in zip(shares, speeds, strict=True)]
    cards = [step(_least([asked, limit])) for asked, limit in zip(wanted, most, strict=True)]
    short = JOINS["any"]([asked.compared(">", limit) for asked, limit in zip(wanted, most, strict=True)])
    done = _sum([bought * speed for bought, speed in zip(cards, speeds, strict=True)])
    rest = step(choice(short, _most([missing - done, _ZERO]), _ZERO))
    # Each kind in turn takes over what is left, as far as there is supply.
    for kind in kinds:
        before = cards[kind]
        enough = step(before + rest / speeds[kind])
        cards[kind] = step(_least([enough, most[kind]]))
        left = _most([rest - (cards[kind] - before) * speeds[kind], _ZERO])
        rest = step(choice(enough.compared("<=", most[kind]), _ZERO, left))
    return cards
