"""Studies that ship: each loads, runs, says where its numbers come from, and prints what it says is published."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.studies.loading import model_from_toml

STUDIES = ds.list_studies()
YEARS = "doubao-2025-2030"


def test_the_studies_of_the_documentation_are_there():
    assert {"guosen-2025-01", "guosen-2025-01-evidence", "deepseek-2025-02", YEARS} <= set(STUDIES)


@pytest.fixture(scope="module", params=STUDIES)
def model(request):
    return ds.load_study(request.param)


def test_no_draw_is_invalid(model):
    draws = model.simulate(draws=256, seed=1)
    assert all(np.isfinite(array.values).all() for array in draws.data_vars.values() if array.dtype.kind == "f")


def test_points_reproduce_what_is_published(model):
    point = model.point()
    for row in model.notes.published:
        found = ds.convert(point[row.quantity], row.unit)
        for scenario, value in row.values.items():
            here = found.sel(scenario=scenario) if "scenario" in found.dims else found
            assert here.item() == pytest.approx(value, abs=0.5001 * 10.0**-row.digits), row.row


def test_every_assumption_has_a_label_and_a_source(model):
    for name, assumption in model.assumptions.items():
        assert assumption.long_name, name
        assert len(assumption.source or "") > 20, name
    for pair in model.correlations:
        assert model.notes.reasons[tuple(sorted(pair))]
    assert model.notes.source
    assert model.notes.title


def test_a_study_survives_being_written(model):
    again = model_from_toml(model.to_toml())
    assert again == model
    xr.testing.assert_identical(again.simulate(draws=32, seed=1), model.simulate(draws=32, seed=1))


@pytest.fixture(scope="module")
def years():
    return ds.load_study(YEARS).simulate(draws=512, seed=1)


def test_what_persists_is_drawn_once(years):
    for name in ("mean_growth_rate", "supply_limit", "provider_capex"):
        ranks = years[name].sel(scenario="base")
        first, last = ranks.isel(year=1), ranks.isel(year=-1)
        if "hardware" in first.dims:
            first, last = first.sel(hardware="H20"), last.sel(hardware="H20")
        assert (first.values.ravel().argsort() == last.values.ravel().argsort()).all(), name
    shocks = years.rate_shock
    correlation = np.corrcoef(shocks.isel(year=1).values.ravel(), shocks.isel(year=2).values.ravel())[0, 1]
    assert abs(correlation) < 0.05


@pytest.mark.parametrize(
    ("scenario", "quantity", "sign"),
    [
        ("slow models", "daily_tokens", -1),
        ("slow models", "purchase_capex", -1),
        ("less capex", "served_share", -1),
        ("less capex", "provider_capex", -1),
        ("scarce supply", "served_share", -1),
        ("scarce supply", "revenue", -1),
    ],
)
def test_a_risk_moves_results_the_way_its_name_says(years, scenario, quantity, sign):
    result = years[quantity].sum("hardware") if "hardware" in years[quantity].dims else years[quantity]
    late = result.sel(year=slice(2027, None)).sum("year")
    difference = (late.sel(scenario=scenario) - late.sel(scenario="base")).values
    # Paired on the same random numbers.
    assert np.median(sign * difference) >= 0
    assert np.mean(sign * difference) > 0
    assert np.mean(sign * difference < -1e-9 * np.abs(late.sel(scenario="base").values)) < 0.05


def test_cards_bought_are_in_service_or_retired(years):
    first = years.initial_cards
    bought = years.cards_bought.cumsum("year")
    left = years.cards_in_service + years.cards_retired.cumsum("year")
    # What retired of the initial fleet before the first December is not counted as retired by anybody.
    gone = first - (years.cards_surviving.isel(year=0))
    np.testing.assert_allclose((left + gone).values, (bought + first).broadcast_like(left).values, rtol=1e-9)


def test_a_fleet_beyond_the_market_is_flagged(years):
    checked = ds.cross_check(years)
    assert set(checked.check.values.tolist()) >= {"the chip market"} or checked.sizes["check"] == 2
    assert "exceeds the chip market in" in checked.attrs["verdict"]
    worst = float(checked.probability.max())
    assert 0.0 < worst < 0.5
