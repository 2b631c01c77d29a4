"""Formulas of workbooks compute what the model computes, by evaluators that are not ours."""

import math
import zipfile

import numpy as np
import openpyxl
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import (
    assert_computes,
    cell,
    cells_of,
    columns,
    computed_by_formualizer,
    computed_by_formulas,
    computed_by_libreoffice,
    edited,
    exported,
    fleet,
    follow,
    mix,
    results_of,
    template,
    written,
)

import demandsim as ds
from demandsim.equations import shipped
from demandsim.errors import WorkbookWarning
from demandsim.workbook import read_workbook, write_workbook
from demandsim.workbook.formulas.expressions import Expression, Workspace
from demandsim.workbook.formulas.special import wright_omega
from demandsim.workbook.formulas.terms import UntranslatableError, numeral
from demandsim.workbook.formulas.translation import translated

#: One worker starts LibreOffice.


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """Workbooks with the model that each should compute, and what LibreOffice makes of them."""
    folder = tmp_path_factory.mktemp("books")
    models = {name: ds.load_study(name) for name in ds.list_studies()}
    # One world of it says what all five say, in a fifth of the time.
    models["doubao-2025-2030"] = models["doubao-2025-2030"].select(scenario="base")
    models |= {"fleet": fleet(), "mix": mix([7e6, 1e5, 1e7])}
    paths = {name: folder / f"{name}.xlsx" for name in [*models, "edited"]}
    for name, model in models.items():
        if name in ds.list_studies() and model is ds.load_study(name):
            paths[name].write_bytes(template(name))
        else:
            written(model, paths[name])
    (folder / "work").mkdir()
    edited(folder / "work", follow).replace(paths["edited"])
    # Points are edited alone here, since the sheet of results is what is looked at.
    with pytest.warns(WorkbookWarning, match="the point was"):
        models["edited"] = read_workbook(paths["edited"])
    return models, paths, computed_by_libreoffice(paths, folder)


@pytest.mark.parametrize("name", [*ds.list_studies(), "fleet", "mix", "edited"])
def test_formulas_compute_what_the_model_computes(name, books):
    models, paths, by_office = books
    evaluators = [(computed_by_formualizer(paths[name]), 1e-12)]
    # It rounds to 16 decimals, and takes seconds for the larger ones.
    evaluators += [(computed_by_formulas(paths[name]), 1e-9)] if name in ("guosen-2025-01", "edited", "fleet") else []
    evaluators += [(cells_of(by_office[name]), 1e-12)] if by_office else []
    assert_computes(paths[name], models[name], *evaluators)


def test_every_result_of_every_shipped_study_is_live():
    for study in ds.list_studies():
        assert exported(study)[1].keys() == set()


def test_formulas_follow_an_edited_cell(books):
    models, paths, _ = books
    model = models["edited"]
    assert model.point().useful_life.attrs["units"] == "day"
    by_hand = 2 * 110e9 * 3e14 / 86_400 * 3 / (1979e12 * 0.2)
    assert model.point().cards.sel(scenario="1000T").item() == pytest.approx(by_hand, rel=1e-12)
    # The check beside what the report prints says that this is no longer its table.
    checks = computed_by_formulas(paths["edited"])
    page = openpyxl.load_workbook(paths["edited"])["published"]
    heads = columns(page)
    said = {
        page.cell(row, 1).value: str(checks("published", page.cell(row, heads["check: 100T"]).coordinate))
        for row in range(3, page.max_row + 1)
    }
    assert said["cards"] == "differs"
    assert said["token_price"] == "ok"


def test_what_cannot_be_computed_shows_and_is_no_zero(tmp_path):
    def change(book):
        cell(book, "assumptions", "utilization", "point").value = None
        cell(book, "assumptions", "token_price", "unit").value = "CNY/mtoken"

    value_of = computed_by_formulas(edited(tmp_path, change))
    for name, _, _, shown, _ in results_of(tmp_path / "model.xlsx"):
        if name in ("utilization", "cards", "capex", "gross_margin", "revenue"):
            # A unit is told from one that differs in capitals.
            assert "#N/A" in str(value_of("results", shown.coordinate)), name
        if name in ("flops_per_token", "peak_compute"):
            assert float(value_of("results", shown.coordinate)) > 0


