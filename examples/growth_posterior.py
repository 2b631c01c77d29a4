"""What was said of Doubao's growth in December 2025, what came, and what is said now?
====================================================================================

Run it: ``python examples/growth_posterior.py``. Two models are taken back to three days by ``model.as_of``, which knows
what had been announced by then: a Gompertz curve, which this library shipped until June 2026, and a growth rate that
comes back to a mean. It prints what each says of April, June and December 2026, and writes
``out/growth_posterior.png``.

The curve was sure, and wrong: a saturation that it took from seven figures is in none of them. By marginal likelihood
it was still the best of three curves, with a weight of 1.0000. The model that took its place was chosen by people who
knew that, and knew the figures of 2026; what it says of December 2026 stands in the ledger, and will be scored.
"""

from pathlib import Path

import xarray as xr

import demandsim as ds

MODELS = {"Gompertz curve": "doubao-growth-gompertz", "rate that reverts": "doubao-growth"}
#: Decimal years of the study, and what was announced of them.
CAME = {"2 April 2026": (2026.25, 120e12), "23 June 2026": (2026.48, 180e12), "December 2026": (2027.0, None)}

found = {}
print("Tokens a day, 1e12: median (90% interval), and the chance of more than what was announced\n")
for day in ("2025-12-31", "2026-02-28", "2026-06-30"):
    for name, study in MODELS.items():
        model = ds.load_study(study).as_of(day)
        draws = found[name, day] = model.infer(draws=512, seed=1)
        print(f"{name}, as of {day}, from {len(model.evidence)} figures:")
        for when, (year, announced) in CAME.items():
            tokens = draws.top_down_tokens.sel(year=year)
            low, middle, high = tokens.quantile([0.05, 0.5, 0.95]).values / 1e12
            line = f"  {when:<14} {middle:5.0f} ({low:.0f} to {high:.0f})"
            if announced:
                # A figure that has come is known, and so is no longer a forecast, on the last of the three days.
                above = float((tokens > announced).mean())
                line += f"   over {announced / 1e12:.0f}: " + (f"{above:.1%}" if above else "no draw")
            print(line)
    print()

now = found["rate that reverts", "2026-06-30"]
for word, name, unit in (
    ("mean growth rate", "mean_growth_rate", "a year"),
    ("standard deviation around it", "rate_sd", "a year"),
    ("half-life of a shock", "half_life", "years"),
):
    low, middle, high = now[name].quantile([0.05, 0.5, 0.95]).values
    print(f"{word}: {middle:.2f} ({low:.2f} to {high:.2f}) {unit}")

series = ds.load_series("doubao-daily-tokens").daily_tokens
read = series[series.status != "unverified"].values
years = [piece.distribution.coords["year"][0] for piece in ds.load_study("doubao-growth").evidence]
seen = xr.DataArray(read, coords={"year": years}, dims="year", attrs={"units": "token/day"})
before = xr.concat(
    [found[name, "2026-02-28"].top_down_tokens.sel(year=years) for name in MODELS],
    xr.IndexVariable("model", ["Gompertz", "reverting"]),
    coords="minimal",
    compat="override",
)
shown = before.to_dataset(name="top_down_tokens").assign_attrs(found["rate that reverts", "2026-02-28"].attrs)
out = Path("out")
out.mkdir(exist_ok=True)
axes = ds.plots.fan(shown, "top_down_tokens", published={"top_down_tokens": seen})
ds.plots.save(axes, out / "growth_posterior.png")
