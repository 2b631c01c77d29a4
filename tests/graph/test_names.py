"""Names: what a model does not have is refused with the nearest, and what nothing uses is said."""

import inspect
import pickle
import warnings

import pytest

import demandsim as ds
from demandsim.cli._study import loaded
from demandsim.errors import DemandsimError, MissingAssumptionError, UnknownNameError, UnusedAssumptionWarning
from demandsim.studies import loading

STUDY = "guosen-2025-01"


OVERHEAD, HOSTS = ds.constant(500, "W/{host}"), ds.constant(0.125, "{host}/card")


@ds.equation(unit="MW")
def power(cards, card_power, overhead=OVERHEAD, hosts=HOSTS):
    return cards * (card_power + overhead * hosts)


@pytest.fixture
def model():
    return ds.load_study(STUDY)


MISSPELT = {
    "assume": lambda m: m.assume(utilisation=0.15),
    "fix": lambda m: m.fix(utilisation=0.15),
    "with_scenarios": lambda m: m.with_scenarios({"low": {"utilisation": 0.15}}),
    "drop": lambda m: m.drop("utilisation"),
    "correlate": lambda m: m.correlate({("utilisation", "peak_ratio"): 0.5}),
    "observe": lambda m: m.observe(utilisation="normal(mean=0.4, sd=0.1)"),
    "an event": lambda m: m.observe(event="utilisation > 0.1"),
    "explain": lambda m: m.explain("utilisation"),
    "keep": lambda m: m.simulate(draws=8, keep=["utilisation"]),
    "of": lambda m: m.simulate(draws=8, of="utilisation", rtol=0.1),
    "estimate": lambda m: m.estimate("cards", over="utilisation"),
    "--set": lambda m: loaded(STUDY, ["utilisation=0.15"]),
    "--set of a scenario": lambda m: loaded(STUDY, ["utilisation@100T=0.15"]),
}


@pytest.mark.parametrize("ask", MISSPELT.values(), ids=MISSPELT)
def test_an_unknown_name_is_refused_with_the_nearest(model, ask):
    with pytest.raises(UnknownNameError, match="'utilisation'; did you mean 'utilization'"):
        ask(model)


def test_the_way_to_a_new_assumption_is_named(model):
    with pytest.raises(UnknownNameError, match=r"added by model.add\(card_power=...\)"):
        model.assume(card_power=700)
    with pytest.raises(UnknownNameError, match=r"'cards' is computed by an equation.*observe\(cards"):
        model.assume(cards=1e6)
    with pytest.raises(DemandsimError, match=r"assumption 'utilization' already.*assume\(utilization"):
        model.add(utilization=0.3)


def test_an_assumption_is_added_for_the_equation_that_comes_next(model):
    added = model.add(card_power=ds.Assumption(700, "W/card"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        powered = added.with_equations(power)
        by_hand = model.point().cards * (700 + 500 * 0.125) / 1e6
        assert powered.point().power.values == pytest.approx(by_hand.values)


def test_a_constant_of_an_equation_is_assumed_in_its_unit(model):
    powered = model.add(card_power=ds.Assumption(700, "W/card")).with_equations(power)
    assert {"overhead", "hosts", "flops_per_parameter"} <= powered.constants.keys()
    for changed in (powered.assume(overhead=0), powered.fix(overhead=0)):
        assert changed.assumptions["overhead"].unit == "W/{host}"
        assert "overhead" not in changed.constants
        assert changed.point().power.values == pytest.approx((model.point().cards * 700 / 1e6).values)
    assert loaded(STUDY, ["flops_per_parameter=3"]).point().flops_per_token[()] == pytest.approx(330e9)


def with_spare(tmp_path):
    text = ds.load_study(STUDY).to_toml() + "\n[assumptions.utilisation]\ndistribution = 0.3\n"
    (tmp_path / "spare.toml").write_text(text, encoding="utf-8")
    return tmp_path / "spare.toml"


UNUSED = {
    "Model": lambda m, _: ds.Model(m.equations, {**m.assumptions, "utilisation": 0.3}),
    "a study file": lambda m, folder: ds.load_study(with_spare(folder)),
    "the command line": lambda m, folder: loaded(str(with_spare(folder))),
    "point": lambda m, _: m.add(utilisation=0.3).point(),
    "simulate": lambda m, _: m.add(utilisation=0.3).simulate(draws=8, seed=1),
    "infer": lambda m, _: m.add(utilisation=0.3).observe(capex="normal(mean=130e9, sd=90e9)").infer(draws=64, seed=1),
    "estimate": lambda m, _: m.add(utilisation=0.3).estimate("cards", draws=64, seed=1),
}


@pytest.mark.parametrize("ask", UNUSED.values(), ids=UNUSED)
def test_an_assumption_that_nothing_asks_for_is_said_once(model, tmp_path, ask, monkeypatch):
    # Without what the tests put between, which would be the line of the one who asked.
    monkeypatch.setattr(loading, "model_from_toml", inspect.unwrap(loading.model_from_toml))
    with pytest.warns(UnusedAssumptionWarning, match="'utilisation'.*did you mean 'utilization'") as said:
        ask(model.select(scenario="100T"), tmp_path)
    assert len(said) == 1
    # At the line of the one who asked.
    assert said[0].filename == __file__ or "_study" in ask.__code__.co_names


def test_who_was_told_is_not_told_again(model):
    with pytest.warns(UnusedAssumptionWarning):
        spare = ds.Model(model.equations, {**model.assumptions, "spare": 0.3})
    for again in (spare, spare.fix(utilization=0.3), pickle.loads(pickle.dumps(spare))):
        assert again.point().cards.size == 1


def test_an_equation_that_gives_way_leaves_what_it_asked_for(model):
    single = ds.equation(lambda peak_compute, card_flops: peak_compute / card_flops, unit="card", name="cards")
    with pytest.warns(UnusedAssumptionWarning, match="no equation asks for 'utilization'"):
        model.with_equations(single).point()


def test_what_nothing_asks_for_is_dropped_with_its_correlations(model):
    spare = model.add(spare="uniform(0, 1)").correlate({("spare", "utilization"): 0.5})
    dropped = spare.drop("spare")
    assert (dropped, dropped.hash) == (model, model.hash)
    with pytest.raises(MissingAssumptionError, match="'cards' needs 'utilization'"):
        model.drop("utilization")


def test_evidence_and_models_of_assumptions_alone_use_them(model):
    known = model.add(spare="uniform(0, 1)").observe(spare="normal(mean=0.4, sd=0.1)")
    assert known.simulate(draws=8, seed=1).spare.size == 64
    assert ds.Model([], {"x": "uniform(0, 1)"}).point().x == 0.5


@pytest.mark.parametrize("name", ds.list_studies())
def test_shipped_studies_use_all_that_they_assume(name):
    study = ds.load_study(name)
    assert not study.graph.unused(study.assumptions)
