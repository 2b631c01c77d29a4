"""Dependence between laws of any kind: what is asked is what the values have, or an error says what can be had."""

import ast
import itertools
import math
import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import CorrelationError, CorrelationWarning
from demandsim.sampling.margin import Margin, attainable, margin_of, normal_correlation, rank_correlation

RARE = dist.discrete([0, 1], weights=[0.95, 0.05])
TIED = {
    "rare": RARE,
    "coin": dist.discrete([0, 1]),
    "three": dist.discrete([1, 2, 7], weights=[0.2, 0.5, 0.3]),
    "data": dist.empirical([1, 1, 1, 2, 2, 5, 8, 8, 9]),
    "half sure": dist.mixture([dist.discrete([0]), dist.lognormal(1, 9)], weights=[0.4, 0.6]),
    "poisson": dist.as_distribution(stats.poisson(2)),
    "whole": dist.as_distribution(stats.binom(6, 0.3)),
    "cut": dist.truncated(dist.discrete([1, 2, 3, 4]), upper=3),
    "smooth": dist.normal(0, 1),
}


def spearman(draws, one, other):
    return stats.spearmanr(draws[one].values.ravel(), draws[other].values.ravel()).statistic


def model_of(**assumptions):
    return ds.Model([], assumptions)


@pytest.mark.parametrize(
    ("one", "other"), [*itertools.product(TIED, ["smooth"]), ("three", "data"), ("coin", "half sure")]
)
def test_values_with_ties_have_the_rank_correlation_that_was_asked(one, other):
    model = model_of(a=TIED[one], b=TIED[other])
    margins = [margin_of(model.assumptions[name].distribution.laws[0]) for name in "ab"]
    for asked in (0.7 * attainable(*margins)[1], -0.3):
        draws = model.correlate({("a", "b"): asked}).simulate(draws=4096, chains=8, seed=4)
        found = spearman(draws, "a", "b")
        assert found == pytest.approx(asked, abs=0.01)
        # The receipt is about the values, and agrees with scipy on them.
        assert ds.receipt(draws)["rank_correlations"]["a, b"]["achieved"] == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("r", [-0.9, -0.3, 0.2, 0.8, 0.99])
def test_ties_against_the_bivariate_normal_distribution(r):
    one, other = (margin_of(TIED[name].laws[0]) for name in ("three", "rare"))

    def below(u, v):
        ends = [9 if p == 1 else -9 if p == 0 else stats.norm.ppf(p) for p in (u, v)]
        return stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf(ends)

    covariance = 0.0
    for (a, b), (c, d) in itertools.product(one.atoms, other.atoms):
        probability = below(b, d) - below(a, d) - below(b, c) + below(a, c)
        covariance += probability * ((a + b) / 2 - 0.5) * ((c + d) / 2 - 0.5)
    assert rank_correlation(one, other, r) == pytest.approx(covariance / (one.sd * other.sd), abs=1e-8)
    if abs(r) < 0.9:  # beyond, these two have all that they can have
        assert normal_correlation(one, other, rank_correlation(one, other, r)) == pytest.approx(r, abs=1e-9)


def test_coins_against_the_closed_form():
    # Sheppard: P(both) = 1/4 + asin(r) / (2 pi), so that the rank correlation of two coins is 2 / pi * asin(r).
    coin = margin_of(TIED["coin"].laws[0])
    for r in (0.1, 0.5, 0.9, -0.7):
        assert rank_correlation(coin, coin, r) == pytest.approx(2 / math.pi * math.asin(r), abs=1e-12)


def test_atoms_are_found_in_the_quantile_function():
    law = dist.mixture([dist.discrete([3]), dist.normal(0, 1)], weights=[0.25, 0.75]).laws[0]
    ((lower, upper),) = margin_of(law).atoms
    assert upper - lower == pytest.approx(0.25, abs=1e-9)
    assert lower == pytest.approx(0.75 * float(dist.normal(0, 1).cdf(3)), abs=1e-9)
    assert margin_of(dist.gamma(mean=2, sd=1).laws[0]) == Margin()


