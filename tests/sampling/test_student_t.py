"""Tails together: the t copula against closed forms, and against draws that were made otherwise."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import CorrelationError, StudyError
from demandsim.sampling.margin import Margin, normal_correlation, rank_correlation
from demandsim.sampling.student_t import grades_of_scores, kendall_to_spearman, t_correlation, t_rank_correlation
from demandsim.studies.loading import model_from_toml

NAMES = ("price", "load", "life")


def model(df=None, **pairs):
    laws = {"price": dist.lognormal(1, 3), "load": dist.uniform(0, 1), "life": dist.normal(mean=5, sd=1)}
    named = {("price", "load"): pairs["a"], ("load", "life"): pairs["b"]}
    return ds.Model([], laws).correlate(named, df=df)


def draws_of(made, draws=2**15, **more):
    found = made.simulate(draws=draws, chains=4, seed=1, **more)
    return {name: found[name].values.ravel() for name in NAMES}


@pytest.mark.parametrize("df", [1, 2.5, 4, 12])
@pytest.mark.parametrize("r", [-0.6, 0.0, 0.5, 0.9])
def test_spearman_is_that_of_a_t_made_by_division(df, r):
    rng = np.random.default_rng(1)
    size = 400_000
    x = rng.standard_normal((2, size))
    x[1] = r * x[0] + math.sqrt(1 - r * r) * x[1]
    x /= np.sqrt(rng.chisquare(df, size) / df)
    found = stats.spearmanr(x[0], x[1]).statistic
    assert t_rank_correlation(r, df) == pytest.approx(found, abs=5 * 1.2 / math.sqrt(size))
    assert t_correlation(t_rank_correlation(r, df), df) == pytest.approx(r, abs=1e-9)


def test_many_degrees_of_freedom_are_the_normal_copula():
    for r in (-0.9, 0.3, 0.99):
        assert t_rank_correlation(r, 1e7) == pytest.approx(6 / math.pi * math.asin(r / 2), abs=1e-6)


@pytest.mark.parametrize(("df", "rho"), [(1, 0.3), (3, 0.0), (4, 0.5), (8, -0.4)])
def test_chances_of_both_beyond_are_those_of_a_bivariate_t(df, rho):
    found = draws_of(model(df, a=rho, b=0.0))
    r = t_correlation(rho, df)
    for p in (0.01, 0.1, 0.5):
        cut = stats.t.ppf(p, df)
        both = stats.multivariate_t.cdf([cut, cut], shape=[[1, r], [r, 1]], df=df, random_state=1)
        below = (found["price"] < np.quantile(found["price"], p)) & (found["load"] < np.quantile(found["load"], p))
        error = math.sqrt(both / below.size)
        assert below.mean() == pytest.approx(both, abs=4 * error + 1e-5)


def test_the_tail_dependence_is_its_closed_form():
    df, r = 3.0, 0.5
    found = draws_of(model(df, a=t_rank_correlation(r, df), b=0.0), draws=2**18)
    limit = 2 * stats.t.cdf(-math.sqrt((df + 1) * (1 - r) / (1 + r)), df + 1)
    p = 5e-4
    beyond = [found[name] > np.quantile(found[name], 1 - p) for name in ("price", "load")]
    chance = (beyond[0] & beyond[1]).sum() / beyond[0].sum()
    # Of some 500 draws.
    assert chance == pytest.approx(limit, abs=4 * math.sqrt(limit / beyond[0].sum()))
    normal = draws_of(model(None, a=t_rank_correlation(r, df), b=0.0), draws=2**18)
    beyond = [normal[name] > np.quantile(normal[name], 1 - p) for name in ("price", "load")]
    assert (beyond[0] & beyond[1]).sum() / beyond[0].sum() < limit / 2


@pytest.mark.parametrize("design", ["sobol", "latin_hypercube", "random"])
def test_margins_and_rank_correlations_are_kept(design):
    found = draws_of(model(4, a=0.5, b=-0.3), design=design)
    assert stats.kstest(found["load"], "uniform").statistic < 0.01
    assert stats.spearmanr(found["price"], found["load"]).statistic == pytest.approx(0.5, abs=0.015)
    assert stats.spearmanr(found["load"], found["life"]).statistic == pytest.approx(-0.3, abs=0.015)
    receipt = ds.receipt(model(4, a=0.5, b=-0.3).simulate(draws=1024, seed=1, design=design))
    row = receipt["rank_correlations"]["load, price"]
    assert row["requested"] == 0.5
    assert row["achieved"] == pytest.approx(0.5, abs=0.05)


def test_kendalls_tau_is_reached_under_both():
    for df in (None, 3):
        made = ds.Model([], {"a": dist.lognormal(1, 3), "b": dist.normal(0, 1)})
        made = made.correlate({("a", "b"): 0.4}, measure="kendall", df=df)
        found = made.simulate(draws=4096, chains=4, seed=1)
        assert stats.kendalltau(found.a.values.ravel(), found.b.values.ravel()).statistic == pytest.approx(
            0.4, abs=0.01
        )
    assert kendall_to_spearman(0.4) == pytest.approx(6 / math.pi * math.asin(math.sin(0.2 * math.pi) / 2))
    with pytest.raises(CorrelationError, match="unknown measure 'kendal'; did you mean 'kendall'"):
        made.correlate({("a", "b"): 0.4}, measure="kendal")


def test_blocks_and_other_assumptions_change_no_bit():
    made = model(4, a=0.5, b=-0.3)
    whole = made.simulate(draws=64, chains=2, seed=1)
    parts = made.simulate(draws=64, chains=2, seed=1, chunks=16).compute()
    more = made.add(z=dist.normal(0, 1)).simulate(draws=64, chains=2, seed=1, keep=list(NAMES))
    for name in NAMES:
        np.testing.assert_array_equal(parts[name], whole[name])
        np.testing.assert_array_equal(more[name], whole[name])


def test_files_hold_it(tmp_path):
    made = model(4, a=0.5, b=-0.3)
    text = made.to_toml()
    assert "df = 4.0" in text
    again = model_from_toml(text)
    assert again == made
    assert again.hash == made.hash != model(None, a=0.5, b=-0.3).hash
    ds.write_workbook(made, tmp_path / "t.xlsx")
    assert ds.read_workbook(tmp_path / "t.xlsx") == made
    tau = text.replace("spearman = 0.5", "kendall = 0.4")
    assert model_from_toml(tau).correlations["price", "load"] == pytest.approx(kendall_to_spearman(0.4, 4))
    with pytest.raises(StudyError, match="either spearman or kendall"):
        model_from_toml(text.replace("spearman = 0.5", "spearman = 0.5\nkendall = 0.4"))


def test_labels_move_together_in_their_tails_too():
    years = xr.DataArray([1.0, 2.0, 3.0], dims="year", coords={"year": [2025, 2026, 2027]})
    made = ds.Model([], {"x": dist.normal(mean=years, sd=1.0)})
    made = made.correlate_labels("x", dim="year", rank=ds.ar1(0.6), df=2)
    found = made.simulate(draws=2**14, chains=4, seed=1).x.stack(all=("chain", "draw"))
    assert stats.spearmanr(found[..., 0, :], found[..., 1, :]).statistic == pytest.approx(0.6, abs=0.02)
    low = found < found.quantile(0.01, "all")
    # A normal copula would have some 0.2.
    assert float((low[..., 0, :] & low[..., 1, :]).mean() / 0.01) > 0.4


def test_what_cannot_be_is_said():
    with pytest.raises(CorrelationError, match=r"df of 'price' must be a number from 1 on, not 0\.5"):
        model(0.5, a=0.5, b=0.1)
    coin = ds.Model([], {"coin": dist.discrete([0, 1]), "x": dist.normal(0, 1)})
    with pytest.raises(
        CorrelationError, match=r"since draws of 'coin' share values: these two can have -0.86.* to 0.86"
    ):
        coin.correlate({("coin", "x"): 0.95}, df=4)
    two = model(4, a=0.5, b=0.1).add(other=dist.normal(0, 1), last=dist.normal(0, 1))
    two = two.correlate({("other", "last"): 0.2}, df=9)
    with pytest.raises(CorrelationError, match=r"df=4 and .* df=9"):
        two.correlate({("life", "last"): 0.2})


def test_shapley_effects_share_a_sum_that_is_symmetric():
    @ds.equation(unit="1")
    def total(a, b, c):
        return a + b + c

    laws = dict.fromkeys("abc", dist.normal(mean=0, sd=1))
    made = ds.Model([total], laws).correlate({("a", "b"): 0.5}, df=3)
    found = ds.sensitivity.shapley(made, "total", draws=2048, chains=4, seed=1).effect.squeeze()
    assert float(found.sum()) == pytest.approx(1)
    values = {name: float(found.sel(assumption=name)) for name in "abc"}
    # Of the variance 3 + 2 cov(a, b), which is of normal laws under a t copula.
    pairs = made.simulate(draws=2**14, chains=4, seed=1)
    covariance = float(np.cov(pairs.a.values.ravel(), pairs.b.values.ravel())[0, 1])
    assert values["a"] == pytest.approx((1 + covariance) / (3 + 2 * covariance), abs=0.03)
    assert values["a"] == pytest.approx(values["b"], abs=0.03)
    # Uncorrelated, and yet dependent: `sobol` refuses.
    with pytest.raises(CorrelationError, match="needs independent assumptions"):
        ds.sensitivity.sobol(ds.Model([total], laws).correlate({("a", "b"): 0.0}, df=3), of="total", draws=64, seed=1)


def test_conditional_scores_are_a_t_with_more_degrees_of_freedom():
    from demandsim.sampling.student_t import stepwise

    matrix = np.array([[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1]])
    size, df = 20_000, 3.0
    u = np.random.default_rng(2).random((3, size))
    known = [np.full(size, 1.5), None, np.full(size, -2.0)]
    x = stepwise(matrix, known, list(u), df)[1]
    place, given_places = [1], [0, 2]
    r = matrix[np.ix_(given_places, given_places)]
    weights = np.linalg.solve(r, matrix[np.ix_(given_places, place)]).ravel()
    fixed = np.array([1.5, -2.0])
    spread = (df + fixed @ np.linalg.solve(r, fixed)) / (df + 2) * (1 - weights @ matrix[np.ix_(given_places, place)])
    law = stats.t(df + 2, loc=weights @ fixed, scale=math.sqrt(spread.item()))
    assert stats.kstest(x, law.cdf).pvalue > 0.01


def test_evidence_is_weighed_under_it():
    made = ds.Model([], {"a": dist.normal(mean=0, sd=1), "b": dist.normal(mean=0, sd=1)})
    made = made.correlate({("a", "b"): 0.6}, df=3)
    posterior = made.observe(a=dist.normal(mean=1.5, sd=0.5)).infer(seed=1)
    draws = made.simulate(draws=2**16, chains=4, seed=2)
    weight = np.exp(-0.5 * ((draws.a.values - 1.5) / 0.5) ** 2)
    expected = float((weight * draws.b.values).sum() / weight.sum())
    assert float(posterior.b.mean()) == pytest.approx(expected, abs=0.03)


COIN, RARE = Margin(((0.0, 0.5), (0.5, 1.0))), Margin(((0.0, 0.95), (0.95, 1.0)))
FEW, PILED = Margin(((0.0, 0.2), (0.2, 0.6), (0.6, 1.0))), Margin(((0.0, 0.3),))


@pytest.mark.parametrize("df", [1.0, 4.0])
@pytest.mark.parametrize("pair", [(COIN, COIN), (RARE, RARE), (FEW, RARE), (PILED, FEW), (PILED, Margin())])
def test_values_with_atoms_have_the_rank_correlation_of_a_t_made_by_division(pair, df):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 200_000))
    g = rng.chisquare(df, 200_000) / df
    for r in (-0.7, 0.0, 0.9):
        scores = np.array([x[0], r * x[0] + math.sqrt(1 - r * r) * x[1]]) / np.sqrt(g)
        one, other = (margin.grades(u) for margin, u in zip(pair, stats.t.cdf(scores, df), strict=True))
        expected = rank_correlation(*pair, r, df)
        assert expected == pytest.approx(np.corrcoef(one, other)[0, 1], abs=0.02)
        assert normal_correlation(*pair, expected, df) == pytest.approx(r, abs=1e-6)


def test_atoms_too_small_to_matter_change_nothing():
    almost = Margin(((0.0, 1e-9),))
    for df, r in ((2.0, -0.9), (4.0, 0.5), (30.0, 0.99)):
        assert rank_correlation(almost, almost, r, df) == pytest.approx(t_rank_correlation(r, df), abs=1e-5)


def test_events_and_counts_move_together_in_their_tails():
    made = ds.Model(
        [],
        {
            "ban": dist.bernoulli(0.05),
            "delay": dist.poisson(3),
            "price": dist.lognormal(1, 3),
            "quiet": "bernoulli(0.05)",
        },
    ).correlate({("ban", "delay"): 0.2, ("ban", "price"): 0.1, ("price", "quiet"): 0.1}, df=3)
    draws = made.simulate(draws=2**14, chains=4, seed=1)
    flat = {name: draws[name].values.ravel() for name in draws}
    for one, other, asked in (("ban", "delay", 0.2), ("ban", "price", 0.1), ("ban", "quiet", 0.0)):
        # Not named is 0, although scores that share a scale are extreme together.
        assert stats.spearmanr(flat[one], flat[other]).statistic == pytest.approx(asked, abs=0.02)
    again = model_from_toml(made.to_toml())
    xr.testing.assert_equal(again.simulate(draws=64, seed=1).ban, made.simulate(draws=64, seed=1).ban)


@pytest.mark.parametrize("df", [1.0, 1.3, 2.0, 3.7, 4.0, 12.0, 60.0, 900.0, 1e5])
def test_grades_of_scores_are_exact_in_both_tails(df):
    x = np.concatenate([np.logspace(-9, 8, 600), np.linspace(0, 12, 600)])
    below = grades_of_scores(-x, df)
    if df == 1:
        expected = np.where(x > 1, np.arctan(1 / np.maximum(x, 1)), math.pi / 2 - np.arctan(x)) / math.pi
    elif df == 2:
        expected = 1 / (2 + x * x + x * np.sqrt(2 + x * x))
    else:
        expected = stats.t.sf(x, df)
    shown = expected > 2.0**-53
    np.testing.assert_allclose(below[shown], expected[shown], rtol=1e-8)
    np.testing.assert_allclose(grades_of_scores(x, df), 1 - expected, atol=1e-10)
    assert np.all(below >= 2.0**-54)
    assert np.all(np.diff(grades_of_scores(np.linspace(-5, 5, 999), df)) > 0)
