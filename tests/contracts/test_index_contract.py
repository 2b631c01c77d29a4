"""Every sensitivity index, held to one proof."""

import math
from dataclasses import dataclass
from functools import cache, wraps

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim import sensitivity
from demandsim.errors import DemandsimError, UnknownNameError

#: An assumption that nothing depends on is part of the proof.
pytestmark = pytest.mark.filterwarnings("ignore::demandsim.errors.UnusedAssumptionWarning")


@dataclass(frozen=True)
class Index:
    """How an index is computed for a model, and what it is called there."""

    name: str
    compute: object
    #: How far from 0 the index of an assumption without influence may lie.
    idle: float


def shared(compute):
    """Indices that one call gives together are computed once for all of them; `again` asks for a second time."""
    kept = {}

    def computed(model, of, seed=1, prob=0.9, again=False):
        key = id(model), str(of), seed, prob, again
        if key not in kept:
            # The model is kept as well, so that no other takes its place in memory.
            kept[key] = model, compute(model, of, seed, prob)
        return kept[key][1]

    return wraps(compute)(computed)


@shared
def _given(model, of, seed, prob):
    draws = model.simulate(draws=512, chains=8, seed=seed, on_invalid="keep")
    return sensitivity.given_data(draws, of, seed=seed, prob=prob)


@shared
def _near(model, of, seed, prob):
    draws = model.simulate(draws=128, chains=8, seed=seed, on_invalid="keep")
    return sensitivity.nearest_neighbours(draws, of, seed=seed, prob=prob)


@shared
def _hsic(model, of, seed, prob):
    return sensitivity.hsic(model.simulate(draws=64, chains=8, seed=seed, on_invalid="keep"), of, prob=prob)


@shared
def _sobol(model, of, seed, prob):
    return sensitivity.sobol(model, of, draws=128, seed=seed, prob=prob)


@shared
def _shapley(model, of, seed, prob):
    return sensitivity.shapley(model, of, draws=128, seed=seed, prob=prob)


#: A new index is one row here. Rank-based indices of 4,096 draws are not exactly 0 where nothing is.
INDICES = [
    Index("first_order", _sobol, 1e-9),
    Index("total_order", _sobol, 1e-9),
    Index("effect", _shapley, 1e-9),
    Index("first_order", _given, 0.06),
    Index("pawn", _given, 0.12),
    Index("delta", _given, 0.05),
    Index("total_order", _near, 0.02),
    Index("effect", _near, 0.03),
    Index("hsic", _hsic, 0.02),
]
EACH_INDEX = pytest.mark.parametrize("index", INDICES, ids=lambda i: f"{i.compute.__name__}-{i.name}")


@ds.equation(unit="CNY")
def cost(price, amount):
    return price * amount


@ds.equation(unit="CNY")
def margin(cost, income):
    return income - cost


@cache
def model(scale=1.0):
    years = xr.DataArray([1.0, 2.0], dims="year", coords={"year": [2025, 2026]})
    return ds.Model(
        [cost, margin],
        {
            "price": ds.Assumption(dist.lognormal(1 * scale, 3 * scale), unit="CNY/card"),
            "amount": ds.Assumption(dist.lognormal(median=years, factor=2), unit="card"),
            "income": ds.Assumption(dist.normal(mean=4 * scale, sd=1 * scale), unit="CNY"),
            "unused": ds.Assumption(dist.normal(mean=0, sd=1)),
        },
        scenarios={"scenario": {"low": {"price": dist.lognormal(1 * scale, 2 * scale)}, "high": {}}},
    )


@ds.equation(unit="1")
def y(a, b):
    return np.sqrt(a) + b


def some_invalid(sd=1.0):
    return ds.Model([y], {"a": dist.normal(mean=2, sd=sd), "b": dist.normal(mean=0, sd=1)})


