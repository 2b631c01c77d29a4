"""Posterior: a Dataset like any other, and what it says about itself."""

import json

import numpy as np
import pytest
import xarray as xr
from yearly import SHARP

import demandsim as ds
from demandsim import distributions as dist


def test_a_posterior_is_a_dataset_like_any_other(study, tmp_path):
    posterior = study.observe(capex=dist.normal(mean=200e9, sd=50e9)).infer(draws=256, seed=1)
    assert posterior.capex.attrs["units"] == "CNY"
    assert posterior.capex.attrs["role"] == "derived"
    assert {"khat", "ess", "ess_weights", "rhat", "prior_draws", "method", "method_reason", "seed"} <= set(
        posterior.attrs
    )
    assert json.loads(posterior.attrs["evidence"])[0]["evidence"] == "capex ~ normal(mean=2e11, sd=5e10) CNY"
    # Draws that were chosen by weight are not independent, whatever the design: errors are those between chains.
    assert posterior.chain.attrs["design"] == f"sobol, {posterior.attrs['method']}"
    assert "mcse_mean" in ds.summarize(posterior).statistic
    assert bool((ds.probability(posterior.gross_margin > 0).mcse > 0).all())
    moved = ds.receipt(posterior)["quantiles"]["utilization (1000T)"]["achieved_prob"]
    assert moved[1] < 0.45
    path = tmp_path / "posterior.nc"
    posterior.to_netcdf(path)
    with xr.open_dataset(path) as read:
        np.testing.assert_array_equal(read.capex, posterior.capex)
        assert set(ds.to_datatree(read.load()).children) >= {"posterior", "log_prior", "log_likelihood"}


@pytest.mark.parametrize("design", ["random", "latin_hypercube", "sobol"])
def test_every_design_agrees(single, design):
    informed = single.observe(utilization="normal(mean=0.3, sd=0.05)")
    s = ds.summarize(informed.infer(draws=512, seed=4, design=design)).utilization
    reference = ds.summarize(informed.infer(draws=4096, seed=9)).utilization.sel(statistic="mean")
    assert abs(s.sel(statistic="mean") - reference) < 5 * s.sel(statistic="mcse_mean")


def test_only_what_is_kept_is_returned(single):
    posterior = single.observe(capex=dist.normal(mean=80e9, sd=15e9)).infer(
        draws=64, chains=2, seed=1, keep=["gross_margin"]
    )
    assert set(posterior.data_vars) == {"gross_margin"}


def test_the_method_is_chosen_by_what_the_weights_are_worth(single):
    easy = single.observe(utilization="normal(mean=0.45, sd=0.1)").infer(draws=256, chains=4, seed=1)
    hard = single.observe(**SHARP).infer(draws=256, chains=4, seed=1)
    assert easy.attrs["method"] == "importance"
    assert easy.attrs["khat"] < 0.7
    assert hard.attrs["method"] == "adaptive"
    assert hard.attrs["method_reason"].startswith("of an adapted proposal, k-hat of the weights is")
    assert hard.attrs["khat"] <= 0.5
    assert hard.attrs["rhat"] < 1.03
    same = single.observe(**SHARP).infer(draws=256, chains=4, seed=1, method="ensemble")
    assert 0 < same.attrs["acceptance"] < 1
    one, other = (ds.summarize(found).utilization.squeeze() for found in (hard, same))
    off = one.sel(statistic="mean") - other.sel(statistic="mean")
    assert abs(float(off)) < 5 * float(np.hypot(one.sel(statistic="mcse_mean"), other.sel(statistic="mcse_mean")))


def test_one_chain_cannot_be_compared_with_others(single):
    posterior = single.observe(utilization="normal(mean=0.45, sd=0.1)").infer(draws=256, chains=1, seed=1)
    assert np.isnan(posterior.attrs["rhat"])


def test_a_tree_of_draws_of_the_prior_takes_no_other_prior(single):
    draws = single.simulate(draws=64, seed=1)
    with pytest.raises(ds.DemandsimError, match="goes with a posterior"):
        ds.to_datatree(draws, draws)


def test_a_tree_of_several_worlds(study):
    informed = study.observe(capex="lognormal(1e11, 1e12)", event="gross_margin < 0")
    posterior = informed.infer(draws=64, chains=2, seed=1)
    tree = ds.to_datatree(posterior, study.simulate(draws=64, chains=2, seed=1))
    assert dict(tree["prior"]["utilization"].sizes) == dict(tree["posterior"]["utilization"].sizes)
    assert tree["observed_data"]["capex"].item() == pytest.approx(np.sqrt(1e23))
    assert set(tree["log_likelihood"].data_vars) == {"capex"}


def test_dates_are_told_as_dates_and_a_second_observation_is_numbered():
    days = np.array(["2025-01-01", "2026-01-01"], dtype="datetime64[ns]")

    def on(values, days):
        return xr.DataArray(values, coords={"date": days}, dims="date")

    @ds.equation(unit="token/day")
    def tokens(initial, growth):
        return initial * growth

    model = ds.Model(
        [tokens],
        {
            "initial": ds.Assumption(dist.lognormal(1e12, 4e12), unit="token/day"),
            "growth": ds.Assumption(dist.normal(mean=on([1.0, 3.0], days), sd=0.2)),
        },
    )
    for at, median in ((slice(0, 1), 2e12), (slice(1, 2), 7e12)):
        model = model.observe(tokens=dist.lognormal(median=on([median], days[at]), factor=1.2, prob=0.9))
    posterior = model.infer(draws=64, chains=4, seed=1)
    assert [piece["coords"] for piece in json.loads(posterior.attrs["evidence"])] == [
        {"date": ["2025-01-01"]},
        {"date": ["2026-01-01"]},
    ]
    assert posterior.attrs["prior_distance_of"] in ("tokens, date=2025-01-01", "tokens, date=2026-01-01")
    assert {"log_likelihood_tokens", "log_likelihood_tokens_2"} < set(posterior.coords)
    observed = ds.to_datatree(posterior).observed_data
    assert (observed.tokens.dropna("date_observed").item(), observed.tokens_2.dropna("date_observed").item()) == (
        pytest.approx(2e12),
        pytest.approx(7e12),
    )


def test_a_label_that_is_a_number_stays_one():
    evidence = json.loads(ds.load_study("doubao-growth-gompertz").infer(draws=64, seed=1).attrs["evidence"])
    assert evidence[-3]["coords"] == {"year": [2026]}
