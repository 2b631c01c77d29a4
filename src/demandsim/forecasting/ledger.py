"""Ledger: forecasts that the project has issued, kept with their day, and scored when what they are about has come."""

from __future__ import annotations

import datetime
import functools
import importlib.resources
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.errors import DemandsimError, UnitError, shorten, shown
from demandsim.forecasting.rules import weighted_interval_score
from demandsim.studies.catalogue import read_toml
from demandsim.units.convert import check_unit
from demandsim.units.dates import last_day

__all__ = ["LEVELS", "ledger"]

#: Levels of the quantiles that every entry states.
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_TEXTS = ("study", "version", "quantity", "unit", "issued", "known_until", "target")
_DAYS = ("issued", "known_until", "target", "announced")
#: Larger and smaller ones are slips, and their scores no numbers of the machine.
_LARGEST = 1e300
_OPTIONAL = ("outcome", "announced", "source", "note")


def ledger(path: str | Path | None = None) -> xr.Dataset:
    r"""Forecasts that were issued, and how they did.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file of ``[[forecast]]`` tables as in ``series/forecasts.toml``; the project's own by default.

    Returns
    -------
    Dataset
        Dim ``forecast``, in the order of issue. ``quantile`` over ``level`` and ``outcome`` in the coordinate
        ``unit``; ``score``, the weighted interval score of logarithms, ``grade``, where the outcome lies among the
        quantiles (between them by a straight line in the logarithm; below the first or above the last 0.025 and
        0.975), and ``inside``, 1 where the central 90% holds it. NaN where nothing has come. Coordinates ``study``,
        ``version``, ``quantity``, ``issued``, ``known_until`` (the last day whose evidence was used), ``target``,
        ``announced``, ``source`` and ``note``.

    Raises
    ------
    DemandsimError
        If an entry lacks something, its quantiles do not rise, or a day cannot be read; it is named.

    Notes
    -----
    The score is the mean of the quantile scores of the five levels, which is near to the CRPS: Bracher, Ray,
    Gneiting and Reich, "Evaluating epidemic forecasts in an interval format", PLoS Comput. Biol. 17 (2021).

    Examples
    --------
    >>> found = ledger()
    >>> first = found.isel(forecast=0)
    >>> first.study.item(), first.inside.item()
    ('doubao-growth-gompertz', 0.0)
    """
    if path is None:
        where, text = "forecasts.toml", _shipped()
    else:
        where = str(path)
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise DemandsimError(f"{where}: is not UTF-8 text (byte {error.start}); save it as CSV UTF-8") from None
        except (OSError, ValueError) as error:
            # A name with NUL is no OSError.
            raise DemandsimError(f"{where}: cannot be read: {getattr(error, 'strerror', error)}") from None
    entries = read_toml(text, where).get("forecast", [])
    if not isinstance(entries, list) or not all(isinstance(table, dict) for table in entries) or not entries:
        raise DemandsimError(f"{where}: holds no [[forecast]] table")
    rows = [_entry(table, f"{where}: [forecast.{place}]") for place, table in enumerate(entries)]
    rows.sort(key=lambda row: (row["issued"], row["target"]))
    quantiles = np.array([row["quantiles"] for row in rows])
    outcome = np.array([row["outcome"] for row in rows])
    logs = np.log(quantiles)
    scored = [_scored(own, math.log(y)) if y > 0 else (math.nan,) * 3 for own, y in zip(logs, outcome, strict=True)]
    score, grade, inside = (np.array(each) for each in zip(*scored, strict=True))
    data = {
        "quantile": (("forecast", "level"), quantiles),
        **{
            name: ("forecast", values)
            for name, values in (("outcome", outcome), ("score", score), ("grade", grade), ("inside", inside))
        },
    }
    texts = {key: ("forecast", [row[key] for row in rows]) for key in (*_TEXTS, *_OPTIONAL[1:])}
    return xr.Dataset(data, {"level": list(LEVELS), **texts})


@functools.cache
def _shipped() -> str:
    return importlib.resources.files("demandsim.series").joinpath("forecasts.toml").read_text(encoding="utf-8")


def _entry(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    missing = [key for key in (*_TEXTS, "quantiles") if key not in table]
    unknown = sorted(set(table) - {*_TEXTS, *_OPTIONAL, "quantiles"})
    if missing or unknown:
        said = f"lacks '{missing[0]}'" if missing else f"has '{unknown[0]}', which no entry has"
        raise DemandsimError(f"{where}: {said}")
    texts = {key: _text(table.get(key, ""), f"{where}: {key}") for key in (*_TEXTS, *_OPTIONAL[1:])}
    try:
        check_unit(texts["unit"])
    except UnitError as error:
        raise UnitError(f"{where}: {error}") from None
    quantiles = _quantiles(table["quantiles"], f"{where}: quantiles")
    days = {key: _day(texts[key], f"{where}: {key}") for key in _DAYS if key in table}
    if days["issued"] < days["known_until"]:
        raise DemandsimError(f"{where}: was issued before what it knew came out")
    outcome = _number(table["outcome"], f"{where}: outcome") if "outcome" in table else math.nan
    if outcome <= 0:
        raise DemandsimError(f"{where}: outcome must be above 0")
    if "outcome" in table and not (texts["announced"] and texts["source"]):
        raise DemandsimError(f"{where}: an outcome says where it comes from: announced = a day, source = a text")
    return {**texts, "quantiles": quantiles, "outcome": outcome}


def _quantiles(given: Any, where: str) -> list[float]:
    found = [_number(value, where) for value in given] if isinstance(given, list) else []
    if len(found) != len(LEVELS) or found[0] <= 0 or any(a >= b for a, b in itertools.pairwise(found)):
        raise DemandsimError(f"{where} must be {len(LEVELS)} positive numbers that rise, for {LEVELS}")
    return found


def _text(value: Any, where: str) -> str:
    """A text, or a day that TOML itself knows; neither a list nor a number."""
    if not isinstance(value, str | datetime.date):
        raise DemandsimError(f"{where}: must be a text, not {type(value).__name__}")
    return str(value)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        said = shown(value) if isinstance(value, int | float | str) else type(value).__name__
        raise DemandsimError(f"{where}: must be a number, not {shorten(said)}")
    return float(value)


def _day(text: str, where: str) -> datetime.date:
    try:
        return last_day(text)
    except ValueError as error:
        raise DemandsimError(f"{where}: {error}") from None


def _scored(quantiles: Array, outcome: float) -> tuple[float, float, float]:
    """Weighted interval score, place among the quantiles, and whether the widest interval holds it."""
    levels = np.array(LEVELS)
    score = weighted_interval_score(quantiles, levels, outcome)
    grade = float(np.interp(outcome, quantiles, levels, left=levels[0] / 2, right=(1 + levels[-1]) / 2))
    return score, grade, float(quantiles[0] <= outcome <= quantiles[-1])
