"""Measurements: evidence that could be gathered, simulated from draws as the data that it would give."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known, check_whole
from demandsim.units.convert import conversion_factor

__all__ = ["Evidence", "Measurement", "summaries"]

#: Gives summaries of the data that evidence would bring: dims chain and draw, and any others.
Evidence = Callable[[xr.Dataset, np.random.Generator], "xr.DataArray | xr.Dataset"]


@dataclass(frozen=True)
class Measurement:
    r"""Noisy measurements of one quantity: evidence that `value_of_information` prices.

    .. math:: \bar y = x + \frac{\sigma}{\sqrt n} \epsilon, \qquad\text{or}\qquad
        \log \bar y = \log x + \frac{\log f}{z \sqrt n} \epsilon

    Parameters
    ----------
    of : str
        Quantity that is measured, assumption or derived.
    sd : float, optional
        Standard deviation of one measurement, in `unit`.
    factor : float, optional
        Instead of `sd`: one measurement lies within this factor of the truth with probability 90%.
    count : int, default 1
        Independent measurements; their mean tells all that they tell.
    unit : str, optional
        Of `sd`; that of the quantity by default.

    Examples
    --------
    >>> month = Measurement("utilization", sd=0.1, count=30)
    >>> month.error_of_the_mean
    0.018257418583505537
    """

    of: str
    sd: float | None = None
    factor: float | None = None
    count: int = 1
    unit: str | None = None

    def __post_init__(self) -> None:
        check_whole("count", self.count)
        if (self.sd is None) == (self.factor is None):
            raise DemandsimError(f"a measurement of '{self.of}' has either sd= or factor=")
        if self.sd is not None and not 0 < self.sd < math.inf:
            raise DemandsimError(f"sd of a measurement of '{self.of}' must be above 0, not {self.sd!r}")
        if self.factor is not None and not 1 < self.factor < math.inf:
            raise DemandsimError(f"factor of a measurement of '{self.of}' must be above 1, not {self.factor!r}")

    @property
    def error_of_the_mean(self) -> float:
        """Standard error of all measurements together, of the value or of its logarithm."""
        from scipy import special

        one = self.sd if self.sd is not None else math.log(self.factor or 1.0) / float(special.ndtri(0.95))
        return one / math.sqrt(self.count)

    def __call__(self, draws: xr.Dataset, generator: np.random.Generator) -> xr.DataArray:
        """Simulate the mean of the measurements for every draw."""
        check_known([self.of], [str(name) for name in draws.data_vars], "quantity to measure")
        truth = draws[self.of]
        units = str(truth.attrs.get("units", "1"))
        noise = truth.copy(data=_stratified(truth, generator) * self.error_of_the_mean)
        if self.factor is None:
            return truth + noise * (conversion_factor(self.unit, units) if self.unit else 1.0)
        if not bool((truth > 0).all()):
            raise DemandsimError(f"'{self.of}' is not positive in every draw: measure it with sd=, not with factor=")
        # Ranks are all that is used of it, so that its logarithm tells as much.
        return truth.copy(data=np.log(truth.values)) + noise


def _stratified(truth: xr.DataArray, generator: np.random.Generator) -> Array:
    """Independent normal errors, spread evenly within each chain: less noise of our own making."""
    from scipy import special

    moved = truth.transpose(..., "draw")
    length = moved.sizes["draw"]
    ranks = np.argsort(generator.random(moved.shape), axis=-1)
    errors = special.ndtri((ranks + generator.random(moved.shape)) / length)
    return np.asarray(moved.copy(data=errors).transpose(*truth.dims).values)


def summaries(name: str, evidence: Evidence, draws: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    """Simulate the summaries of some evidence, and check that they belong to the draws."""
    made: Any = evidence(draws, generator)
    if isinstance(made, xr.DataArray):
        made = made.to_dataset(name="summary")
    if not isinstance(made, xr.Dataset) or not made.data_vars:
        raise DemandsimError(f"evidence '{name}' must return a DataArray or a Dataset of summaries, not {made!r:.60}")
    for key, array in made.data_vars.items():
        if any(array.sizes.get(dim) != draws.sizes[dim] for dim in ("chain", "draw")):
            raise DemandsimError(
                f"summary '{key}' of evidence '{name}' has lost the dims of the draws: {dict(array.sizes)}"
            )
    return made
