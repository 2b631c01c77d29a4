"""Models that the tests of the facade share."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist

YEARS = [2025, 2026, 2027]
CARDS = ["H800", "H20"]
DESIGNS = ["random", "latin_hypercube", "sobol"]


def labelled(values, **coords):
    return xr.DataArray(np.asarray(values, dtype=float), dims=list(coords), coords=coords)


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    """Cards needed to serve the peak."""
    return peak_compute / (card_flops * utilization)


@ds.equation(unit="CNY")
def capex(cards, card_price):
    return cards * card_price


@pytest.fixture
def model():
    return ds.Model(
        [capex, cards],
        {
            "peak_compute": ds.Assumption(
                dist.lognormal(500, 1200), unit="EFLOP/s", long_name="Peak", source="a report"
            ),
            "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
            "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1), point=0.45, source="report, Fig. 27"),
            "card_price": ds.Assumption(dist.lognormal(100e3, 225e3), unit="CNY/card"),
        },
    )


@pytest.fixture
def yearly():
    return ds.Model(
        [capex, cards],
        {
            "peak_compute": ds.Assumption(dist.lognormal(median=labelled([1, 2, 4], year=YEARS), factor=2), "EFLOP/s"),
            "card_flops": ds.Assumption(labelled([1979, 296], hardware=CARDS), "TFLOP/s/card"),
            "utilization": dist.beta(mean=0.3, sd=0.1),
            "card_price": ds.Assumption(
                dist.lognormal(
                    median=labelled([[15e4, 12e4, 9e4], [9e4, 8e4, 7e4]], hardware=CARDS, year=YEARS), factor=1.5
                ),
                "CNY/card",
            ),
        },
    )
