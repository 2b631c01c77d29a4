"""Systems that lack what POSIX has, and consoles and files in other encodings: everything works, or is one line."""

import io
import os
import subprocess
import sys
import warnings

import pytest

import demandsim as ds

#: What Windows does not have, taken away before the first import of ours; libraries that ask for it here come first.
WITHOUT_POSIX = """
import os, pathlib, signal, sys
import asyncio, multiprocessing, subprocess, tempfile
import dask.array, distributed, h5netcdf, matplotlib, pandas, xarray, zarr
for name in ("sysconf", "sched_getaffinity", "posix_fallocate", "fork", "getpgid", "killpg"):
    if hasattr(os, name):
        delattr(os, name)
# From Python 3.13 on it asks for what was taken away; on Windows it does not.
os.process_cpu_count = os.cpu_count
for name in ("SIGKILL", "SIGXFSZ", "SIGHUP", "SIGPROF", "SIGALRM"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios", "posix_ipc"):
    sys.modules[name] = None
read = pathlib.Path.read_text
def elsewhere(self, *arguments, **settings):
    if str(self).startswith(("/proc", "/sys")):
        raise FileNotFoundError(str(self))
    return read(self, *arguments, **settings)
pathlib.Path.read_text = elsewhere
"""


def done(script, folder, **environment):
    words = [sys.executable, "-c", script]
    return subprocess.run(
        words, cwd=folder, env=os.environ | environment, capture_output=True, text=True, encoding="utf-8", timeout=120
    )


def test_nothing_needs_posix(tmp_path):
    script = (
        WITHOUT_POSIX
        + """
import demandsim as ds
from demandsim._system import available_memory, cores
model = ds.load_study("guosen-2025-01")
print(available_memory() == 2**62, cores() >= 1)
draws = model.simulate(256, seed=1)
for name in ("draws.nc", "draws.zarr"):
    model.simulate(256, seed=1, store=name)
    assert (ds.open_draws(name).cards == draws.cards).all()
model.simulate(512, seed=1, store="draws.zarr")
informed = model.observe(capex=ds.distributions.normal(mean=80e9, sd=15e9))
informed.infer(draws=64, chains=2, seed=1, on_failure="warn")
from demandsim.cli import main
sys.argv = ["demandsim", "run", "guosen-2025-01", "--draws", "64", "--seed", "1"]
main()
"""
    )
    result = done(script, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("True True\n")
    assert "Traceback" not in result.stderr
    assert (tmp_path / "out" / "guosen-2025-01" / "draws.nc").is_file()


@pytest.mark.parametrize("encoding", ["cp1252", "cp936", "ascii"])
def test_a_console_without_a_character_shows_its_code(encoding, tmp_path, monkeypatch):
    from demandsim.cli import main

    monkeypatch.chdir(tmp_path)
    model = ds.load_study("guosen-2025-01")
    named = model.assumptions["utilization"].relabelled(long_name="利用率 µ", source="研报 ½")
    model.assume(utilization=named).to_toml(tmp_path / "s.toml")
    words = ["demandsim", "show", "s.toml"]
    if encoding == "cp1252":
        environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, timeout=120
        )
        assert done.returncode == 0, done.stderr.decode(encoding)
        said = done.stdout.decode(encoding)
    else:
        # The console of a process, in this one.
        console = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setattr(sys, "stdout", console)
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        with pytest.raises(SystemExit) as stop:
            main()
        console.flush()
        said = console.buffer.getvalue().decode(encoding)
        assert not stop.value.code
    assert ("利用率" if encoding == "cp936" else "\\u5229\\u7528\\u7387") in said


def test_no_file_is_read_or_written_in_the_encoding_of_the_system(tmp_path):
    script = """
import sys, warnings
warnings.filterwarnings("error", category=EncodingWarning, module="demandsim")
import demandsim as ds
from demandsim.cli import main
model = ds.load_study("guosen-2025-01")
model.to_toml("s.toml")
for words in (
    ["run", "s.toml", "--draws", "64"],
    ["report", "s.toml", "--draws", "64"],
    ["export", "s.toml", "s.xlsx"],
    ["run", "s.xlsx", "--draws", "64"],
    ["list"],
):
    sys.argv = ["demandsim", *words]
    main()
model.simulate(64, seed=1, store="draws.zarr")
ds.open_draws("draws.zarr")
for name in ds.list_series() if hasattr(ds, "list_series") else ():
    ds.load_series(name)
"""
    result = done(script, tmp_path, PYTHONWARNDEFAULTENCODING="1")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("missing", "hint", "commands"),
    [
        (
            "panel",
            "demandsim[explore]",
            ["sys.argv = ['demandsim', 'explore', 'guosen-2025-01', '--no-browser']; main()"],
        ),
        (
            "dask",
            "demandsim[dask]",
            [
                "ds.load_study('guosen-2025-01').simulate(64, chunks=32)",
                "ds.load_study('guosen-2025-01').simulate(64, store='d.zarr')",
                "ds.open_draws('made.zarr')",
            ],
        ),
        ("zarr", "demandsim[dask]", ["ds.load_study('guosen-2025-01').simulate(64, store='d.zarr', rtol=0.1)"]),
    ],
)
def test_a_missing_extra_is_said_in_one_line_before_any_work(missing, hint, commands, tmp_path):
    (tmp_path / "made.zarr").mkdir()
    script = f"""
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name={missing!r})
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {missing!r} else found(name, *rest)
import demandsim as ds
from demandsim.cli import main
from demandsim.sampling.run import Run
Run.quantities = Run.grades = lambda *_: sys.exit("work was done")
for command in {commands!r}:
    try:
        exec(command)
    except ds.DemandsimError as error:
        print("error:", error, file=sys.stderr)
    except SystemExit as stop:
        assert stop.code == 1
    else:
        sys.exit(f"nothing was said of {{command}}")
"""
    result = done(script, tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == len(commands), result.stderr
    for line in lines:
        assert line.startswith("error: ")
        assert hint in line
    assert not (tmp_path / "d.zarr").exists()
