"""Bad cells are named, and files that are no workbook of ours are refused."""

import io
import re
import zipfile

import numpy as np
import openpyxl
import pytest
from workbooks import REPORT, cell, edited, fleet, template

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DemandsimError, UnknownNameError, WorkbookError
from demandsim.workbook import read_workbook, write_workbook


def setting(sheet, name, header, value, key="name"):
    def change(book):
        cell(book, sheet, name, header, key).value = value

    return change


def on(sheet, place, value):
    def change(book):
        book[sheet][place] = value

    return change


def without(sheet, name, key="name"):
    def change(book):
        book[sheet].delete_rows(cell(book, sheet, name, key, key).row)

    return change


def renamed(sheet, name):
    def change(book):
        book[sheet].title = name

    return change


def appended(sheet, *values):
    def change(book):
        book[sheet].append(list(values))

    return change


A = "sheet 'assumptions', cell "


BAD = [
    # Distributions, with the grammar's hint
    (setting("assumptions", "utilization", "distribution", "bta(2, 3)"), A + r"E7 \(utilization\): .*mean 'beta'"),
    (setting("assumptions", "utilization", "distribution", "uniform(2, 1)"), A + r"E7 \(utilization\): .*below"),
    (
        setting("assumptions", "utilization", "distribution", "uniform(2, 1"),
        A + r"E7 \(utilization\): .*a bracket is not closed",
    ),
    (setting("assumptions", "utilization", "distribution", None), A + r"E7 \(utilization\): is empty; write 'sure'"),
    (setting("assumptions", "utilization", "distribution", True), A + r"E7 \(utilization\): is TRUE"),
    (setting("assumptions", "utilization", "distribution", "__import__('os')"), A + r"E7 \(utilization\)"),
    (setting("assumptions", "utilization", "distribution", 'by("year", [1])'), A + r"E7 \(utilization\): dim 'year'"),
    # Points
    (
        setting("assumptions", "utilization", "point", "0,45"),
        A + r"C7 \(utilization\): is the text '0,45'.*; write 0.45,",
    ),
    (setting("assumptions", "utilization", "point", "45%"), A + r"C7 \(utilization\): is the text.*; write 0.45,"),
    (setting("assumptions", "utilization", "point", "about half"), A + r"C7 \(utilization\): is the text"),
    (setting("assumptions", "utilization", "point", True), A + r"C7 \(utilization\): is TRUE"),
    (setting("assumptions", "utilization", "point", __import__("datetime").date(2025, 1, 2)), A + r"C7.*for a date"),
    # Units
    (setting("assumptions", "token_price", "unit", "CNY/Mtokn"), A + r"D8 \(token_price\): unknown unit 'CNY/Mtokn'"),
    (setting("assumptions", "token_price", "unit", "CNY"), r"equation '\w+' .*D8 \(token_price\)"),
    (
        setting("scenarios", "1000T", "unit", "token/s", "scenario"),
        r"'scenarios', cell F4 .*'token/day': write|in that",
    ),
    # Names
    (setting("assumptions", "utilization", "name", "utilisation"), r"needs 'utilization'.*A7 \(utilisation\)"),
    (setting("assumptions", "utilization", "name", "card util"), A + r"A7 \(card util\): a name has only letters"),
    (setting("assumptions", "utilization", "name", "card_flops"), A + r"A7 \(card_flops\): .* twice; .*row 6"),
    (setting("assumptions", "utilization", "name", None), A + r"A7: is empty; write the name, or delete the row"),
    (setting("assumptions", "utilization", "shared", "maybe"), A + r"F7 \(utilization\): is 'maybe'; write yes or no"),
    (setting("scenarios", "100T", "name", "daily_tokns", "scenario"), r"C3 .*'daily_tokns'; did you mean 'daily_tok"),
    (setting("scenarios", "100T", "scenario", None, "scenario"), r"'scenarios', cell B3.*: is empty"),
    (setting("scenarios", "1000T", "scenario", "100T", "scenario"), r"C4 .*scenario '100T' changes 'daily_tokens' tw"),
    # Rows that are gone
    (without("assumptions", "utilization"), r"needs 'utilization'.*; sheet 'assumptions' has no row for 'utilization'"),
    (without("equations", "inference.cards", "equation"), r"needs 'cards'"),
    # Correlations
    (appended("correlations", "token_price", "paid_shore", 0.3), r"'correlations', cell B3.*mean 'paid_share'"),
    (appended("correlations", "token_price", "paid_share", 1.3), r"'correlations', cell C3 \(token_price and .*is 1.3"),
    (appended("correlations", "token_price", "paid_share"), r"'correlations', cell C3 .*is empty"),
    (appended("correlations", "token_price", "token_price", 0.3), r"'correlations', cell B3 .*with itself"),
    # Equations, notes, published rows
    (on("equations", "A3", "inference.crads"), r"'equations', cell A3: .*mean 'inference.cards'"),
    (on("equations", "A3", "my_own"), r"'equations', cell A3: .*read_workbook\(path, equations"),
    (on("notes", "A3", "nmae"), r"'notes', cell A3 \(nmae\): unknown key 'nmae'; did you mean 'name'"),
    (on("notes", "B13", "results = cards"), r"'notes', cell B13 \(presentation\): .*; write as in a study file"),
    (on("notes", "B13", "reslts = ['cards']"), r"'notes', cell B13 \(presentation\): .*; write as in a study file"),
    (on("published", "A3", "crads"), r"'published', cell A3 \(crads\): unknown quantity 'crads'.*mean 'cards'"),
    (on("published", "D3", 1.5), r"'published', cell D3 .*decimals"),
    (on("published", "F3", "many"), r"'published', cell F3 .*is the text 'many'"),
    # Sheets and columns
    (renamed("assumptions", "assumption"), r"there is no sheet 'assumptions'; did you mean 'assumption'"),
    (renamed("scenarios", "cases"), r"there is no sheet 'scenarios'"),
    (
        on("assumptions", "E2", "distributon"),
        r"sheet 'assumptions': there is no column 'distribution'; .*'distributon'",
    ),
    (on("assumptions", "I2", "at month"), r"'assumptions', cell I2: dim 'month' has no labels"),
    (on("assumptions", "I2", "point"), r"sheet 'assumptions', cell I2: a second column 'point'"),
]


