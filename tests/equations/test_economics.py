"""Prices, revenue, break-even and investment: published numbers, closed forms, and units in a model."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import break_even, capacity, economics, fleet, inference, investment, ownership, prices
from demandsim.errors import DimensionError, InvalidDrawsError

YEARS = [2025, 2026, 2027, 2028]
YEAR = 365 * 86400.0
MILLION = 1e6


def by_year(*values):
    return xr.DataArray(np.array(values, float), dims="year", coords={"year": YEARS[: len(values)]})


def known(value, unit="1"):
    return ds.Assumption(value, unit)


def by_tier(*values):
    return xr.DataArray(np.array(values, float), dims="tier", coords={"tier": ["lite", "pro", "max"]})


# Prices


DEEPSEEK_DAY = {
    "input_tokens": known(608e9, "token/day"),
    "output_tokens": known(168e9, "token/day"),
    "daily_tokens": known(776e9, "token/day"),
    "cached_share": known(342 / 608),
    "input_price_usd": known(0.55, "USD/Mtoken"),
    "cached_price_usd": known(0.14, "USD/Mtoken"),
    "output_price_usd": known(2.19, "USD/Mtoken"),
    "exchange_rate": known(dist.uniform(7.0, 7.4), "CNY/USD"),
    "paid_share": known(1.0),
}
USD_PRICES = [prices.input_price_from_usd, prices.cached_price_from_usd, prices.output_price_from_usd]
SOLD = [prices.token_price_of_flows, economics.revenue]


def test_the_published_day_at_list_prices():
    draws = ds.Model([*USD_PRICES, *SOLD], DEEPSEEK_DAY).simulate(draws=64, seed=1)
    daily = (draws.revenue / draws.exchange_rate).values / 365
    # Published: 562,027 USD, from tokens before they were rounded to billions. Whatever the exchange rate.
    np.testing.assert_allclose(daily, 562_027, rtol=2e-4)
    np.testing.assert_allclose(daily, 266e3 * 0.55 + 342e3 * 0.14 + 168e3 * 2.19, rtol=1e-12)
    # All tokens of that day come to 0.72 USD per million.
    np.testing.assert_allclose(draws.token_price / draws.exchange_rate, 0.72, atol=0.005)


def test_currencies_do_not_mix_without_an_exchange_rate():
    dollars = DEEPSEEK_DAY | {f"{kind}_price": known(1.0, "USD/Mtoken") for kind in ("input", "cached", "output")}
    with pytest.raises(DimensionError, match="'token_price' declares unit 'CNY/Mtoken' but returns 'USD"):
        ds.Model(SOLD, dollars)


def test_tiers_add_up_whatever_the_weights():
    model = ds.Model(
        [prices.token_price_of_tiers, economics.revenue],
        {
            "tier_weight": known(dist.lognormal(by_tier(2, 1, 0.1), by_tier(9, 3, 1))),
            "tier_price": known(by_tier(0.3, 0.8, 8.0), "CNY/Mtoken"),
            "daily_tokens": known(1e14, "token/day"),
            "paid_share": known(0.4),
        },
    )
    draws = model.simulate(draws=64, seed=1)
    share = draws.tier_weight / draws.tier_weight.sum("tier")
    each = 1e14 * 365 * 0.4 * share * by_tier(0.3, 0.8, 8.0) / MILLION
    np.testing.assert_allclose(draws.revenue, each.sum("tier"), rtol=1e-12)
    assert float(draws.token_price.min()) >= 0.3
    assert float(draws.token_price.max()) <= 8.0


def test_the_decline_at_constant_quality_is_another_quantity():
    model = ds.Model(
        [
            prices.constant_quality_decline,
            prices.trading_up,
            prices.token_price_path,
        ],
        {
            "yearly_price_fold": known(dist.loguniform(9, 900)),
            "initial_price": known(1.5, "CNY/Mtoken"),
            "price_decline": known(0.1, "1/year"),
            "elapsed_time": known(by_year(0, 1), "year"),
        },
    )
    draws = model.simulate(draws=64, seed=1)
    np.testing.assert_allclose(np.exp(draws.constant_quality_decline), draws.yearly_price_fold, rtol=1e-12)
    # What a sold token costs hardly moves; buyers trade up for the rest.
    np.testing.assert_allclose(draws.token_price.isel(year=1), 1.5 * np.exp(-0.1), rtol=1e-12)
    np.testing.assert_allclose(draws.trading_up, np.log(draws.yearly_price_fold) - 0.1, rtol=1e-12)


def test_the_paid_share_of_published_sales():
    # IDC, first half of 2025: 536.7e12 external tokens in 181 days, 49.2% of them one provider's.
    sold = 536.7e12 * 0.492 / 181
    model = ds.Model(
        [economics.paid_share_of_sales],
        {"sold_tokens": known(sold, "token/day"), "daily_tokens": known(11e12, "token/day")},
    )
    assert model.point().paid_share.item() == pytest.approx(0.13, abs=0.005)


def test_tokens_answer_to_the_price():
    model = ds.Model(
        [prices.elastic_tokens, economics.revenue],
        {
            "reference_tokens": known(1e14, "token/day"),
            "reference_price": known(1.5, "CNY/Mtoken"),
            "token_price": known(0.75, "CNY/Mtoken"),
            "paid_share": known(0.4),
            "price_elasticity": known(dist.discrete([0.0, 1.0, 2.0])),
        },
    )
    draws = model.simulate(draws=64, seed=1)
    np.testing.assert_allclose(draws.daily_tokens, 1e14 * 2**draws.price_elasticity, rtol=1e-12)
    # At an elasticity of 1 the price does not change what is earned.
    at_one = draws.revenue.values[draws.price_elasticity.values == 1]
    np.testing.assert_allclose(at_one, 1e14 * 365 * 1.5e-6 * 0.4, rtol=1e-12)


# Break-even


FLEET = {
    "activated_parameters": known(110e9, "parameter"),
    "daily_tokens": known(1e14, "token/day"),
    "peak_ratio": known(3.0),
    "headroom": known(1.1),
    "availability": known(0.95),
    "card_flops": known(1979, "TFLOP/s/card"),
    "utilization": known(0.45),
    "token_price": known(1.5, "CNY/Mtoken"),
    "paid_share": known(0.40),
    "card_price": known(150e3, "CNY/card"),
    "useful_life": known(6, "year"),
}
CHAIN = [
    inference.flops_per_token,
    inference.token_rate,
    capacity.capacity_ratio,
    capacity.capacity_compute,
    capacity.cards_by_capacity,
    fleet.capex,
    fleet.annualized_capex,
    economics.revenue,
    economics.gross_margin,
    economics.margin_share,
    break_even.break_even_utilization,
    break_even.break_even_paid_share,
    economics.break_even_price,
]


@pytest.mark.parametrize("includes_peak", [0.0, 1.0])
def test_break_even_utilization_counts_the_peak_as_the_fleet_does(includes_peak):
    model = ds.Model(CHAIN, FLEET | {"utilization_includes_peak": known(includes_peak)})
    at = model.point()
    even = model.fix(utilization=float(at.break_even_utilization)).point()
    assert even.gross_margin.item() == pytest.approx(0, abs=1e-12 * even.revenue.item())
    assert even.margin_share.item() == pytest.approx(0, abs=1e-12)
    # Solved by hand: 2 N T r h / a / (F u) p / L = T price s.
    peak = 1.0 if includes_peak else 3.0
    capacity_ratio = peak * 1.1 / 0.95
    by_hand = 2 * 110e9 * capacity_ratio * 150e3 / (1979e12 * 6 * YEAR * 1.5e-6 * 0.4)
    assert at.break_even_utilization.item() == pytest.approx(by_hand, rel=1e-12)


def test_a_peak_that_utilization_includes_is_a_third_of_the_break_even():
    both = ds.Model(CHAIN, FLEET | {"utilization_includes_peak": known(0.0)}).with_scenarios(
        {"at the peak": {"utilization_includes_peak": 0.0}, "on average": {"utilization_includes_peak": 1.0}}
    )
    peak, mean = both.point().break_even_utilization.values
    assert peak / mean == pytest.approx(3.0, rel=1e-12)


TOTAL = [
    *CHAIN[:5],
    fleet.cards_in_service_at_once,
    ownership.installed_price,
    ownership.depreciation_at_once,
    ownership.card_energy_cost,
    ownership.energy_cost,
    ownership.datacenter_cost,
    ownership.maintenance_cost,
    ownership.operating_cost,
    ownership.total_cost_of_ownership,
    economics.revenue,
    economics.gross_margin_of_total_cost,
    economics.operating_profit,
    break_even.break_even_price_of_total_cost,
    break_even.break_even_paid_share_of_total_cost,
    break_even.break_even_utilization_of_total_cost,
    break_even.utilization_cover,
    break_even.contribution,
    break_even.break_even_tokens,
    break_even.fixed_cost_cover,
]
RICH = FLEET | {
    "utilization_includes_peak": known(1.0),
    "cluster_cost_ratio": known(2.0),
    "card_power": known(500, "W/card"),
    "server_power_ratio": known(1.8),
    "pue": known(1.2),
    "electricity_price": known(0.6, "CNY/kWh"),
    "datacenter_power_price": known(1000, "CNY/kW/year"),
    "maintenance_share": known(0.03, "1/year"),
    "fixed_cost": known(3e9, "CNY/year"),
}


@pytest.mark.parametrize(
    ("name", "even"),
    [
        ("token_price", "break_even_price"),
        ("paid_share", "break_even_paid_share"),
        ("utilization", "break_even_utilization"),
        ("daily_tokens", "break_even_tokens"),
    ],
)
def test_every_break_even_of_the_full_cost_leaves_no_profit(name, even):
    model = ds.Model(TOTAL, RICH | {"token_price": known(1.7, "CNY/Mtoken")})
    at = model.point()
    assert at.operating_profit.item() != 0
    there = model.fix(**{name: float(at[even])}).point()
    assert there.operating_profit.item() == pytest.approx(0, abs=1e-12 * there.revenue.item())
    assert there.utilization_cover.item() == pytest.approx(1, rel=1e-11)
    assert there.fixed_cost_cover.item() == pytest.approx(1, rel=1e-11)


def test_no_volume_breaks_even_where_each_token_loses_and_that_is_no_silent_number():
    model = ds.Model(TOTAL, RICH | {"token_price": known(dist.uniform(0.2, 2.0), "CNY/Mtoken")})
    with pytest.raises(InvalidDrawsError, match="break_even_tokens"):
        model.simulate(draws=64, seed=1)
    some = model.simulate(draws=64, seed=1, keep=["fixed_cost_cover", "contribution", "operating_profit"])
    loses = some.contribution <= 0
    assert 0 < loses.mean() < 1
    assert bool((some.fixed_cost_cover.where(loses, -1) <= 0).all())
    xr.testing.assert_equal(some.fixed_cost_cover.drop_attrs() >= 1, some.operating_profit.drop_attrs() >= 0)


def test_without_fixed_cost_the_full_account_is_the_plain_one():
    plain = {name: value for name, value in RICH.items() if name != "fixed_cost"}
    volume = ("break_even_tokens", "fixed_cost_cover")
    model = ds.Model([made for made in TOTAL if made.name not in volume], plain)
    at = model.point()
    assert at.operating_profit.item() == at.gross_margin.item()
    assert at.break_even_utilization.item() == pytest.approx(
        0.45 * at.total_cost_of_ownership.item() / at.revenue.item(), rel=1e-12
    )


# Investment


INVESTED = [
    investment.cash_flow,
    investment.cumulated_cash,
    investment.funding_need,
    investment.discount_factor,
    investment.earnings_discount_factor,
    investment.net_present_value,
    investment.pays_back,
    investment.payback_time,
]


def invested(earned, bought, rate=0.1, **more):
    return ds.Model(
        INVESTED,
        {
            "earnings": known(by_year(*earned), "CNY"),
            "purchase_capex": known(by_year(*bought), "CNY"),
            "discount_rate": known(rate, "1/year"),
            "elapsed_time": known(by_year(*range(len(earned))), "year"),
            **more,
        },
    )


@pytest.mark.parametrize(
    ("earned", "bought", "payback", "back", "need"),
    [
        ([50, 50, 50, 50], [100, 0, 0, 0], 2.0, 1, 100),
        ([40, 40, 40, 40], [100, 0, 0, 0], 2.5, 1, 100),
        ([150, 0, 0, 0], [100, 0, 0, 0], 2 / 3, 1, 100),
        ([10, 10, 10, 10], [100, 0, 0, 0], 4.0, 0, 100),
        ([25, 25, 25, 25], [100, 0, 0, 0], 4.0, 1, 100),
        ([10, 10, 10, 10], [0, 0, 0, 0], 0.0, 1, 0),
        ([-10, 40, 0, 0], [20, 0, 0, 0], 1.75, 1, 30),
        # Out of the red for a moment, before the second purchase: the first time counts.
        ([100, 10, 10, 10], [50, 100, 0, 0], 0.5, 1, 50),
        ([-10, -10, -10, -10], [5, 0, 0, 0], 4.0, 0, 45),
    ],
)
def test_payback_by_hand(earned, bought, payback, back, need):
    point = invested(earned, bought).point()
    assert point.payback_time.item() == pytest.approx(payback, rel=1e-12)
    assert point.pays_back.item() == back
    assert point.funding_need.item() == pytest.approx(need)


def test_present_value_by_the_convention_of_spreadsheets():
    # Microsoft's example of NPV: 10,000 paid now in place of a year ahead, 3,000, 4,200 and 6,800 at the years' ends.
    model = invested([3000, 4200, 6800, 0], [10_000, 0, 0, 0], earnings_delay=known(1, "year"))
    by_hand = 3000 / 1.1 + 4200 / 1.1**2 + 6800 / 1.1**3 - 10_000
    assert model.point().net_present_value.item() == pytest.approx(by_hand, rel=1e-12)
    # Which Excel, with all four a year later, prints as 1,188.44.
    assert by_hand / 1.1 == pytest.approx(1188.44, abs=0.005)


def test_cash_of_a_fleet_by_year():
    rates = {"revenue": 5e9, "operating_cost": 1e9, "fixed_cost": 1e9}
    model = ds.Model(
        [investment.earnings, *INVESTED],
        {
            **{name: known(by_year(value, value, 2 * value), "CNY/year") for name, value in rates.items()},
            "purchase_capex": known(by_year(6e9, 0, 3e9), "CNY"),
            "discount_rate": known(dist.uniform(0, 0.2), "1/year"),
            "elapsed_time": known(by_year(0, 1, 2), "year"),
        },
    )
    draws = model.simulate(draws=64, seed=1)
    np.testing.assert_allclose(draws.earnings[0, 0], [3e9, 3e9, 6e9], rtol=1e-12)
    np.testing.assert_allclose(draws.cumulated_cash[0, 0], [-3e9, 0, 3e9], rtol=1e-12, atol=1e-3)
    assert float(draws.net_present_value.min()) < float(draws.net_present_value.max()) <= 3e9


def test_a_year_that_is_no_number_is_not_left_out_of_a_sum():
    nothing = by_year(1.0, np.nan, 1.0)
    for made in (
        investment.net_present_value(nothing, 0 * nothing, 1.0, 1.0),
        investment.cumulated_cash(nothing).isel(year=-1),
        investment.funding_need(nothing, nothing),
        investment.pays_back(nothing, nothing),
        investment.payback_time(nothing, nothing, by_year(0, 1, 2)),
    ):
        assert np.isnan(made)


def test_blocks_chunks_and_threads_change_no_bit():
    model = invested([50, 50, 50, 50], [100, 0, 0, 0]).assume(
        earnings=dist.normal(by_year(-10, 0, 10, 10), by_year(60, 80, 90, 90))
    )
    one = model.simulate(draws=256, seed=1)
    xr.testing.assert_identical(model.simulate(draws=256, seed=1, threads=2, block=100), one)
    xr.testing.assert_equal(model.simulate(draws=256, seed=1, chunks=64).compute(), one.drop_vars("draw"))
    assert 0 < one.pays_back.mean() < 1
    assert set(np.unique(one.pays_back)) == {0.0, 1.0}
