"""The report page without a browser: what it says, that it is whole, escaped, and the same each time."""

import base64
import hashlib
import itertools
import json
import re
import shlex
import sys
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import plots
from demandsim.cli import main
from demandsim.graph.metadata import StudyNotes
from demandsim.report import report_page
from demandsim.report.assumptions import assumption_rows
from demandsim.report.charts import axis
from demandsim.report.differences import differences
from demandsim.report.evidence import learned
from demandsim.report.fans import fans, spread
from demandsim.report.markup import rendered
from demandsim.report.provenance import printed_rows, receipt_of
from demandsim.report.runs import Sample, computed
from demandsim.report.scenes import scenes
from demandsim.report.selection import selection_of
from demandsim.report.words import words_of
from demandsim.units.format import percent

STUDY = "guosen-2025-01"
HOSTILE = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> & \u202e成本 😀 \x00"
EMPTY = {"meta", "link", "br", "input", "hr"}


class Reader(HTMLParser):
    """Elements, attributes and text of a page; an end tag that closes nothing is an error."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in EMPTY:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def said(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def model():
    return ds.load_study(STUDY)


@pytest.fixture(scope="module")
def page(model):
    return report_page(model, Sample(256, seed=1))[0]


@pytest.fixture(scope="module")
def results(model):
    return computed(model, selection_of(model), Sample(256, seed=1))


@pytest.fixture(scope="module")
def first(model, results):
    return next(scenes(results, words_of("en")))


@ds.equation(unit="CNY/year")
def income(price, volume):
    return price * volume


@ds.equation(unit="CNY/year")
def gross_margin(income, outlay):
    return income - outlay


def yearly():
    years = ds.distributions.lognormal(2e10, 5e10, prob=0.9)
    growth = 'lognormal(by("year", [1e10, 2e10, 4e10]), by("year", [3e10, 6e10, 12e10]), prob=0.9)'
    from demandsim.distributions.grammar import parse_distribution

    by_year = parse_distribution(growth, {"year": (2025, 2026, 2027)})
    return ds.Model(
        [income, gross_margin],
        {
            "price": ds.Assumption("lognormal(1, 2, prob=0.9)", unit="CNY/token"),
            "volume": ds.Assumption(by_year, unit="token/year", shared=True),
            "outlay": ds.Assumption(years, unit="CNY/year"),
        },
        scenarios={"scenario": {"plain": {}, "dear": {"price": "lognormal(2, 4, prob=0.9)"}}},
    )


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
    assert swings == sorted(swings, reverse=True)


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


def test_correlated_assumptions_get_shapley_effects():
    sure = ds.load_study(STUDY).fix(activated_parameters=110e9, card_flops=1979, token_price=1.5, paid_share=0.4)
    model = sure.select(scenario="100T").correlate({("utilization", "peak_ratio"): -0.5})
    page, _ = report_page(model, Sample(256, seed=1))
    said = Reader(page).said
    assert "Shapley effects" in said
    assert "Sobol' indices" not in said
    assert "Utilization of a card and Peak over mean compute" in said


def test_years_are_switched_and_drawn():
    model = yearly()
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
    said = Reader(report_page(model, Sample(256, seed=1))[0]).said
    assert "Not on this page What it is worth to know more: the study does not have cards" in said


def test_many_scenes_read_shares_off_the_draws(monkeypatch):
    monkeypatch.setattr("demandsim.report.runs._ELEMENTS", 1)
    said = Reader(report_page(yearly(), Sample(256, seed=1))[0]).said
    assert "First-order Sobol' indices of 2027 only" in said
    assert "estimated from 2,048 draws of this simulation" in said
    assert "read off 256 draws per chain, for 2027" in said


def test_a_model_without_uncertainty_says_so():
    model = ds.Model(
        [income], {"price": ds.Assumption(2, unit="CNY/token"), "volume": ds.Assumption(3, unit="token/day")}
    )
    said = Reader(report_page(model, Sample(64, seed=1))[0]).said
    assert "nothing behind these results is uncertain" in said
    assert "2,190" in said


def test_same_seed_same_bytes_and_another_seed_others(model):
    made = [report_page(model.select(scenario="100T"), Sample(64, seed=seed))[0] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_the_page_is_whole_and_asks_for_nothing(page):
    read = Reader(page)
    assert page.startswith("<!DOCTYPE html>")
    assert len(page.encode()) < 400_000
    for name, attributes in read.elements:
        assert "src" not in attributes
        assert "style" not in attributes
        assert not any(key.startswith("on") for key in attributes)
        assert attributes.get("href", "#").startswith(("#", "data:"))
        if name == "th":
            assert attributes["scope"] in ("col", "row")
        if name == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    assert not re.search(r"https?://|@import|url\(", page)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for name, attributes in read.elements if name == "a"}
    assert targets <= set(ids)


def test_only_its_own_style_and_script_may_run(page):
    policy = next(a["content"] for n, a in Reader(page).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        (content,) = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_headings_go_down_one_step_at_a_time(page):
    levels = [int(name[1]) for name, _ in Reader(page).elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_hostile_text_of_a_study_is_only_text(model):
    evil = {
        name: made.relabelled(long_name=HOSTILE, source=HOSTILE) if name == "utilization" else made
        for name, made in model.assumptions.items()
    }
    hostile = ds.Model(
        model.equations.values(),
        evil,
        scenarios={"scenario": {HOSTILE: {}, "</title>": {"token_price": 1}}},
        notes=StudyNotes("n", HOSTILE, HOSTILE, (HOSTILE,)),
    )
    page, _ = report_page(hostile, Sample(64, seed=1), command=HOSTILE)
    read = Reader(page)
    scripts = [attributes for name, attributes in read.elements if name == "script"]
    assert scripts == [{"type": "application/json", "id": "told-by-script"}, {}]
    assert not any(name == "img" for name, _ in read.elements)
    assert not any(key.startswith("on") for _, attributes in read.elements for key in attributes)
    assert "\x00" not in page
    assert read.said.count("<script>alert(1)</script>") > 5
    assert "成本 😀" in read.said


@given(st.text(alphabet=st.characters()))
def test_any_text_comes_back_as_it_was(content):
    made = rendered("report/page.html", "group", words_of("en"), "scenario", "legend", ["plain", content])
    read = Reader(made)
    # What HTML forbids is replaced; the parser itself evens out line ends and the like.
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", content)
    assert "".join(read.texts) == "Legend" + "plain" + kept
    assert [name for name, _ in read.elements] == ["fieldset", "legend", *2 * ["label", "input"]]
    assert read.elements[-1][1] == {"type": "radio", "name": "scenario", "value": "1", "data-label": kept}
    made.encode()


@given(
    st.floats(-1e12, 1e12),
    st.floats(1e-6, 1e12),
    st.booleans(),
)
def test_ticks_are_few_inside_and_in_order(low, length, wide):
    low = abs(low) + 1e-3 if wide else low
    high = low * (31 + length) if wide else low + max(length, abs(low) * 1e-6)
    made = axis((low, high), 0.0, 100.0, wide)
    ticks = made.ticks(5)
    assert len(ticks) <= 6
    assert ticks == sorted(set(ticks))
    places = [made.place(value) for value in ticks]
    assert all(-0.01 <= place <= 100.01 for place in places)
    assert places == sorted(places)
    assert made.place(low) == pytest.approx(0, abs=1e-6)
    assert made.place(high) == pytest.approx(100, abs=1e-6)


def test_the_chinese_page_counts_in_wan_and_yi(model):
    page, _ = report_page(model.select(scenario="100T"), Sample(256, seed=1), locale="zh")
    read = Reader(page)
    assert read.elements[0] == ("html", {"lang": "zh-Hans"})
    assert "85.8 万张" in read.said
    assert "亿元/年" in read.said
    assert "毛利为正" in read.said


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
        file = folder / "out" / STUDY / "report.html"
        return printed, file.read_bytes() if file.exists() else b""

    return run


def test_the_command_on_the_page_makes_the_same_page_again(demandsim):
    printed, page = demandsim(
        f"demandsim report {STUDY} --draws 64 --scenario 100T --set utilization=0.3 --prob 0.8 --locale zh"
    )
    assert "written: " in printed.err
    (command,) = re.findall(r'<pre id="replay" tabindex="0"><code>(.*?)</code></pre>', page.decode())
    assert re.fullmatch(
        rf"demandsim report {STUDY} --seed \d+ --draws 64 --chains 8 --prob 0.8 --set utilization=0.3 --scenario 100T "
        "--locale zh",
        command,
    )
    assert command in " ".join(printed.err.split())
    assert demandsim(command)[1] == page
    said = Reader(page.decode()).said
    assert all(key in said for key in ("种子", "勘误与说明", "抽样凭证", "版本"))


def test_run_prints_the_numbers_of_the_page(demandsim, page, monkeypatch):
    monkeypatch.setattr(plots, "distributions", lambda *_, **__: None)
    monkeypatch.setattr(plots, "save", lambda _, path: path.touch())
    printed, _ = demandsim(f"demandsim run {STUDY} --seed 1 --draws 256 --scenario 100T --format json")
    medians = [row["median"] for row in json.loads(printed.out)["rows"]]
    shown = [float(attributes["value"]) for name, attributes in Reader(page).elements if name == "data"]
    # Medians of four tiles, of seven rows of the table, and of four columns of this scenario among the others.
    assert sum(any(value == pytest.approx(one, rel=1e-8) for one in medians) for value in shown) == 4 + 7 + 4


def restored(base, pieces):
    """Put a text together again, as the script of the page does: a text, from where the base goes on, and how far."""
    return "".join(
        piece if i % 3 == 0 else base[piece : piece + pieces[i + 1]] for i, piece in enumerate(pieces) if i % 3 < 2
    )


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=40), st.text(max_size=40))
def test_a_text_comes_back_from_its_differences(one, other, before, after):
    for base, text in ((one, other), (one, before + one + after), (one + other, other + before + one), (one, one)):
        (pieces,) = differences(base, [text])
        assert restored(base, pieces) == text


def parts_of(page):
    (content,) = re.findall(r'<script type="application/json" id="told-by-script">(.*?)</script>', page, re.DOTALL)
    return json.loads(content)["parts"]


def test_other_scenes_are_whole_and_weigh_little(model, page):
    other = Reader(report_page(model.select(scenario="1000T"), Sample(256, seed=1))[0]).said
    parts = parts_of(page)
    assert {"headline", "chances", "shapes", "moves", "shares", "information"} == set(parts)
    for part in parts.values():
        (key, pieces), base = next(iter(part["scenes"].items())), part["base"]
        assert part["first"], key == ("0", "1")
        assert base in page
        block = restored(base, pieces)
        assert Reader(block).said.startswith("Scenario 1000T")
        assert len(json.dumps(pieces)) < 0.75 * len(block)
    tiles = re.findall(
        r'class="value">(.*?)</dd>', restored(parts["headline"]["base"], parts["headline"]["scenes"]["1"])
    )
    assert len(tiles) == 4
    assert all(Reader(tile).said in other for tile in tiles)


def test_years_weigh_little_too():
    parts = parts_of(report_page(yearly(), Sample(256, seed=1))[0])
    assert parts["headline"]["follows"] == ["scenario", "time"]
    assert parts["fans"]["follows"] == ["scenario"]
    assert parts["compared"]["follows"] == ["time"]
    told = sum(len(json.dumps(pieces)) for part in parts.values() for pieces in part["scenes"].values())
    whole = sum(len(restored(part["base"], one)) for part in parts.values() for one in part["scenes"].values())
    assert told < whole / 3


def test_a_few_sentences_come_first(page, first):
    said = Reader(page).said
    assert said.index("Gross margin: ") < said.index("90%: ")
    for row in first.rows[:2]:
        low, high = row.scale.value(row.lower), row.scale.value(row.upper)
        told = f"{row.label}: {row.scale.measure(row.median)}; with 90% probability between {low} and {high}."
        assert told in said
    chance = percent(first.statements[0].probability, 1)
    assert f"Gross margin is positive in {chance} of the draws." in said
    assert "The uncertainty of Gross margin comes first from Activated parameters of the general model (6" in said
    assert f"Best worth knowing before cards are ordered: {first.information.worths[0].label}" in said


def test_scenarios_stand_side_by_side(model, page):
    summary = ds.summarize(model.simulate(draws=256, seed=1))
    section = re.search('<section id="compared".*?</section>', page, re.DOTALL)[0]
    shown = [float(attributes["value"]) for name, attributes in Reader(section).elements if name == "data"]
    names = ("cards", "gross_margin", "revenue", "annualized_capex")
    expected = [float(summary[name].sel(scenario=s, statistic="median")) for s in ("100T", "1000T") for name in names]
    assert shown == pytest.approx(expected, rel=1e-8)
    assert "Cards needed (million cards)" in Reader(section).said


def test_numbers_read_as_people_write_them(model, page):
    chinese = report_page(model.select(scenario="100T"), Sample(64, seed=1), locale="zh")[0]
    for text_ in (Reader(page).said, Reader(chinese).said):
        assert not re.search(r"\d[.]\d{8}|\d{16}|[*]card|[*]token|\bnan\b|\binf\b", re.sub("lognormal[^)]*", "", text_))
    assert "CNY/Mtoken" not in Reader(page).said
    assert "100 million tokens/day" in Reader(page).said
    assert "亿 token/日" in Reader(chinese).said
    assert "元/百万 token" in Reader(chinese).said
    # A pointer on a number gives more of its digits, in the declared unit.
    titles = [attributes["title"] for name, attributes in Reader(page).elements if name == "data"]
    assert "857,772 cards" in titles
    assert "21,444,300,000 CNY/year" in titles


def test_assumptions_say_their_spread_and_outcomes():
    study = ds.load_study("guosen-2025-01-evidence")
    rows = {row.name: row.variants[0] for row in assumption_rows(study, ({},), 0.9, words_of("en"))}
    assert rows["card_price"].ends == ("75 to 200 thousand CNY/card",)
    assert rows["card_price"].spread == pytest.approx(200 / 75)
    assert rows["card_flops"].ends == ("1,979 TFLOP/s/card",)
    assert rows["card_flops"].spread == 1
    assert rows["utilization_includes_peak"].ends == ("0 (50%), 1 (50%)",)
    assert rows["useful_life"].point == "6 years"


def test_many_labels_are_one_row_of_the_receipt():
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


def test_the_posterior_is_that_of_two_normals():
    prior, seen = stats.norm(30e9, 10e9), stats.norm(50e9, 5e9)
    model = yearly().assume(outlay="normal(mean=30e9, sd=10e9)").observe(outlay="normal(mean=50e9, sd=5e9)")
    selection = selection_of(model)
    results = computed(model, selection, Sample(1024, seed=1))
    found = learned(results, words_of("en"))
    weights = np.array([1 / prior.var(), 1 / seen.var()])
    exact = stats.norm((weights @ [prior.mean(), seen.mean()]) / weights.sum(), weights.sum() ** -0.5)
    belief = found.scenarios[0].assumptions[0]
    assert belief.label == "Outlay"
    assert belief.before == pytest.approx(prior.ppf([0.05, 0.5, 0.95]), abs=0.02 * prior.std())
    assert belief.after == pytest.approx(exact.ppf([0.05, 0.5, 0.95]), abs=0.05 * exact.std())
    assert belief.moved == pytest.approx((exact.mean() - prior.mean()) / prior.std(), abs=0.02)
    # What depends on it moves as well; what does not stays where it was.
    assert next(b for b in found.scenarios[0].results if b.label.startswith("Gross margin")).moved < -0.1
    assert abs(next(b for b in found.scenarios[0].assumptions if b.label == "Price").moved) < 0.05


def test_the_page_tells_the_evidence_in_words():
    page, _ = report_page(ds.load_study("doubao-growth"), Sample(256, seed=1))
    said = Reader(page).said
    assert "The study has 7 observations." in said
    assert re.search(r"Moved most: Tokens a day at saturation, from [\d,]+ tn tokens/day to 1\d\d tn tokens/day", said)
    assert "Top-down tokens a day (2026) 63 (90%: 42.0 to 94.5 tn tokens/day)" in said
    assert "Given the evidence, Top-down tokens a day (2031): 1" in said
    assert "lognormal(median=by(" not in said
    assert re.search(r"Posterior: 2,048 draws by populations .*, worth [\d,]+ independent ones, R-hat 1\.0", said)


def test_an_event_is_told_in_words(model):
    told = model.select(scenario="100T").observe(event="gross_margin < 0", capex="normal(mean=80e9, sd=15e9)")
    said = Reader(report_page(told, Sample(256, seed=1))[0]).said
    assert "Gross margin < 0 it happened" in said
    assert "Capex 80 (90%: 55.3 to 105 bn CNY)" in said


def test_evidence_that_contradicts_says_so_in_its_section():
    model = yearly().observe(outlay="normal(mean=9e15, sd=1e9)")
    said = Reader(report_page(model, Sample(256, seed=1))[0]).said
    section = said[said.rindex("What the evidence changes") :]
    assert section.startswith("What the evidence changes Left out: ")
    assert "standard deviations from what the prior" in section[:200]


def test_the_page_explains_itself(page):
    said = Reader(page).said
    reading = said[said.rindex("How to read this page") : said.rindex("How the numbers were made")]
    for about in ("Median and 90% interval", "Point estimate", "MCSE", "What this page cannot tell", "Controls"):
        assert about in reading
    assert "Before and after the evidence" not in reading
    assert "Made with demandsim" in said
