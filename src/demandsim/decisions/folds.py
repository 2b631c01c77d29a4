"""Folds: independent parts of the draws, by which fits are judged and Monte Carlo errors told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.mcse import spread_to_mcse

__all__ = ["Folds", "folds_of"]

#: Parts into which few chains are cut, so that a fit to all but one of them sees most of the draws.
_FEWEST = 4
#: Parts of independent draws: the more, the better their spread is known.
_INDEPENDENT = 32


@dataclass(frozen=True, eq=False)
class Folds:
    """Parts of draws that lie flat, chain after chain.

    Parameters
    ----------
    edges : tuple of int
        Where each part begins, and where the last one ends.
    replicate : int array of shape (parts,)
        Which independent replicate each part belongs to.
    """

    edges: tuple[int, ...]
    replicate: npt.NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.edges) - 1

    @property
    def sizes(self) -> Array:
        """Draws of each part."""
        return np.diff(np.array(self.edges)).astype(np.float64)

    def part(self, number: int) -> slice:
        """Return where a part lies."""
        return slice(self.edges[number], self.edges[number + 1])

    def means(self, values: Array) -> Array:
        """Mean of each part; shape (..., draws) to (..., parts)."""
        summed = np.add.reduceat(values, np.array(self.edges[:-1]), axis=-1)
        return np.asarray(summed / self.sizes)

    def mcse(self, means: Array) -> Array:
        """Standard error of the overall mean, from the means of the parts; shape (..., parts) to (...,)."""
        counts = np.bincount(self.replicate, weights=self.sizes)
        # Parts of one chain of a low-discrepancy design depend on each other: only whole replicates are compared.
        own = np.zeros((len(self), counts.size))
        own[np.arange(len(self)), self.replicate] = self.sizes
        return spread_to_mcse(means @ own / counts)

    def whole(self) -> list[slice]:
        """Return where each replicate lies."""
        first = np.flatnonzero(np.diff(self.replicate, prepend=-1))
        edges = [*(self.edges[i] for i in first), self.edges[-1]]
        return [slice(start, stop) for start, stop in pairwise(edges)]


def folds_of(chains: int, draws: int, kept: npt.NDArray[np.bool_] | None, *, independent: bool) -> Folds:
    """Cut chains into parts.

    Parameters
    ----------
    chains, draws : int
    kept : bool array of shape (chains * draws,), or None
        Draws that are used; those left out are already taken from what lies flat.
    independent : bool
        Draws do not depend on each other, so that any part is a replicate.
    """
    wanted = _INDEPENDENT if independent else _FEWEST
    pieces = max(1, min(math.ceil(wanted / chains), draws // 4))
    inner = np.linspace(0, draws, pieces + 1).astype(int)
    starts = [chain * draws + int(start) for chain in range(chains) for start in inner[:-1]]
    edges = np.array([*starts, chains * draws])
    if kept is not None:
        edges = np.concatenate([[0], np.cumsum(kept)])[edges]
    replicate = np.arange(len(starts)) if independent else np.arange(len(starts)) // pieces
    filled = np.diff(edges) > 0
    # An empty part has no mean.
    edges = np.array([*edges[:-1][filled], edges[-1]])
    _, replicate = np.unique(replicate[filled], return_inverse=True)
    return Folds(tuple(int(edge) for edge in edges), replicate.astype(np.intp))
