"""Every shipped row of the report against a list of the report's figures, made from two readings of the report."""

import csv
from importlib import resources
from pathlib import Path

import pytest

import demandsim as ds
from demandsim.series.schema import QUALIFIERS, read_table
from demandsim.units.convert import conversion_factor

REPORT = "Guosen Securities, computer industry monthly, January 2025, "
with Path(__file__).with_name("report_figures.csv").open(encoding="utf-8", newline="") as file:
    #: Columns place, subject, quantity, value, unit, period, qualifier; a figure printed twice stands twice.
    FIGURES = list(csv.DictReader(file))

#: What the list calls the subject of a series without labels.
SUBJECTS = {
    "alibaba-elasticity": "Alibaba",
    "chatgpt-weekly-visits": "ChatGPT",
    "china-chip-market": "China",
    "china-inference-share": "China",
    "doubao-daily-tokens": "Doubao",
    "xiaomi-cards": "Xiaomi",
}
#: Rows that the list has under other names, since they stand for both cases.
CASES = {
    ("hardware", "fp8_flops"): "card_flops",
    ("hardware", "card_price_cny"): "card_price",
    ("paid-shares", "paid_share"): "paid_share",
    ("peak-ratios", "peak_ratio"): "peak_ratio",
    ("utilization-evidence", "utilization"): "utilization",
    ("models", "activated_parameters"): "activated_parameters",
}
TABLES = {"Fig. 11", "Fig. 27", "Fig. 28", "Fig. 42", "Fig. 43", "Fig. 44"}
#: What the tables print and no row has: the order of rows, captions, constants of a formula, and the number of
#: examples that a model was shown, which is the note of its row.
NO_ROWS = {
    "rank_world",
    "products_in_ranking",
    "products_growing",
    "formula_factor",
    "formula_divisor",
    "inference_length",
    "confidence",
    "shots",
}


def shipped():
    folder = resources.files("demandsim.series")
    for name in ds.list_series():
        table = read_table(folder.joinpath(f"{name}.csv").read_text(encoding="utf-8"), name)
        yield from ((name, row) for row in table.rows)


#: Series of several publishers call some quantities otherwise than the list of the report's figures.
SAME = {("ai-users", "monthly_users"): "active_users", ("capex-by-quarter", "capex"): "capex"}

OF_REPORT = [(name, row) for name, row in shipped() if row.source.startswith(REPORT)]
PRINTED = [(name, row) for name, row in OF_REPORT if row.qualifier != "derived"]


def names(name, row):
    """Subjects and quantity of a row, as the list has them."""
    if (name, row.variable) in CASES and (row.labels[0] in ("report", "H800") or "general" in row.labels[0]):
        return {"100T", "1000T", "Doubao", row.labels[0]}, CASES[name, row.variable]
    if (name, row.variable) in SAME:
        return {row.labels[0], *({"Google"} if row.labels[0] == "Alphabet" else ())}, SAME[name, row.variable]
    if len(row.labels) == 2:
        return {row.labels[0]}, row.labels[1]
    return {row.labels[0] if row.labels else SUBJECTS[name]}, row.variable


def found(name, row):
    subjects, quantity = names(name, row)
    same = [figure for figure in FIGURES if figure["subject"] in subjects and figure["quantity"] == quantity]
    if quantity == "event":
        return [figure for figure in same if figure["period"] == row.period]
    # One quantity at several times; a figure without a time is second.
    times = {figure["period"] for figure in same}
    then = row.period if row.period in times else "" if "" in times else None
    return [figure for figure in same if figure["period"] == then] if then is not None else same


def called(case):
    name, row = case
    return f"{name}-{'-'.join(row.labels)}-{row.variable}"


@pytest.mark.parametrize("case", PRINTED, ids=map(called, PRINTED))
def test_a_shipped_row_is_what_the_report_prints(case):
    name, row = case
    figures = found(name, row)
    said = row.source.removeprefix(REPORT).partition(";")[0]
    places = said.replace(" and 28", ", Fig. 28").replace(" and ", ", ").split(", ")
    assert set(places) <= {figure["place"] for figure in figures}, "stands at the places that it names"
    equal = []
    for figure in figures:
        value = float(figure["value"])
        here = row.value * conversion_factor(row.unit, figure["unit"])
        if here == pytest.approx(value, rel=1e-12):
            equal.append(figure)
        elif row.misprint == row.misprint:
            assert value == pytest.approx(row.misprint * conversion_factor(row.unit, figure["unit"]), rel=1e-12)
        else:
            # Only a rounding may differ, and is told.
            assert "rounded" in row.note
            assert here == pytest.approx(value, rel=0.005)
    assert row.qualifier in {figure["qualifier"] for figure in equal if figure["place"] in places}


def test_all_printed_rows_of_the_tables_are_shipped():
    there = {(figure["place"], figure["subject"], figure["quantity"]) for case in PRINTED for figure in found(*case)}
    printed = {(f["place"], f["subject"], f["quantity"]) for f in FIGURES if f["place"] in TABLES}
    assert {quantity for _, _, quantity in printed - there} == NO_ROWS


def test_most_of_what_ships_was_checked():
    assert len(PRINTED) > 500
    assert {row.qualifier for _, row in PRINTED} >= {"exact", "about", "over", "forecast", "estimated"}
    assert {figure["qualifier"] for figure in FIGURES} <= set(QUALIFIERS)


def test_a_figure_that_is_computed_is_not_printed():
    computed = {called(case): case[1] for case in OF_REPORT if case[1].qualifier == "derived"}
    assert set(computed) == {"china-inference-share--inference_share", "doubao-growth-all-elapsed"}
    share = ds.load_series("china-inference-share")
    rise = share.growth_in_points.sel(date="2024-01-01")
    before = float(share.inference_share.sel(date="2024-01-01") - rise)
    assert computed["china-inference-share--inference_share"].value == pytest.approx(before)
    # From May to the middle of December.
    assert computed["doubao-growth-all-elapsed"].value == 7


def test_what_the_report_only_expects_is_no_fact():
    market = ds.load_series("china-chip-market")
    assert market.qualifier.sel(variable="chip_market").values.tolist() == ["about", "forecast"]
    share = ds.load_series("china-inference-share")
    assert share.qualifier.sel(variable="inference_share", date="2024-01-01") == "forecast"
    saved = ds.load_series("alibaba-elasticity")
    assert set(saved.qualifier.values.ravel()) == {"over", "estimated"}
    # A founding is no stock.
    assert "cards" not in ds.load_series("xiaomi-cards")
    chain = ds.load_series("report-chain")
    assert "misprint" not in chain.coords
    for case, figure in (("100T", "Fig. 27"), ("1000T", "Fig. 28")):
        assert all(source.endswith(figure) for source in chain.source.sel(case=case).values.ravel())
