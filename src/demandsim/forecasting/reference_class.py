"""Reference class: what growth is like in other series, as the prior for one that is little known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.distributions import lognormal, normal
from demandsim.errors import DemandsimError
from demandsim.forecasting.figures import ERROR_FACTORS, figures_of
from demandsim.forecasting.reverting_growth import GrowthPrior, RevertingGrowth
from demandsim.sampling.qmc import entropy_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["reference_class"]

_HALF = 1.6448536269514722


def reference_class(
    series: Mapping[str, xr.DataArray],
    *,
    prior: GrowthPrior | None = None,
    factors: Mapping[str, float] = ERROR_FACTORS,
    draws: int = 512,
    chains: int = 8,
    seed: int | None = None,
) -> GrowthPrior:
    r"""Prior of growth from the series of others.

    Parameters
    ----------
    series : mapping of name to DataArray
        Of the class, as `figures_of` reads them; each needs three figures. The series that is to be forecast must not
        be among them.
    prior : GrowthPrior, optional
        What was thought before these series were read.
    factors : mapping of str to float
        Errors of figures by qualifier.
    draws, chains, seed
        Of the posterior of each series.

    Returns
    -------
    GrowthPrior
        The equal mixture of the posteriors of all series, each as one member of the class: as wide as members differ
        from one another and as each of them is unknown. Drawn as a lognormal (of the mean rate, normal) distribution
        of its mean and variance.

    Raises
    ------
    DemandsimError
        If the class is empty, or a series has fewer than three figures.

    Notes
    -----
    Kahneman and Tversky, "Intuitive prediction: biases and corrective procedures" (1977): the outside view.

    Examples
    --------
    >>> import demandsim as ds
    >>> tokens = ds.load_series("token-volumes").daily_tokens
    >>> found = reference_class({"Google": tokens.sel(publisher="Google")}, draws=128, chains=4, seed=1)
    >>> 0.7 < found.mean_growth.mean().item() < 3
    True
    """
    if not series:
        raise DemandsimError("a reference class needs at least one series")
    before, seed = prior or GrowthPrior(), entropy_of(seed)
    drawn: dict[str, list[float]] = {}
    for name, each in series.items():
        figures = figures_of(each, factors)
        if len(figures) < 3:
            raise DemandsimError(f"'{name}' has {len(figures)} figures; growth that varies takes three to be seen")
        found = RevertingGrowth(before).paths([figures], figures.years[-1:], draws=draws, chains=chains, seed=seed)
        for key, values in found.hyperparameters.items():
            drawn.setdefault(key, []).extend(values.ravel().tolist())
    told = {
        key: lognormal(median=math.exp(np.mean(logs)), factor=math.exp(_HALF * np.std(logs)), prob=0.9)
        for key in ("rate_sd", "half_life", "definition_drift")
        for logs in [np.log(drawn[key])]
    }
    mean = normal(mean=float(np.mean(drawn["mean_growth"])), sd=float(np.std(drawn["mean_growth"])))
    changed: dict[str, Any] = {"mean_growth": mean, **told}
    return dataclasses.replace(before, **changed)
