"""Scenarios share their random numbers; labels are matched, whatever their order."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import (
    DistributionError,
    ScenarioError,
    UnknownNameError,
)

YEARS = [2025, 2026, 2027]
CARDS = ["H800", "H20"]
DESIGNS = ["random", "latin_hypercube", "sobol"]


def labelled(values, **coords):
    return xr.DataArray(np.asarray(values, dtype=float), dims=list(coords), coords=coords)


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
