"""What must hold of serving and training whatever the numbers: roofs, bounds, direction, homogeneity, sums."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim.equations import equation_named, roofline, training
from demandsim.units.convert import base_factor

STUDY = "deepseek-2025-02"


@functools.cache
def study():
    return ds.load_study(STUDY)


@functools.cache
def defaults():
    return {name: float(a.point) * base_factor(a.unit) for name, a in study().assumptions.items()}


def served(world):
    """All quantities in base units, from plain floats: equations are plain functions."""
    found = dict(defaults()) | world
    for name in study().graph.order:
        made = study().equations[name]
        given_values = {n: found[n] for n in made.inputs if n in found}
        with np.errstate(divide="ignore"):
            found[name] = np.float64(made(**given_values))
    return found


#: Factors on the points of the study: half to twice for most, and shares within their range.
SCALES = {
    "total_parameters": (0.9, 1.4),
    "context_tokens": (0.1, 3),
    "prefill_context_tokens": (0.1, 10),
    "memory_bandwidth": (0.8, 3),
    "memory_capacity": (0.8, 3),
    "card_flops": (0.5, 3),
    "attention_card_flops": (0.5, 2),
    "user_speed": (0.2, 1.1),
    "exchange_time": (0.0, 1.1),
    "expert_cards": (0.3, 2),
    "expert_sparsity": (0.8, 2),
    "prefill_batch": (0.01, 2),
    "cache_bytes_per_number": (0.5, 1),
    "weight_bytes_per_parameter": (0.5, 1),
    "input_tokens": (0.1, 10),
    "output_tokens": (0.1, 10),
}
SHARES = {
    "compute_cap": (0.3, 1),
    "bandwidth_cap": (0.6, 1),
    "memory_cap": (0.7, 1),
    "cached_share": (0, 0.99),
    "prefill_overlapped_share": (0, 1),
    "decode_overlapped_share": (0.4, 1),
}


@st.composite
def worlds(draw):
    scaled = {name: defaults()[name] * draw(st.floats(low, high)) for name, (low, high) in SCALES.items()}
    scaled["attention_card_flops"] = min(scaled["attention_card_flops"], scaled["card_flops"])
    return scaled | {name: draw(st.floats(low, high)) for name, (low, high) in SHARES.items()}


MANY = settings(max_examples=60, deadline=None)


@MANY
@given(world=worlds())
def test_no_rate_is_above_any_roof(world):
    q = served(world)
    for name in ("decode_compute_limit", "decode_bandwidth_limit"):
        assert q["decode_rate"] <= q[name] * (1 + 1e-12)
    for name in ("prefill_compute_limit", "prefill_bandwidth_limit"):
        assert q["prefill_rate"] <= q[name] * (1 + 1e-12)


@MANY
@given(world=worlds())
def test_without_exchange_the_rate_is_the_lower_roof(world):
    q = served(world | {"exchange_time": 0.0, "prefill_communication_ratio": 0.0})
    assert q["decode_rate"] == pytest.approx(min(q["decode_compute_limit"], q["decode_bandwidth_limit"]), rel=1e-12)
    assert q["prefill_rate"] == pytest.approx(min(q["prefill_compute_limit"], q["prefill_bandwidth_limit"]), rel=1e-12)


@MANY
@given(world=worlds())
def test_the_batch_keeps_every_bound_and_meets_one(world):
    q = served(world)
    batch = q["batch_size"]
    assert 0 <= batch <= min(q["latency_batch"], q["memory_batch"])
    held = q["dense_bytes"] + q["expert_bytes"] + batch * q["sequence_bytes"]
    room = q["memory_capacity"] * q["memory_cap"]
    speed = 1 / q["output_latency"]
    if batch > 0:
        assert held <= room * (1 + 1e-12)
        assert speed >= q["user_speed"] * (1 - 1e-9)
        full, slow = held == pytest.approx(room, rel=1e-9), speed == pytest.approx(q["user_speed"], rel=1e-9)
        assert full or slow


@MANY
@given(world=worlds())
def test_implied_utilization_stays_under_the_cap(world):
    q = served(world)
    cap = q["compute_cap"] * (1 + 1e-12)
    for phase in ("prefill", "decode"):
        weights, both = q[f"{phase}_utilization"], q[f"{phase}_utilization_with_attention"]
        assert 0 <= weights <= both <= cap <= 1 + 1e-12
    if q["batch_size"] > 0:
        low, high = sorted([q["prefill_utilization"], q["decode_utilization"]])
        # A mean of both phases, weighted by cards.
        assert low * (1 - 1e-12) <= q["utilization"] <= high * (1 + 1e-12)
        assert q["utilization"] <= q["utilization_with_attention"] * (1 + 1e-12) <= cap * (1 + 1e-12)


@MANY
@given(world=worlds())
def test_cards_of_the_phases_add_up_and_carry_all_tokens(world):
    q = served(world)
    assert q["cards"] == q["prefill_cards"] + q["decode_cards"]
    if q["batch_size"] > 0:
        served_tokens = q["prefill_cards"] * q["prefill_rate"] + q["decode_cards"] * q["decode_rate"]
        assert served_tokens == pytest.approx(q["computed_tokens"] * q["peak_ratio"], rel=1e-12)


#: Rates do not fall when one of these rises ...
HELPS = {
    "decode_rate": [
        "memory_bandwidth",
        "bandwidth_cap",
        "card_flops",
        "attention_card_flops",
        "compute_cap",
        "memory_capacity",
        "memory_cap",
        "decode_overlapped_share",
    ],
    "prefill_rate": [
        "memory_bandwidth",
        "bandwidth_cap",
        "card_flops",
        "attention_card_flops",
        "compute_cap",
        "prefill_batch",
        "prefill_overlapped_share",
    ],
}
#: ... and do not rise when one of these does.
HURTS = {
    "decode_rate": [
        "context_tokens",
        "activated_parameters",
        "layers",
        "cache_width",
        "exchange_time",
        "user_speed",
        "weight_bytes_per_parameter",
    ],
    "prefill_rate": [
        "prefill_context_tokens",
        "activated_parameters",
        "layers",
        "prefill_communication_ratio",
        "weight_bytes_per_parameter",
    ],
}


@settings(max_examples=40, deadline=None)
@given(world=worlds(), factor=st.floats(1.001, 1.5))
def test_throughput_moves_the_way_that_physics_does(world, factor):
    before = served(world)
    for names, sign in ((HELPS, 1), (HURTS, -1)):
        for rate, inputs in names.items():
            for name in inputs:
                moved = before[name] * factor
                if name in SHARES or name.endswith("_share"):
                    moved = min(moved, 1.0)
                # More parameters in use, of the same whole, need fewer experts: the whole grows along.
                change = {name: moved}
                if name == "activated_parameters":
                    change["total_parameters"] = before["total_parameters"] + moved - before[name]
                after = served(world | change)[rate]
                assert sign * (after - before[rate]) >= -1e-9 * before[rate], (name, rate)


@MANY
@given(world=worlds())
def test_a_cache_that_holds_everything_leaves_nothing_to_prefill(world):
    q = served(world | {"cached_share": 1.0})
    assert q["prefill_cards"] == 0
    assert q["cards"] == q["decode_cards"]
    if q["batch_size"] > 0:
        assert q["utilization"] == pytest.approx(q["decode_utilization"], rel=1e-12)


@MANY
@given(world=worlds(), factor=st.floats(0.1, 10))
def test_cards_grow_with_tokens_and_utilization_does_not(world, factor):
    one = served(world)
    other = served(world | {name: one[name] * factor for name in ("input_tokens", "output_tokens")})
    if one["batch_size"] > 0:
        assert other["cards"] == pytest.approx(one["cards"] * factor, rel=1e-12)
        assert other["utilization"] == pytest.approx(one["utilization"], rel=1e-12)
        assert other["measured_cards"] == pytest.approx(one["measured_cards"] * factor, rel=1e-12)
        assert other["roofline_shortfall"] == pytest.approx(one["roofline_shortfall"], rel=1e-12)


@MANY
@given(world=worlds(), factor=st.floats(0.5, 4))
def test_a_card_that_is_faster_in_everything_is_as_well_used(world, factor):
    speeds = ("card_flops", "attention_card_flops", "memory_bandwidth", "user_speed")
    one = served(world)
    faster = {name: one[name] * factor for name in speeds} | {"exchange_time": one["exchange_time"] / factor}
    other = served(world | faster)
    assert other["batch_size"] == pytest.approx(one["batch_size"], rel=1e-9, abs=1e-9)
    for phase in ("prefill", "decode"):
        assert other[f"{phase}_rate"] == pytest.approx(one[f"{phase}_rate"] * factor, rel=1e-9, abs=1e-6)
        assert other[f"{phase}_utilization"] == pytest.approx(one[f"{phase}_utilization"], rel=1e-9, abs=1e-12)


@MANY
@given(world=worlds())
def test_touched_experts_are_a_share_that_one_sequence_does_not_exceed(world):
    q = served(world)
    assert 0 <= q["touched_share"] <= 1
    # At most every sequence touches experts of its own.
    assert q["touched_share"] <= q["batch_size"] * q["expert_cards"] / (q["expert_sparsity"] - 1) + 1e-12


@MANY
@given(
    bf16=st.floats(1e12, 1e16),
    fastest=st.floats(1, 4),
    stored=st.floats(0.25, 4),
)
def test_precision_never_beats_the_fastest_format(bf16, fastest, stored):
    peak = roofline.precision_peak(bf16, stored, bf16 * fastest)
    assert peak <= bf16 * fastest
    assert peak * stored <= 2 * bf16 * (1 + 1e-12)


# Training

runs = st.fixed_dictionaries(
    {
        "activated_parameters": st.floats(1e8, 1e13),
        "training_tokens": st.floats(1e9, 1e15),
        "card_flops": st.floats(1e13, 1e17),
        "compute_utilization": st.floats(0.01, 1),
        "communication_ratio": st.floats(0, 5),
        "overlapped_share": st.floats(0, 1),
        "card_hour_price": st.floats(1e-4, 1e-2),
        "training_cards": st.floats(1, 1e6),
    }
)


def trained(world):
    found = dict(world)
    for name in ("training_compute", "communication_overhead", "training_utilization", "training_card_hours"):
        made = equation_named(f"training.{name}")
        found[name] = float(made(**{n: found[n] for n in made.inputs if n in found}))
    found["training_cost"] = training.training_cost(found["training_card_hours"], found["card_hour_price"])
    found["training_time"] = training.training_time(found["training_card_hours"], found["training_cards"])
    return found


@MANY
@given(world=runs, factor=st.floats(0.1, 10))
def test_training_is_six_operations_a_parameter_and_token_and_linear_in_both(world, factor):
    one = trained(world)
    assert one["training_compute"] == pytest.approx(6 * world["activated_parameters"] * world["training_tokens"])
    for name in ("activated_parameters", "training_tokens"):
        other = trained(world | {name: world[name] * factor})
        for quantity in ("training_compute", "training_card_hours", "training_cost", "training_time"):
            assert other[quantity] == pytest.approx(one[quantity] * factor, rel=1e-12)
    more = trained(world | {"training_cards": world["training_cards"] * factor})
    assert more["training_cost"] == one["training_cost"]
    assert more["training_time"] == pytest.approx(one["training_time"] / factor, rel=1e-12)


@MANY
@given(world=runs, more=st.floats(0, 1))
def test_overlap_only_helps_and_utilization_stays_below_that_of_computation(world, more):
    one = trained(world)
    hidden = world["overlapped_share"] + more * (1 - world["overlapped_share"])
    other = trained(world | {"overlapped_share": hidden})
    assert 0 < one["training_utilization"] <= world["compute_utilization"] <= 1
    assert other["training_utilization"] >= one["training_utilization"] * (1 - 1e-12)
    assert one["communication_overhead"] >= max(0.0, world["communication_ratio"] - 1) * (1 - 1e-12)
    assert one["communication_overhead"] <= world["communication_ratio"] * (1 + 1e-12)


@MANY
@given(cards=st.floats(1, 1e7), share=st.floats(0.01, 1))
def test_inference_and_the_rest_are_the_fleet(cards, share):
    fleet = training.fleet_cards(cards, share)
    assert fleet >= cards
    assert fleet * share == pytest.approx(cards, rel=1e-12)
