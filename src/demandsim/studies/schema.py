"""Schema of study files: what each table and key holds, checked before anything is built."""

from __future__ import annotations

import datetime
import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from demandsim.errors import StudyError, UnitError, shorten, shown
from demandsim.units.constant import constant

__all__ = ["Study", "validated"]

Value = float | str
#: A label: whole numbers are those of the machine, and of files.
Label = Annotated[int, Field(ge=-(2**63), lt=2**63)] | float | str | datetime.datetime | datetime.date
_End = Annotated[float, Field(allow_inf_nan=True)]
Ends = tuple[_End, _End]


class _Table(BaseModel):
    """A table of the file: unknown keys are errors, numbers must be finite."""

    # Strict: true is no number, and "yes" is not true.
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class AssumptionTable(_Table):
    """One ``[assumptions.NAME]``."""

    distribution: Value = Field(description="number, or text such as 'lognormal(500, 1200, prob=0.9)'")
    unit: str = Field(default="1", description="unit, such as 'token/day'")
    point: Value | None = Field(default=None, description="published value in that unit, or by(...) per label")
    long_name: str | None = Field(default=None, description="label")
    source: str | None = Field(default=None, description="where point and spread come from")
    shared: bool = Field(default=False, description="true for one draw over all labels")
    bounds: Ends | None = Field(
        default=None, description="least and greatest possible value, such as [0, 1] or [0, inf]", strict=False
    )
    dims: list[str] = Field(default_factory=list, description="dims along which it is drawn anew, such as ['region']")


class SubmodelTable(_Table):
    """One ``[submodels.PREFIX]``."""

    study: str = Field(description="name of a shipped study, or path of a study file beside this one")
    given: dict[str, str] = Field(
        default_factory=dict, description="its assumptions, and the quantities of this study in their place"
    )
    select: dict[str, str] = Field(
        default_factory=dict, description="its scenario of each dim that is not to come along"
    )


class ConstantTable(_Table):
    """One constant of a formula."""

    value: float = Field(description="a number")
    unit: str = Field(description="unit, such as 'byte/parameter'")

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        try:
            made = constant(given)
        except UnitError as error:
            raise ValueError(f"a number and a unit, such as '2 byte/parameter': {error}") from None
        return {"value": made.value, "unit": made.unit}


class FormulaTable(_Table):
    """One ``[formulas.NAME]``."""

    formula: str = Field(description="arithmetic of named quantities, such as 'cards * price'")
    unit: str = Field(description="unit of the result, such as 'CNY/year'")
    long_name: str | None = Field(default=None, description="label")
    source: str | None = Field(default=None, description="where the formula comes from")
    bounds: Ends | None = Field(default=None, description="least and greatest result, such as [0, inf]", strict=False)
    invalid: Literal["raise", "keep"] = Field(default="raise", description="'keep' where NaN is a result: never")
    over: str | None = Field(default=None, description="dim along which previous_NAME of it may be asked for")
    start: str | None = Field(default=None, description="quantity that stands before the first label; initial_NAME")
    constants: dict[str, ConstantTable] = Field(
        default_factory=dict, description="names with '2 byte' or { value = 2, unit = 'byte' } that no assumption gives"
    )


class CorrelationTable(_Table):
    """One ``[[correlations]]``."""

    between: tuple[str, str] = Field(description="two names of assumptions", strict=False)
    spearman: float | None = Field(default=None, description="rank correlation between -1 and 1", gt=-1, lt=1)
    kendall: float | None = Field(default=None, description="in its place Kendall's tau", gt=-1, lt=1)
    df: float | None = Field(default=None, description="degrees of freedom of a t copula, from 1 on", ge=1)
    source: str | None = Field(default=None, description="why")

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.spearman is None) == (self.kendall is None):
            raise ValueError("either spearman or kendall")
        return self


class LabelCorrelationTable(_Table):
    """One ``[[label_correlations]]``."""

    of: list[str] = Field(description="one assumption or two", min_length=1, max_length=2)
    dim: str = Field(description="dim whose labels go together")
    spearman: float | str | list[list[float]] = Field(
        description="a number, 'ar1(0.8)', 'exponential(3)', or rows of numbers in the order of the labels"
    )
    df: float | None = Field(default=None, description="degrees of freedom of a t copula, from 1 on", ge=1)


class PublishedTable(_Table):
    """One ``[[published]]``: a row as the source prints it."""

    quantity: str = Field(description="name of a quantity")
    row: str = Field(description="label of the row")
    unit: str = Field(description="unit as printed, such as 'wan*card'")
    digits: int = Field(description="decimals printed", ge=0, le=12)
    values: dict[str, float] = Field(description="value per scenario; the key '' where there are none")


class ChangeTable(_Table):
    """One ``[[changes]]``: what a model that was changed and written has that its study had not."""

    name: str = Field(description="what was changed")
    before: str = Field(description="what the study said")
    after: str = Field(description="what the file says")


class EvidenceTable(_Table):
    """One ``[[evidence]]``: a quantity that was measured, or an event that happened."""

    quantity: str | None = Field(default=None, description="name of the quantity that was measured")
    distribution: str | None = Field(default=None, description="text such as 'normal(mean=80e9, sd=15e9)'")
    event: str | None = Field(default=None, description="what happened, such as 'gross_margin < 0'")
    unit: str | None = Field(default=None, description="unit; the quantity's by default")
    source: str | None = Field(default=None, description="where it comes from")
    announced: str | None = Field(default=None, description="when it came out, such as '2026-04-02'; for model.as_of")
    coords: dict[str, list[Label]] = Field(
        default_factory=dict, description="labels that were observed, of each dim in by(...)"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.quantity is None) != (self.distribution is None) or (self.quantity is None) == (self.event is None):
            raise ValueError("either quantity and distribution, or event")
        return self


