"""Processes: exact laws at uneven labels, independence of what other labels there are, and units of any kind."""

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named, processes
from demandsim.errors import DimensionError, EquationError, UnitError
from demandsim.studies.loading import model_from_toml

steps = st.lists(st.floats(0.01, 5), min_size=1, max_size=7)
amounts = st.floats(0.1, 10)


def over_time(values, times):
    return xr.DataArray(np.asarray(values, dtype=float), coords={"year": 2025 + np.asarray(times)}, dims="year")


def shocks(times):
    """One draw a shock, in which it alone is 1: a linear process shows its coefficients."""
    return xr.DataArray(np.eye(len(times)), dims=["year", "draw"], coords={"year": 2025 + np.asarray(times)})


def covariance(path):
    found = (path - path.sel(draw=-1)).transpose("year", "draw").values
    return found @ found.T


def linear(process, times, **inputs):
    """Mean and covariance of a process that is linear in standard normal shocks, exactly."""
    unit = shocks(times)
    both = xr.concat(
        [unit.assign_coords(draw=range(len(times))), 0 * unit.isel(draw=[0]).assign_coords(draw=[-1])], "draw"
    )
    path = process(shock=both, elapsed_time=over_time(times, times), **inputs)
    return path.sel(draw=-1).values, covariance(path)


# Laws in closed form, whatever the labels


@given(steps, amounts, amounts, st.floats(-2, 2))
@settings(max_examples=30)
def test_a_random_walk_is_brownian_motion_with_drift(lengths, start, volatility, drift):
    t = np.cumsum(lengths)
    mean, found = linear(processes.random_walk, t, initial_level=start, drift=drift, volatility=volatility, period=1.0)
    np.testing.assert_allclose(mean, start + drift * t, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found, volatility**2 * np.minimum.outer(t, t), rtol=1e-9, atol=1e-12)


@given(steps, amounts, st.floats(-0.5, 0.5))
@settings(max_examples=15)
def test_a_geometric_random_walk_is_the_exponential_of_one(lengths, start, drift):
    t, rng = np.cumsum(lengths), np.random.default_rng(1)
    z, at = over_time(rng.normal(size=t.size), t), over_time(t, t)
    walk = processes.random_walk(0.0, drift, 0.3, z, at, 1.0)
    grown = processes.geometric_random_walk(start, drift, 0.3, z, at, 1.0)
    np.testing.assert_allclose(grown, start * np.exp(walk), rtol=1e-12)


@given(steps, amounts, amounts, st.floats(0.1, 20))
@settings(max_examples=30)
def test_a_mean_reverting_level_is_an_ornstein_uhlenbeck_process(lengths, sd, start, half_life):
    t, speed = np.cumsum(lengths), np.log(2) / half_life
    mean, found = linear(
        processes.mean_reverting, t, initial_level=start, mean_level=3.0, half_life=half_life, level_sd=sd
    )
    np.testing.assert_allclose(mean, 3 + (start - 3) * np.exp(-speed * t), rtol=1e-12)
    apart, met = np.abs(np.subtract.outer(t, t)), np.minimum.outer(t, t)
    expected = sd**2 * np.exp(-speed * apart) * (1 - np.exp(-2 * speed * met))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


@given(steps, amounts, st.floats(0.0, 0.999))
@settings(max_examples=30)
def test_an_autoregressive_level_is_stationary(lengths, sd, persistence):
    t = np.cumsum(lengths)
    mean, found = linear(processes.autoregressive, t, mean_level=3.0, persistence=persistence, level_sd=sd, period=1.0)
    np.testing.assert_allclose(mean, 3.0)
    expected = sd**2 * persistence ** np.abs(np.subtract.outer(t, t))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


def test_persistence_may_be_negative_at_whole_periods():
    t = np.array([0.0, 1.0, 3.0])
    _, found = linear(processes.autoregressive, t, mean_level=0.0, persistence=-0.5, level_sd=2.0, period=1.0)
    np.testing.assert_allclose(found, 4 * np.array([[1, -0.5, -0.125], [-0.5, 1, 0.25], [-0.125, 0.25, 1]]), rtol=1e-12)


