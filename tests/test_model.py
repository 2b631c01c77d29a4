"""Model: a frozen whole; every change makes a new one, and every dataset says how to make it again."""

import copy
import dataclasses
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim import testing
from demandsim.errors import (
    DemandsimError,
    DesignWarning,
    DimensionError,
    DistributionError,
    InvalidDrawsError,
    MemoryGuardError,
    ScenarioError,
    UnknownNameError,
)

YEARS = [2025, 2026, 2027]
CARDS = ["H800", "H20"]
DESIGNS = ["random", "latin_hypercube", "sobol"]


def labelled(values, **coords):
    return xr.DataArray(np.asarray(values, dtype=float), dims=list(coords), coords=coords)


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    """Cards needed to serve the peak."""
    return peak_compute / (card_flops * utilization)


@ds.equation(unit="CNY")
def capex(cards, card_price):
    return cards * card_price


@pytest.fixture
def model():
    return ds.Model(
        [capex, cards],
        {
            "peak_compute": ds.Assumption(
                dist.lognormal(500, 1200), unit="EFLOP/s", long_name="Peak", source="a report"
            ),
            "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
            "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1), point=0.45, source="report, Fig. 27"),
            "card_price": ds.Assumption(dist.lognormal(100e3, 225e3), unit="CNY/card"),
        },
    )


@pytest.fixture
def yearly():
    return ds.Model(
        [capex, cards],
        {
            "peak_compute": ds.Assumption(dist.lognormal(median=labelled([1, 2, 4], year=YEARS), factor=2), "EFLOP/s"),
            "card_flops": ds.Assumption(labelled([1979, 296], hardware=CARDS), "TFLOP/s/card"),
            "utilization": dist.beta(mean=0.3, sd=0.1),
            "card_price": ds.Assumption(
                dist.lognormal(
                    median=labelled([[15e4, 12e4, 9e4], [9e4, 8e4, 7e4]], hardware=CARDS, year=YEARS), factor=1.5
                ),
                "CNY/card",
            ),
        },
    )


# Frozen


@ds.equation(unit="card")
def spare(cards):
    return 0.1 * cards


