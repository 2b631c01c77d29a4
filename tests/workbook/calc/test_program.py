"""Programs of cells: order, circles, computed references, frozen cells, errors that travel, and limits."""

import time

import numpy as np
import pytest
from books import book_with, draws_of, key_of, value_of

from demandsim.workbook.calc import bindings, draws, state
from demandsim.workbook.calc.book import Formula, Loops
from demandsim.workbook.calc.draws import single_draws
from demandsim.workbook.calc.functions.criteria import wildcard
from demandsim.workbook.calc.grammar import parsed
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.calc.values import CellError, UnsupportedError

ALLOWED = Loops(True, 100, 0.001)


def test_errors_travel_by_draw_and_are_caught_by_draw():
    cells = {"A1": 2, "B1": "=1/A1", "C1": "=B1*2", "D1": '=IFERROR(C1,"none")', "E1": "=IFERROR(C1,-1)"}
    draws = np.array([2.0, 0.0, 4.0])
    assert single_draws(draws_of(cells, "C1", {"A1": draws})) == [1.0, CellError("#DIV/0!"), 0.5]
    assert single_draws(draws_of(cells, "D1", {"A1": draws})) == [1.0, "none", 0.5]
    assert draws_of(cells, "E1", {"A1": draws}).tolist() == [1.0, -1.0, 0.5]


def test_texts_by_draw_are_left_out_of_sums_and_chosen_by():
    cells = {"A1": 2, "B1": '=IF(A1>1,A1,"n/a")', "C1": "=SUM(B1:B1,10)", "D1": '=IF(B1="n/a",0,1)', "E1": "=B1+1"}
    draws = np.array([2.0, 0.0])
    assert draws_of(cells, "C1", {"A1": draws}).tolist() == [12.0, 10.0]
    assert draws_of(cells, "D1", {"A1": draws}).tolist() == [1.0, 0.0]
    assert single_draws(draws_of(cells, "E1", {"A1": draws})) == [3.0, CellError("#VALUE!")]


def test_a_circle_arrives_at_its_fixed_point_in_every_draw():
    # Interest on the average of opening and closing debt: closing = opening + rate * (opening + closing) / 2.
    cells = {"A1": 0.1, "A2": 100, "B1": "=A1*(A2+B2)/2", "B2": "=A2+B1"}
    book = book_with(cells, loops=ALLOWED)
    program = traced(book, [key_of("B2")], [key_of("A1")])
    rates = np.array([0.0, 0.05, 0.1, 0.4])
    found = program.run({key_of("A1"): rates})[key_of("B2")]
    np.testing.assert_allclose(found, 100 * (1 + rates / 2) / (1 - rates / 2), rtol=1e-11)
    # One draw is the same whether it is swept alone or with others.
    alone = [float(program.run({key_of("A1"): np.array([rate])})[key_of("B2")][0]) for rate in rates]
    assert alone == found.tolist()


def test_a_draw_whose_circle_does_not_arrive_is_invalid():
    cells = {"A1": 0.5, "B1": "=A1*B2+1", "B2": "=B1"}
    program = traced(book_with(cells, loops=ALLOWED), [key_of("B2")], [key_of("A1")])
    found = single_draws(program.run({key_of("A1"): np.array([0.5, 2.0])})[key_of("B2")])
    assert found[0] == pytest.approx(2.0, rel=1e-11)
    assert found[1] == CellError("#NUM!")


def test_a_circle_that_the_file_does_not_allow_is_shown():
    with pytest.raises(UnsupportedError, match=r"S!B1 <- S!B2 <- S!B1.*iterative calculation"):
        value_of({"B1": "=B2+1", "B2": "=B1*2"}, "B1")


def test_computed_references_are_followed_where_their_arguments_are_sure():
    cells = {
        "A1": 1,
        "A2": "=A1*2",
        "A3": "=A2*2",
        "B1": 2,
        "C1": "=SUM(OFFSET(A1,1,0,B1))",
        "D1": '=INDIRECT("A"&B1+1)',
    }
    assert value_of(cells, "C1") == 6.0
    assert draws_of(cells, "C1", {"A1": np.array([1.0, 10.0])}).tolist() == [6.0, 60.0]
    assert draws_of(cells, "D1", {"A1": np.array([1.0, 10.0])}).tolist() == [4.0, 40.0]
    with pytest.raises(UnsupportedError, match=r"S!C1: OFFSET with an uncertain argument is not read.*OFFSET\(A1"):
        draws_of(cells, "C1", {"B1": np.array([1.0, 2.0])})


