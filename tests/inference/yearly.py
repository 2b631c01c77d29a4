"""What tests of evidence share: cards over years, and evidence too sharp for weights."""

import xarray as xr

import demandsim as ds

_EXACT = {"activated_parameters": 90e9, "daily_tokens": 1.2e14, "peak_ratio": 2.5, "token_price": 1.2}
SHARP = {name: f"lognormal(median={median}, factor=1.02)" for name, median in _EXACT.items()}


def by_year(values, years=(2025, 2026, 2027)):
    return xr.DataArray(list(values), coords={"year": list(years)})


@ds.equation(unit="card")
def cards(tokens, tokens_per_card):
    """Cards."""
    return tokens / tokens_per_card
