"""The explorer without a browser: what a slider asks for, what follows from it, and how to have it again."""

import contextlib
import dataclasses
import functools
import io
import re
import shlex
import socket
import sys

import numpy as np
import pytest

import demandsim as ds
from demandsim.cli._study import loaded
from demandsim.distributions.interval import central
from demandsim.errors import DemandsimError, UnknownNameError
from demandsim.explorer.replay import as_command, as_python
from demandsim.explorer.server import free_port, serve
from demandsim.explorer.session import Explorer, Setting

STUDIES = ["guosen-2025-01", "guosen-2025-01-evidence", "deepseek-2025-02", "doubao-2025-2030"]
GUOSEN = "guosen-2025-01"


study_of = functools.cache(ds.load_study)


@functools.cache
def explorer(study=GUOSEN, draws=64):
    """Visitors share one: it remembers nothing that they set."""
    return Explorer(study_of(study), draws=draws)


@pytest.fixture(scope="module")
def guosen():
    return explorer()


def slider(of, name, scenario):
    return next(one for one in of.sliders(scenario) if one.name == name)


def moved(of, setting, *names, steps=7):
    """Move every handle of some sliders up by some steps."""
    handles = {}
    for name in names:
        one = slider(of, name, setting.scenario)
        handles[one.key] = tuple(one.values[place + steps] for place in one.start)
    return dataclasses.replace(setting, handles={**setting.handles, **handles})


# Sliders


@pytest.mark.parametrize("study", STUDIES)
def test_sliders_begin_at_the_study_and_their_values_rise(study):
    of = explorer(study)
    scenario = of.start().scenario
    every = of.sliders(scenario)
    names = {one.name for one in every}
    assert len(names) + len(of.fixed(scenario)) == len(of.model.assumptions)
    for one in every:
        assert one.distribution(one.own, of.prob) is one.assumption.distribution
        assert np.all(np.diff(one.values) > 0), one.key
        assert len(one.texts) == len(one.values)
        assert all(0 <= place < len(one.values) for place in one.start)
        if one.way == "interval":
            low, high = central(one.assumption.distribution, of.prob)
            width = high - low
            at = [one.values[place] for place in one.start]
            np.testing.assert_allclose(at, (low, high), rtol=0, atol=0.02 * width)
            assert one.texts[one.start[0]] != one.texts[one.start[1]]
        else:
            for end in (one.values[0], one.values[-1]):
                assert one.why_not(one.distribution((end,), of.prob)) == "", one.key


def test_a_share_stays_a_share_and_what_is_positive_stays_positive():
    of = explorer("doubao-2025-2030")
    for one in of.sliders(of.start().scenario):
        law = one.assumption.distribution
        if one.way == "interval" and law.family in ("beta", "pert", "uniform", "lognormal"):
            assert one.values[0] >= 0
            assert one.values[-1] <= 1 or law.laws[0].support()[1] > 1 or one.assumption.unit != "1"


def test_tails_beyond_the_ends_stay_within_bounds_too():
    of = explorer("guosen-2025-01-evidence")
    start = of.start()
    life, works = (slider(of, name, start.scenario) for name in ("useful_life", "availability"))
    # Ends of 1.7 and 6.2 years ask for a PERT that begins below zero; ends near 1 for one that passes it.
    wide = dataclasses.replace(
        start, handles={"useful_life": (life.values[0], life.own[1]), "availability": (works.values[0], works.own[1])}
    )
    assert life.distribution((life.values[0], life.own[1]), of.prob).ppf(0) < 0
    assert of.settled(wide).problems == {
        "useful_life": "its lowest values would be negative",
        "availability": "its highest values would be above 1",
    }
    assert of.settled(wide).changes == {}


def test_steps_are_factors_where_the_law_is_logarithmic(guosen):
    one = slider(guosen, "activated_parameters", {"scenario": "100T"})
    np.testing.assert_allclose(np.diff(np.log(one.values)), np.log(9) / 80, rtol=0.04)


