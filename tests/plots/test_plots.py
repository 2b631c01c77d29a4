"""Pictures, looked at by their structure: units, labels and provenance are there, and nothing is cut or overlaps."""

import itertools
import re

import numpy as np
import pytest
import xarray as xr
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.text import Text
from scipy import stats

import demandsim as ds
from demandsim import plots
from demandsim.equations import equation_named
from demandsim.errors import DemandsimError, ScenarioError, UnknownNameError
from demandsim.plots import words as wording
from demandsim.plots.tornado import setting_in_words
from demandsim.statistics.event import event_of

STUDY = "guosen-2025-01"
SOURCE = "Guosen Securities, computer industry monthly, January 2025"
QUANTITIES = ["cards", "gross_margin"]
RUN = {"study": STUDY, "seed": 7, "design": "sobol", "chains": 8, "draws": 256, "prob": 0.9}


# What is looked at


def texts_of(figure):
    """Every text that is drawn: ticks outside their axis are not."""
    ticks = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _ticks(axes, axis)[0]]
    shown = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _ticks(axes, axis)[1]]
    skipped = {id(label) for label in ticks} - {id(label) for label in shown}
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in skipped]
    return [t for t in found if t.axes is None or t.axes.get_visible()]


def _ticks(axes, axis):
    every = [label for tick in (*axis.majorTicks, *axis.minorTicks) for label in (tick.label1, tick.label2)]
    which = 0 if axis is axes.xaxis else 1
    low, high = sorted(axis.get_view_interval())
    labels = axes.get_xticklabels() if which == 0 else axes.get_yticklabels()
    slack = 1e-9 * (high - low)
    return every, [label for label in labels if low - slack <= label.get_position()[which] <= high + slack]


def words_of(axes):
    return " ".join(text.get_text().replace("\n", " ").replace("\u00a0", " ") for text in texts_of(figure_of(axes)))


def figure_of(axes):
    return np.ravel(axes)[0].figure


def assert_readable(axes, seed=7):
    figure = figure_of(axes)
    figure.draw_without_rendering()
    width, height = figure.canvas.get_width_height()
    boxes = [(text, text.get_window_extent()) for text in texts_of(figure)]
    assert len(boxes) > 5
    for text, box in boxes:
        assert box.x0 >= -1, f"cut on the left: {text.get_text()!r}"
        assert box.y0 >= -1, f"cut below: {text.get_text()!r}"
        assert box.x1 <= width + 1, f"cut on the right: {text.get_text()!r}"
        assert box.y1 <= height + 1, f"cut above: {text.get_text()!r}"
        assert not re.search(r"[a-z]_[a-z]", text.get_text()), f"code is no name: {text.get_text()!r}"
        assert text.get_fontsize() >= 8
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert not (across > 1 and down > 1), f"{one.get_text()!r} overlaps {other.get_text()!r}"
    words = words_of(axes)
    for said in (f"study {STUDY}", f"seed {seed}", f"source: {SOURCE}", "Sobol' sequence", "chains of"):
        assert said in words
    for panel in figure.axes:
        if panel.get_visible() and panel.xaxis.get_visible() and panel.get_xlabel():
            assert len([label for label in panel.get_xticklabels() if label.get_text()]) >= 2


# What is drawn


@pytest.fixture(scope="module")
def model():
    return ds.load_study(STUDY)


@pytest.fixture(scope="module")
def draws(model):
    return model.simulate(draws=256, seed=7)


@pytest.fixture(scope="module")
def moved(model):
    """A tornado as `ds.sensitivity.tornado` lays it out, at P5 and P95 of each assumption."""
    point = model.point()
    names = list(model.assumptions)
    values = {name: np.zeros((len(names), 3, 2)) for name in QUANTITIES}
    settings = np.zeros((len(names), 3))
    for i, name in enumerate(names):
        for j, grade in enumerate((0.05, 0.5, 0.95)):
            value = float(model.assumptions[name].distribution.ppf(grade))
            there = model.fix(**{name: value}) if name != "daily_tokens" else model
            if name == "daily_tokens":
                there = model.with_scenarios({"100T": {name: value}, "1000T": {name: 10 * value}})
            settings[i, j] = value
            for quantity in QUANTITIES:
                values[quantity][i, j] = there.point()[quantity].values
    return xr.Dataset(
        {q: (("assumption", "end", "scenario"), values[q], point[q].attrs) for q in QUANTITIES},
        coords={
            "assumption": names,
            "end": ["low", "base", "high"],
            "scenario": ["100T", "1000T"],
            "member": names,
            "row": ("member", names),
            "setting": (("member", "end"), settings),
            "setting_units": ("member", [model.assumptions[n].unit for n in names]),
            "long_name": ("assumption", [model.assumptions[n].long_name for n in names]),
        },
        attrs=RUN | {"base": "point"},
    )


