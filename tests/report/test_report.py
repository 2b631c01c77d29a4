"""The report page without a browser: its numbers are those of the library, and its command makes it again."""

import itertools
import json
import re
import shlex
import sys
import warnings

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim import plots
from demandsim.cli import main
from demandsim.report import report_page
from demandsim.report.assumptions import assumption_rows
from demandsim.report.fans import fans, spread
from demandsim.report.provenance import correlation_rows, printed_rows, receipt_of
from demandsim.report.runs import Sample, computed
from demandsim.report.scenes import scenes
from demandsim.report.selection import selection_of
from demandsim.report.words import words_of

STUDY = "guosen-2025-01"


def test_headline_numbers_are_those_of_summarize(model, first):
    draws = model.simulate(draws=256, seed=1)
    found = ds.summarize(draws).cards.sel(scenario="100T")
    row = next(row for row in first.rows if row.name == "cards")
    for key in ("median", "mean", "lower", "upper", "mcse_median", "mcse_mean"):
        assert getattr(row, key) == found.sel(statistic=key).item()
    assert row.point == pytest.approx(857_772.04, abs=0.01)
    assert row.scale.measure(row.point, 4) == "857.8 thousand cards"


def test_margin_is_positive_as_often_as_probability_says(model, first):
    expected = ds.probability(model.simulate(draws=256, seed=1).gross_margin > 0).sel(scenario="100T")
    said = next(s for s in first.statements if s.text == "Gross margin is positive")
    assert (said.probability, said.mcse) == (expected.probability.item(), expected.mcse.item())


def test_every_published_limit_is_a_statement(results, first):
    assert sum(" exceeds " in said.text for said in first.statements) == results.checks.sizes["check"]


def test_a_read_probability_is_the_share_of_draws(results, first):
    shape = next(shape for shape in first.shapes if shape.row.name == "cards")
    values = results.draws.cards.sel(scenario="100T").values.ravel() / shape.row.scale.divisor
    for edge, below in zip(shape.edges, shape.cumulative, strict=True):
        assert below == pytest.approx(stats.percentileofscore(values, edge, "weak") / 100, abs=1e-3)
    assert sum(shape.shares) == pytest.approx(shape.cumulative[-1] - shape.cumulative[0], abs=2e-3)


def test_tornado_ends_are_those_of_the_scenario(model, results):
    made = list(scenes(results, words_of("en")))
    tokens = [next(b for b in scene.moves[1].bars if b.label == "Tokens a day") for scene in made]
    assert [bar.settings[2] for bar in tokens] == ["50 to 200 tn tokens/day", "500 to 2,000 tn tokens/day"]
    assert made[0].moves[1].base == pytest.approx(model.point().cards.sel(scenario="100T").item())
    swings = [abs(bar.at_high - bar.at_low) for bar in made[0].moves[0].bars]
    # Two of them are the same but for their last bits.
    assert swings == pytest.approx(sorted(swings, reverse=True), rel=1e-12)


def test_information_is_never_worth_more_than_all(first):
    found = first.information
    assert 0 < found.worths[0].value <= found.evpi.value
    assert [worth.value for worth in found.worths] == sorted((w.value for w in found.worths), reverse=True)


def test_every_published_row_is_recomputed_as_printed(model):
    rows = list(printed_rows(model, model.point(), words_of("en")))
    assert len(rows) == len(model.notes.published)
    assert all(agrees for row in rows for *_, agrees in row.cells.values())
    worse = model.assume(card_price=200e3)
    wrong = next(
        row for row in printed_rows(worse, worse.point(), words_of("en")) if row.quantity == "annualized_capex"
    )
    assert wrong.cells["100T"] == ("214.44", "285.92", False)


def test_the_receipt_says_the_worst_deviation(model, results):
    found = receipt_of(model, results.draws, words_of("en"))
    every = [abs(a - p) for row in found.quantiles for a, p in zip(row.achieved, found.probs, strict=True)]
    assert found.worst_share == max(every)


def test_correlated_assumptions_get_shapley_effects(reader):
    sure = ds.load_study(STUDY).fix(activated_parameters=110e9, card_flops=1979, token_price=1.5, paid_share=0.4)
    model = sure.select(scenario="100T").correlate({("utilization", "peak_ratio"): -0.5})
    page, _ = report_page(model, Sample(256, seed=1))
    said = reader(page).said
    assert "Shapley effects" in said
    assert "Sobol' indices" not in said
    assert "Utilization of a card and Peak over mean compute" in said


def test_years_are_switched_and_drawn(reader, yearly):
    model = yearly
    selection = selection_of(model)
    found = computed(model, selection, Sample(256, seed=1))
    made = list(scenes(found, words_of("en")))
    assert [scene.title for scene in made[:4]] == [
        "Scenario plain, 2025",
        "Scenario plain, 2026",
        "Scenario plain, 2027",
        "Scenario dear, 2025",
    ]
    drawn = fans(found, words_of("en"))
    assert drawn[1][0].times == ("2025", "2026", "2027")
    for place, scene in enumerate(made[3:]):
        assert drawn[1][0].lines["median"][place] == scene.rows[0].median
    said = reader(report_page(model, Sample(256, seed=1))[0]).said
    assert "Not on this page What it is worth to know more: the study does not have cards" in said


def test_many_scenes_read_shares_off_the_draws(monkeypatch, reader, yearly):
    monkeypatch.setattr("demandsim.report.runs._ELEMENTS", 1)
    said = reader(report_page(yearly, Sample(256, seed=1))[0]).said
    assert "First-order Sobol' indices of 2027 only" in said
    assert "estimated from 2,048 draws of this simulation" in said
    assert "read off 256 draws per chain, for 2027" in said


