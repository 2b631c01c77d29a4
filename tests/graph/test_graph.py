"""Equations: plain functions that find each other by name, with dimensions that must agree."""

import copy
import inspect
import itertools
import pickle

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations.inference import cards as shipped_cards
from demandsim.errors import CycleError, DimensionError, EquationError, MissingAssumptionError, UnitError
from demandsim.graph.graph import Graph

CARD_POWER = ds.constant(700, "W/card")
BOUGHT = ds.constant(12, "card")


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    """Cards needed to serve the peak: compute over usable compute per card.

    Source: Guosen, January 2025,
    Fig. 27.

    More follows.
    """
    return peak_compute / (card_flops * utilization)


@ds.equation(unit="MW")
def power(cards, card_power=CARD_POWER):
    return cards * card_power


ASSUMED = {
    "peak_compute": ds.Assumption(dist.lognormal(500, 1200), unit="EFLOP/s"),
    "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
    "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1)),
}


def by_year(values, years=(2025, 2026, 2027)):
    return xr.DataArray(np.asarray(values, dtype=float), dims="year", coords={"year": list(years)})


PRICES = ds.Assumption(dist.lognormal(by_year([1, 2, 3]), by_year([4, 5, 6])), unit="CNY")


def test_a_decorated_function_stays_a_plain_function():
    assert cards(1e18, 1e15, 0.5) == 2000.0
    assert cards(peak_compute=1e18, card_flops=1e15, utilization=np.array([0.5, 1.0])).tolist() == [2000.0, 1000.0]
    assert cards.__name__ == "cards"
    assert cards.__doc__.startswith("Cards needed")
    assert list(inspect.signature(cards).parameters) == ["peak_compute", "card_flops", "utilization"]


def test_label_and_source_come_from_the_docstring_unless_given():
    assert cards.long_name == "Cards needed to serve the peak"
    assert cards.source == "Guosen, January 2025, Fig. 27"
    assert power.long_name is None
    named = ds.equation(cards.function, unit="card", name="gpus", long_name="GPUs", source="me")
    assert (named.name, named.long_name, named.source) == ("gpus", "GPUs", "me")


def test_a_constant_is_a_float_in_base_units_that_a_model_may_replace():
    assert power(10.0) == 10.0 * 700
    model = ds.Model([cards, power], ASSUMED)
    point = model.point()
    assert point.power.item() == pytest.approx(point.cards.item() * 700 / 1e6)
    replaced = model.assume(card_power=ds.Assumption(1.4, unit="kW/card")).point()
    assert replaced.power.item() == pytest.approx(2 * point.power.item())
    assert "card_power = 700 W/card" in str(model.explain("power"))


def test_a_missing_quantity_names_the_equation_and_the_nearest():
    rest = {name: a for name, a in ASSUMED.items() if name != "utilization"}
    with pytest.raises(MissingAssumptionError, match=r"'cards' needs 'utilization'.*did you mean 'utilisation'"):
        ds.Model([cards], {**rest, "utilisation": 0.4})


def test_a_circle_is_shown_as_a_path():
    @ds.equation(unit="1")
    def a(c):
        return c

    @ds.equation(unit="1")
    def b(a):
        return a

    @ds.equation(unit="1")
    def c(b):
        return b

    with pytest.raises(CycleError) as caught:
        ds.Model([a, b, c], {})
    path = str(caught.value).rpartition(": ")[2].split(" -> ")
    assert path[0] == path[-1]
    assert sorted(path[1:]) == ["a", "b", "c"]
    # Each arrow goes from what is needed to what needs it, or the other way round, but all the same way.
    assert set(itertools.pairwise(path)) in (
        {("a", "b"), ("b", "c"), ("c", "a")},
        {("b", "a"), ("c", "b"), ("a", "c")},
    )


def test_a_quantity_has_one_origin():
    with pytest.raises(EquationError, match="two equations compute 'cards'"):
        ds.Model([cards, shipped_cards], ASSUMED)
    with pytest.raises(EquationError, match="'cards' is both an assumption and an equation"):
        ds.Model([cards], {**ASSUMED, "cards": 3})


