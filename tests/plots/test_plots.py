"""Pictures: what they show is what the numbers say, and mistakes are named."""

import itertools

import numpy as np
import pytest
import xarray as xr
from matplotlib import font_manager
from pictures import QUANTITIES, RUN, STUDY, assert_readable, figure_of, only_fonts, texts_of, words_of
from scipy import stats

import demandsim as ds
from demandsim import plots
from demandsim.errors import DemandsimError, ScenarioError, UnknownNameError
from demandsim.plots import words as wording
from demandsim.plots.tornado import setting_in_words
from demandsim.statistics.event import event_of

# What the pictures say is what the numbers say


def bars(axes):
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]


def test_tornado_bars_reach_from_the_base_to_both_ends_widest_first(moved):
    axes = plots.tornado(moved)[0, 0]
    cards = moved.cards.sel(scenario="100T") / 1e4
    swing = cards.max("end") - cards.min("end")
    order = [
        a for a in moved.assumption.values[np.argsort(-swing.values, kind="stable")] if swing.sel(assumption=a) > 0
    ]
    labels = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    assert labels == [moved.long_name.sel(assumption=a).item() for a in order]
    ends = [cards.sel(assumption=a, end=e).item() for a in order for e in ("low", "high")]
    assert [far for _, far in bars(axes)] == pytest.approx(ends)
    # No bar for the price, on which the number of cards does not depend.
    assert "Mean API price" not in labels


def test_no_tick_stands_where_a_quantity_has_no_values(moved):
    for axes in plots.tornado(moved, of="cards").flat:
        assert min(axes.get_xticks()) >= 0


def test_ends_on_the_same_side_of_the_base_share_one_text():
    values = [[[3.0, 1.0, 2.0], [0.5, 1.0, 1.5]]]
    moved = xr.Dataset(
        {"y": (("assumption", "end"), values[0], {"units": "card"})},
        coords={
            "assumption": ["a", "b"],
            "end": ["low", "base", "high"],
            "member": ["a", "b"],
            "row": ("member", ["a", "b"]),
            "setting": (("member", "end"), [[10, 15, 20], [1, 1.5, 2]]),
            "setting_units": ("member", ["1", "1"]),
        },
        attrs=RUN,
    )
    axes = plots.tornado(moved)
    assert "10 | 20" in words_of(axes)
    assert_readable(axes)


def test_a_swing_without_a_number_has_no_bar_and_is_mentioned(moved):
    holed = moved[["cards"]].copy(deep=True)
    holed.cards.values[2, 0] = np.inf
    holed.cards.attrs["n_invalid"] = 2
    axes = plots.tornado(holed)
    assert np.isfinite(axes[0, 0].get_xlim()).all()
    assert "2 results that are no numbers are not drawn" in words_of(axes)
    assert_readable(axes)


@pytest.mark.parametrize(
    ("values", "unit", "english", "chinese"),
    [
        ([3.667e10], "parameter", "36.7 bn parameters", "367 亿参数"),
        ([2e14, 5e13, 1e14], "token/day", "50 to 200 tn tokens/day", "50 至 200 万亿 token/日"),
        ([0.2892, 0.2892], "1", "0.289", "0.289"),
        ([-3.5e-05], "CNY", "-0.000035 CNY", "-0.000035 元"),
    ],
)
def test_settings_are_written_in_readable_units(values, unit, english, chinese):
    assert wording.locale_of("en", drawn=False).setting(values, unit) == english
    assert wording.locale_of("zh", drawn=False).setting(values, unit) == chinese


def test_a_group_names_what_each_member_was_set_to(model):
    found = ds.sensitivity.tornado(
        model, "cards", groups={"hardware": ["card_flops", "utilization"]}, values={"card_flops": (1e3, 2e3)}
    )
    said = setting_in_words(found, "hardware", "low", {"scenario": "100T"}, wording.locale_of("en"))
    assert said == "Card flops 1,000 TFLOP/s/card, Utilization 0.289"