def test_what_is_not_known_is_refused_with_the_way_to_it_or_stands_frozen_off_the_path():
    cells = {"A1": 1, "A2": 5, "B1": "=MYSTERY(A1)", "B2": "=MYSTERY(A2)", "C1": "=B1+B2", "D1": "=A1+B2"}
    book = book_with(cells)
    book.cached |= {key_of("B1"): 7.0, key_of("B2"): 8.0}
    with pytest.raises(UnsupportedError, match=r"S!B1: the function MYSTERY is not known.*S!C1 <- S!B1"):
        traced(book, [key_of("C1")], [key_of("A1")])
    program = traced(book, [key_of("D1")], [key_of("A1")])
    assert program.run({key_of("A1"): np.array([1.0, 2.0])})[key_of("D1")].tolist() == [9.0, 10.0]
    assert "no assumption reaches it" in program.frozen[key_of("B2")]


def test_clocks_chance_and_links_stand_at_their_saved_values():
    cells = {"A1": 1, "B1": "=RAND()", "B2": "=TODAY()", "B3": "=[2]Other!A1", "C1": "=A1+B1+B2+B3"}
    book = book_with(cells)
    book.cached |= {key_of("B1"): 0.25, key_of("B2"): 45000.0, key_of("B3"): 3.0}
    program = traced(book, [key_of("C1")], [key_of("A1")])
    assert program.run({key_of("A1"): np.array([1.0])})[key_of("C1")].tolist() == [45004.25]
    assert {book.address(key) for key in program.frozen} == {"S!B1", "S!B2", "S!B3"}


def test_chance_is_drawn_if_asked_for():
    book = book_with({"B1": "=10+2*NORM.S.INV(RAND())", "C1": "=B1*2"})
    program = traced(book, [key_of("C1")], [], chance=True)
    (chance,) = program.chance
    found = program.run({chance: np.array([0.5, 0.975])})[key_of("C1")]
    np.testing.assert_allclose(found, [20.0, 20 + 4 * 1.959963984540054])


def test_cells_are_compared_with_what_the_file_says():
    book = book_with({"A1": 3, "B1": "=A1*2", "C1": "=B1+1"})
    book.cached |= {key_of("B1"): 6.0, key_of("C1"): 8.0}
    program = traced(book, [key_of("C1")], [key_of("A1")])
    (wrong,) = program.differences
    assert (wrong.key, wrong.ours, wrong.theirs, program.checked) == (key_of("C1"), 7.0, 8.0, 2)


def test_what_is_computed_from_a_search_is_judged_from_the_value_that_the_file_found():
    cells = {
        "A1": -1000,
        "A2": 1300,
        "B1": 45000,
        "B2": 45730,
        "C1": "=XIRR(A1:A2,B1:B2)",
        "D1": "=C1",
        "E1": "=D1-0.14",
    }
    exact = value_of(cells, "C1")
    book, found = book_with(cells), exact * (1 + 6e-9)
    book.cached |= {key_of("C1"): found, key_of("D1"): found, key_of("E1"): found - 0.14}
    assert traced(book, [key_of("E1")], [key_of("A2")]).differences == []
    book.cached[key_of("E1")] = exact - 0.14
    assert [one.key for one in traced(book, [key_of("E1")], [key_of("A2")]).differences] == [key_of("E1")]
    book.cached |= {key_of("C1"): exact * (1 + 1e-7), key_of("D1"): exact, key_of("E1"): exact - 0.14}
    assert traced(book, [key_of("E1")], [key_of("A2")]).differences[0].key == key_of("C1")


