"""Metadata: what a study says about itself, its errata and the figures that it prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from demandsim.graph.presentation import Presentation

__all__ = ["Published", "StudyNotes"]


@dataclass(frozen=True)
class Published:
    """A figure as a report prints it.

    Parameters
    ----------
    quantity : str
        Quantity of the model that it is a value of.
    row : str
        Label of the row in the report.
    unit : str
        Unit as printed, such as ``"wan*card"`` for 10,000 cards.
    digits : int
        Decimals printed.
    values : mapping of scenario to float
        With the key ``""`` where there are no scenarios.
    """

    quantity: str
    row: str
    unit: str
    digits: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class StudyNotes:
    """What a study says about itself.

    Parameters
    ----------
    name, title, source : str
    notes : tuple of str
        Errata and limits of the source.
    published : tuple of Published
        Rows that the model's points reproduce.
    reasons : mapping of (str, str) to str
        Why two assumptions are correlated; pairs in alphabetical order.
    presentation : Presentation
        What readers look for first.
    unsaid : tuple of str
        Quantities whose unit nobody has said, such as cells of a workbook: they need not be ratios.
    asked : mapping of str
        Keyword arguments with which `read_workbook` made the model of any workbook.
    """

    name: str = ""
    title: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    reasons: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    presentation: Presentation = field(default_factory=Presentation)
    unsaid: tuple[str, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def unit_of(self, name: str, unit: str) -> str:
        """Return the unit of a quantity as readers are told it: empty if nobody has said one.

        Examples
        --------
        >>> notes = StudyNotes(unsaid=("net_present_value",))
        >>> notes.unit_of("net_present_value", "1"), notes.unit_of("utilization", "1")
        ('', '1')
        """
        return "" if unit == "1" and name in self.unsaid else unit
