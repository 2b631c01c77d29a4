"""Sensitivity on models: tornado, groups, events, correlations, the worst outcomes, and bridges between versions."""

import itertools
import math

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim import sensitivity
from demandsim.errors import CorrelationError, DemandsimError, UnknownNameError
from demandsim.sensitivity.surrogate.gaussian import GaussianSurrogate

STUDY = ds.load_study("guosen-2025-01")
ONE = STUDY.select(scenario="100T")


# Tornado


def test_a_tornado_moves_one_assumption_at_a_time_to_its_quantiles():
    found = sensitivity.tornado(STUDY, ["cards", "gross_margin"])
    assert found.cards.dims == ("assumption", "end", "scenario")
    assert found.end.values.tolist() == ["low", "base", "high"]
    assert found.cards.attrs["units"] == "card"
    point = STUDY.point()
    for name, place in itertools.product(("activated_parameters", "utilization"), (0, 2)):
        q = STUDY.assumptions[name].distribution.ppf([0.05, 0.5, 0.95][place])
        expected = STUDY.fix(**{name: float(q)}).point().cards
        np.testing.assert_allclose(found.cards.sel(assumption=name).isel(end=place), expected, rtol=1e-8)
    np.testing.assert_allclose(found.cards.isel(assumption=0).sel(end="base"), point.cards, rtol=1e-12)


def test_a_tornado_is_sorted_by_the_swing_of_the_first_quantity():
    found = sensitivity.tornado(ONE, ["revenue", "cards"])
    swing = np.abs(found.revenue.sel(end="high") - found.revenue.sel(end="low")).squeeze()
    # What is equal but for rounding stands by name.
    assert (np.diff(swing) <= 1e-9 * swing[:-1].values).all()
    assert set(found.assumption.values[:3]) == {"daily_tokens", "token_price", "paid_share"}


def test_a_tornado_around_the_median_and_with_given_ends():
    found = sensitivity.tornado(ONE, "cards", base="median", values={"utilization": (0.2, 0.6)})
    middle = {n: float(a.distribution.median()) for n, a in ONE.assumptions.items()} | {"daily_tokens": 1e14}
    expected = [ONE.fix(**{**middle, "utilization": u}).point().cards.item() for u in (0.2, middle["utilization"], 0.6)]
    np.testing.assert_allclose(found.cards.sel(assumption="utilization").squeeze(), expected, rtol=1e-8)
    np.testing.assert_array_equal(found.setting.sel(member="utilization", end=["low", "high"]).squeeze(), [0.2, 0.6])


def test_a_sure_value_moves_in_a_tornado_only_when_it_is_given_ends():
    model = ONE.fix(utilization=0.4)
    assert "utilization" not in sensitivity.tornado(model, "cards").assumption
    found = sensitivity.tornado(model, "cards", values={"utilization": (0.2, 0.8)}).cards.sel(assumption="utilization")
    np.testing.assert_allclose(found.sel(end="low") / found.sel(end="high"), 4)