def test_a_long_chain_may_show_its_rounding_but_not_another_formula():
    cells = {"A1": 0.07 / 12, "A2": 1e6, "B1": "=A2"}
    cells |= {f"C{row}": f"=B{row}*A$1" for row in range(1, 361)}
    cells |= {f"B{row + 1}": f"=B{row}+C{row}-A$3" for row in range(1, 361)}
    cells["A3"] = 1e6 * cells["A1"] / (1 - (1 + cells["A1"]) ** -360)
    book = book_with(cells)
    for key, value in traced(book, [key_of("B361")], []).base.items():
        # As another program rounds: what is left of the loan at last is rounding alone.
        book.cached[key] = value * (1 + 2e-13) if key in book.formulas and key[1] < 360 else value
    found = traced(book, [key_of("B361")], []).base[key_of("B361")]
    book.cached[key_of("B361")] = found + 1e-6
    assert [one.key for one in traced(book, [key_of("B361")], []).differences] == [key_of("B361")]
    last = {key: book.cached[key_of(key)] for key in ("B360", "C360")}
    book.cached[key_of("B361")] = last["B360"] + last["C360"] - cells["A3"]
    assert traced(book, [key_of("B361")], []).differences == []


def test_a_filter_by_what_is_uncertain_is_refused():
    cells = {"A1": 1, "A2": 2, "B1": 10, "B2": 20, "C1": "=SUM(FILTER(B1:B2,A1:A2>1))"}
    assert draws_of(cells, "C1", {"B2": np.array([20.0, 30.0])}).tolist() == [20.0, 30.0]
    with pytest.raises(UnsupportedError, match=r"S!C1: FILTER with an uncertain condition is not read"):
        draws_of(cells, "C1", {"A2": np.array([1.0, 2.0])})


@pytest.mark.parametrize("formula", ["=SUM({A1,A1:A2})", "=SUM({A1:B1;A1})"])
def test_ranges_that_make_no_rectangle_in_braces_are_refused(formula):
    with pytest.raises(UnsupportedError, match=r"S!C1: ranges of different (heights|widths) stand"):
        draws_of({"A1": 1, "A2": 2, "B1": 3, "C1": formula}, "C1", {"A1": np.array([1.0, 2.0])})


def test_text_in_a_single_cell_is_left_out_and_text_given_directly_is_converted():
    cells = {"A1": "5", "B1": "=SUM(A1,1)", "B2": '=SUM("5",1)', "B3": "=A1+1", "B4": "=MAX(A1,2)", "B5": "=SUM(A9)"}
    assert [value_of(cells, f"B{row}") for row in range(1, 6)] == [1.0, 6.0, 6.0, 2.0, 0.0]
    assert value_of({"B1": "=AVERAGE(A9,A8)"}, "B1") == CellError("#DIV/0!")


def test_sumif_adds_up_as_many_cells_as_it_looks_at():
    cells = {"A1": 1, "A2": 2, "A3": 2, "B1": 10, "B2": 20, "B3": 30, "C1": "=SUMIF(A1:A3,2,B1)", "D1": "=A3"}
    cells |= {"C2": "=SUMIF(A1:A3,2,B1:B99)", "C3": "=AVERAGEIF(A1:A3,2,B2:B2)", "B4": 50}
    assert [value_of(cells, f"C{row}") for row in (1, 2, 3)] == [50.0, 50.0, 40.0]
    assert draws_of(cells, "C1", {"B3": np.array([30.0, 31.0])}).tolist() == [50.0, 51.0]


def test_subtotals_leave_out_subtotals():
    cells = {"A1": 1, "A2": 2, "A3": "=SUBTOTAL(9,A1:A2)", "A4": 5, "A5": "=SUBTOTAL(9,A1:A4)"}
    assert value_of(cells, "A5") == 8.0


def test_ranges_over_sheets_and_whole_columns():
    cells = {"One!A1": 1, "Two!A1": 2, "Three!A1": 4, "One!B1": "=SUM(One:Three!A1)", "One!B2": "=SUM(Two:Three!A:A)"}
    assert value_of(cells, "One!B1") == 7.0
    assert value_of(cells, "One!B2") == 6.0


