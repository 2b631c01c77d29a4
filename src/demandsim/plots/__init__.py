"""Plots: one function a picture, readable without the code.

Each takes labelled Datasets and returns the Axes of one matplotlib figure, which `save` writes.
"""

from demandsim.plots.break_even import break_even
from demandsim.plots.calibration import calibration, scores
from demandsim.plots.canvas import save
from demandsim.plots.cohorts import cohorts
from demandsim.plots.convergence import convergence
from demandsim.plots.distributions import distributions, forest
from demandsim.plots.fan import fan
from demandsim.plots.indices import given_data, shapley, sobol
from demandsim.plots.information import information
from demandsim.plots.limits import limits
from demandsim.plots.payoffs import frontier, payoffs
from demandsim.plots.posterior import posterior
from demandsim.plots.roofline import roofline
from demandsim.plots.scatter import scatter
from demandsim.plots.tornado import tornado
from demandsim.plots.waterfall import waterfall

__all__ = [
    "break_even",
    "calibration",
    "cohorts",
    "convergence",
    "distributions",
    "fan",
    "forest",
    "frontier",
    "given_data",
    "information",
    "limits",
    "payoffs",
    "posterior",
    "roofline",
    "save",
    "scatter",
    "scores",
    "shapley",
    "sobol",
    "tornado",
    "waterfall",
]