def test_what_cannot_be_reached_raises_with_the_range():
    model = model_of(a=RARE, b=dist.normal(0, 1))
    with pytest.raises(CorrelationError, match=r"0.8 of 'a' and 'b' cannot be reached.*-0.3774 to 0.3774") as caught:
        model.correlate({("a", "b"): 0.8})
    high = float(re.findall(r"to (0\.\d+)", str(caught.value))[0])
    # The end can be typed in, and is the best: both sorted have hardly more.
    draws = model.correlate({("a", "b"): high}).simulate(draws=8192, seed=1)
    best = stats.spearmanr(*(np.sort(draws[name].values.ravel()) for name in "ab")).statistic
    assert spearman(draws, "a", "b") == pytest.approx(high, abs=2e-3)
    assert high == pytest.approx(best, abs=1e-3)
    nearest = model.correlate({("a", "b"): 0.8}, nearest=True).simulate(draws=8192, seed=1)
    row = ds.receipt(nearest)["rank_correlations"]["a, b"]
    assert row["requested"] == pytest.approx(high, abs=1e-3)
    assert row["achieved"] == pytest.approx(high, abs=1e-3)


def test_a_sure_value_has_no_correlation():
    with pytest.raises(CorrelationError, match="'a' and 'b' has no effect: 'a' is a sure value"):
        model_of(a=5, b=dist.normal(0, 1)).correlate({("a", "b"): 0.5})
    with pytest.warns(CorrelationWarning, match="'a' is a sure value"):
        ds.Model([], {"a": 5, "b": dist.normal(0, 1)}, correlations={("a", "b"): 0.5})
    # Pinned later, it stays as it was before for whoever frees it again.
    pinned = model_of(a=dist.normal(0, 1), b=dist.normal(0, 1)).correlate({("a", "b"): 0.5}).fix(a=0)
    row = ds.receipt(pinned.simulate(draws=64, seed=1))["rank_correlations"]["a, b"]
    assert row["achieved"] is None
    assert row["void"] == "'a' is a sure value"
    freed = pinned.assume(a=dist.normal(0, 1)).simulate(draws=4096, seed=1)
    assert spearman(freed, "a", "b") == pytest.approx(0.5, abs=0.02)


def test_a_scenario_that_pins_one_of_a_pair_says_that_the_correlation_is_void_there():
    model = model_of(a=RARE, b=dist.normal(0, 1)).correlate({("a", "b"): 0.3})
    draws = model.with_scenarios({"low": {"a": 0}, "open": {}}).simulate(draws=4096, seed=1)
    rows = ds.receipt(draws)["rank_correlations"]
    assert rows["a[low], b"]["void"] == "'a[low]' is a sure value"
    assert rows["a[open], b"]["achieved"] == pytest.approx(0.3, abs=0.01)
    never = model_of(a=RARE, b=dist.normal(0, 1)).with_scenarios({"one": {"a": 0}, "two": {"b": 0}})
    with pytest.raises(CorrelationError, match="wherever one of them is uncertain the other is a sure value"):
        never.correlate({("a", "b"): 0.3})


def test_a_scenario_with_other_ties_says_what_its_correlation_is():
    model = model_of(a=dist.discrete([0, 1]), b=dist.normal(0, 1)).correlate({("a", "b"): 0.6})
    with pytest.warns(CorrelationWarning, match=r"0\.6 is that of a\[base\] and b; a\[rare\] and b share") as caught:
        changed = model.with_scenarios({"base": {}, "rare": {"a": RARE}})
    theirs = float(re.findall(r"theirs is (0\.\d+)", str(caught[0].message))[0])
    rows = ds.receipt(changed.simulate(draws=4096, seed=1))["rank_correlations"]
    assert rows["a[base], b"]["achieved"] == pytest.approx(0.6, abs=0.01)
    assert rows["a[rare], b"]["achieved"] == pytest.approx(theirs, abs=0.01)


def test_labels_have_a_line_each_and_atoms_of_their_own():
    # Half of the probability stands at 0: below all other values in 2025, above all others in 2026.
    level = xr.DataArray([5.0, -5.0], dims="year", coords={"year": [2025, 2026]})
    on = dist.mixture([dist.discrete([0]), dist.normal(mean=level, sd=1)], weights=[0.5, 0.5])
    model = ds.Model([], {"on": on, "price": dist.lognormal(median=level + 6, factor=2)})
    draws = model.correlate({("on", "price"): 0.3}).simulate(draws=4096, seed=2)
    rows = ds.receipt(draws)["rank_correlations"]
    assert set(rows) == {"on[year=2025], price[year=2025]", "on[year=2026], price[year=2026]"}
    for year in (2025, 2026):
        assert spearman(draws.sel(year=year), "on", "price") == pytest.approx(0.3, abs=0.01)


