"""Bounds: what a quantity cannot be raises, warns or is counted, whichever way it came in."""

import pickle
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.cli._study import loaded
from demandsim.distributions.grammar import parse_distribution
from demandsim.equations import shipped
from demandsim.errors import BoundsError, BoundsWarning, InvalidDrawsError, StudyError
from demandsim.explorer.sliders import sliders
from demandsim.report.words import words_of

STUDY = "guosen-2025-01"


@ds.equation(unit="card", bounds=(0, None))
def left(bought, used):
    return bought - used


@ds.equation(unit="1", bounds=(0, 1))
def used_share(used, bought):
    return used / bought


@ds.equation(unit="CNY")
def worth(left, price=ds.constant(1, "CNY/card")):  # noqa: B008
    return left * price


@pytest.fixture
def model():
    return ds.load_study(STUDY)


@pytest.fixture
def fleet():
    # In a tenth of the draws more cards are used than were bought.
    return ds.Model(
        [left, used_share, worth],
        {
            "bought": ds.Assumption(10, "card", bounds=(0, None)),
            "used": ds.Assumption(dist.uniform(1, 11, prob=1), "card", bounds=(0, None)),
        },
    )


# Points


@pytest.mark.parametrize(
    ("value", "unit", "bounds", "message"),
    [
        (45, "1", (0, 1), r"^45 is above its upper bound 1; 45% is 0.45$"),
        (-0.45, "1", (0, 1), r"^-0.45 is below its lower bound 0; it can be 0 to 1$"),
        (450, "1", (0, 1), "it can be 0 to 1"),
        (-3, "CNY/card", (0, None), "^-3 CNY/card is below its lower bound 0; it can be at least 0$"),
        (3, "year", (None, 2), "above its upper bound 2; it can be at most 2"),
        ('by("year", [0.2, 1.2])', "1", (0, 1), "^1.2 is above its upper bound 1; it can be 0 to 1$"),
    ],
)
def test_a_point_outside_raises(value, unit, bounds, message):
    value = parse_distribution(value, {"year": [2025, 2026]}).median() if isinstance(value, str) else value
    with pytest.raises(BoundsError, match=message):
        ds.Assumption(value, unit, bounds=bounds)
    with pytest.raises(BoundsError):
        ds.Assumption(dist.constant(value), unit, point=value, bounds=bounds)


WAYS = {
    "assume": lambda m, value, _: m.assume(utilization=value),
    "fix": lambda m, value, _: m.fix(utilization=value),
    "another assumption": lambda m, value, _: m.assume(utilization=ds.Assumption(value)),
    "a scenario": lambda m, value, _: m.with_scenarios({"odd": {"utilization": value}}),
    "an assumption in a scenario": lambda m, value, _: m.with_scenarios({"odd": {"utilization": ds.Assumption(value)}}),
    "--set": lambda m, value, _: loaded(STUDY, [f"utilization={value}"]),
    "a study file": lambda m, value, folder: ds.load_study(written(m, value, folder)),
    "tornado": lambda m, value, _: ds.sensitivity.tornado(m, of="cards", values={"utilization": (value, 0.5)}),
}


def written(model, value, folder):
    text = model.to_toml().replace('"beta(mean=0.451386, sd=0.1)"', str(value)).replace("point = 0.45\n", "")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


@pytest.mark.parametrize("value", [45, -0.45])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_whichever_way_it_comes_in_it_raises_and_is_named(model, tmp_path, way, value):
    # In a file, the error is one of the file.
    with pytest.raises((BoundsError, StudyError), match=f"'utilization': {value} is (above|below) its .* bound"):
        way(model, value, tmp_path)


def test_a_unit_of_its_own_is_converted():
    model = ds.load_study(STUDY).assume(useful_life=ds.Assumption(6, "year", bounds=(1, 20)))
    assert model.assume(useful_life=ds.Assumption(72, "month")).assumptions["useful_life"].bounds == (
        pytest.approx(12),
        pytest.approx(240),
    )
    with pytest.raises(BoundsError, match="300 month is above its upper bound 240"):
        model.assume(useful_life=ds.Assumption(300, "month"))
    # Bounds of its own take their place.
    assert model.assume(useful_life=ds.Assumption(300, "month", bounds=(0, None))).point().useful_life == 300


@pytest.mark.parametrize("bounds", [(1, 0), (0, 0), (0,), "01", 3, (0, float("nan")), ("a", 1), (0, 1, 2)])
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(BoundsError, match="bounds must"):
        ds.Assumption(0.5, bounds=bounds)
    with pytest.raises(BoundsError, match="equation 'half': bounds must"):
        ds.equation(lambda x: x / 2, unit="1", name="half", bounds=bounds)


# Distributions


