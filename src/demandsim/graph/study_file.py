"""Study file: the parts of a model as text, which loads to an equal model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demandsim._system import written_whole
from demandsim.distributions.format import date_of, format_value, is_labelled
from demandsim.distributions.grammar import written
from demandsim.errors import DistributionError, EquationError, OutputError, StudyError, StudyWarning, warn
from demandsim.graph.assumption import Assumption
from demandsim.graph.equation import Equation
from demandsim.graph.label_correlation import LabelKey, written_rank
from demandsim.graph.plain_function import as_formula

if TYPE_CHECKING:
    from demandsim.graph.presentation import Presentation
    from demandsim.model import Model

__all__ = ["formula_tables", "presentation_table", "study_text"]


def study_text(model: Model, path: str | Path | None = None) -> str:
    """Write a model as the text of a study file, and to `path` if given.

    Raises
    ------
    StudyError
        If a distribution or piece of evidence cannot be written as text.
    OutputError
        If the file cannot be written.
    """
    import tomli_w

    notes, layout = model.notes, model.program.layout
    data: dict[str, Any] = {
        "schema": 1,
        "name": notes.name,
        "title": notes.title,
        "source": notes.source,
        "notes": list(notes.notes),
        "equations": [made.reference for made in model.equations.values()],
        "formulas": _formulas(model.equations),
        "dimensions": list(model.dimensions),
        "nearest_correlations": model.nearest,
        "coords": {dim: list(map(date_of, layout.coords[dim])) for dim in layout.model_dims},
        "changes": [change._asdict() for change in model.changes],
        "presentation": presentation_table(notes.presentation),
        "assumptions": {name: _assumption(name, a) for name, a in model.assumptions.items()},
        "correlations": [_correlation(model, pair, rho) for pair, rho in model.correlations.items()],
        "label_correlations": [_label_correlation(model, key) for key in model.label_correlations],
        "evidence": [piece.table() for piece in model.evidence],
        "published": [dataclasses.asdict(row) for row in notes.published],
        "scenarios": {
            dim: {
                label: {name: _override(name, made, model.assumptions[name]) for name, made in overrides.items()}
                for label, overrides in labels.items()
            }
            for dim, labels in model.scenarios.grid.items()
        },
    }
    needed = {key: data[key] for key in ("equations", "dimensions", "assumptions")}
    text = tomli_w.dumps({key: data[key] for key in data if key in needed or data[key]}, multiline_strings=False)
    if path is not None:
        try:
            with written_whole(path) as unfinished:
                unfinished.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write '{path}': {error.strerror or error}") from None
    return text


def _correlation(model: Model, pair: tuple[str, str], rho: float) -> dict[str, Any]:
    why = model.notes.reasons.get(tuple(sorted(pair)))
    return _without_empty({"between": pair, "spearman": rho, "df": _df(model, *pair), "source": why})


def _label_correlation(model: Model, key: LabelKey) -> dict[str, Any]:
    one, other, dim = key
    rank = written_rank(model.label_correlations[key])
    of = list(dict.fromkeys((one, other)))
    return _without_empty({"of": of, "dim": dim, "spearman": rank, "df": _df(model, one, other)})


def _df(model: Model, one: str, other: str) -> float | None:
    """Degrees of freedom of two assumptions, if they have a t copula."""
    return model.tails.get(one, model.tails.get(other))


def formula_tables(equations: Mapping[str, Equation]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Tables of the equations that no room of the library has; and which no formula can say, with the reason."""
    found: dict[str, dict[str, Any]] = {}
    kept = []
    for name, made in equations.items():
        if made.reference != name:
            continue
        try:
            formula = as_formula(made)
        except EquationError as error:
            kept.append(f"'{name}' ({error})")
            continue
        constants = {key: {"value": one.value, "unit": one.unit} for key, one in made.constants.items()}
        table: dict[str, Any] = {
            "formula": formula.text,
            "unit": made.unit,
            "long_name": made.long_name,
            "source": made.source,
        }
        table["bounds"] = list(made.bounds.ends) if made.bounds is not None else None
        table["invalid"] = made.invalid if made.invalid == "keep" else None
        if (lag := made.lag) is not None:
            table |= {"over": lag.over, "start": lag.start}
            if lag.constant is not None:
                constants[lag.start] = {"value": lag.constant.value, "unit": lag.constant.unit}
        found[name] = _without_empty({**table, "constants": constants})
    return found, kept


def _formulas(equations: Mapping[str, Equation]) -> dict[str, Any]:
    found, kept = formula_tables(equations)
    if kept:
        warn(
            f"no formula can say {', '.join(kept)}; whoever loads the file passes them as "
            "load_study(path, equations=[...])",
            StudyWarning,
        )
    return found


def presentation_table(presentation: Presentation) -> dict[str, Any]:
    """The table of what readers look for first, without what is left unsaid."""
    return _without_empty(dataclasses.asdict(presentation))


def _without_empty(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table without keys that say nothing, also in the tables inside it."""
    inner = {key: _without_empty(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    return {key: value for key, value in inner.items() if value not in ("", None, (), {})}


def _assumption(name: str, assumption: Assumption) -> dict[str, Any]:
    try:
        table: dict[str, Any] = {"distribution": written(assumption.distribution), "unit": assumption.unit}
    except DistributionError as error:
        raise StudyError(f"assumption '{name}': {error}") from None
    point = assumption.point
    table["point"] = format_value(point) if is_labelled(point) else float(point)
    table |= {key: getattr(assumption, key) for key in ("long_name", "source") if getattr(assumption, key)}
    if assumption.bounds is not None:
        table["bounds"] = list(assumption.bounds.ends)
    if assumption.dims:
        table["dims"] = list(assumption.dims)
    return table | ({"shared": True} if assumption.shared else {})


def _override(name: str, made: Assumption, base: Assumption) -> Any:
    table = _assumption(name, made)
    for kept in ("shared", "bounds", "dims"):
        table.pop(kept, None)
    same = all(getattr(made, key) == getattr(base, key) for key in ("unit", "long_name", "source"))
    own_point = made == base.with_distribution(made.distribution).relabelled(point=None)
    return table["distribution"] if same and own_point else table
