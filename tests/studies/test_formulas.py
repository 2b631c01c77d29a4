"""Models that travel: equations as formulas in the study file, in a workbook and back, with the same bits."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

import demandsim as ds
from demandsim import testing
from demandsim.errors import StudyError, StudyWarning, WorkbookError
from demandsim.studies.loading import model_from_toml

TEXT = """
schema = 1
name = "own"
equations = ["total_cost", "inference.cards"]

[coords]
year = [2025, 2026, 2028]

[formulas.fleet_cost]
formula = "where(cards > limit and price > 0, cards * max(price, floor_price), cards * price)"
unit = "CNY"
long_name = "Cost of the fleet"
source = "our own accounts"
bounds = [0, inf]

[formulas.total_cost]
formula = '''
  sum(fleet_cost, "year") * (1 - discount) ** 2
  / exp(-discount)
'''
unit = "yi*CNY"

[formulas.growth]
formula = "fleet_cost - shift(fleet_cost, 'year', 1, 0)"
unit = "CNY"

[formulas.memory]
formula = "parameters * width"
unit = "GB"
constants = { width = { value = 2, unit = "byte/parameter" } }

[assumptions.parameters]
distribution = 110e9
unit = "parameter"
[assumptions.peak_compute]
distribution = 'lognormal(by("year", [300, 500, 800]), by("year", [900, 1500, 2400]), prob=0.9)'
unit = "EFLOP/s"
[assumptions.card_flops]
distribution = 1979
unit = "TFLOP/s/card"
[assumptions.utilization]
distribution = "beta(mean=0.45, sd=0.1)"
[assumptions.limit]
distribution = 8e5
unit = "card"
[assumptions.price]
distribution = "lognormal(1e5, 2e5)"
unit = "CNY/card"
[assumptions.floor_price]
distribution = 15
unit = "wan*CNY/card"
[assumptions.discount]
distribution = "uniform(0.05, 0.1)"
"""


@ds.equation(unit="CNY", bounds=(0, None))
def fleet_cost(cards, price, limit, floor_price):
    """Cost of the fleet.

    Source: our own accounts.
    """
    return xr.where((cards > limit) & (price > 0), cards * np.maximum(price, floor_price), cards * price)


@ds.equation(unit="yi*CNY")
def total_cost(fleet_cost, discount):
    return fleet_cost.sum("year") * (1 - discount) ** 2 / np.exp(-discount)


@ds.equation(unit="CNY")
def growth(fleet_cost):
    return fleet_cost - fleet_cost.shift(year=1, fill_value=0)


@ds.equation(unit="GB")
def memory(parameters, width=ds.constant(2, "byte/parameter")):  # noqa: B008
    return parameters * width


OWN = [fleet_cost, total_cost, growth, memory]


def test_a_study_with_formulas_is_the_model_of_the_same_functions():
    model, by_functions = model_from_toml(TEXT), model_from_toml(TEXT, equations=OWN)
    assert list(model.equations) == ["total_cost", "cards", "fleet_cost", "growth", "memory"]
    one, other = (m.simulate(draws=64, chains=2, seed=1) for m in (model, by_functions))
    for name in model.quantities:
        np.testing.assert_array_equal(one[name], other[name])
        assert one[name].attrs["units"] == other[name].attrs["units"]
    assert one.fleet_cost.attrs["long_name"] == "Cost of the fleet"
    assert one.fleet_cost.attrs["source"] == "our own accounts"
    assert model.equations["fleet_cost"].bounds == by_functions.equations["fleet_cost"].bounds
    assert model.constants == by_functions.constants
    np.testing.assert_array_equal(model.assume(width=1).point().memory, 110)


def test_it_is_written_and_read_again():
    model = model_from_toml(TEXT)
    again = model_from_toml(model.to_toml())
    assert again == model
    assert again.hash == model.hash
    assert again.to_toml() == model.to_toml()


def test_functions_are_written_as_formulas():
    by_functions = model_from_toml(TEXT, equations=OWN)
    again = model_from_toml(by_functions.to_toml())
    assert again.equations["memory"].function.text == "parameters * width"
    assert again.equations["total_cost"].fingerprint == model_from_toml(TEXT).equations["total_cost"].fingerprint
    xr.testing.assert_equal(
        again.simulate(draws=64, chains=2, seed=1), by_functions.simulate(draws=64, chains=2, seed=1)
    )


@ds.equation(unit="CNY")
def looped(price, cards):
    for _ in range(2):
        price = 2 * price
    return price * cards


def test_what_no_formula_can_say_is_named_and_passed_again():
    model = model_from_toml(TEXT).with_equations(looped)
    with pytest.warns(StudyWarning, match=r"no formula can say 'looped' \(it has 'for _ in range\(2\):"):
        text = model.to_toml()
    with pytest.raises(StudyError, match=r"unknown equation 'looped'.*equations=\[\.\.\.\]"):
        model_from_toml(text)
    assert model_from_toml(text, equations=[looped]) == model


@settings(max_examples=15)
@given(model=testing.models(coords={"year": [2025, 2026]}))
@pytest.mark.filterwarnings("ignore::demandsim.errors.UnusedAssumptionWarning")
def test_any_model_of_sums_and_products_travels(model):
    again = model_from_toml(model.to_toml())
    assert again == model
    xr.testing.assert_identical(again.simulate(draws=8, chains=1, seed=1), model.simulate(draws=8, chains=1, seed=1))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cards * price)", "cards * prize)", "'fleet_cost' needs 'prize'.*did you mean 'price'"),
        ("max(price", "maxx(price", r"\[formulas.fleet_cost\]: .*unknown function 'maxx'; did you mean 'max'"),
        ('unit = "GB"', 'unit = "GB/s"', "equation 'memory' declares unit 'GB/s' but returns"),
        ('formula = "parameters', 'formla = "parameters', r"\[formulas.memory\]: unknown key 'formla'; did you mean"),
        ('unit = "GB"\n', "", r"\[formulas.memory\]: key 'unit' is missing; expected unit of the result"),
        ("value = 2,", "", r"\[formulas.memory.constants.width\]: key 'value' is missing; expected a number"),
        ("width = {", "height = {", "constant 'height' does not stand in"),
        ("bounds = [0, inf]", "bounds = [1, 0]", r"\[formulas.fleet_cost\]: .*bounds must have the lower one first"),
    ],
)
def test_errors_name_file_table_and_key(old, new, says):
    assert old in TEXT
    with pytest.raises(ds.DemandsimError, match=f"(?s)study: .*{says}"):
        model_from_toml(TEXT.replace(old, new))


def test_nothing_but_formulas_is_a_study():
    text = 'schema = 1\n[formulas.b]\nformula = "2 * a"\nunit = "1"\n[assumptions.a]\ndistribution = 2\n'
    assert model_from_toml(text).point().b.item() == 4
    with pytest.raises(StudyError, match="key 'equations' is missing"):
        model_from_toml("schema = 1\n[assumptions.a]\ndistribution = 2\n")


def test_a_workbook_holds_formulas_live_and_gives_them_back(tmp_path):
    import openpyxl

    model = model_from_toml(TEXT)
    path = tmp_path / "own.xlsx"
    assert ds.write_workbook(model, path) == {}
    assert ds.read_workbook(path) == model
    book = openpyxl.load_workbook(path)
    page = book["equations"]
    heads = {}
    for cell in (cell for row in page.iter_rows() for cell in row):
        heads.setdefault(cell.value, cell.column)
    row = next(cell.row for cell in page["A"] if cell.value == "memory")
    page.cell(row, heads["formula"]).value = "parameters * width / 2"
    book.save(path)
    assert ds.read_workbook(path).point().memory.item() == 110
    page.cell(row, heads["formula"]).value = "open('x')"
    book.save(path)
    with pytest.raises(
        WorkbookError, match=r"sheet 'equations', cell .*: formula of 'memory': unknown function 'open'"
    ):
        ds.read_workbook(path)


def test_simple_functions_travel_in_a_workbook_too(tmp_path):
    model = model_from_toml(TEXT, equations=OWN).with_equations(looped)
    path = tmp_path / "own.xlsx"
    with pytest.warns(UserWarning, match="looped"):
        ds.write_workbook(model, path)
    with pytest.raises(WorkbookError, match=r"unknown equation 'looped'.*equations=\[\.\.\.\]"):
        ds.read_workbook(path)
    again = ds.read_workbook(path, equations=[looped])
    xr.testing.assert_equal(again.point(), model.point())


def test_explanations_work_it_out(capsys):
    said = str(model_from_toml(TEXT).explain("total_cost"))
    assert "total_cost = sum(fleet_cost, 'year') * (1 - discount) ** 2 / exp(-discount)" in said
    assert "* (1 - [0.075]) ** 2 / exp(-[0.075])) / 100,000,000" in said or "exp(-[0.075]) / 100,000,000" in said
