"""A short run of the harness, the same every time; the long one is `python tests/fuzz/run.py --inputs 20000`."""

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
BORDERS = [
    *("study", "set", "csv", "message", "netcdf", "zarr"),
    *("cli", "xlsx", "cells", "ledger", "evidence", "import"),
]


def test_no_border_lets_anything_else_through_than_our_own_errors(tmp_path):
    words = [sys.executable, FOLDER / "run.py", "--inputs", "200", "--seed", "11", "--workers", "1", "--out", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 inputs, 0 failed, seed 11" in done.stdout
    # Every border was tried, and each with inputs that got through and inputs that did not.
    for border in BORDERS:
        good, refused = map(
            int, re.search(rf"^{border}  (\d+) done  (\d+) refused", done.stdout, re.MULTILINE).groups()
        )
        assert good > 0
        assert refused > 0
    assert not list(tmp_path.iterdir())


def test_the_harness_notices_what_it_looks_for(tmp_path):
    # In a process of its own: what watches it cannot be taken off again.
    script = f"""
import os, pickle, signal, socket, subprocess, sys
from fractions import Fraction
from pathlib import Path
sys.path.insert(0, {str(FOLDER)!r})
import demandsim as ds
import run

# What is imported on first use takes longer than the time that is left from here on.
run.tried(lambda: ds.load_study("gousen"))
run.SECONDS = 0.3
signal.signal(signal.SIGPROF, run.too_slow)

def endless():
    while True:
        pass

def stubborn():
    while True:
        try:
            endless()
        except Exception:
            pass

run.watched(Path.cwd())
held = pickle.dumps(Fraction(1, 2))
for enter in (
    lambda: None,
    lambda: ds.load_study("gousen"),
    lambda: 1 / 0,
    endless,
    stubborn,
    lambda: os.system("touch PWNED"),
    lambda: subprocess.run(["true"]),
    lambda: pickle.loads(held),
    lambda: open("/tmp/elsewhere", "w"),
    lambda: open("here", "w").close(),
    lambda: socket.create_connection(("127.0.0.1", 9)),
):
    print(run.tried(enter)[0])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["done", "refused", *["failed"] * 7, "done", "failed"], done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    assert not Path("/tmp/elsewhere").exists()
