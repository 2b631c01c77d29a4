"""Finished stores that grow: more draws, more quantities, a tolerance; nothing that is there is computed again."""

import os
import shutil

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.errors import StoreError, ToleranceWarning
from demandsim.sampling import run as runs
from demandsim.sampling.store import blocks
from demandsim.sampling.store import zarr as zarr_folder

MODEL = ds.load_study("guosen-2025-01")
SMALL = {"draws": 256, "chains": 2, "seed": 3, "keep": ["cards", "utilization"]}
FORMATS = ["draws.zarr", "draws.nc"]
EACH_FORMAT = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture
def computed(monkeypatch):
    """Count the draws that are computed, and of which quantities."""
    seen = []
    quantities = runs.Run.quantities

    def counted(self, start, stop, *faults):
        seen.append((stop - start, frozenset(self.keep)))
        return quantities(self, start, stop, *faults)

    monkeypatch.setattr(runs.Run, "quantities", counted)
    return seen


def same(one, other):
    one, other = one.load(), other.load()
    assert set(one.data_vars) == set(other.data_vars)
    for name in other.data_vars:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=str(name))
        assert one[name].dims == other[name].dims
        assert one[name].attrs == other[name].attrs


@EACH_FORMAT
@pytest.mark.parametrize(
    ("more", "new"),
    [
        ({"draws": 1024}, 2 * 768),
        ({"draws": 512, "keep": ["cards", "utilization", "capex"]}, 2 * (256 + 256)),
        ({"keep": ["gross_margin", "utilization", "cards"]}, 2 * 256),
    ],
)
def test_a_larger_run_goes_on_from_a_finished_store(name, more, new, tmp_path, computed):
    path = tmp_path / name
    MODEL.simulate(**SMALL, store=path)
    computed.clear()
    larger = MODEL.simulate(**SMALL | more, store=path)
    assert sum(draws for draws, _ in computed) == new
    computed.clear()
    same(MODEL.simulate(**SMALL | more, store=path), larger)
    same(ds.open_draws(path), larger)
    assert computed == []
    fresh = MODEL.simulate(**SMALL | more)
    same(larger, fresh)
    # Of a folder the receipt is that of its first draws, as of any folder.
    told = fresh if name.endswith(".nc") else MODEL.simulate(**SMALL | more, store=tmp_path / "fresh.zarr")
    assert larger.attrs == told.attrs
    assert {left.name for left in tmp_path.iterdir()} <= {name, "fresh.zarr"}


@pytest.mark.parametrize("chunks", [100, 256, 300, None])
def test_blocks_that_end_anywhere_are_extended(chunks, tmp_path, computed):
    path, settings = tmp_path / "draws.zarr", SMALL | {"design": "random"}
    MODEL.simulate(**settings, store=path, chunks=chunks)
    computed.clear()
    larger = MODEL.simulate(**settings | {"draws": 777}, store=path)
    assert sum(draws for draws, _ in computed) == 2 * (777 - 256)
    same(larger, MODEL.simulate(**settings | {"draws": 777}))


@EACH_FORMAT
def test_a_store_is_extended_along_dims_of_the_model_and_with_invalid_draws(name, tmp_path):
    @ds.equation(unit="1")
    def root(utilization):
        """Not a number where utilization is low."""
        return np.sqrt(utilization - 0.4)

    model = MODEL.with_equations(root)
    settings = {"chains": 2, "seed": 1, "on_invalid": "keep"}
    model.simulate(64, **settings, keep=["root"], store=tmp_path / name)
    larger = model.simulate(128, **settings, keep=["root", "cards"], store=tmp_path / name)
    same(larger, model.simulate(128, **settings, keep=["root", "cards"]))
    if name.endswith(".nc"):
        assert "invalid_root" in larger.coords
    fleet = ds.load_study("doubao-2025-2030")
    keep = ["cards", "daily_tokens"] if "cards" in fleet.quantities else list(fleet.equations)[:2]
    fleet.simulate(32, chains=2, seed=1, keep=keep[:1], store=tmp_path / f"years-{name}")
    larger = fleet.simulate(64, chains=2, seed=1, keep=keep, store=tmp_path / f"years-{name}")
    same(larger, fleet.simulate(64, chains=2, seed=1, keep=keep))


@EACH_FORMAT
def test_what_is_not_larger_is_another_run(name, tmp_path):
    path = tmp_path / name
    MODEL.simulate(**SMALL, store=path)
    for change, match in (
        ({"draws": 128}, "its draws is 256, this run's is 128"),
        ({"keep": ["cards"]}, "its keep is"),
        ({"keep": ["cards", "capex"]}, "its keep is"),
        ({"draws": 512, "seed": 4}, "its seed is"),
        ({"draws": 512, "chains": 4}, "its chains is"),
        ({"draws": 512, "dtype": "float32"}, "its dtype is"),
    ):
        with pytest.raises(StoreError, match=match):
            MODEL.simulate(**SMALL | change, store=path)
    assert ds.open_draws(path).sizes["draw"] == 256
    settings = SMALL | {"design": "latin_hypercube"}
    MODEL.simulate(**settings, store=tmp_path / f"lhs-{name}")
    with pytest.raises(StoreError, match="design 'latin_hypercube' cannot be extended"):
        MODEL.simulate(**settings | {"draws": 512}, store=tmp_path / f"lhs-{name}")


