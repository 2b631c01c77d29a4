"""Fingerprints: everything that determines the draws of a model, as text that differs when it does."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from demandsim.distributions.base import is_labelled
from demandsim.graph.assumption import Assumption

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["canonical", "fingerprint"]


def canonical(model: Model) -> dict[str, Any]:
    """Return everything that determines the draws, independent of the order in which it was given."""
    return {
        "assumptions": {name: _described(a) for name, a in sorted(model.assumptions.items())},
        "equations": {name: [e.unit, e.fingerprint, list(e.inputs)] for name, e in sorted(model.equations.items())},
        "correlations": sorted([*sorted(pair), rho] for pair, rho in model.correlations.items()),
        "scenarios": {
            dim: {label: {n: _described(a) for n, a in sorted(over.items())} for label, over in labels.items()}
            for dim, labels in model.scenarios.grid.items()
        },
        "dimensions": list(model.dimensions),
        "nearest": model.nearest,
        # Only where there is some, so that a model without keeps its hash.
        **({"evidence": [piece.canonical() for piece in model.evidence]} if model.evidence else {}),
    }


def _described(assumption: Assumption) -> list[Any]:
    point = assumption.point
    flat = point.values.tolist() if is_labelled(point) else point
    coords = {dim: list(labels) for dim, labels in assumption.distribution.coords.items()}
    return [str(assumption.distribution), coords, assumption.unit, flat, assumption.shared]


def fingerprint(model: Model) -> str:
    """Return a short hash of everything that determines the draws."""
    text = json.dumps(canonical(model), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
