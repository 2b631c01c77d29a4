"""Capacity, fleet, hardware, ownership: closed forms, published magnitudes, units, and what is refused."""

import math

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import capacity, equation_named, fleet, hardware, ownership, shipped
from demandsim.errors import DemandsimError, DimensionError, EquationError, InvalidDrawsError

YEARS = [2025, 2026, 2027, 2028, 2029, 2030]
KINDS = ["H20", "Ascend 910C", "ASIC"]
ROOMS = ("capacity", "fleet", "hardware", "ownership")


def by_year(values, years=YEARS):
    return xr.DataArray(np.asarray(values, float), coords={"year": years}, dims="year")


def by_kind(values):
    return xr.DataArray(np.asarray(values, float), coords={"hardware": KINDS}, dims="hardware")


def named(*references):
    return [equation_named(reference) for reference in references]


def sure(value, unit="1"):
    return ds.Assumption(dist.constant(value), unit=unit)


COHORTS = named("fleet.cards_bought", "fleet.cards_surviving", "fleet.cards_in_service", "fleet.cards_retired")


def plain(**changes):
    """A fleet of one kind of card."""
    given = {
        "elapsed_time": sure(by_year(range(6)), "year"),
        "cards_required": sure(by_year([100, 150, 150, 120, 160, 200]), "card"),
        "useful_life": sure(3.0, "year"),
        **changes,
    }
    return ds.Model([*COHORTS, *named("fleet.unmet_cards")], given)


def mixed(**changes):
    """A fleet of three kinds that share one demand."""
    equations = named(
        "hardware.cards_bought_by_mix",
        "hardware.usable_flops",
        "hardware.compute_surviving",
        "hardware.compute_in_service",
        "hardware.unmet_compute",
        "hardware.unmet_cards_of_mix",
        "hardware.served_share",
    )
    given = {
        "elapsed_time": sure(by_year(range(6)), "year"),
        "capacity_compute": sure(by_year([1, 2, 3, 4, 5, 6]), "EFLOP/s"),
        "hardware_share": sure(by_kind([0.5, 0.5, 0.0])),
        "card_flops": sure(by_kind([296, 1504, 900]), "TFLOP/s/card"),
        "utilization": sure(0.25),
        "useful_life": sure(3.5, "year"),
        **changes,
    }
    return ds.Model([*equations, *COHORTS[1:]], given)


# Capacity


def test_a_peak_is_counted_once():
    model = ds.Model(
        named("capacity.capacity_ratio", "capacity.capacity_compute", "capacity.cards_by_capacity"),
        {
            "flops_per_token": sure(74e9, "FLOP/token"),
            "token_rate": sure(1e9, "token/s"),
            "peak_ratio": sure(1.5),
            "headroom": sure(1.2),
            "availability": sure(0.9),
            "utilization_includes_peak": sure(0),
            "card_flops": sure(1979, "TFLOP/s/card"),
            "utilization": sure(0.15),
        },
    )
    mean_cards = 74e9 * 1e9 / (1979e12 * 0.15)
    found = model.point()
    assert found.cards.item() == pytest.approx(mean_cards * 1.5 * 1.2 / 0.9)
    # The switch stands in the result, with all that was assumed.
    assert found.utilization_includes_peak.item() == 0
    included = model.assume(utilization_includes_peak=1).point()
    assert included.cards.item() == pytest.approx(mean_cards * 1.2 / 0.9)


@pytest.mark.parametrize("switch", [0.5, -1, 2, 1 - 1e-9])
def test_a_switch_that_is_neither_on_nor_off_is_reported(switch):
    given = {
        "peak_ratio": "lognormal(median=1.5, factor=1.2, prob=0.9)",
        "headroom": 1.1,
        "availability": 0.95,
        "utilization_includes_peak": switch,
    }
    model = ds.Model(named("capacity.capacity_ratio"), given)
    with pytest.raises(InvalidDrawsError, match=r"'capacity_ratio' made NaN .* utilization_includes_peak = "):
        model.simulate(draws=16, seed=1)
    assert math.isnan(model.point().capacity_ratio)


