"""Hypothesis profiles: fixed and moderate by default, deep on request (``--hypothesis-profile=deep``)."""

import functools
import os

import pytest
from hypothesis import HealthCheck, settings

from demandsim.studies import loading
from demandsim.studies.catalogue import shipped_files

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


def pytest_configure(config):
    """Build each shipped study once a process: models are never changed, and tests ask for them a thousand times."""
    build, built = loading.model_from_toml, {}

    @functools.wraps(build)
    def model_from_toml(text, where="study", *, equations=()):
        own = tuple(equations)
        if own or where.removesuffix(".toml") not in shipped_files():
            return build(text, where, equations=own)
        if (where, text) not in built:
            built[where, text] = build(text, where)
        return built[where, text]

    patch = pytest.MonkeyPatch()
    patch.setattr(loading, "model_from_toml", model_from_toml)
    config.add_cleanup(patch.undo)


#: Files whose fixtures take half a minute to make: one worker runs all of each.
_TOGETHER = (
    "browser/test_explorer_page.py",
    "browser/test_report_page.py",
    "cli/test_table.py",
    "workbook/test_formulas.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out single tests, but those of a file with dear fixtures together (what loadgroup does by mark)."""
    from xdist.scheduler import LoadScopeScheduling

    class ByDearFixtures(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if file.endswith(_TOGETHER) else nodeid

    return ByDearFixtures(config, log)
