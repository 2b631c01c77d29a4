"""Which cards serve in ten years' time, and what is missing under an export control?
==================================================================================

Run it: ``python examples/fleet_cohorts.py``. It prints a table and writes ``out/fleet_cohorts.png``.

A growing demand is met by buying what is missing each year; cards retire at the end of a useful life
that nobody knows, and is no whole number of years. Two kinds of hardware share the demand, and each can
take over what the other cannot supply.
"""

from pathlib import Path

import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named

years = list(range(2025, 2035))
kinds = ["H20", "Ascend 910C"]


def by_year(values):
    return xr.DataArray(values, coords={"year": years}, dims="year")


def by_kind(values):
    return xr.DataArray(values, coords={"hardware": kinds}, dims="hardware")


def supply(imported, domestic):
    """Cards that can be bought each year."""
    return xr.DataArray(
        [[one, other] for one, other in zip(imported, domestic, strict=True)],
        coords={"year": years, "hardware": kinds},
        dims=("year", "hardware"),
    )


@ds.equation(unit="EFLOP/s")
def capacity_compute(initial_compute, growth_rate, elapsed_time):
    """Compute to install: exponential growth at a rate that is drawn once for all years."""
    import numpy as np

    return initial_compute * np.exp(growth_rate * elapsed_time)


equations = [
    "hardware.usable_flops",
    "hardware.cards_bought_by_mix",
    "hardware.compute_surviving",
    "hardware.unmet_compute",
    "hardware.unmet_cards_of_mix",
    "fleet.cards_surviving",
    "fleet.cards_in_service",
    "fleet.cards_retired",
    "ownership.purchase_capex",
    "ownership.depreciation",
]
plenty = [1e9] * 10  # more than anybody would buy
made_at_home = [5e4 * 1.15**year for year in range(10)]
model = ds.Model(
    [capacity_compute, *(equation_named(name) for name in equations)],
    {
        "elapsed_time": ds.Assumption(dist.constant(by_year(range(10))), unit="year"),
        "initial_compute": ds.Assumption(
            "lognormal(median=15, factor=1.5, prob=0.9)",
            unit="EFLOP/s",
            source="about 2e13 tokens a day at 74e9 FLOP (DeepSeek-V3, weights only), judgement",
        ),
        "growth_rate": ds.Assumption("normal(mean=0.25, sd=0.05)", unit="1/year", source="judgement"),
        "hardware_share": ds.Assumption(dist.constant(by_kind([0.6, 0.4])), source="judgement"),
        "card_flops": ds.Assumption(
            dist.constant(by_kind([296.0, 1504.0])),
            unit="TFLOP/s/card",
            source="H20 dense FP8; Ascend 910C INT8: unverified",
        ),
        "utilization": ds.Assumption(
            dist.uniform(by_kind([0.2, 0.1]), by_kind([0.4, 0.25])), source="judgement; measured: 10 to 34%"
        ),
        "useful_life": ds.Assumption("uniform(3, 6)", unit="year", source="5 to 6 at cloud providers, sceptics 2 to 3"),
        "supply_limit": ds.Assumption(dist.constant(supply(plenty, plenty)), unit="card", source="no limit"),
        "installed_price": ds.Assumption(
            dist.lognormal(median=by_kind([150e3, 400e3]), factor=by_kind([1.3, 1.5]), prob=0.9),
            unit="CNY/card",
            source="H20 9 to 12 thousand USD, twice with host and network; Ascend: unverified",
        ),
    },
).with_scenarios(
    {
        "free trade": {},
        "export control": {"supply_limit": dist.constant(supply([1e9] * 2 + [0] * 8, made_at_home))},
    }
)
draws = model.simulate(draws=1024, seed=1)
total = draws.sum("hardware")
covered = total.cards_retired.cumsum("year") + total.cards_in_service
largest = float(abs(total.cards_bought.cumsum("year") / covered - 1).max())
print(f"Bought so far is retired so far plus in service, in every draw and year (to {largest:.0e}).\n")

print(f"{'':>16}{'year':>6}{'bought':>12}{'retired':>12}{'in service':>12}{'90% interval':>24}   demand is met with")
for scenario in draws.scenario.values:
    for year in years[::3]:
        here = total.sel(scenario=scenario, year=year)
        low, high = (float(here.cards_in_service.quantile(q)) for q in (0.05, 0.95))
        met = ds.probability(draws.unmet_compute.sel(scenario=scenario, year=year) == 0)
        numbers = "".join(f"{float(here[n].mean()):>12,.0f}" for n in ("cards_bought", "cards_retired"))
        spread = f"{low:,.0f} to {high:,.0f}"
        probability = float(met.to_dataarray().sel(variable="probability").squeeze())
        print(
            f"{scenario:>16}{year:>6}{numbers}{float(here.cards_in_service.mean()):>12,.0f}{spread:>24}{probability:>12.0%}"
        )

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.cohorts(draws), out / "fleet_cohorts.png")
