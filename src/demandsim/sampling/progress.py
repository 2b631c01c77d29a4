"""Progress: how far a computation has come, told to whoever asked, or on a line of the terminal or notebook."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from demandsim.errors import DemandsimError

__all__ = ["Progress", "Report", "part", "reporting", "rising"]

#: Takes how much is done, and of how much.
type Report = Callable[[int, int], None]
#: What an argument `progress` may be: a report, or True for a line.
type Progress = Report | bool | None

#: Seconds before anything is shown, and between two changes of the line.
_PATIENCE = 0.5
_PAUSE = 0.1
#: Parts in which a course is counted, so that a percent of it shows.
_PARTS = 1000


def reporting(progress: Progress, what: str) -> Report:
    """Return the function that a computation calls as it goes on.

    Parameters
    ----------
    progress : callable, bool or None
        Called with (done, total); True shows after half a second a line on standard error, or in a notebook a bar
        under the cell; None and False show nothing.
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
        return (_Cell if _in_notebook() else _Line)(what)
    if not callable(progress):
        raise DemandsimError(f"progress must be True, or a function of (done, total) such as print, not {progress!r}")
    return progress


def part(report: Report, start: float, stop: float) -> Report:
    """Return the report of a part of a way, from one share of the whole to another.

    Examples
    --------
    >>> part(print, 0.2, 0.6)(1, 2)
    400 1000
    """
    return lambda done, total: report(round(_PARTS * (start + (stop - start) * min(done / total, 1.0))), _PARTS)


def rising(report: Report) -> Report:
    """Return a report that passes on what rises, and nothing else, also from several threads.

    Where nobody knows how long a computation is, its parts are estimates, of which some are done twice and some never.

    Examples
    --------
    >>> report = rising(print)
    >>> report(1, 4), report(1, 4), report(3, 4)
    1 4
    3 4
    (None, None, None)
    """
    reached, lock = -1.0, threading.Lock()

    def rise(done: int, total: int) -> None:
        nonlocal reached
        with lock:
            if done / total > reached:
                reached = done / total
                report(done, total)

    return rise


def _in_notebook() -> bool:
    """Whether what is shown goes to a notebook: its shell was there before us."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


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
                self._wipe()
                self.width = 0
            return
        if now - self.began < _PATIENCE or now - self.last < _PAUSE:
            return
        left = (now - self.began) * (total - done) / done if done else 0.0
        # Of what is counted in parts alone, the percentage says it all.
        counted = "" if total == _PARTS else f"{done:,} of {total:,} "
        share = f"({done / total:.0%})" if counted else f"{done / total:.0%}"
        text = f"{self.what}: {counted}{share}" + (f", {left:.0f} s left" if left else "")
        self._write(text, done / total)
        self.last, self.width = now, len(text)

    def _write(self, text: str, share: float) -> None:
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()

    def _wipe(self) -> None:
        sys.stderr.write("\r" + " " * self.width + "\r")
        sys.stderr.flush()


class _Cell(_Line):
    """A bar under a cell of a notebook, drawn by the browser; it needs no widgets."""

    handle: Any = None

    def _write(self, text: str, share: float) -> None:
        bar = f'<progress value="{share:.3f}" max="1" style="vertical-align: middle"></progress> {text}'
        self._show({"text/plain": text, "text/html": bar})

    def _wipe(self) -> None:
        self._show({"text/plain": "", "text/html": ""})

    def _show(self, bundle: dict[str, str]) -> None:
        if self.handle is None:
            self.handle = importlib.import_module("IPython.display").display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)
