"""Pictures of a backtest: what they say in both languages, and where their bars and lines stand."""

import numpy as np
import pytest

import demandsim as ds
from demandsim import forecasting, plots
from demandsim.errors import DemandsimError


@pytest.fixture(scope="module")
def found():
    tokens = {"Doubao": ds.load_series("doubao-daily-tokens").daily_tokens}
    models = {"naive": forecasting.LastGrowth(), "steady": forecasting.LastGrowth()}
    return forecasting.backtest(models, tokens, horizons=[1, 2], draws=64, chains=2, seed=1)


def test_calibration_has_a_column_per_model_and_counts_every_outcome(found):
    axes = plots.calibration(found)
    assert axes.shape == (2, 2)
    texts = {text.get_text() for text in axes[0, 0].figure.findobj(lambda part: hasattr(part, "get_text"))}
    assert {f"{what} (model {model})" for what in ("PIT", "Coverage") for model in ("naive", "steady")} <= texts
    # The first patch is the band of a calibrated model.
    heights = sum(bar.get_height() for bar in axes[0, 0].patches[1:])
    assert heights == np.isfinite(found.pit.isel(model=0)).sum().item()


def test_scores_stand_at_their_means(found):
    (axes,) = plots.scores(found).ravel()
    mean = found.crps.isel(model=0).mean([d for d in found.crps.dims if d not in ("model", "horizon")])
    drawn = axes.lines[0].get_ydata()
    np.testing.assert_allclose(drawn, mean, rtol=1e-12)


def test_what_is_no_backtest_is_refused(found):
    with pytest.raises(DemandsimError, match=r"forecasting\.backtest returns"):
        plots.calibration(found.isel(model=0, drop=True))
    with pytest.raises(DemandsimError, match="no 'nothing' by horizon"):
        plots.scores(found, "nothing")
