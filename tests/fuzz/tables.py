"""Tables: draws of others in whatever holds columns, most of which are numbers, and some anything else."""

import datetime
import decimal
import fractions
from collections.abc import Callable
from random import Random
from typing import Any

import mutating
import numpy as np
import pandas as pd
import xarray as xr

#: What stands in a cell where a number should.
_CELLS: list[Any] = [
    None, True, -1, 0, 10**400, 1e308, -1e308, 1e-320, float("nan"), float("inf"), "3", "", b"x", 1j, [1, 2], {}, (),
    decimal.Decimal("1.5"), decimal.Decimal("sNaN"), fractions.Fraction(10**400, 3), datetime.date(2026, 1, 1),
    np.datetime64("2026"), np.float16(1), np.array([1.0, 2.0]), pd.NA, pd.NaT, object(),
]  # fmt: skip
_TYPES = ["f2", "f4", "f8", ">f8", "i1", "i8", "u8", "?", "c16", "S3", "U3", "M8[s]", "m8[s]", "O"]
_NAMES = ["cost", "price", "cards", "chain", "draw", "statistic", "scenario", "1", "", " ", "a\nb", "成本", "__class__"]


def _normal(made: Random, size: int) -> np.ndarray:
    return np.array([made.gauss(0, 1) for _ in range(size)])


def _typed(made: Random, size: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.abs(100 * _normal(made, size)).astype("i8").astype(made.choice(_TYPES))


def _mixed(made: Random, size: int) -> list:
    found: list[Any] = list(_normal(made, size))
    for place in range(min(made.choice([1, 1, 3]), size)):
        found[place] = made.choice([*_CELLS, mutating.nasty(made)])
    return found


def _shaped(made: Random, size: int) -> Any:
    values = _normal(made, size)
    return made.choice(
        [values[:, None], values[:0], values[:-1], np.float64(1), np.ma.masked_less(values, 0), pd.Series(values), []]
    )


def _column(made: Random, size: int) -> Any:
    kinds: list[Callable[[Random, int], Any]] = [_normal, _normal, _normal, _normal, _typed, _mixed, _shaped]
    return made.choice(kinds)(made, size)


def _places(made: Random, size: int) -> Any:
    """Chains, or the order of draws: mostly such that they are equally long."""
    plain = [place % 2 for place in range(size)]
    odd = [_mixed(made, size), [*plain[:-1], 7], np.full(size, np.nan), ["a", 1] * (size // 2)]
    return made.choice([plain, plain, plain, list(map(str, plain)), np.array(plain, dtype=bool), *odd])


def table(made: Random) -> tuple[str, Any, dict[str, Any]]:
    """A table in words, the table, and the settings with which it is imported."""
    size = made.choice([8, 8, 8, 8, 2, 1, 0])
    names: list[Any] = made.sample(_NAMES[:3], made.choice([1, 2, 2, 3]))
    columns = {name: _column(made, size) for name in names}
    if made.random() < 0.2:
        columns[made.choice([*_NAMES, 1, None, ("a", "b"), mutating.nasty(made)])] = _normal(made, size)
    for name in ("chain", "draw"):
        if made.random() < 0.3:
            columns[name] = _places(made, size)
    settings: dict[str, Any] = {}
    if made.random() < 0.3:
        settings["assumptions"] = made.choice([names[:1], ["absent"], [mutating.nasty(made)]])
    if made.random() < 0.3:
        settings["units"] = {made.choice([names[0], names[0], "absent"]): made.choice(["CNY", mutating.nasty(made)])}
    if made.random() < 0.1:
        settings["chain"] = made.choice([names[0], "draw", mutating.nasty(made)])
    if made.random() < 0.3:
        settings["independent"] = True
    held = _held(made, columns)
    return f"{type(held).__name__} {columns!r} {settings!r}", held, settings


def _held(made: Random, columns: dict[Any, Any]) -> Any:
    """The same columns as a mapping, data frame, structured array or Dataset, where they can be one."""
    how = made.choice(["mapping", "frame", "frame", "array", "dataset", "else"])
    try:
        if how == "frame":
            frame = pd.DataFrame(columns)
            return pd.concat([frame, frame], axis=1) if made.random() < 0.1 else frame
        if how == "array":
            return pd.DataFrame(columns).to_records(index=False).view(np.ndarray)
        if how == "dataset":
            dims = made.choice([("chain", "draw")] * 4 + [("chain",), ("sample",), ("chain", "draw", "draw")])
            return xr.Dataset(
                {
                    name: (dims, np.asarray(values).reshape(2, *(-1,) * (len(dims) - 1)))
                    for name, values in columns.items()
                    if name not in ("chain", "draw")
                }
            )
    except (TypeError, ValueError, OverflowError):
        # What these would not hold is a plain mapping.
        return columns
    return made.choice([None, 3, "cost", list(columns.values()), np.zeros((2, 2))]) if how == "else" else columns
