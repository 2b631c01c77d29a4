"""Would the figures of 2024 have told those of 2025?
====================================================

Run it: ``python examples/growth_backtest.py``. It fits three growth curves to what was published of Doubao's tokens a
day up to December 2024, which is three figures, and predicts the four of 2025 that have a source. It prints in which
intervals they fall and how much each curve had bet on them, and writes ``out/growth_backtest.png``.

A figure is predicted as it would be read, with the error that the study states for a statement of its kind. Its grade
is the probability of reading less: near 0 or 1 the curve was wrong or too sure. Four figures that follow from one
another do not prove a curve right, and the curves were chosen by people who knew them. They can prove one wrong.
"""

from pathlib import Path

import numpy as np
import xarray as xr

import demandsim as ds
from demandsim.equations import growth

study = ds.load_study("doubao-growth")
year_of = {piece: piece.distribution.coords["year"][0] for piece in study.evidence}
# The model as it was at the end of 2024: without what was said since.
before = ds.Model(study.equations.values(), study.assumptions, notes=study.notes)
early = before.with_evidence(piece for piece, year in year_of.items() if year < 2025)
later = [piece for piece, year in year_of.items() if year > 2025]

curves = {
    "exponential": growth.exponential_growth,
    "logistic": growth.logistic_growth,
    "Gompertz": growth.gompertz_growth,
}
models = {name: early.with_equations(curve) for name, curve in curves.items()}
# Exponential growth knows no saturation.
models["exponential"] = models["exponential"].drop("saturation_tokens")
posteriors = {name: model.infer(draws=2048, seed=1) for name, model in models.items()}


def bet(score):
    """A log score; far out in the tail draws do not tell it."""
    return f"{score:.2f}" if score > -10 else "below -10"


scores = {}
for name, found in posteriors.items():
    print(f"\n{name}, fitted to {len(early.evidence)} figures up to December 2024; tokens a day in 1e12")
    print("year      read      predicted: median (90% interval)   grade   inside 50%   80%   90%   log score")
    scores[name] = 0.0
    for piece in later:
        tokens = found.top_down_tokens.sel(year=year_of[piece]).values.ravel()
        error = piece.distribution
        # An error by a factor is the same seen from either side: reading less means having more.
        grade = 1 - error.cdf(tokens).mean().item()
        score = np.log(np.exp(error.logpdf(tokens) + np.log(tokens)).mean()).item()
        scores[name] += score
        read = float(error.median().item())
        noise = error.ppf((np.random.default_rng(1).permutation(tokens.size) + 0.5) / tokens.size) / read
        low, middle, high = np.quantile(tokens * np.ravel(noise), [0.05, 0.5, 0.95]) / 1e12
        inside = ["yes" if abs(2 * grade - 1) <= prob else "no" for prob in (0.5, 0.8, 0.9)]
        predicted = f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
        print(
            f"{year_of[piece]:7.2f} {read / 1e12:6.1f}   {predicted:>35}   {grade:6.3f}   "
            f"{inside[0]:>10}   {inside[1]:>3}   {inside[2]:>3}   {bet(score):>9}"
        )
print("\nLog scores of all four, taken one by one (higher is better):")
print(", ".join(f"{name} {bet(score)}" for name, score in scores.items()))

read = xr.DataArray(
    [piece.distribution.median().item() for piece in study.evidence],
    coords={"year": list(year_of.values())},
    dims="year",
)
both = xr.concat(
    posteriors.values(), dim=xr.IndexVariable("curve", list(posteriors)), coords="minimal", compat="override"
)
until = both.sel(year=slice(None, 2026))
out = Path("out")
out.mkdir(exist_ok=True)
axes = ds.plots.fan(until, "top_down_tokens", published={"top_down_tokens": read.assign_attrs(units="token/day")})
ds.plots.save(axes, out / "growth_backtest.png")
