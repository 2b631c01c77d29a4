"""A few kills, the same every time; the long run is `python tests/faults/kills.py --stores 40 --kills 5`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills of forks are POSIX")
def test_a_killed_run_goes_on_to_the_same_bits():
    words = [sys.executable, Path(__file__).parent / "kills.py", "--stores", "1", "--kills", "3", "--seed", "4"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    kills = int(re.search(r"^(\d+) kills over 1 stores, every one resumed", done.stdout, re.MULTILINE).group(1))
    assert kills >= 3
