"""Units at the border: what a unit means, and what is refused."""

import logging
import math
import os
import re
import subprocess
import sys

import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim.errors import UnitError
from demandsim.units.convert import base_factor, check_unit, conversion_factor, convert, parsed, same_dimension
from demandsim.units.registry import CURRENCIES, registry

#: Groups of units that measure the same thing, from the smallest to the largest.
FAMILIES = [
    ["s", "minute", "hour", "day", "month", "year", "century"],
    ["FLOP", "TFLOP", "EFLOP"],
    ["FLOP/s/card", "GFLOP/s/card", "PFLOP/s/card"],
    ["token/year", "token/day", "token/s", "Mtoken/s"],
    ["CNY/Mtoken", "CNY/ktoken", "CNY/token"],
    ["CNY/year", "CNY/day", "wan*CNY/day", "yi*CNY/day"],
    ["card", "wan*card", "yi*card"],
    ["Wh", "kWh", "MWh"],
    ["percent", "1", "wan"],
]
same_kind = st.sampled_from(FAMILIES).flatmap(lambda family: st.tuples(*[st.sampled_from(family)] * 3))
quantities = st.floats(min_value=1e-200, max_value=1e200)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("", 1.0),
        ("1", 1.0),
        ("percent", 0.01),
        ("card", 1.0),
        ("cards", 1.0),
        ("Mtoken", 1e6),
        ("EFLOP/s", 1e18),
        ("TFLOP/s/card", 1e12),
        ("year", 365 * 86400.0),
        ("yr", 365 * 86400.0),
        ("years", 365 * 86400.0),
        ("century", 36500 * 86400.0),
        ("julian_year", 365.25 * 86400.0),
        ("light_year", 9_460_730_472_580_800.0),
        ("token/day", 1 / 86400),
        ("CNY/Mtoken", 1e-6),
        ("wan*card", 1e4),
        ("GPU", 1.0),
        ("FLOP/s/GPU", 1.0),
        ("kEUR/GPU", 1e3),
        ("M{image}/day", 1e6 / 86400),
        ("{image}*FLOP/{frame}**2", 1.0),
        ("yi*CNY", 1e8),
        ("kWh", 3.6e6),
        ("1/s", 1.0),
        ("s**-1", 1.0),
    ],
)
def test_base_units_are_coherent(unit, factor):
    assert base_factor(unit) == pytest.approx(factor, rel=1e-15)


APART = ["FLOP", "token", "parameter", "card", "node", "query", "user", *CURRENCIES, "{image}", "{frame}", "{张图}"]


@pytest.mark.parametrize("one", APART)
def test_what_is_counted_cancels_against_nothing_else(one):
    for other in [*APART, "s", "1", "byte"]:
        assert same_dimension(one, other) == (one == other)


@given(units=same_kind, value=quantities)
def test_conversions_go_there_and_back_and_by_any_way(units, value):
    a, b, c = units
    assert value * conversion_factor(a, b) * conversion_factor(b, a) == pytest.approx(value, rel=1e-14)
    assert conversion_factor(a, b) * conversion_factor(b, c) == pytest.approx(conversion_factor(a, c), rel=1e-14)
    assert conversion_factor(a, b) == pytest.approx(base_factor(a) / base_factor(b), rel=1e-14)


@pytest.mark.parametrize("unit", [unit for family in FAMILIES for unit in family])
def test_a_unit_in_itself_changes_no_bit(unit):
    assert conversion_factor(unit, unit) == 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_larger_units_have_larger_factors(family):
    factors = [base_factor(unit) for unit in family]
    assert factors == sorted(set(factors))


@pytest.mark.parametrize(
    ("unit", "to"), [("CNY", "USD"), ("USD/year", "CNY/year"), ("CNY/card", "USD/token"), ("MEUR", "kGBP")]
)
def test_currencies_convert_only_by_an_assumption(unit, to):
    with pytest.raises(UnitError, match="exchange_rate"):
        conversion_factor(unit, to)


