"""Draws of others: a table, a mapping or a Dataset is used like the draws of a simulation."""

from decimal import Decimal
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import demandsim as ds

RNG = np.random.default_rng(3)
PRICE, SHARE = RNG.lognormal(sigma=0.5, size=4000), RNG.uniform(size=4000)
COLUMNS = {"chain": np.repeat([1, 2, 3, 4], 1000), "price": PRICE, "share": SHARE, "revenue": 10 * PRICE * SHARE}
RECORDS = np.rec.fromarrays(list(COLUMNS.values()), names=list(COLUMNS))
BY_CHAIN = xr.Dataset({n: (("chain", "draw"), np.reshape(v, (4, 1000))) for n, v in COLUMNS.items() if n != "chain"})
TABLES = {
    "mapping": COLUMNS,
    "frame": pd.DataFrame(COLUMNS),
    "shuffled frame": pd.DataFrame(COLUMNS).assign(draw=np.tile(np.arange(1000), 4)).sample(frac=1, random_state=1),
    "structured": RECORDS,
    "Dataset": BY_CHAIN,
    "its frame": BY_CHAIN.assign_coords(chain=[1, 2, 3, 4], draw=range(1000)).to_dataframe(),
}


@pytest.fixture(params=TABLES.values(), ids=TABLES)
def draws(request):
    return ds.import_draws(request.param, assumptions=["price", "share"], units={"revenue": "CNY"})


def test_a_table_of_draws_is_used_like_a_simulation(draws):
    assert draws.revenue.dims == ("chain", "draw")
    assert draws.sizes == {"chain": 4, "draw": 1000}
    summary = ds.summarize(draws)
    assert summary.revenue.sel(statistic="mean").item() == pytest.approx(COLUMNS["revenue"].mean())
    assert summary.revenue.sel(statistic="mcse_mean") > 0
    assert "CNY" in str(ds.table(summary))
    share = (COLUMNS["revenue"] > 5).mean()
    assert ds.probability(draws.revenue > 5).probability.item() == pytest.approx(share)
    assert ds.probability("revenue > 5 and share < 2", draws).probability.item() == pytest.approx(share)
    indices = ds.sensitivity.given_data(draws, of="revenue")
    assert indices.assumption.values.tolist() == ["price", "share"]
    assert float(indices.first_order.sum()) > 0.5
    paid = ds.decisions.evaluate(draws, [1.0, 2.0], lambda d, action: action * (d.revenue - 5))
    assert float(paid.best) == 2.0
    worth = ds.decisions.value_of_information(draws, [0.0, 1.0], lambda d, action: action * (d.revenue - 10))
    assert worth.assumption.values.tolist() == ["price", "share"]
    tree = ds.to_datatree(draws)
    assert {name: list(node.data_vars) for name, node in tree.children.items()} == {
        "prior": ["price", "share"],
        "prior_predictive": ["revenue"],
    }


def test_rows_are_put_in_their_order_where_it_is_said():
    found = ds.import_draws(TABLES["shuffled frame"])
    np.testing.assert_array_equal(found.price.values.ravel(), PRICE)


def test_pictures_take_draws_of_others():
    ds.plots.distributions(ds.import_draws(COLUMNS, units={"revenue": "CNY"}), of="revenue")
    plt.close("all")


def test_one_chain_has_an_error_only_if_its_draws_are_independent():
    own = {"price": PRICE}
    found = ds.summarize(ds.import_draws(own, independent=True)).price
    assert float(found.sel(statistic="mcse_mean")) == pytest.approx(PRICE.std() / 4000**0.5, rel=1e-3)
    with pytest.warns(UserWarning, match="one chain"):
        assert np.isnan(ds.summarize(ds.import_draws(own)).price.sel(statistic="mcse_mean"))


def test_nothing_is_dropped_from_a_tree():
    bare = BY_CHAIN.drop_vars("share")
    assert list(ds.to_datatree(bare)["prior"].data_vars) == ["price", "revenue"]
    assert list(ds.to_datatree(bare, group="posterior")["posterior"].data_vars) == ["price", "revenue"]
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    simulated = model.simulate(draws=64, seed=1)
    more = simulated.assign(per_card=simulated.revenue / simulated.cards)
    assert "per_card" in ds.to_datatree(more)["prior_predictive"].data_vars
    whole = {name for node in ds.to_datatree(more).children.values() for name in node.data_vars}
    assert whole == set(more.data_vars)


