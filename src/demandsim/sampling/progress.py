"""Progress: how far a computation has come, told to whoever asked, or on a line of the terminal or notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from demandsim.errors import DemandsimError

__all__ = ["Progress", "Report", "reporting"]

#: Takes how much is done, and of how much.
type Report = Callable[[int, int], None]
#: What an argument `progress` may be: a report, or True for a line.
type Progress = Report | bool | None

#: Seconds before anything is shown, and between two changes of the line.
_PATIENCE = 0.5
_PAUSE = 0.1


def reporting(progress: Progress, what: str) -> Report:
    """Return the function that a computation calls as it goes on.

    Parameters
    ----------
    progress : callable, bool or None
        Called with (done, total); True writes a line to standard error after half a second, None and False nothing.
    what : str
        What is going on, for the line.

    Raises
    ------
    DemandsimError
        If it is neither.

    Examples
    --------
    >>> report = reporting(print, "sobol")
    >>> report(1, 8)
    1 8
    """
    if progress is None or progress is False:
        return lambda done, total: None
    if progress is True:
        return _Line(what)
    if not callable(progress):
        raise DemandsimError(f"progress must be True, or a function of (done, total) such as print, not {progress!r}")
    return progress


class _Line:
    """A line that is written over as work goes on, and wiped when it is done."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.began = time.monotonic()
        self.last = 0.0
        self.width = 0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total:
            if self.width:
                self._write("")
                sys.stderr.write("\r")
                sys.stderr.flush()
                self.width = 0
            return
        if now - self.began < _PATIENCE or now - self.last < _PAUSE:
            return
        left = (now - self.began) * (total - done) / done if done else 0.0
        self._write(
            f"{self.what}: {done:,} of {total:,} ({done / total:.0%})" + (f", {left:.0f} s left" if left else "")
        )
        self.last = now

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)
