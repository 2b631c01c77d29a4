"""Equations: plain functions that find each other by name, with dimensions that must agree."""

import copy
import inspect
import itertools
import pickle
import re

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations.inference import cards as shipped_cards
from demandsim.errors import CycleError, EquationError, MissingAssumptionError, StudyError, UnitError
from demandsim.graph.graph import Graph
from demandsim.studies.loading import model_from_toml

CARD_POWER = ds.constant(700, "W/card")


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    """Cards needed to serve the peak: compute over usable compute per card.

    Source: Guosen, January 2025,
    Fig. 27.

    More follows.
    """
    return peak_compute / (card_flops * utilization)


@ds.equation(unit="MW")
def power(cards, card_power=CARD_POWER):
    return cards * card_power


ASSUMED = {
    "peak_compute": ds.Assumption(dist.lognormal(500, 1200), unit="EFLOP/s"),
    "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
    "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1)),
}


def by_year(values, years=(2025, 2026, 2027)):
    return xr.DataArray(np.asarray(values, dtype=float), dims="year", coords={"year": list(years)})


def test_a_decorated_function_stays_a_plain_function():
    assert cards(1e18, 1e15, 0.5) == 2000.0
    assert cards(peak_compute=1e18, card_flops=1e15, utilization=np.array([0.5, 1.0])).tolist() == [2000.0, 1000.0]
    assert cards.__name__ == "cards"
    assert cards.__doc__.startswith("Cards needed")
    assert list(inspect.signature(cards).parameters) == ["peak_compute", "card_flops", "utilization"]


def test_label_and_source_come_from_the_docstring_unless_given():
    assert cards.long_name == "Cards needed to serve the peak"
    assert cards.source == "Guosen, January 2025, Fig. 27"
    assert power.long_name is None
    named = ds.equation(cards.function, unit="card", name="gpus", long_name="GPUs", source="me")
    assert (named.name, named.long_name, named.source) == ("gpus", "GPUs", "me")


def test_a_constant_is_a_float_in_base_units_that_a_model_may_replace():
    assert power(10.0) == 10.0 * 700
    model = ds.Model([cards, power], ASSUMED)
    point = model.point()
    assert point.power.item() == pytest.approx(point.cards.item() * 700 / 1e6)
    replaced = model.assume(card_power=ds.Assumption(1.4, unit="kW/card")).point()
    assert replaced.power.item() == pytest.approx(2 * point.power.item())
    assert "card_power = 700 W/card" in str(model.explain("power"))


def test_a_missing_quantity_names_the_equation_and_the_nearest():
    rest = {name: a for name, a in ASSUMED.items() if name != "utilization"}
    with pytest.raises(MissingAssumptionError, match=r"'cards' needs 'utilization'.*did you mean 'utilisation'"):
        ds.Model([cards], {**rest, "utilisation": 0.4})


def test_a_circle_is_shown_as_a_path():
    @ds.equation(unit="1")
    def a(c):
        return c

    @ds.equation(unit="1")
    def b(a):
        return a

    @ds.equation(unit="1")
    def c(b):
        return b

    with pytest.raises(CycleError) as caught:
        ds.Model([a, b, c], {})
    path = str(caught.value).rpartition(": ")[2].split(" -> ")
    assert path[0] == path[-1]
    assert sorted(path[1:]) == ["a", "b", "c"]
    # Each arrow goes from what is needed to what needs it, or the other way round, but all the same way.
    assert set(itertools.pairwise(path)) in (
        {("a", "b"), ("b", "c"), ("c", "a")},
        {("b", "a"), ("c", "b"), ("a", "c")},
    )


def test_a_quantity_has_one_origin():
    with pytest.raises(EquationError, match="two equations compute 'cards'"):
        ds.Model([cards, shipped_cards], ASSUMED)
    with pytest.raises(EquationError, match="'cards' is both an assumption and an equation"):
        ds.Model([cards], {**ASSUMED, "cards": 3})


