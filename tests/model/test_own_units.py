"""What the author of a model counts is a dimension of its own."""

import pickle
import subprocess
import sys

import pytest

import demandsim as ds
from demandsim import testing
from demandsim.errors import (
    DimensionError,
)


@ds.equation(unit="GPU")
def gpus(videos, frames_per_video, flops_per_frame, gpu_flops, utilization):
    """GPUs to make videos."""
    return videos * frames_per_video * flops_per_frame / (gpu_flops * utilization)


@ds.equation(unit="EUR/{video}")
def cost_of_a_video(gpus, gpu_hour_price, videos):
    """Cost of a video."""
    return gpus * gpu_hour_price / videos


@pytest.fixture(scope="module")
def videos():
    return ds.Model(
        [gpus, cost_of_a_video],
        {
            "videos": ds.Assumption("lognormal(1, 9)", unit="M{video}/day"),
            "frames_per_video": ds.Assumption("triangular(100, 120, 300)", unit="{frame}/{video}"),
            "flops_per_frame": ds.Assumption(2e14, unit="FLOP/{frame}"),
            "gpu_flops": ds.Assumption(989, unit="TFLOP/s/GPU"),
            "utilization": ds.Assumption("beta(mean=0.4, sd=0.1)"),
            "gpu_hour_price": ds.Assumption("uniform(1.5, 3)", unit="EUR/GPU/hour"),
        },
    )


def test_what_its_author_counts_is_a_dimension(videos):
    point = videos.point()
    assert point.gpus.attrs["units"] == "GPU"
    by_hand = 3e6 / 86400 * float(point.frames_per_video) * 2e14 / (989e12 * float(point.utilization))
    assert point.gpus.item() == pytest.approx(by_hand, rel=1e-12)
    assert "= 0.052789 EUR/{video}" in str(videos.explain("cost_of_a_video"))
    wrong = videos.assumptions["flops_per_frame"]
    with pytest.raises(DimensionError, match=r"'card\*\{frame\}/\{video\}'.*Did you mean flops_per_frame in FLOP/"):
        videos.assume(flops_per_frame=ds.Assumption(wrong.distribution, unit="FLOP/{video}"))


def test_what_its_author_counts_travels(tmp_path):
    counted = ds.Assumption("lognormal(1, 9)", unit="M{video}/day")
    model = ds.load_study("guosen-2025-01").add(videos=counted).observe(videos="lognormal(2, 5)")
    model.to_toml(tmp_path / "study.toml")
    ds.write_workbook(model, tmp_path / "model.xlsx")
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    assert ds.load_study(tmp_path / "study.toml") == model
    assert ds.read_workbook(tmp_path / "model.xlsx").assumptions["videos"].unit == "M{video}/day"
    # Where nobody has counted videos before, as on a worker.
    fresh = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).point().videos.attrs['units'])"
    words = [sys.executable, "-c", fresh, str(tmp_path / "model.pickle")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "M{video}/day\n"


def test_what_its_author_counts_is_tested_like_any_unit(videos):
    testing.assert_unit_invariant(videos, max_examples=10)
    testing.assert_homogeneous(videos, "gpus", by="videos", degree=1, max_examples=10)
