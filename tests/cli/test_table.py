"""Tables and lines on terminals of 60 to 200 columns: whole numbers and units, nothing beyond the edge."""

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import demandsim as ds
from demandsim.cli._table import Column, laid_out, wrapped

pty = pytest.importorskip("pty", reason="a pseudo-terminal is POSIX's")

WIDTHS = (60, 80, 100, 120, 200)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")

#: Runs commands in a process whose output is a terminal; each prints what it found at every width, and to a pipe.
#: Studies and commands are built once, as in the process of the tests, and no draws are written.
SCRIPT = """
import fcntl, functools, io, struct, sys, termios, typer, warnings
from demandsim import plots
from demandsim.cli import _output, main
from demandsim.studies import loading

loading.model_from_toml = functools.cache(loading.model_from_toml)
typer.main.get_command = functools.cache(typer.main.get_command)
_output.Folder.add_draws = lambda *_, **__: None

warnings.simplefilter("ignore")
for name in ("distributions", "fan", "information", "payoffs", "posterior", "shapley", "sobol", "tornado"):
    setattr(plots, name, lambda *_, **__: None)
plots.save = lambda _, path: path.touch()
terminal = sys.stdout

def everywhere(show):
    for width in %r:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        terminal.write(f"\\n@@ {width}\\n")
        show()
    sys.stdout = io.StringIO()
    show()
    pipe, sys.stdout = sys.stdout.getvalue(), terminal
    terminal.write("\\n@@ 0\\n" + pipe)

_output.Results.print = lambda self, format_, table, *_: everywhere(table)
for at, words in enumerate(%r):
    sys.argv = ["demandsim", *words]
    terminal.write(f"\\n@@@ {at}\\n")
    if words[0] in ("show", "explain", "list"):
        def again():
            try:
                main()
            except SystemExit:
                pass
        everywhere(again)
    else:
        try:
            main()
        except SystemExit as stop:
            assert not stop.code, stop.code
"""


def on_a_terminal(calls, folder):
    """What each command prints at each width: by its place and width, lines without styles."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT % (WIDTHS, calls)],
        stdin=slave,
        stdout=slave,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**environment, "TERM": "xterm-256color"},
    )
    os.close(slave)
    read = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        read += piece
    complaint = child.communicate()[1].decode()
    os.close(master)
    assert child.returncode == 0, complaint
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read.decode()).replace("\r\n", "\n")
    found = {}
    for part in text.split("\n@@@ ")[1:]:
        place, *widths = part.split("\n@@ ")
        for one in widths:
            width, _, lines = one.partition("\n")
            found[int(place), int(width)] = lines.splitlines()
    return found


def words_of(lines):
    """Words as they stand, but for rules, the sign of a folded error and the ends of sentences."""
    return {word for line in lines for word in line.split()} - {"±"}


SMALL = ("--draws", "32", "--chains", "4", "--seed", "1")
CALLS = {name: [("run", name, *SMALL), ("show", name)] for name in ds.list_studies()}
CALLS["guosen-2025-01"] += [
    ("list",),
    ("sensitivity", "guosen-2025-01", *SMALL, "--scenario", "100T"),
    ("explain", "guosen-2025-01", "gross_margin"),
]
CALLS["guosen-2025-01-evidence"] += [
    ("decide", "guosen-2025-01-evidence", *SMALL, "--scenario", "100T"),
    ("infer", "guosen-2025-01-evidence", *SMALL, "--observe", "cards@100T=lognormal(median=4e5, factor=2)"),
]
CALLS["doubao-growth"] += [("explain", "doubao-growth", "top_down_tokens")]
CHINESE = [
    (*words, "--locale", "zh")
    for words in (
        ("show", "guosen-2025-01-evidence"),
        ("explain", "guosen-2025-01-evidence", "gross_margin"),
        ("list",),
        ("run", "guosen-2025-01", *SMALL),
        ("run", "doubao-2025-2030", *SMALL, "--scenario", "base", "--no-draws-file"),
        ("sensitivity", "guosen-2025-01", *SMALL, "--scenario", "100T"),
        ("infer", "guosen-2025-01-evidence", *SMALL, "--observe", "cards@100T=lognormal(median=4e5, factor=2)"),
        ("decide", "guosen-2025-01-evidence", *SMALL, "--scenario", "100T"),
    )
]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What every command prints on a terminal, from one process: it takes longer to start than most of them."""
    every = [*(words for calls in CALLS.values() for words in calls), *CHINESE]
    found = on_a_terminal(every, tmp_path_factory.mktemp("terminal"))

    def of(calls):
        return {(words, width): found[every.index(words), width] for words in calls for width in (*WIDTHS, 0)}

    return of


def test_chinese_fits_as_well(printed):
    found = printed(CHINESE)
    for (command, width), lines in found.items():
        text = "\n".join(lines)
        assert re.search("[\u4e00-\u9fff]", text)
        assert set(NUMBER.findall(text)) == set(NUMBER.findall("\n".join(found[command, 0])))
        assert not width or all(cell_len(line) <= width for line in lines if len(line.split()) > 1)


