"""`Model.summarize`: statistics of draws that are never kept are those of the draws that `simulate` keeps."""

import gc
import time
import tracemalloc
import weakref

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DemandsimError, InvalidDrawsError
from demandsim.sampling import summary
from demandsim.sampling.simulate import Settings
from demandsim.statistics.sketch import Focus
from demandsim.statistics.summarize import asked_of

PROBS = (0.001, 0.01, 0.99, 0.999)
VALUES = ["mean", "sd", "median", "lower", "upper", "p0.1", "p1", "p99", "p99.9"]


@ds.equation(unit="CNY")
def margin(price, cards, years_of_life, trend):
    return price * cards - 3.0 * years_of_life + trend


def model():
    trend = xr.DataArray([0.0, 1.0, 2.0], dims="year", coords={"year": [2025, 2026, 2027]})
    return ds.Model(
        [margin],
        {
            "price": ds.Assumption(dist.lognormal(0.5, 4), unit="CNY/card"),
            "cards": ds.Assumption(dist.discrete([0, 1, 5], weights=[0.2, 0.3, 0.5]), unit="card"),
            "years_of_life": ds.Assumption(dist.normal(mean=1, sd=0.01), unit="CNY"),
            "trend": ds.Assumption(trend, unit="CNY"),
        },
    ).with_scenarios(demand={"low": {}, "high": {"price": dist.lognormal(5, 40)}})


@pytest.fixture
def pieces(monkeypatch):
    """Several pieces in a stretch, several stretches in a chain."""
    monkeypatch.setattr(summary, "BLOCK", 256)
    monkeypatch.setattr(summary, "CHUNK", 1024)


def share_below(draws, quantile):
    """Share of draws at most as large as a quantile."""
    return (draws <= quantile * (1 + 1e-12 * np.sign(quantile))).mean(("chain", "draw"))


@pytest.mark.filterwarnings("ignore::demandsim.errors.SeveralPeaksWarning")
@pytest.mark.parametrize("kind", ["eti", "hdi"])
@pytest.mark.parametrize("design", ["sobol", "random", "latin_hypercube"])
def test_statistics_are_those_of_the_draws(design, kind, pieces):
    settings = {"draws": 4096, "chains": 4, "seed": 1, "design": design}
    draws = model().simulate(**settings)
    found, kept = model().summarize(**settings, kind=kind, probs=PROBS), ds.summarize(draws, kind=kind, probs=PROBS)
    assert list(found.data_vars) == list(kept.data_vars)
    assert found.attrs == kept.attrs
    for name in kept.data_vars:
        assert found[name].attrs == kept[name].attrs
        assert found[name].dims == kept[name].dims
        ours, theirs = found[name].sel(statistic=VALUES), kept[name].sel(statistic=VALUES)
        assert_allclose(ours[..., :2], theirs[..., :2], rtol=1e-9)
        size = float(abs(draws[name]).max())
        ends = 2e-3 if kind == "hdi" else 1e-4
        assert_allclose(ours, theirs, rtol=ends, atol=1e-4 * size)
        # An error is that of the statistic, which a sketch tells nearly as well as the draws.
        errors = [f"mcse_{value}" for value in ("mean", "sd")]
        errors = found[name].sel(statistic=errors), kept[name].sel(statistic=errors)
        assert_allclose(*errors, rtol=1e-2, atol=1e-12 * size)
    exact = draws.margin.quantile(PROBS, ("chain", "draw")).transpose("quantile", ...)
    for level, name in zip(exact, VALUES[5:], strict=True):
        streamed = found.margin.sel(statistic=name, drop=True)
        assert_allclose(share_below(draws.margin, streamed), share_below(draws.margin, level), atol=1e-4)


def test_threads_change_no_bit(pieces):
    one, three = (model().summarize(2048, chains=3, seed=2, threads=threads) for threads in (1, 3))
    xr.testing.assert_identical(one, three)


def test_workers_of_a_client_change_no_bit(pieces):
    distributed = pytest.importorskip("distributed")
    alone = model().summarize(2048, chains=2, seed=3, keep=["margin"])
    with distributed.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None):
        xr.testing.assert_identical(model().summarize(2048, chains=2, seed=3, keep=["margin"]), alone)


def test_what_the_first_draws_mislead_about_is_drawn_again(monkeypatch, pieces):
    passes = []
    chains = summary._chains
    monkeypatch.setattr(summary, "_chains", lambda run, *rest: passes.append(run.keep) or chains(run, *rest))
    guessed = summary.guessed

    def blind(*given):
        return {key: Focus((), ()) if key[0] == "margin" else focus for key, focus in guessed(*given).items()}

    monkeypatch.setattr(summary, "guessed", blind)
    found = model().summarize(256, chains=2, seed=1, probs=[0.9])
    draws = model().simulate(256, chains=2, seed=1)
    assert passes == [model().quantities, ("margin",)]
    assert_allclose(found.margin.sel(statistic="p90"), draws.margin.quantile(0.9, ("chain", "draw")), rtol=1e-4)


