"""Feedback: equations that need last year's values of each other, stepped together."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import CycleError, DimensionError, EquationError, MissingAssumptionError, StudyError
from demandsim.studies.loading import model_from_toml

sys.path.insert(0, str(Path(__file__).parent.parent / "workbook"))
YEARS = [2025, 2026, 2027, 2028]


@ds.recurrence(over="year", unit="card", start="opening_cards", bounds=(0, None))
def cards(previous_cards, bought, retired_share):
    """Cards at the end of the year."""
    return previous_cards * (1 - retired_share) + bought


@ds.equation(unit="card")
def bought(previous_cash, card_price, spent_share):
    return spent_share * previous_cash / card_price


@ds.equation(unit="CNY")
def earned(cards, margin):
    return cards * margin


@ds.recurrence(over="year", unit="yi*CNY", start=ds.constant(10, "yi*CNY"))
def cash(previous_cash, earned, bought, card_price):
    return previous_cash + earned - bought * card_price


@ds.equation(unit="CNY")
def saved(cash, previous_cash):
    return cash - previous_cash


FACTORIES = [saved, cash, earned, bought, cards]


def factories():
    margin = xr.DataArray([2e4, 2.5e4, 3e4, 2e4], dims="year", coords={"year": YEARS})
    return ds.Model(
        FACTORIES,
        {
            "opening_cards": ds.Assumption(dist.lognormal(5e3, 2e4), "card"),
            "retired_share": dist.uniform(0.1, 0.2),
            "card_price": ds.Assumption(dist.lognormal(1e5, 2e5), "CNY/card"),
            "spent_share": dist.uniform(0.3, 0.6),
            "margin": ds.Assumption(dist.lognormal(median=margin, factor=1.5), "CNY/card"),
        },
    )


def test_cash_buys_cards_and_cards_earn_cash():
    draws = factories().simulate(draws=64, chains=2, seed=1)
    owned, money = draws.opening_cards, xr.full_like(draws.opening_cards, 1e9)
    for year in YEARS:
        now, before = draws.sel(year=year), money
        purchases = now.spent_share * money / now.card_price
        owned = owned * (1 - now.retired_share) + purchases
        money = money + owned * now.margin - purchases * now.card_price
        np.testing.assert_allclose(now.bought, purchases, rtol=1e-13)
        np.testing.assert_allclose(now.cards, owned, rtol=1e-13)
        np.testing.assert_allclose(now.cash * 1e8, money, rtol=1e-12)
        np.testing.assert_allclose(now.saved, money - before, rtol=1e-9, atol=1)


@settings(max_examples=20)
@given(
    rates=st.lists(st.floats(-1.5, 1.5), min_size=9, max_size=9),
    start=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    steps=st.integers(1, 5),
)
def test_linear_feedback_is_a_power_of_its_matrix(rates, start, steps):
    matrix = np.reshape(rates, (3, 3))

    def made(row):
        def function(previous_a, previous_b, previous_c, drift):
            return matrix[row, 0] * previous_a + matrix[row, 1] * previous_b + matrix[row, 2] * previous_c + drift

        return ds.recurrence(function, over="year", unit="1", name="abc"[row])

    drift = xr.DataArray(np.zeros(steps), dims="year", coords={"year": range(steps)})
    assumptions = {f"initial_{name}": value for name, value in zip("abc", start, strict=True)} | {"drift": drift}
    point = ds.Model([made(row) for row in range(3)], assumptions).point()
    expected = np.linalg.matrix_power(matrix, steps) @ np.array(start)
    found = [point[name].values[-1] for name in "abc"]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_no_order_block_or_pickle_changes_a_bit():
    model = factories()
    draws = model.simulate(draws=64, chains=2, seed=1)
    again = ds.Model(FACTORIES[::-1], model.assumptions)
    assert again == model
    xr.testing.assert_equal(again.simulate(draws=64, chains=2, seed=1)[list(draws)], draws)
    chunked = model.simulate(draws=64, chains=2, seed=1, chunks=16).compute()
    assert all(np.array_equal(chunked[name], draws[name]) for name in draws)
    thawed = pickle.loads(pickle.dumps(model))
    assert thawed == model
    xr.testing.assert_equal(thawed.simulate(draws=64, chains=2, seed=1), draws)
    # What a changed model shares with the one before is not tried again.
    assert all(
        one.equation is other.equation
        for one, other in zip(model.assume(spent_share=0.5).program.steps, model.program.steps, strict=True)
    )


def test_a_dim_inside_the_loop_stays():
    @ds.recurrence(over="year", unit="1", start="opening")
    def stock(previous_stock, total, share):
        return previous_stock + share * total

    @ds.equation(unit="1")
    def total(previous_stock, growth):
        return (previous_stock * growth).sum("region")

    region = {"region": ["east", "west"]}
    growth = xr.DataArray([0.1, 0.2, 0.3], dims="year", coords={"year": YEARS[:3]})
    model = ds.Model(
        [stock, total],
        {
            "opening": xr.DataArray([1.0, 3.0], dims="region", coords=region),
            "share": xr.DataArray([0.25, 0.75], dims="region", coords=region),
            "growth": dist.constant(growth),
        },
    )
    stocks, found = np.array([1.0, 3.0]), model.point().stock.transpose("year", "region").values
    for place, rate in enumerate(growth.values):
        stocks = stocks + np.array([0.25, 0.75]) * rate * stocks.sum()
        np.testing.assert_allclose(found[place], stocks, rtol=1e-14)


def test_each_step_is_explained_with_last_years_number():
    said = str(factories().explain("saved"))
    assert "1. bought = spent_share * previous_cash / card_price" in said
    assert "2025: = [10,000 card] * (1 - [0.15]) + [3,181.98" in said
    assert "2026: = [11,681.98 card] * (1 - [0.15]) + [2,493.52" in said
    assert "initial_cash = 10 yi*CNY" in said


def test_units_of_the_label_before_are_those_of_the_quantity():
    wrong = ds.recurrence(
        lambda previous_cash, earned, cards: previous_cash + earned * cards, over="year", unit="CNY", name="cash"
    )
    assumptions = {**factories().assumptions, "initial_cash": ds.Assumption(1, "CNY")}
    with pytest.raises(DimensionError, match="equation 'cash' combines"):
        ds.Model([wrong, *FACTORIES[2:]], assumptions)
    with pytest.raises(
        DimensionError, match="recurrence 'cash' declares unit 'CNY' but starts from initial_cash in 'card'"
    ):
        ds.Model(
            [ds.recurrence(cash.function, over="year", unit="CNY"), *FACTORIES[2:]],
            {**factories().assumptions, "initial_cash": ds.Assumption(1, "card")},
        )


def test_a_result_outside_its_bounds_goes_no_further():
    @ds.recurrence(over="year", unit="1", bounds=(0, None))
    def level(previous_level, change):
        return previous_level + change

    change = xr.DataArray([1.0, -5.0, 10.0], dims="year", coords={"year": YEARS[:3]})
    model = ds.Model([level], {"initial_level": 1.0, "change": dist.constant(change)})
    draws = model.simulate(draws=2, chains=1, seed=1, on_invalid="keep")
    np.testing.assert_array_equal(draws.level.values.ravel()[:3], [2.0, np.nan, np.nan])


def test_errors_say_what_to_write():
    with pytest.raises(
        CycleError, match=r"circle; .* as previous_[ab], of a @ds.recurrence\(over='year', ...\): . -> "
    ):
        ds.Model(
            [
                ds.equation(lambda b: b, unit="1", name="a"),
                ds.equation(lambda a: a, unit="1", name="b"),
            ],
            {},
        )
    plain = ds.equation(cash.function, unit="yi*CNY")
    with pytest.raises(MissingAssumptionError, match=r"'previous_cash'.*make 'cash' a recurrence"):
        ds.Model([plain, *FACTORIES[2:]], factories().assumptions)
    start = ds.recurrence(cash.function, over="year", unit="CNY", start="opening_cahs")
    with pytest.raises(MissingAssumptionError, match="'cash' needs 'opening_cahs'"):
        ds.Model([start, *FACTORIES[2:]], factories().assumptions)
    same = ds.recurrence(lambda previous_a, b: previous_a + b, over="year", unit="1", name="a")
    other = ds.equation(lambda a, previous_a: a - previous_a, unit="1", name="b")
    with pytest.raises(CycleError, match=r"need each other at one label: .*previous_"):
        ds.Model([same, other], {"initial_a": 1.0})
    alone = ds.recurrence(lambda previous_a: 2 * previous_a, over="year", unit="1", name="a")
    with pytest.raises(EquationError, match=r"recurrence 'a' goes over 'year', and nothing .* has that dim"):
        ds.Model([alone], {"initial_a": 1.0})
    with pytest.raises(EquationError, match="start is the name of a quantity, or '5 CNY'"):
        ds.recurrence(cash.function, over="year", unit="CNY", start=5)
    with pytest.raises(EquationError, match="over is the name of a dim"):
        ds.recurrence(cash.function, over=["year"], unit="CNY")


def test_a_study_file_holds_it():
    model = factories()
    text = model.to_toml()
    assert 'over = "year"\nstart = "opening_cards"' in text
    again = model_from_toml(text)
    assert again.to_toml() == text
    xr.testing.assert_equal(again.simulate(draws=16, chains=2, seed=1), model.simulate(draws=16, chains=2, seed=1))
    with pytest.raises(StudyError, match=r"\[formulas.cards\]: .*key 'start' needs 'over'"):
        model_from_toml(text.replace('over = "year"\nstart = "opening_cards"', 'start = "opening_cards"'))


def test_a_workbook_computes_it_live(tmp_path):
    from workbooks import assert_computes, computed_by_formualizer

    model, path = factories(), tmp_path / "factories.xlsx"
    assert ds.write_workbook(model, path) == {}
    assert_computes(path, model, (computed_by_formualizer(path), 1e-12))
    xr.testing.assert_allclose(ds.read_workbook(path).point(), model.point(), rtol=1e-14)


def test_what_matters_is_found_through_the_loop():
    model = factories()
    rows = ds.sensitivity.tornado(model, of="cash")
    assert {"spent_share", "opening_cards", "retired_share", "card_price", "margin"} <= set(rows.assumption.values)
    assert model.assume(initial_cash=0).point().bought.values[0] == 0


def test_a_submodel_keeps_its_loop():
    model = ds.Model([], {}).with_submodel("maker", factories(), given={})
    np.testing.assert_allclose(model.point().maker_cash, factories().point().cash, rtol=1e-14)


@pytest.mark.parametrize("years", [[2027, 2025, 2026], np.array(["2027", "2025", "2026"], "datetime64[s]")])
def test_labels_in_no_order_are_not_stepped_through(years):
    @ds.recurrence(over="year", unit="1", start=ds.constant(1, "1"))
    def stock(previous_stock, added):
        return previous_stock + added

    @ds.equation(unit="1")
    def twice(added):
        return 2 * added

    def over(labels, equations=(stock,)):
        return ds.Model(equations, {"added": xr.DataArray([1.0, 2.0, 3.0], dims="year", coords={"year": labels})})

    with pytest.raises(ds.DemandsimError, match=r"'year' has its labels in no order \(2027.*sort them"):
        over(years)
    assert over(sorted(years, reverse=True)).point().stock.values.tolist() == [2, 4, 7]
    # Whose turn it is by name is for the names to say; what takes no step asks for no order.
    assert over(["seed", "B", "A"]).point().stock.values.tolist() == [2, 4, 7]
    assert over(years, [twice]).point().twice.values.tolist() == [2, 4, 6]


def test_more_labels_than_can_be_stepped_through_are_refused_with_their_number(monkeypatch):
    longest = []

    @ds.recurrence(over="day", unit="1", start=ds.constant(1, "1"))
    def stock(previous_stock, added):
        if hasattr(getattr(previous_stock, "data", None), "dimensionality"):
            longest.append(len(str(np.zeros(100))))
        return 0.5 * previous_stock + added

    def daily(days):
        return ds.Model([stock], {"added": xr.DataArray(np.arange(days), dims="day", coords={"day": range(days)})})

    daily(30)
    # At every step an error of pint holds a whole array as text: its time would grow with the square of the labels.
    assert len(longest) >= 30
    assert max(longest) < 20
    monkeypatch.setattr("demandsim.graph.loop._MOST_STEPS", 30)
    with pytest.raises(EquationError, match="'stock' would step through 31 labels of 'day'; at most 30"):
        daily(31)