def test_a_mismatch_names_both_units():
    with pytest.raises(UnitError, match="cannot convert 'card' to 'token/day'") as raised:
        conversion_factor("card", "token/day")
    assert "exchange_rate" not in str(raised.value)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("tokn/day", "unknown unit 'tokn/day'.*did you mean 'token'.*Write it like 'token/day'"),
        ("TFLOP/s/carrd", "did you mean 'card'"),
        ("gibberish", "unknown unit 'gibberish'.*a thing of your own that is counted stands in braces"),
        ("{two words}", "braces hold one word"),
        ("{}/day", "braces hold one word"),
        ("{image", "unknown unit"),
        ("{" + "x" * 41 + "}", "braces hold one word"),
        ("TFLOPS/card", "a rate of compute is written FLOP/s"),
        ("degC", "offset"),
        ("card/", "unknown unit"),
        ("()", "unknown unit"),
        ("card + card", r"'\+' is no sign of units"),
        ("nan", "unknown unit"),
        ("inf", "unknown unit"),
        ("10000*card", "holds a number.*wan"),
        ("1e400*card", "holds a number"),
        ("card/0", "holds a number"),
        ("day**1000", "power above"),
        ("card**1e308", "power above"),
        ("EFLOP**16 * EFLOP", "power above"),
        ("Qs**16", "too large or too small"),
        ("card*" * 5000 + "card", "characters long"),
        ("(" * 5000 + "card" + ")" * 5000, "characters long"),
        ("card.__class__", "unknown unit"),
        ("lambda: 1", "a unit holds no ':'"),
        ("card, day", "a unit holds no ','"),
        ("card # of the fleet", "a unit holds no '#'"),
        ("=card", "a unit holds no '='"),
        (None, "a unit is a text"),
        (1, "a unit is a text"),
    ],
)
def test_what_is_no_unit_says_so(unit, message):
    with pytest.raises(UnitError, match=message) as raised:
        check_unit(unit)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("unit", ["9**9**9*card", "card**(9**9**9)", "card**9**9**9", "((9**9)**9)**9**9", "s^9^9^9"])
def test_no_unit_keeps_the_machine_busy(unit):
    # In a process of its own: what hangs in there cannot be interrupted.
    code = f"from demandsim.units.convert import *\ntry: check_unit({unit!r})\nexcept Exception as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert "holds a number" in done.stdout


@given(st.text(max_size=30))
def test_any_text_is_a_unit_or_an_error_of_ours(text):
    try:
        factor = base_factor(text)
    except UnitError:
        return
    assert 0 < factor < math.inf


def test_nothing_in_a_unit_is_run(tmp_path):
    with pytest.raises(UnitError):
        check_unit(f"__import__('os').mkdir('{tmp_path / 'made'}')")
    assert not os.listdir(tmp_path)


def test_threads_that_ask_first_share_one_registry():
    code = (
        "import threading\nfrom demandsim.units.registry import registry\nfound = []\n"
        "threads = [threading.Thread(target=lambda: found.append(registry())) for _ in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\nprint(len({id(r) for r in found}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "1"


def test_the_ordinary_year_is_set_without_a_word(caplog):
    assert registry()("1 year").to("day").magnitude == 365
    assert not caplog.records
    assert logging.getLogger("pint.util").level != logging.ERROR


def cards(**attrs):
    return xr.DataArray(
        [10_000.0, 25_000.0], dims="draw", attrs={"units": "card", "long_name": "Cards", **attrs}, name="n"
    )


def test_convert_keeps_what_it_does_not_change():
    before = cards(source="Fig. 27")
    after = convert(before, "wan*card")
    assert after.values.tolist() == [1.0, 2.5]
    assert after.attrs == {"units": "wan*card", "long_name": "Cards", "source": "Fig. 27"}
    assert after.dims == ("draw",)
    assert after.name == "n"
    # The argument is as it was.
    assert before.values.tolist() == [10_000, 25_000]
    assert before.attrs["units"] == "card"


def test_convert_needs_to_know_the_unit():
    with pytest.raises(UnitError, match="'n' has no attribute 'units'"):
        convert(cards().drop_attrs(), "card")
    with pytest.raises(UnitError, match="cannot convert"):
        convert(cards(), "token")


def test_bytes_are_a_dimension_of_their_own():
    assert not same_dimension("byte", "1")
    assert not same_dimension("GB/s", "Hz")
    assert base_factor("TB/s/card") == 1e12
    assert base_factor("GiB") == 2**30
    assert base_factor("Gbit/s") == 1.25e8


@given(name=st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=12).filter(str.isidentifier))
def test_what_somebody_counts_is_read_again_as_pint_writes_it(name):
    unit = f"k{{{name}}}/day"
    assert base_factor(unit) == pytest.approx(1000 / 86400, rel=1e-15)
    written = format(registry().Quantity(1.0, parsed(unit)).to_base_units().units, "~C")
    assert same_dimension(written, unit)
    assert not same_dimension(f"{{{name}}}", "1")


