"""Any workbook as a model: the shared ones by others, one of our own, and what is wrong with some."""

import math
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from books import repacked, saved

import demandsim as ds
from demandsim.errors import UnknownNameError, WorkbookError, WorkbookWarning
from demandsim.workbook.calc.book import book_of
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.xlsx import with_computed_values

SHARED = Path(__file__).resolve().parents[3] / "shared" / "workbooks"
SHEETS = {
    "Inputs": {
        "A1": "Assumption", "B1": "Value", "A2": "Price per card", "B2": 150_000, "A3": "Cards", "B3": 1000,
        "A4": "Power cost share", "B4": 0.2, "A5": "Not used", "B5": 7,
    },
    "Result": {
        "A1": "Capex", "B1": "=Inputs!B2*Inputs!B3", "A2": "Power", "B2": "=B1*Inputs!B4",
        "A3": "Total cost", "B3": "=B1+B2",
        "A4": "Verdict", "B4": '=IF(B3>1e8,"dear","cheap")',
    },
}  # fmt: skip
ASSUME = {"Inputs!B3": "normal(800, 1300)", "Inputs!B4": "uniform(0.1, 0.3)"}


@pytest.fixture
def path(tmp_path):
    return saved(tmp_path / "capex.xlsx", SHEETS, names={"total": "Result!$B$3"})


def test_a_workbook_is_a_model_like_any_other(path):
    model = ds.read_workbook(path, outputs=["Result!B3", "Result!B1"], assume=ASSUME)
    assert list(model.assumptions) == ["cards", "power_cost_share"]
    assert model.assumptions["cards"].source == "capex.xlsx, Inputs!B3"
    assert model.equations["total_cost"].long_name == "Total cost"
    assert float(model.point().total_cost) == 180e6
    draws = model.simulate(draws=256, chains=2, seed=1)
    np.testing.assert_allclose(draws.total_cost, 150_000 * draws.cards * (1 + draws.power_cost_share), rtol=1e-14)
    np.testing.assert_allclose(draws.capex, 150_000 * draws.cards, rtol=1e-14)
    told = str(model.explain("total_cost"))
    for step in ("Result!B1 (Capex)", "=Inputs!B2*Inputs!B3", "= 180,000,000", "Source: capex.xlsx, Inputs!B4"):
        assert step in told.replace("  (", " (")


def test_everything_downstream_takes_it(path):
    model = ds.read_workbook(path, outputs=["total"], assume=ASSUME)
    assert set(ds.sensitivity.tornado(model, of="total_cost").assumption.values) == {"cards", "power_cost_share"}
    shares = ds.sensitivity.sobol(model, of=["total_cost"], draws=128, seed=1)
    found = shares.first_order.sel(quantity="total_cost") if "quantity" in shares.dims else shares.first_order
    assert 0.9 < float(found.sum("assumption")) < 1.1
    posterior = model.observe(total_cost="normal(mean=170e6, sd=5e6)").infer(seed=1, draws=256, chains=4)
    assert abs(float(posterior.total_cost.mean()) - 171e6) < 3e6


def test_the_hash_is_of_formulas_and_values_beside_them(path, tmp_path):
    model = ds.read_workbook(path, outputs=["total"], assume=ASSUME)
    assert ds.read_workbook(path, outputs=["total"], assume=ASSUME).hash == model.hash
    for sheet, cell, value in (("Inputs", "B2", 160_000), ("Result", "B2", "=B1*Inputs!B4*1")):
        other = saved(
            tmp_path / "other.xlsx", SHEETS | {sheet: SHEETS[sheet] | {cell: value}}, names={"total": "Result!$B$3"}
        )
        assert ds.read_workbook(other, outputs=["total"], assume=ASSUME).hash != model.hash


def test_a_model_of_cells_goes_to_other_processes(path):
    import pickle

    model = ds.read_workbook(path, outputs=["total"], assume=ASSUME)
    again = pickle.loads(pickle.dumps(model))
    assert again.hash == model.hash
    assert float(again.point().total_cost) == 180e6


