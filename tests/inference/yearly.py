"""What tests of evidence share: cards over years, and evidence too sharp for weights."""

import xarray as xr

import demandsim as ds

EXACT = {"activated_parameters": 90e9, "daily_tokens": 1.2e14, "peak_ratio": 2.5, "token_price": 1.2}


def by_year(values, years=(2025, 2026, 2027)):
    return xr.DataArray(list(values), coords={"year": list(years)})


@ds.equation(unit="card")
def cards(tokens, tokens_per_card):
    """Cards."""
    return tokens / tokens_per_card