def test_what_draws_of_others_lack_is_said():
    imported = ds.import_draws(COLUMNS)
    with pytest.raises(ds.DemandsimError, match=r"which of their quantities are assumptions.*import_draws"):
        ds.sensitivity.given_data(imported, of="revenue")
    with pytest.raises(ds.DemandsimError, match=r"name them with of="):
        ds.decisions.value_of_information(imported, [0.0, 1.0], lambda d, action: action * d.revenue)
    with pytest.raises(ds.DemandsimError, match="carry no receipt"):
        ds.receipt(imported)
    with pytest.raises(ds.DemandsimError, match="no dim 'chain'"):
        ds.to_datatree(xr.Dataset({"x": ("draw", [1.0, 2.0])}))
    for table in (pd.DataFrame(COLUMNS), PRICE):
        with pytest.raises(ds.DemandsimError, match=r"not a (DataFrame|ndarray).*import_draws"):
            ds.summarize(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"x": ["a", "b"]}, "column 'x' holds no numbers"),
        ({"x": np.array(["1", "2"], dtype=object)}, "column 'x' holds no numbers"),
        ({"x": pd.date_range("2025", periods=2)}, "column 'x' holds no numbers"),
        ({"x": [1 + 2j, 3]}, "column 'x' holds no numbers"),
        ({"x": [[1, 2], [3, 4]]}, "column 'x' has 2 dims"),
        ({"x": [1, 2], "y": [1]}, "'x' has 2 draws, 'y' has 1"),
        ({"x": []}, "no row"),
        ({"chain": [1]}, "no column"),
        ({"x": [1, 2, 3], "chain": [1, 1, 2]}, "from 1 to 2 draws"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "two columns 'x'"),
        ({1: [1, 2], "1": [3, 4]}, "two columns '1'"),
        (xr.Dataset({name: (("chain", "draw"), [[1.0]]) for name in (1, "1")}), "two columns '1'"),
        ({"x": [10**400, 1]}, "column 'x' holds no numbers"),
        ({"x": [Fraction(10**400, 3), 1]}, "column 'x' holds no numbers"),
        ({"x": [Decimal("sNaN"), 1]}, "column 'x' holds no numbers"),
        ({"x": [b"3", None]}, "column 'x' holds no numbers"),
        ({"x": np.ma.array(["1", "2"])}, "column 'x' holds no numbers"),
        ({"x": [[1, 2], [3]]}, "column 'x' holds no numbers"),
        ({"x": [1, 2], "statistic": [1, 2]}, "cannot be called 'statistic'"),
        (xr.Dataset({"statistic": (("chain", "draw"), [[1.0]])}), "cannot be called 'statistic'"),
        ({"x": [1, 2], "chain": np.array(["a", 1], dtype=object)}, "column 'chain' mixes numbers"),
        ({"x": [1, 2], "chain": [None, 1]}, "column 'chain' mixes numbers"),
        ({"x": [1, 2], "chain": [np.nan, np.nan]}, "column 'chain' has a gap"),
        ({"x": [1, 2], "draw": [[1, 2], [3]]}, "column 'draw' mixes numbers"),
        ({"x": [1, 2], "draw": [0, np.nan]}, "column 'draw' has a gap"),
        ({"x": [1, 2], "draw": [10**400, np.float64(1)]}, "column 'draw' mixes numbers"),
        ([1.0, 2.0], r"not from list.*import_draws\({'cost': values}\)"),
        (xr.Dataset({"x": ("sample", [1.0])}), "no dim 'chain'; rename its own"),
        (xr.Dataset({"x": (("chain", "draw"), [["a"]])}), "variable 'x' holds no numbers"),
    ],
)
def test_a_bad_table_is_refused(table, words):
    with pytest.raises(ds.DemandsimError, match=words):
        ds.import_draws(table)


def test_names_and_units_are_checked():
    with pytest.raises(ds.DemandsimError, match="cannot be called 'chain'"):
        ds.import_draws({"x": [1, 2], "chain": [1, 2], "own": [0, 1]}, chain="own")
    assert list(ds.import_draws(xr.Dataset({7: (("chain", "draw"), [[1.0]])}))) == ["7"]
    with pytest.raises(ds.DemandsimError, match=r"assumptions: 'pric'; did you mean 'price'"):
        ds.import_draws(COLUMNS, assumptions=["pric"])
    with pytest.raises(ds.DemandsimError, match="unknown unit"):
        ds.import_draws(COLUMNS, units={"price": "furlongz"})


def test_gaps_are_counted_and_left_out():
    found = ds.summarize(ds.import_draws({"x": [1.0, None, 3.0, 2.0]}, independent=True)).x
    assert float(found.sel(statistic="n_invalid")) == 1
    assert float(found.sel(statistic="mean")) == 2


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_an_event_leaves_out_draws_that_are_no_numbers(gap):
    """NaN is above nothing: such draws were counted as ones in which the event did not happen."""
    table = {"x": [1.0, -2.0, 3.0, gap] * 64, "y": [1.0, 2.0, -3.0, -4.0] * 64}
    draws = ds.import_draws(table, independent=True)
    found = ds.probability(draws.x > 0)
    assert found.probability == pytest.approx(2 / 3)
    assert found.n_invalid == 64
    whole = ds.probability(draws.y > 0)
    assert whole.probability == 0.5
    assert "n_invalid" not in whole
    assert ds.probability(draws.x + draws.y > 0).n_invalid == 64
    held = xr.Dataset({name: (("chain", "draw"), np.reshape(column, (8, 32))) for name, column in table.items()})
    assert ds.probability(ds.import_draws(held).x > 0).probability == pytest.approx(2 / 3)
