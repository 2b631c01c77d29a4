"""How sure can we be of the report's number of cards?
===================================================

Run it: ``python examples/quickstart.py``. It prints a table and writes ``out/quickstart.png``.
"""

from pathlib import Path

import demandsim as ds

model = ds.load_study("guosen-2025-01")
draws = model.simulate(draws=8192, chains=8, seed=20250127)
summary = ds.summarize(draws, prob=0.9)

point = ds.convert(model.point().cards, "wan*card")
cards = summary.cards / 10_000
for scenario in draws.scenario.values:
    low, middle, high = (float(cards.sel(scenario=scenario, statistic=s)) for s in ("lower", "median", "upper"))
    print(
        f"{scenario}: the report says {float(point.sel(scenario=scenario)):,.2f} x 10,000 cards; "
        f"its assumptions allow {low:,.0f} to {high:,.0f} (90%), median {middle:,.0f}"
    )

covers = ds.probability(draws.gross_margin > 0)
print(f"The API business covers its compute cost with probability {float(covers.probability[0]):.0%}.")

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(
    ds.plots.distributions(draws, model.point(), of=["cards", "gross_margin", "break_even_price"]),
    out / "quickstart.png",
)