def test_an_assumption_that_a_scenario_sets_is_moved_in_that_scenario_alone(guosen):
    hundred, thousand = {"scenario": "100T"}, {"scenario": "1000T"}
    one, other = slider(guosen, "daily_tokens", hundred), slider(guosen, "daily_tokens", thousand)
    assert (one.key, other.key) == ("daily_tokens@100T", "daily_tokens@1000T")
    setting = moved(guosen, Setting(hundred), "daily_tokens", "token_price")
    there = dataclasses.replace(setting, scenario=thousand)
    assert set(guosen.settled(setting).changes) == {"daily_tokens@100T", "token_price"}
    assert set(guosen.settled(there).changes) == {"token_price"}


# What follows


@pytest.mark.parametrize("study", STUDIES[:3])
def test_an_unmoved_explorer_shows_the_study(study):
    of = explorer(study)
    setting = of.start()
    model = study_of(study)
    whole = (model.select(**setting.scenario) if setting.scenario else model).simulate(64, seed=1).squeeze(drop=True)
    shown = of.simulated(setting)
    for name in of.selection.headlines:
        np.testing.assert_array_equal(shown[name].values, whole[name].transpose(*shown[name].dims).values)


def test_a_moved_slider_changes_what_depends_on_it_and_nothing_else(guosen):
    start = guosen.start()
    before, after = guosen.simulated(start), guosen.simulated(moved(guosen, start, "utilization"))
    np.testing.assert_array_equal(before.revenue, after.revenue)
    # A higher utilization in every draw needs fewer cards in every draw: the random numbers are common.
    assert np.all(after.cards.values < before.cards.values)


def test_a_shifted_lognormal_scales_its_results(guosen):
    start = guosen.start()
    one = slider(guosen, "card_price", start.scenario)
    setting = moved(guosen, start, "card_price")
    factor = one.values[one.start[0] + 7] / central(one.assumption.distribution)[0]
    before, after = guosen.simulated(start), guosen.simulated(setting)
    np.testing.assert_allclose(after.capex, factor * before.capex, rtol=2e-3)


def test_the_scene_is_the_summary(guosen):
    of = explorer(draws=1024)
    setting = moved(of, of.start(), "token_price")
    scene = of.scene(setting)
    summary = ds.summarize(of.simulated(setting))
    row = next(row for row in scene.rows if row.name == "gross_margin")
    told = summary.gross_margin
    for name, value in {"median": row.median, "lower": row.lower, "upper": row.upper, "mean": row.mean}.items():
        assert value == told.sel(statistic=name).item()
    assert row.mcse_median == told.sel(statistic="mcse_median").item()
    (positive,) = [said for said in scene.statements if said.text == "Gross margin is positive"]
    chance = ds.probability(of.simulated(setting).gross_margin > 0)
    assert (positive.probability, positive.mcse) == (chance.probability.item(), chance.mcse.item())
    assert {shape.row.name for shape in scene.shapes} == set(of.selection.headlines)


def test_the_tornado_is_that_of_the_moved_model(guosen):
    setting = moved(guosen, guosen.start(), "token_price")
    moves = guosen.moves(setting, "gross_margin")
    found = ds.sensitivity.tornado(guosen.built(setting), "gross_margin")
    ends = found.gross_margin.sel(assumption="token_price").values
    (bar,) = [bar for bar in moves.bars if bar.label == "Mean API price"]
    assert (bar.at_low, bar.at_high) == (ends[0], ends[2])
    still = {bar.label: bar for bar in guosen.moves(guosen.start(), "gross_margin").bars}
    assert bar.at_high > still["Mean API price"].at_high
    # Another assumption swings as wide as before, around the result that has moved with the point.
    (other,) = [bar for bar in moves.bars if bar.label == "Price of a card"]
    before = still["Price of a card"]
    assert other.at_high - other.at_low == pytest.approx(before.at_high - before.at_low, rel=1e-9)
    assert other.at_low != before.at_low


