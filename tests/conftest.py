"""Hypothesis profiles: fixed and moderate by default, deep on request (``--hypothesis-profile=deep``)."""

import dataclasses
import functools
import gc
import os
from collections.abc import Hashable
from pathlib import Path

# Workers share the cores already: with two threads of linear algebra each they wait for each other at full load.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from demandsim.distributions.base import Law
from demandsim.studies import loading
from demandsim.studies.catalogue import shipped_files

TESTS = Path(__file__).parent

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
    """Build each shipped study and each table of quantiles once a process: they never change, and tests ask often."""
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
    patch.setattr(Law, "fast", lambda law: table_of(Same(key_of(law), law)))
    config.add_cleanup(patch.undo)


def key_of(law):
    """What a law is made of; what does not say it, such as a function, is like itself alone."""
    if isinstance(law, np.ndarray):
        return law.tobytes()
    if isinstance(law, tuple):
        return tuple(map(key_of, law))
    if dataclasses.is_dataclass(law):
        return (type(law), *(key_of(getattr(law, each.name)) for each in dataclasses.fields(law)))
    return law if isinstance(law, Hashable) else id(law)


@dataclasses.dataclass(frozen=True)
class Same:
    """A law that is another one's equal if it is made of the same."""

    key: tuple
    law: Law = dataclasses.field(compare=False)


#: As `Law` makes it, for each law once.
table_of = functools.lru_cache(maxsize=64)(functools.partial(lambda make, same: make(same.law), Law.fast))


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """No file of this folder has examples; to look for them takes a fifth of the time of collecting."""
    return [found for found in (yield) if type(found).__name__ != "DoctestModule"]


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Collect without looking for garbage, and never look again at what was collected: all of it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        gc.enable()


@functools.cache
def shares(file):
    """Whether tests of a file share fixtures that are made once: its own, or those of its folder."""
    path = TESTS.parent / file
    own = {path, path.with_name("conftest.py")} - {TESTS / "conftest.py"}
    return any("scope=" in one.read_text(encoding="utf-8") for one in own if one.is_file())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out files whose tests share fixtures whole, the largest first, then other tests, function by function."""
    from xdist.scheduler import LoadScopeScheduling

    class BySharedFixtures(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if shares(file) else nodeid.partition("[")[0]

        def mark_test_complete(self, node, item_index, duration=0):
            super().mark_test_complete(node, item_index, duration)
            # All that was handed out is counted after each test: what is done is forgotten.
            handed_out = self.assigned_work[node]
            scope = self._split_scope(self.registered_collections[node][item_index])
            if all(handed_out[scope].values()):
                del handed_out[scope]

    return BySharedFixtures(config, log)
