"""Intervals, Monte Carlo errors and the schema of draws, against ArviZ."""

import numpy as np
import pytest

import demandsim as ds
from demandsim import distributions as dist

az = pytest.importorskip("arviz")
array_stats = pytest.importorskip("arviz_stats.base").array_stats


@pytest.fixture(scope="module")
def draws():
    study = ds.load_study("guosen-2025-01").assume(token_price=dist.lognormal(0.5, 4))
    return study.simulate(draws=1000, chains=4, seed=11, design="random")


@pytest.mark.parametrize("prob", [0.5, 0.8, 0.9, 0.94])
def test_highest_density_intervals_are_those_of_arviz(draws, prob):
    ours = ds.summarize(draws, prob=prob, kind="hdi")
    for name in ("cards", "gross_margin", "utilization", "token_price"):
        values = draws[name].transpose(..., "chain", "draw").values.reshape(-1, 4000)
        theirs = np.array([array_stats.hdi(row, prob=prob) for row in values])
        found = ours[name].sel(statistic=["lower", "upper"]).values.reshape(-1, 2)
        np.testing.assert_allclose(found, theirs, rtol=1e-12)


@pytest.mark.parametrize("name", ["cards", "revenue_to_cost", "utilization"])
def test_equal_tailed_intervals_are_those_of_arviz(draws, name):
    found = ds.summarize(draws, prob=0.9)[name].sel(statistic=["lower", "upper"]).values.reshape(-1, 2)
    values = draws[name].transpose(..., "chain", "draw").values.reshape(-1, 4000)
    theirs = np.array([array_stats.eti(row, prob=0.9) for row in values])
    np.testing.assert_allclose(found, theirs, rtol=1e-9)


@pytest.mark.parametrize(
    ("statistic", "arguments", "tolerance"),
    [
        ("mean", {"method": "mean"}, 0.1),
        ("sd", {"method": "sd"}, 0.2),
        ("median", {"method": "median"}, 0.2),
        ("lower", {"method": "quantile", "prob": 0.05}, 0.25),
        ("upper", {"method": "quantile", "prob": 0.95}, 0.25),
    ],
)
def test_errors_of_independent_draws_are_about_those_of_arviz(draws, statistic, arguments, tolerance):
    # ArviZ estimates an effective sample size first, which for independent draws scatters around their number.
    ours = ds.summarize(draws, prob=0.9)
    for name in ("cards", "utilization", "token_price"):
        values = draws[name].transpose(..., "chain", "draw").values.reshape(-1, 4, 1000)[0]
        theirs = float(array_stats.mcse(values, chain_axis=0, draw_axis=1, **arguments))
        found = float(ours[name].sel(statistic=f"mcse_{statistic}").values.ravel()[0])
        assert found == pytest.approx(theirs, rel=tolerance)


def test_arviz_reads_the_draws(draws):
    tree = ds.to_datatree(draws)
    assert set(tree.children) == {"prior", "prior_predictive"}
    assert "utilization" in tree["prior"].data_vars
    assert "cards" in tree["prior_predictive"].data_vars
    assert tree["prior_predictive"]["cards"].dims[:2] == ("chain", "draw")
    table = az.summary(tree, group="prior", var_names=["utilization"], round_to="none")
    assert float(table.loc["utilization", "mean"]) == pytest.approx(float(draws.utilization.mean()), rel=1e-9)
    rows = az.summary(tree, group="prior_predictive", var_names=["cards"])
    assert list(rows.index) == ["cards[100T]", "cards[1000T]"]
    assert set(az.extract(tree, group="prior", var_names=["utilization"]).dims) == {"sample"}
