"""DeepSeek's published day and training run, typed from their sources and not from our study file."""

import itertools

import numpy as np
import pytest

import demandsim as ds
from demandsim.equations import inference, production, training
from demandsim.equations.architecture import decode_attention_cost, prefill_attention_cost

STUDY = "deepseek-2025-02"
#: DeepSeek, open-infra-index, day 6, as printed: quantity, unit as printed, figure.
DAY = [
    ("input_tokens", "Gtoken/day", "608"),
    ("cached_share", "%", "56.3"),
    ("output_tokens", "Gtoken/day", "168"),
    ("mean_nodes", "node", "226.75"),
    ("peak_nodes", "node", "278"),
    ("node_input_rate", "ktoken/s/node", "73.7"),
    ("node_output_rate", "ktoken/s/node", "14.8"),
    ("context_tokens", "token", "4989"),
    ("rental_cost", "USD/day", "87072"),
    ("list_revenue", "USD/day", "562027"),
    ("cost_profit_margin", "%", "545"),
]
#: DeepSeek-V3's description and technical report.
RUN = [("training_card_hours", "Mcard*hour", "2.788"), ("training_cost", "MUSD", "5.576")]
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def study():
    return ds.load_study(STUDY)


@pytest.fixture(scope="module")
def point(study):
    return study.point()


def decimals(printed):
    return len(printed.partition(".")[2])


@pytest.mark.parametrize(("quantity", "unit", "printed"), DAY + RUN)
def test_every_printed_figure_comes_out_to_the_printed_digits(point, quantity, unit, printed):
    found = ds.convert(point[quantity], unit).item()
    assert f"{found:.{decimals(printed)}f}" == printed


def test_the_study_file_prints_what_the_sources_print(study):
    typed = sorted((q, u, decimals(p), float(p)) for q, u, p in DAY + RUN)
    assert sorted((p.quantity, p.unit, p.digits, p.values[""]) for p in study.notes.published) == typed


def test_the_cost_by_hand():
    assert 226.75 * 8 * 24 * 2 == 87_072


def revenue(input_tokens, cached, output):
    """USD a day, from tokens in 1e9."""
    found = production.list_revenue(input_tokens, output, cached / input_tokens, 0.14, 0.55, 2.19)
    return found * 1e3


def test_the_printed_revenue_lies_within_the_rounding_of_the_printed_counts():
    assert round(revenue(608, 342, 168)) == 562_100
    corners = [
        revenue(608 + i, 342 + c, 168 + o) for i, c, o in itertools.product((-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5))
    ]
    assert min(corners) < 562_027 < max(corners)
    # Nor is it luck: the rounding of the counts leaves 0.6% of room, and the figure is 0.01% away.
    assert (max(corners) - min(corners)) / 562_027 < 0.007
    assert abs(562_100 / 562_027 - 1) < 2e-4


def test_the_printed_margin_follows_from_the_printed_revenue_and_from_no_exact_342e9():
    assert round(100 * production.cost_profit_margin(562_027, 87_072)) == 545
    assert round(100 * production.cost_profit_margin(revenue(608, 342, 168), 87_072)) == 546


def test_the_point_of_the_cached_share_is_within_both_its_roundings(point):
    share, tokens = point.cached_share.item(), point.input_tokens.item()
    assert f"{100 * share:.1f}" == "56.3"
    assert round(share * tokens / 1e9) == 342


def test_measured_rates_need_the_nodes_that_were_counted_within_their_rounding(point):
    def nodes(input_tokens, output, input_rate, output_rate):
        return (input_tokens * 1e9 / input_rate + output * 1e9 / output_rate) / DAY_SECONDS

    corners = [
        nodes(608 + i, 168 + o, 73_700 + a, 14_800 + b)
        for i, o, a, b in itertools.product((-0.5, 0.5), (-0.5, 0.5), (-50, 50), (-50, 50))
    ]
    assert min(corners) < 226.75 < max(corners)
    mean = point.measured_cards.item() / point.peak_ratio.item() / 8
    assert mean == pytest.approx(nodes(608, 168, 73_700, 14_800))
    assert f"{mean:.2f}" == "226.86"
    assert point.measured_cards.item() / 8 == pytest.approx(278, rel=1e-3)