def test_one_may_be_unsure_which_kind_of_utilization_was_published():
    model = ds.Model(
        named("capacity.capacity_ratio"),
        {
            "peak_ratio": 2.0,
            "headroom": 1.0,
            "availability": 1.0,
            "utilization_includes_peak": "discrete([0, 1], [0.25, 0.75])",
        },
    )
    ratio = model.simulate(draws=1024, seed=1).capacity_ratio
    assert set(np.unique(ratio)) == {1.0, 2.0}
    assert ratio.mean().item() == pytest.approx(1.25, abs=0.005)


def test_capacity_is_the_same_for_numbers_arrays_and_labels():
    peak, switch = np.array([1.5, 3.0, 2.0]), np.array([0.0, 1.0, 0.0])
    bare = capacity.capacity_ratio(peak, 1.2, 0.9, switch)
    labelled = capacity.capacity_ratio(xr.DataArray(peak), 1.2, 0.9, xr.DataArray(switch))
    single = [float(capacity.capacity_ratio(p, 1.2, 0.9, s)) for p, s in zip(peak, switch, strict=True)]
    np.testing.assert_array_equal(bare, labelled)
    np.testing.assert_array_equal(bare, single)


def test_deepseek_lent_its_nodes_at_night():
    # 278 nodes at the peak, 226.75 in the mean (open-infra-index, day 6).
    idle = capacity.idle_cards(cards=278 * 8, peak_ratio=278 / 226.75, headroom=1.0, availability=1.0)
    assert idle == pytest.approx((278 - 226.75) * 8)
    assert capacity.lent_cards(idle, 0.5) == pytest.approx(idle / 2)


def test_elastic_use_saves_what_alibaba_says_at_the_peaks_that_are_measured():
    # 25 to 50% saved; peak over mean of published traces: 1.4 to 2.
    assert float(capacity.elastic_saving(4 / 3, 1.0)) == pytest.approx(0.25)
    assert float(capacity.elastic_saving(2.0, 1.0)) == pytest.approx(0.50)
    # Time-shifting that cuts the cost of idle cards by 8% moves a few percent of the load.
    for peak, share in ((1.5, 0.08 / 3), (2.0, 0.04), (3.0, 0.16 / 3)):
        shifted = float(capacity.peak_ratio_by_shifting(peak, share))
        assert (shifted - 1) / (peak - 1) == pytest.approx(0.92)


def test_shifting_is_the_best_that_any_plan_for_the_day_can_do():
    rng = np.random.default_rng(3)
    load = rng.uniform(0.2, 2.0, 24)
    load /= load.mean()
    for share in (0.0, 0.1, 0.3, 0.6):
        # Fill the hours below a level with the movable work: the lowest level that holds it, by bisection.
        fixed, low, high = (1 - share) * load, 0.0, 3.0
        for _ in range(60):
            level = (low + high) / 2
            enough = level >= fixed.max() and np.maximum(level - fixed, 0).mean() >= share
            low, high = (low, level) if enough else (level, high)
        assert float(capacity.peak_ratio_by_shifting(load.max(), share)) == pytest.approx(high, rel=1e-9)


# Cohorts


def test_a_card_serves_as_long_as_it_lives():
    # Looked at a thousand times a year.
    for life in (1.0, 2.0, 2.25, 4.9):
        moments = np.arange(0, 6, 1e-3) + 5e-4
        expected = (moments < life).reshape(6, -1).mean(axis=1)
        bought = by_year([1.0, 0, 0, 0, 0, 0])
        left = fleet.cards_surviving(bought, life, by_year(range(6)), 0.0, 1.0)
        np.testing.assert_allclose(left + bought, expected, atol=1e-9)


def test_purchases_of_a_small_fleet_by_hand():
    found = plain().point()
    # 100; 50 more; none; 100 retire, 70 missing; 50 retire and 40 more; 40 more.
    np.testing.assert_allclose(found.cards_bought, [100, 50, 0, 70, 90, 40])
    np.testing.assert_allclose(found.cards_retired, [0, 0, 0, 100, 50, 0])
    np.testing.assert_allclose(found.cards_in_service, [100, 150, 150, 120, 160, 200])
    assert found.unmet_cards.max() == 0


