"""What new users get wrong, a row each: a message names the thing, says what is wrong, and shows what is right."""

import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest

import demandsim as ds
from demandsim import distributions as dist
from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.distributions.spelling import examples
from demandsim.errors import DemandsimError
from demandsim.units.convert import check_unit

#: What belongs to parsers and libraries, and to no message of ours.
JARGON = re.compile(
    r"Traceback|positional|unary|operand|registry|expected .* found|the end|NoneType|dtype|ppf|icdf|object at 0x|"
    r"iterable|unhashable|zip file|Input should|Value error|parse string|Expected '",
)


def said(raised):
    text = str(raised.value)
    assert not JARGON.search(text), text
    assert len(text) < 500, text
    return text


# -- texts of distributions ------------------------------------------------------------------------------------------

#: With a keyboard for Chinese, or pasted from Word or a report, and clear for all that.
READ = [
    ("lognormal（500，1200）", "lognormal(500, 1200)"),
    ("ｎｏｒｍａｌ（１，２）", "normal(1, 2)"),
    ("beta（mean＝０．４５，sd＝０．１）", "beta(mean=0.45, sd=0.1)"),
    ("normal(−1, 2)", "normal(-1, 2)"),
    ("０．４５", "0.45"),
    ("45％", "0.45"),
    ("3亿", "3e8"),
    ("8％～28％", "8% to 28%"),
]


@pytest.mark.parametrize(("text", "plain"), READ)
def test_full_width_signs_mean_what_they_say(text, plain):
    assert ds.Assumption(text).distribution == ds.Assumption(plain).distribution


#: A text, what is said of it, and what of it stands before the mark.
TEXTS = [
    ("normal(0.4；0.6)", "parted by commas", "normal(0.4"),
    ("lognormal(500、1200)", "parted by commas", "lognormal(500"),
    ("beta(mean=0,45, sd=0,1)", "is the comma a decimal point? Write 0.45", "beta(mean=0,"),
    ("lognormal(500, 1200, prob=0,9)", "decimal point? Write 0.9", "lognormal(500, 1200, prob=0,"),
    ("normal(8%, 28%)", "0.08 for 8%", "normal(8"),
    ("beta(0.2, 0.4, prob=90%)", "0.9 for 90%", "beta(0.2, 0.4, prob=90"),
    ("lognormal(1亿, 3亿)", "1e8 for 1亿", "lognormal(1"),
    ("lognormal(5k, 9k)", "5000 for 5k", "lognormal("),
    ("normal(3 token/day, 5)", "no unit behind", "normal(3"),
    ("normal(1, 2) token/day", "in the unit of its assumption", "normal(1, 2)"),
    ("uniform(0.3 0.6)", "a comma is missing", "uniform(0.3"),
    ("1 000 000", "thousands are parted by none", "1"),
    ("normal 1, 2", "stand in parentheses", "normal"),
    ("normal[1, 2]", "stand in parentheses", "normal"),
    ("normal(1, 2", "a bracket is not closed", "normal(1, 2"),
    ("normal(1 ± 2)", "normal(mean=..., sd=...)", "normal(1"),
    ("2 * normal(1, 2)", "nothing is calculated", "2"),
    ("(0.3, 0.6)", "the name of its distribution", ""),
    ("=normal(1, 2)", "one '=' at most", ""),
    ("discrete({1: 0.5})", "square brackets", "discrete("),
    ("normal(1..2)", "'1..2' is no number", "normal("),
    ("", "nothing is written", ""),
]