def test_a_group_moves_together():
    found = sensitivity.tornado(ONE, "revenue", groups={"price": ["token_price", "paid_share"]})
    assert "price" in found.assumption
    assert "token_price" not in found.assumption
    low = {n: float(ONE.assumptions[n].distribution.ppf(0.05)) for n in ("token_price", "paid_share")}
    expected = ONE.fix(**low).point().revenue
    np.testing.assert_allclose(found.revenue.sel(assumption="price", end="low"), expected, rtol=1e-8)
    price = found.isel(member=found.row.values == "price")
    assert price.member.values.tolist() == ["token_price", "paid_share"]
    assert price.setting.sel(end="base").squeeze().values.tolist() == [1.5, 0.4]
    assert price.setting_units.values.tolist() == ["CNY/Mtoken", "1"]


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"of": "card"}, UnknownNameError, "did you mean 'cards'"),
        ({"of": "cards", "values": {"utilisation": (0, 1)}}, UnknownNameError, "did you mean 'utilization'"),
        ({"of": "cards", "values": {"utilization": 0.5}}, DemandsimError, r"\(low, high\)"),
        ({"of": "cards", "groups": {"g": ["utilisation"]}}, UnknownNameError, "did you mean 'utilization'"),
        ({"of": "cards", "groups": {"g": "utilization"}}, DemandsimError, "must list"),
        ({"of": "cards", "groups": {"g": ["utilization"], "h": ["utilization"]}}, DemandsimError, "leave it in one"),
        ({"of": "cards", "groups": {"card_flops": ["utilization"]}}, DemandsimError, "rename the group"),
        ({"of": "cards", "prob": 90}, DemandsimError, "between 0 and 1"),
        ({"of": []}, DemandsimError, "names no quantity"),
    ],
)
def test_a_tornado_says_what_is_wrong(settings, error, says):
    with pytest.raises(error, match=says):
        sensitivity.tornado(ONE, **settings)


# Sobol' indices on models


def test_all_outputs_of_the_chain_are_sums_of_products_and_nearly_exact():
    of = ["cards", "annualized_capex", "revenue", "gross_margin", "break_even_price"]
    found = sensitivity.sobol(ONE, of, draws=32, seed=1)
    assert float(found.total_order_mcse.max()) < 1e-5
    assert float(found.first_order.sel(quantity="revenue", assumption="utilization").squeeze()) == 0
    # The tokens a day cancel in the break-even price.
    assert abs(found.total_order.sel(quantity="break_even_price", assumption="daily_tokens").item()) < 1e-6


def test_correlated_assumptions_are_refused_with_the_way_out():
    linked = ONE.correlate({("utilization", "peak_ratio"): -0.4})
    with pytest.raises(CorrelationError, match=r"'utilization'.*sensitivity\.shapley"):
        sensitivity.sobol(linked, "cards", draws=32)
    # What the quantity does not depend on may be correlated with anything.
    sensitivity.sobol(ONE.correlate({("token_price", "peak_ratio"): -0.4}), "cards", draws=32, seed=1)


def test_correlated_assumptions_of_one_group_are_one_factor():
    linked = ONE.correlate({("token_price", "paid_share"): 0.6})
    groups = {"price": ["token_price", "paid_share"]}
    found = sensitivity.sobol(linked, "revenue", groups=groups, draws=256, seed=1, log=True).squeeze()
    draws = linked.simulate(draws=8192, seed=1)
    own = np.log(draws.token_price * draws.paid_share).var().item()
    expected = own / np.log(draws.revenue).var().item()
    assert found.total_order.sel(assumption="price").item() == pytest.approx(expected, abs=0.005)
    assert found.first_order.sum().item() == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize(
    "event",
    [("gross_margin", ">", 0), lambda d: d.revenue > d.annualized_capex, "> 0", "revenue > annualized_capex"],
    ids=["tuple", "function", "text", "text of two quantities"],
)
def test_an_event_may_be_said_in_several_ways(event):
    of = "gross_margin" if event == "> 0" else None
    found = sensitivity.sobol(STUDY, of, event=event, draws=64, seed=3)
    expected = sensitivity.sobol(STUDY, event=("gross_margin", ">", 0), draws=64, seed=3)
    np.testing.assert_allclose(found.total_order, expected.total_order, atol=0.03)
    assert found.attrs["scale"] == "event"
    # The sign of the margin does not depend on the scale of the business.
    assert abs(float(found.total_order.sel(assumption="daily_tokens").max())) < 0.02


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"event": "0"}, "a comparison, such as > 0, is missing"),
        ({"event": "> nothing"}, "unknown quantity in event: 'nothing'"),
        ({"event": ("gross_margin", ">")}, "quantity, comparison, value"),
        ({"event": ("gross_margin", "=", 0)}, "unknown comparison"),
        ({"event": lambda d: d.revenue}, "bool DataArray"),
        ({"event": "> 0", "log": True}, "no logarithm"),
        ({"log": True}, "is not positive in"),
        ({"draws": 100}, "power of two"),
        ({"chains": 1}, "at least 2"),
        ({"seed": -1}, "whole number"),
    ],
)
def test_sobol_says_what_is_wrong(settings, says):
    with pytest.raises(DemandsimError, match=says):
        sensitivity.sobol(ONE, "gross_margin", **{"draws": 32, **settings})