def test_a_model_without_uncertainty_says_so(reader, income):
    model = ds.Model(
        [income], {"price": ds.Assumption(2, unit="CNY/token"), "volume": ds.Assumption(3, unit="token/day")}
    )
    said = reader(report_page(model, Sample(64, seed=1))[0]).said
    assert "nothing behind these results is uncertain" in said
    assert "2,190" in said


def test_a_bad_locale_quantity_or_folder_is_named(model, tmp_path):
    with pytest.raises(ds.DemandsimError, match="locale"):
        ds.write_report(model, tmp_path / "page.html", locale="fr")
    with pytest.raises(ds.DemandsimError, match="did you mean 'cards'"):
        ds.write_report(model, tmp_path / "page.html", of="card")
    with pytest.raises(ds.DemandsimError, match="cannot write the report"):
        ds.write_report(model, tmp_path / "none" / "page.html", draws=64, seed=1)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def demandsim(monkeypatch, capsys, tmp_path):
    """Run a command of the command line in this process, in a folder of its own; what it prints."""
    folders = itertools.count()

    def run(command):
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(warnings, "showwarning", warnings.showwarning)
            patch.setattr(sys, "argv", shlex.split(command))
            code = None
            try:
                main()
            except SystemExit as stop:
                code = stop.code
        printed = capsys.readouterr()
        assert not code, printed.err
        written = sorted((folder / "out" / STUDY).rglob("report.html"))
        return printed, written[0].read_bytes() if written else b""

    return run


def test_the_command_on_the_page_makes_the_same_page_again(demandsim, reader):
    printed, page = demandsim(
        f"demandsim report {STUDY} --draws 64 --scenario 100T --set utilization=0.3 --prob 0.8 --locale zh"
    )
    assert "已写入：" in printed.err
    (command,) = re.findall(r'<pre id="replay" tabindex="0"><code>(.*?)</code></pre>', page.decode())
    assert re.fullmatch(
        rf"demandsim report {STUDY} --seed \d+ --draws 64 --chains 8 --prob 0.8 --set utilization=0.3 --scenario 100T "
        "--locale zh",
        command,
    )
    assert command in " ".join(printed.err.split())
    assert demandsim(command)[1] == page
    said = reader(page.decode()).said
    assert all(key in said for key in ("种子", "勘误与说明", "抽样凭证", "版本"))


def test_run_prints_the_numbers_of_the_page(demandsim, page, monkeypatch, reader):
    monkeypatch.setattr(plots, "distributions", lambda *_, **__: None)
    monkeypatch.setattr(plots, "save", lambda _, path: path.touch())
    printed, _ = demandsim(f"demandsim run {STUDY} --seed 1 --draws 256 --scenario 100T --format json")
    medians = [row["median"] for row in json.loads(printed.out)["rows"]]
    shown = [float(attributes["value"]) for name, attributes in reader(page).elements if name == "data"]
    # Medians of three tiles, of seven rows of the table, and of four columns of this scenario among the others.
    assert sum(any(value == pytest.approx(one, rel=1e-8) for one in medians) for value in shown) == 3 + 7 + 4


def test_assumptions_say_their_spread_and_outcomes():
    study = ds.load_study("guosen-2025-01-evidence")
    rows = {row.name: row.variants[0] for row in assumption_rows(study, ({},), 0.9, words_of("en"))}
    assert rows["card_price"].ends == ("75 to 200 thousand CNY/card",)
    assert rows["card_price"].spread == pytest.approx(200 / 75)
    # A sure value is said once.
    assert (rows["card_flops"].point, rows["card_flops"].ends) == ("1,979 TFLOP/s/card", ("–",))
    assert rows["card_flops"].spread == 1
    assert rows["utilization_includes_peak"].ends == ("0 (50%), 1 (50%)",)
    assert rows["useful_life"].point == "6 years"


def test_many_labels_are_one_row_of_the_receipt(income):
    years = list(range(2025, 2032))
    volume = ds.distributions.grammar.parse_distribution(
        f'lognormal(by("year", {[1e9] * 7}), by("year", {[4e9] * 7}), prob=0.9)', {"year": tuple(years)}
    )
    model = ds.Model(
        [income], {"price": ds.Assumption(2, unit="CNY/token"), "volume": ds.Assumption(volume, unit="token/year")}
    )
    found = receipt_of(model, model.simulate(draws=256, seed=1), words_of("en"))
    (row,) = found.quantiles
    assert re.fullmatch(r"Volume \(20\d\d, farthest off of 7\)", row.label)
    assert max(abs(a - p) for a, p in zip(row.achieved, found.probs, strict=True)) == found.worst_share


def test_times_stand_at_their_distance():
    assert spread(np.array([2024.5, 2025.0, 2027.0])) == (0.0, 0.2, 1.0)
    dates = np.array(["2025-01-01", "2025-01-02", "2025-01-05"], dtype="datetime64[ns]")
    assert spread(dates) == (0.0, 0.25, 1.0)


def test_labels_that_move_together_are_among_the_correlations():
    growth = dist.normal(mean=xr.DataArray([1.0, 2.0], dims="year", coords={"year": [2025, 2026]}), sd=1)
    model = ds.Model([], {"growth": growth}).correlate_labels("growth", dim="year", rank=ds.ar1(0.8))
    assert list(correlation_rows(model, words_of("en"))) == [("Growth (Year)", "ar1(0.8)", "")]