@pytest.mark.parametrize(("text", "wrong", "before"), TEXTS)
def test_a_text_is_shown_with_a_mark_and_three_right_spellings(text, wrong, before):
    with pytest.raises(DemandsimError) as raised:
        ds.Assumption(text)
    message = said(raised)
    assert wrong in message
    assert f"{before}⟨?⟩" in message
    right = message.partition("Write it like ")[2].replace(" or ", ", ")
    found = re.findall(r"[a-z_]+\((?:\[.*?\]|[^()])*\)|\b0\.45\b(?!,? sd)", right)
    assert len(found) == 3
    for spelling in found:
        ds.Assumption(spelling)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("0,45", "is the comma a decimal point? Write 0.45"),
        ("1.234,56", "Write 1234.56"),
        ("1+1", "nothing is calculated here"),
        ("1/3", "nothing is calculated here"),
        ("10^6", "nothing is calculated here"),
        ("0.3-0.6", "a range is written as in 0.3 to 0.6"),
        ("0.3±0.1", "normal(mean=..., sd=...)"),
        ("1'000'000", "thousands are parted by commas"),
        ("5k", "write '5 thousand'"),
        ("3 USD", "cannot convert 'USD' to '1'"),
        ("normal(0,4, 0,6)", "too many numbers (is a comma a decimal point? Write 0.4)"),
        ("normal(1200, 500)", "low must be below high; a mean and an sd are given by name"),
        ("0.6 to 0.3", "low must be below high"),
        ("beta(0.2, 0.4, prob=90)", "prob must lie between 0 and 1 (for example 0.9"),
        ("normal(mean=1, sd=-2)", "sd must be positive"),
        ("normal(mean=1, std=2)", "did you mean 'sd'?"),
        ("normal(mu=1, sigma=2)", "did you mean 'mean'?"),
        ("N(1, 2)", "did you mean 'normal'? Write it like normal(8, 12)"),
        ("正态分布(1, 2)", "did you mean 'normal'?"),
        ("triangle(1, 2, 3)", "did you mean 'triangular'?"),
        ("beta(2, 5)", "scipy('beta', 2, 5)"),
        ("pert(1, 2)", "missing 'high'; it is written like pert(1, 2, 4)"),
        ("dist.normal(1, 2)", "without 'dist.'"),
        ("[0.3, 0.6]", "but a list; write it like uniform(0.3, 0.6)"),
        ("'normal(1, 2)'", "a text in quotes"),
        ("normal(“1”, 2)", "low must be a number"),
        ("TBD", "'TBD' is no value"),
        ("nan", "'nan' is no value"),
    ],
)
def test_what_is_no_distribution_says_what_would_be_one(text, wrong):
    with pytest.raises(DemandsimError) as raised:
        ds.Assumption(text)
    assert wrong in said(raised)


def test_every_spelling_that_is_shown_is_right():
    for name in set(CONSTRUCTORS) - {"by"}:
        for one in examples(name):
            if re.search(r"\d", one):
                dist.parse_distribution(one)
            assert one.startswith(f"{name}(")


# -- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "wrong"),
    [
        ("Token/day", "'Token' is not known; did you mean 'token'?"),
        ("cny", "did you mean 'CNY'?"),
        ("yuan", "did you mean 'CNY'?"),
        ("kwh", "did you mean 'kWh'?"),
        ("H100", "did you mean 'card'?"),
        ("人/天", "unknown unit '人/天': '人' is not known; did you mean 'user'?"),
        ("TFLOPS", "so 'TFLOP/s'"),
        ("images/day", "in braces: 'M{image}/day'"),
        ("$/1M tokens", "write the prefix at its unit, as in 'CNY/Mtoken'"),
        ("1e8 CNY", "'yi*CNY' for 100 million"),
        ("M tokens/day", "write the prefix before its unit: 'Mtoken'"),
        ("tn tokens a day", "'a' would be a year"),
        ("MAU", "'Muser' for a million"),
        ("token//day", "'//' is no sign of units"),
        ("card + card", "'+' is no sign of units"),
        ("/day", "something is missing before or after a sign"),
        ("“token/day”", "a unit holds no"),
    ],
)
def test_what_is_no_unit_says_which_is_meant(unit, wrong):
    with pytest.raises(DemandsimError) as raised:
        check_unit(unit)
    assert wrong in said(raised)


@pytest.mark.parametrize("unit", ["亿元／年", "亿 元/年", "token／day", "万卡"])
def test_units_of_chinese_reports_are_read(unit):
    assert ds.convert(ds.load_study("guosen-2025-01").point().cards.assign_attrs(units=unit), unit).units == unit


# -- in Python -------------------------------------------------------------------------------------------------------

MODEL = ds.load_study("guosen-2025-01")


@ds.equation(unit="CNY")
def double(capex):
    return 2 * capex


def bare(capex):
    return 2 * capex


def crad(capex, card_price):
    return capex / card_price


