"""Plots: one function a picture, readable without the code.

Each takes labelled Datasets and returns the Axes of one matplotlib figure, which `save` writes.
"""

from demandsim.plots.bands import fan
from demandsim.plots.canvas import save
from demandsim.plots.choices import frontier, payoffs
from demandsim.plots.limits import limits
from demandsim.plots.maps import break_even
from demandsim.plots.relations import scatter
from demandsim.plots.roofs import roofline
from demandsim.plots.settling import convergence
from demandsim.plots.shares import shapley, sobol
from demandsim.plots.spread import distributions, forest
from demandsim.plots.stacks import cohorts
from demandsim.plots.steps import waterfall
from demandsim.plots.swings import tornado
from demandsim.plots.updates import posterior
from demandsim.plots.worth import information

__all__ = [
    "break_even",
    "cohorts",
    "convergence",
    "distributions",
    "fan",
    "forest",
    "frontier",
    "information",
    "limits",
    "payoffs",
    "posterior",
    "roofline",
    "save",
    "scatter",
    "shapley",
    "sobol",
    "tornado",
    "waterfall",
]
