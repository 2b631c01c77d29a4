"""Serving by its physics: architecture, roofline, batching, pools; against scipy, simulation and counting."""

import numpy as np
import pytest
import xarray as xr
from scipy import optimize

import demandsim as ds
from demandsim.equations import architecture, batching, equation_named, inference, production, roofline, serving
from demandsim.errors import DimensionError, InvalidDrawsError

STUDY = "deepseek-2025-02"


@pytest.fixture(scope="module")
def study():
    return ds.load_study(STUDY)


@pytest.fixture(scope="module")
def point(study):
    return study.point()


@pytest.fixture(scope="module")
def draws(study):
    return study.simulate(draws=512, seed=1)


# Architecture


def test_attention_costs_as_much_as_the_weights_at_the_context_of_deepseeks_day():
    # The published code of arXiv 2506.04645 counts 58 layers and 512 numbers for keys and values alike.
    as_published = architecture.decode_attention_cost(58, 128, 512, 512)
    assert round(architecture.decode_attention_flops(as_published, 4989) / 1e9) == 76
    assert inference.flops_per_token(37e9) / 1e9 == 74
    # The published configuration has 61 layers, and 64 positional numbers in a key.
    cost = architecture.decode_attention_cost(61, 128, 512 + 64, 512)
    assert round(architecture.decode_attention_flops(cost, 4989) / 1e9) == 85


def test_attention_is_the_count_of_a_tiny_model_done_by_hand():
    layers, heads, size, context = 2, 3, 5, 7
    count = 0
    for _ in range(layers * heads):
        count += 2 * context * size  # one score per earlier token, a product and a sum per number
        count += 2 * context * size  # one weighted value per earlier token
    cost = architecture.prefill_attention_cost(layers, heads, size, size)
    assert architecture.prefill_attention_flops(cost, context) == count


def test_experts_and_dense_weights_are_those_of_the_published_configuration():
    counted = 58 * 256 * 3 * 7168 * 2048
    found = architecture.expert_parameters(671e9, 37e9, 256 / 8)
    assert found == pytest.approx(counted, rel=1e-3)
    dense = architecture.dense_parameters(671e9, found)
    assert dense + found / 32 == pytest.approx(37e9, rel=1e-12)


@pytest.mark.parametrize("sparsity", [1.5, 8, 32])
def test_a_dense_model_has_no_experts(sparsity):
    assert architecture.expert_parameters(70e9, 70e9, sparsity) == 0


def test_a_model_that_cannot_be_is_refused(study):
    # One part in 8 of 671e9 is more than the 37e9 that it activates.
    with pytest.raises(InvalidDrawsError, match="dense_parameters"):
        study.fix(expert_sparsity=8).simulate(draws=64, seed=1)


def test_the_cache_of_a_token_is_what_the_vendor_says():
    assert architecture.kv_bytes_per_token(61, 512 + 64, 2) == 70_272
    # Usual attention keeps keys and values of 8 groups of heads of 128 numbers.
    assert architecture.kv_bytes_per_token(80, 2 * 8 * 128, 2) == 327_680


# Batching


@pytest.mark.parametrize("batch", [1, 5, 40])
def test_touched_experts_are_those_of_tokens_that_choose_at_random(batch):
    rng = np.random.default_rng(7)
    experts, used, trials = 64, 4, 4000
    chosen = rng.random((trials, batch, experts)).argpartition(used, axis=-1)[..., :used]
    touched = np.zeros((trials, experts), dtype=bool)
    np.put_along_axis(touched, chosen.reshape(trials, -1), True, axis=1)
    expected = touched.mean()
    found = batching.touched_share(batch_size=batch / 16, expert_cards=16, expert_sparsity=experts / used)
    assert found == pytest.approx(expected, abs=5e-3)


