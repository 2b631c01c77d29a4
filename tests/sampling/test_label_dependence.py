"""Dependence inside an assumption: labels that move together, by a number, by distance or by a matrix."""

import ast
import math
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import CorrelationError, UnknownNameError
from demandsim.sensitivity import shapley
from demandsim.studies.loading import model_from_toml

YEARS = [2024, 2025, 2026, 2029]
CHIPS = ["A100", "H100", "B200"]


def labelled(dim, labels, first=1.0):
    return xr.DataArray(first + np.arange(len(labels)), dims=dim, coords={dim: labels})


@pytest.fixture
def model():
    prices, levels = labelled("hardware", CHIPS, 10), labelled("year", YEARS, 5)
    return ds.Model(
        [],
        {
            "card_price": dist.lognormal(prices, 1.5 * prices),
            "growth": dist.normal(mean=levels, sd=1),
            "cost": dist.gamma(mean=levels, sd=2),
            "share": dist.beta(mean=0.4, sd=0.1),
            "fleet": dist.normal(mean=prices * levels, sd=1),
        },
    )


def ranks(draws, name):
    """Rank correlations of all labels, by scipy."""
    values = draws[name].stack(sample=("chain", "draw")).transpose("sample", ...)
    return stats.spearmanr(values.values.reshape(values.sizes["sample"], -1)).statistic


@pytest.mark.parametrize("design", ["random", "latin_hypercube", "sobol"])
def test_one_number_is_for_all_pairs_of_labels(model, design):
    draws = model.correlate_labels("card_price", dim="hardware", rank=0.5).simulate(draws=8192, seed=1, design=design)
    np.testing.assert_allclose(ranks(draws, "card_price"), np.full((3, 3), 0.5) + np.eye(3) / 2, atol=0.012)


def test_ar1_falls_with_the_distance_of_uneven_years(model):
    draws = model.correlate_labels("growth", dim="year", rank=ds.ar1(0.8)).simulate(seed=1)
    apart = np.abs(np.subtract.outer(YEARS, YEARS))
    np.testing.assert_allclose(ranks(draws, "growth"), 0.8**apart, atol=0.005)
    # The matrix of AR(1) is the covariance of its own recursion x' = rho x + sqrt(1 - rho**2) e.
    steps = np.zeros((6, 6))
    for i in range(6):
        for j in range(i + 1):
            steps[i, j] = 0.8 ** (i - j) * (1 if j == 0 else math.sqrt(1 - 0.64))
    np.testing.assert_allclose(ds.ar1(0.8).between("year", range(6)), steps @ steps.T, atol=1e-12)


def test_distances_of_dates_are_days_and_steps_can_be_said():
    dates = np.array(["2025-01-01", "2025-01-02", "2025-01-05"], dtype="datetime64[D]")
    np.testing.assert_allclose(ds.ar1(0.5).between("time", tuple(dates))[0], [1, 0.5, 0.5**4])
    np.testing.assert_allclose(ds.exponential(2).between("time", tuple(dates))[0], np.exp([0, -0.5, -2]))
    np.testing.assert_allclose(ds.ar1(0.5, step=2).between("year", [2020, 2022, 2028])[0], [1, 0.5, 0.5**4])
    # A step is one of time, in whatever order the years are written.
    np.testing.assert_allclose(ds.ar1(0.5).between("year", [2027, 2025, 2026])[0], [1, 0.5**2, 0.5])


def test_a_matrix_is_taken_by_label_however_it_is_written(model):
    values = np.array([[1, 0.6, 0.1], [0.6, 1, 0.3], [0.1, 0.3, 1]])
    by_label = {"A100": {"H100": 0.6, "B200": 0.1}, "H100": {"B200": 0.3}}
    turned = CHIPS[::-1]
    frame = pd.DataFrame(values[::-1, ::-1], index=turned, columns=turned)
    array = xr.DataArray(values, dims=["hardware", "other"], coords={"hardware": CHIPS, "other": CHIPS})
    models = [model.correlate_labels("card_price", dim="hardware", rank=r) for r in (by_label, frame, array, values)]
    assert len({made.hash for made in models}) == 1
    np.testing.assert_allclose(ranks(models[0].simulate(seed=1), "card_price"), values, atol=0.006)


def test_dates_are_labels_of_a_matrix():
    dates = np.array(["2025-01-01", "2025-04-01"], dtype="datetime64[ns]")
    model = ds.Model([], {"x": dist.normal(mean=labelled("time", dates), sd=1)})
    array = xr.DataArray([[1, 0.4], [0.4, 1]], dims=["time", "other"], coords={"time": dates, "other": dates})
    frame = pd.DataFrame(array.values, index=dates, columns=dates)
    for rank in (array, frame, np.float32(0.4)):
        draws = model.correlate_labels("x", dim="time", rank=rank).simulate(draws=1024, seed=1)
        assert ranks(draws, "x") == pytest.approx(0.4, abs=0.02)


