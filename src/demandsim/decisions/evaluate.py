"""Evaluation: what each action is expected to pay, how badly it can end, and which one is best."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.decisions.actions import Actions, Payoff
from demandsim.decisions.payoff_table import Table, table_of, unit_of
from demandsim.decisions.risk import frontier, tail_statistics
from demandsim.errors import DemandsimError
from demandsim.statistics.estimators import array_statistics, check_prob, share_and_error
from demandsim.statistics.summarize import run_attrs, warn_one_chain

__all__ = ["evaluate"]

#: Standard errors by which the best action must lead for the draws to have told it from the next.
_LEAD = 2.0

_PER_ACTION = {
    "mean": "expected payoff",
    "sd": "standard deviation of the payoff",
    "median": "median payoff",
    "lower": "lower end of the interval of the payoff",
    "upper": "upper end of the interval of the payoff",
    "cvar": "mean of the worst payoffs",
    "regret": "expected regret",
    "probability_best": "probability of being the best action in hindsight",
}


def evaluate(
    draws: xr.Dataset,
    actions: Actions | None,
    payoff: Payoff,
    *,
    prob: float = 0.9,
    tail: float = 0.1,
    unit: str | None = None,
    dim: str = "action",
    on_invalid: str = "raise",
) -> xr.Dataset:
    r"""Expected payoff, risk and regret of every action, and the best one.

    .. math:: a^* = \arg\max_a E\,P_a, \qquad \text{regret}_a = E\bigl(\max_b P_b - P_a\bigr)

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate`` or ``model.infer``.
    actions : DataArray or sequence, or None
        What can be chosen: numbers or texts. A DataArray brings its own dim and unit. None if `payoff` is a
        DataArray with the dim `dim`.
    payoff : callable or DataArray
        ``payoff(draws, action)`` in money, higher is better: called with all actions as a labelled array,
        or with one after the other if it cannot take them so. Or payoffs already computed.
    prob : float, default 0.9
        Of the interval of the payoff.
    tail : float, default 0.1
        Share of the worst draws whose mean payoff is the risk measure ``cvar``.
    unit : str, optional
        Of the payoff; that of a ready-made payoff, otherwise CNY.
    dim : str, default "action"
        Of actions that are a bare sequence.
    on_invalid : {"raise", "keep"}, default "raise"
        What to do with draws in which a payoff is NaN or infinite; "keep" leaves them out and counts them.

    Returns
    -------
    Dataset
        Per action ``mean``, ``sd``, ``median``, ``lower``, ``upper``, ``cvar``, ``regret``,
        ``probability_best`` (ties share it), the ``mcse_`` of each, and ``efficient``: no other action has as
        high a mean and cvar. Over the other dims, as scenario: ``best``, ``runner_up``, ``lead`` with
        ``mcse_lead``, ``resolved`` (the lead is above 2 MCSE: otherwise the draws do not tell the two apart)
        and ``n_invalid``.

    Raises
    ------
    InvalidDrawsError
        If payoffs are NaN or infinite.
    DemandsimError
        If there is no action, two share a label, or the payoff lost its labels.

    Notes
    -----
    Actions are compared on the same draws, so that ``lead`` is known far better than the means are. The
    regret of the best action is the expected value of perfect information.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1).sel(scenario="100T")
    >>> def payoff(draws, bought):
    ...     return 2e5 * np.minimum(draws.cards, bought) - 1.5e5 * bought
    >>> found = evaluate(draws, [0, 200_000, 400_000, 800_000], payoff)
    >>> found.best.item()
    400000
    """
    check_prob(prob)
    if not 0 < tail <= 1:
        raise DemandsimError(f"tail must lie between 0 and 1, not {tail!r}; 0.1 is the mean of the worst tenth")
    tables = table_of(draws, actions, payoff, dim, on_invalid)
    warn_one_chain(draws)
    shown = unit_of(unit, payoff)
    chosen = tables[0].actions
    own = str(chosen.dims[0])
    rows = [_evaluated(table, prob, tail) for table in tables]
    coords: dict[str, Any] = dict(tables[0].others)
    shape = [len(values) for values in coords.values()]
    dims = list(coords)
    out: dict[str, Any] = {}
    for name, label in _PER_ACTION.items():
        attrs = {"units": "1" if name == "probability_best" else shown, "long_name": label}
        for key in (name, f"mcse_{name}"):
            values = np.array([row[key] for row in rows]).reshape([*shape, chosen.size])
            out[key] = ([*dims, own], values, attrs if key == name else {"units": attrs["units"]})
    efficient = np.array([row["efficient"] for row in rows]).reshape([*shape, chosen.size])
    out["efficient"] = ([*dims, own], efficient, {"long_name": "not beaten in both mean and risk"})
    for key in ("best", "runner_up"):
        picked = np.array([chosen[own].values[int(row[key])] for row in rows]).reshape(shape)
        out[key] = (dims, picked, {n: v for n, v in chosen.attrs.items() if n == "units"})
    for key in ("lead", "mcse_lead"):
        out[key] = (dims, np.array([row[key] for row in rows]).reshape(shape), {"units": shown})
    out["resolved"] = (dims, np.array([row["resolved"] for row in rows]).reshape(shape))
    out["n_invalid"] = (dims, np.array([table.n_invalid for table in tables]).reshape(shape))
    coords[own] = chosen[own].variable.copy()
    coords[own].attrs = {**chosen[own].attrs, **chosen.attrs}
    return xr.Dataset(out, coords=coords, attrs=run_attrs(draws) | {"prob": prob, "tail": tail, "action": own})


def _evaluated(table: Table, prob: float, tail: float) -> dict[str, Any]:
    """All statistics of one element of the other dims."""
    folds = table.folds
    found: dict[str, Any] = {name: [] for key in _PER_ACTION for name in (key, f"mcse_{key}")}
    names = ("mean", "sd", "median", "lower", "upper")
    largest: Array | None = None
    for _, values in table.blocks():
        most = values.max(axis=0)
        largest = most if largest is None else np.maximum(largest, most)
        for row in values:
            if table.independent:
                together = row[None, :]
                statistics, _ = array_statistics(together, prob, "eti", (), iid=True)
            else:
                statistics = _by_chain(row, table, prob)
            for name, value, error in zip(names, statistics[:5], statistics[5:], strict=True):
                found[name].append(value)
                found[f"mcse_{name}"].append(error)
            value, error = tail_statistics(row, folds, tail, independent=table.independent)
            found["cvar"].append(value)
            found["mcse_cvar"].append(error)
    if largest is None:
        raise DemandsimError("there is no action to choose from")
    winners = np.zeros(largest.size)
    for _, values in table.blocks():
        winners += (values == largest).sum(axis=0)
    for _, values in table.blocks():
        for row in values:
            value, error = table.mean_and_error(largest - row)
            found["regret"].append(value)
            found["mcse_regret"].append(error)
            hits = folds.sizes * folds.means((row == largest) / winners)
            share, error = share_and_error(*table.by_replicate(hits), table.independent)
            found["probability_best"].append(share)
            found["mcse_probability_best"].append(error)
    means = np.array(found["mean"])
    order = np.argsort(-means, kind="stable")
    found["best"], found["runner_up"] = order[0], order[min(1, order.size - 1)]
    found["lead"], found["mcse_lead"], found["resolved"] = math.nan, math.nan, True
    if order.size > 1:
        found["lead"], found["mcse_lead"] = table.mean_and_error(table.row(order[0]) - table.row(order[1]))
        # An error that one chain cannot tell resolves nothing.
        found["resolved"] = bool(found["lead"] > _LEAD * found["mcse_lead"])
    found["efficient"] = frontier(means, np.array(found["cvar"]))
    return found


def _by_chain(row: Array, table: Table, prob: float) -> list[float]:
    parts = table.folds.whole()
    length = max(part.stop - part.start for part in parts)
    # Chains that lost draws to NaN are shorter: what is missing is left out again.
    values = np.full((len(parts), length), np.nan)
    for place, part in enumerate(parts):
        values[place, : part.stop - part.start] = row[part]
    return array_statistics(values, prob, "eti", (), iid=False)[0]