def test_sobol_bars_are_the_indices_and_what_is_undefined_has_none(indices):
    axes = plots.sobol(indices)[0, 0]
    labels = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    assert len(labels) == indices.sizes["assumption"] - 1
    found = indices.sel(quantity="cards", scenario="100T").set_index(assumption="long_name").sel(assumption=labels)
    expected = [*found.first_order.values, *found.total_order.values]
    assert [far for _, far in bars(axes)] == pytest.approx(expected)
    most = indices.total_order.sel(quantity="cards").max("scenario").fillna(0)
    assert labels[0] == indices.long_name.values[most.values.argmax()]


def test_the_best_action_is_marked_where_it_pays_most(decided):
    for column, scenario in enumerate(("100T", "1000T")):
        own = decided["order"].sel(scenario=scenario)
        for axes, x in ((plots.payoffs(own)[0, 0], own.best / 1e4), (plots.frontier(own)[0, 0], own.cvar.max() * 0)):
            marked = next(line for line in axes.lines if line.get_marker() == "D")
            assert marked.get_ydata()[0] == pytest.approx(own["mean"].max().item() / 1e9)
            if axes.get_xlabel().startswith("Order"):
                assert marked.get_xdata()[0] == pytest.approx(float(x))
        whole = plots.payoffs(decided["order"])[0, column]
        mean = next(line for line in whole.lines if line.get_marker() == "o")
        drawn = own["mean"].sel(order=mean.get_xdata() * 1e4, method="nearest")
        np.testing.assert_allclose(mean.get_ydata(), drawn / 1e9)


def test_actions_decades_from_the_best_do_not_flatten_the_panels(draws):
    orders = [0.0, *np.geomspace(2e4, 2e7, 40)]
    found = ds.decisions.evaluate(draws, orders, ds.decisions.OrderCards())
    axes = plots.payoffs(found)
    for panel, scenario in zip(axes[0], ("100T", "1000T"), strict=True):
        best = float(found["best"].sel(scenario=scenario))
        drawn = next(line for line in panel.lines if line.get_marker() == "o").get_xdata()
        ends = drawn * best / next(line for line in panel.lines if line.get_marker() == "D").get_xdata()[0]
        assert best / 8 <= ends[0] < best / 4
        assert best * 4 < ends[-1] <= best * 8
    assert "not drawn: nothing, and actions beyond 8 times the best" in words_of(axes)
    few = ds.decisions.evaluate(draws, [0.0, 1e5, 1e6], ds.decisions.OrderCards())
    assert "not drawn" not in words_of(plots.payoffs(few))


def test_bars_of_worth_are_the_values_next_to_the_index_of_the_same_row(decided, indices):
    left, right = plots.information(decided["worth"], indices, of="gross_margin")[1]
    own = decided["worth"].sel(scenario="1000T")
    labels = [label.get_text().replace("\n", " ") for label in left.get_yticklabels()]
    found = own.set_index(assumption="long_name").sel(assumption=labels).evppi / 1e9
    assert [far for _, far in bars(left)] == pytest.approx(found.values.tolist())
    shares = indices.total_order.sel(quantity="gross_margin", scenario="1000T").set_index(assumption="long_name")
    expected = shares.sel(assumption=labels).values
    assert [far for _, far in bars(right)] == pytest.approx(expected[np.isfinite(expected)].tolist())


def test_invalid_draws_are_mentioned(indices):
    assert "12 draws with NaN or infinity left out" in words_of(plots.sobol(indices.assign(n_invalid=12)))


def test_a_waterfall_ends_where_the_new_forecast_is(bridge):
    axes = plots.waterfall(bridge, of="gross_margin")[0, 0]
    pieces = bars(axes)
    assert pieces[0] == pytest.approx((0, -1))
    assert pieces[-1] == pytest.approx((0, -48))
    for (_, end), (start, _) in itertools.pairwise(pieces[:-1]):
        assert end == pytest.approx(start)
    assert pieces[-2][1] == pytest.approx(pieces[-1][1])


