"""Circles: formulas that need each other, found together, and how far a sweep over them has moved each draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from demandsim.workbook.calc.book import Key
from demandsim.workbook.calc.values import NUM, Mixed

__all__ = ["change", "circles_of", "invalid", "kept"]


def circles_of(order: Sequence[Key], precedents: Callable[[Key], Iterable[Key]]) -> list[list[Key]]:
    """Cells in order, those of a circle together (Tarjan's algorithm, without recursion)."""
    place = {key: i for i, key in enumerate(order)}
    index: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    on_stack: set[Key] = set()
    found: list[list[Key]] = []
    for root in order:
        if root in index:
            continue
        work = [(root, iter(list(precedents(root))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            key, rest = work[-1]
            for other in rest:
                if other not in place:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(list(precedents(other)))))
                    break
                if other in on_stack:
                    low[key] = min(low[key], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == index[key]:
                    block = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        block.append(member)
                        if member == key:
                            break
                    found.append(sorted(block, key=place.__getitem__))
    return found


def change(before: Any, after: Any) -> tuple[Any, Any]:
    """How far a value has moved in each draw, and its size; an error or text has not moved if it is the same."""
    one, other = _plain(before), _plain(after)
    moved = np.abs(other - one)
    if type(before) in (float, np.ndarray) and type(after) in (float, np.ndarray):
        return moved, np.maximum(np.abs(other), 1e-9)
    both = np.isnan(one) & np.isnan(other)
    return np.where(both, 0.0, np.where(np.isnan(moved), np.inf, moved)), np.maximum(np.nan_to_num(np.abs(other)), 1e-9)


def _plain(value: Any) -> Any:
    if type(value) is Mixed:
        return value.numbers
    if type(value) is np.ndarray:
        return value.astype(np.float64)
    if value is None:
        return np.array(0.0)
    return np.array(float(value) if type(value) in (float, bool) else np.nan)


def kept(arrived: Any, before: Any, after: Any) -> Any:
    """A new value, but in the draws that have arrived the one before."""
    if not np.any(arrived) or before is after:
        return after
    if type(before) in (float, np.ndarray) and type(after) in (float, np.ndarray):
        return np.where(arrived, before, after)
    return after


def invalid(lost: Any, value: Any) -> Any:
    """A value that is an error in the draws that have not arrived."""
    if not np.any(lost):
        return value
    if not np.ndim(lost):
        return NUM
    numbers = np.where(lost, np.nan, np.broadcast_to(_plain(value), lost.shape))
    odd = lost | np.isnan(numbers)
    things = np.full(lost.shape, NUM, dtype=object)
    return Mixed(numbers, odd, things)
