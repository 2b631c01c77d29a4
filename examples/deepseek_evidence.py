"""The report's chain meets a day of production: which assumption gives way?
============================================================================

Run it: ``python examples/deepseek_evidence.py``. It gives the report's chain what DeepSeek published of a day: its
tokens and activated parameters go in, the cards in use at the peak and the peak over the mean are what was observed.
It prints which assumption gives way, carries the result to the report's 100T scenario, and writes
``out/deepseek_evidence.png``.

Given the day's tokens, the report's own assumptions say 2,200 cards, and 2,224 were counted. But it is right for the
wrong reasons: the day's peak is 1.23 times its mean, not 3, and cards are used at less than half of 45%. The two errors
cancel as long as they travel together. A fleet that has DeepSeek's utilization and the report's peak ratio would need
twice the cards.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.units.format import number

DAY, CASE = "DeepSeek's day", "100T"
report = ds.load_study("guosen-2025-01")
day = ds.load_series("deepseek-day").isel(date=0)
all_tokens = (day.input_tokens + day.output_tokens).item()
peak_cards = (day.peak_nodes * day.node_size).item()


def by_fleet(of_day, of_case):
    return xr.DataArray([of_day, of_case], coords={"fleet": [DAY, CASE]}, dims="fleet")


def chain(tokens, *, own_peak=False):
    """The report's chain for both fleets: tokens and parameters are each fleet's own, the rest is common.

    Of the day they are known to their rounding. With `own_peak` each fleet has a peak ratio of its own as well.
    """
    assumptions = dict(report.assumptions)
    assumptions |= {
        "daily_tokens": ds.Assumption(
            dist.lognormal(median=by_fleet(tokens, 1e14), factor=by_fleet(1.002, 2.0)), "token/day"
        ),
        "activated_parameters": ds.Assumption(
            dist.lognormal(median=by_fleet(37e9, 110e9), factor=by_fleet(1.015, 3.0)), "parameter"
        ),
    }
    if own_peak:
        assumptions["peak_ratio"] = ds.Assumption(dist.lognormal(median=by_fleet(3.0, 3.0), factor=1.5))
    return ds.Model(report.equations.values(), assumptions, notes=report.notes)


def of_day(value, factor):
    """Evidence on the day alone: counts are exact, the factor is how far one operator may lie off the chain."""
    return dist.lognormal(median=xr.DataArray([value], coords={"fleet": [DAY]}, dims="fleet"), factor=factor)


def at(array, fleet):
    return array.sel(fleet=fleet) if "fleet" in array.dims else array


def spread(array, scale=1.0):
    low, middle, high = (at(array, CASE) / scale).quantile([0.05, 0.5, 0.95]).values
    return f"{number(middle, 3)} ({number(low, 3)} to {number(high, 3)})"


def forecast(model):
    """Draws of a chain given the cards and the peak of the day."""
    peak = model.assumptions["peak_ratio"].distribution
    seen = (
        of_day(day.peak_ratio.item(), 1.05) if peak.dims else dist.lognormal(median=day.peak_ratio.item(), factor=1.05)
    )
    return model.observe(cards=of_day(peak_cards, 1.2), peak_ratio=seen).infer(draws=2048, seed=1)


common, own = chain(all_tokens), chain(all_tokens, own_peak=True)
prior = common.simulate(draws=2048, seed=1)
low, middle, high = prior.cards.sel(fleet=DAY).quantile([0.05, 0.5, 0.95]).values
print(f"The day's cards, by the report's assumptions: {middle:,.0f} (90%: {low:,.0f} to {high:,.0f}).")
print(f"Counted at the peak: {peak_cards:,.0f}.")

counted = common.observe(cards=of_day(peak_cards, 1.2)).infer(draws=2048, seed=1)
both = forecast(common)
distance = both.attrs["prior_distance"]
print(f"The day's peak ratio of {day.peak_ratio.item():.3f} lies {distance:.1f} sd from the report's 3.")

print("\nHow far the evidence moves each median, in prior sd (and what is left of its sd)")
print(f"{'':<38}{'prior: median (90%)':<28}{'given the cards':<20}given cards and peak")
rows = {"utilization": (1, ""), "peak_ratio": (1, ""), "card_flops": (1, "TFLOP/s/card")}
rows |= {"activated_parameters": (1e9, "bn"), "daily_tokens": (1e12, "tn/day")}
for name, (scale, unit) in rows.items():
    cells = []
    reference = np.sort(at(prior[name], CASE).values.ravel())
    for found in (counted, both):
        grade = (np.searchsorted(reference, at(found[name], CASE).values.ravel()) + 0.5) / (reference.size + 1)
        scores = stats.norm.ppf(np.clip(grade, 1e-9, 1 - 1e-9))
        cells.append(f"{np.median(scores):+.1f} ({scores.std():.0%})")
    print(f"{f'{name} {unit}':<38}{spread(prior[name], scale):<28}{cells[0]:<20}{cells[1]}")

# Of the day's tokens 44% came from the cache. Without them cards do less work, so that the rest needs more of them.
computed = forecast(chain(all_tokens - day.cached_tokens.item(), own_peak=True))
cases = {
    "the report's assumptions": prior,
    "the day's cards": counted,
    "the day's cards and peak, and that peak for all": both,
    "the same, the report's peak kept for 100T": forecast(own),
    "the same, if none of the 100T come from a cache": computed,
}
print(f"\n{'For 100T tokens a day':<52}{'utilization, %':<24}cards, million")
for name, found in cases.items():
    print(f"{name:<52}{spread(found.utilization, 0.01):<24}{spread(found.cards, 1e6)}")

out = Path("out")
out.mkdir(exist_ok=True)
names = ["utilization", "peak_ratio", "card_flops", "cards"]
before = prior[names].sel(fleet=CASE)
ds.plots.save(ds.plots.posterior(both.sel(fleet=CASE), before, of=names), out / "deepseek_evidence.png")