@pytest.fixture(scope="module")
def indices(model):
    names = list(model.assumptions)
    rng = np.random.default_rng(7)
    first = 0.8 * rng.dirichlet(np.ones(len(names)), size=(2, 2)).transpose(0, 2, 1)
    first[0, names.index("token_price")] = np.nan
    dims = ("quantity", "assumption", "scenario")
    found = xr.Dataset(
        {"first_order": (dims, first), "total_order": (dims, 1.2 * first)},
        coords={
            "quantity": QUANTITIES,
            "assumption": names,
            "scenario": ["100T", "1000T"],
            "long_name": ("assumption", [model.assumptions[n].long_name for n in names]),
        },
        attrs=RUN | {"model_runs": 90_112, "scale": "linear"},
    )
    for kind in ("first_order", "total_order"):
        found[f"{kind}_lower"], found[f"{kind}_upper"] = found[kind] - 0.02, found[kind] + 0.03
    return found.assign(n_invalid=("quantity", [0, 0]))


@pytest.fixture(scope="module")
def effects(indices):
    renamed = {f"total_order{end}": f"effect{end}" for end in ("", "_lower", "_upper")}
    return indices.rename(renamed)[list(renamed.values())].sel(scenario="100T")


@pytest.fixture(scope="module")
def bridge():
    steps = [[1.5e6, -2e5, 3e5, -4e4], [-4e10, 1e10, -2e10, 3e9]]
    before = np.array([8.8e5, -1e9])
    return xr.Dataset(
        {
            "contribution": (("quantity", "change"), steps),
            "before": ("quantity", before),
            "after": ("quantity", before + np.sum(steps, axis=1)),
        },
        coords={
            "quantity": QUANTITIES,
            "change": ["utilization", "daily_tokens", "activated_parameters", "token_price"],
            "units": ("quantity", ["card", "CNY/year"]),
        },
        attrs=RUN | {"statistic": "median"},
    )


@pytest.fixture(scope="module")
def stepped(model):
    shares = xr.DataArray([0.1, 0.2, 0.4, 0.8], dims="step", coords={"step": range(4)})
    return model.fix(utilization=shares).assume(peak_ratio="uniform(0.3, 0.5)").simulate(draws=256, seed=7)


@pytest.fixture(scope="module")
def fleet():
    """Four years of a fleet of which too little is for sale."""
    years = range(2025, 2029)
    time = xr.DataArray([0.0, 1.0, 2.0, 3.0], coords={"year": years}, dims="year")
    names = ("cards_bought", "cards_surviving", "cards_in_service", "unmet_cards")
    fleet = ds.Model(
        [equation_named(f"fleet.{name}") for name in names],
        {
            "elapsed_time": ds.Assumption(ds.distributions.constant(time), unit="year"),
            "cards_required": ds.Assumption(ds.distributions.uniform(3e5 + 1e5 * time, 6e5 + 2e5 * time), "card"),
            "useful_life": ds.Assumption("uniform(1, 3)", unit="year"),
            "supply_limit": ds.Assumption(9e5, unit="card"),
            "initial_cards": ds.Assumption(2e5, unit="card"),
        },
    ).with_scenarios({"open": {}, "short": {"supply_limit": 3e5}})
    draws = fleet.simulate(draws=256, seed=7)
    return draws.assign_attrs(study=STUDY)


@pytest.fixture(scope="module")
def decided(draws):
    """Orders of cards, bought or rented cards, and what is worth knowing before the order."""
    orders = xr.DataArray(np.geomspace(3e4, 6e6, 12), dims="order", attrs={"units": "card"})
    own = ds.decisions
    rent = own.BuyOrRent(rent=2.0, operating_cost=2e4)
    return {
        "order": own.evaluate(draws, orders, own.OrderCards(salvage=1e4)),
        "rent": own.evaluate(draws, ["buy", "rent"], rent),
        "worth": own.value_of_information(draws, orders, own.OrderCards(salvage=1e4)),
    }