class EventTable(_Table):
    """One ``[presentation.events.NAME]``."""

    event: str = Field(description="text such as 'gross_margin > 0'")
    says: str = Field(default="", description="in words, after 'Probability that'")


class PresentationTable(_Table):
    """``[presentation]``: what readers look for first."""

    results: list[str] = Field(default_factory=list, description="headline quantities, the most wanted first")
    explained: list[str] = Field(default_factory=list, description="quantities that sensitivity explains first")
    pictured: list[str] = Field(default_factory=list, description="quantities in the picture of a run")
    time: list[str] = Field(default_factory=list, description="dims of time")
    events: dict[str, EventTable] = Field(default_factory=dict, description="tables of event and says")


class ScenarioTable(_Table):
    """One override in full, where a number or a text is not enough."""

    distribution: Value = Field(description="number or text of a distribution")
    unit: str | None = Field(default=None, description="unit; the assumption's by default")
    point: Value | None = Field(default=None, description="the scenario's own point")
    long_name: str | None = Field(default=None, description="label")
    source: str | None = Field(default=None, description="where it comes from")


class Study(_Table):
    """A whole study file."""

    schema_version: int = Field(alias="schema", description="1", ge=1, le=1)
    name: str = Field(default="", description="short name")
    title: str = Field(default="", description="one line")
    source: str = Field(default="", description="report, authors, date")
    notes: list[str] = Field(default_factory=list, description="errata and limits")
    equations: list[str] = Field(description="names, such as 'inference.cards'")
    submodels: dict[str, SubmodelTable] = Field(default_factory=dict, description="a table per study that is used")
    formulas: dict[str, FormulaTable] = Field(default_factory=dict, description="a table per formula")
    coords: dict[str, list[Label]] = Field(default_factory=dict, description="labels of each dim")
    dimensions: list[str] = Field(default_factory=list, description="order of quasi-random dimensions")
    nearest_correlations: bool = Field(default=False, description="true to mend impossible correlations")
    assumptions: dict[str, AssumptionTable] = Field(description="a table per assumption")
    changes: list[ChangeTable] = Field(default_factory=list, description="what differs from the study")
    correlations: list[CorrelationTable] = Field(default_factory=list, description="rank correlations")
    label_correlations: list[LabelCorrelationTable] = Field(
        default_factory=list, description="rank correlations of labels"
    )
    evidence: list[EvidenceTable] = Field(default_factory=list, description="tables of what was observed")
    presentation: PresentationTable = Field(
        default_factory=PresentationTable, description="a table of what readers look for first"
    )
    published: list[PublishedTable] = Field(default_factory=list, description="printed rows")
    scenarios: dict[str, dict[str, dict[str, Value | ScenarioTable]]] = Field(
        default_factory=dict, description="[scenarios.DIM.LABEL] with NAME = value"
    )


def validated(data: dict[str, Any], where: str) -> Study:
    """Check parsed TOML against the schema.

    Raises
    ------
    StudyError
        Naming the file, the table, the key and what was expected.
    """
    try:
        # Formulas are equations: a file that has some need not name others.
        return Study.model_validate({"equations": [], **data} if data.get("formulas") else data)
    except ValidationError as error:
        lines = [_line(item) for item in error.errors(include_url=False)]
        unique = list(dict.fromkeys(lines))
        raise StudyError(f"{where}: " + "; ".join(unique[:5])) from None


def _line(item: Any) -> str:
    path = [part for part in item["loc"] if part not in ("float", "str", "int", "ScenarioTable")]
    *table, key = path or [""]
    place = f"[{'.'.join(str(part) for part in table)}]" if table else "top level"
    if item["type"] == "extra_forbidden":
        fields = _fields(table)
        near = difflib.get_close_matches(str(key), fields, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; known keys: {', '.join(fields)}"
        return f"{place}: unknown key '{key}'{hint}"
    if item["type"] == "value_error":
        return f"[{'.'.join(str(part) for part in path)}]: expected {item['ctx']['error']}"
    if item["type"] == "missing":
        return f"{place}: key '{key}' is missing; expected {_expected(table, str(key))}"
    found = shorten(shown(item["input"]), 60)
    return f"{place}: key '{key}' is {found}; expected {_expected(table, str(key))}"


def _table_class(table: list[Any]) -> type[_Table]:
    tables: dict[str, type[_Table]] = {
        "submodels": SubmodelTable,
        "formulas": FormulaTable,
        "assumptions": AssumptionTable,
        "correlations": CorrelationTable,
        "label_correlations": LabelCorrelationTable,
        "evidence": EvidenceTable,
        "presentation": PresentationTable,
        "published": PublishedTable,
        "changes": ChangeTable,
    }
    if table and table[0] == "scenarios" and len(table) >= 4:
        return ScenarioTable
    if table[:1] == ["formulas"] and table[2:3] == ["constants"]:
        return ConstantTable
    if table[:2] == ["presentation", "events"]:
        return EventTable
    return tables.get(str(table[0]), Study) if table else Study


def _fields(table: list[Any]) -> list[str]:
    return [info.alias or name for name, info in _table_class(table).model_fields.items()]


def _expected(table: list[Any], key: str) -> str:
    for name, info in _table_class(table).model_fields.items():
        if key in (name, info.alias) and info.description:
            return info.description
    if table:
        parent = Study.model_fields.get(str(table[0]))
        if parent is not None and parent.description:
            return parent.description
    return "a value as the schema describes"