@pytest.mark.parametrize(
    ("law", "bounds", "share", "instead"),
    [
        ("normal(mean=0.2, sd=0.2)", (0, 1), "16% is below", "use beta(mean=0.2, sd=0.2), or truncated(normal("),
        ("normal(mean=5, sd=5)", (0, None), "16% is below", "use lognormal(mean=5, sd=5), or truncated(normal("),
        ("uniform(-1, 4, prob=1)", (0, None), "20% is below", "truncated(uniform(-1, 4, prob=1), lower=0)"),
        ("lognormal(0.5, 2)", (0, 1), "is above its upper bound 1", "truncated(lognormal(0.5, 2"),
        ("discrete([0, 1, 2])", (0, 1), "33% is above", "truncated(discrete([0, 1, 2]), lower=0, upper=1)"),
        ("normal(mean=0.5, sd=1)", (0, 1), "31% is below its lower bound 0 and 31% is above", "use truncated(normal("),
        ('normal(by("year", [3, 1]), by("year", [5, 9]))', (0, None), "is below", "use truncated(normal("),
    ],
)
def test_a_distribution_that_reaches_beyond_warns_with_how_much_and_what_to_use(law, bounds, share, instead):
    with pytest.warns(BoundsWarning) as said:
        ds.Assumption(parse_distribution(law, {"year": [2025, 2026]}), bounds=bounds)
    assert len(said) == 1
    assert share in str(said[0].message)
    assert instead in str(said[0].message)
    assert said[0].filename == __file__


@given(mean=st.floats(0.02, 0.98), sd=st.floats(0.02, 1.0))
def test_the_share_is_exact_and_what_to_use_instead_works(mean, sd):
    outside = stats.norm.cdf(0, mean, sd) + stats.norm.sf(1, mean, sd)
    assume(outside > 1e-6)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ds.Assumption(dist.normal(mean=mean, sd=sd), bounds=(0, 1))
    message = str(said[0].message)
    below = stats.norm.cdf(0, mean, sd)
    if below > 0.01:
        assert f"{below:.0%} is below its lower bound 0" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in message.partition("; use ")[2].split(", or "):
            ds.Assumption(parse_distribution(text), bounds=(0, 1))


def test_what_fits_is_silent():
    for law, bounds in (
        ("beta(mean=0.2, sd=0.2)", (0, 1)),
        ("lognormal(1, 9)", (0, None)),
        ("uniform(0, 1, prob=1)", (0, 1)),
        ("discrete([0, 1])", (0, 1)),
        ("normal(mean=0.5, sd=0.05)", (0, 1)),
        ("truncated(normal(mean=0.2, sd=0.2), lower=0, upper=1)", (0, 1)),
    ):
        assert ds.Assumption(law, bounds=bounds).bounds == bounds


def test_it_is_said_once_with_the_name(model):
    with pytest.warns(BoundsWarning, match="'utilization': normal") as said:
        changed = model.assume(utilization="normal(mean=0.2, sd=0.2)")
    assert len(said) == 1
    # Neither further changes nor what is made of the model say it again.
    again = changed.fix(card_price=2e5).select(scenario="100T")
    again.assumptions["utilization"].relabelled(source="me")
    pickle.loads(pickle.dumps(again))


# Results


def test_results_outside_raise_with_the_quantity_the_bound_and_the_draw(fleet):
    with pytest.raises(InvalidDrawsError) as caught:
        fleet.simulate(draws=1000, chains=2, seed=1, design="latin_hypercube")
    message = str(caught.value)
    assert "equation 'left' made results outside its bounds in 200 values" in message
    assert "'worth' (200)" in message
    assert "is below its lower bound 0, from bought = 10, used = 10." in message


def test_kept_ones_are_left_out_and_counted(fleet):
    draws = fleet.simulate(draws=1000, chains=2, seed=1, design="latin_hypercube", on_invalid="keep")
    summary = ds.summarize(draws)
    for name in ("left", "used_share", "worth"):
        assert summary[name].sel(statistic="n_invalid") == 200
    possible = 10 - draws.used.values[draws.used.values <= 10]
    assert summary.left.sel(statistic="mean") == pytest.approx(possible.mean(), rel=1e-12)
    found = ds.probability(draws.left > 5)
    assert (found.n_invalid, found.probability) == (200, pytest.approx(np.mean(possible > 5)))


def test_what_is_outside_is_the_same_in_blocks_chunks_and_stores(fleet, tmp_path):
    settings = {"draws": 256, "chains": 2, "seed": 3, "on_invalid": "keep"}
    whole = fleet.simulate(**settings)
    assert int(np.isnan(whole.left).sum()) > 20
    xr.testing.assert_identical(fleet.simulate(**settings, block=7, threads=2), whole)
    for other in (fleet.simulate(**settings, chunks=64), fleet.simulate(**settings, store=tmp_path / "draws.nc")):
        for name in whole.data_vars:
            np.testing.assert_array_equal(other[name], whole[name])
    single = fleet.simulate(**settings, dtype="float32")
    np.testing.assert_array_equal(np.isnan(single.used_share), np.isnan(whole.used_share))


