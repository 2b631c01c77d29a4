"""How many cards by region and hour, and how long does a request wait?
======================================================================

Run it: ``python examples/capacity_by_hour.py``. It prints, for two settings of the autoscaler, the cards that are kept
and in how many hours one request in a hundred waits more than two seconds, and writes ``out/capacity_by_hour.png``.

Requests come by the profile of a day, with shocks that last for hours and that regions share in part. The autoscaler
sets the cards of an hour by the load of the hour before, and headroom. Waiting is that of a queue with as many servers
as requests can run at once (M/M/c, Erlang C); where more comes than can be served it has no end. All figures are a
judgement, to be replaced by your own traces.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from scipy import special

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations.processes import autoregressive, seasonal_factor

hours = np.arange("2026-03-02T00", "2026-03-03T00", dtype="datetime64[h]").astype("datetime64[s]")
regions = {"north": 900.0, "east": 1400.0, "south": 700.0}
by_hour = [5, 3, 2, 2, 2, 3, 5, 8, 11, 13, 14, 13, 11, 12, 14, 14, 13, 12, 11, 12, 13, 12, 10, 7]


def labelled(values, dim, labels):
    return xr.DataArray(list(values), dims=dim, coords={dim: labels})


@ds.equation(unit="query/s", bounds=(0, None))
def request_rate(mean_rate, seasonal_factor, surge):
    """Requests that come."""
    return mean_rate * seasonal_factor * np.exp(surge)


@ds.equation(unit="card", bounds=(0, None))
def cards(request_rate, service_time, slots_per_card, headroom, least_cards):
    """Cards that the autoscaler keeps, by the hour before."""
    before = request_rate.shift(date=1).fillna(request_rate.isel(date=0, drop=True))
    return np.maximum(least_cards, before * service_time * (1 + headroom) / slots_per_card)


@ds.equation(unit="query", bounds=(0, None))
def offered_load(request_rate, service_time):
    """Requests that run at once if none has to wait."""
    return request_rate * service_time


@ds.equation(unit="query", bounds=(0, None))
def slots(cards, slots_per_card):
    """Requests that can run at once."""
    return cards * slots_per_card


@ds.equation(unit="1", bounds=(0, 1), invalid="keep")
def delay_probability(offered_load, slots, one="1 query"):
    """Chance that a request has to wait, by Erlang's C; none where the queue has no end."""
    load, servers = offered_load / one, slots / one
    blocked = xr.apply_ufunc(
        lambda a, c: np.exp(c * np.log(a) - a - special.gammaln(c + 1)) / special.gammaincc(c + 1, a), load, servers
    )
    return (blocked / (1 - load / servers * (1 - blocked))).where(load < servers)


@ds.equation(unit="s", bounds=(0, None))
def wait_p99(delay_probability, offered_load, slots, service_time, one="1 query"):
    """What 99 of 100 requests do not wait longer than."""
    return np.log(100 * delay_probability).clip(min=0) * service_time * one / (slots - offered_load)


model = ds.Model(
    [
        seasonal_factor,
        autoregressive.renamed("surge", {"mean_level": "surge_mean", "level_sd": "surge_sd", "period": "one_hour"}),
        request_rate,
        cards,
        offered_load,
        slots,
        delay_probability,
        wait_p99,
    ],
    {
        "mean_rate": ds.Assumption(
            dist.lognormal(median=labelled(regions.values(), "region", list(regions)), factor=1.3), "query/s"
        ),
        "seasonal_weight": ds.Assumption(labelled(by_hour, "hour", range(24))),
        "elapsed_time": ds.Assumption(labelled(np.arange(24.0), "date", hours), "hour"),
        "surge_mean": 0.0,
        "surge_sd": 0.15,
        "persistence": 0.7,
        "one_hour": ds.Assumption(1, "hour"),
        "shock": ds.Assumption("normal(mean=0, sd=1)", dims=("region", "date")),
        "service_time": ds.Assumption("lognormal(4, 9)", "s"),
        "slots_per_card": ds.Assumption(16, "query/card"),
        "least_cards": ds.Assumption(40, "card"),
        "headroom": 0.25,
    },
)
model = model.correlate_labels("shock", dim="region", rank=0.5)
model = model.with_scenarios({"headroom 25%": {}, "headroom 60%": {"headroom": 0.6}})
draws = model.simulate(draws=256, chains=4, seed=1, keep=["cards", "wait_p99", "request_rate"])

for scenario in draws.scenario.values:
    here = draws.sel(scenario=scenario)
    never, late = here.wait_p99.isnull(), here.wait_p99 > 2
    print(
        f"{scenario}: {float(here.cards.sum('region').mean()):,.0f} cards in the mean; the p99 of waiting is over 2 s"
    )
    print(f"{'':>14}in {float((late | never).mean()):.1%} of hours, without end in {float(never.mean()):.1%}")

out = Path("out")
out.mkdir(exist_ok=True)
total = draws[["cards"]].sum("region", keep_attrs=True)
ds.plots.save(ds.plots.fan(total, title="Cards that the autoscaler keeps, all regions"), out / "capacity_by_hour.png")
