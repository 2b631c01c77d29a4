"""The page as a document: whole, escaped, told in few bytes, and in words that people read."""

import base64
import hashlib
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim.graph.metadata import StudyNotes
from demandsim.inference.infer import METHODS
from demandsim.report import report_page
from demandsim.report.charts import axis
from demandsim.report.differences import differences
from demandsim.report.markup import rendered
from demandsim.report.runs import Sample
from demandsim.report.words import words_of
from demandsim.units.format import percent

HOSTILE = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> & \u202e成本 😀 \x00"


def test_same_seed_same_bytes_and_another_seed_others(model):
    made = [report_page(model.select(scenario="100T"), Sample(64, seed=seed))[0] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_the_page_is_whole_and_asks_for_nothing(page, reader):
    read = reader(page)
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


def test_only_its_own_style_and_script_may_run(page, reader):
    policy = next(a["content"] for n, a in reader(page).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        (content,) = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_headings_go_down_one_step_at_a_time(page, reader):
    levels = [int(name[1]) for name, _ in reader(page).elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_hostile_text_of_a_study_is_only_text(model, reader):
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
    read = reader(page)
    scripts = [attributes for name, attributes in read.elements if name == "script"]
    assert scripts == [{"type": "application/json", "id": "told-by-script"}, {}]
    assert not any(name == "img" for name, _ in read.elements)
    assert not any(key.startswith("on") for _, attributes in read.elements for key in attributes)
    assert "\x00" not in page
    assert read.said.count("<script>alert(1)</script>") > 5
    assert "成本 😀" in read.said


EVIL = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "</style><style>*{display:none}",
    "javascript:alert(1)",
    "[page](javascript:alert(1))",
    '" onmouseover="alert(1)',
    "data:text/html,<script>alert(1)</script>",
    "]]><svg onload=alert(1)>",
    "${alert(1)} {{ 7 * 7 }} {% raw %}",
    "\\u003c/script> \\x3cscript>",
]


def test_no_text_of_a_study_ends_a_script_or_leads_anywhere(model, page, reader):
    every = " ".join(EVIL)
    hostile = ds.Model(
        model.equations.values(),
        {
            name: made.relabelled(long_name=text, source=text)
            for (name, made), text in zip(model.assumptions.items(), itertools.cycle(EVIL), strict=False)
        },
        scenarios={"scenario": {every: {}, "other": {"token_price": 1}}},
        notes=StudyNotes(every, every, every, (every,)),
    )
    made, _ = report_page(hostile, Sample(64, seed=1), command=every)
    read, plain = reader(made), reader(page)
    # The same kinds of elements as on the page of an honest study, the same scripts and styles, and no way out.
    assert {name for name, _ in read.elements} <= {name for name, _ in plain.elements}
    for kind in ("script", "style"):
        assert [attributes for name, attributes in read.elements if name == kind] == [
            attributes for name, attributes in plain.elements if name == kind
        ]
    attributes = [pair for _, found in read.elements for pair in found.items()]
    assert all(value.startswith(("#", "data:,")) for key, value in attributes if key in ("href", "src", "action"))
    assert not any(key.startswith("on") for key, _ in attributes)
    for text in EVIL:
        assert read.said.count(text) >= 5, text
    (told,) = re.findall(r'<script type="application/json" id="told-by-script">(.*?)</script>', made, re.DOTALL)
    assert json.loads(told) is not None


@given(content=st.text(alphabet=st.characters()))
def test_any_text_comes_back_as_it_was(content, reader):
    made = rendered("report/page.html", "group", words_of("en"), "scenario", "legend", ["plain", content])
    read = reader(made)
    # What HTML forbids is replaced; the parser itself evens out line ends and the like.
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", content)
    assert "".join(read.texts) == "Legend" + "plain" + kept
    assert [name for name, _ in read.elements] == ["fieldset", "legend", *2 * ["label", "input"]]
    assert read.elements[-1][1] == {"type": "radio", "name": "scenario", "value": "1", "data-label": kept}
    made.encode()


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


def test_other_scenes_are_whole_and_weigh_little(model, page, reader):
    other = reader(report_page(model.select(scenario="1000T"), Sample(256, seed=1))[0]).said
    parts = parts_of(page)
    assert {"summary", "headline", "chances", "shapes", "moves", "shares", "information"} == set(parts)
    for part in parts.values():
        (key, pieces), base = next(iter(part["scenes"].items())), part["base"]
        assert part["first"], key == ("0", "1")
        assert base in page
        block = restored(base, pieces)
        assert reader(block).said.startswith("Scenario 1000T")
        assert len(json.dumps(pieces)) < 0.75 * len(block)
    summary = restored(parts["summary"]["base"], parts["summary"]["scenes"]["1"])
    tiles = re.findall(r'class="value">(.*?)</dd>', summary)
    assert len(tiles) == 3
    assert all(reader(tile).said in other for tile in tiles)


def test_years_weigh_little_too(yearly):
    parts = parts_of(report_page(yearly, Sample(256, seed=1))[0])
    assert parts["summary"]["follows"] == parts["headline"]["follows"] == ["scenario", "time"]
    assert parts["fans"]["follows"] == ["scenario"]
    assert parts["compared"]["follows"] == ["time"]
    told = sum(len(json.dumps(pieces)) for part in parts.values() for pieces in part["scenes"].values())
    whole = sum(len(restored(part["base"], one)) for part in parts.values() for one in part["scenes"].values())
    assert told < whole / 3


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


def summary_of(page, reader):
    return reader(re.search('<section id="summary".*?</section>', page, re.DOTALL)[0])


def test_a_summary_comes_first(page, first, reader):
    said = summary_of(page, reader).said
    assert page.index('<section id="summary"') < page.index("<nav") < page.index('<section id="headline"')
    rows = {row.name: row for row in first.rows}
    told = [rows[name] for name in ("gross_margin", "cards", "revenue")]
    for row in told:
        low, high = row.scale.value(row.lower), row.scale.value(row.upper)
        below = percent(row.below_point, 0)
        assert f"{row.label} {row.scale.measure(row.median)} 90%: {low} to {high}" in said
        assert f"point estimate: {row.scale.measure(row.point)}, at or above {below} of the draws" in said
    assert [one["data-slide"] for name, one in summary_of(page, reader).elements if name == "figure"] == [
        "Read off Gross margin"
    ]
    chance = percent(first.statements[0].probability, 1)
    assert f"Gross margin is positive in {chance} of the draws." in said
    assert "The uncertainty of Gross margin comes first from Activated parameters of the general model (6" in said
    assert "by total-order Sobol' indices (interactions included)." in said
    assert "First order / Total order" in said
    assert f"Best worth knowing before cards are ordered: {first.information.worths[0].label}" in said


def test_the_summary_tells_what_is_not_as_in_the_source(model, page, reader):
    told = "At its point estimates the model gives {} of the {} values that the source prints."
    added = "Added to the source: distributions for {} of the 9 assumptions."
    said = summary_of(page, reader).said
    assert told.format(30, 30) in said
    assert added.format(9) in said
    assert "Nothing was changed from the study." in said
    changed = model.select(scenario="100T").assume(utilization=0.3)
    said = summary_of(report_page(changed, Sample(64, seed=1))[0], reader).said
    assert told.format(19, 23) in said
    assert "utilization per card: printed 45, here 30 %. cards needed: printed 85.78, here 128.67" in said
    assert added.format(8) in said
    assert "Changes from the study: 1, listed at the top." in said
    assert "Nothing was changed" not in said


def test_the_summary_draws_what_has_years_over_time(yearly, reader):
    page = report_page(yearly, Sample(64, seed=1))[0]
    drawn = [attributes for name, attributes in summary_of(page, reader).elements if name == "svg"]
    assert drawn[0]["aria-label"] == "Gross margin over time"


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_every_method_of_inference_has_its_words(locale):
    assert all(words_of(locale).say(f"by_{method}") for method in METHODS if method != "auto")


def test_scenarios_stand_side_by_side(model, page, reader):
    summary = ds.summarize(model.simulate(draws=256, seed=1))
    section = re.search('<section id="compared".*?</section>', page, re.DOTALL)[0]
    shown = [float(attributes["value"]) for name, attributes in reader(section).elements if name == "data"]
    names = ("cards", "gross_margin", "revenue", "annualized_capex")
    expected = [float(summary[name].sel(scenario=s, statistic="median")) for s in ("100T", "1000T") for name in names]
    assert shown == pytest.approx(expected, rel=1e-8)
    assert "Cards needed (million cards)" in reader(section).said


def test_numbers_read_as_people_write_them(model, page, reader):
    chinese = report_page(model.select(scenario="100T"), Sample(64, seed=1), locale="zh")[0]
    for text_ in (reader(page).said, reader(chinese).said):
        assert not re.search(r"\d[.]\d{8}|\d{16}|[*]card|[*]token|\bnan\b|\binf\b", re.sub("lognormal[^)]*", "", text_))
    assert "CNY/Mtoken" not in reader(page).said
    assert "100 million tokens/day" in reader(page).said
    assert "亿 token/日" in reader(chinese).said
    assert "元/百万 token" in reader(chinese).said
    # A pointer on a number gives more of its digits, in the declared unit.
    titles = [attributes["title"] for name, attributes in reader(page).elements if name == "data"]
    assert "857,772 cards" in titles
    assert "21,444,300,000 CNY/year" in titles


def test_the_chinese_page_counts_in_wan_and_yi(model, reader):
    page, _ = report_page(model.select(scenario="100T"), Sample(256, seed=1), locale="zh")
    read = reader(page)
    assert read.elements[0] == ("html", {"lang": "zh-Hans"})
    assert "85.8 万张" in read.said
    assert "亿元/年" in read.said
    assert "毛利为正" in read.said


def test_the_page_explains_itself(page, reader):
    said = reader(page).said
    reading = said[said.rindex("How to read this page") : said.rindex("How the numbers were made")]
    for about in ("Median and 90% interval", "Point estimate", "MCSE", "What this page cannot tell", "Controls"):
        assert about in reading
    assert "Before and after the evidence" not in reading
    assert "Made with demandsim" in said
