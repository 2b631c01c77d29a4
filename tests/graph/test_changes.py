"""Published, point and draw: what a source printed stays, points follow, and what was changed is said everywhere."""

import csv
import io
import json
import pickle

import openpyxl
import pytest

import demandsim as ds
from demandsim.cli._study import loaded
from demandsim.graph.changes import published_at, read_changes
from demandsim.report.report import report_page
from demandsim.report.runs import Sample
from demandsim.statistics.table import rows

STUDY = "guosen-2025-01"
LINE = "changed from guosen-2025-01: utilization 0.45 -> 0.15"


@pytest.fixture
def model():
    return ds.load_study(STUDY).select(scenario="100T")


@pytest.fixture
def changed(model):
    return model.assume(utilization=0.15)


def summary_of(model):
    return ds.summarize(model.simulate(draws=64, seed=1))


def row_of(model, name):
    return next(row for row in rows(summary_of(model), model.point()) if row.quantity == name)


WAYS = {
    "assume": lambda m, _: m.assume(utilization=0.15),
    "fix": lambda m, _: m.fix(utilization=0.15),
    "--set": lambda *_: loaded(STUDY, ["utilization=0.15"], ["100T"]),
    "a file of it": lambda m, folder: through_a_file(m.fix(utilization=0.15), folder),
    "a workbook of it": lambda m, folder: through_a_workbook(m.fix(utilization=0.15), folder),
    "an edited workbook": lambda m, folder: through_a_workbook(m, folder, edit=True),
    "a pickle of it": lambda m, _: pickle.loads(pickle.dumps(m.fix(utilization=0.15))),
}


def through_a_file(model, folder):
    model.to_toml(folder / "study.toml")
    return ds.load_study(folder / "study.toml")


def through_a_workbook(model, folder, edit=False):
    ds.write_workbook(model, folder / "model.xlsx")
    if edit:
        book = openpyxl.load_workbook(folder / "model.xlsx")
        page = book["assumptions"]
        heads = {cell.value: cell.column for row in page.iter_rows(max_row=4) for cell in row}
        row = next(row[0].row for row in page.iter_rows() if row[0].value == "utilization")
        page.cell(row, heads["point"]).value = 0.15
        page.cell(row, heads["distribution"]).value = "sure"
        book.save(folder / "model.xlsx")
    return ds.read_workbook(folder / "model.xlsx")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_published_stays_the_point_follows_and_the_change_is_told(model, tmp_path, way):
    after = way(model, tmp_path)
    cards = row_of(after, "cards")
    assert cards.published == pytest.approx(857_772, rel=1e-4)
    assert cards.point == pytest.approx(3 * 857_772, rel=1e-6)
    assert [(change.name, change.after) for change in after.changes] == [("utilization", "0.15")]
    assert after.changes[0].before == "0.45 ~ beta(mean=0.451386, sd=0.1)"
    assert str(after.changes) == "utilization 0.45 -> 0.15"
    assert after.assumptions["utilization"].source == "set by the user"


def test_a_study_is_as_published(model):
    assert model.changes == ()
    assert "changes" not in model.simulate(draws=8, seed=1).attrs
    for row in rows(summary_of(model), model.point()):
        if row.quantity in {printed.quantity for printed in model.notes.published}:
            assert row.published == row.point
        else:
            assert row.published != row.published


def test_only_what_a_source_printed_is_called_published(changed):
    shown = str(ds.table(summary_of(changed)[["cards", "gross_margin"]], changed.point()))
    head, _, cards, margin, line = shown.splitlines()
    assert head.split()[:3] == ["published", "point", "mean"]
    assert cards.split()[2:4] == ["85.78", "257.3"]
    # The report does not print the margin.
    assert margin.split()[2] == "-42.43"
    assert line == LINE
    growth = ds.load_study("doubao-growth")
    assert "published" not in str(ds.table(summary_of(growth)[["growth_rate"]], growth.point()))


