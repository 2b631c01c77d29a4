"""Would the report's chain have told what was spent? Its capex held against ByteDance's, 2025 and 2026
=====================================================================================================

Run it: ``python examples/backtest.py``. It prints a table of scores and writes ``out/backtest.png``.

Two chains, the report's and the one with distributions from production evidence, are run at the tokens a day that
Doubao published, and `forecasting.score` holds them against the capex that ByteDance is reported to have spent in 2025,
and to plan for 2026. The chains count the cards of inference alone, capex is all of it: a second part of the table adds
hosts, network, training and research.
"""

from pathlib import Path

import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim import forecasting
from demandsim.equations import equation_named

tokens = ds.load_series("doubao-daily-tokens").daily_tokens
capex, plans = ds.load_series("bytedance-capex"), ds.load_series("bytedance-plans")
spent = {
    "2025": float(capex.capex.sel(date="2025").squeeze()),
    # The plan of December 2025 was raised in May 2026; the year is not over.
    "2026": float(plans.capex.sel(told="May 2026").squeeze()),
}
served = {"2025": tokens.sel(date="2025-12-18").item(), "2026": tokens.sel(date="2026-06-23").item()}
# Only the plan for 2026 says how much of it buys AI processors: the same share is taken for both years.
share = float((capex.processor_capex / capex.capex).sel(date="2026").squeeze())


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
draws = {}
for label, study in {"report": "guosen-2025-01", "evidence": "guosen-2025-01-evidence"}.items():
    model = ds.load_study(study).add(**beyond).with_equations(*map(equation_named, rooms), whole_capex)
    # What was published is no longer a hypothesis: a sure value in each year.
    by_year = model.with_scenarios({year: {"daily_tokens": value} for year, value in served.items()})
    draws[label] = by_year.simulate(draws=8192, seed=1, keep=["capex", "whole_capex"])


def came(factor):
    """What was spent, by year, in the scenarios of the draws."""
    return xr.DataArray([factor * value for value in spent.values()], {"scenario": list(spent)}, "scenario")


held = {
    "capex": ("Cards of inference, at their price, against the part of capex for AI processors", came(share)),
    "whole_capex": ("All cards with hosts and network, against all of capex", came(1.0)),
}
for name, (said, outcome) in held.items():
    print(f"{said}, bn CNY")
    print(f"{'year':>6}{'chain':>10}{'came':>7}{'median':>8}{'90% interval':>15}{'grade':>7}{'CRPS of logarithms':>22}")
    for year in spent:
        for label, made in draws.items():
            low, middle, high = made[name].sel(scenario=year).quantile([0.05, 0.5, 0.95]).values / 1e9
            score = forecasting.score(made, {name: outcome}, log=True)[name].sel(scenario=year)
            crps, error, grade = (float(score.sel(score=key)) for key in ("crps", "mcse_crps", "pit"))
            print(
                f"{year:>6}{label:>10}{float(outcome.sel(scenario=year)) / 1e9:>7.0f}{middle:>8.0f}"
                f"{f'{low:.0f} to {high:.0f}':>15}{grade:>7.2f}{f'{crps:.2f} ± {max(error, 0.01):.2f}':>22}"
            )
    print()

print(
    f"""The grade is the share of draws below what came; a CRPS of logarithms of 0.2 is as bad as a sure forecast that
is wrong by a factor of 1.2, and 0.85 as one by 2.3. What can be compared, and what cannot:
- Both are money for cards, but a chain tells the fleet that is there, capex what was bought in one year. Tokens grew
  {served["2025"] / 4e12:.0f}-fold in the year to December 2025, so most of the fleet should be of that year.
- Capex includes training, research, buildings and what is bought ahead for the next year. The second part adds the
  first two and hosts and network, by judgement; buildings, and tokens that no one publishes, are in neither.
- The {share:.0%} for processors are derived from the plan for 2026, and 2026 itself is a plan against June's tokens.
- One company in two years. The report takes three times the parameters that released models have and three times the
  utilization that is measured: two mistakes that cancel. A median near the published figure does not prove a chain."""
)

out = Path("out")
out.mkdir(exist_ok=True)
shown = xr.concat(
    [made.assign_coords(scenario=[f"{label}, {year}" for year in spent]) for label, made in draws.items()],
    dim="scenario",
    combine_attrs="drop_conflicts",
)
shown = shown.assign_attrs(study="Backtest", source="tokens: Volcano Engine; capex: Financial Times, SCMP, as carried")
published = xr.Dataset(
    {
        name: ("scenario", [float(outcome.sel(scenario=label[-4:])) for label in shown.scenario.values])
        for name, (_, outcome) in held.items()
    },
    {"scenario": shown.scenario},
)
for name in held:
    published[name].attrs["units"] = "CNY"
ds.plots.save(ds.plots.distributions(shown, published, of=list(held)), out / "backtest.png")
