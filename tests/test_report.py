"""The report page without a browser: what it says, that it is whole, escaped, and the same each time."""

import base64
import hashlib
import itertools
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim.notes import StudyNotes
from demandsim.report import report_page
from demandsim.report.axes import axis
from demandsim.report.choosing import chosen
from demandsim.report.computing import computed
from demandsim.report.markup import tag, text
from demandsim.report.record import printed_rows, receipt_of
from demandsim.report.scenes import fans, scenes
from demandsim.report.wording import percent, words_of

STUDY = "guosen-2025-01"
HOSTILE = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> & \u202e成本 😀 \x00"
COMMON = {"normal", "lognormal", "uniform", "triangular", "pert", "beta", "discrete", "mixture", "truncated"}
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
    return report_page(model, draws=512, seed=1)[0]


@pytest.fixture(scope="module")
def results(model):
    return computed(model, chosen(model), draws=512, chains=8, seed=1, prob=0.9)


@pytest.fixture(scope="module")
def first(model, results):
    return next(scenes(model, chosen(model), results, 0.9, words_of("en")))


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
    draws = model.simulate(draws=512, seed=1)
    found = ds.summarize(draws).cards.sel(scenario="100T")
    row = next(row for row in first.rows if row.name == "cards")
    for key in ("median", "mean", "lower", "upper", "mcse_median", "mcse_mean"):
        assert getattr(row, key) == found.sel(statistic=key).item()
    assert row.point == pytest.approx(857_772.04, abs=0.01)
    assert row.scale.measure(row.point, 4) == "85.78 × 10,000 cards"


def test_margin_is_positive_as_often_as_probability_says(model, first):
    expected = ds.probability(model.simulate(draws=512, seed=1).gross_margin > 0).sel(scenario="100T")
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
    made = list(scenes(model, chosen(model), results, 0.9, words_of("en")))
    tokens = [next(b for b in scene.moves[1].bars if b.label == "Tokens a day") for scene in made]
    assert [bar.settings[2] for bar in tokens] == ["50.0 to 200 tn tokens/day", "500 to 2,000 tn tokens/day"]
    assert made[0].moves[1].base == pytest.approx(model.point().cards.sel(scenario="100T").item())
    swings = [abs(bar.at_high - bar.at_low) for bar in made[0].moves[0].bars]
    assert swings == sorted(swings, reverse=True)


def test_information_is_never_worth_more_than_all(first):
    found = first.information
    assert 0 < found.worths[0].value <= found.evpi.value
    assert [worth.value for worth in found.worths] == sorted((w.value for w in found.worths), reverse=True)


def test_every_published_row_is_recomputed_as_printed(model):
    rows = list(printed_rows(model, model.point()))
    assert len(rows) == len(model.notes.published)
    assert all(agrees for row in rows for *_, agrees in row.cells.values())
    worse = model.assume(card_price=200e3)
    wrong = next(row for row in printed_rows(worse, worse.point()) if row.quantity == "annualized_capex")
    assert wrong.cells["100T"] == ("214.44", "285.92", False)


def test_the_receipt_says_the_worst_deviation(model, results):
    found = receipt_of(model, results.draws, words_of("en"))
    every = [abs(a - p) for row in found.quantiles for a, p in zip(row.achieved, found.probs, strict=True)]
    assert found.worst_share == max(every)


def test_correlated_assumptions_get_shapley_effects():
    sure = ds.load_study(STUDY).fix(activated_parameters=110e9, card_flops=1979, token_price=1.5, paid_share=0.4)
    model = sure.select(scenario="100T").correlate({("utilization", "peak_ratio"): -0.5})
    page, _ = report_page(model, draws=256, seed=1)
    said = Reader(page).said
    assert "Shapley effects" in said
    assert "Sobol' indices" not in said
    assert "Utilization of a card and Peak over mean compute" in said


def test_years_are_switched_and_drawn():
    model = yearly()
    choice = chosen(model)
    found = computed(model, choice, draws=256, chains=8, seed=1, prob=0.9)
    made = list(scenes(model, choice, found, 0.9, words_of("en")))
    assert [scene.title for scene in made[:4]] == [
        "Scenario plain, 2025",
        "Scenario plain, 2026",
        "Scenario plain, 2027",
        "Scenario dear, 2025",
    ]
    drawn = fans(choice, found, words_of("en"))
    assert drawn[1][0].times == ("2025", "2026", "2027")
    for place, scene in enumerate(made[3:]):
        assert drawn[1][0].lines["median"][place] == scene.rows[0].median
    assert "information" not in found.absent
    assert "Left out" in Reader(report_page(model, draws=256, seed=1)[0]).said