@pytest.mark.parametrize(
    ("outputs", "assume", "says"),
    [
        (["Reslt!B3"], ASSUME, "no sheet 'Reslt'; did you mean 'Result'"),
        (["B3"], ASSUME, "say on which sheet"),
        (["totl"], ASSUME, "no cell or name of the workbook; did you mean 'total'"),
        (["Result!A1:B3"], ASSUME, "no single cell"),
        (["Result!B4"], ASSUME, "Result!B4 is 'dear', which is no number"),
        (["Inputs!B5"], ASSUME, "Inputs!B5 is no formula"),
        (["Result!B3"], {"Inputs!B5": "normal(1, 2)"}, "no assumption reaches the output Result!B3"),
        (["Result!B3"], {"Inputs!A2": "normal(1, 2)"}, "Inputs!A2 holds 'Price per card', which is no number"),
        (["Result!B3"], {"Inputs!B9": "normal(1, 2)"}, "Inputs!B9 is blank"),
        (["Result!B3"], {"Inputs!B3": "norml(1, 2)"}, "Inputs!B3: unknown distribution 'norml'; did you mean 'normal'"),
        (["Result!B3"], {"Result!B3": "normal(1, 2)"}, "both an assumption and an output"),
        ([], ASSUME, "which cells are wanted is not said"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_cell(path, outputs, assume, says):
    with pytest.raises(ds.DemandsimError, match=says.replace("(", r"\(").replace(")", r"\)")):
        ds.read_workbook(path, outputs=outputs, assume=assume)


def test_a_cell_that_is_not_as_the_file_says_is_listed(path):
    repacked(path, lambda name, data: data.replace(b"<v>180000000.0</v>", b"<v>190000000.0</v>"))
    with pytest.raises(WorkbookError, match=r"Result!B3: =B1\+B2 gives 180,000,000, the file says 190,000,000"):
        ds.read_workbook(path, outputs=["total"], assume=ASSUME)
    with pytest.warns(WorkbookWarning, match="1 of 3 recomputed cells are not as the file says"):
        model = ds.read_workbook(path, outputs=["total"], assume=ASSUME, accept=True)
    assert float(model.point().total_cost) == 180e6


def test_without_saved_values_there_is_nothing_to_check_against(tmp_path):
    book = openpyxl.Workbook()
    for row in (["Cards", 1000], ["Capex", "=B1*150000"]):
        book.active.append(row)
    book.save(tmp_path / "plain.xlsx")
    with pytest.warns(WorkbookWarning, match="nothing to check against"):
        ds.read_workbook(tmp_path / "plain.xlsx", outputs=["Sheet!B2"], assume={"Sheet!B1": "normal(800, 1300)"})


@pytest.fixture
def google(tmp_path):
    """A workbook as Google Sheets exports it: functions that Excel lacks stand in a text, errors are saved as texts."""
    book = openpyxl.Workbook()
    wrapped = "=IFERROR(__xludf.DUMMYFUNCTION({}),{})"
    for row in (
        ["Cards", 1000, 1],
        ["Older cards", 400, 3],
        ["Mean", wrapped.format('"average.weighted(B1:B2,C1:C2)"', 550)],
        ["Part", wrapped.format('"IF(B1>0,""yes"",B2)&"&""" or no"""', '"yes or no"')],
        ["Wrong", "=1/0"],
        ["Fetched", wrapped.format('"IMPORTRANGE(""other"",""A1"")*B2"', 8)],
        ["Rest", wrapped.format('"""COMPUTED_VALUE"""', 9)],
        ["Total", "=B3*2"],
    ):
        book.active.append(row)
    path = tmp_path / "google.xlsx"
    book.save(path)
    values = {"B3": 550, "B4": "yes or no", "B5": "#DIV/0!", "B6": 8, "B7": 9, "B8": 1100}
    with_computed_values(path, {"Sheet": values})
    return path


def test_functions_that_only_google_sheets_has_are_computed_rather_than_taken_as_saved(google):
    book = book_of(google)
    program = traced(book, list(book.formulas), [])
    assert (program.checked, program.differences) == (4, [])
    # A tenth more older cards is 40 more, three of four of them in the mean, twice.
    program = traced(book, [("sheet", 8, 2)], [("sheet", 2, 2)])
    assert program.run({("sheet", 2, 2): np.array([400.0, 440.0])})["sheet", 8, 2].tolist() == [1100.0, 1160.0]


def test_what_another_file_holds_is_refused_where_an_assumption_meets_it(google):
    with pytest.raises(WorkbookError, match=r"Sheet!B6: the function IMPORTRANGE is not known"):
        ds.read_workbook(google, outputs=["Sheet!B6"], assume={"Sheet!B2": "normal(300, 500)"})


# Those of others

MATCHING = {"aichip_dcf": (701, 0), "bobweir": (415, 0), "mfg_cost": (73, 51), "tcs_dcf": (356, 356)}


@pytest.mark.skipif(not SHARED.is_dir(), reason="workbooks of others stand beside the checkout")
@pytest.mark.parametrize("name", MATCHING)
def test_every_formula_of_the_shared_workbooks_is_computed_and_matches(name):
    book = book_of(SHARED / f"{name}.xlsx")
    program = traced(book, list(book.formulas), [])
    assert (len(program.order), program.checked) == MATCHING[name]
    assert program.differences == []
    assert program.frozen == {}


@pytest.mark.skipif(not SHARED.is_dir(), reason="workbooks of others stand beside the checkout")
def test_a_valuation_by_others_is_simulated():
    model = ds.read_workbook(
        SHARED / "tcs_dcf.xlsx",
        outputs=["'DCF Valuation'!D29"],
        assume={"Assumptions!C35": "normal(0.04, 0.055)", "Assumptions!C23": "normal(0.55, 0.75)"},
    )
    assert math.isclose(float(model.point().implied_value_per_share), 2224.239736754144, rel_tol=1e-12)
    summary = ds.summarize(model.simulate(draws=256, chains=4, seed=1))
    assert 1500 < float(summary.implied_value_per_share.sel(statistic="lower")) < 2224


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="there is no workbook"):
        ds.read_workbook(tmp_path / "none.xlsx", outputs=["A!B1"])


def test_formulas_that_export_writes_are_computed_as_they_were_saved(tmp_path):
    ds.write_workbook(ds.load_study("guosen-2025-01"), tmp_path / "export.xlsx")
    book = book_of(tmp_path / "export.xlsx")
    program = traced(book, list(book.formulas), [])
    assert program.checked > 150
    assert program.differences == []
    assert program.frozen == {}


def test_days_that_count_from_1904_are_refused(path):
    def change(name, data):
        return (
            data.replace(b"<workbookPr ", b'<workbookPr date1904="1" ').replace(
                b"<workbookPr/", b'<workbookPr date1904="1"/'
            )
            if name == "xl/workbook.xml"
            else data
        )

    repacked(path, change)
    with pytest.raises(WorkbookError, match="counts days from 1904"):
        ds.read_workbook(path, outputs=["total"], assume=ASSUME)
