"""The contract of pictures: each can be read without the code, in every language, and is what it says it is."""

import inspect
import re

import numpy as np
import pytest
import xarray as xr
from matplotlib import font_manager
from pictures import SOURCE, STUDY, assert_readable, figure_of, only_fonts, words_of

from demandsim import locale, plots
from demandsim.errors import DemandsimError

#: What a reader must find in the picture besides its provenance.
SAYS = {
    "fan": [
        "10,000 cards",
        "short",
        "bands: open; lines: medians; bars: intervals at the end",
        "central 50% interval",
        "central 90% interval",
        "published figures",
    ],
    "cohorts": ["10,000 cards", "scenario short", "bought 2027", "initial fleet", "missing", "central 90% interval"],
    "distributions": [
        "10,000 cards",
        "bn CNY/year",
        "published",
        "1000T 876 (208 to",
        "Gross margin (scenario 1000T)",
        "beside each shape: its median, and its central 90% interval in brackets",
    ],
    "forest": ["10,000 cards", "bn CNY/year", "at the points", "1000T", "central 50% interval"],
    "scatter": ["bn parameters", "10,000 cards", "scenario 100T", "Spearman rank correlation", "2,048 draws"],
    "break_even": ["CNY/million tokens", "Utilization of a card", "at the points:", "Monte Carlo error", "1000T"],
    "break_even_above": ["thousand CNY/card", "gross margin ≥ 1.00 bn CNY/year", "Scenario 100T"],
    "convergence": ["10,000 cards", "draws in all chains", "with all draws:", "± 1.96 MCSE"],
    "tornado": [
        "10,000 cards",
        "bn CNY/year",
        "Tokens a day",
        "base 85.8",
        "1000T",
        "central 90% interval",
        "at their points",
    ],
    "tornado_one": ["bn CNY/year", "scenario 1000T", "3 CNY/million tokens", "36.7 bn parameters", "200 tn tokens/day"],
    "sobol": ["share of the variance", "alone", "with interactions", "90,112 model runs", "90% interval"],
    "sobol_one": ["share of the variance", "scenario 100T"],
    "shapley": ["Shapley effect", "correlations included", "scenario 100T"],
    "given_data": ["index", "Borgonovo's delta", "PAWN", "only draws with Gross margin < 0", "scenario 1000T"],
    "posterior": ["bn CNY", "what the evidence changes", "prior", "observed", "scenario 100T", "median: prior 0.45"],
    "roofline": [
        "10,000 cards",
        "bn CNY/year",
        "scenario 1000T",
        "measured",
        "85.8",
        "Utilization of a card",
        "medians",
    ],
    "limits": ["bn CNY/year", "China's AI chip market of 2025: 178 (100T ", "1000T", "probability of more"],
    "limits_one": ["bn CNY", "The market of a year: 178 (", "scenario 100T", "how often the limit is exceeded"],
    "payoffs": ["bn CNY", "Order [10,000 cards]", "Best:", "expected payoff", "mean of the worst 10%", "1000T"],
    "payoffs_named": ["bn CNY", "buy", "rent", "Best: rent (scenario 100T)", "central 90% interval"],
    "frontier": ["expected payoff [bn CNY]", "mean of the worst 10% [bn CNY]", "far outside", "no other pays"],
    "information": [
        "worth of knowing it",
        "with interactions",
        "bn CNY",
        "share of the variance",
        "Tokens a day",
        "1000T",
    ],
    "information_one": ["knowing everything:", "± 1.96 MCSE", "scenario 1000T", "Mean API price"],
    "waterfall": ["10,000 cards", "bn CNY/year", "Before", "After", "median forecast", "+150"],
}

#: What footers say of the run behind a picture.
RUNS = {
    "en": (f"study {STUDY}", "seed 7", f"source: {SOURCE}", "Sobol' sequence", "chains of"),
    "zh": (f"研究 {STUDY}", "种子 7", "来源：", "Sobol' 序列", "条链"),
}


#: Pictures of a backtest have neither a study nor a run behind them; test_calibration holds what they say.
OF_BACKTESTS = {"calibration", "scores"}


def test_every_public_picture_is_held_to_the_contract(make):
    functions = {name for name in plots.__all__ if name != "save"} - OF_BACKTESTS
    assert {name for name in functions if not any(key.startswith(name) for key in SAYS)} == set()
    assert make.keys() == SAYS.keys()
    assert all("locale" in inspect.signature(getattr(plots, name)).parameters for name in functions)


@pytest.fixture
def chinese_font(square_font, monkeypatch):
    """Only a font whose Chinese characters are as wide as real ones."""
    only_fonts(monkeypatch)
    entry = font_manager.FontEntry(fname=str(square_font), name="SimHei")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist, entry])


@pytest.mark.parametrize("language", locale.languages())
@pytest.mark.parametrize("name", SAYS)
def test_a_picture_can_be_read_without_the_code(name, language, make, chinese_font, tmp_path):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    axes = make[name](locale=language)
    assert_readable(axes)
    figure, words = figure_of(axes), words_of(axes)
    # Chinese lines end between any two characters.
    assert [said for said in RUNS[language] if "".join(said.split()) not in "".join(words.split())] == []
    assert figure.texts[0].get_fontweight() == "bold", "no title"
    assert STUDY in figure.texts[0].get_text()
    for panel in np.ravel(axes):
        if panel.get_visible() and panel.xaxis.get_visible() and panel.get_xticklabels() and name != "scatter":
            assert panel.get_xlabel() or panel.get_title(loc="left"), "an axis without a unit or a name"
    if language == "en":
        assert [said for said in SAYS[name] if said not in words] == []
    else:
        assert not {"median", "scenario", "draws", "card", "seed"} & set(re.findall(r"[a-z]+", words))
        assert_counted_in_wan_and_yi(name, words)
    # It is written as it was laid out, in any language, and leaves no global figure.
    if language == "en":
        plots.save(axes, tmp_path / "a.png", dpi=60)
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert plt.get_fignums() == before


