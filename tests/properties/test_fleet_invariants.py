"""What must hold of every fleet: cards are conserved, supply is respected, money adds up, and order does not matter."""

import functools
import itertools
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import capacity, equation_named, fleet, hardware, ownership

amounts = st.one_of(st.just(0.0), st.floats(1e-3, 1e6))
lives = st.one_of(st.integers(1, 9).map(float), st.floats(1.0, 9.0))
limits = st.one_of(st.just(math.inf), amounts)


def yearly(values):
    return xr.DataArray(np.asarray(values, float), coords={"year": range(len(values))}, dims="year")


@st.composite
def fleets(draw, most=9):
    """A demand by year, a supply by year, a life and an initial fleet."""
    years = draw(st.integers(1, most))
    listed = functools.partial(st.lists, min_size=years, max_size=years)
    return {
        "required": yearly(draw(listed(amounts))),
        "limit": yearly(draw(st.one_of(listed(limits), st.just([math.inf] * years)))),
        "life": draw(lives),
        "initial": draw(amounts),
    }


def run(required, limit, life, initial):
    """Everything that follows, with a period of 1."""
    elapsed = yearly(range(required.sizes["year"]))
    bought = fleet.cards_bought(required, life, elapsed, limit, initial, 1.0)
    surviving = fleet.cards_surviving(bought, life, elapsed, initial, 1.0)
    in_service = fleet.cards_in_service(surviving, bought)
    return xr.Dataset(
        {
            "bought": bought,
            "surviving": surviving,
            "in_service": in_service,
            "retired": fleet.cards_retired(in_service, surviving),
            "unmet": fleet.unmet_cards(required, surviving, bought),
        }
    )


def close(one, other, scale):
    """Equal to rounding, measured against the largest number in play."""
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11 * float(np.max(np.asarray(scale))) + 1e-300)


# Cohorts


@given(world=fleets())
def test_what_was_bought_is_retired_or_in_service(world):
    found = run(**world)
    total = world["initial"] + found.bought.cumsum("year")
    close(found.retired.cumsum("year") + found.in_service, total, total)
    # Not even rounding brings a card back to life.
    assert (found.retired >= 0).all()
    assert (found.surviving >= 0).all()


@given(world=fleets())
def test_supply_is_never_exceeded_and_what_is_missing_is_said(world):
    found = run(**world)
    assert (found.bought >= 0).all()
    assert (found.bought <= world["limit"]).all()
    reachable = found.surviving + world["limit"]
    close(np.minimum(found.in_service, world["required"]), np.minimum(world["required"], reachable), world["required"])
    gap = np.maximum(world["required"] - found.in_service, 0)
    close(found.unmet, gap, np.maximum(world["required"], found.in_service))
    assert (found.unmet >= 0).all()
    # Exactly nothing is missing where supply was left: a probability must not count rounding.
    assert (found.unmet.where(found.bought < world["limit"], 0) == 0).all()
    # No card is bought while there are enough.
    assert (found.bought.where(found.surviving >= world["required"], 0) == 0).all()


@given(world=fleets())
def test_the_recursion_is_that_of_the_running_total(world):
    # Retired so far is what had been bought a life ago, to be read off a straight line between years.
    required, limit, life, initial = (np.asarray(world[name]) for name in ("required", "limit", "life", "initial"))
    bought = []
    for year in range(len(required)):
        so_far = np.cumsum([0.0, *bought])
        retired = np.interp(year - life + 1, np.arange(len(so_far)), so_far, left=0.0)
        left = initial * max(0.0, 1 - year / life) + so_far[-1] - retired
        bought.append(min(limit[year], max(0.0, required[year] - left)))
    close(run(**world).bought, bought, [*required, initial, 1e-3])


@given(world=fleets(), more=st.floats(0, 1e6), year=st.integers(0, 8), longer=st.floats(0, 4))
def test_more_demand_never_means_fewer_bought_and_a_longer_life_never_more_retired(world, more, year, longer):
    before = run(**world)
    grown = world["required"].copy()
    grown[year % len(grown)] += more
    scale = [*grown.values * len(grown), world["initial"]]
    after = run(**{**world, "required": grown})
    slack = 1e-11 * max(scale)
    assert (after.bought.cumsum("year") >= before.bought.cumsum("year") - slack).all()
    # In the year itself, and where supply is free and demand does not fall, in all years: more in service.
    if np.all(np.isinf(world["limit"])) and np.all(np.diff(grown) >= 0) and np.all(np.diff(world["required"]) >= 0):
        assert (after.in_service >= before.in_service - slack).all()
    lasting = run(**{**world, "life": world["life"] + longer})
    assert (lasting.retired.cumsum("year") <= before.retired.cumsum("year") + slack).all()
    assert (lasting.bought.cumsum("year") <= before.bought.cumsum("year") + slack).all()