def test_the_receipt_of_a_lazy_run_is_that_of_its_first_draws():
    model = model_of(a=RARE, b=dist.normal(0, 1)).correlate({("a", "b"): 0.3})
    whole = model.simulate(draws=1024, chains=4, seed=1)
    threaded = model.simulate(draws=1024, chains=4, seed=1, threads=2, block=100)
    assert whole.attrs["receipt"] == threaded.attrs["receipt"]
    pytest.importorskip("dask")
    lazy = model.simulate(draws=1024, chains=4, seed=1, chunks=512)
    assert ds.receipt(lazy)["rank_correlations"] == ds.receipt(whole)["rank_correlations"]
    assert ds.receipt(lazy)["rank_correlations"]["a, b"]["draws"] == 4096


#: Five normals whose rank correlations are positive definite, while those of the normal scores are not.
FIVE = {"ab": 0, "ac": 0.844, "ad": 0.716, "ae": -0.972, "bc": 0.494, "bd": 0.528, "be": 0.189, "cd": 0.86}
FIVE |= {"ce": -0.725, "de": -0.548}


def advice(error):
    """The mapping that a message advises, as somebody would paste it."""
    return ast.literal_eval(str(error).partition("as they stand: ")[2].partition("}")[0] + "}")


def test_the_advice_on_impossible_taus_says_that_it_is_told_in_rhos():
    model = model_of(**dict.fromkeys("abc", dist.normal(0, 1)))
    taus = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.5}
    with pytest.raises(CorrelationError, match="as Spearman's rho, to be given without measure='kendall'") as caught:
        model.correlate(taus, measure="kendall")
    assert advice(caught.value) == caught.value.nearest
    model.correlate(advice(caught.value))


def test_the_reason_is_that_of_the_normal_copula_where_the_ranks_themselves_are_possible():
    model = model_of(**dict.fromkeys("abcde", dist.normal(0, 1)))
    with pytest.raises(CorrelationError, match="their own matrix is positive definite") as caught:
        model.correlate({tuple(pair): rho for pair, rho in FIVE.items()})
    assert advice(caught.value) == caught.value.nearest
    draws = model.correlate(advice(caught.value)).simulate(draws=8192, seed=1)
    for pair, rho in FIVE.items():
        assert spearman(draws, *pair) == pytest.approx(rho, abs=0.01)


def fault(model, asked):
    """The error of correlations that cannot be had together; None if they can, or if one of them alone cannot."""
    try:
        model.correlate(asked)
    except CorrelationError as error:
        return error if error.nearest is not None else None


@settings(max_examples=15, deadline=None)
@given(
    laws=st.lists(st.sampled_from(["smooth", "coin", "half sure"]), min_size=3, max_size=5),
    rhos=st.lists(st.floats(-0.7, 0.7).map(lambda rho: round(rho, 3)), min_size=10, max_size=10),
)
def test_advice_that_is_typed_in_works(laws, rhos):
    names = "abcde"[: len(laws)]
    model = model_of(**{name: TIED[law] for name, law in zip(names, laws, strict=True)})
    asked = dict(zip(itertools.combinations(names, 2), rhos, strict=False))
    error = fault(model, asked)
    if error is not None:
        model.correlate(asked, nearest=True)
        assert advice(error) == error.nearest
        assert fault(model, advice(error)) is None


def test_advice_where_labels_stand_in_the_way_is_less_of_what_was_asked():
    years = xr.DataArray([1.0, 2, 3], dims="year", coords={"year": [2024, 2025, 2026]})
    model = ds.Model([], {"s": dist.normal(0, 1), "x": dist.normal(mean=years, sd=1)})
    # One number and three independent ones: at most 1 / sqrt(3) of a linear correlation.
    with pytest.raises(CorrelationError) as caught:
        model.correlate({("s", "x"): 0.8})
    assert caught.value.nearest[("s", "x")] == pytest.approx(6 / math.pi * math.asin(0.5 / math.sqrt(3)), abs=1e-3)
    model.correlate(caught.value.nearest)


def test_very_many_pairs_stand_in_the_error_itself():
    names = [f"x{place:02}" for place in range(20)]
    model = model_of(**dict.fromkeys(names, dist.normal(0, 1)))
    with pytest.raises(CorrelationError, match="70 more, in the attribute 'nearest'") as caught:
        model.correlate(dict.fromkeys(itertools.combinations(names, 2), -0.2))
    assert len(caught.value.nearest) == 190
    model.correlate(caught.value.nearest)
