"""Which assumption alone moves the report's results the most?
===========================================================

Run it: ``python examples/sensitivity_tornado.py``. It prints the swings and writes
``out/sensitivity_tornado.png``.
"""

from pathlib import Path

import demandsim as ds

model = ds.load_study("guosen-2025-01").select(scenario="100T")
moved = ds.sensitivity.tornado(model, of=["cards", "gross_margin"], prob=0.9)

margin = moved.gross_margin.squeeze() / 1e9
for assumption in margin.assumption.values:
    low, high = (float(margin.sel(assumption=assumption, end=end)) for end in ("low", "high"))
    name = str(moved.long_name.sel(assumption=assumption).item())
    print(
        f"{name}: from one end of its interval to the other, the margin goes from {low:.1f} to {high:.1f} bn CNY/year"
    )

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.tornado(moved), out / "sensitivity_tornado.png")