@given(world=fleets(), factor=st.floats(0.01, 100))
def test_a_fleet_is_homogeneous(world, factor):
    one, other = run(**world), run(**{n: v if n == "life" else v * factor for n, v in world.items()})
    for name in one.data_vars:
        close(other[name], one[name] * factor, [*np.asarray(world["required"]) * factor, world["initial"] * factor])


@given(world=fleets(), lead=st.floats(0, 4))
def test_what_is_ordered_arrives(world, lead):
    found, years = run(**world), world["required"].sizes["year"]
    padded = found.bought.pad(year=(5, 0), constant_values=0).assign_coords(year=range(years + 5))
    ordered = fleet.cards_ordered(padded, lead, yearly(range(years + 5)), 1.0)
    close(ordered.sum(), padded.sum(), padded)
    assert (ordered >= 0).all()
    close(fleet.cards_ordered(found.bought, 0.0, yearly(range(years)), 1.0), found.bought, found.bought)


# Mixes


@st.composite
def mixes(draw):
    """One demand, several kinds of hardware."""
    years, kinds = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    names = [f"kind {place}" for place in range(kinds)]

    def table(values):
        found = draw(st.lists(values, min_size=years * kinds, max_size=years * kinds))
        return xr.DataArray(
            np.reshape(found, (years, kinds)),
            coords={"year": range(years), "hardware": names},
            dims=("year", "hardware"),
        )

    weights = xr.DataArray(
        draw(st.lists(st.floats(0, 1), min_size=kinds, max_size=kinds).filter(lambda w: sum(w) > 0.01)),
        coords={"hardware": names},
        dims="hardware",
    )
    return {
        "required": yearly(draw(st.lists(amounts, min_size=years, max_size=years))),
        "share": hardware.hardware_share(weights),
        "speed": table(st.floats(0.1, 10)),
        "life": draw(lives),
        "limit": table(limits),
        "initial": draw(amounts) * xr.ones_like(weights),
    }


def mixed(required, share, speed, life, limit, initial):
    elapsed = yearly(range(required.sizes["year"]))
    bought = hardware.cards_bought_by_mix(required, share, speed, life, elapsed, limit, initial, 1.0)
    surviving = hardware.compute_surviving(bought, speed, life, elapsed, initial, 1.0)
    return xr.Dataset(
        {
            "bought": bought,
            "surviving": surviving,
            "work": hardware.compute_in_service(surviving, bought, speed),
            "unmet": hardware.unmet_compute(required, surviving, bought, speed, limit),
        }
    )


@given(world=mixes())
def test_a_mix_does_the_work_or_says_what_is_left(world):
    found = mixed(**world)
    assert (found.bought >= 0).all()
    assert (found.bought <= world["limit"]).all()
    work, required = found.work.sum("hardware"), world["required"]
    scale = [*np.asarray(required), *np.ravel(found.work)]
    close(found.unmet, np.maximum(required - work, 0), scale)
    assert (found.unmet >= 0).all()
    # Something is missing only where every kind is sold out.
    sold_out = (found.bought >= world["limit"]).all("hardware")
    assert (found.unmet.where(~sold_out, 0) == 0).all()
    # And nothing is bought beyond what is needed.
    close(work, np.maximum(found.surviving.sum("hardware"), required - found.unmet), scale)
    # Where every kind can supply its part, the mix is the one that was asked for.
    new = (found.bought * world["speed"]).transpose("hardware", "year")
    gap = np.maximum(required - found.surviving.sum("hardware"), 0)
    free = (world["share"] * gap / world["speed"] <= world["limit"]).all("hardware")
    close(new.where(free, 0), (world["share"] * gap).where(free, 0), scale)