CHANGES = {
    "assume": lambda m: m.assume(utilization=dist.uniform(0.1, 0.5)),
    "add": lambda m: m.add(extra=dist.uniform(0, 1)),
    "fix": lambda m: m.fix(utilization=0.3),
    "correlate": lambda m: m.correlate({("utilization", "peak_compute"): -0.5}),
    "with_equations": lambda m: m.with_equations(spare),
    "with_scenarios": lambda m: m.with_scenarios({"low": {"utilization": 0.2}, "high": {"utilization": 0.6}}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_makes_a_new_model_and_leaves_the_old_one_as_it_was(model, change):
    before = copy.deepcopy(model.canonical())
    draws = model.simulate(draws=64, seed=1)
    changed = change(model)
    assert isinstance(changed, ds.Model)
    assert changed is not model
    assert changed != model
    assert changed.hash != model.hash
    assert model.canonical() == before
    xr.testing.assert_identical(model.simulate(draws=64, seed=1), draws)


def test_models_and_assumptions_cannot_be_written_to(model):
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.equations = {}
    with pytest.raises(TypeError):
        model.assumptions["utilization"] = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.assumptions["utilization"].unit = "CNY"


def test_what_was_passed_in_may_change_afterwards():
    assumptions = {"x": dist.normal(mean=0, sd=1), "y": dist.normal(mean=0, sd=1)}
    correlations = {("x", "y"): 0.5}
    scenarios = {"scenario": {"low": {"x": 1.0}}}
    model = ds.Model([], assumptions, correlations=correlations, scenarios=scenarios)
    before = model.hash, copy.deepcopy(model.canonical())
    assumptions.clear()
    correlations[("x", "y")] = -0.5
    scenarios["scenario"]["low"]["x"] = 2.0
    assert (model.hash, model.canonical()) == before


def test_models_copy_pickle_and_compare(model):
    rich = CHANGES["with_scenarios"](CHANGES["correlate"](model))
    cloudpickle = pytest.importorskip("cloudpickle")
    for again in (cloudpickle.loads(cloudpickle.dumps(rich)), copy.deepcopy(rich)):
        assert again == rich
        assert hash(again) == hash(rich)
        xr.testing.assert_identical(again.simulate(draws=64, seed=1), rich.simulate(draws=64, seed=1))
    assert model != 3


def test_the_hash_does_not_depend_on_the_order_in_which_things_were_said(model):
    turned = ds.Model(
        [*model.equations.values()][::-1], dict([*model.assumptions.items()][::-1]), dimensions=model.dimensions
    )
    assert turned == model
    assert turned.hash == model.hash


# Editing


def test_assume_keeps_unit_and_labels_and_brings_its_own_point_and_source(model):
    changed = model.assume(utilization="beta(mean=0.15, sd=0.05)", peak_compute=dist.lognormal(100, 200))
    utilization, peak = (changed.assumptions[name] for name in ("utilization", "peak_compute"))
    assert utilization.point == utilization.distribution.median()
    assert (peak.unit, peak.long_name) == ("EFLOP/s", "Peak")
    assert {utilization.source, peak.source} == {"set by the user"}
    assert peak.distribution == dist.lognormal(100, 200)


def test_assume_takes_a_whole_assumption_as_it_is(model):
    changed = model.assume(card_flops=ds.Assumption(dist.uniform(1, 2), unit="PFLOP/s/card", source="me"))
    assert changed.assumptions["card_flops"].unit == "PFLOP/s/card"
    assert changed.assumptions["card_flops"].source == "me"


def test_assume_checks_dimensions_again(model):
    with pytest.raises(DimensionError, match="'cards'"):
        model.assume(card_flops=ds.Assumption(1979, unit="TFLOP/s"))


def test_a_sure_value_brings_its_own_point(model):
    fixed = model.fix(utilization=0.3)
    assert fixed.assumptions["utilization"].point == 0.3
    assert fixed.assumptions["utilization"].source == "set by the user"
    assert fixed.point().utilization.item() == 0.3
    assert np.unique(fixed.simulate(draws=64, seed=1).utilization) == 0.3


def test_fix_wants_a_known_name_and_a_sure_value(model):
    with pytest.raises(UnknownNameError, match="did you mean 'utilization'"):
        model.fix(utilisation=0.3)
    with pytest.raises(DemandsimError, match="'utilization'; use assume"):
        model.fix(utilization=dist.uniform(0, 1))
    with pytest.raises(UnknownNameError, match="'cards'"):
        model.fix(cards=1e6)


def test_an_equation_takes_the_place_of_an_assumption(model):
    @ds.equation(unit="1")
    def utilization(occupancy):
        return 0.6 * occupancy

    changed = model.add(occupancy=dist.uniform(0.5, 1)).with_equations(utilization)
    assert "utilization" not in changed.assumptions
    draws = changed.simulate(draws=64, seed=1)
    np.testing.assert_allclose(draws.utilization, 0.6 * draws.occupancy)
    assert draws.utilization.attrs["role"] == "derived"


def test_an_equation_replaces_the_one_of_its_name(model):
    @ds.equation(unit="card", name="cards")
    def doubled(peak_compute, card_flops, utilization):
        return 2 * peak_compute / (card_flops * utilization)

    before, after = model.simulate(draws=64, seed=1), model.with_equations(doubled).simulate(draws=64, seed=1)
    np.testing.assert_allclose(after.capex, 2 * before.capex)


def test_correlate_replaces_a_pair_whichever_way_round_it_is_written(model):
    once = model.correlate({("utilization", "peak_compute"): -0.5})
    twice = once.correlate({("peak_compute", "utilization"): 0.2})
    assert dict(twice.correlations) == {("peak_compute", "utilization"): 0.2}


# Scenarios


def test_scenarios_share_their_random_numbers_so_that_differences_are_paired(model):
    draws = model.with_scenarios({"low": {"utilization": 0.2}, "high": {"utilization": 0.4}}).simulate(
        draws=256, seed=1
    )
    assert draws.utilization.dims == ("scenario", "chain", "draw")
    assert draws.peak_compute.dims == ("chain", "draw")
    assert draws.scenario.values.tolist() == ["low", "high"]
    ratio = draws.cards.sel(scenario="low") / draws.cards.sel(scenario="high")
    np.testing.assert_allclose(ratio, 2.0, rtol=1e-12)


def test_a_scenario_may_widen_a_distribution_on_the_same_grades(model):
    widened = model.with_scenarios({"base": {}, "wide": {"utilization": "beta(mean=0.45, sd=0.2)"}})
    draws = widened.simulate(draws=256, seed=1).utilization
    base, wide = draws.sel(scenario="base").values.ravel(), draws.sel(scenario="wide").values.ravel()
    np.testing.assert_array_equal(np.argsort(base), np.argsort(wide))
    np.testing.assert_array_equal(base, model.simulate(draws=256, seed=1).utilization.values.ravel())


def test_a_grid_runs_all_combinations(model):
    grid = model.with_scenarios(
        demand={"now": {}, "twice": {"peak_compute": dist.lognormal(1000, 2400)}},
        policy={"open": {}, "closed": {"card_flops": 296}, "priced": {"card_price": 3e5}},
    )
    draws = grid.simulate(draws=128, seed=1)
    assert draws.cards.dims == ("demand", "policy", "chain", "draw")
    assert draws.peak_compute.dims == ("demand", "chain", "draw")
    assert draws.card_price.dims == ("policy", "chain", "draw")
    np.testing.assert_allclose(draws.cards.sel(demand="twice") / draws.cards.sel(demand="now"), 2.0, rtol=1e-9)
    np.testing.assert_allclose(draws.cards.sel(policy="closed") / draws.cards.sel(policy="open"), 1979 / 296)
    np.testing.assert_array_equal(draws.cards.sel(policy="priced"), draws.cards.sel(policy="open"))
    assert grid.point().capex.sizes == {"demand": 2, "policy": 3}


def test_select_is_one_of_the_scenarios(model):
    both = model.with_scenarios({"low": {"utilization": 0.2}, "high": {"utilization": 0.4}})
    one = both.select(scenario="high").simulate(draws=64, seed=1)
    xr.testing.assert_equal(one, both.simulate(draws=64, seed=1).sel(scenario=["high"]))
    with pytest.raises(UnknownNameError, match="did you mean 'high'"):
        both.select(scenario="hihg")
    with pytest.raises(UnknownNameError, match="scenario dim 'policy'"):
        both.select(policy="high")


@pytest.mark.parametrize(
    ("scenarios", "error", "says"),
    [
        ({"scenario": {"low": {"utilisation": 0.2}}}, UnknownNameError, "scenario 'low': 'utilisation'; did you mean"),
        ({"scenario": {"low": {"cards": 2}}}, UnknownNameError, "'cards'"),
        ({"a": {"x": {"utilization": 0.2}}, "b": {"y": {"utilization": 0.3}}}, ScenarioError, "both 'a' and 'b'"),
        ({"draw": {"x": {}}}, ScenarioError, "reserved"),
        ({"scenario": {}}, ScenarioError, "at least one"),
        ({"scenario": {"low": 3}}, ScenarioError, "must map"),
        ({"scenario": {"low": {"utilization": "beta(mean=2, sd=1)"}}}, DistributionError, "beta"),
        (
            {"scenario": {"low": {"peak_compute": ds.Assumption(1, unit="FLOP/day")}}},
            ScenarioError,
            "in 'FLOP/day', the model has it in 'EFLOP/s'",
        ),
    ],
)
def test_scenarios_that_contradict_the_model_say_where(model, scenarios, error, says):
    with pytest.raises(error, match=says):
        model.with_scenarios(**scenarios)


def test_scenarios_still_have_to_fit_when_assumptions_change(model):
    both = model.with_scenarios({"low": {"peak_compute": 100}, "high": {"peak_compute": 1000}})
    with pytest.raises(ScenarioError, match="'low' gives 'peak_compute' in 'EFLOP/s'"):
        both.assume(peak_compute=ds.Assumption(dist.lognormal(1, 2), unit="PFLOP/s"))

    @ds.equation(unit="EFLOP/s")
    def peak_compute(served):
        return served

    with pytest.raises(UnknownNameError, match="scenario 'low': 'peak_compute'"):
        both.add(served=ds.Assumption(1, unit="EFLOP/s")).with_equations(peak_compute)


# Indexed assumptions


def test_an_indexed_assumption_has_one_independent_draw_per_element(yearly):
    draws = yearly.simulate(draws=8192, chains=1, seed=1, design="random")
    assert draws.peak_compute.dims == ("chain", "draw", "year")
    assert draws.card_price.dims == ("chain", "draw", "hardware", "year")
    assert draws.card_flops.dims == ("chain", "draw", "hardware")
    assert draws.capex.dims == ("chain", "draw", "hardware", "year")
    prices = np.log(draws.card_price.values.reshape(8192, 6))
    np.testing.assert_allclose(np.corrcoef(prices, rowvar=False), np.eye(6), atol=4 / np.sqrt(8192))
    medians = draws.card_price.median(("chain", "draw"))
    np.testing.assert_allclose(medians, [[15e4, 12e4, 9e4], [9e4, 8e4, 7e4]], rtol=0.02)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_shared_draw_moves_all_elements_together(yearly, design):
    shared = yearly.assume(
        peak_compute=ds.Assumption(
            dist.lognormal(median=labelled([1, 2, 4], year=YEARS), factor=2), "EFLOP/s", shared=True
        )
    )
    draws = shared.simulate(draws=64, seed=1, design=design).peak_compute
    np.testing.assert_allclose(draws.sel(year=2027), 4 * draws.sel(year=2025), rtol=1e-12)


def test_dims_are_matched_by_label_in_any_order(yearly):
    turned = yearly.assume(
        card_price=ds.Assumption(
            dist.lognormal(
                median=labelled([[15e4, 9e4], [12e4, 8e4], [9e4, 7e4]], year=YEARS, hardware=CARDS), factor=1.5
            ),
            "CNY/card",
        )
    )
    xr.testing.assert_equal(turned.simulate(draws=64, seed=1), yearly.simulate(draws=64, seed=1))
    xr.testing.assert_equal(turned.point(), yearly.point())


def test_labels_that_disagree_name_both_assumptions(yearly):
    with pytest.raises(
        ScenarioError, match=r"'card_price' and 'peak_compute' disagree about the labels of 'year'.*2028"
    ):
        yearly.assume(
            peak_compute=ds.Assumption(
                dist.lognormal(median=labelled([1, 2, 4], year=[2026, 2027, 2028]), factor=2), "EFLOP/s"
            )
        )


def test_a_dim_must_not_take_a_reserved_name():
    for dim in ("draw", "chain", "scenario"):
        indexed = dist.normal(mean=labelled([1, 2], **{dim: [0, 1]}), sd=1)
        with pytest.raises(ScenarioError, match=f"'x' has a dim '{dim}'"):
            ds.Model([], {"x": indexed, "y": 1}, scenarios={"scenario": {"low": {"y": 2}}})


def test_a_point_must_fit_its_distribution():
    mean = labelled([1, 2, 4], year=YEARS)
    point = ds.Assumption(dist.normal(mean=mean, sd=1), point=mean + 0.5).point
    xr.testing.assert_equal(point, mean + 0.5)
    with pytest.raises(DistributionError, match="point has dims"):
        ds.Assumption(dist.normal(mean=0, sd=1), point=mean)
    for bad in (np.nan, np.inf, labelled([1, np.nan, 2], year=YEARS)):
        with pytest.raises(DistributionError, match="point must be finite"):
            ds.Assumption(dist.normal(mean=mean, sd=1), point=bad)
    for bad in (True, "0.45", [1, 2]):
        with pytest.raises(DistributionError, match="point must be a number"):
            ds.Assumption(dist.normal(mean=0, sd=1), point=bad)
    # Another distribution with other years does not keep the points of the old ones.
    moved = labelled([1, 2, 4], year=[2030, 2031, 2032])
    changed = ds.Assumption(dist.normal(mean=mean, sd=1), point=mean).with_distribution(dist.normal(mean=moved, sd=1))
    xr.testing.assert_equal(changed.point, moved)


def test_a_point_per_label_is_the_one_that_is_computed_with(yearly):
    point = labelled([2, 3, 5], year=YEARS)
    changed = yearly.assume(peak_compute=yearly.assumptions["peak_compute"].relabelled(point=point))
    np.testing.assert_allclose(changed.point().peak_compute, point)
    np.testing.assert_allclose(
        changed.point().cards.sel(hardware="H800"), point * 1e18 / (1979e12 * changed.assumptions["utilization"].point)
    )


# What a dataset says about itself


def test_every_variable_and_dataset_says_what_it_is(model):
    draws = model.simulate(draws=64, chains=4, seed=9, design="latin_hypercube")
    assert draws.peak_compute.attrs == {
        "units": "EFLOP/s",
        "long_name": "Peak",
        "role": "assumption",
        "source": "a report",
    }
    assert draws.cards.attrs["units"] == "card"
    assert draws.cards.attrs["long_name"] == "Cards needed to serve the peak"
    assert draws.cards.attrs["role"] == "derived"
    assert draws.capex.attrs["long_name"] == "capex"
    attrs = draws.attrs
    assert (attrs["seed"], attrs["design"], attrs["chains"], attrs["draws"]) == (9, "latin_hypercube", 4, 64)
    assert attrs["model_hash"] == model.hash
    assert {"demandsim_version", "numpy_version", "scipy_version", "xarray_version", "python_version"} <= set(attrs)
    assert set(model.point().data_vars) == set(draws.data_vars)


def test_the_receipt_counts_what_was_asked_against_what_came(model):
    draws = model.correlate({("utilization", "card_price"): 0.4}).simulate(draws=4096, chains=4, seed=9)
    found = ds.receipt(draws)
    assert json.loads(draws.attrs["receipt"]) == found
    for name in ("utilization", "peak_compute", "card_price"):
        line = found["quantiles"][name]
        for prob, asked, came in zip(line["prob"], line["requested"], line["achieved_prob"], strict=True):
            assert asked == pytest.approx(float(model.assumptions[name].distribution.ppf(prob)), rel=1e-9)
            share = float((draws[name] <= asked).mean())
            assert came == pytest.approx(share, abs=1e-6)
            assert came == pytest.approx(prob, abs=0.002)
    assert "card_flops" not in found["quantiles"]
    line = found["rank_correlations"]["card_price, utilization"]
    assert line["requested"] == 0.4
    assert line["achieved"] == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("design", DESIGNS)
def test_fresh_entropy_is_recorded_and_replays_to_the_same_bits(model, design):
    one, other = (model.simulate(draws=64, design=design) for _ in range(2))
    assert one.attrs["seed"] != other.attrs["seed"]
    assert not one.cards.equals(other.cards)
    xr.testing.assert_identical(model.simulate(draws=64, design=design, seed=one.attrs["seed"]), one)


@pytest.mark.parametrize("seed", [0, 2**63, 2**100])
def test_seeds_of_any_size_replay_from_the_attributes(model, seed):
    draws = model.simulate(draws=64, seed=seed)
    xr.testing.assert_identical(model.simulate(draws=64, seed=int(draws.attrs["seed"])), draws)


# Bad numbers


@ds.equation(unit="1")
def root(x):
    return np.sqrt(x)


@ds.equation(unit="1")
def shifted(root):
    return root + 1


@ds.equation(unit="1")
def apart(y):
    return y


@pytest.fixture
def failing():
    # A tenth of the draws is negative, so its root is not a number.
    return ds.Model([root, shifted, apart], {"x": dist.uniform(-1, 9, prob=1.0), "y": dist.uniform(0, 1, prob=1.0)})


def test_a_nan_raises_and_says_where_it_came_from(failing):
    with pytest.raises(InvalidDrawsError) as caught:
        failing.simulate(draws=1000, chains=2, seed=1, design="latin_hypercube")
    message = str(caught.value)
    assert "equation 'root' made NaN or infinity in 200 values" in message
    assert "'shifted' (200)" in message
    assert "on_invalid='keep'" in message
    assert "y =" not in message
    # The draw that it names is the first that is bad, with the value of its assumption.
    kept = failing.simulate(draws=1000, chains=2, seed=1, design="latin_hypercube", on_invalid="keep")
    first = int(np.argmax(kept.x.values[0] < 0))
    assert f"chain 0, draw {first}, from x = {float(kept.x[0, first]):.6g}" in message


@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_kept_nans_are_left_out_and_counted(failing, kind):
    draws = failing.simulate(draws=1000, chains=2, seed=1, design="latin_hypercube", on_invalid="keep")
    assert int(np.isnan(draws.root).sum()) == 200
    summary = ds.summarize(draws, kind=kind)
    assert summary.root.sel(statistic="n_invalid").item() == 200
    assert summary.x.sel(statistic="n_invalid").item() == 0
    good = draws.root.values[np.isfinite(draws.root.values)]
    assert summary.root.sel(statistic="mean").item() == pytest.approx(good.mean(), rel=1e-12)
    assert np.isfinite(summary.root).all()


def test_probabilities_leave_kept_nans_out(failing):
    draws = failing.simulate(draws=1000, chains=2, seed=1, design="latin_hypercube", on_invalid="keep")
    good = draws.root.values[np.isfinite(draws.root.values)]
    found = ds.probability(draws.root > 2)
    assert found.probability.item() == pytest.approx(np.mean(good > 2))
    assert found.n_invalid.item() == 200
    assert ds.probability((draws.root > 1) & (draws.y > 0.5)).n_invalid.item() == 200
    # An event of a quantity that is whole leaves nothing out.
    whole = ds.probability(draws.x > 0)
    assert "n_invalid" not in whole
    assert whole.probability.item() == pytest.approx(0.9, abs=1e-3)


def test_a_sure_nan_is_every_draw():
    model = ds.Model([root, apart], {"x": -1.0, "y": dist.uniform(0, 1)})
    with pytest.raises(InvalidDrawsError, match="in 128 values"):
        model.simulate(draws=64, chains=2, seed=1)
    summary = ds.summarize(model.simulate(draws=64, chains=2, seed=1, on_invalid="keep"))
    assert summary.root.sel(statistic="n_invalid").item() == 128
    assert np.isnan(summary.root.sel(statistic="mean"))


def test_an_infinity_counts_as_invalid():
    @ds.equation(unit="1")
    def inverse(x):
        return 1 / x

    model = ds.Model([inverse], {"x": dist.discrete([0, 1])})
    with pytest.raises(InvalidDrawsError, match=r"'inverse'.*from x = 0\b"):
        model.simulate(draws=64, seed=1)


# Storage and settings


def test_draws_that_would_not_fit_say_their_size_and_what_to_do(model):
    with pytest.raises(MemoryGuardError) as caught:
        model.simulate(draws=2**40, chains=8, seed=1)
    message = str(caught.value)
    assert "8,796,093,022,208 draws" in message
    assert f"{5 * 2**46 / 2**30:,.1f} GiB" in message
    assert "keep=" in message
    assert "chunks=" in message


def test_keep_stores_what_is_asked_for_and_computes_what_it_needs(model):
    everything = model.simulate(draws=64, seed=1)
    kept = model.simulate(draws=64, seed=1, keep=["capex", "utilization"])
    assert list(kept.data_vars) == ["capex", "utilization"]
    xr.testing.assert_equal(kept, everything[["capex", "utilization"]])
    with pytest.raises(UnknownNameError, match="did you mean 'capex'"):
        model.simulate(draws=64, seed=1, keep=["cpex"])
    with pytest.raises(DemandsimError, match="list of names"):
        model.simulate(draws=64, seed=1, keep="capex")


def test_an_equation_that_is_not_needed_is_not_run(failing):
    draws = failing.simulate(draws=64, seed=1, keep=["y"])
    assert list(draws.data_vars) == ["y"]


def test_float32_is_the_same_numbers_rounded_once(model):
    double = model.simulate(draws=64, seed=1)
    single = model.simulate(draws=64, seed=1, dtype="float32")
    assert single.cards.dtype == np.float32
    for name, array in double.data_vars.items():
        np.testing.assert_array_equal(single[name], array.astype(np.float32))


def test_progress_ends_at_the_total(model):
    seen = []
    model.simulate(draws=1000, chains=3, seed=1, design="random", block=256, progress=lambda *at: seen.append(at))
    assert seen[-1] == (3000, 3000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"draws": 0}, "draws must be a whole number of at least 1, not 0"),
        ({"draws": -8}, "draws"),
        ({"draws": True}, "draws"),
        ({"draws": 64.0}, "draws"),
        ({"chains": 0}, "chains"),
        ({"chains": True}, "chains"),
        ({"seed": -1}, "seed must be a whole number of at least 0, or None, not -1"),
        ({"seed": True}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"design": "sobel"}, "did you mean 'sobol'"),
        ({"design": "halton"}, "unknown design 'halton'"),
        ({"dtype": "float16"}, "unknown dtype 'float16'"),
        ({"on_invalid": "ignore"}, "on_invalid 'ignore'"),
        ({"threads": 0}, "threads"),
        ({"block": 0}, "block"),
    ],
)
def test_settings_out_of_range_say_so(model, settings, says):
    with pytest.raises(DemandsimError, match=says):
        model.simulate(**({"draws": 64, "seed": 1} | settings))


