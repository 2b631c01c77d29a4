"""Simulated percentiles stand beside the live points, charts are native, and an edit of half a row is said."""

import functools
import re
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from workbooks import cell, columns, computed_by_formualizer, edited, fleet

import demandsim as ds
from demandsim.errors import WorkbookWarning
from demandsim.workbook import read_workbook, write_workbook

STUDY = "guosen-2025-01"


@functools.cache
def simulated(study=STUDY):
    """A workbook with simulated sheets as bytes, its model and its draws."""
    import tempfile

    model = ds.load_study(study)
    draws = model.simulate(64, chains=4, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xlsx"
        write_workbook(model, path, draws=draws, prob=0.8)
        return path.read_bytes(), model, draws


@pytest.fixture
def book_path(tmp_path):
    path = tmp_path / "simulated.xlsx"
    path.write_bytes(simulated()[0])
    return path


def test_percentiles_and_errors_stand_beside_the_point_that_is_live(book_path):
    _, model, draws = simulated()
    page = openpyxl.load_workbook(book_path, data_only=True)["simulation"]
    live = openpyxl.load_workbook(book_path)["simulation"]
    heads, seen = columns(page), 0
    point, summary = model.point(), ds.summarize(draws, prob=0.8)
    for row in range(4, page.max_row + 1):
        name, scenario = page.cell(row, 1).value, page.cell(row, heads["at scenario"]).value
        place = {"scenario": scenario} if scenario else {}
        values = draws[name].sel(place)
        # By numpy, not by what wrote them.
        for header, share in (("P10", 0.1), ("P50", 0.5), ("P90", 0.9)):
            expected = float(np.quantile(values, share))
            assert page.cell(row, heads[header]).value == pytest.approx(expected, rel=1e-2, abs=1e-9), (name, header)
        for header, key in (("error of P10", "mcse_lower"), ("error of P50", "mcse_median"), ("mean", "mean")):
            told = float(summary[name].sel(statistic=key, **place))
            assert page.cell(row, heads[header]).value == pytest.approx(told, rel=1e-12)
        assert page.cell(row, heads["point (live)"]).value == pytest.approx(float(point[name].sel(place)), rel=1e-12)
        assert live.cell(row, heads["point (live)"]).value.startswith("=")
        seen += 1
    assert seen == sum(point[name].size for name in model.equations)
    assert page["A3"].value == "points and distributions are as simulated"


def test_charts_are_native_and_point_at_the_cells_that_they_show(book_path):
    book = openpyxl.load_workbook(book_path)
    page, tornado = book["simulation"], book["tornado"]
    assert len(page._charts) == 4
    (bars,) = tornado._charts
    assert [series.val.numRef.f for series in bars.series] == ["'tornado'!$C$3:$C$11", "'tornado'!$D$3:$D$11"]
    first = page._charts[0]
    heads = columns(page)
    letters = [page.cell(1, heads[header]).column_letter for header in ("P10", "P50", "P90")]
    assert [series.val.numRef.f for series in first.series] == [f"'simulation'!${x}$4:${x}$5" for x in letters]
    assert [series.tx.strRef.f for series in first.series] == [f"'simulation'!${x}$2" for x in letters]
    # The bars begin where all assumptions are at their points.
    _, model, _ = simulated()
    base = float(model.point()[model.presentation.explained[0]].isel(scenario=0))
    assert bars.x_axis.crossesAt == pytest.approx(base, rel=1e-12)
    found = ds.sensitivity.tornado(model, model.presentation.explained[0], prob=0.8).isel(scenario=0)
    table = found[model.presentation.explained[0]].sel(end=["low", "high"]).values
    rows = [[tornado.cell(row, column).value for column in (3, 4)] for row in range(3, 3 + len(table))]
    np.testing.assert_allclose(np.sort(rows, axis=0), np.sort(table, axis=0), rtol=1e-12)


def test_results_over_years_are_lines_and_a_scenario_has_its_own_chart(tmp_path):
    model, path = fleet(), tmp_path / "fleet.xlsx"
    write_workbook(model, path, draws=model.simulate(16, chains=2, seed=1))
    with zipfile.ZipFile(path) as parts:
        charts = [parts.read(name).decode() for name in parts.namelist() if re.match(r"xl/charts/chart\d+", name)]
    assert sum("lineChart" in chart for chart in charts) == 8
    assert sum('barDir val="bar"' in chart for chart in charts) == 1
    assert read_workbook(path) == model


def test_a_model_that_comes_back_has_no_more_in_it_for_its_simulated_sheets(book_path):
    assert read_workbook(book_path) == ds.load_study(STUDY)


def test_a_point_that_is_edited_without_its_distribution_is_said_on_reading(tmp_path):
    def change(book):
        cell(book, "assumptions", "utilization", "point").value = 0.2

    with pytest.warns(WorkbookWarning) as told:
        model = read_workbook(edited(tmp_path, change))
    (said,) = (str(warning.message) for warning in told)
    place = r"sheet 'assumptions', cell C7 \(utilization\): the point was 0.45 and is 0.2, but its distribution in "
    assert re.search(place + r"E7 is still 'beta\(mean=0.451386, sd=0.1\)': simulations draw as before; edit", said)
    assert model.assumptions["utilization"].point == 0.2


@pytest.mark.parametrize("law", ["sure", "beta(mean=0.2, sd=0.1)"])
def test_a_point_whose_distribution_follows_is_not_said(law, tmp_path):
    def change(book):
        cell(book, "assumptions", "utilization", "point").value = 0.2
        cell(book, "assumptions", "utilization", "distribution").value = law

    assert read_workbook(edited(tmp_path, change)).assumptions["utilization"].point == 0.2


def test_points_of_labels_and_of_scenarios_are_watched_as_well(tmp_path):
    write_workbook(fleet(), tmp_path / "fleet.xlsx")
    book = openpyxl.load_workbook(tmp_path / "fleet.xlsx")
    heads = columns(book["assumptions"])
    rows = [row for row in range(3, 20) if book["assumptions"].cell(row, 1).value == "cards"]
    book["assumptions"].cell(rows[2], heads["point"]).value = 2.5e5
    book.save(tmp_path / "edited.xlsx")
    with pytest.warns(WorkbookWarning, match=rf"cell \w+{rows[2]} \(cards\): the point was 210000 and is 250000"):
        read_workbook(tmp_path / "edited.xlsx")


def test_a_scenario_that_is_edited_by_half_is_said(tmp_path):
    model = ds.load_study(STUDY).with_scenarios(
        load={"low": {"utilization": ds.Assumption("beta(mean=0.2, sd=0.05)", point=0.2)}, "as is": {}}
    )
    write_workbook(model, tmp_path / "model.xlsx")
    book = openpyxl.load_workbook(tmp_path / "model.xlsx")
    cell(book, "scenarios", "low", "point", key="scenario").value = 0.15
    book.save(tmp_path / "edited.xlsx")
    with pytest.warns(WorkbookWarning, match=r"sheet 'scenarios'.*utilization.* was 0.2 and is 0.15"):
        read_workbook(tmp_path / "edited.xlsx")


def test_the_cells_to_edit_say_what_they_are_for(tmp_path):
    book = openpyxl.load_workbook(edited(tmp_path, lambda book: None))
    page = book["assumptions"]
    prompts = {rule.promptTitle: str(rule.sqref) for rule in page.data_validations.dataValidation}
    assert prompts["Edit: point"].startswith("C3:C")
    assert prompts["Edit: distribution"].startswith("E3:E")
    assert all(
        page.column_dimensions[page.cell(2, columns(page)[h]).column_letter].hidden
        for h in ("point as written", "distribution as written")
    )


def test_the_sheet_says_once_inputs_are_not_those_that_were_simulated(book_path, tmp_path):
    book = openpyxl.load_workbook(book_path)
    cell(book, "assumptions", "utilization", "distribution").value = "beta(mean=0.2, sd=0.1)"
    book.save(tmp_path / "edited.xlsx")
    # As an independent program computes it; the stored value is that of unedited inputs.
    assert str(computed_by_formualizer(tmp_path / "edited.xlsx")("simulation", "A3")).startswith("EDITED SINCE")
