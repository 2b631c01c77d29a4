"""Loading: a study file becomes a Model; it is read as data, and nothing in it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from demandsim.distributions.base import Distribution
from demandsim.distributions.convert import as_distribution
from demandsim.equations import equation_named
from demandsim.errors import (
    DemandsimError,
    EquationError,
    StudyError,
    UnknownNameError,
    check_known,
    close_matches,
    did_you_mean,
    shorten,
)
from demandsim.graph.assumption import Assumption, in_unit
from demandsim.graph.bounds import about
from demandsim.graph.changes import ABSENT, described
from demandsim.graph.equation import Equation, equation
from demandsim.graph.formula import Formula
from demandsim.graph.loop import Lag
from demandsim.graph.metadata import Published, StudyNotes
from demandsim.graph.presentation import Presentation, PresentedEvent
from demandsim.graph.submodel import joined
from demandsim.inference.evidence import Happened, Observation, dated, happened
from demandsim.model import Model
from demandsim.sampling.student_t import kendall_to_spearman
from demandsim.statistics.event import parse_event
from demandsim.studies.catalogue import read_toml, shipped_files
from demandsim.studies.schema import (
    AssumptionTable,
    CorrelationTable,
    EvidenceTable,
    FormulaTable,
    LabelCorrelationTable,
    PresentationTable,
    ScenarioTable,
    Study,
    SubmodelTable,
    validated,
)
from demandsim.units.constant import Constant

__all__ = ["formula_equation", "load_study", "model_from_toml", "presentation_of"]


#: Endings of files that are no study files, and what to do with them.
_OTHERS = {
    ".xls": "is an old workbook; save it as .xlsx in Excel, then read that",
    ".xlsb": "is a binary workbook; save it as .xlsx in Excel, then read that",
    ".ods": "is a workbook of another kind; save it as .xlsx, then read that",
    ".csv": "is a table, not a study file (.toml) or workbook (.xlsx); draws in a table are read by ds.import_draws",
    **dict.fromkeys((".json", ".yaml", ".yml", ".txt"), "is no study file: those are TOML, and end in .toml"),
    ".py": "is a script: run it with python; a study file ends in .toml",
}


def load_study(study: str | Path, *, equations: Iterable[Equation] = ()) -> Model:
    """Load a shipped study by name, or a study file by path.

    Parameters
    ----------
    study : str or Path
        A name of `list_studies`, or a path that ends in ``.toml``.
    equations : iterable of Equation, optional
        Your own equations, which the file names without a room.

    Returns
    -------
    Model

    Raises
    ------
    UnknownNameError
        If no study has that name.
    StudyError
        If the file cannot be read, or does not follow the schema; it names file, table and key.

    Examples
    --------
    >>> model = load_study("guosen-2025-01")
    >>> len(model.assumptions)
    9
    """
    name = str(study)
    if name.lower().endswith(".xlsx"):
        raise StudyError(f"{name}: is a workbook; read it with ds.read_workbook")
    if (kind := Path(name).suffix.lower()) in _OTHERS:
        raise StudyError(f"{name}: {_OTHERS[kind]}")
    if name.endswith(".toml") or isinstance(study, Path) or "/" in name or Path(name).is_dir():
        path = Path(study)
        if path.is_dir():
            raise StudyError(f"{path}: is a folder; name the study file in it, which ends in .toml")
        if not path.is_file():
            beside = [str(p) for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
            near = close_matches(str(path), beside)
            hint = f"; did you mean '{near[0]}'?" if near else f" in '{path.parent.resolve()}'"
            raise UnknownNameError(f"there is no study file '{path}'{hint}")
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise StudyError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise StudyError(
                f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8, as editors offer"
            ) from None
        return model_from_toml(text, str(path), equations=equations)
    shipped = shipped_files()
    if name not in shipped:
        raise UnknownNameError(f"unknown study '{name}'{did_you_mean(name, shipped)}")
    return model_from_toml(shipped[name].read_text(encoding="utf-8"), f"{name}.toml", equations=equations)


def model_from_toml(text: str, where: str = "study", *, equations: Iterable[Equation] = ()) -> Model:
    """Build a model from the text of a study file; `where` names it in errors."""
    study = validated(read_toml(text, where), where)
    own = {made.name: made for made in equations}
    try:
        return _built(study, where, own)
    except StudyError:
        raise
    except DemandsimError as error:
        raise type(error)(f"{where}: {error}") from None


def _built(study: Study, where: str, own: Mapping[str, Equation]) -> Model:
    assumptions = {name: _assumption(name, table, study.coords, where) for name, table in study.assumptions.items()}
    grid: dict[str, dict[str, dict[str, Any]]] = {
        dim: {
            label: {
                name: _override(
                    value, assumptions.get(name), study.coords, f"{where}: [scenarios.{dim}.{label}] {name}"
                )
                for name, value in overrides.items()
            }
            for label, overrides in labels.items()
        }
        for dim, labels in study.scenarios.items()
    }
    parts: dict[str, Any] = {
        "equations": _equations(study, own, where),
        "assumptions": assumptions,
        "correlations": {table.between: _spearman(table) for table in study.correlations},
        "tails": _tails(study),
        "label_correlations": {_label_key(table): table.spearman for table in study.label_correlations},
        "scenarios": grid,
        "notes": StudyNotes(
            study.name,
            study.title,
            study.source,
            tuple(study.notes),
            tuple(Published(t.quantity, t.row, t.unit, t.digits, t.values) for t in study.published),
            {tuple(sorted(t.between)): t.source for t in study.correlations if t.source},
            presentation_of(study.presentation),
        ),
        "dimensions": study.dimensions or None,
        "nearest": study.nearest_correlations,
        "coords": study.coords,
    }
    reading = _READING.get() or _Reading((Path(where).resolve(),), [])
    for prefix, used in study.submodels.items():
        parts = _with_submodel(parts, prefix, used, where, reading)
    model = Model.drafted(**parts)
    for place, table in enumerate(study.evidence):
        model = _observing(model, table, study.coords, f"{where}: [evidence.{place}]")
    for part, names in _named(study, model, where):
        for name in names:
            if name not in model.quantities:
                raise StudyError(f"{where}: {part}: unknown quantity '{name}'{did_you_mean(name, model.quantities)}")
    parts = described(model) | {change.name: change.before for change in study.changes}
    return model.loaded({name: text for name, text in parts.items() if text != ABSENT})


#: Studies within studies within studies, and how many one file may lead to: two that each use two grow without end.
_DEEPEST, _MOST = 8, 64


class _Reading(NamedTuple):
    """What one study file has led to so far: the files being read, from the outermost on, and all uses of another."""

    files: tuple[Path, ...]
    uses: list[str]


_READING: ContextVar[_Reading | None] = ContextVar("reading", default=None)


def _with_submodel(
    parts: Mapping[str, Any], prefix: str, table: SubmodelTable, where: str, reading: _Reading
) -> dict[str, Any]:
    """Parts of a model with those of a study that it uses."""
    reading.uses.append(table.study)
    try:
        place = _place(table.study, where, reading)
        token = _READING.set(reading._replace(files=(*reading.files, Path(place))))
        try:
            other = load_study(place)
        finally:
            _READING.reset(token)
        used = other.select(**table.select) if table.select else other
        return {"coords": parts["coords"]} | joined(parts, prefix, used, table.given)
    except DemandsimError as error:
        raise StudyError(f"{where}: [submodels.{prefix}]: {error}") from None


def _place(study: str, where: str, reading: _Reading) -> str | Path:
    """The shipped study or the file that is meant; no file leads out of the folder of the outermost one."""
    if len(reading.files) > _DEEPEST or len(reading.uses) > _MOST:
        raise StudyError(f"'{study}' is one too many: studies use others at most {_DEEPEST} deep, and {_MOST} in all")
    if not study.endswith(".toml") and not set(study) & set("/\\\0"):
        return study
    if "\0" in study:
        raise StudyError(f"{shorten(study)!r} is no path: it holds a NUL character")
    place = (Path(where).parent / study).resolve()
    folder = reading.files[0].parent
    if not place.is_relative_to(folder):
        raise StudyError(f"'{study}' leads out of the folder '{folder}'; put what a study uses beside it or below")
    if place in reading.files:
        raise StudyError(f"'{study}' uses itself")
    return place


def _tails(study: Study) -> dict[str, float]:
    labels = {name: table.df for table in study.label_correlations if table.df for name in table.of}
    return labels | {name: table.df for table in study.correlations if table.df for name in table.between}


def _spearman(table: CorrelationTable) -> float:
    # The schema says that there is one of them.
    if table.kendall is not None:
        return kendall_to_spearman(table.kendall, table.df)
    # A file says one of the two; -0.0 is a number as well.
    return 0.0 if table.spearman is None else table.spearman


def _label_key(table: LabelCorrelationTable) -> tuple[str, str, str]:
    return table.of[0], table.of[-1], table.dim


def _named(study: Study, model: Model, where: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Quantities that tables beside the model itself name."""
    shown = study.presentation
    yield "[published]", [row.quantity for row in study.published]
    for key in ("results", "explained", "pictured"):
        yield f"[presentation]: key '{key}'", getattr(shown, key)
    check_known(shown.time, model.program.layout.coords, "dim in [presentation] time:")
    for name, told in shown.events.items():
        try:
            yield f"[presentation.events.{name}]", parse_event(told.event).names
        except DemandsimError as error:
            raise StudyError(f"{where}: [presentation.events.{name}]: key 'event': {error}") from None