def test_numpy_integers_are_whole_numbers(model):
    draws = model.simulate(draws=np.int64(64), chains=np.int32(2), seed=np.uint32(1))
    xr.testing.assert_identical(draws, model.simulate(draws=64, chains=2, seed=1))


def test_a_sobol_sequence_of_another_length_than_a_power_of_two_warns(model):
    with pytest.warns(DesignWarning, match="512 or 1024"):
        model.simulate(draws=1000, seed=1)
    with pytest.warns(DesignWarning):
        model.simulate(draws=np.int64(1000), seed=1)
    model.simulate(draws=1000, seed=1, design="latin_hypercube")


def test_names_must_be_what_an_equation_can_ask_for():
    with pytest.raises(UnknownNameError, match="identifier"):
        ds.Model([], {"peak compute": 3})
    with pytest.raises(UnknownNameError, match="'nothing'"):
        ds.Model([], {"x": 1}).explain("nothing")


def test_repr_tells_the_size(model):
    assert repr(model) == "<demandsim.Model: 4 assumptions, 2 equations>"
    assert "scenario: 2" in repr(CHANGES["with_scenarios"](model))


def anew(model):
    """The same model, built from its parts as if for the first time."""
    return ds.Model(
        model.equations.values(),
        model.assumptions,
        correlations=model.correlations,
        scenarios=model.scenarios,
        notes=model.notes,
        dimensions=model.dimensions,
        nearest=model.nearest,
        evidence=model.evidence,
    )