def test_a_distribution_brings_its_own_point_and_source(model):
    after = model.assume(
        utilization="triangular(0.1, 0.2, 0.3)", card_price=ds.Assumption(2e5, "CNY/card", source="me")
    )
    assert after.assumptions["utilization"].point == pytest.approx(0.2)
    assert after.assumptions["card_price"].source == "me"
    before, now = after.changes[0].before, after.changes[0].after
    assert (before, now) == ("0.45 ~ beta(mean=0.451386, sd=0.1)", "0.2 ~ triangular(0.1, 0.2, 0.3, prob=1)")
    # What is as it was has not been changed.
    assert model.assume(utilization="beta(mean=0.451386, sd=0.1)").changes == ()


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    return 1.1 * peak_compute / (card_flops * utilization)


OTHERS = {
    "scenario": (
        lambda m: m.with_scenarios({"low": {"utilization": 0.2}}),
        [("scenario 100T", "daily_tokens 1e+14 token/day"), ("scenario low", "none")],
    ),
    "correlation": (
        lambda m: m.correlate({("utilization", "peak_ratio"): -0.5}),
        [("correlation of peak_ratio and utilization", "none")],
    ),
    "equation": (lambda m: m.with_equations(cards), [("equation cards", "peak_compute / (card_flops * utilization)")]),
    "evidence": (lambda m: m.observe(capex="normal(mean=80e9, sd=15e9)"), [("evidence on capex", "none")]),
    "assumption": (lambda m: m.add(spare=1), [("spare", "none")]),
}


@pytest.mark.parametrize(("change", "told"), OTHERS.values(), ids=OTHERS)
def test_whatever_differs_is_told(model, change, told):
    after = change(model)
    assert len(after.changes) == len(told)
    for found, (name, before) in zip(after.changes, told, strict=True):
        assert found.name == name
        assert found.before.startswith(before)
        assert found.after != found.before
    assert list(after.changes.to_frame().columns) == ["name", "before", "after"]


def test_to_look_at_one_scenario_changes_nothing():
    whole = ds.load_study(STUDY)
    assert whole.select(scenario="1000T").changes == ()
    assert str(whole.fix(utilization=0.15).select(scenario="1000T").changes) == "utilization 0.45 -> 0.15"
    of_one = loaded(STUDY, ["daily_tokens@100T=2e14"])
    assert [change.name for change in of_one.changes] == ["scenario 100T"]
    assert of_one.select(scenario="1000T").changes == ()


def test_a_model_of_ones_own_has_no_study():
    made = ds.Model(
        [cards],
        {
            "peak_compute": ds.Assumption(1, "EFLOP/s"),
            "card_flops": ds.Assumption(1, "TFLOP/s/card"),
            "utilization": 0.5,
        },
    )
    assert made.fix(utilization=0.2).changes == ()


# Everywhere


def test_draws_keep_it_through_a_store(changed, tmp_path):
    changed.simulate(draws=64, seed=1, store=tmp_path / "draws.nc")
    draws = ds.open_draws(tmp_path / "draws.nc")
    assert json.loads(draws.attrs["changes"]) == [["utilization", "0.45 ~ beta(mean=0.451386, sd=0.1)", "0.15"]]
    assert published_at(draws.cards.attrs, ["100T"]) == pytest.approx(857_772, rel=1e-6)
    assert str(ds.table(ds.summarize(draws))).endswith(LINE)


def test_a_posterior_says_what_it_was_conditioned_on(model):
    posterior = model.observe(capex="normal(mean=130e9, sd=80e9)").infer(draws=64, seed=1)
    assert "evidence on capex none -> capex ~ normal" in str(ds.table(ds.summarize(posterior)))