#: What follows for utilization (weights only, FP8 peak): 2 x 37e9 FLOP a token over 1979e12 FLOP/s.
@pytest.mark.parametrize(
    ("quantity", "by_hand", "said"),
    [
        ("measured_prefill_utilization_with_cached", 73_700 / 8 * 74e9 / 1979e12, "34"),
        ("measured_prefill_utilization", 73_700 / 8 * (1 - 0.562793) * 74e9 / 1979e12, "15"),
        ("measured_decode_utilization", 14_800 / 8 * 74e9 / 1979e12, "6.9"),
        ("measured_utilization", (608e9 * (1 - 0.562793) + 168e9) / 86_400 * 74e9 / (1814 * 1979e12), "10"),
        ("measured_utilization_with_cached", 776e9 / 86_400 * 74e9 / (1814 * 1979e12), "18.5"),
    ],
)
def test_the_utilization_implied(point, quantity, by_hand, said):
    found = point[quantity].item()
    assert found == pytest.approx(by_hand, rel=1e-12)
    assert f"{100 * found:.{decimals(said)}f}" == said


def test_the_observed_batch_fits_the_memory_and_the_profile_of_128_requests(point):
    # 1,850 tokens a second per card at 21 a second for each user: fewer than the 128 of DeepSeek's profile data.
    assert point.observed_batch.item() == pytest.approx(14_800 / 8 / 21)
    assert point.observed_batch.item() < 128 < point.memory_batch.item()


def test_the_roofline_is_above_what_was_measured_and_by_how_much_is_stated(study):
    draws = study.simulate(draws=1024, seed=1)
    for name in ("prefill_shortfall", "decode_shortfall", "roofline_shortfall"):
        low, high = np.quantile(draws[name], [0.05, 0.95])
        assert 1 < low < high < 4, name
    # Physics itself is far from the 45% of the Guosen report at this context.
    assert draws.utilization.quantile(0.95) < 0.30
    assert draws.utilization.quantile(0.05) > draws.measured_utilization.quantile(0.95)
    said = " ".join(study.notes.notes)
    for word in ("structural uncertainty", "562,100", "226.86", "18.5%", "76e9", "45%"):
        assert word in said


def test_no_draw_is_impossible(study):
    draws = study.simulate(draws=8192, seed=3, keep=["decode_rate", "batch_size", "output_latency", "user_speed"])
    assert float(draws.batch_size.min()) > 1
    slack = draws.output_latency / 1000 * draws.user_speed
    assert float(slack.max()) <= 1 + 1e-9


def test_every_assumption_argues_its_spread(study):
    for name, assumption in study.assumptions.items():
        assert assumption.long_name, name
        assert assumption.source, name
        assert len(assumption.source) > 20, name
        low, high = (float(assumption.distribution.ppf(u)) for u in (0.001, 0.999))
        assert low <= assumption.point <= high, name


# DeepSeek-V3's training


def test_the_cost_of_the_training_run_by_hand():
    # Pre-training, context extension and post-training, as the description counts them.
    assert 2.664 + 0.1 < 2.788 < 2.664 + 0.15
    cost = training.training_cost(2.788e6 * 3600, 2 / 3600)
    assert f"{cost / 1e6:.3f}" == "5.576"


def test_the_training_run_is_near_the_median_of_published_utilizations_at_bf16():
    compute = training.training_compute(37e9, 14.8e12)
    by_peak = {
        peak: training.achieved_training_utilization(compute, 2.664e6 * 3600, peak * 1e12) for peak in (989.5, 1979)
    }
    # Median of 33 runs: 0.375, most of them in BF16; against its own FP8 peak half of that.
    assert by_peak[989.5] == pytest.approx(0.375, abs=0.04)
    assert by_peak[1979] == pytest.approx(by_peak[989.5] / 2)


def test_attention_in_decode_is_as_dear_as_weights():
    weights = inference.flops_per_token(37e9)
    assert 4989 * decode_attention_cost(58, 128, 512, 512) / weights == pytest.approx(76 / 74, rel=0.01)
    # In prefill keys and values are of full heads: a third of the cost per pair.
    ratio = prefill_attention_cost(61, 128, 192, 128) / decode_attention_cost(61, 128, 576, 512)
    assert ratio == pytest.approx(320 / 1088)
