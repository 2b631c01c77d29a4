"""Every dataset says how to make it again; bad numbers are counted; settings out of range say so."""

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import (
    DemandsimError,
    DesignWarning,
    DimensionError,
    InvalidDrawsError,
    MemoryGuardError,
    UnknownNameError,
)

DESIGNS = ["random", "latin_hypercube", "sobol"]


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
    assert "scenario: 2" in repr(model.with_scenarios({"a": {}, "b": {}}))


def anew(model):
    """The same model, built from its parts as if for the first time."""
    return ds.Model.drafted(
        model.equations.values(),
        model.assumptions,
        correlations=model.correlations,
        label_correlations=model.label_correlations,
        tails=model.tails,
        scenarios=model.scenarios,
        notes=model.notes,
        dimensions=model.dimensions,
        nearest=model.nearest,
        evidence=model.evidence,
        origin=model.origin,
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