def test_what_cannot_be_an_equation_says_why():
    with pytest.raises(EquationError, match=r"the default of 'price' has no unit; write price=ds.constant\(3, unit\)"):
        ds.equation(lambda price=3: price, unit="1", name="cost")
    with pytest.raises(EquationError, match=r"'\*prices' must be a plain name"):
        ds.equation(lambda *prices: 0, unit="1", name="cost")
    with pytest.raises(EquationError, match="identifier"):
        ds.equation(lambda price: price, unit="1")
    with pytest.raises(EquationError, match="not an equation; decorate"):
        ds.Model([cards.function], ASSUMED)
    with pytest.raises(UnitError, match="unknown unit 'gpu'"):
        ds.Model([ds.equation(cards.function, unit="gpu")], ASSUMED)


def test_the_order_puts_inputs_first_whatever_order_is_given():
    for given in ([cards, power], [power, cards]):
        graph = Graph.of(given, ASSUMED)
        assert graph.order == ("cards", "power")
        assert graph.ancestors(["power"]) == {"power", "cards", "card_power", *ASSUMED}
        assert graph.ancestors(["utilization"]) == {"utilization"}


@pytest.mark.parametrize("made", [cards, power, shipped_cards], ids=lambda made: made.reference)
def test_equations_pickle_and_copy(made):
    cloudpickle = pytest.importorskip("cloudpickle")
    arguments = [2.0] * sum(name not in made.constants for name in made.inputs)
    for found in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), cloudpickle.loads(cloudpickle.dumps(made))):
        assert (found.name, found.unit, found.inputs, found.long_name) == (
            made.name,
            made.unit,
            made.inputs,
            made.long_name,
        )
        assert found(*arguments) == made(*arguments)


def test_an_equation_from_inside_a_function_travels_by_cloudpickle():
    cloudpickle = pytest.importorskip("cloudpickle")

    @ds.equation(unit="W")
    def heat(cards, card_power=CARD_POWER):
        return cards * card_power

    found = cloudpickle.loads(cloudpickle.dumps(heat))
    assert found(10.0) == heat(10.0)
    assert repr(found.constants["card_power"]) == "700 W/card"
    model = ds.Model([heat], {"cards": ds.Assumption(dist.normal(10, 20), unit="card")})
    again = cloudpickle.loads(cloudpickle.dumps(model))
    xr.testing.assert_identical(again.simulate(draws=64, seed=1), model.simulate(draws=64, seed=1))


# Dimensions


def test_a_wrong_dimension_names_the_equation_and_what_would_mend_it():
    with pytest.raises(DimensionError) as caught:
        ds.Model([cards], {**ASSUMED, "peak_compute": ds.Assumption(1e20, unit="FLOP")})
    assert str(caught.value) == (
        "equation 'cards' declares unit 'card' but returns 'card*s': "
        "peak_compute [FLOP] / (card_flops [FLOP/card/s] * utilization [1]). "
        "Did you mean peak_compute in FLOP/s?"
    )


def test_a_sum_of_unlike_things_names_both_units():
    @ds.equation(unit="CNY/year")
    def margin(revenue, cost):
        return revenue - cost

    with pytest.raises(DimensionError, match=r"'margin' combines CNY/s with CNY.*Did you mean cost in CNY/s\?"):
        ds.Model([margin], {"revenue": ds.Assumption(1, unit="CNY/year"), "cost": ds.Assumption(1, unit="CNY")})


def test_currencies_do_not_mix_without_an_exchange_rate():
    @ds.equation(unit="CNY")
    def cost(price):
        return price

    with pytest.raises(DimensionError, match="declares unit 'CNY' but returns 'USD'"):
        ds.Model([cost], {"price": ds.Assumption(3, unit="USD")})

    @ds.equation(unit="CNY", name="cost")
    def exchanged(price, exchange_rate):
        return price * exchange_rate

    assumed = {"price": ds.Assumption(3, unit="USD"), "exchange_rate": ds.Assumption(7.2, unit="CNY/USD")}
    assert ds.Model([exchanged], assumed).point().cost.item() == pytest.approx(21.6)


def test_a_bare_number_in_a_sum_is_a_wrong_dimension():
    @ds.equation(unit="card")
    def spare(cards):
        return cards + 100

    with pytest.raises(DimensionError, match="'spare' combines card with 1"):
        ds.Model([spare], {"cards": ds.Assumption(1, unit="card")})


