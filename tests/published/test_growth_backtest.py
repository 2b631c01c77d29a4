"""Doubao's growth against what was published: the study's evidence is the series', and forecasts of 2024 meet 2025."""

import importlib.util
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import growth
from demandsim.errors import EvidenceConflictError
from demandsim.forecasting import GrowthPrior, RevertingGrowth
from demandsim.forecasting.figures import Figures
from demandsim.series import elapsed_years

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def study():
    return ds.load_study("doubao-growth")


@pytest.fixture(scope="module")
def series():
    found = ds.load_series("doubao-daily-tokens").daily_tokens
    return found[found.status != "unverified"]


def test_the_evidence_is_every_figure_with_a_source_and_no_other(study, series):
    read = [piece.distribution.median().item() for piece in study.evidence]
    # "Over" and "passed" are taken as a tenth more; all else as it stands.
    expected = series.values * np.where(series.qualifier == "over", 1.1, 1.0)
    np.testing.assert_allclose(read, expected, rtol=1e-12)


def test_time_is_that_of_the_dates(study, series):
    labels = np.array([piece.distribution.coords["year"][0] for piece in study.evidence])
    elapsed = study.point().elapsed_time.sel(year=labels).values
    days = elapsed_years(series, "2024-05-15").values
    whole_month = np.array([len(str(period)) == 7 for period in series.period.values])
    # A month stands for its middle, a day for itself; labels are exact to half a week.
    np.testing.assert_allclose(elapsed[~whole_month], days[~whole_month], atol=0.006)
    np.testing.assert_allclose(elapsed[whole_month], days[whole_month] + 14 / 365, atol=0.006)
    np.testing.assert_allclose(study.point().elapsed_time.values, study.point().year.values - 2024.37, atol=1e-9)


@pytest.fixture(scope="module")
def rival():
    """The Gompertz curve as it was when it failed."""
    return ds.load_study("doubao-growth-gompertz").as_of("2026-02-28")


def test_a_rival_has_the_evidence_of_the_study(study):
    own, other = study.evidence, ds.load_study("doubao-growth-gompertz").evidence
    assert [piece.table() for piece in own] == [piece.table() for piece in other]


def test_the_years_to_2030_grow_as_the_posterior_says(study):
    """Growth of 'doubao-2025-2030', year by year, against the filter on the evidence of this study."""
    pieces = study.evidence
    logs = [float(np.log(piece.distribution.median().item())) for piece in pieces]
    sds = [float(np.log(piece.distribution.ppf(0.95).item())) - log for piece, log in zip(pieces, logs, strict=True)]
    years = np.array([piece.distribution.coords["year"][0] for piece in pieces])
    nothing = np.zeros(len(pieces))
    figures = Figures(years, np.array(logs), np.array(sds) / 1.6449, nothing, years)
    prior = GrowthPrior(definition_drift=dist.lognormal(median=1e-6, factor=2, prob=0.9))
    ends = np.arange(2024, 2031) + 0.96
    paths = RevertingGrowth(prior, points=512).paths([figures], ends, draws=256, chains=4, seed=1)
    levels = paths.levels[:, :, 0]
    rates = np.diff(levels, axis=-1).reshape(-1, 6)
    whole = ds.load_study("doubao-2025-2030")
    said = whole.assumptions["growth_rate"].distribution
    # 2026 is 0.1 higher there, before saturation slows it.
    slowed = np.array([0, 0.1, 0, 0, 0, 0])
    np.testing.assert_allclose(said.mean(), rates.mean(0) + slowed, atol=0.1)
    np.testing.assert_allclose(said.sd(), rates.std(0), rtol=0.1)
    (ranks,) = whole.label_correlations.values()
    found = stats.spearmanr(rates[:, 1:]).statistic
    np.testing.assert_allclose(np.array(ranks.values)[1:, 1:], found, atol=0.07)
    start = whole.assumptions["initial_tokens"].distribution
    np.testing.assert_allclose(np.log(start.median().item()), levels[..., 1].mean(), atol=0.03)


def test_exponential_growth_contradicts_the_figures(rival):
    with pytest.raises(EvidenceConflictError, match="standard deviations from what all evidence together allows"):
        rival.with_equations(growth.exponential_growth).drop("saturation_tokens").infer(draws=512, seed=3)


def test_the_figures_of_2025_prefer_gompertz_growth_which_did_not_see_2026(rival):
    found = {
        name: rival.with_equations(curve).infer(draws=512, seed=3)
        for name, curve in (("logistic", growth.logistic_growth), ("gompertz", growth.gompertz_growth))
    }
    logs = {name: one.attrs["log_marginal_likelihood"] for name, one in found.items()}
    assert logs["gompertz"] - logs["logistic"] == pytest.approx(11.8, abs=1)
    # What was announced on 2 April 2026; no draw reaches what came on 23 June.
    for one in found.values():
        assert ds.probability(one.top_down_tokens.sel(year=2026.25) > 120e12).probability < 0.005
        assert one.top_down_tokens.sel(year=2026.48).max() < 180e12


def test_a_rate_that_reverts_gave_what_came_a_chance(study):
    known = study.as_of("2026-02-28")
    assert len(known.evidence) == 7
    found = known.infer(draws=256, seed=3)
    assert found.attrs["method"] == "conditional"
    for year, came in ((2026.25, 120e12), (2026.48, 180e12)):
        above = ds.probability(found.top_down_tokens.sel(year=year) > came)
        assert 0.05 < above.probability < 0.25
        assert above.mcse < 0.01
    low, high = found.top_down_tokens.sel(year=2026.48).quantile([0.05, 0.95]).values
    assert high / low < 5


def test_the_report_meets_deepseek_s_day_as_the_example_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path(str(EXAMPLES / "deepseek_evidence.py"))
    said = capsys.readouterr().out
    assert "Counted at the peak: 2,224." in said
    # The report's own chain at the day's tokens, by hand.
    by_hand = 2 * 37e9 * (608e9 + 168e9) / 86400 * 3 / (1979e12 * 0.45)
    assert by_hand == pytest.approx(2239, abs=1)
    assert found["prior"].cards.sel(fleet=found["DAY"]).median().item() == pytest.approx(by_hand, rel=0.03)
    medians = {name: one.utilization.median().item() for name, one in found["cases"].items()}
    kept = "the same, the report's peak kept for 100T"
    assert medians[kept] == pytest.approx(0.24, abs=0.01)
    cards = {name: one.cards.sel(fleet="100T").median().item() for name, one in found["cases"].items()}
    assert cards[kept] / cards["the report's assumptions"] == pytest.approx(2.2, abs=0.15)
    common = "the day's cards and peak, and that peak for all"
    assert cards[common] / cards["the report's assumptions"] == pytest.approx(0.9, abs=0.06)


@pytest.fixture(scope="module")
def scores():
    """The script that prints the tables of the page on forecasts."""
    path = EXAMPLES.parent / "benchmarks" / "growth_scores.py"
    spec = importlib.util.spec_from_file_location("growth_scores", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("kind", ["tokens", "public", "users"])
def test_the_page_has_the_tables_of_the_script(kind, scores):
    """In the row that is cheap: figures that are added, or their errors, move it."""
    page = (EXAMPLES.parent / "docs" / "explanation" / "forecasting.md").read_text(encoding="utf-8").splitlines()
    for line in scores.rows(kind, models=["naive"]):
        assert line in page
    named = {line.split(" | ")[0] for line in page}
    assert {f"| {model}" for model in scores.MODELS} <= named
