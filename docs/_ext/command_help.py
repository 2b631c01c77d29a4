"""The directive ``command-help NAME``: what ``demandsim NAME --help`` prints."""

from __future__ import annotations

from typing import Any

import typer
from docutils import nodes
from docutils.parsers.rst import Directive

from demandsim.cli import app


class CommandHelp(Directive):
    """Help of one command, at the width of a page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Ask the command itself."""
        name = self.arguments[0]
        command = typer.main.get_command(app).commands.get(name)  # type: ignore[attr-defined]
        if command is None:
            raise self.error(f"there is no command '{name}'")
        with command.make_context(name, [], resilient_parsing=True, terminal_width=100) as context:
            text = command.get_help(context).replace(f"Usage: {name}", f"Usage: demandsim {name}")
        return [nodes.literal_block(text, text, language="text")]


def setup(application: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    application.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
