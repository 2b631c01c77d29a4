"""Stores of a stranger, sealed as ours are: what is no number of the store itself is refused, and nothing is run."""

import json
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import demandsim as ds
from demandsim.errors import StoreError
from demandsim.sampling.store import seals

MODEL = ds.load_study("guosen-2025-01")
SETTINGS = {"draws": 16, "chains": 2, "seed": 1, "chunks": 8, "keep": ["cards", "utilization"]}


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return Path("PWNED").touch, ()


PICKLE = pickle.dumps(Payload())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    for name in ("draws.nc", "draws.zarr"):
        MODEL.simulate(**SETTINGS, store=folder / name)
    return folder


def refused(path, match):
    """Neither reading nor going on takes it, and nothing ran."""
    (seals.seal_folder if path.is_dir() else seals.seal_file)(path)
    with pytest.raises(StoreError, match=match):
        ds.open_draws(path)
    with pytest.raises(StoreError, match=match):
        MODEL.simulate(**SETTINGS, store=path)
    assert not Path("PWNED").exists()


def test_the_payload_would_be_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(PICKLE)
    assert Path("PWNED").exists()


VALUES = {
    "pickle": (np.void(PICKLE), f"V{len(PICKLE)}"),
    "text of bytes": (b"x", "S8"),
    "texts": ("cos\nsystem\n(S'touch PWNED'\ntR.", h5py.string_dtype()),
    "records": (np.zeros((), "f8,S4"), np.dtype("f8,S4")),
    "references": (None, h5py.ref_dtype),
    "complex": (1j, "c16"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_file_whose_draws_are_no_numbers_is_refused(kind, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(made / "draws.nc", "draws.nc")
    value, dtype = VALUES[kind]
    with h5py.File("draws.nc", "r+") as file:
        shape = file["cards"].shape
        del file["cards"]
        array = file.create_dataset("cards", shape, dtype=dtype)
        array[...] = file["utilization"].ref if value is None else value
        for place, dim in enumerate(("scenario", "chain", "draw")):
            array.dims[place].attach_scale(file[dim])
    refused(Path("draws.nc"), "'cards' holds .*, not numbers")


def elsewhere(file, how):
    """Put something at the place of an array that stands elsewhere."""
    shape, size = file["cards"].shape, file["cards"].size
    del file["cards"]
    if how == "link to a file":
        file["cards"] = h5py.ExternalLink("other.nc", "/cards")
    elif how == "link":
        file["cards"] = h5py.SoftLink("/utilization")
    elif how == "bytes of a file":
        file.create_dataset("cards", shape, dtype="f8", external=[("secret", 0, 8 * size)])
    elif how == "view of a file":
        layout = h5py.VirtualLayout(shape, dtype="f8")
        layout[...] = h5py.VirtualSource("other.nc", "cards", shape=shape)
        file.create_virtual_dataset("cards", layout)
    else:
        file.create_group("cards")


@pytest.mark.parametrize("how", ["link to a file", "link", "bytes of a file", "view of a file", "group"])
def test_a_file_whose_draws_stand_elsewhere_is_refused(how, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("secret").write_bytes(bytes(10_000))
    for name in ("draws.nc", "other.nc"):
        shutil.copy(made / "draws.nc", name)
    with h5py.File("draws.nc", "r+") as file:
        elsewhere(file, how)
    refused(Path("draws.nc"), "'cards' leads elsewhere")


CHANGES = {
    "pickle": {"codecs": [{"name": "numcodecs.pickle", "configuration": {"id": "pickle"}}]},
    "objects": {"data_type": "object"},
    "bytes": {"data_type": "variable_length_bytes", "fill_value": "", "codecs": [{"name": "vlen-bytes"}]},
    "texts": {"data_type": "string", "fill_value": "", "codecs": [{"name": "vlen-utf8"}]},
    "complex": {"data_type": "complex64", "fill_value": [0, 0]},
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_folder_whose_draws_are_no_numbers_is_refused(kind, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "draws.zarr", "draws.zarr")
    told = Path("draws.zarr", "cards", "zarr.json")
    told.write_text(json.dumps(json.loads(told.read_text()) | CHANGES[kind]))
    for piece in Path("draws.zarr", "cards", "c").rglob("*"):
        if piece.is_file():
            piece.write_bytes(PICKLE)
    refused(Path("draws.zarr"), "is damaged: .*(not numbers|not available|No Zarr data type)")


@pytest.mark.parametrize("what", ["cards/c/0/0/0", "cards/c", "cards"])
def test_a_folder_with_links_is_refused(what, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "draws.zarr", "draws.zarr")
    place = Path("draws.zarr", what)
    place.rename("elsewhere")
    place.symlink_to(Path("elsewhere").absolute())
    with pytest.raises(StoreError, match=f"'{place.name}' is a link"):
        ds.open_draws("draws.zarr")
    # The store itself may stand behind a link.
    Path("linked.zarr").symlink_to(made / "draws.zarr")
    assert ds.open_draws("linked.zarr").cards.size == 64
