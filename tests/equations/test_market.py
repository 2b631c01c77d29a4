"""The fleet against the market and the providers' money, and the cross-check that says so in words."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import market
from demandsim.errors import DemandsimError, UnitError, UnknownNameError
from demandsim.series import load_series
from demandsim.series.cross_check import can_cross_check, cross_check, published_limits

YEARS = [2025, 2026, 2027]
FLAGS = [
    market.market_share_needed,
    market.exceeds_market,
    market.capex_share_needed,
    market.exceeds_capex,
    market.provider_chip_budget,
    market.chip_budget_share_needed,
    market.exceeds_chip_budget,
]


def by_year(*values):
    return xr.DataArray(np.array(values, float), dims="year", coords={"year": YEARS})


def known(value, unit="CNY/year", **more):
    return ds.Assumption(value, unit, **more)


@pytest.fixture(scope="module")
def report():
    return ds.load_study("guosen-2025-01").simulate(draws=512, seed=3)


@pytest.fixture(scope="module")
def yearly():
    """A fleet that grows faster than its market: spending in years, two scenarios."""
    return ds.Model(
        [market.chip_market, *FLAGS],
        {
            "chip_spending": known(dist.lognormal(by_year(50e9, 80e9, 120e9), by_year(200e9, 400e9, 800e9))),
            "initial_chip_market": known(178.0e9),
            "market_cagr": known(0.309, "1/year"),
            "elapsed_time": known(by_year(0, 1, 2), "year"),
            "provider_capex": known(dist.uniform(140e9, 170e9), long_name="ByteDance's capex"),
            "chip_share": known(85 / 160, "1"),
        },
    ).with_scenarios({"base": {}, "rich": {"provider_capex": 300e9}})


# Equations


def test_the_printed_growth_of_the_market():
    model = ds.Model(
        [market.market_cagr, market.chip_market],
        {
            "earlier_chip_market": known(103.88e9),
            "later_chip_market": known(178.0e9),
            "market_span": known(2, "year"),
            "initial_chip_market": known(103.88e9),
            "elapsed_time": known(by_year(0, 1, 2), "year"),
        },
    )
    point = model.point()
    assert point.market_cagr.item() == pytest.approx(0.309, abs=0.0005)
    assert point.chip_market.sel(year=2027).item() == pytest.approx(178.0e9, rel=1e-12)
    assert point.chip_market.sel(year=2026).item() == pytest.approx((103.88e9 * 178.0e9) ** 0.5, rel=1e-12)


def test_published_limits_are_the_published_figures():
    values = {name: limit.value / 1e9 for name, limit in published_limits().items()}
    assert values["China's AI chip market of 2025"] == 178.0
    assert values["ByteDance's capex of 2025"] == 150
    assert values["ByteDance's chip budget of 2026"] == 85
    assert values["the capex of Alibaba, Tencent and Baidu, 2024Q3 times 4"] == pytest.approx(144.92)
    assert all(limit.source and limit.unit == "CNY/year" for limit in published_limits().values())


def test_published_limits_are_those_of_the_series_that_ship():
    bytedance, clouds = load_series("bytedance-capex"), load_series("china-cloud-capex")
    quarter = clouds.capex.sel(company=["Alibaba", "Tencent", "Baidu"]).sum(skipna=False)
    expected = [
        load_series("china-chip-market").chip_market.sel(date="2025").item(),
        bytedance.capex.sel(date="2025").item(),
        bytedance.processor_capex.sel(date="2026").item(),
        4 * quarter.item(),
    ]
    assert [limit.value for limit in published_limits().values()] == pytest.approx(expected, rel=1e-12)


def test_a_shipped_series_is_a_limit_as_it_is(report):
    sales = load_series("china-chip-market").chip_market
    found = cross_check(report, "annualized_capex", {"the chip market": sales})
    over = (report.annualized_capex > 103.88e9).mean(["chain", "draw"])
    np.testing.assert_allclose(found.probability.sel(check="the chip market", date="2023-01-01"), over, rtol=1e-12)
    assert "of 1000T in 2023-01-01 (its worst date) exceeds the chip market" in found.attrs["verdict"]
    assert found.source.item().startswith("Guosen Securities")


def test_flags_are_their_shares_above_one(yearly):
    draws = yearly.simulate(draws=512, seed=2)
    pairs = {
        "exceeds_market": "market_share_needed",
        "exceeds_capex": "capex_share_needed",
        "exceeds_chip_budget": "chip_budget_share_needed",
    }
    for flag, share in pairs.items():
        np.testing.assert_array_equal(draws[flag], (draws[share] > 1).astype(float).broadcast_like(draws[flag]))
        assert 0 < float(draws[flag].mean()) < 1
    rich = draws.provider_chip_budget.sel(scenario="rich").isel(chain=0, draw=0)
    assert rich.item() == pytest.approx(300e9 * 85 / 160, rel=1e-12)


def test_a_flag_never_hides_what_is_no_number():
    assert np.isnan(market.exceeds_market(np.nan, 178e9))
    assert market.exceeds_market(178e9, 178e9) == 0
    assert market.exceeds_market(np.nextafter(178e9 * (1 + 1e-15), np.inf), 178e9) == 1


def test_spending_on_chips_by_the_fleet_there_is():
    one = {"capex": known(128.67e9, "CNY"), "build_time": known(2, "year")}
    built = ds.Model([market.chip_spending_of_build], one).point()
    assert built.chip_spending.item() == pytest.approx(128.67e9 / 2)
    kinds = xr.DataArray([1e5, 2e5], dims="hardware", coords={"hardware": ["H20", "H800"]})
    bought = {"cards_bought": known(kinds, "card"), "card_price": known(kinds / 2, "CNY/card")}
    whole = ds.Model([market.chip_spending_of_hardware], bought).point().chip_spending
    assert whole.item() == pytest.approx(2.5e10)


# The cross-check


def test_a_study_is_checked_without_any_equation(report):
    found = cross_check(report)
    assert found.check.values.tolist() == list(published_limits())
    assert found.probability.dims == ("check", "scenario")
    assert set(found.quantity.values) == {"annualized_capex"}
    for name, limit in published_limits().items():
        over = (report.annualized_capex > limit.value).mean(["chain", "draw"])
        np.testing.assert_allclose(found.probability.sel(check=name), over, rtol=1e-12)
        np.testing.assert_array_equal(found.limit.sel(check=name), limit.value)
    np.testing.assert_allclose(
        found.result.isel(check=0), report.annualized_capex.median(["chain", "draw"]), rtol=1e-12
    )
    assert bool((found.mcse > 0).all())
    lines = found.attrs["verdict"].splitlines()
    assert len(lines) == 8
    share = found.probability.sel(check="China's AI chip market of 2025", scenario="1000T").item()
    assert lines[1].startswith(
        f"Annual compute cost of 1000T exceeds China's AI chip market of 2025 in {share:.1%} of draws (MCSE "
    )
    assert lines[1].endswith("against 178 bn CNY/year")
    assert found.attrs["seed"] == 3


def test_the_chance_agrees_with_the_closed_form():
    # A lognormal against a sure limit.
    model = ds.Model([], {"chip_spending": known(dist.lognormal(50e9, 400e9, prob=0.9))})
    found = cross_check(model.simulate(draws=4096, seed=1), against={"the market": 178e9})
    spread = np.log(8) / (2 * stats.norm.ppf(0.95))
    expected = stats.norm.sf(np.log(178e9 / (50e9 * 8**0.5)) / spread)
    assert abs(found.probability.item() - expected) < 4 * found.mcse.item()


def test_indicators_of_a_model_are_read(yearly):
    draws = yearly.simulate(draws=256, seed=2)
    found = cross_check(draws)
    assert found.check.values.tolist() == ["exceeds_market", "exceeds_capex", "exceeds_chip_budget"]
    assert found.limit_name.values.tolist() == ["the chip market", "ByteDance's capex", "the provider's chip budget"]
    assert set(found.probability.dims) == {"check", "scenario", "year"}
    np.testing.assert_allclose(
        found.probability.sel(check="exceeds_capex"),
        draws.exceeds_capex.mean(["chain", "draw"]).transpose("scenario", "year"),
        rtol=1e-12,
    )
    market_line = found.attrs["verdict"].splitlines()[0]
    assert "in 2027 (its worst year) exceeds the chip market in" in market_line
    assert "of base" in found.attrs["verdict"]
    # The same as naming quantity and limit by hand.
    by_hand = cross_check(draws, "chip_spending", {"market": yearly.select(scenario="base").point().chip_market})
    np.testing.assert_allclose(
        by_hand.probability.sel(check="market"), found.probability.sel(check="exceeds_market", scenario="base")
    )


def test_an_indicator_of_ones_own_is_read_by_its_name():
    @ds.equation(unit="1")
    def exceeds_grid(power):
        """Needs more power than the grid has."""
        return np.heaviside(power - 3e8, 0.0)

    draws = ds.Model([exceeds_grid], {"power": known(dist.uniform(2e8, 4e8), "1")}).simulate(draws=256, seed=1)
    found = cross_check(draws)
    assert found.probability.item() == pytest.approx(0.5, abs=0.01)
    assert np.isnan(found.limit.item())
    assert found.attrs["verdict"].startswith("Needs more power than the grid has: in 50.0% of draws (MCSE")


def test_a_series_of_the_market_is_a_limit(report):
    series = xr.DataArray(
        [103.88, 178.0], dims="year", coords={"year": [2023, 2025]}, attrs={"units": "GCNY/year", "source": "a report"}
    )
    found = cross_check(report, against={"the chip market": series, "nothing": 0.0})
    assert found.source.values.tolist() == ["a report", ""]
    earlier, later = found.probability.sel(check="the chip market", scenario="1000T").values
    assert earlier == pytest.approx(float((report.annualized_capex.sel(scenario="1000T") > 103.88e9).mean()))
    assert earlier > later > 0
    lines = found.attrs["verdict"].splitlines()
    assert "of 1000T in 2023 (its worst year) exceeds the chip market" in lines[1]
    assert "of 100T exceeds nothing in every draw" in lines[2]


def test_lazy_draws_are_checked_without_loading_them(report):
    lazy = ds.load_study("guosen-2025-01").simulate(draws=512, seed=3, chunks=128)
    one, other = cross_check(report), cross_check(lazy)
    np.testing.assert_allclose(other.probability, one.probability, rtol=1e-12)
    np.testing.assert_allclose(other.result, one.result, rtol=1e-3)


def test_draws_that_are_no_numbers_are_left_out_and_counted():
    model = ds.Model(
        [market.exceeds_market],
        {
            "chip_spending": known(dist.uniform(-1e9, 1e9)),
            "chip_market": known(dist.discrete([0.0, 5e8], [0.25, 0.75])),
        },
    ).with_equations(ratio_of_spending)
    draws = model.simulate(draws=256, seed=1, on_invalid="keep")
    found = cross_check(draws)
    valid = np.isfinite(draws.exceeds_market)
    assert found.n_invalid.item() == int((~valid).sum()) > 0
    assert found.probability.item() == pytest.approx(float(draws.exceeds_market.mean()))
    assert "draws that are no numbers left out" in found.attrs["verdict"]


@ds.equation(unit="1", name="exceeds_market")
def ratio_of_spending(chip_spending, chip_market):
    """Above half of the market, where there is one."""
    return np.heaviside(np.sqrt(chip_spending / chip_market) - 1, 0.0)


def test_what_can_be_checked_by_default(report):
    assert can_cross_check(report)
    assert can_cross_check(report[["cards"]].assign(exceeds_grid=report.cards * 0))
    assert not can_cross_check(report[["cards", "revenue"]])
    dollars = report.annualized_capex.assign_attrs(units="USD/year")
    assert not can_cross_check(dollars.to_dataset(name="annualized_capex"))


def test_mistakes_are_named(report):
    gone = xr.DataArray([1.0], dims="scenario", coords={"scenario": ["100T"]})
    for call, error, message in [
        (lambda: cross_check(report[["cards"]]), DemandsimError, "nothing to check: no quantity is named exceeds_"),
        (lambda: cross_check(report, "annualised_capex"), UnknownNameError, "did you mean 'annualized_capex'"),
        (lambda: cross_check(report, "cards"), UnitError, "is in 'CNY/year', and 'cards' in 'card'"),
        (lambda: cross_check(report, against={}), DemandsimError, "name at least one limit"),
        (lambda: cross_check(report, against={"a": np.nan}), DemandsimError, "limit 'a' must be finite"),
        (lambda: cross_check(report, against={"a": "1e9"}), DemandsimError, "limit 'a' must be finite"),
        (lambda: cross_check(report, against={"a": gone}), DemandsimError, "limit 'a' has no scenario 1000T"),
        (lambda: cross_check(report.mean("draw")), DemandsimError, "no dim 'draw'"),
    ]:
        with pytest.raises(error, match=message):
            call()