@pytest.fixture(scope="module")
def learned(model):
    """What the study's assumptions are if capex was read off a balance sheet."""
    return model.observe(capex="lognormal(median=60e9, factor=1.2)").infer(draws=256, seed=7)


@pytest.fixture(scope="module")
def make(model, draws, fleet, stepped, moved, indices, effects, bridge, decided, learned):
    """Every picture by its name, in a language."""
    one = draws.sel(scenario="100T")
    alone = model.select(scenario="100T")
    summary = ds.summarize(draws, probs=(0.25, 0.75))
    pair = ("utilization", "token_price")
    some = ["activated_parameters", "utilization", "cards", "gross_margin"]
    bought = xr.DataArray([60.0], dims="year", coords={"year": [2026]}, attrs={"units": "wan*card"})
    return {
        "distributions": lambda **k: plots.distributions(draws, model.point(), of=QUANTITIES, **k),
        "forest": lambda **k: plots.forest(summary, model.point(), of=QUANTITIES, **k),
        "scatter": lambda **k: plots.scatter(one, of=some, **k),
        "break_even": lambda **k: plots.break_even(model, *pair, points=7, draws=64, seed=7, **k),
        "break_even_above": lambda **k: plots.break_even(
            alone, "card_price", "paid_share", event=("gross_margin", ">=", 1e9), points=7, draws=64, seed=7, **k
        ),
        "convergence": lambda **k: plots.convergence(draws, of=QUANTITIES, **k),
        "tornado": lambda **k: plots.tornado(moved, **k),
        "tornado_one": lambda **k: plots.tornado(moved.sel(scenario="1000T"), of="gross_margin", **k),
        "sobol": lambda **k: plots.sobol(indices, **k),
        "sobol_one": lambda **k: plots.sobol(indices.sel(scenario="100T"), of=["cards"], **k),
        "shapley": lambda **k: plots.shapley(effects, **k),
        "waterfall": lambda **k: plots.waterfall(bridge, **k),
        "payoffs": lambda **k: plots.payoffs(decided["order"], **k),
        "payoffs_named": lambda **k: plots.payoffs(decided["rent"], **k),
        "frontier": lambda **k: plots.frontier(decided["order"], **k),
        "information": lambda **k: plots.information(decided["worth"], indices, of="gross_margin", **k),
        "information_one": lambda **k: plots.information(decided["worth"].sel(scenario="1000T"), **k),
        "cohorts": lambda **k: plots.cohorts(fleet, **k),
        "fan": lambda **k: plots.fan(fleet, "cards_in_service", published={"cards_in_service": bought}, **k),
        "limits": lambda **k: plots.limits(draws, **k),
        "limits_one": lambda **k: plots.limits(one, of="capex", against={"the market of a year": 178e9}, **k),
        "posterior": lambda **k: plots.posterior(learned, draws, of=["capex", "utilization"], **k),
        "roofline": lambda **k: plots.roofline(
            stepped,
            "utilization",
            of=QUANTITIES,
            limits=["capex"],
            walls=["peak_ratio"],
            measured=[("cards", 0.2, 5e5)],
            levels={"cards": (8.6e5, "85.8")},
            **k,
        ),
    }


