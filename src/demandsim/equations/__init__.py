"""Equations that ship with demandsim, by subject; study files name them, such as ``inference.cards``.

Each is a plain function of named quantities in base units: physics and accounting, no unit factors.
"""

from __future__ import annotations

import importlib
from functools import cache

from demandsim.errors import UnknownNameError, did_you_mean
from demandsim.graph.alias import read_alias
from demandsim.graph.equation import Equation

__all__ = ["MENU", "equation_named"]

#: Rooms of this folder that hold equations.
MENU = (
    "processes",
    "demand",
    "growth",
    "inference",
    "architecture",
    "roofline",
    "batching",
    "serving",
    "production",
    "training",
    "capacity",
    "fleet",
    "hardware",
    "ownership",
    "prices",
    "economics",
    "break_even",
    "investment",
    "market",
)


@cache
def shipped() -> dict[str, Equation]:
    """All shipped equations by their name in study files."""
    found: dict[str, Equation] = {}
    for room in MENU:
        module = importlib.import_module(f"demandsim.equations.{room}")
        made = [value for value in vars(module).values() if isinstance(value, Equation)]
        found.update({equation.reference: equation for equation in made})
    return found


def equation_named(reference: str) -> Equation:
    """Return a shipped equation by its name in study files.

    Parameters
    ----------
    reference : str
        Room and name, such as ``"inference.cards"``; under other names of its quantities
        ``"inference.cards(utilization=load) as needed_cards"``; in a unit of its own
        ``"processes.random_walk(shock=price_shock) as card_price in CNY/card"``.

    Raises
    ------
    UnknownNameError
        If there is none.

    Examples
    --------
    >>> equation_named("inference.cards").unit
    'card'
    """
    room, _, name = reference.partition(".")
    if room in MENU:
        # A study needs a few rooms; only a wrong name looks into all.
        made = vars(importlib.import_module(f"demandsim.equations.{room}")).get(name)
        if isinstance(made, Equation) and made.reference == reference:
            return made
    said = read_alias(reference)
    if said is not None and said[0] != reference:
        found = equation_named(said[0])
        return found.renamed(said[2] or found.name, said[1], unit=said[3])
    if reference not in shipped():
        raise UnknownNameError(f"unknown equation '{reference}'{did_you_mean(reference, shipped())}")
    return shipped()[reference]
