"""Changes: what a model has that differs from the study it was loaded from, and what that study's source printed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from demandsim.errors import shorten
from demandsim.locale.words import Words, words_of
from demandsim.units.convert import conversion_factor, same_dimension

if TYPE_CHECKING:
    import pandas as pd

    from demandsim.graph.assumption import Assumption
    from demandsim.model import Model

__all__ = [
    "ABSENT",
    "Change",
    "Changes",
    "Origin",
    "changes_attrs",
    "changes_line",
    "described",
    "published_at",
    "published_values",
    "read_changes",
    "said_of",
]

#: Where a part stands only before, or only after.
ABSENT = "none"
_LAW = " ~ "


class Change(NamedTuple):
    """One part of a model that is not as in its study: what it is called, and what it was and is."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return self.told()

    def told(self, words: Words | None = None) -> str:
        """The change in a language; parts that it has no words for are as they are."""
        # Of a value that is sure now, what was said about its doubt is of no interest.
        before = self.before if _LAW in self.after else self.before.partition(_LAW)[0]
        parts = (self.name, shorten(before), shorten(self.after))
        name, before, after = parts if words is None else map(words.message, parts)
        return f"{name if words is None else words.names.get(name, name)} {before} -> {after}"


class Changes(tuple[Change, ...]):
    """What differs from the study: a table with the columns name, before and after.

    Examples
    --------
    >>> import demandsim as ds
    >>> changes = ds.load_study("guosen-2025-01").fix(utilization=0.15).changes
    >>> changes[0].name, changes[0].after
    ('utilization', '0.15')
    >>> print(changes)
    utilization 0.45 -> 0.15
    """

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def to_frame(self) -> pd.DataFrame:
        """Return the changes as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(list(self), columns=list(Change._fields))


@dataclass(frozen=True)
class Origin:
    """The study that a model was loaded from.

    Parameters
    ----------
    parts : mapping of str to str
        What it said, part by part, as `described`.
    values : mapping of quantity to (scenario to number)
        What its source printed, in the quantity's unit; to all digits, where its points reproduce what is printed.
    """

    parts: Mapping[str, str]
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def narrowed(self, before: Mapping[str, str], after: Mapping[str, str]) -> Origin:
        """The origin of one scenario alone: what was not changed before is not changed by leaving others out."""
        left_out = before.keys() - after.keys()
        kept = {n: text for n, text in self.parts.items() if before.get(n, ABSENT) != text and n not in left_out}
        same = {name: text for name, text in after.items() if before.get(name) == self.parts.get(name)}
        return Origin(same | kept, self.values)

    def changes(self, parts: Mapping[str, str]) -> Changes:
        """What differs now."""
        pairs = ((name, self.parts.get(name, ABSENT), parts.get(name, ABSENT)) for name in {**self.parts, **parts})
        return Changes(Change(*pair) for pair in pairs if pair[1] != pair[2])


def described(model: Model) -> dict[str, str]:
    """Say in words, part by part, what determines the results of a model."""
    found = {name: said_of(made) for name, made in model.assumptions.items()}
    for dim, labels in model.scenarios.grid.items():
        for label, overrides in labels.items():
            told = "; ".join(f"{name} {said_of(made)}" for name, made in overrides.items())
            found[f"{dim} {label}"] = told or "as assumed"
    for pair, rho in model.correlations.items():
        found[f"correlation of {' and '.join(sorted(pair))}"] = f"{rho:g}"
    for labelled, rank in model.label_correlations.items():
        found[f"correlation of labels of {', '.join(labelled)}"] = str(rank)
    for name, df in model.tails.items():
        found[f"degrees of freedom of {name}"] = f"{df:g}"
    for name, made in model.equations.items():
        found[f"equation {name}"] = f"{made.fingerprint} [{made.unit}]"
    for piece in model.evidence:
        about = " and ".join(piece.names) or str(piece)
        key = f"evidence on {about}"
        found[key] = f"{found[key]}; {piece}" if key in found else str(piece)
    return found


def said_of(made: Assumption) -> str:
    """Say an assumption: its point and unit, and its distribution unless it is sure."""
    from demandsim.distributions.format import format_value

    unit = "" if made.unit == "1" else f" {made.unit}"
    point = format_value(made.point) if hasattr(made.point, "dims") else f"{float(made.point):.6g}"
    law = made.distribution
    sure = law.is_constant and (str(law) == str(point) or not law.dims)
    return f"{point}{unit}" if sure else f"{point}{unit}{_LAW}{law}"


def changes_line(study: str, changes: Iterable[Change], most: int = 3, words: Words | None = None) -> str:
    """Say in a line what was changed; empty if nothing was."""
    words = words or words_of("en", "terminal")
    told = [change.told(words) for change in changes]
    said = words.say("separator").join(told[:most])
    said += words.say("more_changes", count=len(told) - most) if len(told) > most else ""
    return words.say("changed", study=study or words.say("its_study"), changes=said) if told else ""


def changes_attrs(*versions: Model) -> dict[str, str]:
    """What was changed, as an attribute of draws and of what is made of a model; nothing if nothing was.

    Of several versions of a model the last one tells what it has of a part, and what only earlier ones changed is told
    too.
    """
    told = {change.name: change for model in versions for change in model.changes}
    return {"changes": json.dumps(list(told.values()))} if told else {}


def read_changes(attrs: Mapping[Any, Any]) -> Changes:
    """Read back what the attributes of draws, or of what was made of them, say was changed."""
    return Changes(Change(*row) for row in json.loads(str(attrs.get("changes") or "[]")))


def published_values(model: Model, at: Callable[[str, str], float] | None) -> dict[str, dict[str, float]]:
    """What the source printed, in the units of the quantities, by scenario; "" where there are none.

    The value at the study's points, where it rounds to what is printed; else what is printed. Of a quantity and a label
    `at` tells the value at the points.
    """
    found: dict[str, dict[str, float]] = {}
    for row in model.notes.published:
        unit = model.declared_units.get(row.quantity)
        if unit is None or not same_dimension(unit, row.unit):
            continue
        factor = conversion_factor(row.unit, unit)
        for label, printed in row.values.items():
            exact = at(row.quantity, label) if at is not None else math.nan
            near = abs(exact / factor - printed) <= 0.5 * 10.0**-row.digits + 1e-9 * abs(printed)
            found.setdefault(row.quantity, {}).setdefault(label, exact if near else printed * factor)
    return found


def published_at(attrs: Mapping[Any, Any], labels: Sequence[Any]) -> float:
    """What the source printed of a quantity in a scenario, as the attributes of its array say; NaN if nothing."""
    values: dict[str, float] = json.loads(str(attrs.get("published") or "{}"))
    found = [values[str(label)] for label in (*labels, "") if str(label) in values]
    if not found and not labels and len(set(values.values())) == 1:
        # The same in every scenario.
        found = list(values.values())
    return found[0] if found else math.nan
