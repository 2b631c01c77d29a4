"""Amounts and units as reports and people write them, read back to the numbers that they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim.errors import DemandsimError, DistributionError, UnitError
from demandsim.units.amount import read_amount
from demandsim.units.convert import base_factor, same_dimension
from demandsim.units.format import number, readable


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("亿元/年", "yi*CNY/year"),
        ("万张", "wan*card"),
        ("万亿token/日", "Ttoken/day"),
        ("元/张", "CNY/card"),
        ("¥/Mtoken", "CNY/Mtoken"),
        ("$", "USD"),
        ("US$/card", "USD/card"),
        ("RMB", "CNY"),
        ("req/s", "query/s"),
        ("QPS", "query/s"),
        ("%", "percent"),
        ("bn CNY/year", "GCNY/year"),
        ("tn token/day", "Ttoken/day"),
        ("thousand CNY/card", "kCNY/card"),
        ("10,000 cards", "wan*card"),
        ("million {image}/day", "M{image}/day"),
    ],
)
def test_units_of_reports_and_of_our_tables_are_read(written, unit):
    assert same_dimension(written, unit)
    assert base_factor(written) == pytest.approx(base_factor(unit), rel=1e-14)


def test_what_is_counted_in_braces_keeps_its_name():
    assert not same_dimension("{日}/day", "1")
    assert not same_dimension("{req}", "query")


@given(
    st.floats(1e-3, 1e15).map(lambda x: float(f"{x:.4g}")),
    st.sampled_from(
        ["card", "CNY", "CNY/year", "token/day", "CNY/card", "parameter", "CNY/Mtoken", "{image}/day", "FLOP/s"]
    ),
)
def test_what_a_table_prints_is_read_back(value, unit):
    divisor, label = readable(unit, value)
    # A thing of one's own is printed without its braces.
    label = label.replace("image", "{image}")
    text = f"{number(value / divisor)} {label}"
    assert float(read_amount(text, unit)) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("45%", "1", "0.45"),
        ("45%", "percent", "45"),
        ("150,000", "CNY/card", "150000"),
        ("¥150,000/card", "CNY/card", "150000"),
        ("21.4 亿元", "CNY", "2.14e9"),
        ("85.78 x 10,000 cards", "card", "857800"),
        ("500 QPS", "query/s", "500"),
        ("6 年", "year", "6"),
        ("0.08 to 0.28", "1", "beta(0.08, 0.28)"),
        ("8% to 28%", "1", "beta(0.08, 0.28)"),
        ("2 to 3 bn CNY", "CNY", "lognormal(2e9, 3e9)"),
        ("-1 to 2", "1", "normal(-1, 2)"),
        ("-3", "1", "-3"),
        ("normal(1, 2)", "1", "normal(1, 2)"),
        ("1_000", "1", "1_000"),
        ("nonsense", "1", "nonsense"),
    ],
)
def test_amounts_are_numbers_in_the_unit_that_is_wanted(text, unit, said):
    assert read_amount(text, unit) == said


def test_a_comma_that_may_be_a_decimal_point_is_asked_about():
    for text, right in {"0,45": "0.45", "1,5 bn CNY": "1.5", "0,45%": "0.45"}.items():
        with pytest.raises(DistributionError, match=f"is the comma a decimal point.*Write {right}"):
            read_amount(text, "CNY")


def test_an_amount_of_something_else_is_an_error():
    with pytest.raises(UnitError, match=r"'3 days' for what is in 'CNY': cannot convert"):
        read_amount("3 days", "CNY")
    with pytest.raises(UnitError, match="exchange_rate"):
        read_amount("$3", "CNY")


def test_amounts_are_read_wherever_a_distribution_is_given_as_text(tmp_path):
    model = ds.load_study("guosen-2025-01")
    assert model.assume(card_price="150 thousand CNY/card").assumptions["card_price"].point == 150_000
    assert model.fix(utilization="30%").assumptions["utilization"].point == 0.3
    assert (
        str(model.assume(utilization="8% to 28%").assumptions["utilization"].distribution)
        == "beta(0.08, 0.28, prob=0.9)"
    )
    assert ds.Assumption("21.4 亿元", unit="CNY").point == 2.14e9
    more = model.with_scenarios({"much": {"daily_tokens": "2 tn token/day"}})
    assert float(more.point().daily_tokens[0]) == 2e12
    seen = model.select(scenario="100T").observe(capex="60 to 100 bn CNY").evidence[0]
    assert str(seen.distribution) == "lognormal(6e10, 1e11, prob=0.9)"
    text = model.to_toml().replace('distribution = "beta(mean=0.451386, sd=0.1)"', 'distribution = "8% to 28%"')
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    again = ds.load_study(tmp_path / "s.toml").assumptions["utilization"].distribution
    assert "beta(0.08, 0.28" in str(again)
    with pytest.raises(DemandsimError, match="is the comma a decimal point"):
        model.assume(utilization="0,45")