def test_an_exponent_must_be_a_number():
    @ds.equation(unit="1")
    def growth(years):
        return 2.0**years

    with pytest.raises(DimensionError, match="'growth'"):
        ds.Model([growth], {"years": ds.Assumption(1, unit="year")})


def test_functions_that_know_no_units_are_checked_by_changing_the_units():
    from scipy import special

    @ds.equation(unit="1")
    def chance(margin, spread):
        return xr.apply_ufunc(special.ndtr, margin / spread)

    assumed = {"margin": ds.Assumption(dist.normal(1, 2), unit="CNY"), "spread": ds.Assumption(1, unit="CNY")}
    assert ds.Model([chance], assumed).point().chance.item() == pytest.approx(special.ndtr(1.5))
    with pytest.raises(DimensionError, match=r"'chance' declares unit '1', but its result.*\[time\]"):
        ds.Model([chance], {**assumed, "spread": ds.Assumption(1, unit="CNY/year")})

    @ds.equation(unit="CNY", name="chance")
    def misdeclared(margin, spread):
        return np.where(margin > spread, margin, spread) / spread

    with pytest.raises(DimensionError, match=r"'chance' declares unit 'CNY'.*\[currency_cny\]"):
        ds.Model([misdeclared], assumed)


@pytest.mark.parametrize(
    "function",
    [
        lambda price, floor: np.maximum(price, floor),
        lambda price, floor: np.minimum(floor, price),
        lambda price, floor: xr.where(price > floor, price, floor),
        lambda price, floor: np.where(price > floor, price, floor),
        lambda price, floor: price.clip(floor),
        lambda price, floor: price.where(price > floor, 0),
        lambda price, floor: np.hypot(price, floor),
        lambda price, floor: (price * floor) ** 0.5,
        lambda price, floor: np.exp(-price / floor) * price,
        lambda price, floor: price.cumsum("year") - floor,
        lambda price, floor: price.shift(year=1).fillna(floor),
        lambda price, floor: price.rolling(year=2, min_periods=1).max() + floor,
        lambda price, floor: price.sel(year=2025) + price.isel(year=-1) - floor,
        lambda price, floor: price * (price.year - 2024) + floor,
    ],
)
def test_what_labelled_arrays_can_do_an_equation_can_do_with_units(function):
    made = ds.equation(function, unit="CNY", name="made")
    floor = ds.Assumption(dist.uniform(1, 3), unit="CNY")
    ds.Model([made], {"price": PRICES, "floor": floor}).simulate(draws=16, seed=1)
    with pytest.raises(DimensionError, match="'made'"):
        ds.Model([ds.equation(function, unit="CNY/year", name="made")], {"price": PRICES, "floor": floor})


def test_units_convert_once_on_the_way_in_and_once_on_the_way_out():
    @ds.equation(unit="token/s")
    def rate(daily):
        return daily

    model = ds.Model([rate], {"daily": ds.Assumption(dist.lognormal(1e14, 2e14), unit="token/day")})
    draws = model.simulate(draws=64, seed=1)
    np.testing.assert_allclose(draws.rate, draws.daily / 86_400, rtol=1e-15)


def test_a_fingerprint_changes_with_whatever_changes_the_numbers():
    def scaled(factor):
        return ds.equation(lambda x: factor * x, unit="1", name="scaled")

    def rated(rate):
        def heat(cards, rating=rate):
            return cards * rating

        return ds.equation(heat, unit="W")

    assert scaled(2).fingerprint == scaled(2).fingerprint != scaled(3).fingerprint
    assert rated(CARD_POWER).fingerprint == rated(ds.constant(700, "W/card")).fingerprint
    assert rated(CARD_POWER).fingerprint != rated(ds.constant(700.0001, "W/card")).fingerprint
    one, other = (ds.equation(f, unit="1", name="f") for f in (lambda x: x + 1, lambda x: x + 2))
    assert one.fingerprint != other.fingerprint


# Equations on labelled and on bare arrays


def simulated(*equations, **assumed):
    model = ds.Model(equations, assumed)
    return model, model.simulate(draws=256, chains=2, seed=4)