@pytest.mark.parametrize(("change", "says"), BAD)
def test_a_bad_cell_is_named(tmp_path, change, says):
    path = edited(tmp_path, change)
    with pytest.raises(DemandsimError, match=says) as caught:
        read_workbook(path)
    assert str(caught.value).startswith(f"{path}")


def test_a_bad_cell_of_a_point_by_label_is_named(tmp_path):
    write_workbook(fleet(), tmp_path / "good.xlsx")
    for change, says in (
        (on("assumptions", "D4", 2031), r"cell D4 \(cards\): unknown label '2031' of 'year'"),
        (on("assumptions", "E4", None), r"cell E4 \(cards\): is empty; write the point"),
        (on("assumptions", "E3", 5), r"cell E3 \(cards\): there is a point here"),
        (on("assumptions", "D4", 2026), r"cell E5 \(cards\): a second point for 2026"),
        (on("assumptions", "C4", "H20"), r"cell \w+ \(cards\): is empty; write the label|the rows above"),
        (on("assumptions", "A4", "crads"), r"cell A4 \(crads\): the row of 'crads' .* must come first"),
        (
            lambda book: book["assumptions"].delete_rows(4),
            r"cell E3 \(cards\): there is no row with the point for",
        ),
        (on("labels", "B6", 2025), r"'labels', cell B6 \(year\): the label 2025 stands here twice"),
        (on("labels", "C3", "colour"), r"sheet 'labels', cell C3 \(hardware\): unknown kind 'colour'"),
        (on("labels", "B5", 2025.5), r"sheet 'labels', cell B5 \(year\): is 2025.5, which is no whole number"),
        (lambda book: book.remove(book["labels"]), r"dim 'hardware' has no labels on the sheet 'labels'"),
    ):
        book = openpyxl.load_workbook(tmp_path / "good.xlsx")
        change(book)
        book.save(tmp_path / "bad.xlsx")
        with pytest.raises(DemandsimError, match=says):
            read_workbook(tmp_path / "bad.xlsx")


