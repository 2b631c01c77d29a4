"""Demand and growth: units, conservation, and Doubao's users held against its published tokens."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import demand, equation_named, growth
from demandsim.equations import shipped as shipped_equations
from demandsim.errors import DimensionError
from demandsim.graph import unit_check
from demandsim.graph.equation import Equation

ROOMS = (demand, growth)
EQUATIONS = {made.reference: made for room in ROOMS for made in vars(room).values() if isinstance(made, Equation)}

#: A unit and a value for every quantity that the equations take.
INPUTS = {
    "active_users": ("user", 59.98e6),
    "queries_per_user": ("query/user/day", 3.0),
    "prompt_tokens": ("token/query", 300.0),
    "answer_tokens": ("token/query", 500.0),
    "chain_of_thought_multiplier": ("1", 4.0),
    "chain_of_thought_helps": ("1", 0.3),
    "chain_of_thought_floor": ("parameter", 100e9),
    "reasoning_multiplier": ("1", 2.0),
    "activated_parameters": ("parameter", 110e9),
    "flops_per_parameter": ("FLOP/parameter/token", 2.0),
    "queries": ("query/day", 2e8),
    "tokens_per_query": ("token/query", 1300.0),
    "product_tokens": ("token/day", 2e11),
    "bottom_up_tokens": ("token/day", 2e11),
    "top_down_tokens": ("token/day", 4e12),
    "top_down_weight": ("1", 0.8),
    "daily_tokens": ("token/day", 4e12),
    "definition_ratio": ("1", 0.5),
    "initial_tokens": ("token/day", 1e12),
    "saturation_tokens": ("token/day", 1e15),
    "saturation_multiple": ("1", 20.0),
    "growth_rate": ("1/year", 0.7),
    "growth_factor": ("1", 2.5),
    "growth_period": ("year", 1.0),
    "mean_growth_rate": ("1/year", 0.7),
    "growth_shock": ("1/year", 0.2),
    "rate_shock": ("1", 0.2),
    "persistence": ("1", 0.6),
    "elapsed_time": ("year", 2.0),
    "initial_rate": ("1/year", 2.0),
    "half_life": ("year", 1.5),
    "rate_sd": ("1/year", 0.7),
    "level_shock": ("1", 0.3),
    "innovation": ("1/year", 0.03),
    "imitation": ("1/year", 0.4),
    "adopted_share": ("1", 0.3),
}
YEARS = [2025, 2026, 2028]
#: Those that add up along a dim take labelled arrays only.
LABELLED = {
    "demand.bottom_up_tokens",
    "growth.varying_growth",
    "growth.varying_logistic_growth",
    "growth.persistent_rate",
    "growth.reverting_rate",
}
SHOCKS = ("growth_shock", "rate_shock", "level_shock")
ELEMENTWISE = sorted(set(EQUATIONS) - LABELLED)

amounts = st.floats(1e-3, 1e3)


# Units, menu, bits


def test_the_menu_has_them_all():
    assert set(EQUATIONS) <= set(shipped_equations())
    for name in ("demand.from_bottom_up", "demand.reconciled", "growth.logistic_growth"):
        assert equation_named(name) is EQUATIONS[name]
    computed = {EQUATIONS[f"growth.{kind}_growth"].name for kind in ("exponential", "logistic", "gompertz", "varying")}
    assert computed == {"top_down_tokens"}


def assumed(made, *, labelled=False):
    found = {}
    for name in made.inputs:
        unit, value = INPUTS[name]
        spread = dist.lognormal(median=value, factor=1.2)
        if labelled and name in ("elapsed_time", "product_tokens", *SHOCKS):
            dim, size = ("product", 2) if name == "product_tokens" else ("year", len(YEARS))
            labels = list(range(size)) if dim == "product" else YEARS
            at = np.arange(size) * 1.0 if name == "elapsed_time" else value * (1 + np.arange(size))
            spread = xr.DataArray(at, coords={dim: labels}, dims=dim)
            if name in SHOCKS:
                spread = dist.normal(mean=0 * spread, sd=0.2)
        found[name] = ds.Assumption(spread, unit)
    return found


@pytest.mark.parametrize("reference", sorted(EQUATIONS))
def test_every_equation_passes_the_unit_check_and_runs_in_a_model(reference):
    made = EQUATIONS[reference]
    model = ds.Model([made], assumed(made, labelled=reference in LABELLED))
    draws = model.simulate(draws=64, chains=2, seed=1)
    assert np.isfinite(draws[made.name]).all()
    assert made.long_name
    assert made.source


@pytest.mark.parametrize("reference", sorted(EQUATIONS))
def test_a_wrong_unit_is_refused(reference, monkeypatch):
    # What the refusal advises has tests of its own; to look for it takes most of the time.
    monkeypatch.setattr(unit_check, "_hint", lambda *_: "")
    made = EQUATIONS[reference]
    for name in made.inputs:
        given_units = assumed(made, labelled=reference in LABELLED)
        wrong = given_units[name].relabelled(unit="card")
        with pytest.raises(DimensionError, match=made.name):
            ds.Model([made], {**given_units, name: wrong})


@pytest.mark.parametrize("reference", ELEMENTWISE)
def test_floats_arrays_and_labelled_arrays_give_the_same_numbers(reference):
    made = EQUATIONS[reference]
    spread = np.linspace(0.5, 1.5, 5)
    values = {name: INPUTS[name][1] * spread for name in made.inputs}
    values["top_down_weight"] = spread - 0.5
    values = {name: values[name] for name in made.inputs}
    bare = made(**values)
    labelled = made(**{name: xr.DataArray(value, dims="draw") for name, value in values.items()})
    np.testing.assert_array_equal(labelled.values, bare)
    one_by_one = [float(made(**{name: float(value[i]) for name, value in values.items()})) for i in range(5)]
    np.testing.assert_allclose(one_by_one, bare, rtol=1e-14)


@pytest.mark.parametrize("reference", sorted(LABELLED))
def test_blocks_threads_and_chunks_change_no_bit(reference):
    made = EQUATIONS[reference]
    model = ds.Model([made], assumed(made, labelled=True))
    one = model.simulate(draws=64, chains=2, seed=3, threads=1)
    xr.testing.assert_identical(model.simulate(draws=64, chains=2, seed=3, threads=2, block=7), one)
    lazy = model.simulate(draws=64, chains=2, seed=3, chunks=16)[made.name]
    np.testing.assert_array_equal(lazy.transpose(*one[made.name].dims), one[made.name])


# From users up


@settings(max_examples=30)
@given(users=amounts, asked=amounts, prompt=amounts, answer=amounts, multiplier=st.floats(1, 20), factor=amounts)
def test_bottom_up_tokens_are_linear_in_users_queries_and_lengths(users, asked, prompt, answer, multiplier, factor):
    def tokens(users=users, asked=asked, prompt=prompt, answer=answer, multiplier=multiplier):
        return demand.one_product(demand.queries(users, asked), demand.tokens_per_query(prompt, answer, multiplier))

    base = tokens()
    assert base == pytest.approx(users * asked * (prompt + answer * multiplier), rel=1e-12)
    assert tokens(users=factor * users) == pytest.approx(factor * base, rel=1e-12)
    assert tokens(asked=factor * asked) == pytest.approx(factor * base, rel=1e-12)
    assert tokens(prompt=factor * prompt, answer=factor * answer) == pytest.approx(factor * base, rel=1e-12)
    # A longer answer costs at least what a shorter one does.
    assert tokens(multiplier=multiplier + 1) >= base


@settings(max_examples=30)
@given(st.lists(st.tuples(amounts, amounts, amounts), min_size=1, max_size=6))
def test_the_sum_over_products_is_conserved(rows):
    users, asked, each = (xr.DataArray(list(column), dims="product") for column in zip(*rows, strict=True))
    products = demand.product_tokens(demand.queries(users, asked), each)
    total = demand.bottom_up_tokens(products)
    assert total.dims == ()
    assert total.item() == pytest.approx(sum(u * q * t for u, q, t in rows), rel=1e-12)
    # Splitting a product in two changes nothing.
    split = xr.concat([products[:1] * 0.25, products[:1] * 0.75, products[1:]], dim="product")
    assert demand.bottom_up_tokens(split).item() == pytest.approx(total.item(), rel=1e-12)


def test_the_compute_of_a_query_is_the_reports():
    # 110e9 parameters x (500 + 500) tokens x 2 FLOP.
    plain = demand.tokens_per_query(500.0, 500.0, reasoning_multiplier=1.0)
    assert demand.flops_per_query(110e9, plain) == 110e9 * (500 + 500) * 2
    # Chain of thought multiplies the steps of inference, not the prompt.
    reasoned = demand.tokens_per_query(500.0, 500.0, reasoning_multiplier=10.0)
    assert demand.flops_per_query(110e9, reasoned) == 110e9 * (500 + 10 * 500) * 2


@settings(max_examples=30)
@given(parameters=st.floats(1e9, 1e12), floor=st.floats(1e9, 1e12), multiplier=st.floats(1, 50))
def test_chain_of_thought_sets_a_floor_on_the_size_of_a_model(parameters, floor, multiplier):
    helps = demand.chain_of_thought_helps(parameters, floor)
    found = demand.reasoning_multiplier(helps, multiplier)
    assert found == (multiplier if parameters >= floor else 1.0)
    assert demand.chain_of_thought_helps(100e9) == 1.0
    assert demand.chain_of_thought_helps(99e9) == 0.0


def test_a_model_finds_the_floor_draw_by_draw():
    model = ds.Model(
        [demand.chain_of_thought_helps, demand.reasoning_multiplier],
        {
            "activated_parameters": ds.Assumption(dist.uniform(50e9, 150e9), "parameter"),
            "chain_of_thought_multiplier": ds.Assumption(6.0),
        },
    )
    draws = model.simulate(draws=1024, seed=1)
    expected = xr.where(draws.activated_parameters >= 100e9, 6.0, 1.0)
    np.testing.assert_array_equal(draws.reasoning_multiplier, expected)
    assert float(draws.chain_of_thought_helps.mean()) == pytest.approx(0.5, abs=0.01)
    # The floor is a quantity like any other.
    none = model.assume(chain_of_thought_floor=ds.Assumption(200e9, "parameter")).simulate(draws=64, seed=1)
    assert (none.reasoning_multiplier == 1).all()


# Top-down and bottom-up together


@given(up=amounts, down=amounts, weight=st.floats(0, 1), factor=amounts)
def test_a_reconciled_estimate_lies_between_and_is_a_geometric_mean(up, down, weight, factor):
    found = demand.reconciled(up, down, weight)
    assert min(up, down) * (1 - 1e-12) <= found <= max(up, down) * (1 + 1e-12)
    assert np.log(found) == pytest.approx(weight * np.log(down) + (1 - weight) * np.log(up), abs=1e-9)
    assert demand.reconciled(up, down, 0.0) == up == demand.from_bottom_up(up)
    assert demand.reconciled(up, down, 1.0) == pytest.approx(down, rel=1e-12) == demand.from_top_down(down)
    # It changes with the unit of tokens as its parts do, and is symmetric.
    assert demand.reconciled(factor * up, factor * down, weight) == pytest.approx(factor * found, rel=1e-9)
    assert demand.reconciled(down, up, 1 - weight) == pytest.approx(found, rel=1e-9)
    ratio = demand.reconciliation_ratio(up, down)
    assert demand.reconciliation_ratio(down, up) * ratio == pytest.approx(1, rel=1e-12)
    assert down * ratio == pytest.approx(up, rel=1e-12)


def test_reported_tokens_carry_the_definition_of_the_publisher():
    # Volcano Engine's tokens of outside customers, over all that it said to process: a tenth to a third.
    external = ds.load_series("china-external-tokens").daily_tokens.sel(provider="Volcano Engine").item()
    for day in ("2024-12-15", "2025-05-31"):
        whole = ds.load_series("doubao-daily-tokens").daily_tokens.sel(date=day).item()
        ratio = external / whole
        assert 0.09 < ratio < 0.4
        assert demand.reported_tokens(whole, ratio) == pytest.approx(external)


# Doubao in December 2024, from both ends


@pytest.fixture(scope="module")
def doubao():
    """Doubao's app by its users, the rest by a growth curve through what was published."""
    users = ds.load_series("monthly-active-users").active_users.sel(product="Doubao").item()
    tokens = ds.load_series("doubao-daily-tokens").daily_tokens
    launch, december = tokens.sel(date="2024-05-01").item(), tokens.sel(date="2024-12-15").item()
    years = ds.load_series("doubao-daily-tokens").date
    elapsed = float((years.sel(date="2024-12-15") - years.sel(date="2024-05-01")) / np.timedelta64(365, "D"))
    model = ds.Model(
        [
            demand.queries,
            demand.tokens_per_query,
            demand.one_product,
            growth.exponential_growth,
            demand.reconciliation_ratio,
            demand.reconciled,
            demand.reported_tokens,
        ],
        {
            "active_users": ds.Assumption(users, "user", source="report: monthly active users, November 2024"),
            "queries_per_user": ds.Assumption(dist.lognormal(0.5, 5, prob=0.9), "query/user/day", source="judgement"),
            "prompt_tokens": ds.Assumption(dist.lognormal(100, 3000, prob=0.9), "token/query", source="judgement"),
            "answer_tokens": ds.Assumption(dist.lognormal(200, 1000, prob=0.9), "token/query", source="judgement"),
            "reasoning_multiplier": ds.Assumption(1.0, source="no reasoning model in the app of 2024"),
            "initial_tokens": ds.Assumption(launch, "token/day", source="report: May 2024"),
            "growth_rate": ds.Assumption(np.log(december / launch) / elapsed, "1/year", source="report: 33 times"),
            "elapsed_time": ds.Assumption(elapsed, "year"),
            "top_down_weight": ds.Assumption(0.9, source="judgement: the curve passes through a published figure"),
            "definition_ratio": ds.Assumption(1.0),
        },
    )
    return model, december


