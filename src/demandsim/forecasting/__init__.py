"""Forecasting: growth from published figures, forecasts held against what came, and several models together."""

from demandsim.forecasting.backtest import backtest
from demandsim.forecasting.calibration import calibration
from demandsim.forecasting.curves import Curve, LastGrowth
from demandsim.forecasting.figures import figures_of
from demandsim.forecasting.ledger import ledger
from demandsim.forecasting.log_odds import pooled_distribution, pooled_probability
from demandsim.forecasting.reference_class import reference_class
from demandsim.forecasting.reverting_growth import GrowthPrior, RevertingGrowth
from demandsim.forecasting.score import energy_score, score
from demandsim.forecasting.stacking import mixture, model_share, stack

__all__ = [
    "Curve",
    "GrowthPrior",
    "LastGrowth",
    "RevertingGrowth",
    "backtest",
    "calibration",
    "energy_score",
    "figures_of",
    "ledger",
    "mixture",
    "model_share",
    "pooled_distribution",
    "pooled_probability",
    "reference_class",
    "score",
    "stack",
]
