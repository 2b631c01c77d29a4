"""Pictures follow the user's style of matplotlib, in the colours that the page has too."""

import re

import matplotlib
import matplotlib.style
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from pictures import figure_of, texts_of

import demandsim as ds
from demandsim import plots
from demandsim.plots.canvas import GREY, HIGH, INK, LOW
from demandsim.report.markup import shipped


@pytest.fixture(scope="module")
def model():
    return ds.load_study("guosen-2025-01").select(scenario="100T")


@pytest.fixture(scope="module")
def draws(model):
    return model.simulate(draws=128, seed=1)


@pytest.fixture(scope="module")
def posterior(model):
    return model.observe(capex="normal(mean=80e9, sd=15e9)").infer(draws=256, seed=1)


def light(colour):
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def drawn(draws, posterior, model):
    yield plots.distributions(draws, model.point(), of=["cards"])
    yield plots.posterior(posterior, draws, of=["capex", "cards"])
    yield plots.tornado(ds.sensitivity.tornado(model, of=["cards"]))
    yield plots.forest(ds.summarize(draws), model.point(), of=["cards"])
    yield plots.convergence(draws, of=["cards"])


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_everything_is_clear_in_a_dark_style_as_in_the_usual_one(draws, posterior, model, style):
    with matplotlib.style.context(style):
        for axes in drawn(draws, posterior, model):
            figure = figure_of(axes)
            paper = figure.get_facecolor()
            assert to_hex(paper) == ("#000000" if style == "dark_background" else "#ffffff")
            plain = [text for text in texts_of(figure) if text.get_color() != "white" or style != "default"]
            assert {
                text.get_text(): contrast(text.get_color(), paper)
                for text in plain
                if contrast(text.get_color(), paper) < 4.5
            } == {}
            lines = [line for one in figure.axes for line in one.lines if line.get_linestyle() != "None"]
            assert all(contrast(line.get_color(), paper) > 2 for line in lines)


def test_a_users_axes_in_a_dark_style_are_clear_too(draws):
    with matplotlib.style.context("dark_background"):
        axes = matplotlib.figure.Figure().subplots()
        plots.distributions(draws, of=["cards"], ax=axes)
        inks = {to_hex(text.get_color()) for text in axes.findobj(Text) if text.get_text()}
        assert not inks & {to_hex(INK), to_hex(GREY), "#000000"}
        # The median is drawn in the ink of the style.
        assert "#ffffff" in {to_hex(one.get_color()[0]) for one in axes.collections}


def test_without_a_style_nothing_changes_and_a_style_leaves_nothing_behind(draws):
    before = plots.distributions(draws, of=["cards"])
    with matplotlib.style.context("dark_background"):
        plots.distributions(draws, of=["cards"])
    after = plots.distributions(draws, of=["cards"])
    texts = [[(t.get_text(), t.get_color()) for t in texts_of(figure_of(axes))] for axes in (before, after)]
    assert texts[0] == texts[1]


def test_fonts_of_the_style_come_first_and_those_of_the_language_help_out(draws, square_font, monkeypatch):
    entry = font_manager.FontEntry(fname=str(square_font), name="SimHei")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist, entry])
    with matplotlib.rc_context({"font.family": ["DejaVu Serif"]}):
        families = {t.get_fontfamily()[0] for t in texts_of(figure_of(plots.distributions(draws, of=["cards"])))}
        assert families == {"DejaVu Serif"}
    with matplotlib.rc_context({"font.sans-serif": ["DejaVu Sans Mono", "DejaVu Sans"]}):
        axes = plots.distributions(draws, of=["cards"], locale="zh")
        assert {t.get_fontfamily()[0] for t in texts_of(figure_of(axes))} == {"DejaVu Sans Mono"}
        assert len(texts_of(figure_of(axes))[0].get_fontfamily()) > 2


def test_low_and_high_have_one_colour_each_in_pictures_and_on_the_page():
    css = shipped("report/page.css")
    # On white, and on paper; in the dark they are lighter.
    assert css.count(f"--low: {LOW.lower()}; --high: {HIGH.lower()};") == 2
    (low, high) = re.search(r"scheme: dark.*?--low: (#\w+); --high: (#\w+);", css, re.DOTALL).groups()
    assert contrast(low, "#14171a") > 4
    assert contrast(high, "#14171a") > 4


def test_an_observation_has_its_error_bar(posterior, draws):
    (axes,) = plots.posterior(posterior, draws, of=["capex"]).flat
    bars = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert np.ravel(bars) == pytest.approx([80 - 15 * 1.6448536, 80 + 15 * 1.6448536], rel=1e-6)
    (mark,) = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    assert mark == pytest.approx(80)


def test_a_posterior_shows_what_was_observed_and_what_moved_and_nothing_else(model, posterior, draws):
    titles = [axes.get_title(loc="left") for axes in plots.posterior(posterior, draws).flat]
    assert titles[0].startswith("Capex")
    assert any(title.startswith("Cards needed") for title in titles[1:3])
    moved = [abs(float(posterior[n].mean() - draws[n].mean())) / float(draws[n].std()) for n in model.assumptions]
    still = [model.assumptions[n].long_name for n, by in zip(model.assumptions, moved, strict=True) if by < 0.1]
    assert len(still) >= 2
    assert not [name for name in still if any(title.startswith(name) for title in titles)]


@pytest.mark.parametrize(("suffix", "begins"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_a_picture_is_written_in_the_format_of_its_name(draws, tmp_path, suffix, begins):
    plots.save(plots.distributions(draws, of=["cards"]), tmp_path / f"cards.{suffix}")
    assert (tmp_path / f"cards.{suffix}").read_bytes().startswith(begins)
