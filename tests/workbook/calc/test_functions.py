"""Functions of formulas: a row each with what Excel and LibreOffice make of it, and the same for every draw."""

import time

import numpy as np
import pytest
from books import DATA, book_with, by_formualizer, key_of, same, value_of
from rows import ARRAYS, PRINTED, ROWS

from demandsim.workbook.calc.draws import single_draws
from demandsim.workbook.calc.functions import FUNCTIONS
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.calc.values import CellError, Mixed, UnsupportedError


@pytest.mark.parametrize(("formula", "expected"), ROWS)
def test_a_formula_has_the_value_of_excel(formula, expected):
    ours = value_of({**DATA, "J101": formula}, "J101")
    assert same(ours, expected), (ours, expected)


def test_every_function_has_a_row():
    text = " ".join(formula for formula, _ in (*ROWS, *ARRAYS, *PRINTED))
    aliases = {}
    for name, made in FUNCTIONS.items():
        aliases.setdefault((made.scalar, made.takes), []).append(name)
    untested = [names for names in aliases.values() if not any(f"{name}(" in text for name in names)]
    assert untested == []


#: Cells that are moved from draw to draw, by factors that keep most formulas in their range.
MOVED = ("A1", "A2", "A4", "B1", "B3", "D2", "D3", "H1", "F2", "E2")
FACTORS = np.array([1.0, 1.25, 0.5, 0.75, 2.0, 1.0])


@pytest.mark.parametrize("formula", [formula for formula, _ in ROWS if any(cell[0] in formula for cell in MOVED)])
def test_every_draw_has_the_value_that_it_has_alone(formula):
    cells = {**DATA, "J101": formula}
    given = {cell: DATA[cell] * np.roll(FACTORS, shift) for shift, cell in enumerate(MOVED)}
    book = book_with(cells)
    program = traced(book, [key_of("J101")], [key_of(cell) for cell in given])
    try:
        together = program.run({key_of(cell): values for cell, values in given.items()}).get(key_of("J101"))
    except UnsupportedError as error:
        # What is not read for uncertain arguments says so.
        if "is not read" not in str(error):
            raise
        return
    if together is None:
        together = program.base[key_of("J101")]
    drawn = single_draws(together) if isinstance(together, np.ndarray | Mixed) else [together] * len(FACTORS)
    for place, ours in enumerate(drawn):
        alone = value_of({**cells, **{cell: float(values[place]) for cell, values in given.items()}}, "J101")
        assert same(ours, alone), (place, ours, alone)


#: Arrays in braces make an array of what is computed from them; the engine below takes these for errors or 0.
SPREADING = (
    "=VLOOKUP(2,CHOOSE({1,2},F1:F3,B1:B3),2,FALSE)", "=VLOOKUP(2,IF({1,0},F1:F3,B1:B3),2,FALSE)",
    "=SUM(LARGE(B1:B5,{1,2}))", "=LARGE(B1:B5,{2,1})", "=SUM(LARGE(B1:B5,{1,2})*2%)", "=SUM(-ROUND({1.2,2.3},0))",
    '=SUM(COUNTIF(C1:C5,{"south","east"}))', '=SUM(SUMIFS(B1:B5,C1:C5,{"south","east"}))',
)  # fmt: skip


#: Where the engine below is known to do otherwise than Excel, or gives dates of Python: LibreOffice agrees with ours.
OTHERWISE = (
    '=1/3&""', "=0.1+0.2=0.3", "=0.5-0.4-0.1", "=SUM(A1:B2 B1:C5)", "=SUM((A1,B1),5)", "=CEILING(-2.1,-0.5)",
    "=FLOOR(-2.9,-0.5)", "=LOOKUP(2,1/(A1:A5>0),B1:B5)", "=SUMPRODUCT(MMULT(A1:B2,A1:B2))", "=SUM(A1:A3*2)",
    "=SUM({A1,B1;F1:F2,D1:D2})", "=SUMPRODUCT({B1,B3},{F2,F4})/SUM({F2,F4})",
    "=AVERAGE.WEIGHTED(B1:B3,F1:F3)", "=AVERAGE.WEIGHTED(B1,1,B2,3,F1:F2,H1:H2)",
    '=SUM(FILTER(B1:B5,C1:C5="north",F1:F5>1))', "=SUM(FILTER(A1:B2,A1:B1>5))",
    "=SUM(INDEX(CHOOSE({1,2},F1:F3,B1:B3),2,0))", '=SUMPRODUCT(SWITCH(C1:C4,"north",B1:B4,"south",1,F1:F4))',
    '=VALUE("1,200.5")', "=DATE(2024,2,29)", "=DATE(2023,14,1)", "=DATE(2024,1,0)", "=DATE(1900,3,1)", "=TIME(6,30,0)",
)  # fmt: skip


def test_an_engine_by_others_finds_the_same():
    asked = [row for row in ROWS if row[0] not in (*OTHERWISE, *SPREADING) and not str(row[1]).startswith("#")]
    assert by_formualizer(asked) == {}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("=SUM(A:XFD)", "more than 4,000,000 cells"),
        ("=COUNTIF(1:1048576,1)", "more than 4,000,000 cells"),
        ("=SUM(OFFSET(A1,0,0,1048576,16384))", "more than 4,000,000 cells"),
        ("=SUM(OFFSET(OFFSET(A1,0,0,1E6),0,0,1048576,B1))", "more than 4,000,000 cells"),
        ('=SUM(INDIRECT("A1:XFD1048576"))', "more than 4,000,000 cells"),
        ("=SUM(INDEX(A:XFD,0,0))", "more than 4,000,000 cells"),
        ("=SUM(SEQUENCE(1048576,16384))", "more than 100,000 cells"),
        ("=SUM(OFFSET(A1,0,0,1E9,1E9))", CellError("#REF!")),
        ("=SUM(OFFSET(A1,0,0,1E308))", CellError("#REF!")),
        ("=SUM(OFFSET(A1,-1E30,0))", CellError("#REF!")),
        ('=SUM(INDIRECT("A1:A99999999999"))', CellError("#NAME?")),
    ],
)
def test_no_range_takes_more_than_memory_holds(formula, expected):
    # A sheet that is used to its last corner, so that no range is cut to what is there.
    cells = {"A1": 1, "B1": 16384, "XFD1048576": 5, "J101": formula}
    begun = time.process_time()
    if isinstance(expected, str):
        with pytest.raises(UnsupportedError, match=expected):
            value_of(cells, "J101")
    else:
        assert value_of(cells, "J101") == expected
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (f'=COUNTIF(B200,"{"*a" * 20}b")', 0.0),
        (f'=COUNTIF(B200,"{"*a" * 20}*")', 1.0),
        (f'=IFERROR(SEARCH("{"*a" * 20}b",B200),-1)', -1.0),
        ('=SEARCH("b*c","abbcbc")', 2.0),
        ('=COUNTIF(B201,"a*b?c*c")', 1.0),
        ("=IFERROR(COMBIN(1E9,5E8),-1)", -1.0),
        ("=COMBIN(1029,514)/COMBIN(1029,515)", 1.0),
        ("=IFERROR(COMBIN(1E15,400),-1)", -1.0),
    ],
)
def test_no_formula_tries_without_end(formula, expected):
    begun = time.process_time()
    assert same(value_of({"B200": "a" * 200, "B201": "axbbcxc", "J101": formula}, "J101"), expected)
    assert time.process_time() - begun < 1
