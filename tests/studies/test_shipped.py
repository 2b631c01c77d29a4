"""Studies that ship: each loads, runs, says where its numbers come from, and prints what it says is published."""

import re

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.studies.catalogue import catalogue
from demandsim.studies.loading import model_from_toml

STUDIES = ds.list_studies()
YEARS = "doubao-2025-2030"


def test_the_studies_of_the_documentation_are_there():
    assert {"guosen-2025-01", "guosen-2025-01-evidence", "deepseek-2025-02", YEARS} <= set(STUDIES)


def test_the_list_says_of_every_study_what_its_model_has(model):
    entry = next(each for each in catalogue() if each.name == model.notes.name)
    assert entry[1:3] == (model.notes.title, model.notes.source)
    assert entry[3:5] == (len(model.assumptions), len(model.equations))
    assert entry.pictured == (model.presentation.pictured or model.presentation.results)


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
    # Only what happens anew each year is drawn by year; what is a table over years moves as one.
    by_year = {name for name, made in ds.load_study(YEARS).assumptions.items() if "year" in made.distribution.dims}
    sure = {"elapsed_time", "hardware_weight"}
    assert by_year - sure == {"growth_rate", "supply_limit", "provider_capex"}
    for name in ("supply_limit", "provider_capex"):
        ranks = years[name].sel(scenario="base")
        ranks = ranks.sel(hardware="Ascend 910C") if "hardware" in ranks.dims else ranks
        first, last = ranks.isel(year=0), ranks.isel(year=-1)
        assert (first.values.ravel().argsort() == last.values.ravel().argsort()).all(), name
    # Growth of one year goes with that of the next, and with that of later years less.
    rates = years.growth_rate.sel(scenario="base")
    assert 0.45 < correlation(rates.isel(year=1), rates.isel(year=2)) < 0.65
    assert 0.1 < correlation(rates.isel(year=1), rates.isel(year=5)) < 0.3


def correlation(one, other):
    return np.corrcoef(one.values.ravel(), other.values.ravel())[0, 1]


def test_tokens_begin_above_what_was_passed_and_stay_below_saturation(years):
    published = ds.load_series("doubao-daily-tokens").daily_tokens.sel(date="2025-12-18").squeeze()
    assert published.qualifier.item() == "over"
    start = ds.load_study(YEARS).point().daily_tokens.sel(year=2025, scenario="base").item()
    assert 1 < start / published.item() < 1.3
    first = years.daily_tokens.sel(year=2025)
    np.testing.assert_allclose(first.values, years.initial_tokens.broadcast_like(first).values, rtol=1e-12)
    assert ((years.daily_tokens > 0) & (years.daily_tokens <= years.saturation_tokens * (1 + 1e-12))).all()


def test_the_published_capex_lies_in_the_band(years):
    # Two thirds of a provider's compute is inference (a forecast for 2024, in the report: 67.7%), which is all here.
    spent = ds.load_series("bytedance-capex").capex
    band = years.purchase_capex.sel(scenario="base").sum("hardware").quantile([0.05, 0.5, 0.95], ("chain", "draw"))
    for year in (2025, 2026):
        low, middle, high = band.sel(year=year).values
        inference = 0.677 * spent.sel(date=str(year)).item()
        assert low < inference < high
        assert 1 / 3 < middle / inference < 3
    # And the note of the study says the medians.
    notes = " ".join(ds.load_study(YEARS).notes.notes)
    said = [float(number) * 1e9 for number in re.findall(r"about (\d+) bn in 202[56] \(90%", notes)]
    np.testing.assert_allclose(said, band.sel(quantile=0.5, year=[2025, 2026]).values, rtol=0.03)


@pytest.mark.parametrize(
    ("scenario", "quantity", "sign"),
    [
        ("slow models", "daily_tokens", -1),
        ("slow models", "purchase_capex", -1),
        ("less capex", "served_share", -1),
        ("less capex", "provider_capex", -1),
        ("scarce supply", "served_share", -1),
        ("scarce supply", "revenue", -1),
        ("export control", "served_share", -1),
        ("export control", "revenue", -1),
        ("export control", "unmet_compute", 1),
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


def test_an_export_control_is_more_than_scarce_supply_and_stops_imports(years):
    served = years.served_share.mean(("chain", "draw", "year"))
    assert served.sel(scenario="export control") < served.sel(scenario="scarce supply") < served.sel(scenario="base")
    imports = years.cards_bought.sel(hardware=["H800", "H20", "H200", "B200"], scenario="export control")
    # One card stands for none.
    assert float(imports.sel(year=slice(2026, None)).max()) <= 1
    assert float(imports.sel(year=2025).max()) > 1e5


def test_a_fleet_beyond_the_market_is_flagged(years):
    checked = ds.cross_check(years)
    assert set(checked.check.values.tolist()) == {"exceeds_market", "exceeds_capex"}
    share = (years.chip_spending > years.chip_market).mean(("chain", "draw"))
    np.testing.assert_allclose(
        checked.probability.sel(check="exceeds_market"), share.transpose(*checked.probability.dims[1:])
    )
    assert 0.0 < float(share.max()) < 0.1
    for said in ("base in 2028 (its worst year) exceeds the chip market in", "export control", "ByteDance's capex"):
        assert said in checked.attrs["verdict"]