@EACH_FORMAT
def test_a_tolerance_is_reached_in_a_store_and_reached_again_at_once(name, tmp_path, computed):
    path = tmp_path / name
    goal = {"rtol": 0.01, "of": ["cards"], "statistics": ["mean", "median"]}
    MODEL.simulate(**SMALL, store=path)
    computed.clear()
    found = MODEL.simulate(**SMALL, **goal, store=path)
    held = MODEL.simulate(**SMALL, **goal)
    same(found, held)
    assert found.sizes["draw"] > 256
    assert found.attrs["stop_rule"] == held.attrs["stop_rule"] == ds.open_draws(path).attrs["stop_rule"]
    # The draws in memory, and of the store all but the first 256 of each chain.
    assert sum(draws for draws, _ in computed) == 2 * (2 * found.sizes["draw"] - 256)
    computed.clear()
    again = MODEL.simulate(**SMALL, **goal, store=path)
    same(again, held)
    assert computed == []


def test_a_tolerance_that_memory_or_draws_do_not_allow_says_so(tmp_path):
    with pytest.warns(ToleranceWarning, match="max_draws=1,024"):
        found = MODEL.simulate(**SMALL, rtol=1e-5, of=["cards"], max_draws=1024, store=tmp_path / "draws.zarr")
    assert found.sizes["draw"] == 512


@pytest.mark.parametrize("moment", ["blocks", "away", "in place", "done"])
def test_an_extension_that_is_interrupted_leaves_the_old_store_or_the_new_one(moment, tmp_path, monkeypatch):
    path, larger = tmp_path / "draws.zarr", SMALL | {"draws": 1024}
    MODEL.simulate(**SMALL, store=path, chunks=256)
    write, rename, written = blocks.write_block, type(path).rename, []

    def stopping(*arguments):
        if moment == "blocks" and len(written) == 2:
            raise KeyboardInterrupt
        written.append(arguments)
        write(*arguments)

    def moving(self, target):
        kind = {".old": "away", ".zarr": "in place"}.get(target.suffix)
        if moment == kind and self.suffix in (".zarr", ".more"):
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(zarr_folder, "write_block", stopping)
        patch.setattr(type(path), "rename", moving)
        if moment == "done":
            patch.setattr(zarr_folder, "_remove", lambda folder: 1 / 0 if folder.exists() else None)
        with pytest.raises((KeyboardInterrupt, StoreError, ds.DemandsimError)):
            MODEL.simulate(**larger, store=path, threads=1)
    if moment == "in place":
        with pytest.raises(StoreError, match="was being extended; run the same simulate again"):
            ds.open_draws(path)
    else:
        assert ds.open_draws(path).sizes["draw"] == (1024 if moment == "done" else 256)
    again = []
    monkeypatch.setattr(zarr_folder, "write_block", lambda *arguments: (again.append(arguments), write(*arguments)))
    same(MODEL.simulate(**larger, store=path), MODEL.simulate(**larger))
    assert len(again) == (6 if moment == "blocks" else 0)
    assert [left.name for left in tmp_path.iterdir()] == ["draws.zarr"]


def test_a_damaged_store_is_not_extended(tmp_path):
    path = tmp_path / "draws.zarr"
    MODEL.simulate(**SMALL, store=path)
    piece = next(p for p in sorted((path / "cards" / "c").rglob("*")) if p.is_file())
    content = bytearray(piece.read_bytes())
    content[40] ^= 1
    piece.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        MODEL.simulate(**SMALL | {"draws": 512}, store=path)
    assert path.exists()
    shutil.rmtree(path)
    MODEL.simulate(**SMALL, store=path)
    os.truncate(next(p for p in sorted((path / "cards" / "c").rglob("*")) if p.is_file()), 10)
    with pytest.raises(StoreError, match="damaged"):
        MODEL.simulate(**SMALL | {"draws": 512}, store=path)


def test_other_readers_read_an_extended_store(tmp_path):
    MODEL.simulate(**SMALL, store=tmp_path / "draws.zarr")
    larger = MODEL.simulate(**SMALL | {"draws": 512}, store=tmp_path / "draws.zarr")
    with xr.open_zarr(tmp_path / "draws.zarr", consolidated=False) as folder:
        np.testing.assert_array_equal(folder.cards.values, larger.cards.values)
