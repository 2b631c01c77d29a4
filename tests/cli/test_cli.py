"""The command line: what commands print and write, and what they are in a process of their own."""

import csv
import io
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.cli._study import Call

STUDY = "guosen-2025-01"


def process(*words, cwd):
    """Run a command in a process of its own, with a pipe for output."""
    command = [sys.executable, "-m", "demandsim", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, process("run", STUDY, "--seed", "7", "--draws", "1024", cwd=folder)


def test_run_prints_published_points_beside_intervals(done):
    _, result = done
    assert result.returncode == 0, result.stderr
    (row,) = [line.split() for line in result.stdout.splitlines() if line.startswith("cards ")][:1]
    published, point, mean, low, median, high, mcse = map(float, row[1:8])
    assert published == point == 85.78
    assert low < median < mean < high
    assert 0 < mcse < 0.05 * mean
    assert "10,000 cards" in result.stdout
    assert "bn CNY/year" in result.stdout
    assert "covers its compute cost" in result.stdout
    assert "--seed 7 --draws 1024 --chains 8" in result.stderr


def test_output_to_a_pipe_is_plain(done):
    _, result = done
    assert "\x1b" not in result.stdout + result.stderr
    assert not set("│─┌┐└┘━┃") & set(result.stdout)
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_run_writes_draws_summary_and_picture(done):
    folder, _ = done
    out = folder / "out" / STUDY
    assert sorted(path.name for path in out.iterdir()) == ["distributions.png", "draws.nc", "summary.csv"]
    with xr.open_dataset(out / "draws.nc", engine="h5netcdf") as draws:
        assert draws.cards.dims == ("scenario", "chain", "draw")
        assert draws.attrs["seed"] == 7
        assert draws.cards.attrs["units"] == "card"
        assert json.loads(draws.attrs["receipt"])["quantiles"]
    rows = list(csv.DictReader(io.StringIO((out / "summary.csv").read_text())))
    assert {"quantity", "scenario", "unit", "point", "mean", "lower", "median", "upper", "mcse_mean"} <= set(rows[0])
    assert (out / "distributions.png").read_bytes().startswith(b"\x89PNG")


def test_the_printed_command_replays_the_same_numbers(done, demandsim):
    _, first = done
    command = next(line for line in first.stderr.splitlines() if line.startswith("replay:")).split()[2:]
    again = demandsim(*command)
    assert again.stdout == first.stdout


def test_formats_scenarios_and_settings(demandsim):
    common = ("run", STUDY, "--seed", "1", "--draws", "256", "--scenario", "100T", "--set", "utilization=0.3")
    table = demandsim(*common, "--format", "csv")
    rows = {row["quantity"]: row for row in csv.DictReader(io.StringIO(table.stdout))}
    assert float(rows["utilization"]["mean"]) == 0.3
    assert {row["scenario"] for row in rows.values()} <= {"100T", ""}
    made = json.loads(demandsim(*common, "--format", "json").stdout)
    assert made["seed"] == 1
    cards = next(row for row in made["rows"] if row["quantity"] == "cards")
    assert cards["median"] == pytest.approx(float(rows["cards"]["median"]))
    assert 0 < made["probability_covers_compute_cost"][0]["probability"] < 1


def test_designs_and_distributions_on_the_command_line(demandsim):
    words = ("--draws", "200", "--design", "latin_hypercube", "--prob", "0.8", "--set", "peak_ratio=pert(1, 2, 4)")
    result = demandsim("run", STUDY, *words)
    assert result.returncode == 0, result.stderr
    assert "P10" in result.stdout
    assert "P90" in result.stdout
    assert "--design latin_hypercube --prob 0.8 --set 'peak_ratio=pert(1, 2, 4)'" in result.stderr


def test_a_tolerance_shows_estimate_error_and_draws(demandsim):
    words = ("--rtol", "0.004", "--of", "cards", "--seed", "1", "--scenario", "100T")
    result = demandsim("run", STUDY, *words)
    assert result.returncode == 0, result.stderr
    rounds = [line for line in result.stderr.splitlines() if " draws: " in line]
    assert rounds[0].startswith("8,192 draws: ")
    assert "of cards [100T] = " in rounds[0]
    assert "MCSE" in rounds[0]
    assert "goal" in rounds[0]
    short = demandsim("run", STUDY, *words, "--max-draws", "10000")
    assert short.returncode == 0
    assert "warning: the tolerance was not reached with 8,192 draws" in short.stderr


def test_list_show_and_explain(demandsim):
    assert STUDY in demandsim("list").stdout
    shown = demandsim("show", STUDY).stdout
    for words in (
        "lognormal(median=1979, factor=1.3, prob=0.9) TFLOP/s/card",
        "source:",
        "leaves out the peak ratio of 3",
    ):
        assert words in shown
    explained = demandsim("explain", STUDY, "cards").stdout
    assert "[763.888889 EFLOP/s] / ([1,979 TFLOP/s/card] * [0.45])" in explained
    assert "857,772.04 card" in explained


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run", "guosen-2025-1"), 1, "unknown study 'guosen-2025-1'; did you mean 'guosen-2025-01'?"),
        (("run", "missing.toml"), 1, "there is no study file 'missing.toml'"),
        (("run", STUDY, "--set", "utilisation=0.3"), 1, "did you mean 'utilization'?"),
        (("run", STUDY, "--set", "utilization=beta(0.2, 1.2)"), 1, "the interval must lie strictly inside 0 and 1"),
        (("run", STUDY, "--set", "utilization=__import__('os')"), 1, "unknown distribution '__import__'"),
        (("run", STUDY, "--set", "utilization"), 2, "is not NAME=VALUE"),
        (("run", STUDY, "--scenario", "10T"), 1, "unknown scenario '10T'"),
        (("run", STUDY, "--prob", "90"), 1, "prob must lie between 0 and 1"),
        (("run", STUDY, "--seed", "-1"), 2, "out of range"),
        (("run", STUDY, "--design", "halton"), 2, "halton"),
        (("run", STUDY, "--out", "/proc/nowhere"), 1, "choose another with --out"),
        (("run", STUDY, "--draws", "100000000000"), 1, "GiB"),
        (("sensitivity", STUDY, "--of", "card"), 1, "unknown quantity 'card'; did you mean 'cards'?"),
        (("sensitivity", STUDY, "--draws", "100"), 1, "power of two"),
        (("sensitivity", STUDY, "--locale", "cn"), 2, "cn"),
        (("explain", STUDY, "card"), 1, "did you mean 'cards'?"),
        (("simulate", STUDY), 2, "simulate"),
    ],
)
def test_a_wrong_call_says_what_to_do_and_computes_nothing(demandsim, words, code, message, tmp_path):
    result = demandsim(*words)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.rglob("*.nc"))


