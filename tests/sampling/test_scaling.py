"""Scaling: one run, the same bits in any number of pieces, threads and chunks."""

import functools
import json
import math
import tracemalloc

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.distributions import inversion
from demandsim.errors import DemandsimError, DesignWarning, MemoryGuardError, ToleranceWarning

YEARS = [2025, 2026, 2027]


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    """Cards needed."""
    return peak_compute / (card_flops * utilization)


@ds.equation(unit="card")
def bought(cards):
    """Cards bought: needs labels, so it runs on DataArrays."""
    return cards - cards.shift(year=1, fill_value=0)


def small_model():
    low = xr.DataArray([300.0, 500, 800], coords={"year": YEARS}, dims="year")
    return ds.Model(
        [cards, bought],
        {
            "peak_compute": ds.Assumption(dist.lognormal(low, 3 * low), unit="EFLOP/s"),
            "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
            "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1)),
        },
        correlations={("utilization", "peak_compute"): -0.3},
        scenarios={"scenario": {"a": {}, "b": {"utilization": 0.3}}},
    )


MODEL = small_model()


def same_bits(one, other):
    assert set(one.data_vars) == set(other.data_vars)
    # All at once: each quantity alone would run the whole model again.
    one, other = one.compute(), other.compute()
    for name, array in one.data_vars.items():
        np.testing.assert_array_equal(array.transpose(*other[name].dims).values, other[name].values, err_msg=str(name))


@ds.equation(unit="1")
def grown(rate, elapsed):
    return (1 + rate) ** elapsed


@ds.equation(unit="1")
def grown_in_all(rate, elapsed):
    return ((1 + rate) ** elapsed).sum("year")


def test_a_power_of_the_years_has_the_same_bits_in_any_block():
    # An exponent of 2 that stands for many draws makes numpy square, which rounds otherwise than its powers do.
    elapsed = xr.DataArray([0.0, 1.0, 2.0], coords={"year": YEARS}, dims="year")
    model = ds.Model([grown, grown_in_all], {"rate": dist.normal(0.2, 0.4), "elapsed": dist.constant(elapsed)})
    whole = model.simulate(8192, chains=1, seed=1, block=8192)
    for block in (2048, 100):
        same_bits(whole, model.simulate(8192, chains=1, seed=1, block=block))


@functools.cache
def whole_of(design):
    return MODEL.simulate(64, chains=3, seed=5, design=design, threads=1)


@given(
    block=st.integers(1, 400),
    threads=st.integers(1, 4),
    chunks=st.none() | st.integers(1, 100),
    design=st.sampled_from(["sobol", "latin_hypercube", "random"]),
)
@settings(max_examples=25)
def test_bits_depend_on_neither_blocks_nor_threads_nor_chunks(block, threads, chunks, design):
    whole = whole_of(design)
    pieces = MODEL.simulate(64, chains=3, seed=5, design=design, threads=threads, block=block, chunks=chunks)
    same_bits(whole, pieces)
    if chunks is None:
        assert whole.attrs["receipt"] == pieces.attrs["receipt"]


def test_chunked_draws_are_lazy_and_labelled_as_in_memory():
    lazy = MODEL.simulate(512, seed=1, chunks=100)
    held = MODEL.simulate(512, seed=1)
    assert all(array.chunks is not None for array in lazy.data_vars.values())
    assert lazy.cards.dims == held.cards.dims
    assert lazy.cards.attrs == held.cards.attrs
    assert lazy.chain.attrs == held.chain.attrs
    assert {k: v for k, v in lazy.attrs.items() if k != "receipt"} == {
        k: v for k, v in held.attrs.items() if k != "receipt"
    }


@pytest.mark.parametrize("kind", ["eti", "hdi"])
@pytest.mark.parametrize("design", ["sobol", "random"])
def test_streamed_summary_is_the_summary(kind, design):
    held = MODEL.simulate(8192, chains=4, seed=1, design=design)
    lazy = MODEL.simulate(8192, chains=4, seed=1, design=design, chunks=1500)
    want, got = (ds.summarize(d, kind=kind, probs=[0.25]) for d in (held, lazy))
    values = [s for s in want.statistic.values if not str(s).startswith("mcse_")]
    errors = [s for s in want.statistic.values if str(s).startswith("mcse_")]
    for name in want:
        scale = float(want[name].sel(statistic="sd").max()) or 1.0
        # The ends of the narrowest interval are ill-determined: many are nearly as narrow.
        at, wide = (1e-4, 0.1) if kind == "eti" else (3e-2, 1.0)
        np.testing.assert_allclose(
            got[name].sel(statistic=values), want[name].sel(statistic=values), rtol=1e-4, atol=at * scale
        )
        np.testing.assert_allclose(
            got[name].sel(statistic=errors), want[name].sel(statistic=errors), rtol=wide, atol=1e-3 * scale
        )
        assert got[name].attrs == want[name].attrs