def test_labels_that_differ_in_two_dims_go_together_by_the_product(model):
    both = model.correlate_labels("fleet", dim="year", rank=ds.ar1(0.8))
    both = both.correlate_labels("fleet", dim="hardware", rank=0.5)
    draws = both.simulate(draws=4096, seed=1)
    years = 0.8 ** np.abs(np.subtract.outer(YEARS, YEARS))
    chips = np.full((3, 3), 0.5) + np.eye(3) / 2
    expected = np.kron(chips, years) if draws.fleet.dims[-2:] == ("hardware", "year") else np.kron(years, chips)
    np.testing.assert_allclose(ranks(draws, "fleet"), expected, atol=0.02)


def test_two_assumptions_whose_labels_go_alike_are_tied_across_labels(model):
    tied = model
    for name in ("growth", "cost"):
        tied = tied.correlate_labels(name, dim="year", rank=ds.ar1(0.8))
    tied = tied.correlate({("growth", "cost"): 0.5})
    rows = ds.receipt(tied.simulate(seed=1))["rank_correlations"]
    for one, other in [(2026, 2026), (2024, 2026), (2026, 2024)]:
        row = rows[", ".join([f"cost[year={one}]", f"growth[year={other}]"])]
        assert row["requested"] == pytest.approx(0.5 * 0.8 ** abs(one - other))
        assert row["achieved"] == pytest.approx(row["requested"], abs=0.005)


def test_labels_of_two_assumptions_by_a_matrix_and_a_scalar_with_all_years(model):
    lagged = {2024: {2025: 0.6}, 2025: {2026: 0.6}}
    tied = model.correlate_labels(("growth", "cost"), dim="year", rank=lagged).correlate({("share", "growth"): 0.3})
    draws = tied.simulate(seed=2)

    def between(year, other):
        pair = draws.growth.sel(year=year).values.ravel(), draws.cost.sel(year=other).values.ravel()
        return stats.spearmanr(*pair).statistic

    assert between(2024, 2025) == pytest.approx(0.6, abs=0.006)
    assert between(2025, 2024) == pytest.approx(0, abs=0.006)
    assert between(2024, 2024) == pytest.approx(0, abs=0.006)
    for year in YEARS:
        pair = draws.growth.sel(year=year).values.ravel(), draws["share"].values.ravel()
        assert stats.spearmanr(*pair).statistic == pytest.approx(0.3, abs=0.006)


def test_marginals_and_other_assumptions_stay_as_they_are(model):
    before = model.simulate(draws=512, seed=1, design="random")
    after = model.correlate_labels("growth", dim="year", rank=0.5).simulate(draws=512, seed=1, design="random")
    np.testing.assert_array_equal(after["cost"], before["cost"])
    u = model.assumptions["growth"].distribution.laws[3].cdf(after.growth.sel(year=2029).values.ravel())
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    # Keyed by name: another assumption before it changes nothing.
    more = model.add(another=dist.normal(0, 1)).correlate_labels("growth", dim="year", rank=0.5)
    np.testing.assert_array_equal(more.simulate(draws=512, seed=1, design="random").growth, after.growth)


def test_a_file_a_workbook_and_a_pickle_keep_it(model, tmp_path):
    rows = [[1, 0.2, 0.1, 0], [0.2, 1, 0.3, 0], [0.1, 0.3, 1, 0.25], [0, 0, 0.25, 1]]
    full = (
        model.correlate_labels("card_price", dim="hardware", rank=0.5)
        .correlate_labels("growth", dim="year", rank=ds.ar1(0.8, step=2))
        .correlate_labels("cost", dim="year", rank=rows)
    )
    assert full.hash != model.hash
    assert model_from_toml(full.to_toml()) == full
    assert pickle.loads(pickle.dumps(full)) == full
    pytest.importorskip("openpyxl")
    ds.write_workbook(full, tmp_path / "model.xlsx")
    again = ds.read_workbook(tmp_path / "model.xlsx")
    assert dict(again.label_correlations) == dict(full.label_correlations)
    draws = again.simulate(draws=64, seed=1), full.simulate(draws=64, seed=1)
    np.testing.assert_array_equal(draws[0].growth, draws[1].growth)


def test_shares_of_variance_count_labels_that_move_together():
    levels = labelled("year", [2025, 2026, 2027])

    @ds.equation(unit="1")
    def total(growth, noise):
        return growth.sum("year") + noise

    model = ds.Model([total], {"growth": dist.normal(mean=levels, sd=1), "noise": dist.normal(mean=0, sd=3)})
    found = shapley(model.correlate_labels("growth", dim="year", rank=0.5), of="total", draws=256, seed=1)
    # Var of the sum is 3 + 6 r with r the correlation of the normal scores; the noise has 9.
    variance = 3 + 6 * 2 * math.sin(math.pi / 12)
    share = found.effect.sel(quantity="total", assumption="growth").item()
    assert share == pytest.approx(variance / (variance + 9), abs=1e-3)


