"""Summaries: what they say of the draws, and how honest their Monte Carlo errors are."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DemandsimError, DesignWarning, UnknownNameError

DESIGNS = ["random", "latin_hypercube", "sobol"]
SEEDS = 120


@ds.equation(unit="1")
def product(a, b, c):
    return a * b * c


#: Logarithms are normal with these means and sds, so that the product is lognormal, exactly.
LOGS = {"a": (0.0, 0.5), "b": (1.0, 0.3), "c": (-0.5, 0.4)}
MU = sum(mu for mu, _ in LOGS.values())
SIGMA = math.sqrt(sum(sigma**2 for _, sigma in LOGS.values()))


@pytest.fixture(scope="module")
def model():
    lognormals = {
        name: dist.lognormal(median=math.exp(mu), factor=math.exp(1.6448536269514722 * sigma), prob=0.9)
        for name, (mu, sigma) in LOGS.items()
    }
    return ds.Model([product], lognormals)


def dataset(values, design="random"):
    chains = np.arange(values.shape[0])
    coords = {"chain": ("chain", chains, {"design": design})}
    return xr.Dataset({"x": (("chain", "draw"), values)}, coords=coords)


finite = st.floats(-1e6, 1e6, allow_subnormal=False)
shapes = arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40)


@given(
    values=arrays.arrays(np.float64, shapes, elements=finite), prob=st.floats(0.05, 0.99), more=st.floats(0.01, 0.99)
)
def test_statistics_are_numpys_over_all_chains(values, prob, more):
    found = ds.summarize(dataset(values), prob=prob, probs=[more]).x
    flat = values.ravel()
    scale = np.abs(flat).max()

    def of(statistic):
        return found.sel(statistic=statistic).item()

    assert of("mean") == pytest.approx(flat.mean(), rel=1e-9, abs=1e-12 * scale)
    # By their size: squares of numbers below 1e-162 are 0 to numpy.
    sd = (flat / (scale or 1.0)).std(ddof=1) * scale
    assert of("sd") == pytest.approx(sd, rel=1e-6, abs=1e-9 * scale)
    for name, level in {
        "median": 0.5,
        "lower": (1 - prob) / 2,
        "upper": (1 + prob) / 2,
        f"p{100 * more:.10g}": more,
    }.items():
        assert of(name) == pytest.approx(np.quantile(flat, level), rel=1e-12, abs=1e-15 * scale)
    assert np.all(found.values[list(found.statistic.values).index("mcse_mean") :] >= 0)


@given(values=arrays.arrays(np.float64, shapes, elements=finite), prob=st.floats(0.05, 0.99))
def test_no_interval_with_as_many_draws_is_narrower_than_the_hdi(values, prob):
    found = ds.summarize(dataset(values), prob=prob, kind="hdi").x
    lower, upper = found.sel(statistic="lower").item(), found.sel(statistic="upper").item()
    ordered = np.sort(values.ravel())
    inside = np.count_nonzero((ordered >= lower) & (ordered <= upper))
    step = math.floor(prob * ordered.size)
    assert inside >= min(step + 1, ordered.size)
    if step < ordered.size:
        assert upper - lower <= np.min(ordered[step:] - ordered[: ordered.size - step])


def test_statistics_keep_scenarios_years_units_and_labels():
    draws = ds.load_study("guosen-2025-01").simulate(draws=256, seed=1)
    summary = ds.summarize(draws, prob=0.8)
    assert summary.cards.dims == ("scenario", "statistic")
    assert summary.utilization.dims == ("statistic",)
    assert summary.cards.attrs == draws.cards.attrs
    assert (summary.attrs["prob"], summary.attrs["kind"], summary.attrs["seed"]) == (0.8, "eti", 1)
    assert summary.statistic.values.tolist() == [
        *("mean", "sd", "median", "lower", "upper"),
        *("mcse_mean", "mcse_sd", "mcse_median", "mcse_lower", "mcse_upper"),
    ]
    one = ds.summarize(draws.cards.sel(scenario="100T"))
    np.testing.assert_array_equal(one.cards, ds.summarize(draws).cards.sel(scenario="100T"))


def test_a_sure_quantity_has_no_spread_and_no_error():
    draws = ds.Model([], {"x": 3.0, "y": dist.uniform(0, 1)}).simulate(draws=16, seed=1)
    for kind in ("eti", "hdi"):
        found = ds.summarize(draws, kind=kind).x
        assert found.values.tolist() == [3, 0, 3, 3, 3, 0, 0, 0, 0, 0]
    never = ds.probability(draws.x > 5)
    assert never.probability.item() == 0


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"prob": 0}, DemandsimError, "between 0 and 1, not 0"),
        ({"prob": 1}, DemandsimError, "between 0 and 1"),
        ({"prob": 90}, DemandsimError, "0.9 gives P5 to P95"),
        ({"prob": math.nan}, DemandsimError, "between 0 and 1"),
        ({"probs": [0.5, 1.5]}, DemandsimError, "not 1.5"),
        ({"kind": "hpd"}, UnknownNameError, "kind of interval 'hpd'.*hdi"),
    ],
)
def test_arguments_out_of_range_say_so(arguments, error, says):
    with pytest.raises(error, match=says):
        ds.summarize(dataset(np.ones((2, 2))), **arguments)


def test_what_are_no_draws_says_so(model):
    draws = model.simulate(draws=16, seed=1)
    with pytest.raises(DemandsimError, match="no dim 'chain'"):
        ds.summarize(draws.mean("chain"))
    with pytest.raises(DemandsimError, match="no dim 'draw'"):
        ds.probability((draws.a > 1).any("draw"))
    with pytest.raises(DemandsimError, match="an event is a comparison"):
        ds.probability(draws.a)


# Monte Carlo errors


def truth(statistic):
    normal = stats.norm()
    if statistic == "mean":
        return math.exp(MU + SIGMA**2 / 2)
    if statistic == "sd":
        return math.exp(MU + SIGMA**2 / 2) * math.sqrt(math.expm1(SIGMA**2))
    level = {"median": 0.5, "lower": 0.05, "upper": 0.95}[statistic]
    return math.exp(MU + SIGMA * normal.ppf(level))


@pytest.mark.parametrize("design", DESIGNS)
def test_monte_carlo_errors_are_as_large_as_the_errors_really_are(model, design):
    tables = [
        ds.summarize(model.simulate(draws=512, chains=8, seed=seed, design=design, keep=["product"])).product
        for seed in range(SEEDS)
    ]
    for statistic in ("mean", "median", "lower", "upper"):
        errors = np.array([t.sel(statistic=statistic).item() for t in tables]) - truth(statistic)
        mcse = np.array([t.sel(statistic=f"mcse_{statistic}").item() for t in tables])
        # 68.3% of so many seeds, and three of their standard errors.
        assert 0.55 < np.mean(np.abs(errors) <= mcse) < 0.82, statistic
        # And the estimates are not off to one side (a quotient may be: a large error comes with a large spread).
        if statistic == "mean":
            assert abs(np.mean(errors)) < 4 * np.std(errors) / math.sqrt(SEEDS)


@pytest.mark.parametrize("design", DESIGNS)
def test_probabilities_have_honest_errors_too(model, design):
    level = truth("mean")
    expected = stats.norm.sf((math.log(level) - MU) / SIGMA)
    found = [
        ds.probability(model.simulate(draws=512, seed=seed, design=design, keep=["product"]).product > level)
        for seed in range(SEEDS)
    ]
    z = np.array([(f.probability.item() - expected) / f.mcse.item() for f in found])
    assert 0.55 < np.mean(np.abs(z) <= 1) < 0.82


def test_a_balanced_design_has_the_smaller_error_and_says_so(model):
    said = {
        design: ds.summarize(model.simulate(draws=1024, seed=1, design=design))
        .product.sel(statistic="mcse_mean")
        .item()
        for design in DESIGNS
    }
    assert said["sobol"] < said["latin_hypercube"] < said["random"]
    assert said["sobol"] < said["random"] / 10


@pytest.mark.parametrize("design", DESIGNS)
def test_never_and_always_have_an_error_that_is_not_zero(model, design):
    draws = model.simulate(draws=64, chains=4, seed=1, design=design)
    for event, share in ((draws.a > 1e9, 0.0), (draws.a < 1e9, 1.0)):
        found = ds.probability(event)
        assert found.probability.item() == share
        # Half a draw in 257.
        assert found.mcse.item() == pytest.approx(math.sqrt(0.5 / 257 * (1 - 0.5 / 257) / 256))


def test_a_probability_keeps_the_other_dims_and_the_design_survives_comparison():
    draws = ds.load_study("guosen-2025-01").simulate(draws=256, seed=1, design="random")
    found = ds.probability((draws.gross_margin > 0) & (draws.cards < 2e6))
    assert found.probability.dims == ("scenario",)
    assert found.probability.attrs["units"] == "1"
    # Only independent draws have the binomial error: the event still knows that its draws are.
    share = found.probability.sel(scenario="100T").item()
    assert found.mcse.sel(scenario="100T").item() == pytest.approx(math.sqrt(share * (1 - share) / (8 * 256)))


def test_one_chain_of_a_balanced_design_cannot_tell_its_error(model):
    draws = model.simulate(draws=64, chains=1, seed=1)
    with pytest.warns(DesignWarning, match="one chain of design 'sobol'.*use chains=8"):
        summary = ds.summarize(draws)
    assert np.isnan(summary.product.sel(statistic="mcse_mean"))
    assert np.isfinite(summary.product.sel(statistic="mean"))
    with pytest.warns(DesignWarning, match="one chain"):
        assert np.isnan(ds.probability(draws.a > 1).mcse)
    # Independent draws can.
    alone = ds.summarize(model.simulate(draws=64, chains=1, seed=1, design="random"))
    assert np.isfinite(alone.product).all()


def test_a_table_says_what_the_summary_says_in_units_that_read_well():
    study = ds.load_study("guosen-2025-01")
    summary = ds.summarize(study.simulate(draws=256, chains=4, seed=1), prob=0.8)
    frame = ds.table(summary, study.point()).frame
    assert list(frame.columns) == ["published", "point", "mean", "P10", "P50", "P90", "MCSE of mean", "unit"]
    assert frame.index.names == ["quantity", "scenario"]
    row = frame.loc[("cards", "100T")]
    assert (row["point"], row["unit"]) == ("85.78", "10,000 cards")
    low = summary.cards.sel(scenario="100T", statistic="lower").item()
    assert float(row["P10"].replace(",", "")) == pytest.approx(low / 1e4, rel=5e-4)
    assert frame.loc[("utilization", "")]["unit"] == ""
    assert "10,000 cards" in repr(ds.table(summary))
    assert "<table" in ds.table(summary)._repr_html_()
    assert "point" not in ds.table(summary).frame
    assert "HDI low" in ds.table(ds.summarize(study.simulate(draws=64, seed=1), kind="hdi")).frame


def test_a_table_shows_the_quantiles_that_were_asked_for_by_level():
    draws = ds.load_study("guosen-2025-01").simulate(draws=256, chains=4, seed=1)
    summary = ds.summarize(draws, probs=[0.99, 0.01, 0.05])
    frame = ds.table(summary).frame
    assert list(frame.columns) == ["published", "mean", "P1", "P5", "P50", "P95", "P99", "MCSE of mean", "unit"]
    expected = summary.cards.sel(scenario="100T", statistic="p1").item() / 1e4
    assert float(frame.loc[("cards", "100T")]["P1"]) == pytest.approx(expected, rel=5e-4)
    hdi = ds.table(ds.summarize(draws, kind="hdi", probs=[0.995])).frame
    assert list(hdi.columns) == ["published", "mean", "HDI low", "HDI high", "P50", "P99.5", "MCSE of mean", "unit"]


def test_a_table_counts_what_was_left_out():
    values = np.arange(200.0).reshape(1, 200)
    values[0, :3] = np.nan
    frame = ds.table(ds.summarize(dataset(values))).frame
    assert list(frame["left out"]) == ["3 (1.5%)"]


def test_draws_are_no_table():
    draws = ds.load_study("guosen-2025-01").simulate(draws=64, seed=1)
    with pytest.raises(DemandsimError, match=r"ds\.table\(ds\.summarize\(draws\)\)"):
        ds.table(draws)


def test_many_variables_take_as_long_as_each_of_them(monkeypatch):
    """A DataArray of one variable is found by looking through all: 10,000 of them took 24 s."""
    values = np.random.default_rng(1).random((30, 2, 8))
    draws = xr.Dataset({f"q{place}": (("chain", "draw"), own) for place, own in enumerate(values)})
    whole = ds.summarize(draws)

    def made(*_):
        raise AssertionError("a DataArray of a variable")

    monkeypatch.setattr(xr.Dataset, "_construct_dataarray", made)
    xr.testing.assert_identical(ds.summarize(draws), whole)