def worlds(count):
    """Decks of cards and models: dense and sparse, slow and fast, bound by compute and by bandwidth."""
    rng = np.random.default_rng(11)

    def between(low, high):
        return np.exp(rng.uniform(np.log(low), np.log(high), count))

    return {
        "user_speed": between(1, 100),
        "step_latency": between(1e-5, 3e-2),
        "decode_compute_limit": between(100, 1e5),
        "dense_bytes": between(1e8, 1e11),
        "expert_bytes": between(1e6, 4e10) * (rng.random(count) > 0.2),
        "sequence_bytes": between(1e6, 5e9),
        "expert_cards": between(1, 300),
        "expert_sparsity": between(1.1, 100),
        "memory_bandwidth": between(1e12, 1e13),
        "bandwidth_cap": rng.uniform(0.4, 1, count),
    }


def step(batch, world):
    compute = roofline.compute_time(batch, world["decode_compute_limit"])
    touched = batching.touched_share(batch, world["expert_cards"], world["expert_sparsity"])
    read = [world[n] for n in ("dense_bytes", "expert_bytes", "sequence_bytes", "memory_bandwidth", "bandwidth_cap")]
    return roofline.decode_step_time(compute, roofline.bandwidth_time(batch, touched, *read), world["step_latency"])


def test_the_batch_that_users_wait_for_is_the_root_that_scipy_finds():
    every = worlds(400)
    found = batching.latency_batch(**every)
    sides = set()
    for place, batch in enumerate(found):
        world = {name: values[place] for name, values in every.items()}
        target = 1 / world["user_speed"]
        if step(0.0, world) >= target:
            assert batch == 0
            sides.add("never")
            continue
        root = optimize.brentq(lambda b, w=world, t=target: step(b, w) - t, 0, 1e9, xtol=1e-13, rtol=1e-14)
        # Near 0 a batch is a difference of large numbers.
        assert batch == pytest.approx(root, rel=1e-8, abs=1e-8)
        by_compute = roofline.compute_time(batch, world["decode_compute_limit"]) + world["step_latency"]
        sides.add("compute" if by_compute == pytest.approx(target, rel=1e-9) else "bandwidth")
    assert sides == {"never", "compute", "bandwidth"}


def test_the_step_at_that_batch_takes_as_long_as_users_wait():
    every = worlds(2000)
    batch = batching.latency_batch(**every)
    target = 1 / every["user_speed"]
    reached = batch > 1e-3
    np.testing.assert_allclose(step(batch, every)[reached], target[reached], rtol=1e-9)
    assert np.all(step(batch, every)[~reached] > 0.9 * target[~reached])
    assert 500 < reached.sum() < 2000


def test_speculation_serves_more_sequences_at_the_same_speed():
    world = {name: values[0] for name, values in worlds(1).items()} | {"decode_compute_limit": 1e9, "user_speed": 20.0}
    plain = batching.latency_batch(**world)
    assert batching.latency_batch(**world, tokens_per_step=2.0) > plain
    assert batching.latency_batch(**world | {"user_speed": 10.0}) == pytest.approx(
        batching.latency_batch(**world, tokens_per_step=2.0)
    )


def test_weights_that_do_not_fit_leave_no_room_for_a_batch():
    assert batching.memory_batch(80e9, 0.9, 100e9, 0, 1e9) == 0
    assert batching.memory_batch(80e9, 0.9, 52e9, 10e9, 1e9) == pytest.approx(10)


@pytest.mark.parametrize("impossible", [{"user_speed": 500.0}, {"memory_capacity": 10.0}, {"exchange_time": 1e4}])
def test_what_cannot_be_served_is_refused_and_not_a_number(study, impossible):
    with pytest.raises(InvalidDrawsError, match="decode_cards"):
        study.fix(**impossible).simulate(draws=64, seed=1)


# Precision


