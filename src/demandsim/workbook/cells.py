"""Names of cells: what a formula calls the cell of a quantity in a scenario, a year, a kind of hardware."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["NamedCells"]

#: What Excel takes for a cell (A1, R1C1) or a value rather than a name.
_TAKEN = re.compile(r"[a-z]{1,3}\d+|r\d*|c\d*|r\d*c\d*|true|false", re.IGNORECASE)
_LONGEST = 200


class NamedCells:
    """Names that were given to cells: each is valid in Excel and given once.

    Examples
    --------
    >>> cells = NamedCells()
    >>> cells.give("cards", ["100T"], "'results'!$F$4"), cells.give("H20", [], "'results'!$F$5")
    ('cards_100T', 'H20_')
    >>> cells.give("cards", ["100T"], "'results'!$F$6")
    'cards_100T_2'
    """

    def __init__(self) -> None:
        self.given: dict[str, str] = {}
        self._used: set[str] = set()

    def give(self, quantity: str, labels: Sequence[str], cell: str) -> str:
        """Name a cell after its quantity and the labels at which it stands."""
        name = "_".join(re.sub(r"\W", "_", part) for part in (quantity, *labels))[:_LONGEST]
        if _TAKEN.fullmatch(name):
            name += "_"
        number, free = 1, name
        # Excel does not tell capital letters from small ones.
        while free.casefold() in self._used:
            number += 1
            free = f"{name}_{number}"
        self._used.add(free.casefold())
        self.given[free] = cell
        return free
