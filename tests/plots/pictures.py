"""Every picture once, made from small runs, and what can be read in it: for the contract and the tests of numbers."""

import itertools
import re

import numpy as np
import pytest
import xarray as xr
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.text import Text

import demandsim as ds
from demandsim import plots
from demandsim.equations import equation_named

STUDY = "guosen-2025-01"
SOURCE = "Guosen Securities, computer industry monthly, January 2025"
QUANTITIES = ["cards", "gross_margin"]
RUN = {"study": STUDY, "seed": 7, "design": "sobol", "chains": 8, "draws": 256, "prob": 0.9}


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


def assert_readable(axes):
    """Whatever is drawn can be read: nothing is cut, nothing overlaps, no name is code, no text is tiny."""
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
    for panel in figure.axes:
        if panel.get_visible() and panel.xaxis.get_visible() and panel.get_xlabel():
            assert len([label for label in panel.get_xticklabels() if label.get_text()]) >= 2


def only_fonts(monkeypatch, *names):
    """Let matplotlib know DejaVu alone, also under other names."""
    manager = font_manager.fontManager
    plain = [font for font in manager.ttflist if font.name == "DejaVu Sans"]
    faked = [font_manager.FontEntry(fname=plain[0].fname, name=name) for name in names]
    monkeypatch.setattr(manager, "ttflist", [*plain, *faked])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [])


# What is drawn


@pytest.fixture(scope="session")
def model():
    return ds.load_study(STUDY)


@pytest.fixture(scope="session")
def draws(model):
    return model.simulate(draws=256, seed=7)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def effects(indices):
    renamed = {f"total_order{end}": f"effect{end}" for end in ("", "_lower", "_upper")}
    return indices.rename(renamed)[list(renamed.values())].sel(scenario="100T")


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def stepped(model):
    shares = xr.DataArray([0.1, 0.2, 0.4, 0.8], dims="step", coords={"step": range(4)})
    return model.fix(utilization=shares).assume(peak_ratio="uniform(0.3, 0.5)").simulate(draws=256, seed=7)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def learned(model):
    """What the study's assumptions are if capex was read off a balance sheet."""
    return model.observe(capex="lognormal(median=60e9, factor=1.2)").infer(draws=256, seed=7)


@pytest.fixture(scope="session")
def make(model, draws, fleet, stepped, moved, indices, effects, bridge, decided, learned):
    """Every picture by its name, in a language."""
    one = draws.sel(scenario="100T")
    alone = model.select(scenario="100T")
    summary = ds.summarize(draws, probs=(0.25, 0.75))
    told = ds.sensitivity.given_data(draws, ["gross_margin"], given="gross_margin < 0", seed=7)
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
        "given_data": lambda **k: plots.given_data(told, **k),
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
            limits=["revenue"],
            walls=["peak_ratio"],
            measured=[("cards", 0.2, 5e5)],
            levels={"cards": (8.6e5, "85.8")},
            **k,
        ),
    }


@pytest.fixture(scope="session")
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
