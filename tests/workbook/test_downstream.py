"""What is done with the model of any workbook: decisions, the explorer, pictures, every command."""

import shlex
import warnings

import numpy as np
import openpyxl
import pytest
from books import saved
from matplotlib.text import Text
from typer.testing import CliRunner

import demandsim as ds
from demandsim import plots
from demandsim.cli import app
from demandsim.errors import WorkbookError, WorkbookWarning
from demandsim.explorer.replay import as_command, as_python, as_shared
from demandsim.explorer.session import Explorer, Setting
from demandsim.workbook import write_results
from demandsim.workbook.xlsx import with_computed_values

SHEETS = {
    "Inputs": {"A1": "Demand", "B1": 1000, "A2": "Price per card", "B2": 150_000, "A3": "Share", "B3": 0.25},
    "Cash, flow": {
        "A1": "Capex", "B1": "=Inputs!B1*Inputs!B2",
        "A2": "Earned per card", "B2": "=Inputs!B2*(1+Inputs!B3)",
        "A3": "Profit", "B3": "=Inputs!B1*B2-B1-30000000",
    },
}  # fmt: skip
OUTPUTS = ["'Cash, flow'!B3", "'Cash, flow'!B2"]
ASSUME = {"Inputs!B1": "normal(800, 1300)", "Inputs!B3": "uniform(0.1, 0.4)"}
OPTIONS = [word for cell in OUTPUTS for word in ("--output", cell)]
OPTIONS += [word for cell, law in ASSUME.items() for word in ("--assume", f"{cell}={law}")]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return saved(tmp_path / "plan.xlsx", SHEETS)


@pytest.fixture
def model(path):
    return ds.read_workbook(path, outputs=OUTPUTS, assume=ASSUME)


def command(*words, code=0):
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def wrong_value(path):
    """The value of a cell between assumptions and outputs is not what its formula gives."""
    with_computed_values(path, {"Cash, flow": {"B1": 1.0}})
    book = openpyxl.load_workbook(path)
    book.save(path)
    with_computed_values(path, {"Cash, flow": {"B1": 1.0, "B2": 187_500.0, "B3": 7_500_000.0}})
    return path


def test_a_decision_and_the_worth_of_knowing_are_those_of_the_formulas(model):
    draws = model.simulate(draws=512, chains=4, seed=1)
    build = [0.0, 1.0]

    def payoff(draws, action):
        return action * draws.profit

    paid = ds.decisions.evaluate(draws, build, payoff)
    assert float(paid["mean"].max()) == pytest.approx(float(draws.profit.mean()))
    worth = ds.decisions.value_of_information(draws, build, payoff)
    by_hand = float(draws.profit.clip(min=0).mean() - max(0.0, float(draws.profit.mean())))
    assert float(worth.evpi) == pytest.approx(by_hand)
    nested = ds.decisions.value_of_information(
        draws, build, payoff, of=["share"], model=model, nested=True, runs=2**14, seed=1
    )
    assert float(nested.evppi[0]) == pytest.approx(float(worth.evppi.sel(assumption="share")), rel=0.05)


def test_the_explorer_says_how_to_read_the_workbook_again(path, model):
    explorer = Explorer(model, draws=64)
    moved = Setting(handles={"share": (0.2, 0.3)})
    scene = explorer.scene(moved)
    assert [row.name for row in scene.rows] == ["profit", "earned_per_card"]
    words = shlex.split(as_command(explorer, moved, path.name))
    assert words[:3] == ["demandsim", "run", "plan.xlsx"]
    assert words[3 : 3 + len(OPTIONS)] == OPTIONS
    assert shlex.split(as_shared(explorer, "{}", path.name))[3 : 3 + len(OPTIONS)] == OPTIONS
    found = {}
    code = as_python(explorer, moved, path.name).rpartition("\n")[0]
    exec(code, found)
    assert found["draws"].profit.equals(explorer.simulated(moved).profit)
    done = command(*words[1:], "--format", "csv", "--no-draws-file")
    row = next(line for line in done.output.splitlines() if line.startswith("profit,"))
    assert f"{scene.rows[0].mean:.6g}"[:5] in row.replace(".", "") or str(scene.rows[0].mean)[:6] in row