def test_labelled_operations_run_over_their_dim():
    @ds.equation(unit="CNY")
    def spent(price):
        return price.cumsum("year")

    @ds.equation(unit="CNY")
    def before(price):
        return price.shift(year=1, fill_value=0)

    @ds.equation(unit="CNY")
    def overall(price):
        return price.sum("year")

    @ds.equation(unit="1")
    def share(price, overall):
        return price / overall

    _, draws = simulated(spent, before, overall, share, price=PRICES)
    xr.testing.assert_allclose(draws.spent, draws.price.cumsum("year"))
    xr.testing.assert_allclose(draws.before, draws.price.shift(year=1, fill_value=0.0))
    xr.testing.assert_allclose(draws.overall, draws.price.sum("year"))
    assert draws.overall.dims == ("chain", "draw")
    assert draws.share.dims == ("chain", "draw", "year")
    np.testing.assert_allclose(draws.share.sum("year"), 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: x.sum("year"),
        lambda x, w: (x * w).mean("year"),
        lambda x, w: x.std("year"),
        lambda x, w: xr.dot(x, w, dim="year"),
        lambda x, w: (x / x.sum("year")).cumsum("year"),
        lambda x, w: np.exp(-x) ** 1.3 / np.log1p(w),
    ],
)
def test_sums_over_many_years_have_the_same_bits_in_blocks_of_any_size(function):
    # Numpy adds eight numbers and more in another order when it sees a single draw, as the last block may be.
    years = range(2024, 2041)
    level = by_year(np.linspace(1, 3, len(years)), years)
    made = ds.equation(function, unit="1", name="made")
    model = ds.Model([made], {"x": dist.lognormal(median=level, factor=2), "w": dist.uniform(level, level + 1)})
    whole = model.simulate(draws=33, chains=2, seed=1, design="random", block=1024).made
    for block in (1, 2, 3, 8, 65):
        parts = model.simulate(draws=33, chains=2, seed=1, design="random", block=block).made
        np.testing.assert_array_equal(parts, whole)


def test_a_shift_leaves_gaps_that_are_said():
    @ds.equation(unit="CNY")
    def before(price):
        return price.shift(year=1)

    model = ds.Model([before], {"price": PRICES})
    with pytest.raises(ds.DemandsimError, match="equation 'before' made NaN"):
        model.simulate(draws=16, seed=1)


def test_bare_and_labelled_runs_give_the_same_bits():
    def formula(price, growth, floor):
        return np.maximum(price * np.exp(growth) ** 1.5, floor) - np.sqrt(price * floor) / (1 + growth)

    bare = ds.equation(formula, unit="CNY", name="bare")

    @ds.equation(unit="CNY")
    def labelled(price, growth, floor):
        # Adding and removing a label-only step forces the labelled run of the same arithmetic.
        return formula(price.isel(year=slice(None)), growth, floor)

    model, draws = simulated(
        bare,
        labelled,
        price=PRICES,
        growth=dist.normal(mean=0, sd=0.1),
        floor=ds.Assumption(2.5, unit="CNY"),
    )
    assert {step.equation.name: step.elementwise for step in model.program.steps} == {"bare": True, "labelled": False}
    np.testing.assert_array_equal(draws.bare, draws.labelled)


def test_where_of_numpy_and_of_xarray_agree():
    @ds.equation(unit="1")
    def by_numpy(x, y):
        return np.where(x > y, x, y)

    @ds.equation(unit="1")
    def by_xarray(x, y):
        return xr.where(x > y, x, y)

    _, draws = simulated(by_numpy, by_xarray, x=dist.normal(mean=by_year([1, 2, 3]), sd=1), y=dist.normal(mean=2, sd=1))
    np.testing.assert_array_equal(draws.by_numpy, draws.by_xarray)
    np.testing.assert_array_equal(draws.by_xarray, np.maximum(draws.x, draws.y))
    assert draws.by_numpy.dims == ("chain", "draw", "year")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - x.mean(),
        lambda x: x / x.max(),
        lambda x: x.cumsum("draw"),
        lambda x: x.quantile(0.5, "draw", skipna=False).drop_vars("quantile") + 0 * x,
        lambda x: x.shift(draw=1, fill_value=0.0),
        lambda x: np.sort(x),
        lambda x: x[..., ::-1],
        lambda x: 0 * x + x.sizes["draw"],
        lambda x: np.sum(x),
        lambda x: x.isel(draw=0),
    ],
    ids=["mean", "max", "cumsum", "quantile", "shift", "sort", "reversed", "size", "sum", "first"],
)
def test_an_equation_that_mixes_draws_is_an_error_that_names_it(function):
    made = ds.equation(function, unit="1", name="leaky")
    with pytest.raises(EquationError, match="'leaky' mixes draws"):
        ds.Model([made], {"x": dist.normal(mean=0, sd=1)})


