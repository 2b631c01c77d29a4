"""Counts, clipped, rounded, uncertain parameters, and what differs from label to label."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.errors import DistributionError

YEARS = {"year": [2024, 2025, 2026]}


# Clipped and rounded


@given(st.floats(-3, 3), st.floats(-2, 1.5))
def test_what_clipping_cuts_off_lies_on_the_bounds(mean, lower):
    upper = lower + 1.25
    law = dist.clipped(dist.normal(mean=mean, sd=1), lower, upper)
    atoms = law.atoms
    assert atoms[lower] == pytest.approx(stats.norm.cdf(lower, mean), abs=1e-14)
    assert atoms[upper] == pytest.approx(stats.norm.sf(upper, mean), abs=1e-14)
    sample = law.sample(4000, seed=1)
    assert np.mean(sample == upper) == pytest.approx(atoms[upper], abs=0.04)
    assert lower <= sample.min() <= sample.max() <= upper


def test_clipping_that_cuts_nothing_off_or_everything():
    assert dist.clipped(dist.uniform(0, 1), upper=2).laws[0].kind == "continuous"
    assert dist.clipped(dist.uniform(0, 1), upper=-1).is_constant
    assert dist.clipped(dist.discrete([1, 2, 3]), upper=2).atoms == pytest.approx({1: 1 / 3, 2: 2 / 3})
    with pytest.raises(DistributionError, match="lower must be below upper"):
        dist.clipped(dist.uniform(0, 1), 2, 1)


@given(st.floats(0.1, 20), st.sampled_from([0.25, 0.1, 1, 5]))
def test_rounding_moves_no_draw_by_more_than_half_a_step(mean, step):
    whole = dist.gamma(mean=mean, sd=mean / 2)
    law = dist.rounded(whole, step=step)
    u = np.linspace(1e-9, 1 - 1e-9, 301)
    if law.is_constant:
        return
    assert np.max(np.abs(law.ppf(u) - whole.ppf(u))) <= step / 2 * (1 + 1e-9)
    multiples = law.ppf(u) / step
    assert multiples == pytest.approx(np.round(multiples))


def test_probabilities_of_rounded_values_are_those_of_what_rounds_to_them():
    law = dist.rounded(stats.expon(scale=4))
    k = np.arange(1, 40)
    expected = np.concatenate([[1 - math.exp(-0.125)], np.exp(-0.25 * (k - 0.5)) * (1 - math.exp(-0.25))])
    assert np.exp(law.logpdf(np.arange(40))) == pytest.approx(expected, rel=1e-9)
    assert law.logpdf(0.5) == -np.inf


# Uncertain parameters


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("normal(mean=normal(mean=1, sd=3), sd=4)", stats.norm(1, 5)),
        # Factors of two, independent, multiply.
        (
            "lognormal(median=lognormal(median=1, factor=2), factor=2)",
            stats.lognorm(math.sqrt(2) * math.log(2) / stats.norm.ppf(0.95)),
        ),
        ("poisson(gamma(mean=6, sd=3))", stats.nbinom(4, 4 / 10)),
        ("binomial(10, beta(mean=0.4, sd=0.2))", stats.betabinom(10, 2, 3)),
        ("bernoulli(beta(mean=0.4, sd=0.2))", stats.bernoulli(0.4)),
    ],
)
def test_uncertain_parameters_give_the_laws_that_are_known(text, reference):
    law = dist.parse_distribution(text)
    x = np.asarray(reference.ppf([0.001, 0.3, 0.5, 0.9, 0.999]))
    assert law.cdf(x) == pytest.approx(reference.cdf(x), abs=1e-9)
    assert law.mean() == pytest.approx(reference.mean(), rel=1e-8)
    assert law.sd() == pytest.approx(reference.std(), rel=1e-8)


def test_a_law_of_uncertain_parameters_is_one_assumption_in_text_and_python():
    text = "normal(mean=uniform(1, 2, prob=1), sd=3)"
    law = dist.normal(mean=dist.uniform(1, 2), sd=3)
    assert str(law) == text
    assert dist.parse_distribution(text) == law
    # The law of total variance.
    assert law.sd() == pytest.approx(math.sqrt(9 + 1 / 12), rel=1e-9)
    model = ds.Model([], {"x": ds.Assumption(law)})
    assert float(model.simulate(draws=1024, seed=1).x.mean()) == pytest.approx(1.5, abs=0.01)
    both = dist.normal(mean=dist.uniform(1, 2), sd=dist.uniform(2, 3))
    assert both.sd() == pytest.approx(math.sqrt(1 / 12 + 19 / 3), rel=1e-9)
    by_year = dist.parse_distribution('normal(mean=uniform(by("year", [1, 2, 3]), by("year", [2, 3, 4])), sd=1)', YEARS)
    assert by_year.mean().values == pytest.approx([1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("normal(mean=0, sd=normal(mean=1, sd=0.5))", r"parameters can be sd=-.*sd must be positive"),
        ("normal(mean=uniform(0, 1000), sd=0.01)", "does not settle.*make an assumption of each"),
        ("truncated(normal(0, 1), lower=uniform(0, 1))", "lower must be a number"),
        ("constant(normal(0, 1))", "value must be a number"),
    ],
)
def test_parameters_that_cannot_be_uncertain_say_why(text, why):
    with pytest.raises(DistributionError, match=why):
        dist.parse_distribution(text)


# By label


def test_what_is_known_and_what_is_not_stand_along_one_dim():
    law = dist.by("year", {2024: 4, 2025: "normal(6, 8)", 2026: dist.lognormal(8, 20)})
    assert law.median().values == pytest.approx([4, 7, math.sqrt(160)])
    assert str(law) == 'by("year", [4, normal(6, 8, prob=0.9), lognormal(8, 20, prob=0.9)])'
    assert dist.parse_distribution(str(law), YEARS) == law
    model = ds.Model([], {"x": ds.Assumption(law, unit="CNY")})
    draws = model.simulate(draws=256, seed=1).x
    assert float(draws.sel(year=2024).std()) == 0
    assert np.corrcoef(draws.sel(year=2025).values.ravel(), draws.sel(year=2026).values.ravel())[0, 1] < 0.1


def test_a_model_by_label_travels_as_a_file(tmp_path):
    law = dist.by("year", {2024: 4, 2025: "normal(6, 8)"})
    model = ds.Model([], {"x": ds.Assumption(law, unit="CNY")})
    model.to_toml(tmp_path / "one.toml")
    assert ds.load_study(tmp_path / "one.toml").assumptions["x"].distribution == law
    ds.write_workbook(model, tmp_path / "one.xlsx")
    again = ds.read_workbook(tmp_path / "one.xlsx")
    assert again.simulate(draws=16, seed=1).x.equals(model.simulate(draws=16, seed=1).x)


@pytest.mark.parametrize(
    ("values", "why"),
    [({}, "as many values"), ([1, 2], "mapping of label"), ({2024: dist.by("year", {1: 2})}, "dims of its own")],
)
def test_labels_that_make_no_distribution_say_why(values, why):
    with pytest.raises(DistributionError, match=why):
        dist.by("year", values)


# Weights, samples, arithmetic


def test_weights_of_data_count_like_repetitions():
    weighted, repeated = dist.empirical([3, 1, 2], weights=[1, 1, 2]), dist.empirical([3, 1, 2, 2])
    assert weighted.atoms == pytest.approx(repeated.atoms)
    joined = dist.empirical([1, 2, 4], weights=[1, 1, 1], interpolate=True)
    assert joined.ppf([0.25, 0.75]) == pytest.approx(dist.empirical([1, 2, 4], interpolate=True).ppf([0.25, 0.75]))
    with pytest.raises(DistributionError, match="3 observations need as many weights"):
        dist.empirical([1, 2, 3], weights=[1])


def test_a_sample_is_a_quick_look_that_can_be_repeated():
    law = dist.lognormal(500, 1200)
    assert np.array_equal(law.sample(100, seed=0), law.sample(100, seed=0))
    assert stats.kstest(law.sample(2000, seed=2), law.cdf).pvalue > 1e-3
    assert dist.by("year", {1: 2, 3: law}).sample(5, seed=1).dims == ("year", "draw")
    assert law.plot().lines[0].get_ydata().max() > 0


@pytest.mark.parametrize(
    "compute",
    [lambda x: 8 * x, lambda x: x + 1, lambda x: -x, lambda x: x**2, lambda x: np.float64(2) * x, lambda x: 1 / x],
)
def test_arithmetic_says_to_use_an_equation(compute):
    with pytest.raises(DistributionError, match=r"is a distribution and no number.*equation"):
        compute(dist.normal(1, 2))


@pytest.mark.parametrize("name", ["bernoulli", "binomial", "poisson", "weibull", "pareto", "clipped", "rounded"])
def test_new_laws_are_known_by_name_wherever_names_are_read(name):
    assert name in CONSTRUCTORS
    assert name in dist.__all__
    with pytest.raises(DistributionError, match=f"did you mean '{name}'"):
        dist.parse_distribution(f"{name[:-1]}(1)")


def test_laws_that_cannot_be_say_why():
    for text, why in {
        "bernoulli(1.2)": "between 0 and 1",
        "binomial(2.5, 0.1)": "whole number",
        "poisson(0)": "above 0",
        "weibull(shape=1)": "both of them",
        "weibull(shape=-1, scale=2)": "shape must be positive",
        "pareto(1, 3, shape=2)": "give either",
        "rounded(normal(1, 2), step=0)": "step must be positive",
    }.items():
        with pytest.raises(DistributionError, match=why):
            dist.parse_distribution(text)