@pytest.mark.parametrize("name", ["guosen-2025-01", "doubao-2025-2030", "deepseek-2025-02"])
def test_a_model_that_differs_in_a_distribution_is_the_one_that_was_never_anything_else(name):
    model = ds.load_study(name)
    uncertain = [n for n, a in model.assumptions.items() if not a.distribution.dims and not a.distribution.is_constant]
    changed = uncertain[0]
    point = float(model.assumptions[changed].point)
    for value in (f"uniform({0.9 * point}, {1.1 * point})", point):
        taken_over = model.assume(**{changed: value})
        fresh = anew(taken_over)
        assert (taken_over, taken_over.hash) == (fresh, fresh.hash)
        assert taken_over.program.varying == fresh.program.varying
        steps = [[(s.equation.name, s.elementwise) for s in m.program.steps] for m in (taken_over, fresh)]
        assert steps[0] == steps[1]
        keep = list(model.equations)[-3:]
        assert taken_over.simulate(draws=8, chains=1, seed=1, keep=keep).identical(
            fresh.simulate(draws=8, chains=1, seed=1, keep=keep)
        )


def test_only_what_could_differ_is_tried_again(monkeypatch):
    model = ds.load_study("guosen-2025-01")
    calls = []
    counted = dataclasses.replace(
        model.equations["cards"],
        function=lambda peak_compute, card_flops, utilization: (
            calls.append(1) or peak_compute / (card_flops * utilization)
        ),
    )
    model = model.with_equations(counted)
    calls.clear()
    model = model.assume(utilization="beta(mean=0.2, sd=0.05)")
    assert not calls
    model.assume(utilization=0.2)
    assert calls
    with pytest.raises(DimensionError, match="cards"):
        model.assume(utilization=ds.Assumption("uniform(1, 2)", unit="card"))