@pytest.mark.parametrize(
    ("name", "dim", "rank", "error", "says"),
    [
        ("growth", "yaer", 0.5, CorrelationError, "no dim 'yaer'; did you mean 'year'"),
        ("share", "year", 0.5, CorrelationError, "single number"),
        ("growht", "year", 0.5, UnknownNameError, "did you mean 'growth'"),
        ("growth", "year", 1.0, CorrelationError, "between -1 and 1"),
        ("growth", "year", {2024: {2027: 0.5}}, CorrelationError, "unknown label 2027"),
        ("growth", "year", {2024: {2025: 0.5}, 2025: {2024: 0.4}}, CorrelationError, "2024 and 2025: 0.5 one way"),
        ("growth", "year", {2024: {2025: 1.5}}, CorrelationError, "2024 and 2025: a rank correlation must lie"),
        ("growth", "year", {2024: 0.5}, CorrelationError, "given as {'one': {'other'"),
        ("growth", "year", [[1, 0.5], [0.5, 1]], CorrelationError, r"shape \(2, 2\) is given for 4 labels"),
        ("growth", "year", "ar2(0.5)", CorrelationError, "write a number, 'ar1"),
        ("card_price", "hardware", "ar1(0.5)", CorrelationError, "such as 'A100' have no distance"),
        (("growth", "cost"), "year", "ar1(0.5)", CorrelationError, "says nothing of two assumptions"),
        ("growth", "year", "ar1(-0.5, step=2)", CorrelationError, "no meaning between steps"),
    ],
)
def test_what_makes_no_sense_says_why(model, name, dim, rank, error, says):
    with pytest.raises(error, match=says):
        model.correlate_labels(name, dim=dim, rank=rank)


def test_an_impossible_number_gives_the_largest_that_works(model):
    with pytest.raises(CorrelationError, match="labels of 'growth' along 'year'") as caught:
        model.correlate_labels("growth", dim="year", rank=-0.5)
    best = float(re.findall(r"rank=(-0\.\d+)", str(caught.value))[0])
    # Four normal numbers can all have -1/3 at most, as linear correlations.
    assert best == pytest.approx(6 / math.pi * math.asin(-1 / 6), abs=1e-4)
    model.correlate_labels("growth", dim="year", rank=best)
    draws = model.correlate_labels("growth", dim="year", rank=-0.5, nearest=True).simulate(draws=4096, seed=1)
    assert ranks(draws, "growth")[0, 1] == pytest.approx(best, abs=0.01)


def test_labels_are_named_in_errors_not_places(model):
    rank = {2024: {2025: 0.9}, 2025: {2026: 0.9}, 2026: {2024: -0.9}}
    with pytest.raises(CorrelationError, match=r"rank=\{2024: \{2025: 0\.48") as caught:
        model.correlate_labels("growth", dim="year", rank=rank)
    typed = ast.literal_eval(str(caught.value).partition("rank=")[2].partition("; or pass")[0])
    model.correlate_labels("growth", dim="year", rank=typed)


def test_one_shared_draw_has_no_labels_to_correlate():
    shared = ds.Assumption(dist.normal(mean=labelled("year", YEARS), sd=1), shared=True)
    with pytest.raises(CorrelationError, match="one shared draw for all labels of 'year'"):
        ds.Model([], {"x": shared}).correlate_labels("x", dim="year", rank=0.5)


def test_an_assumption_is_tied_once_to_another(model):
    tied = model.correlate_labels(("growth", "cost"), dim="year", rank=0.2)
    with pytest.raises(CorrelationError, match="leave one out"):
        tied.correlate({("cost", "growth"): 0.5})


def test_a_receipt_of_very_many_pairs_tells_of_those_that_are_farthest_off():
    many = ds.Model([], {"x": dist.normal(mean=labelled("year", list(range(46))), sd=1)})
    found = ds.receipt(many.correlate_labels("x", dim="year", rank=0.3).simulate(draws=64, seed=1, design="random"))
    assert len(found["rank_correlations"]) == 1000
    assert found["rank_correlations_left_out"] == 46 * 45 // 2 - 1000
    (least,) = sorted(abs(row["achieved"] - 0.3) for row in found["rank_correlations"].values())[:1]
    assert least > 0


@pytest.mark.parametrize("spread", [lambda model: model.correlate_labels("x", dim="day", rank=0.5), None])
def test_more_labels_than_can_go_together_are_refused_with_their_number(spread, monkeypatch):
    monkeypatch.setattr("demandsim.sampling.dependence._MOST_PAIRS", 24)
    many = labelled("day", range(5))
    model = ds.Model([], {"x": dist.normal(mean=many, sd=1), "y": dist.normal(mean=many, sd=1)})
    with pytest.raises(CorrelationError, match=r"are 25 pairs; at most 24 are correlated"):
        spread(model) if spread else model.correlate({("x", "y"): 0.5})
