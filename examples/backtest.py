"""Would the report's chain have told what was spent? Its capex held against ByteDance's
======================================================================================

Run it: ``python examples/backtest.py``. It prints a table and writes ``out/backtest.png``.

Two chains, the report's and the one with distributions from production evidence, are run at the tokens a day that
Doubao published in 2025, and held against the capex that ByteDance is reported to have spent. The chains count the
cards of inference alone, capex is all of it: a second part of the table adds hosts, network, training and research.
"""

from pathlib import Path

import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named

tokens = ds.load_series("doubao-daily-tokens").daily_tokens
capex = ds.load_series("bytedance-capex")
spent = float(capex.capex.sel(date="2025").squeeze())
planned, processors = (float(capex[name].sel(date="2026").squeeze()) for name in ("capex", "processor_capex"))
# Only the plan for 2026 says how much of it buys AI processors: the same share is taken for 2025.
chips = spent * processors / planned
dates = {"Sep 2025": tokens.sel(date="2025-09-30").item(), "Dec 2025": tokens.sel(date="2025-12-18").item()}


@ds.equation(unit="CNY")
def whole_capex(fleet_cards, installed_price):
    """Capex of everything: cards of inference, training and research, with hosts and network.

    Source: accounting.
    """
    return fleet_cards * installed_price


beyond = {
    "inference_share": ds.Assumption(
        dist.beta(mean=0.55, sd=0.13),
        long_name="Share of inference in the fleet",
        source="China: a forecast of 67.7% in 2024, 41.3% in 2023 (the report); OpenAI 2024 about 29% of its compute",
    ),
    "server_cost_ratio": ds.Assumption("pert(1.54, 1.64, 1.69)", source="epoch-research/training-cost-trends"),
    "network_cost_share": ds.Assumption("pert(0.12, 0.19, 0.26)", source="the same: 19%; the spread is judgement"),
}
rooms = ("training.fleet_cards", "ownership.cluster_cost_ratio", "ownership.installed_price")
found = {}
for label, study in {"report": "guosen-2025-01", "evidence": "guosen-2025-01-evidence"}.items():
    model = ds.load_study(study).add(**beyond).with_equations(*map(equation_named, rooms), whole_capex)
    # What was published is no longer a hypothesis: a sure value at each date.
    at_dates = model.with_scenarios({f"{label}, {date}": {"daily_tokens": value} for date, value in dates.items()})
    found[label] = at_dates.simulate(draws=8192, seed=1, keep=["capex", "whole_capex"])
draws = xr.concat(found.values(), dim="scenario", combine_attrs="drop_conflicts")

held = {
    "capex": ("Cards of inference, at their price, against the part of capex for AI processors", chips),
    "whole_capex": ("All cards with hosts and network, against all of capex", spent),
}
summary = ds.summarize(draws, prob=0.9)
for name, (said, published) in held.items():
    print(f"{said}: {published / 1e9:.0f} bn CNY in 2025")
    print(
        f"{'chain and tokens of':>22}{'median':>9}{'90% interval':>18}{'median / published':>21}{'quantile of it':>17}"
    )
    for scenario in draws.scenario.values:
        s = summary[name].sel(scenario=scenario) / 1e9
        middle, low, high = (float(s.sel(statistic=k)) for k in ("median", "lower", "upper"))
        below = ds.probability(draws[name].sel(scenario=scenario) < published)
        place = f"{below.probability.item():.1%} ± {below.mcse.item():.1%}"
        print(
            f"{scenario:>22}{middle:>9.0f}{f'{low:.0f} to {high:.0f}':>18}{middle * 1e9 / published:>21.2f}{place:>17}"
        )
    print()

print(
    f"""What can be compared, and what cannot:
- Both are money for cards, but a chain tells the fleet that is there, capex what was bought in one year. Tokens grew
  {dates["Dec 2025"] / 4e12:.0f}-fold from December 2024 to December 2025, so most of the fleet should be of that year.
- Capex includes training, research, buildings and what is bought ahead for 2026. The second part adds the first two
  and hosts and network, by judgement; buildings, and tokens that no one publishes (images, video), are in neither.
- The {chips / 1e9:.0f} bn for processors are derived: {processors / planned:.0%} of capex, as planned for 2026.
- One company in one year. The report takes three times the parameters that released models have and three times the
  utilization that is measured: two mistakes that cancel. A median near the published figure does not prove a chain."""
)

out = Path("out")
out.mkdir(exist_ok=True)
last = draws.sel(scenario=[label for label in draws.scenario.values if "Dec" in label]).assign_attrs(
    study="Backtest", source="tokens: Volcano Engine; capex: Financial Times, 23 December 2025, as carried by others"
)
published = xr.Dataset(
    {name: xr.full_like(last[name].isel(chain=0, draw=0, drop=True), value) for name, (_, value) in held.items()}
)
ds.plots.save(ds.plots.distributions(last, published, of=list(held)), out / "backtest.png")
