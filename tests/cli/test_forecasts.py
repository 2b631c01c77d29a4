"""``demandsim ledger`` and ``demandsim backtest``: what was said, what came, and the numbers of both."""


def test_the_ledger_prints_hits_scores_and_calibration(demandsim):
    done = demandsim("ledger")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("doubao-growth-gompertz" in line and "miss" in line for line in lines)
    assert "doubao-growth-gompertz: 0 of 2 inside 90%" in " ".join(done.stdout.split())
    assert "open" in done.stdout
    assert max(map(len, lines)) <= 104


def test_a_ledger_that_is_not_there_says_so(demandsim):
    done = demandsim("ledger", "none.toml")
    assert done.returncode == 1
    assert "none.toml: cannot be read" in done.stderr


def test_a_backtest_tells_each_figure(demandsim):
    call = ("backtest", "doubao-growth-gompertz", "--least", "8", "--draws", "64", "--chains", "4", "--seed", "1")
    done = demandsim(*call)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("2026-06-23")]
    assert "180" in row
    assert "1 figures, one step ahead" not in done.stdout
    assert "mean CRPS of logarithms" in done.stdout
    assert demandsim(*call).stdout == done.stdout
    several = demandsim(*call[:2], "--cutoff", "2026-04-02", "--cutoff", "2026-06-23", *call[4:])
    rows = [line.split()[:2] for line in several.stdout.splitlines() if line.startswith("2026-0")]
    assert rows == [["2026-04-02", "2026-04"], ["2026-06-23", "2026-06"]]
    refused = demandsim("backtest", "guosen-2025-01")
    assert refused.returncode == 1
    assert "nothing to forecast" in refused.stderr