@ds.equation(unit="GPU")
def gpus(videos, frames_per_video, flops_per_frame, gpu_flops, utilization):
    """GPUs to make videos."""
    return videos * frames_per_video * flops_per_frame / (gpu_flops * utilization)


@ds.equation(unit="EUR/{video}")
def cost_of_a_video(gpus, gpu_hour_price, videos):
    """Cost of a video."""
    return gpus * gpu_hour_price / videos


@pytest.fixture(scope="module")
def videos():
    return ds.Model(
        [gpus, cost_of_a_video],
        {
            "videos": ds.Assumption("lognormal(1, 9)", unit="M{video}/day"),
            "frames_per_video": ds.Assumption("triangular(100, 120, 300)", unit="{frame}/{video}"),
            "flops_per_frame": ds.Assumption(2e14, unit="FLOP/{frame}"),
            "gpu_flops": ds.Assumption(989, unit="TFLOP/s/GPU"),
            "utilization": ds.Assumption("beta(mean=0.4, sd=0.1)"),
            "gpu_hour_price": ds.Assumption("uniform(1.5, 3)", unit="EUR/GPU/hour"),
        },
    )


def test_what_its_author_counts_is_a_dimension(videos):
    point = videos.point()
    assert point.gpus.attrs["units"] == "GPU"
    by_hand = 3e6 / 86400 * float(point.frames_per_video) * 2e14 / (989e12 * float(point.utilization))
    assert point.gpus.item() == pytest.approx(by_hand, rel=1e-12)
    assert "= 0.052789 EUR/{video}" in str(videos.explain("cost_of_a_video"))
    wrong = videos.assumptions["flops_per_frame"]
    with pytest.raises(DimensionError, match=r"'card\*\{frame\}/\{video\}'.*Did you mean flops_per_frame in FLOP/"):
        videos.assume(flops_per_frame=ds.Assumption(wrong.distribution, unit="FLOP/{video}"))


def test_what_its_author_counts_travels(tmp_path):
    counted = ds.Assumption("lognormal(1, 9)", unit="M{video}/day")
    model = ds.load_study("guosen-2025-01").add(videos=counted).observe(videos="lognormal(2, 5)")
    model.to_toml(tmp_path / "study.toml")
    ds.write_workbook(model, tmp_path / "model.xlsx")
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    assert ds.load_study(tmp_path / "study.toml") == model
    assert ds.read_workbook(tmp_path / "model.xlsx").assumptions["videos"].unit == "M{video}/day"
    # Where nobody has counted videos before, as on a worker.
    fresh = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).point().videos.attrs['units'])"
    words = [sys.executable, "-c", fresh, str(tmp_path / "model.pickle")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "M{video}/day\n"


def test_what_its_author_counts_is_tested_like_any_unit(videos):
    testing.assert_unit_invariant(videos, max_examples=10)
    testing.assert_homogeneous(videos, "gpus", by="videos", degree=1, max_examples=10)
