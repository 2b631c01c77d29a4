"""Named faults: what is wrong, where, and what to do about it."""

from __future__ import annotations

import contextlib
import difflib
import numbers
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = [
    "BoundsError",
    "BoundsWarning",
    "ConvergenceError",
    "CorrelationError",
    "CorrelationWarning",
    "CycleError",
    "DemandsimError",
    "DependentInputsWarning",
    "DesignWarning",
    "DimensionError",
    "DistributionError",
    "EquationError",
    "EventError",
    "EvidenceConflictError",
    "EvidenceError",
    "EvidenceWarning",
    "HeavyTailWarning",
    "ImpossibleEvidenceError",
    "InvalidDrawsError",
    "MemoryGuardError",
    "MissingAssumptionError",
    "MissingWordWarning",
    "OutputError",
    "ScenarioError",
    "SeriesError",
    "SeveralPeaksWarning",
    "StoreError",
    "StudyError",
    "StudyWarning",
    "ToleranceWarning",
    "UnitError",
    "UnknownNameError",
    "UnusedAssumptionWarning",
    "WorkbookError",
    "WorkbookWarning",
    "check_dataset",
    "check_known",
    "check_model",
    "check_whole",
    "close_matches",
    "did_you_mean",
    "equation_of",
    "in_equation",
    "marked",
    "shorten",
    "shown",
    "warn",
]


class DemandsimError(Exception):
    """Base of every error that demandsim raises on purpose."""


class UnknownNameError(DemandsimError, LookupError):
    """A name that the model, study or menu does not have."""


class MissingAssumptionError(DemandsimError, LookupError):
    """An equation asks for a quantity that nothing provides."""


class CycleError(DemandsimError, ValueError):
    """Equations that need each other in a circle."""


class UnitError(DemandsimError, ValueError):
    """A unit that cannot be read, or cannot be converted to another."""


class DimensionError(UnitError):
    """An equation whose result has another dimension than it declares."""


class EquationError(DemandsimError, ValueError):
    """An equation that fails, or that mixes draws, dims or shapes.

    Parameters
    ----------
    message : str
    equation : str, optional
        Quantity that it computes.
    """

    def __init__(self, message: str = "", equation: str | None = None) -> None:
        super().__init__(message)
        self.equation = equation

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.equation)


class DistributionError(DemandsimError, ValueError):
    """A distribution that cannot exist, or cannot be read."""


class BoundsError(DemandsimError, ValueError):
    """A value that its quantity cannot have."""


class CorrelationError(DemandsimError, ValueError):
    """Rank correlations that cannot be had; `nearest` holds those that can, by pair, where all are given together."""

    nearest: dict[tuple[str, str], float] | None = None


class ScenarioError(DemandsimError, ValueError):
    """Scenarios that contradict each other or the model."""


class SeriesError(DemandsimError, ValueError):
    """A series file that does not follow the schema, or figures that have no growth."""


class StudyError(DemandsimError, ValueError):
    """A study file that does not follow the schema."""


class WorkbookError(StudyError):
    """A workbook with a cell that cannot be read, or that cannot be written."""


class InvalidDrawsError(DemandsimError, ArithmeticError):
    """NaN or infinity made by an equation."""


class MemoryGuardError(DemandsimError, MemoryError):
    """Draws that would not fit in memory."""


class EventError(DemandsimError, ValueError):
    """An event that cannot be read, or compares what cannot be compared."""


class EvidenceError(DemandsimError, ValueError):
    """Evidence that nothing can be learned from, or that does not fit the model."""


class EvidenceConflictError(EvidenceError):
    """Evidence that contradicts the prior, or other evidence."""


class ImpossibleEvidenceError(EvidenceError):
    """Evidence that no draw of the prior agrees with."""


class ConvergenceError(EvidenceError):
    """Draws of a posterior that cannot be trusted."""


class OutputError(DemandsimError, OSError):
    """A file or folder that cannot be written."""


class StoreError(DemandsimError, OSError):
    """A store of draws that is unfinished, of another run, or damaged."""


class CorrelationWarning(UserWarning):
    """A rank correlation that has no effect, or another value in some scenario."""


class BoundsWarning(UserWarning):
    """A distribution of which a part lies where its quantity cannot be."""


class DesignWarning(UserWarning):
    """A design used where it loses what it is chosen for."""


class WorkbookWarning(UserWarning):
    """A workbook that is read or written, with something in it that its reader should know."""


class EvidenceWarning(UserWarning):
    """A posterior that was asked for although something is wrong with it."""


class HeavyTailWarning(UserWarning):
    """Statistics that hang on a few extreme draws, so that their errors do not hold what they say."""


class DependentInputsWarning(UserWarning):
    """Inputs of an analysis of draws of which one is computed from others."""


class SeveralPeaksWarning(UserWarning):
    """One interval for a result that has several peaks, with an empty middle."""


class ToleranceWarning(UserWarning):
    """A stop rule that ran out of draws before its tolerance was reached."""


