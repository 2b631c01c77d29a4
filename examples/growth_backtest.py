"""Which model of growth would have told the next figure?
=======================================================

Run it: ``python examples/growth_backtest.py``. At each day on which Doubao, Google or China's statistics announced a
figure of tokens a day, every model is fitted to what had been announced before, of whomever, and forecasts the figure.
It prints the mean score and how often the intervals held what came, weighs the models by it, and writes
``out/growth_backtest.png``.

Eleven figures do not prove a model right, and the models were chosen by people who knew them. They can prove one wrong:
curves are too sure, and the naive forecast that growth goes on as it was scores worse than the best of them.
"""

from pathlib import Path

import numpy as np

import demandsim as ds
from demandsim import forecasting

others = ds.load_series("token-volumes").daily_tokens
series = {"Doubao": ds.load_series("doubao-daily-tokens").daily_tokens}
series |= {name: others.sel(publisher=name) for name in others.publisher.values}
models = {
    "reverting": forecasting.RevertingGrowth(points=256),
    "exponential": forecasting.Curve("exponential"),
    "logistic": forecasting.Curve("logistic"),
    "Gompertz": forecasting.Curve("gompertz"),
    "Bass": forecasting.Curve("bass"),
    "naive": forecasting.LastGrowth(),
}
found = forecasting.backtest(models, series, draws=256, chains=4, seed=1)

weights = forecasting.stack(found, seed=1)
print(f"{weights.attrs['forecasts']} figures, each forecast from those before it; CRPS of logarithms, less is better")
print("model                CRPS    inside 50%   80%   90%   P95/P5   weight (90%)          pseudo-BMA")
for name in models:
    own, weight = found.sel(model=name), weights.sel(model=name)
    inside = forecasting.calibration(own.pit).coverage.values
    width = float((own.upper / own.lower).median())
    held = f"{inside[0]:11.0%} {inside[1]:5.0%} {inside[2]:5.0%}"
    print(
        f"{name:18} {float(own.crps.mean()):6.3f} {held} {width:8.1f}   "
        f"{float(weight.weight):.2f} ({float(weight.lower):.2f} to {float(weight.upper):.2f})   "
        f"{float(weight.pseudo_bma):9.4f}"
    )
print("\nThe rate that reverts, figure by figure (1e12 tokens a day):")
own = found.sel(model="reverting", horizon=1)
for name in series:
    for cutoff in found.cutoff.values:
        here = own.sel(series=name, cutoff=cutoff)
        if np.isfinite(here.crps):
            low, middle, high, came = (float(here[key]) / 1e12 for key in ("lower", "median", "upper", "outcome"))
            print(
                f"{name:8} {str(here.date.values)[:10]}  said {middle:6.1f} ({low:.1f} to {high:.1f}), "
                f"came {came:.1f}: grade {float(here.pit):.2f}"
            )

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.calibration(found), out / "growth_backtest.png")