@given(world=fleets(), speed=st.floats(0.1, 10))
def test_a_mix_of_one_kind_is_the_plain_fleet(world, speed):
    kind = xr.DataArray([1.0], coords={"hardware": ["H20"]}, dims="hardware")
    expected = run(**world)
    found = mixed(
        world["required"] * speed, kind, speed * kind, world["life"], world["limit"], world["initial"] * kind
    ).isel(hardware=0)
    scale = [*np.asarray(world["required"]) * max(speed, 1), world["initial"]]
    close(found.bought, expected.bought, scale)
    close(found.unmet, expected.unmet * speed, scale)


@given(world=mixes(), data=st.data())
def test_the_order_of_dims_does_not_matter(world, data):
    shuffled = {
        name: value.transpose(*data.draw(st.permutations(value.dims))) if getattr(value, "dims", ()) else value
        for name, value in world.items()
    }
    xr.testing.assert_identical(*(mixed(**w).transpose("year", "hardware") for w in (world, shuffled)))


@settings(max_examples=20)
@given(world=mixes(), data=st.data())
def test_scenarios_do_not_touch_each_other(world, data):
    factors = data.draw(st.lists(st.floats(0.1, 3), min_size=2, max_size=3))
    demand = xr.DataArray(factors, dims="scenario")
    together = mixed(**{**world, "required": demand * world["required"]})
    for place, factor in enumerate(factors):
        alone = mixed(**{**world, "required": factor * world["required"]})
        xr.testing.assert_equal(together.isel(scenario=place).transpose(*alone.bought.dims), alone)


# Money


@given(
    paid=st.lists(amounts, min_size=1, max_size=6),
    life=lives,
    period=st.sampled_from([1.0, 0.25, 31536000.0]),
)
def test_depreciation_over_all_years_is_what_was_paid(paid, life, period):
    years = len(paid) + math.ceil(life) + 1
    spent = yearly([*paid, *[0.0] * (years - len(paid))])
    elapsed = yearly(range(years)) * period
    rate = ownership.depreciation(spent, life * period, elapsed, period)
    close((rate * period).sum(), sum(paid), paid)
    assert (rate >= 0).all()
    book = ownership.book_value(spent, rate, period)
    assert float(book.min()) >= -1e-11 * max(paid)
    close(book.isel(year=-1), 0.0, paid)


COSTS = ("cards_bought", "cards_surviving", "cards_in_service", "unmet_cards")
OWNED = (
    "cluster_cost_ratio",
    "installed_price",
    "purchase_capex",
    "depreciation",
    "book_value",
    "card_energy_cost",
    "energy_cost",
    "datacenter_cost",
    "maintenance_cost",
    "operating_cost",
    "total_cost_of_ownership",
    "cash_out",
)


KINDS = ["H20", "B200"]
TIME = xr.DataArray(np.arange(10.0), coords={"year": range(2025, 2035)}, dims="year")
of_kind = functools.partial(xr.DataArray, coords={"hardware": KINDS}, dims="hardware")


def demand():
    return of_kind([2e5, 1e5]) * 1.3**TIME


@functools.cache
def business():
    """A fleet of two kinds over ten years, each with a demand of its own, and all that it costs."""
    return ds.Model(
        [equation_named(f"fleet.{n}") for n in COSTS] + [equation_named(f"ownership.{n}") for n in OWNED],
        {
            "elapsed_time": ds.Assumption(dist.constant(TIME), unit="year"),
            "cards_required": ds.Assumption(
                dist.lognormal(median=demand(), factor=1.5, prob=0.9), unit="card", shared=True
            ),
            "useful_life": ds.Assumption("uniform(3, 6)", unit="year"),
            "card_price": ds.Assumption(
                dist.lognormal(median=of_kind([75e3, 270e3]), factor=1.3, prob=0.9), "CNY/card"
            ),
            "server_cost_ratio": "triangular(1.54, 1.64, 1.69)",
            "network_cost_share": 0.19,
            "card_power": ds.Assumption(dist.constant(of_kind([400.0, 1000.0])), unit="W/card"),
            "server_power_ratio": 1.82,
            "pue": "uniform(1.1, 1.56)",
            "electricity_price": ds.Assumption("uniform(0.4, 0.7)", unit="CNY/kWh"),
            "datacenter_power_price": ds.Assumption("uniform(6000, 12000)", unit="CNY/kW/year"),
            "maintenance_share": ds.Assumption("uniform(0.02, 0.06)", unit="1/year"),
        },
    ).with_scenarios({"free": {}, "short": {"useful_life": "uniform(2, 3)"}, "tight": {"useful_life": "uniform(3, 6)"}})


