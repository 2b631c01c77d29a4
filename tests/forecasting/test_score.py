"""Scores of forecasts: against closed forms and an implementation that we did not write."""

import math
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import forecasting
from demandsim.errors import DemandsimError, UnitError, UnknownNameError
from demandsim.forecasting import rules

SAMPLE = np.random.default_rng(7).gamma(3.0, 2.0, 500)


@pytest.fixture(scope="module")
def scoringrules():
    """The other implementation, which compiles itself for seconds when it is imported beside numba."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        import scoringrules

    return scoringrules


@pytest.mark.parametrize("outcome", [0.1, 3.0, 6.0, 40.0])
def test_rules_are_those_of_an_independent_implementation(outcome, scoringrules):
    assert rules.crps(SAMPLE, outcome) == pytest.approx(scoringrules.crps_ensemble(outcome, SAMPLE, estimator="fair"))
    low, high = np.quantile(SAMPLE, [0.1, 0.9])
    expected = scoringrules.interval_score(outcome, low, high, 0.2)
    assert rules.interval_score(SAMPLE, outcome, 0.8) == pytest.approx(expected)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    q = np.quantile(SAMPLE, levels)
    # Uncompiled, it forgets to take the outcome from the median: both are moved to an outcome of 0.
    away = q - outcome
    theirs = scoringrules.weighted_interval_score(0.0, abs(away[2]), away[[1, 0]], away[[3, 4]], np.array([0.5, 0.1]))
    assert rules.weighted_interval_score(q, levels, outcome) == pytest.approx(float(theirs))
    half = scoringrules.quantile_score(outcome, np.quantile(SAMPLE, 0.3), 0.3)
    assert rules.quantile_score(SAMPLE, outcome, 0.3) == pytest.approx(2 * half)


def test_the_energy_score_of_paths_is_that_of_an_independent_implementation(scoringrules):
    paths = np.random.default_rng(3).normal(size=(1500, 3))
    outcome = np.array([0.5, -1.0, 2.0])
    expected = scoringrules.es_ensemble(outcome, paths, estimator="fair")
    assert rules.energy(paths, outcome) == pytest.approx(float(expected), abs=0.02)


def test_a_normal_forecast_scores_as_the_closed_form_says():
    sample = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    for outcome in (-2.0, 0.0, 1.3):
        closed = outcome * (2 * stats.norm.cdf(outcome) - 1) + 2 * stats.norm.pdf(outcome) - 1 / math.sqrt(math.pi)
        assert rules.crps(sample, outcome) == pytest.approx(closed, abs=2e-4)
        # A kernel widens the sd by its own, here by 0.8%.
        assert rules.log_score(sample, outcome) == pytest.approx(-stats.norm.logpdf(outcome), abs=0.04)
        assert rules.pit(sample, outcome) == pytest.approx(stats.norm.cdf(outcome), abs=1e-4)


@pytest.mark.parametrize("outcome", [0.1, 6.0, 19.5])
def test_the_density_is_that_of_scipy(outcome):
    assert rules.log_score(SAMPLE, outcome) == pytest.approx(
        -stats.gaussian_kde(SAMPLE, "silverman").logpdf(outcome)[0], rel=1e-12
    )


def test_the_mean_of_quantile_scores_is_the_crps():
    levels = (np.arange(400) + 0.5) / 400
    mean = np.mean([rules.quantile_score(SAMPLE, 5.0, level) for level in levels])
    assert mean == pytest.approx(rules.crps(SAMPLE, 5.0), rel=0.01)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_scores_move_and_stretch_with_the_unit(shift, factor):
    moved = factor * SAMPLE + shift
    assert rules.crps(moved, factor * 5 + shift) == pytest.approx(factor * rules.crps(SAMPLE, 5.0), rel=1e-5)


def test_honesty_pays():
    """A proper score is best, on average, for the forecast that is the truth."""
    rng = np.random.default_rng(11)
    truth = rng.normal(size=400)
    told = {sd: rng.normal(0, sd, 500) for sd in (0.5, 1.0, 2.0)}
    for rule in (rules.crps, rules.log_score, lambda x, y: rules.interval_score(x, y, 0.9)):
        means = {sd: np.mean([rule(sample, y) for y in truth]) for sd, sample in told.items()}
        assert min(means, key=means.get) == 1.0


def test_an_outcome_that_no_draw_comes_near_is_infinitely_surprising():
    assert rules.log_score(SAMPLE, 1e9) == math.inf
    assert rules.log_score(np.ones(5), 2.0) == math.inf


# Labelled


@pytest.fixture(scope="module")
def draws():
    values = np.random.default_rng(5).lognormal(0, 0.5, (8, 256, 2))
    return xr.Dataset({"tokens": (("chain", "draw", "year"), values, {"units": "token/day"})}, {"year": [2025, 2026]})


def test_each_label_is_scored_and_what_has_not_come_stays_open(draws):
    came = xr.DataArray([1.2, np.nan], dims="year", coords={"year": [2025, 2026]})
    found = forecasting.score(draws, {"tokens": came}, prob=0.8, probs=[0.25]).tokens
    assert found.dims == ("year", "score")
    first = draws.tokens.sel(year=2025).values
    assert found.sel(year=2025, score="crps") == pytest.approx(rules.crps(first.ravel(), 1.2))
    assert found.sel(year=2025, score="quantile_p25") == pytest.approx(rules.quantile_score(first.ravel(), 1.2, 0.25))
    assert found.sel(year=2025, score="covered") == 1.0
    assert np.isnan(found.sel(year=2026)).all()
    spread = stats.tstd([rules.crps(chain, 1.2) for chain in first]) / math.sqrt(8)
    assert found.sel(year=2025, score="mcse_crps") == pytest.approx(spread, rel=0.15)


def test_outcomes_come_in_their_own_unit(draws):
    came = xr.DataArray(1.2 / 86_400, attrs={"units": "token/s"})
    same = forecasting.score(draws, {"tokens": 1.2})
    xr.testing.assert_allclose(forecasting.score(draws, {"tokens": came}), same)
    with pytest.raises(UnitError, match="the outcome of 'tokens' is in 'CNY'"):
        forecasting.score(draws, {"tokens": came.assign_attrs(units="CNY")})


def test_the_error_of_a_score_covers_it():
    """One MCSE covers the score of very many draws about as often as it claims."""
    exact = 0.3 * (2 * stats.norm.cdf(0.3) - 1) + 2 * stats.norm.pdf(0.3) - 1 / math.sqrt(math.pi)
    values = np.random.default_rng(2).normal(size=(8, 64, 200))
    data = xr.Dataset({"x": (("chain", "draw", "run"), values)}, {"run": np.arange(200)})
    found = forecasting.score(data, {"x": data.run * 0 + 0.3}).x
    hits = abs(found.sel(score="crps") - exact) <= found.sel(score="mcse_crps")
    assert 0.58 < hits.mean() < 0.78


@pytest.mark.parametrize(
    ("outcomes", "settings", "error", "says"),
    [
        ({"token": 1.0}, {}, UnknownNameError, "did you mean 'tokens'"),
        ({"tokens": math.inf}, {}, DemandsimError, "infinite"),
        ({"tokens": -1.0}, {"log": True}, DemandsimError, "no logarithm"),
        ({"tokens": 1.0}, {"prob": 90}, DemandsimError, "prob must lie between 0 and 1"),
        (
            {"tokens": xr.DataArray([1.0], dims="year", coords={"year": [2030]})},
            {},
            DemandsimError,
            "at year 2030, of which",
        ),
        ({"tokens": xr.DataArray([1.0], dims="month")}, {}, UnknownNameError, "month"),
    ],
)
def test_what_cannot_be_scored_says_why(draws, outcomes, settings, error, says):
    with pytest.raises(error, match=says):
        forecasting.score(draws, outcomes, **settings)


def test_paths_are_scored_whole(draws, scoringrules):
    came = xr.DataArray([1.2, 0.8], dims="year", coords={"year": [2025, 2026]})
    found = forecasting.energy_score(draws.tokens, came, "year", log=True)
    flat = np.log(draws.tokens.values.reshape(-1, 2))
    expected = scoringrules.es_ensemble(np.log(came.values), flat, estimator="fair")
    assert abs(found.energy.item() - float(expected)) < 4 * found.mcse.item() + 0.01


# Calibration


def test_coverage_counts_outcomes_and_says_how_little_they_tell():
    found = forecasting.calibration([0.02, 0.3, 0.5, 0.6, 0.95, math.nan])
    assert found.coverage.values.tolist() == [0.6, 0.6, 0.8]
    assert found.outcomes.values.tolist() == [5, 5, 5]
    assert (found.lower <= found.coverage).all()
    assert (found.upper >= found.coverage).all()
    low, high = stats.beta(3.5, 2.5).ppf([0.05, 0.95])
    assert found.lower.sel(interval=0.5) == pytest.approx(low)
    assert found.upper.sel(interval=0.5) == pytest.approx(high)


def test_a_forecast_that_reality_has_refuted_is_seen_as_one():
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    draws = model.simulate(draws=512, seed=1)
    found = forecasting.score(draws, {"cards": 1e9}).cards
    assert found.sel(score="pit") == 1.0
    assert found.sel(score="log") == math.inf
    assert found.sel(score="covered") == 0.0
    with pytest.raises(DemandsimError, match="nothing to calibrate"):
        forecasting.calibration([math.nan])


# What strangers pass


def dated_draws():
    days = np.array(["2025-12-31", "2026-06-30"], "datetime64[ns]")
    values = np.random.default_rng(2).lognormal(0, 0.5, (2, 4, 64, 2))
    return xr.Dataset(
        {"x": (("scenario", "chain", "draw", "date"), values, {"units": "token/day"})},
        {"date": days, "scenario": ["a", "b"]},
    )


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "datetime64[s]", "str"])
def test_dates_are_labels_however_they_are_written(dtype):
    draws = dated_draws()
    days = np.array(["2025-12-31", "2026-06-30"]).astype(dtype)
    found = forecasting.score(draws, {"x": xr.DataArray([1.0, 2.0], {"date": days}, "date")}).x
    assert found.dims == ("scenario", "date", "score")
    assert found.sel(date="2026-06-30", scenario="b", score="crps").item() == pytest.approx(
        rules.crps(draws.x.sel(scenario="b").isel(date=1).values.ravel(), 2.0)
    )


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (
            xr.DataArray([1.0], {"date": np.array(["2027-01-01"], "datetime64[ns]")}, "date"),
            "given at date 2027-01-01, of",
        ),
        (xr.DataArray([1.0, 2.0], dims="date"), "has no labels along 'date'"),
        (xr.DataArray([1.0, 2.0], {"date": ["2026-06-30"] * 2}, "date"), "given twice at one date"),
        (xr.DataArray([1.0], {"date": ["soon"]}, "date"), "that are no dates"),
        ([1.0, 2.0], "pass a number, or a DataArray"),
        ("3", "pass a number"),
        ({"2026-06-30": 1.0}, "pass a number"),
    ],
)
def test_an_outcome_that_cannot_be_read_says_why(outcome, says):
    with pytest.raises(DemandsimError, match=says):
        forecasting.score(dated_draws(), {"x": outcome})


def test_too_little_is_no_forecast():
    with pytest.raises(DemandsimError, match="at least two draws"):
        forecasting.score(dated_draws().isel(chain=slice(1), draw=slice(1)), {"x": 1.0})
    with pytest.raises(DemandsimError, match="nothing came"):
        forecasting.score(dated_draws(), {})
    # Two draws that agree are a sure forecast: right or wrong, with no error of its own.
    sure = forecasting.score(0 * dated_draws() + 2, {"x": 2.0}).x.isel(scenario=0, date=0)
    assert sure.sel(score=["crps", "pit", "covered"]).values.tolist() == [0.0, 0.5, 1.0]
