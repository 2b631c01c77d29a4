"""Studies of a stranger: no text of one leaves its folder, steers a terminal, is a formula or breaks a picture."""

import csv
import io
import time
from pathlib import Path

import pytest

import demandsim as ds
from demandsim import plots
from demandsim._system import file_name, printable
from demandsim.errors import DemandsimError, OutputError, StudyError
from demandsim.sampling.store.netcdf import write_netcdf
from demandsim.statistics.table import csv_text
from demandsim.studies.loading import model_from_toml

STUDY = """
schema = 1
name = {name}
title = {text}
source = {text}
notes = [{text}]
equations = ["inference.token_rate"]
[assumptions.daily_tokens]
distribution = "lognormal(1e13, 1e14, prob=0.9)"
unit = "token/day"
long_name = {text}
source = {text}
[[evidence]]
quantity = "token_rate"
distribution = "normal(mean=5e8, sd=3e8)"
source = {text}
[scenarios.{dim}.{text}]
[scenarios.{dim}.other]
daily_tokens = "lognormal(2e13, 2e14, prob=0.9)"
"""


def quoted(text):
    """Write a text as TOML."""
    return '"' + "".join(f"\\U{ord(c):08x}" if c in '"\\' or ord(c) < 32 or ord(c) > 126 else c for c in text) + '"'


def study(name="s", text="plain", dim="scenario"):
    return STUDY.format(name=quoted(name), text=quoted(text), dim=quoted(dim))