def test_cards_do_not_pass_through_negative_numbers_on_their_way(bridge):
    # The contributions of factors can be larger than what there is.
    found = bridge.sel(quantity=["cards"]).copy(deep=True)
    found.before[:], found.contribution[:] = 1.3e6, [[-2e6, 1.8e6, 0.0, 1e5]]
    found.after[:] = found.before + found.contribution.sum("change")
    axes = plots.waterfall(found)[0, 0]
    assert min(min(piece) for piece in bars(axes)) >= 0
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Before", "Daily tokens", "Token price", "Utilization", "After"]


def test_scatter_writes_the_rank_correlation_of_all_draws(model):
    draws = model.correlate({("utilization", "peak_ratio"): -0.5}).simulate(draws=512, seed=7).sel(scenario="100T")
    axes = plots.scatter(draws, of=["utilization", "peak_ratio"], most=50)
    rho = stats.spearmanr(draws.utilization.values.ravel(), draws.peak_ratio.values.ravel()).statistic
    (text,) = axes[0, 1].texts
    assert text.get_text().startswith(f"ρ = {rho:+.2f}\n±")
    assert len(axes[1, 0].lines[0].get_xdata()) <= 50


def test_convergence_ends_at_the_summary_of_all_draws(draws):
    axes = plots.convergence(draws, of="cards", statistic="upper")[0, 0]
    total, values = axes.lines[-1].get_data()
    assert total[-1] == 8 * 256
    assert values[-1] == pytest.approx(ds.summarize(draws).cards.sel(scenario="100T", statistic="upper").item() / 1e4)


def test_convergence_of_draws_that_are_no_power_of_two_ends_at_all_of_them(model):
    draws = model.simulate(draws=100, seed=7, design="random")
    total = plots.convergence(draws, of="cards")[0, 0].lines[-1].get_xdata()
    assert list(total) == [64, 128, 256, 512, 800]


def test_the_map_knows_the_chance_at_the_published_point_and_rises_with_the_price(model):
    from demandsim.plots.break_even import _chances, _values

    alone = model.select(scenario="100T")
    grids = {name: _values(alone, name, 5, 0.9) for name in ("utilization", "token_price")}
    settings = {"draws": 128, "chains": 4, "seed": 7, "design": "sobol"}
    found = _chances(alone, grids, event_of("gross_margin > 0", alone.quantities), settings).probability.squeeze(
        "scenario"
    )
    fixed = alone.fix(utilization=0.45, token_price=1.5).simulate(**settings)
    expected = ds.probability(fixed.gross_margin > 0).probability.item()
    # Other dimensions of the Sobol' sequence: the same up to Monte Carlo error.
    assert found.values[-1, -1] == pytest.approx(expected, abs=0.03)
    grid = found.values[:-1, :-1]
    assert np.all(np.diff(grid, axis=0) >= 0)
    assert np.all(np.diff(grid, axis=1) >= 0)


def test_forest_draws_every_scenario_of_a_grid(model):
    grid = model.with_scenarios(
        price={"low": {"token_price": 0.8}, "high": {"token_price": 2.0}},
        policy={"published": {}, "as measured": {"utilization": "beta(0.08, 0.28, prob=0.8)"}},
    )
    axes = plots.forest(ds.summarize(grid.simulate(draws=64, seed=7)), grid.point(), of="gross_margin")
    labels = [label.get_text() for label in axes[0, 0].get_yticklabels()]
    assert labels == ["low, published", "low, as measured", "high, published", "high, as measured"]
    assert_readable(axes)


def test_limits_stand_where_their_curves_say_how_often_they_are_exceeded(draws):
    against = {"a": 85e9, "b": 178e9, "c": 20e9}
    axes = plots.limits(draws, of="annualized_capex", against=against)[0, 0]
    dots = {line.get_xdata()[0]: set() for line in axes.lines if line.get_marker() == "o"}
    for line in axes.lines:
        if line.get_marker() == "o":
            dots[line.get_xdata()[0]].add(line.get_ydata()[0])
    for limit in against.values():
        expected = (draws.annualized_capex > limit).mean(["chain", "draw"]).values
        assert sorted(dots[limit / 1e9]) == pytest.approx(sorted(expected))
    curves = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert len(curves) == 2
    for curve, scenario in zip(curves, ("100T", "1000T"), strict=True):
        there = np.interp(85.0, curve.get_xdata(), curve.get_ydata())
        assert there == pytest.approx(float((draws.annualized_capex.sel(scenario=scenario) > 85e9).mean()), abs=0.01)


