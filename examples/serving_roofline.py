"""Where would the report's 45% utilization have to come from?
===========================================================

Run it: ``python examples/serving_roofline.py``. It holds the roofline of serving against DeepSeek's published day,
prints both, and writes ``out/serving_roofline.png`` (decoding over batch, for three contexts) and
``out/serving_utilization.png`` (both phases over context).
"""

from pathlib import Path

import numpy as np
import xarray as xr

import demandsim as ds

study = ds.load_study("deepseek-2025-02")
draws = study.simulate(draws=2048, seed=1)
summary = ds.summarize(draws)

print("Tokens a second per card and utilization: roofline (median, 90% interval) and DeepSeek's day")
for phase, predicted, measured in [
    ("prefill, computed tokens/s", "prefill_rate", draws.measured_input_rate * (1 - draws.cached_share)),
    ("decode, tokens/s", "decode_rate", draws.measured_output_rate),
    ("utilization of prefill", "prefill_utilization", draws.measured_prefill_utilization),
    ("utilization of decode", "decode_utilization", draws.measured_decode_utilization),
    ("utilization, both", "utilization", draws.measured_utilization),
    ("cards at the peak", "cards", draws.measured_cards),
]:
    middle, low, high = (summary[predicted].sel(statistic=s).item() for s in ("median", "lower", "upper"))
    form = ".1%" if phase.startswith("utilization") else ",.0f"
    numbers = f"{middle:{form}} ({low:{form}} to {high:{form}})"
    print(f"{phase:28} {numbers:>26} {measured.median().item():9{form}}")
short = summary.roofline_shortfall.sel(statistic=["lower", "upper"]).values
print(f"Measured cards are {short[0]:.1f} to {short[1]:.1f} times those of the roofline.")

# Decoding at any batch, rather than at the one that users and memory allow.
batches = xr.DataArray(np.geomspace(4, 1000, 25), dims="batch", coords={"batch": range(25)})
free = ds.Model(
    [made for made in study.equations.values() if made.name != "batch_size"],
    {**study.assumptions, "batch_size": ds.Assumption(batches, "1/card", long_name="Sequences decoded together")},
    notes=study.notes,
)
contexts = {f"{tokens:,} tokens": {"context_tokens": tokens} for tokens in (1_000, 4_989, 32_000)}
decoding = free.with_scenarios(context=contexts).simulate(draws=512, seed=1)
point = study.point()
axes = ds.plots.roofline(
    decoding,
    "batch_size",
    of=["decode_rate", "decode_utilization"],
    limits=["decode_compute_limit", "decode_bandwidth_limit"],
    walls=["latency_batch", "memory_batch"],
    measured=[
        ("decode_rate", point.observed_batch.item(), point.measured_output_rate.item(), "4,989 tokens"),
        ("decode_utilization", point.observed_batch.item(), point.measured_decode_utilization.item(), "4,989 tokens"),
    ],
    levels={"decode_utilization": (0.45, "assumed in the Guosen report")},
)

# Both phases over context; a computed input token looks back on 0.68 of it, as at the study's point.
lengths = xr.DataArray(np.geomspace(500, 64_000, 22), dims="context", coords={"context": range(22)})
phases = study.fix(context_tokens=lengths, prefill_context_tokens=0.68 * lengths).simulate(draws=512, seed=1)
both = ds.plots.roofline(
    phases,
    "context_tokens",
    of=[["prefill_utilization", "decode_utilization", "utilization"]],
    measured=[
        ("prefill_utilization", 4989, point.measured_prefill_utilization.item()),
        ("decode_utilization", 4989, point.measured_decode_utilization.item()),
        ("utilization", 4989, point.measured_utilization.item()),
    ],
    levels={"utilization": (0.45, "assumed in the Guosen report")},
)

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(axes, out / "serving_roofline.png")
ds.plots.save(both, out / "serving_utilization.png")
