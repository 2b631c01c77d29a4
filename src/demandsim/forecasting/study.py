"""Study: a model with dated evidence taken back to the days on which it came out, and scored on what came next."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.forecasting.backtest import scores_of
from demandsim.inference.evidence import Observation
from demandsim.inference.importance import keyed
from demandsim.sampling.qmc import entropy_of
from demandsim.units.convert import conversion_factor
from demandsim.units.dates import last_day

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["study_backtest"]

#: Of the intervals that are told.
_PROB = 0.9


def study_backtest(
    model: Model, *, least: int = 3, draws: int = 512, chains: int = 8, seed: int | None = None
) -> xr.Dataset:
    """Backtest of a study on its own evidence: before each piece came out, the study is refitted without it.

    Parameters
    ----------
    model : Model
        Whose evidence says when it was announced.
    least : int, default 3
        Pieces that must be known.
    draws, chains, seed
        Of each posterior.

    Returns
    -------
    Dataset
        Dim ``forecast``. ``crps`` with ``mcse_crps``, and ``log``, are of logarithms; ``pit``; ``median``, ``lower``,
        ``upper`` (90%) and ``outcome`` in the unit of the quantity; ``known``, how many pieces were. Coordinates
        ``quantity``, ``label`` and ``announced``. A figure is forecast as it would be read, with the error that its
        evidence states.

    Raises
    ------
    EvidenceError
        If a piece of evidence does not say when it was announced.
    DemandsimError
        If nothing is left to forecast.

    Examples
    --------
    >>> import demandsim as ds
    >>> found = study_backtest(ds.load_study("doubao-growth-gompertz"), least=8, draws=128, seed=1)
    >>> found.label.item(), bool(found.pit > 0.9)
    ('2026.48', True)
    """
    seed = entropy_of(seed)
    rows: list[dict[str, Any]] = []
    dated = model.as_of("2199").evidence
    for day in sorted({last_day(str(piece.announced)) for piece in dated}):
        before = model.as_of((day - datetime.timedelta(days=1)).isoformat())
        coming = [p for p in dated if isinstance(p, Observation) and last_day(str(p.announced)) == day]
        if len(before.evidence) < least or not coming:
            continue
        posterior = before.infer(draws, chains=chains, seed=seed)
        told = {"known": len(before.evidence), "announced": day.isoformat()}
        rows.extend(_row(posterior, piece, seed) | told for piece in coming)
    if not rows:
        raise DemandsimError(f"nothing to forecast: no figure came out after {least} others; name a smaller least")
    numbers = [key for key in rows[0] if key not in ("quantity", "label", "announced", "units")]
    data: dict[str, Any] = {key: ("forecast", np.array([row[key] for row in rows], dtype=float)) for key in numbers}
    texts = {key: ("forecast", [row[key] for row in rows]) for key in ("quantity", "label", "announced")}
    made = xr.Dataset(data, texts, {"seed": seed, "draws": draws, "chains": chains, "scale": "log"})
    for key in ("median", "lower", "upper", "outcome"):
        made[key].attrs["units"] = rows[0]["units"]
    return made


def _row(posterior: xr.Dataset, piece: Observation, seed: int) -> dict[str, Any]:
    """Scores of one figure, which may be of one label only."""
    if piece.distribution.shape not in ((), (1,)):
        raise DemandsimError(f"evidence '{piece}' is of several labels; a backtest takes figures one by one")
    where = {dim: labels[0] for dim, labels in piece.distribution.coords.items()}
    values = posterior[piece.quantity].sel(where).transpose("chain", "draw")
    unit = str(values.attrs.get("units", "1"))
    law = piece.distribution.laws[0]
    factor = conversion_factor(piece.unit, unit)
    middle = float(law.ppf(np.array([0.5]))[0])
    # An error by a factor, as figures have it; drawn evenly over the error's own law.
    noise = np.array([keyed(seed, 51, 0, chain).random(values.sizes["draw"]) for chain in range(values.sizes["chain"])])
    read = np.log(values.values) + np.log(np.reshape(law.ppf(noise.ravel()), noise.shape) / middle)
    came = float(np.log(middle * factor))
    return {
        "quantity": piece.quantity,
        "label": ", ".join(map(str, where.values())),
        "units": unit,
        **scores_of(read, came, _PROB),
    }
