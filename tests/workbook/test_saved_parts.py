"""What files by others save in ways of their own: arrays without text, parts of add-ins, times, and links."""

import re

import numpy as np
import openpyxl
import pytest
from books import key_of, repacked, saved
from openpyxl.worksheet.formula import ArrayFormula

import demandsim as ds
from demandsim.errors import WorkbookError
from demandsim.workbook.calc.book import book_of
from demandsim.workbook.calc.trace import traced


@pytest.fixture
def path(tmp_path):
    return saved(tmp_path / "model.xlsx", {"S": {"A1": 2, "A2": 3, "B1": "=A1*A2", "C1": "=B1+1"}})


def changed(path, part, before, after):
    """Replace something in one part of a workbook."""

    def change(name, content):
        if name != part:
            return content
        found = re.sub(before, after, content, count=1)
        assert found != content
        return found

    return repacked(path, change)


def test_parts_of_an_array_that_are_saved_as_formulas_without_text_keep_their_values(tmp_path):
    path, made = tmp_path / "spill.xlsx", openpyxl.Workbook()
    made.active.title = "S"
    made.active["A1"] = ArrayFormula("A1:A3", "=_xlfn.STOCKHISTORY(B1)")
    made.active["C1"] = "=A2+A3"
    made.save(path)
    cells = b'<row r="2"><c r="A2"><f ca="1"/><v>20</v></c></row><row r="3"><c r="A3"><f ca="1"/><v>30</v></c></row>'
    changed(path, "xl/worksheets/sheet1.xml", rb"</row></sheetData>", b"</row>" + cells + b"</sheetData>")
    changed(path, "xl/worksheets/sheet1.xml", rb"</f><v ?/?>(</v>)?", b"</f><v>10</v>")
    book = book_of(path)
    assert [book.cached[key_of(f"A{row}")] for row in (1, 2, 3)] == [10.0, 20.0, 30.0]
    program = traced(book, [key_of("C1")], [])
    assert program.base[key_of("C1")] == 50.0


def test_times_are_read_to_the_last_digit(tmp_path):
    path, made = tmp_path / "times.xlsx", openpyxl.Workbook()
    made.active["A1"], made.active["B1"] = 1 / 2024, "=A1*86400"
    made.active["A1"].number_format = "h:mm:ss"
    made.save(path)
    assert book_of(path).constants["sheet", 1, 1] == 1 / 2024


def with_part(path, name, content):
    """Add a part to a workbook."""
    import zipfile

    with zipfile.ZipFile(path, "a") as package:
        package.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["customXml/item1.xml", "xl/model/item.data", "xl/media/image1.emf"])
def test_parts_that_are_never_parsed_may_hold_anything(path, name):
    content = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16")
    model = ds.read_workbook(with_part(path, name, content), outputs=["S!C1"], assume={"S!A1": "uniform(1, 3)"})
    np.testing.assert_allclose(float(model.point().s_c1), 7.0)


def test_but_no_sheet_may_stand_among_them(path):
    bomb = b'<!DOCTYPE x [<!ENTITY a "ha">]><worksheet>&a;</worksheet>'
    with_part(path, "customXml/item1.xml", bomb)
    changed(path, "xl/_rels/workbook.xml.rels", rb'Target="[^"]*sheet1.xml"', b'Target="/customXml/item1.xml"')
    with pytest.raises(WorkbookError, match=r"workbook.xml.rels' leads to where no workbook keeps its cells"):
        book_of(path)
