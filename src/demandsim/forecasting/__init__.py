"""Forecasting: forecasts held against what came, by proper scores and calibration."""

from demandsim.forecasting.calibration import calibration
from demandsim.forecasting.score import energy_score, score

__all__ = ["calibration", "energy_score", "score"]
