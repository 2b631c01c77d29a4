"""Which card makes the cheapest tokens, and how sure can we be?
=============================================================

Run it: ``python examples/hardware_choice.py``. It prints the cost of a year of usable compute and of a
million tokens by kind of hardware, with the chance that a kind is the cheapest, and writes
``out/hardware_choice.png``.

Figures of H800, H20, H100 and B200 have a source. Those of the other kinds are UNVERIFIED: put your own
quotes in their place before you believe the ranking.
"""

from pathlib import Path

import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named

# Dense FP8 (INT8 where there is no FP8) in TFLOP/s; price of a card in 1,000 CNY and fleet utilization as
# central 90% intervals; power of a card in watt. Utilization is an average that includes quiet hours.
table = {
    # kind: (peak, (price), (utilization), power, source of peak and price)
    "H800": (1979, (115, 195), (0.08, 0.28), 700, "the report: 1979 TFLOP/s, 150,000 CNY"),
    "H20": (296, (65, 86), (0.25, 0.60), 400, "9 to 12 thousand USD in 2025 (ai-chip-counts)"),
    "H100": (1979, (144, 194), (0.08, 0.28), 700, "20 to 27 thousand USD in 2025 (ai-chip-counts)"),
    "B200": (4500, (216, 324), (0.06, 0.26), 1000, "30 to 45 thousand USD as part of a GB200 (ai-chip-counts)"),
    "GB300 (unverified)": (4500, (290, 430), (0.06, 0.28), 1400, "unverified"),
    "Ascend 910C (unverified)": (1504, (120, 220), (0.07, 0.25), 700, "unverified"),
    "Hygon DCU (unverified)": (390, (40, 90), (0.08, 0.30), 400, "unverified"),
    "Cambricon (unverified)": (630, (60, 120), (0.08, 0.30), 450, "unverified"),
    "ASIC (unverified)": (900, (30, 80), (0.10, 0.35), 400, "unverified; what a cloud pays to have its own made"),
}
kinds = list(table)


def by_kind(values):
    return xr.DataArray(list(values), coords={"hardware": kinds}, dims="hardware")


prices, shares = ([row[place] for row in table.values()] for place in (1, 2))
sources = "; ".join(f"{kind}: {row[4]}" for kind, row in table.items())
equations = [
    "inference.flops_per_token",
    "hardware.usable_flops",
    "ownership.cluster_cost_ratio",
    "ownership.installed_price",
    "ownership.depreciation_at_once",
    "ownership.card_energy_cost",
    "ownership.energy_cost",
    "ownership.datacenter_cost",
    "ownership.maintenance_cost",
    "ownership.operating_cost",
    "ownership.card_hour_cost",
    "ownership.compute_cost",
    "ownership.token_cost_of_compute",
]
model = ds.Model(
    [equation_named(name) for name in equations],
    {
        "activated_parameters": ds.Assumption(37e9, unit="parameter", source="DeepSeek-V3; weights only, no attention"),
        # One card stands for any number: every cost is proportional to it.
        "cards_in_service": ds.Assumption(1, unit="card"),
        "card_flops": ds.Assumption(
            dist.constant(by_kind(row[0] for row in table.values())), unit="TFLOP/s/card", source=sources
        ),
        "card_price": ds.Assumption(
            dist.lognormal(by_kind(1e3 * p[0] for p in prices), by_kind(1e3 * p[1] for p in prices), prob=0.9),
            unit="CNY/card",
            source=sources + "; 7.2 CNY/USD: unverified",
        ),
        # Each kind has its own software: what is not known of one says little of another.
        "utilization": ds.Assumption(
            dist.beta(by_kind(u[0] for u in shares), by_kind(u[1] for u in shares), prob=0.9),
            source="judgement; measured 7 to 34% by phase and kind. H20 has bandwidth to spare for its compute",
        ),
        "useful_life": ds.Assumption("uniform(3, 6)", unit="year", source="5 to 6 at cloud providers, sceptics 2 to 3"),
        "server_cost_ratio": ds.Assumption(
            "triangular(1.54, 1.64, 1.69)", source="epoch-research/training-cost-trends"
        ),
        "network_cost_share": ds.Assumption(0.19, source="epoch-research/training-cost-trends"),
        "card_power": ds.Assumption(
            dist.constant(by_kind(row[3] for row in table.values())), unit="W/card", source="unverified"
        ),
        "server_power_ratio": ds.Assumption(1.82, source="of an H100 (training-cost-trends)"),
        "pue": ds.Assumption("uniform(1.1, 1.56)", source="hyperscalers; mean of a survey"),
        "electricity_price": ds.Assumption("uniform(0.4, 0.7)", unit="CNY/kWh", source="US industry 0.083 USD/kWh"),
        "datacenter_power_price": ds.Assumption("uniform(6000, 12000)", unit="CNY/kW/year", source="unverified"),
        "maintenance_share": ds.Assumption("uniform(0.02, 0.06)", unit="1/year", source="judgement"),
    },
)
draws = model.simulate(draws=4096, seed=1, keep=["compute_cost", "card_hour_cost", "token_cost"])
summary = ds.summarize(draws, probs=(0.25, 0.75))
cheapest = draws.token_cost.argmin("hardware")

print(f"{'':<24}{'CNY per':>14}{'CNY per usable':>18}{'CNY per million tokens':>26}{'cheapest with':>16}")
print(f"{'':<24}{'card-hour':>14}{'PFLOP/s-year':>18}{'median (90% interval)':>26}{'probability':>16}")
for place, kind in enumerate(kinds):
    middle = {name: float(summary[name].sel(hardware=kind, statistic="median")) for name in draws.data_vars}
    low, high = (float(summary.token_cost.sel(hardware=kind, statistic=end)) for end in ("lower", "upper"))
    chance = float(ds.probability(cheapest == place).to_dataarray().sel(variable="probability").squeeze())
    tokens = f"{middle['token_cost']:.2f} ({low:.2f} to {high:.2f})"
    hour, year = (f"{middle[name]:,.{digits}f}" for name, digits in (("card_hour_cost", 1), ("compute_cost", 0)))
    print(f"{kind:<24}{hour:>14}{year:>18}{tokens:>26}{chance:>16.0%}")

sourced = [kind for kind in kinds if "unverified" not in kind]
among = draws.token_cost.sel(hardware=sourced).argmin("hardware")
shares_of_four = ", ".join(f"{kind} {float((among == place).mean()):.0%}" for place, kind in enumerate(sourced))
print(f"\nCheapest of those whose figures have a source: {shares_of_four}.")

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.forest(summary, of=["token_cost", "card_hour_cost"]), out / "hardware_choice.png")
