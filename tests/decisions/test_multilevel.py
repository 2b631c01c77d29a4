"""Values of information by runs of the model given what is known: closed forms, dependence, and what is refused."""

import math

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import decisions
from demandsim import distributions as dist
from demandsim.errors import DemandsimError

NORMAL = dist.normal(mean=0, sd=1)


def gain(draws, action):
    return draws.gain * action


def model_of(function, laws):
    return ds.Model([ds.equation(function, unit="1", name="gain")], laws)


def value(mean, sd):
    """Value of learning a normal gain to a preposterior sd, against nothing."""
    return sd * stats.norm.pdf(mean / sd) - abs(mean) * stats.norm.sf(abs(mean) / sd)


LINEAR = model_of(
    lambda a, b, c: a + b + c, {"a": dist.normal(mean=0.5, sd=1), "b": dist.normal(mean=0, sd=2), "c": NORMAL}
)


@pytest.mark.parametrize("rank", [0, 0.5, -0.7])
def test_linear_gains_of_correlated_normals_have_their_closed_form(rank):
    model = LINEAR.correlate({("a", "b"): rank}) if rank else LINEAR
    r = 2 * math.sin(math.pi * rank / 6)
    draws = model.simulate(draws=1024, seed=3)
    of = {"a": "a", "b": "b", "both": ["a", "b"], "all": ["a", "b", "c"]}
    found = decisions.value_of_information(draws, [0, 1], gain, of=of, model=model, nested=True, runs=1 << 16, seed=1)
    # To know one tells of the other what correlation tells.
    spread = {"a": abs(1 + 2 * r), "b": abs(2 + r), "both": math.sqrt(5 + 4 * r), "all": math.sqrt(6 + 4 * r)}
    for label, sd in spread.items():
        one, exact = found.sel(assumption=label), value(0.5, sd) if sd > 0.01 else 0.0
        # Of a dozen looks one may be off by more than two errors, none by more than three.
        assert one.evppi.item() == pytest.approx(exact, abs=max(3 * one.mcse_evppi.item(), 1e-12)), label
        assert one.evppi.item() == pytest.approx(exact, abs=0.03)
    # Nothing is left to draw where all is known.
    assert found.evppi.sel(assumption="all") == found.evpi


def test_a_product_of_signs_is_found_as_a_whole_only():
    names = [f"x{i}" for i in range(5)]
    product = eval(
        f"lambda {', '.join(names)}: product({', '.join(names)})",
        {"product": lambda *x: x[0] * np.prod(np.sign(x[1:]), axis=0)},
    )
    model = model_of(product, dict.fromkeys(names, NORMAL))
    draws = model.simulate(draws=512, seed=5, design="random")
    of = {"all": names, "but one": names[:-1], "one": "x0"}
    open_ = decisions.value_of_information(draws, [0, 1], gain, of=of, seed=1)
    found = decisions.value_of_information(draws, [0, 1], gain, of=of, model=model, runs=1 << 16, seed=1)
    exact = 1 / math.sqrt(2 * math.pi)
    assert found.evppi.sel(assumption="all").item() == pytest.approx(exact, abs=0.02)
    for label, right in {"all": exact, "but one": 0, "one": 0}.items():
        one = found.sel(assumption=label)
        assert one.lower_evppi - one.mcse_evppi <= right <= one.upper_evppi + one.mcse_evppi
        # Runs are made where the regression leaves a value open, and then leave less open.
        before = open_.sel(assumption=label)
        assert one.upper_evppi - one.lower_evppi <= before.upper_evppi - before.lower_evppi + 1e-12
    assert found.upper_evppi.sel(assumption="but one") < 0.3 * open_.upper_evppi.sel(assumption="but one")


def test_what_no_runs_are_needed_for_is_left_to_the_regression():
    draws = LINEAR.simulate(draws=1024, seed=3)
    plain = decisions.value_of_information(draws, [0, 1], gain, of="b", seed=1)
    found = decisions.value_of_information(draws, [0, 1], gain, of="b", model=LINEAR, seed=1)
    assert found.evppi.item() == plain.evppi.item()
    assert found.terms.item() == plain.terms.item()


def test_scenarios_and_selected_draws_have_their_own_values():
    model = LINEAR.with_scenarios({"low": {"a": dist.normal(mean=-1, sd=1)}, "high": {"a": dist.normal(mean=1, sd=1)}})
    draws = model.simulate(draws=512, seed=3)
    settings = {"of": {"b": "b"}, "model": model, "nested": True, "runs": 1 << 15, "seed": 1}
    both = decisions.value_of_information(draws, [0, 1], gain, **settings)
    for label, mean in {"low": -1, "high": 1}.items():
        one = decisions.value_of_information(draws.sel(scenario=label), [0, 1], gain, **settings)
        for found in (one, both.sel(scenario=label)):
            exact = value(mean, 2)
            assert (found.lower_evppi - found.mcse_evppi <= exact).all()
            assert (exact <= found.upper_evppi + found.mcse_evppi).all()


def test_the_same_seed_gives_the_same_value_and_groups_do_not_move_each_other():
    draws = LINEAR.simulate(draws=256, seed=3)
    settings = {"model": LINEAR, "nested": True, "runs": 1 << 12, "seed": 7}
    one = decisions.value_of_information(draws, [0, 1], gain, of=["a"], **settings)
    two = decisions.value_of_information(draws, [0, 1], gain, of=["b", "a"], **settings)
    assert one.evppi.sel(assumption="a").item() == two.evppi.sel(assumption="a").item()


def test_what_cannot_be_run_again_is_refused():
    draws = LINEAR.simulate(draws=64, seed=3)
    call = decisions.value_of_information
    with pytest.raises(DemandsimError, match="pass model="):
        call(draws, [0, 1], gain, nested=True)
    with pytest.raises(DemandsimError, match="is not the model that made these draws"):
        call(draws, [0, 1], gain, model=LINEAR.fix(a=1.0))
    with pytest.raises(DemandsimError, match="'gain' is no assumption"):
        call(draws, [0, 1], gain, of="gain", model=LINEAR, nested=True)
    with pytest.raises(DemandsimError, match="a payoff that can be asked"):
        call(draws, [0, 1], gain(draws, draws.gain * 0 + 1).expand_dims(action=[0, 1]), model=LINEAR)
    coin = model_of(lambda a, b: a + b, {"a": dist.discrete([0, 1], weights=[0.5, 0.5]), "b": NORMAL})
    tied = coin.correlate({("a", "b"): 0.5})
    with pytest.raises(DemandsimError, match="'a' has values with a probability of their own, and is correlated"):
        call(tied.simulate(draws=64, seed=3), [0, 1], gain, of="a", model=tied, nested=True)
