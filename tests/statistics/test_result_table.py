"""Tables of every result: what stands in a cell is what the result says, in units that read well."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.errors import DemandsimError

STUDY = ds.load_study("guosen-2025-01")
ONE = STUDY.select(scenario="100T")
PAYOFF = ds.decisions.OrderCards("cards", "card_price", 3e5)


@pytest.fixture(scope="module")
def draws():
    return ONE.simulate(draws=256, chains=4, seed=1)


def test_a_tornado_shows_settings_and_results_of_both_ends_the_widest_first():
    found = ds.sensitivity.tornado(STUDY, of=["cards", "revenue"])
    table = ds.table(found)
    row = table.frame.loc[("cards", "100T", "activated_parameters")]
    assert (row["low"], row["at low"], row["at high"], row["unit"]) == (
        "36.67 bn parameter",
        "28.59",
        "257.3",
        "10,000 cards",
    )
    exact = found.cards.sel(scenario="100T", assumption="activated_parameters", end="low").item()
    assert table.to_frame().loc[("cards", "100T", "activated_parameters"), "at low"] == exact
    rows = table.to_frame().reset_index()
    mine = rows[(rows["quantity"] == "cards") & (rows["scenario"] == "100T")]
    assert list(mine["swing"].abs()) == sorted(mine["swing"].abs(), reverse=True)
    # What does not move a quantity has no row, and what all stand at is said once.
    assert "token_price" not in set(mine["assumption"])
    assert "cards with all assumptions at their point: 100T: 85.78 x 10,000 cards" in str(table)


def test_indices_come_with_their_intervals_and_pairs_once():
    found = ds.sensitivity.sobol(ONE, of="cards", draws=256, seed=1, second_order=True)
    table = ds.table(found)
    assert list(table.frame.columns) == ["first order", "total order"]
    assert table.frame.iloc[0]["first order"].startswith("0.4817 (0.482 to 0.482)")
    assert "second_order" in table.notes[-1]
    rest = eval(table.notes[-1].partition("ds.table(result")[2].removesuffix(")"), {}, {})
    pairs = ds.table(found[rest[0]]).frame.index
    assert len(pairs) == len({frozenset(pair[2:]) for pair in pairs}) == 10
    effects = ds.table(ds.sensitivity.shapley(ONE, of="cards", draws=256, seed=1)).to_frame()
    assert effects["effect"].sum() == pytest.approx(1, abs=1e-3)


def test_a_decision_shows_what_each_action_pays_and_which_is_best(draws):
    found = ds.decisions.evaluate(draws, [0, 2e5, 4e5], PAYOFF)
    table = ds.table(found)
    assert table.frame.loc[("100T", "400000"), "unit"] == "bn CNY"
    mean = float(table.frame.loc[("100T", "400000"), "mean"].split(" ± ")[0])
    assert mean == pytest.approx(found["mean"].sel(action=4e5).item() / 1e9, rel=5e-4)
    assert "best: 400,000" in table.notes
    assert table.to_frame().loc[("100T", "400000"), "sd mcse"] == found.mcse_sd.sel(action=4e5).item()
    worth = ds.table(ds.decisions.value_of_information(draws, [0, 2e5, 4e5], PAYOFF, seed=1))
    assert worth.frame.index[0][-1] == "activated_parameters"
    assert any(note.startswith("evpi: ") for note in worth.notes)


def test_other_results_are_tables_too(draws):
    bridge = ds.table(ds.sensitivity.bridge(ONE, ONE.assume(utilization=0.2), of=["cards", "capex"]))
    assert list(bridge.frame["unit"]) == ["10,000 cards", "bn CNY"]
    assert any("85.78 x 10,000 cards" in note for note in bridge.notes)
    chance = ds.table(ds.probability(draws.gross_margin > 0))
    assert "±" in chance.frame.iloc[0]["probability"]
    scores = ds.table(ds.forecasting.score(draws, {"cards": 9e5}))
    assert scores.frame.iloc[0]["unit"] == "10,000 cards"
    assert scores.to_frame().iloc[0]["pit"] == pytest.approx(0.5, abs=0.1)
    told = ds.table(ds.sensitivity.given_data(draws, of="cards", seed=1)).frame
    assert list(told.columns) == ["first order", "pawn", "delta"]
    left = draws.where(draws.cards < draws.cards.max())
    assert ds.table(ds.summarize(left)).to_frame()["left out"].max() == 1


def test_the_table_of_a_posterior_is_that_of_its_evidence():
    posterior = ONE.observe(capex="normal(mean=80e9, sd=15e9)").infer(draws=256, seed=1)
    table = ds.table(posterior)
    row = table.to_frame().loc[("capex", "100T")]
    assert row["observed"] == pytest.approx(80e9)
    assert row["posterior P50"] == pytest.approx(posterior.capex.median().item())
    assert table.frame.loc[("capex", "100T"), "observed"] == "80.00"
    assert "k-hat" in str(table)
    assert str(table).splitlines()[-1].startswith("changed from guosen-2025-01: evidence on capex")


def test_numbers_of_a_summary_are_those_of_the_summary(draws):
    summary = ds.summarize(draws, probs=[0.99])
    frame = ds.table(summary, ONE.point()).to_frame()
    row = frame.loc[("cards", "100T")]
    assert row["P99"] == summary.cards.sel(statistic="p99").item()
    assert row["MCSE of P5"] == summary.cards.sel(statistic="mcse_lower").item()
    assert row["unit"] == "card"


def test_what_is_no_result_says_what_to_give():
    with pytest.raises(DemandsimError, match="not of a DataArray"):
        ds.table(xr.DataArray([1.0]))
    with pytest.raises(DemandsimError, match="nothing in it"):
        ds.table(xr.Dataset())
    assert ds.table(xr.Dataset({"x": ("k", [np.nan, 2.0])}, {"k": ["a", "b"]})).frame.index.tolist() == ["b"]


def test_a_quantity_has_one_unit_in_all_rows():
    # Thousands in one scenario, billions in the other, and years between them.
    @ds.equation(unit="CNY/year")
    def revenue(price, sold):
        return price * sold

    sold = xr.DataArray([10.0, 1e4], dims="year", coords={"year": [2025, 2030]})
    model = ds.Model(
        [revenue],
        {"price": ds.Assumption("lognormal(900, 1100)", "CNY/card"), "sold": ds.Assumption(sold, "card/year")},
    ).with_scenarios({"small": {}, "large": {"price": "lognormal(9e8, 11e8)"}})
    summary = ds.summarize(model.simulate(draws=64, chains=2, seed=1))
    frame = ds.table(summary, model.point()).frame
    assert set(frame.loc["revenue"]["unit"]) == {"bn CNY/year"}
    assert set(frame.loc["price"]["unit"]) == {"bn CNY/card"}
    assert frame.loc[("revenue", "small", "2025"), "point"] == "9.950e-06"
    assert frame.loc[("revenue", "large", "2030"), "point"] == "9,950"
