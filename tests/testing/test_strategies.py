"""Strategies for users' own tests: every member of the menu, models whose units fit, and values that may be."""

import functools
import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim import testing
from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.errors import UnknownNameError
from demandsim.testing.strategies.distributions import FAMILIES
from demandsim.testing.strategies.models import UNITS
from demandsim.testing.units import POOLS, powers_of, written
from demandsim.units.convert import same_dimension
from demandsim.units.registry import registry


def test_every_member_of_the_menu_is_drawn():
    assert set(FAMILIES) == CONSTRUCTORS.keys() - {"scipy", "by", "dirichlet", "choice"}


@pytest.mark.parametrize(
    ("support", "low", "high"), [("real", -np.inf, np.inf), ("positive", 0, np.inf), ("unit", 0, 1)]
)
@settings(max_examples=60)
@given(data=st.data())
def test_distributions_have_the_support_that_was_asked_for(support, low, high, data):
    made = data.draw(testing.distributions(support=support))
    x = made.ppf([2.0**-54, 0.05, 0.5, 0.95, 1 - 2.0**-53])
    assert np.isfinite(x).all()
    assert np.all(np.diff(x) >= 0)
    assert x[0] > low or support == "real"
    assert x[-1] < high
    assert ds.Assumption(made).distribution == dist.parse_distribution(str(made))


@given(made=testing.distributions(support="unit", families=["beta"], centres=st.just(0.3), widths=st.floats(0.1, 0.2)))
def test_strategies_take_strategies_for_their_parts(made):
    assert made.family == "beta"
    low, high = made.ppf([0.05, 0.95])
    # As wide as a tenth to a fifth of half the way to 0, on both sides of the centre.
    assert (low + high) / 2 == pytest.approx(0.3)
    assert 0.1 * 0.15 * (1 - 1e-6) <= (high - low) / 2 <= 0.2 * 0.15 * (1 + 1e-6)


@settings(max_examples=1)
@given(data=st.data())
def test_unknown_parts_raise_with_what_is_known(data):
    with pytest.raises(UnknownNameError, match="unknown support 'postive'; did you mean 'positive'"):
        data.draw(testing.distributions(support="postive"))
    with pytest.raises(UnknownNameError, match="family with support 'unit': 'normal'"):
        data.draw(testing.distributions(support="unit", families=["normal"]))
    with pytest.raises(ds.DemandsimError, match="centres= gave 2"):
        data.draw(testing.distributions(support="unit", centres=st.just(2.0)))


@settings(max_examples=40)
@given(data=st.data(), coords=st.sampled_from([None, {"year": [2025, 2026]}, {"hardware": ["a"], "year": [1, 2, 3]}]))
def test_assumptions_are_positive_and_shares_are_below_one(data, coords):
    made = data.draw(testing.assumptions(unit=st.sampled_from(["1", "card"]), coords=coords))
    assert np.all(made.point > 0)
    assert made.unit == "card" or np.all(made.point < 1)
    assert made.distribution.dims == tuple(coords or ())
    assert made.unit in UNITS


@given(made=testing.assumptions(point=st.just(5.0), unit=st.just("token/day"), distribution=st.just("normal(4, 6)")))
def test_assumptions_take_strategies_for_their_parts(made):
    assert (made.point, made.unit, str(made.distribution)) == (5.0, "token/day", "normal(4, 6, prob=0.9)")


@settings(max_examples=6)
@given(model=testing.models())
def test_models_explain_themselves_and_travel(model):
    assert len(model.equations) <= 5
    last = list(model.equations)[-1]
    assert model.equations[last].formula in str(model.explain(last))
    assert pickle.loads(pickle.dumps(model)) == model
    for made in model.equations.values():
        # What it says it computes is what it computes.
        given_ = {name: 2.0 + place for place, name in enumerate(made.inputs)}
        assert made(**given_) == pytest.approx(eval(made.formula, {}, given_))