@pytest.mark.parametrize(("words", "code"), [(("run", "guosen-2025-1"), 1), (("simulate", STUDY), 2), (("list",), 0)])
def test_a_process_ends_with_its_exit_code(words, code, tmp_path):
    result = process(*words, cwd=tmp_path)
    assert result.returncode == code
    assert bool(result.stderr) == bool(code)
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_one_writer_prints_results_in_every_form(capsys):
    from demandsim.cli._options import Format
    from demandsim.cli._output import Results
    from demandsim.locale.words import words_of

    words = words_of("en", "terminal")
    rows = [{"quantity": "cards", "unit": "card", "mean": math.nan}, {"quantity": "capex", "year": 2025, "mean": 1.5}]
    results = Results(rows, {"seed": 7, "receipt": {"no": "text"}}, ["year"], {"evidence": [math.inf, 1.0]})
    results.print(Format.JSON, lambda: None, [], "demandsim run", words)
    printed = capsys.readouterr()
    # Nothing that JSON does not have.
    made = json.loads(printed.out, parse_constant=pytest.fail)
    assert made == {"seed": 7, "evidence": [None, 1.0], "rows": [{**rows[0], "mean": None}, rows[1]]}
    assert printed.err.endswith("replay:  demandsim run\n")
    results.print(Format.CSV, lambda: None, [], "", words)
    # Labels stand behind the first column, whichever record has them.
    assert capsys.readouterr().out == "quantity,year,unit,mean\ncards,,card,nan\ncapex,2025,,1.5\n"
    results.print(Format.TABLE, lambda: sys.stdout.write("a table"), [], "", words)
    assert capsys.readouterr().out == "a table"


