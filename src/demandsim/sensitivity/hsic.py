"""HSIC: how much of a result depends on each input in any way, by kernels, from draws already made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.sensitivity.from_draws import Cells, asked, paired
from demandsim.sensitivity.inputs import Groups
from demandsim.sensitivity.kernels import folds_of
from demandsim.sensitivity.results import collected
from demandsim.sensitivity.tails import is_sure
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["hsic"]

#: Most draws that are looked at, since time grows with their square; rows of a kernel that are held at once.
_MOST, _ROWS = 1 << 12, 256

_LONG_NAMES = {"hsic": "normalised dependence (R2-HSIC)", "p_value": "probability of as much if independent"}


def hsic(
    draws: xr.Dataset,
    of: str | Sequence[str],
    *,
    inputs: Sequence[str] | None = None,
    groups: Groups | None = None,
    given: Any = None,
    prob: float = 0.9,
) -> xr.Dataset:
    r"""Dependence of a result on each input, of any form, from draws already made.

    .. math:: R^2_i = \frac{H(x_i, y)}{\sqrt{H(x_i, x_i) \, H(y, y)}}, \quad
        H(x, y) = E\,kl + E\,k \, E\,l - 2 E\left[ E(k|x) \, E(l|y) \right]

    with Gaussian kernels k of two values of x and l of two of y, as wide as the standard deviation; of a group the
    product of its members' kernels. It is 0 if, and only if, both are independent, and 1 if they are the same.

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate`` or ``model.infer``, or imported. Of more than 4,096 draws the first of every chain
        are taken.
    of : str or sequence of str
    inputs, groups, given
        As of `given_data`.
    prob : float, default 0.9
        Of the intervals.

    Returns
    -------
    Dataset
        ``hsic`` with ``_lower`` and ``_upper``, and ``p_value``, over ``quantity``, ``assumption`` and the model's
        dims;
        ``n_invalid`` counts draws left out for NaN or infinity. NaN for what does not vary by more than rounding.

    Raises
    ------
    DemandsimError
        If there are fewer than 128 draws.

    Warns
    -----
    DependentInputsWarning
        If inputs are computed from others.

    Notes
    -----
    Source: Da Veiga, J. Statistical Computation and Simulation 85 (2015). ``p_value``: the probability of such an
    index, or a larger one, between independent numbers, by a gamma distribution with their mean and variance (Gretton
    et al., NIPS 2007); draws of a low-discrepancy design give rather too large ones. The estimate is a mean over all
    pairs of draws, above 0 by about 1 over their number. Intervals: a jackknife of chains, or of parts of few chains.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").select(scenario="100T").simulate(draws=128, seed=1)
    >>> found = hsic(draws, "gross_margin")
    >>> found.hsic.squeeze().to_series().idxmax()
    'activated_parameters'
    """
    check_prob(prob)
    about = asked(draws, of, inputs=inputs, groups=groups, given=given, most=_MOST)
    about.check_number("hsic")

    def cells() -> Iterator[Cells]:
        for data in elements:
            if is_sure(data.y):
                nothing: dict[str, tuple[float, ...]] = {"hsic": (math.nan,) * 3, "p_value": (math.nan,)}
                yield [nothing for _ in data.x]
                continue
            fold = folds_of(data.chain)
            order = np.argsort(fold, kind="stable")
            starts = np.searchsorted(fold[order], np.unique(fold))
            yield [_index(own, prob) for own in _sums(data.y[None, order], [x[:, order] for x in data.x], starts)]

    elements = [data for name in about.of for data in paired(about, name)]
    out = collected(about, iter(elements), cells(), _LONG_NAMES, ("", "_lower", "_upper"))
    seed = {"seed": draws.attrs["seed"]} if "seed" in draws.attrs else {}
    return out.assign_attrs(about.about(), **seed, prob=prob, method="R2-HSIC with Gaussian kernels, gamma p-value")


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums of two kernels over pairs of draws, by the parts of both.

    Parameters
    ----------
    starts : int array
        First draw of each part.
    kl, kk, ll : array of shape (parts, parts)
        Sums of products.
    k, l : array of shape (draws, parts)
        Sums of the kernels over the draws of each part.
    """

    starts: npt.NDArray[np.intp]
    kl: Array
    kk: Array
    ll: Array
    k: Array
    l: Array  # noqa: E741

    def without(self, part: int | None) -> tuple[Array, int, Array]:
        """HSIC of x with y, x with x and y with y, without a part; the draws that are left; mean of either kernel."""
        kept = np.arange(len(self.kl)) != (-1 if part is None else part)
        rows = np.repeat(kept, np.diff([*self.starts, len(self.k)]))
        k, l = (each[np.ix_(rows, kept)].sum(axis=1) for each in (self.k, self.l))  # noqa: E741
        n = int(rows.sum())
        found = [
            float(both[np.ix_(kept, kept)].sum()) / n**2
            - 2 * float(one @ other) / n**3
            + one.sum() * other.sum() / n**4
            for both, one, other in ((self.kl, k, l), (self.kk, k, k), (self.ll, l, l))
        ]
        return np.array(found), n, np.array([k.sum() - n, l.sum() - n]) / (n * (n - 1))


