"""Sensitivity: which assumption matters, by how much, and why a forecast moved."""

from demandsim.sensitivity.bridge import bridge
from demandsim.sensitivity.given_data import given_data, regional
from demandsim.sensitivity.hsic import hsic
from demandsim.sensitivity.nearest_neighbours import nearest_neighbours
from demandsim.sensitivity.shapley import shapley
from demandsim.sensitivity.sobol import sobol
from demandsim.sensitivity.tornado import tornado

__all__ = ["bridge", "given_data", "hsic", "nearest_neighbours", "regional", "shapley", "sobol", "tornado"]
