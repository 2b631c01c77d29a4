"""Sketches: moments and quantiles of a stream, mergeable, in bounded memory, of proven error."""

from demandsim.statistics.sketch.bins import EVERYWHERE, MANTISSA_BITS, Focus, focus_on, guessed_focus
from demandsim.statistics.sketch.moments import TAME, Moments, merged_moments, moments_of
from demandsim.statistics.sketch.sketch import Sketch, Table, merged, repeated, sketch_of

__all__ = [
    "EVERYWHERE",
    "MANTISSA_BITS",
    "TAME",
    "Focus",
    "Moments",
    "Sketch",
    "Table",
    "focus_on",
    "guessed_focus",
    "merged",
    "merged_moments",
    "moments_of",
    "repeated",
    "sketch_of",
]
