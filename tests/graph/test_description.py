"""A model at a glance: what it says of every part, and what it finds odd."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.graph.description import Description

YEARS = xr.DataArray([1.0, 2.0], dims="year", coords={"year": [2025, 2026]})


@ds.equation(unit="card", bounds=(0, None))
def cards(load, card_speed):
    return load / card_speed


@ds.equation(unit="CNY")
def capex(cards, card_price):
    return cards * card_price


@pytest.fixture(scope="module")
def model():
    made = ds.Model(
        [capex, cards],
        {
            "load": ds.Assumption(dist.lognormal(5e4 * YEARS, 2e5 * YEARS), "token/s", source="our own count"),
            "card_speed": ds.Assumption(
                dist.lognormal(1, 5000), "token/s/card", point=9e4, long_name="Speed of a card"
            ),
            "card_price": ds.Assumption(150_000, "CNY/card", source="a list"),
        },
        name="fleet",
    )
    made = made.correlate({("load", "card_speed"): 0.3}).observe(capex=dist.normal(mean=1e9 * YEARS, sd=1e8))
    return made.with_scenarios({"base": {}, "again": {}, "slow": {"card_speed": 50}})


def test_all_parts_are_said_within_80_columns(model):
    said = str(model.describe())
    assert max(map(len, said.splitlines())) <= 80
    plain = " ".join(said.split())
    for words in (
        "3 assumptions, 2 of them uncertain",
        "card_speed: lognormal(1, 5000, prob=0.9) token/s/card Speed of a card; point 90,000",
        "median 70.71, 90% 1 to 5,000 token/s/card",
        "2025: median 100, 90% 50 to 200; 2026: median 200, 90% 100 to 400 thousand token/s",
        "source: our own count",
        "rank correlation of load and card_speed: 0.3",
        "scenario slow: card_speed = 50",
        "1 cards = load / card_speed [card] (at least 0)",
        "2 capex = cards * card_price [CNY]",
        "results, from which nothing else is computed - capex",
        "evidence - capex",
    ):
        assert words in plain, words
    assert said.index("  1  cards") < said.index("  2  capex")


def test_what_looks_odd_is_named(model):
    odd = str(model.describe()).partition("what looks odd\n")[2]
    assert [line.strip(" -") for line in odd.splitlines()] == [
        "card_speed: the point lies outside the central 98% of its distribution",
        "card_speed: the central 90% spans more than a factor of 1,000",
        "1 of 3 assumptions name no source: card_speed",
        "scenario: base and again are the same",
    ]
    with pytest.warns(UserWarning, match="no equation asks for 'spare'"):
        sure = ds.Model([cards], {"load": 1.0, "card_speed": ds.Assumption(1, "1/card"), "spare": 2.0})
    odd = str(sure.describe())
    assert "no equation asks for spare" in odd
    assert "nothing is uncertain" in odd
    assert "what looks odd" not in str(ds.load_study("guosen-2025-01").describe())


def test_a_table_and_a_notebook_say_the_same(model):
    found = model.describe()
    frame = found.to_frame()
    assert frame.loc["capex", "layer"] == 2
    assert frame.loc["cards", "layer"] == 1
    assert set(frame.loc["load", "layer"]) == {0}
    assert frame.loc["card_speed", "P95"] == pytest.approx(5000)
    shown = found._repr_html_()
    assert shown == model._repr_html_()
    for words in ('<td style="text-align:left">2</td>', "what looks odd", "base and again are the same"):
        assert words in shown
    assert isinstance(found, Description)
    with pytest.raises(AttributeError):
        found.changed = "something"


def test_feedback_has_layers_and_results():
    @ds.recurrence(over="year", unit="CNY", start="100 CNY")
    def cash(previous_cash, profit):
        return previous_cash + profit

    @ds.equation(unit="CNY")
    def profit(previous_cash, margin):
        return margin * previous_cash

    found = ds.Model([cash, profit], {"margin": dist.normal(mean=YEARS, sd=1)}).describe()
    assert found.results == ["cash"] or found.results == []
    assert "cash = previous_cash + profit" in str(found)


def test_show_prints_the_description(capsys):
    from demandsim.cli import app
    from demandsim.locale.words import words_of

    app(["show", "guosen-2025-01"], standalone_mode=False)
    found = ds.load_study("guosen-2025-01").describe()
    assert capsys.readouterr().out == "\n".join(found.lines(words_of("en", "terminal"))) + "\n"
    assert np.all(found.to_frame().layer >= 0)
