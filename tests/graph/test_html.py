"""What notebooks show of models and their parts, and the frames that people compute with."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.distributions.sparkline import sparkline

EVIL = '<script>alert("1")</script>&\x1b[31m'
YEARS = {"year": [2025, 2026, 2027]}


SPEED = ds.constant(2, "token/s/card")


@ds.equation(unit="card", long_name=EVIL, source=EVIL)
def cards(tokens, speed=SPEED):
    return tokens / speed


def drawn(svg):
    """Points of the curves of a sparkline."""
    root = ElementTree.fromstring(svg)
    lines = list(root.iter("polyline"))
    return [np.array([pair.split(",") for pair in line.get("points").split()], dtype=float) for line in lines]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_a_sparkline_has_its_mode_where_the_density_has_it(mean, sd):
    (curve,) = drawn(sparkline(dist.normal(mean=mean, sd=sd), 120, 28))
    assert curve[curve[:, 1].argmin(), 0] == pytest.approx(60, abs=2)
    assert curve[:, 1].min() >= 0
    assert curve[:, 1].max() <= 28


@pytest.mark.parametrize(
    "law",
    [
        "discrete([5, 6, 8], [1, 3, 1])",
        "mixture([0, normal(8, 12)])",
        "student_t(mean=0, sd=1, df=3)",
        "beta(0.001, 0.2)",
    ],
)
def test_any_law_is_drawn_inside_its_picture(law):
    for curve in drawn(sparkline(dist.parse_distribution(law), 100, 20)):
        assert np.isfinite(curve).all()
        assert (curve >= 0).all()
        assert (curve[:, 0] <= 100).all()


def test_labels_are_curves_over_each_other_and_sure_values_are_none():
    law = dist.as_distribution('lognormal(by("year", [1, 2, 3]), by("year", [4, 6, 8]))', YEARS)
    assert len(drawn(sparkline(law))) == 3
    assert sparkline(dist.constant(3)) == ""
    shown = law._repr_html_()
    assert all(f"<th>{year}</th>" in shown for year in YEARS["year"])


def model():
    tokens = ds.Assumption(dist.lognormal(5, 12), unit="token/s", long_name=EVIL, source=EVIL, bounds=(0, None))
    made = ds.Model([cards], {"tokens": tokens})
    return made.with_scenarios({EVIL: {"tokens": 7}, "as it is": {}})


def test_what_notebooks_show_names_everything_and_runs_nothing():
    made = model()
    pieces = [made, made.assumptions["tokens"], made.equations["cards"], made.explain("cards")]
    pieces += [made.assumptions["tokens"].distribution, ds.table(ds.summarize(made.simulate(draws=16, seed=1)))]
    for piece in pieces:
        shown = piece._repr_html_()
        assert "<script" not in shown
        assert "\x1b" not in shown
    shown = made._repr_html_()
    for told in ("tokens", "cards", "<svg", "token/s", "tokens / speed", "lognormal(5, 12", "as it is"):
        assert told in shown
    # The parser reads it: every tag is closed.
    assert ElementTree.fromstring(shown).tag == "div"


def test_a_changed_model_and_evidence_say_so_in_notebooks():
    study = ds.load_study("guosen-2025-01")
    assert "changed from" not in study._repr_html_()
    changed = study.assume(utilization=0.15).observe(capex="normal(mean=80e9, sd=15e9)")
    shown = changed._repr_html_()
    assert "utilization 0.45 -&gt; 0.15" in shown
    assert "evidence: capex ~ normal" in shown
    assert "can be 0 to 1" in study.assumptions["utilization"]._repr_html_()


def test_a_model_as_a_frame_has_a_row_a_label_and_numbers_to_compute_with():
    law = dist.as_distribution('uniform(by("year", [1, 2, 3]), by("year", [3, 4, 5]))', YEARS)
    frame = ds.Model([], {"x": ds.Assumption(law, unit="CNY"), "y": ds.Assumption(2)}).to_frame()
    assert list(frame.loc["x", "P50"]) == [2, 3, 4]
    assert list(frame.loc["x", "labels"]) == ["year=2025", "year=2026", "year=2027"]
    assert frame.loc["y", "point"] == 2
    study = ds.load_study("guosen-2025-01")
    assert study.to_frame().loc["cards", "formula"] == "peak_compute / (card_flops * utilization)"


def test_an_explanation_as_a_frame_holds_the_numbers_of_its_text():
    study = ds.load_study("guosen-2025-01")
    frame = study.explain("cards").to_frame()
    cell = frame[(frame.quantity == "cards") & (frame.scenario == "100T")].iloc[0]
    assert cell.value == study.point().cards.sel(scenario="100T").item()
    assert (cell.unit, cell.role) == ("card", "derived")
    assert "revenue" not in set(frame.quantity)
    shown = study.explain("cards")._repr_html_()
    assert re.search(r"font-weight:bold[^>]*>Assumptions<", shown)


def test_displays_are_in_the_language_of_the_environment(monkeypatch):
    made = ds.load_study("guosen-2025-01").fix(utilization=0.3)
    parts = [made, made.assumptions["card_price"], made.equations["cards"], made.explain("cards")]
    parts += [
        made.correlate({("token_price", "card_price"): 0.5}),
        dist.as_distribution('lognormal(by("year", [1, 2]), by("year", [4, 6]))', YEARS | {"year": [2025, 2026]}),
    ]
    english = [piece._repr_html_() for piece in parts]
    monkeypatch.setenv("DEMANDSIM_LOCALE", "zh")
    shown = [re.sub("<svg.*?</svg>|<code>.*?</code>", "", piece._repr_html_()) for piece in parts]
    for piece in shown[:5]:
        # Names of people and of code stay.
        assert re.findall(r"(?<![\w./])[a-z]{2,} [a-z]{2,} [a-z]{2,}", re.sub("<[^>]*>", " ", piece)) == []
    assert ">假设</th>" in shown[0]
    assert "相对 guosen-2025-01 的改动：算力利用率 0.45" in shown[0]
    assert "来源：" in shown[2]
    assert "所需算力卡" in shown[3]
    assert "token_price与card_price的秩相关：0.5" in shown[4]
    # A language that there is not is no error where nobody looks for one.
    monkeypatch.setenv("DEMANDSIM_LOCALE", "xx")
    assert [piece._repr_html_() for piece in parts] == english


def test_a_table_of_results_is_in_the_language_of_the_environment(monkeypatch):
    model = ds.load_study("guosen-2025-01")
    table = ds.table(ds.summarize(model.simulate(draws=32, seed=1))[["cards", "revenue"]], model.point())
    english = table._repr_html_()
    assert "<th>published</th>" in english
    monkeypatch.setenv("DEMANDSIM_LOCALE", "zh")
    shown = table._repr_html_()
    assert all(f">{said}<" in shown for said in ("公布数值", "均值", "均值的 MCSE", "单位", "量", "情景", "所需算力卡"))
    # Printed in Python, and as numbers, it has the names of Python.
    assert "published" in repr(table)
    assert table.to_frame().index.names[0] == "quantity"
