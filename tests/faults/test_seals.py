"""Seals: a changed byte is our error before a library sees it, and readers of netCDF and Zarr do not notice a seal."""

import contextlib
import hashlib
import re
import shutil

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim.errors import MemoryGuardError, StoreError
from demandsim.sampling.store import seals
from demandsim.sampling.store import zarr as zarr_folder

MODEL = ds.load_study("guosen-2025-01")
SETTINGS = {"draws": 64, "chains": 2, "seed": 3, "chunks": 32, "keep": ["cards", "utilization"]}
FORMATS = ["draws.zarr", "draws.nc"]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sealed")
    for name in FORMATS:
        MODEL.simulate(**SETTINGS, store=folder / name)
    return folder


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


@contextlib.contextmanager
def no_library():
    """Neither HDF5 nor zarr may be entered."""

    def entered(*_, **__):
        pytest.fail("a library was given a store that is not as it was finished")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(h5netcdf, "File", entered)
        patch.setattr(h5py, "File", entered)
        patch.setattr(zarr, "open_group", entered)
        yield


def refused(path, match):
    with no_library(), pytest.raises(StoreError, match=match):
        ds.open_draws(path)
    with no_library(), pytest.raises(StoreError, match=match):
        MODEL.simulate(**SETTINGS, store=path)


@settings(max_examples=200)
@given(data=st.data())
def test_one_changed_byte_anywhere_is_found_before_hdf5_is_entered(data, sealed, scratch):
    content = bytearray((sealed / "draws.nc").read_bytes())
    place = data.draw(st.one_of(st.integers(0, len(content) - 1), st.integers(len(content) - 130, len(content) - 1)))
    content[place] ^= data.draw(st.integers(1, 255))
    (scratch / "draws.nc").write_bytes(content)
    refused(scratch / "draws.nc", "damaged|has no seal|has a seal that this version")


@given(data=st.data())
def test_a_file_that_was_cut_off_moved_or_grew_is_found_before_hdf5_is_entered(data, sealed, scratch):
    content = (sealed / "draws.nc").read_bytes()
    one, other = sorted(
        data.draw(st.tuples(*[st.integers(0, len(content))] * 2).filter(lambda each: each[0] != each[1]))
    )
    changed = data.draw(
        st.sampled_from(
            [
                content[:one],
                content[other:],
                content[:one] + content[other:],
                content[:one] + content[one:other] + content[one:],
                content + content[one:other],
            ]
        )
    )
    (scratch / "draws.nc").write_bytes(changed)
    refused(scratch / "draws.nc", "damaged|has no seal|has a seal that this version")


@settings(max_examples=30)
@given(data=st.data())
def test_one_changed_byte_anywhere_in_a_folder_is_found(data, sealed, scratch):
    folder = scratch / "draws.zarr"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sealed / "draws.zarr", folder)
    path = data.draw(st.sampled_from(sorted(path for path in folder.rglob("*") if path.is_file())))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    if path.name in ("zarr.json", "seal"):
        with no_library(), pytest.raises(StoreError):
            ds.open_draws(folder)
    # Numbers and marks are under checksums of their own; no number of `chain` is read.
    elif path.relative_to(folder).parts[0] != "chain":
        with pytest.raises(StoreError, match="damaged"):
            ds.open_draws(folder).load()


def test_a_folder_that_lost_any_of_its_files_is_found_before_zarr_is_entered(sealed, scratch):
    for path in sorted(path for path in (sealed / "draws.zarr").rglob("*") if path.is_file()):
        folder = scratch / "lost.zarr"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sealed / "draws.zarr", folder)
        (folder / path.relative_to(sealed / "draws.zarr")).unlink()
        with no_library(), pytest.raises(StoreError, match=r"damaged: it has|unfinished"):
            ds.open_draws(folder)


def test_what_a_system_hides_in_a_folder_is_no_damage(sealed, scratch):
    folder = scratch / "hidden.zarr"
    shutil.copytree(sealed / "draws.zarr", folder)
    (folder / ".DS_Store").write_bytes(b"mine")
    assert ds.open_draws(folder).cards.sizes["draw"] == 64


def test_other_readers_see_what_they_saw_without_a_seal(sealed, scratch):
    expected = MODEL.simulate(**{**SETTINGS, "chunks": None})
    content = (sealed / "draws.nc").read_bytes()
    line = re.search(rb"\ndemandsim seal 2: (\d{20}) bytes, sha256 ([0-9a-f]{64})\n\Z", content)
    payload = content[: int(line[1])]
    assert int(line[1]) == line.start()
    assert hashlib.sha256(payload).hexdigest() == line[2].decode()
    (scratch / "bare.nc").write_bytes(payload)
    with (
        xr.open_dataset(sealed / "draws.nc", engine="h5netcdf") as one,
        xr.open_dataset(scratch / "bare.nc", engine="h5netcdf") as other,
        h5py.File(sealed / "draws.nc") as file,
    ):
        xr.testing.assert_identical(one.load(), other.load())
        np.testing.assert_array_equal(one.cards.values, expected.cards.values)
        np.testing.assert_array_equal(file["cards"][...], expected.cards.values)
    with xr.open_zarr(sealed / "draws.zarr", consolidated=False) as folder:
        np.testing.assert_array_equal(folder.cards.values, expected.cards.values)
        np.testing.assert_array_equal(folder.cards.sel(scenario="1000T"), expected.cards.sel(scenario="1000T"))
    # In a folder the seal is where readers list nothing: they would warn of what they do not know.
    assert sorted(zarr.open_group(sealed / "draws.zarr", mode="r")) == [
        "cards",
        "chain",
        "demandsim_blocks",
        "scenario",
        "utilization",
    ]


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 3 * 2**20 + 17])
def test_a_seal_is_the_digest_of_any_length(size, tmp_path):
    path, content = tmp_path / "file", np.random.default_rng(1).bytes(size)
    path.write_bytes(content)
    seals.seal_file(path)
    expected = f"\ndemandsim seal 2: {size:020d} bytes, sha256 {hashlib.sha256(content).hexdigest()}\n"
    assert path.read_bytes() == content + expected.encode()
    with path.open("rb") as file:
        seals.check_file(path, file)
        assert file.read() == content + expected.encode()


