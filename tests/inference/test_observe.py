"""Observe: what may be evidence, what is refused, and what follows from it."""

import pickle

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from yearly import by_year

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DistributionError, EvidenceError, UnitError, UnknownNameError
from demandsim.inference.likelihood import on_log_scale


def test_evidence_adds_up_and_leaves_the_model_alone(single):
    one = single.observe(capex=dist.normal(mean=80e9, sd=15e9))
    two = one.observe(capex="normal(mean=70e9, sd=15e9)", event="gross_margin < 0")
    assert (len(single.evidence), len(one.evidence), len(two.evidence)) == (0, 1, 3)
    assert "3 pieces of evidence" in repr(two)
    assert one != single
    assert one.hash != single.hash
    assert single.observe(capex=dist.normal(mean=80e9, sd=15e9)) == one
    assert pickle.loads(pickle.dumps(two)) == two
    assert two.fix(utilization=0.4).evidence == two.evidence


def test_the_hash_of_a_model_without_evidence_is_what_it_was(study):
    assert "evidence" not in study.canonical()


def test_two_observations_weigh_like_their_product(single):
    twice = single.observe(utilization="normal(mean=0.3, sd=0.1)").observe(utilization="normal(mean=0.5, sd=0.1)")
    once = single.observe(utilization=dist.normal(mean=0.4, sd=0.1 / np.sqrt(2)))
    a, b = (model.infer(draws=256, chains=4, seed=1).utilization for model in (twice, once))
    np.testing.assert_allclose(a, b)


def test_evidence_in_another_unit_is_the_same_evidence(single):
    here = single.observe(capex="normal(mean=80e9, sd=15e9)").infer(draws=256, chains=4, seed=1)
    there = single.observe(capex=ds.Assumption("normal(mean=800, sd=150)", unit="yi*CNY")).infer(
        draws=256, chains=4, seed=1
    )
    np.testing.assert_allclose(here.cards, there.cards)


def test_evidence_with_labels_is_a_product_over_them(yearly):
    seen = by_year([120, 180], years=(2026, 2025))
    whole = yearly.observe(cards=dist.lognormal(median=seen, factor=1.3))
    parts = yearly
    for year, value in ((2025, 180), (2026, 120)):
        parts = parts.observe(cards=dist.lognormal(median=by_year([value], [year]), factor=1.3))
    a, b = (model.infer(draws=128, chains=4, seed=2) for model in (whole, parts))
    np.testing.assert_allclose(a.tokens, b.tokens)
    # What was not observed still learns through what the years share.
    prior = yearly.simulate(draws=128, chains=4, seed=2)
    spread, before = (float(np.log(found.cards.sel(year=2027)).std()) for found in (a, prior))
    assert spread < 0.9 * before


@pytest.mark.parametrize(
    "dates", [np.array(["2024-05-01", "2024-12-01", "2025-12-01"], dtype="datetime64[ns]"), ["May", "Dec", "later"]]
)
def test_a_series_over_dates_tells_the_growth(dates):
    @ds.equation(unit="token/day")
    def daily_tokens(initial_tokens, growth_rate, elapsed_time):
        return initial_tokens * np.exp(growth_rate * elapsed_time)

    times = xr.DataArray([0.0, 0.6, 1.6], coords={"date": dates})
    model = ds.Model(
        [daily_tokens],
        {
            "initial_tokens": ds.Assumption(dist.lognormal(5e10, 5e11), "token/day"),
            "growth_rate": ds.Assumption(dist.lognormal(1, 10), "1/year"),
            "elapsed_time": ds.Assumption(times, "year"),
        },
    )
    seen = xr.DataArray([0.12e12, 4e12], coords={"date": dates[:2]})
    posterior = model.observe(daily_tokens=dist.lognormal(median=seen, factor=1.1)).infer(draws=256, chains=4, seed=1)
    assert float(posterior.growth_rate.median()) == pytest.approx(np.log(4 / 0.12) / 0.6, rel=0.03)
    tree = ds.to_datatree(posterior)
    assert tree["observed_data"]["daily_tokens"].sizes == {"date_observed": 2}


@pytest.mark.parametrize(
    ("distribution", "log"),
    [
        (dist.lognormal(1, 2), True),
        (dist.loguniform(1, 2), True),
        (dist.as_distribution(stats.lognorm(0.5)), True),
        (dist.truncated(dist.lognormal(1, 2), upper=3), True),
        (dist.pooled([dist.lognormal(1, 2), dist.lognormal(2, 3)]), True),
        (dist.mixture([dist.lognormal(1, 2), dist.normal(1, 2)]), False),
        (dist.normal(1, 2), False),
        (dist.gamma(mean=1, sd=1), False),
    ],
)
def test_families_of_factors_are_read_on_the_log_scale(distribution, log):
    assert on_log_scale(distribution) is log


def test_each_scenario_is_a_world_of_its_own(study):
    informed = study.observe(capex=dist.normal(mean=300e9, sd=150e9))
    posterior = informed.infer(draws=256, chains=4, seed=1)
    assert posterior.utilization.dims == ("scenario", "chain", "draw")
    for label in ("100T", "1000T"):
        alone = informed.select(scenario=label).infer(draws=256, chains=4, seed=1)
        s, a = ds.summarize(posterior).sel(scenario=label), ds.summarize(alone).sel(scenario=label)
        for name in ("capex", "utilization"):
            one, other = s[name], a[name]
            error = np.hypot(one.sel(statistic="mcse_mean"), other.sel(statistic="mcse_mean"))
            assert abs(one.sel(statistic="mean") - other.sel(statistic="mean")) < 5 * error


