"""Copies of a workbook with one sheet more: candidates to fill in, and results; all else byte for byte."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import openpyxl
import pytest
from books import saved
from typer.testing import CliRunner

import demandsim as ds
from demandsim.cli import app
from demandsim.errors import DemandsimError, WorkbookError
from demandsim.workbook import mark_workbook, write_results

SHEETS = {
    "Inputs": {"A1": "Price", "B1": 150_000, "A2": "Cards", "B2": 1000, "A3": "Share", "B3": 0.2, "B4": 2024},
    "Result": {"A1": "Capex", "B1": "=Inputs!B1*Inputs!B2", "A2": "Cost", "B2": "=B1*(1+Inputs!B3)+Inputs!B4*0"},
}
#: Parts that name the sheets of a workbook.
LISTS = {"[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"}


@pytest.fixture
def path(tmp_path):
    return saved(tmp_path / "capex.xlsx", SHEETS)


def rows_of(path, sheet):
    return [list(row) for row in openpyxl.load_workbook(path)[sheet].values]


def unchanged(before, after):
    with zipfile.ZipFile(before) as one, zipfile.ZipFile(after) as other:
        return {name for name in one.namelist() if one.read(name) != other.read(name)} == LISTS


def marked(path, changes):
    """Fill in the sheet as a user would, by openpyxl: what it drops does not matter here."""
    book = openpyxl.load_workbook(path)
    sheet = book["demandsim"]
    for row in sheet.iter_rows(min_row=3):
        if row[1].value in changes:
            row[0].value, row[2].value = "assumption", changes[row[1].value]
    for more in changes.get("more", []):
        sheet.append(more)
    book.save(path)
    return path


def test_candidates_are_ranked_by_what_they_move(path):
    copy = mark_workbook(path)
    rows = rows_of(copy, "demandsim")[2:]
    assert [row[:2] for row in rows] == [
        ["output", "Result!B2"],
        ["candidate", "Inputs!B1"],
        ["candidate", "Inputs!B2"],
        ["candidate", "Inputs!B3"],
    ]
    assert rows[1][6:8] == ["Price", 150_000]
    assert [row[8] for row in rows[1:]] == pytest.approx([0.1, 0.1, 0.02 / 1.2])
    assert unchanged(path, copy)


def test_a_filled_sheet_is_a_model_with_correlations_and_scenarios(path):
    more = [
        ["correlation", "Inputs!B1", 0.5, "Inputs!B2"],
        ["scenario", "Inputs!B1", 200_000, "dear"],
        ["scenario", "Inputs!B1", "normal(100000, 120000)", "cheap"],
    ]
    copy = marked(
        mark_workbook(path), {"Inputs!B1": "normal(140000, 170000)", "Inputs!B2": "uniform(800, 1200)", "more": more}
    )
    with pytest.warns(ds.errors.WorkbookWarning if hasattr(ds, "errors") else Warning):
        model = ds.read_workbook(copy)
    assert set(model.assumptions) == {"price", "cards"}
    assert list(model.scenarios.coords["scenario"]) == ["dear", "cheap"]
    assert model.correlations == {("price", "cards"): 0.5}
    assert float(model.point().cost.sel(scenario="dear")) == 200_000 * 1000 * 1.2


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["asumption", "Inputs!B1", 1], "demandsim!A7: 'asumption' is none of .*did you mean 'assumption'"),
        (["assumption", "Input!B1", 1], "demandsim!B7: 'Input!B1': there is no sheet 'Input'; did you mean 'Inputs'"),
        (["assumption", "Inputs!B1", None], "demandsim!C7: is empty"),
        (["correlation", "Inputs!B1", 2, "Inputs!B2"], "demandsim!C7: is 2.0; write a rank correlation"),
        (["scenario", "Inputs!B1", 2, None], "demandsim!D7: is empty; write the name of the scenario"),
        (["scenario", "Inputs!B1", 2, "dear"], "Inputs!B1 is in a correlation or scenario, but no assumption"),
    ],
)
def test_what_is_wrong_on_the_sheet_is_named(path, more, says):
    copy = marked(mark_workbook(path), {"more": [more]})
    with pytest.raises(ds.DemandsimError, match=says):
        ds.read_workbook(copy)


def test_a_second_sheet_of_that_name_is_not_made(path):
    with pytest.raises(WorkbookError, match="has a sheet 'demandsim' already"):
        mark_workbook(mark_workbook(path))


def test_results_stand_in_a_copy_with_charts(path, tmp_path):
    model = ds.read_workbook(path, outputs=["Result!B2"], assume={"Inputs!B1": "normal(140000, 170000)"})
    draws = model.simulate(draws=256, chains=4, seed=1)
    copy = write_results(path, tmp_path / "told.xlsx", model, draws, command="demandsim run capex.xlsx")
    rows = rows_of(copy, "demandsim results")
    assert rows[1][0] == "Made by: demandsim run capex.xlsx"
    told = dict(zip(rows[3], rows[4], strict=True))
    assert told["quantity"] == "cost"
    assert told["P50"] == pytest.approx(float(ds.summarize(draws).cost.sel(statistic="median")))
    assert len(openpyxl.load_workbook(copy)["demandsim results"]._charts) == 2
    assert unchanged(path, copy)
    again = write_results(copy, tmp_path / "again.xlsx", model, draws)
    assert openpyxl.load_workbook(again).sheetnames[-2:] == ["demandsim results", "demandsim results 2"]
    with pytest.raises(WorkbookError, match="is the workbook itself"):
        write_results(path, path, model, draws)


def test_a_copy_takes_the_place_of_no_folder_device_or_workbook(path, tmp_path):
    before = path.read_bytes()
    model = ds.read_workbook(path, outputs=["Result!B2"], assume={"Inputs!B1": "normal(140000, 170000)"})
    draws = model.simulate(draws=64, chains=2, seed=1)
    (tmp_path / "folder.xlsx").mkdir()
    os.link(path, tmp_path / "hard.xlsx")
    (tmp_path / "soft.xlsx").symlink_to(path)
    (tmp_path / "to-folder.xlsx").symlink_to(tmp_path / "folder.xlsx")
    os.mkfifo(tmp_path / "pipe.xlsx")
    places = {
        "folder.xlsx": "something else than a file",
        "to-folder.xlsx": "something else than a file",
        "pipe.xlsx": "something else than a file",
        "absent/x.xlsx": "No such file",
        "hard.xlsx": "is the workbook itself",
        "soft.xlsx": "is the workbook itself",
        "capex.xlsx": "is the workbook itself",
    }
    for name, says in places.items():
        for write in (
            lambda place: mark_workbook(path, place),
            lambda place: write_results(path, place, model, draws),
        ):
            with pytest.raises(DemandsimError, match=says):
                write(tmp_path / name)
    with pytest.raises(DemandsimError, match="something else than a file"):
        ds.load_study("guosen-2025-01").to_toml(tmp_path / "pipe.xlsx")
    assert path.read_bytes() == before
    # Nothing half-written is left, nor anything in the folder.
    assert {one.name for one in tmp_path.iterdir()} == {*places, path.name} - {"absent/x.xlsx"}
    assert not list((tmp_path / "folder.xlsx").iterdir())


def test_what_a_link_points_to_stays_when_a_copy_takes_the_place_of_the_link(path, tmp_path):
    (tmp_path / "mine").write_text("mine")
    for name in ("mine", "not there"):
        link = tmp_path / "link.xlsx"
        link.symlink_to(tmp_path / name)
        assert mark_workbook(path, link) == link
        assert not link.is_symlink()
        link.unlink()
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "not there").exists()


def test_a_text_that_begins_like_a_formula_stays_a_text(path):
    copy = mark_workbook(path, outputs=["Result!B1"])
    assert all(cell.data_type != "f" for row in openpyxl.load_workbook(copy)["demandsim"].iter_rows() for cell in row)


def test_the_command_line_runs_any_workbook(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call = ["run", "capex.xlsx", "--output", "Result!B2", "--assume", "Inputs!B1=normal(140000, 170000)", "--seed", "1"]
    result = CliRunner().invoke(
        app, [*call, "--draws", "64", "--into", "told.xlsx", "--format", "csv", "--no-draws-file"]
    )
    assert result.exit_code == 0, result.output
    assert "cost,1," in result.output
    assert Path("told.xlsx").is_file()
    wrong = CliRunner().invoke(app, ["run", "guosen-2025-01", "--output", "Result!B2"])
    assert wrong.exit_code == 2
    assert CliRunner().invoke(app, ["mark", "capex.xlsx", "--output", "Result!B2"]).exit_code == 0


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_opens_a_copy_and_finds_the_same_values(path, tmp_path):
    model = ds.read_workbook(path, outputs=["Result!B2"], assume={"Inputs!B1": "normal(140000, 170000)"})
    copy = write_results(path, tmp_path / "told.xlsx", model, model.simulate(draws=64, chains=2, seed=1))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    call = [
        "soffice",
        profile,
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
        tmp_path / "out",
        copy,
    ]
    subprocess.run(call, check=True, capture_output=True, timeout=100)
    book = openpyxl.load_workbook(tmp_path / "out" / "told.xlsx", data_only=True)
    assert book["Result"]["B2"].value == 180_000_000
    assert book["demandsim results"]["A5"].value == "cost"
