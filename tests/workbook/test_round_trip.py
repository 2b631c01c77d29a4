"""Workbooks that nobody, a program or an analyst has edited are read back as the model that they say."""

import functools
import io
import math
import re
import shutil
import subprocess
import warnings
import zipfile

import openpyxl
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import assert_equal, cell, columns, edited, fleet, template, written

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DemandsimError, UnusedAssumptionWarning, WorkbookError, WorkbookWarning
from demandsim.workbook import read_workbook, write_workbook


@pytest.mark.parametrize("study", ds.list_studies())
def test_a_study_that_nobody_has_edited_comes_back_as_it_was(study, tmp_path):
    path = tmp_path / "model.xlsx"
    path.write_bytes(template(study))
    assert_equal(read_workbook(path), ds.load_study(study))


def test_dims_points_by_label_and_dangerous_texts_come_back_as_they_were(tmp_path):
    model, path = fleet(), tmp_path / "fleet.xlsx"
    write_workbook(model, path)
    assert_equal(read_workbook(path), model)
    # A program that opens the file finds texts, no formulas, and keeps them texts when they are edited.
    book = openpyxl.load_workbook(path)
    for sheet in ("assumptions", "scenarios", "notes", "equations", "labels", "correlations"):
        for row in book[sheet].iter_rows():
            assert all(one.data_type != "f" for one in row)
    source = cell(book, "assumptions", "cards", "source")
    assert source.value.startswith("=HYPERLINK")
    assert source.quotePrefix
    assert cell(book, "assumptions", "cards", "label").value == "所需卡数"


def test_evidence_comes_back_and_a_bad_cell_of_it_is_named(tmp_path):
    study, path = ds.load_study("guosen-2025-01"), tmp_path / "model.xlsx"
    measured = xr.DataArray([8e10], dims="scenario", coords={"scenario": ["100T"]})
    model = study.observe(capex=ds.Assumption(dist.normal(mean=measured, sd=2e10), "CNY", source="=a budget"))
    model = model.observe(utilization="beta(0.08, 0.28, prob=0.8)", event="gross_margin < 0")
    written(model, path)
    assert read_workbook(path) == model
    assert read_workbook(path).evidence == model.evidence
    for place, value, says in (
        ("A3", "capx", r"'evidence', cell A3 \(capx\): unknown quantity 'capx'; did you mean 'capex'"),
        ("D3", "normal(1", r"'evidence', cell D3 \(capex\): cannot read"),
        ("E3", "scenario = 100T", r"'evidence', cell E3 \(capex\): .*; write a line per dim"),
        ("E3", "scenario = [['100T']]", r"'evidence', cell E3 \(capex\): 'scenario' needs a list"),
        ("C3", "card", r"sheet 'evidence'.*card"),
        ("B5", "gross_margin = 0", r"'evidence', cell B5: unknown comparison"),
        ("B3", "gross_margin < 0", r"'evidence', cell B3: write either"),
    ):
        book = openpyxl.load_workbook(path)
        book["evidence"][place] = value
        book.save(tmp_path / "bad.xlsx")
        with pytest.raises(DemandsimError, match=says):
            read_workbook(tmp_path / "bad.xlsx")
    with pytest.raises(WorkbookError, match="is a function, which a file does not hold"):
        write_workbook(study.observe(lambda draws: draws.capex > 0), path)


