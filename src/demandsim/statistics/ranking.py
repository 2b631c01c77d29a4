"""Ranking: the order of rows by size, which does not hang on the last bits of the numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ranked"]

#: Sizes closer than this, relative to them, are equal: processors differ by far less, readers see far less.
_EQUAL = 1e-9
#: The same relative to the largest: what is left of rounding where there should be nothing.
_NOTHING = 1e-12


def ranked(sizes: npt.ArrayLike, names: Sequence[object] | None = None) -> list[int]:
    """Places of sizes, the largest first; what is equal but for rounding stands by name.

    Parameters
    ----------
    sizes : array_like of shape (n,)
        NaN counts as the smallest.
    names : sequence, optional
        What equal ones are ordered by; their places by default.

    Returns
    -------
    list of int

    Examples
    --------
    >>> ranked([1.0, 3.0, 3.0000000000000004], ["tokens", "price", "cards"])
    [2, 1, 0]
    """
    import numpy as np

    given = np.asarray(sizes, dtype=np.float64)
    values = np.where(np.isnan(given), -np.inf, given)
    order = np.argsort(-values, kind="stable")
    finite = np.abs(values[np.isfinite(values)])
    least = _NOTHING * float(np.max(finite, initial=0.0))
    groups = np.zeros(values.size, dtype=np.int64)
    for rank, (one, other) in enumerate(itertools.pairwise(order), start=1):
        larger, smaller = values[one], values[other]
        near = max(_EQUAL * abs(larger), least) if np.isfinite(larger) else 0.0
        equal = larger == smaller or larger - smaller <= near
        groups[other] = groups[one] if equal else rank

    def key(place: int) -> tuple[int, str, int]:
        return int(groups[place]), "" if names is None else str(names[place]), place

    return sorted(range(values.size), key=key)
