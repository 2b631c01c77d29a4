"""Decisions: the best action, its risk and regret, and what it is worth to know more; mistakes are named."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import decisions
from demandsim.decisions.evaluate import frontier, tail_mean
from demandsim.decisions.folds import folds_of
from demandsim.decisions.regression import normal_ranks
from demandsim.errors import DemandsimError, DesignWarning, InvalidDrawsError, UnitError, UnknownNameError

ORDERS = xr.DataArray(np.geomspace(5e4, 2e6, 12), dims="order", attrs={"units": "card"})


@pytest.fixture(scope="module")
def draws():
    return ds.load_study("guosen-2025-01-evidence").simulate(draws=512, seed=1)


@pytest.fixture(scope="module")
def found(draws):
    return decisions.evaluate(draws, ORDERS, decisions.OrderCards(salvage=2e4), tail=0.1)


def plain(chains=4, length=32, seed=0, **values):
    """Draws made by hand; every variable is an assumption."""
    rng = np.random.default_rng(seed)
    made = {name: rng.normal(size=(chains, length)) for name in "xyz"} | values
    return xr.Dataset({n: (("chain", "draw"), v, {"role": "assumption"}) for n, v in made.items()})


# evaluate


def test_evaluate_is_the_plain_computation(draws, found):
    one = draws.sel(scenario="1000T")
    read = {n: one[n].values.ravel() for n in ("cards", "revenue", "useful_life", "card_price")}
    value = read["revenue"] / read["cards"] * read["useful_life"]
    orders = ORDERS.values[:, None]
    left = np.maximum(orders - read["cards"], 0)
    table = value * np.minimum(orders, read["cards"]) - read["card_price"] * orders + 2e4 * left
    ours = found.sel(scenario="1000T")
    np.testing.assert_allclose(ours["mean"], table.mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(ours["sd"], table.std(axis=1, ddof=0), rtol=1e-3)
    np.testing.assert_allclose(ours["median"], np.median(table, axis=1), rtol=1e-9)
    np.testing.assert_allclose(ours.lower, np.quantile(table, 0.05, axis=1), rtol=1e-9)
    np.testing.assert_allclose(ours.upper, np.quantile(table, 0.95, axis=1), rtol=1e-9)
    np.testing.assert_allclose(ours.regret, (table.max(axis=0) - table).mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(ours.probability_best, np.bincount(table.argmax(axis=0), minlength=12) / 4096)
    worst = [np.sort(row)[:409].sum() + 0.6 * np.sort(row)[409] for row in table]
    np.testing.assert_allclose(ours.cvar, np.array(worst) / 409.6, rtol=1e-9)
    by_chain = table.reshape(12, 8, 512)
    spread = stats.t.ppf(stats.norm.cdf(1), 7) * by_chain.mean(axis=-1).std(axis=1, ddof=1) / np.sqrt(8)
    # The error of a mean has a floor beside the spread: what one draw on the other side of the widest gap would do,
    # of the chain in which that is narrowest.
    widest = np.diff(np.sort(by_chain, axis=-1), axis=-1).max(axis=-1).min(axis=-1)
    np.testing.assert_allclose(ours.mcse_mean, np.hypot(spread, widest / 4096), rtol=1e-9)
    order = np.argsort(-table.mean(axis=1))
    assert ours.best.item() == ORDERS.values[order[0]]
    assert ours.runner_up.item() == ORDERS.values[order[1]]
    assert ours.lead.item() == pytest.approx(table[order[0]].mean() - table[order[1]].mean())
    assert ours.best.attrs["units"] == ours.order.attrs["units"] == "card"
    assert ours["mean"].attrs["units"] == "CNY"


def test_a_computed_payoff_is_the_same(draws, found):
    table = decisions.OrderCards(salvage=2e4)(draws, ORDERS.assign_coords(order=ORDERS.values))
    again = decisions.evaluate(draws, None, table, dim="order")
    xr.testing.assert_allclose(again.drop_vars("order"), found.drop_vars("order"))


def test_a_payoff_with_an_if_takes_one_action_at_a_time(draws):
    def payoff(draws, action):
        if action == "wait":
            return 0 * draws.gross_margin
        return draws.gross_margin if action == "all" else draws.gross_margin / 2

    one = decisions.evaluate(draws, ["wait", "half", "all"], payoff, unit="CNY/year")
    assert one["mean"].attrs["units"] == "CNY/year"
    assert one.best.sel(scenario="100T").item() == "all"
    np.testing.assert_allclose(one["mean"].sel(action="all"), draws.gross_margin.mean(["chain", "draw"]))


def test_blocks_of_actions_give_the_same_numbers(draws, found, monkeypatch):
    monkeypatch.setattr("demandsim.decisions.payoff_table._BYTES", 8 * 8 * 512 * 5)
    again = decisions.evaluate(draws, ORDERS, decisions.OrderCards(salvage=2e4))
    xr.testing.assert_identical(again, found)


def test_a_tie_is_said():
    data = plain()
    one = decisions.evaluate(data, ["a", "b"], lambda d, a: d.x + 0 * (a == "a"))
    assert not one.resolved.item()
    assert one.lead.item() == 0
    np.testing.assert_allclose(one.probability_best, 0.5)
    assert one.efficient.all()


def test_close_actions_are_not_resolved_and_far_ones_are():
    data = plain(chains=8, length=64, x=np.random.default_rng(1).normal(size=(8, 64)))
    assert not decisions.evaluate(data, [0.0, 1e-3], lambda d, a: d.x * a).resolved.item()
    assert decisions.evaluate(data, [0.0, 1.0], lambda d, a: d.x + 9 * a).resolved.item()


def test_one_chain_says_that_it_cannot_tell_its_error():
    data = plain(chains=1)
    with pytest.warns(DesignWarning, match="one chain"):
        one = decisions.evaluate(data, [0.0, 1.0], lambda d, a: d.x + a)
    assert np.isnan(one.mcse_mean).all()
    assert not one.resolved.item()


def test_draws_without_a_number_are_counted_when_kept():
    data = plain()
    data.x.values[1, 3:6] = np.nan
    one = decisions.evaluate(data, [0.0, 1.0], lambda d, a: d.x * a, on_invalid="keep")
    assert one.n_invalid.item() == 3
    assert one["mean"].sel(action=1.0).item() == pytest.approx(np.nanmean(data.x.values))
    kept = decisions.value_of_information(data, [0.0, 1.0], lambda d, a: d.x * a, of="y", on_invalid="keep")
    assert kept.n_invalid.item() == 3
    # The best action is valued where it was not chosen too, which makes up for half of what choosing it made too low.
    by_hand = np.nanmean(np.maximum(data.x.values, 0)) - max(0, np.nanmean(data.x))
    assert kept.lower_evpi <= by_hand <= kept.evpi <= kept.upper_evpi


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0.01, 1))
def test_the_mean_of_the_worst_lies_between_the_worst_and_the_mean(values, tail):
    array = np.array(values)
    found = tail_mean(array, tail)
    slack = 1e-9 * np.abs(array).max() + 1e-9
    assert array.min() - slack <= found <= array.mean() + slack
    assert tail_mean(array, 1.0) == pytest.approx(array.mean(), abs=slack)
    assert tail_mean(array + 5, tail) == pytest.approx(found + 5, abs=slack + 1e-9)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_the_frontier_is_what_none_beats(points):
    mean, risk = np.array(points, dtype=float).T
    marks = frontier(mean, risk)
    for i, mark in enumerate(marks):
        beaten = any(
            m >= mean[i] and r >= risk[i] and (m > mean[i] or r > risk[i]) for m, r in zip(mean, risk, strict=True)
        )
        assert mark != beaten
    assert marks.any()


# Ready-made payoffs


def test_price_against_break_even_by_hand(draws):
    one = draws.sel(scenario="100T")
    payoff = decisions.SetPrice(elasticity=1.5)
    price = xr.DataArray([0.8, 2.0], dims="price", coords={"price": [0.8, 2.0]})
    tokens = one.daily_tokens * 365 / 1e6
    more = (price / one.token_price) ** -1.5
    cost = one.annualized_capex * (1 - one.paid_share + one.paid_share * more)
    expected = tokens * one.paid_share * price * more - cost
    xr.testing.assert_allclose(payoff(one, price).drop_attrs(), expected.drop_attrs())
    # At the reference price it is the study's own margin.
    same = decisions.SetPrice(elasticity=1.5, reference=lambda d: 2.0)(one, price).sel(price=2.0)
    np.testing.assert_allclose(same, tokens * one.paid_share * 2.0 - one.annualized_capex, rtol=1e-9)


def test_buying_and_renting_by_hand(draws):
    payoff = decisions.BuyOrRent(rent=10.0, hours_used=0.5, operating_cost=1e4)
    action = xr.DataArray(["buy", "rent"], dims="action", coords={"action": ["buy", "rent"]})
    found = payoff(draws, action)
    np.testing.assert_allclose(
        found.sel(action="buy").transpose(*draws.cards.dims),
        -draws.cards * (draws.card_price + 1e4 * draws.useful_life),
    )
    np.testing.assert_allclose(
        found.sel(action="rent").transpose(*draws.cards.dims), -draws.cards * 10 * 0.5 * 8760 * draws.useful_life
    )


def test_known_demand_is_ordered():
    need = 1234.0
    data = plain(cards=np.full((4, 32), need))
    data.cards.attrs["units"] = "card"
    payoff = decisions.OrderCards(unit_cost=1.0, value=2.0)
    one = decisions.evaluate(data, [1000.0, need, 1500.0], payoff)
    assert one.best.item() == need
    assert one.regret.sel(action=need).item() == 0
    assert one["mean"].sel(action=need).item() == pytest.approx(need)


# Value of information


@st.composite
def problems(draw):
    """Draws and payoffs of several actions: any functions of three assumptions, one of them discrete."""
    seed = draw(st.integers(0, 2**20))
    rng = np.random.default_rng(seed)
    chains, length = draw(st.sampled_from([(2, 40), (4, 32), (8, 24)]))
    data = plain(chains, length, seed)
    data["y"] = np.round(data.y).assign_attrs(role="assumption")
    if draw(st.booleans()):
        data["z"] = (data.z + 2 * data.x).assign_attrs(role="assumption")
    actions = draw(st.integers(1, 5))
    weights = rng.normal(size=(actions, 4)) * draw(st.sampled_from([0.0, 1.0, 1e9]))
    scale = draw(st.sampled_from([1.0, 3.0]))
    table = xr.concat(
        [w[0] * data.x + w[1] * data.y * data.z + w[2] * np.exp(scale * data.z) + w[3] for w in weights], dim="action"
    )
    return data, table


@settings(max_examples=40)
@given(problems())
def test_information_is_never_worth_less_than_nothing_nor_more_than_all(problem):
    data, table = problem
    noisy = decisions.Measurement("x", sd=0.5)
    of = {"x": "x", "y": "y", "z": "z", "x and z": ["x", "z"]}
    found = decisions.value_of_information(data, None, table, of=of, evidence={"look": noisy}, seed=1)
    assert found.evpi.item() >= 0
    assert (found.evppi >= 0).all()
    assert (found.evppi <= found.evpi).all()
    assert 0 <= found.evsi.item() <= found.evppi.sel(assumption="x").item()
    assert found.evppi.sel(assumption="x and z").item() >= found.evppi.sel(assumption=["x", "z"]).max().item()
    regret = decisions.evaluate(data, None, table).regret.min().item()
    # The least regret is that of the action that these draws chose: too low by what the interval allows for.
    rounding = 1e-9 * float(abs(table).max())
    assert found.lower_evpi.item() - rounding <= regret <= found.upper_evpi.item() + rounding


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([0.01, 1.0, 1e6]), st.floats(-5, 5))
def test_value_scales_with_the_money_and_ignores_what_all_actions_share(seed, factor, shift):
    data = plain(8, 32, seed)
    table = xr.concat([data.x, data.y, 0 * data.x], dim="action")
    one = decisions.value_of_information(data, None, table)
    other = decisions.value_of_information(data, None, factor * (table + shift * data.z))
    np.testing.assert_allclose(other.evpi, factor * one.evpi, rtol=1e-6, atol=1e-9 * factor)
    np.testing.assert_allclose(other.evppi, factor * one.evppi, rtol=1e-6, atol=1e-9 * factor)


def test_value_does_not_hang_on_how_an_assumption_is_measured():
    data = plain(8, 64)
    table = xr.concat([data.x + data.y, 0 * data.x], dim="action")
    data["w"] = np.exp(3 * data.x).assign_attrs(role="assumption")
    found = decisions.value_of_information(data, None, table).evppi
    assert found.sel(assumption="w").item() == found.sel(assumption="x").item()


def test_what_does_not_vary_is_worth_nothing_and_what_decides_all(draws):
    found = decisions.value_of_information(draws, ORDERS, decisions.OrderCards())
    np.testing.assert_array_equal(found.evppi.sel(assumption="card_flops"), 0)
    np.testing.assert_array_equal(found.mcse_evppi.sel(assumption="card_flops"), 0)
    assert found.evppi.dims == ("scenario", "assumption")
    assert found.evppi.attrs["units"] == "CNY"
    assert (found.evppi.sel(assumption="token_price") > 0.1 * found.evpi).all()
    assert found.long_name.sel(assumption="utilization").item() == "Utilization of a card"


def test_scenarios_are_decided_one_by_one(draws):
    both = decisions.value_of_information(draws, ORDERS, decisions.OrderCards(), of="daily_tokens")
    alone = decisions.value_of_information(
        draws.sel(scenario="1000T"), ORDERS, decisions.OrderCards(), of="daily_tokens"
    )
    np.testing.assert_allclose(both.evppi.sel(scenario="1000T"), alone.evppi)


def test_an_assumption_over_years_is_known_for_all_of_them():
    data = plain(8, 128)
    data["yearly"] = xr.concat([data.x, data.y], dim="year").assign_attrs(role="assumption").assign_coords(year=[1, 2])
    table = xr.concat([data.x + data.y, 0 * data.x], dim="action")
    found = decisions.value_of_information(data, None, table, of=["yearly", ("x", "y"), "x"])
    of = found.evppi
    assert of.sel(assumption="yearly").item() == of.sel(assumption="x + y").item()
    assert of.sel(assumption="yearly").item() > 1.2 * of.sel(assumption="x").item()
    # A payoff with the same dim is a choice for each year.
    each = decisions.value_of_information(data, [0, 1], lambda d, a: d.yearly * a, of="yearly")
    assert each.evppi.dims == ("year", "assumption")
    np.testing.assert_allclose(each.evppi.squeeze(), each.evpi, rtol=0.02)


def test_better_evidence_is_worth_more_and_the_same_seed_the_same(draws):
    evidence = {str(count): decisions.Measurement("utilization", sd=0.1, count=count) for count in (1, 10, 1000)} | {
        "price list": decisions.Measurement("token_price", factor=1.2)
    }
    one, again = (
        decisions.value_of_information(
            draws.sel(scenario="100T"), ORDERS, decisions.OrderCards(), of="utilization", evidence=evidence, seed=5
        )
        for _ in range(2)
    )
    xr.testing.assert_identical(one, again)
    values = one.evsi.sel(evidence=["1", "10", "1000"]).values
    assert all(low < high for low, high in itertools.pairwise(values))
    assert values[-1] <= one.evppi.item()
    assert values[-1] > 0.8 * one.evppi.item()
    fewer = decisions.value_of_information(
        draws.sel(scenario="100T"),
        ORDERS,
        decisions.OrderCards(),
        of="utilization",
        evidence={"10": evidence["10"]},
        seed=5,
    )
    assert fewer.evsi.item() == values[1]


def test_evidence_of_several_summaries_tells_more_than_of_one(draws):
    one = draws.sel(scenario="100T")

    def audit(draws, generator):
        noise = np.exp(0.1 * generator.standard_normal(draws.utilization.shape))
        return xr.Dataset({"used": draws.utilization * noise, "price": draws.token_price * noise})

    found = decisions.value_of_information(
        one,
        ORDERS,
        decisions.OrderCards(),
        of="token_price",
        seed=2,
        evidence={"audit": audit, "list": decisions.Measurement("token_price", sd=0.1, unit="CNY/Mtoken")},
    )
    assert found.evsi.sel(evidence="audit").item() > found.evsi.sel(evidence="list").item() > 0


def test_draws_of_a_chunked_run_are_worth_the_same():
    model = ds.load_study("guosen-2025-01-evidence")
    settings = {"draws": 256, "chains": 4, "seed": 3}
    held, lazy = model.simulate(**settings), model.simulate(**settings, chunks=128)
    one, other = (
        decisions.value_of_information(d, ORDERS, decisions.OrderCards(), of="utilization") for d in (held, lazy)
    )
    xr.testing.assert_allclose(one, other)


# Parts that it is made of


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40))
def test_normal_ranks_are_ordered_like_the_values_and_equal_where_these_are(values):
    array = np.array(values, dtype=float)
    scores = normal_ranks(array)
    assert np.isfinite(scores).all()
    for (a, x), (b, y) in itertools.combinations(zip(array, scores, strict=True), 2):
        assert (a < b) == (x < y)
        assert (a == b) == (x == y)


@given(st.integers(1, 9), st.integers(4, 40), st.booleans(), st.data())
def test_folds_hold_every_draw_once(chains, length, independent, data):
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=chains * length, max_size=chains * length)))
    kept[0] = True
    folds = folds_of(chains, length, kept, independent=independent)
    assert folds.sizes.sum() == kept.sum()
    assert (folds.sizes > 0).all()
    assert sum(part.stop - part.start for part in folds.whole()) == kept.sum()
    values = np.random.default_rng(0).normal(size=int(kept.sum()))
    assert folds.sizes @ folds.means(values) == pytest.approx(values.sum())


# Mistakes


def refusals(draws):
    one = draws.sel(scenario="100T")
    order, voi = decisions.OrderCards(), decisions.value_of_information

    def evaluated(actions, payoff=order, **more):
        return lambda: decisions.evaluate(one, actions, payoff, **more)

    def broken(draws, action):
        return xr.where(draws.cards > 2e6, np.nan, draws.cards) * action

    table = one.cards * xr.DataArray([1.0, 2.0], dims="action")
    return [
        (evaluated([]), DemandsimError, "actions is empty"),
        (evaluated(None), DemandsimError, "name the actions"),
        (evaluated([1, 2, 2]), DemandsimError, "action 2 is named twice"),
        (evaluated([1.0, np.nan]), DemandsimError, "NaN or infinity"),
        (evaluated([[1, 2], [3, 4]]), DemandsimError, "numbers or texts in a row"),
        (evaluated(xr.DataArray([[1.0]], dims=("a", "b"))), DemandsimError, "must stand on one dim"),
        (evaluated(xr.DataArray([1.0], dims="draw")), DemandsimError, "cannot stand on the dim 'draw'"),
        (evaluated([1.0, 2.0], broken), InvalidDrawsError, r"NaN or infinite in .* for action 1.0 in chain \d, draw"),
        (evaluated([1.0], lambda d, a: np.zeros(3)), DemandsimError, "must be a DataArray .* not ndarray"),
        (evaluated([1.0], lambda d, a: d.cards.mean()), DemandsimError, "has lost the dims 'chain' and 'draw'"),
        (evaluated([1.0], lambda d, a: d.cards.mean("draw")), DemandsimError, "has no dim 'draw' of length 512"),
        (evaluated([1.0], lambda d, a: d.cards.astype(str)), DemandsimError, "not numbers"),
        (evaluated([1.0], lambda d, a: d.nothing), AttributeError, "nothing"),
        (evaluated([1.0], 5), DemandsimError, "payoff must be a function"),
        (evaluated([1.0, 2.0, 3.0], table), DemandsimError, "no dim 'action' with 3 actions"),
        (evaluated([1, 2], table.assign_coords(action=[3, 4])), DemandsimError, "are not those of the actions"),
        (evaluated([1.0], prob=90), DemandsimError, "prob must lie"),
        (evaluated([1.0], tail=0), DemandsimError, "tail must lie"),
        (evaluated([1.0], unit="yuans"), UnitError, "unknown unit"),
        (evaluated([1.0], on_invalid="drop"), UnknownNameError, "setting on_invalid"),
        (evaluated(["a"]), DemandsimError, "actions of this payoff are numbers"),
        (evaluated([-1.0]), DemandsimError, "none is negative"),
        (evaluated([1.0], decisions.OrderCards(demand="card")), UnknownNameError, "did you mean 'cards'"),
        (evaluated([1.0], decisions.OrderCards(demand="revenue")), UnitError, "cannot convert"),
        (evaluated([0.0], decisions.SetPrice(1.5)), DemandsimError, "above 0"),
        (evaluated(["lease"], decisions.BuyOrRent(rent=1.0)), UnknownNameError, "unknown action 'lease'"),
        (lambda: decisions.evaluate(one.mean("draw"), [1.0], order), DemandsimError, "dims 'chain' and 'draw'"),
        (lambda: voi(one, ORDERS, order, of="utilisation"), UnknownNameError, "did you mean 'utilization'"),
        (lambda: voi(one, ORDERS, order, of=[]), DemandsimError, "of= is empty"),
        (lambda: voi(one, ORDERS, order, of={"a": []}), DemandsimError, "group 'a' in of= is empty"),
        (lambda: voi(one.drop_attrs(), [1.0], lambda d, a: d.cards * a), DemandsimError, "name them with of="),
        (
            lambda: voi(one, ORDERS, order, evidence={"e": lambda d, g: d.cards.mean()}),
            DemandsimError,
            "summary 'summary' of evidence 'e' has lost the dims",
        ),
        (lambda: voi(one, ORDERS, order, evidence={"e": lambda d, g: 5}), DemandsimError, "must return a DataArray"),
        (
            lambda: voi(one, ORDERS, order, evidence={"e": decisions.Measurement("gross_margin", factor=2.0)}),
            DemandsimError,
            "not positive in every draw",
        ),
        (lambda: decisions.Measurement("x"), DemandsimError, "either sd= or factor="),
        (lambda: decisions.Measurement("x", sd=0), DemandsimError, "sd of a measurement of 'x' must be above 0"),
        (lambda: decisions.Measurement("x", factor=0.5), DemandsimError, "must be above 1"),
        (lambda: decisions.Measurement("x", sd=1, count=0), DemandsimError, "count must be a whole number"),
    ]


def test_mistakes_are_named(draws):
    for call, error, message in refusals(draws):
        with pytest.raises(error, match=message):
            call()


def test_an_assumption_that_is_no_number_cannot_be_known():
    data = plain()
    data.y.values[0, 0] = np.inf
    with pytest.raises(InvalidDrawsError, match="'y' holds NaN or infinity"):
        decisions.value_of_information(data, [0, 1], lambda d, a: d.x * a)