def test_draws_that_are_not_a_power_of_two_are_warned_of(demandsim):
    result = demandsim("run", STUDY, "--draws", "1000")
    assert result.returncode == 0
    assert "warning: 1000 draws are not a power of two" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    words = ("run", STUDY, "--draws", str(2**19), "--design", "random")
    process = subprocess.Popen(
        [sys.executable, "-m", "demandsim", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that a script runs in the background ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    folder = tmp_path / "out" / STUDY
    deadline = time.monotonic() + 60
    while not folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list(folder.iterdir()) == []


def test_ctrl_c_in_code_made_from_a_text_has_the_exit_code_of_all_errors(tmp_path):
    (tmp_path / "interrupted.py").write_text(
        "from demandsim import cli\ndef app(**_):\n    exec('raise KeyboardInterrupt')\ncli.app = app\ncli.main()\n"
    )
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "interrupted; nothing half-written was left behind\n")


def test_sensitivity_prints_the_table_and_writes_both_pictures(demandsim, tmp_path):
    words = ("--of", "gross_margin", "--seed", "7", "--draws", "256", "--scenario", "100T", "--set", "useful_life=5")
    result = demandsim("sensitivity", STUDY, *words)
    assert result.returncode == 0, result.stderr
    assert "gross_margin, 100T: " in result.stdout
    assert "bn CNY/year" in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("activated_parameters ")]
    assert "36.7 bn parameters" in row
    assert re.search(r"\d+\.\d% \(\d+\.\d to \d+\.\d\)", row)
    # A sure value moves nothing.
    assert not any(line.startswith("useful_life") for line in result.stdout.splitlines())
    out = tmp_path / "out" / STUDY / "useful_life-5+100T"
    assert sorted(path.name for path in out.iterdir()) == ["sobol.png", "tornado.png"]
    replay = next(line for line in result.stderr.splitlines() if line.startswith("replay:")).split()[2:]
    assert replay[:4] == ["sensitivity", STUDY, "--of", "gross_margin"]
    assert demandsim(*replay).stdout == result.stdout


@pytest.mark.parametrize(
    ("asked", "bases"),
    [
        ((), {"100T": 85.78, "1000T": 857.8}),
        (("--set", "utilization=0.15"), {"100T": 257.3, "1000T": 2573}),
        (("--set", "utilization=beta(mean=0.15, sd=0.05)", "--scenario", "1000T"), {"1000T": 2656}),
        (("--set", "daily_tokens@100T=3e14"), {"100T": 257.3, "1000T": 857.8}),
    ],
    ids=" ".join,
)
def test_a_printed_tornado_starts_from_the_base_in_force_and_keeps_scenarios_apart(demandsim, asked, bases):
    result = demandsim("sensitivity", STUDY, "--of", "cards", "--seed", "7", "--draws", "64", *asked)
    tables = re.split(r"^cards, ", result.stdout, flags=re.MULTILINE)[1:]
    heads = [re.match(r"(\w+): (\S+) 10,000 cards", table) for table in tables]
    assert {head[1]: float(head[2].replace(",", "")) for head in heads} == bases
    for head, table in zip(heads, tables, strict=True):
        assert " tn tokens/day" in table or head[1] == "100T"
        # An end that mixes two scenarios would go from one to the other; a sure value has no row.
        assert not re.search(r"\d to \d[\d,.]* (tn|bn)", table)
        rows = [line for line in table.splitlines() if line.startswith("daily_tokens")]
        assert len(rows) == (asked[-1:] != ("daily_tokens@100T=3e14",) or head[1] == "1000T")
    assert "-0.0" not in result.stdout


def test_a_setting_that_every_scenario_overrides_is_said_to_change_nothing(demandsim):
    result = demandsim("sensitivity", STUDY, "--of", "cards", "--draws", "64", "--set", "daily_tokens=3e14")
    assert "every scenario sets 'daily_tokens' itself" in " ".join(result.stderr.split())
    assert "--set daily_tokens@100T=" in " ".join(result.stderr.split())