def test_sobol_without_a_quantity_or_event_asks_for_one():
    with pytest.raises(DemandsimError, match="of= is missing"):
        sensitivity.sobol(ONE)


def test_the_order_of_assumptions_changes_nothing():
    turned = ds.Model(
        list(ONE.equations.values())[::-1], dict(list(ONE.assumptions.items())[::-1]), scenarios=ONE.scenarios
    )
    one, other = (sensitivity.sobol(m, event=("gross_margin", ">", 0), draws=32, seed=5) for m in (ONE, turned))
    xr.testing.assert_allclose(one.total_order, other.total_order.sel(assumption=one.assumption), atol=1e-9)


def years(shared):
    median = xr.DataArray([1.0, 2.0, 3.0], dims="year", coords={"year": [2025, 2026, 2027]})
    return ds.Model(
        [
            ds.equation(lambda x, w: x * w, unit="1", name="part"),
            ds.equation(lambda part: part.sum("year"), unit="1", name="whole"),
        ],
        {
            "x": ds.Assumption(dist.lognormal(median=median, factor=2), shared=shared),
            "w": ds.Assumption(dist.lognormal(median=1, factor=2)),
        },
    )


@pytest.mark.parametrize("shared", [False, True])
def test_an_assumption_with_dims_is_one_factor(shared):
    # var / mean**2 of a lognormal of this sigma; independent years average out, shared ones do not.
    v = math.expm1((math.log(2) / 1.6448536269514722) ** 2)
    own = v if shared else v * (1 + 4 + 9) / (1 + 2 + 3) ** 2
    whole = (1 + v) * (1 + own) - 1
    found = sensitivity.sobol(years(shared), ["part", "whole"], draws=64, seed=1)
    first = found.first_order.sel(quantity="whole").isel(year=0)
    np.testing.assert_allclose(first.sel(assumption=["w", "x"]), [v / whole, own / whole], atol=1e-4)
    np.testing.assert_allclose(found.first_order.sel(quantity="part"), v / ((1 + v) ** 2 - 1), atol=1e-4)


def test_shapley_effects_of_many_factors_use_random_orders_and_sum_to_one():
    names = [f"x{i}" for i in range(12)]
    body = ds.equation(eval(f"lambda {', '.join(names)}: {' + '.join(names)}"), unit="1", name="y")
    model = ds.Model([body], {n: dist.normal(mean=0, sd=i + 1) for i, n in enumerate(names)})
    found = sensitivity.shapley(model, "y", draws=64, seed=1).effect.squeeze()
    squares = np.arange(1, 13.0) ** 2
    np.testing.assert_allclose(found, squares / squares.sum(), atol=1e-6)
    assert found.sum().item() == pytest.approx(1, abs=1e-12)
    linked = model.correlate({("x10", "x11"): 0.5})
    found = sensitivity.shapley(linked, "y", draws=64, seed=1)
    rho = 2 * math.sin(math.pi * 0.5 / 6)
    whole = squares.sum() + 2 * rho * 11 * 12
    expected = (squares[10] + rho * 132 + rho**2 / 2 * (squares[11] - squares[10])) / whole
    gap = abs(found.effect.sel(assumption="x10").item() - expected)
    assert gap <= 4 * found.effect_mcse.sel(assumption="x10").item()


# Draws already made


