"""The tables of docs/explanation/forecasting.md: how models of growth scored on series of three kinds.

Run it: ``python benchmarks/growth_scores.py``; in about a minute it prints the tables as they stand there.
``--kind users`` prints one of them, ``--horizon 2`` scores the figure after the next.

Tokens are what the models were chosen on. Nobody tuned on the other two kinds: public series that have nothing to do
with them, and users and capex of the same industry, short and by quarter. A reference class is made of all series of
all kinds but the one that is scored. What others did later than a cutoff is in it: a forecaster of today knows it, one
of that day did not.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

import demandsim as ds
from demandsim import forecasting
from demandsim.forecasting.figures import ERROR_FACTORS

#: Factors by which figures are off with 90%: 2% of capacity and revenue, 5% of surveys; of the news, the usual ones.
EXACT, SURVEY = {"exact": 1.02}, {"exact": 1.05}
#: Of a reference class, which takes one set of them.
OF_CLASS = {**ERROR_FACTORS, "exact": 1.05}
CURVES = ("Gompertz", "logistic", "exponential", "Bass")
MODELS = ("reverting", "reverting, reference class", *CURVES, "naive")
SETTINGS: dict[str, Any] = {"draws": 256, "chains": 4, "seed": 1}

type Series = tuple[xr.DataArray, Mapping[str, float]]


def of_kind() -> dict[str, dict[str, Series]]:
    """Series with the errors of their figures, by kind."""
    tokens, users = ds.load_series("token-volumes").daily_tokens, ds.load_series("ai-users").monthly_users
    world, china = ds.load_series("capex-by-quarter").capex, ds.load_series("china-capex-by-quarter").capex
    return {
        "tokens": {
            "Doubao": (ds.load_series("doubao-daily-tokens").daily_tokens, ERROR_FACTORS),
            **{name: (tokens.sel(publisher=name), ERROR_FACTORS) for name in ("China", "Google")},
        },
        "public": {
            "solar": (ds.load_series("solar-capacity").capacity, EXACT),
            "AWS": (ds.load_series("aws-revenue").revenue, EXACT),
            "phones": (ds.load_series("smartphone-ownership").ownership, SURVEY),
        },
        "users": {
            "users of Doubao": (users.sel(product="Doubao"), ERROR_FACTORS),
            "capex of Microsoft": (world.sel(company="Microsoft"), ERROR_FACTORS),
            **{f"capex of {name}": (china.sel(company=name), ERROR_FACTORS) for name in ("Alibaba", "Tencent")},
        },
    }


def model_of(kind: str, of: str) -> Any:
    """One of `MODELS`, for a series that is not in its own reference class."""
    if kind in CURVES:
        return forecasting.Curve(kind.lower())
    if kind == "naive":
        return forecasting.LastGrowth()
    if kind == "reverting":
        return forecasting.RevertingGrowth(points=256)
    everything = {name: values for group in of_kind().values() for name, (values, _) in group.items()}
    others = {name: values for name, values in everything.items() if name != of and values.count() > 2}
    return forecasting.RevertingGrowth(forecasting.reference_class(others, factors=OF_CLASS, **SETTINGS), points=256)


def rows(kind: str, horizon: int = 1, models: Sequence[str] = MODELS) -> list[str]:
    """Lines of the table of a kind."""
    found = {
        name: forecasting.backtest(
            {model: model_of(model, name) for model in models}, {name: values}, horizons=[horizon], factors=factors,
            least=2, **SETTINGS,
        )
        for name, (values, factors) in of_kind()[kind].items()
        if values.count() >= 2 + horizon
    }  # fmt: skip
    counts = {name: int(one.crps.isel(model=0).count()) for name, one in found.items()}
    heads = ["model", f"CRPS, {sum(counts.values())} figures", "inside 50%", "80%", "90%", "P95/P5"]
    heads += [f"{name}, {count}" for name, count in counts.items()]
    lines = [heads, ["---"] * len(heads)]
    for model in models:
        parts = [one.sel(model=model) for one in found.values()]
        crps, pit, low, high = (
            np.concatenate([part[key].values.ravel() for part in parts]) for key in ("crps", "pit", "lower", "upper")
        )
        came = np.isfinite(crps)
        held = forecasting.calibration(pit[came].tolist()).coverage.values
        width = np.median((high / low)[came])
        lines.append([model, f"{crps[came].mean():.3f}", *(f"{share:.0%}" for share in held), f"{width:.1f}"])
        lines[-1] += [f"{float(part.crps.mean()):.3f}" for part in parts]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=list(of_kind()), action="append")
    parser.add_argument("--horizon", type=int, default=1)
    asked = parser.parse_args()
    for kind in asked.kind or of_kind():
        print(f"\n{kind}, {asked.horizon} ahead\n")
        print("\n".join(rows(kind, asked.horizon)))


if __name__ == "__main__":
    main()
