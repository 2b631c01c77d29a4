"""Evidence: what may be observed, what is refused, and what a posterior says about itself."""

import json
import pickle

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import (
    ConvergenceError,
    DistributionError,
    EvidenceConflictError,
    EvidenceError,
    EvidenceWarning,
    ImpossibleEvidenceError,
    InvalidDrawsError,
    UnitError,
    UnknownNameError,
)
from demandsim.inference.likelihood import on_log_scale
from demandsim.inference.weights import effective_size, smoothed, systematic


@pytest.fixture(scope="module")
def study():
    return ds.load_study("guosen-2025-01")


@pytest.fixture(scope="module")
def single(study):
    return study.select(scenario="100T")


def by_year(values, years=(2025, 2026, 2027)):
    return xr.DataArray(list(values), coords={"year": list(years)})


@ds.equation(unit="card")
def cards(tokens, tokens_per_card):
    """Cards."""
    return tokens / tokens_per_card


@pytest.fixture(scope="module")
def yearly():
    return ds.Model(
        [cards],
        {
            "tokens": ds.Assumption(dist.lognormal(by_year([50, 100, 200]), by_year([200, 400, 800])), "token"),
            "tokens_per_card": ds.Assumption(dist.lognormal(1, 4), "token/card"),
        },
    )


# What may be observed


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


# What a posterior says about itself


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
    hard = single.observe(**{name: f"lognormal(median={median}, factor=1.02)" for name, median in EXACT.items()}).infer(
        draws=256, chains=4, seed=1
    )
    assert easy.attrs["method"] == "importance"
    assert easy.attrs["khat"] < 0.7
    assert hard.attrs["method"] == "ensemble"
    assert "k-hat" in hard.attrs["method_reason"] or "worth" in hard.attrs["method_reason"]
    assert hard.attrs["rhat"] < 1.03
    assert 0 < hard.attrs["acceptance"] < 1


EXACT = {"activated_parameters": 90e9, "daily_tokens": 1.2e14, "peak_ratio": 2.5, "token_price": 1.2}


def test_one_chain_cannot_be_compared_with_others(single):
    posterior = single.observe(utilization="normal(mean=0.45, sd=0.1)").infer(draws=256, chains=1, seed=1)
    assert np.isnan(posterior.attrs["rhat"])


# What is refused