def test_a_year_is_chosen_by_its_label():
    of = explorer("doubao-2025-2030")
    assert of.start().time == 2030
    first = dataclasses.replace(of.start(), time=2025)
    rows = {row.name: row for row in of.scene(first).rows}
    whole = study_of("doubao-2025-2030").select(scenario="base").simulate(64, seed=1)
    told = ds.summarize(whole.revenue.sel(year=2025)).revenue.squeeze()
    assert rows["revenue"].median == told.sel(statistic="median").item()


def test_an_impossible_interval_is_told_by_its_slider_and_stops_the_rest(guosen):
    start = guosen.start()
    setting = dataclasses.replace(start, handles={"utilization": (0.5, 0.5), "token_price": (0.9, 3.5)})
    settled = guosen.settled(setting)
    assert settled.problems == {"utilization": "the low end must be below the high end"}
    assert set(settled.changes) == {"token_price"}
    with pytest.raises(DemandsimError, match="utilization: the low end must be below"):
        guosen.scene(setting)


def test_every_study_can_be_moved_everywhere():
    for study in STUDIES:
        of = explorer(study)
        setting = of.start()
        for one in of.sliders(setting.scenario):
            setting = dataclasses.replace(
                setting, handles={**setting.handles, one.key: tuple(one.values[place - 3] for place in one.start)}
            )
        settled = of.settled(setting)
        if settled.problems:
            # Headroom is at least 1: that far down it cannot go, and the page says so.
            assert set(settled.problems) == {"headroom"}
            setting = dataclasses.replace(
                setting, handles={key: place for key, place in setting.handles.items() if key != "headroom"}
            )
            settled = of.settled(setting)
        assert not settled.problems
        assert len(settled.changes) == len(setting.handles)
        assert of.scene(setting).rows


# The same again


@pytest.mark.parametrize("study", STUDIES)
def test_command_and_python_give_the_shown_numbers_again(study):
    of = explorer(study)
    setting = of.start()
    some = [one.name for one in of.sliders(setting.scenario)]
    indexed = [one.name for one in of.sliders(setting.scenario) if one.way != "interval"]
    setting = moved(of, setting, *some[:4], *indexed[:3], steps=5)
    shown = of.simulated(setting)

    words = shlex.split(as_command(of, setting, study))
    assert words[:3] == ["demandsim", "run", study]
    options = [(words[i], words[i + 1]) for i in range(3, len(words), 2)]
    sets = [value for option, value in options if option == "--set"]
    scenarios = [value for option, value in options if option == "--scenario"]
    seed, draws = int(dict(options)["--seed"]), int(dict(options)["--draws"])
    by_command = loaded(study, sets, scenarios).simulate(draws, seed=seed).squeeze(drop=True)

    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(as_python(of, setting, study), names)
    by_python = names["draws"].squeeze(drop=True)
    assert "statistic: 10" in printed.getvalue()
    for name in of.selection.headlines:
        for again in (by_command, by_python):
            np.testing.assert_array_equal(again[name].transpose(*shown[name].dims).values, shown[name].values)
    np.testing.assert_array_equal(
        names["model"].point().squeeze(drop=True)[some[1]], of.built(setting).point()[some[1]]
    )


def test_what_was_set_before_is_set_again():
    sets = ["useful_life=5", "daily_tokens@100T=lognormal(5e13, 3e14)"]
    of = Explorer(loaded(GUOSEN, sets), draws=64)
    setting = moved(of, of.start(), "token_price")
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(as_python(of, setting, GUOSEN, sets), names)
    words = shlex.split(as_command(of, setting, GUOSEN, sets))
    again = loaded(GUOSEN, [value for i, value in enumerate(words) if words[i - 1] == "--set"], ["100T"])
    for draws in (names["draws"], again.simulate(64, seed=1)):
        np.testing.assert_array_equal(draws.cards.squeeze().values, of.simulated(setting).cards.values)