COMMANDS = [
    ("run", "--draws", "64"),
    ("sensitivity", "--draws", "64"),
    ("infer", "--draws", "256"),
    ("report", "--draws", "64"),
]
NAMES = [
    "../../x",
    "/tmp/demandsim-was-here",
    "a/b",
    "..",
    ".",
    "",
    "x\0y",
    "C:\\x",
    "\\\\host\\x",
    "nul",
    "COM1.txt",
    "x" * 400,
    "豆" * 200,
    "a\nb",
    "~/x",
    "s*?<>|:",
    "--out",
    "name ",
    "name.",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_component_of_a_path_on_every_system(name):
    made = file_name(name)
    assert made == file_name(made)
    assert Path(made).name == made
    assert not set(made) & set('/\\:*?"<>|\0\n')
    assert made[0] not in " .-"
    assert made[-1] not in " ."
    assert 0 < len(made.encode()) <= 130
    assert made.split(".")[0].lower() not in ("con", "nul", "com1")


@pytest.mark.parametrize("name", ["../../x", "{root}/x", "x\0y", "..", "豆" * 200])
def test_what_a_study_calls_itself_does_not_lead_out_of_the_folder(name, demandsim, tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    victim = tmp_path / "x" / "draws.nc"
    victim.parent.mkdir()
    victim.write_text("mine")
    (inside / "s.toml").write_text(study(name.format(root=tmp_path)), encoding="utf-8")
    for words in COMMANDS if name == NAMES[0] else COMMANDS[:1]:
        done = demandsim(words[0], str(inside / "s.toml"), *words[1:], "--seed", "1")
        assert "Traceback" not in done.stderr
        assert done.returncode == 0, done.stderr
    assert victim.read_text() == "mine"
    # One folder of one name holds all that was written.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "x"]
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_path_with_nul_is_our_error(tmp_path):
    model = ds.load_study("guosen-2025-01")
    draws = model.simulate(64, seed=1, keep=["cards"])
    path = tmp_path / "a\0.nc"
    with pytest.raises(OutputError, match="NUL"):
        model.to_toml(path.with_suffix(".toml"))
    with pytest.raises(OutputError, match="NUL"):
        write_netcdf(draws, path)
    with pytest.raises(DemandsimError, match="NUL"):
        model.simulate(64, seed=1, keep=["cards"], store=path)
    with pytest.raises(DemandsimError, match="NUL"):
        model.simulate(64, seed=1, keep=["cards"], store=path.with_suffix(".zarr"))


STEERING = "\x1b]0;owned\x07\x1b[2J\x9b31m a\u202eb \x7f\r\x08"


def test_no_text_steers_the_terminal(pictured, tmp_path):
    (tmp_path / "s.toml").write_text(study(text=STEERING), encoding="utf-8")
    commands = [
        ("show",),
        ("explain", "token_rate"),
        ("run", "--draws", "64"),
        ("run", "--draws", "64", "--format", "csv"),
        ("run", "--draws", "64", "--format", "json"),
        ("sensitivity", "--draws", "64"),
        ("infer", "--draws", "256"),
        ("run", "--scenario", "absent"),
    ]
    for name, *more in commands:
        done = pictured(name, "s.toml", *more)
        assert done.returncode == ("absent" in more), done.stderr
        assert "owned" in done.stdout + done.stderr
        said = done.stdout + done.stderr
        assert not [c for c in said if ord(c) < 32 and c not in "\n\t"], name
        assert not set(said) & set("\x7f\x9b\u202e"), name
    summary = (tmp_path / "out" / "s" / "summary.csv").read_text(encoding="utf-8")
    assert "\x1b" not in summary
    draws = ds.load_study(tmp_path / "s.toml").simulate(64, seed=1)
    assert "\x1b" not in repr(ds.table(ds.summarize(draws)))
    assert printable("plain 豆包 µ\n\t") == "plain 豆包 µ\n\t"


LEDGER = """
[[forecast]]
study = {text}
version = {text}
quantity = {text}
unit = "token/day"
issued = "2026-01-31"
known_until = "2025-12"
target = "2026-06-30"
quantiles = [1.0, 2.0, 3.0, 4.0, 8.0]
outcome = 3.0
announced = "2026-07-01"
source = {text}
note = {text}
"""


@pytest.mark.parametrize("text", [STEERING, "[bold]$x$ :smile:[/]", "=1+1\n[red]"])
def test_a_ledger_of_a_stranger_is_only_text(text, demandsim, tmp_path):
    (tmp_path / "f.toml").write_text(LEDGER.format(text=quoted(text)), encoding="utf-8")
    done = demandsim("ledger", "f.toml")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert not [c for c in said if ord(c) < 32 and c not in "\n\t"]
    assert not set(said) & set("\x7f\x9b\u202e")
    assert printable(text).split("\n")[0] in said
    for wrong in (LEDGER.replace("2026-01-31", "x{text}"), LEDGER.replace('"token/day"', "{text}")):
        (tmp_path / "f.toml").write_text(wrong.replace('"x{text}"', "{text}").format(text=quoted(text)))
        done = demandsim("ledger", "f.toml")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert not set(done.stderr) & set("\x1b\x7f\x9b\u202e")
    (tmp_path / "f.toml").write_bytes(b"\xff")
    assert demandsim("ledger", "f.toml").returncode == 1


FORMULAS = ['=HYPERLINK("http://x")', "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "＝1+1", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_label_is_a_formula_in_csv(text, demandsim, tmp_path):
    (tmp_path / "s.toml").write_text(study(text=text), encoding="utf-8")
    for words in COMMANDS[:3] if text == FORMULAS[0] else COMMANDS[:1]:
        done = demandsim(words[0], "s.toml", *words[1:], "--format", "csv")
        cells = [cell for row in csv.reader(io.StringIO(done.stdout)) for cell in row]
        assert f"'{printable(text)}" in cells
        for cell in cells:
            assert not cell.startswith(("=", "+", "@", "\t", "\r", "＝")), cell
            # What is left that begins with a minus is a number.
            assert not cell.startswith("-") or float(cell) < 0


def test_numbers_stay_numbers_in_csv():
    text = csv_text([{"a": -1.5, "b": "-1.5", "c": "+2e3", "=d": "-1 to 2", "e": "fine"}])
    assert list(csv.reader(io.StringIO(text))) == [
        ["a", "b", "c", "'=d", "e"],
        ["-1.5", "-1.5", "+2e3", "'-1 to 2", "fine"],
    ]


MONEY = ["$50M (50%) vs $60M", "$\\frac{", "$_$", "[bold]x[/bold]", "[/]", ":smile: \\$ $a$"]


@pytest.mark.parametrize("text", MONEY)
def test_names_and_labels_are_drawn_and_printed_as_they_are(text, pictured, tmp_path, monkeypatch):
    from matplotlib.text import Text

    drawn = set()
    save = plots.save

    def noted(axes, path, **settings):
        import numpy as np

        for found in np.ravel(axes)[0].figure.findobj(Text):
            assert not found.get_parse_math() or "$" not in found.get_text()
            drawn.add(found.get_text().replace("\n", " "))
        save(axes, path, **settings)

    monkeypatch.setattr(plots, "save", noted)
    (tmp_path / "s.toml").write_text(study(text=text), encoding="utf-8")
    for words in (*COMMANDS[:3], ("show",)) if text == MONEY[0] else (*COMMANDS[:1], ("show",)):
        done = pictured(words[0], "s.toml", *words[1:])
        assert done.returncode == 0, done.stderr
        assert text in done.stdout, words
    assert any(text in one for one in drawn)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda text: text.replace("schema = 1", "schema = " + "9" * 5000), "thousands of digits"),
        (lambda text: text.replace("schema = 1", "schema = 0x" + "f" * 5000), "hundreds of digits; expected"),
        (lambda text: text.replace('"lognormal(2e13, 2e14, prob=0.9)"', "9" * 400), "expected"),
        (lambda text: f"{text}\n[coords]\nyear = [{'9' * 400}]\n", "expected"),
        (lambda text: f"{'.'.join('a' * 30_000)} = 1\n{text}", "more than 32 parts"),
        (lambda text: f"{text}\n[{'.'.join('a' * 30_000)}]\n", "more than 32 parts"),
        (lambda text: f"{text}\nx = {{{' . '.join(['"a"'] * 30_000)} = 1}}\n", "more than 32 parts"),
        (lambda text: text + "x = " + "[" * 50_000, "nested too deep"),
    ],
)
def test_a_file_that_would_break_or_hold_up_the_parser_is_refused(change, match):
    begun = time.process_time()
    with pytest.raises(StudyError, match=match):
        model_from_toml(change(study()))
    assert time.process_time() - begun < 1.0


def test_dots_in_texts_comments_and_numbers_are_no_keys():
    dots = ".".join("a" * 100)
    text = study(text=f'{dots} "{dots}" # {dots}') + f"\n# it's {dots}\n[coords]\nx = [{'1.5, ' * 100}2]\n"
    assert model_from_toml(text).notes.title.startswith(dots)


def test_a_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbf" + study().encode())
    assert ds.load_study(tmp_path / "s.toml").notes.name == "s"
    assert model_from_toml("\ufeff" + study()).notes.name == "s"


def test_numbers_of_thousands_of_digits_are_our_errors():
    model = model_from_toml(study())
    for settings in ({"seed": 10**5000}, {"seed": 2**129}, {"draws": 10**5000}, {"draws": 2**63, "design": "random"}):
        with pytest.raises(DemandsimError, match="must be at most"):
            model.simulate(**{"draws": 8, **settings})
    with pytest.raises(DemandsimError, match="hundreds of digits"):
        model.simulate(8, seed=-(10**5000))
    assert model.simulate(8, seed=2**100).attrs["seed"] == str(2**100)
