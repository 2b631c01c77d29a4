"""The documentation does what it says: every block runs, consoles print what they show, links lead somewhere."""

import functools
import importlib
import inspect
import re
import runpy
import shlex
import sys
import warnings
from pathlib import Path

import pytest
import typer

import demandsim as ds
from demandsim.cli import _output

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: Folders that the build writes.
WRITTEN = {"_build", "gallery", "api"}
PAGES = sorted(page for page in DOCS.rglob("*.md") if not WRITTEN & set(page.relative_to(DOCS).parts))
BLOCK = re.compile(r"^```(?:\{code-block\} )?(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r"\A:caption: (\S+)\n+")


def named(page):
    return str(page.relative_to(DOCS))


def blocks(text):
    """Language, file that it stands for, and text of every block; "printed" where it follows a Python block."""
    before, end = "", 0
    for found in BLOCK.finditer(text):
        language, body = found.groups()
        if language == "text" and before == "python" and not text[end : found.start()].strip():
            language = "printed"
        before, end = language, found.end()
        caption = CAPTION.match(body)
        yield language, caption and caption[1], CAPTION.sub("", body)


def lines(text):
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def commands(body):
    """Each command of a console, and the lines that it is said to print."""
    for part in re.split(r"^\$ ", body.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield shlex.split(command, comments=True), lines(shown)


#: The command line reads the options of all its commands anew for each call, which a process makes but once.
COMMANDS = functools.cache(typer.main.get_command)


def ran(words, monkeypatch, capsys):
    """Lines that a command prints, results first; its pictures have a contract of their own, and stay empty here."""
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", words)
        patch.setattr(typer.main, "get_command", COMMANDS)
        patch.setattr(_output.Folder, "add_picture", lambda self, name, *_, **__: self.add_text(name + self.suffix, ""))
        patch.setattr(warnings, "showwarning", warnings.showwarning)
        if words[0] == "python":
            runpy.run_path(words[1], run_name="__main__")
        else:
            with pytest.raises(SystemExit):
                importlib.import_module("demandsim.cli").main()
    said = capsys.readouterr()
    return lines(said.out + said.err)


# Workbooks on pages are made without Excel, which would save values with their formulas.
@pytest.mark.filterwarnings("ignore:.*nothing to check against")
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "a page"}
    for place, (language, file, body) in enumerate(blocks(page.read_text(encoding="utf-8"))):
        if file:
            Path(file).write_text(body, encoding="utf-8")
        elif language == "python":
            capsys.readouterr()
            # From a file, so that equations find their source, as a reader's would.
            script = tmp_path / f"block_{place}.py"
            script.write_text(body, encoding="utf-8")
            exec(compile(body, script, "exec"), namespace)
        elif language == "printed":
            assert lines(capsys.readouterr().out) == lines(body)
        elif language == "console":
            for words, shown in commands(body):
                if words[0] not in ("demandsim", "python"):
                    continue
                printed = iter(ran(words, monkeypatch, capsys))
                # In order, with whatever was left out in between: `in` moves the iterator on.
                missing = [line for line in shown if line not in ("", "...") and line not in printed]
                assert not missing, f"{' '.join(words)} does not print {missing[0]!r} (there)"


# Links


def anchors(page):
    """Anchors of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("*.md"))], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        # Sphinx also takes a page without its ending; some pages exist only once it has run.
        if DOCS in found.parents and not found.exists():
            inside = found.relative_to(DOCS)
            if inside.parts[0] == "gallery" or inside.with_suffix("") == Path("reference/equations"):
                continue
            found = found.with_suffix(".md")
        assert found.exists(), f"{target} leads nowhere"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target}: there is no such heading"


# Completeness


def public():
    for name in ds.__all__:
        found = getattr(ds, name)
        if not inspect.ismodule(found):
            yield f"demandsim.{name}"
        elif name != "equations":  # they have a page of their own, written from their registry
            yield from (f"demandsim.{name}.{inner}" for inner in found.__all__)


def test_every_public_name_is_on_the_page_of_names():
    listed, module = set(), ""
    for line in (DOCS / "reference" / "api.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            listed.add(f"{module}.{line.strip()}")
    assert listed >= set(public())
    for name in listed:
        parent, _, own = name.rpartition(".")
        assert hasattr(importlib.import_module(parent), own), f"{name} is listed, and does not exist"


def test_every_command_has_its_help_on_the_page_of_commands():
    from demandsim.cli import app

    text = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    own = {command.name or command.callback.__name__.strip("_") for command in app.registered_commands}
    assert set(re.findall(r"^```\{command-help\} (\w+)$", text, re.MULTILINE)) == own


def test_files_that_the_guide_to_changes_names_are_there():
    text = (DOCS / "how-to" / "contribute.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w/]+\.(?:py|toml|json))`", text) if name.lower() == name}
    assert len(named) > 12
    for name in named:
        folders = (ROOT, ROOT / "src" / "demandsim", *(ROOT / "src" / "demandsim").iterdir())
        assert any((folder / name).exists() for folder in folders), f"{name} is named, and is not there"


def test_our_side_of_every_comparison_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "how-to" / "coming-from.md").read_text(encoding="utf-8")
    namespace = {}
    for language, _, body in blocks(text):
        if language == "python":
            exec(compile(body, "<page>", "exec"), namespace)
    ours = re.findall(r"^\| .* \| `([^`]*)` \|$", text, re.MULTILINE)
    assert len(ours) > 40
    for call in ours:
        assert eval(call, dict(namespace)) is not None, call
