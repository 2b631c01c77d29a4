"""Equations that ship with demandsim, by subject; study files name them, such as ``inference.cards``.

Each is a plain function of named quantities in base units: physics and accounting, no unit factors.
"""

from __future__ import annotations

import importlib
from functools import cache

from demandsim.errors import UnknownNameError, did_you_mean
from demandsim.graph.graph import Equation

__all__ = ["MENU", "equation_named"]

#: Rooms of this folder that hold equations.
MENU = (
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
        Room and name, such as ``"inference.cards"``.

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
    if reference not in shipped():
        raise UnknownNameError(f"unknown equation '{reference}'{did_you_mean(reference, shipped())}")
    return shipped()[reference]
