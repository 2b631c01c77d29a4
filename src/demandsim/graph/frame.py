"""Frames: a model's quantities and an explanation's steps as tables of pandas, to filter, join and export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.distributions.format import is_labelled
from demandsim.units.format import label_value

if TYPE_CHECKING:
    import pandas as pd

    from demandsim.graph.assumption import Assumption
    from demandsim.graph.equation import Equation

__all__ = ["quantities_frame", "values_frame"]

_LEVELS = {"P5": 0.05, "P50": 0.5, "P95": 0.95}


def quantities_frame(assumptions: Mapping[str, Assumption], equations: Mapping[str, Equation]) -> pd.DataFrame:
    """A row an assumption and label with its point, percentiles and source; a row an equation with its formula."""
    import pandas as pd

    rows = [row for name, made in assumptions.items() for row in _assumed(name, made)]
    for name, made in equations.items():
        words = {"formula": made.formula, "long_name": made.long_name or "", "source": made.source or ""}
        rows.append({"quantity": name, "role": "derived", "unit": made.unit, **words})
    columns = [
        "quantity",
        "role",
        "labels",
        "unit",
        "point",
        *_LEVELS,
        "distribution",
        "formula",
        "long_name",
        "source",
    ]
    found = pd.DataFrame(rows, columns=columns)
    words = found.select_dtypes(exclude="number").columns
    return found.assign(**{column: found[column].fillna("") for column in words}).set_index("quantity")


def _assumed(name: str, made: Assumption) -> Iterator[dict[str, Any]]:
    law, point = made.distribution, made.point
    for place, own in zip(np.ndindex(*law.shape), law.laws, strict=True):
        at = {dim: law.coords[dim][i] for dim, i in zip(law.dims, place, strict=True)}
        with np.errstate(all="ignore"):
            quantiles = dict(zip(_LEVELS, own.ppf(np.array(list(_LEVELS.values()))).tolist(), strict=True))
        here = float(point.sel({d: v for d, v in at.items() if d in point.dims})) if is_labelled(point) else point
        words = {"distribution": str(law), "long_name": made.long_name or "", "source": made.source or ""}
        labels = ", ".join(f"{dim}={label_value(label)}" for dim, label in at.items())
        yield (
            {"quantity": name, "role": "assumption", "labels": labels, "unit": made.unit, "point": here}
            | quantiles
            | words
        )


def values_frame(values: Mapping[str, Any], formulas: Mapping[str, str]) -> pd.DataFrame:
    """A row a quantity and label: its value, unit, formula and source.

    Parameters
    ----------
    values : mapping of str to DataArray
        With ``units``, ``role`` and ``source`` in the attributes.
    formulas : mapping of str to str
    """
    import pandas as pd

    rows = []
    for name, array in values.items():
        for place in np.ndindex(*array.shape):
            labels = {str(d): label_value(array[d].values[i]) for d, i in zip(array.dims, place, strict=True)}
            attrs = {key: str(array.attrs.get(key, "")) for key in ("role", "source")}
            unit = str(array.attrs.get("units", "1"))
            value = {"value": float(array.values[place]), "unit": unit, "formula": formulas.get(name, "")}
            rows.append({"quantity": name, **labels, **value, **attrs})
    frame = pd.DataFrame(rows)
    told = ["value", "unit", "formula", "role", "source"]
    return frame[["quantity", *(each for each in frame.columns if each not in ("quantity", *told)), *told]]
