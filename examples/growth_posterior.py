"""When will Doubao pass 100T tokens a day, if only what was published is asked?
================================================================================

Run it: ``python examples/growth_posterior.py``. It holds three growth curves with wide priors against seven published
figures, prints what is left of each, and when 100T (1e14) tokens a day are passed, and writes
``out/growth_posterior.png``.

The answer hangs on the curve more than on anything else: exponential growth contradicts the figures, logistic growth
has ended by 2026, and Gompertz growth passes 100T within the year. How well each agrees with the evidence is told by
its marginal likelihood, which is what the weights come from; that none of the three may be right, no weight tells.
"""

from pathlib import Path

import numpy as np
import xarray as xr

import demandsim as ds
from demandsim.equations import growth
from demandsim.errors import EvidenceConflictError

TARGET = 1e14
study = ds.load_study("doubao-growth")
years = study.point().year.values
horizon = years[-1]


def month(year):
    """A decimal year as people write it: the study's labels are exact to half a week."""
    return f"{int(year)}-{int(year % 1 * 12) + 1:02d}"


def passed_by(chance, level):
    """First time at which the target is passed with a probability of `level`, between labels by a straight line."""
    return month(np.interp(level, chance, years)) if chance[-1] > level else f"not by {horizon:.0f}"


curves = {
    "exponential": growth.exponential_growth,
    "logistic": growth.logistic_growth,
    "Gompertz": growth.gompertz_growth,
}
models = {name: study.with_equations(curve) for name, curve in curves.items()}
# Exponential growth knows no saturation.
models["exponential"] = models["exponential"].drop("saturation_tokens")
posteriors = {}
for name, model in models.items():
    try:
        posteriors[name] = model.infer(draws=2048, seed=1)
    except EvidenceConflictError as error:
        print(f"{name}: refused. {error}\n")

logs = np.array([found.attrs["log_marginal_likelihood"] for found in posteriors.values()])
errors = [found.attrs["log_marginal_likelihood_mcse"] for found in posteriors.values()]
if not max(errors) < 0.2:
    raise SystemExit(f"log marginal likelihoods have errors of up to {max(errors):.1f}: too large to weigh curves by")
weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
print("curve        log marginal likelihood   weight    5%           median       95%          not by 2031")
together = np.zeros(years.size)
for (name, found), log, weight in zip(posteriors.items(), logs, weights, strict=True):
    # Every draw grows: what is above the target has passed it.
    chance = ds.probability(found.top_down_tokens > TARGET).probability.values
    together += weight * chance
    when = "".join(f"{passed_by(chance, level):<13}" for level in (0.05, 0.5, 0.95))
    print(f"{name:<12} {log:23.1f}   {weight:6.4f}    {when}{1 - chance[-1]:.0%}")
when = "".join(f"{passed_by(together, level):<13}" for level in (0.05, 0.5, 0.95))
print(f"{'weighted':<12} {'':23}   {'':6}    {when}{1 - together[-1]:.0%}")

print("\nTokens a day, 1e12: median (90% interval)")
for name, found in posteriors.items():
    summary = ds.summarize(found[["top_down_tokens"]]).top_down_tokens / 1e12
    cells = []
    for year in (2025.96, 2027, 2028, 2030):
        middle, low, high = (summary.sel(year=year, statistic=s).item() for s in ("median", "lower", "upper"))
        cells.append(f"{year:.0f}: {middle:.0f} ({low:.0f} to {high:.0f})")
    saturation = found.saturation_tokens / 1e12
    low, middle, high = saturation.quantile([0.05, 0.5, 0.95]).values
    print(f"{name:<12} {'   '.join(cells)}   saturation: {middle:.0f} ({low:.0f} to {high:.0f})")

# What was published, as it was read: without the tenth that "over" is taken for.
series = ds.load_series("doubao-daily-tokens").daily_tokens
read = series[series.status != "unverified"].values
seen = xr.DataArray(
    read, coords={"year": [piece.distribution.coords["year"][0] for piece in study.evidence]}, dims="year"
)
both = xr.concat(
    posteriors.values(), dim=xr.IndexVariable("curve", list(posteriors)), coords="minimal", compat="override"
)
until = both.sel(year=slice(None, 2028))
out = Path("out")
out.mkdir(exist_ok=True)
axes = ds.plots.fan(until, "top_down_tokens", published={"top_down_tokens": seen.assign_attrs(units="token/day")})
ds.plots.save(axes, out / "growth_posterior.png")