def test_what_libreoffice_or_openpyxl_saves_again_is_the_same_model(tmp_path):
    model, path = fleet(), tmp_path / "fleet.xlsx"
    write_workbook(model, path)
    again = tmp_path / "again.xlsx"
    openpyxl.load_workbook(path).save(again)
    saved = [again]
    if office := shutil.which("soffice") or shutil.which("libreoffice"):
        command = [office, "--headless", "--norestore", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"]
        command += ["--convert-to", "xlsx", "--outdir", str(tmp_path / "office"), str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        saved.append(tmp_path / "office" / "fleet.xlsx")
    for one in saved:
        found = read_workbook(one)
        # A carriage return is what LibreOffice drops; and openpyxl keeps 16 digits.
        assert found.quantities == model.quantities
        assert found.scenarios.coords == model.scenarios.coords
        assert found.correlations == model.correlations
        xr.testing.assert_allclose(found.point(), model.point(), rtol=1e-15)
        one_draw, other_draw = (m.simulate(draws=16, chains=2, seed=1) for m in (found, model))
        xr.testing.assert_allclose(one_draw, other_draw, rtol=1e-12)


def test_every_bit_of_a_number_survives(tmp_path):
    numbers = [0.1 + 0.2, 1 / 3, math.pi * 1e300, 5e-324, -0.1, 2.0**53 + 2, 1e22, 110e9, 123456.789]
    model = ds.Model([], {f"x{i}": ds.Assumption("uniform(-1, 1e300)", point=n) for i, n in enumerate(numbers)})
    sure = ds.Model([], {f"x{i}": ds.Assumption(n) for i, n in enumerate(numbers)})
    for i, one in enumerate((model, sure)):
        write_workbook(one, tmp_path / f"{i}.xlsx")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WorkbookWarning)
            again = read_workbook(tmp_path / f"{i}.xlsx")
        assert [a.point for a in again.assumptions.values()] == numbers
        assert again == one


numbers = st.floats(1e-3, 1e3)


DISTRIBUTIONS = st.one_of(
    numbers.map(lambda x: repr(x)),
    st.tuples(numbers, st.floats(1.1, 9)).map(lambda v: f"lognormal(median={v[0]!r}, factor={v[1]!r})"),
    st.tuples(numbers, st.floats(1.1, 9)).map(lambda v: f"uniform({v[0]!r}, {v[0] * v[1]!r})"),
    st.tuples(numbers, st.floats(0.2, 1)).map(lambda v: f"gamma(mean={v[0]!r}, sd={v[0] * v[1]!r})"),
    st.tuples(numbers, st.floats(1.1, 9)).map(lambda v: f"triangular({v[0]!r}, {v[0] * v[1]!r}, {2 * v[0] * v[1]!r})"),
)


# Shares have bounds, and are tested apart.
FREE = sorted(n for n, a in ds.load_study("guosen-2025-01").assumptions.items() if a.bounds.high is None)
EDITS = st.dictionaries(
    st.sampled_from(FREE),
    st.tuples(DISTRIBUTIONS, st.none() | numbers, st.none() | st.text("=+-@ ä卡'\"<&x_0\n", min_size=1).map(str.strip)),
    min_size=1,
    max_size=4,
)


@functools.cache
def working_copy():
    return openpyxl.load_workbook(io.BytesIO(template()))


@settings(max_examples=12)
@given(edits=EDITS)
def test_edited_cells_are_the_edited_model(edits, tmp_path_factory):
    book, study = working_copy(), ds.load_study("guosen-2025-01")
    before = {}
    try:
        assumptions = {}
        for name, (text, point, source) in edits.items():
            as_number = re.fullmatch(r"[\d.e+-]+", text)
            for header, value in (
                ("distribution", float(text) if as_number else text),
                ("point", point),
                ("source", source or None),
            ):
                place = cell(book, "assumptions", name, header)
                before[place] = (place.value, place.data_type)
                place.value = value
                if isinstance(value, str):
                    place.data_type = "s"
            base = study.assumptions[name]
            assumptions[name] = ds.Assumption(
                text if not as_number else float(text),
                base.unit,
                point=point,
                long_name=base.long_name,
                source=source or None,
                shared=base.shared,
            )
        path = tmp_path_factory.mktemp("edited") / "model.xlsx"
        book.save(path)
    finally:
        for place, (value, kind) in before.items():
            place.value, place.data_type = value, kind
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = read_workbook(path)
    # openpyxl writes 16 digits of what it saves, so what was typed is compared in what it holds.
    wanted = study._with(assumptions={**study.assumptions, **assumptions})
    for name, one in wanted.assumptions.items():
        other = found.assumptions[name]
        assert str(other.distribution) == str(one.distribution) or float(str(other.distribution)) == pytest.approx(
            float(str(one.distribution)), rel=1e-15
        )
        assert other.point == pytest.approx(one.point, rel=1e-15)
        assert (other.unit, other.long_name, other.shared) == (one.unit, one.long_name, one.shared)
        assert (other.source or "").split() == (one.source or "").split()
    # A point that no draw can have is said, and only such a one.
    outside = {
        name
        for name, one in wanted.assumptions.items()
        if not one.distribution.laws[0].support()[0] * (1 - 1e-9)
        <= one.point
        <= one.distribution.laws[0].support()[1] * (1 + 1e-9)
    }
    said = {re.search(r"\((\w+)\): the point", str(w.message))[1] for w in caught if w.category is WorkbookWarning}
    assert said == outside


def test_new_rows_own_columns_and_moved_columns(tmp_path):
    def change(book):
        page = book["assumptions"]
        heads = columns(page)
        page.cell(2, 20).value = "my remarks"
        page.cell(5, 20).value = "=1/0"
        last = page.max_row + 3
        row = {"name": "headcount", "point": 12, "unit": "1", "distribution": "triangular(10, 12, 20)"}
        for header, value in row.items():
            page.cell(last, heads[header]).value = value
        page.insert_rows(1)
        page["A1"] = "Draft of Tuesday"
        book.create_sheet("scratch")["A1"] = "anything"

    with pytest.warns(UnusedAssumptionWarning, match="'headcount'"):
        model = read_workbook(edited(tmp_path, change))
    assert model.assumptions["headcount"].point == 12
    assert not model.assumptions["headcount"].shared
    study = ds.load_study("guosen-2025-01")
    assert {n: a for n, a in model.assumptions.items() if n != "headcount"} == dict(study.assumptions)


def test_scenarios_correlations_and_notes_can_be_edited(tmp_path):
    def change(book):
        page = book["scenarios"]
        heads = columns(page)
        for header, value in {
            "dim": "scenario",
            "scenario": "cheap",
            "name": "token_price",
            "point": 0.8,
            "distribution": "sure",
        }.items():
            page.cell(page.max_row + (header == "dim"), heads[header]).value = value
        book["correlations"].append(["token_price", "paid_share", -0.4, "dearer tokens are sold less"])
        book["notes"].append(["note", "edited on Tuesday"])

    model = read_workbook(edited(tmp_path, change))
    assert list(model.scenarios.grid["scenario"]) == ["100T", "1000T", "cheap"]
    override = model.scenarios.grid["scenario"]["cheap"]["token_price"]
    assert override.distribution.is_constant
    assert override.unit == "CNY/Mtoken"
    assert override.long_name == "Mean API price"
    assert dict(model.correlations) == {("token_price", "paid_share"): -0.4}
    assert model.notes.reasons == {("paid_share", "token_price"): "dearer tokens are sold less"}
    assert model.notes.notes[-1] == "edited on Tuesday"


def test_a_formula_of_the_analyst_counts_with_its_last_value_and_is_never_run(tmp_path):
    def change(book):
        cell(book, "assumptions", "card_price", "point").value = "=20000*7.2"

    path = edited(tmp_path, change)
    with pytest.raises(WorkbookError, match=r"cell C\d+ \(card_price\): the formula =20000\*7.2 has not been computed"):
        read_workbook(path)
    with_value(path, "20000*7.2", "143999.5")
    with pytest.warns(WorkbookWarning, match=r"cell C10 \(card_price\): the point was 150000 and is 144000"):
        assert read_workbook(path).assumptions["card_price"].point == 143_999.5
    with_value(path, "20000*7.2", "#REF!", kind="e")
    with pytest.raises(WorkbookError, match=r"\(card_price\): holds the error #REF!"):
        read_workbook(path)


def with_value(path, formula, value, kind="n"):
    """Store a value beside a formula, as Excel does when it saves."""
    parts = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts[name] = archive.read(name)
    escaped = re.escape(formula)
    for name, data in parts.items():
        if name.startswith("xl/worksheets/"):
            parts[name] = re.sub(
                rf'<c r="(\w+)"([^>]*?)(?: t="\w")?><f>{escaped}</f><v>?[^<]*(?:</v>|\s*/>)</c>',
                rf'<c r="\1"\2 t="{kind}"><f>{formula}</f><v>{value}</v></c>',
                data.decode(),
            ).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_a_point_that_no_draw_can_have_is_kept_and_said(tmp_path):
    def change(book):
        cell(book, "assumptions", "utilization", "point").value = 1.2
        cell(book, "assumptions", "utilization", "upper bound").value = None
        cell(book, "assumptions", "utilization", "lower bound").value = None

    with pytest.warns(WorkbookWarning, match=r"cell C7 \(utilization\): the point 1.2 can never be drawn.* 0 to 1;"):
        model = read_workbook(edited(tmp_path, change))
    assert model.assumptions["utilization"].point == 1.2
    assert model.assumptions["utilization"].source == "set by the user"
