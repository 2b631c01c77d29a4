"""How many cards, how much money, what margin: year by year to 2030, and if the report's risks come true?
========================================================================================================

Run it: ``python examples/fan_chart.py``. It prints medians and 90% intervals and writes ``out/fan_chart.png``.

Each year's interval holds both what is never known better (a parameter that is drawn once for all years) and what
happens in the years between: fans open because growth may differ, not because each year is drawn anew.
"""

from pathlib import Path

import demandsim as ds

model = ds.load_study("doubao-2025-2030")
wanted = ["cards_in_service", "purchase_capex", "gross_margin", "served_share"]
draws = model.simulate(draws=2048, seed=1, keep=wanted)
# Kinds of hardware are added up before anything is summarized: quantiles do not add.
total = draws.assign({name: draws[name].sum("hardware", keep_attrs=True) for name in wanted[:2]})

#: Label, size of the unit, and digits.
rows = {"cards_in_service": ("cards, million", 1e6, 1), "purchase_capex": ("capex, bn CNY", 1e9, 0)}
rows |= {"gross_margin": ("margin, bn CNY/year", 1e9, 0)}
summary = ds.summarize(total, prob=0.9)
for scenario in draws.scenario.values:
    print(f"\n{scenario}")
    print(f"{'':>20}" + "".join(f"{year:>19}" for year in (2026, 2028, 2030)))
    for name, (label, size, digits) in rows.items():
        cells = []
        for year in (2026, 2028, 2030):
            s = summary[name].sel(scenario=scenario, year=year) / size
            middle, low, high = (float(s.sel(statistic=k)) for k in ("median", "lower", "upper"))
            cells.append(f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
        print(f"{label:>20}" + "".join(f"{cell:>19}" for cell in cells))
    short = ds.probability((draws.served_share < 1).sel(scenario=scenario, year=2030)).probability.item()
    print(f"{'':>20}  some tokens cannot be served in 2030 with probability {short:.0%}")

# What is published of the money: ByteDance's capex on AI infrastructure, training and research included.
series = ds.load_series("bytedance-capex").capex
spent = series.rename(date="year").assign_coords(year=series.date.dt.year.values)
middle = summary.purchase_capex.sel(scenario="base", statistic="median")
print()
raised = float(ds.load_series("bytedance-plans").capex.sel(told="May 2026"))
for year, value in (*zip(spent.year.values, spent.values, strict=True), (2026, raised)):
    print(f"{year}: published capex {value / 1e9:.0f} bn CNY, median of base {middle.sel(year=year).item() / 1e9:.0f}")

out = Path("out")
out.mkdir(exist_ok=True)
marked = {"purchase_capex": spent.assign_attrs(units="CNY")}
# Four of the five: scarce supply alone looks like base, since imports take its place.
shown = total.sel(scenario=["base", "slow models", "less capex", "export control"])
axes = ds.plots.fan(shown, ["cards_in_service", "purchase_capex", "gross_margin"], published=marked)
ds.plots.save(axes, out / "fan_chart.png")
