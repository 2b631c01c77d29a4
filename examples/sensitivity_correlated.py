"""What matters when assumptions move together?
============================================

Larger models run at a higher utilization, cheaper tokens are sold in larger numbers: Sobol' indices
do not allow for that, Shapley effects do. Run it: ``python examples/sensitivity_correlated.py``. It
prints the effects and writes ``out/sensitivity_correlated.png`` and the pairs, ``out/scatter.png``.
"""

from pathlib import Path

import demandsim as ds

alone = ds.load_study("guosen-2025-01").select(scenario="100T")
model = alone.correlate({("activated_parameters", "utilization"): 0.5, ("daily_tokens", "token_price"): -0.6})

effects = ds.sensitivity.shapley(model, of="gross_margin", draws=256, seed=1)
independent = ds.sensitivity.shapley(alone, of="gross_margin", draws=256, seed=1)
for assumption in effects.assumption.values:
    tied, free = (float(found.effect.sel(assumption=assumption).squeeze()) for found in (effects, independent))
    print(
        f"{effects.long_name.sel(assumption=assumption).item()}: {tied:.1%} of the variance; {free:.1%} if independent"
    )

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.shapley(effects), out / "sensitivity_correlated.png")

draws = model.simulate(draws=1024, seed=1).squeeze("scenario")
pairs = ds.plots.scatter(
    draws, of=["activated_parameters", "utilization", "daily_tokens", "token_price", "gross_margin"]
)
ds.plots.save(pairs, out / "scatter.png")
