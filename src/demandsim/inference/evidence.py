"""Observations: a distribution over a quantity that was measured, or an event that is known to have happened."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.distributions.base import Distribution, is_labelled
from demandsim.distributions.convert import as_distribution
from demandsim.distributions.format import date_of
from demandsim.distributions.grammar import written
from demandsim.errors import DistributionError, EventError, EvidenceError, StudyError, check_known
from demandsim.graph.assumption import Assumption, in_unit
from demandsim.graph.bounds import about
from demandsim.graph.equation import Equation
from demandsim.statistics.event import Event, event_of
from demandsim.units.convert import conversion_factor
from demandsim.units.dates import last_day

if TYPE_CHECKING:
    from demandsim.sampling.program import Program

__all__ = [
    "Evidence",
    "Happened",
    "Observation",
    "check_evidence",
    "dated",
    "happened",
    "known",
    "narrowed",
    "observed",
]


@dataclass(frozen=True)
class Observation:
    """What a measurement says about one quantity, as a likelihood.

    Parameters
    ----------
    quantity : str
    distribution : Distribution
        Of the measurement's error around what was read; its density at a draw's value weighs the draw.
    unit : str
        Unit of the distribution.
    source : str or None
    announced : str or None
        Day on which it came out, as ``2026-04-02``, or a month or year, of which the last day counts.
    """

    quantity: str
    distribution: Distribution
    unit: str
    source: str | None = None
    announced: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Quantities that it is about."""
        return (self.quantity,)

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{self.quantity} ~ {self.distribution}{unit}"

    def table(self) -> dict[str, Any]:
        """Return it as a table of a study file.

        Raises
        ------
        StudyError
            If it cannot be written as text.
        """
        try:
            written(self.distribution)
        except DistributionError as error:
            raise StudyError(f"evidence on '{self.quantity}': {error}") from None
        told: dict[str, Any] = {"quantity": self.quantity, "distribution": str(self.distribution), "unit": self.unit}
        coords = {dim: list(map(date_of, labels)) for dim, labels in self.distribution.coords.items()}
        told |= {"coords": coords} if coords else {}
        return told | {key: text for key in ("source", "announced") if (text := getattr(self, key))}

    def canonical(self) -> list[Any]:
        """What of it determines the draws."""
        coords = {dim: [str(label) for label in labels] for dim, labels in self.distribution.coords.items()}
        return ["observed", self.quantity, str(self.distribution), coords, self.unit]


