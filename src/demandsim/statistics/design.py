"""Designs of the unit cube: what they are called, and what holds of their draws; `sampling.qmc` makes the points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DESIGNS", "Design", "DesignName", "design_of"]

DesignName = Literal["sobol", "latin_hypercube", "random"]


@dataclass(frozen=True)
class Design:
    """A sampling design.

    Parameters
    ----------
    name : str
    independent : bool
        Draws of a chain are independent of each other, so that errors follow from them; otherwise only from the spread
        of the chains.
    extensible : bool
        The first draws of a longer chain are those of a shorter one.
    balanced_at_powers_of_two : bool
        A chain of another length loses what the design is for.
    """

    name: str
    independent: bool = False
    extensible: bool = False
    balanced_at_powers_of_two: bool = False


DESIGNS: dict[DesignName, Design] = {
    "sobol": Design("sobol", extensible=True, balanced_at_powers_of_two=True),
    "latin_hypercube": Design("latin_hypercube"),
    "random": Design("random", independent=True, extensible=True),
}


def design_of(draws: xr.Dataset | xr.DataArray) -> Design:
    """The design of some draws, which the coordinate ``chain`` carries through every comparison."""
    found = draws.coords["chain"].attrs.get("design") if "chain" in draws.coords else None
    name = str(found or draws.attrs.get("design", "unknown"))
    # Of any other, as of the draws of a posterior, nothing is taken for granted.
    return next((design for design in DESIGNS.values() if design.name == name), Design(name))