def test_costs_add_up_over_years_and_parts():
    draws = business().simulate(draws=128, seed=1)
    parts = draws.depreciation + draws.energy_cost + draws.datacenter_cost + draws.maintenance_cost
    np.testing.assert_allclose(draws.total_cost_of_ownership, parts, rtol=1e-12)
    # Units of a year: an amount of money per year, times a year.
    cash = draws.purchase_capex + draws.total_cost_of_ownership - draws.depreciation
    np.testing.assert_allclose(draws.cash_out, cash, rtol=1e-9)
    paid = draws.purchase_capex.sum("year")
    np.testing.assert_allclose(draws.depreciation.sum("year") + draws.book_value.isel(year=-1), paid, rtol=1e-12)
    assert (draws.book_value >= -1e-6 * paid).all()
    assert (draws.unmet_cards == 0).all()


@settings(max_examples=4)
@given(factor=st.floats(0.01, 100))
def test_cost_is_proportional_to_cards(factor):
    base = business()
    bigger = base.assume(cards_required=dist.lognormal(median=demand() * factor, factor=1.5, prob=0.9))
    one, other = (model.simulate(draws=16, seed=1) for model in (base, bigger))
    scale = float(one.cash_out.max()) * factor
    for name in ("total_cost_of_ownership", "cash_out", "book_value", "unmet_cards"):
        np.testing.assert_allclose(other[name], one[name] * factor, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("design", ["random", "sobol"])
def test_chunks_threads_and_blocks_change_no_bit(design):
    model = business()
    whole = model.simulate(draws=16, chains=2, seed=3, design=design, threads=1)
    for pieces in (
        # All at once: each quantity alone would run the whole model again.
        model.simulate(draws=16, chains=2, seed=3, design=design, chunks=6).compute(),
        model.simulate(draws=16, chains=2, seed=3, design=design, block=1, threads=2),
        model.simulate(draws=16, chains=2, seed=3, design=design, block=7),
    ):
        for name in whole.data_vars:
            np.testing.assert_array_equal(pieces[name].transpose(*whole[name].dims), whole[name], err_msg=str(name))


def test_a_scenario_alone_is_the_same_as_among_others():
    model = business()
    together, alone = (m.simulate(draws=32, seed=2) for m in (model, model.select(scenario="short")))
    for name in ("cards_bought", "cash_out"):
        np.testing.assert_array_equal(together[name].sel(scenario="short"), alone[name].sel(scenario="short"))


# Capacity


@given(
    peak=st.floats(1, 5),
    share=st.floats(0, 1),
    more=st.floats(0, 1),
    headroom=st.floats(1, 2),
    availability=st.floats(0.5, 1),
)
def test_shifting_and_lending_have_bounds(peak, share, more, headroom, availability):
    shifted = float(capacity.peak_ratio_by_shifting(peak, share))
    assert 1 <= shifted <= peak
    assert float(capacity.peak_ratio_by_shifting(peak, min(1.0, share + more))) <= shifted
    idle = capacity.idle_cards(1e5, shifted, headroom, availability)
    assert 0 <= idle <= 1e5
    assert capacity.idle_cards(1e5, peak, headroom, availability) >= idle
    assert 0 <= capacity.elastic_saving(peak, share) <= 1 - 1 / peak + 1e-15
    # The capacity that is counted once is never above the one that is counted with the peak.
    both = [float(capacity.capacity_ratio(peak, headroom, availability, switch)) for switch in (1, 0)]
    assert both[0] <= both[1]
    assert both[1] == pytest.approx(both[0] * peak)


def test_every_order_of_the_hardware_axis_gives_the_same_numbers_where_supply_is_free():
    kinds = ["a", "b", "c"]
    share = xr.DataArray([0.2, 0.5, 0.3], coords={"hardware": kinds}, dims="hardware")
    speed = xr.DataArray([1.0, 2.0, 4.0], coords={"hardware": kinds}, dims="hardware")
    required = yearly([10, 20, 15, 40, 30])
    world = {"life": 2.5, "limit": math.inf, "initial": 0.0, "required": required}
    first = mixed(share=share, speed=speed, **world)
    for order in itertools.permutations(kinds):
        other = mixed(share=share.sel(hardware=list(order)), speed=speed.sel(hardware=list(order)), **world)
        xr.testing.assert_allclose(other.bought.sel(hardware=kinds), first.bought, rtol=1e-12)
