"""Stores under faults: interrupted, killed, full, damaged; nothing half-written is taken for whole."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
import zarr

import demandsim as ds
from demandsim.errors import MemoryGuardError, OutputError, StoreError
from demandsim.sampling.store import seals
from demandsim.sampling.store import zarr as zarr_folder

MODEL = ds.load_study("guosen-2025-01")
SETTINGS = {"draws": 1024, "chains": 2, "seed": 3, "chunks": 256, "keep": ["cards", "gross_margin", "utilization"]}
BLOCKS = 8
FORMATS = ["draws.zarr", "draws.nc"]


@pytest.fixture(scope="module")
def expected():
    return MODEL.simulate(**{**SETTINGS, "chunks": None})


def same_bits(one, other):
    for name in other:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=str(name))


@pytest.mark.parametrize("name", FORMATS)
def test_a_store_gives_back_the_bits_and_the_labels(name, tmp_path, expected):
    stored = MODEL.simulate(**SETTINGS, store=tmp_path / name)
    same_bits(stored, expected)
    for variable in expected:
        assert stored[variable].dims == expected[variable].dims
        assert stored[variable].attrs == expected[variable].attrs
    assert list(stored.scenario.values) == ["100T", "1000T"]
    again = ds.open_draws(tmp_path / name)
    same_bits(again, expected)
    assert again.attrs["model_hash"] == expected.attrs["model_hash"]
    assert float(ds.probability(again.gross_margin > 0).mcse.max()) > 0
    assert float(ds.summarize(again).cards.sel(statistic="median", scenario="100T")) == pytest.approx(
        float(expected.cards.sel(scenario="100T").median()), rel=1e-3
    )


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, expected, monkeypatch):
    path, write = tmp_path / "draws.zarr", zarr_folder.write_block
    calls = []

    def stopping(*arguments):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(arguments)
        write(*arguments)

    monkeypatch.setattr(zarr_folder, "write_block", stopping)
    with pytest.raises(KeyboardInterrupt):
        MODEL.simulate(**SETTINGS, store=path, threads=1)
    with pytest.raises(StoreError, match="unfinished"):
        ds.open_draws(path)
    counted = []
    monkeypatch.setattr(zarr_folder, "write_block", lambda *arguments: (counted.append(arguments), write(*arguments)))
    same_bits(MODEL.simulate(**SETTINGS, store=path, threads=1), expected)
    assert len(calls) + len(counted) == BLOCKS
    counted.clear()
    same_bits(MODEL.simulate(**SETTINGS, store=path), expected)
    assert counted == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_killed_process_leaves_a_store_that_goes_on(tmp_path, expected):
    path = tmp_path / "draws.zarr"
    script = (
        "import time, demandsim as ds\n"
        "from demandsim.sampling.store import zarr\n"
        "write = zarr.write_block\n"
        "zarr.write_block = lambda *a: (write(*a), print('block', flush=True), time.sleep(0.2))\n"
        f"ds.load_study('guosen-2025-01').simulate(**{SETTINGS!r}, store={str(path)!r}, threads=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        assert process.stdout.readline() == "block\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with pytest.raises(StoreError, match="unfinished"):
        ds.open_draws(path)
    same_bits(MODEL.simulate(**SETTINGS, store=path), expected)


@pytest.mark.parametrize("name", FORMATS)
def test_a_store_of_another_run_is_not_mixed_with(name, tmp_path):
    MODEL.simulate(**SETTINGS, store=tmp_path / name)
    with pytest.raises(StoreError, match="holds another run: its seed is '3', this run's is '4'"):
        MODEL.simulate(**{**SETTINGS, "seed": 4}, store=tmp_path / name)
    with pytest.raises(StoreError, match="model_hash"):
        MODEL.fix(utilization=0.3).simulate(**SETTINGS, store=tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_not_a_store_is_not_written_over(name, tmp_path):
    path = tmp_path / name
    path.write_text("mine") if name.endswith(".nc") else path.mkdir()
    with pytest.raises((StoreError, OutputError), match=name):
        MODEL.simulate(**SETTINGS, store=path)
    assert path.exists()


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_store_is_named(name, tmp_path):
    with pytest.raises(StoreError, match="there is no store"):
        ds.open_draws(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_an_unwritable_place_is_a_clear_error(name, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(OutputError, match="cannot write to store"):
        MODEL.simulate(**SETTINGS, store=blocker / name)


def test_one_bit_flipped_after_opening_is_found_when_it_is_read(tmp_path):
    path = tmp_path / "draws.zarr"
    MODEL.simulate(**SETTINGS, store=path)
    opened = ds.open_draws(path)
    target = next(p for p in sorted((path / "cards" / "c").rglob("*")) if p.is_file())
    content = bytearray(target.read_bytes())
    content[40] ^= 1
    target.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged at 'cards'.*delete it and run again"):
        ds.summarize(opened)


def test_a_folder_that_another_took_the_place_of_is_not_read_on(tmp_path):
    path = tmp_path / "draws.zarr"
    opened = MODEL.simulate(**SETTINGS, store=path)
    shutil.rmtree(path)
    MODEL.simulate(**{**SETTINGS, "seed": 4}, store=path)
    with pytest.raises(StoreError, match="was changed after it was opened; open it again"):
        opened.cards.load()


def test_a_store_without_its_metadata_is_damaged(tmp_path):
    MODEL.simulate(**SETTINGS, store=tmp_path / "draws.zarr")
    (tmp_path / "draws.zarr" / "cards" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        ds.open_draws(tmp_path / "draws.zarr")
    shutil.rmtree(tmp_path / "draws.zarr" / "cards")
    with pytest.raises(StoreError, match="damaged"):
        ds.open_draws(tmp_path / "draws.zarr")


@pytest.mark.skipif(os.name != "posix", reason="the size of files is limited the POSIX way")
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_later(name, tmp_path, expected):
    path = tmp_path / name
    # A limit on the size of files stands in for a disk that is full: the same failing write.
    script = (
        "import resource, signal, sys\n"
        "import demandsim as ds\n"
        "from demandsim.errors import DemandsimError\n"
        "model = ds.load_study('guosen-2025-01')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "try:\n"
        f"    model.simulate(**{SETTINGS!r}, store={str(path)!r}, threads=1)\n"
        "except DemandsimError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    # Compiled modules would be cut off as well, and be read by whoever comes next: -B keeps none.
    result = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, timeout=120)
    assert "File too large" in result.stdout, result.stdout + result.stderr
    assert name in result.stdout
    with pytest.raises(StoreError):
        ds.open_draws(path)
    # Of a netCDF file nothing is left behind; a folder keeps its whole blocks.
    assert sorted(left.name for left in tmp_path.iterdir()) == ([] if name.endswith(".nc") else [name])
    same_bits(MODEL.simulate(**SETTINGS, store=path), expected)


def test_an_equation_that_fails_leaves_no_finished_store(tmp_path):
    @ds.equation(unit="1")
    def root(utilization):
        """Not a number where utilization is low."""
        return np.sqrt(utilization - 0.4)

    model = MODEL.with_equations(root)
    with pytest.raises(ds.DemandsimError, match="equation 'root' made NaN"):
        model.simulate(256, seed=1, chunks=64, store=tmp_path / "draws.zarr")
    with pytest.raises(StoreError, match="unfinished"):
        ds.open_draws(tmp_path / "draws.zarr")


# Whoever changes a store can seal it again: what it says is checked all the same.


def spoil_the_references(file):
    # A damaged reference: where dims are looked up, the library below raises IndexError.
    file["cards"].attrs["DIMENSION_LIST"] = np.arange(3)


def spoil_the_shape(file):
    del file["cards"]
    file["cards"] = np.zeros((2, 2))


def spoil_the_dims(file):
    del file["cards"]
    file["cards"] = np.zeros(1024)
    file["cards"].dims[0].attach_scale(file["draw"])


@pytest.mark.parametrize(
    "spoil", [spoil_the_references, spoil_the_shape, spoil_the_dims], ids=lambda function: function.__name__
)
def test_a_file_whose_parts_contradict_each_other_is_damaged(spoil, tmp_path):
    import h5py

    MODEL.simulate(**SETTINGS, store=tmp_path / "draws.nc")
    with h5py.File(tmp_path / "draws.nc", "r+") as file:
        spoil(file)
    seals.seal_file(tmp_path / "draws.nc")
    with pytest.raises(StoreError, match="damaged"):
        ds.open_draws(tmp_path / "draws.nc")


@pytest.mark.parametrize(("one", "other"), [('"draws": 1024', '"draws": 17'), ('"chunk": 256', '"chunk": 0')])
def test_a_folder_whose_parts_contradict_each_other_is_damaged(one, other, tmp_path):
    path = tmp_path / "draws.zarr"
    MODEL.simulate(**SETTINGS, store=path)
    attrs = zarr.open_group(path, mode="r+").attrs
    attrs["demandsim_run"] = attrs["demandsim_run"].replace(one, other)
    seals.seal_folder(path)
    with pytest.raises(StoreError, match="damaged"):
        ds.open_draws(path)


def test_a_file_is_read_back_with_every_label_and_the_marks_of_invalid_draws(tmp_path):
    @ds.equation(unit="1")
    def root(utilization):
        """Not a number where utilization is low."""
        return np.sqrt(utilization - 0.4)

    model, settings = MODEL.with_equations(root), {"draws": 64, "chains": 2, "seed": 2**80, "on_invalid": "keep"}
    held = model.simulate(**settings)
    xr.testing.assert_identical(model.simulate(**settings, store=tmp_path / "draws.nc"), held)
    xr.testing.assert_identical(ds.open_draws(tmp_path / "draws.nc"), held)
    assert int(ds.summarize(held).root.sel(statistic="n_invalid")) > 0
    years = ds.load_study("doubao-2025-2030")
    held = years.simulate(draws=16, chains=2, seed=1, store=tmp_path / "years.nc")
    xr.testing.assert_identical(ds.open_draws(tmp_path / "years.nc"), held)


def test_a_run_that_was_stopped_leaves_no_file(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MODEL.simulate(**SETTINGS, store=tmp_path / "draws.nc", progress=stop)
    assert not list(tmp_path.iterdir())


def test_draws_that_do_not_fit_in_memory_are_sent_to_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("demandsim.sampling.run.available_memory", lambda: 2_000_000)
    large = {**SETTINGS, "draws": 2**16, "chunks": 1024}
    with pytest.raises(MemoryGuardError, match=r"store='draws\.zarr'"):
        MODEL.simulate(**large, store=tmp_path / "draws.nc")
    assert MODEL.simulate(**large, store=tmp_path / "draws.zarr").sizes["draw"] == 2**16


@pytest.mark.parametrize("shape", [[2, 2**60], [2**40, 2**40], [2, 3], [8]])
def test_marks_of_the_wrong_shape_take_no_memory(shape, tmp_path):
    path = tmp_path / "draws.zarr"
    MODEL.simulate(**SETTINGS, store=path)
    described = path / "demandsim_blocks" / "zarr.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"shape": shape}))
    seals.seal_folder(path)
    with pytest.raises(StoreError, match="damaged"):
        ds.open_draws(path)


@pytest.mark.skipif(os.name != "posix", reason="the size of files is limited the POSIX way")
def test_a_full_disk_leaves_no_file_half_written(tmp_path):
    script = """
import resource, sys, warnings
import matplotlib.pyplot as plt
import openpyxl
import demandsim as ds
from demandsim.workbook import mark_workbook
warnings.simplefilter("ignore")
book = openpyxl.Workbook()
for row in (["price", 2], ["volume", 3], ["revenue", "=B1*B2"]):
    book.active.append(row)
book.save("any.xlsx")
draws = ds.import_draws({"cost": [1.0, 2.0, 3.0, 5.0] * 16})
axes = plt.figure().subplots()
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
for write in (
    lambda: ds.plots.save(axes, "picture.png"),
    lambda: ds.write_sipmath(draws, "library.json"),
    lambda: mark_workbook("any.xlsx", "marked.xlsx"),
):
    try:
        write()
    except ds.DemandsimError as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("OutputError cannot write") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["any.xlsx"]
