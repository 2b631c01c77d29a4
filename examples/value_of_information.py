"""What is it worth to learn an assumption before cards are ordered?
====================================================================

Run it: ``python examples/value_of_information.py``. It prints what each assumption, and two kinds of evidence, are
worth in money, and writes ``out/value_of_information.png``: next to each assumption's share of the variance.
"""

from pathlib import Path

import numpy as np
import xarray as xr

import demandsim as ds

model = ds.load_study("guosen-2025-01-evidence").select(scenario="100T")
draws = model.simulate(draws=2048, seed=1).squeeze("scenario")
orders = xr.DataArray(np.geomspace(2e4, 4e6, 40), dims="order", attrs={"units": "card"})
payoff = ds.decisions.OrderCards(salvage=lambda draws: 0.2 * draws.card_price)

found = ds.decisions.value_of_information(
    draws,
    orders,
    payoff,
    evidence={
        # A pilot day of production, whose utilization differs from that of the fleet by 5 points or so.
        "a pilot day": ds.decisions.Measurement("utilization", sd=0.05),
        "three pilot days": ds.decisions.Measurement("utilization", sd=0.05, count=3),
        # A survey of customers that tells the price within a factor of 1.5.
        "a survey of prices": ds.decisions.Measurement("token_price", factor=1.5),
    },
    seed=1,
)
# Two pairs of assumptions are correlated, so that Shapley effects take the place of Sobol' indices.
effects = ds.sensitivity.shapley(model, of="gross_margin", draws=512, seed=1)
shares = effects.effect.sel(quantity="gross_margin").squeeze("scenario", drop=True)

print(f"Knowing everything is worth {found.evpi / 1e9:.1f} ± {found.mcse_evpi / 1e9:.1f} bn CNY.")
for name in found.assumption.values[np.argsort(-found.evppi.values)]:
    one = found.sel(assumption=name)
    share = float(shares.sel(assumption=name)) if name in shares.assumption else 0.0
    print(
        f"{one.long_name.item()}: worth {one.evppi / 1e9:.2f} ± {one.mcse_evppi / 1e9:.2f} bn CNY; "
        f"{share:.0%} of the margin's variance"
    )
for name in found.evidence.values:
    one = found.sel(evidence=name)
    print(f"Evidence, {name}: worth {one.evsi / 1e9:.2f} ± {one.mcse_evsi / 1e9:.2f} bn CNY")

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.information(found, effects, of="gross_margin"), out / "value_of_information.png")