def test_supply_runs_short_and_recovers():
    limit = by_year([80, 80, 0, 0, 300, 300])
    found = plain(supply_limit=sure(limit, "card")).point()
    np.testing.assert_allclose(found.cards_bought, [80, 70, 0, 0, 160, 40])
    np.testing.assert_allclose(found.unmet_cards, [20, 0, 0, 50, 0, 0])


def test_the_first_fleet_retires_at_an_even_pace():
    model = plain(initial_cards=sure(150.0, "card"), cards_required=sure(by_year([0] * 6), "card"))
    found = model.point()
    np.testing.assert_allclose(found.cards_in_service, [150, 100, 50, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found.cards_retired, [0, 50, 50, 50, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("lead", "ordered"),
    [(0.0, [1, 2, 4, 8, 16, 32]), (1.0, [2, 4, 8, 16, 32, 0]), (0.25, [1.25, 2.5, 5, 10, 20, 24]), (6.0, [0] * 6)],
)
def test_orders_come_a_lead_time_before_the_cards(lead, ordered):
    bought = by_year([1, 2, 4, 8, 16, 32])
    np.testing.assert_allclose(fleet.cards_ordered(bought, lead, by_year(range(6)), 1.0), ordered)


def test_a_quarter_of_a_year_is_as_good_a_period_as_a_year():
    quarters = ["Q1", "Q2", "Q3", "Q4"]
    elapsed = by_year([0, 0.25, 0.5, 0.75], quarters)
    bought = by_year([8, 0, 0, 0], quarters)
    left = fleet.cards_surviving(bought, 0.625, elapsed, 0.0, 0.25)
    np.testing.assert_allclose(left, [0, 8, 4, 0])


# Hardware


def test_what_cannot_be_imported_is_made_at_home_until_that_is_sold_out():
    limit = np.full((6, 3), 1e9)
    limit[2:, 0], limit[2:, 1], limit[2:, 2] = 0, 3000, 1000
    limits = xr.DataArray(limit, coords={"year": YEARS, "hardware": KINDS}, dims=("year", "hardware"))
    found = mixed(supply_limit=sure(limits, "card")).point()
    usable = np.array([296, 1504, 900]) * 1e12 * 0.25
    # Two years of the wanted mix.
    first = found.cards_bought.isel(year=0)
    np.testing.assert_allclose(first * usable, [0.5e18, 0.5e18, 0])
    # Then Ascend takes over H20's half, and the ASIC what Ascend cannot.
    third = found.cards_bought.sel(year=2027)
    np.testing.assert_allclose(third, [0, 1e18 / usable[1], 0])
    sold_out = found.cards_bought.sel(year=2030)
    assert (sold_out <= limits.sel(year=2030)).all()
    gap = found.capacity_compute - found.compute_in_service.sum("hardware")
    np.testing.assert_allclose(found.unmet_compute, np.maximum(gap, 0), atol=1e-12)
    np.testing.assert_allclose(found.served_share, np.minimum(1, 1 - gap / found.capacity_compute), atol=1e-12)
    missing = (found.unmet_cards * by_kind(usable)).sum("hardware") / 1e18
    np.testing.assert_allclose(missing, found.unmet_compute, atol=1e-12)


def test_nothing_is_missing_as_long_as_one_kind_can_be_bought():
    limit = by_kind([0, 10, 1e9])
    draws = mixed(
        supply_limit=sure(limit, "card"),
        utilization=ds.Assumption("beta(0.08, 0.28, prob=0.8)"),
        useful_life=ds.Assumption("uniform(1.2, 5)", unit="year"),
    ).simulate(draws=256, seed=1)
    # To the last bit: a probability that something is missing must not count rounding.
    assert (draws.unmet_compute == 0).all()
    assert (draws.cards_bought.sel(hardware="H20") == 0).all()


def test_a_kind_without_a_share_is_bought_only_when_others_run_short():
    draws = mixed(utilization=ds.Assumption("beta(0.08, 0.28, prob=0.8)")).simulate(draws=256, seed=1)
    assert (draws.cards_bought.sel(hardware="ASIC") == 0).all()


def test_a_cohort_keeps_the_performance_of_its_year():
    # Twice as fast each year: half as many cards carry the same compute.
    flops = by_year([100.0 * 2**year for year in range(6)]) * by_kind([1, 1, 1])
    growing = by_year(np.arange(1, 7))
    found = mixed(
        card_flops=sure(flops, "TFLOP/s/card"),
        capacity_compute=sure(growing, "EFLOP/s"),
        useful_life=sure(9.0, "year"),
        hardware_share=sure(by_kind([1, 0, 0])),
    ).point()
    cards = found.cards_bought.sel(hardware="H20")
    np.testing.assert_allclose(cards, 1e18 / (25e12 * 2.0 ** np.arange(6)))
    np.testing.assert_allclose(found.compute_in_service.sum("hardware"), growing)


def test_weights_become_shares_and_shares_that_are_none_are_reported():
    weight = ds.Assumption(dist.uniform(by_kind([1, 2, 3]), by_kind([2, 3, 4])))
    draws = ds.Model(named("hardware.hardware_share"), {"hardware_weight": weight}).simulate(draws=64, seed=1)
    np.testing.assert_allclose(draws.hardware_share.sum("hardware"), 1)
    for shares in ([0.5, 0.5, 0.1], [0.7, 0.5, -0.2]):
        with pytest.raises(InvalidDrawsError, match="'cards_bought' made NaN"):
            mixed(hardware_share=sure(by_kind(shares))).simulate(draws=8, seed=1)


def test_price_performance_grows_by_the_published_factor():
    elapsed = by_year(range(6))
    flops = hardware.card_flops_by_generation(1979e12, 0.3, elapsed)
    price = hardware.card_price_by_performance(150e3, 1979e12, flops, 1.38, elapsed, 1.0)
    np.testing.assert_allclose((flops / price) / (flops / price)[0], 1.38 ** np.arange(6))
    falling = hardware.card_price_by_decline(150e3, 0.1, elapsed)
    np.testing.assert_allclose(np.log(falling / falling[0]), -0.1 * np.arange(6), atol=1e-12)


# Ownership


def test_cost_of_an_h100_for_a_year_by_hand():
    ratio = ownership.cluster_cost_ratio(1.64, 0.19)
    assert ratio == pytest.approx(2.02, abs=0.01)
    model = ds.Model(
        named(
            "fleet.cards_in_service_at_once",
            "ownership.installed_price",
            "ownership.depreciation_at_once",
            "ownership.card_energy_cost",
            "ownership.energy_cost",
            "ownership.datacenter_cost",
            "ownership.maintenance_cost",
            "ownership.operating_cost",
            "ownership.total_cost_of_ownership",
            "ownership.card_hour_cost",
            "ownership.compute_cost",
            "ownership.token_cost",
        ),
        {
            "cards": sure(1000, "card"),
            "card_price": sure(150e3, "CNY/card"),
            "cluster_cost_ratio": sure(2.0),
            "useful_life": sure(5, "year"),
            "card_power": sure(0.7, "kW/card"),
            "server_power_ratio": sure(1.82),
            "pue": sure(1.1),
            "electricity_price": sure(0.6, "CNY/kWh"),
            "datacenter_power_price": sure(8000, "CNY/kW/year"),
            "maintenance_share": sure(0.04, "1/year"),
            "usable_flops": sure(0.2, "PFLOP/s/card"),
            "daily_tokens": sure(1e12, "token/day"),
        },
    )
    found = model.point()
    kilowatt = 0.7 * 1.82
    energy, housing, upkeep = kilowatt * 1.1 * 8760 * 0.6, kilowatt * 8000, 300e3 * 0.04
    assert found.energy_cost.item() == pytest.approx(1000 * energy)
    assert found.total_cost_of_ownership.item() == pytest.approx(1000 * (60e3 + energy + housing + upkeep))
    assert found.card_hour_cost.item() == pytest.approx((60e3 + energy + housing + upkeep) / 8760)
    assert found.compute_cost.item() == pytest.approx((60e3 + energy + housing + upkeep) / 0.2)
    assert found.token_cost.item() == pytest.approx(1000 * (60e3 + energy + housing + upkeep) / 365e6)


@pytest.mark.parametrize("life", [1.0, 2.5, 3.75, 5.99])
def test_what_is_depreciated_is_what_was_paid(life):
    years = list(range(12))
    paid = by_year([100, 0, 50, 25, *[0] * 8], years)
    rate = ownership.depreciation(paid, life, by_year(years, years), 1.0)
    assert rate.sum().item() == pytest.approx(175, rel=1e-14)
    assert rate.isel(year=0).item() == pytest.approx(100 / life)
    book = ownership.book_value(paid, rate, 1.0)
    assert abs(book.isel(year=-1).item()) < 1e-12
    assert (book > -1e-12).all()


# Units and refusals


def test_every_equation_of_these_rooms_says_what_it_is():
    mine = {name: made for name, made in shipped().items() if name.split(".")[0] in ROOMS}
    assert len(mine) > 40
    for made in mine.values():
        assert made.long_name
        assert made.source
        assert ".. math::" in made.__doc__ or made.source == "definition"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("useful_life", sure(3.0, "card")),
        ("supply_limit", sure(3.0, "card/year")),
        ("cards_required", sure(3.0, "EFLOP/s")),
        ("initial_cards", sure(3.0, "node")),
        ("period", sure(1.0, "1")),
    ],
)
def test_a_wrong_unit_is_named(name, wrong):
    with pytest.raises(DimensionError, match=r"equation '\w+' (declares|combines)"):
        plain(**{name: wrong})