@dataclass(frozen=True)
class Happened:
    """An event that is known to have happened: draws in which it did not are ruled out.

    Parameters
    ----------
    event : Event, or a function of the draws
    unit : str
        Of the numbers in the event; empty where each is in the unit of the quantity that it is compared with.
    source, announced : str or None
        As of `Observation`.
    """

    event: Event | Callable[..., Any]
    unit: str = "1"
    source: str | None = None
    announced: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Quantities that it is about; not known of a function."""
        return self.event.names if isinstance(self.event, Event) else ()

    def __str__(self) -> str:
        if isinstance(self.event, Event):
            return f"{self.event}" + ("" if self.unit in ("1", "") else f" {self.unit}")
        called = getattr(self.event, "__name__", "event")
        return "event" if called == "<lambda>" else str(called)

    def table(self) -> dict[str, Any]:
        """Return it as a table of a study file; see `Observation.table`."""
        if not isinstance(self.event, Event):
            raise StudyError(
                f"evidence '{self}' is a function, which a file does not hold; write it as a comparison of quantities"
            )
        told = {"event": str(self.event), "unit": self.unit, "source": self.source or ""}
        told["announced"] = self.announced or ""
        return {key: text for key, text in told.items() if text}

    def canonical(self) -> list[Any]:
        """What of it determines the draws."""
        if isinstance(self.event, Event):
            return ["happened", *(self.event.simple or [str(self.event)]), self.unit]
        # The digest of a function is the one that equations have.
        return ["happened", Equation(self.event, str(self), "1", None, None, ()).fingerprint]


Evidence = Observation | Happened


def observed(given: Mapping[str, Any], units: Mapping[str, str]) -> list[Observation]:
    """Read observations, each as a distribution, a text, or an `Assumption` with a unit of its own."""
    check_known(given, units, "quantity")
    found = []
    for name, value in given.items():
        if isinstance(value, Assumption):
            found.append(Observation(name, value.distribution, value.unit, value.source))
        else:
            with about(name):
                found.append(Observation(name, as_distribution(in_unit(value, units[name])), units[name]))
    return found


def happened(event: Any, units: Mapping[str, str]) -> list[Happened]:
    """Read one event or a list of them: a text, a tuple, an `Event` or a function of the draws."""
    if event is None:
        return []
    if isinstance(event, list):
        return [one for part in event for one in happened(part, units)]
    if callable(event) and not isinstance(event, Event):
        return [Happened(event)]
    try:
        made = event_of(event, units)
    except EventError as error:
        raise EvidenceError(f"{error}; or a function of the draws") from None
    of_numbers = {units[name] for name in made.measured()}
    return [Happened(made, of_numbers.pop() if len(of_numbers) == 1 else "")]


def dated(evidence: Iterable[Evidence], announced: str | None) -> list[Evidence]:
    """Evidence with the day on which it came out.

    Raises
    ------
    EvidenceError
        If that is no day, month or year.
    """
    pieces = list(evidence)
    if announced is None:
        return pieces
    _end_of(announced, "announced")
    return [dataclasses.replace(piece, announced=str(announced)) for piece in pieces]


def known(evidence: Iterable[Evidence], date: str) -> Iterator[Evidence]:
    """Evidence that had come out by the end of a date.

    Raises
    ------
    EvidenceError
        If a piece does not say when it came out, or the date cannot be read.
    """
    until = _end_of(date, "date")
    for piece in evidence:
        if piece.announced is None:
            raise EvidenceError(
                f"evidence '{piece}' does not say when it came out; write announced = \"2026-04-02\" beside it in the "
                "study file, or model.observe(..., announced=...)"
            )
        if _end_of(piece.announced, f"evidence '{piece}': announced") <= until:
            yield piece


def _end_of(text: str, where: str) -> datetime.date:
    try:
        return last_day(str(text))
    except ValueError as error:
        raise EvidenceError(f"{where}: {error}") from None


def check_evidence(evidence: Sequence[Evidence], program: Program, units: Mapping[str, str]) -> None:
    """Raise unless every piece of evidence fits the model: name, unit, labels, something to learn.

    Raises
    ------
    UnknownNameError
        If a quantity, dim or label does not exist; with the nearest.
    EvidenceError
        If there is nothing to learn from it, or it is not clear for which labels it holds.
    UnitError
        If its unit has another dimension than the quantity.
    """
    for piece in evidence:
        names = piece.names
        check_known(names, units, "quantity in evidence:")
        if names and not any(program.varying[name].random for name in names):
            raise EvidenceError(
                f"evidence on '{names[0]}' teaches nothing: it does not vary from draw to draw; observe what is "
                "computed from uncertain assumptions, or give it a distribution"
            )
        if isinstance(piece, Observation):
            conversion_factor(units[piece.quantity], piece.unit)
            _check_labels(piece, program)
        elif isinstance(piece.event, Event):
            piece.event.in_units(units, piece.unit)


def _check_labels(piece: Observation, program: Program) -> None:
    name, layout, own = piece.quantity, program.layout, program.varying[piece.quantity].dims
    if any(law.kind == "mixed" for law in piece.distribution.laws):
        raise EvidenceError(
            f"evidence on '{name}': {piece.distribution} mixes sure values with a continuous part and has no density"
        )
    if piece.distribution.wholes:
        raise EvidenceError(
            f"evidence on '{name}': {piece.distribution} is shares of a whole, not what was observed of each label; "
            "give each its own distribution, such as beta"
        )
    allowed = [dim for dim in layout.dims if dim in own or dim in layout.scenario_dims]
    check_known(piece.distribution.dims, allowed, f"dim in the evidence on '{name}':")
    for dim, labels in piece.distribution.coords.items():
        known = {str(label): label for label in layout.coords[dim]}
        for label in labels:
            if label not in layout.coords[dim]:
                check_known([str(label)], known, f"label of '{dim}' in the evidence on '{name}':")
    missing = [dim for dim in layout.model_dims if dim in own and dim not in piece.distribution.dims]
    if missing:
        raise EvidenceError(
            f"'{name}' varies over '{missing[0]}', so its evidence must say for which: give the distribution "
            f"DataArrays with coords={{'{missing[0]}': [...]}}"
        )


def narrowed(evidence: Sequence[Evidence], labels: Mapping[str, str], program: Program) -> Iterator[Evidence]:
    """Evidence that is left when only one scenario of a dim is kept, on what `program` still draws."""
    for piece in evidence:
        if piece.names and not any(program.varying[name].random for name in piece.names):
            continue
        left: Evidence | None = piece
        if isinstance(piece, Observation):
            for dim, label in labels.items():
                if isinstance(left, Observation) and dim in left.distribution.dims:
                    coords = left.distribution.coords
                    left = _at(left, dim, label) if label in coords[dim] else None
        if left is not None:
            yield left


def _at(piece: Observation, dim: str, label: str) -> Observation:
    whole = piece.distribution
    axis, place = whole.dims.index(dim), whole.coords[dim].index(label)
    kept = np.take(np.arange(len(whole.laws)).reshape(whole.shape), [place], axis=axis).ravel()
    said = tuple((name, _said_at(value, dim, label)) for name, value in whole.said)
    laws = tuple(whole.laws[element] for element in kept)
    part = Distribution(whole.family, said, laws, whole.dims, {**whole.coords, dim: (label,)})
    return dataclasses.replace(piece, distribution=part)


def _said_at(value: Any, dim: str, label: str) -> Any:
    if isinstance(value, list):
        return [_said_at(item, dim, label) for item in value]
    if is_labelled(value) and dim in value.dims:
        return value.sel({dim: [label]})
    if isinstance(value, Distribution) and dim in value.dims:
        return _at(Observation("", value, "1"), dim, label).distribution
    return value
