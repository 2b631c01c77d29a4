"""Training: 6ND, hours, cost and overlap, and training beside inference in one fleet."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named, training

HOUR = 3600
EQUATIONS = [
    "training.training_compute",
    "training.communication_overhead",
    "training.training_utilization",
    "training.training_card_hours",
    "training.training_cost",
    "training.training_time",
]
#: DeepSeek-V3, with the cluster that its report names and the peak of FP8; the utilization of computation is a guess.
ASSUMPTIONS = {
    "activated_parameters": ds.Assumption(37e9, "parameter"),
    "training_tokens": ds.Assumption(14.8e12, "token"),
    "card_flops": ds.Assumption(1979, "TFLOP/s/card"),
    "compute_utilization": ds.Assumption(dist.beta(mean=0.2, sd=0.03), point=0.2),
    "communication_ratio": ds.Assumption(1.0),
    "overlapped_share": ds.Assumption(dist.beta(mean=0.9, sd=0.05), point=0.9),
    "card_hour_price": ds.Assumption(2, "USD/card/hour"),
    "training_cards": ds.Assumption(2048, "card"),
}


@pytest.fixture(scope="module")
def model():
    return ds.Model([equation_named(name) for name in EQUATIONS], ASSUMPTIONS)


def test_a_run_by_hand(model):
    # 6 x 37e9 x 14.8e12 FLOP over 1979e12 x 0.2 / 1.1 FLOP/s and card.
    compute = 6 * 37e9 * 14.8e12
    hours = compute / (1979e12 * 0.2 / 1.1) / HOUR
    point = model.point()
    assert point.training_compute.item() == pytest.approx(compute)
    assert point.training_card_hours.item() == pytest.approx(hours)
    assert point.training_cost.item() == pytest.approx(2 * hours)
    assert point.training_time.item() == pytest.approx(hours / 2048 / 24)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 1.7])
def test_overlap_lies_between_one_after_the_other_and_the_longer_of_both(ratio):
    computing, talking = 1.0, ratio
    serial = training.communication_overhead(ratio, 0.0)
    hidden = training.communication_overhead(ratio, 1.0)
    assert computing * (1 + serial) == pytest.approx(computing + talking)
    assert computing * (1 + hidden) == pytest.approx(max(computing, talking))
    assert training.communication_overhead(ratio, 0.25) == pytest.approx(0.75 * serial + 0.25 * hidden)


def test_hiding_all_communication_at_one_to_one_halves_the_time(model):
    none, all_hidden = (model.fix(overlapped_share=share).point().training_time.item() for share in (0.0, 1.0))
    assert none == pytest.approx(2 * all_hidden)


def test_fp8_at_the_same_utilization_halves_the_bill(model):
    fp8 = model.point().training_cost
    bf16 = model.fix(card_flops=1979 / 2).point().training_cost
    assert bf16.item() == pytest.approx(2 * fp8.item())


def test_the_utilization_that_a_run_achieved_gives_its_hours_back(model):
    hours = model.point().training_card_hours.item()
    found = training.achieved_training_utilization(6 * 37e9 * 14.8e12, hours * HOUR, 1979e12)
    assert found == pytest.approx(model.point().training_utilization.item())


@pytest.mark.parametrize(("share", "factor"), [(0.677, 1.477), (0.413, 2.421)])
def test_a_fleet_holds_training_and_research_too(share, factor):
    # The report's inference shares of 2024 and, from its growth of 26.4 points, of 2023.
    whole = training.fleet_cards(1000.0, share)
    assert whole / 1000 == pytest.approx(factor, abs=5e-4)


def test_inference_share_belongs_into_the_reports_fleet():
    study = ds.load_study("guosen-2025-01").select(scenario="100T")
    model = study.add(inference_share=ds.Assumption(0.677)).with_equations(training.fleet_cards)
    point = model.point()
    assert point.fleet_cards.item() == pytest.approx(857_772 / 0.677, rel=1e-6)


def test_numbers_arrays_labels_and_blocks_give_the_same(model):
    assert all(step.elementwise for step in model.program.steps)
    draws = model.simulate(draws=256, seed=2)
    lazy = model.simulate(draws=256, seed=2, chunks=64).load()
    for name in draws.data_vars:
        np.testing.assert_array_equal(lazy[name].values, draws[name].values)
    ratio, share = np.array([0.5, 1.0, 2.0]), np.array([0.1, 0.9, 0.5])
    bare = training.communication_overhead(ratio, share)
    labelled = training.communication_overhead(xr.DataArray(ratio, dims="draw"), xr.DataArray(share, dims="draw"))
    np.testing.assert_array_equal(labelled.values, bare)
    assert [float(training.communication_overhead(float(r), float(s))) for r, s in zip(ratio, share, strict=True)] == [
        *bare
    ]