def test_set_reaches_into_one_scenario_and_its_point_follows():
    model = loaded(GUOSEN, ["daily_tokens@1000T=lognormal(9e14, 2e15)"])
    grid = model.scenarios.grid["scenario"]
    assert str(grid["1000T"]["daily_tokens"].distribution) == "lognormal(9e14, 2e15, prob=0.9)"
    assert grid["1000T"]["daily_tokens"].point == pytest.approx((9e14 * 2e15) ** 0.5)
    assert grid["100T"] == study_of(GUOSEN).scenarios.grid["scenario"]["100T"]
    with pytest.raises(UnknownNameError, match="'100'; did you mean '100T'"):
        loaded(GUOSEN, ["daily_tokens@100=1e14"])
    with pytest.raises(UnknownNameError, match="scenario '100T' does not set 'utilization' itself"):
        loaded(GUOSEN, ["utilization@100T=0.5"])


def test_what_was_changed_is_told_in_the_place_that_is_shown(guosen):
    assert guosen.changes(guosen.start()) == ()
    sets = ["utilization=0.15", "daily_tokens@100T=2e14"]
    of = Explorer(loaded(GUOSEN, sets), draws=64)
    start = of.start()
    assert [change.name for change in of.changes(start)] == ["utilization", "scenario 100T"]
    other = dataclasses.replace(start, scenario={"scenario": "1000T"})
    assert [str(change) for change in of.changes(other)] == ["utilization 0.45 -> 0.15"]
    setting = moved(of, other, "token_price")
    told = of.changes(setting)
    assert [change.name for change in told] == ["utilization", "token_price"]
    law = of.settled(setting).changes["token_price"]
    # As a model says it that was changed by the command that is shown.
    by_command = loaded(GUOSEN, ["utilization=0.15", f"token_price={law}"], ["1000T"])
    assert told == by_command.changes


# Words


@pytest.mark.parametrize("study", STUDIES)
def test_a_chinese_page_speaks_chinese(study):
    from demandsim.explorer.page import Page

    page = Page(Explorer(study_of(study), draws=64, locale="zh"), study)
    control = next(iter(page.sliders.values())).control
    control.value = (90, 90)
    page.pin.clicks += 1
    assert "无法设定：下限必须小于上限" in "".join(pane.object for pane in page.notes)
    assert f"结果暂不更新，{control.title}：下限必须小于上限。" in page.status.object
    panes = [
        page.head,
        page.tiles,
        page.compared,
        page.changed,
        page.lead,
        page.tornado,
        page.details,
        page.status,
        *page.notes,
    ]
    said = [re.sub("<[^>]*>", " ", pane.object) for pane in panes]
    said += [widget.label for widget in (page.reset, page.pin, page.saved, page.command, page.python, page.shared)]
    said += [control.title for control in (*page.switches.values(), *(row.control for row in page.sliders.values()))]
    said += [text for control in page.switches.values() for _, text in control.options]
    # Of English only what Chinese reports write that way as well.
    kept = "token|Python|MCSE|PERT|metalog|TFLOP|FLOP|DeepSeek|roofline|open-infra-index|Ascend|BF16|FP8|CNY|USD"
    left = {word for text in said for word in re.findall("[A-Za-z]{4,}", re.sub(kept, "", text))}
    assert left == set()


def test_an_unknown_language_is_named(guosen):
    with pytest.raises(DemandsimError, match="locale"):
        Explorer(guosen.model, locale="fr")


# The page, in this process, and the server