@pytest.mark.parametrize(
    ("unit", "meant"),
    [
        ("token/quarter", "quarter_year"),
        ("CNY/quarters", "quarter_year"),
        ("pct", "percent"),
        ("Gb/s", "Gbit"),
        ("kb", "kB"),
        ("ton", "short_ton"),
        ("unit/day", "{unit}"),
        ("point", "percent"),
        ("count", "'1' for none"),
        ("T", "TFLOP"),
        ("1/S", "second"),
        ("cycle/second", "Hz"),
        ("link", "{link}"),
    ],
)
def test_what_pint_reads_as_something_else_is_refused_with_the_right_spelling(unit, meant):
    with pytest.raises(UnitError, match=f"would be .*; write .*{re.escape(meant)}"):
        base_factor(unit)


def test_a_quarter_of_a_year_is_a_quarter_of_a_year():
    assert conversion_factor("CNY/quarter_year", "CNY/year") == pytest.approx(4)
    assert base_factor("{quarter}/{ton}") == 1


def test_the_table_of_known_units_is_what_pint_says():
    from demandsim.units.convert import _known
    from demandsim.units.registry import registry

    for (unit, to), known in _known().items():
        made = registry().Quantity(1.0, parsed(unit))
        found = made.to(parsed(to)) if to else made.to_base_units()
        assert known.factor == found.magnitude, unit
        if not to:
            assert dict(known.dimension) == {name: power for name, power in made.dimensionality.items() if power}, unit


@pytest.mark.parametrize("study", ds.list_studies())
def test_every_unit_of_a_shipped_study_is_in_the_table(study):
    from demandsim.units.convert import _known

    model = ds.load_study(study)
    constants = {constant.unit for made in model.equations.values() for constant in made.constants.values()}
    missing = sorted(unit for unit in {*model.declared_units.values(), *constants} if (unit, "") not in _known())
    assert missing == [], "add them to units/known.csv"


def test_a_constant_is_written_with_its_unit():
    assert repr(ds.constant("2 byte/parameter")) == repr(ds.constant(2, "byte/parameter"))
    assert float(ds.constant("1,500 thousand CNY")) == 1.5e6
    assert float(ds.constant("45%")) == 0.45
    assert float(ds.constant("2.5e3")) == 2500
    for text in ("two bytes", "", "1,5 byte", "1.5.2 byte", "byte"):
        with pytest.raises(UnitError, match=r"a constant is a number and a unit, constant\(2, 'byte'\) or '2 byte'"):
            ds.constant(text)
    with pytest.raises(UnitError, match="unknown unit 'bite'"):
        ds.constant("2 bite")


def test_fiscal_periods_are_shared_out_by_days():
    quarters = ds.calendar_weights({"Q1": "2025-01-27/2025-04-27", "Q2": "2025-04-28/2025-07-27"})
    assert quarters.dims == ("fiscal", "quarter")
    assert list(quarters.quarter.values) == ["2025Q1", "2025Q2", "2025Q3"]
    # 64 days of January to March, and 27 of April.
    assert quarters.sel(fiscal="Q1", quarter="2025Q1") == 64 / 91
    assert quarters.sel(fiscal="Q2", quarter="2025Q3") == 27 / 91
    years = ds.calendar_weights({"FY2025": "2025-02/2026-01"}, "year", dim="book")
    assert years.sel(book="FY2025", year=2026) == 31 / 365
    months = ds.calendar_weights({2025: "2025Q1"}, "month")
    assert months.values.ravel().tolist() == [31 / 90, 28 / 90, 31 / 90]
    for made in (quarters, years, months):
        assert made.sum(made.dims[1]).values.tolist() == pytest.approx([1] * made.shape[0])


@pytest.mark.parametrize(
    ("periods", "into", "told"),
    [
        ({"a": "2025-13"}, "quarter", "calendar_weights: a: '2025-13' is no day of the calendar"),
        ({"a": "2025", "b": "2025-12/2026-11"}, "year", "2025-12-01 lies in a and in b; days count once"),
        ({"a": "2025-05/2025-04"}, "year", "ends before it begins"),
        ({}, "year", "name at least one period"),
        ({"a": "2025"}, "quater", "did you mean 'quarter'"),
    ],
)
def test_periods_that_cannot_be_are_named(periods, into, told):
    with pytest.raises(ds.DemandsimError, match=told):
        ds.calendar_weights(periods, into)