@pytest.mark.parametrize(
    ("observe", "error", "words"),
    [
        ({"capx": "normal(1, 2)"}, UnknownNameError, "did you mean 'capex'"),
        ({"event": "gros_margin < 0"}, UnknownNameError, "did you mean 'gross_margin'"),
        ({"event": ("gross_margin", "=", 0)}, UnknownNameError, "unknown comparison"),
        ({"event": ("gross_margin", "<")}, EvidenceError, r"an event is \(quantity"),
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


def test_no_evidence_no_posterior(single):
    with pytest.raises(EvidenceError, match=r"model\.observe"):
        single.infer(seed=1)


@pytest.mark.parametrize("evidence", [{"utilization": "uniform(2, 3)"}, {"cards": 5e5}, {"event": "utilization > 1"}])
@pytest.mark.parametrize("on_failure", ["raise", "warn"])
def test_impossible_evidence_gives_no_number(single, evidence, on_failure):
    with pytest.raises(ImpossibleEvidenceError, match="zero likelihood"):
        single.observe(**evidence).infer(draws=64, chains=2, seed=1, on_failure=on_failure)


@pytest.mark.parametrize(
    ("sign", "scale"), [(1, "normal(mean={0}, sd=0.1)"), (-1, "normal(mean={0}, sd=0.1)"), (1, "student_t({1}, {2})")]
)
def test_evidence_ten_sd_away_gives_no_number(sign, scale):
    centre = sign * 10.0
    model = ds.Model([], {"x": ds.Assumption(dist.normal(mean=0, sd=1))})
    informed = model.observe(x=scale.format(centre, centre - 0.1, centre + 0.1))
    with pytest.raises(EvidenceConflictError, match=r"'x' lies (9\.\d|10\.\d) standard deviations"):
        informed.infer(seed=1)


def test_four_sd_are_a_surprise_and_no_contradiction():
    model = ds.Model([], {"x": ds.Assumption(dist.normal(mean=0, sd=1))})
    posterior = model.observe(x=dist.normal(mean=4.5, sd=0.5)).infer(draws=512, seed=1)
    assert posterior.attrs["prior_distance"] == pytest.approx(4.5 / np.sqrt(1.25), rel=0.05)
    assert float(posterior.x.mean()) == pytest.approx(4.5 / 1.25, abs=0.05)


def test_observations_that_contradict_each_other(single):
    torn = single.observe(cards="lognormal(median=4e5, factor=1.05)").observe(
        cards="lognormal(median=8e5, factor=1.05)"
    )
    with pytest.raises(EvidenceConflictError, match="all evidence together"):
        torn.infer(draws=128, chains=4, seed=1)


def test_weights_that_cannot_be_trusted_raise_with_what_to_try(single):
    informed = single.observe(**{name: f"lognormal(median={m}, factor=1.02)" for name, m in EXACT.items()})
    with pytest.raises(ConvergenceError, match=r"Try this: use method='auto'"):
        informed.infer(draws=128, chains=2, seed=1, method="importance")
    with pytest.warns(EvidenceWarning, match="did not converge"):
        posterior = informed.infer(draws=128, chains=2, seed=1, method="importance", on_failure="warn")
    assert posterior.attrs["khat"] > 0.7


def test_nan_made_by_an_equation_is_no_likelihood():
    @ds.equation(unit="1")
    def root(x):
        return np.sqrt(x)

    model = ds.Model([root], {"x": ds.Assumption(dist.normal(mean=1, sd=1))}).observe(root="normal(mean=1, sd=0.1)")
    with pytest.raises(InvalidDrawsError, match="'root' made NaN"):
        model.infer(draws=64, seed=1)


@pytest.mark.parametrize(
    "settings",
    [{"method": "nuts"}, {"on_failure": "ignore"}, {"draws": 0}, {"chains": 0}, {"seed": -1}, {"keep": ["no"]}],
)
def test_settings_are_checked(single, settings):
    with pytest.raises(ds.DemandsimError):
        single.observe(utilization="normal(mean=0.4, sd=0.1)").infer(**settings)


# Parts


def test_smoothing_leaves_what_has_no_tail():
    equal = np.where(np.arange(1000) % 3 == 0, 0.0, -np.inf)
    found, khat = smoothed(equal)
    np.testing.assert_array_equal(found, equal)
    assert khat == 0.0
    assert smoothed(np.full(10, -1.0))[1] == np.inf
    heavy = stats.pareto(1 / 1.2).rvs(20_000, random_state=1)
    assert smoothed(np.log(heavy))[1] == pytest.approx(1.2, abs=0.15)


def test_resampling_is_unbiased_and_takes_nothing_without_weight():
    weights = np.array([0.0, 1.0, 2.0, 5.0, 0.0])
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    counts = np.zeros(5)
    for seed in range(400):
        places = systematic(logs, 7, np.random.default_rng(seed))
        assert np.all(np.diff(places) >= 0)
        counts += np.bincount(places, minlength=5)
    assert counts[0] == counts[4] == 0
    np.testing.assert_allclose(counts / counts.sum(), weights / 8, atol=0.01)
    assert effective_size(logs) == pytest.approx(64 / 30)


def test_resampling_of_a_sobol_sequence_has_no_echo():
    # In their own order, every fourth point of a Sobol' sequence lies in the same quarter of the cube.
    from demandsim.sampling.qmc import Stream, sobol

    u = sobol(1, 0, Stream("x"), 0, 4096, 4096)
    means = [u[systematic(np.zeros(4096), 1024, np.random.default_rng(seed))].mean() for seed in range(50)]
    assert np.std(means) < 1.5 * np.sqrt(1 / 12 / 1024)


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


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dist.pooled([]), "at least one"),
        (lambda: dist.pooled("normal(1, 2)"), "must be a list"),
        (lambda: dist.pooled([dist.normal(1, 2)], [1, 2]), "as many weights"),
        (lambda: dist.pooled([dist.normal(1, 2)], kind="geometric"), "kind of pool"),
        (lambda: dist.pooled([dist.normal(1, 2), dist.gamma(1, 2)], kind="logarithmic"), "one family"),
        (lambda: dist.pooled([dist.uniform(1, 2), dist.uniform(3, 4)], kind="logarithmic"), "no value is possible"),
        (lambda: dist.pooled([dist.discrete([1]), dist.discrete([2])], kind="logarithmic"), "no value is possible"),
    ],
)
def test_pools_that_cannot_be(call, words):
    with pytest.raises(DistributionError, match=words):
        call()


