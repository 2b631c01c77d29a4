"""The ledger of issued forecasts, and studies held against their own evidence."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import forecasting
from demandsim.errors import DemandsimError, EvidenceError
from demandsim.forecasting.ledger import LEVELS

ENTRY = """
[[forecast]]
study = "mine"
version = "1"
quantity = "tokens"
unit = "token/day"
issued = "2026-01-31"
known_until = "2025-12"
target = "2026-06-30"
quantiles = [1.0, 2.0, 3.0, 4.0, 8.0]
"""


def written(tmp_path, text):
    path = tmp_path / "forecasts.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_entry_is_the_forecast_that_failed():
    found = forecasting.ledger()
    gompertz = found.isel(forecast=found.study.values == "doubao-growth-gompertz").dropna(
        "forecast", subset=["outcome"]
    )
    assert gompertz.sizes["forecast"] == 2
    assert (gompertz.inside == 0).all()
    assert (gompertz.grade > 0.95).all()
    # What is open stays open.
    now = found.isel(forecast=found.study.values == "doubao-growth")
    assert now.sizes["forecast"] >= 3
    assert (found.known_until.values <= found.issued.values).all()


def test_what_the_ledger_holds_is_what_the_study_says():
    found = forecasting.ledger()
    entry = found.isel(forecast=(found.study.values == "doubao-growth") & (found.target.values == "2026-12-31"))
    draws = ds.load_study("doubao-growth").as_of("2026-06-30").infer(draws=256, seed=2)
    said = draws.top_down_tokens.sel(year=2027.0).quantile(list(LEVELS), ("chain", "draw"))
    np.testing.assert_allclose(np.log(said), np.log(entry["quantile"].values[0]), atol=0.08)


def test_scores_of_quantiles_are_near_to_the_crps(tmp_path):
    law = stats.norm(math.log(3.0), 0.5)
    quantiles = np.exp(law.ppf(LEVELS)).tolist()
    text = ENTRY.replace("[1.0, 2.0, 3.0, 4.0, 8.0]", str(quantiles))
    text += 'outcome = 4.0\nannounced = "2026-07-01"\nsource = "a page"\n'
    found = forecasting.ledger(written(tmp_path, text)).isel(forecast=0)
    z = (math.log(4.0) - math.log(3.0)) / 0.5
    exact = 0.5 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))
    assert found.score.item() == pytest.approx(exact, rel=0.2)
    assert found.grade.item() == pytest.approx(law.cdf(math.log(4.0)), abs=0.03)
    assert found.inside.item() == 1.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("version", "verzion"), "lacks 'version'"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0]"), "quantiles must be 5 positive numbers that rise"),
        (("2026-01-31", "2025-11-30"), "issued before what it knew"),
        (("2026-06-30", "2026-06-31"), "no day of the calendar"),
        (("token/day", "tokken"), "tokken"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0, 3.0, 4.0, 8.0]\noutcome = 3.0"), "says where it comes from"),
        ((ENTRY, "x = 1"), "holds no"),
        ((ENTRY, "x ="), "not valid TOML"),
        ((ENTRY, "forecast = 3"), "holds no"),
        ((ENTRY, "forecast = [3]"), "holds no"),
        ((ENTRY, "x = " + "[" * 5000), "nested too deep"),
        ((ENTRY, "x = " + "9" * 5000), "thousands of digits"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "3"), "quantiles must be 5 positive"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0, 3.0, 4.0, '8']"), "quantiles: must be a number, not '8'"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0, 3.0, 4.0, inf]"), "quantiles: must be a number, not inf"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0, nan, 4.0, 8.0]"), "quantiles: must be a number, not nan"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[true, 2.0, 3.0, 4.0, 8.0]"), "quantiles: must be a number, not True"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0, 3.0, 4.0, 8.0]\noutcome = 'a'"), "outcome: must be a number"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0, 3.0, 4.0, 8.0]\noutcome = inf"), "outcome: must be a number"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", "[1.0, 2.0, 3.0, 4.0, 8.0]\nannounced = 'soon'"), "announced: 'soon' is not"),
        (('"mine"', '["mine"]'), "study: must be a text"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", f"[0x{'f' * 5000}]"), "quantiles: must be a number, not a number of hundreds"),
        (("[1.0, 2.0, 3.0, 4.0, 8.0]", f"[[0x{'f' * 5000}]]"), "quantiles: must be a number, not list"),
        (('"mine"', f"[0x{'f' * 5000}]"), "study: must be a text, not list"),
        (('"1"', "1"), "version: must be a text"),
        (('"2026-01-31"', '""'), "issued: '' is not a date"),
    ],
)
def test_a_faulty_entry_is_named(tmp_path, change, says):
    with pytest.raises(DemandsimError, match=says):
        forecasting.ledger(written(tmp_path, ENTRY.replace(*change)))


def test_a_ledger_that_cannot_be_read_says_so(tmp_path):
    path = written(tmp_path, ENTRY)
    path.write_bytes(path.read_bytes() + b"# \xff")
    with pytest.raises(DemandsimError, match="is not UTF-8 text"):
        forecasting.ledger(path)
    for wrong in (tmp_path, tmp_path / "absent", f"{path}\0"):
        with pytest.raises(DemandsimError, match="cannot be read"):
            forecasting.ledger(wrong)
    # Days may be those of TOML.
    path = written(tmp_path, ENTRY.replace('"2026-01-31"', "2026-01-31"))
    assert forecasting.ledger(path).issued.item() == "2026-01-31"


def test_an_open_entry_has_no_score(tmp_path):
    found = forecasting.ledger(written(tmp_path, ENTRY)).isel(forecast=0)
    assert np.isnan([found.outcome, found.score, found.grade, found.inside]).all()


def test_a_study_is_refitted_without_what_came_later():
    model = ds.load_study("doubao-growth-gompertz")
    models = {"study": model, "naive": forecasting.LastGrowth()}
    found = forecasting.backtest(models, least=7, draws=128, seed=1).sel(series="top_down_tokens", horizon=1)
    assert found.known.sel(model="naive").values.tolist() == [7, 8]
    assert found.unit.item() == "token/day"
    np.testing.assert_allclose(found.outcome, [[132e12, 180e12]] * 2)
    study = found.sel(model="study")
    assert (study.pit > 0.93).all()
    assert (study.mcse_crps < 0.1 * study.crps).all()
    # As of a day, it is the posterior of the model taken back to what had come out by then.
    before = model.as_of("2026-06-22").infer(128, seed=1).top_down_tokens.sel(year=2026.48)
    assert study["median"][1].item() == pytest.approx(before.median().item(), rel=0.05)
    with pytest.raises(DemandsimError, match="nothing to forecast"):
        forecasting.backtest({"study": model}, least=99)
    undated = ds.load_study("guosen-2025-01").observe(capex="lognormal(1e11, 2e11)")
    with pytest.raises(EvidenceError, match="does not say when it came out"):
        forecasting.backtest({"study": undated})
    with pytest.raises(DemandsimError, match="needs series=, or a model of a study"):
        forecasting.backtest({"naive": forecasting.LastGrowth()})
    with pytest.raises(DemandsimError, match="model 'x' is 3"):
        forecasting.backtest(
            {"x": 3}, {"s": xr.DataArray([1.0], {"date": [np.datetime64("2025-01-01", "ns")]}, "date")}
        )


def test_a_model_knows_what_was_known():
    model = ds.load_study("doubao-growth")
    assert [len(model.as_of(day).evidence) for day in ("2024-05-30", "2024-05-31", "2025-10", "2026")] == [0, 1, 5, 9]
    later = model.observe(top_down_tokens=model.evidence[-1].distribution, announced="2026-10-01")
    assert len(later.as_of("2026-09-30").evidence) == 9
    with pytest.raises(EvidenceError, match="not a date"):
        model.observe(announced="soon", top_down_tokens=model.evidence[-1].distribution)
