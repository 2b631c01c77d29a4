"""Mixed cohorts as formulas: what is bought of each kind of hardware, as `equations.cohorts` computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from demandsim.workbook.formulas.expressions import Expression
from demandsim.workbook.formulas.functions import JOINS
from demandsim.workbook.formulas.stepwise import Workspace
from demandsim.workbook.formulas.terms import UNKNOWN, Term, UntranslatableError, choice, function, numeral

__all__ = ["MixedPurchases", "share_served"]

_ZERO, _ONE = numeral(0), numeral(1)
#: How far the parts of a mix may be from one, as in the kernel.
_ROUNDING = numeral(1e-9)
_sum, _least, _most = JOINS["sum"], JOINS["min"], JOINS["max"]

Place = Mapping[str, int]


def share_served(life: Term, age: Term, period: Term) -> Term:
    """Share of a year for which a card of some age serves."""
    return _most([_ZERO, _least([_ONE, (life - age) / period])])


@dataclass
class MixedPurchases:
    """Purchases by year and kind of hardware, each in a few cells.

    Parameters
    ----------
    parts : sequence of Expression
        The arguments of the kernel: required, share, performance, life, elapsed, limit, initial, period.
    work : Workspace
    kinds : int
    """

    parts: Sequence[Expression]
    work: Workspace
    kinds: int
    _made: dict[tuple[tuple[str, int], ...], list[Term]] = field(default_factory=dict)

    def at(self, place: Place) -> Term:
        """Cards of one kind that are bought in a year."""
        others = tuple(sorted((dim, at) for dim, at in place.items() if dim != "hardware"))
        if others not in self._made:
            self._made[others] = self._year(dict(others))
        return self._made[others][place["hardware"]]

    def _year(self, place: dict[str, int]) -> list[Term]:
        required, share, performance, life, elapsed, limit, initial, period = (
            _reader(part, place) for part in self.parts
        )
        step, year, kinds = self.work.step, place["year"], range(self.kinds)
        if "hardware" in self.parts[0].dims:
            raise UntranslatableError("the work that all kinds of hardware share varies by hardware")

        def held(kind: int) -> Term:
            aged = _ONE - (elapsed(year, kind) - elapsed(0, kind)) / life(0, kind)
            pieces = [initial(0, kind) * performance(0, kind) * _most([_ZERO, _least([_ONE, aged])])]
            for past in range(year):
                bought = self.work.own({**place, "year": past, "hardware": kind})
                age = elapsed(year, kind) - elapsed(past, kind)
                pieces.append(bought * performance(past, kind) * share_served(life(past, kind), age, period(0, kind)))
            return step(_sum(pieces))

        missing = step(_most([required(year, 0) - _sum([held(kind) for kind in kinds]), _ZERO]))
        shares = [share(year, kind) for kind in kinds]
        apart = function("ABS", [_sum(shares) - _ONE], abs)
        whole = JOINS["all"]([apart.compared("<=", _ROUNDING), _least(shares).compared(">=", _ZERO)])
        lives = [life(past, kind) for kind in kinds for past in range(year + 1)]
        good = _least(list({one.text: one for one in lives}.values())).compared(">=", period(0, 0))
        missing = step(choice(JOINS["all"]([whole, good]), missing, UNKNOWN))
        speeds, most = [performance(year, kind) for kind in kinds], [limit(year, kind) for kind in kinds]
        wanted = [step(shares[kind] * missing / speeds[kind]) for kind in kinds]
        cards = [step(_least([wanted[kind], most[kind]])) for kind in kinds]
        short = JOINS["any"]([wanted[kind].compared(">", most[kind]) for kind in kinds])
        done = _sum([cards[kind] * speeds[kind] for kind in kinds])
        rest = step(choice(short, _most([missing - done, _ZERO]), _ZERO))
        # Each kind in turn takes over what is left, as far as there is supply.
        for kind in kinds:
            before = cards[kind]
            enough = step(before + rest / speeds[kind])
            cards[kind] = step(_least([enough, most[kind]]))
            left = _most([rest - (cards[kind] - before) * speeds[kind], _ZERO])
            rest = step(choice(enough.compared("<=", most[kind]), _ZERO, left))
        return cards


def _reader(part: Expression, place: Place) -> Callable[[int, int], Term]:
    return lambda year, kind: part.at({**place, "year": year, "hardware": kind})
