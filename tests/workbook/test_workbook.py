"""Workbooks: formulas that compute what the model computes, and cells that are read back or named."""

import functools
import io
import math
import re
import shutil
import subprocess
import warnings
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named, shipped
from demandsim.errors import DemandsimError, UnknownNameError, WorkbookError, WorkbookWarning
from demandsim.units.convert import base_factor
from demandsim.workbook import read_workbook, write_workbook
from demandsim.workbook.formulas.expressions import Expression, Workspace
from demandsim.workbook.formulas.special import wright_omega
from demandsim.workbook.formulas.terms import UntranslatableError, numeral
from demandsim.workbook.formulas.translation import translated

REPORT = ["guosen-2025-01", "guosen-2025-01-evidence"]
YEARS = [2025, 2026, 2027]


def written(model, path):
    """Write a model, whatever it warns of; and say what is not live."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkbookWarning)
        return write_workbook(model, path)


@functools.cache
def template(study="guosen-2025-01"):
    """A workbook of a shipped study, as bytes."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xlsx"
        written(ds.load_study(study), path)
        return path.read_bytes()


def columns(sheet):
    return {cell.value: cell.column for cell in sheet[2] if cell.value is not None}


def cell(book, sheet, name, header, key="name"):
    """The cell of a header in the first row that is about a name."""
    page = book[sheet]
    heads = columns(page)
    for row in range(3, page.max_row + 1):
        if page.cell(row, heads[key]).value == name:
            return page.cell(row, heads[header])
    raise AssertionError(f"no {name} on {sheet}")


def edited(tmp_path, change, study="guosen-2025-01"):
    """A workbook of a study with something changed in it, as an analyst would."""
    book = openpyxl.load_workbook(io.BytesIO(template(study)))
    change(book)
    path = tmp_path / "model.xlsx"
    book.save(path)
    return path


# An evaluator that we did not write: the package `formulas`; and LibreOffice where it is installed.


@functools.cache
def computed_by_formulas(path):
    """Every cell of a workbook as the package `formulas` computes it."""
    import formulas

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solution = formulas.ExcelModel().loads(str(path)).finish().calculate()
    found = {}
    for name, value in solution.items():
        match = re.fullmatch(r"'\[.*\](\w+)'!([A-Z]+\d+)", str(name))
        if match:
            found[match[1].lower(), match[2]] = np.ravel(np.asarray(value.value, dtype=object))[0]
    return lambda sheet, place: found.get((sheet, place))


