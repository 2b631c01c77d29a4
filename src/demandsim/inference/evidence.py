"""Observations: a distribution over a quantity that was measured, or an event that is known to have happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.distributions.base import Distribution, is_labelled
from demandsim.distributions.convert import as_distribution
from demandsim.errors import EvidenceError, check_known
from demandsim.graph.assumption import Assumption
from demandsim.graph.graph import Equation
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    from demandsim.sampling.program import Program

__all__ = ["COMPARISONS", "Evidence", "Happened", "Observation", "check_evidence", "happened", "narrowed", "observed"]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}


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
    """

    quantity: str
    distribution: Distribution
    unit: str
    source: str | None = None

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{self.quantity} ~ {self.distribution}{unit}"

    def canonical(self) -> list[Any]:
        """What of it determines the draws."""
        coords = {dim: [str(label) for label in labels] for dim, labels in self.distribution.coords.items()}
        return ["observed", self.quantity, str(self.distribution), coords, self.unit]


@dataclass(frozen=True)
class Happened:
    """An event that is known to have happened: draws in which it did not are ruled out.

    Parameters
    ----------
    event : (quantity, comparison, value), or a function of the draws
    unit : str
        Unit of the value; of no meaning for a function.
    source : str or None
    """

    event: tuple[str, str, float] | Callable[..., Any]
    unit: str = "1"
    source: str | None = None

    def __str__(self) -> str:
        if isinstance(self.event, tuple):
            name, sign, value = self.event
            return f"{name} {sign} {value:g}" + ("" if self.unit == "1" else f" {self.unit}")
        called = getattr(self.event, "__name__", "event")
        return "event" if called == "<lambda>" else str(called)

    def canonical(self) -> list[Any]:
        """What of it determines the draws."""
        if isinstance(self.event, tuple):
            return ["happened", *self.event, self.unit]
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
            found.append(Observation(name, as_distribution(value), units[name]))
    return found


def happened(event: Any, units: Mapping[str, str]) -> list[Happened]:
    """Read one event or a list of them: ``("margin", "<", 0)``, ``"margin < 0"`` or a function of the draws."""
    if event is None:
        return []
    if isinstance(event, list):
        return [one for part in event for one in happened(part, units)]
    if callable(event):
        return [Happened(event)]
    parts = tuple(event.split()) if isinstance(event, str) else event
    if not isinstance(parts, tuple) or len(parts) != 3:
        raise EvidenceError(
            f"an event is (quantity, comparison, value), such as ('gross_margin', '<', 0), a text "
            f"'gross_margin < 0', or a function of the draws, not {event!r}"
        )
    name, sign, value = parts
    check_known([name], units, "quantity in event:")
    check_known([sign], COMPARISONS, "comparison in event:")
    try:
        bound = float(value)
    except (TypeError, ValueError):
        raise EvidenceError(f"event compares '{name}' with {value!r}, which is no number") from None
    if np.isnan(bound):
        raise EvidenceError(f"event compares '{name}' with NaN, which nothing is above or below")
    return [Happened((name, sign, bound), units[name])]


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
        if isinstance(piece, Observation):
            name = piece.quantity
        elif isinstance(piece.event, tuple):
            name = piece.event[0]
        else:
            continue
        check_known([name], units, "quantity in evidence:")
        conversion_factor(units[name], piece.unit)
        if not program.varying[name].random:
            raise EvidenceError(
                f"evidence on '{name}' teaches nothing: it does not vary from draw to draw; observe what is "
                "computed from uncertain assumptions, or give it a distribution"
            )
        if isinstance(piece, Observation):
            _check_labels(piece, program)


def _check_labels(piece: Observation, program: Program) -> None:
    name, layout, own = piece.quantity, program.layout, program.varying[piece.quantity].dims
    if any(law.kind == "mixed" for law in piece.distribution.laws):
        raise EvidenceError(
            f"evidence on '{name}': {piece.distribution} mixes sure values with a continuous part and has no density"
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


def narrowed(evidence: Sequence[Evidence], labels: Mapping[str, str]) -> Iterator[Evidence]:
    """Evidence that is left when only one scenario of a dim is kept."""
    for piece in evidence:
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
    return Observation(piece.quantity, part, piece.unit, piece.source)


def _said_at(value: Any, dim: str, label: str) -> Any:
    if isinstance(value, list):
        return [_said_at(item, dim, label) for item in value]
    if is_labelled(value) and dim in value.dims:
        return value.sel({dim: [label]})
    if isinstance(value, Distribution) and dim in value.dims:
        return _at(Observation("", value, "1"), dim, label).distribution
    return value