def test_the_command_line_prints_both(tmp_path, capsys):
    from demandsim.cli import app

    words = ["run", STUDY, "--set", "utilization=0.15", "--scenario", "100T", "--draws", "64", "--out", str(tmp_path)]
    assert app(words, standalone_mode=False) in (0, None)
    out = capsys.readouterr().out
    assert LINE in out
    assert next(line for line in out.splitlines() if line.startswith("cards")).split()[1:3] == ["85.78", "257.3"]
    found = csv.DictReader(io.StringIO(next(tmp_path.rglob("summary.csv")).read_text(encoding="utf-8")))
    row = next(row for row in found if row["quantity"] == "cards")
    assert float(row["published"]) == pytest.approx(857_772, rel=1e-6)
    assert float(row["point"]) == pytest.approx(3 * 857_772, rel=1e-6)


def test_pictures_mark_both_and_say_it(changed):
    draws = changed.simulate(draws=64, seed=1)
    axes = ds.plots.distributions(draws, changed.point(), of=["cards"])
    figure = axes[0, 0].figure
    texts = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    # In words of the picture's language, not by the name of code.
    assert LINE.replace("utilization", "Utilization") in texts.replace("\u00a0", " ")
    assert {"published", "point"} <= {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    marks = [one.get_segments()[0][0, 0] for one in axes[0, 0].collections if one.get_linewidth()[0] == 2]
    assert sorted(marks) == pytest.approx([85.7772, 257.3316], rel=1e-3)


def test_the_page_has_a_banner(changed, model):
    page, _ = report_page(changed, Sample(64, seed=1))
    assert "<li>utilization 0.45 -&gt; 0.15</li>" in page
    assert "set by the user" in page
    assert 'class="changed"' not in report_page(model, Sample(64, seed=1))[0]


def test_the_workbook_has_a_row(changed, tmp_path):
    ds.write_workbook(changed, tmp_path / "model.xlsx")
    page = openpyxl.load_workbook(tmp_path / "model.xlsx")["notes"]
    assert [row[1].value for row in page.iter_rows() if row[0].value == "changed"] == [LINE]


def test_explain_says_it(changed, model):
    assert str(model.explain("cards")).startswith("cards at the published points of 'guosen-2025-01'\n")
    assert str(changed.explain("cards")).startswith(f"cards at the points of 'guosen-2025-01'\n{LINE}\n")


def payoff(draws, bought):
    return 2e5 * draws.cards.clip(max=bought) - 1.5e5 * bought


RESULTS = {
    "evaluate": lambda draws: ds.decisions.evaluate(draws, [1e5, 1e6], payoff),
    "value_of_information": lambda draws: ds.decisions.value_of_information(
        draws, [1e5, 1e6], payoff, of=["utilization"]
    ),
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_decisions_say_it(result, model):
    cheaper = model.assume(token_price=0.5)
    line = "changed from guosen-2025-01: token_price 1.5 CNY/Mtoken -> 0.5 CNY/Mtoken"
    assert str(ds.table(result(cheaper.simulate(draws=64, seed=1)))).splitlines()[-1] == line
    assert "changed from" not in str(ds.table(result(model.simulate(draws=64, seed=1))))


def test_a_bridge_says_what_was_changed_in_either_version(model, changed):
    found = ds.sensitivity.bridge(model, changed, "cards")
    assert str(ds.table(found)).endswith(LINE)
    assert "changes" not in ds.sensitivity.bridge(model, model, "cards").attrs
    busier = ds.sensitivity.bridge(model.fix(peak_ratio=2), changed, "cards")
    told = [(change.name, change.after) for change in read_changes(busier.attrs)]
    assert told == [("peak_ratio", "2"), ("utilization", "0.15")]


def test_what_is_published_is_no_part_of_the_hash(model, tmp_path):
    assert through_a_file(model, tmp_path).hash == model.hash
    assert through_a_file(model.fix(utilization=0.15), tmp_path).hash == model.fix(utilization=0.15).hash


@pytest.mark.parametrize("name", ds.list_studies())
def test_files_of_a_study_change_nothing(name, tmp_path):
    study = ds.load_study(name)
    assert through_a_file(study, tmp_path).changes == ()
    assert through_a_file(study, tmp_path).origin == study.origin