def test_limits_that_cannot_be_read_are_refused(draws):
    yearly = draws.expand_dims(year=[2025, 2026, 2027])
    with pytest.raises(DemandsimError, match=r"6 curves over .* are too many to read; select a label first"):
        plots.limits(yearly)
    apart = xr.DataArray([1e9, 2e9], dims="scenario", coords={"scenario": draws.scenario})
    with pytest.raises(DemandsimError, match="a limit varies over"):
        plots.limits(draws, of="revenue", against={"a": apart})
    with pytest.raises(DemandsimError, match="not all with a limit"):
        plots.limits(draws.assign(exceeds_power=draws.cards * 0))


def test_a_font_installed_since_matplotlib_made_its_list_is_found(monkeypatch):
    plain = next(font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [plain.fname])
    assert wording._installed(("DejaVu Sans", "SimHei")) == ("DejaVu Sans",)


@pytest.mark.parametrize(
    ("unit", "size", "english", "chinese"),
    [
        ("card", 857_772, "10,000 cards", "万张"),
        ("card", 12, "cards", "张"),
        ("CNY/year", 2.1e10, "bn CNY/year", "亿元/年"),
        ("CNY", 1.3e11, "bn CNY", "亿元"),
        ("CNY/card", 150_000, "thousand CNY/card", "万元/张"),
        ("CNY/Mtoken", 1.5, "CNY/million tokens", "元/百万 token"),
        ("token/day", 1e14, "tn tokens/day", "万亿 token/日"),
        ("parameter", 1.1e11, "bn parameters", "亿参数"),
        ("TFLOP/s/card", 1979, "TFLOP/s/card", "TFLOP/秒/张"),
        ("year", 6, "years", "年"),
        ("1", 0.45, "", ""),
    ],
)
def test_units_are_words(unit, size, english, chinese):
    assert wording.locale_of("en", drawn=False).unit(unit, size)[1] == english
    divisor, label = wording.locale_of("zh", drawn=False).unit(unit, size)
    assert label == chinese
    assert divisor == {"万": 1e4, "亿": 1e8}.get(label[:1] if not label.startswith("万亿") else "", divisor)


# Mistakes