def test_a_dim_that_is_missing_or_misplaced_is_an_error():
    with pytest.raises(EquationError, match=r"elapsed_time as by\('year'"):
        plain(elapsed_time=sure(0.0, "year"), cards_required=sure(3.0, "card"))
    with pytest.raises(EquationError, match="elapsed_time for every year"):
        plain(elapsed_time=sure(0.0, "year"))
    with pytest.raises(EquationError, match="before the first year"):
        plain(initial_cards=sure(by_year(range(6)), "card"))
    with pytest.raises(EquationError, match="capacity_compute, cannot vary by 'hardware'"):
        mixed(capacity_compute=sure(by_kind([1, 2, 3]), "EFLOP/s"))
    with pytest.raises(EquationError, match="labelled arrays"):
        fleet.cards_bought(np.ones(3), 3.0, np.arange(3.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"useful_life": ds.Assumption("uniform(0.5, 3)", unit="year")},
        {"elapsed_time": sure(by_year([0, 1, 2, 4, 5, 6]), "year")},
        {"elapsed_time": sure(by_year(np.arange(6) / 4), "year")},
    ],
)
def test_lives_below_a_year_and_years_with_gaps_are_reported(changes):
    with pytest.raises(InvalidDrawsError, match="'cards_bought' made NaN"):
        plain(**changes).simulate(draws=64, seed=1)


# The picture


def test_the_stack_of_cohorts_is_the_fleet():
    draws = plain(
        useful_life=ds.Assumption("uniform(2, 4)", unit="year"),
        initial_cards=sure(50.0, "card"),
        supply_limit=sure(60.0, "card"),
    ).simulate(draws=256, seed=1)
    axes = ds.plots.cohorts(draws)[0, 0]
    tops = np.zeros(6)
    for bar in axes.patches:
        if bar.get_hatch() is None:
            place = round(bar.get_x() + bar.get_width() / 2)
            tops[place] = max(tops[place], bar.get_y() + bar.get_height())
    np.testing.assert_allclose(tops, draws.cards_in_service.mean(("chain", "draw")), rtol=1e-12)
    hatched = [bar.get_height() for bar in axes.patches if bar.get_hatch()]
    missing = draws.unmet_cards.mean(("chain", "draw"))
    np.testing.assert_allclose(sorted(hatched), sorted(missing.values[missing.values > 0.5]))
    with pytest.raises(DemandsimError, match="no 'useful_life'"):
        ds.plots.cohorts(draws.drop_vars("useful_life"))
    with pytest.raises(DemandsimError, match="does not vary over 'year'"):
        ds.plots.cohorts(draws.isel(year=0))