@settings(max_examples=25)
@given(model=testing.models(correlated=st.just(True), scenarios=st.just(2), most_assumptions=3, most_equations=1))
def test_models_take_strategies_for_their_parts(model):
    assert len(model.assumptions) <= 3
    assert len(model.equations) == 1
    assert model.scenarios.coords == {"scenario": ("case_1", "case_2")}
    unsure = [a for a in model.assumptions.values() if not a.distribution.is_constant]
    assert len(model.correlations) == (len(unsure) >= 2)


# Values


@functools.cache
def years():
    return ds.load_study("doubao-2025-2030")


@functools.cache
def within_years(prob, of):
    return testing.values_within(years(), prob=prob, of=of)


@settings(max_examples=10, phases=[Phase.generate])
@given(data=st.data())
def test_values_lie_in_the_central_interval_and_follow_the_labels(data):
    model = years()
    prob = data.draw(st.sampled_from([0.5, 0.9]))
    of = data.draw(st.sampled_from(["cards_bought", ("daily_tokens",)]))
    values = data.draw(within_years(prob, of))
    assert values.keys() == model.graph.ancestors([of] if isinstance(of, str) else of) & model.assumptions.keys()
    for name, value in values.items():
        transform = model.program.transforms[name]
        dims = ((transform.scenario_dim,) if transform.scenario_dim else ()) + transform.dims
        assert np.ndim(value) == len(dims)
        if dims:
            assert value.dims == dims
        rows = list(value.values) if transform.scenario_dim else [np.asarray(value)]
        for variant, row in zip(transform.variants, rows, strict=True):
            low, high = (np.ravel(np.asarray(variant.ppf(u))) for u in (0.5 - prob / 2, 0.5 + prob / 2))
            flat = np.reshape(np.asarray(row, dtype=float), -1)
            slack = 1e-9 * np.maximum(np.abs(low), np.abs(high))
            assert np.all((low - slack <= flat) & (flat <= high + slack))


@given(data=st.data())
def test_what_one_random_number_decides_moves_together(data):
    both = {"a": "uniform(0, 1)", "b": "uniform(10, 20)"}
    year = xr.DataArray([1.0, 2.0], dims="year", coords={"year": [2025, 2026]})
    model = ds.Model(
        [],
        {"x": "uniform(0, 1)", "shared": ds.Assumption(dist.uniform(0 * year, year), shared=True)},
        scenarios={"scenario": {label: {"x": text} for label, text in both.items()}},
    )
    values = data.draw(testing.values_within(model))
    x, shared = values["x"], values["shared"]
    # In as few digits as are values.
    assert x.sel(scenario="b").item() == pytest.approx(10 + 10 * x.sel(scenario="a").item(), rel=1e-2)
    assert shared.sel(year=2026).item() == pytest.approx(2 * shared.sel(year=2025).item(), rel=1e-2)


@given(data=st.data())
def test_values_of_what_is_discrete_are_its_values(data):
    model = ds.Model([], {"x": "discrete([0.1234567, 3, 8])"})
    assert data.draw(testing.values_within(model))["x"] in (0.1234567, 3, 8)


def test_values_begin_with_the_points():
    from hypothesis import find

    one = ds.load_study("guosen-2025-01").select(scenario="100T")
    values = find(testing.values_within(one), lambda values: True)
    assert values == {name: a.point for name, a in one.assumptions.items()}


# Units


@given(unit=st.sampled_from([*UNITS, "CNY/kWh", "GB", "USD/card/hour", "kg*m", "kelvin"]), data=st.data())
def test_alternative_units_are_of_the_same_dimension(unit, data):
    powers = powers_of(unit)
    names = {d: data.draw(st.sampled_from(POOLS[d])) for d in powers}
    assert same_dimension(unit, written(powers, names))


def test_every_base_dimension_has_alternatives_and_the_first_is_the_base_unit():
    for dimension, (first, *others) in POOLS.items():
        assert registry()(first).to_base_units().magnitude == 1
        assert others
        assert all(powers_of(unit) == {dimension: 1} for unit in (first, *others))
