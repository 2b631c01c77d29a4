"""Growths and ratios as published, typed from the publications, recomputed from the shipped figures to the digit."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import series


def near(value, printed):
    """Whether a value rounds to what is printed, text by text."""
    digits = len(str(printed).partition(".")[2])
    return abs(float(value) - float(printed)) <= 0.5 * 10.0**-digits + 1e-12


# The report


def test_doubao_grew_33_times_in_the_report_and_417_since_its_launch():
    tokens = ds.load_series("doubao-daily-tokens").daily_tokens
    printed = ds.load_series("doubao-growth").multiple
    launch, december, a_year_on = (float(tokens.sel(date=day)) for day in ("2024-05-01", "2024-12-15", "2025-12-18"))
    assert int(december / launch) == 33 == printed.sel(segment="all")
    assert round(a_year_on / launch) == 417 == printed.sel(segment="all since launch")


def test_september_2025_is_80_percent_above_may():
    tokens = ds.load_series("doubao-daily-tokens")
    may, september = (tokens.daily_tokens.sel(date=day).item() for day in ("2025-05-31", "2025-09-30"))
    # "More than 80%": the figure of May is derived, and says so.
    assert tokens.qualifier.sel(date="2025-05-31") == "derived"
    assert 0.80 <= series.growth(september, may) < 0.85
    assert series.implied_earlier(september, 0.80) == pytest.approx(may, rel=0.02)


def test_the_chip_market_grows_at_the_printed_rate():
    market = ds.load_series("china-chip-market")
    first, last = (market.chip_market.sel(date=f"{year}-01-01").item() for year in (2023, 2025))
    assert (first, last) == (103.88e9, 178.0e9)
    assert near(100 * series.cagr(first, last, years=2), "30.9")
    assert market.cagr.sel(date="2025-01-01") == 30.9


def test_the_inference_share_of_2023_is_implied():
    share = ds.load_series("china-inference-share")
    before, now = share.inference_share.values
    assert (before, now) == (41.3, 67.7)
    assert near(now - share.growth_in_points.sel(date="2024-01-01"), before)


#: Company, capex in billions, growth on the year and on the quarter as printed; what they imply for 2023Q3 and
#: 2024Q2, by hand: 20.0 / 1.786 = 11.198 and so on.
IMPLIED = [
    ("us", "Microsoft", "20.0", "78.6", "5.3", 11.198, 18.993),
    ("us", "Google", "13.061", "62.15", "-0.95", 8.0549, 13.1863),
    ("us", "Amazon", "21.278", "88.33", "29.7", 11.2983, 16.4056),
    ("china", "Alibaba", "17.491", "239.63", "44.63", 5.1500, 12.0936),
    ("china", "Tencent", "17.094", "113.54", "95.83", 8.0051, 8.7290),
]


@pytest.mark.parametrize(
    ("country", "company", "capex", "on_year", "on_quarter", "before_year", "before_quarter"), IMPLIED
)
def test_growth_of_capex_implies_the_earlier_quarters(
    country, company, capex, on_year, on_quarter, before_year, before_quarter
):
    table = ds.load_series(f"{country}-cloud-capex").sel(company=company)
    assert table.capex.item() == float(f"{capex}e9")
    for growth, printed, by_hand in (
        (table.growth_on_year, on_year, before_year),
        (table.growth_on_quarter, on_quarter, before_quarter),
    ):
        assert growth.item() == float(printed)
        earlier = series.implied_earlier(table.capex, growth)
        assert float(earlier) / 1e9 == pytest.approx(by_hand, abs=6e-5 if capex != "20.0" else 6e-4)
        # From that value, given explicitly, the printed growth comes out again.
        assert near(100 * float(series.growth(table.capex.item(), round(by_hand * 1e9))), printed)


def test_microsofts_cash_capex_is_three_quarters_of_its_capex():
    table = ds.load_series("us-cloud-capex").sel(company="Microsoft")
    assert float(table.cash_capex / table.capex) == pytest.approx(0.745)
    assert float(series.implied_earlier(table.cash_capex, table.cash_growth_on_year)) / 1e9 == pytest.approx(
        9.887, abs=5e-4
    )


#: Users in millions and their growth on the month, as printed.
USERS = {
    "ChatGPT": ("287.25", "11.27"),
    "Doubao": ("59.98", "16.92"),
    "Nova": ("49.63", "5.67"),
    "ChatOn": ("28.84", "6.66"),
    "Remini": ("27.96", "-2.16"),
    "Character AI": ("26.88", "5.74"),
    "FaceApp": ("26.48", "0.20"),
    "Ask AI": ("26.35", "-7.16"),
    "Talkie AI": ("25.19", "22.14"),
    "Chatbot AI": ("23.1", "3.85"),
    "Wenxiaoyan": ("12.99", "3.33"),
    "Kimi": ("12.82", "27.40"),
    "Zhipu": ("6.37", "22.18"),
}


def test_users_are_as_printed_and_imply_those_of_october():
    table = ds.load_series("monthly-active-users")
    assert set(table["product"].values) == set(USERS)
    for name, (users, growth) in USERS.items():
        row = table.sel(product=name)
        assert row.active_users.item() == pytest.approx(float(users) * 1e6, rel=1e-15)
        assert row.growth_on_month.item() == float(growth)
        october = float(users) / (1 + float(growth) / 100)
        assert float(series.implied_earlier(row.active_users, row.growth_on_month)) == pytest.approx(october * 1e6)


def test_servers_of_china_grew_faster_than_those_of_the_world():
    table = ds.load_series("servers-shipped")
    np.testing.assert_allclose(table.servers, [10.4983e6, 3.1368e6])
    np.testing.assert_allclose(table.growth_on_year, [14.2, 18.83])
    earlier = series.implied_earlier(table.servers, table.growth_on_year)
    np.testing.assert_allclose(earlier, [9.19291e6, 2.63974e6], rtol=1e-5)
    assert table.servers[1] / table.servers[0] > earlier[1] / earlier[0]


@pytest.mark.parametrize("case", ["100T", "1000T"])
def test_the_reports_chain_is_the_point_of_its_study(case):
    printed = ds.load_series("report-chain").sel(case=case)
    point = ds.load_study("guosen-2025-01").point().sel(scenario=case)
    # A day is a unit in the study, and no quantity.
    assert printed.seconds_a_day == ds.convert(xr.DataArray(1.0, attrs={"units": "day"}), "s")
    for name, value in printed.drop_vars("seconds_a_day").data_vars.items():
        found = ds.convert(point["revenue" if name == "daily_revenue" else name], value.attrs["units"])
        digits = {
            "token_rate": 2,
            "peak_compute": 2,
            "cards": 2,
            "annualized_capex": 2,
            "token_price": 1,
            "daily_revenue": 1,
        }
        assert round(float(found), digits.get(name, 0)) == value.item(), name


# Errata


def errata(name):
    data = ds.load_series(name)
    stacked = data.misprint.stack(cell=data.misprint.dims)
    return stacked[stacked.notnull()]


@pytest.mark.parametrize(
    ("name", "variable", "label", "right", "wrong", "said"),
    [
        ("china-cloud-capex", "growth_on_quarter", {"company": "Tencent"}, 95.83, 95.3, "Fig. 6"),
        ("models", "activated_parameters", {"model": "DeepSeek-V3"}, 37e9, 3.7e9, "Fig. 43"),
    ],
)
def test_an_erratum_holds_what_is_right_and_what_is_printed(name, variable, label, right, wrong, said):
    row = ds.load_series(name).sel(variable=variable, **label)
    assert row[variable].item() == pytest.approx(right, rel=1e-15)
    assert row.misprint.item() == wrong
    assert said in row.erratum.item()


def test_the_printed_formula_gives_a_third_and_the_peak_ratio_mends_it():
    chain = ds.load_series("report-chain")
    parameters, rate = chain.activated_parameters, chain.daily_tokens / 86_400
    formula = 2 * parameters * rate / 100
    assert "leaves out the peak ratio of 3" in chain.erratum.sel(variable="peak_compute", case="100T").item()
    # What it gives is printed nowhere, and is no misprint.
    assert "misprint" not in chain.coords
    np.testing.assert_allclose(formula, [254.63, 2546.30], atol=0.005)
    np.testing.assert_allclose(formula * chain.peak_ratio, chain.peak_compute, atol=0.005)
    assert "989" in chain.erratum.sel(variable="card_flops", case="100T").item()


def test_tencents_two_growths_are_apart_by_more_than_rounding():
    (wrong,) = errata("china-cloud-capex").values
    right = ds.load_series("china-cloud-capex").growth_on_quarter.sel(company="Tencent").item()
    assert not near(right, wrong)
    # Google's are one number, rounded, and no erratum.
    google = ds.load_series("us-cloud-capex").sel(company="Google")
    assert near(google.capex / 1e9, "13.061")
    assert near(13.061, "13.1")
    assert "misprint" not in google.coords


# DeepSeek's day


@pytest.fixture(scope="module")
def day():
    return ds.load_series("deepseek-day").isel(date=0)


def test_the_day_costs_what_its_nodes_cost(day):
    cards = day.mean_nodes * day.node_size
    assert float(cards) == 1814
    assert float(cards * day.card_hour_price * 24) == pytest.approx(day.cost.item(), abs=0.5)
    assert near(day.peak_nodes / day.mean_nodes, "1.226")
    assert day.peak_ratio == 1.226


def test_the_day_earns_its_tokens_at_the_prices_of_r1(day):
    r1 = ds.load_series("token-prices-usd").sel(model="DeepSeek-R1")
    missed = day.input_tokens - day.cached_tokens
    revenue = (
        day.cached_tokens * r1.cached_price + missed * r1.input_price + day.output_tokens * r1.output_price
    ) / 1e6
    # Tokens are printed to billions: half a billion of output alone is worth 1,095 USD.
    assert abs(float(revenue) - day.revenue.item()) < 0.5e3 * (0.14 + 0.55 + 2.19)
    assert near(100 * series.growth(day.revenue.item(), day.cost.item()), "545")
    assert day.margin_on_cost == 545
    assert float(100 * day.cached_tokens / day.input_tokens) == pytest.approx(day.cached_share.item(), abs=0.06)


def test_the_utilization_of_the_day_follows_from_its_tokens(day):
    parameters = ds.load_series("models").activated_parameters.sel(model="DeepSeek-V3").item()
    peak = ds.load_series("hardware").fp8_flops.sel(hardware="H800").item() * 1e12
    usable = float(day.mean_nodes * day.node_size) * peak * 86_400
    computed = float(day.input_tokens - day.cached_tokens + day.output_tokens)
    assert near(100 * 2 * parameters * computed / usable, "10")
    assert near(100 * 2 * parameters * float(day.input_tokens + day.output_tokens) / usable, "18.5")
    assert (day.utilization.item(), day.utilization_with_cached.item()) == (10, 18.5)


@pytest.mark.parametrize(
    ("system", "hardware", "peak", "rate", "share", "printed"),
    [
        ("DeepSeek day, H800", "H800", "fp8_flops", "prefill_node_rate", "prefill_utilization", "34"),
        ("DeepSeek day, H800", "H800", "fp8_flops", "decode_node_rate", "decode_utilization", "6.9"),
        ("SGLang, H100", "H100", "fp8_flops", "prefill_node_rate", "prefill_utilization", "24"),
        ("SGLang, H100", "H100", "fp8_flops", "decode_node_rate", "decode_utilization", "10.4"),
        ("CloudMatrix384, Ascend 910C", "Ascend 910C", "int8_flops", "prefill_card_rate", "prefill_utilization", "33"),
        ("CloudMatrix384, Ascend 910C", "Ascend 910C", "int8_flops", "decode_card_rate", "decode_utilization", "9.6"),
    ],
)
def test_utilization_follows_from_measured_rates(system, hardware, peak, rate, share, printed):
    evidence = ds.load_series("utilization-evidence").sel(system=system)
    flops = ds.load_series("hardware")[peak].sel(hardware=hardware).item() * 1e12
    cards = 8 if "node" in rate else 1
    assert near(100 * 2 * 37e9 * evidence[rate].item() / (cards * flops), printed)
    assert evidence[share].item() == float(printed)
    assert evidence.qualifier.sel(variable=share) == "derived"


def test_the_decode_of_an_h200_takes_the_peak_of_an_h100():
    rate = ds.load_series("utilization-evidence").decode_card_rate.sel(system="vLLM, H200").item()
    assert near(100 * 2 * 37e9 * rate / 1979e12, "8.2")


def test_training_costs_its_card_hours():
    v3 = ds.load_series("models").sel(model="DeepSeek-V3")
    assert float(v3.training_card_hours * v3.card_hour_price) == pytest.approx(v3.training_cost.item())
    # The cost is printed; the hours are general knowledge, and say so.
    assert v3.status.sel(variable="training_cost") == "published"
    assert v3.status.sel(variable="training_card_hours") == "unverified"


# Others


def test_the_peak_minute_of_spring_festival_is_91e12_a_day():
    peaks = ds.load_series("peak-ratios").sel(trace="Doubao, eve of Spring Festival 2026")
    rate = ds.convert(peaks.peak_rate, "token/day")
    assert near(float(rate) / 1e12, "91")
    mean = ds.load_series("doubao-daily-tokens").daily_tokens.sel(date="2025-12-31")
    assert near(float(rate / mean), "1.4")
    assert peaks.peak_ratio == 1.4


def test_external_tokens_are_a_tenth_of_all():
    table = ds.load_series("china-external-tokens")
    external = table.tokens.sel(provider="all") * table.share.sel(provider="Volcano Engine") / 100 / 181
    assert near(float(external) / 1e12, "1.5")
    tokens = ds.load_series("doubao-daily-tokens").daily_tokens
    low, high = (float(external / tokens.sel(date=day)) for day in ("2025-05-31", "2024-12-15"))
    assert low < 0.13 < 0.15 < high < 0.40


def test_ratios_of_clusters_and_of_tokens():
    costs = ds.load_series("cluster-costs").isel(date=0)
    assert near(costs.server_cost_ratio / (1 - costs.interconnect_share / 100), "2.0")
    ratios = ds.load_series("input-output-ratios").input_output_ratio
    assert near(608 / 168, "3.6")
    assert ratios.sel(workload="DeepSeek day") == 3.6


def test_prices_are_in_one_unit():
    prices = ds.load_series("token-prices-cny").input_price
    assert prices.attrs["units"] == "CNY/Mtoken"
    # Printed per thousand tokens: 0.0008 and 0.003.
    np.testing.assert_allclose(prices.sel(model=["Doubao Pro", "Doubao vision"]), [0.8, 3.0])


def test_peaks_in_fp8_are_twice_those_in_bf16():
    hardware = ds.load_series("hardware")
    both = (hardware.fp8_flops / hardware.bf16_flops).dropna("hardware")
    assert set(both.hardware.values) == {"H800", "H100", "H20", "B200"}
    np.testing.assert_allclose(both, 2, rtol=2e-3)


def test_rents_of_h100_lie_where_rent_and_purchase_break_even():
    told = ds.load_series("infrastructure-2026")
    low, high = (told.break_even_rent.sel(told=f"rent or buy, {end}").item() for end in ("lower", "upper"))
    contracts = ds.load_series("h100-rent").card_hour_price.sel(date=["2025-10-01", "2026-03-01"])
    assert ((contracts > low) & (contracts < high)).all()


def test_memory_is_an_eighth_of_one_plan_and_v4_activates_a_thirtieth():
    plan = ds.load_series("infrastructure-2026").sel(told="one plan of a cloud")
    assert near(100 * float(plan.memory_and_storage / plan.planned_capex), "13")
    v4 = ds.load_series("models").sel(model=["DeepSeek-V4-Pro", "DeepSeek-V4-Flash"])
    assert [
        near(100 * float(share), text)
        for share, text in zip(v4.activated_parameters / v4.total_parameters, ("3.1", "4.6"), strict=True)
    ] == [True, True]