def test_a_streamed_summary_has_the_same_bits_on_any_number_of_workers():
    lazy = MODEL.simulate(4096, chains=3, seed=1, chunks=300)
    with dask.config.set(scheduler="sync"):
        one = ds.summarize(lazy)
    with dask.config.set(scheduler="threads", num_workers=6):
        same_bits(one, ds.summarize(lazy))


@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_a_streamed_summary_has_the_same_quantiles_in_any_chunks(kind):
    quantiles = ["median", "lower", "upper", "mcse_median", "mcse_lower", "mcse_upper"]
    coarse, fine = (ds.summarize(MODEL.simulate(4096, seed=1, chunks=n), kind=kind) for n in (4096, 333))
    same_bits(coarse.sel(statistic=quantiles), fine.sel(statistic=quantiles))


@pytest.mark.parametrize("kind", ["eti", "hdi"])
@pytest.mark.parametrize("design", ["sobol", "random"])
def test_draws_of_which_the_first_tell_nothing_are_read_twice(kind, design):
    held = MODEL.select(scenario="a").simulate(16_384, chains=4, seed=1, design=design)
    held = held.assign(cards=held.cards.copy(data=np.sort(held.cards, axis=held.cards.get_axis_num("draw"))))
    read = []

    def counted(block):
        read.append(block.size)
        return block

    lazy = held[["cards"]].chunk(chain=1, draw=2048)
    lazy = lazy.assign(cards=lazy.cards.copy(data=lazy.cards.data.map_blocks(counted, dtype=float, meta=np.zeros(0))))
    got, want = ds.summarize(lazy, kind=kind).cards, ds.summarize(held, kind=kind).cards
    assert sum(read) == 2 * held.cards.size
    values = ["mean", "sd", "median", "lower", "upper"]
    scale = float(want.sel(statistic="sd").max())
    at = 1e-4 if kind == "eti" else 3e-2
    np.testing.assert_allclose(got.sel(statistic=values), want.sel(statistic=values), rtol=1e-4, atol=at * scale)


@pytest.mark.parametrize(("kind", "mib"), [("eti", 8.5), ("hdi", 10.5)])
def test_memory_of_a_streamed_summary_is_that_of_a_few_blocks_and_small_sketches(kind, mib):
    # 40 labels: a block takes 0.3 MiB, all draws 5 MiB, and sketches that are fine everywhere take 71 MiB.
    products = xr.DataArray(np.linspace(10.0, 1e6, 40), coords={"product": range(40)}, dims="product")
    model = ds.Model([], {"x": dist.lognormal(products, 4 * products)})
    lazy = model.simulate(4096, chains=4, chunks=1024, seed=1)
    with dask.config.set(scheduler="sync"):
        ds.summarize(lazy.isel(product=slice(2)), kind=kind)
        # What tests before have drawn decides when look-ups are compiled, for which numba is imported.
        inversion._look_up.compiled()
        tracemalloc.start()
        try:
            summary = ds.summarize(lazy, kind=kind)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert summary.x.sizes["product"] == 40
    assert peak < mib * 2**20


def test_streamed_probability_is_the_probability():
    held, lazy = MODEL.simulate(1024, seed=1), MODEL.simulate(1024, seed=1, chunks=100)
    xr.testing.assert_allclose(ds.probability(lazy.cards > 1e6), ds.probability(held.cards > 1e6))


