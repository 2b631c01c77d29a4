"""Shares that add up to 1: a Dirichlet law, and one label of several."""

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim import testing
from demandsim.distributions.interval import with_interval
from demandsim.errors import CorrelationError, DistributionError, EvidenceError

CARDS = ["H100", "H20", "B200"]
WEIGHTS = np.array([6.0, 3.0, 1.0])
PRICE = xr.DataArray([150e3, 80e3, 300e3], dims="hardware", coords={"hardware": CARDS})


def by_card(make, weights=WEIGHTS):
    return make(dict(zip(CARDS, weights, strict=True)), dim="hardware")


@ds.equation(unit="CNY/card")
def mean_price(card_price, mix):
    """What a card costs."""
    return (card_price * mix).sum("hardware")


@ds.equation(unit="1")
def busy(load):
    """Of something else."""
    return load


@ds.equation(unit="CNY/card")
def price_of_one(card_price, chosen):
    """What the card that is chosen costs."""
    return (card_price * chosen).sum("hardware")


def model(mix, **others):
    equations = [made for made in (mean_price, busy, price_of_one) if {*made.inputs} <= {"card_price", "mix", *others}]
    return ds.Model(equations, {"card_price": ds.Assumption(PRICE, "CNY/card"), "mix": mix, **others})


@pytest.mark.parametrize("design", ["sobol", "random", "latin_hypercube"])
def test_a_dirichlet_has_the_moments_of_its_law_in_every_design(design):
    drawn = model(by_card(dist.dirichlet)).simulate(draws=4096, seed=1, design=design)
    assert float(abs(drawn.mix.sum("hardware") - 1).max()) < 1e-14
    assert float(drawn.mix.min()) >= 0
    values = drawn.mix.stack(all=("chain", "draw")).transpose("hardware", "all").values
    law = stats.dirichlet(WEIGHTS)
    np.testing.assert_allclose(values.mean(axis=1), law.mean(), atol=0.01)
    np.testing.assert_allclose(np.cov(values), law.cov(), atol=0.001)
    price = float(drawn.mean_price.mean())
    assert price == pytest.approx(float(PRICE.values @ law.mean()), rel=0.01)


def test_a_share_by_itself_is_beta_wherever_it_stands():
    made = by_card(dist.dirichlet)
    drawn = made.sample(20_000, seed=3)
    for label, own in zip(CARDS, WEIGHTS, strict=True):
        law = stats.beta(own, 10 - own)
        assert stats.kstest(drawn.sel(hardware=label).values, law.cdf).pvalue > 0.01
        assert made.cdf(0.3)[CARDS.index(label)] == pytest.approx(law.cdf(0.3))
    np.testing.assert_allclose(made.ppf(0.95).values, [stats.beta(a, 10 - a).ppf(0.95) for a in WEIGHTS])


def test_ratios_of_shares_are_independent_of_the_rest():
    # What tells a Dirichlet law from other laws of beta shares.
    drawn = by_card(dist.dirichlet).sample(20_000, seed=5)
    rest = drawn.sel(hardware=["H100", "H20"])
    ratio = rest.sel(hardware="H100") / rest.sum("hardware")
    assert stats.kstest(ratio.values, stats.beta(6, 3).cdf).pvalue > 0.01
    assert abs(stats.spearmanr(ratio.values, drawn.sel(hardware="B200").values).statistic) < 0.03


def test_the_density_is_scipys():
    made = by_card(dist.dirichlet)
    rows = np.array([[0.5, 0.3], [0.2, 0.6], [0.3, 0.1]])
    np.testing.assert_allclose(made.wholes[0].logpdf(rows), stats.dirichlet(WEIGHTS).logpdf(rows))
    chosen = by_card(dist.choice)
    np.testing.assert_allclose(chosen.wholes[0].logpdf(np.eye(3)), np.log(WEIGHTS / 10))