def model(name, times, **assumptions):
    made = equation_named(f"processes.{name} as level in CNY/card")
    at = over_time(times, times)
    drawn = {"shock": dist.normal(mean=0 * at, sd=1), "size_shock": dist.normal(mean=0 * at, sd=1)}
    drawn["count_chance"] = dist.uniform(0 * at, 1 + 0 * at)
    known = {each: drawn[each] for each in drawn if each in made.inputs}
    return ds.Model([made], {**known, **assumptions, "elapsed_time": ds.Assumption(at, "year")})


# Jumps, regimes, seasons


def test_a_jump_comes_by_a_label_with_its_probability_whatever_labels_there_are():
    times = np.array([0.0, 0.5, 3.0, 10.0])
    chance = xr.DataArray((np.arange(4000) + 0.5) / 4000, dims="draw")
    found = processes.jump(7.0, 0.1, chance, over_time(times, times), 1.0)
    np.testing.assert_allclose((found > 0).mean("draw"), 1 - 0.9**times, atol=2.6e-4)
    assert set(np.unique(found)) == {0.0, 7.0}
    assert (found.diff("year") >= 0).all()
    fewer = processes.jump(7.0, 0.1, chance, over_time(times[[0, 3]], times[[0, 3]]), 1.0)
    xr.testing.assert_identical(fewer, found.isel(year=[0, 3]))
    assert (processes.jump(7.0, 0.0, chance, over_time(times, times), 1.0) == 0).all()
    assert (processes.jump(7.0, 1.0, chance, over_time(times[1:], times[1:]), 1.0) == 7).all()


@pytest.mark.parametrize("mean", [0.0, 1e-6, 0.3, 4.0, 70.0])
def test_counts_of_jumps_are_scipys(mean):
    chance = np.linspace(1e-9, 1 - 1e-9, 2001)
    expected = stats.poisson(mean).ppf(chance) if mean else 0 * chance
    np.testing.assert_array_equal(processes._poisson_quantile(xr.DataArray(chance), mean), expected)


def test_jumps_add_up_to_a_compound_poisson_process():
    times = np.array([0.5, 2.0, 7.0])
    sizes = {"jump_mean": ds.Assumption(5, "CNY/card"), "jump_sd": ds.Assumption(2, "CNY/card")}
    draws = model("jumps", times, jump_frequency=ds.Assumption(0.5, "1/year"), **sizes).simulate(draws=2048, seed=1)
    np.testing.assert_allclose(draws.level.mean(["chain", "draw"]), 2.5 * times, rtol=2e-3)
    np.testing.assert_allclose(draws.level.var(["chain", "draw"]), 0.5 * times * (5**2 + 2**2), rtol=0.02)


def test_a_regime_begins_at_its_date():
    times = np.array([0.0, 1.0, 4.0])
    change = xr.DataArray([0.0, 0.5, 1.0, 9.0], dims="draw")
    found = processes.regime(over_time([1, 2, 3], times), 10.0, change, over_time(times, times))
    expected = [[10, 10, 10], [1, 10, 10], [1, 10, 10], [1, 2, 3]]
    np.testing.assert_array_equal(found.transpose("draw", "year"), expected)


@pytest.mark.parametrize(
    ("season", "labels", "dates"),
    [
        ("month", range(1, 13), np.arange("2025-07", "2027-07", dtype="datetime64[M]")),
        ("quarter", [1, 2, 3, 4], np.array(["2025-02", "2025-05", "2025-08", "2025-11"], dtype="datetime64[M]")),
        ("weekday", range(7), np.arange("2025-06-03", "2025-06-17", dtype="datetime64[D]")),
        ("hour", range(24), np.arange("2025-06-03T05", "2025-06-04T05", dtype="datetime64[h]")),
    ],
)
def test_seasons_keep_the_mean_and_follow_the_calendar(season, labels, dates):
    weight = xr.DataArray(np.arange(len(labels)) + 1.0, dims=season, coords={season: list(labels)})
    at = xr.DataArray(np.arange(dates.size) * 1.0, dims="date", coords={"date": dates.astype("datetime64[s]")})
    found = processes.seasonal_factor(weight, at)
    assert found.dims == ("date",)
    np.testing.assert_allclose(found.mean(), 1.0)
    index = getattr(at.date.dt, season).values
    np.testing.assert_allclose(found, (index + (season in ("weekday", "hour"))) / weight.mean().item())


