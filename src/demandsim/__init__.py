"""Probabilistic models of AI compute demand.

Distributions on every assumption, credible intervals on every result. A lazy menu: nothing is
imported until it is used.
"""

import sys
from typing import Any

import lazy_loader

_found, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _found(name)
    except AttributeError:
        if name in __all__:
            raise
    # With these Python names the nearest that there is.
    raise AttributeError(f"module 'demandsim' has no attribute '{name}'", name=name, obj=sys.modules[__name__])