def presentation_of(table: PresentationTable) -> Presentation:
    """What readers look for first, of its table."""
    return Presentation(
        tuple(table.results),
        tuple(table.explained),
        tuple(table.pictured),
        tuple(table.time),
        {name: PresentedEvent(one.event, one.says) for name, one in table.events.items()},
    )


def _equations(study: Study, own: Mapping[str, Equation], where: str) -> list[Equation]:
    """Equations in the order in which they are named, then formulas that are not; those of the caller come first."""
    formulas = {name: own.get(name) or _formula(name, table, where) for name, table in study.formulas.items()}
    named = [formulas.get(reference) or _equation(reference, own, where) for reference in study.equations]
    return [*named, *(made for name, made in formulas.items() if name not in study.equations)]


def _formula(name: str, table: FormulaTable, where: str) -> Equation:
    try:
        return formula_equation(name, table)
    except DemandsimError as error:
        raise StudyError(f"{where}: [formulas.{name}]: {error}") from None


def formula_equation(name: str, table: FormulaTable) -> Equation:
    """The equation of a table of formulas.

    Raises
    ------
    EquationError, BoundsError, UnitError
        If the formula, its bounds or the unit of a constant cannot be read.
    """
    constants = {key: Constant(one.value, one.unit) for key, one in table.constants.items()}
    start = table.start or f"initial_{name}"
    first = constants.pop(start, None) if table.over else None
    formula = Formula(table.formula, name, constants)
    made = equation(
        formula,
        name=name,
        unit=table.unit,
        long_name=table.long_name,
        source=table.source,
        bounds=table.bounds,
        invalid=table.invalid,
    )
    if table.start and not table.over:
        raise EquationError(f"formula of '{name}': key 'start' needs 'over', the dim along which it steps")
    return made.lagged(Lag(name, table.over, start, first) if table.over else None)