@EACH_INDEX
def test_results_are_labelled_by_quantity_assumption_and_the_models_dims(index):
    found = index.compute(model(), ["margin", "cost"])
    assert found[index.name].dims[:2] == ("quantity", "assumption")
    assert set(found[index.name].dims) == {"quantity", "assumption", "scenario", "year"}
    assert found.quantity.values.tolist() == ["margin", "cost"]
    assert found.scenario.values.tolist() == ["low", "high"]
    assert found.year.values.tolist() == [2025, 2026]
    assert {"price", "amount", "income"} <= set(found.assumption.values.tolist())
    assert {"seed", "prob", "method"} <= set(found.attrs)
    assert found.n_invalid.sum() == 0


@EACH_INDEX
def test_the_interval_holds_the_estimate_and_widens_with_its_probability(index):
    narrow, wide = (index.compute(model(), "margin", prob=p) for p in (0.5, 0.95))
    for found in (narrow, wide):
        assert (found[f"{index.name}_lower"] <= found[index.name] + 1e-12).all()
        assert (found[f"{index.name}_upper"] >= found[index.name] - 1e-12).all()
    width = [f[f"{index.name}_upper"] - f[f"{index.name}_lower"] for f in (narrow, wide)]
    assert width[0].sum() < width[1].sum()


@EACH_INDEX
def test_the_same_seed_gives_the_same_bits_and_another_other_ones(index):
    one, other, zero = (index.compute(model(), "margin", seed=s)[index.name] for s in (5, 6, 0))
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, zero)
    for seed, found in ((5, one), (0, zero)):
        same = index.compute(model(), "margin", seed=seed, again=True)[index.name]
        xr.testing.assert_identical(found.drop_attrs(), same.drop_attrs())


@EACH_INDEX
def test_a_name_stands_for_a_list_of_one_and_an_unknown_one_is_answered_with_the_nearest(index):
    one, listed = index.compute(model(), "cost"), index.compute(model(), ["cost"])
    xr.testing.assert_identical(one[index.name], listed[index.name])
    with pytest.raises(UnknownNameError, match="did you mean 'margin'"):
        index.compute(model(), "margni")


@EACH_INDEX
def test_indices_do_not_depend_on_the_unit_of_account(index):
    one, other = (index.compute(model(scale), "margin")[index.name] for scale in (1.0, 1e9))
    np.testing.assert_allclose(one, other, atol=1e-6)


@EACH_INDEX
def test_what_has_no_influence_has_none(index):
    found = index.compute(model(), ["margin", "cost"])[index.name].sel(quantity="cost", assumption="income")
    assert float(np.abs(found).max()) <= index.idle


@EACH_INDEX
def test_what_matters_more_has_the_larger_index(index):
    found = index.compute(model(), "cost")[index.name].sel(quantity="cost", scenario="high")
    found = found.sel(year=2025) if "year" in found.dims else found
    assert found.sel(assumption="amount") > found.sel(assumption="price") > 0.1


@EACH_INDEX
def test_invalid_draws_are_counted_and_do_not_turn_into_zeros(index):
    # sqrt(a) is NaN in P(z < -2) = 2.3% of draws; SALib and scipy answer 0 to all questions then.
    found = index.compute(some_invalid(), "y")
    assert found.n_invalid.item() > 0
    b = found[index.name].sel(assumption="b").item()
    assert math.isfinite(b)
    assert b > 0.2
    whole = index.compute(some_invalid(sd=0.2), "y")
    assert whole.n_invalid.item() == 0


@EACH_INDEX
def test_what_does_not_vary_has_no_index_rather_than_zero(index):
    @ds.equation(unit="1")
    def sure(a, b):
        return 0 * a * b + 3

    flat = ds.Model([sure], {"a": dist.normal(mean=2, sd=1), "b": dist.normal(mean=0, sd=1)})
    assert np.isnan(index.compute(flat, "sure")[index.name]).all()


@EACH_INDEX
def test_a_sure_model_says_that_nothing_varies(index):
    with pytest.raises(DemandsimError, match=r"random|varies"):
        index.compute(ds.Model([y], {"a": 1.0, "b": 2.0}), "y")
