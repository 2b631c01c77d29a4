"""Command line: ``demandsim run``, ``sensitivity``, ``infer``, ``decide``, ``report``, ``export``, ``mark`` and more.

Results go to standard output, messages and progress to standard error. Exit codes: 0 done, 1 an
error of the model, the data or the disk, 2 a wrong call.
"""

from __future__ import annotations

import io
import sys
import warnings

import typer

from demandsim.cli._output import say
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
)
app.command()(run)
app.command()(sensitivity)
app.command()(infer)
app.command()(decide)
app.command()(backtest)
app.command()(ledger)
app.command()(report)
app.command()(export)
app.command()(explore)
app.command()(mark)
app.command("list")(list_)
app.command()(show)
app.command()(explain)
app.command()(graph)


def main() -> None:
    """Run the command line, turning our own errors into one line and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        # A console without a character, as Windows has them, shows its code.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = lambda message, *_, **__: say(f"warning: {message}")
    try:
        app()
    except DemandsimError as error:
        say(f"error: {error}")
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as stop:
        # typer turns Ctrl-C into exit code 130; ours are 0, 1 and 2.
        if isinstance(stop, SystemExit) and stop.code != 130:
            raise
        say("interrupted; nothing half-written was left behind")
        sys.exit(1)