def computed_by_libreoffice(paths, folder):
    """Every cell of some workbooks as LibreOffice computes it, if it is installed; started once for all of them."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        return {}
    (folder / "stripped").mkdir()
    stripped = [folder / "stripped" / f"{name}.xlsx" for name in paths]
    for path, copy in zip(paths.values(), stripped, strict=True):
        # openpyxl keeps formulas or values, never both: after it there is nothing that could be believed uncomputed.
        openpyxl.load_workbook(path).save(copy)
    command = [office, "--headless", "--norestore", f"-env:UserInstallation={(folder / 'profile').as_uri()}"]
    command += ["--convert-to", "xlsx", "--outdir", str(folder / "computed"), *map(str, stripped)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {copy.stem: folder / "computed" / copy.name for copy in stripped}


def cells_of(path):
    book = openpyxl.load_workbook(path, data_only=True)
    return lambda sheet, place: book[sheet][place].value


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """Workbooks with the model that each should compute, and what LibreOffice makes of them."""
    folder = tmp_path_factory.mktemp("books")
    models = {name: ds.load_study(name) for name in ds.list_studies()}
    # All five worlds of it would take the other evaluator a minute.
    models["doubao-2025-2030"] = models["doubao-2025-2030"].select(scenario="base")
    models |= {"fleet": fleet(), "mix": mix([7e6, 1e5, 1e7])}
    paths = {name: folder / f"{name}.xlsx" for name in [*models, "edited"]}
    for name, model in models.items():
        written(model, paths[name])
    (folder / "work").mkdir()
    edited(folder / "work", follow).replace(paths["edited"])
    models["edited"] = read_workbook(paths["edited"])
    return models, paths, computed_by_libreoffice(paths, folder)


def results_of(path):
    """Cells of the sheet of results: (quantity, labels, scenario) to the cell in its unit and that in base units."""
    page = openpyxl.load_workbook(path)["results"]
    heads = columns(page)
    scenarios = [name for name in heads if name and f"{name}, in base units" in heads]
    dims = [name for name in heads if name and name.startswith("at ")]
    for row in range(3, page.max_row + 1):
        name = page.cell(row, 1).value
        if page.cell(row, heads["unit"]).value is None:
            continue
        labels = {d.removeprefix("at "): page.cell(row, heads[d]).value for d in dims}
        labels = {dim: label for dim, label in labels.items() if label is not None}
        for scenario in scenarios:
            shown, base = page.cell(row, heads[scenario]), page.cell(row, heads[f"{scenario}, in base units"])
            yield name, labels, scenario, shown, base


def expected(point, name, labels, scenario):
    array = point[name]
    chosen = {dim: label for dim, label in labels.items() if dim in array.dims}
    for dim in array.dims:
        if dim not in chosen:
            parts = dict(part.split("=") for part in scenario.split(", ")) if "=" in scenario else {dim: scenario}
            chosen[dim] = parts[dim]
    return float(array.sel(chosen))


def assert_computes(path, model, evaluators):
    """Every result of a workbook is what the model has at its points, by evaluators that are not ours."""
    point = model.point()
    cells = [place for place in results_of(path) if place[0] in point]
    assert len(cells) >= sum(array.size for array in point.data_vars.values())
    for value_of, rtol in evaluators:
        for name, labels, scenario, shown, base in cells:
            wanted = expected(point, name, labels, scenario)
            # A difference of large numbers keeps the rounding of those, not of itself.
            size = float(abs(point[name]).max())
            for place, factor in ((shown, 1.0), (base, base_factor(point[name].attrs["units"]))):
                found = value_of("results", place.coordinate)
                if math.isfinite(wanted):
                    assert float(found) == pytest.approx(wanted * factor, rel=rtol, abs=0.01 * rtol * size * factor), (
                        name,
                        place.coordinate,
                    )
                else:
                    assert not isinstance(found, (int, float)), (name, place.coordinate)


def follow(book):
    """Edits of points and of a unit."""
    cell(book, "assumptions", "utilization", "point").value = 0.2
    cell(book, "assumptions", "useful_life", "point").value = 365 * 5
    cell(book, "assumptions", "useful_life", "unit").value = "day"
    cell(book, "assumptions", "useful_life", "distribution").value = "uniform(1000, 2500)"
    cell(book, "scenarios", "1000T", "point", key="scenario").value = 3e14


@pytest.mark.parametrize("name", [*ds.list_studies(), "fleet", "mix", "edited"])
def test_formulas_compute_what_the_model_computes(name, books):
    models, paths, by_office = books
    # It rounds to 16 decimals, and a rate per year is some 1e-8 per second.
    evaluators = [(computed_by_formulas(paths[name]), 1e-9 if "growth_rate" not in models[name].quantities else 1e-6)]
    evaluators += [(cells_of(by_office[name]), 1e-12)] if by_office else []
    assert_computes(paths[name], models[name], evaluators)


def test_every_result_of_every_shipped_study_is_live(tmp_path):
    for model in map(ds.load_study, ds.list_studies()):
        assert write_workbook(model, tmp_path / "model.xlsx") == {}


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


# Translation

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
    assert_computes(path, model, [(computed_by_formulas(path), 1e-9)])
    assert read_workbook(path, equations=[rounded_cards, cost]) == model


# There and back


def assert_equal(again, model):
    assert again == model
    assert again.hash == model.hash
    assert again.assumptions == model.assumptions
    assert again.scenarios == model.scenarios
    assert again.notes == model.notes
    xr.testing.assert_identical(again.point(), model.point())
    xr.testing.assert_identical(again.simulate(draws=16, chains=2, seed=1), model.simulate(draws=16, chains=2, seed=1))


@pytest.mark.parametrize("study", ds.list_studies())
def test_a_study_that_nobody_has_edited_comes_back_as_it_was(study, tmp_path):
    path = tmp_path / "model.xlsx"
    path.write_bytes(template(study))
    assert_equal(read_workbook(path), ds.load_study(study))


def by(dim, values):
    return xr.DataArray(values, dims=dim, coords=coords_of(dim))


def fleet():
    """A model over years with cohorts, Chinese labels, and texts that Excel would take for formulas."""
    rooms = ["required_cards", "cards_bought", "cards_surviving", "cards_in_service", "cards_retired", "unmet_cards"]
    price = xr.DataArray(
        [[1.0, 2.0, 3.0], [0.1 + 0.2, 1 / 3, 1e-9]],
        dims=("hardware", "year"),
        coords=coords_of("hardware", "year"),
    )
    return ds.Model(
        [*(equation_named(f"fleet.{room}") for room in rooms), equation_named("fleet.capex")],
        {
            "cards": ds.Assumption(
                dist.lognormal(median=by("year", [1e5, 2e5, 3e5]), factor=2),
                "card",
                point=by("year", [1e5, 2.1e5, 3e5]),
                long_name="所需卡数",
                source='=HYPERLINK("http://localhost", "x")',
                shared=True,
            ),
            "useful_life": ds.Assumption("pert(1.2, 1.6, 3)", "year", source="-1 Jahr\r\nzweite Zeile\t_x000D_ \x07"),
            "elapsed_time": ds.Assumption(by("year", [0.0, 1.0, 2.0]), "year", source="@SUM(1)"),
            "supply_limit": ds.Assumption(by("year", [2e5, 5e4, 1e9]), "card"),
            "card_price": ds.Assumption(dist.lognormal(median=price, factor=1.5), "wan*CNY/card"),
        },
        correlations={("cards", "useful_life"): -0.25},
        scenarios={
            "policy": {"开放": {}, "管制 (A)": {"useful_life": ds.Assumption(2.5, "year", source="#N/A")}},
            "demand": {"low": {"cards": 0.1 * by("year", [1e5, 2e5, 3e5])}, "as is": {}},
        },
    )


def mix(limit):
    """A fleet of two kinds of hardware, one of them short of supply in some years."""
    rooms = ["cards_bought_by_mix", "compute_surviving", "compute_in_service", "unmet_compute", "usable_flops"]
    most = xr.DataArray([limit, [1e6, 2e6, 1e7]], dims=("hardware", "year"), coords=coords_of("hardware", "year"))
    return ds.Model(
        [equation_named(f"hardware.{room}") for room in rooms],
        {
            "capacity_compute": ds.Assumption(by("year", [500.0, 900.0, 1500.0]), "EFLOP/s"),
            "hardware_share": ds.Assumption(by("hardware", [0.7, 0.3])),
            "card_flops": ds.Assumption(by("hardware", [1979.0, 296.0]), "TFLOP/s/card"),
            "utilization": ds.Assumption("beta(mean=0.45, sd=0.1)"),
            "useful_life": ds.Assumption(1.6, "year"),
            "elapsed_time": ds.Assumption(by("year", [0.0, 1.0, 2.0]), "year"),
            "supply_limit": ds.Assumption(most, "card"),
        },
    )


@settings(max_examples=8)
@given(limit=st.lists(st.floats(0, 1e7), min_size=3, max_size=3))
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


def coords_of(*dims):
    return {dim: YEARS if dim == "year" else ["H800", "H20"] for dim in dims}


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
        ("D3", "normal(1", r"'evidence', cell D3 \(capex\): .*expected"),
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
    with pytest.raises(WorkbookError, match="is a function, which a workbook does not hold"):
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
EDITS = st.dictionaries(
    st.sampled_from(sorted(ds.load_study("guosen-2025-01").assumptions)),
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


# What an analyst does


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

    with pytest.warns(WorkbookWarning, match=r"cell C7 \(utilization\): the point 1.2 can never be drawn.* 0 to 1;"):
        model = read_workbook(edited(tmp_path, change))
    assert model.assumptions["utilization"].point == 1.2


# Bad cells


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
    (setting("assumptions", "utilization", "distribution", "uniform(2, 1"), A + r"E7 \(utilization\): .*expected"),
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


# Files that are no workbook of ours


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
        *("assumptions", "scenarios", "correlations", "results", "published", "equations", "notes", "units"),
    ]
    for page in book:
        assert page.freeze_panes.endswith("3")
        assert page.page_setup.orientation == "landscape"
        assert page.print_title_rows
        assert all(6 <= dimension.width <= 115 for dimension in page.column_dimensions.values())
    # Cells that are read back are tinted; those that compute are not.
    tint = cell(book, "assumptions", "cards", "point") if "cards" in ds.load_study(REPORT[0]).assumptions else None
    tint = tint or cell(book, "assumptions", "utilization", "point")
    assert tint.fill.start_color.rgb.endswith("FFF8DC")
    assert cell(book, "results", "cards", "100T", key="quantity").fill.fill_type is None
    # A formula names what it computes from.
    formula = cell(book, "results", "cards", "100T, in base units", key="quantity").value
    assert formula == "=peak_compute_100T/(card_flops_100T*utilization_100T)"
    for name in ("peak_compute_100T", "card_flops_100T"):
        assert name in book.defined_names