def test_invalid_draws_are_left_out_of_streams_and_counted():
    @ds.equation(unit="1")
    def root(utilization):
        """Not a number where utilization is low."""
        return np.sqrt(utilization - 0.3)

    model = MODEL.with_equations(root).select(scenario="a")
    with pytest.raises(ds.DemandsimError, match="equation 'root' made NaN"):
        model.simulate(256, seed=1, chunks=64).root.compute()
    lazy = model.simulate(256, seed=1, chunks=64, on_invalid="keep")
    held = model.simulate(256, seed=1, on_invalid="keep")
    bad = int(np.isnan(held.root).sum())
    assert bad > 0
    assert ds.summarize(lazy).root.sel(statistic="n_invalid").sum() == bad
    assert ds.summarize(held).root.sel(statistic="n_invalid").sum() == bad
    one, other = ds.probability(held.root > 0.2), ds.probability(lazy.root > 0.2)
    xr.testing.assert_allclose(one, other)
    assert one.n_invalid.sum() == bad
    assert one.probability.item() == pytest.approx(float((held.root > 0.2).sum() / (held.root.size - bad)))


def test_keep_drops_what_is_not_asked_for_and_changes_no_bit():
    everything = MODEL.simulate(256, seed=1)
    some = MODEL.simulate(256, seed=1, keep=["cards"])
    assert list(some.data_vars) == ["cards"]
    np.testing.assert_array_equal(some.cards, everything.cards)


def test_float32_is_storage_only():
    double, single = MODEL.simulate(256, seed=1), MODEL.simulate(256, seed=1, dtype="float32")
    assert single.cards.dtype == np.float32
    np.testing.assert_array_equal(single.cards, double.cards.astype(np.float32))


def test_a_number_too_large_for_single_precision_is_not_stored_silently():
    model = product_model().assume(a=1e30, b=1e20)
    with pytest.raises(DemandsimError, match="equation 'product' made NaN or infinity"):
        model.simulate(64, seed=1, dtype="float32")
    assert np.isfinite(model.simulate(64, seed=1)["product"]).all()


@pytest.mark.parametrize(
    ("law", "said"),
    [
        (dist.normal(mean=1e40, sd=1e39), "'a' cannot be stored in single precision: .*e.40 is beyond its range"),
        (dist.normal(mean=1e-60, sd=1e-61), "'a' .* is beyond its range"),
        (1e40, "1e.40 is beyond its range"),
        (dist.normal(mean=1e9, sd=1), "'a' .* 1e.09 differs by less than it can tell"),
    ],
)
def test_what_single_precision_cannot_hold_is_refused(law, said):
    model = product_model().assume(a=law)
    with pytest.raises(DemandsimError, match=said):
        model.simulate(64, seed=1, dtype="float32", keep=["a"])
    assert model.simulate(64, seed=1, keep=["a"]).a.dtype == np.float64
    # What is not kept need not fit.
    assert model.assume(b=1e-20).simulate(64, seed=1, dtype="float32", keep=["c"]).c.dtype == np.float32


FACTORS = {"a": (3.0, 2.0), "b": (0.5, 1.5), "c": (10.0, 3.0)}


@ds.equation(unit="1")
def product(a, b, c):
    """Product of all factors."""
    return a * b * c


def product_model():
    return ds.Model([product], {n: dist.lognormal(median=m, factor=f) for n, (m, f) in FACTORS.items()})


@pytest.mark.parametrize(("design", "rtol"), [("sobol", 1e-3), ("random", 1e-2)])
def test_a_tolerance_is_reached_with_draws_reused(design, rtol):
    model = product_model()
    rounds = []
    draws = model.simulate(rtol=rtol, of="product", seed=3, design=design, on_round=rounds.append)
    summary = ds.summarize(draws)["product"]
    for statistic in ("mean", "median", "lower", "upper"):
        assert summary.sel(statistic=f"mcse_{statistic}") <= rtol * abs(summary.sel(statistic=statistic))
    z95 = 1.6448536269514722
    sigma = math.sqrt(sum((math.log(f) / z95) ** 2 for _, f in FACTORS.values()))
    median = math.prod(m for m, _ in FACTORS.values())
    # The true error is within four of the tolerated standard errors.
    assert float(summary.sel(statistic="mean")) == pytest.approx(median * math.exp(sigma**2 / 2), rel=4 * rtol)
    assert float(summary.sel(statistic="upper")) == pytest.approx(median * math.exp(z95 * sigma), rel=4 * rtol)
    assert [r.draws for r in rounds] == [8 * 1024 * 2**i for i in range(len(rounds))]
    assert not rounds[-2].done
    assert rounds[-1].done
    same_bits(draws, model.simulate(draws.sizes["draw"], seed=3, design=design))
    assert draws.attrs["receipt"] == model.simulate(draws.sizes["draw"], seed=3, design=design).attrs["receipt"]
    assert json.loads(draws.attrs["stop_rule"])["reached"] is True


