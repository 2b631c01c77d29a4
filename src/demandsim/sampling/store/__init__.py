"""Stores: draws on disk, written block by block, so that an interrupted run goes on where it stopped.

A store says which run it belongs to and which of its blocks are whole. A block is marked only after
its numbers are written; every number is under a checksum; what is finished is sealed, and a store without
its seal, or that does not agree with it, is not opened.
"""

from demandsim.sampling.store.reading import open_draws
from demandsim.sampling.store.writing import write_store

__all__ = ["open_draws", "write_store"]
