"""Numbers, shares and labels as people read them."""

import datetime
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from demandsim.units.format import brief, exact, label_text, label_value, number, percent, readable

quantities = st.floats(1e-30, 1e30)
finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("unit", "magnitude", "divisor", "label"),
    [
        ("card", 857_774, 1e4, "10,000 cards"),
        ("card", 9_999, 1.0, "card"),
        ("CNY/year", 2.1e10, 1e9, "bn CNY/year"),
        ("CNY/year", -2.1e10, 1e9, "bn CNY/year"),
        ("CNY", 2e7, 1e6, "million CNY"),
        ("token/day", 1e14, 1e12, "tn token/day"),
        ("token/s", 5_000, 1.0, "token/s"),
        ("CNY/Mtoken", 1.5, 1.0, "CNY/Mtoken"),
        ("FLOP/token", 2.2e11, 1e9, "GFLOP/token"),
        ("1", 1e12, 1.0, ""),
        ("dimensionless", 0.4, 1.0, ""),
        ("year", 6, 1.0, "year"),
        ("card", math.nan, 1.0, "card"),
        ("card", math.inf, 1.0, "card"),
        ("card", 0.0, 1.0, "card"),
    ],
)
def test_readable_chooses_what_people_print(unit, magnitude, divisor, label):
    assert readable(unit, magnitude) == (divisor, label)


@given(unit=st.sampled_from(["card", "CNY/year", "token/day", "FLOP/token", "1", "USD"]), magnitude=quantities)
def test_readable_never_makes_a_number_longer_than_it_is(unit, magnitude):
    divisor, _ = readable(unit, magnitude)
    assert divisor == 1.0 or magnitude / divisor >= 0.1


@given(finite)
@example(5e-324)
@example(123456789012345680.0)
def test_an_exact_number_is_read_back_to_the_last_bit(value):
    text = exact(value)
    assert float(text) == value
    assert len(text) <= len(repr(value))


@given(st.floats(1e-12, 1e12), st.integers(2, 6))
def test_a_number_is_within_half_a_unit_of_its_last_digit(value, digits):
    for said in (number(value, digits), brief(value, digits)):
        assert float(said.replace(",", "")) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - digits) * (1 + 1e-9))


@pytest.mark.parametrize(
    ("value", "text"), [(1.5, "1.5"), (2.0, "2"), (100.0, "100"), (1230.0, "1,230"), (1e12, "1.00e+12"), (0.0, "0")]
)
def test_a_brief_number_has_no_zeros_that_say_nothing(value, text):
    assert brief(value) == text


@given(st.floats(0, 1), st.sampled_from([None, 0, 1, 2]))
@example(0.995, 0)
@example(0.9999999, None)
@example(0.9999999999999999, None)
@example(1e-9, None)
def test_a_share_never_reads_as_none_or_all_unless_it_is(share, digits):
    said = percent(share, digits)
    assert said != "0%" or share == 0
    assert said != "100%" or share == 1


@pytest.mark.parametrize("prob", [0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995])
def test_a_probability_that_was_asked_for_is_written_in_full(prob):
    assert float(percent(prob).removesuffix("%")) == pytest.approx(100 * prob, abs=1e-12)


@pytest.mark.parametrize(
    ("label", "value", "text"),
    [
        ("100T", "100T", "100T"),
        (np.str_("H100"), "H100", "H100"),
        (np.int64(2030), 2030, "2030"),
        (2030.0, 2030.0, "2030"),
        (np.float64(2025.5), 2025.5, "2025.5"),
        (np.array(2031), 2031, "2031"),
        (np.datetime64("2025-09-30", "ns"), "2025-09-30", "2025-09-30"),
        (np.array("2025-09-30", "datetime64[ns]"), "2025-09-30", "2025-09-30"),
        (np.datetime64("2025-09-30T12", "ns"), "2025-09-30T12:00", "2025-09-30T12:00"),
        (datetime.date(2025, 9, 30), "2025-09-30", "2025-09-30"),
    ],
)
def test_a_label_is_written_in_one_way(label, value, text):
    assert label_value(label) == value
    assert type(label_value(label)) is type(value)
    assert label_text(label) == text


@given(st.lists(st.floats(0, 1e6).map(lambda x: round(x, 6)), unique=True, min_size=2, max_size=4))
def test_labels_that_differ_are_written_differently(labels):
    assert len({label_text(label) for label in labels}) == len(labels)