def test_the_page_follows_its_widgets_without_a_browser():
    from demandsim.explorer.page import Page

    page = Page(explorer(), GUOSEN)
    assert page.view() is not None
    before = page.tiles.object
    assert page.changed.object.strip() == ""
    widget = page.sliders["utilization"].control
    widget.value = (60, 150)
    assert page.tiles.object != before
    assert "--set 'utilization=beta(" in page.command.value
    assert "Changed from the study" in page.changed.object
    assert "<li>utilization 0.45 ~ beta(" in page.changed.object
    shown = page.command.value
    widget.value = (90, 90)
    assert page.command.value == shown
    assert "Results stand still: Utilization of a card: the low end must be below" in page.status.object
    assert any('role="alert"' in pane.object for pane in page.notes)
    page.reset.clicks += 1
    assert page.tiles.object == before
    assert page.status.object == ""
    page.switches["scenario"].value = "1"
    assert page.tiles.object != before
    assert "--scenario 1000T" in page.command.value
    page.switches["of"].value = "1"
    assert "Cards needed, base" in page.tornado.object


@pytest.mark.parametrize("junk", [(-5, 150), (60, 10**9), (float("nan"), 150), (60, float("inf"))])
def test_a_place_that_a_slider_does_not_have_moves_nothing(junk):
    from demandsim.explorer.page import Page

    page = Page(explorer(), GUOSEN)
    widget, shown = page.sliders["utilization"].control, page.command.value
    before = widget.value
    # A negative place would be counted from the other end.
    widget.value = junk
    assert widget.value == before
    assert page.command.value == shown
    assert not page.setting.handles


@pytest.mark.parametrize("junk", ["-1", "7", "1.5", ""])
def test_a_choice_that_is_not_offered_changes_nothing(junk):
    from demandsim.explorer.page import Page

    page = Page(explorer(), GUOSEN)
    page.switches["scenario"].value = junk
    assert page.switches["scenario"].value == "0"
    assert page.setting.scenario == {"scenario": "100T"}


def test_a_slow_tornado_follows_the_last_possible_setting(monkeypatch):
    from demandsim.explorer.page import Page

    page = Page(explorer(), GUOSEN)
    waiting, waits = [], []

    def later(then, milliseconds):
        waiting.append(then)
        waits.append(milliseconds)

    monkeypatch.setattr(page, "_later", later)

    def set_(value):
        waiting.clear()
        widget.value = value
        waiting.pop()()  # the numbers; the tornado waits

    widget = page.sliders["utilization"].control
    before = page.tornado.object
    monkeypatch.setattr(page, "_took", 0.05)
    set_((60, 149))
    monkeypatch.setattr(page, "_took", 10.0)
    set_((60, 150))
    # A quick one waits as long as it took the last time, a slow one until the handles rest.
    assert waits[1::2] == [50, 400]
    assert page.tornado.object == before
    (follows,) = waiting
    set_((90, 90))
    assert waiting == []
    follows()
    high = slider(page.explorer, "utilization", page.setting.scenario).texts[150]
    assert f"at {float(high):g}" in page.tornado.object


def test_names_of_a_study_are_text_on_the_page():
    from demandsim.explorer.page import Page

    evil = "<img src=x onerror=alert(1)>"
    model = study_of(GUOSEN)
    model = model.assume(utilization=model.assumptions["utilization"].relabelled(long_name=evil))
    page = Page(Explorer(model, draws=64), GUOSEN)
    shown = [page.tiles, page.lead, page.details, page.tornado, page.fixed, page.head]
    assert "onerror" in page.tornado.object
    assert not any("<img" in pane.object for pane in shown)


def test_a_port_is_ours_or_an_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DemandsimError, match=r"port \d+ cannot be used .*--port"):
            free_port(taken.getsockname()[1])
    with pytest.raises(DemandsimError, match="at most 65535"):
        free_port(70000)
    assert free_port(0) > 0


def test_a_missing_panel_is_said_with_what_to_install(monkeypatch, guosen):
    monkeypatch.setitem(sys.modules, "panel", None)
    with pytest.raises(DemandsimError, match=r"pip install 'demandsim\[explore\]'"):
        serve(guosen, GUOSEN)