def test_what_cannot_be_an_equation_says_why():
    with pytest.raises(
        EquationError, match="the default of 'price' has no unit; write price='3 UNIT', such as '1 byte'"
    ):
        ds.equation(lambda price=3: price, unit="1", name="cost")
    with pytest.raises(EquationError, match=r"'\*prices' must be a plain name"):
        ds.equation(lambda *prices: 0, unit="1", name="cost")
    with pytest.raises(EquationError, match="identifier"):
        ds.equation(lambda price: price, unit="1")
    with pytest.raises(EquationError, match="not an equation; decorate"):
        ds.Model([cards.function], ASSUMED)
    with pytest.raises(UnitError, match="unknown unit 'gpu'"):
        ds.Model([ds.equation(cards.function, unit="gpu")], ASSUMED)


def test_the_order_puts_inputs_first_whatever_order_is_given():
    for given in ([cards, power], [power, cards]):
        graph = Graph.of(given, ASSUMED)
        assert graph.order == ("cards", "power")
        assert graph.ancestors(["power"]) == {"power", "cards", "card_power", *ASSUMED}
        assert graph.ancestors(["utilization"]) == {"utilization"}


@pytest.mark.parametrize("made", [cards, power, shipped_cards], ids=lambda made: made.reference)
def test_equations_pickle_and_copy(made):
    cloudpickle = pytest.importorskip("cloudpickle")
    arguments = [2.0] * sum(name not in made.constants for name in made.inputs)
    for found in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), cloudpickle.loads(cloudpickle.dumps(made))):
        assert (found.name, found.unit, found.inputs, found.long_name) == (
            made.name,
            made.unit,
            made.inputs,
            made.long_name,
        )
        assert found(*arguments) == made(*arguments)


def test_an_equation_from_inside_a_function_travels_by_cloudpickle():
    cloudpickle = pytest.importorskip("cloudpickle")

    @ds.equation(unit="W")
    def heat(cards, card_power=CARD_POWER):
        return cards * card_power

    found = cloudpickle.loads(cloudpickle.dumps(heat))
    assert found(10.0) == heat(10.0)
    assert repr(found.constants["card_power"]) == "700 W/card"
    model = ds.Model([heat], {"cards": ds.Assumption(dist.normal(10, 20), unit="card")})
    again = cloudpickle.loads(cloudpickle.dumps(model))
    xr.testing.assert_identical(again.simulate(draws=64, seed=1), model.simulate(draws=64, seed=1))


@ds.equation(unit="GB")
def memory(parameters, width="2 byte/parameter"):
    """Bytes of the weights."""
    return parameters * width


def test_a_constant_of_an_equation_is_a_text_with_its_unit():
    assert memory(70e9) == memory(parameters=70e9) == 140e9
    assert memory(70e9, 1.0) == memory(70e9, width=1.0) == 70e9
    model = ds.Model([memory], {"parameters": ds.Assumption(70e9, "parameter")})
    assert model.point().memory == 140
    other = ds.Model([memory], {**model.assumptions, "width": ds.Assumption(1, "byte/parameter")})
    assert other.point().memory == 70
    held = memory.renamed("held", {"parameters": "experts", "width": "wide"})
    assert held(1e9) == 2e9
    assert ds.Model([held], {"experts": ds.Assumption(1e9, "parameter")}).point().held == 2
    with pytest.raises(EquationError, match="equation 'f': the default of 'x': unknown unit 'bite'"):
        ds.equation(lambda x="2 bite": x, unit="byte", name="f")
    text = model.to_toml()
    short = re.sub(r"\n\[formulas.memory.constants.width\]\nvalue = 2.0\nunit = .*\n", "", text)
    short = short.replace("[formulas.memory]", '[formulas.memory]\nconstants = { width = "2 byte/parameter" }')
    assert short != text
    assert model_from_toml(short).point().memory == 140
    with pytest.raises(
        StudyError, match=r"constants.width\]: expected a number and a unit, such as '2 byte/parameter'"
    ):
        model_from_toml(short.replace("2 byte/parameter", "2 bite"))