def test_sensitivity_with_correlations_says_that_it_uses_shapley_effects(pictured, tmp_path):
    model = ds.load_study(STUDY).select(scenario="100T").correlate({("utilization", "peak_ratio"): -0.5})
    model.to_toml(tmp_path / "tied.toml")
    words = ("--of", "cards", "--of", "capex", "--draws", "64", "--seed", "7")
    result = pictured("sensitivity", "tied.toml", *words, "--format", "csv")
    assert result.returncode == 0, result.stderr
    assert "Shapley effects are used instead" in result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["quantity"] for row in rows} == {"cards", "capex"}
    assert sum(float(row["effect"]) for row in rows if row["quantity"] == "cards") == pytest.approx(1, abs=1e-3)
    assert (tmp_path / "out" / STUDY / "shapley.png").read_bytes().startswith(b"\x89PNG")
    made = json.loads(pictured("sensitivity", "tied.toml", *words, "--format", "json").stdout)
    assert made["seed"] == 7
    assert len(made["rows"]) == len(rows)


@pytest.mark.parametrize(
    ("asked", "heads", "picture"),
    [
        (("--method", "nearest-neighbours"), ["with interactions", "Shapley effect"], "nearest-neighbours.png"),
        (("--method", "hsic"), ["R2-HSIC", "p-value"], "hsic.png"),
        (("--input", "cards", "--given", "gross_margin < 0"), ["alone", "PAWN", "delta"], "given-data.png"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else None,
)
def test_sensitivity_is_told_from_draws_where_that_is_asked_for(pictured, tmp_path, asked, heads, picture):
    words = ("--of", "gross_margin", "--seed", "7", "--draws", "64", "--scenario", "100T", *asked)
    words += ("--group", "price=token_price,paid_share")
    result = pictured("sensitivity", STUDY, *words)
    assert result.returncode == 0, result.stderr
    assert all(head in result.stdout for head in heads)
    assert any(line.startswith("price ") for line in result.stdout.splitlines())
    assert ("given gross_margin < 0: " in result.stdout) == ("--given" in asked)
    assert ("is left when all of these are known" in result.stdout) == ("nearest-neighbours" in asked)
    assert (tmp_path / "out" / STUDY / "100T" / picture).read_bytes().startswith(b"\x89PNG")
    replay = shlex.split(next(line for line in result.stderr.splitlines() if line.startswith("replay:")))[2:]
    assert pictured(*replay).stdout == result.stdout


def test_methods_that_run_the_model_refuse_what_is_of_draws(demandsim):
    for asked, text in (
        (("--method", "sobol", "--given", "cards > 0"), "--given"),
        (("--method", "shapley", "--input", "cards"), "--input"),
        (("--group", "price"), "NAME=A,B"),
        (("--method", "guess"), "guess"),
    ):
        result = demandsim("sensitivity", STUDY, "--draws", "64", *asked)
        assert result.returncode == 2
        assert text in result.stderr


def test_a_study_goes_to_excel_and_comes_back_edited(demandsim, tmp_path):
    import openpyxl

    written = demandsim("export", STUDY, "model.xlsx")
    assert written.returncode == 0, written.stderr
    book = openpyxl.load_workbook(tmp_path / "model.xlsx")
    law = "beta(mean=0.451386, sd=0.1)"
    # A hidden column keeps what was exported.
    cell, _ = (c for row in book["assumptions"].iter_rows() for c in row if c.value == law)
    cell.value = "beta(0.08, 0.28, prob=0.8)"
    # A workbook has points in cells of their own: both are edited, as its note asks.
    points = next(c.column for row in book["assumptions"].iter_rows() for c in row if c.value == "point")
    own = book["assumptions"].cell(cell.row, points)
    own.value = float(ds.distributions.beta(0.08, 0.28, prob=0.8).ppf(0.5))
    book.save(tmp_path / "model.xlsx")
    edited = demandsim("run", "model.xlsx", "--draws", "256", "--seed", "1", "--format", "csv")
    assert edited.returncode == 0, edited.stderr
    same = ["--set", "utilization=beta(0.08, 0.28, prob=0.8)"]
    asked = demandsim("run", STUDY, *same, "--draws", "256", "--seed", "1", "--format", "csv")

    exact, near = ([], []), ([], [])
    for place, result in enumerate((edited, asked)):
        for row in csv.DictReader(result.stdout.splitlines()):
            # Published numbers are as printed in a workbook, points have been through a cell.
            near[place].append([float(row.pop(name) or "nan") for name in ("point", "published")])
            exact[place].append(row)
    assert exact[0] == exact[1]
    ours, theirs = np.array(near)
    np.testing.assert_allclose(ours[:, 0], theirs[:, 0], rtol=1e-9)
    np.testing.assert_allclose(ours[:, 1], theirs[:, 1], rtol=1e-3)
    cell.value = "beta(0.08, 2.8)"
    book.save(tmp_path / "model.xlsx")
    bad = demandsim("run", "model.xlsx")
    assert bad.returncode == 1
    assert f"cell {cell.coordinate}" in bad.stderr


def test_published_limits_are_held_against_the_run(done):
    _, result = done
    assert "Annual compute cost of 1000T exceeds China's AI chip market of 2025 in" in result.stdout


def test_a_run_over_years_prints_a_column_a_year(demandsim, tmp_path):
    result = demandsim("run", "doubao-2025-2030", "--draws", "64", "--seed", "1", "--scenario", "base")
    assert result.returncode == 0, result.stderr
    (head,) = (line for line in result.stdout.splitlines() if line.startswith("in every") and "2030" in line)
    assert head.split() == ["in", "every", "scenario", "2025", "2026", "2027", "2028", "2029", "2030", "unit"]
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("chip_market "))
    assert row.count("(") == 6
    assert "by further labels, in summary.csv: " in result.stdout
    assert len(result.stdout.splitlines()) < 120
    # The picture is one over the years, not a panel a year.
    written = tmp_path / "out" / "doubao-2025-2030" / "base"
    assert sorted(path.name for path in written.iterdir()) == ["draws.nc", "fan.png", "summary.csv"]


@pytest.mark.parametrize(("years", "shown"), [(20, 1), (3, 3)])
def test_pictures_of_sensitivity_show_scenarios_or_few_years_beside_each_other(years, shown, capsys):
    from demandsim.cli._options import LocaleName
    from demandsim.cli._words import spoken
    from demandsim.cli.sensitivity import _one_dim

    moved = xr.DataArray(np.zeros((2, 3, years)), dims=("assumption", "end", "year"), coords={"year": range(years)})
    chosen = _one_dim(moved.to_dataset(name="cards"), ("assumption", "end"), spoken(LocaleName.EN))
    assert chosen.cards.size == 2 * 3 * shown
    assert (f"the pictures show year {years - 1}" in capsys.readouterr().err) == (shown == 1)
    cases = moved.expand_dims(scenario=["a", "b", "c", "d", "e", "f"]).to_dataset(name="cards")
    assert dict(_one_dim(cases, ("assumption", "end"), spoken(LocaleName.EN)).sizes) == {
        "scenario": 6,
        "assumption": 2,
        "end": 3,
    }


def test_variants_do_not_overwrite_each_other(demandsim, tmp_path):
    few = ("--draws", "64", "--seed", "1", "--format", "csv")
    whole = demandsim("run", STUDY, *few).stdout
    folder = tmp_path / "out" / STUDY
    variants = {
        "utilization-0.15": ("--set", "utilization=0.15"),
        "100T": ("--scenario", "100T"),
        "utilization-0.15+100T": ("--set", "utilization=0.15", "--scenario", "100T"),
        "low": ("--set", "utilization=0.15", "--name", "low"),
    }
    for name, words in variants.items():
        done = demandsim("run", STUDY, *few, *words)
        # It says before it writes, and where.
        assert done.stderr.startswith(f"writing to {Path('out', STUDY, name)}: draws.nc, summary.csv and a picture")
        assert (folder / name / "summary.csv").read_text(encoding="utf-8") == done.stdout != whole
    assert (folder / "summary.csv").read_text(encoding="utf-8") == whole
    # What no folder can be called, and what is too long, is told apart by a digest.
    names = set()
    for value in ("lognormal(median=110e9, factor=3, prob=0.9)", "lognormal(median=110e9, factor=3, prob=0.95)"):
        call = Call("run", STUDY, 8, 1, 0.9, [f"activated_parameters={value}"] * 2, [], Path("out"))
        names.add(*call.variant)
        assert len(call.variant[0]) < 100
    assert len(names) == 2


def test_errors_of_percentiles_are_printed_on_request(demandsim):
    few = ("run", STUDY, "--draws", "64", "--seed", "1", "--scenario", "100T")
    head, *rows = demandsim(*few, "--error").stdout.split("100T ")[1].splitlines()
    said = [f"MCSE of {name}" for name in ("mean", "P5", "P50", "P95")]
    assert re.split(r"\s{2,}", head.strip()) == ["published", "point", "mean", "P5", "P50", "P95", *said, "unit"]
    cards = next(row.split() for row in rows if row.startswith("cards "))
    record = next(
        r for r in csv.DictReader(io.StringIO(demandsim(*few, "--format", "csv").stdout)) if r["quantity"] == "cards"
    )
    for at, name in enumerate(("mean", "lower", "median", "upper"), start=7):
        assert float(cards[at]) == pytest.approx(float(record[f"mcse_{name}"]) / 1e4, rel=0.06)
    assert "MCSE of P5" not in demandsim(*few).stdout


def test_a_report_goes_to_a_folder_as_all_results_do(demandsim):
    done = demandsim("report", STUDY, "--out", "page.html")
    assert done.returncode == 2
    assert "'page.html' is a folder, as in all commands" in done.stderr


@pytest.mark.parametrize("study", ["guosen-2025-01", "guosen-2025-01-evidence", "doubao-growth"])
def test_a_study_is_shown_in_chinese(demandsim, study):
    chinese = re.compile("[\u4e00-\u9fff]")
    shown = demandsim("show", study, "--locale", "zh").stdout
    sources = [line for line in shown.splitlines() if line.startswith("  来源：")]
    model = ds.load_study(study)
    assert len(sources) == sum(bool(a.source) for a in model.assumptions.values())
    assert all(chinese.search(line.removeprefix("  来源：")) for line in sources)
    assert "at least" not in shown
    assert "source:" not in shown
    explained = demandsim("explain", study, list(model.equations)[-1], "--locale", "zh").stdout
    assert "假设\n" in explained
    assert "步骤" in explained
    assert "Source:" not in explained
    assert chinese.search(demandsim("list", "--locale", "zh").stdout)
    # Rows that the report prints are named as it prints them.
    from demandsim.locale.words import words_of

    assert all(chinese.search(words_of("zh").text(row.row)) for row in model.notes.published)


def test_large_draws_are_written_only_if_asked_for(demandsim, tmp_path, monkeypatch):
    from demandsim.cli import run

    few = ("run", STUDY, "--draws", "64", "--seed", "1")
    monkeypatch.setattr(sys.modules[run.__module__], "_LARGEST_FILE", 1000)
    done = demandsim(*few)
    assert "draws.nc would hold 0 MB and is not written; --draws-file writes it" in done.stderr
    folder = tmp_path / "out" / STUDY
    assert not (folder / "draws.nc").exists()
    # Draws that are not written are not held together either: nobody sees a difference.
    apart = [(folder / name).read_bytes() for name in ("summary.csv", "distributions.png")]
    together = demandsim(*few, "--draws-file")
    assert (folder / "draws.nc").exists()
    assert [(folder / name).read_bytes() for name in ("summary.csv", "distributions.png")] == apart
    assert together.stdout == done.stdout


def test_what_would_fill_the_disk_is_left_out_and_said(capsys):
    from demandsim.cli._options import LocaleName
    from demandsim.cli._words import spoken
    from demandsim.cli.run import _fitting

    model = ds.load_study("doubao-2025-2030")
    kept = _fitting(model, None, 8, spoken(LocaleName.EN))
    assert "gross_margin" in kept
    assert "cards_in_service" not in kept
    assert "quantities by hardware are not kept; name them with --keep" in capsys.readouterr().err
    assert _fitting(model, 64, 8, spoken(LocaleName.EN)) is None
    assert _fitting(ds.load_study(STUDY), 8192, 8, spoken(LocaleName.EN)) is None