def test_one_choice_of_precision_sets_bytes_and_peak(study):
    peaks = {"bf16_flops": ds.Assumption(989.5, "TFLOP/s/card"), "fastest_flops": ds.Assumption(1979, "TFLOP/s/card")}
    model = study.add(**peaks).with_equations(equation_named("roofline.precision_peak"))
    kinds = {"FP8": 1, "BF16": 2, "INT4 weights": 0.5}
    both = model.with_scenarios(precision={k: {"weight_bytes_per_parameter": b} for k, b in kinds.items()}).point()
    assert both.card_flops.sel(precision=list(kinds)).values.tolist() == [1979, 989.5, 1979]
    weights = both.dense_bytes + both.expert_bytes
    assert (weights.sel(precision="BF16") / weights.sel(precision="FP8")).item() == pytest.approx(2)
    xr.testing.assert_allclose(both.sel(precision="FP8", drop=True)[["cards"]], study.point()[["cards"]])
    rate = both.decode_rate
    assert rate.sel(precision="BF16") < rate.sel(precision="FP8") < rate.sel(precision="INT4 weights")
    assert both.prefill_rate.sel(precision="BF16") < both.prefill_rate.sel(precision="FP8")


# Pools


def test_the_pools_add_up_and_serve_every_token(draws):
    np.testing.assert_allclose(draws.prefill_cards + draws.decode_cards, draws.cards, rtol=1e-12)
    served = draws.prefill_cards * draws.prefill_rate + draws.decode_cards * draws.decode_rate
    asked = draws.computed_tokens * draws.peak_ratio / 86_400
    np.testing.assert_allclose(served, asked, rtol=1e-12)


def test_utilization_is_the_share_of_the_peak_that_the_cards_turn_into_tokens(draws):
    work = draws.computed_tokens / 86_400 * draws.peak_ratio * draws.flops_per_token
    np.testing.assert_allclose(draws.utilization, work / (draws.cards * draws.card_flops * 1e12), rtol=1e-12)
    attention = (
        draws.prefill_cards * draws.prefill_rate * draws.prefill_attention_flops
        + draws.decode_cards * draws.decode_rate * draws.decode_attention_flops
    ) * 1e9
    whole = (work + attention) / (draws.cards * draws.card_flops * 1e12)
    np.testing.assert_allclose(draws.utilization_with_attention, whole, rtol=1e-12)


def chain(*rooms, **assumptions):
    """The report's chain of cards, with utilization from physics."""
    study = ds.load_study(STUDY)
    names = ["inference.peak_compute", "inference.cards", "serving.computed_token_rate", *rooms]
    equations = [e for n, e in study.equations.items() if n not in ("cards", "roofline_shortfall")]
    kept = [e for e in equations if e.name != "utilization_with_attention"]
    return ds.Model([*kept, *map(equation_named, names)], {**study.assumptions, **assumptions})


def test_the_reports_chain_with_implied_utilization_gives_the_cards_of_the_pools(draws):
    by_chain = chain().simulate(draws=512, seed=1)
    for name in ("prefill_cards", "decode_cards", "utilization"):
        np.testing.assert_allclose(by_chain[name].median(), draws[name].median(), rtol=0.02)
    pools = by_chain.prefill_cards + by_chain.decode_cards
    np.testing.assert_allclose(by_chain.cards, pools, rtol=1e-12)


def test_a_fleet_that_achieves_a_share_of_the_roofline_needs_more_cards_by_its_inverse(study, point):
    achieved = study.assume(achieved_share=0.5).point()
    assert achieved.cards.item() == pytest.approx(2 * point.cards.item())
    for name in ("utilization", "utilization_with_attention"):
        assert achieved[name].item() == pytest.approx(point[name].item() / 2)
    # With the inverse of the shortfall, the roofline's cards are those measured.
    exact = study.assume(achieved_share=1 / point.roofline_shortfall.item()).point()
    assert exact.cards.item() == pytest.approx(point.measured_cards.item())


def test_tokens_of_a_day_split_into_input_and_output():
    assert serving.input_tokens(776e9, 168 / 776) == pytest.approx(608e9)
    assert serving.output_tokens(776e9, 168 / 776) == pytest.approx(168e9)


