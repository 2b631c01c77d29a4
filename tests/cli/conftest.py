"""Commands run in this process: starting Python and scipy anew takes longer than most of them."""

import functools
import sys
import warnings
from types import SimpleNamespace

import pytest
import typer

from demandsim import plots
from demandsim.cli import main

#: The command line reads the options of all its commands anew for each call, which a process makes but once.
COMMANDS = functools.cache(typer.main.get_command)


@pytest.fixture
def pictured(monkeypatch, tmp_path, capsys):
    """Run a command in an empty folder, and say what it left behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(typer.main, "get_command", COMMANDS)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["demandsim", *words])
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            try:
                main()
                code = 0
            except SystemExit as stop:
                code = stop.code or 0
        captured = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=captured.out, stderr=captured.err)

    return run


@pytest.fixture
def demandsim(pictured, monkeypatch):
    """Run a command without its pictures, which take longer than the rest."""
    for name in ("distributions", "fan", "information", "payoffs", "posterior", "shapley", "sobol", "tornado"):
        monkeypatch.setattr(plots, name, lambda *_, **__: None)
    monkeypatch.setattr(plots, "save", lambda _, path: path.touch())
    return pictured