def test_names_stand_for_ranges_and_formulas():
    book = book_with({"A1": 3, "A2": 4, "A3": 5, "B2": "=col*10", "B3": "=SUM(col)+twice"})
    book.names |= {(None, "col"): "S!$A$1:$A$3", (None, "twice"): "S!$A$1*2"}
    program = traced(book, [key_of("B2"), key_of("B3")], [])
    # One value is wanted: the cell beside the formula.
    assert program.base[key_of("B2")] == 40.0
    assert program.base[key_of("B3")] == 18.0


def test_array_formulas_spill():
    book = book_with({"A1": 1, "A2": 2, "A3": 3})
    book.formulas[key_of("B1")] = Formula("=A1:A3*10", array=True)
    for row in (2, 3):
        book.formulas[key_of(f"B{row}")] = Formula("=A1:A3*10", array=True, spill=(key_of("B1"), row - 1, 0))
    program = traced(book, [key_of("B3")], [key_of("A3")])
    assert program.run({key_of("A3"): np.array([3.0, 7.0])})[key_of("B3")].tolist() == [30.0, 70.0]


@pytest.mark.parametrize(
    "formula",
    [
        "=" + "(" * 200 + "1" + ")" * 200,
        "=" + "-" * 3000 + "1",
        "=1+",
        "=(1",
        "=SUM(",
        "={1,2;3}",
        "={}",
        "=" + "1+" * 5000 + "1",
    ],
)
def test_what_is_no_formula_or_too_deep_is_refused(formula):
    with pytest.raises(UnsupportedError):
        parsed(formula)


def test_long_sums_and_deep_chains_need_no_recursion():
    cells = {"A1": 1, "A2": "=" + "+".join(["A1"] * 2000)} | {f"A{row}": f"=A{row - 1}+1" for row in range(3, 3000)}
    assert value_of(cells, "A2999") == 2000 + 2997


def test_a_range_of_a_billion_cells_costs_nothing_or_is_refused():
    start = time.process_time()
    with pytest.raises(UnsupportedError):
        value_of({"A1": 1, "XFD1048576": 1, "B1": "=SUM(C1:XFD1048576)"}, "B1")
    assert time.process_time() - start < 1.0


def test_formulas_that_would_take_all_time_or_memory_are_errors_at_once():
    doubled = {"A1": "abcdefgh"} | {f"A{row}": f"=A{row - 1}&A{row - 1}" for row in range(2, 40)}
    start = time.process_time()
    assert value_of(doubled, "A39") == CellError("#VALUE!")
    for formula, code in (
        ("=COMBIN(1E9,5E8)", "#NUM!"),
        ("=COMBIN(1E15,5E14)", "#NUM!"),
        ('=REPT("abc",1E9)', "#VALUE!"),
    ):
        assert value_of({"B1": formula, "C1": "a"}, "B1") == CellError(code)
    assert value_of({"C1": "a" * 3000, "B1": '=COUNTIF(C1,"*a*a*a*a*a*a*a*a*b")'}, "B1") == 0.0
    for formula in ("=SUM(SEQUENCE(1E9,1E9))", "=MAKEARRAY(1E5,1E5,LAMBDA(_xlpm.i,_xlpm.j,1))"):
        with pytest.raises(UnsupportedError, match="makes more than 100,000 cells"):
            value_of({"B1": formula}, "B1")
    assert time.process_time() - start < 1.0


def test_arrays_and_functions_in_formulas_have_their_bounds(monkeypatch):
    monkeypatch.setattr(bindings, "_MOST", 100)
    monkeypatch.setattr(draws, "_MOST", 100)
    nested = "=SUM(MAP(SEQUENCE(9),LAMBDA(_xlpm.x,SUM(MAP(SEQUENCE(19),LAMBDA(_xlpm.y,1))))))"
    with pytest.raises(UnsupportedError, match="applies LAMBDA more than 100 times"):
        value_of({"B1": nested}, "B1")
    monkeypatch.setattr(state, "_MOST", 1000)
    for body in ("SUM(SEQUENCE(90)*_xlpm.x)", "SUM(A1:A90)*_xlpm.x", "_xlpm.x*SUMPRODUCT(SEQUENCE(9,9),SEQUENCE(9,9))"):
        with pytest.raises(UnsupportedError, match="goes through more than 1,000 cells"):
            value_of({"A90": 1, "B1": f"=SUM(MAP(SEQUENCE(60),LAMBDA(_xlpm.x,{body})))"}, "B1")
    with pytest.raises(UnsupportedError, match="array of more than 100 cells"):
        value_of({"D101": 2, "B1": "=SUMPRODUCT((C:C=1)*(D:D=2))"}, "B1")