def test_a_bound_costs_no_bit_and_no_hash(fleet):
    free = ds.Model(
        [ds.equation(made.function, unit=made.unit, name=name) for name, made in fleet.equations.items()],
        {name: a.relabelled(bounds=None) for name, a in fleet.assumptions.items()},
    )
    assert fleet.hash == free.hash
    bound = fleet.simulate(draws=256, seed=1, on_invalid="keep")
    for name, array in free.simulate(draws=256, seed=1).data_vars.items():
        np.testing.assert_array_equal(bound[name], array.where(bound[name].notnull()))


def test_rounding_does_not_pass_a_bound():
    shares = ds.equation(lambda x: x / 49 * 49, unit="1", name="whole", bounds=(0, 1))
    model = ds.Model([shares], {"x": dist.discrete([1.0, 0.5])})
    assert 1 / 49 * 49 != 1
    assert model.simulate(draws=64, seed=1).whole.max() == pytest.approx(1)


def test_a_point_whose_result_is_outside_raises(fleet):
    with pytest.raises(BoundsError, match="'left' is -2 card at the points, below its lower bound 0"):
        fleet.fix(used=12).point()


def test_a_prior_that_reaches_beyond_is_no_prior(fleet):
    with pytest.raises(InvalidDrawsError, match="'left' made results outside its bounds"):
        fleet.observe(used="normal(mean=9.5, sd=0.5)").infer(draws=256, seed=1)


# Where they are said, and where they travel


def test_files_carry_them(model, tmp_path):
    yearly = model.assume(useful_life=ds.Assumption(6, "year", bounds=(None, 20)))
    yearly.to_toml(tmp_path / "study.toml")
    assert "bounds = [\n    0.0,\n    inf,\n]" in (tmp_path / "study.toml").read_text(encoding="utf-8")
    ds.write_workbook(yearly, tmp_path / "model.xlsx")
    for read in (ds.load_study(tmp_path / "study.toml"), ds.read_workbook(tmp_path / "model.xlsx")):
        assert {n: a.bounds for n, a in read.assumptions.items()} == {
            n: a.bounds for n, a in yearly.assumptions.items()
        }
        assert read.assumptions["useful_life"].bounds == (None, 20)
    again = pickle.loads(pickle.dumps(yearly))
    assert again.equations["cards"].bounds == (0, None)
    assert pickle.loads(pickle.dumps(left)).bounds == (0, None)


def test_show_and_explain_say_them(model, capsys):
    from demandsim.cli.inspect import show

    show(study=STUDY)
    shown = capsys.readouterr().out
    assert "Utilization of a card; point 0.4500; median 0.45, 90% 0.2889 to 0.6186; can be 0 to 1\n" in shown
    assert "  cards = peak_compute / (card_flops * utilization)  [card]  (at least 0)\n" in shown
    assert "utilization = 0.45, can be 0 to 1" in str(model.explain("cards"))
    assert model.point().utilization.attrs["bounds"] == "0 to 1"


def test_sliders_stay_within(model):
    tight = model.assume(peak_ratio=ds.Assumption("uniform(2, 4)", bounds=(1.5, 5)))
    named = {name: (name, tight.assumptions[name]) for name in ("peak_ratio", "utilization")}
    found = {slider.name: slider for slider in sliders(named, 0.9, words_of("en", "explorer"))}
    assert min(found["peak_ratio"].values) >= 1.5
    assert max(found["peak_ratio"].values) <= 5
    assert 0 < min(found["utilization"].values) < max(found["utilization"].values) < 1


#: Differences and rates of change: the only ones that may be negative.
SIGNED = {
    *(
        "gross_margin",
        "operating_profit",
        "contribution",
        "fixed_cost_cover",
        "utilization_cover",
        "earnings",
        "cash_flow",
    ),
    *(
        "cumulated_cash",
        "net_present_value",
        "growth_rate",
        "initial_rate",
        "mean_growth_rate",
        "rate_shock",
        "level_shock",
        "market_cagr",
    ),
    # Processes of any quantity.
    *("random_walk", "mean_reverting", "autoregressive", "jump", "jumps", "regime", "bridged_shock"),
    *("trading_up", "constant_quality_decline", "price_decline", "card_price_decline"),
    # Differences of equal numbers, which rounding may leave a hair below 0.
    *("book_value", "cards_retired"),
}


def test_all_that_ships_says_what_it_can_be():
    free = {made.name for made in shipped().values() if made.bounds is None}
    for name in ds.list_studies():
        free |= {n for n, a in ds.load_study(name).assumptions.items() if a.bounds is None}
    assert free == SIGNED


@pytest.mark.parametrize("name", [name for name in ds.list_studies() if name != "doubao-2025-2030"])
def test_shipped_studies_stay_within(name):
    ds.load_study(name).simulate(draws=4096, seed=3)
