"""The commands that learn and decide: what they print, write and refuse, run as a user runs them."""

import csv
import io
import json
import re
import shlex

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds

STUDY = "guosen-2025-01"
EVIDENCE = "guosen-2025-01-evidence"
CAPEX = "capex@100T=normal(mean=80e9, sd=15e9)"


def rows_of(done):
    return list(csv.DictReader(io.StringIO(done.stdout)))


# infer


def test_infer_prints_prior_against_posterior_and_how_far_it_is_to_be_trusted(pictured, tmp_path):
    done = pictured("infer", STUDY, "--observe", CAPEX, "--seed", "1", "--draws", "256", "--scenario", "100T")
    assert done.returncode == 0, done.stderr
    assert "evidence: capex ~ normal(mean=8e10, sd=1.5e10) CNY, scenario 100T" in done.stdout
    assert "method importance, k-hat" in done.stdout
    assert "R-hat 1.0" in done.stdout
    (row,) = [line.split() for line in done.stdout.splitlines() if line.startswith("capex ")]
    before, after, shift = float(row[2]), float(row[5]), float(row[7])
    assert before == pytest.approx(131, rel=0.05)
    assert after == pytest.approx(80, rel=0.05)
    assert shift < 0
    (folder,) = (tmp_path / "out" / STUDY).glob("*/posterior")
    assert sorted(path.name for path in folder.iterdir()) == ["draws.nc", "posterior.png", "summary.csv"]
    assert (folder / "posterior.png").read_bytes().startswith(b"\x89PNG")
    with xr.open_dataset(folder / "draws.nc", engine="h5netcdf") as draws:
        again = ds.load_study(STUDY).select(scenario="100T").observe(capex="normal(mean=80e9, sd=15e9)")
        # The same evidence; only the label at it makes another text of it.
        assert float(draws.capex.median()) == pytest.approx(float(again.infer(256, seed=1).capex.median()), rel=0.01)


def test_the_shift_is_that_of_the_prior_s_own_scores(demandsim):
    done = demandsim(
        "infer", STUDY, "--scenario", "100T", "--observe", "utilization=normal(mean=0.3, sd=0.05)", "--seed", "1",
        "--draws", "512", "--format", "json",
    )  # fmt: skip
    made = json.loads(done.stdout)
    (row,) = [one for one in made["rows"] if one["quantity"] == "utilization"]
    prior = ds.load_study(STUDY).assumptions["utilization"].distribution
    assert row["shift"] == pytest.approx(stats.norm.ppf(prior.cdf(row["posterior_median"])), abs=0.02)
    assert made["evidence"][0]["quantity"] == "utilization"
    assert made["seed"] == 1
    # What the evidence does not touch keeps its median.
    (life,) = [one for one in made["rows"] if one["quantity"] == "useful_life"]
    assert life["shift"] == pytest.approx(0, abs=0.05)


def test_evidence_of_the_study_and_of_the_command_line_add_up(demandsim):
    common = ("infer", "doubao-growth-gompertz", "--seed", "1", "--draws", "128", "--format", "csv")
    own = {(row["quantity"], row["year"]): row for row in rows_of(demandsim(*common))}
    more = {
        (row["quantity"], row["year"]): row
        for row in rows_of(demandsim(*common, "--observe", "top_down_tokens@2027.0=lognormal(2.0e14, 2.2e14)"))
    }
    key = ("top_down_tokens", "2027.0")
    assert float(own[key]["posterior_median"]) > 2.4e14
    assert 1.9e14 < float(more[key]["posterior_median"]) < 2.35e14
    assert own["initial_tokens", ""]["unit"] == "token/day"


def test_a_series_over_years_gets_a_fan_and_a_short_table(pictured, tmp_path):
    done = pictured("infer", "doubao-growth-gompertz", "--seed", "1", "--draws", "128")
    printed = [line for line in done.stdout.splitlines() if line.startswith("top_down_tokens, ")]
    assert 5 <= len(printed) <= 8
    assert printed[-1].startswith("top_down_tokens, 2031 ")
    assert "summary.csv has all labels" in done.stdout
    folder = tmp_path / "out" / "doubao-growth-gompertz" / "posterior"
    assert (folder / "top_down_tokens.png").exists()
    with (folder / "summary.csv").open(encoding="utf-8") as file:
        assert sum(row["quantity"] == "top_down_tokens" for row in csv.DictReader(file)) == 21


