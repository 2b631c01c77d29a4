"""Testing your own model: hypothesis strategies, and invariants that are one line each.

A strategy draws distributions, assumptions, whole models, or values that a model's assumptions may take;
an ``assert_`` function looks for values at which a law of physics or accounting does not hold, and shows
the simplest that it finds. Needs the extra: ``pip install 'demandsim[testing]'``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from demandsim.errors import DemandsimError, did_you_mean

if TYPE_CHECKING:
    from demandsim.testing.agreement import assert_bounded, assert_conserved, assert_same
    from demandsim.testing.labels import assert_order_invariant, assert_scenarios_paired
    from demandsim.testing.scaling_laws import assert_homogeneous, assert_monotone
    from demandsim.testing.strategies.distributions import distributions
    from demandsim.testing.strategies.models import assumptions, models
    from demandsim.testing.strategies.values import values_within
    from demandsim.testing.units import assert_unit_invariant

__all__ = [
    "assert_bounded",
    "assert_conserved",
    "assert_homogeneous",
    "assert_monotone",
    "assert_order_invariant",
    "assert_same",
    "assert_scenarios_paired",
    "assert_unit_invariant",
    "assumptions",
    "distributions",
    "models",
    "values_within",
]

_ROOMS = {
    "agreement": ("assert_bounded", "assert_conserved", "assert_same"),
    "strategies.distributions": ("distributions",),
    "strategies.models": ("assumptions", "models"),
    "labels": ("assert_order_invariant", "assert_scenarios_paired"),
    "units": ("assert_unit_invariant",),
    "scaling_laws": ("assert_homogeneous", "assert_monotone"),
    "strategies.values": ("values_within",),
}


def __getattr__(name: str) -> Any:
    # Only here is hypothesis imported, which not everyone has: `from demandsim import *` works without.
    for room, names in _ROOMS.items():
        if name in names:
            try:
                return getattr(importlib.import_module(f"{__name__}.{room}"), name)
            except ModuleNotFoundError as error:
                if error.name is None or error.name.partition(".")[0] != "hypothesis":
                    raise
                raise DemandsimError(
                    "demandsim.testing needs hypothesis; install it with: pip install 'demandsim[testing]'"
                ) from None
    raise AttributeError(f"demandsim.testing has no '{name}'{did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    return __all__
