"""Decisions: what each action is expected to pay, and what it is worth to learn an assumption first."""

from demandsim.decisions.evaluation import evaluate
from demandsim.decisions.information import value_of_information
from demandsim.decisions.payoffs import BuyOrRent, OrderCards, SetPrice
from demandsim.decisions.sample_information import Measurement

__all__ = ["BuyOrRent", "Measurement", "OrderCards", "SetPrice", "evaluate", "value_of_information"]
