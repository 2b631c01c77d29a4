"""Assumptions drawn at random: a distribution in a unit, with or without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from demandsim import distributions as menu
from demandsim.distributions.base import Distribution
from demandsim.errors import check_known
from demandsim.graph.assumption import Assumption
from demandsim.testing.strategies.distributions import distributions

__all__ = ["UNITS", "assumptions"]

#: Units of this field, all of positive quantities; that of a share comes first.
UNITS = (
    "1",
    "token/day",
    "Mtoken/s",
    "card",
    "TFLOP/s/card",
    "CNY/card",
    "CNY/Mtoken",
    "Gparameter",
    "FLOP/parameter/token",
    "year",
    "day",
    "W/card",
    "GB/s/card",
    "query/user/day",
    "Muser",
    "wan*card",
)


@st.composite
def _labelled(draw: st.DrawFn, coords: Mapping[str, Sequence[Any]], share: bool) -> Distribution:
    """A distribution over labels, whose parameters differ from label to label."""
    import xarray as xr

    shape = tuple(len(labels) for labels in coords.values())
    count = int(np.prod(shape))
    tenths = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    centres = xr.DataArray(np.array(tenths).reshape(shape) / 10.0, dims=list(coords), coords=dict(coords))
    family = draw(st.sampled_from(["constant", "uniform", "lognormal"]))
    if family == "constant":
        return menu.constant(centres)
    if family == "uniform" or share:
        return menu.uniform(centres * 0.9, centres * 1.1)
    return menu.lognormal(median=centres, factor=2.0)


@st.composite
def assumptions(
    draw: st.DrawFn,
    *,
    unit: st.SearchStrategy[str] | None = None,
    distribution: st.SearchStrategy[Any] | None = None,
    point: st.SearchStrategy[float | None] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
) -> Assumption:
    """Draw an assumption: positive values in a unit of this field.

    Parameters
    ----------
    unit : strategy of str, optional
    distribution : strategy of distributions, optional
        By default of positive values, and of shares below 1 where the unit is ``"1"``.
    point : strategy of float or None, optional
        None stands for the median, and is the default.
    coords : mapping of dim to labels, optional
        Give it these dims, as one draw for all labels or one each. `distribution` is then left aside.

    Returns
    -------
    strategy of Assumption

    Examples
    --------
    >>> from hypothesis import given, settings, strategies as st
    >>> @settings(max_examples=10)
    ... @given(price=assumptions(unit=st.just("CNY/card"), coords={"year": [2025, 2026]}))
    ... def test_prices_are_positive_in_every_year(price):
    ...     assert (price.point > 0).all()
    >>> test_prices_are_positive_in_every_year()
    """
    chosen = draw(st.sampled_from(UNITS) if unit is None else unit)
    share = chosen == "1"
    if coords:
        check_known([name for name, labels in coords.items() if not len(labels)], (), "labels of dim")
        return Assumption(draw(_labelled(coords, share)), chosen, shared=draw(st.booleans()))
    usual = distributions(support="unit" if share else "positive")
    made = draw(usual if distribution is None else distribution)
    return Assumption(made, chosen, point=draw(st.none() if point is None else point))