def test_values_stand_beside_their_formulas_for_viewers_that_do_not_compute(books):
    path = books[1]["guosen-2025-01"]
    formula, stored = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    value_of = computed_by_formulas(path)
    count = 0
    for sheet in ("results", "published"):
        for row in formula[sheet].iter_rows():
            for one in row:
                if one.data_type == "f":
                    kept, found = stored[sheet][one.coordinate].value, value_of(sheet, one.coordinate)
                    if isinstance(kept, str):
                        assert kept == str(found)
                    else:
                        # It rounds numbers to 16 decimals, so that a factor of 3e-8 has nine digits.
                        assert kept == pytest.approx(found, rel=1e-9)
                    count += 1
    assert count > 150
    # Excel computes when it opens the file, and nobody believes that it has done so already.
    assert formula.calculation.fullCalcOnLoad
    assert b"<Application>demandsim</Application>" in zipfile.ZipFile(path).read("docProps/app.xml")


#: A step is as good as its value, where there is no sheet to put it on.
ALONE = Workspace(own=None, step=lambda term: numeral(term.value))


def test_every_shipped_equation_is_translated_and_means_the_same():
    import formulas

    rng = np.random.default_rng(1)
    parser, untranslated, alone = formulas.Parser(), [], 0
    for reference, made in shipped().items():
        numbers = {name: float(rng.uniform(0.2, 0.9)) for name in made.inputs}
        inputs = {name: Expression.single(numeral(value)) for name, value in numbers.items()}
        try:
            (term,) = translated(made, inputs, ALONE).terms
        except UntranslatableError as error:
            if "dim" not in str(error) and "year by year" not in str(error):
                untranslated.append(reference)
            continue
        with np.errstate(all="ignore"):
            wanted = float(made(**numbers))
        if math.isfinite(wanted):
            assert term.value == pytest.approx(wanted, rel=1e-12, abs=1e-15), reference
            # As Excel reads it, by somebody else's reader.
            text = float(parser.ast(f"={term.text}")[1].compile()())
            assert text == pytest.approx(wanted, rel=1e-12, abs=1e-15), (reference, term.text)
            alone += 1
    assert alone > 0.6 * len(shipped())
    assert untranslated == []


def test_signs_powers_and_brackets_bind_as_in_python():
    import formulas

    parser = formulas.Parser()
    for function in (
        lambda_of("-a**2 + b"),
        lambda_of("(-a)**2 - (b - c)"),
        lambda_of("a / (b / c) / (a * b)"),
        lambda_of("a**b**c"),
        lambda_of("(a**b)**-c"),
        lambda_of("-(a + b) * -c"),
        lambda_of("a - (b + c) - -a"),
        lambda_of("(a > b) * c + (a < b)"),
        lambda_of("np.where(a > b, a / 0.0, c) + 1"),
        lambda_of("np.clip(a * 5, b, c) + np.heaviside(a - b, 0.5)"),
        lambda_of("np.minimum(a, np.maximum(b, c)) ** np.sqrt(a)"),
        lambda_of("np.exp(-a) * np.log(b) - np.expm1(c) + np.log1p(a) + np.floor(7 * a) + np.ceil(7 * b)"),
    ):
        numbers = {"a": 0.3, "b": 0.7, "c": 1.9}
        inputs = {name: Expression.single(numeral(value)) for name, value in numbers.items()}
        (term,) = translated(function, inputs, ALONE).terms
        with np.errstate(all="ignore"):
            wanted = float(function(**{name: np.float64(value) for name, value in numbers.items()}))
        assert term.value == pytest.approx(wanted, rel=1e-12), term.text
        assert float(parser.ast(f"={term.text}")[1].compile()()) == pytest.approx(wanted, rel=1e-12), term.text


def lambda_of(text):
    """An equation whose source can be read: functions of a file that is made for it."""
    import linecache

    source = f"def formula(a, b, c):\n    return {text}\n"
    name = f"<{text}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    made = {"np": np}
    exec(compile(source, name, "exec"), made)
    return ds.equation(made["formula"], unit="1")


@ds.equation(unit="card")
def rounded_cards(raw_cards):
    """Cards, rounded in a way that Excel has no formula for here."""
    return raw_cards + 0 * np.arctan(raw_cards)


@ds.equation(unit="CNY")
def cost(rounded_cards, card_price):
    return rounded_cards * card_price