def test_files_that_are_no_workbook_say_so(tmp_path):
    with pytest.raises(UnknownNameError, match="there is no workbook"):
        read_workbook(tmp_path / "nothing.xlsx")
    path = tmp_path / "model.xlsx"
    for data, says in (
        (b"", "is no .xlsx workbook"),
        (b"PK\x03\x04 half of one", "is no .xlsx workbook"),
        (b"name,point\ncards,3\n", "is no .xlsx workbook"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "is an old .xls file, or has a password"),
        (template()[: len(template()) // 2], "is no .xlsx workbook"),
        (zipped({"a.txt": b"b"}), "is a zip file, but no .xlsx workbook"),
    ):
        path.write_bytes(data)
        with pytest.raises(WorkbookError, match=says):
            read_workbook(path)
    with pytest.raises(WorkbookError, match=r"ends in .xlsx, not to"):
        write_workbook(ds.load_study("guosen-2025-01"), tmp_path / "model.xls")


def zipped(parts):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return packed.getvalue()


def parts_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_bombs_and_entities_are_refused_before_they_are_parsed(tmp_path):
    path, parts = tmp_path / "model.xlsx", parts_of(template())
    sheet = "xl/worksheets/sheet1.xml"
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    for change, says in (
        ({sheet: bytes(70 * 2**20)}, "unpacks to more than 64 MiB"),
        ({sheet: parts[sheet].replace(b"<worksheet", laughs + b"<worksheet", 1)}, "what no workbook needs"),
        ({sheet: ('<?xml version="1.0" encoding="UTF-16"?>' + "<a/>").encode("utf-16")}, "what no workbook needs"),
        ({sheet: b"<a>" + b"<b/>" * 1_000_001 + b"</a>"}, "more than 1,000,000 tags"),
        ({f"xl/more{i}.xml": b"<a/>" for i in range(600)}, "parts; at most 500"),
        ({sheet: b"<worksheet>"}, "cannot be read as a workbook"),
        ({"xl/workbook.xml": b"<workbook/>"}, "cannot be read as a workbook|there is no sheet"),
    ):
        path.write_bytes(zipped(parts | change))
        with pytest.raises(WorkbookError, match=says):
            read_workbook(path)


def test_a_sheet_that_claims_to_be_huge_is_read_as_far_as_it_goes(tmp_path):
    def change(book):
        # A cell in the last row that a sheet can have.
        book["assumptions"]["A1048576"] = "far"

    with pytest.raises(WorkbookError, match="sheet 'assumptions': there are rows below row 20,000"):
        read_workbook(edited(tmp_path, change))
    parts = parts_of(template())
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', parts[sheet])
    path = tmp_path / "claims.xlsx"
    path.write_bytes(zipped(parts))
    assert read_workbook(path) == ds.load_study("guosen-2025-01")


def test_macros_and_links_are_ignored(tmp_path):
    path, parts = tmp_path / "model.xlsx", parts_of(template())
    parts["xl/vbaProject.bin"] = b"Sub Auto_Open()"
    parts["xl/externalLinks/externalLink1.xml"] = b"<externalLink/>"
    path.write_bytes(zipped(parts))
    assert read_workbook(path) == ds.load_study("guosen-2025-01")


def test_what_does_not_fit_says_so_before_anything_is_written(tmp_path):
    path = tmp_path / "model.xlsx"
    long = ds.Model([], {"x": dist.empirical(np.random.default_rng(1).normal(size=4000).tolist())})
    with pytest.raises(WorkbookError, match=r"cell \w+: 'empirical.* a cell of a workbook holds 32,767"):
        write_workbook(long, path)

    class Mine:
        def ppf(self, u):
            return np.asarray(u)

        def cdf(self, x):
            return np.asarray(x)

    with pytest.raises(WorkbookError, match=r"'x'.*metalog or empirical"):
        write_workbook(ds.Model([], {"x": Mine()}), path)
    with pytest.raises(ds.DemandsimError, match="cannot write"):
        write_workbook(ds.load_study("guosen-2025-01"), tmp_path / "no" / "model.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_the_workbook_is_made_for_people():
    book = openpyxl.load_workbook(io.BytesIO(template()))
    assert book.sheetnames == [
        *("assumptions", "scenarios", "correlations", "results", "published", "equations", "notes", "study", "units"),
    ]
    for page in book:
        assert page.freeze_panes.endswith("3")
        assert page.page_setup.orientation == "landscape"
        assert page.print_title_rows
        assert all(6 <= dimension.width <= 115 for dimension in page.column_dimensions.values())
    # Cells that are read back are tinted; those that compute are not.
    tint = cell(book, "assumptions", "cards", "point") if "cards" in ds.load_study(REPORT[0]).assumptions else None
    tint = tint or cell(book, "assumptions", "utilization", "point")
    # Of those, the ones to edit are framed: point and distribution, and no others.
    framed = {c.column_letter for row in book["assumptions"].iter_rows(min_row=3) for c in row if c.border.left.style}
    heads = {c.column_letter: c.value for c in book["assumptions"][2]}
    assert {heads[letter] for letter in framed} == {"point", "distribution"}
    assert tint.fill.start_color.rgb.endswith("FFE699")
    assert cell(book, "assumptions", "utilization", "source").fill.start_color.rgb.endswith("FFF8DC")
    assert book["results"]["D2"].alignment.horizontal == "right"
    assert book["results"]["A2"].alignment.horizontal is None
    assert cell(book, "results", "cards", "100T", key="quantity").fill.fill_type is None
    # A formula names what it computes from.
    formula = cell(book, "results", "cards", "100T, in base units", key="quantity").value
    assert formula == "=peak_compute_100T/(card_flops_100T*utilization_100T)"
    for name in ("peak_compute_100T", "card_flops_100T"):
        assert name in book.defined_names
