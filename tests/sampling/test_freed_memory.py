"""Memory of blocks that are free is kept for the next: a run does not ask the system for each of them again."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, warnings
import demandsim as ds
warnings.simplefilter("ignore")
model = ds.load_study("guosen-2025-01").select(scenario="100T")
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model.summarize(draws=2**17, seed=1, keep=["cards"], threads=1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have rules of their own")
@pytest.mark.parametrize("trimmed", [False, True], ids=["alone", "as on workers of Dask"])
def test_a_second_run_asks_for_hardly_any_page(trimmed):
    without = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    told = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=without | ({"MALLOC_TRIM_THRESHOLD_": "65536"} if trimmed else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    # 16 blocks of nine arrays of half a MiB are 18,000 pages.
    assert int(told.stdout) < 4000