def test_given_data_and_regional_take_dask_backed_draws():
    lazy = ONE.simulate(draws=2048, seed=4, chunks=512)
    ready = ONE.simulate(draws=2048, seed=4)
    for work in (lambda d: sensitivity.given_data(d, "cards", seed=1), lambda d: sensitivity.regional(d, "cards")):
        xr.testing.assert_identical(work(lazy), work(ready))


def test_of_very_many_draws_the_first_are_taken_and_said_so(monkeypatch):
    from demandsim.sensitivity import from_draws

    monkeypatch.setattr(from_draws, "MOST", 4096)
    draws = ONE.simulate(draws=2048, seed=4)
    found = sensitivity.given_data(draws, "cards", seed=1)
    assert (found.attrs["draws"], found.attrs["draws_available"]) == (512, 2048)
    assert found.attrs["thinned"] == "the first draws of every chain"
    first = sensitivity.given_data(draws.isel(draw=slice(512)), "cards", seed=1)
    np.testing.assert_array_equal(found.first_order, first.first_order)


def test_an_assumption_with_years_has_a_row_per_year_for_what_has_none():
    found = sensitivity.given_data(years(False).simulate(draws=1024, seed=1), "whole", seed=1)
    assert found.assumption.values.tolist() == ["x[2025]", "x[2026]", "x[2027]", "w"]
    assert found.first_order.dims == ("quantity", "assumption")
    assert (np.diff(found.first_order.values[0, :3]) > 0).all()


def test_draws_without_assumptions_say_so():
    with pytest.raises(DemandsimError, match="keep them"):
        sensitivity.given_data(ONE.simulate(draws=64, seed=1, keep=["cards"]), "cards")
    with pytest.raises(DemandsimError, match="'chain' and 'draw'"):
        sensitivity.given_data(ONE.point(), "cards")


def test_the_worst_outcomes_have_their_causes_in_common():
    found = sensitivity.regional(ONE.simulate(draws=2048, seed=2), "gross_margin", 0.1).squeeze()
    grade = found.median_grade.to_series()
    # Much compute and few paid tokens make the worst margins; scipy's statistic is the reference.
    assert grade["activated_parameters"] > 0.8
    assert grade["utilization"] < 0.4
    assert found.kolmogorov.to_series().idxmax() == "activated_parameters"
    assert found.n_worst.item() == round(0.1 * 2048 * 8)