def test_evidence_that_is_the_same_in_all_scenarios_keeps_them_paired(study):
    posterior = study.observe(utilization="normal(mean=0.3, sd=0.05)").infer(draws=128, chains=4, seed=1)
    assert posterior.utilization.dims == ("chain", "draw")
    ratio = posterior.cards.sel(scenario="1000T") / posterior.cards.sel(scenario="100T")
    np.testing.assert_allclose(ratio, 10, rtol=1e-6)


def test_evidence_on_one_scenario_says_nothing_about_another(study):
    seen = xr.DataArray([0.3], coords={"scenario": ["1000T"]})
    informed = study.observe(utilization=dist.normal(mean=seen, sd=0.02))
    posterior = informed.infer(draws=512, chains=4, seed=1).utilization.mean(["chain", "draw"])
    assert abs(float(posterior.sel(scenario="1000T")) - 0.305) < 0.01
    assert abs(float(posterior.sel(scenario="100T")) - 0.453) < 0.01
    assert informed.select(scenario="100T").evidence == ()
    (kept,) = informed.select(scenario="1000T").evidence
    assert kept.distribution.coords == {"scenario": ("1000T",)}


def test_events_hold_in_every_draw_and_at_every_label(single, yearly):
    posterior = single.observe(event=[("gross_margin", "<", 0), lambda d: d.utilization > 0.4]).infer(
        draws=128, chains=4, seed=1
    )
    assert bool((posterior.gross_margin < 0).all())
    assert bool((posterior.utilization > 0.4).all())
    assert bool((yearly.observe(event="cards < 150").infer(draws=128, chains=4, seed=1).cards < 150).all())


def test_what_the_evidence_does_not_depend_on_keeps_its_prior(single):
    informed = single.observe(cards="lognormal(2e5, 4e5)")
    for method in ("importance", "ensemble"):
        posterior = informed.infer(draws=1024, seed=1, method=method)
        price = posterior.token_price
        exact = single.assumptions["token_price"].distribution
        s = ds.summarize(price).token_price.squeeze()
        assert abs(float(s.sel(statistic="mean")) - exact.mean()) < 5 * float(s.sel(statistic="mcse_mean"))
        # As even as draws of the prior, which weights would not have left them.
        assert np.unique(price).size == price.size
        assert abs(np.corrcoef(price.values.ravel(), posterior.cards.values.ravel())[0, 1]) < 0.05


def test_simulate_says_that_it_ignores_the_evidence(single):
    informed = single.observe(cards="lognormal(2e5, 4e5)")
    prior, plain = informed.simulate(draws=64, seed=1), single.simulate(draws=64, seed=1)
    np.testing.assert_array_equal(prior.cards, plain.cards)
    assert "model.infer" in prior.attrs["evidence_ignored"]
    assert "evidence_ignored" not in plain.attrs
    assert "evidence_ignored" not in informed.infer(draws=64, seed=1).attrs


@pytest.mark.parametrize(
    ("observe", "error", "words"),
    [
        ({"capx": "normal(1, 2)"}, UnknownNameError, "did you mean 'capex'"),
        ({"event": "gros_margin < 0"}, UnknownNameError, "did you mean 'gross_margin'"),
        ({"event": ("gross_margin", "=", 0)}, UnknownNameError, "unknown comparison"),
        ({"event": ("gross_margin", "<")}, EvidenceError, "is no event. An event"),
        ({"event": ("gross_margin", "<", None)}, EvidenceError, "no number"),
        ({"event": "gross_margin < cards"}, UnitError, "different dimensions"),
        ({"event": "gross_margin < many"}, UnknownNameError, "unknown quantity in event: 'many'"),
        ({"event": "gross_margin < nan"}, EvidenceError, "NaN"),
        ({"cards": stats.norm(np.nan, 1)}, DistributionError, "not numbers"),
        ({"cards": "mixture([5, normal(1, 2)])"}, EvidenceError, "no density"),
        ({"capex": ds.Assumption("normal(1, 2)", "USD")}, UnitError, "different dimensions"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(single, observe, error, words):
    with pytest.raises(error, match=words):
        single.observe(**observe)


def test_nan_in_an_observation_names_the_label():
    with pytest.raises(DistributionError, match=r"year=2026.*finite"):
        dist.normal(mean=by_year([1, np.nan, 3]), sd=1)


def test_an_event_that_asks_for_what_there_is_not(single):
    with pytest.raises(UnknownNameError, match="did you mean 'cards'"):
        single.observe(event=lambda d: d.crads > 1).infer(draws=64, seed=1)
    with pytest.raises(EvidenceError, match="bool DataArray"):
        single.observe(event=lambda d: d.cards).infer(draws=64, seed=1)


def test_labels_are_checked(yearly, study):
    with pytest.raises(UnknownNameError, match="unknown label of 'year' in the evidence on 'cards': '2028'"):
        yearly.observe(cards=dist.normal(mean=by_year([1.0], [2028]), sd=1))
    with pytest.raises(UnknownNameError, match="unknown dim"):
        yearly.observe(tokens_per_card=dist.normal(mean=by_year([1.0], [2025]), sd=1))
    with pytest.raises(EvidenceError, match="must say for which"):
        yearly.observe(cards="normal(1, 2)")
    with pytest.raises(UnknownNameError, match="did you mean '1000T'"):
        study.observe(cards=dist.normal(mean=xr.DataArray([1.0], coords={"scenario": ["1000"]}), sd=1))


def test_a_sure_quantity_has_nothing_to_learn(single):
    with pytest.raises(EvidenceError, match="teaches nothing"):
        single.fix(card_price=150_000).observe(card_price="normal(mean=150e3, sd=1e3)")
    with pytest.raises(EvidenceError, match="teaches nothing"):
        single.observe(card_price="normal(mean=150e3, sd=1e3)").fix(card_price=150_000)