#: What is done, and what is said of it. Each is tried on the model `m`, its draws `d` and their summary `s`.
CALLS = [
    (lambda m, d, s: ds.probability(d), "does not say which event is meant: ask with probability('"),
    (lambda m, d, s: ds.probability(d.cards), "an event is a comparison, such as cards > 0"),
    (lambda m, d, s: ds.probability(m), "not a Model; simulate it first: model.simulate(seed=1)"),
    (lambda m, d, s: ds.summarize(m), "not a Model; simulate it first"),
    (lambda m, d, s: ds.summarize(d.cards.values), "not a ndarray; make one of a table with ds.import_draws"),
    (lambda m, d, s: ds.summarize(d, prob="90%"), "prob must lie between 0 and 1, not '90%'"),
    (lambda m, d, s: ds.summarize(d, prob=90), "0.9 gives P5 to P95"),
    (lambda m, d, s: ds.to_datatree(m), "simulate it first"),
    (lambda m, d, s: ds.convert(5, "CNY"), "convert takes a DataArray with units"),
    (lambda m, d, s: m.correlate([("utilization", "peak_ratio")]), "given by pairs, as {('utilization'"),
    (lambda m, d, s: m.correlate({"utilization": 0.5}), "given by pairs, as {('utilization'"),
    (lambda m, d, s: m.correlate({("utilization", "peak_ratio"): "0.5"}), "must lie between -1 and 1, not '0.5'"),
    (lambda m, d, s: m.correlate({("utilisation", "peak_ratio"): 0.5}), "did you mean 'utilization'?"),
    (lambda m, d, s: m.with_scenarios(["a", "b"]), "{'base': {}, 'low': {'utilization': 0.2}}, not as ['a', 'b']"),
    (lambda m, d, s: m.with_scenarios({"utilization": 0.3}), "such as {'utilization': 0.2}, not 0.3"),
    (lambda m, d, s: m.with_scenarios({"a": {"utilisation": 0.3}}), "did you mean 'utilization'?"),
    (lambda m, d, s: m.select(scenario="100t"), "did you mean '100T'?"),
    (
        lambda m, d, s: ds.Model([double], {"capex": ds.Assumption(1, "CNY")}).select(scenario="a"),
        "to be kept: model =",
    ),
    (lambda m, d, s: m.assume(utilization=45), "'utilization': 45 is above its upper bound 1; 45% is 0.45"),
    (lambda m, d, s: m.assume(utilization="beta(0.3, 0.1)"), "'utilization': beta(0.3, 0.1"),
    (lambda m, d, s: m.assume(utilization=(0.3, 0.6)), "a range is written dist.uniform(low, high)"),
    (lambda m, d, s: m.assume(utilization={2025: 0.3}), "'utilization': {2025: 0.3} is not a distribution"),
    (lambda m, d, s: m.assume(card_price="150,000 CNY"), "write it in 'CNY/card'"),
    (lambda m, d, s: m.assume(daily_tokens="300 tn"), "write '300 tn token/day'"),
    (lambda m, d, s: m.observe(capex="80 to 90 bn USD"), "'capex': '80 to 90 bn USD' for what is in 'CNY'"),
    (lambda m, d, s: m.simulate(draws=1e3), "draws must be a whole number of at least 1, not 1000.0; write 1000"),
    (lambda m, d, s: m.simulate(draws=8, seed="abc"), "seed must be a whole number"),
    (lambda m, d, s: m.simulate(draws=8, keep=["Cards"]), "did you mean 'cards'?"),
    (lambda m, d, s: m.as_of("31/12/2025"), "'31/12/2025' is not a date; write 2024"),
    (lambda m, d, s: ds.sensitivity.tornado(d, "cards"), "a Model is needed"),
    (lambda m, d, s: ds.sensitivity.sobol(d, "cards"), "ds.sensitivity.given_data"),
    (lambda m, d, s: ds.sensitivity.given_data(m, of="cards"), "simulate it first"),
    (lambda m, d, s: ds.plots.tornado(m), "ds.sensitivity.tornado(model, of=...)"),
    (lambda m, d, s: ds.plots.distributions(m), "simulate it first"),
    (lambda m, d, s: ds.plots.distributions(d, ["cards"]), "named with of=[...]"),
    (lambda m, d, s: ds.decisions.evaluate(m, [1, 2], ds.decisions.OrderCards()), "simulate it first"),
    (lambda m, d, s: ds.decisions.evaluate(d, [1, 2], ds.decisions.OrderCards), "call it: OrderCards()"),
    (lambda m, d, s: ds.decisions.evaluate(d, ["a"], ds.decisions.OrderCards()), "are numbers, cards to order"),
    (lambda m, d, s: ds.import_draws("draws.csv"), "pandas.read_csv('draws.csv')"),
    (lambda m, d, s: ds.import_draws(pd.DataFrame({"a": ["1,5", "2"]})), "column 'a' holds no numbers"),
    (lambda m, d, s: ds.load_study("model.xls"), "save it as .xlsx"),
    (lambda m, d, s: ds.load_study("model.json"), "end in .toml"),
    (lambda m, d, s: ds.Assumption(pd.Series([1.0], index=[2025])), "rename_axis('year')"),
    (lambda m, d, s: ds.Assumption(np.array([1.0, 2.0])), "dist.empirical(values)"),
    (lambda m, d, s: ds.Model(double, {"capex": 1}), "given as a list, [cards, capex]"),
    (lambda m, d, s: ds.Model([bare], {"capex": 1}), "'bare' is not an equation; decorate it with @ds.equation(unit="),
    (lambda m, d, s: ds.Model([double], [1]), "given by name"),
    (lambda m, d, s: ds.Model([double], {"capex": "beta(0.3, 0.1)"}), "'capex': beta(0.3, 0.1"),
    (lambda m, d, s: m.with_equations(bare), "'bare' is not an equation"),
    (lambda m, d, s: ds.equation(bare), "equation 'bare' needs the unit of its result"),
    (lambda m, d, s: ds.equation("card")(bare), "by name: @ds.equation(unit='card')"),
    (lambda m, d, s: m.with_equations(ds.equation(crad, unit="crad")), "Did you mean unit='card'?"),
]


