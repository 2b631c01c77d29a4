"""Quantities of our own: what they accept pint accepts, and what they refuse pint is asked."""

import itertools

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.equations import shipped
from demandsim.errors import DimensionError
from demandsim.graph import unit_check
from demandsim.graph.graph import Graph
from demandsim.units.convert import dimension_of, parsed
from demandsim.units.quantity import Quantity, UnknownRuleError
from demandsim.units.registry import registry

UNITS = ("1", "card", "token/s", "FLOP/s/card", "CNY", "second", "CNY/token")


def accepts(check, made, units, points):
    """Whether a check lets an equation pass whose inputs have some units."""
    try:
        check(made, {name: unit_check._measured(points[name], dimension_of(unit)) for name, unit in units.items()})
    except (DimensionError, ds.DemandsimError):
        return False
    return True


def quickly(made, measured):
    if unit_check._quickly(made, measured) is None:
        raise DimensionError("refused")


def by_pint(made, measured):
    unit_check._run(made, unit_check._inputs(made, {n: unit_check._told(v, unit_of[n]) for n, v in measured.items()}))


unit_of = {}


def points_of(model):
    """What an equation of a model is computed from: units and points in base units."""
    found = model.point()
    units = dict(model.declared_units)
    return units, {
        name: found[name] * float(registry().Quantity(1.0, parsed(units[name])).to_base_units().magnitude)
        for name in units
    }


@pytest.mark.parametrize("study", ["guosen-2025-01", "deepseek-2025-02", "doubao-2025-2030"])
def test_no_planted_mistake_passes_that_pint_would_tell(study):
    model = ds.load_study(study)
    units, points = points_of(model)
    accepted = tried = 0
    for made, (place, wrong) in itertools.product(model.equations.values(), enumerate(UNITS)):
        own = [name for name in made.inputs if name in units]
        if not own:
            continue
        slip = {name: units[name] for name in own} | {own[place % len(own)]: wrong}
        tried += 1
        if accepts(quickly, made, slip, points):
            accepted += 1
            unit_of.clear()
            unit_of.update(slip)
            assert accepts(by_pint, made, slip, points), (made, slip)
    assert tried >= 60
    # Most are no accident of a unit that fits.
    assert accepted < tried / 4


def odd_functions():
    """Functions of a length-like x and a time-like y that are right, wrong, or right by accident."""
    return [
        lambda x, y: x / y,
        lambda x, y: x + y,
        lambda x, y: x - 0,
        lambda x, y: x + 1,
        lambda x, y: np.maximum(x, 0) / y,
        lambda x, y: np.maximum(x, 1) / y,
        lambda x, y: np.where(x > 0, x, 0.0),
        lambda x, y: np.where(x > y, x, y),
        lambda x, y: x**2,
        lambda x, y: 2**x,
        lambda x, y: x**y,
        lambda x, y: np.exp(x / x),
        lambda x, y: np.exp(x),
        lambda x, y: np.sqrt(x * x),
        lambda x, y: (x * y) ** 0.5,
        lambda x, y: x * (x > 0),
        lambda x, y: x == x,
        lambda x, y: np.floor(x),
        lambda x, y: np.log(x / y),
        lambda x, y: abs(-x),
        lambda x, y: np.clip(x, 0, None),
        lambda x, y: x * xr.DataArray([1.0, 2.0], dims=["kind"]),
        lambda x, y: x // y,
        lambda x, y: x % y,
        lambda x, y: np.hypot(x, x),
        lambda x, y: sum([x, x]),
        lambda x, y: float(x),
        lambda x, y: np.arctan2(x, x),
        lambda x, y: np.add.reduce(x),
        lambda x, y: 1.0,
        lambda x, y: x.magnitude,
        lambda x, y: np.asarray(x),
    ]


DECLARED = ("card", "second", "card/second", "1", "card*second", "card^2")


@pytest.mark.parametrize("function", odd_functions(), ids=range(len(odd_functions())))
def test_what_is_accepted_quickly_pint_accepts(function):
    for declared, other in itertools.product(DECLARED, ("card", "second")):
        made = ds.equation(function, unit=declared, name="made")
        units, points = {"x": "card", "y": other}, {"x": 3.0, "y": 2.0}
        if accepts(quickly, made, units, points):
            unit_of.clear()
            unit_of.update(units)
            assert accepts(by_pint, made, units, points), (declared, other)


def test_common_arithmetic_needs_no_pint(monkeypatch):
    monkeypatch.setattr(unit_check, "_by_pint", lambda graph, made, inputs: pytest.fail(f"pint was asked of {made}"))
    graph = ds.load_study("guosen-2025-01").graph
    model = ds.load_study("guosen-2025-01")
    points = {n: float(a.point) for n, a in model.assumptions.items()}
    unit_check.check_units(graph, points, {n: a.unit for n, a in model.assumptions.items()})


def test_most_shipped_equations_need_no_pint():
    asked = []
    plain = unit_check._by_pint
    unit_check._by_pint = lambda graph, made, inputs: asked.append(made.name) or plain(graph, made, inputs)
    try:
        models = [ds.load_study(name) for name in ds.list_studies()]
    finally:
        unit_check._by_pint = plain
    assert len(asked) <= 0.2 * sum(len(model.equations) for model in models)
    assert shipped()


def test_a_quantity_never_passes_for_a_number():
    made = Quantity([1.0, 2.0], dimension_of("card"))
    for ask in (np.asarray, float, bool, np.prod, lambda x: np.add(x, 1, out=np.zeros(2)), lambda x: np.std(x)):
        with pytest.raises((UnknownRuleError, TypeError)):
            ask(made)


def test_exponents_that_cancel_leave_nothing():
    card, second = (Quantity([2.0], dimension_of(unit)) for unit in ("card", "second"))
    assert ((card / second) * second / card).dimension == ()
    assert (card**2 / card).dimension == card.dimension
    assert np.sqrt(card * card).dimension == card.dimension


def test_a_graph_is_checked_in_the_order_of_its_equations():
    one = ds.equation(lambda x: x * x, unit="card^2", name="one")
    other = ds.equation(lambda one, x: one + x, unit="card", name="other")
    with pytest.raises(DimensionError, match=r"'other' combines"):
        unit_check.check_units(Graph.of([one, other], ["x"]), {"x": 2.0}, {"x": "card"})
