"""Units of equations: dimensions must agree, and values convert once at each border."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DimensionError

CARD_POWER = ds.constant(700, "W/card")


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    return peak_compute / (card_flops * utilization)


ASSUMED = {
    "peak_compute": ds.Assumption(dist.lognormal(500, 1200), unit="EFLOP/s"),
    "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
    "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1)),
}


def by_year(values, years=(2025, 2026, 2027)):
    return xr.DataArray(np.asarray(values, dtype=float), dims="year", coords={"year": list(years)})


PRICES = ds.Assumption(dist.lognormal(by_year([1, 2, 3]), by_year([4, 5, 6])), unit="CNY")


def test_a_wrong_dimension_names_the_equation_and_what_would_mend_it():
    with pytest.raises(DimensionError) as caught:
        ds.Model([cards], {**ASSUMED, "peak_compute": ds.Assumption(1e20, unit="FLOP")})
    assert str(caught.value) == (
        "equation 'cards' declares unit 'card' but returns 'card*s': "
        "peak_compute [FLOP] / (card_flops [FLOP/card/s] * utilization [1]). "
        "Did you mean peak_compute in FLOP/s?"
    )


@pytest.mark.parametrize("unit", ["CNY", "1", "card", "token", "USD/card", "CNY/card/year"])
def test_the_assumption_is_to_blame_and_not_what_is_computed(unit):
    model = ds.load_study("guosen-2025-01")
    with pytest.raises(DimensionError, match=r"Did you mean card_price in CNY/card\?$"):
        model.assume(card_price=ds.Assumption("lognormal(1, 2)", unit=unit))


def test_who_gave_a_unit_is_not_told_that_it_should_have_been_none():
    @ds.equation(unit="CNY")
    def capex(cards, card_price):
        return cards * card_price

    assumed = {"cards": ds.Assumption(10, unit="card"), "card_price": ds.Assumption(1e5, unit="CNY")}
    with pytest.raises(DimensionError, match=r"Did you mean card_price in CNY/card\?$"):
        ds.Model([capex], assumed)


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