def test_a_season_that_has_no_weight_is_an_error():
    dates = np.array(["2025-01-31", "2025-02-28"], dtype="datetime64[s]")
    at = xr.DataArray([0.0, 1.0], dims="date", coords={"date": dates})
    weight = xr.DataArray([1.0, 2.0], dims="month", coords={"month": [1, 3]})
    with pytest.raises(EquationError, match=r"dates fall into month 2; seasonal_weight has \[1, 3\]"):
        processes.seasonal_factor(weight, at)
    with pytest.raises(EquationError, match="dates in a dim 'date'"):
        processes.seasonal_factor(weight, over_time([0.0, 1.0], [0, 1]))


# The bridge


# A step takes no time, or the millionth part of a second and more: ratios of those that are shorter overflow.
@given(st.lists(st.just(0.0) | st.floats(1e-14, 5), min_size=1, max_size=9))
@settings(max_examples=40)
def test_bridged_shocks_are_as_independent_as_those_they_are_made_of(lengths):
    t = np.cumsum(lengths)
    rows = processes.bridged_shock(shocks(np.arange(t.size)), over_time(t, np.arange(t.size))).values
    np.testing.assert_allclose(rows @ rows.T, np.eye(t.size), atol=1e-9)


def test_the_first_bridged_shock_tells_where_it_ends():
    t = np.array([1.0, 2.0, 5.0, 6.0])
    at = over_time(t, t)
    path = processes.random_walk(0.0, 0.0, 1.0, processes.bridged_shock(shocks(t), at), at, 1.0)
    np.testing.assert_allclose(path.isel(year=-1), [np.sqrt(6), 0, 0, 0], atol=1e-12)
    # Halfway, at 2 or 5 as well as at 3: by what is between, the variance is (2 - 0) (6 - 2) / 6.
    np.testing.assert_allclose(path.isel(year=1), [np.sqrt(6) / 3, np.sqrt(8 / 6), 0, 0], atol=1e-12)


def walked(bridged, labels=20):
    at = over_time(np.arange(1.0, labels + 1), np.arange(labels))
    names = {"shock": "path_shock"}
    path = processes.geometric_random_walk.renamed("level")
    made = [path, processes.bridged_shock.renamed("shock", names)] if bridged else [path]
    known = {
        "initial_level": ds.Assumption(1.0),
        "drift": ds.Assumption(0.0, "1/year"),
        "volatility": ds.Assumption(0.2),
        "elapsed_time": ds.Assumption(at, "year"),
        "path_shock" if bridged else "shock": dist.normal(mean=0 * at, sd=1),
    }
    return ds.Model(made, known)


def test_a_bridge_makes_long_paths_more_accurate_and_keeps_the_bits_of_blocks():
    errors = []
    for bridged in (False, True):
        draws = walked(bridged).simulate(draws=1024, chains=24, seed=1, keep=["level"])
        errors.append(float(draws.level.mean(["draw", "year"]).std()))
    assert errors[1] < 0.75 * errors[0]
    one = walked(True).simulate(draws=256, chains=2, seed=1, keep=["level"])
    blocks = walked(True).simulate(draws=256, chains=2, seed=1, keep=["level"], chunks=32)
    np.testing.assert_array_equal(one.level, blocks.level)


def test_a_bridge_needs_a_sure_time():
    late = xr.DataArray([[0.0, 1.0], [0.5, 1.5]], dims=["draw", "year"], coords={"year": [2025, 2026]})
    with pytest.raises(EquationError, match="elapsed_time that is sure"):
        processes.bridged_shock(shocks([0, 1]), late)


# In models: any unit, files, workbooks


KNOWN = {
    "random_walk": {"drift": (2, "CNY/card/year"), "volatility": (3, "CNY/card")},
    "mean_reverting": {"mean_level": (70, "CNY/card"), "half_life": (2, "year"), "level_sd": (5, "CNY/card")},
}
WALK = {name: ds.Assumption(*said) for name, said in KNOWN["random_walk"].items()}


