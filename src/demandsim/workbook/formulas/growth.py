"""Growth as formulas: shocks of which a part lives on, as `equations.growth` adds them up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demandsim.workbook.formulas.expressions import Expression
from demandsim.workbook.formulas.functions import JOINS
from demandsim.workbook.formulas.methods import as_expression
from demandsim.workbook.formulas.terms import Term, numeral

__all__ = ["persisting"]


def persisting(called: Any, arguments: Sequence[Any]) -> Expression | None:
    """Write a call of ``persisted`` as formulas; None if it is another call."""
    from demandsim.equations.growth import persisted

    if called is not persisted:
        return None
    shock, persistence = (as_expression(value) for value in arguments[:2])
    dim = str(arguments[2])

    def written(place: dict[str, int]) -> Term:
        def part(earlier: int) -> Term:
            age, term = place[dim] - earlier, shock.at({**place, dim: earlier})
            if age == 0:
                return term
            left = persistence.at({**place, dim: earlier})
            return term * (left if age == 1 else left ** numeral(age))

        return JOINS["sum"]([part(earlier) for earlier in range(place[dim] + 1)])

    return Expression.of({**persistence.lengths, **shock.lengths}, written)
