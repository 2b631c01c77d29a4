"""Scenarios in one panel: when they share one, what is drawn of each, and what a picture leaves out."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from pictures import assert_readable, figure_of, texts_of, words_of

import demandsim as ds
from demandsim import plots
from demandsim.errors import DemandsimError
from demandsim.plots.canvas import STROKES
from demandsim.plots.panels import alike
from demandsim.plots.words import locale_of

NAMES = [
    "base",
    "an optimistic view of all the models",
    "a pessimistic view of them",
    "what the report says",
    "price war",
]
NAMES += ["slow growth of every customer", "scarce supply", "everything at once"]


@ds.equation(unit="card")
def accelerators_needed_at_the_evening_peak(tokens_of_all_customers_in_a_day, tokens_per_card_with_batching):
    return tokens_of_all_customers_in_a_day / tokens_per_card_with_batching


@pytest.fixture(scope="module")
def eight():
    """A study with long names, eight scenarios and few draws."""
    made = ds.Model(
        [accelerators_needed_at_the_evening_peak],
        {
            "tokens_of_all_customers_in_a_day": ds.Assumption("lognormal(1e12, 5e12)", unit="token/day"),
            "tokens_per_card_with_batching": ds.Assumption("lognormal(5e7, 3e8)", unit="token/day/card"),
        },
    )
    scenarios = {
        name: {"tokens_of_all_customers_in_a_day": f"lognormal({k}e12, {3 * k}e12)"} for k, name in enumerate(NAMES, 1)
    }
    return made.with_scenarios(scenarios)


@pytest.fixture(scope="module")
def years():
    return ds.load_study("doubao-2025-2030").simulate(draws=32, chains=2, seed=1)


def labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_an_axis_is_shared_by_what_can_be_read_on_it():
    assert alike([(10, 1000), (100, 10_000)])
    assert alike([(1, 1), (0.5, 2)])
    assert alike([(-5, 3)])
    assert not alike([(-20, 5), (-2000, 500)])
    assert not alike([(1.0, 1.1), (100.0, 10_000.0)])


def test_scenarios_stand_over_each_other_where_one_axis_shows_both(draws, model):
    axes = plots.distributions(draws, model.point(), of=["cards", "gross_margin", "break_even_price"])
    titles = [panel.get_title(loc="left") for panel in axes.flat if panel.get_visible()]
    assert titles == [
        "Cards needed",
        "Break-even price (in every scenario)",
        "Gross margin (scenario 100T)",
        "Gross margin (scenario 1000T)",
    ]
    told = ds.summarize(draws).cards.sel(statistic=["lower", "median", "upper"]) / 1e4
    rows = dict(zip(["100T", "1000T"], labels(axes[0, 0])[::1], strict=True))
    for scenario, text in rows.items():
        name, numbers = text.split("\n")
        assert name == scenario
        low, middle, high = told.sel(scenario=scenario).values
        low, middle, high = (locale_of("en").number(end, 3) for end in (low, middle, high))
        assert numbers == f"{middle} ({low} to {high})"
    # The first scenario stands at the top, and each median in its row.
    medians = [line.get_segments()[0] for line in axes[0, 0].collections if to_hex(line.get_color()[0]) == "#222222"]
    assert [(round(float(one[0, 0]), 1), float(one[0, 1])) for one in medians] == [
        (pytest.approx(float(told.sel(scenario=name, statistic="median")), abs=0.1), foot)
        for name, foot in (("100T", 1.0), ("1000T", 0.0))
    ]
    assert_readable(axes)


def test_labels_that_are_asked_for_stand_side_by_side(draws):
    assert plots.distributions(draws, of="cards", dim="scenario").shape == (1, 2)
    assert plots.distributions(draws, of="cards").shape == (1, 1)


def test_long_names_and_eight_scenarios_can_be_read(eight):
    draws = eight.simulate(draws=16, chains=2, seed=1)
    axes = plots.distributions(draws, eight.point())
    assert axes.shape == (1, 1)
    assert [text.rsplit("\n", 1)[0].replace("\n", " ") for text in labels(axes[0, 0])] == NAMES
    assert_readable(axes)
    tornado = plots.tornado(ds.sensitivity.tornado(eight, "accelerators_needed_at_the_evening_peak"))
    assert_readable(tornado)
    # A ninth would be too many.
    more = xr.concat(
        [draws, draws.isel(scenario=[0]).assign_coords(scenario=["a ninth"])], "scenario", data_vars="minimal"
    )
    assert plots.distributions(more, of="accelerators_needed_at_the_evening_peak").shape == (3, 3)


def test_a_fan_of_scenarios_has_lines_of_all_and_their_intervals_at_the_end(years):
    axes = plots.fan(years, "gross_margin")
    assert axes.shape == (1, 1)
    (panel,) = axes.flat
    scenarios = years.scenario.values.tolist()
    looks = {(to_hex(line.get_color()), line.get_linestyle(), line.get_marker()): line for line in panel.lines}
    (beside,) = panel.child_axes
    bars = [line.get_ydata() for line in beside.lines if len(line.get_ydata()) == 2]
    for place, (scenario, (colour, dash, mark)) in enumerate(zip(scenarios, STROKES, strict=False)):
        own = years.gross_margin.sel(scenario=scenario) / 1e9
        drawn = looks[to_hex(colour), dash, mark].get_ydata()
        np.testing.assert_allclose(drawn, own.median(["chain", "draw"]), rtol=1e-9)
        outer = own.sel(year=2030).quantile([0.05, 0.95]).values
        np.testing.assert_allclose(bars[2 * place], outer, rtol=1e-9)
    assert {"base", "less capex", "export control"} <= {text.get_text() for text in texts_of(figure_of(axes))}
    assert "bands: base; lines: medians; bars: intervals at the end" in words_of(axes)
    assert_readable(axes)
    assert plots.fan(years, "gross_margin", dim="scenario").shape == (2, 3)


def test_a_picture_of_a_study_shows_its_headlines_and_says_that_there_is_more(years):
    axes = plots.fan(years)
    assert axes.shape == (2, 2)
    titles = [panel.get_title(loc="left") for panel in axes.flat]
    assert titles == ["Tokens a day", "Total cost of ownership", "API revenue", "Gross margin"]
    width, height = figure_of(axes).get_size_inches()
    assert height < 8
    assert width < 11
    assert "14 further results have no panel" in words_of(axes)
    assert_readable(axes)
    named = ["daily_tokens", "total_cost_of_ownership", "revenue", "gross_margin"]
    assert "further results" not in words_of(plots.fan(years, named))


def test_each_panel_says_its_unit_where_it_is_another(draws):
    found = ds.decisions.evaluate(draws, ["buy", "rent"], ds.decisions.BuyOrRent(rent=2.0, operating_cost=2e4))
    paid = ["mean", "lower", "upper", "cvar"]
    factor = xr.DataArray([1.0, 1e-6], dims="scenario", coords={"scenario": found.scenario})
    both = found.assign({name: (found[name] * factor).assign_attrs(found[name].attrs) for name in paid})
    units = [panel.get_ylabel() for panel in plots.payoffs(both)[0]]
    assert units == ["bn CNY", "million CNY"]


def test_an_interval_below_zero_is_not_cut_by_a_logarithmic_axis(stepped):
    cards, margin = (plots.roofline(stepped, "utilization", of=[name])[0, 0] for name in ("cards", "gross_margin"))
    assert cards.get_yscale() == "log"
    assert margin.get_yscale() == "linear"
    assert margin.get_ylim()[0] < float(stepped.gross_margin.quantile(0.05, ["chain", "draw"]).min()) / 1e9
    with pytest.raises(DemandsimError, match="'capex' is in 'CNY', and no panel of of= is"):
        plots.roofline(stepped, "utilization", of=["cards"], limits=["capex"])


def test_one_label_needs_no_selection(draws):
    some = ["utilization", "cards"]
    assert plots.scatter(draws.sel(scenario=["100T"]), of=some).shape == (2, 2)


def test_files_of_pictures_are_the_same_each_time_and_of_a_known_kind(draws, tmp_path):
    for name in ("one.svg", "two.svg", "one.pdf", "two.pdf"):
        plots.save(plots.distributions(draws, of=["cards"]), tmp_path / name)
    for kind in ("svg", "pdf"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
    for name in ("cards", "cards.docx"):
        with pytest.raises(DemandsimError, match=r"must end in \.png, \.svg, \.pdf"):
            plots.save(plots.distributions(draws, of=["cards"]), tmp_path / name)
