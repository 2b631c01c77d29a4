"""Probabilistic models of AI compute demand.

Distributions on every assumption, credible intervals on every result. A lazy menu: nothing is
imported until it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
