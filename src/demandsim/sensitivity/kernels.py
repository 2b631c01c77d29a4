"""Given-data kernels: rank-based first order, PAWN and delta of one assumption, with resampling; no labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demandsim._system import Array

__all__ = ["Resampled", "bins_of", "classes", "delta", "pawn", "rank_first_order", "resampled"]

#: Values of y that its distribution is compared at, and bins in which its density is.
_FINE, _COARSE = 128, 32
#: Random parts into which draws are divided, and the fewest draws of one.
_PARTS, _FEWEST = 32, 128


@dataclass(frozen=True, eq=False)
class Resampled:
    """An estimate and those of resamples, whose spread is that of the estimate."""

    estimate: float
    resamples: Array

    def bounds(self, prob: float) -> tuple[float, float, float]:
        """The estimate, and its normal interval; resamples are biased where an index is small."""
        from scipy import special

        half = float(special.ndtri((1 + prob) / 2) * self.resamples.std(ddof=1))
        return self.estimate, self.estimate - half, self.estimate + half


def rank_first_order(
    y: Array, chain: npt.NDArray[np.intp], rng: np.random.Generator, prob: float
) -> tuple[float, float, float]:
    r"""First-order index from y in the order of x, and its interval.

    .. math:: 1 - \frac{\mathrm{mean}\,(y_{(j+1)} - y_{(j)})^2}{2 \mathrm{Var}\, y}

    Only pairs of different chains count, if there are several. Copies of a draw would be its own
    neighbours, so that no bootstrap of draws will do: the error is that of the mean of the indices of
    random parts of the draws.
    """
    from scipy import special

    def index(values: Array, chains: npt.NDArray[np.intp]) -> float:
        steps = np.diff(values)
        apart = chains[1:] != chains[:-1]
        used = steps[apart] if apart.any() else steps
        variance = float(values.var())
        return float(1 - used @ used / used.size / (2 * variance)) if variance > 0 else np.nan

    parts = int(np.clip(y.size // _FEWEST, 2, _PARTS))
    part = rng.permutation(y.size) % parts
    own = np.array([index(y[part == number], chain[part == number]) for number in range(parts)])
    own = own[np.isfinite(own)]
    estimate = index(y, chain)
    if own.size < 2:
        return estimate, np.nan, np.nan
    half = float(special.stdtrit(own.size - 1, (1 + prob) / 2)) * float(own.std(ddof=1)) / np.sqrt(own.size)
    return estimate, estimate - half, estimate + half


def bins_of(y: Array) -> npt.NDArray[np.intp]:
    """Number the bin of every y, with as many draws in each as ties allow."""
    edges = np.unique(np.quantile(y, np.arange(1, _FINE) / _FINE))
    return np.searchsorted(edges, y, side="left")


def classes(order: npt.NDArray[np.intp], bins: npt.NDArray[np.intp]) -> Array:
    """Counts of draws by class of x (as many draws in each) and by bin of y, shape (classes, bins).

    Parameters
    ----------
    order : int array
        Draws in the order of x.
    bins : int array
    """
    n = bins.size
    number = 2 * int(np.clip(round(n ** (1 / 3) / 2), 5, 20))
    kind = np.arange(n) * number // n
    return np.bincount(kind * _FINE + bins[order], minlength=number * _FINE).reshape(number, _FINE).astype(float)


def resampled(table: Array, rng: np.random.Generator, resamples: int) -> Array:
    """Bootstrap of the counts: every draw is taken a Poisson number of times, 1 on average."""
    return rng.poisson(table, size=(resamples, *table.shape)).astype(float)


def pawn(table: Array, again: Array) -> Resampled:
    """Median over classes of x, two together, of the Kolmogorov distance of y from y of all draws."""

    def index(found: Array) -> Array:
        counts = found[..., ::2, :] + found[..., 1::2, :]
        inside = np.cumsum(counts, axis=-1) / counts.sum(axis=-1, keepdims=True)
        every = np.cumsum(counts.sum(axis=-2), axis=-1) / counts.sum(axis=(-2, -1))[..., None]
        distance = np.abs(inside - every[..., None, :]).max(axis=-1)
        return np.asarray(np.median(distance, axis=-1))

    return Resampled(float(index(table)), index(again))


def delta(table: Array, again: Array) -> Resampled:
    """Mean over classes of x of half the absolute difference of densities, less what noise adds.

    Differences d of shares have a known sampling variance s**2; a mean of absolute differences is
    shrunk by ``sqrt(1 - sum(s**2) / sum(d**2))``, which is exact if they are normal.
    """

    def coarse(counts: Array) -> Array:
        return np.asarray(counts.reshape(*counts.shape[:-1], _COARSE, -1).sum(axis=-1))

    def index(counts: Array, noise: float) -> Array:
        size = counts.sum(axis=-1, keepdims=True)
        total = counts.sum(axis=(-2, -1))[..., None, None]
        share, every = counts / size, counts.sum(axis=-2, keepdims=True) / total
        apart = share - every
        # Every class is part of the whole that it is compared with.
        expected = noise * (every * (1 - every) / size * (1 - size / total)).sum(axis=(-2, -1))
        found = (apart**2).sum(axis=(-2, -1))
        kept = np.sqrt(np.maximum(1 - expected / np.where(found > 0, found, 1.0), 0.0))
        return np.asarray(0.5 * np.abs(apart).sum(axis=-1).mean(axis=-1) * kept)

    # A resample has the noise of the draws and that of resampling.
    return Resampled(float(index(coarse(table), 1.0)), index(coarse(again), 2.0))
