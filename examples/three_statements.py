"""Cash buys factories, and factories earn cash: when can a builder of accelerators pay its own way?
==================================================================================================

Run it: ``python examples/three_statements.py``. It prints the three statements, income, cash flow and balance, with
their intervals, the chance that debt is paid back by 2032, and checks that the balance holds in every draw; it writes
``out/three_statements.png``. The figures are made up.
"""

from pathlib import Path

import numpy as np
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist


@ds.equation(unit="CNY")
def capex(previous_cash, invested_share, least_capex):
    """What is built in the year: a share of the cash at its start, and something in any case."""
    return invested_share * np.maximum(previous_cash, 0) + least_capex


@ds.recurrence(over="year", unit="CNY", start="2 bn CNY")
def factories(previous_factories, capex, depreciation):
    """Factories at cost, less what is written off."""
    return previous_factories + capex - depreciation


@ds.equation(unit="CNY")
def depreciation(previous_factories, factory_life, period="1 year"):
    """Depreciation of the year."""
    return previous_factories * period / factory_life


@ds.equation(unit="CNY")
def net_income(previous_factories, asset_turnover, cash_margin, depreciation, previous_debt, interest, tax_rate):
    """Net income: sales by the factories at hand, less their cost, depreciation, interest on old debt, and tax."""
    before_tax = previous_factories * asset_turnover * cash_margin - depreciation - previous_debt * interest
    return before_tax - tax_rate * np.maximum(before_tax, 0)


@ds.equation(unit="CNY")
def cash_flow(net_income, depreciation, capex):
    """Cash flow of operations, less what is built."""
    return net_income + depreciation - capex


@ds.equation(unit="CNY")
def net_cash(previous_cash, previous_debt, cash_flow, least_cash):
    """Cash that is left if all debt is paid back, beyond what must be at hand."""
    return previous_cash + cash_flow - previous_debt - least_cash


@ds.recurrence(over="year", unit="CNY", start="1 bn CNY")
def cash(net_cash, least_cash):
    """Cash at the end of the year, after debt is paid back."""
    return least_cash + np.maximum(net_cash, 0)


@ds.recurrence(over="year", unit="CNY", start="2.5 bn CNY")
def debt(net_cash):
    """Debt at the end of the year."""
    return np.maximum(-net_cash, 0)


@ds.equation(unit="CNY")
def equity(cash, factories, debt):
    """Equity at the end of the year."""
    return cash + factories - debt


sales = xr.DataArray([0.9, 1.0, 1.1, 1.1, 1.1, 1.0], dims="year", coords={"year": range(2027, 2033)})
model = ds.Model(
    [capex, factories, depreciation, net_income, cash_flow, net_cash, cash, debt, equity],
    {
        "asset_turnover": dist.lognormal(median=sales, factor=1.4),
        "cash_margin": dist.beta(0.25, 0.5),
        "factory_life": ds.Assumption("pert(5, 7, 10)", "year"),
        "invested_share": 0.6,
        "least_capex": ds.Assumption("0.3 bn CNY", "CNY"),
        "least_cash": ds.Assumption("0.5 bn CNY", "CNY"),
        "interest": "uniform(0.04, 0.08)",
        "tax_rate": 0.25,
    },
    name="builder",
)
model = model.correlate_labels("asset_turnover", dim="year", rank=ds.ar1(0.7))
draws = model.simulate(draws=1024, seed=1)

shown = ["net_income", "cash_flow", "cash", "debt", "equity"]
print(ds.table(ds.summarize(draws[shown].sel(year=[2027, 2029, 2032]))))
free = ds.probability("debt == 0", draws.sel(year=2032)).probability.item()
print(f"without debt by 2032: {free:.0%}")
gap = draws.equity - draws.equity.shift(year=1) - draws.net_income
print(f"the balance holds in every draw: {bool((abs(gap.isel(year=slice(1, None))) < 1e-3).all())}")

out = Path("out")
out.mkdir(exist_ok=True)
ds.plots.save(ds.plots.fan(draws, ["cash", "debt", "equity"]), out / "three_statements.png")
