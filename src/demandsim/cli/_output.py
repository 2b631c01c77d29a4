"""Terminal and files: what is printed where, how it looks in a pipe, and results written whole or not at all."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console

from demandsim._system import printable, written_whole
from demandsim.cli._options import Format
from demandsim.cli._table import Column, laid_out, wrapped
from demandsim.errors import OutputError
from demandsim.graph.changes import changes_line
from demandsim.statistics.table import csv_text

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.locale.words import Words
    from demandsim.model import Model

__all__ = [
    "Folder",
    "Results",
    "busy",
    "check_folder",
    "print_line",
    "print_table",
    "print_title",
    "progress",
    "say",
]


#: Seconds before a bar is shown.
_PATIENCE = 0.3


def _console(error: bool = False) -> Console:
    """A console that is plain in a pipe: no colour, no boxes, no folding at 80 columns."""
    stream = sys.stderr if error else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, color_system=None, width=400)


def _width(console: Console) -> int | None:
    """Cells of a line of a terminal; a pipe has no end."""
    return console.width if console.is_terminal else None


def print_line(text: str = "", *, style: str | None = None, indent: int = 2) -> None:
    """Print a line to standard output; on a terminal it is broken between words, further lines are indented."""
    console = _console()
    for line in wrapped(printable(text), _width(console), indent):
        console.print(line, style=style, markup=False, emoji=False, soft_wrap=True)


def print_title(model: Model, words: Words) -> None:
    """Print what the study is called, and what was changed in it."""
    print_line(words.text(model.notes.title or model.notes.name or words.say("model")), style="bold", indent=0)
    if model.changes:
        print_line(changes_line(model.notes.name, model.changes, words=words))


def print_table(columns: Sequence[Column | str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to standard output that fits the terminal: fewer columns beside each other, never half a number.

    Parameters
    ----------
    columns : sequence of Column or str
        The first is the name of the row. A text is the head of numbers.
    rows : iterable of sequence of str
    """
    console = _console()
    heads = [replace(c, head=printable(c.head)) if isinstance(c, Column) else Column(printable(c)) for c in columns]
    parts = laid_out(heads, [[printable(cell) for cell in row] for row in rows], _width(console))
    for number, part in enumerate(parts):
        rule = ["─" * max(map(cell_len, (*part.head, *part.body)))] if console.is_terminal else []
        for line in [""] * bool(number) + [*part.head, *rule]:
            console.print(line, style="bold", markup=False, emoji=False, soft_wrap=True)
        for line in part.body:
            console.print(line, markup=False, emoji=False, soft_wrap=True)


def say(text: str, *, whole: bool = False) -> None:
    """Print a message to standard error; one that is whole, such as a command to copy, is not broken into lines."""
    console = _console(error=True)
    for line in [printable(text)] if whole else wrapped(printable(text), _width(console), 2):
        console.print(line, markup=False, emoji=False, soft_wrap=True)


@contextmanager
def progress(what: str) -> Iterator[Any]:
    """Yield a callback that moves a bar, which a terminal shows soon: it runs to and fro until something is told."""
    console = _console(error=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    task = bar.add_task(what, total=None)
    # By a clock of its own: what computes may be long in telling for the first time.
    begin = threading.Timer(_PATIENCE, bar.start)
    begin.daemon = True
    begin.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        begin.cancel()
        begin.join()
        bar.stop()


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something is going on whose end cannot be told beforehand."""
    console = _console(error=True)
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


class Folder:
    """Where a command writes its files, each whole or not at all; tried out before any work.

    Parameters
    ----------
    path : Path
    suffix : str, optional
        Of its pictures.
    """

    def __init__(self, path: Path, suffix: str = ".png") -> None:
        check_folder(path)
        self.path, self.suffix = path, suffix
        self.written: list[Path] = []

    @contextmanager
    def _adding(self, name: str) -> Iterator[Path]:
        """Turn a fault of the disk into one clear error."""
        try:
            yield self.path / name
        except OSError as error:
            raise OutputError(
                f"cannot write results to '{self.path}': {error.strerror or error}; nothing is half-written"
            ) from None
        self.written.append(self.path / name)

    def add_draws(self, draws: xr.Dataset) -> None:
        """Write ``draws.nc``."""
        from demandsim.sampling.store.netcdf import write_netcdf

        with self._adding("draws.nc") as path:
            write_netcdf(draws, path)

    def add_text(self, name: str, text: str) -> None:
        """Write a file of text."""
        with self._adding(name) as path, written_whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")

    def add_picture(self, name: str, draw: Callable[..., Any], *parts: Any, **settings: Any) -> None:
        """Draw a picture and write it under a name that gets its suffix here."""
        from demandsim import plots

        with self._adding(name + self.suffix) as path:
            plots.save(draw(*parts, **settings), path)


@dataclass(frozen=True)
class Results:
    """What a command has found: the one way in which results are printed.

    Parameters
    ----------
    records : sequence of mappings
        A row each.
    attrs : mapping
        Of the dataset that they come from; its numbers and texts stand at the top of the JSON.
    labels : sequence of str, optional
        Columns that stand behind the first, also where the first record has not got them.
    more : mapping, optional
        What the JSON says besides.
    """

    records: Sequence[Mapping[str, Any]]
    attrs: Mapping[Any, Any]
    labels: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def csv(self) -> str:
        """The records as CSV, a line each, numbers in full."""
        if not self.labels:
            return csv_text(self.records)
        found = list(dict.fromkeys(key for record in self.records for key in record))
        return csv_text(self.records, list(dict.fromkeys([found[0], *self.labels, *found])))

    @property
    def json(self) -> str:
        """All of it as JSON."""
        plain = {key: value for key, value in self.attrs.items() if isinstance(value, (str, int, float))}
        everything = {**plain, **self.more, "rows": list(self.records)}
        return json.dumps(_finite_or_null(everything), indent=2, allow_nan=False)

    def print(
        self, format_: Format, table: Callable[[], None], written: Sequence[Path], replay: str, words: Words
    ) -> None:
        """Print the results as asked for, then which files there are and the command that gives the same again."""
        if format_ is Format.TABLE:
            table()
        else:
            sys.stdout.write(self.json if format_ is Format.JSON else self.csv)
        say(words.say("written", files=", ".join(map(str, written))), whole=True)
        say(words.say("replay", command=replay), whole=True)


def _finite_or_null(value: Any) -> Any:
    """What JSON can hold: numbers that are none become null."""
    if isinstance(value, Mapping):
        return {key: _finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite_or_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