def test_an_event_holds_in_every_draw(demandsim, tmp_path):
    done = demandsim("infer", STUDY, "--event", "gross_margin<0", "--seed", "1", "--draws", "128", "--scenario", "100T")
    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "out" / STUDY).glob("*/posterior/draws.nc")
    with xr.open_dataset(written, engine="h5netcdf") as draws:
        assert bool((draws.gross_margin < 0).all())


def test_the_printed_command_replays_the_same_posterior(demandsim):
    done = demandsim(
        "infer", STUDY, "--observe", CAPEX, "--event", "gross_margin < 0", "--draws", "64", "--method", "importance",
        "--format", "csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    words = shlex.split(next(line for line in done.stderr.splitlines() if line.startswith("replay:")))[2:]
    assert "--method" in words
    assert demandsim(*words, "--format", "csv").stdout == done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "holds no evidence of its own"),
        (("--observe", "capex"), 2, "is not NAME=DISTRIBUTION"),
        (("--observe", "capex@=normal(1, 2)"), 2, "is not NAME=DISTRIBUTION"),
        (("--event", "gross_margin"), 2, "An event is"),
        (("--event", "gross_margin == 0", "--scenario", "100T"), 1, "zero likelihood"),
        (("--method", "luck", "--event", "gross_margin < 0"), 2, "luck"),
        (("--observe", "capx=normal(1, 2)"), 1, "did you mean 'capex'?"),
        (("--observe", "capex=normal(2, 1)"), 1, "--observe capex"),
        (("--observe", "capex@10T=normal(1, 2)"), 1, "did you mean '100T'?"),
        (("--observe", "peak_ratio=normal(mean=90, sd=1)"), 1, "standard deviations from"),
        (("--event", "utilization > 2"), 1, "zero likelihood"),
        (("--event", "utilization > much"), 1, "unknown quantity in event: 'much'"),
    ],
)
def test_infer_refuses_with_a_reason(demandsim, words, code, said):
    done = demandsim("infer", STUDY, "--draws", "64", "--chains", "2", "--seed", "1", *words)
    assert done.returncode == code, done.stderr
    # A terminal folds long lines.
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


def test_a_contradiction_can_be_looked_at_on_request(demandsim):
    done = demandsim(
        "infer", STUDY, "--scenario", "100T", "--observe", "peak_ratio=normal(mean=15, sd=1)", "--draws", "256",
        "--seed", "1", "--on-failure", "warn", "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "warning: the evidence on 'peak_ratio' lies" in done.stderr
    assert json.loads(done.stdout)["prior_distance"] > 6


@pytest.mark.parametrize("study", [name for name in ds.list_studies() if not name.startswith("doubao-growth")])
def test_a_study_without_evidence_says_what_to_give_it(demandsim, study):
    done = demandsim("infer", study)
    assert done.returncode == 2
    assert "--observe" in done.stderr


# decide

FEW = ("--actions", "100000:900000:9", "--draws", "256", "--seed", "1", "--scenario", "100T")


def test_decide_says_what_to_order_and_what_is_worth_knowing(pictured, tmp_path):
    done = pictured("decide", EVIDENCE, *FEW, "--salvage", "20%")
    assert done.returncode == 0, done.stderr
    assert "100T: best 300,000 cards: expected" in done.stdout
    for word in ("worst 10%", "regret", "best in hindsight", "everything (EVPI)", "share of variance of gross_margin"):
        assert word in done.stdout
    folder = tmp_path / "out" / EVIDENCE / "100T" / "decision"
    assert sorted(path.name for path in folder.iterdir()) == ["decision.csv", "information.png", "payoffs.png"]


def test_decide_prints_what_the_library_computes(demandsim):
    done = demandsim("decide", EVIDENCE, *FEW, "--salvage", "20%", "--format", "json")
    made = json.loads(done.stdout)
    draws = ds.load_study(EVIDENCE).select(scenario="100T").simulate(256, seed=1)
    orders = xr.DataArray(np.linspace(1e5, 9e5, 9), dims="order", attrs={"units": "card"})
    payoff = ds.decisions.OrderCards(salvage=lambda d: 0.2 * d.card_price)
    paid = ds.decisions.evaluate(draws, orders, payoff)
    worth = ds.decisions.value_of_information(draws, orders, payoff)
    found = [row for row in made["rows"] if row["row"] == "action"]
    np.testing.assert_allclose([row["mean"] for row in found], paid["mean"].squeeze().values, rtol=1e-12)
    np.testing.assert_allclose([row["cvar"] for row in found], paid.cvar.squeeze().values, rtol=1e-12)
    (everything,) = [row for row in made["rows"] if row["row"] == "everything"]
    assert everything["worth"] == pytest.approx(worth.evpi.item())
    for row in made["rows"]:
        if row["row"] == "assumption":
            assert row["worth"] == pytest.approx(worth.evppi.sel(assumption=row["assumption"]).item())
            assert row["worth"] <= everything["worth"]
    # The best order's regret is the value of perfect information.
    assert min(row["regret"] for row in found) == pytest.approx(everything["worth"])


def test_decide_says_what_it_left_out_and_leads_the_next_that_it_prints(demandsim):
    few = ("decide", EVIDENCE, "--draws", "64", "--seed", "1", "--scenario", "100T")
    printed = demandsim(*few).stdout
    told = re.search(
        r"best ([\d,]+) cards: expected .* bn CNY, (-?[\d.]+) ± [\d.]+ more than ([\d,]+), the next", printed
    )
    rows = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines() if line.endswith("%  bn CNY")]
    means = {row[0]: float(row[1]) for row in rows}
    best, lead, following = told.groups()
    assert sorted(means, key=means.get)[-2:] == [following, best]
    assert float(lead) == pytest.approx(means[best] - means[following], abs=0.11)
    tried = sum(
        row["row"] == "action" for row in csv.DictReader(io.StringIO(demandsim(*few, "--format", "csv").stdout))
    )
    assert f"{tried - len(rows)} of {tried} orders that were tried are left out here: decision.csv has all" in printed
    assert "left out here" not in demandsim(*few, "--actions", "1e5:9e5:9").stdout