def test_measured_rates_are_an_alternative_for_the_cards():
    found = production.empirical_cards(
        production.measured_prefill_cards(1000, 1.5, 10), production.measured_decode_cards(200, 1.5, 2)
    )
    assert found == 300
    assert equation_named("production.empirical_cards").name == "cards"


# As parts of a Model


def test_every_equation_is_elementwise_and_a_chunked_run_has_the_same_bits(study, draws):
    assert all(made.elementwise for made in study.program.steps)
    lazy = study.simulate(draws=512, seed=1, chunks=128).load()
    for name in draws.data_vars:
        np.testing.assert_array_equal(lazy[name].values, draws[name].values)


@pytest.mark.parametrize("name", ["latency_batch", "memory_batch", "prefill_rate", "utilization", "touched_share"])
def test_numbers_arrays_and_labelled_arrays_give_the_same(study, name):
    made = study.equations[name]
    rng = np.random.default_rng(3)
    quantities = study.point()
    factors = {
        n: ds.convert(quantities[n], quantities[n].attrs["units"]).item() for n in made.inputs if n in quantities
    }
    base = {n: v * _factor(quantities[n]) * rng.uniform(0.8, 1.2, 50) for n, v in factors.items()}
    bare = made(**base)
    labelled = made(**{n: xr.DataArray(v, dims="draw") for n, v in base.items()})
    np.testing.assert_array_equal(labelled.values, bare)
    each = [made(**{n: float(v[i]) for n, v in base.items()}) for i in range(50)]
    np.testing.assert_allclose(each, bare, rtol=1e-14)


def _factor(array):
    from demandsim.units.convert import base_factor

    return base_factor(array.attrs["units"])


def test_capacity_in_the_wrong_unit_names_the_equation(study):
    with pytest.raises(DimensionError, match="memory_batch"):
        study.assume(memory_capacity=ds.Assumption(80, "card")).point()
    model = ds.load_study(STUDY)
    assumptions = {**model.assumptions, "memory_bandwidth": ds.Assumption(3.35, "TB/card")}
    with pytest.raises(DimensionError, match=r"latency_batch|prefill_bandwidth_limit|bandwidth_time"):
        ds.Model(model.equations.values(), assumptions)


def test_the_study_goes_through_a_file_and_comes_back_equal(study, tmp_path):
    path = tmp_path / "copy.toml"
    study.to_toml(path)
    assert ds.load_study(path) == study


def test_a_dim_of_hardware_runs_through_the_physics(study):
    peak = xr.DataArray([1979.0, 296.0], dims="hardware", coords={"hardware": ["H800", "H20"]})
    measured = {name: assumption.point for name, assumption in study.assumptions.items()}
    kinds = study.fix(
        card_flops=peak,
        attention_card_flops=peak / 2,
        memory_bandwidth=peak.copy(data=[3.35, 4.0]),
        memory_capacity=peak.copy(data=[80.0, 96.0]),
        # What was measured are H800s: H20s of a seventh of the peak do a seventh of it, in seven times the card-hours.
        mean_nodes=measured["mean_nodes"] * 1979 / peak,
        node_input_rate=measured["node_input_rate"] * peak / 1979,
        node_output_rate=measured["node_output_rate"] * peak / 1979,
        training_card_hours=measured["training_card_hours"] * 1979 / peak,
    )
    found = kinds.point()
    assert found.cards.dims == ("hardware",)
    # The H20 computes a seventh as much and reads faster: it is bound by compute, near its cap.
    h20, h800 = found.sel(hardware="H20"), found.sel(hardware="H800")
    assert h20.decode_rate < h800.decode_rate
    assert h20.decode_utilization > h800.decode_utilization
    assert h20.compute_time > h20.bandwidth_time
    assert h800.compute_time < h800.bandwidth_time
