"""A new user with nothing but README, step by step, in an empty folder with an empty home; every step is read."""

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import openpyxl
import pytest

from demandsim.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def command(start):
    """The command that README writes with these words at its beginning, without its comment."""
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    found = next((line for line in lines if line.startswith(start)), None)
    assert found is not None, f"README has no command '{start} ...'"
    return shlex.split(found, comments=True)


def row(printed, name, head=""):
    """Cells of a row of a printed table, below a heading: what a user reads on a line."""
    below = printed[printed.index(f"\n{head} ") + 1 :] if head else printed
    return next(line.split() for line in below.splitlines() if line.split()[:1] == [name])


def test_ten_minutes_with_nothing_but_readme(tmp_path, monkeypatch, capsys):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)

    # The demo, as a process of its own, where nothing is set but the path.
    words = command("demandsim run guosen-2025-01")
    bare = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
    # Where Windows and a machine without settings keep what a process cannot do without.
    bare |= {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
    demo = subprocess.run(
        [sys.executable, "-m", *words, "--draws", "512", "--seed", "1"],
        env=bare, capture_output=True, text=True, timeout=300, encoding="utf-8",
    )  # fmt: skip
    assert demo.returncode == 0, demo.stderr
    cards = row(demo.stdout, "cards", "100T")
    # README: 85.78 (in 10,000 cards) is one point of an interval from 21 to 369.
    assert cards[1] == "85.78"
    low, middle, high = map(float, cards[4:7])
    assert 19 < low < 23 < 80 < middle < 95 < 340 < high < 400
    assert re.search(r"covers its compute cost:\n  100T: 4\d\.\d%", demo.stdout)
    # Every file that it says it wrote is there, and the command that gives the same again is README's own.
    written = re.search(r"^written: (.*)$", demo.stderr, re.MULTILINE)[1].split(", ")
    assert len(written) == 3
    assert all(Path(name).stat().st_size > 100 for name in written)
    assert f"replay:  {shlex.join(words)} --seed 1" in demo.stderr

    def ran(words):
        """What a command prints; in this process, as starting Python takes longer than most of them."""
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        capsys.readouterr()
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            with pytest.raises(SystemExit) as stop:
                main()
        said = capsys.readouterr()
        assert not stop.value.code, said.err
        return said

    # A model of one's own with two scenarios and a correlation: the block of README, changed where a user would.
    own = next(block for block in blocks("python") if "own = ds.Model(" in block)
    assert "own = own.correlate(" in own
    assert "own = own.with_scenarios(" in own
    script = work / "own.py"
    script.write_text("import demandsim as ds\n" + own.replace("own.simulate(seed=1)", "own.simulate(512, seed=1)"))
    namespace = {"__name__": "own"}
    exec(compile(script.read_text(), script, "exec"), namespace)
    printed = capsys.readouterr().out
    base = [float(cell.replace(",", "")) for cell in row(printed, "cards")[2:6]]
    measured = [
        float(cell) for cell in next(line for line in printed.splitlines() if "as measured" in line).split()[2:6]
    ]
    # Three times less used is three times more cards, and the table says so where README's does.
    shown = next(block for block in blocks("text") if "as measured" in block)
    said = [float(cell) for cell in row(shown, "cards")[2:6]]
    assert all(abs(one / other - 1) < 0.1 for one, other in zip(base, said, strict=True))
    assert 2.5 < measured[2] / base[2] < 3.5

    # A picture with a title of one's own, as README writes one.
    line = next(line for block in blocks("python") for line in block.splitlines() if "title=" in line)
    title = re.search(r'title="([^"]*)"', line)[1]
    import demandsim as ds

    moved = ds.sensitivity.tornado(namespace["own"], "cards")
    axes = eval(re.search(r"ds\.plots\.save\((.*), ", line)[1], {"ds": ds, "moved": moved})
    ds.plots.save(axes, "own.png")
    assert Path("own.png").read_bytes().startswith(b"\x89PNG")
    figure = axes.flat[0].figure
    texts = [figure.get_suptitle(), *(text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text")))]
    assert title in texts

    # A page for a colleague, whole in itself.
    said = ran([*command("demandsim report guosen-2025-01"), "--draws", "256", "--seed", "1", "--of", "cards"])
    page = Path(re.search(r"^written: (.*)$", said.err, re.MULTILINE)[1]).read_text(encoding="utf-8")
    assert "857,772" in page or "85.78" in page
    assert "AI inference demand" in page
    assert not re.search(r"(?:src|href)=\"https?://[^\"]*\.(?:js|css|png|woff)", page)

    # The workbook: a framed cell is edited, saved, and read back; the change is in the numbers.
    export = command("demandsim export guosen-2025-01")
    said = ran([*export, "--draws", "0"])
    again = re.search(r"then: (demandsim run .*)$", said.err, re.MULTILINE)[1]
    assert again in README
    book = openpyxl.load_workbook(export[-1])
    sheet = book["assumptions"]
    heads = {cell.value: cell.column for cell in sheet[2]}
    (place,) = (cells[0].row for cells in sheet.iter_rows(min_row=3) if cells[heads["name"] - 1].value == "utilization")
    edited = command("demandsim run guosen-2025-01 --set")
    name, _, distribution = edited[edited.index("--set") + 1].partition("=")
    assert name == "utilization"
    sheet.cell(place, heads["distribution"]).value = distribution
    sheet.cell(place, heads["point"]).value = None
    book.save(export[-1])
    said = ran([*shlex.split(again), "--draws", "512", "--seed", "1"])
    told = re.search(r"^changed from guosen-2025-01: utilization 0\.45 ~ .* -> 0\.1\d+ ~ (.*)$", said.out, re.MULTILINE)
    assert told[1] == distribution
    # README: with the utilization of production the median is 2,457,159 cards.
    median = float(row(said.out, "cards", "100T")[5])
    assert "2,457,159" in README
    assert abs(median / 245.7 - 1) < 0.1

    # Nothing of ours is left in the home.
    assert not [path for path in home.rglob("*") if "demandsim" in path.name]
