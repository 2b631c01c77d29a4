"""Learning: how far the evidence moved each quantity, as rows for the terminal, CSV or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demandsim.statistics.table import csv_text

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Learned", "as_csv", "learned"]


@dataclass(frozen=True)
class Learned:
    """One quantity at one label: its interval before and after the evidence, in the declared unit."""

    quantity: str
    labels: dict[str, Any]
    role: str
    unit: str
    numbers: dict[str, float]

    @property
    def record(self) -> dict[str, Any]:
        """All of it, flat."""
        return {"quantity": self.quantity, **self.labels, "role": self.role, "unit": self.unit, **self.numbers}


def learned(model: Model, prior: xr.Dataset, posterior: xr.Dataset, prob: float) -> Iterator[Learned]:
    """Everything that varies from draw to draw."""
    import numpy as np
    from scipy import special

    from demandsim.statistics.summarize import summarize
    from demandsim.statistics.table import rows

    moving = [n for n in model.quantities if {"chain", "draw"} <= set(posterior[n].dims) & set(prior[n].dims)]
    before = summarize(prior[moving], prob=prob)
    for row in rows(summarize(posterior[moving], prob=prob), model.point()):
        array = prior[row.quantity]
        # A posterior may differ between scenarios where the prior does not.
        here = {d: v for d, v in row.labels.items() if d in array.dims}
        values = np.sort(array.sel(here).values.ravel())
        if values[0] == values[-1]:
            continue
        old = before[row.quantity].sel(here)
        numbers = {f"prior_{end}": float(old.sel(statistic=end)) for end in ("lower", "median", "upper")}
        numbers |= {f"posterior_{end}": row.statistics[end] for end in ("lower", "median", "upper", "mcse_median")}
        # Where the median of the posterior lies among draws of the prior, as a normal score.
        below = np.searchsorted(values, row.statistics["median"], "left")
        above = np.searchsorted(values, row.statistics["median"], "right")
        numbers["shift"] = float(special.ndtri((0.5 * (below + above) + 0.5) / (values.size + 1)))
        yield Learned(row.quantity, row.labels, row.role, row.unit, numbers)


def as_csv(records: Sequence[Learned]) -> str:
    """Rows as CSV text, labels first."""
    labels = list(dict.fromkeys(name for one in records for name in one.labels))
    numbers = list(dict.fromkeys(name for one in records for name in one.numbers))
    return csv_text([one.record for one in records], ["quantity", *labels, "role", "unit", *numbers])
