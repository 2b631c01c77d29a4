"""SIPmath 3.0 libraries: quantiles by Keelin's formula, correlations, both ways, and what is refused by name."""

import json
import math

import numpy as np
import pytest

import demandsim as ds
from demandsim.errors import UnknownNameError, WorkbookError, WorkbookWarning


def sip(name, coefficients, place=1, **bounds):
    """One SIP that takes a layer of the copula."""
    ref = {"source": "copula", "name": "Gaussian", "copulaLayer": f"c{place}"}
    given = {**bounds, "aCoefficients": coefficients}
    return {"name": name, "ref": ref, "function": "Metalog_1_0", "arguments": given, "metadata": {}}


def library(path, sips, matrix=()):
    """Write a library as the standard's own tool writes it."""
    columns = [one["name"] for one in sips]
    cells = [{"row": row, "col": column, "value": value} for row, column, value in matrix]
    copula = {
        "arguments": {"correlationMatrix": {"type": "globalVariables", "value": "correlationMatrix"}, "rng": []},
        "function": "GaussianCopula",
        "name": "Gaussian",
        "copulaLayer": [f"c{place}" for place in range(1, len(sips) + 1)],
    }
    value = {"columns": columns, "rows": columns, "matrix": cells}
    held = {
        "libraryType": "SIPmath_3_0",
        "globalVariables": [{"name": "correlationMatrix", "value": value}],
        "U01": {"rng": [], "copula": [copula]},
        "sips": sips,
    }
    path.write_text(json.dumps(held))
    return path


def keelin(a, y):
    """The first five terms of a metalog, as Keelin writes them."""
    logit, centred = np.log(y / (1 - y)), y - 0.5
    return a[0] + a[1] * logit + a[2] * centred * logit + a[3] * centred + a[4] * centred**2


def test_quantiles_are_those_of_the_coefficients(tmp_path):
    a, y = [7.0, 1.2, 0.3, 0.5, -0.2], np.array([0.001, 0.05, 0.3, 0.5, 0.9, 0.999])
    sips = [sip("Free", a), sip("Price (USD)", a, 2, lowerBound=3), sip("Share", a, 3, lowerBound=0, upperBound=2)]
    found = ds.read_sipmath(library(tmp_path / "lib.json", sips)).assumptions
    assert list(found) == ["free", "price_usd", "share"]
    np.testing.assert_allclose(found["free"].distribution.ppf(y), keelin(a, y), rtol=1e-10)
    np.testing.assert_allclose(found["price_usd"].distribution.ppf(y), 3 + np.exp(keelin(a, y)), rtol=1e-9)
    share = 2 * np.exp(keelin(a, y)) / (1 + np.exp(keelin(a, y)))
    np.testing.assert_allclose(found["share"].distribution.ppf(y), share, rtol=1e-9)
    assert found["price_usd"].source == "lib.json, SIP Price (USD)"


def test_the_copula_of_normal_scores_is_a_rank_correlation(tmp_path):
    sips = [sip("A", [1.0, 0.2]), sip("B", [2.0, 0.3], 2)]
    matrix = [("A", "A", 1.0), ("B", "A", 0.6), ("B", "B", 1.0)]
    found = ds.read_sipmath(library(tmp_path / "lib.json", sips, matrix))
    assert found.correlations == {("b", "a"): pytest.approx(6 / math.pi * math.asin(0.3))}

    @ds.equation(unit="1")
    def total(a, b):
        """Sum."""
        return a + b

    model = ds.Model(equations=[total], assumptions=dict(found.assumptions)).correlate(found.correlations)
    draws = model.simulate(draws=4096, chains=2, seed=1)
    assert np.corrcoef(draws.a.values.ravel(), draws.b.values.ravel())[0, 1] == pytest.approx(0.59, abs=0.03)


def test_what_is_written_is_read_again(tmp_path):
    generator = np.random.default_rng(1)
    normal = generator.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 20_000)
    table = {"cost": np.exp(3 + 0.4 * normal[:, 0]), "share": 1 / (1 + np.exp(-normal[:, 1]))}
    path = ds.write_sipmath(ds.import_draws(table), tmp_path / "out.json")
    found = ds.read_sipmath(path)
    levels = np.array([0.02, 0.1, 0.5, 0.9, 0.98])
    for name, values in table.items():
        law = found.assumptions[name].distribution
        np.testing.assert_allclose(law.ppf(levels), np.quantile(values, levels), rtol=0.03)
    assert found.correlations["share", "cost"] == pytest.approx(6 / math.pi * math.asin(0.35), abs=0.02)
    assert all(one["metadata"]["largest_miss"] < 0.02 for one in json.loads(path.read_text())["sips"])


def test_a_metalog_that_misses_is_said(tmp_path):
    two_humps = np.concatenate([np.linspace(0, 1, 500), np.linspace(9, 10, 500)])
    with pytest.warns(WorkbookWarning, match=r"metalogs miss percentiles.*x by \d"):
        ds.write_sipmath(ds.import_draws({"x": two_humps}), tmp_path / "out.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda held: held.update(libraryType="SIPmath_2_0"), "no SIPmath 3.0 library"),
        (lambda held: held["sips"][0].update(function="Weibull_1_0"), "'A' has the function 'Weibull_1_0'"),
        (lambda held: held["sips"][0]["arguments"].update(aCoefficients=[1.0]), "'A': a metalog has two to ten"),
        (lambda held: held["sips"][0]["arguments"].update(aCoefficients=[1.0, -1.0]), "'A': .*increase"),
        (lambda held: held["sips"][1].update(name="a"), "'a' has no name of its own"),
        (lambda held: held["sips"][1]["ref"].update(copulaLayer="c1"), "'B' shares its random numbers"),
        (lambda held: held["U01"]["copula"][0].update(function="Clayton"), "the copula 'Clayton' is not read"),
        (lambda held: held.update(globalVariables=[]), "has no correlation matrix"),
        (lambda held: held.update(sips=[]), "has no SIPs"),
        (lambda held: held.update(sips="A"), "'sips' is no list"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tmp_path, change, says):
    path = library(tmp_path / "lib.json", [sip("A", [1.0, 0.2]), sip("B", [2.0, 0.3], 2)], [("B", "A", 0.6)])
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))
    with pytest.raises(WorkbookError, match=says):
        ds.read_sipmath(path)


def test_what_no_library_can_hold_is_not_written(tmp_path):
    draws = ds.import_draws({"x": np.arange(5.0), "one": np.ones(5)})
    for names, error, says in (
        (["y"], UnknownNameError, "'y' is no quantity"),
        (["one"], WorkbookError, "'one' has one value in all draws"),
    ):
        with pytest.raises(error, match=says):
            ds.write_sipmath(draws, tmp_path / "out.json", names=names)
    with pytest.raises(UnknownNameError, match="no such file"):
        ds.read_sipmath(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(WorkbookError, match="is no JSON"):
        ds.read_sipmath(tmp_path / "bad.json")