@pytest.fixture(scope="module")
def simulated():
    draws = MODEL.simulate(draws=8, chains=2, seed=1)
    return MODEL, draws, ds.summarize(draws)


@pytest.mark.parametrize(("call", "wrong"), CALLS, ids=[wrong[:40] for _, wrong in CALLS])
def test_a_wrong_call_says_what_is_right(call, wrong, simulated):
    with pytest.raises(DemandsimError) as raised:
        call(*simulated)
    assert wrong in said(raised)


def test_python_names_the_nearest_name():
    with pytest.raises(AttributeError) as raised:
        _ = ds.load_studies
    assert (raised.value.name, raised.value.obj) == ("load_studies", ds)
    with pytest.raises(TypeError, match="did you mean 'sd'"):
        dist.beta(mean=0.45, std=0.1)


# -- on the command line ---------------------------------------------------------------------------------------------

STUDY = "guosen-2025-01"


@pytest.fixture
def files():
    """Files in the folder of the test, made on request."""
    from pathlib import Path

    Path("fake.xlsx").write_text("a,b\n1,2\n")
    Path("empty.xlsx").write_bytes(b"")
    Path("~$model.xlsx").write_bytes(b"\x05user" + b" " * 160)
    Path("old.xlsx").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    Path("word.toml").write_text("schema = 1\nname = “mine”\n", encoding="utf-8")
    Path("utf16.toml").write_text("schema = 1\n", encoding="utf-16")
    Path("note.toml").write_text("hello there\n", encoding="utf-8")
    with zipfile.ZipFile("word.xlsx", "w") as parts:
        parts.writestr("word/document.xml", "<document/>")


