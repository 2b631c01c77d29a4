"""What must hold of the report's chain whatever the numbers: physics, accounting, and the care of random numbers."""

import functools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.units import conversion_factor

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

factors = st.floats(0.05, 20)
#: How far each assumption is from the report's point.
worlds = st.fixed_dictionaries({name: st.floats(0.2, 2.0) for name in NAMES})


@functools.cache
def report():
    return ds.load_study("guosen-2025-01").select(scenario="100T")


def computed(world):
    """The chain at points that are moved from the report's, as plain floats in declared units."""
    points = {name: report().assumptions[name].point * world[name] for name in NAMES}
    points["daily_tokens"] = 1e14 * world["daily_tokens"]
    # With the scenario's own daily tokens taken away, since a scenario has the last word.
    base = report()._with(scenarios={})
    return {name: float(value) for name, value in base.fix(**points).point().data_vars.items()}


DEGREES = {
    "cards": {
        "daily_tokens": 1,
        "activated_parameters": 1,
        "peak_ratio": 1,
        "utilization": -1,
        "card_flops": -1,
        "token_price": 0,
        "paid_share": 0,
        "card_price": 0,
        "useful_life": 0,
    },
    "revenue": {
        "daily_tokens": 1,
        "token_price": 1,
        "paid_share": 1,
        # What the tokens earn has nothing to do with the hardware that makes them.
        "activated_parameters": 0,
        "peak_ratio": 0,
        "utilization": 0,
        "card_flops": 0,
        "card_price": 0,
        "useful_life": 0,
    },
    "annualized_capex": {"card_price": 1, "useful_life": -1, "daily_tokens": 1, "utilization": -1, "token_price": 0},
    # Demand cancels out of the break-even price: a bigger business is no cheaper per token.
    "break_even_price": {"daily_tokens": 0, "paid_share": -1, "card_price": 1, "utilization": -1, "token_price": 0},
    "revenue_to_cost": {"daily_tokens": 0, "token_price": 1, "utilization": 1, "useful_life": 1, "card_price": -1},
}


@settings(max_examples=8)
@given(world=worlds, factor=factors)
def test_every_result_is_homogeneous_in_every_assumption(world, factor):
    before = computed(world)
    for name in NAMES:
        after = computed({**world, name: world[name] * factor})
        for quantity, degrees in DEGREES.items():
            if name in degrees:
                assert after[quantity] == pytest.approx(before[quantity] * factor ** degrees[name], rel=1e-12)


@settings(max_examples=15)
@given(world=worlds, factor=st.floats(1.001, 20))
def test_margin_moves_the_way_that_the_business_does(world, factor):
    before = computed(world)["gross_margin"]
    better, worse = (
        ("token_price", "paid_share", "useful_life", "utilization", "card_flops"),
        ("card_price", "peak_ratio"),
    )
    for name in better:
        assert computed({**world, name: world[name] * factor})["gross_margin"] > before
    for name in worse:
        assert computed({**world, name: world[name] * factor})["gross_margin"] < before


@settings(max_examples=30)
@given(world=worlds)
def test_the_business_covers_its_compute_exactly_when_the_price_is_above_break_even(world):
    result = computed(world)
    # At the threshold itself the last bit decides.
    if abs(result["token_price"] / result["break_even_price"] - 1) > 1e-12:
        assert (result["gross_margin"] >= 0) == (result["token_price"] >= result["break_even_price"])
        assert (result["revenue_to_cost"] >= 1) == (result["gross_margin"] >= 0)
    assert result["gross_margin"] == pytest.approx(result["revenue"] - result["annualized_capex"])
    at_break_even = computed({**world, "token_price": result["break_even_price"] / 1.5})
    assert at_break_even["revenue_to_cost"] == pytest.approx(1, rel=1e-12)


def test_the_same_holds_draw_by_draw():
    draws = report().simulate(draws=1024, seed=3)
    covered, dear_enough = xr.broadcast(draws.gross_margin >= 0, draws.token_price >= draws.break_even_price)
    xr.testing.assert_equal(covered.drop_attrs(), dear_enough.drop_attrs())
    assert 0 < covered.mean() < 1


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


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_writing_an_assumption_in_another_unit_changes_no_result(data):
    base = report()._with(scenarios={})
    rewritten = {}
    for name, units in UNITS.items():
        assumption = base.assumptions[name]
        unit = data.draw(st.sampled_from([assumption.unit, *units]))
        factor = conversion_factor(assumption.unit, unit)
        low, high = (float(assumption.distribution.ppf(u)) * factor for u in (0.05, 0.95))
        rewritten[name] = ds.Assumption(dist.uniform(low, high), unit, point=assumption.point * factor)
    plain = {}
    for name in UNITS:
        assumption = base.assumptions[name]
        low, high = (float(assumption.distribution.ppf(u)) for u in (0.05, 0.95))
        plain[name] = ds.Assumption(dist.uniform(low, high), assumption.unit, point=assumption.point)
    one, other = base.assume(**plain), base.assume(**rewritten)
    xr.testing.assert_allclose(*(m.point().drop_vars(list(UNITS)) for m in (one, other)), rtol=1e-12)
    draws = [m.simulate(draws=64, seed=1).drop_vars(list(UNITS)) for m in (one, other)]
    # A margin is a difference of near equals: its error is measured against what was subtracted.
    tolerance = 1e-11 * float(abs(draws[0].revenue).max())
    for name in draws[0].data_vars:
        np.testing.assert_allclose(
            draws[1][name], draws[0][name], rtol=1e-11, atol=tolerance if name == "gross_margin" else 0
        )


@settings(max_examples=10)
@given(rate=st.floats(0.01, 1000))
def test_a_change_of_currency_changes_no_ratio(rate):
    base = report()
    priced = {
        name: base.assumptions[name].with_distribution(
            dist.lognormal(median=base.assumptions[name].point * rate, factor=2)
        )
        for name in ("token_price", "card_price")
    }
    same = {
        name: base.assumptions[name].with_distribution(dist.lognormal(median=base.assumptions[name].point, factor=2))
        for name in ("token_price", "card_price")
    }
    one, other = (base.assume(**named).simulate(draws=64, seed=1) for named in (same, priced))
    np.testing.assert_allclose(other.revenue_to_cost, one.revenue_to_cost, rtol=1e-9)
    np.testing.assert_allclose(other.revenue, one.revenue * rate, rtol=1e-9)
    np.testing.assert_array_equal(other.cards, one.cards)


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


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", ["aaa", "mmm", "zzz"])
def test_an_assumption_that_nothing_uses_changes_no_draw(design, name):
    study = report()
    before = study.simulate(draws=64, seed=1, design=design)
    extra = dist.uniform(0, 1)
    for after in (
        study.assume(**{name: extra}),
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