def test_regional_statistics_are_those_of_scipy():
    from scipy import stats

    draws = ONE.simulate(draws=256, seed=2)
    found = sensitivity.regional(draws, "cards", 0.25, side="high").squeeze()
    x, y = draws.peak_ratio.values.ravel(), draws.cards.values.ravel()
    worst = np.argsort(-y, kind="stable")[: y.size // 4]
    rest = np.setdiff1d(np.arange(y.size), worst)
    own = found.sel(assumption="peak_ratio")
    assert own.kolmogorov.item() == pytest.approx(stats.ks_2samp(x[worst], x[rest]).statistic, abs=1e-12)
    assert own.median_grade.item() == pytest.approx(stats.percentileofscore(x, np.median(x[worst])) / 100, abs=1e-3)
    assert own.mean_shift.item() == pytest.approx((x[worst].mean() - x.mean()) / x.std(), abs=1e-12)


def test_regional_of_an_event_looks_at_the_draws_in_which_it_happens():
    draws = STUDY.simulate(draws=512, seed=2)
    by_function = sensitivity.regional(draws, "gross_margin", event=lambda d: d.gross_margin < 0)
    by_array = sensitivity.regional(draws, "gross_margin", event=draws.gross_margin < 0)
    xr.testing.assert_identical(by_function, by_array)
    expected = (draws.gross_margin < 0).sum(["chain", "draw"])
    np.testing.assert_array_equal(by_array.n_worst.squeeze(), expected)
    never = sensitivity.regional(draws, "gross_margin", event=draws.cards < 0)
    assert np.isnan(never.kolmogorov).all()
    with pytest.raises(DemandsimError, match="bool DataArray"):
        sensitivity.regional(draws, "cards", event=draws.cards)
    with pytest.raises(DemandsimError, match="worst tenth"):
        sensitivity.regional(draws, "cards", worst=10)


# Bridges


def test_a_bridge_of_two_factors_shares_their_interaction():
    # cards are proportional to p / u: each change gets the mean of its effects before and after the other.
    after = ONE.fix(utilization=0.3, peak_ratio=2)
    found = sensitivity.bridge(ONE, after, "cards").squeeze()
    start = ONE.point().cards.item()
    ratio = {"utilization": 0.45 / 0.3, "peak_ratio": 2 / 3}
    for name, other in itertools.permutations(ratio):
        expected = start * (ratio[name] - 1) * (1 + ratio[other]) / 2
        assert found.contribution.sel(change=name).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("statistic", ["point", "mean"])
def test_contributions_sum_to_the_whole_change(statistic):
    after = STUDY.assume(utilization="beta(mean=0.2, sd=0.05)", card_price=ds.Assumption(2e5, unit="CNY/card"))
    after = after.with_equations(
        ds.equation(lambda cards, card_price: 1.1 * cards * card_price, unit="CNY", name="capex")
    ).fix(token_price=1.2)
    found = sensitivity.bridge(STUDY, after, ["gross_margin", "cards"], statistic=statistic, draws=256, seed=1)
    np.testing.assert_allclose(found.contribution.sum("change"), found.after - found.before, rtol=1e-9, atol=1e-3)
    changed = {"card_price", "capex", "token_price"} | ({"utilization"})
    assert set(found.change.values) == changed
    assert np.abs(found.contribution.sel(quantity="cards", change="capex")).max() == 0
    assert found.units.values.tolist() == ["CNY/year", "card"]
    if statistic == "point":
        np.testing.assert_allclose(found.after.sel(quantity="cards"), after.point().cards, rtol=1e-12)
        assert "contribution_mcse" not in found
    else:
        mean = ds.summarize(after.simulate(draws=8192, seed=9, keep=["cards"])).cards
        gap = np.abs(found.after.sel(quantity="cards") - mean.sel(statistic="mean", drop=True))
        assert (gap < 0.01 * found.after.sel(quantity="cards")).all()
        assert (found.contribution_mcse.sel(quantity="cards", change="utilization") > 0).all()


def test_common_random_numbers_make_an_unchanged_assumption_cancel():
    # A tenth more compute per card in every draw: the change is known as well as the mean itself is, in relative
    # terms, though it is small against the spread of both.
    after = ONE.assume(card_flops="lognormal(median=2176.9, factor=1.3, prob=0.9)")
    found = sensitivity.bridge(ONE, after, "cards", statistic="mean", draws=512, seed=1)
    assert found.contribution.item() == pytest.approx(found.before.item() * (1 / 1.1 - 1), rel=1e-6)
    assert found.contribution_mcse.item() < 0.02 * abs(found.contribution.item())


def test_a_correlation_moves_means_and_not_points():
    linked = ONE.correlate({("daily_tokens", "peak_ratio"): 0.6})
    assert sensitivity.bridge(ONE, linked, "cards").sizes["change"] == 0
    found = sensitivity.bridge(ONE, linked, "cards", statistic="mean", draws=2048, seed=1)
    assert found.change.values.tolist() == ["correlations"]
    rho = 2 * math.sin(math.pi * 0.6 / 6)
    sigma = [math.log(factor) / 1.6448536269514722 for factor in (2, 1.5)]
    assert (found.after / found.before).item() == pytest.approx(math.exp(rho * sigma[0] * sigma[1]), rel=3e-3)


def test_a_new_equation_brings_its_new_assumption():
    power = ds.equation(lambda cards, spare: cards * spare, unit="card", name="bought")
    old = ONE.with_equations(ds.equation(lambda cards: 1.0 * cards, unit="card", name="bought"))
    new = ONE.add(spare=1.25).with_equations(power)
    found = sensitivity.bridge(old, new, "bought").squeeze()
    assert found.contribution.change.values.tolist() in ("bought", ["bought"])
    assert found.contribution.item() == pytest.approx(0.25 * ONE.point().cards.item())


def test_many_changes_are_sampled_with_an_error_that_holds_the_truth():
    names = [f"x{i}" for i in range(14)]
    body = ds.equation(eval(f"lambda {', '.join(names)}: {' * '.join(names)}"), unit="1", name="y")
    before = ds.Model([body], dict.fromkeys(names, 1.0))
    after = before.fix(**dict.fromkeys(names, 1.1))
    found = sensitivity.bridge(before, after, "y", seed=3, orders=64)
    # All changes are alike, so each gets a fourteenth.
    expected = (1.1**14 - 1) / 14
    assert found.contribution.sum().item() == pytest.approx(1.1**14 - 1, rel=1e-9)
    assert (np.abs(found.contribution - expected) <= 4.5 * found.contribution_mcse + 1e-12).all()


def test_a_bridge_says_what_is_wrong():
    with pytest.raises(DemandsimError, match="select the same of both"):
        sensitivity.bridge(STUDY, ONE, "cards")
    with pytest.raises(UnknownNameError, match="did you mean 'cards'"):
        sensitivity.bridge(ONE, ONE, "card")
    with pytest.raises(UnknownNameError, match="statistic"):
        sensitivity.bridge(ONE, ONE, "cards", statistic="median")


def test_many_scores_have_cubes_of_their_own_and_explain_the_same():
    # With many scores a surrogate has no products of three different ones: a shorter sum, the same numbers.
    rng = np.random.default_rng(5)
    n = 6
    root = rng.normal(size=(n, 2 * n))
    correlation = root @ root.T
    correlation /= np.sqrt(np.outer(np.diag(correlation), np.diag(correlation)))
    quadratic, own = rng.normal(size=(n, n)), np.zeros((n, n, n))
    own[range(n), range(n), range(n)] = rng.normal(size=n)
    mixed = own.copy()
    # Nothing beside the others, but no zero: the longer sum is taken.
    mixed[0, 1, 2] = 1e-200

    def surrogate(cubic):
        parts = correlation, 0.3, linear, quadratic + quadratic.T, cubic, np.array([0.4, -0.2]), slopes
        return GaussianSurrogate(*parts)

    linear, slopes = rng.normal(size=n), 0.3 * rng.normal(size=(2, n))
    masks = np.array(list(itertools.product((0, 1), repeat=n)))
    np.testing.assert_allclose(surrogate(own).explained(masks), surrogate(mixed).explained(masks), rtol=1e-10)
    z = rng.normal(size=(n, 50))
    np.testing.assert_allclose(surrogate(own).value(z), surrogate(mixed).value(z), rtol=1e-9, atol=1e-9)


def test_sobol_computes_again_only_what_depends_on_the_factor_that_is_exchanged():
    runs = []

    @ds.equation(unit="1")
    def before(a, b):
        runs.append(np.shape(a)[-1:])
        return a * b

    @ds.equation(unit="1")
    def after(before, c, d):
        return before + c * d

    model = ds.Model([before, after], dict.fromkeys("abcd", dist.normal(mean=1, sd=1)))
    model.program  # noqa: B018
    runs.clear()
    found = sensitivity.sobol(model, "after", draws=64, chains=4, seed=1, second_order=True)
    # At A and B, and with a and b exchanged either way; c and d change nothing in it.
    assert runs.count((256,)) == 6
    np.testing.assert_allclose(found.total_order.values[0], [1 / 3] * 4, atol=1e-6)
