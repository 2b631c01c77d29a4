"""Chance: RAND and the distributions of @RISK in formulas, as draws."""

from __future__ import annotations

from typing import Any

from demandsim.workbook.calc.draws import is_drawn
from demandsim.workbook.calc.functions import FUNCTIONS
from demandsim.workbook.calc.names import stands_for
from demandsim.workbook.calc.nodes import Call, Node, Operand
from demandsim.workbook.calc.operators import OPERATORS
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.risk import LAWS, PROPERTIES, Property, drawn
from demandsim.workbook.calc.state import Code, FrozenError, Scope, State
from demandsim.workbook.calc.values import UnsupportedError

__all__ = ["VOLATILE", "risk", "volatile"]

#: What functions ask for that is another at each recalculation.
VOLATILE = {"NOW": "the clock", "TODAY": "the clock", "RAND": "chance", "RANDBETWEEN": "chance", "RANDARRAY": "chance"}
_CHANCE = ("RAND", "RANDBETWEEN")


def volatile(scope: Scope, node: Call) -> Code:
    """A function of the clock or of chance: frozen, or a draw."""
    if not scope.chance or node.name not in _CHANCE:
        raise FrozenError(f"{node.name} asks for {VOLATILE[node.name]}")
    key = ("chance", scope.home, len(scope.drawn))
    scope.drawn.append(key)
    if node.name == "RAND":
        return lambda state: state.values[key]
    low, high = (scope.value(part, False) for part in node.args)
    step = OPERATORS["+"], OPERATORS["-"], OPERATORS["*"], FUNCTIONS["INT"]

    def run(state: State) -> Any:
        plus, less, times, floor = step
        bottom = low(state)
        count = plus(less(high(state), bottom), 1.0)
        return plus(bottom, floor(times(state.values[key], count)))

    return run


def risk(scope: Scope, node: Call) -> Code:
    """A distribution of @RISK: a draw, whose law is found when its parameters are."""
    if node.name == "RISKOUTPUT":
        # It stands before what is an output, and adds nothing.
        return lambda state: 0.0
    if node.name not in LAWS:
        raise UnsupportedError(f"the function {node.name} of @RISK is not known")
    key = ("risk", scope.home, len(scope.drawn))
    scope.drawn.append(key)
    before = len(scope.areas)
    codes = [_risk_argument(scope, part) for part in node.args]
    scope.parameters += scope.areas[before:]
    alone = node is scope.root
    cached = scope.book.cached.get(scope.home) if alone else None

    def run(state: State) -> Any:
        value = state.values.get(key)
        if value is not None:
            return value
        args = [code(state) for code in codes]
        if any(map(is_drawn, args)):
            raise UnsupportedError("a distribution whose parameters are uncertain is not read")
        made = drawn(node.name, args, cached)
        state.laws[key], state.values[key] = made, made.rest
        return made.rest

    return run


def _risk_argument(scope: Scope, node: Node) -> Code:
    if not (isinstance(node, Call) and node.name.startswith("RISK")):
        return scope.node(node, True)
    kind = node.name
    if kind not in PROPERTIES:
        raise UnsupportedError(f"the property {kind} of @RISK is not known")
    area: Area | None = None
    if kind == "RISKCORRMAT":
        found = stands_for(scope.book, node.args[0].said, scope.home) if isinstance(node.args[0], Operand) else None
        if not isinstance(found, Area):
            raise UnsupportedError("RiskCorrmat takes a range")
        area = found
        scope.areas.append(area)
    codes = [scope.value(part, False) for part in node.args[1 if area else 0 :]]
    return lambda state: Property(kind, tuple(code(state) for code in codes), area)