def test_many_scenes_read_shares_off_the_draws(monkeypatch):
    monkeypatch.setattr("demandsim.report.computing._ELEMENTS", 1)
    page, _ = report_page(yearly(), draws=256, seed=1)
    assert "First-order shares of the variance of 2027, read off the draws" in Reader(page).said


def test_a_model_without_uncertainty_says_so():
    model = ds.Model(
        [income], {"price": ds.Assumption(2, unit="CNY/token"), "volume": ds.Assumption(3, unit="token/day")}
    )
    said = Reader(report_page(model, draws=64, seed=1)[0]).said
    assert "nothing behind these results is uncertain" in said
    assert "2,190" in said


def test_same_seed_same_bytes_and_another_seed_others(model, page):
    assert report_page(model, draws=512, seed=1)[0] == page
    assert report_page(model, draws=512, seed=2)[0] != page


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
    page, _ = report_page(hostile, draws=64, seed=1, command=HOSTILE)
    read = Reader(page)
    assert [name for name, _ in read.elements].count("script") == 1
    assert not any(name == "img" for name, _ in read.elements)
    assert not any(key.startswith("on") for _, attributes in read.elements for key in attributes)
    assert "\x00" not in page
    assert read.said.count("<script>alert(1)</script>") > 5
    assert "成本 😀" in read.said


@given(st.text(alphabet=st.characters()), st.text())
def test_any_text_comes_back_as_it_was(content, attribute):
    made = tag("p", content, title=attribute)
    read = Reader(made)
    # What HTML forbids is replaced; the parser itself evens out line ends and the like.
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", content)
    assert "".join(read.texts) == kept
    assert [name for name, _ in read.elements] == ["p"]
    made.encode()
    assert not {"<", ">", '"'} & set(text(content))


@given(
    st.floats(-1e12, 1e12),
    st.floats(1e-6, 1e12),
    st.booleans(),
)
def test_ticks_are_few_inside_and_in_order(low, length, wide):
    low = abs(low) + 1e-3 if wide else low
    high = low * (31 + length) if wide else low + max(length, abs(low) * 1e-6)
    made = axis(low, high, 0.0, 100.0, wide)
    ticks = made.ticks(5)
    assert len(ticks) <= 6
    assert ticks == sorted(set(ticks))
    places = [made.place(value) for value in ticks]
    assert all(-0.01 <= place <= 100.01 for place in places)
    assert places == sorted(places)
    assert made.place(low) == pytest.approx(0, abs=1e-6)
    assert made.place(high) == pytest.approx(100, abs=1e-6)


@given(st.floats(0, 1))
def test_a_share_never_reads_as_none_or_all_unless_it_is(share):
    said = percent(share)
    assert (said == "0%") == (share == 0)
    assert (said == "100%") == (share == 1)


def test_locales_have_the_same_keys_and_places():
    folder = resources.files("demandsim.report").joinpath("locale")
    english, chinese = (
        tomllib.loads(folder.joinpath(f"{code}.toml").read_text(encoding="utf-8")) for code in ("en", "zh")
    )
    for table in ("words", "families"):
        assert list(english[table]) == list(chinese[table])
    for key, phrase in english["words"].items():
        assert set(re.findall(r"\{\w+\}", phrase)) == set(re.findall(r"\{\w+\}", chinese["words"][key])), key
    # Families that a study is likely to name; of others the page shows the name of the constructor.
    assert set(ds.distributions.__all__) >= COMMON
    assert set(english["families"]) >= COMMON


def test_the_chinese_page_counts_in_wan_and_yi(model):
    page, _ = report_page(model.select(scenario="100T"), draws=256, seed=1, locale="zh")
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


def test_the_command_writes_a_page_that_says_how_to_make_it_again(tmp_path):
    words = ["report", STUDY, "--seed", "7", "--draws", "256", "--scenario", "100T", "--set", "utilization=0.3"]
    done = subprocess.run(
        [sys.executable, "-m", "demandsim", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    file = tmp_path / "out" / STUDY / "report.html"
    assert "written: " in done.stderr
    said = Reader(file.read_text(encoding="utf-8")).said
    command = f"demandsim report {STUDY} --seed 7 --draws 256 --chains 8 --set utilization=0.3 --scenario 100T"
    assert command in said
    assert command in " ".join(done.stderr.split())
    assert np.all([key in said for key in ("Seed 7", "Errata and notes", "Receipt", "Versions")])