@pytest.mark.parametrize(
    ("pattern", "said", "fits"),
    [
        ("*pex*", "Capex, net", True),
        ("c?pex", "CAPEX", True),
        ("c?pex", "cpex", False),
        ("*a*b", "aab", True),
        ("a*a", "a", False),
        ("a**c", "abc", True),
        ("what~?", "what?", True),
        ("what~?", "whats", False),
        ("*", "", True),
        ("?*", "", False),
        ("ab*ba", "aba", False),
    ],
)
def test_wildcards_fit_whole_texts(pattern, said, fits):
    assert bool(wildcard(pattern).fullmatch(said)) is fits


def test_a_thousand_cells_and_65536_draws_take_less_than_half_a_second():
    cells = {f"A{row}": row for row in range(1, 9)}
    cells |= {f"B{row}": f"=B{row - 1}*(1+A{row % 8 + 1}/1000)-A{row % 7 + 1}/50" for row in range(2, 1000)} | {
        "B1": "=A1+A2"
    }
    book = book_with(cells)
    program = traced(book, [key_of("B999")], [key_of(f"A{row}") for row in range(1, 9)])
    made = np.random.default_rng(1).random((8, 8192))
    start = time.process_time()
    program.run({key_of(f"A{row}"): made[row - 1] for row in range(1, 9)})
    # An eighth of the draws in a sixteenth of a second, with room for other machines.
    assert time.process_time() - start < 0.2


def test_running_totals_go_on_from_the_last_one_with_the_same_bits():
    cells = {"A1": 1, "A2": 2, "A3": "note", "A4": "=A1*A2", "A5": 7, "B1": "=A1/3", "C1": "=A2+1", "D1": 4}
    rows = range(2, 30)
    cells |= {f"E{row}": f"=SUM(A$1:A{min(row, 5)})/{row}+A{row % 2 + 1}" for row in rows} | {"E1": "=A1"}
    cells |= {f"F{row}": f"=SUM(E$1:E{row})-MAX(E$1:E{row})-MIN(E$1:E{row})" for row in rows}
    # Wider, along a row, shorter than the last one, and of the same start but another width.
    cells |= {
        "G1": "=SUM($A1:B1)",
        "G2": "=SUM($A1:D1)",
        "G3": "=SUM($A1:C1)",
        "G4": "=SUM(A1:D2)",
        "G5": "=SUM(A1:A4)",
    }
    cells |= {"H1": "=SUM(F2:F29)+SUM(G1:G5)"}
    book = book_with(cells)
    program = traced(book, [key_of("H1")], [key_of("A1"), key_of("A2")])
    made = np.random.default_rng(1).lognormal(size=(2, 5))
    together = program.run({key_of("A1"): made[0], key_of("A2"): made[1]})
    for draw in range(5):
        # Single values are put together by the definition.
        alone = program.run({key_of("A1"): float(made[0, draw]), key_of("A2"): float(made[1, draw])})
        for key in program.reached:
            assert together[key][draw] == alone[key], (key, draw)


def test_a_circle_through_running_totals_arrives_at_its_fixed_point():
    cells = {"A1": 0.1, "B1": "=1+A1*B3", "B2": "=A1*SUM(B$1:B1)", "B3": "=A1*SUM(B$1:B2)", "C1": "=SUM(B$1:B3)"}
    program = traced(book_with(cells, loops=ALLOWED), [key_of("C1")], [key_of("A1")])
    a = np.array([0.0, 0.1, 0.3, 0.5])
    # b1 = 1 + a b3, b2 = a b1, b3 = a (b1 + b2) = a (1 + a) b1.
    b1 = 1 / (1 - a**2 * (1 + a))
    np.testing.assert_allclose(program.run({key_of("A1"): a})[key_of("C1")], b1 * (1 + a) ** 2, rtol=1e-11)
