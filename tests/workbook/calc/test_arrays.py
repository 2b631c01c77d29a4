"""Functions that make, cut and order arrays, names within formulas, and spilled ranges: Excel's values, by draw too."""

import numpy as np
import pytest
from books import DATA, book_with, draws_of, key_of, same, value_of

from demandsim.workbook.calc.book import Formula
from demandsim.workbook.calc.draws import is_drawn, single_draws
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.calc.values import UnsupportedError

#: Formula and its value, by the documentation of Excel; an engine by others finds the same below.
ROWS = [
    ("=SUM(SEQUENCE(3,2,10,5))", 135.0),
    ("=INDEX(SEQUENCE(3,2,10,5),2,2)", 25.0),
    ("=ROWS(SEQUENCE(4))", 4.0),
    ("=SEQUENCE(0)", "#VALUE!"),
    ("=INDEX(SORT(A1:A5),1)", -2.0),
    ("=INDEX(SORT(A1:B5,2,-1),1,1)", 4.0),
    ("=INDEX(SORT(A1:A9),6)", "text"),
    ("=INDEX(SORTBY(C1:C5,A1:A5),2)", "south"),
    ("=INDEX(SORTBY(C1:C5,A1:A5,-1),1)", "east"),
    ('=TEXTJOIN("-",TRUE,UNIQUE(C1:C5))', "north-south-east"),
    ('=TEXTJOIN("-",TRUE,UNIQUE(C1:C5,FALSE,TRUE))', "south-east"),
    ("=SUM(TAKE(B1:B5,2))", 30.0),
    ("=SUM(TAKE(B1:B5,-2))", 90.0),
    ("=SUM(TAKE(A1:B5,9,-1))", 150.0),
    ("=SUM(DROP(B1:B5,2))", 120.0),
    ("=SUM(DROP(A1:B5,,1))", 150.0),
    ("=DROP(B1:B5,9)", "#CALC!"),
    ("=SUM(CHOOSEROWS(B1:B5,1,-1))", 60.0),
    ("=SUM(CHOOSECOLS(A1:B5,2))", 150.0),
    ("=CHOOSECOLS(A1:B5,3)", "#VALUE!"),
    ("=SUM(VSTACK(A1:A2,B1:B2))", 34.5),
    ("=ROWS(VSTACK(A1:A2,B1:B3))", 5.0),
    ("=INDEX(VSTACK(A1:A2,A1:B2),1,2)", "#N/A"),
    ("=COLUMNS(HSTACK(A1:A2,B1:B2))", 2.0),
    ("=INDEX(TOCOL(A1:B2),3)", 1.5),
    ("=INDEX(TOROW(A1:B2,0,TRUE),2)", 1.5),
    ("=COVARIANCE.P(A1:A5,B1:B5)", 17.5),
    ("=COVARIANCE.S(A1:A5,B1:B5)", 21.875),
    ("=LET(_xlpm.x,A1,_xlpm.y,_xlpm.x*2,_xlpm.x+_xlpm.y)", 9.0),
    ("=LET(_xlpm.r,B1:B5,SUM(_xlpm.r)/COUNT(_xlpm.r))", 30.0),
    ("=LET(_xlpm.x,1,LET(_xlpm.x,2,_xlpm.x)+_xlpm.x)", 3.0),
    ("=SUM(BYROW(A1:B3,LAMBDA(_xlpm.r,MAX(_xlpm.r))))", 60.0),
    ("=SUM(BYCOL(A1:B3,LAMBDA(_xlpm.c,MAX(_xlpm.c))))", 33.0),
    ("=SUM(BYROW(A1:B3,_xleta.SUM))", 62.5),
    ("=SUM(MAP(B1:B3,F1:F3,LAMBDA(_xlpm.a,_xlpm.b,_xlpm.a*_xlpm.b)))", 140.0),
    ("=REDUCE(0,B1:B3,LAMBDA(_xlpm.t,_xlpm.v,_xlpm.t+_xlpm.v/2))", 30.0),
    ("=INDEX(SCAN(0,B1:B3,LAMBDA(_xlpm.t,_xlpm.v,_xlpm.t+_xlpm.v)),3)", 60.0),
    ("=SUM(MAKEARRAY(2,2,LAMBDA(_xlpm.i,_xlpm.j,_xlpm.i*10+_xlpm.j)))", 66.0),
    ('="2026-01-01"+1', 46024.0),
    ('=EDATE("2026-01-31",1)', 46081.0),
    ('="2026-02-30"+1', "refused"),
    ('="1900-02-28"+1', "refused"),
]


@pytest.mark.parametrize(("formula", "expected"), ROWS)
def test_a_formula_has_the_value_of_excel(formula, expected):
    if expected == "refused":
        with pytest.raises(UnsupportedError, match="depends on the computer's language"):
            value_of({**DATA, "J101": formula}, "J101")
        return
    assert same(value_of({**DATA, "J101": formula}, "J101"), expected)


@pytest.mark.parametrize("formula", [formula for formula, _ in ROWS if "A1:" in formula or "B1:" in formula])
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
    formualizer = pytest.importorskip("formualizer")
    book = formualizer.Workbook()
    book.add_sheet("S")
    for cell, value in DATA.items():
        book.set_value("S", *key_of(cell)[1:], value)
    wrong = {}
    for formula, expected in ROWS:
        if type(expected) is not float or formula in OTHERWISE:
            continue
        book.set_formula("S", 101, 10, formula.replace("_xlpm.", ""))
        theirs = book.evaluate_cell("S", 101, 10)
        if isinstance(theirs, dict) and theirs.get("kind") == "Name":
            continue  # not known there
        theirs = float(theirs) if type(theirs) is int else theirs
        if not same(theirs, expected):
            wrong[formula] = theirs
    assert wrong == {}
