"""Special functions as formulas: those that scipy and `equations.processes` compute in a way no formula can copy."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from demandsim.workbook.formulas.expressions import Expression, as_expression
from demandsim.workbook.formulas.functions import JOINS
from demandsim.workbook.formulas.terms import Term, choice, function, numeral

__all__ = ["persisted", "wright_omega"]


def persisted(shock: Any, persistence: Any, dim: str, *, step: Callable[[Term], Term]) -> Expression:
    """Shocks of which a part lives on, added up along a dim as ``equations.processes.persisted`` does."""
    shocks, lasting = as_expression(shock), as_expression(persistence)
    sizes = {**lasting.lengths, **shocks.lengths}

    def written(place: dict[str, int]) -> Term:
        def part(earlier: int) -> Term:
            age, there = place[dim] - earlier, {**place, dim: earlier}
            if age == 0:
                return shocks.at(there)
            left = lasting.at(there)
            return shocks.at(there) * (left if age == 1 else left ** numeral(age))

        return JOINS["sum"]([part(earlier) for earlier in range(place[dim] + 1)])

    @functools.cache
    def stepped(*spot: int) -> Term:
        """The same where what is kept varies: each label in a cell, to which the next one refers."""
        place = dict(zip(sizes, spot, strict=True))
        if place[dim] == 0:
            return shocks.at(place)
        before = stepped(*{**place, dim: place[dim] - 1}.values())
        return step(lasting.at(place) * before + shocks.at(place))

    varies = dim in lasting.lengths
    return Expression.of(sizes, (lambda place: stepped(*place.values())) if varies else written)


def wright_omega(z: Term, step: Callable[[Term], Term]) -> Term:
    r"""Solve :math:`w + \ln w = z` by the iteration of Fritsch, Shafer and Crowley, of fourth order.

    .. math:: w' = w \left(1 + \frac{r}{1 + w} \, \frac{t - r}{t - 2 r}\right), \quad r = z - w - \ln w, \quad
        t = 2 (1 + w) \left(1 + w + \tfrac{2}{3} r\right)

    Source: Lawrence, Corless and Jeffrey, "Algorithm 917: complex double-precision evaluation of the Wright omega
    function", ACM Transactions on Mathematical Software 38 (2012).
    """
    one, two = numeral(1), numeral(2)

    def logarithm(x: Term) -> Term:
        return function("LN", [x], math.log)

    asked, least = step(z), numeral(-100)
    # Far below, the solution is e^z to the last bit, and its logarithm might have no cell.
    z = step(function("MAX", [asked, least], max))
    grown = function("EXP", [z], math.exp)
    w = step(choice(z.compared(">", one), z - logarithm(z), grown / (one + grown)))
    for _ in range(3):
        r = step(z - w - logarithm(w))
        t = step(two * (one + w) * (one + w + two * r / numeral(3)))
        w = step(w * (one + r / (one + w) * ((t - r) / (t - two * r))))
    return choice(asked.compared("<", least), function("EXP", [asked], math.exp), w)
