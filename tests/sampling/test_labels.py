"""Labels of dims: refused at the door, or the same in memory, in stores, in plain xarray and in study files."""

import datetime

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DistributionError

TEXTS = ["2025-01-31", "2025-02-28", "2025-03-31"]
DAYS = [datetime.date.fromisoformat(text) for text in TEXTS]
LABELS = {
    "month ends": pd.date_range("2025-01-31", periods=3, freq="ME"),
    **{f"dates in {unit}": np.array(TEXTS, dtype=f"datetime64[{unit}]") for unit in ("D", "s", "ms", "us", "ns")},
    "years as dates": np.array(["2025", "2026", "2027"], dtype="datetime64[Y]"),
    "with hours": np.array(["2025-01-31T12:30", "2025-02-28T01:00", "2025-03-31"], dtype="datetime64[s]"),
    "with parts of seconds": np.array(["2025-01-31T12:30:00.25", "2025-02-28", "2025-03-31"], dtype="datetime64[ms]"),
    "dates of Python": DAYS,
    "moments of Python": [datetime.datetime(day.year, day.month, day.day, 8) for day in DAYS],
    "Timestamps": [pd.Timestamp(text) for text in TEXTS],
    "whole numbers": [2025, 2026, 2027],
    "small whole numbers": np.array([1, 2, 3], dtype=np.uint8),
    "numbers": [0.5, 1.5, 2.5],
    "short numbers": np.array([0.1, 0.2, 0.3], dtype=np.float32),
    "texts": ["H800", "豆包", "a longer one"],
    "categories": pd.Categorical(["a", "b", "c"]),
}
REFUSED = {
    "periods": (pd.period_range("2025-01", periods=3, freq="M"), r"periods of pandas.*to_timestamp\(\)"),
    "truths": ([True, False], "True and False"),
    "a gap": ([1.0, np.nan, 2.0], "NaN or infinite"),
    "a missing text": (["a", None, "b"], "float and str"),
    "mixed": (pd.Index(["a", 1, 2.5], dtype=object), "float and int and str"),
    "no date": (np.array(["2025-01-31", "NaT"], dtype="datetime64[s]"), "NaT"),
    "nanoseconds": (np.array(["2025-01-31T00:00:00.000000001"], dtype="datetime64[ns]"), "finer than a microsecond"),
    "zones": (np.array([datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)], dtype=object), "time zone"),
    "spans": (np.array([1, 2], dtype="timedelta64[D]"), "timedelta64"),
    "complex": ([1j, 2.0], "complex128"),
    "bytes": ([b"a", b"b"], "use numbers, texts or dates"),
    "intervals": (pd.interval_range(0, 3), "Interval"),
    "an empty text": (["", "b"], "an empty text"),
    "huge": ([2**60, 2**60 + 1], r"2\*\*53"),
}


@ds.equation(unit="1")
def doubled(x):
    return 2 * x


def model_of(labels):
    level = xr.DataArray(np.arange(len(labels)) + 2.0, dims="when", coords={"when": labels})
    return ds.Model([doubled], {"x": ds.Assumption(dist.normal(mean=level, sd=1.0))})


@pytest.fixture(scope="module", params=LABELS.values(), ids=LABELS)
def model(request):
    return model_of(request.param)


@pytest.mark.filterwarnings("ignore:DatetimeIndex.values")
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC"])
def test_an_index_with_a_time_zone_is_refused_where_another_day_was_taken_in_silence(zone):
    with pytest.raises(ds.DemandsimError, match=r"dim 'when' has dates with a time zone.*tz_localize\(None\)"):
        model_of(pd.date_range("2025-01-31", periods=3, tz=zone))


SETTINGS = {"draws": 8, "chains": 2, "seed": 1}


@pytest.mark.parametrize("name", ["draws.nc", "draws.zarr"])
def test_stored_draws_are_identical_and_plain_xarray_selects_by_label(model, name, tmp_path):
    held = model.simulate(**SETTINGS)
    returned = model.simulate(**SETTINGS, store=tmp_path / name)
    for found in (returned, ds.open_draws(tmp_path / name)):
        xr.testing.assert_identical(found.load(), held)
        assert found.when.dtype == held.when.dtype
    options = {"engine": "h5netcdf"} if name.endswith("nc") else {"engine": "zarr", "consolidated": False}
    with xr.open_dataset(tmp_path / name, **options) as plain:
        for label in held.when.values:
            np.testing.assert_array_equal(plain.doubled.sel(when=label), held.doubled.sel(when=label))


def test_a_study_file_keeps_the_labels(model, tmp_path):
    model.to_toml(tmp_path / "study.toml")
    again = ds.load_study(tmp_path / "study.toml", equations=[doubled])
    assert again == model
    xr.testing.assert_equal(again.simulate(**SETTINGS), model.simulate(**SETTINGS))


def test_a_workbook_keeps_the_labels_or_says_why_not(model, tmp_path):
    if model.point().when.dtype.kind == "M":
        with pytest.raises(ds.DemandsimError, match=r"dim 'when' has dates as labels.*label it by texts"):
            ds.write_workbook(model, tmp_path / "model.xlsx")
    else:
        ds.write_workbook(model, tmp_path / "model.xlsx")
        assert ds.read_workbook(tmp_path / "model.xlsx", equations=[doubled]) == model


def test_dates_are_selected_and_written_as_dates():
    draws = model_of(DAYS).simulate(**SETTINGS)
    assert draws.doubled.sel(when="2025-02").sizes["when"] == 1
    assert "2025-02-28" in str(ds.table(ds.summarize(draws)))
    assert "2025-02-28T" not in str(ds.table(ds.summarize(draws)))


def test_dates_far_away_are_kept(tmp_path):
    model = model_of(np.array(["1600-01-01", "2025-01-01", "9999-01-01"], dtype="datetime64[s]"))
    for name in ("draws.nc", "draws.zarr"):
        model.simulate(**SETTINGS, store=tmp_path / name)
        xr.testing.assert_identical(ds.open_draws(tmp_path / name).load(), model.simulate(**SETTINGS))


@pytest.mark.parametrize(("labels", "words"), REFUSED.values(), ids=REFUSED)
def test_labels_that_files_cannot_hold_are_refused(labels, words):
    with pytest.raises(DistributionError, match=f"dim 'when' has .*{words}"):
        model_of(labels)


def test_changed_labels_of_a_store_are_damage(tmp_path):
    import zarr

    path = tmp_path / "draws.zarr"
    model_of(["a", "b"]).simulate(**SETTINGS, store=path)
    zarr.open_group(path)["when"][...] = np.array(["b", "a"], dtype=np.dtypes.StringDType())
    with pytest.raises(ds.DemandsimError, match="labels of 'when' are not those"):
        ds.open_draws(path)
