"""Terminal: what is printed where, and how it looks in a pipe; folders checked before any work."""

from __future__ import annotations

import math
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from demandsim.errors import OutputError

__all__ = [
    "busy",
    "check_folder",
    "finite_or_null",
    "open_console",
    "print_table",
    "progress",
    "replay",
    "say",
    "writing",
]


def open_console(error: bool = False) -> Console:
    """A console that is plain in a pipe: no colour, no boxes, no folding at 80 columns."""
    stream = sys.stderr if error else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, color_system=None, width=400)


def print_table(table: Table) -> None:
    """Print a table to standard output, without blanks at the ends of lines."""
    console = open_console()
    table.box = SIMPLE_HEAD if console.is_terminal else None
    table.show_edge = False
    table.pad_edge = False
    table.collapse_padding = False
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def say(text: str) -> None:
    """Print a message to standard error."""
    open_console(error=True).print(text, markup=False, soft_wrap=True)


@contextmanager
def progress(what: str) -> Iterator[Any]:
    """Yield a callback that shows a progress bar on a terminal, once a second has passed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = open_console(error=True)
    bar = Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    began, task = time.monotonic(), None

    def advance(done: int, total: int) -> None:
        nonlocal task
        if task is None and done < total and time.monotonic() - began > 1.0 and console.is_terminal:
            bar.start()
            task = bar.add_task(what, total=total)
        if task is not None:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        bar.stop()


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something is going on whose end cannot be told beforehand."""
    console = open_console(error=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def check_folder(out: Path) -> None:
    """Find out before any work whether results can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write to folder '{out}': {error.strerror or error}; choose another with --out"
        ) from None


def replay(
    command: str,
    study: str,
    attrs: Mapping[Any, Any],
    design: str,
    prob: float,
    sets: Sequence[str],
    scenarios: Sequence[str],
    of: Sequence[str] = (),
) -> str:
    """Return the command that gives the same draws again."""
    words = ["demandsim", command, study, *(word for name in of for word in ("--of", name))]
    words += ["--seed", str(attrs["seed"]), "--draws", str(attrs["draws"]), "--chains", str(attrs["chains"])]
    words += ["--design", design] if design != "sobol" else []
    words += ["--prob", f"{prob:g}"] if prob != 0.9 else []
    words += [word for item in sets for word in ("--set", item)]
    words += [word for item in scenarios for word in ("--scenario", item)]
    return shlex.join(words)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a fault of the disk, while results are written to a folder, into one clear error."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write results to '{folder}': {error.strerror or error}; nothing is half-written"
        ) from None


def finite_or_null(value: Any) -> Any:
    """What JSON can hold: numbers that are none become null."""
    if isinstance(value, Mapping):
        return {key: finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite_or_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