class UnusedAssumptionWarning(UserWarning):
    """An assumption that changes nothing: no equation asks for it, or every scenario sets it itself."""


class StudyWarning(UserWarning):
    """A study file that does not hold all of the model it was written from."""


class MissingWordWarning(ResourceWarning):
    """A language that leaves out words; like its parent it is shown in Python's development mode and in tests."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line of the caller's own code, however deep in the library the reason was found."""
    warnings.warn(message, category, skip_file_prefixes=(os.path.dirname(__file__),))


@contextlib.contextmanager
def in_equation(name: str) -> Iterator[None]:
    """Say, of what is raised inside, in which equation that was: in a note for people, for code as `equation_of`.

    Examples
    --------
    >>> try:
    ...     with in_equation("cards"):
    ...         1 / 0
    ... except ZeroDivisionError as error:
    ...     equation_of(error)
    'cards'
    """
    try:
        yield
    except Exception as error:
        if equation_of(error) is None:
            error.add_note(f"in equation '{name}'")
            error.equation = name  # type: ignore[attr-defined]
        raise


def equation_of(error: Exception) -> str | None:
    """Return the name of the equation in which an exception was raised, if it is known."""
    found = getattr(error, "equation", None)
    return found if isinstance(found, str) else None


def shorten(text: str, longest: int = 80) -> str:
    """Cut a text that would drown the message it is quoted in."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def marked(text: str, place: int) -> str:
    """Show a text with a mark where reading it stopped, and a little of what stands before and after.

    Examples
    --------
    >>> marked("normal(8%, 28%)", 8)
    "see the mark ⟨?⟩ in 'normal(8⟨?⟩%, 28%)'"
    """
    before, rest = text[:place].rstrip(), text[place:].strip()
    start, end = "…" if len(before) > 30 else "", "…" if len(rest) > 20 else ""
    return f"see the mark ⟨?⟩ in '{start}{before[-30:]}⟨?⟩{rest[:20]}{end}'"


def shown(value: Any) -> str:
    """Write a value that a message quotes; Python itself refuses whole numbers of thousands of digits."""
    return "a number of hundreds of digits" if isinstance(value, int) and abs(value) > 10**100 else repr(value)


def close_matches(name: str, known: Iterable[str]) -> list[str]:
    """Return the known name that is nearest to `name`, if one is near."""
    return difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Hint at the known name nearest to `name`, or list what is known.

    Examples
    --------
    >>> did_you_mean("utilisation", ["utilization", "card_price"])
    "; did you mean 'utilization'?"
    >>> did_you_mean("x", ["utilization", "card_price"])
    '; known: card_price, utilization'
    """
    names = sorted(known)
    near = close_matches(name, names)
    if near:
        return f"; did you mean '{near[0]}'?"
    if not names:
        return "; none is defined"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known: {shown}"


def check_dataset(value: Any, what: str = "draws") -> None:
    """Raise unless a value is labelled arrays, a Dataset, of what is said: a model has yet to be run."""
    if not hasattr(value, "data_vars"):
        model = hasattr(value, "simulate")
        hint = "simulate it first: model.simulate(seed=1)" if model else "make one of a table with ds.import_draws"
        raise DemandsimError(f"{what} are a Dataset, not a {type(value).__name__}; {hint}")


def check_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise `UnknownNameError` for the first of `names` that is not in `known`."""
    available = list(known)
    for name in names:
        if name not in available:
            raise UnknownNameError(f"unknown {what} '{name}'{did_you_mean(name, available)}")


def check_model(value: Any) -> None:
    """Raise unless a value is a model, which can be run again; draws cannot."""
    if not hasattr(value, "simulate"):
        hint = "; of draws that are there, ask ds.sensitivity.given_data" if hasattr(value, "data_vars") else ""
        raise DemandsimError(f"a Model is needed, to run it, not a {type(value).__name__}{hint}")


def check_whole(name: str, value: Any, least: int = 1, *, also: str = "", why: str = "", most: int = 2**62) -> int:
    """Return `value` as an int, or raise unless it is a whole number of at least `least`.

    Parameters
    ----------
    name : str
    value : int of Python or numpy
    least : int, default 1
    also, why : str
        What else would do, and why there is a bound, for the message.
    most : int, default 2**62
        No number of anything is larger, and larger ones leave the machine's integers.

    Examples
    --------
    >>> check_whole("draws", 8)
    8
    >>> check_whole("draws", 0.5)
    Traceback (most recent call last):
    ...
    demandsim.errors.DemandsimError: draws must be a whole number of at least 1, not 0.5
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        whole = isinstance(value, float) and value.is_integer() and value >= least
        hint = f"; write {int(value)}" if whole and value < 10**16 else ""
        raise DemandsimError(f"{name} must be a whole number of at least {least}{also}, not {shown(value)}{hint}{why}")
    if int(value) > most:
        raise DemandsimError(f"{name} must be at most 2**{most.bit_length() - 1}")
    return int(value)
