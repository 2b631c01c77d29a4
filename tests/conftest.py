"""Hypothesis profiles: fixed and moderate by default, deep on request (``--hypothesis-profile=deep``)."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Fixtures of all pictures, for their contract and the tests of their numbers; the folder is on the path of the tests.
pytest_plugins = ["pictures"]