@pytest.mark.parametrize("name", SAYS)
def test_chinese_without_a_font_says_what_to_install(name, make, monkeypatch):
    only_fonts(monkeypatch)
    with pytest.raises(DemandsimError, match=r"found none of: Noto Sans CJK SC, .*apt install fonts-noto-cjk"):
        make[name](locale="zh")


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_any_font_that_is_known_for_chinese_is_taken(make, monkeypatch):
    only_fonts(monkeypatch, "Source Han Sans SC")
    assert "亿元/年" in words_of(make["forest"](locale="zh"))


def assert_counted_in_wan_and_yi(name, words):
    """Chinese pictures count as Chinese do."""
    if name.startswith(("payoffs", "posterior", "frontier", "information", "limits_one")):
        assert "亿元" in words
    elif name not in (
        "cohorts",
        "fan",
        "sobol",
        "sobol_one",
        "shapley",
        "given_data",
        "break_even",
        "break_even_above",
    ):
        assert "亿元/年" in words
    if name in ("cohorts", "fan", "distributions", "forest", "scatter", "convergence", "tornado", "waterfall"):
        assert "万张" in words
    if name in ("break_even_above", "tornado_one"):
        assert "万元/张" in words
    if name.startswith("tornado"):
        assert "367 亿参数" in words


# Of these, one of each kind of picture is drawn.
FRAMED = ("fan", "cohorts", "distributions", "forest", "scatter", "break_even", "convergence", "tornado", "sobol")
FRAMED += (
    "shapley",
    "given_data",
    "posterior",
    "roofline",
    "limits",
    "payoffs",
    "frontier",
    "information",
    "waterfall",
)


def test_every_picture_takes_the_same_frame():
    for name in plots.__all__:
        if name != "save":
            assert "frame" in inspect.signature(getattr(plots, name)).parameters, name


@pytest.mark.parametrize("name", FRAMED)
def test_a_picture_has_the_title_the_size_and_the_axes_that_were_asked_for(name, make):
    from matplotlib.figure import Figure

    own = make[name](title="Cards of next year", figsize=(13, 9))
    figure = figure_of(own)
    assert figure.texts[0].get_text() == "Cards of next year"
    assert figure.get_size_inches().tolist() == [13, 9]
    assert_readable(own)
    # In axes of a user, which may stand in a figure of more.
    figure = Figure(figsize=(14, 9), layout="constrained")
    axes = figure.subplots(*own.shape, squeeze=False)
    found = make[name](ax=axes, title="mine")
    assert found.tolist() == axes.tolist()
    assert figure.get_size_inches().tolist() == [14, 9]
    assert [text.get_text() for text in figure.texts] in ([], ["mine"])
    for ours, theirs in zip(own.flat, axes.flat, strict=True):
        drawn = [len(one.lines) + len(one.patches) + len(one.collections) for one in (ours, theirs)]
        assert drawn[0] == drawn[1]
        assert theirs.get_xlabel() == ours.get_xlabel()


def test_one_axes_need_no_array(make):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert make["sobol_one"](ax=axes, title="mine")[0, 0] is axes
    assert axes.get_title(loc="left") == "mine"


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"titel": "x"}, "unknown argument of plots.sobol 'titel'; did you mean 'title'"),
        ({"figsize": (8, 1)}, "leaves no room for the panels.*a height of [0-9.]+ inches or more"),
        ({"figsize": "large"}, "figsize is .width, height. in inches"),
        ({"figsize": (8, float("nan"))}, "figsize is .width, height. in inches"),
        ({"ax": "mine"}, "ax= takes Axes of matplotlib.*not str"),
    ],
)
def test_a_frame_that_cannot_be_is_refused(frame, said, make):
    with pytest.raises(DemandsimError, match=said):
        make["sobol_one"](**frame)


def test_axes_are_as_many_as_panels(make):
    from matplotlib.figure import Figure

    with pytest.raises(DemandsimError, match=r"the picture has 2 x 2 panels and ax= has 1 Axes"):
        make["sobol"](ax=Figure().subplots())
    with pytest.raises(DemandsimError, match="leave one out"):
        make["sobol_one"](ax=Figure().subplots(), figsize=(4, 4))


def test_many_labels_go_on_below_and_small_shares_have_no_row(indices):
    years = xr.concat([indices.sel(scenario="100T", drop=True)] * 7, xr.DataArray(range(2025, 2032), dims="year"))
    years["total_order"][{"quantity": 0, "assumption": 2}] = 0.004
    axes = plots.sobol(years, of="cards")
    assert axes.shape == (3, 3)
    assert [panel.get_visible() for panel in axes.flat] == [True] * 7 + [False] * 2
    assert "year 2031" in axes[2, 0].get_title(loc="left")
    assert figure_of(axes).get_size_inches()[0] * 130 < 2000
    assert len(axes[0, 0].get_yticklabels()) == int((indices.total_order[0, :, 0] >= 0.01).sum()) - int(
        indices.total_order[0, 2, 0] >= 0.01
    )
    assert "shares below 1% have no row" in words_of(axes)
    assert_readable(axes)


@pytest.mark.parametrize("name", ["distributions", "tornado", "fan", "sobol"])
def test_a_table_of_pandas_is_named(name, indices):
    with pytest.raises(DemandsimError, match=f"plots.{name} draws a Dataset, not a DataFrame of pandas.*import_draws"):
        getattr(plots, name)(indices.first_order.to_dataframe())