PICTURES = [
    "distributions",
    "forest",
    "scatter",
    "break_even",
    "break_even_above",
    "convergence",
    "tornado",
    "tornado_one",
    "sobol",
    "sobol_one",
    "shapley",
    "waterfall",
    "payoffs",
    "payoffs_named",
    "frontier",
    "information",
    "information_one",
    "cohorts",
    "fan",
    "posterior",
    "roofline",
]
#: What a reader must find in the picture besides its provenance.
SAYS = {
    "fan": [
        "10,000 cards",
        "scenario short",
        "median",
        "central 50% interval",
        "central 90% interval",
        "published figures",
    ],
    "cohorts": ["10,000 cards", "scenario short", "bought 2027", "initial fleet", "missing", "central 90% interval"],
    "distributions": ["10,000 cards", "bn CNY/year", "published point", "scenario 1000T", "central 90% interval"],
    "forest": ["10,000 cards", "bn CNY/year", "published points", "1000T", "central 50% interval"],
    "scatter": ["bn parameters", "10,000 cards", "scenario 100T", "Spearman rank correlation", "2,048 draws"],
    "break_even": ["CNY/million tokens", "Utilization of a card", "published point:", "Monte Carlo error", "1000T"],
    "break_even_above": ["thousand CNY/card", "gross margin ≥ 1.00 bn CNY/year", "Scenario 100T"],
    "convergence": ["10,000 cards", "draws in all chains", "with all draws:", "± 1.96 MCSE"],
    "tornado": [
        "10,000 cards",
        "bn CNY/year",
        "Tokens a day",
        "base 85.8",
        "1000T",
        "central 90% interval",
        "published points",
    ],
    "tornado_one": ["bn CNY/year", "scenario 1000T", "3 CNY/million tokens", "36.7 bn parameters", "200 tn tokens/day"],
    "sobol": ["share of the variance", "alone", "with interactions", "90,112 model runs", "90% interval"],
    "sobol_one": ["share of the variance", "scenario 100T"],
    "shapley": ["Shapley effect", "correlations included", "scenario 100T"],
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


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_can_be_read_without_the_code(name, make):
    axes = make[name]()
    assert_readable(axes)
    words = words_of(axes)
    assert [said for said in SAYS[name] if said not in words] == []


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_written_as_it_was_laid_out(name, make, tmp_path):
    axes = make[name]()
    plots.save(axes, tmp_path / "a.png", dpi=60)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert_readable(axes)


def test_no_picture_leaves_a_global_figure(make):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    make["forest"]()
    assert plt.get_fignums() == before


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
        np.testing.assert_allclose(mean.get_ydata(), own["mean"] / 1e9)


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


# Chinese


def only_fonts(monkeypatch, *names):
    """Let matplotlib know DejaVu alone, also under other names."""
    manager = font_manager.fontManager
    plain = [font for font in manager.ttflist if font.name == "DejaVu Sans"]
    faked = [font_manager.FontEntry(fname=plain[0].fname, name=name) for name in names]
    monkeypatch.setattr(manager, "ttflist", [*plain, *faked])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [])


@pytest.mark.parametrize("name", PICTURES)
def test_chinese_without_a_font_says_what_to_install(name, make, monkeypatch):
    only_fonts(monkeypatch)
    with pytest.raises(DemandsimError, match=r"found none of: Noto Sans CJK SC, .*apt install fonts-noto-cjk"):
        make[name](locale="zh")


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize("name", PICTURES)
def test_chinese_pictures_count_in_wan_and_yi(name, make, monkeypatch):
    only_fonts(monkeypatch, "Source Han Sans SC")
    words = words_of(make[name](locale="zh"))
    assert f"研究 {STUDY}" in words
    assert "来源" in words
    if name.startswith(("payoffs", "posterior", "frontier", "information")):
        assert "亿元" in words
    elif name not in ("cohorts", "fan", "sobol", "sobol_one", "shapley", "break_even", "break_even_above"):
        assert "亿元/年" in words
    if name in ("cohorts", "fan", "distributions", "forest", "scatter", "convergence", "tornado", "waterfall"):
        assert "万张" in words
    if name in ("break_even_above", "tornado_one"):
        assert "万元/张" in words
    if name.startswith("tornado"):
        assert "367 亿参数" in words
    assert not {"median", "scenario", "draws", "card", "seed"} & set(re.findall(r"[a-z]+", words))


@pytest.fixture(scope="module")
def square_font(tmp_path_factory):
    """A font whose every Chinese character is a full square: the widths of a real one, on any machine."""
    pen = TTGlyphPen(None)
    pen.moveTo((60, -60))
    for corner in ((60, 820), (940, 820), (940, -60)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    points = [*range(0x3000, 0x3040), *range(0x4E00, 0xA000), *range(0xFF00, 0xFFF0)]
    builder.setupCharacterMap(dict.fromkeys(points, "square"))
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "square": (1000, 60)})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "SimHei", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    builder.setupPost()
    path = tmp_path_factory.mktemp("font") / "square.ttf"
    builder.save(path)
    return path


@pytest.mark.parametrize("name", ["forest", "break_even", "waterfall"])
def test_chinese_pictures_fit_with_characters_of_full_width(name, make, square_font, monkeypatch):
    only_fonts(monkeypatch)
    entry = font_manager.FontEntry(fname=str(square_font), name="SimHei")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist, entry])
    axes = make[name](locale="zh")
    figure = figure_of(axes)
    # A character that the font lacks is a warning, and with that an error.
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in texts_of(figure):
        box = text.get_window_extent()
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


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