WRONG = [
    (["runn", STUDY], 2, "Did you mean 'run'?"),
    (["run"], 2, "'demandsim list' names those that ship"),
    (["run", "guosen"], 1, "did you mean 'guosen-2025-01'?"),
    (
        ["run", "word.toml"],
        1,
        "line 2 cannot be read; see the mark ⟨?⟩ in 'name =⟨?⟩“mine”'; quotes and signs",
    ),
    (["run", "note.toml"], 1, "line 1 cannot be read"),
    (["run", "utf16.toml"], 1, "save it as UTF-8"),
    (["run", "notes.toml"], 1, "did you mean 'note.toml'?"),
    (["run", "model.xls"], 1, "save it as .xlsx"),
    (["run", "model.csv"], 1, "is a table, not a study file"),
    (["run", "fake.xlsx", "--output", "A!B1"], 1, "it holds text, such as CSV"),
    (["run", "empty.xlsx", "--output", "A!B1"], 1, "it is empty"),
    (["run", "~$model.xlsx", "--output", "A!B1"], 1, "read 'model.xlsx' instead"),
    (["mark", "~$model.xlsx"], 1, "read 'model.xlsx' instead"),
    (["run", "old.xlsx", "--output", "A!B1"], 1, "save it as .xlsx without a password"),
    (["run", "my", "model.xlsx"], 2, "stands in quotes"),
    (["run", STUDY, "--set", "utilization"], 2, "is not NAME=VALUE, such as utilization=0.3"),
    (["run", STUDY, "--set", "utilization:0.3"], 2, "is not NAME=VALUE"),
    (["run", STUDY, "--set", "a=1", "b=2"], 2, "--set a=1 --set b=2"),
    (
        ["run", STUDY, "--set", "utilization=0,3"],
        1,
        "--set utilization: '0,3': is the comma a decimal point?",
    ),
    (["run", STUDY, "--set", "utilization=1+1"], 1, "nothing is calculated here"),
    (["run", STUDY, "--set", "utilization=45"], 1, "45% is 0.45"),
    (["run", STUDY, "--set", "utilisation=0.3"], 1, "did you mean 'utilization'?"),
    (["run", STUDY, "--set", "cards=5"], 1, "is computed by an equation, not assumed"),
    (["run", STUDY, "--set", "utilization=0.3", "--set", "utilization=0.4"], 1, "is given twice"),
    (["run", STUDY, "--set", "utilization@100T=0.3"], 1, "set it without '@100T'"),
    (["run", STUDY, "--set", "card_price=150 thousand USD/card"], 1, "exchange_rate [USD/CNY]"),
    (["run", STUDY, "--draws", "1e6"], 2, "'1e6' is not written as a whole number, such as 1000000"),
    (["run", STUDY, "--draws", "1,000"], 2, "such as 1000"),
    (["run", STUDY, "--draws", "0"], 2, "'0' is out of range"),
    (["run", STUDY, "--seed", "abc"], 2, "'abc' is not written as a whole number"),
    (["run", STUDY, "--seed", "-1"], 2, "'-1' is out of range"),
    (["run", STUDY, "--prob", "90%"], 2, "'90%' is not written as a number, such as 0.9"),
    (["run", STUDY, "--prob", "90"], 1, "0.9 gives P5 to P95"),
    (["run", STUDY, "--scenario", "100t"], 1, "did you mean '100T'?"),
    (["run", STUDY, "--format", "excel"], 2, "'excel' is not one of 'table', 'csv', 'json'"),
    (["run", STUDY, "--of", "cards"], 2, "give --rtol too"),
    (["run", STUDY, "--into", "copy.xlsx"], 2, "is of workbooks"),
    (["run", STUDY, "--output", "a.png"], 2, "results go to the folder --out"),
    (["sensitivity", STUDY, "--of", "Gross_Margin"], 1, "did you mean 'gross_margin'?"),
    (["explain", STUDY, "Cards"], 1, "did you mean 'cards'?"),
    (["infer", STUDY, "--observe", "utilization"], 2, "is not NAME=DISTRIBUTION"),
    (["infer", STUDY, "--event", "capex"], 2, "a comparison, such as > 0, is missing; see the mark ⟨?⟩ in 'capex⟨?⟩'"),
    (["infer", STUDY, "--event", "capex > 80bn"], 2, "with no unit behind it"),
    (["infer", STUDY, "--event", "capex > 1 AND cards > 1"], 2, "joined by 'and' or 'or', in small letters"),
    (["export", STUDY, "model.xls"], 1, "ends in .xlsx"),
]


@pytest.mark.parametrize(("words", "code", "wrong"), WRONG, ids=[" ".join(words) for words, *_ in WRONG])
def test_a_wrong_command_says_what_is_right(words, code, wrong, demandsim, files):
    from pathlib import Path

    before = set(Path().rglob("*"))
    done = demandsim(*words)
    text = " ".join(done.stderr.split())
    assert wrong in text
    assert done.returncode == code
    assert not done.stdout
    assert not JARGON.search(text), text
    # Before anything is computed or written.
    assert "writing to" not in text
    assert not [path for path in set(Path().rglob("*")) - before if path.is_file()]


def test_a_workbook_in_a_folder_with_blanks_is_read(demandsim):
    from pathlib import Path

    book = openpyxl.Workbook()
    for row in (["price", 2], ["volume", 3], ["revenue", "=B1*B2"]):
        book.active.append(row)
    Path("my models").mkdir()
    book.save("my models/a model.xlsx")
    cells = ["--output", "Sheet！B3", "--assume", "B1=normal（1，2）"]
    done = demandsim("run", "my models/a model.xlsx", *cells, "--draws", "64", "--chains", "2")
    assert done.returncode == 0, done.stderr
    assert "--assume 'B1=normal（1，2）'" in done.stderr
    # A warning that is the same is said once.
    done = demandsim("run", STUDY, "--draws", "64", "--chains", "1")
    assert done.stderr.count("one chain of design") == 1
