"""How many cards to order before demand is known?
===================================================

Run it: ``python examples/order_cards.py``. It prints what each order is expected to pay, and what it risks, and
writes ``out/order_cards.png`` and the frontier of payoff against risk: ``out/order_frontier.png``.
"""

from pathlib import Path

import numpy as np
import xarray as xr

import demandsim as ds

model = ds.load_study("guosen-2025-01-evidence").select(scenario="100T")
draws = model.simulate(draws=4096, seed=1).squeeze("scenario")

# A card that serves demand earns its share of revenue over its useful life; one without work is sold for a fifth of
# its price (our assumption), and customers who are turned away are lost without a further penalty.
payoff = ds.decisions.OrderCards(salvage=lambda draws: 0.2 * draws.card_price)
orders = xr.DataArray(np.arange(0, 1_000_001, 50_000), dims="order", attrs={"units": "card"})
found = ds.decisions.evaluate(draws, orders, payoff, tail=0.1)

print("order, cards   expected, bn CNY   worst tenth   regret   best in hindsight")
for order in found.order.values[::2]:
    one = found.sel(order=order)
    print(
        f"{order:12,}   {one['mean'] / 1e9:9.1f} ± {one.mcse_mean / 1e9:4.2f}   {one.cvar / 1e9:11.1f}   "
        f"{one.regret / 1e9:6.1f}   {one.probability_best:17.0%}"
    )
told = "which the draws tell from the next" if found.resolved else "which the draws do not tell from the next"
print(
    f"Best: {found.best.item():,} cards, {told}: {found.lead / 1e9:.2f} ± {found.mcse_lead / 1e9:.2f} bn CNY more than "
    f"{found.runner_up.item():,}. The published point is {model.point().cards.item():,.0f} cards."
)

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.payoffs(found), out / "order_cards.png")
ds.plots.save(ds.plots.frontier(found), out / "order_frontier.png")