def _equation(reference: str, own: Mapping[str, Equation], where: str) -> Equation:
    if reference in own:
        return own[reference]
    try:
        return equation_named(reference)
    except UnknownNameError as error:
        more = "" if "." in reference else "; an equation of your own is passed as load_study(path, equations=[...])"
        raise StudyError(f"{where}: key 'equations': {error}{more}") from None


def _read(value: float | str, coords: Mapping[str, Sequence[Any]], unit: str, where: str, key: str) -> Distribution:
    try:
        return as_distribution(in_unit(value, unit), coords)
    except DemandsimError as error:
        raise StudyError(f"{where}: key '{key}': {error}") from None


def _point(value: float | str | None, coords: Mapping[str, Sequence[Any]], unit: str, where: str) -> Any:
    if not isinstance(value, str):
        return value
    made = _read(value, coords, unit, where, "point")
    if not made.is_constant:
        raise StudyError(f"{where}: key 'point' is '{value}'; expected a number, or by(...) of numbers")
    return made.median()


def _assumption(name: str, table: AssumptionTable, coords: Mapping[str, Sequence[Any]], where: str) -> Assumption:
    where = f"{where}: [assumptions.{name}]"
    distribution = _read(table.distribution, coords, table.unit, where, "distribution")
    point = _point(table.point, coords, table.unit, where)
    try:
        with about(name):
            return Assumption(
                distribution,
                table.unit,
                point=point,
                long_name=table.long_name,
                source=table.source,
                shared=table.shared,
                bounds=table.bounds,
                dims=table.dims,
            ).over(coords)
    except DemandsimError as error:
        raise StudyError(f"{where}: {error}") from None


def _observing(model: Model, table: EvidenceTable, coords: Mapping[str, Sequence[Any]], where: str) -> Model:
    try:
        if table.event is not None:
            (event,) = happened(table.event, model.declared_units)
            unit = table.unit or event.unit
            return model.with_evidence(dated([Happened(event.event, unit, table.source)], table.announced))
        name = str(table.quantity)
        check_known([name], model.quantities, "quantity")
        unit = table.unit or model.declared_units[name]
        read = _read(str(table.distribution), {**coords, **table.coords}, unit, where, "distribution")
        made = Observation(name, read, unit, table.source)
        return model.with_evidence(dated([made], table.announced))
    except StudyError:
        raise
    except DemandsimError as error:
        raise StudyError(f"{where}: {error}") from None


def _override(
    value: float | str | ScenarioTable, base: Assumption | None, coords: Mapping[str, Sequence[Any]], where: str
) -> Any:
    if not isinstance(value, ScenarioTable):
        return _read(value, coords, base.unit if base else "1", where, "value")
    unit = value.unit or (base.unit if base else "1")
    return Assumption(
        _read(value.distribution, coords, unit, where, "distribution"),
        unit,
        point=_point(value.point, coords, unit, where),
        long_name=value.long_name or (base.long_name if base else None),
        source=value.source or (base.source if base else None),
        shared=base.shared if base else False,
    )