def test_a_process_takes_the_unit_of_its_quantity_and_that_is_checked():
    built = model("random_walk", [0, 1, 3], **WALK, initial_level=ds.Assumption(0.1, "thousand CNY/card"))
    np.testing.assert_allclose(built.point().level, [100, 102, 106])
    assert built.point().level.attrs["units"] == "CNY/card"
    assert built.equations["level"].long_name == "level"
    with pytest.raises(DimensionError, match="equation 'level' combines"):
        model("random_walk", [0, 1, 3], **WALK, initial_level=ds.Assumption(0.1, "CNY"))


def test_bounds_follow_the_unit():
    made = equation_named("inference.cards as needed in kilocard")
    assert tuple(made.bounds) == (0, None)
    assert equation_named("growth.bass_share as share in percent").bounds == (0, 100)


def test_it_goes_through_files_submodels_and_pickles():
    built = model("random_walk", [0, 1, 3], **WALK, initial_level=ds.Assumption("normal(mean=100, sd=5)", "CNY/card"))
    assert "processes.random_walk as level in CNY/card" in built.to_toml()
    for again in (model_from_toml(built.to_toml()), pickle.loads(pickle.dumps(built))):
        xr.testing.assert_equal(again.simulate(draws=64, seed=1), built.simulate(draws=64, seed=1))
    sub = ds.Model([], {}).with_submodel("chip", built)
    assert sub.equations["chip_level"].unit == "CNY/card"
    np.testing.assert_allclose(model_from_toml(sub.to_toml()).point().chip_level, built.point().level)


def test_an_unknown_unit_in_a_study_names_the_equation():
    built = model("random_walk", [0, 1, 3], **WALK, initial_level=ds.Assumption(100, "CNY/card"))
    with pytest.raises(UnitError, match="kard"):
        model_from_toml(built.to_toml().replace("level in CNY/card", "level in CNY/kard"))


@pytest.mark.parametrize(
    "name", ["random_walk", "geometric_random_walk", "mean_reverting", "autoregressive", "jump", "regime"]
)
def test_a_workbook_computes_it_live(tmp_path, name):
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parent.parent / "workbook"))
    from workbooks import assert_computes, computed_by_formualizer

    card = "CNY/card"
    known = {
        "initial_level": ds.Assumption(100, card),
        "drift": ds.Assumption(0.02, "1/year" if name.startswith("geo") else f"{card}/year"),
        "volatility": ds.Assumption(0.3, "1" if name.startswith("geo") else card),
        "mean_level": ds.Assumption(70, card),
        "half_life": ds.Assumption(2, "year"),
        "level_sd": ds.Assumption(5, card),
        "persistence": ds.Assumption(0.8),
        "jump_size": ds.Assumption(5, card),
        "jump_probability": ds.Assumption(0.2),
        "jump_chance": ds.Assumption("uniform(0, 1)"),
        "level_before": ds.Assumption(5, card),
        "level_after": ds.Assumption(4, card),
        "change_time": ds.Assumption(1.5, "year"),
    }
    inputs = equation_named(f"processes.{name}").inputs
    built = model(name, [0, 1, 3.5], **{each: known[each] for each in inputs if each in known})
    if "shock" in inputs:
        at = over_time([0.3, -1, 2], [0, 1, 3.5])
        built = built.assume(shock=ds.Assumption(dist.normal(mean=at, sd=1), point=at))
    path = tmp_path / "process.xlsx"
    assert ds.write_workbook(built, path) == {}
    assert_computes(path, built, (computed_by_formualizer(path), 1e-12))


def test_a_fan_runs_over_dates_beside_weights_by_month():
    dates = np.arange("2025-01", "2026-01", dtype="datetime64[M]").astype("datetime64[s]")
    at = xr.DataArray(np.arange(12) / 12, dims="date", coords={"date": dates})
    weight = xr.DataArray(np.arange(12) + 1.0, dims="month", coords={"month": range(1, 13)})
    built = ds.Model(
        [processes.seasonal_factor],
        {"seasonal_weight": dist.lognormal(median=weight, factor=1.1), "elapsed_time": ds.Assumption(at, "year")},
    )
    assert ds.plots.fan(built.simulate(draws=64, seed=1), "seasonal_factor").shape == (1, 1)
