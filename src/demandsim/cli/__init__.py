"""Command line: ``demandsim run``, ``sensitivity``, ``infer``, ``decide``, ``report``, ``export``, ``mark`` and more.

Results go to standard output, messages and progress to standard error. Exit codes: 0 done, 1 an
error of the model, the data or the disk, 2 a wrong call.
"""

from __future__ import annotations

import atexit
import gc
import io
import sys
import warnings
from typing import Any

import typer

from demandsim.cli._options import worded
from demandsim.cli._output import say
from demandsim.cli._words import asked
from demandsim.cli.backtest import backtest
from demandsim.cli.decide import decide
from demandsim.cli.explore import explore
from demandsim.cli.export import export
from demandsim.cli.infer import infer
from demandsim.cli.inspect import explain, graph, list_, show
from demandsim.cli.ledger import ledger
from demandsim.cli.mark import mark
from demandsim.cli.report import report
from demandsim.cli.run import run
from demandsim.cli.sensitivity import sensitivity
from demandsim.errors import DemandsimError

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Probabilistic models of AI compute demand: distributions on every assumption, intervals on every result.",
    epilog="Begin with: demandsim run guosen-2025-01. Each command has more: demandsim run --help.",
)
for _command in (
    *(run, sensitivity, infer, decide, backtest, ledger, report, export, explore, mark),
    *(list_, show, explain, graph),
):
    # The whole sentence: of its own account the list of commands cuts it.
    app.command(_command.__name__.rstrip("_"), short_help=(_command.__doc__ or "").partition("\n")[0])(_command)


def main() -> None:
    """Run the command line, turning our own errors into one line and exit code 1."""
    # What a command makes stays until its end: to look for garbage in it, and to take it apart, is a fifth of its time.
    # More seldom would cost memory: arrays that hang on each other in circles are let go when garbage is looked for.
    gc.set_threshold(2_000, 10, 10)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        # A console without a character, as Windows has them, shows its code.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words = asked()
    warned: set[str] = set()

    def warn_once(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in warned:
            say(words.say("warning", text=words.message(str(message))))
        warned.add(str(message))

    warnings.showwarning = warn_once
    try:
        code = app(standalone_mode=False)
    except DemandsimError as error:
        say(words.say("error", text=words.message(str(error))))
        code = 1
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if not hasattr(error, "show") or not hasattr(error, "exit_code"):
            raise
        code = _shown(error)
    # typer turns Ctrl-C into exit code 130; ours are 0, 1 and 2.
    if code == 130:
        say(words.say("interrupted"))
        # Python remembers a Ctrl-C in code made from a text, as that of dataclasses is, handled or not, until the next
        # such code, and `python -m` then ends by the signal.
        exec("")
    sys.exit(1 if code == 130 else code or 0)


def _shown(error: Any) -> int:
    """Show a wrong call with its usage, and return the exit code."""
    if isinstance(getattr(error, "message", None), str):
        option = (getattr(getattr(error, "param", None), "opts", None) or [""])[-1]
        error.message = worded(error.message, option, sys.argv[1:])
        if "Missing argument 'STUDY'" in error.format_message():
            error.message = "'demandsim list' names those that ship."
    error.show()
    return int(error.exit_code)
