"""What must hold of prices, revenue, break-even, investment and market checks whatever the numbers."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize

import demandsim as ds
from demandsim.equations import break_even, economics, equation_named, investment, market, prices, shipped

YEAR = 365 * 86400.0
MONEY = st.floats(1e6, 1e12)
SHARE = st.floats(0.01, 0.99)
PRICE = st.floats(1e-8, 1e-4)
TOKENS = st.floats(1e3, 1e11)
RATE = st.floats(-0.5, 2.0)
FACTOR = st.floats(0.05, 20)


def labelled(values, dim="year"):
    return xr.DataArray(np.array(values, float), dims=dim, coords={dim: np.arange(len(values))})


def lists(of, least=1, most=8):
    return st.lists(of, min_size=least, max_size=most)


# One number, many numbers, labelled numbers


ROOMS = {"prices", "economics", "break_even", "investment", "market"}


def needs_dims(made):
    """Dims that an equation names, and that its inputs must have."""
    return [dim for dim in ("year", "tier", "hardware") if f"'{dim}'" in made.formula or f"{dim}=" in made.formula]


ELEMENTWISE = [
    made
    for reference, made in shipped().items()
    if reference.split(".")[0] in ROOMS - {"investment"} and not needs_dims(made)
] + [investment.earnings, investment.cash_flow, investment.discount_factor, investment.earnings_discount_factor]


TIMES = {"elapsed_time", "market_span", "build_time"}


@pytest.mark.parametrize("made", ELEMENTWISE, ids=lambda made: made.reference)
@settings(max_examples=10)
@given(data=st.data())
def test_floats_arrays_and_labels_give_the_same_numbers(made, data):
    names = [name for name in made.inputs if name not in made.constants]
    values = {name: data.draw(st.lists(st.floats(0.1, 0.9), min_size=3, max_size=3)) for name in names}
    with np.errstate(divide="ignore"):
        for name in TIMES & values.keys():
            values[name] = [value * YEAR for value in values[name]]
        single = [float(made(**{name: values[name][i] for name in names})) for i in range(3)]
        arrays = made(**{name: np.array(values[name]) for name in names})
        labels = made(**{name: labelled(values[name], "draw") for name in names})
    np.testing.assert_allclose(arrays, single, rtol=1e-14)
    assert isinstance(labels, xr.DataArray)
    np.testing.assert_array_equal(labels.values, arrays)


def test_most_equations_of_these_rooms_are_elementwise():
    assert len(ELEMENTWISE) > 30


@pytest.mark.parametrize("reference", sorted(n for n in shipped() if n.split(".")[0] in ROOMS))
def test_every_equation_says_what_it_is_and_closes_its_units(reference):
    made = equation_named(reference)
    assert made.long_name
    assert made.source
    assert ".. math::" in made.__doc__
    # In a model whose assumptions have the units that other equations declare for those quantities.
    needed = [name for name in made.inputs if name not in made.constants]
    model = ds.Model([made], {name: assumed(name, needs_dims(made)) for name in needed})
    draws = model.simulate(draws=16, chains=2, seed=1)
    assert draws[made.name].attrs["units"] == made.unit
    assert bool(np.isfinite(draws[made.name]).all())
    xr.testing.assert_equal(model.simulate(draws=16, chains=2, seed=1, block=5)[made.name], draws[made.name])


UNITS = {made.name: made.unit for made in shipped().values()} | {
    **dict.fromkeys(["input_tokens", "output_tokens", "daily_tokens", "sold_tokens", "reference_tokens"], "token/day"),
    **{f"{kind}_price_usd": "USD/Mtoken" for kind in ("input", "cached", "output")},
    **dict.fromkeys(["initial_price", "reference_price", "tier_price", "token_price"], "CNY/Mtoken"),
    **dict.fromkeys(["input_price", "cached_price", "output_price"], "CNY/Mtoken"),
    **dict.fromkeys(["price_decline", "discount_rate"], "1/year"),
    **dict.fromkeys(["initial_chip_market", "earlier_chip_market", "later_chip_market", "provider_capex"], "CNY/year"),
    **dict.fromkeys(["fixed_cost", "annualized_capex", "total_cost_of_ownership"], "CNY/year"),
    **dict.fromkeys(["elapsed_time", "build_time", "market_span"], "year"),
    "card_price": "CNY/card",
    "exchange_rate": "CNY/USD",
}


def assumed(name, needs):
    # What bounds hold apart: revenue is above what it leaves, all tokens are more than those sold.
    low, high = (1.0, 2.0) if name in ("revenue", "contribution", "earnings", "daily_tokens") else (0.2, 0.9)
    if name == "elapsed_time" and needs:
        return ds.Assumption(labelled([0.0, 1.0, 2.0], needs[0]), "year")
    if needs:
        steps = labelled([0.1, 0.2, 0.3], needs[0])
        return ds.Assumption(ds.distributions.uniform(low + steps, high + steps), UNITS.get(name, "1"))
    return ds.Assumption(ds.distributions.uniform(low, high), UNITS.get(name, "1"))


# Prices and revenue


@given(price=PRICE, rate=RATE, time=st.floats(0, 10), more=st.floats(0.1, 5))
def test_a_price_path_drifts_the_way_of_its_rate_and_forgets_where_it_was_cut(price, rate, time, more):
    path = prices.token_price_path
    first, whole = path(price, rate, time), path(price, rate, time + more)
    assert path(first, rate, more) == pytest.approx(whole, rel=1e-12)
    assert path(price, rate, 0.0) == price
    if abs(rate) > 1e-9:
        assert (whole < first) == (rate > 0)
    assert path(path(price, rate, time), -rate, time) == pytest.approx(price, rel=1e-12)


@given(
    flows=st.fixed_dictionaries({"input_tokens": TOKENS, "output_tokens": TOKENS}),
    cached=SHARE,
    priced=st.fixed_dictionaries(dict.fromkeys(("input_price", "cached_price", "output_price"), PRICE)),
    paid=SHARE,
)
def test_revenue_adds_up_over_its_parts(flows, cached, priced, paid):
    blended = prices.token_price_of_flows(**flows, cached_share=cached, **priced)
    daily = sum(flows.values())
    parts = [
        flows["input_tokens"] * (1 - cached) * priced["input_price"] * paid,
        flows["input_tokens"] * cached * priced["cached_price"] * paid,
        flows["output_tokens"] * priced["output_price"] * paid,
    ]
    assert economics.revenue(daily, blended, paid) == pytest.approx(sum(parts), rel=1e-12)
    assert min(priced.values()) * (1 - 1e-12) <= blended <= max(priced.values()) * (1 + 1e-12)


@given(weights=lists(st.floats(0.01, 10)), data=st.data(), daily=TOKENS, paid=SHARE, factor=FACTOR)
def test_revenue_adds_up_over_tiers_whatever_their_weights_add_up_to(weights, data, daily, paid, factor):
    each = data.draw(st.lists(PRICE, min_size=len(weights), max_size=len(weights)))
    weight, price = labelled(weights, "tier"), labelled(each, "tier")
    blended = prices.token_price_of_tiers(weight, price).item()
    by_hand = sum(daily * w / sum(weights) * p * paid for w, p in zip(weights, each, strict=True))
    assert economics.revenue(daily, blended, paid) == pytest.approx(by_hand, rel=1e-12)
    assert prices.token_price_of_tiers(factor * weight, price).item() == pytest.approx(blended, rel=1e-12)


@given(tokens=TOKENS, price=PRICE, cut=st.floats(0.1, 0.9), elasticity=st.floats(0, 3))
def test_a_lower_price_earns_more_exactly_where_demand_is_elastic(tokens, price, cut, elasticity):
    assume(abs(elasticity - 1) > 1e-6)
    more = prices.elastic_tokens(tokens, cut * price, price, elasticity)
    assert prices.elastic_tokens(tokens, price, price, elasticity) == tokens
    assert more >= tokens * (1 - 1e-12)
    assert (economics.revenue(more, cut * price, 0.5) > economics.revenue(tokens, price, 0.5)) == (elasticity > 1)


# Break-even


BUSINESS = st.fixed_dictionaries(
    {
        "daily_tokens": TOKENS,
        "token_price": PRICE,
        "paid_share": SHARE,
        "utilization": SHARE,
        "token_compute_cost": PRICE,
        "fixed_share": st.floats(0, 0.9),
    }
)


def profit(business, **changes):
    """A business whose fleet cost goes with tokens and against utilization, written out by hand."""
    b = business | changes
    revenue = b["daily_tokens"] * b["token_price"] * b["paid_share"]
    cost = b["daily_tokens"] * b["token_compute_cost"] * business["utilization"] / b["utilization"]
    at_first = business["daily_tokens"] * business["token_price"] * business["paid_share"]
    fixed = business["fixed_share"] * at_first
    return revenue - cost - fixed, revenue, cost, fixed


@given(business=BUSINESS)
def test_nothing_is_left_at_a_break_even(business):
    _, revenue, cost, fixed = profit(business)
    daily, price, paid, use = (business[n] for n in ("daily_tokens", "token_price", "paid_share", "utilization"))
    contribution = break_even.contribution(revenue, cost, daily)
    found = {
        "token_price": break_even.break_even_price_of_total_cost(cost, daily, paid, fixed),
        "paid_share": break_even.break_even_paid_share_of_total_cost(cost, daily, price, fixed),
        "utilization": break_even.break_even_utilization_of_total_cost(use, cost, revenue, fixed),
    }
    # Above 1e-6: below it the difference of near equals that it divides by has no digits left.
    if fixed > 1e-6 * revenue and contribution * daily > 1e-2 * revenue:
        found["daily_tokens"] = break_even.break_even_tokens(contribution, fixed)
    for name, value in found.items():
        left, earned, spent, _ = profit(business, **{name: value})
        assert abs(left) <= 1e-12 * max(earned, spent, fixed) * (10 if name == "daily_tokens" else 1), name
    # The simple one is the same without fixed cost.
    plain = break_even.break_even_utilization(use, cost, revenue)
    assert plain == pytest.approx(break_even.break_even_utilization_of_total_cost(use, cost, revenue), rel=1e-14)
    assert break_even.utilization_cover(cost, revenue) == pytest.approx(use / plain, rel=1e-12)
    share = break_even.break_even_paid_share(cost, daily, price)
    assert economics.gross_margin(economics.revenue(daily, price, share), cost) == pytest.approx(0, abs=1e-12 * cost)


@given(business=BUSINESS)
def test_being_on_the_good_side_of_a_break_even_is_a_profit(business):
    left, revenue, cost, fixed = profit(business)
    assume(abs(left) > 1e-9 * max(revenue, cost))
    good = left > 0
    assert (break_even.utilization_cover(cost, revenue, fixed) > 1) == good
    with np.errstate(divide="ignore"):
        needed = break_even.break_even_utilization_of_total_cost(business["utilization"], cost, revenue, fixed)
    assert (business["utilization"] > needed) == good
    assert needed > 0
    assert (economics.operating_profit(economics.gross_margin_of_total_cost(revenue, cost), fixed) > 0) == good
    if fixed > 0:
        contribution = break_even.contribution(revenue, cost, business["daily_tokens"])
        cover = break_even.fixed_cost_cover(contribution, business["daily_tokens"], fixed)
        assert (cover > 1) == good
        with np.errstate(divide="ignore"):
            volume = break_even.break_even_tokens(contribution, fixed)
        # Never a negative number of tokens: none is enough where each of them loses.
        assert volume > 0
        assert np.isinf(volume) == (contribution <= 0)


@given(tokens=TOKENS, price=PRICE, paid=SHARE, cost=MONEY, factor=FACTOR)
def test_break_evens_are_homogeneous(tokens, price, paid, cost, factor):
    before = break_even.break_even_price_of_total_cost(cost, tokens, paid)
    assert break_even.break_even_price_of_total_cost(factor * cost, factor * tokens, paid) == pytest.approx(before)
    assert break_even.break_even_price_of_total_cost(factor * cost, tokens, paid) == pytest.approx(factor * before)
    share = break_even.break_even_paid_share(cost, tokens, price)
    assert break_even.break_even_paid_share(factor * cost, tokens, factor * price) == pytest.approx(share)


# Investment


#: Earnings and purchases of the years, in whole yuan, so that sums are exact.
FLOWS = lists(st.tuples(st.integers(-1000, 10_000), st.integers(0, 10_000)))


def plan(flows):
    earned, bought = (labelled(column) for column in zip(*flows, strict=True))
    cumulated = investment.cumulated_cash(investment.cash_flow(earned, bought))
    return earned, bought, cumulated, labelled(np.arange(len(flows))) * YEAR


def worth(earned, bought, times, rate, delay=0.5):
    late = investment.earnings_discount_factor(rate / YEAR, times, delay * YEAR)
    return investment.net_present_value(earned, bought, late, investment.discount_factor(rate / YEAR, times)).item()


@given(flows=FLOWS, rate=st.floats(-0.3, 1.0), delay=st.sampled_from([0.0, 0.5, 1.0]))
def test_present_value_is_the_sum_written_out(flows, rate, delay):
    earned, bought, cumulated, times = plan(flows)
    scale = float(abs(earned).sum() + bought.sum()) * (1 + abs(rate)) ** 8 * 2
    by_hand = sum(e / (1 + rate) ** (k + delay) - b / (1 + rate) ** k for k, (e, b) in enumerate(flows))
    assert worth(earned, bought, times, rate, delay) == pytest.approx(by_hand, rel=1e-12, abs=1e-12 * scale)
    assert worth(earned, bought, times, 0.0, delay) == pytest.approx(cumulated.values[-1], abs=1e-12 * scale)


@given(paid=st.floats(1e6, 1e9), share=st.floats(0.15, 3), years=st.integers(2, 12))
def test_present_value_vanishes_at_the_internal_rate_of_return(paid, share, years):
    # A level annuity: the rate that an independent root finder takes from its closed form.
    income = share * paid * 2 / years
    earned, bought, _, times = plan([(income, paid if year == 0 else 0.0) for year in range(years)])

    def annuity(rate):
        return paid - income * (years if rate == 0 else (1 - (1 + rate) ** -years) / rate)

    assume(annuity(-0.9) < 0 < annuity(50.0))
    rate = optimize.brentq(annuity, -0.9, 50.0, xtol=1e-14, rtol=1e-14)
    scale = income * years * max(1.0, (1 + rate) ** -years)
    assert abs(worth(earned, bought, times, rate, delay=1.0)) <= 1e-9 * scale


@given(flows=FLOWS, factor=FACTOR, rate=st.floats(0, 0.5))
def test_present_value_is_linear_and_payback_is_free_of_scale(flows, factor, rate):
    earned, bought, cumulated, times = plan(flows)
    scale = float(abs(earned).sum() + bought.sum()) + 1
    before = worth(earned, bought, times, rate)
    assert worth(factor * earned, factor * bought, times, rate) == pytest.approx(
        factor * before, abs=1e-11 * factor * scale
    )
    # Another power of two, so that where cash touches zero no last bit decides.
    for power in (0.25, 8.0):
        scaled = power * cumulated, power * earned
        assert investment.payback_time(*scaled, times) == investment.payback_time(cumulated, earned, times)
        assert investment.pays_back(*scaled) == investment.pays_back(cumulated, earned)
        assert investment.funding_need(*scaled) == power * investment.funding_need(cumulated, earned)


@given(flows=FLOWS)
def test_payback_is_where_cash_comes_out_of_the_red(flows):
    earned, _, cumulated, times = plan(flows)
    time = investment.payback_time(cumulated, earned, times).item() / YEAR
    back = investment.pays_back(cumulated, earned).item()
    assert 0 <= time <= len(flows)
    # Cash at the start and end of each year, followed by hand.
    expected, paid_back = float(len(flows)), 0.0
    have = 0.0
    for year, (income, spent) in enumerate(flows):
        start, have = have - spent, have - spent + income
        if start >= 0 or have >= 0:
            expected, paid_back = year + (0.0 if start >= 0 else -start / (have - start)), 1.0
            break
    assert back == paid_back
    assert time == pytest.approx(expected, rel=1e-12)
    need = investment.funding_need(cumulated, earned).item()
    assert need >= 0
    assert need >= -float(cumulated.min()) - 1e-6
    if back == 0:
        assert need > 0


@given(flows=FLOWS, data=st.data())
def test_payback_comes_no_later_when_more_is_earned_or_less_is_paid(flows, data):
    better = [(e + data.draw(st.integers(0, 1000)), data.draw(st.integers(0, b))) for e, b in flows]
    times = plan(flows)[3]
    (earned, _, cash, _), (more, _, richer, _) = plan(flows), plan(better)
    slower, faster = (investment.payback_time(a, e, times).item() for a, e in ((cash, earned), (richer, more)))
    assert faster <= slower * (1 + 1e-12)
    assert investment.pays_back(richer, more) >= investment.pays_back(cash, earned)
    assert investment.funding_need(richer, more) <= investment.funding_need(cash, earned)


# Market


@given(spending=MONEY, limit=MONEY, factor=FACTOR)
def test_a_flag_is_its_share_above_one(spending, limit, factor):
    for flag, share in (
        (market.exceeds_market, market.market_share_needed),
        (market.exceeds_capex, market.capex_share_needed),
        (market.exceeds_chip_budget, market.chip_budget_share_needed),
    ):
        assert flag(spending, limit) == (share(spending, limit) > 1)
        assert share(factor * spending, factor * limit) == pytest.approx(share(spending, limit), rel=1e-12)
        assert flag(spending * (1 + factor), spending) == 1
        assert flag(spending, spending) == 0


@given(earlier=MONEY, growth=st.floats(0.2, 5), span=st.floats(0.5, 10))
def test_the_market_grows_from_one_published_year_to_the_other(earlier, growth, span):
    later = earlier * growth
    rate = market.market_cagr(earlier, later, span * YEAR)
    assert market.chip_market(earlier, rate, span * YEAR) == pytest.approx(later, rel=1e-9)
    assert market.chip_market(earlier, rate, 0.0) == earlier
    assert (rate > 0) == (later > earlier)
