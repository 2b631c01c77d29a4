"""The forecast has moved: which changed assumption moved it, and by how much?
===========================================================================

From the report's assumptions to those that production data support. Run it:
``python examples/forecast_bridge.py``. It prints the steps and writes ``out/forecast_bridge.png``.
"""

from pathlib import Path

import demandsim as ds

before = ds.load_study("guosen-2025-01").select(scenario="100T")
after = before.assume(
    utilization="beta(0.08, 0.28, prob=0.8)",
    activated_parameters="lognormal(median=37e9, factor=1.5, prob=0.9)",
    token_price="lognormal(median=1.0, factor=2, prob=0.9)",
)
bridge = ds.sensitivity.bridge(before, after, of=["cards", "gross_margin"], statistic="mean", seed=1)

cards = bridge.sel(quantity="cards").squeeze()
print(f"mean before: {float(cards.before) / 1e4:.1f} x 10,000 cards")
for change in cards.change.values:
    print(f"{change}: {float(cards.contribution.sel(change=change)) / 1e4:+.1f}")
print(f"mean after: {float(cards.after) / 1e4:.1f} x 10,000 cards")

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.waterfall(bridge), out / "forecast_bridge.png")
