"""How many chips has Nvidia sold, if nobody knows the prices?
===========================================================

Run it: ``python examples/chip_counts.py``. It prints H100-equivalents by calendar quarter of 2025, with the effect of
prices that move together, and writes ``out/chip_counts.png``.

The method is that of Epoch AI's chip counts: revenue, split among chips, over the price of each. Fiscal quarters are
shared out to the calendar by days, and shares of revenue add up to 1 in every draw. Revenue and prices of an H100, H20
and GB200 have a source, revenue of the first quarter apart; the split is a judgement around what was said of it. What
has no source that was opened is UNVERIFIED.
"""

from pathlib import Path

import numpy as np
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist

said = (
    "NVIDIA, CFO commentary on the fourth quarter of fiscal 2025 to the third of 2026: Data Center compute; that of "
    "the first of these quarters is general knowledge, UNVERIFIED"
)
quarters = {
    "FY25 Q4": "2024-10-28/2025-01-26",
    "FY26 Q1": "2025-01-27/2025-04-27",
    "FY26 Q2": "2025-04-28/2025-07-27",
    "FY26 Q3": "2025-07-28/2025-10-26",
}
chips = ["Hopper", "H20", "Blackwell"]
# Out of 100. Said: 11 bn USD of Blackwell in the first of these quarters; nearly 70% in the next, and 4.6 bn of H20.
shares = [[56.0, 10, 34], [18, 13, 69], [14, 1, 85], [7, 1, 92]]
split = xr.DataArray(shares, dims=["fiscal", "chip"], coords={"fiscal": list(quarters), "chip": chips})


def by_chip(*values):
    return xr.DataArray(list(values), dims="chip", coords={"chip": chips})


@ds.equation(unit="card")
def chips_sold(compute_revenue, revenue_share, chip_price, calendar_share):
    """Chips sold by kind, by quarter of the calendar."""
    return (compute_revenue * revenue_share * calendar_share).sum("fiscal") / chip_price


@ds.equation(unit="card", bounds=(0, None))
def h100_equivalents(chips_sold, relative_compute):
    """Chips sold by the dense FP8 compute of an H100."""
    return (chips_sold * relative_compute).sum("chip")


revenue = xr.DataArray([32.556e9, 34.155e9, 33.844e9, 43.028e9], dims="fiscal", coords={"fiscal": list(quarters)})
model = ds.Model(
    [chips_sold, h100_equivalents],
    {
        "compute_revenue": ds.Assumption(revenue, "USD", source=said),
        "revenue_share": ds.Assumption(
            dist.dirichlet(split, dim="chip"), source="earnings calls; judgement after that"
        ),
        "chip_price": ds.Assumption(
            dist.lognormal(by_chip(20e3, 9e3, 30e3), by_chip(27e3, 12e3, 45e3)),
            "USD/card",
            source="epoch-research/ai-chip-counts: H100, H20 and, of a GB200, one GPU, in 2025",
        ),
        "relative_compute": ds.Assumption(by_chip(1, 296 / 1979, 4500 / 1979), source="series hardware, dense FP8"),
        "calendar_share": ds.Assumption(ds.calendar_weights(quarters), source="days of each fiscal quarter"),
    },
)
# One line where prices go together, as dear and cheap times do for all chips.
together = model.correlate_labels("chip_price", dim="chip", rank=0.5)
draws = together.simulate(draws=1024, seed=1)

whole = ["2025Q1", "2025Q2", "2025Q3"]  # of the first and the last quarter only some days are reported here
print(ds.table(ds.summarize(draws[["h100_equivalents"]].sel(quarter=whole))))
for label, made in (("independent", model), ("correlated", together)):
    total = made.simulate(draws=1024, seed=1).h100_equivalents.sel(quarter=whole).sum("quarter")
    low, high = total.quantile([0.05, 0.95]).values / 1e6
    print(f"prices {label}: {low:.2f} to {high:.2f} million in all, a factor of {high / low:.2f}")

out = Path("out")
out.mkdir(exist_ok=True)
middles = np.array(["2025-02-14", "2025-05-15", "2025-08-15"], dtype="datetime64[ns]")
by_date = draws[["h100_equivalents"]].sel(quarter=whole).rename(quarter="date").assign_coords(date=middles)
ds.plots.save(ds.plots.fan(by_date, title="H100-equivalents sold in a quarter"), out / "chip_counts.png")
