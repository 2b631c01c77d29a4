"""At which price and utilization does the API business cover its compute?
=======================================================================

Run it: ``python examples/break_even.py``. It prints the chance at the published point, the shares that
would have broken even there, and writes ``out/break_even.png``.
"""

from pathlib import Path

import demandsim as ds
from demandsim.equations import break_even

model = ds.load_study("guosen-2025-01").select(scenario="100T")
published = model.fix(utilization=0.45, token_price=1.5).simulate(draws=2048, seed=1)
covers = ds.probability(published.gross_margin > 0).squeeze()
print(f"At 45% and 1.5 CNY per million tokens: {float(covers.probability):.0%} (MCSE {float(covers.mcse):.1%})")

solved = model.with_equations(break_even.break_even_utilization, break_even.break_even_paid_share)
summary = ds.summarize(solved.simulate(draws=2048, seed=1))
for name, said in {"break_even_utilization": "utilization", "break_even_paid_share": "paid share of tokens"}.items():
    low, middle, high = (float(summary[name].squeeze().sel(statistic=s)) for s in ("lower", "median", "upper"))
    print(f"Breaks even at a {said} of {middle:.0%} (90% interval {low:.0%} to {high:.0%}; above 100% at none)")

# Every other assumption varies by its distribution, on the same random numbers at each point.
axes = ds.plots.break_even(model, "utilization", "token_price", event=("gross_margin", ">", 0), draws=512, seed=1)

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(axes, out / "break_even.png")
