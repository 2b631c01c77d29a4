"""SIPmath: libraries of uncertain quantities, as the SIPmath 3.0 standard keeps them in JSON, read and written."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array, written_whole
from demandsim.distributions.metalog import coefficients_of, from_coefficients
from demandsim.errors import (
    DemandsimError,
    DistributionError,
    OutputError,
    UnknownNameError,
    WorkbookError,
    WorkbookWarning,
)
from demandsim.graph.assumption import Assumption

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SipLibrary", "read_sipmath", "write_sipmath"]

_LARGEST = 64 * 2**20
#: Terms that are tried, most first: the first whose quantiles increase is kept.
_TERMS = (9, 7, 6, 5, 4, 3, 2)
#: Errors of quantiles, in parts of the range from 5% to 95%, from which a warning says so.
_ROUGH = 0.02
_LEVELS = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True)
class SipLibrary:
    """Quantities of a library: assumptions by name, and the rank correlations between them.

    Parameters
    ----------
    assumptions : mapping of str to Assumption
    correlations : mapping of (str, str) to float
        Spearman's, as `Model.correlate` takes them.

    Examples
    --------
    >>> SipLibrary().correlations
    {}
    """

    assumptions: Mapping[str, Assumption] = field(default_factory=dict)
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)


def read_sipmath(path: str | Path) -> SipLibrary:
    r"""Read a SIPmath 3.0 library: metalogs, and the normal copula between them.

    Parameters
    ----------
    path : str or Path
        A JSON file.

    Returns
    -------
    SipLibrary
        For `Model.assume`, `Model.add` and `Model.correlate`. Draws come from the model's own design, not from the
        random numbers that the library names.

    Raises
    ------
    UnknownNameError
        If there is no such file.
    WorkbookError
        If it is no such library, or holds what is not read: it names the SIP and what.

    Notes
    -----
    A correlation :math:`r` of normal scores is Spearman's :math:`\tfrac{6}{\pi} \arcsin \tfrac{r}{2}`.

    Source: SIPmath 3.0 standard, ProbabilityManagement.org; Keelin, "The metalog distributions" (2016).

    Examples
    --------
    >>> import tempfile
    >>> sip = {"name": "Price", "function": "Metalog_1_0", "arguments": {"lowerBound": 0, "aCoefficients": [0.7, 0.2]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "library.json"
    ...     _ = file.write_text(json.dumps({"libraryType": "SIPmath_3_0", "sips": [sip]}))
    ...     read_sipmath(file).assumptions["price"].distribution.ppf([0.5]).round(6)
    array([2.013753])
    """
    file = Path(path)
    held = _json(file)
    found: dict[str, Assumption] = {}
    places: dict[str, tuple[str, str]] = {}
    for sip in _listed(held.get("sips"), file, "sips"):
        said = str(sip.get("name", ""))
        name = re.sub(r"\W+", "_", said).strip("_").lower()
        if not name.isidentifier() or name in found:
            raise WorkbookError(f"{file}: the SIP '{said[:60]}' has no name of its own; give each another")
        found[name] = _assumption(file, said, sip)
        ref = sip.get("ref") or {}
        place = str(ref.get("source", "")), str(ref.get("copulaLayer") or ref.get("name") or name)
        if place in places.values() and place[0]:
            raise WorkbookError(
                f"{file}: the SIP '{said[:60]}' shares its random numbers with another; that is not read"
            )
        places[name] = place
    if not found:
        raise WorkbookError(f"{file}: the library has no SIPs")
    return SipLibrary(found, _correlations(file, held, places))


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UnknownNameError(f"{file}: there is no such file")
    if file.stat().st_size > _LARGEST:
        raise WorkbookError(f"{file}: has more than {_LARGEST // 2**20} MiB")
    try:
        held = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise WorkbookError(f"{file}: is no JSON ({str(error)[:80]})") from None
    kind = held.get("libraryType") if isinstance(held, dict) else None
    if kind != "SIPmath_3_0":
        raise WorkbookError(
            f"{file}: is no SIPmath 3.0 library (libraryType is {kind!r}); trials of older ones are a table for "
            "import_draws"
        )
    return dict(held)


def _listed(value: Any, file: Path, what: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise WorkbookError(f"{file}: '{what}' is no list of objects")
    return value


def _assumption(file: Path, said: str, sip: Mapping[str, Any]) -> Assumption:
    function, given = sip.get("function"), sip.get("arguments")
    if function != "Metalog_1_0" or not isinstance(given, dict):
        raise WorkbookError(f"{file}: the SIP '{said[:60]}' has the function {function!r}; Metalog_1_0 is read")
    try:
        ends = [float(given.get(key, end)) for key, end in (("lowerBound", -math.inf), ("upperBound", math.inf))]
        law = from_coefficients([float(one) for one in given.get("aCoefficients", ())], *ends)
    except (TypeError, ValueError, DistributionError) as error:
        raise WorkbookError(f"{file}: the SIP '{said[:60]}': {error}") from None
    return Assumption(law, long_name=said, source=f"{file.name}, SIP {said}")


def _correlations(
    file: Path, held: Mapping[str, Any], places: Mapping[str, tuple[str, str]]
) -> dict[tuple[str, str], float]:
    by_layer = {layer: name for name, (source, layer) in places.items() if source == "copula"}
    uniform = held.get("U01") or {}
    variables = {one.get("name"): one.get("value") for one in held.get("globalVariables") or []}
    found: dict[tuple[str, str], float] = {}
    for copula in _listed(uniform.get("copula") or [], file, "copula"):
        if copula.get("function") != "GaussianCopula":
            raise WorkbookError(f"{file}: the copula {copula.get('function')!r} is not read; GaussianCopula is")
        matrix = _matrix_of(file, copula, variables)
        columns = matrix.get("columns") or []
        named = dict(zip(columns, copula.get("copulaLayer") or [], strict=False))
        for cell in _listed(matrix.get("matrix"), file, "matrix"):
            pair = [by_layer.get(str(named.get(cell.get(side)))) for side in ("row", "col")]
            first, second = pair
            if first is None or second is None or first == second:
                continue
            rank = 6 / math.pi * math.asin(max(-1.0, min(1.0, float(cell.get("value", 0.0)))) / 2)
            if (second, first) not in found:
                found[first, second] = rank
    return found


def _matrix_of(file: Path, copula: Mapping[str, Any], variables: Mapping[Any, Any]) -> dict[str, Any]:
    told = (copula.get("arguments") or {}).get("correlationMatrix") or {}
    matrix = variables.get(told.get("value")) if told.get("type") == "globalVariables" else told
    if not isinstance(matrix, dict):
        raise WorkbookError(f"{file}: the copula {copula.get('name')!r} has no correlation matrix")
    return matrix


def write_sipmath(
    draws: xr.Dataset, path: str | Path, *, names: Sequence[str] = (), provenance: str = "demandsim"
) -> Path:
    """Write draws as a SIPmath 3.0 library: a metalog for each quantity, and the normal copula between them.

    Parameters
    ----------
    draws : Dataset
        Of `Model.simulate` or `import_draws`.
    path : str or Path
    names : sequence of str, optional
        Quantities to write; all without dims of their own by default.
    provenance : str
        Who made it, or how.

    Returns
    -------
    Path

    Raises
    ------
    UnknownNameError
        If there is no such quantity.
    WorkbookError
        If one has dims of its own, invalid draws, or one value only.
    OutputError
        If it cannot be written; nothing half-written stays.

    Warns
    -----
    WorkbookWarning
        If a metalog misses a percentile by more than 2% of the range from 5% to 95%; the largest miss of each is in
        its metadata.

    Examples
    --------
    >>> import tempfile, demandsim as ds
    >>> draws = ds.import_draws({"cost": np.geomspace(1, 9, 99)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     list(read_sipmath(write_sipmath(draws, Path(folder) / "library.json")).assumptions)
    ['cost']
    """
    chosen = list(names) or [str(name) for name, held in draws.data_vars.items() if set(held.dims) <= {"chain", "draw"}]
    columns = {name: _flat(draws, name) for name in chosen}
    if not columns:
        raise WorkbookError("there is no quantity without dims of its own to write")
    sips = [_sip(name, place, values) for place, (name, values) in enumerate(columns.items(), start=1)]
    rough = {sip["name"]: sip["metadata"]["largest_miss"] for sip in sips if sip["metadata"]["largest_miss"] > _ROUGH}
    if rough:
        told = ", ".join(f"{name} by {miss:.1%}" for name, miss in rough.items())
        warnings.warn(f"metalogs miss percentiles, in parts of the range from 5% to 95%: {told}", WorkbookWarning, 2)
    rng = [
        {
            "name": f"hdr{place}",
            "function": "HDR_2_0",
            "arguments": {"counter": "PM_Index", "entity": 1, "varId": place, "seed3": 0, "seed4": 0},
        }
        for place in range(1, len(sips) + 1)
    ]
    copula = {
        "arguments": {
            "correlationMatrix": {"type": "globalVariables", "value": "correlationMatrix"},
            "rng": [one["name"] for one in rng],
        },
        "function": "GaussianCopula",
        "name": "Gaussian",
        "copulaLayer": [sip["ref"]["copulaLayer"] for sip in sips],
    }
    library = {
        "name": Path(path).name,
        "objectType": "sipModel",
        "libraryType": "SIPmath_3_0",
        "dateCreated": date.today().strftime("%m-%d-%Y"),
        "globalVariables": [{"name": "correlationMatrix", "value": _matrix(columns)}],
        "provenance": provenance,
        "U01": {"rng": rng, "copula": [copula]},
        "sips": sips,
        "version": "1",
    }
    try:
        with written_whole(path) as unfinished:
            unfinished.write_text(json.dumps(library, indent=1), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write '{path}': {error.strerror or error}") from None
    return Path(path)


def _flat(draws: xr.Dataset, name: str) -> Array:
    if name not in draws.data_vars:
        raise UnknownNameError(f"'{name}' is no quantity of the draws")
    held = draws[name]
    more = set(held.dims) - {"chain", "draw"}
    if more:
        raise WorkbookError(f"'{name}' has the dim '{sorted(map(str, more))[0]}'; select one label of it first")
    values: Array = np.asarray(held.values, dtype=np.float64).reshape(-1)
    if not np.isfinite(values).all():
        raise WorkbookError(f"'{name}' has invalid draws, which no library can hold")
    if np.ptp(values) == 0:
        raise WorkbookError(f"'{name}' has one value in all draws; leave it out with names=")
    return values


def _sip(name: str, place: int, values: Array) -> dict[str, Any]:
    bounds: list[tuple[float, float]] = [(-math.inf, math.inf)]
    if values.min() > 0:
        bounds.append((0.0, math.inf))
    if values.min() > 0 and values.max() < 1:
        bounds.append((0.0, 1.0))
    fits = [fit for ends in bounds for terms in _TERMS if (fit := _fit(values, terms, ends)) is not None]
    if not fits:
        raise WorkbookError(f"no metalog follows the draws of '{name}'; leave it out with names=")
    miss, coefficients, (lower, upper) = min(fits)
    given: dict[str, Any] = {"lowerBound": lower} if math.isfinite(lower) else {}
    given |= {"upperBound": upper} if math.isfinite(upper) else {}
    return {
        "name": name,
        "ref": {"source": "copula", "name": "Gaussian", "copulaLayer": f"c{place}"},
        "function": "Metalog_1_0",
        "arguments": {**given, "aCoefficients": coefficients},
        "metadata": {
            "count": len(values),
            "mean": float(values.mean()),
            "std": float(values.std(ddof=1)),
            "min": float(values.min()),
            "max": float(values.max()),
            "largest_miss": miss,
        },
    }


def _fit(values: Array, terms: int, ends: tuple[float, float]) -> tuple[float, list[float], tuple[float, float]] | None:
    """Largest miss of a percentile, and coefficients; None if the quantiles do not increase."""
    levels = 1 / (1 + np.exp(-np.linspace(-4.0, 4.0, terms)))
    percentiles = np.quantile(values, levels)
    with np.errstate(all="ignore"):
        try:
            coefficients = coefficients_of(levels.tolist(), percentiles.tolist(), *ends)
            quantiles = np.asarray(from_coefficients(coefficients, *ends).ppf(_LEVELS))
        except (DemandsimError, np.linalg.LinAlgError):
            return None
    low, high = np.quantile(values, (0.05, 0.95))
    misses = np.abs(quantiles - np.quantile(values, _LEVELS))
    miss = float(misses.max() / (high - low)) if high > low else math.inf
    return (miss, coefficients, ends) if math.isfinite(miss) else None


def _matrix(columns: Mapping[str, Array]) -> dict[str, Any]:
    """Correlations of normal scores, the lower half of them."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    names = list(columns)
    scores = [ndtri((rankdata(values) - 0.5) / len(values)) for values in columns.values()]
    found = np.atleast_2d(np.corrcoef(scores))
    cells = [
        {"row": one, "col": other, "value": float(found[i, j]) if i != j else 1.0}
        for i, one in enumerate(names)
        for j, other in enumerate(names[: i + 1])
    ]
    return {"columns": names, "rows": names, "matrix": cells}