def test_nothing_but_code_and_names_is_english_in_chinese(printed):
    for (command, width), lines in printed(CHINESE).items():
        # Formulas, laws and what was changed are code, as one writes it; names of series and firms are names.
        said = [line for line in lines if not re.search("[=~*/]|->|DeepSeek|epoch|Financial", line)]
        english = [found[0] for line in said if (found := re.search(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}", line))]
        assert width or english == [], command


@pytest.mark.parametrize("study", CALLS)
def test_no_number_is_cut_and_no_line_is_too_long(study, printed):
    found = printed(CALLS[study])
    for command in CALLS[study]:
        plain = found[command, 0]
        for width in WIDTHS:
            lines = [line for line in found[command, width] if set(line) != {"─"}]
            assert lines
            assert not any("…" in line for line in lines)
            too_long = [line for line in lines if cell_len(line) > width]
            # Only a word that is longer than the terminal.
            assert all(len(line.split()) == 1 for line in too_long), (command, width, too_long)
            assert set(NUMBER.findall("\n".join(lines))) == set(NUMBER.findall("\n".join(plain))), (command, width)
            # Heads of columns that were folded are gone, nothing else is.
            assert words_of(plain) - words_of(lines) <= {"unit", "MCSE", "of"}, (command, width)
            assert words_of(lines) <= words_of(plain), (command, width)


# The layout alone

HEADS = [
    Column("100T", "name"),
    Column("published"),
    Column("mean"),
    Column("P50"),
    Column("MCSE of mean", "error", of="mean"),
    Column("unit", "unit"),
]
ROWS = [
    ["cards", "85.78", "128.9", "87.59", "0.027", "10,000 cards"],
    ["gross_margin", "0.4557", "-7.283", "-0.4826", "0.19", "bn CNY/year"],
]


def shown(columns, rows, width):
    parts = laid_out(columns, rows, width)
    return "\n\n".join("\n".join([*part.head, *part.body]) for part in parts)


def test_the_error_folds_first_then_the_unit_then_the_table_is_parted():
    assert shown(HEADS, ROWS, None).splitlines()[1:] == [
        "cards             85.78   128.9    87.59         0.027  10,000 cards",
        "gross_margin     0.4557  -7.283  -0.4826          0.19  bn CNY/year",
    ]
    assert shown(HEADS, ROWS, 66).splitlines()[1:] == [
        "cards             85.78  128.9 ± 0.027    87.59  10,000 cards",
        "gross_margin     0.4557  -7.283 ± 0.19  -0.4826  bn CNY/year",
    ]
    assert shown(HEADS, ROWS, 50).splitlines()[1:] == [
        "cards               85.78  128.9 ± 0.027    87.59",
        "  10,000 cards",
        "gross_margin       0.4557  -7.283 ± 0.19  -0.4826",
        "  bn CNY/year",
    ]
    assert shown(HEADS, ROWS, 40).split("\n\n")[1].splitlines() == [
        "100T                P50",
        "cards             87.59",
        "  10,000 cards",
        "gross_margin    -0.4826",
        "  bn CNY/year",
    ]


def test_joined_columns_stay_together():
    columns = [Column("of", "name"), Column("low"), Column("result", joined=True), Column("high"), Column("far")]
    columns[4] = Column("far", joined=True)
    parts = laid_out(columns, [["a", "1" * 9, "2" * 9, "3" * 9, "4" * 9]], 34)
    assert [part.head[0].split() for part in parts] == [["of", "low", "result"], ["of", "high", "far"]]


def test_one_unit_of_all_rows_stands_in_the_head():
    rows = [[*row[:-1], "bn CNY"] for row in ROWS]
    lines = shown(HEADS, rows, 50).splitlines()
    assert [line.split()[0] for line in lines] == ["100T", "bn", "cards", "gross_margin"]


def test_wide_characters_count_twice():
    columns = [Column("指标", "name"), Column("中位数"), Column("说明", "text")]
    rows = [["算力卡", "85.78", "推理所需的算力卡数量，按峰值计"], ["cards", "1", "x"]]
    lines = shown(columns, rows, 30).splitlines()
    assert all(cell_len(line) <= 30 for line in lines)
    (number,) = (line for line in lines if "85.78" in line)
    assert cell_len(number[: number.index("85.78")] + "85.78") == 6 + 2 + 6


@pytest.mark.parametrize("width", [8, 10, 13, 20])
def test_chinese_breaks_between_characters_and_never_in_a_number(width):
    text = "2024年中国算力67.7%用于推理，857,772张卡。"
    lines = wrapped(text, width)
    assert "".join(lines) == text
    for number in ("2024", "67.7%", "857,772"):
        assert any(number in line for line in lines)
    assert not any(line[0] in "，。、" for line in lines)
    assert not any(line.endswith("（") for line in wrapped("推理（2024 年）占（67.7%）的算力", width))
    assert all(cell_len(line) <= width for line in lines)


@given(
    cells=st.lists(
        st.lists(st.from_regex(r"-?\d{1,9}(\.\d{1,4})?", fullmatch=True), min_size=5, max_size=5), min_size=1
    ),
    width=st.integers(24, 200),
)
def test_whatever_the_width_every_number_is_there(cells, width):
    columns = [Column("name", "name"), *(Column(f"c{at}", joined=at % 2 == 1) for at in range(5))]
    rows = [[f"row {at}", *row] for at, row in enumerate(cells)]
    parts = laid_out(columns, rows, width)
    lines = [line for part in parts for line in part.body]
    assert all(cell_len(line) <= width for line in lines)
    assert set(" ".join(lines).split()) == {word for row in rows for cell in row for word in cell.split()}


@given(st.text("ab1,. 年中，", max_size=60), st.integers(4, 30))
def test_breaking_lines_loses_nothing(text, width):
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
