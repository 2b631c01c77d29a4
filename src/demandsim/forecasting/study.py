"""Study: a model with dated evidence as a forecaster, refitted on what was known, and its evidence as figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError, shorten
from demandsim.forecasting.figures import Figures, day_of
from demandsim.inference.evidence import Observation
from demandsim.units.convert import conversion_factor
from demandsim.units.dates import decimal_year, last_day

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Refitted", "evidence_figures", "measured"]

#: A label may be this far from the day of a figure, in years: labels are often years to two decimals.
_NEAR = 0.011
#: Of a normal error, half the number of standard deviations in a 90% interval.
_HALF = 1.6448536269514722


def measured(model: Model) -> list[str]:
    """Quantities that the evidence measures.

    Examples
    --------
    >>> import demandsim as ds
    >>> measured(ds.load_study("doubao-growth"))
    ['top_down_tokens']
    """
    return list(dict.fromkeys(piece.quantity for piece in model.evidence if isinstance(piece, Observation)))


def evidence_figures(model: Model, quantity: str) -> Figures:
    """Dated evidence on a quantity as figures: its median, its error, its label as the day.

    Raises
    ------
    EvidenceError
        If a piece of evidence does not say when it was announced.
    DemandsimError
        If a piece is of several labels, or of none.

    Examples
    --------
    >>> import demandsim as ds
    >>> found = evidence_figures(ds.load_study("doubao-growth"), "top_down_tokens")
    >>> len(found), float(found.years[-1])
    (9, 2026.48)
    """
    rows = []
    unit = unit_of(model, quantity)
    for piece in model.as_of("2199").evidence:
        if not isinstance(piece, Observation) or piece.quantity != quantity:
            continue
        coords = piece.distribution.coords
        if piece.distribution.shape != (1,) or len(coords) != 1:
            raise DemandsimError(
                f"evidence '{shorten(str(piece), 60)}' is not of one label in time; a backtest takes figures one by one"
            )
        low, middle, high = np.ravel(piece.distribution.ppf(np.array([0.05, 0.5, 0.95])))
        if not low > 0:
            raise DemandsimError(f"evidence on '{quantity}' may be 0 or less, and growth is of its logarithm")
        ((label,),) = coords.values()
        rows.append(
            (
                year_of(label),
                np.log(middle * conversion_factor(piece.unit, unit)),
                np.log(high / low) / (2 * _HALF),
                0.0,
                decimal_year(last_day(str(piece.announced))),
            )
        )
    if not rows:
        raise DemandsimError(f"'{quantity}' has no evidence that says when it came out: nothing to forecast")
    found = Figures(*np.array(rows, dtype=np.float64).T)
    return found[np.argsort(found.years, kind="stable")]


def unit_of(model: Model, quantity: str) -> str:
    """Unit in which draws of a quantity are."""
    made = model.equations.get(quantity)
    return str(made.unit if made is not None else model.assumptions[quantity].unit)


def year_of(label: Any) -> float:
    """Decimal year of a label: of a number itself, of a date its day."""
    if isinstance(label, str | np.datetime64):
        return decimal_year(last_day(str(np.datetime64(label, "D"))))
    return decimal_year(label) if hasattr(label, "month") else float(label)


@dataclass(frozen=True, eq=False)
class Refitted:
    """A study's model that is conditioned, at each cutoff, on the evidence that had come out.

    Parameters
    ----------
    model : Model
        With evidence that says when it was announced.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("doubao-growth-gompertz")
    >>> figures = evidence_figures(model, "top_down_tokens")
    >>> Refitted(model).forecast({"top_down_tokens": figures[:8]}, "top_down_tokens", figures.years[8:], draws=64,
    ...     chains=2, seed=1).shape
    (2, 64, 1)
    """

    model: Model

    def forecast(
        self, figures: Mapping[str, Figures], of: str, years: Array, *, draws: int, chains: int, seed: int
    ) -> Array:
        """Draws of the logarithm of the measured quantity, shape (chains, draws, years)."""
        names = measured(self.model)
        if of not in names and len(names) != 1:
            raise DemandsimError(f"which of {', '.join(names) or 'no evidence'} is '{of}'? Name the series like it")
        quantity = of if of in names else names[0]
        last = day_of(float(figures[of].announced.max()))
        posterior = self.model.as_of(str(last.astype("datetime64[D]"))).infer(draws, chains=chains, seed=seed)
        values: xr.DataArray = posterior[quantity]
        rest = [str(dim) for dim in values.dims if dim not in ("chain", "draw")]
        if len(rest) != 1:
            raise DemandsimError(
                f"'{quantity}' has the dims {', '.join(rest) or 'of no time'} besides its draws; a backtest takes one, "
                "which is time: select the scenario"
            )
        labels = np.array([year_of(label) for label in values[rest[0]].values])
        places = np.abs(labels[:, None] - years).argmin(axis=0)
        far = np.abs(labels[places] - years) > _NEAR
        if far.any():
            raise DemandsimError(f"'{quantity}' has no label near {years[far][0]:.2f}; give the model one")
        return np.log(values.transpose("chain", "draw", rest[0]).values[..., places])
