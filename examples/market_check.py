"""Are there enough chips in the market, and enough money at the providers, for the fleets of a report?
====================================================================================================

Run it: ``python examples/market_check.py``. It holds the report's fleets of 100T and 1000T tokens a day, with
distributions from production evidence, against published figures: what China buys in AI chips in a year, and what
ByteDance spends. It prints how often each is exceeded and writes ``out/market_check.png``.
"""

from pathlib import Path

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import market
from demandsim.series import load_series
from demandsim.series.cross_check import cross_check

study = ds.load_study("guosen-2025-01-evidence")

# The recipe for any study, without writing an equation: hold a yearly amount of its draws against the published limits.
draws = study.simulate(draws=4096, seed=1)
kept = cross_check(draws)
print("To keep the fleet, cards replaced at the end of their life:")
print(kept.attrs["verdict"])

# Or against a series: the market that the report itself gives, by year.
sales = load_series("china-chip-market").chip_market
print(cross_check(draws, "annualized_capex", {"China's AI chip market": sales}).attrs["verdict"])

# Building the fleet takes more than keeping it. The report does not say how fast; shipped equations do the rest.
built = study.add(
    build_time=ds.Assumption(dist.uniform(1, 4), "year", source="judgement: one to four years"),
    chip_market=ds.Assumption(
        float(sales.sel(date="2025").item()),
        "CNY/year",
        long_name="China's AI chip market of 2025",
        source="Guosen Securities, January 2025",
    ),
    chip_share=ds.Assumption(
        85 / 160,
        long_name="Share of AI processors in ByteDance's capex",
        source="plans for 2026: 85 of 160 bn CNY (Financial Times, 23 December 2025)",
    ),
    provider_capex=ds.Assumption(
        150e9, "CNY/year", long_name="ByteDance's capex of 2025", source="Financial Times, 23 December 2025"
    ),
).with_equations(
    market.chip_spending_of_build,
    market.market_share_needed,
    market.exceeds_market,
    market.capex_share_needed,
    market.exceeds_capex,
    market.provider_chip_budget,
    market.chip_budget_share_needed,
    market.exceeds_chip_budget,
)
built_draws = built.simulate(draws=4096, seed=1)
print("\nTo build it within one to four years:")
print(cross_check(built_draws).attrs["verdict"])

needed = ds.summarize(built_draws[["market_share_needed"]]).market_share_needed.sel(scenario="1000T")
low, middle, high = (float(needed.sel(statistic=s)) for s in ("lower", "median", "upper"))
print(f"\nBuilding 1000T takes {middle:.1f} times the whole market (90% interval {low:.1f} to {high:.1f}).")

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.limits(built_draws), out / "market_check.png")
