"""Submodel: the parts of one model under names with a prefix, so that another may use its results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from demandsim.errors import DemandsimError, ScenarioError, check_known
from demandsim.graph.assumption import Assumption
from demandsim.graph.equation import Equation
from demandsim.graph.loop import PREVIOUS

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["joined"]


def joined(parts: Mapping[str, Any], prefix: str, other: Model, given: Mapping[str, str]) -> dict[str, Any]:
    """Parts of a model that holds another, all of whose quantities have a prefix.

    Parameters
    ----------
    parts : mapping
        Of the model as it is: equations, assumptions, correlations, label_correlations, tails, scenarios (a grid),
        dimensions (or None), nearest and notes.
    prefix : str
    other : Model
    given : mapping of str to str
        Assumptions of `other`, and the quantities of the model that take their place.

    Raises
    ------
    UnknownNameError
        If `other` has no such assumption.
    DemandsimError
        If the prefix is no name, a name is there already, or `other` has evidence.
    ScenarioError
        If both have scenarios along one dim, with different labels.
    """
    names, kept = _names(parts, prefix, other, given)
    grid = {
        dim: {label: {kept[n]: a for n, a in over.items() if n in kept} for label, over in labels.items()}
        for dim, labels in other.scenarios.grid.items()
    }
    assumptions = {kept[n]: _named(n, other.assumptions[n]) for n in kept}
    order = parts["dimensions"]
    reasons = {tuple(sorted(pair)): why for pair, why in _pairs(other.notes.reasons, kept).items()}
    return {
        "equations": [*parts["equations"], *(_renamed(made, names) for made in other.equations.values())],
        "assumptions": {**parts["assumptions"], **assumptions},
        "correlations": {**parts["correlations"], **_pairs(other.correlations, kept)},
        "label_correlations": {**parts["label_correlations"], **_pairs(other.label_correlations, kept)},
        "tails": {**parts["tails"], **{kept[n]: df for n, df in other.tails.items() if n in kept}},
        "scenarios": _merged(prefix, parts["scenarios"], grid),
        "dimensions": None if order is None else [*order, *(kept[n] for n in other.dimensions if n in kept)],
        "nearest": parts["nearest"] or other.nearest,
        "notes": dataclasses.replace(parts["notes"], reasons={**parts["notes"].reasons, **reasons}),
    }


def _names(
    parts: Mapping[str, Any], prefix: str, other: Model, given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What the quantities of a submodel are called, and those assumptions that it keeps."""
    if not prefix.isidentifier():
        raise DemandsimError(f"the prefix of a submodel is a name, such as 'supply', not {prefix!r}")
    if other.evidence:
        raise DemandsimError(
            f"submodel '{prefix}' has evidence, which stays with its own model; leave it out, and observe() what was "
            "measured on the whole"
        )
    check_known(given, other.assumptions, f"assumption of submodel '{prefix}':")
    constants = set(other.constants)
    names = {name: given.get(name, f"{prefix}_{name}") for name in (*other.quantities, *constants)}
    kept = {name: names[name] for name in other.assumptions if name not in given}
    taken = {*parts["assumptions"], *(made.name for made in parts["equations"])}
    for name in (*kept.values(), *(names[name] for name in other.equations)):
        if name in taken:
            raise DemandsimError(f"submodel '{prefix}': there is a quantity '{name}' already; choose another prefix")
    return names, kept


def _renamed(made: Equation, names: Mapping[str, str]) -> Equation:
    def outer(name: str) -> str:
        of = name.removeprefix(PREVIOUS)
        return names[name] if name in names else PREVIOUS + names[of]

    starts = [made.lag.start] if made.lag is not None else []
    return made.renamed(names[made.name], {name: outer(name) for name in (*made.inputs, *starts)})


def _named(name: str, assumption: Assumption) -> Assumption:
    """With the label that it has by its own name."""
    return assumption if assumption.long_name else assumption.relabelled(long_name=name.replace("_", " "))


def _pairs(found: Mapping[Any, Any], kept: Mapping[str, str]) -> dict[Any, Any]:
    """Correlations of two assumptions that are kept; what stands behind them is a dim."""
    return {
        (kept[key[0]], kept[key[1]], *key[2:]): value
        for key, value in found.items()
        if key[0] in kept and key[1] in kept
    }


def _merged(prefix: str, own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Scenarios of both: along a dim that both have, each label changes what it changes in either."""
    for dim in set(own) & set(other):
        if list(own[dim]) != list(other[dim]):
            raise ScenarioError(
                f"submodel '{prefix}' has scenarios {list(other[dim])} along '{dim}', and the model has "
                f"{list(own[dim])}; pick one first, as in other.select({dim}={next(iter(other[dim]))!r})"
            )
    merged: dict[str, Any] = {}
    for dim in {**own, **other}:
        labels = own.get(dim, other.get(dim, {}))
        merged[dim] = {n: {**own.get(dim, {}).get(n, {}), **other.get(dim, {}).get(n, {})} for n in labels}
    return merged