def test_what_has_no_formula_is_a_value_that_says_so_everywhere(tmp_path):
    model = ds.Model(
        [rounded_cards, cost],
        {"raw_cards": ds.Assumption("uniform(1, 3)", "card"), "card_price": ds.Assumption(5, "CNY/card")},
    )
    # A card has no arc tangent: units are checked by rescaling, and this result scales.
    path = tmp_path / "model.xlsx"
    with pytest.warns(WorkbookWarning, match=r"1 of 2 results are values.*'rounded_cards': 'np.arctan' has no formula"):
        frozen = write_workbook(model, path)
    assert list(frozen) == ["rounded_cards"]
    book = openpyxl.load_workbook(path)
    page = book["results"]
    heads = columns(page)
    status = {page.cell(row, 1).value: page.cell(row, heads["how it is computed"]).value for row in range(3, 12)}
    assert status["rounded_cards"].startswith("value, not a formula: 'np.arctan'")
    assert status["cost"] == "formula, over a value that is none: rounded_cards"
    assert "not a formula" in [row[0].value for row in book["notes"].iter_rows(min_row=3)]
    place = cell(book, "results", "rounded_cards", "point, in base units", key="quantity")
    assert place.value == 2.0
    assert place.fill.start_color.rgb.endswith("FFC7CE")
    assert_computes(path, model, (computed_by_formualizer(path), 1e-12))
    assert read_workbook(path, equations=[rounded_cards, cost]) == model


@settings(max_examples=8)
# Numbers without all of their digits are no amounts of anything.
@given(limit=st.lists(st.floats(0, 1e7, allow_subnormal=False), min_size=3, max_size=3))
def test_a_mixed_fleet_is_live_whatever_is_short(limit, tmp_path_factory):
    # Every formula is compared with the model while it is written: what differs would be listed.
    model, path = mix(limit), tmp_path_factory.mktemp("mix") / "mix.xlsx"
    assert write_workbook(model, path) == {}
    assert "steps" in openpyxl.load_workbook(path, read_only=True).sheetnames


def test_what_takes_several_steps_comes_to_what_scipy_has():
    from scipy import special

    for z in (-900.0, -101.0, -99.0, -5.0, -0.3, 0.0, 0.999, 1.0, 1.001, 4.0, 300.0, 1e6):
        steps = []
        term = wright_omega(numeral(z), lambda one, kept=steps: kept.append(one) or numeral(one.value))
        assert term.value == pytest.approx(special.wrightomega(z), rel=1e-14)
        assert len(steps) > 5


SPEEDUP = xr.DataArray([2.0, 1.0], dims="precision", coords={"precision": ["fp8", "bf16"]})
OTHER = xr.DataArray([2.0, 1.0], dims="precision", coords={"precision": ["fp8", "fp4"]})


@ds.equation(unit="TFLOP/s/card", dims=["precision"])
def flops_by_precision(card_flops):
    # Its labels stand in another order than those of the model.
    return card_flops * SPEEDUP


@ds.equation(unit="TFLOP/s/card")
def mixed_flops(flops_by_precision, fp8_share):
    table = flops_by_precision
    return table.sel(precision="bf16") * (1 - fp8_share) + table.sel({"precision": "fp8"}, drop=True) * fp8_share


@ds.equation(unit="TFLOP/s/card")
def best_flops(card_flops):
    return (card_flops * xr.DataArray([-2.0, 3.0], dims="precision", coords={"precision": ["bf16", "fp8"]})).max(
        "precision"
    )


@ds.equation(unit="TFLOP/s/card")
def outside(flops_by_precision):
    return (flops_by_precision * OTHER).sum("precision")


def test_tables_of_equations_are_live(tmp_path):
    model = ds.Model(
        [flops_by_precision, mixed_flops, best_flops],
        {"card_flops": ds.Assumption("uniform(900, 1000)", "TFLOP/s/card"), "fp8_share": 0.3},
        coords={"precision": ["bf16", "fp8"]},
    )
    assert written(model, tmp_path / "tables.xlsx") == {}
    assert_computes(tmp_path / "tables.xlsx", model, (computed_by_formualizer(tmp_path / "tables.xlsx"), 1e-9))
    # A table that has not the labels of the model would be cut down to what both have.
    assert (
        "labels of 'precision' are not those of the model"
        in written(model.with_equations(outside), tmp_path / "cut.xlsx")["outside"]
    )
