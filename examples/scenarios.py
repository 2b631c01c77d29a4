"""What if utilization is what production data say, prices fall, or both?
======================================================================

Run it: ``python examples/scenarios.py``. It prints the chance of covering the compute cost in each
scenario and writes ``out/scenarios.png``.
"""

from pathlib import Path

import demandsim as ds

model = ds.load_study("guosen-2025-01").with_scenarios(
    {
        "as published": {},
        "utilization as measured": {"utilization": "beta(0.08, 0.28, prob=0.8)"},
        "half the price": {"token_price": "lognormal(median=0.75, factor=2, prob=0.9)"},
        "smaller model": {"activated_parameters": "lognormal(median=37e9, factor=1.5, prob=0.9)"},
        "measured, smaller model": {
            "utilization": "beta(0.08, 0.28, prob=0.8)",
            "activated_parameters": "lognormal(median=37e9, factor=1.5, prob=0.9)",
        },
    }
)
draws = model.simulate(draws=4096, seed=1)
covers = ds.probability(draws.gross_margin > 0)
for scenario in draws.scenario.values:
    here = covers.sel(scenario=scenario)
    print(f"{scenario}: covers its compute cost with probability {float(here.probability):.0%}")

# The scenarios share their random numbers: their differences are exact draw by draw.
margin = draws.gross_margin
lost = margin.sel(scenario="as published") - margin.sel(scenario="utilization as measured")
print(f"Measured utilization costs {float(lost.median()) / 1e9:.0f} bn CNY a year (median of the differences).")

out = Path("out")
out.mkdir(exist_ok=True)
summary = ds.summarize(draws, probs=(0.25, 0.75))
ds.plots.save(ds.plots.forest(summary, model.point(), of=["cards", "gross_margin"]), out / "scenarios.png")