@pytest.mark.parametrize("change", [lambda file: None, lambda file: file.attrs.update(note="mine")])
def test_what_h5py_opened_to_append_to_has_lost_its_seal(change, sealed, scratch):
    path = scratch / "appended.nc"
    shutil.copy(sealed / "draws.nc", path)
    with h5py.File(path, "r+") as file:
        change(file)
    refused(path, "has no seal: demandsim did not finish it, or it was cut off or changed since.*run again")


def test_a_seal_of_a_later_version_is_not_taken_for_damage(sealed, scratch):
    content = (sealed / "draws.nc").read_bytes().replace(b"demandsim seal 2", b"demandsim seal 3")
    (scratch / "later.nc").write_bytes(content)
    refused(scratch / "later.nc", "read it with the version that wrote it")


def interrupted(path, monkeypatch, after=2):
    """Leave a run behind that stopped after some of its blocks."""
    write, written = zarr_folder.write_block, []

    def stopping(*arguments):
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(arguments)
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(zarr_folder, "write_block", stopping)
        with pytest.raises(KeyboardInterrupt):
            MODEL.simulate(**SETTINGS, store=path, threads=1)


def test_a_resumed_folder_is_sealed_and_has_the_same_draws(sealed, tmp_path, monkeypatch):
    path = tmp_path / "draws.zarr"
    interrupted(path, monkeypatch)
    assert seals.read_seal(path) is None
    resumed = MODEL.simulate(**SETTINGS, store=path)
    assert seals.read_seal(path) is not None
    xr.testing.assert_identical(resumed.load(), ds.open_draws(sealed / "draws.zarr").load())


def test_a_file_that_hdf5_reads_in_circles_is_damaged(sealed, scratch):
    path, content = scratch / "circles.nc", bytearray((sealed / "draws.nc").read_bytes())
    # Zeros in the heap of texts: HDF5 2.0 walks on by the size that it finds there, which is none.
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 1024] = bytes(1008)
    path.write_bytes(content)
    refused(path, "damaged: its bytes are not those that were sealed; delete it and run again")


def test_a_file_that_is_changed_or_taken_away_after_opening_changes_no_draw(sealed, scratch):
    path = scratch / "opened.nc"
    shutil.copy(sealed / "draws.nc", path)
    opened, expected = ds.open_draws(path), ds.open_draws(sealed / "draws.nc")
    path.write_bytes(b"other")
    path.unlink()
    xr.testing.assert_identical(opened, expected)


def test_a_file_that_does_not_fit_in_memory_is_not_read(sealed, monkeypatch):
    monkeypatch.setattr("demandsim.sampling.store.netcdf.available_memory", lambda: 1000)
    with (
        no_library(),
        pytest.raises(MemoryGuardError, match=r"holds [1-9][\d.]* KiB, 1.0 KiB are available.*read from a Zarr folder"),
    ):
        ds.open_draws(sealed / "draws.nc")


def test_a_run_does_not_go_on_from_attributes_that_changed(tmp_path, monkeypatch):
    path = tmp_path / "draws.zarr"
    interrupted(path, monkeypatch)
    zarr.open_group(path, mode="r+")["cards"].attrs["units"] = "kard"
    with pytest.raises(StoreError, match="damaged: its attributes, dims or types are not those that it was made with"):
        MODEL.simulate(**SETTINGS, store=path)


def test_a_run_does_not_go_on_from_numbers_that_went_or_changed(tmp_path, monkeypatch):
    path = tmp_path / "draws.zarr"
    interrupted(path, monkeypatch)
    (path / "cards" / "c" / "0" / "0" / "0").unlink()
    with pytest.raises(StoreError, match=r"damaged: chain 0 \[0:32\] does not hold the numbers that were written"):
        MODEL.simulate(**SETTINGS, store=path)
    # Well-formed, under a valid checksum, and wrong.
    shutil.rmtree(path)
    interrupted(path, monkeypatch)
    zarr.open_group(path, mode="r+")["cards"][:, 0, 3] = 0.0
    with pytest.raises(StoreError, match=r"damaged: chain 0 \[0:32\] does not hold the numbers that were written"):
        MODEL.simulate(**SETTINGS, store=path)
