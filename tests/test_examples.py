"""Examples and documents do what they say: every script runs, every snippet is executed."""

import ast
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest

import demandsim as ds

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


def said_by(script, folder, monkeypatch, capsys):
    """What a script prints as a program of its own, in this process: starting Python anew takes half of its time."""
    import matplotlib.pyplot as plt

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])
    with plt.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("default")
        runpy.run_path(str(script), run_name="__main__")
    plt.close("all")
    return capsys.readouterr().out


def test_an_example_runs_as_a_process(tmp_path):
    script = ROOT / "examples" / "quickstart.py"
    result = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    assert list((tmp_path / "out").glob("*.png"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs_and_draws_its_picture(script, tmp_path, monkeypatch, capsys):
    assert said_by(script, tmp_path, monkeypatch, capsys).strip()
    pictures = list((tmp_path / "out").glob("*.png"))
    assert pictures
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def snippets(path, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_readme_runs_from_top_to_bottom(capsys, monkeypatch, tmp_path):
    namespace: dict = {}
    blocks = snippets("README.md", "python")
    monkeypatch.chdir(tmp_path)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert any("857,772" in line for line in printed)
    assert "2,457,159" in printed
    assert "[ True False]" in printed
    # What the README shows is what its snippets print; the Chinese one has the same snippets.
    for block in (*snippets("README.md", "text"), *snippets("README.zh.md", "text")):
        lines = block.splitlines()
        assert any(printed[at : at + len(lines)] == lines for at in range(len(printed))), lines[0]
    assert (tmp_path / "tornado.png").stat().st_size > 10_000
    assert namespace["covers"].probability.sel(scenario="100T").item() == pytest.approx(0.486, abs=0.0005)
    low, high = (namespace["summary"].cards.sel(scenario="100T", statistic=s).item() / 1e4 for s in ("lower", "upper"))
    # The interval that the README states in words.
    assert (round(low), round(high)) == (21, 369)


def test_both_readmes_have_the_same_commands_and_snippets():
    def code(readme):
        """Snippets without what is translated: comments, docstrings, sources."""
        tree = ast.parse("".join(snippets(readme, "python")))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.body = node.body[1:]
            elif isinstance(node, ast.keyword) and node.arg == "source":
                node.value = ast.Constant("")
        return ast.dump(tree)

    def commands(readme):
        return [shlex.split(line, comments=True) for line in "".join(snippets(readme, "console")).splitlines()]

    assert code("README.md") == code("README.zh.md")
    assert commands("README.md") == commands("README.zh.md")


def test_the_page_on_the_value_of_information_runs_and_says_what_comes_out(capsys):
    namespace: dict = {}
    page = "docs/explanation/value-of-information.md"
    for block in snippets(page, "python"):
        exec(compile(block, "<page>", "exec"), namespace)
    said = capsys.readouterr().out
    assert said.split()[:6] == ["[0.96", "0.04]", "[0.", "3.07]", "3.07", "2.7"]
    assert "best: 64 people" in said
    five, four = (line.split() for line in said.splitlines()[-2:])
    assert [float(cell) for cell in five[2:5]] == pytest.approx([0.4, 0.4, 0.4], abs=0.02)
    assert [float(cell) for cell in four[3:5]] == pytest.approx([0, 0], abs=0.05)


def test_the_study_file_of_the_documentation_loads(tmp_path):
    first, *_, dims, evidence = snippets("docs/reference/study-files.md", "toml")
    path = tmp_path / "study.toml"
    path.write_text(f"{first}\n{evidence}", encoding="utf-8")
    assert len(ds.load_study(path).evidence) == 3
    path.write_text(first, encoding="utf-8")
    model = ds.load_study(path)
    for row in model.notes.published:
        found = ds.convert(model.point()[row.quantity], row.unit)
        for scenario, value in row.values.items():
            assert found.sel(scenario=scenario).item() == pytest.approx(value, abs=0.5 * 10**-row.digits)
    table = tomllib.loads(dims)["assumptions"]["peak_compute"]
    assert table["shared"] is True
    path.write_text(
        first.replace(
            'distribution = "lognormal(500, 1200, prob=0.9)"', f"distribution = '{table['distribution']}'"
        ).replace("[assumptions.peak_compute]", "[coords]\nyear = [2025, 2026, 2027]\n\n[assumptions.peak_compute]"),
        encoding="utf-8",
    )
    assert ds.load_study(path).simulate(draws=64, seed=1).cards.dims == ("scenario", "chain", "draw", "year")
