"""A model is a frozen whole; every change makes a new one."""

import copy
import dataclasses

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import (
    DemandsimError,
    DimensionError,
    UnknownNameError,
)


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


def test_a_model_has_the_name_that_it_is_given():
    made = ds.Model([], {"a": 1.0}, name="mine")
    assert repr(made).startswith("<demandsim.Model 'mine'")
    assert made.point().attrs["study"] == "mine"
    assert 'name = "mine"' in made.to_toml()


def test_the_version_is_that_of_the_package():
    import importlib.metadata

    assert ds.__version__ == importlib.metadata.version("demandsim")


def test_another_distribution_has_nothing_ordered_checked_and_tried_again(model, monkeypatch):
    changed = dist.uniform(0.1, 0.5)
    anew = ds.Model(model.equations, {**model.assumptions, "utilization": changed}, dimensions=model.dimensions)
    whole = anew.simulate(draws=64, seed=1)

    def again(*_, **__):
        raise AssertionError("what has not changed is looked at again")

    for where in ("demandsim.graph.graph.Graph.of", "demandsim.model.check_units", "demandsim.sampling.compile.tried"):
        monkeypatch.setattr(where, again)
    draws = model.assume(utilization=changed).simulate(draws=64, seed=1)
    for name in whole.data_vars:
        np.testing.assert_array_equal(draws[name], whole[name])
    with pytest.raises(AssertionError, match="again"):
        model.with_equations(spare)
    with pytest.raises(AssertionError, match="again"):
        model.add(extra=1)