def test_an_equation_that_writes_into_its_input_cannot_spoil_the_others():
    @ds.equation(unit="1")
    def careless(x):
        x *= 2
        return x

    @ds.equation(unit="1")
    def later(careless, x):
        return x - careless

    with pytest.raises(ValueError, match="read-only"):
        ds.Model([careless, later], {"x": dist.normal(mean=0, sd=1)}).simulate(draws=16, seed=1)


def test_an_equation_may_return_an_input_as_it_is():
    @ds.equation(unit="1")
    def same(x):
        return x

    @ds.equation(unit="1")
    def shifted(same):
        return same + 1

    _, draws = simulated(same, shifted, x=dist.normal(mean=0, sd=1))
    np.testing.assert_array_equal(draws.same, draws.x)
    np.testing.assert_array_equal(draws.shifted, draws.x + 1)


def test_a_new_dim_is_an_error_that_says_where_dims_come_from():
    @ds.equation(unit="1")
    def spread(x):
        return x * xr.DataArray([1.0, 2.0], dims="region")

    with pytest.raises(EquationError, match="'spread' makes a new dim 'region'"):
        ds.Model([spread], {"x": dist.normal(mean=0, sd=1)})


def test_an_equation_that_drops_years_is_an_error():
    @ds.equation(unit="CNY")
    def later(price):
        return price.isel(year=slice(1, None))

    with pytest.raises(EquationError, match="'later' returns 2 values along 'year', which has 3"):
        ds.Model([later], {"price": PRICES})


def test_an_equation_that_fails_is_named_in_the_traceback():
    @ds.equation(unit="1")
    def broken(x):
        return x.nothing

    with pytest.raises(AttributeError) as caught:
        ds.Model([broken], {"x": dist.normal(mean=0, sd=1)})
    assert "in equation 'broken'" in getattr(caught.value, "__notes__", [])


def test_an_equation_without_inputs_is_a_sure_quantity():
    @ds.equation(unit="card")
    def stock(bought=BOUGHT):
        return bought

    _, draws = simulated(stock, x=dist.normal(mean=0, sd=1))
    np.testing.assert_array_equal(draws.stock, np.full((2, 256), 12.0))


def test_a_model_needs_neither_equations_nor_randomness():
    _, draws = simulated(x=dist.normal(mean=0, sd=1))
    assert list(draws.data_vars) == ["x"]
    _, draws = simulated(cards, **{name: ds.Assumption(a.point, a.unit) for name, a in ASSUMED.items()})
    assert np.unique(draws.cards).size == 1


def test_a_ratio_to_an_uncertain_power_passes_the_unit_check():
    @ds.equation(unit="token/day")
    def sold(base, price, reference, elasticity):
        return base * (price / reference) ** elasticity

    assumed = {
        "base": ds.Assumption(1e12, unit="token/day"),
        "price": ds.Assumption(2.0, unit="CNY/Mtoken"),
        "reference": ds.Assumption(1.0, unit="CNY/Mtoken"),
        "elasticity": ds.Assumption(dist.normal(mean=-1, sd=0.1)),
    }
    assert ds.Model([sold], assumed).point().sold.item() == pytest.approx(0.5e12)
    wrong = ds.equation(sold.function, unit="card")
    with pytest.raises(ds.DemandsimError, match="declares unit 'card' but returns 'token/s'"):
        ds.Model([wrong], assumed)


def test_an_equation_whose_file_has_changed_since_still_works(tmp_path):
    path = tmp_path / "changing.py"
    text = "def doubled(price):\n    return 2 * price\n"
    path.write_text(text, encoding="utf-8")
    namespace = {}
    exec(compile(text, path, "exec"), namespace)
    # An editor that is open on the file: what stands there now is half of a string.
    path.write_text('def doubled(price):\n    return "2 * price\n', encoding="utf-8")
    made = ds.equation(namespace["doubled"], unit="CNY")
    assert made.formula == "doubled(price)"
    assert made.fingerprint
    assert made(3) == 6
