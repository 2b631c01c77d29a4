"""Hypothesis profiles: fixed and moderate by default, deep on request (``--hypothesis-profile=deep``)."""

import functools
import gc
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

from demandsim.studies import loading
from demandsim.studies.catalogue import shipped_files

TESTS = Path(__file__).parent
NO_FIXTURES = SimpleNamespace(name2fixturedefs={})

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


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Collect without looking for garbage, and never look again at what was collected: all of it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def shared_by(item):
    """File with the fixtures that a test shares with others and that are made once, those of a session first."""
    made = [found[-1] for found in getattr(item, "_fixtureinfo", NO_FIXTURES).name2fixturedefs.values()]
    places = [(one.scope, Path(one.func.__code__.co_filename)) for one in made if one.scope in ("session", "module")]
    # Fixtures of pytest and its plugins cost nothing.
    own = sorted((scope != "session", file) for scope, file in places if file.is_relative_to(TESTS))
    return str(own[0][1].relative_to(TESTS)) if own else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Tests that share a fixture run in one worker, which makes it once; all others are handed out one by one."""
    if hasattr(config, "workerinput"):
        for item in items:
            if (file := shared_by(item)) is not None:
                # As xdist names the tests of a group, before anybody else can.
                item._nodeid = f"{item.nodeid}@{file}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out groups of tests, the largest first, and then single tests."""
    from xdist.scheduler import LoadGroupScheduling

    return LoadGroupScheduling(config, log)