def test_a_choice_takes_the_row_of_its_label():
    drawn = model(by_card(dist.choice)).simulate(draws=4096, seed=1)
    np.testing.assert_allclose(drawn.mix.mean(["chain", "draw"]), WEIGHTS / 10, atol=1e-3)
    assert set(np.unique(drawn.mix)) == {0.0, 1.0}
    assert bool((drawn.mix.sum("hardware") == 1).all())
    assert bool((drawn.mean_price == PRICE.sel(hardware=drawn.mix.idxmax("hardware"))).all())
    means = ds.summarize(drawn).mix.sel(statistic="mean")
    np.testing.assert_allclose(means, WEIGHTS / 10, atol=1e-3)


@pytest.mark.parametrize("make", [dist.dirichlet, dist.choice])
def test_shares_are_a_whole_along_their_own_dim_and_new_along_others(make):
    weights = xr.DataArray(
        [[6.0, 3.0, 1.0], [1.0, 1.0, 8.0]],
        dims=["year", "hardware"],
        coords={"year": [2025, 2026], "hardware": CARDS},
    )
    made = make(weights, dim="hardware")
    assert str(made) == f'{make.__name__}(by("year", "hardware", [[6, 3, 1], [1, 1, 8]]), dim="hardware")'
    assert dist.parse_distribution(str(made), {"year": [2025, 2026], "hardware": CARDS}) == made
    swapped = make(weights.transpose("hardware", "year"), dim="hardware")
    for one in (made, swapped):
        drawn = model(one).simulate(draws=512, seed=2, design="random")
        assert float(abs(drawn.mix.sum("hardware") - 1).max()) < 1e-14
        expected = (weights / weights.sum("hardware")).transpose("hardware", "year")
        np.testing.assert_allclose(drawn.mix.mean(["chain", "draw"]).transpose("hardware", "year"), expected, atol=0.03)
        years = drawn.mix.sel(hardware="H100").stack(all=("chain", "draw")).values
        assert abs(np.corrcoef(years)[0, 1]) < 0.06
    along = ds.Assumption(by_card(make), dims=("region",))
    drawn = ds.Model(
        [mean_price], {"card_price": ds.Assumption(PRICE, "CNY/card"), "mix": along}, coords={"region": ["n", "s"]}
    )
    regions = drawn.simulate(draws=512, seed=2).mix
    assert float(abs(regions.sum("hardware") - 1).max()) < 1e-14
    assert not np.array_equal(regions.sel(region="n"), regions.sel(region="s"))


@pytest.mark.parametrize("make", [dist.dirichlet, dist.choice])
def test_streams_are_keyed_by_name_and_blocks_change_nothing(make):
    mix = by_card(make)
    alone = model(mix).simulate(draws=300, seed=4, design="random")
    more = model(mix, load="normal(1, 2)").simulate(draws=300, seed=4, design="random", block=77, threads=2)
    xr.testing.assert_equal(alone.mix, more.mix)
    assert pickle.loads(pickle.dumps(mix)) == mix
    again = pickle.loads(pickle.dumps(mix)).sample(9, seed=1)
    xr.testing.assert_equal(again, mix.sample(9, seed=1))


def test_the_point_adds_up_to_1():
    np.testing.assert_allclose(ds.Assumption(by_card(dist.dirichlet)).point, WEIGHTS / 10)
    assert ds.Assumption(by_card(dist.choice)).point.values.tolist() == [1, 0, 0]


def test_study_files_keep_shares(tmp_path):
    made = model(by_card(dist.dirichlet), chosen=by_card(dist.choice))
    (tmp_path / "mix.toml").write_text(made.to_toml(), encoding="utf-8")
    again = ds.load_study(tmp_path / "mix.toml")
    assert again.assumptions == made.assumptions
    xr.testing.assert_equal(again.simulate(draws=64, seed=1).mix, made.simulate(draws=64, seed=1).mix)


