"""Models that the tests of this folder share; what is no fixture stands in `yearly`."""

import sys
from pathlib import Path

import pytest

import demandsim as ds
from demandsim import distributions as dist

sys.path.insert(0, str(Path(__file__).parent))

from yearly import by_year, cards

collect_ignore = ["yearly.py"]


@pytest.fixture(scope="session")
def study():
    return ds.load_study("guosen-2025-01")


@pytest.fixture(scope="session")
def single(study):
    return study.select(scenario="100T")


@pytest.fixture(scope="session")
def yearly():
    return ds.Model(
        [cards],
        {
            "tokens": ds.Assumption(dist.lognormal(by_year([50, 100, 200]), by_year([200, 400, 800])), "token"),
            "tokens_per_card": ds.Assumption(dist.lognormal(1, 4), "token/card"),
        },
    )
