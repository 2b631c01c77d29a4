"""The report's own tables, typed from the report and not from our study file, digit by digit."""

import numpy as np
import pytest

import demandsim as ds

#: Guosen Securities, computer industry monthly, January 2025: quantity, unit as printed, and the number of Fig. 27, the
#: case of 100T, and of Fig. 28, the case of 1000T. The row "seconds of inference a day" is no quantity of the chain.
ROWS = [
    ("activated_parameters", "yi*parameter", "1100", "1100"),
    ("daily_tokens", "yi*token/day", "1000000", "10000000"),
    ("token_rate", "yi*token/s", "11.57", "115.74"),
    ("peak_ratio", "1", "3", "3"),
    ("peak_compute", "EFLOP/s", "763.89", "7638.89"),
    ("card_flops", "TFLOP/s/card", "1979", "1979"),
    ("utilization", "%", "45", "45"),
    ("cards", "wan*card", "85.78", "857.77"),
    ("token_price", "CNY/Mtoken", "1.5", "1.5"),
    ("paid_share", "%", "40", "40"),
    ("revenue", "yi*CNY/day", "0.6", "6"),
    ("revenue", "yi*CNY/year", "219", "2190"),
    ("card_price", "wan*CNY/card", "15", "15"),
    ("useful_life", "year", "6", "6"),
    ("annualized_capex", "yi*CNY/year", "214.44", "2144.43"),
]
STUDIES = ["guosen-2025-01", "guosen-2025-01-evidence"]


def decimals(printed):
    return len(printed.partition(".")[2])


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize(("quantity", "unit", "small", "large"), ROWS)
def test_every_printed_row_comes_out_to_the_printed_digits(study, quantity, unit, small, large):
    found = ds.convert(ds.load_study(study).point()[quantity], unit)
    for scenario, printed in (("100T", small), ("1000T", large)):
        value = float(found.sel(scenario=scenario) if "scenario" in found.dims else found)
        assert f"{value:.{decimals(printed)}f}" == printed


@pytest.mark.parametrize("study", STUDIES)
def test_the_printed_seconds_of_a_day_are_the_unit_of_the_chain(study):
    point = ds.load_study(study).point()
    seconds = point.daily_tokens / ds.convert(point.token_rate, "token/s")
    np.testing.assert_allclose(seconds, 86_400, rtol=1e-12)


def test_the_chain_by_hand():
    # 2 x 110e9 FLOP/token x 1e14 token / 86,400 s x 3, over 1979e12 x 0.45 FLOP/s/card.
    cards = 2 * 110e9 * 1e14 / 86_400 * 3 / (1979e12 * 0.45)
    point = ds.load_study("guosen-2025-01").point().sel(scenario="100T")
    assert point.cards.item() == pytest.approx(cards, rel=1e-12)
    # The text prints 857,774, which 857,772.04 is not; both are 85.78 in the table's unit.
    assert round(cards, 2) == 857_772.04
    assert f"{857_774 / 1e4:.2f}" == f"{cards / 1e4:.2f}" == "85.78"
    cost_over_revenue = 1 / point.revenue_to_cost.item()
    assert round(100 * cost_over_revenue) == 98
    assert point.break_even_price.item() == pytest.approx(1.5 * 214.44 / 219, rel=2e-5)


@pytest.mark.parametrize("study", STUDIES)
def test_the_study_file_prints_what_the_report_prints(study):
    typed = sorted((q, u, float(small), float(large)) for q, u, small, large in ROWS)
    model = ds.load_study(study)
    written = sorted((p.quantity, p.unit, p.values["100T"], p.values["1000T"]) for p in model.notes.published)
    assert written == typed
    digits = {(p.quantity, p.unit): p.digits for p in model.notes.published}
    for quantity, unit, small, _ in ROWS:
        assert digits[quantity, unit] == decimals(small)


def test_medians_of_the_study_are_the_published_points():
    model = ds.load_study("guosen-2025-01")
    for name, assumption in model.assumptions.items():
        assert float(assumption.distribution.median()) == pytest.approx(assumption.point, rel=1e-5), name
    for labels in model.scenarios.grid["scenario"].values():
        for override in labels.values():
            assert float(override.distribution.median()) == pytest.approx(override.point, rel=1e-5)


def test_the_evidence_is_not_centred_on_the_report_and_keeps_its_points():
    report, evidence = (ds.load_study(study) for study in STUDIES)
    # The chain is the report's; capacity counts the peak once, and at the points changes nothing.
    added = {"capacity_ratio", "capacity_compute"}
    assert [name for name in evidence.equations if name not in added] == list(report.equations)
    neutral = {"utilization_includes_peak": 0, "headroom": 1, "availability": 1}
    for name, assumption in evidence.assumptions.items():
        assert assumption.point == (neutral[name] if name in neutral else report.assumptions[name].point)
    # Measured fleets are used a quarter as well as the report has it.
    assert float(evidence.assumptions["utilization"].distribution.median()) < 0.45 / 2


def test_the_errata_are_stated():
    notes = " ".join(ds.load_study("guosen-2025-01").notes.notes)
    for said in (
        "leaves out the peak ratio of 3",
        "3.7e9",
        "37e9",
        "95.3%",
        "95.83%",
        "API calls",
        "989",
        "cards only",
    ):
        assert said in notes


@pytest.mark.parametrize("study", STUDIES)
def test_every_assumption_of_a_shipped_study_argues_its_spread(study):
    for name, assumption in ds.load_study(study).assumptions.items():
        assert assumption.long_name, name
        assert assumption.source, name
        assert len(assumption.source) > 20, name


def test_the_explanation_is_an_audit_trail():
    text = str(ds.load_study("guosen-2025-01").select(scenario="100T").explain("cards"))
    for said in (
        "peak_compute / (card_flops * utilization)",
        "flops_per_token * token_rate * peak_ratio",
        "1,979 TFLOP/s/card",
        "763.888889 EFLOP/s",
        "0.45",
        "85.77",
        "10,000 cards",
        "Guosen, January 2025, Fig. 27",
        "flops_per_parameter = 2 FLOP/parameter/token",
        "Cards needed",
    ):
        assert said in text
    # What the cards do not depend on is not in their trail.
    for absent in ("token_price", "useful_life", "revenue"):
        assert absent not in text
    # Steps come after what they need.
    order = [text.index(f". {name} = ") for name in ("flops_per_token", "peak_compute", "cards")]
    assert order == sorted(order)


def test_both_scenarios_are_explained():
    text = str(ds.load_study("guosen-2025-01").explain("cards"))
    assert "100T" in text
    assert "1000T" in text
    assert "8,577,720" in text


@pytest.mark.parametrize("study", STUDIES)
def test_simulated_medians_are_near_the_points_of_the_report_only_in_its_own_study(study):
    draws = ds.load_study(study).select(scenario="100T").simulate(draws=1024, seed=1)
    ratio = float(np.median(draws.cards)) / 857_772
    assert (0.9 < ratio < 1.1) == (study == "guosen-2025-01")
