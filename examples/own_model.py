"""How do I write a model of my own, and ask it what-if questions?
===============================================================

Run it: ``python examples/own_model.py``. It prints tables and writes ``out/own_model.png``.
"""

from pathlib import Path

import xarray as xr

import demandsim as ds
from demandsim import distributions as dist


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    """Cards needed to serve the peak: compute over usable compute per card."""
    return peak_compute / (card_flops * utilization)


@ds.equation(unit="card")
def bought(cards):
    """Cards to buy each year: what the fleet of the year before does not cover."""
    return (cards - cards.shift(year=1, fill_value=0)).clip(min=0)


@ds.equation(unit="MW")
def power(cards, card_power, pue):
    """Power at the meter: cards times what each draws, times the overhead of the site."""
    return cards * card_power * pue


years = [2025, 2026, 2027]
low = xr.DataArray([300.0, 500, 800], coords={"year": years}, dims="year")

model = ds.Model(
    equations=[cards, bought, power],
    assumptions={
        # One interval per year; `shared` draws once: a year above expectation means all are.
        "peak_compute": ds.Assumption(dist.lognormal(low, 3 * low, prob=0.9), unit="EFLOP/s", shared=True),
        "card_flops": ds.Assumption(1979, unit="TFLOP/s/card", source="H800, dense FP8"),
        "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1), point=0.45, source="report, Fig. 27"),
        "card_power": ds.Assumption(
            dist.pert(600, 700, 1300), unit="W/card", source="judgement: card and its share of the host"
        ),
        "pue": ds.Assumption(dist.triangular(1.1, 1.25, 1.56), source="hyperscaler to survey mean"),
    },
)
print(model)
print(model.explain("power"))

model = model.correlate({("utilization", "pue"): -0.3}).with_scenarios(
    {
        "as published": {},
        "as measured": {"utilization": dist.beta(0.08, 0.28, prob=0.8)},
    }
)
draws = model.simulate(draws=4096, seed=1)
table = ds.summarize(draws)[["cards", "bought", "power"]].sel(statistic=["lower", "median", "upper"])
print(table.to_dataframe().unstack("statistic").map("{:,.0f}".format).to_string())

# The scenarios share their random numbers, so that their ratio is exact draw by draw.
ratio = (draws.cards.sel(scenario="as measured") / draws.cards.sel(scenario="as published")).rename("more cards")
print(f"measured over published: {float(ratio.median()):.2f} times the cards (median)")

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.distributions(draws.sel(year=2027), model.point().sel(year=2027)), out / "own_model.png")
