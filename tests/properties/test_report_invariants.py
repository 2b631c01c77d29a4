"""What must hold of the report's chain whatever the numbers: physics, accounting, and the care of random numbers."""

import functools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.testing import (
    assert_bounded,
    assert_conserved,
    assert_homogeneous,
    assert_monotone,
    assert_unit_invariant,
)
from demandsim.units.convert import conversion_factor

DESIGNS = ["random", "latin_hypercube", "sobol"]
KEYED = ["random", "latin_hypercube"]
NAMES = (
    "activated_parameters",
    "daily_tokens",
    "peak_ratio",
    "card_flops",
    "utilization",
    "token_price",
    "paid_share",
    "card_price",
    "useful_life",
)


@functools.cache
def report():
    return ds.load_study("guosen-2025-01").select(scenario="100T")


@functools.cache
def anywhere():
    """The chain far from the report's points too: each assumption within a factor of 20, shares up to all."""
    laws = {name: dist.lognormal(median=report().assumptions[name].point, factor=20) for name in NAMES}
    shares = {name: dist.truncated(laws[name], lower=0, upper=1) for name in ("utilization", "paid_share")}
    return report().with_scenarios().assume(**laws | shares)


#: How far each assumption is from the report's point.
worlds = st.fixed_dictionaries(
    {name: st.floats(0.2, 2.0).map(lambda away, name=name: away * report().assumptions[name].point) for name in NAMES}
)
holds = {"values": worlds, "rtol": 1e-12, "max_examples": 15}


DEGREES = {
    "cards": {"daily_tokens": 1, "activated_parameters": 1, "peak_ratio": 1, "utilization": -1, "card_flops": -1},
    "revenue": {"daily_tokens": 1, "token_price": 1, "paid_share": 1},
    "annualized_capex": {"card_price": 1, "useful_life": -1, "daily_tokens": 1, "utilization": -1},
    # Demand cancels out of the break-even price: a bigger business is no cheaper per token.
    "break_even_price": {"daily_tokens": 0, "paid_share": -1, "card_price": 1, "utilization": -1},
    "revenue_to_cost": {"daily_tokens": 0, "token_price": 1, "utilization": 1, "useful_life": 1, "card_price": -1},
}


@pytest.mark.parametrize(("quantity", "name"), [(q, name) for q, degrees in DEGREES.items() for name in degrees])
def test_every_result_is_homogeneous_in_every_assumption(quantity, name):
    assert_homogeneous(anywhere(), quantity, by=name, degree=DEGREES[quantity][name], **holds)


@pytest.mark.parametrize("quantity", ["cards", "revenue"])
def test_what_is_sold_and_what_makes_it_know_nothing_of_each_other(quantity):
    assert report().graph.ancestors([quantity]) & set(NAMES) == DEGREES[quantity].keys()
    assert "token_price" not in report().graph.ancestors(["annualized_capex", "break_even_price"])


@pytest.mark.parametrize("name", ["token_price", "paid_share", "useful_life", "utilization", "card_flops"])
def test_margin_rises_with_what_is_good_for_the_business(name):
    assert_monotone(anywhere(), "gross_margin", by=name, direction="increasing", strict=True, **holds)


@pytest.mark.parametrize("name", ["card_price", "peak_ratio"])
def test_margin_falls_with_what_is_bad_for_the_business(name):
    assert_monotone(anywhere(), "gross_margin", by=name, direction="decreasing", strict=True, **holds)


