"""Waiting: something moves on a terminal while a command works, and nothing of it is left when it is done."""

import os
import re
import select
import subprocess
import sys
import time

import pytest

from demandsim.cli import _output

pty = pytest.importorskip("pty", reason="a pseudo-terminal is POSIX's")

#: Works until the test has seen enough: no time is measured, so that a busy machine changes nothing.
SCRIPT = """
import pathlib, sys, time
from demandsim.cli import _output

with getattr(_output, sys.argv[1])("refitting"):
    while not pathlib.Path(sys.argv[2]).exists():
        time.sleep(0.02)
print("done", file=sys.stderr)
"""
DEADLINE = 120


def read(master, enough):
    """What comes from a terminal, until it is enough or all."""
    told, until = "", time.monotonic() + DEADLINE
    while not enough(told):
        assert time.monotonic() < until, f"nothing moves: {told!r}"
        if not select.select([master], [], [], 1.0)[0]:
            continue
        try:
            told += os.read(master, 4096).decode(errors="replace")
        except OSError:
            break
    return told


def screen(told):
    """Lines that are left on a terminal, without colours."""
    lines, at = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", told):
        if part == "\n":
            at += 1
            lines += [""] * (at == len(lines))
        elif part == "\x1b[1A":
            at = max(at - 1, 0)
        elif part == "\x1b[2K":
            lines[at] = ""
        elif part[0] not in "\x1b\r":
            lines[at] = part
    return [line for line in lines if line.strip()]


@pytest.mark.parametrize("way", ["progress", "busy"])
def test_something_moves_before_anything_is_told_and_is_wiped_at_the_end(way, tmp_path):
    master, slave = pty.openpty()
    enough = tmp_path / "enough"
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    command = [sys.executable, "-c", SCRIPT, way, str(enough)]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as child:
        os.close(slave)
        try:
            frames = read(master, lambda told: len(set(told.split("refitting"))) > 5)
        finally:
            enough.touch()
        rest = read(master, lambda told: False)
        assert child.wait(DEADLINE) == 0
    os.close(master)
    assert screen(frames + rest) == ["done"]
    # It begins soon enough for people.
    assert _output._PATIENCE <= 0.5


def test_a_pipe_shows_nothing_that_moves(capsys):
    with _output.progress("refitting") as advance:
        advance(1, 2)
    with _output.busy("refitting"):
        pass
    assert capsys.readouterr().err == ""