def test_a_posterior_of_shares_is_that_of_the_conjugate_pair():
    # Three choices of H100, one of H20: each is a probability of the share itself.
    @ds.equation(unit="1")
    def told(mix):
        """Log likelihood of what was seen."""
        return 3 * np.log(mix.sel(hardware="H100")) + np.log(mix.sel(hardware="H20"))

    made = ds.Model([told], {"mix": by_card(dist.dirichlet)})
    draws = made.simulate(draws=4096, seed=1)
    weight = np.exp(draws.told)
    found = (draws.mix * weight).sum(["chain", "draw"]) / weight.sum()
    np.testing.assert_allclose(found, (WEIGHTS + np.array([3, 1, 0])) / 14, atol=2e-3)
    posterior = model(by_card(dist.dirichlet)).observe(mean_price="normal(mean=120e3, sd=5e3)").infer(draws=256, seed=1)
    rows = posterior.mix.stack(all=("chain", "draw")).transpose("hardware", "all").values
    told_prior = posterior.log_prior.stack(all=("chain", "draw")).values
    apart = told_prior - stats.dirichlet(WEIGHTS).logpdf(rows / rows.sum(axis=0))
    assert np.ptp(apart) < 1e-6


def test_weights_of_one_label_or_none_are_sure():
    sure = dist.dirichlet({"H100": 2}, dim="hardware")
    assert sure.is_constant
    never = dist.choice({"H100": 0, "H20": 2}, dim="hardware")
    assert never.is_constant
    assert never.sample(3, seed=1).values.tolist() == [[0] * 3, [1] * 3]


def test_tiny_concentrations_still_add_up():
    drawn = dist.dirichlet(dict.fromkeys("abcdef", 0.01), dim="x").sample(4000, seed=1)
    assert np.isfinite(drawn).all()
    assert float(abs(drawn.sum("x") - 1).max()) < 1e-14
    np.testing.assert_allclose(drawn.mean("draw"), 1 / 6, atol=0.03)


@settings(max_examples=15)
@given(values=testing.values_within(model(by_card(dist.dirichlet))))
def test_values_for_property_tests_add_up_to_1(values):
    assert float(values["mix"].sum()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: dist.dirichlet([1, 2]), r"concentration must have labels, such as .*dim='hardware'"),
        (lambda: dist.dirichlet({"a": 1, "b": 2}), "say whose labels they are"),
        (lambda: dist.dirichlet({"a": 0, "b": 2}, dim="x"), "finite and positive"),
        (lambda: dist.choice({"a": -1, "b": 2}, dim="x"), "finite and not negative"),
        (lambda: dist.choice({"a": 0, "b": 0}, dim="x"), "at least one of the weights along 'x' must be positive"),
        (lambda: dist.choice({}, dim="x"), "names no label"),
        (lambda: dist.choice({"a": "1"}, dim="x"), "weights of a must be a number"),
        (lambda: dist.choice(PRICE, dim="hardwear"), "did you mean 'hardware'"),
        (lambda: dist.dirichlet(PRICE * xr.DataArray([1.0, 2.0], coords={"year": [1, 2]}, dims="year")), "dims"),
        (lambda: dist.truncated(by_card(dist.choice), lower=0.1), "shares add up to 1 together"),
        (lambda: dist.mixture([by_card(dist.dirichlet), 3]), "shares add up to 1 together"),
        (lambda: dist.normal(mean=by_card(dist.dirichlet), sd=1), "shares add up to 1 together"),
        (lambda: model(ds.Assumption(by_card(dist.dirichlet), shared=True)), "leave out shared=True"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, told):
    with pytest.raises(ds.DemandsimError, match=told):
        make()


def test_shares_have_no_rank_to_correlate_and_are_no_evidence():
    made = model(by_card(dist.dirichlet), load="uniform(0, 1)")
    with pytest.raises(CorrelationError, match="'mix' is shares of a whole"):
        made.correlate({("mix", "load"): 0.5})
    with pytest.raises(CorrelationError, match="'mix' is shares of a whole"):
        made.correlate_labels("mix", dim="hardware", rank=0.5)
    with pytest.raises(EvidenceError, match="give each its own distribution"):
        made.observe(mix=by_card(dist.dirichlet)).infer(seed=1)
    with pytest.raises(DistributionError, match="no interval"):
        with_interval(by_card(dist.choice), 0.1, 0.2)
