"""One writer at a time, creation whole or not at all, disks that are full, memory that is short."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import _system
from demandsim.errors import MemoryGuardError, OutputError, StoreError
from demandsim.sampling.store import lock
from demandsim.sampling.store import zarr as zarr_folder
from demandsim.sampling.store.netcdf import write_netcdf

MODEL = ds.load_study("guosen-2025-01")
SETTINGS = {"draws": 512, "chains": 2, "seed": 3, "chunks": 128, "keep": ["cards", "utilization"]}
EACH_FORMAT = pytest.mark.parametrize("name", ["draws.zarr", "draws.nc"])


@EACH_FORMAT
def test_whoever_comes_second_is_told_who_is_first_and_to_delete_nothing(name, tmp_path):
    path = tmp_path / name
    script = (
        "import sys, demandsim as ds\n"
        "from demandsim.sampling import simulate\n"
        "from demandsim.sampling.store import zarr\n"
        "def waiting(*a, **k):\n"
        "    print('holding', flush=True)\n"
        "    sys.stdin.read()\n"
        "    return work(*a, **k)\n"
        f"where, what = {'zarr' if name.endswith('.zarr') else 'simulate'}, sys.argv[1]\n"
        "work = getattr(where, what)\n"
        "setattr(where, what, waiting)\n"
        f"ds.load_study('guosen-2025-01').simulate(**{SETTINGS!r}, store={str(path)!r}, threads=1)\n"
    )
    what = "write_block" if name.endswith(".zarr") else "write_netcdf"
    with subprocess.Popen([sys.executable, "-c", script, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"holding\n"
        # The same run, and another one: neither may advise to delete what is being written.
        for settings in (SETTINGS, SETTINGS | {"seed": 4}):
            with pytest.raises(StoreError, match="is being written by") as told:
                MODEL.simulate(**settings, store=path)
            assert f"process {first.pid} on host '{socket.gethostname()}', since 20" in str(told.value)
            assert "delete" not in str(told.value)
        with pytest.raises(StoreError) as told:
            ds.open_draws(path)
        assert "delete" not in str(told.value)
        first.communicate(b"go on", timeout=60)
        assert first.returncode == 0
    assert MODEL.simulate(**SETTINGS, store=path).sizes["draw"] == 512
    assert [left.name for left in tmp_path.iterdir()] == [name]


def test_of_many_that_start_at_once_one_wins(tmp_path):
    path, script = (
        tmp_path / "draws.zarr",
        (
            "import sys, demandsim as ds\n"
            "model = ds.load_study('guosen-2025-01')\n"
            "print('ready', flush=True)\n"
            "sys.stdin.readline()\n"
            "try:\n"
            f"    model.simulate(**{SETTINGS!r}, store={str(tmp_path / 'draws.zarr')!r}, threads=1)\n"
            "    print('done')\n"
            "except ds.errors.StoreError as error:\n"
            "    print(error)\n"
        ),
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for one in started:
        assert one.stdout.readline() == "ready\n"
    for one in started:
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120)[0].strip() for one in started]
    assert "done" in said
    assert all(one == "done" or "is being written by process" in one for one in said), said
    assert not any("delete" in one for one in said)
    np.testing.assert_array_equal(ds.open_draws(path).cards, MODEL.simulate(**SETTINGS | {"chunks": None}).cards)


def test_two_threads_of_one_process_do_not_write_one_store(tmp_path):
    with lock.locked(tmp_path / "a.zarr"):
        with pytest.raises(StoreError, match=f"by process {os.getpid()} on"), lock.locked(tmp_path / "a.zarr"):
            pass
        with lock.locked(tmp_path / "b.zarr"):
            pass
    with lock.locked(tmp_path / "a.zarr"):
        assert json.loads((tmp_path / ".a.zarr.lock").read_text())["process"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_whoever_comes_between_a_lock_and_its_word_waits_for_the_word(tmp_path, monkeypatch):
    holding, dumps = threading.Event(), json.dumps

    def slow(owner):
        holding.set()
        time.sleep(0.2)
        return dumps(owner)

    def hold():
        with lock.locked(tmp_path / "a.zarr"):
            ended.wait(60)

    ended, first = threading.Event(), threading.Thread(target=hold)
    monkeypatch.setattr(lock.json, "dumps", slow)
    first.start()
    assert holding.wait(60)
    try:
        with pytest.raises(StoreError, match=f"by process {os.getpid()} on"), lock.locked(tmp_path / "a.zarr"):
            pass
    finally:
        ended.set()
        first.join()


def test_the_word_of_a_process_that_was_killed_holds_nobody_up(tmp_path):
    (tmp_path / ".a.zarr.lock").write_text(json.dumps({"process": 1, "host": "far", "since": "long ago"}))
    with lock.locked(tmp_path / "a.zarr"):
        pass
    (tmp_path / ".a.zarr.lock").write_text("not ours")
    assert lock.said_by_owner(tmp_path / "a.zarr") == ""
    with lock.locked(tmp_path / "a.zarr"):
        pass


class Msvcrt:
    """Locks as Windows has them: of bytes, by whoever comes first, without waiting."""

    LK_NBLCK = 2

    def __init__(self):
        self.held = {}

    @staticmethod
    def _open(descriptor):
        with contextlib.suppress(OSError):
            return os.fstat(descriptor).st_ino

    def locking(self, descriptor, mode, size):
        assert (mode, size) == (2, 1)
        spot = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        holder = self.held.get(spot)
        # A lock ends when its file is closed.
        if holder is not None and self._open(holder) == spot[0]:
            raise PermissionError(13, "Permission denied")
        self.held[spot] = descriptor


@pytest.mark.parametrize("windows", [Msvcrt(), None])
def test_without_posix_locks_stores_are_written_all_the_same(windows, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    if windows is not None:
        with lock.locked(tmp_path / "a.zarr"):
            assert json.loads((tmp_path / ".a.zarr.lock").read_text())["process"] == os.getpid()
            with pytest.raises(StoreError, match="is being written"), lock.locked(tmp_path / "a.zarr"):
                pass
    monkeypatch.setitem(sys.modules, "msvcrt", windows and Msvcrt())
    stored = MODEL.simulate(**SETTINGS, store=tmp_path / "draws.zarr")
    assert stored.sizes["draw"] == 512
    assert [left.name for left in tmp_path.iterdir() if not left.name.startswith(".a")] == ["draws.zarr"]


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_store_that_was_begun_at_any_step_is_not_refused_later(step, tmp_path, monkeypatch):
    path, made = tmp_path / "draws.zarr", []
    mkdir = Path.mkdir

    def stopping(self, *arguments, **settings):
        made.append(self)
        if ".new" in str(self) and len(made) > step:
            raise RuntimeError("killed")
        return mkdir(self, *arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", stopping)
        # A kill clears nothing away.
        patch.setattr(zarr_folder.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(OutputError, match="killed"):
            MODEL.simulate(**SETTINGS, store=path)
    assert not path.exists()
    assert MODEL.simulate(**SETTINGS, store=path).sizes["draw"] == 512
    assert [left.name for left in tmp_path.iterdir()] == ["draws.zarr"]


@pytest.mark.skipif(os.name != "posix", reason="the size of files is limited the POSIX way")
def test_netcdf_on_a_full_disk_is_an_error_wherever_it_is_full_and_the_old_file_stays(tmp_path):
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "import demandsim as ds\n"
        "from demandsim.sampling.store.netcdf import write_netcdf\n"
        "model = ds.load_study('guosen-2025-01')\n"
        "draws, other = (model.simulate(512, seed=seed, keep=['cards', 'capex']) for seed in (1, 2))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "path = Path(sys.argv[1])\n"
        "write_netcdf(draws, path)\n"
        "old = path.read_bytes()\n"
        "for size in range(0, len(old), len(old) // 40):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        write_netcdf(other, path)\n"
        "    except ds.errors.OutputError as error:\n"
        "        assert 'File too large' in str(error), error\n"
        "    else:\n"
        "        raise SystemExit(f'{size} bytes were enough')\n"
        "    assert path.read_bytes() == old\n"
        "print([left.name for left in path.parent.iterdir()])\n"
    )
    # Compiled modules would be cut off as well, and be read by whoever comes next: -B keeps none.
    words = [sys.executable, "-B", "-c", script, tmp_path / "draws.nc"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "['draws.nc']"), done.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    words = [mount, "-t", "tmpfs", "-o", "size=1m", "demandsim", place]
    if mount is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by an administrator of Linux alone")
    yield place
    subprocess.run([shutil.which("umount"), place], check=True)


def test_a_disk_that_fills_up_leaves_old_files_and_stores_that_go_on(small_disk, tmp_path):
    draws = MODEL.simulate(4096, seed=1, keep=["cards", "capex"])
    before = MODEL.simulate(64, seed=2, keep=["cards"])
    write_netcdf(before, small_disk / "draws.nc")
    for _ in range(5):
        with pytest.raises(OutputError, match="No space left on device"):
            write_netcdf(draws, small_disk / "draws.nc")
    np.testing.assert_array_equal(ds.open_draws(small_disk / "draws.nc").cards, before.cards)
    settings = {"draws": 4096, "seed": 1, "keep": ["cards", "capex"], "chunks": 512}
    with pytest.raises(OutputError, match="No space left on device"):
        MODEL.simulate(**settings, store=small_disk / "draws.zarr")
    with pytest.raises(StoreError, match="unfinished"):
        ds.open_draws(small_disk / "draws.zarr")
    # There is room again, on another disk.
    shutil.copytree(small_disk / "draws.zarr", tmp_path / "draws.zarr")
    whole = len(list((tmp_path / "draws.zarr" / "cards" / "c").rglob("*")))
    assert whole > 4
    np.testing.assert_array_equal(MODEL.simulate(**settings, store=tmp_path / "draws.zarr").cards, draws.cards)


def test_a_chunk_that_does_not_fit_in_memory_is_refused_with_its_size(tmp_path, monkeypatch):
    # Blocks are smaller in the processes of a cluster, which an earlier test may have begun here.
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setattr("demandsim.sampling.run.available_memory", lambda: 20_000_000)
    monkeypatch.setattr("demandsim.sampling.run.Run.quantities", lambda *_: pytest.fail("something was computed"))
    with pytest.raises(
        MemoryGuardError,
        match=r"a chunk of 524,288 draws of 19 quantities needs 362\.5 MiB, 17\.2 MiB are available.*chunks=\d+",
    ) as told:
        MODEL.simulate(2**22, seed=1, store=tmp_path / "draws.zarr")
    assert not (tmp_path / "draws.zarr").exists()
    with pytest.raises(MemoryGuardError, match="a chunk of"):
        MODEL.simulate(2**22, seed=1, chunks=2**20)
    with pytest.raises(MemoryGuardError, match=r"too many chunks.*larger pieces"):
        MODEL.simulate(2**40, seed=1, chunks=1024)
    with pytest.raises(MemoryGuardError, match=r"too many chunks.*larger pieces"):
        MODEL.simulate(2**40, seed=1, chunks=1024, store=tmp_path / "draws.zarr")
    monkeypatch.undo()
    monkeypatch.setattr("demandsim.sampling.run.available_memory", lambda: 20_000_000)
    # What it advises works.
    chunks = int(re.search(r"chunks=(\d+)", str(told.value)).group(1))
    MODEL.simulate(2**16, seed=1, chains=1, chunks=chunks)


def test_draws_of_a_posterior_that_do_not_fit_are_refused_before_any_work(monkeypatch):
    informed = MODEL.observe(capex=ds.distributions.normal(mean=80e9, sd=15e9))
    monkeypatch.setattr("demandsim.sampling.run.available_memory", lambda: 20_000_000)
    monkeypatch.setattr("demandsim.sampling.run.Run.quantities", lambda *_: pytest.fail("something was computed"))
    with pytest.raises(MemoryGuardError, match=r"19\.1 MiB are available"):
        informed.infer(draws=2**16, seed=1)


@pytest.mark.parametrize(
    ("text", "files", "free"),
    [
        ("0::/a/b\n", {"a/memory.max": "1000", "a/memory.current": "400", "a/memory.stat": "inactive_file 50\n"}, 650),
        ("0::/a\n", {"a/memory.max": "max", "a/memory.current": "4", "a/memory.stat": ""}, None),
        ("0::/far/away\n", {"memory.max": "90", "memory.current": "40", "memory.stat": "x 1\n"}, 50),
        (
            "4:cpu,memory:/a\n0::/\n",
            {
                "memory/a/memory.limit_in_bytes": "1000",
                "memory/a/memory.usage_in_bytes": "100",
                "memory/a/memory.stat": "total_inactive_file 7\n",
            },
            907,
        ),
        ("1:cpu:/a\n", {}, None),
    ],
)
def test_memory_is_what_the_containers_around_a_process_leave(text, files, free, tmp_path, monkeypatch):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(_system, "_CONTROL_GROUPS", tmp_path)
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, **settings: text if str(self) == "/proc/self/cgroup" else read(self, **settings)
    )
    found = list(_system._free_of_container())
    assert found == ([] if free is None else [free])
    assert _system.available_memory() <= (free or 2**62)


def test_memory_is_what_the_limit_of_the_process_leaves():
    resource = pytest.importorskip("resource")
    script = (
        "import resource\n"
        "import demandsim as ds\n"
        "from demandsim._system import available_memory\n"
        "model = ds.load_study('guosen-2025-01')\n"
        "model.simulate(64, seed=1)\n"
        "from pathlib import Path\n"
        "held = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (held + 2**28, held + 2**28))\n"
        "print(available_memory())\n"
        "try:\n"
        "    model.simulate(2**20, seed=1)\n"
        "except ds.errors.MemoryGuardError:\n"
        "    print('refused')\n"
    )
    assert resource.RLIMIT_AS is not None
    if not Path("/proc/self/statm").exists():
        pytest.skip("what a process holds is read from /proc")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    free, refused = done.stdout.split()
    assert int(free) == pytest.approx(2**28, rel=0.1)
    assert refused == "refused"


def test_a_hundred_thousand_labels_are_built_in_seconds_or_refused_with_a_size(monkeypatch):
    labels = list(range(100_000))
    begun = time.process_time()

    @ds.equation(unit="1")
    def times(a, b):
        """A product."""
        return a * b

    many = xr.DataArray(np.linspace(1, 2, len(labels)), coords={"thing": labels}, dims="thing")
    with pytest.raises(ds.errors.DistributionError, match=r"100,000 labels.*more than 10,000.*a constant by label"):
        ds.distributions.normal(mean=many, sd=0.1)
    factor = ds.Assumption(ds.distributions.constant(many))
    model = ds.Model([times], {"a": ds.Assumption(ds.distributions.normal(mean=1, sd=0.1)), "b": factor})
    monkeypatch.setattr("demandsim.sampling.run.available_memory", lambda: 2**28)
    with pytest.raises(MemoryGuardError, match=r"[1-9][\d.]* GiB, 256.0 MiB are available"):
        model.simulate(1024, seed=1)
    assert time.process_time() - begun < 10