def test_progress_ends_at_all_draws(pieces):
    told = []
    model().summarize(2048, chains=2, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (4096, 4096)
    assert len(told) == 4


def test_invalid_draws_raise_or_are_counted(pieces):
    @ds.equation(unit="1")
    def root(x):
        return np.sqrt(x)

    made = ds.Model([root], {"x": dist.uniform(-0.5, 1.5)})
    with pytest.raises(InvalidDrawsError, match="root"), np.errstate(invalid="ignore"):
        made.summarize(1024, chains=2, seed=1)
    with np.errstate(invalid="ignore"):
        found = made.summarize(1024, chains=2, seed=1, on_invalid="keep")
    assert found.root.sel(statistic="n_invalid").item() == pytest.approx(512, abs=4)


def test_what_cannot_be_asked_is_refused():
    for words, asked in [("multimodal", {"multimodal": True}), ("prob", {"prob": 2}), ("threads", {"threads": 0})]:
        with pytest.raises(DemandsimError, match=words):
            model().summarize(16, chains=2, seed=1, **asked)


def test_memory_hardly_grows_with_draws(monkeypatch):
    monkeypatch.setattr(summary, "BLOCK", 4096)
    monkeypatch.setattr(summary, "CHUNK", 8192)
    made, peaks = model(), []
    made.summarize(16, chains=2, seed=1)
    for draws in (2**12, 2**17):
        tracemalloc.start()
        made.summarize(draws, chains=2, seed=1, keep=["margin"], threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Of 32 times as many draws, the tails fill some bins more; the draws would fill more than all of it.
    assert peaks[1] < 4 * peaks[0]
    assert peaks[1] < 8 * 2**17 * 2 * made.simulate(1, chains=1).margin.size


def told_by_scenario(made, settings, of, **more):
    """Summary and draws, one scenario after the other."""
    asked = asked_of(0.9, "eti", PROBS, False)
    return summary.summarized_by_scenario(made.parts(), Settings(**settings), asked, of, **more)


@pytest.mark.parametrize("design", ["sobol", "random"])
def test_one_scenario_after_the_other_gives_the_same_bits(design):
    # A price that is sure in one scenario and not in the other, and further scenarios beside them.
    settings = {"draws": 1024, "chains": 4, "seed": 3, "design": design}
    made = model().with_scenarios(demand={"low": {}, "sure": {"price": 2.0}}, life={"long": {}, "short": {"cards": 1}})
    seen = []
    of = ["margin", "price", "trend", "years_of_life"]
    found, held = told_by_scenario(made, settings, of, report=lambda done, total: seen.append((done, total)))
    draws = made.simulate(**settings)
    xr.testing.assert_identical(found, ds.summarize(draws, probs=PROBS))
    assert {"low", "sure"} == set(found.demand.values)
    del draws.attrs["receipt"]
    xr.testing.assert_identical(held, draws[of])
    assert seen[-1] == (2 * 4096, 2 * 4096)
    assert seen == sorted(seen)


_FLOOR, _LEAST_PRICE = ds.constant(1.0, "CNY"), ds.constant(1.0, "CNY/card")


@ds.equation(unit="1")
def root(years_of_life, floor=_FLOOR):
    return (years_of_life / floor - 1) ** 0.5


@ds.equation(unit="1")
def by_price(price, floor=_LEAST_PRICE):
    return (price / floor - 1) ** 0.5


@ds.equation(unit="1")
def both(root, by_price):
    return root + by_price


@pytest.mark.parametrize("more", [(root,), (by_price,), (root, by_price, both)])
def test_one_scenario_after_the_other_makes_the_same_faults(more):
    settings = {"draws": 256, "chains": 2, "seed": 1}
    made = model().with_equations(*more)
    with pytest.raises(InvalidDrawsError) as together:
        made.simulate(**settings)
    with pytest.raises(InvalidDrawsError) as apart:
        told_by_scenario(made, settings, [], report=max)
    assert str(apart.value) == str(together.value)
    assert "made NaN or infinity in" in str(apart.value)


def test_one_scenario_after_the_other_is_forgotten(monkeypatch):
    held, in_memory = [], summary.run_in_memory

    def watched(*settings):
        # A thread that has ended its work may hold it for a moment.
        for _ in range(600):
            gc.collect()
            if not (alive := sum(one() is not None for one in held)):
                break
            time.sleep(0.05)
        assert alive == 0
        sampled = in_memory(*settings)
        assert {array.shape[0] for array in sampled.arrays.values() if array.ndim > 3} == {1}
        held.extend(weakref.ref(array) for array in sampled.arrays.values())
        return sampled

    monkeypatch.setattr(summary, "run_in_memory", watched)
    told_by_scenario(model(), {"draws": 64, "chains": 2, "seed": 1}, ["margin"], report=max)
    assert len(held) == 5 + 2