def test_an_absolute_tolerance_is_in_the_unit_of_the_quantity():
    draws = MODEL.simulate(atol=5e3, of=["cards"], statistics=["mean"], seed=1)
    assert float(ds.summarize(draws).cards.sel(statistic="mcse_mean").max()) <= 5e3


def test_running_out_of_draws_is_reported():
    with pytest.warns(
        ToleranceWarning, match=r"not reached with 16,384 draws \(max_draws=20,000.*lower of product = 3.*goal"
    ):
        draws = product_model().simulate(rtol=1e-9, of="product", seed=1, max_draws=20_000)
    rule = json.loads(draws.attrs["stop_rule"])
    assert rule["reached"] is False
    assert rule["rows"][0]["mcse"] > rule["rows"][0]["tolerance"]


def test_running_out_of_memory_ends_a_tolerance_with_what_was_reached(monkeypatch):
    monkeypatch.setattr("demandsim.sampling.run.available_memory", lambda: 3_000_000)
    with pytest.warns(ToleranceWarning, match=r"2\.9 MiB are available"):
        draws = product_model().simulate(rtol=1e-9, of="product", seed=1)
    assert draws.sizes["draw"] >= 1024


def test_no_quantity_is_called_like_a_dim_of_the_draws():
    @ds.equation(unit="1")
    def statistic(x):
        """A name of summaries."""
        return x

    @ds.equation(unit="1")
    def y(x):
        """A plain one."""
        return x

    given = ds.Assumption(ds.distributions.normal(mean=0, sd=1))
    yearly = ds.Assumption(ds.distributions.constant(xr.DataArray([1.0, 2.0], coords={"year": [1, 2]}, dims="year")))
    for make in (
        lambda: ds.Model([statistic], {"x": given}),
        lambda: ds.Model([y], {"x": given, "chain": given}),
        lambda: ds.Model([y], {"x": given, "draw": given}),
        lambda: ds.Model([y], {"x": yearly, "year": given}),
        lambda: ds.Model([y], {"x": given}, scenarios={"y": {"low": {"x": 0}, "high": {"x": 1}}}),
    ):
        with pytest.raises(DemandsimError, match=r"a quantity cannot be called '(statistic|chain|draw|year|y)'"):
            make().simulate(8, seed=1)


def test_draws_too_large_for_memory_raise_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr("demandsim.sampling.run.available_memory", lambda: 10_000_000)
    monkeypatch.setattr("demandsim.sampling.run.Run.quantities", lambda *_: pytest.fail("something was computed"))
    with pytest.raises(MemoryGuardError, match=r"need [1-9][\d.]* GiB, 9.5 MiB are available.*keep=\[.*chunks="):
        MODEL.simulate(2**20, seed=1)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"rtol": -1.0}, "rtol must be"),
        ({"rtol": float("nan")}, "rtol must be"),
        ({"of": "product"}, "give rtol"),
        ({"rtol": 0.1, "of": "produkt"}, "did you mean 'product'"),
        ({"rtol": 0.1, "statistics": ["modus"]}, "unknown statistic"),
        ({"rtol": 0.1, "chunks": 100}, "do not go together"),
        ({"rtol": 0.1, "design": "latin_hypercube"}, "cannot be extended"),
        ({"rtol": 0.1, "keep": ["a"]}, "leaves out"),
        ({"rtol": 0.1, "chains": 1}, "cannot tell its error"),
        ({"chunks": 0}, "chunks must be"),
        ({"threads": 0}, "threads must be"),
        ({"block": -1}, "block must be"),
    ],
)
def test_impossible_settings_raise(settings_, message):
    with pytest.raises(DemandsimError, match=message):
        product_model().simulate(seed=1, **settings_)


def test_one_chain_has_no_error_to_tell():
    with pytest.warns(DesignWarning, match="one chain"):
        summary = ds.summarize(product_model().simulate(256, chains=1, seed=1, chunks=64))
    assert math.isnan(summary["product"].sel(statistic="mcse_mean"))