def _sums(y: Array, inputs: Sequence[Array], starts: npt.NDArray[np.intp]) -> list[_Sums]:
    """Sums of the kernels of y and of each of some inputs, with a few rows of each in memory."""
    scaled = [each / np.where(s := each.std(axis=1, ddof=1, keepdims=True), s, 1.0) for each in (y, *inputs)]
    draws, parts = y.shape[1], len(starts)
    pairs, rows = np.zeros((2 * len(inputs) + 1, parts, parts)), np.zeros((len(scaled), draws, parts))
    ends = [*starts[1:].tolist(), draws]
    for part, (first, last) in enumerate(zip(starts.tolist(), ends, strict=True)):
        for start in range(first, last, _ROWS):
            own = slice(start, min(start + _ROWS, last))
            l = _kernel(scaled[0], own)  # noqa: E741
            rows[0, own] = np.add.reduceat(l, starts, axis=1)
            pairs[-1, part] += np.add.reduceat(np.einsum("ij,ij->j", l, l), starts)
            for number, x in enumerate(scaled[1:]):
                k = _kernel(x, own)
                rows[number + 1, own] = np.add.reduceat(k, starts, axis=1)
                pairs[2 * number, part] += np.add.reduceat(np.einsum("ij,ij->j", k, l), starts)
                pairs[2 * number + 1, part] += np.add.reduceat(np.einsum("ij,ij->j", k, k), starts)
    return [
        _Sums(starts, pairs[2 * number], pairs[2 * number + 1], pairs[-1], rows[number + 1], rows[0])
        for number in range(len(inputs))
    ]


def _kernel(x: Array, rows: slice) -> Array:
    """Gaussian kernel of some draws with all, of shape (rows, draws)."""
    square = np.zeros((rows.stop - rows.start, x.shape[1]))
    for own in x:
        square += (own[rows, None] - own) ** 2
    square *= -0.5
    return np.asarray(np.exp(square, out=square))


def _index(sums: _Sums, prob: float) -> dict[str, tuple[float, ...]]:
    """R2-HSIC with its interval, and the p-value of independence."""
    from scipy import special

    (both, own, other), n, (x, y) = sums.without(None)
    if own <= 0:
        return {"hsic": (math.nan,) * 3, "p_value": (math.nan,)}
    value = float(both / math.sqrt(own * other))
    parts = len(sums.kl)
    left = [sums.without(part)[0] for part in range(parts)]
    each = np.array([a / math.sqrt(b * c) if b * c > 0 else value for a, b, c in left])
    error = math.sqrt((parts - 1) / parts * float(((each - each.mean()) ** 2).sum()))
    half = float(special.stdtrit(parts - 1, (1 + prob) / 2)) * error
    mean = (1 + x * y - x - y) / n
    variance = 2 * (n - 4) * (n - 5) / (n * (n - 1) * (n - 2) * (n - 3)) * own * other
    p_value = float(special.gammaincc(mean**2 / variance, both * mean / variance))
    return {"hsic": (value, max(value - half, 0.0), min(value + half, 1.0)), "p_value": (p_value,)}