def test_users_of_the_app_explain_a_small_part_of_doubaos_tokens(doubao):
    model, december = doubao
    point = model.point()
    assert float(point.top_down_tokens) == pytest.approx(4e12, rel=1e-9) == december
    # By hand, at the medians: 59.98 m users x 1.58 queries x (548 + 447) tokens = 9.4e10.
    by_hand = 59.98e6 * np.sqrt(0.5 * 5) * (np.sqrt(100 * 3000) + np.sqrt(200 * 1000))
    assert float(point.bottom_up_tokens) == pytest.approx(by_hand, rel=1e-9)
    draws = model.simulate(draws=4096, seed=1)
    ratio = draws.reconciliation_ratio
    # Even at the 95th percentile the app stays under a quarter: the rest is outside customers and other products.
    assert float(ratio.median()) == pytest.approx(0.026, abs=0.004)
    assert float(ratio.quantile(0.95)) < 0.25
    # Each user would have to ask some seventy times a day for the app to be all of it.
    needed = model.point().queries_per_user / model.point().reconciliation_ratio
    assert 50 < float(needed) < 90
    # The reconciled estimate leans to the curve, and stays between the two.
    assert float(draws.daily_tokens.median()) == pytest.approx(4e12 * 0.026**0.1, rel=0.03)
    assert ((draws.daily_tokens <= 4e12 * (1 + 1e-9)) | (draws.reconciliation_ratio > 1)).all()
    np.testing.assert_array_equal(draws.reported_tokens, draws.daily_tokens)


def test_products_add_up_in_a_model():
    table = ds.load_series("monthly-active-users").sel(product=["Doubao", "Kimi"])
    users = xr.DataArray(table.active_users.values, coords={"product": ["Doubao", "Kimi"]}, dims="product")
    model = ds.Model(
        [
            demand.queries,
            demand.tokens_per_query,
            demand.product_tokens,
            demand.bottom_up_tokens,
            demand.from_bottom_up,
        ],
        {
            "active_users": ds.Assumption(users, "user"),
            "queries_per_user": ds.Assumption(dist.lognormal(0.5, 5, prob=0.9), "query/user/day"),
            "prompt_tokens": ds.Assumption(500, "token/query"),
            "answer_tokens": ds.Assumption(500, "token/query"),
            "reasoning_multiplier": ds.Assumption(1),
        },
    )
    draws = model.simulate(draws=256, seed=1)
    assert "product" not in draws.daily_tokens.dims
    np.testing.assert_allclose(draws.daily_tokens, draws.product_tokens.sum("product"), rtol=1e-12)
    np.testing.assert_allclose(draws.daily_tokens, draws.queries_per_user * 72.8e6 * 1000, rtol=1e-12)
    assert draws.daily_tokens.attrs["units"] == "token/day"
