"""Stepwise formulas: what one cell cannot say is computed in several, which stand on a sheet of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from demandsim.workbook.formulas.terms import Term, choice, function, numeral

__all__ = ["Workspace", "wright_omega"]


@dataclass(frozen=True)
class Workspace:
    """Where the formulas of an equation may stand.

    Parameters
    ----------
    own : callable
        Gives the cell in which the result for a place will stand: a later year may refer to an earlier one.
    step : callable
        Puts a term into a cell of its own, and returns that cell.
    """

    own: Callable[[Mapping[str, int]], Term]
    step: Callable[[Term], Term]


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