def test_numbers_for_the_economics_give_the_critical_fractile(demandsim):
    done = demandsim(
        "decide", STUDY, "--scenario", "100T", "--seed", "1", "--draws", "512", "--unit-cost", "150000",
        "--value", "200000", "--salvage", "50000", "--format", "csv",
    )  # fmt: skip
    paying = [row for row in rows_of(done) if row["row"] == "action"]
    best = float(max(paying, key=lambda row: float(row["mean"]))["order"])
    cards = ds.load_study(STUDY).select(scenario="100T").simulate(512, seed=1).cards
    # (v - c) / (v - s) = 1/3; orders are tried about 10% apart.
    assert best == pytest.approx(float(cards.quantile(1 / 3)), rel=0.1)


def test_a_price_can_be_decided(demandsim):
    done = demandsim("decide", STUDY, "--price", "--seed", "1", "--draws", "128", "--scenario", "100T")
    assert done.returncode == 0, done.stderr
    assert "CNY/Mtoken: expected" in done.stdout
    assert "by 1.5 percent" in done.stdout


def test_decide_uses_the_evidence(demandsim):
    words = ("decide", STUDY, *FEW, "--observe", "utilization=beta(0.08, 0.28, prob=0.8)")
    done = demandsim(*words)
    assert "given 1 piece of evidence" in done.stdout
    replayed = shlex.split(next(line for line in done.stderr.splitlines() if line.startswith("replay:")))[2:]
    assert demandsim(*replayed).stdout == done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((STUDY, "--actions", "1:2"), 2, "is not LOW:HIGH:COUNT"),
        ((STUDY, "--actions", "5:1:3"), 2, "is not LOW:HIGH:COUNT"),
        ((STUDY, "--actions", "0:nan:3"), 2, "is not LOW:HIGH:COUNT"),
        ((STUDY, "--salvage", "much%"), 2, "is not a share"),
        ((STUDY, "--value", "revenu"), 1, "lacks revenu"),
        ((STUDY, "--tail", "2"), 1, "tail must lie between 0 and 1"),
        (("doubao-growth",), 1, "lacks cards, card_price, revenue, useful_life"),
        (("deepseek-2025-02",), 1, "lacks card_price, revenue, useful_life"),
        (("deepseek-2025-02", "--price"), 1, "lacks token_price, break_even_price, daily_tokens, paid_share"),
        (("doubao-2025-2030",), 1, "lacks cards"),
        (("doubao-2025-2030", "--demand", "cards_in_service"), 1, "this decision is taken once"),
    ],
)
def test_decide_refuses_with_a_reason(demandsim, words, code, said):
    done = demandsim("decide", *words, "--draws", "64", "--seed", "1")
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
