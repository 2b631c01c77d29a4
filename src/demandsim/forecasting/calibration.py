"""Calibration: whether forecasts cover what came as often as they claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.statistics.estimators import check_prob

__all__ = ["calibration"]


def calibration(
    pit: xr.DataArray | Sequence[float], probs: Sequence[float] = (0.5, 0.8, 0.9), prob: float = 0.9
) -> xr.Dataset:
    r"""Share of outcomes inside central intervals, held against what was claimed.

    Parameters
    ----------
    pit : DataArray or sequence of float
        Share of draws below each outcome, as ``score`` gives; NaN is what has not come.
    probs : sequence of float
        Central intervals to look at.
    prob : float, default 0.9
        Of the interval for the true coverage.

    Returns
    -------
    Dataset
        Dim ``interval`` (the claimed probability): ``coverage``; ``lower`` and ``upper``, between which the true
        coverage lies with `prob`, given so few outcomes; and ``outcomes``, their number.

    Raises
    ------
    DemandsimError
        If no outcome has come, or a number is outside [0, 1].

    Notes
    -----
    An outcome lies inside the central interval of probability p where :math:`|2 \, \mathrm{PIT} - 1| \le p`. The
    interval is Jeffreys', of a Beta(1/2, 1/2) prior. Outcomes of one series are not independent: it is narrower than
    it should be.

    Examples
    --------
    >>> found = calibration([0.1, 0.45, 0.6, 0.97])
    >>> found.coverage.values.tolist()
    [0.5, 0.75, 0.75]
    """
    from scipy import special

    for each in (*probs, prob):
        check_prob(each)
    values = np.asarray(pit, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    if not values.size:
        raise DemandsimError("no outcome has come yet: there is nothing to calibrate")
    if ((values < 0) | (values > 1)).any():
        raise DemandsimError("a PIT is a share of draws, between 0 and 1")
    # A billionth, since 2 * 0.95 - 1 is a little more than 0.9.
    inside = np.array([np.count_nonzero(np.abs(2 * values - 1) <= each + 1e-9) for each in probs])
    low, high = (
        special.betaincinv(inside + 0.5, values.size - inside + 0.5, tail) for tail in ((1 - prob) / 2, (1 + prob) / 2)
    )
    low, high = np.where(inside == 0, 0.0, low), np.where(inside == values.size, 1.0, high)
    coords = {"interval": ("interval", list(probs), {"units": "1", "long_name": "claimed probability"})}
    made = {
        "coverage": inside / values.size,
        "lower": low,
        "upper": high,
        "outcomes": np.full(len(inside), values.size),
    }
    return xr.Dataset({name: ("interval", each, {"units": "1"}) for name, each in made.items()}, coords)