def test_distributions_and_flags_are_asked_for_again(path):
    wrong_value(path)
    law = ds.distributions.normal(800, 1300)
    with pytest.warns(WorkbookWarning, match="not as the file says"):
        model = ds.read_workbook(path, outputs=OUTPUTS, assume={"Inputs!B1": law, "Inputs!B3": 0.25}, accept=True)
    explorer = Explorer(model, draws=16)
    told = as_command(explorer, explorer.start(), "plan.XLSM")
    assert f"--assume {shlex.quote(f'Inputs!B1={law}')} --assume 'Inputs!B3=0.25' --accept" in told
    code = as_python(explorer, explorer.start(), "plan.XLSM")
    assert f'ds.read_workbook("plan.XLSM", outputs={OUTPUTS}'.replace("\"'", "\"'") in code.replace("', '", '", "')
    assert f'assume={{"Inputs!B1": "{law}", "Inputs!B3": 0.25}}, accept=True)' in code


def test_explore_takes_cells(path, monkeypatch):
    served = {}

    def serve(explorer, study, sets, **more):
        served.update(model=explorer.model, study=study)

    monkeypatch.setattr("demandsim.explorer.server.serve", serve)
    command("explore", path, *OPTIONS, "--no-browser")
    assert list(served["model"].equations) == ["profit", "earned_per_card"]


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "plan.xlsx", "profit"],
        ["report", "plan.xlsx", "--draws", "16"],
    ],
)
def test_commands_go_on_with_accept(path, words):
    wrong_value(path)
    refused = command(*words, *OPTIONS, code=1)
    assert isinstance(refused.exception, WorkbookError)
    with pytest.warns(WorkbookWarning, match="not as the file says"):
        command(*words, *OPTIONS, "--accept")


@pytest.mark.parametrize("name", ["run", "sensitivity", "infer", "decide", "report"])
def test_every_command_hands_over_what_is_asked_of_a_workbook(name, path, monkeypatch):
    asked = []

    def loaded(study, sets, scenarios, cells):
        asked.append(cells.arguments)
        raise WorkbookError("enough")

    monkeypatch.setattr("demandsim.cli._study.loaded", loaded)
    command(name, path, *OPTIONS, "--accept", "--rand", code=1)
    assert asked == [{"outputs": OUTPUTS, "assume": ASSUME, "accept": True, "rand": True}]


def test_an_order_takes_cells_in_its_own_units_and_says_so(path):
    terms = ["--demand", "demand", "--unit-cost", "150000", "--value", "earned_per_card"]
    done = command("decide", path, *OPTIONS, *terms, "--draws", "64", "--seed", "1", "--actions", "800:1200:3")
    assert (
        "cells have no units; taken in those of the decision: demand [card], earned_per_card [CNY/card]" in done.output
    )
    lacking = command("decide", path, *OPTIONS, "--draws", "16", code=1)
    assert str(lacking.exception).endswith("This workbook has demand, share, profit, earned_per_card")


