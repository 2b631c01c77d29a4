"""Where does the uncertainty come from, and which assumption is worth learning first?
===================================================================================

Run it: ``python examples/sensitivity_sobol.py``. It prints the shares of variance and writes
``out/sensitivity_sobol.png``, and how well the simulation has settled: ``out/convergence.png``.
"""

from pathlib import Path

import demandsim as ds

model = ds.load_study("guosen-2025-01").select(scenario="100T")
indices = ds.sensitivity.sobol(model, of=["cards", "gross_margin"], draws=1024, seed=1)

shares = indices.sel(quantity="gross_margin").squeeze()
for assumption in shares.assumption.values[(-shares.total_order).values.argsort()][:4]:
    one = shares.sel(assumption=assumption)
    print(
        f"{one.long_name.item()}: {float(one.first_order):.0%} of the margin's variance alone, "
        f"{float(one.total_order):.0%} ({float(one.total_order_lower):.1%} to {float(one.total_order_upper):.1%}) "
        "with interactions"
    )

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.sobol(indices), out / "sensitivity_sobol.png")

draws = model.simulate(draws=2048, seed=1)
ds.plots.save(ds.plots.convergence(draws, of=["cards", "gross_margin"]), out / "convergence.png")
