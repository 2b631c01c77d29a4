"""Evaluation of actions: what each is expected to pay, how badly it can end, and which one is best."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from demandsim._system import Array
from demandsim.decisions.actions import Actions, Payoff
from demandsim.decisions.folds import Folds
from demandsim.decisions.payoff_table import PayoffTable, over_places, tables_of, unit_of
from demandsim.errors import DemandsimError
from demandsim.statistics.estimators import Asked, array_statistics, check_prob, share_and_error
from demandsim.statistics.mcse import spread_to_mcse
from demandsim.statistics.ranking import ranked
from demandsim.statistics.summarize import run_attrs, warn_one_chain

__all__ = ["evaluate", "frontier", "tail_mean"]

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
        Of the payoff; that of a ready-made payoff, otherwise the currency that the draws are in, or 1 if in none.
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
    tables = tables_of(draws, actions, payoff, dim, on_invalid)
    warn_one_chain(draws)
    shown = unit_of(unit, payoff, draws)
    offered = tables[0].actions
    own = str(offered.dims[0])
    rows = [_evaluated(table, prob, tail) for table in tables]

    def over(key: str, attrs: dict[str, Any], *dims: str) -> Any:
        return over_places(tables, [row[key] for row in rows], attrs, *dims)

    out: dict[str, Any] = {}
    for name, label in _PER_ACTION.items():
        units = {"units": "1" if name == "probability_best" else shown}
        out[name] = over(name, units | {"long_name": label}, own)
        out[f"mcse_{name}"] = over(f"mcse_{name}", units, own)
    out["efficient"] = over("efficient", {"long_name": "not beaten in both mean and risk"}, own)
    labels, unit_of_action = offered[own].values, {n: v for n, v in offered.attrs.items() if n == "units"}
    for key in ("best", "runner_up"):
        out[key] = over_places(tables, [labels[row[key]] for row in rows], unit_of_action)
    for key in ("lead", "mcse_lead"):
        out[key] = over(key, {"units": shown})
    out["resolved"] = over("resolved", {})
    out["n_invalid"] = over_places(tables, [table.n_invalid for table in tables], {})
    coords: dict[str, Any] = dict(tables[0].others) | {own: offered[own].variable.copy()}
    coords[own].attrs = {**offered[own].attrs, **offered.attrs}
    return xr.Dataset(out, coords=coords, attrs=run_attrs(draws) | {"prob": prob, "tail": tail, "action": own})


def _evaluated(table: PayoffTable, prob: float, tail: float) -> dict[str, Any]:
    """All statistics of one element of the other dims."""
    folds = table.folds
    found: dict[str, Any] = {name: [] for key in _PER_ACTION for name in (key, f"mcse_{key}")}
    names = ("mean", "sd", "median", "lower", "upper")

    def note(name: str, value: float, error: float) -> None:
        found[name].append(value)
        found[f"mcse_{name}"].append(error)

    largest: Array | None = None
    for _, values in table.blocks():
        most = values.max(axis=0)
        largest = most if largest is None else np.maximum(largest, most)
        for row in values:
            chains = row[None, :] if table.independent else _by_chain(row, table.folds)
            statistics, _ = array_statistics(chains, Asked(prob, iid=table.independent))
            for name, value, error in zip(names, statistics[:5], statistics[5:], strict=True):
                note(name, value, error)
            note("cvar", *tail_statistics(row, folds, tail, independent=table.independent))
    if largest is None:
        raise DemandsimError("there is no action to choose from")
    winners = np.zeros(largest.size)
    for _, values in table.blocks():
        winners += (values == largest).sum(axis=0)
    for _, values in table.blocks():
        for row in values:
            note("regret", *table.mean_and_error(largest - row))
            hits = folds.sizes * folds.means((row == largest) / winners)
            note("probability_best", *share_and_error(*table.by_replicate(hits), table.independent))
    means = np.array(found["mean"])
    order = ranked(means)
    found["best"], found["runner_up"] = order[0], order[min(1, len(order) - 1)]
    found["lead"], found["mcse_lead"], found["resolved"] = math.nan, math.nan, True
    if len(order) > 1:
        found["lead"], found["mcse_lead"] = table.mean_and_error(table.row(order[0]) - table.row(order[1]))
        # An error that one chain cannot tell resolves nothing.
        found["resolved"] = bool(found["lead"] > _LEAD * found["mcse_lead"])
    found["efficient"] = frontier(means, np.array(found["cvar"]))
    return found


def _by_chain(row: Array, folds: Folds) -> Array:
    """Payoffs of an action, shape (replicates, draws); one that lost draws is shorter, and NaN at its end."""
    parts = folds.whole()
    values = np.full((len(parts), max(part.stop - part.start for part in parts)), np.nan)
    for place, part in enumerate(parts):
        values[place, : part.stop - part.start] = row[part]
    return values


def tail_mean(values: Array, tail: float) -> float:
    r"""Mean of the worst share of some values (conditional value at risk, expected shortfall).

    .. math:: \mathrm{CVaR}_\tau = \max_q \Bigl( q - \frac{1}{\tau} E (q - Y)^+ \Bigr)

    A draw on the edge counts in part, so that the worst share is that exactly.
    Source: Rockafellar and Uryasev, Journal of Banking & Finance 26 (2002).
    """
    wanted = tail * values.size
    whole = min(math.floor(wanted * (1 + 1e-12)), values.size - 1)
    parted = np.partition(values, whole)
    edge = max(wanted - whole, 0.0)
    return float((parted[:whole].sum() + edge * parted[whole]) / wanted)


def tail_statistics(values: Array, folds: Folds, tail: float, *, independent: bool) -> tuple[float, float]:
    """Mean of the worst share of the draws, and its Monte Carlo standard error."""
    found = tail_mean(values, tail)
    if independent:
        # From the second part of the definition: an average over draws, given the quantile.
        edge = float(np.quantile(values, tail))
        return found, float(np.std(np.minimum(values - edge, 0.0))) / (tail * math.sqrt(values.size))
    own = np.array([tail_mean(values[part], tail) for part in folds.whole()])
    return found, float(spread_to_mcse(own))


def frontier(mean: Array, risk: Array) -> npt.NDArray[np.bool_]:
    """Actions that no other beats: none has as high a mean and as high a mean of its worst, and one of them higher.

    Examples
    --------
    >>> frontier(np.array([1.0, 2.0, 0.5]), np.array([0.0, -1.0, -0.5])).tolist()
    [True, True, False]
    """
    above = (mean[:, None] >= mean[None, :]) & (risk[:, None] >= risk[None, :])
    better = above & ((mean[:, None] > mean[None, :]) | (risk[:, None] > risk[None, :]))
    return np.asarray(~better.any(axis=0))
