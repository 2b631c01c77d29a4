"""Functions that make, cut and order arrays, names within formulas, and spilled ranges: Excel's values, by draw too."""

import numpy as np
import pytest
from books import DATA, book_with, by_formualizer, draws_of, key_of, same, value_of
from rows import ARRAYS

from demandsim.workbook.calc.book import Formula
from demandsim.workbook.calc.draws import is_drawn, single_draws
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.calc.values import UnsupportedError


@pytest.mark.parametrize(("formula", "expected"), ARRAYS)
def test_a_formula_has_the_value_of_excel(formula, expected):
    if expected == "refused":
        with pytest.raises(UnsupportedError, match="depends on the computer's language"):
            value_of({**DATA, "J101": formula}, "J101")
        return
    assert same(value_of({**DATA, "J101": formula}, "J101"), expected)


@pytest.mark.parametrize("formula", [formula for formula, _ in ARRAYS if "A1:" in formula or "B1:" in formula])
def test_every_draw_is_what_it_is_alone(formula):
    cells = {**DATA, "J101": formula}
    given = {"A1": np.array([3.0, 9.0, -1.0]), "B2": np.array([20.0, 5.0, 60.0])}
    drawn = draws_of(cells, "J101", given)
    together = single_draws(drawn) if is_drawn(drawn) else [drawn] * 3
    for place in range(3):
        alone = value_of({**cells, **{cell: float(values[place]) for cell, values in given.items()}}, "J101")
        assert same(together[place], alone)


def test_a_lambda_with_a_name_is_called_by_it():
    book = book_with({"A1": 3, "B1": "=twice(A1)+1", "C1": "=again(2)"})
    book.names[None, "twice"] = "LAMBDA(_xlpm.x,_xlpm.x*2)"
    book.names[None, "again"] = "LAMBDA(_xlpm.x,again(_xlpm.x-1))"
    program = traced(book, [key_of("B1")], [key_of("A1")])
    assert program.run({key_of("A1"): np.array([1.0, 5.0])})[key_of("B1")].tolist() == [3.0, 11.0]
    with pytest.raises(UnsupportedError, match="calls itself"):
        traced(book, [key_of("C1")], [])


def spilled(formula, rows, cells=(), cached=()):
    """A book whose `B1` is an array formula that fills some rows."""
    book = book_with({"A1": 1, "A2": 2, "A3": 3, **dict(cells)})
    book.formulas[key_of("B1")] = Formula(formula, array=True)
    for row in range(2, rows + 1):
        book.formulas[key_of(f"B{row}")] = Formula(formula, array=True, spill=(key_of("B1"), row - 1, 0))
    book.spills[key_of("B1")] = rows, 1
    book.sheets["s"].columns = max(book.sheets["s"].columns, 2)
    book.cached |= {key_of(cell): value for cell, value in dict(cached).items()}
    return book


def test_a_spilled_range_is_taken_as_far_as_it_reached():
    book = spilled("=A1:A3*10", 3, {"C1": "=SUM(_xlfn.ANCHORARRAY(B1))", "D1": "=SUM(B2:_xlfn.ANCHORARRAY(B1))"})
    book.names[None, "sizes"] = "_xlfn.ANCHORARRAY(S!$B$1)"
    book.formulas[key_of("E1")] = Formula("=MAX(sizes)")
    program = traced(book, [key_of(cell) for cell in ("C1", "D1", "E1")], [key_of("A3")])
    found = program.run({key_of("A3"): np.array([3.0, 7.0])})
    assert [found[key_of(cell)].tolist() for cell in ("C1", "D1", "E1")] == [[60, 100], [60, 100], [30, 70]]


def test_parts_of_an_array_that_is_not_known_stand_at_their_saved_values():
    book = spilled("=MYSTERY(A1:A3)", 3, {"C1": "=SUM(B1:B3)+A1"}, {"B1": 5.0, "B2": 6.0, "B3": 7.0, "C1": 19.0})
    program = traced(book, [key_of("C1")], [])
    assert program.base[key_of("C1")] == 19.0
    assert program.differences == []
    assert {key_of("B1"), key_of("B3")} <= set(program.frozen)
    with pytest.raises(UnsupportedError, match="MYSTERY is not known"):
        traced(book, [key_of("C1")], [key_of("A2")])


#: Where it is known to do otherwise than Excel: dates as texts, and more rows than there are.
OTHERWISE = ('=EDATE("2026-01-31",1)', "=SUM(TAKE(A1:B5,9,-1))")


def test_an_engine_by_others_finds_the_same():
    asked = [row for row in ARRAYS if type(row[1]) is float and row[0] not in OTHERWISE]
    wrong = by_formualizer(asked)
    # What is a name there is a function that it does not know.
    assert {f: w for f, w in wrong.items() if not (isinstance(w[0], dict) and w[0].get("kind") == "Name")} == {}