def test_a_pool_is_read_as_text():
    text = 'pooled([normal(0, 1), normal(2, 3)], [2, 1], kind="logarithmic")'
    made = dist.pooled([dist.normal(0, 1), dist.normal(2, 3)], [2, 1], kind="logarithmic")
    assert dist.parse_distribution(text) == made
    assert dist.parse_distribution(str(made)) == made


# Study files

TOML = """
schema = 1
equations = ["cards"]
[coords]
year = [2025, 2026, 2027]
[assumptions.tokens]
distribution = 'lognormal(by("year", [50, 100, 200]), by("year", [200, 400, 800]))'
unit = "token"
[assumptions.tokens_per_card]
distribution = "lognormal(1, 4)"
unit = "token/card"
[scenarios.scenario.slow]
tokens_per_card = "lognormal(2, 3)"
[scenarios.scenario.fast]
tokens_per_card = "lognormal(3, 6)"
"""
EVIDENCE = """
[[evidence]]
quantity = "cards"
distribution = 'lognormal(median=by("year", [120, 180]), factor=1.3)'
unit = "wan*card"
source = "annual report"
coords = { year = [2026, 2025] }
[[evidence]]
quantity = "tokens_per_card"
distribution = 'normal(mean=by("scenario", [2.5]), sd=0.5)'
coords = { scenario = ["slow"] }
[[evidence]]
event = "tokens_per_card > 1.5"
source = "stated"
"""


def loaded(text, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return ds.load_study(path, equations=[cards])


def test_a_study_file_holds_evidence_and_is_written_again(tmp_path):
    model = loaded(TOML + EVIDENCE, tmp_path)
    first, second, third = model.evidence
    assert (first.unit, first.source) == ("wan*card", "annual report")
    assert first.distribution.coords == {"year": (2026, 2025)}
    assert second.unit == "token/card"
    assert str(third.event) == "tokens_per_card > 1.5"
    again = loaded(model.to_toml(), tmp_path)
    assert again == model
    assert again.evidence == model.evidence
    assert loaded(TOML, tmp_path).evidence == ()
    assert loaded(model.select(scenario="fast").to_toml(), tmp_path) == model.select(scenario="fast")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            'quantity = "card"\ndistribution = "normal(1, 2)"',
            r"\[evidence.0\]: unknown quantity 'card'; did you mean 'ca",
        ),
        ('quantity = "cards"', "either quantity and distribution, or event"),
        ('event = "cards > 1"\nquantity = "cards"\ndistribution = "normal(1, 2)"', "either quantity"),
        ('event = "cards"', r"\[evidence.0\]: .*an event is"),
        ('quantity = "tokens_per_card"\ndistribution = "normall(1, 2)"', "did you mean 'normal'"),
        ('quantity = "tokens_per_card"\ndistribution = "normal(2, 1)"', "low must be below high"),
        ('quantity = "cards"\ndistribution = "normal(1, 2)"', "must say for which"),
        ('quantity = "tokens_per_card"\ndistribution = "normal(1, 2)"\nunits = "token/card"', "did you mean 'unit'"),
    ],
)
def test_evidence_of_a_study_file_is_checked(tmp_path, table, words):
    with pytest.raises(ds.DemandsimError, match=words):
        loaded(f"{TOML}\n[[evidence]]\n{table}\n", tmp_path)


def test_a_function_is_not_written(single):
    with pytest.raises(ds.DemandsimError, match="is a function"):
        single.observe(event=lambda d: d.cards > 1).to_toml()


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
    evidence = json.loads(ds.load_study("doubao-growth").infer(draws=64, seed=1).attrs["evidence"])
    assert evidence[-1]["coords"] == {"year": [2026]}