def test_the_business_covers_its_compute_exactly_when_the_price_is_above_break_even():
    @ds.equation(unit="CNY**2/year/Mtoken")
    def dear_and_covered(gross_margin, token_price, break_even_price):
        return gross_margin * (token_price - break_even_price)

    @ds.equation(unit="CNY/year")
    def covered_and_in_profit(gross_margin, revenue_to_cost):
        return gross_margin * (revenue_to_cost - 1)

    both = anywhere().with_equations(dear_and_covered, covered_and_in_profit)
    # Of one sign, or one of them is nothing.
    assert_bounded(both, ["dear_and_covered", "covered_and_in_profit"], low=0, **holds)
    assert_conserved(both, total="revenue", parts=["gross_margin", "annualized_capex"], **holds)
    at_break_even = ds.equation(lambda break_even_price: break_even_price, unit="CNY/Mtoken", name="token_price")
    sold = {"values": worlds.map(lambda world: {name: x for name, x in world.items() if name != "token_price"})}
    assert_bounded(anywhere().with_equations(at_break_even), "revenue_to_cost", low=1, high=1, **holds | sold)


def test_the_same_holds_draw_by_draw():
    draws = report().simulate(draws=1024, seed=3)
    covered, dear_enough = xr.broadcast(draws.gross_margin >= 0, draws.token_price >= draws.break_even_price)
    xr.testing.assert_equal(covered.drop_attrs(), dear_enough.drop_attrs())
    assert 0 < covered.mean() < 1


def test_writing_an_assumption_in_another_unit_changes_no_result():
    assert_unit_invariant(report(), rtol=1e-12, max_examples=30)


UNITS = {
    "daily_tokens": ["token/s", "Mtoken/hour", "yi*token/year"],
    "token_price": ["CNY/token", "wan*CNY/Gtoken"],
    "card_flops": ["EFLOP/s/card", "FLOP/day/card"],
    "card_price": ["wan*CNY/card", "GCNY/card"],
    "useful_life": ["day", "second", "hour"],
    "activated_parameters": ["Gparameter", "yi*parameter"],
    "utilization": ["%"],
    "paid_share": ["%"],
}


def between(unit, name):
    """An assumption of the report as a uniform distribution, written in a unit."""
    given_ = report().assumptions[name]
    factor = conversion_factor(given_.unit, unit)
    low, high = (float(given_.distribution.ppf(u)) * factor for u in (0.05, 0.95))
    return ds.Assumption(dist.uniform(low, high), unit, point=given_.point * factor)


@settings(max_examples=8)
@given(chosen=st.fixed_dictionaries({name: st.sampled_from(units) for name, units in UNITS.items()}))
def test_nor_does_a_distribution_in_another_unit_change_a_draw(chosen):
    base = report().with_scenarios()
    plain = {name: between(base.assumptions[name].unit, name) for name in UNITS}
    rewritten = {name: between(unit, name) for name, unit in chosen.items()}
    one, other = (base.assume(**named) for named in (plain, rewritten))
    draws = [m.simulate(draws=64, seed=1).drop_vars(list(UNITS)) for m in (one, other)]
    # A margin is a difference of near equals: its error is measured against what was subtracted.
    tolerance = 1e-11 * float(abs(draws[0].revenue).max())
    for name in draws[0].data_vars:
        atol = tolerance if name == "gross_margin" else 0
        np.testing.assert_allclose(draws[1][name], draws[0][name], rtol=1e-11, atol=atol)


def test_a_change_of_currency_changes_no_ratio():
    prices = ["token_price", "card_price"]
    assert_homogeneous(anywhere(), "revenue_to_cost", by=prices, degree=0, **holds)
    assert_homogeneous(anywhere(), "gross_margin", by=prices, degree=1, **holds)
    assert not report().graph.ancestors(["cards"]) & set(prices)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_simulation_of_sure_values_is_the_point(design):
    study = ds.load_study("guosen-2025-01")
    sure = study.fix(**{name: study.assumptions[name].point for name in NAMES}).with_scenarios(
        {"100T": {"daily_tokens": 1e14}, "1000T": {"daily_tokens": 1e15}}
    )
    draws = sure.simulate(draws=4, chains=2, seed=1, design=design)
    point = study.point()
    for name, expected in point.data_vars.items():
        found, wanted = xr.broadcast(draws[name], expected)
        np.testing.assert_array_equal(found, wanted)


