"""Writing: a Model becomes a study file that loads to an equal model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from demandsim._system import written_whole
from demandsim.distributions.base import Distribution
from demandsim.distributions.format import format_value, is_labelled
from demandsim.distributions.grammar import written
from demandsim.errors import DistributionError, OutputError, StudyError
from demandsim.graph.assumption import Assumption
from demandsim.inference.evidence import Evidence, Observation
from demandsim.statistics.event import Event

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["model_to_toml"]


def model_to_toml(model: Model, path: str | Path | None = None) -> str:
    """Write a model as the text of a study file, and to `path` if given.

    Raises
    ------
    StudyError
        If a distribution cannot be written as text.
    OutputError
        If the file cannot be written.
    """
    import tomli_w

    notes = model.notes
    data: dict[str, Any] = {"schema": 1}
    data |= {k: v for k, v in {"name": notes.name, "title": notes.title, "source": notes.source}.items() if v}
    if notes.notes:
        data["notes"] = list(notes.notes)
    data["equations"] = [made.reference for made in model.equations.values()]
    data["dimensions"] = list(model.dimensions)
    if model.nearest:
        data["nearest_correlations"] = True
    if model.program.layout.model_dims:
        coords = model.program.layout.coords
        data["coords"] = {dim: list(coords[dim]) for dim in model.program.layout.model_dims}
    data["assumptions"] = {name: _assumption(name, a) for name, a in model.assumptions.items()}
    if model.correlations:
        data["correlations"] = [
            {"between": list(pair), "spearman": rho}
            | ({"source": reason} if (reason := notes.reasons.get(tuple(sorted(pair)))) else {})
            for pair, rho in model.correlations.items()
        ]
    if model.evidence:
        data["evidence"] = [_evidence(piece) for piece in model.evidence]
    if notes.published:
        data["published"] = [
            {"quantity": p.quantity, "row": p.row, "unit": p.unit, "digits": p.digits, "values": dict(p.values)}
            for p in notes.published
        ]
    if model.scenarios.grid:
        data["scenarios"] = {
            dim: {
                label: {name: _override(name, made, model.assumptions[name]) for name, made in overrides.items()}
                for label, overrides in labels.items()
            }
            for dim, labels in model.scenarios.grid.items()
        }
    text = tomli_w.dumps(data, multiline_strings=False)
    if path is not None:
        try:
            with written_whole(path) as unfinished:
                unfinished.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write '{path}': {error.strerror or error}") from None
    return text


def _evidence(piece: Evidence) -> dict[str, Any]:
    if isinstance(piece, Observation):
        distribution = piece.distribution
        _text(f"evidence on '{piece.quantity}'", distribution)
        table: dict[str, Any] = {"quantity": piece.quantity, "distribution": str(distribution), "unit": piece.unit}
        if distribution.dims:
            table["coords"] = {dim: list(labels) for dim, labels in distribution.coords.items()}
    elif isinstance(piece.event, Event):
        table = {"event": str(piece.event)} | ({"unit": piece.unit} if piece.unit else {})
    else:
        raise StudyError(
            f"evidence '{piece}' is a function, which a study file does not hold; write it as a comparison"
        )
    return table | ({"source": piece.source} if piece.source else {})


def _text(where: str, distribution: Distribution) -> float | str:
    try:
        return written(distribution)
    except DistributionError as error:
        raise StudyError(f"{where}: {error}") from None


def _assumption(name: str, assumption: Assumption) -> dict[str, Any]:
    table: dict[str, Any] = {
        "distribution": _text(f"assumption '{name}'", assumption.distribution),
        "unit": assumption.unit,
    }
    point = assumption.point
    table["point"] = format_value(point) if is_labelled(point) else float(point)
    table |= {key: getattr(assumption, key) for key in ("long_name", "source") if getattr(assumption, key)}
    return table | ({"shared": True} if assumption.shared else {})


def _override(name: str, made: Assumption, base: Assumption) -> Any:
    table = _assumption(name, made)
    table.pop("shared", None)
    same = all(getattr(made, key) == getattr(base, key) for key in ("unit", "long_name", "source"))
    own_point = made == base.with_distribution(made.distribution).relabelled(point=None)
    return table["distribution"] if same and own_point else table
