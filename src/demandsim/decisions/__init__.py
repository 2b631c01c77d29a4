"""Decisions: what each action is expected to pay, and what it is worth to learn an assumption first."""

from demandsim.decisions.evaluate import evaluate
from demandsim.decisions.measurement import Measurement
from demandsim.decisions.net_benefit import net_benefit_of_sampling
from demandsim.decisions.payoffs import BuyOrRent, OrderCards, SetPrice
from demandsim.decisions.value_of_information import value_of_information

__all__ = [
    "BuyOrRent",
    "Measurement",
    "OrderCards",
    "SetPrice",
    "evaluate",
    "net_benefit_of_sampling",
    "value_of_information",
]
