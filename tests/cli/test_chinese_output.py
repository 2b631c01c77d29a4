"""``--locale zh``: no English sentence stands in what any command prints, nor in the errors that people meet first."""

import re
import shlex

import pytest

from demandsim.locale.words import words_of

STUDY = "guosen-2025-01"
#: Three words of English in a row; names of people, fonts and papers have capitals.
SENTENCE = re.compile(r"(?<![\w./-])[a-z']{2,} [a-z']{2,} [a-z']{2,}(?![\w.(=])")
FEW = ("--draws", "64", "--chains", "4", "--seed", "1")
SEEN = ("--observe", "utilization=normal(mean=0.15, sd=0.04)")

COMMANDS = {
    "run": ("run", STUDY, *FEW, "--probability", "gross_margin > 0", "--set", "utilization=0.3"),
    "odd number of draws": ("run", STUDY, "--draws", "100", "--chains", "4", "--seed", "1"),
    "years": ("run", "doubao-2025-2030", *FEW, "--scenario", "base"),
    "sensitivity": ("sensitivity", STUDY, *FEW, "--scenario", "100T"),
    "infer": ("infer", STUDY, *FEW, *SEEN, "--scenario", "100T"),
    "decide": ("decide", f"{STUDY}-evidence", *FEW),
    "backtest": ("backtest", "doubao-growth", *FEW, "--cutoff", "2026-04-02"),
    "ledger": ("ledger",),
    "report": ("report", STUDY, *FEW),
    "export": ("export", STUDY, "model.xlsx", "--draws", "0"),
    "list": ("list",),
    "show": ("show", STUDY),
    "explain": ("explain", STUDY, "cards"),
}

MISTAKES = {
    "study": (("show", "guosen-2025"), "未知的研究 'guosen-2025'；是否指 'guosen-2025-01'？"),
    "file": (("show", "mine.toml"), "没有研究文件 'mine.toml'（在 '"),
    "name": (("run", STUDY, "--set", "utilisation=0.3"), "未知的假设 'utilisation'；是否指 'utilization'？"),
    "bounds": (("run", STUDY, "--set", "utilization=1.3"), "'utilization'：1.3 超过上界 1；可取 0 至 1"),
    "scenario": (("run", STUDY, "--scenario", "10T"), "未知的情景 '10T'；是否指 '100T'？"),
    "law": (
        ("run", STUDY, "--set", "utilization=normal(0.3"),
        "无法读懂 'normal(0.3'：有括号未闭合；见 'normal(0.3⟨?⟩' 的标记",
    ),
    "event": (("run", STUDY, "--probability", "cards >"), "比较号之后缺少一个量或一个数"),
    "prob": (("run", STUDY, "--prob", "90"), "prob 必须在 0 与 1 之间"),
}


def sentences(text):
    lines = [
        line for line in text.splitlines() if not line.startswith(words_of("zh", "terminal").say("replay", command=""))
    ]
    # What to type is the same in every language.
    plain = (re.sub(r"(apt|dnf) install [\w-]+", "", line) for line in lines)
    return [found[0] for line in plain for found in SENTENCE.finditer(line)]


def test_a_sentence_would_be_seen():
    assert sentences("注意：the pictures are in English") == ["the pictures are"]
    assert sentences("来源：Cornuet, Marin, Mira and Robert；capex = cards * card_price") == []


def test_a_command_that_is_given_again_speaks_chinese_too(demandsim):
    told = demandsim(*COMMANDS["run"], "--locale", "zh")
    (line,) = [line for line in told.stderr.splitlines() if line.startswith("重现命令：")]
    assert line.endswith(" --locale zh")
    again = demandsim(*shlex.split(line.partition("：demandsim ")[2]), "--format", "json")
    assert re.search("[\u4e00-\u9fff]", again.stderr)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_prints_is_chinese(name, demandsim):
    told = demandsim(*COMMANDS[name], "--locale", "zh")
    assert told.returncode == 0, told.stderr
    assert re.search("[\u4e00-\u9fff]", told.stdout + told.stderr)
    assert sentences(told.stdout) == []
    assert sentences(told.stderr) == []


def test_a_workbook_is_marked_in_chinese(demandsim):
    assert demandsim("export", STUDY, "model.xlsx", "--draws", "0").returncode == 0
    told = demandsim("mark", "model.xlsx", "--locale", "zh")
    assert "保存后运行：demandsim run model-marked.xlsx" in told.stderr


@pytest.mark.parametrize("name", MISTAKES)
def test_common_mistakes_are_named_in_chinese(name, demandsim):
    words, said = MISTAKES[name]
    told = demandsim(*words, "--locale", "zh")
    assert told.returncode == 1
    assert told.stderr.startswith("错误：")
    assert said in told.stderr.replace("\n  ", "")
    assert sentences(told.stderr) == []
    # Without it, the same in English.
    assert demandsim(*words).stderr.startswith("error: ")


def test_changes_are_said_in_chinese(demandsim):
    told = demandsim("infer", STUDY, *FEW, *SEEN, "--scenario", "100T", "--locale", "zh").stdout
    assert "改动：utilization 的证据 无 -> utilization ~ normal(mean=0.15, sd=0.04)" in told
    assert (
        "改动：算力利用率 0.45 -> 0.3"
        in demandsim("run", STUDY, *FEW, "--set", "utilization=0.3", "--locale", "zh").stdout
    )


def test_what_no_language_knows_stays_as_it_is():
    words = words_of("zh", "terminal")
    assert words.message("nobody has said this") == "nobody has said this"
    assert (
        words_of("en", "terminal").message("unknown study 'x'; did you mean 'y'?")
        == "unknown study 'x'; did you mean 'y'?"
    )


def test_the_environment_may_ask_for_a_language(demandsim, monkeypatch):
    monkeypatch.setenv("DEMANDSIM_LOCALE", "zh")
    assert "研究" in demandsim("list").stdout
    assert demandsim("show", "guosen-2025").stderr.startswith("错误：未知的研究")
    assert "study" in demandsim("list", "--locale", "en").stdout