def test_a_cell_has_no_unit_and_is_called_no_ratio(model):
    draws = model.simulate(draws=64, chains=2, seed=1)
    assert draws.profit.attrs["units"] == draws.share.attrs["units"] == ""
    assert model.equations["profit"].unit == "1"
    # Nor is money that nobody said to be yuan taken for yuan.
    found = ds.decisions.evaluate(draws, [1.0, 2.0], lambda draws, action: draws.profit * action)
    assert found["mean"].attrs["units"] == found["lead"].attrs["units"] == ""
    priced = draws.assign(profit=draws.profit.assign_attrs(units="USD"))
    found = ds.decisions.evaluate(priced, [1.0, 2.0], lambda draws, action: draws.profit * action)
    assert found["mean"].attrs["units"] == "USD"
    bridge = ds.sensitivity.bridge(model, model.assume(share="uniform(0.2, 0.4)"), of="profit")
    tornado = ds.sensitivity.tornado(model, of="profit")
    pictures = plots.distributions(draws), plots.tornado(tornado), plots.waterfall(bridge)
    for drawn in pictures:
        axes = np.ravel(drawn)
        texts = [text.get_text() for one in axes for text in one.figure.findobj(Text)]
        assert not any("ratio" in text for text in texts)
        assert all(one.get_xlabel() == one.get_xlabel().strip() for one in axes)


def test_the_page_calls_no_cell_a_ratio(model, tmp_path):
    from demandsim.report import write_report

    write_report(model, tmp_path / "page.html", draws=16, seed=1)
    assert "ratio<" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_results_are_formatted_as_their_cells(path, tmp_path):
    book = openpyxl.load_workbook(path)
    book["Cash, flow"]["B3"].number_format = "#,##0"
    book["Inputs"]["B3"].number_format = "0.0%"
    book.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkbookWarning)  # openpyxl saves no values to check against
        model = ds.read_workbook(path, outputs=OUTPUTS, assume=ASSUME)
    copy = write_results(path, tmp_path / "told.xlsx", model, model.simulate(draws=64, chains=2, seed=1))
    sheet = openpyxl.load_workbook(copy)["demandsim results"]
    formats = {row[0].value: [cell.number_format for cell in row[3:10]] for row in sheet.iter_rows() if row[0].value}
    plain, thousands, percent = "General", "#,##0", "0.0%"
    assert formats["profit"] == [thousands] * 5 + [plain] * 2
    assert formats["earned_per_card"] == [plain] * 7
    assert formats["share"] == [percent] * 5 + [plain] * 2
    assert sheet["B12"].number_format == sheet["C12"].number_format == thousands, "tornado"
    assert sheet["A15"].number_format == sheet["A38"].number_format == thousands, "histogram"
    assert sheet["C5"].value == "'Cash, flow'!B3"


def crystal_ball(kind, tmp_path):
    book = openpyxl.load_workbook(saved(tmp_path / "cb.xlsx", SHEETS))
    if kind == "sheet":
        book.create_sheet("CB_DATA_").sheet_state = "veryHidden"
    elif kind == "name":
        made = openpyxl.workbook.defined_name.DefinedName("CB_Block_0", attr_text="Inputs!$B$1")
        book.defined_names["CB_Block_0"] = made
    elif kind == "function":
        book["Inputs"]["D1"] = "=_xll.CB.Normal(1000,100)"
    book.save(tmp_path / "cb.xlsx")
    return tmp_path / "cb.xlsx"


@pytest.mark.parametrize(
    ("kind", "found"),
    [("sheet", "a sheet CB_DATA_"), ("name", "a name CB_BLOCK_0"), ("function", "CB.Normal in Inputs!D1")],
)
def test_a_workbook_of_crystal_ball_is_told(kind, found, tmp_path):
    path = crystal_ball(kind, tmp_path)
    with pytest.warns(WorkbookWarning) as told:
        ds.read_workbook(path, outputs=OUTPUTS, assume=ASSUME)
    lines = [str(one.message) for one in told if "Crystal Ball" in str(one.message)]
    assert len(lines) == 1
    assert f"holds data of Crystal Ball ({found})" in lines[0]
    assert "write them on a sheet 'demandsim', which demandsim mark makes" in lines[0]


def test_other_workbooks_hold_nothing_of_crystal_ball(tmp_path):
    path = crystal_ball("none", tmp_path)
    with pytest.warns(WorkbookWarning) as told:
        ds.read_workbook(path, outputs=OUTPUTS, assume=ASSUME)
    assert not any("Crystal Ball" in str(one.message) for one in told)
