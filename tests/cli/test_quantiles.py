"""Quantiles that are asked for on the command line are printed and written; what is no share is named."""

import csv
from pathlib import Path


def test_further_quantiles_are_printed_written_and_replayed(demandsim, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    words = ("run", "guosen-2025-01", "--scenario", "100T", "--draws", "64", "--seed", "1", "--no-draws-file")
    done = demandsim(*words, "--probs", "0.01,0.99")
    assert done.returncode == 0, done.stderr
    head = next(line for line in done.stdout.splitlines() if line.startswith("100T "))
    assert [word for word in head.split() if word.startswith("P")] == ["P1", "P5", "P50", "P95", "P99"]
    rows = list(csv.DictReader(Path("out/guosen-2025-01/100T/summary.csv").read_text(encoding="utf-8").splitlines()))
    assert all(float(row["p1"]) <= float(row["lower"]) <= float(row["p99"]) for row in rows)
    assert "--probs 0.01,0.99" in done.stdout + done.stderr
    assert "P99" not in demandsim(*words).stdout


def test_what_is_no_share_is_named(demandsim):
    for given in ("1,99", "a", "0"):
        done = demandsim("run", "guosen-2025-01", "--probs", given)
        assert done.returncode
        assert f"such as 0.01,0.99; not '{given}'" in done.stderr