# Random numbers


@pytest.mark.parametrize("design", DESIGNS)
@settings(max_examples=8)
@given(data=st.data())
def test_draws_do_not_depend_on_the_order_in_which_a_model_is_written(design, data):
    study = report()
    assumptions = data.draw(st.permutations(list(study.assumptions.items())))
    equations = data.draw(st.permutations(list(study.equations.values())))
    turned = ds.Model(equations, dict(assumptions), scenarios=study.scenarios, notes=study.notes)
    plain = ds.Model(study.equations.values(), study.assumptions, scenarios=study.scenarios, notes=study.notes)
    one, other = (m.simulate(draws=32, chains=2, seed=1, design=design) for m in (plain, turned))
    xr.testing.assert_identical(other, one[list(other.data_vars)])


@pytest.mark.filterwarnings("ignore:no equation asks for")
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", ["aaa", "mmm", "zzz"])
def test_an_assumption_that_nothing_uses_changes_no_draw(design, name):
    study = report()
    before = study.simulate(draws=64, seed=1, design=design)
    extra = dist.uniform(0, 1)
    for after in (
        study.add(**{name: extra}),
        ds.Model(
            study.equations.values(),
            {name: extra, **study.assumptions},
            scenarios=study.scenarios,
            dimensions=study.dimensions,
        ),
    ):
        xr.testing.assert_equal(after.simulate(draws=64, seed=1, design=design).drop_vars(name), before)
    # And when nobody has said an order of dimensions, before or after.
    unsaid = ds.Model(study.equations.values(), study.assumptions, scenarios=study.scenarios)
    more = ds.Model(study.equations.values(), {name: extra, **study.assumptions}, scenarios=study.scenarios)
    xr.testing.assert_equal(
        more.simulate(draws=64, seed=1, design=design).drop_vars(name), unsaid.simulate(draws=64, seed=1, design=design)
    )


@pytest.mark.parametrize("design", KEYED)
@settings(max_examples=8)
@given(data=st.data())
def test_the_stream_of_an_assumption_is_keyed_by_its_name_alone(design, data):
    whole = {name: dist.normal(mean=place, sd=1) for place, name in enumerate("abcdef")}
    kept = data.draw(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))
    added = data.draw(st.lists(st.text("ghij", min_size=1, max_size=3), unique=True, max_size=3))
    one = ds.Model([], whole).simulate(draws=32, seed=5, design=design)
    some = {**{name: whole[name] for name in kept}, **{name: dist.uniform(0, 1) for name in added}}
    other = ds.Model([], some).simulate(draws=32, seed=5, design=design)
    xr.testing.assert_equal(other[kept], one[kept])


@pytest.mark.parametrize("design", DESIGNS)
@settings(max_examples=10)
@given(threads=st.integers(1, 4), block=st.integers(1, 200), chains=st.integers(1, 3))
def test_neither_threads_nor_blocks_change_a_bit(design, threads, block, chains):
    study = ds.load_study("guosen-2025-01-evidence")
    one = study.simulate(draws=64, chains=chains, seed=2, design=design, threads=1)
    other = study.simulate(draws=64, chains=chains, seed=2, design=design, threads=threads, block=block)
    xr.testing.assert_identical(other, one)


def test_a_longer_run_begins_with_the_shorter_one():
    # True of the designs whose points do not depend on how many there are.
    study = report()
    for design in ("random", "sobol"):
        short, long = (study.simulate(draws=n, chains=2, seed=2, design=design) for n in (64, 256))
        xr.testing.assert_equal(long.isel(draw=slice(64)), short)
    # And more chains leave the first ones as they are, in every design.
    for design in DESIGNS:
        few, many = (study.simulate(draws=64, chains=n, seed=2, design=design) for n in (2, 5))
        xr.testing.assert_equal(many.isel(chain=slice(2)), few)