def refusals(model, draws, stepped, moved, indices, effects, bridge):
    one = draws.sel(scenario="100T")
    yearly = draws.cards.expand_dims(year=[2025, 2026]).to_dataset()
    sure = model.select(scenario="100T").fix(card_price=1e5)
    tied = model.correlate({("utilization", "peak_ratio"): -0.5})
    even, roofline = plots.break_even, plots.roofline
    return [
        (lambda: plots.distributions(draws, of=["card"]), UnknownNameError, "unknown quantity 'card'; did you mean"),
        (lambda: plots.distributions(draws, of=[]), DemandsimError, "name at least one quantity"),
        (lambda: plots.distributions(draws, prob=90), DemandsimError, "prob must lie"),
        (lambda: plots.distributions(draws, locale="cn"), UnknownNameError, "unknown locale 'cn'"),
        (lambda: plots.distributions(draws, dim="year"), UnknownNameError, "unknown dim 'year'"),
        (lambda: plots.distributions(yearly), DemandsimError, "select a label first"),
        (lambda: plots.forest(draws), DemandsimError, r"pass ds.summarize\(draws\)"),
        (lambda: plots.scatter(one, of=["cards"]), DemandsimError, "2 to 7 quantities, not 1"),
        (lambda: plots.scatter(draws, of=QUANTITIES), DemandsimError, "select a label first"),
        (lambda: plots.convergence(one.isel(draw=slice(8))), DemandsimError, "at least 16 draws"),
        (lambda: plots.convergence(one, statistic="mode"), UnknownNameError, "unknown statistic"),
        (lambda: plots.tornado(indices), DemandsimError, r"no dim 'end'; pass what ds.sensitivity.tornado"),
        (lambda: plots.sobol(effects), DemandsimError, "draw it with ds.plots.shapley"),
        (lambda: plots.shapley(indices), DemandsimError, "draw it with ds.plots.sobol"),
        (lambda: roofline(draws, "utilization", of=["cards"]), DemandsimError, "needs sure values along one dim"),
        (lambda: roofline(stepped, "peak_ratio", of=["cards"]), DemandsimError, "needs sure values along one dim"),
        (lambda: roofline(stepped, "utilization", of=["revenue"]), DemandsimError, "does not vary along 'step'"),
        (
            lambda: roofline(stepped, "utilization", of=[QUANTITIES]),
            DemandsimError,
            "share a panel, but have the units",
        ),
        (lambda: roofline(stepped, "utilization", of=["cards"], walls=["revenue"]), DemandsimError, "a wall needs '1'"),
        (
            lambda: roofline(stepped, "utilization", of=["cards"], walls=["revenue_to_cost"]),
            DemandsimError,
            "varies along 'step' itself",
        ),
        (
            lambda: roofline(stepped, "utilization", of=["cards"], measured=[("card", 1, 1)]),
            UnknownNameError,
            "did you mean 'cards'",
        ),
        (lambda: plots.waterfall(moved), DemandsimError, "no dim 'quantity'; pass what ds.sensitivity.bridge"),
        (lambda: plots.payoffs(draws), DemandsimError, "pass what ds.decisions.evaluate"),
        (lambda: plots.frontier(indices), DemandsimError, "pass what ds.decisions.evaluate"),
        (lambda: plots.information(draws), DemandsimError, "pass what ds.decisions.value_of_information"),
        (lambda: plots.waterfall(bridge, of="revenue"), UnknownNameError, "unknown quantity 'revenue'"),
        (lambda: even(model, "utilisation", "peak_ratio"), UnknownNameError, "did you mean 'utilization'"),
        (lambda: even(model, "utilization", "utilization"), DemandsimError, "needs two assumptions"),
        (lambda: even(model, "daily_tokens", "utilization"), ScenarioError, "changed by the scenarios"),
        (lambda: even(tied, "token_price", "utilization"), DemandsimError, "is correlated"),
        (lambda: even(sure, "card_price", "utilization"), DemandsimError, "is a sure value"),
        (lambda: even(model, "peak_ratio", "utilization", points=2), DemandsimError, "points must be"),
        (
            lambda: even(model, "peak_ratio", "utilization", event=("cards", "=", 0)),
            UnknownNameError,
            "unknown comparison in event: '='",
        ),
    ]


def test_mistakes_are_named(model, draws, stepped, moved, indices, effects, bridge):
    for call, error, message in refusals(model, draws, stepped, moved, indices, effects, bridge):
        with pytest.raises(error, match=message):
            call()


def test_a_name_in_chinese_is_drawn_in_an_english_picture_too(square_font, monkeypatch):
    only_fonts(monkeypatch)
    entry = font_manager.FontEntry(fname=str(square_font), name="SimHei")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist, entry])
    model = ds.load_study(STUDY).select(scenario="100T")
    named = model.assume(utilization=model.assumptions["utilization"].relabelled(long_name="算力利用率"))
    figure = figure_of(plots.tornado(ds.sensitivity.tornado(named, "cards")))
    assert any(text.get_text() == "算力利用率" for text in texts_of(figure))
    # A character that the font lacks is a warning, and with that an error.
    figure.canvas.draw()


def test_titles_fold_to_the_width_of_their_panel():
    draws = ds.load_study("doubao-2025-2030").simulate(draws=32, chains=2, seed=1)
    assert_readable(plots.fan(draws, of=["total_cost_of_ownership"]))
