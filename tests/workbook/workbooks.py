"""Workbooks that the tests of this folder share, and what other programs compute of them."""

import functools
import io
import math
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named
from demandsim.errors import WorkbookWarning
from demandsim.units.convert import base_factor
from demandsim.workbook import write_workbook

REPORT = ["guosen-2025-01", "guosen-2025-01-evidence"]


YEARS = [2025, 2026, 2027]


def written(model, path):
    """Write a model, whatever it warns of; and say what is not live."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkbookWarning)
        return write_workbook(model, path)


@functools.cache
def exported(study):
    """A workbook of a shipped study, as bytes, and what is not live in it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xlsx"
        frozen = written(ds.load_study(study), path)
        return path.read_bytes(), frozen


def template(study="guosen-2025-01"):
    return exported(study)[0]


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


def exact(one, other):
    """EXACT of a range and a text, cell by cell: in formualizer 0.13 it is about single cells alone."""
    if isinstance(one, list):
        return [exact(cell, other) for cell in one]
    return [exact(one, cell) for cell in other] if isinstance(other, list) else str(one) == str(other)


def computed_by_formualizer(path):
    """Every cell of a workbook as formualizer computes it: a hundred times as fast as `formulas`."""
    import formualizer

    book = formualizer.load_workbook(str(path))
    book.register_function("EXACT", exact, min_args=2, max_args=2, allow_override_builtin=True)
    book.evaluate_all()

    def value_of(sheet, place):
        letters, row = openpyxl.utils.cell.coordinate_from_string(place)
        return book.get_value(sheet, row, openpyxl.utils.column_index_from_string(letters))

    return value_of


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


def expected(array, labels, scenario):
    chosen = {dim: label for dim, label in labels.items() if dim in array.dims}
    for dim in array.dims:
        if dim not in chosen:
            parts = dict(part.split("=") for part in scenario.split(", ")) if "=" in scenario else {dim: scenario}
            chosen[dim] = parts[dim]
    return float(array.values[tuple(array.get_index(dim).get_loc(chosen[dim]) for dim in array.dims)])


def assert_computes(path, model, *evaluators):
    """Every result of a workbook is what the model has at its points, by evaluators that are not ours."""
    point = dict(model.point().data_vars)
    cells = [place for place in results_of(path) if place[0] in point]
    assert len(cells) >= sum(array.size for array in point.values())
    # A difference of large numbers keeps the rounding of those, not of itself.
    sizes = {name: float(abs(array.values).max()) for name, array in point.items()}
    for name, labels, scenario, shown, base in cells:
        wanted = expected(point[name], labels, scenario)
        for place, factor in ((shown, 1.0), (base, base_factor(point[name].attrs["units"]))):
            for value_of, rtol in evaluators:
                found = value_of("results", place.coordinate)
                if math.isfinite(wanted):
                    near = pytest.approx(wanted * factor, rel=rtol, abs=0.01 * rtol * sizes[name] * factor)
                    assert float(found) == near, (name, place.coordinate)
                else:
                    assert not isinstance(found, (int, float)), (name, place.coordinate)


def follow(book):
    """Edits of points and of a unit."""
    cell(book, "assumptions", "utilization", "point").value = 0.2
    cell(book, "assumptions", "useful_life", "point").value = 365 * 5
    cell(book, "assumptions", "useful_life", "unit").value = "day"
    cell(book, "assumptions", "useful_life", "distribution").value = "uniform(1000, 2500)"
    cell(book, "scenarios", "1000T", "point", key="scenario").value = 3e14


def assert_equal(again, model):
    assert again == model
    assert again.hash == model.hash
    assert again.assumptions == model.assumptions
    assert again.scenarios == model.scenarios
    assert again.notes == model.notes
    xr.testing.assert_identical(again.point(), model.point())
    xr.testing.assert_identical(again.simulate(draws=16, chains=2, seed=1), model.simulate(draws=16, chains=2, seed=1))


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


def coords_of(*dims):
    return {dim: YEARS if dim == "year" else ["H800", "H20"] for dim in dims}
