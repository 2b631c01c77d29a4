"""Series: what loading gives, which files are refused and how, and growth against closed forms."""

import contextlib
import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim import series
from demandsim.errors import DemandsimError, SeriesError, UnitError, UnknownNameError
from demandsim.series.schema import OPTIONAL, QUALIFIERS, REQUIRED, STATUSES
from demandsim.units.dates import first_day

HEADER = "variable,value,unit,date,source,status"
GOOD = f"{HEADER}\ntokens,1e12,token/day,2024-05,a page,published\ntokens,4e12,token/day,2024-12-15,a page,published\n"


@pytest.fixture
def loaded(tmp_path):
    def load(text, name="my.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return ds.load_series(str(path))

    return load


# What ships


@pytest.mark.parametrize("name", ds.list_series())
def test_every_shipped_figure_has_unit_date_source_status_and_qualifier(name):
    data = ds.load_series(name)
    assert data.data_vars
    assert data.title
    for variable, array in data.data_vars.items():
        assert {"units", "long_name", "source", "status", "qualifier"} <= set(array.attrs), variable
        there = np.isfinite(array)
        assert there.any()
        told = data.sel(variable=variable) if "variable" in data.dims else data
        # A figure is there exactly where its provenance is.
        assert set(np.unique(told.status.values[there.values])) <= set(STATUSES)
        assert (told.status.values[~there.values] == "absent").all()
        assert set(np.unique(told.qualifier.values[there.values])) <= set(QUALIFIERS)
        assert (told.qualifier.values[~there.values] == "").all()
        for key in ("source", "period"):
            assert ((told[key] != "") == there).all(), (variable, key)
        if "date" not in data.dims:
            np.testing.assert_array_equal(~np.isnat(told.date.values), there.values)


@pytest.mark.parametrize("name", ds.list_series())
def test_a_derived_figure_says_from_what(name):
    data = ds.load_series(name)
    derived = data.qualifier.values == "derived"
    assert not derived.any() or (data.note.values[derived] != "").all()


def test_names_of_series_and_their_description_go_together():
    page = Path(__file__).parents[2] / "docs" / "reference" / "series.md"
    described = {line.split("`")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")}
    described -= {*REQUIRED, *OPTIONAL, *STATUSES, *QUALIFIERS}
    assert described == set(ds.list_series())


def test_a_time_series_lies_along_date():
    tokens = ds.load_series("doubao-daily-tokens")
    assert tokens.daily_tokens.dims == ("date",)
    assert np.issubdtype(tokens.date.dtype, np.datetime64)
    assert (np.diff(tokens.date.values) > np.timedelta64(0, "D")).all()
    # Provenance goes along when rows are chosen.
    checked = tokens.daily_tokens[tokens.status == "published"]
    assert set(checked.status.values) == {"published"}
    assert 0 < checked.sizes["date"] < tokens.sizes["date"]
    assert tokens.daily_tokens.sel(date="2025-12-18").item() == 50e12
    # And a month is chosen by its name.
    assert tokens.daily_tokens.sel(date="2025-12").values.tolist() == [50e12, 63e12]


def test_a_table_lies_along_its_labels():
    capex = ds.load_series("china-cloud-capex")
    assert set(capex.data_vars) == {"capex", "growth_on_year", "growth_on_quarter"}
    assert capex.capex.dims == ("company",)
    assert capex.capex.attrs["units"] == "CNY"
    assert capex.period.sel(company="Baidu", variable="capex") == "2024Q3"
    assert capex.date.sel(company="Baidu", variable="capex") == np.datetime64("2024-07-01")
    assert np.isnan(capex.growth_on_year.sel(company="Baidu"))
    assert capex.status.sel(company="Baidu", variable="growth_on_year") == "absent"


def test_how_the_source_means_a_figure_goes_along():
    tokens = ds.load_series("doubao-daily-tokens")
    assert tokens.qualifier.sel(date="2024-12-15") == "over"
    assert set(tokens.daily_tokens[tokens.qualifier == "over"].qualifier.values) == {"over"}
    market = ds.load_series("china-chip-market")
    assert market.qualifier.sel(variable="chip_market", date="2025-01-01") == "forecast"
    # Also where a variable is taken out alone.
    assert market.chip_market.attrs["qualifier"] == "about; forecast"


def test_evidence_is_as_wide_as_its_source_is_vague():
    from demandsim import distributions as dist

    tokens = ds.load_series("doubao-daily-tokens").daily_tokens
    said = tokens[tokens.qualifier.isin(["exact", "estimated"])]
    factor = series.error_factors(said, {"exact": 1.1, "estimated": 2.0})
    assert factor.values.tolist() == [1.1, 2.0, 1.1]
    law = dist.lognormal(median=said.reset_coords(drop=True), factor=factor)
    np.testing.assert_allclose(law.ppf(0.95) / said.values, [1.1, 2.0, 1.1], rtol=1e-9)
    with pytest.raises(SeriesError, match="no factor for figures that are 'estimated'"):
        series.error_factors(said, {"exact": 1.1})
    with pytest.raises(SeriesError, match="must be a finite number above 1"):
        series.error_factors(said, {"exact": 0.9, "estimated": 2.0})
    with pytest.raises(SeriesError, match="have no qualifiers"):
        series.error_factors(said.reset_coords(drop=True), {})


def test_a_file_of_ones_own_needs_no_qualifier(loaded):
    assert "qualifier" not in loaded(GOOD).coords
    assert "qualifier" not in loaded(GOOD).tokens.attrs


def test_an_erratum_is_data():
    capex = ds.load_series("china-cloud-capex")
    tencent = capex.sel(company="Tencent", variable="growth_on_quarter")
    assert tencent.growth_on_quarter.item() == 95.83
    assert tencent.misprint.item() == 95.3
    assert "Fig. 6" in tencent.erratum.item()


def test_what_is_not_checked_says_so():
    hardware = ds.load_series("hardware")
    told = hardware.sel(variable="memory_bandwidth", hardware="H800")
    assert told.status == "unverified"
    # Also where a variable is taken out alone.
    assert "unverified" in hardware.memory_bandwidth.attrs["status"]


@pytest.mark.parametrize("name", ["doubao-daily-tokens", "hardware", "us-cloud-capex"])
def test_a_series_survives_a_file(name, tmp_path):
    data = ds.load_series(name)
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as back:
        xr.testing.assert_equal(back.load(), data)
        assert back.attrs == data.attrs


def test_loading_reads_no_pandas_and_no_scipy_at_import():
    code = "import demandsim.series, sys; print([n for n in ('xarray', 'pandas', 'pint', 'scipy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


# One's own file


def test_my_own_file_loads_like_a_shipped_one(loaded):
    data = loaded(f"# title: Mine\n# note: one\n# note: two\n# tokens: Tokens a day\n{GOOD}")
    assert data.attrs == {"series": "my", "title": "Mine", "notes": "one\ntwo"}
    assert data.tokens.attrs["long_name"] == "Tokens a day"
    assert data.tokens.values.tolist() == [1e12, 4e12]
    assert data.tokens.dims == ("date",)
    assert "note" not in data.coords


def test_what_a_spreadsheet_writes_loads_the_same(loaded):
    plain = loaded(f"# title: Tokens, and more\n{GOOD}")
    lines = ['"# title: Tokens, and more",,,,,', ",,,,,", *GOOD.splitlines(), ",,,,,"]
    xr.testing.assert_identical(loaded(b"\xef\xbb\xbf" + "\r\n".join(lines).encode()), plain)


def test_rows_in_any_order_make_one_time_series(loaded):
    head, first, second = GOOD.splitlines()
    xr.testing.assert_identical(loaded("\n".join([head, second, first])), loaded(GOOD))


def test_units_of_one_variable_are_brought_to_that_of_its_first_row(loaded):
    data = loaded(f"{HEADER}\nprice,0.8,CNY/Mtoken,2024,a,published\nprice,0.003,CNY/ktoken,2025,a,published\n")
    assert data.price.attrs["units"] == "CNY/Mtoken"
    np.testing.assert_allclose(data.price, [0.8, 3.0], rtol=1e-14)


def test_labels_with_several_dates_make_a_panel(loaded):
    rows = [
        f"{c},tokens,{v}e12,token/day,{d},a,published" for c, v, d in (("A", 1, 2024), ("A", 2, 2025), ("B", 3, 2025))
    ]
    data = loaded("\n".join([f"company,{HEADER}", *rows]))
    assert data.tokens.dims == ("company", "date")
    np.testing.assert_array_equal(data.tokens, [[1e12, 2e12], [np.nan, 3e12]])
    assert data.status.sel(company="B", date="2024").item() == "absent"


def test_two_label_columns_make_two_dims(loaded):
    rows = [
        f"{c},{p},tokens,{v},token/day,2024,a,published" for c, p, v in (("A", "x", 1), ("A", "y", 2), ("B", "x", 3))
    ]
    data = loaded("\n".join([f"company,product,{HEADER}", *rows]))
    assert data.tokens.dims == ("company", "product")
    assert data.date.dims == ("company", "product")


cells = st.from_regex(r"[a-zA-Z,;\"' é中-]{1,12}", fullmatch=True).filter(lambda text: text.strip())


@given(
    values=st.dictionaries(
        cells.map(str.strip), st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6
    ),
    source=cells.map(str.strip),
)
def test_whatever_is_written_is_read_back(tmp_path_factory, values, source):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["product", *HEADER.split(",")])
    for label, value in values.items():
        writer.writerow([label, "tokens", repr(value), "token/day", "2024-05", source, "published"])
    path = tmp_path_factory.mktemp("series") / "a.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    data = ds.load_series(path)
    assert data.product.values.tolist() == list(values)
    assert data.tokens.values.tolist() == list(values.values())
    assert set(data.source.values) == {source}


# Files that are refused

ROW = "tokens,1e12,token/day,2024-05,a page,published"
#: What is changed in a good row, the column that must be named, and what the message must say.
BAD_CELLS = [
    ("1e12", "1,5", None, "8 fields|7 fields"),
    ("1e12", "1.5x", "value", "not a finite number"),
    ("1e12", "1_000", "value", "not a finite number"),
    ("1e12", "nan", "value", "not a finite number"),
    ("1e12", "inf", "value", "not a finite number"),
    ("1e12", "1e999", "value", "not a finite number"),
    ("1e12", "１２", "value", "not a finite number"),
    ("1e12", "", "value", "is empty"),
    ("token/day", "tokken/day", "unit", "did you mean 'token'"),
    ("token/day", "bnn USD", "unit", "unit"),
    ("token/day", "", "unit", "is empty"),
    ("2024-05", "May 2024", "date", "write 2024"),
    ("2024-05", "2024-13", "date", "no day of the calendar"),
    ("2024-05", "2024-02-30", "date", "no day of the calendar"),
    ("2024-05", "0224-05", "date", "outside the years"),
    ("2024-05", "2024-05/2024-04", "date", "ends before it begins"),
    ("2024-05", "", "date", "is empty"),
    ("a page", "", "source", "is empty"),
    ("published", "publised", "status", "did you mean 'published'"),
    ("published", "", "status", "is empty"),
    ("published", "derived", "status", "'derived' is a qualifier, which has a column of its own"),
    ("tokens", "to kens", "variable", "not a name"),
    ("tokens", "source", "variable", "reserved"),
    ("tokens", "", "variable", "is empty"),
]


@pytest.mark.parametrize(("good", "bad", "column", "said"), BAD_CELLS)
def test_a_bad_cell_is_named_by_file_line_and_column(loaded, good, bad, column, said):
    text = f"# title: a\n{HEADER}\nother,1,1,2024,a,excerpt\n{ROW.replace(good, bad, 1)}\n"
    with pytest.raises(SeriesError, match=said) as caught:
        loaded(text)
    where = "my.csv, line 4" + (f", column '{column}'" if column else "")
    assert where in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "column 'variable' is missing"),
        (HEADER, "holds no rows"),
        (GOOD.replace(",source", ""), "column 'source' is missing"),
        (GOOD.replace(",", ";"), "column 'variable' is missing"),
        (f"{HEADER},notes\n{ROW},a", "unknown column 'notes'; did you mean 'note'"),
        (f"{HEADER},unit\n{ROW},1", "column 'unit' stands twice"),
        (f"my label,{HEADER}\na,{ROW}", "'my label' is not a name"),
        (f"draw,{HEADER}\na,{ROW}", "'draw' is reserved"),
        (f"tokens,{HEADER}\na,{ROW}", "is also a label column"),
        (f"{HEADER}\n{ROW}\n{ROW}", "line 3: repeats line 2"),
        (f"{HEADER}\n{ROW}\n{ROW.replace('2024-05', '2024-05-01')}", "line 3: repeats line 2"),
        (f"product,{HEADER}\na,{ROW}\n,{ROW}", "line 3, column 'product': is empty"),
        (f"# titel: a\n{GOOD}", "line 1: 'titel' is neither .* did you mean 'title'"),
        (f"{GOOD}tokens,1,card,2025,a,excerpt\n", "line 4, column 'unit': cannot convert 'card' to 'token/day'"),
        (f'{HEADER}\n"tokens', "line 2: cannot be read as CSV"),
        (f"{HEADER},qualifier\n{ROW},exactly", "line 2, column 'qualifier': unknown qualifier .* did you mean 'exact'"),
        (f"{HEADER},qualifier\n{ROW},", "line 2, column 'qualifier': is empty; every row has a qualifier"),
        (f"{HEADER},misprint,erratum\n{ROW},2,", "line 2, column 'erratum': is empty"),
        (f"{HEADER},misprint,erratum\n{ROW},x,why", "line 2, column 'misprint'"),
        (b"\xff\xfe\x00", "is not UTF-8"),
    ],
)
def test_a_bad_file_is_refused(loaded, text, said):
    with pytest.raises(SeriesError, match=said):
        loaded(text)


def test_a_line_is_counted_where_its_row_begins(loaded):
    text = f'{HEADER},note\n{ROW},"two\nlines"\n{ROW.replace("1e12", "x")},\n'
    with pytest.raises(SeriesError, match=r"line 4, column 'value'"):
        loaded(text)


def test_columns_that_are_no_labels_do_not_fill_memory(loaded):
    rows = [f"{n},{n},{n},tokens,1,token/day,2024,a,excerpt" for n in range(300)]
    with pytest.raises(SeriesError, match="is each column a label"):
        loaded("\n".join([f"a,b,c,{HEADER}", *rows]))


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'doubao-daily-tokens'"):
        ds.load_series("doubao-dayly-tokens")
    with pytest.raises(UnknownNameError, match="there is no series file"):
        ds.load_series("none.csv")
    with pytest.raises(UnknownNameError, match="there is no series file"):
        ds.load_series(tmp_path)


@given(st.text(max_size=200) | st.text("variable,value\nunit#\"'1e;:-", max_size=80).map(lambda text: GOOD + text))
def test_no_text_leads_to_anything_but_our_errors(text):
    from demandsim.series.loader import _dataset
    from demandsim.series.schema import read_table

    with contextlib.suppress(DemandsimError):
        _dataset(read_table(text, "fuzzed"), "fuzzed", "fuzzed")


# Dates


@pytest.mark.parametrize(
    ("period", "day"),
    [
        ("2024", "2024-01-01"),
        ("2024Q1", "2024-01-01"),
        ("2024Q4", "2024-10-01"),
        ("2024-02", "2024-02-01"),
        ("2024-02-29", "2024-02-29"),
        ("2024-11-28/2024-12-04", "2024-11-28"),
        ("2024-01/2024-09", "2024-01-01"),
    ],
)
def test_a_period_begins_on_its_first_day(period, day):
    assert first_day(period).isoformat() == day


@given(st.dates(min_value=np.datetime64("1900-01-01").item(), max_value=np.datetime64("2199-12-31").item()))
def test_a_day_is_itself(day):
    assert first_day(day.isoformat()) == day


# Growth

amounts = st.floats(1e-6, 1e15)
shares = st.floats(-0.99, 500)


@given(value=amounts, share=shares)
def test_an_implied_earlier_value_grows_by_what_implied_it(value, share):
    earlier = series.implied_earlier(value, share)
    assert series.growth(value, earlier) == pytest.approx(share, rel=1e-9, abs=1e-9)


@given(first=amounts, factor=st.floats(0.1, 10), years=st.floats(0.5, 20))
def test_growing_at_the_compound_rate_arrives(first, factor, years):
    rate = series.cagr(first, first * factor, years)
    assert first * (1 + rate) ** years == pytest.approx(first * factor, rel=1e-9)
    assert series.cagr(first, first * factor, 1) == pytest.approx(
        series.growth(first * factor, first), rel=1e-9, abs=1e-12
    )


def test_percent_and_units_of_labelled_figures_are_minded():
    capex = ds.load_series("us-cloud-capex")
    earlier = series.implied_earlier(capex.capex, capex.growth_on_year)
    assert earlier.attrs == {"units": "USD"}
    back = series.growth(capex.capex, earlier)
    assert back.attrs == {"units": "1"}
    np.testing.assert_allclose(100 * back, capex.growth_on_year)
    thousands = (earlier / 1e3).assign_attrs(units="kUSD")
    np.testing.assert_allclose(series.growth(capex.capex, thousands), back)
    with pytest.raises(UnitError, match="exchange_rate"):
        series.growth(capex.capex, earlier.assign_attrs(units="CNY"))
    # A currency and a month are not years.
    with pytest.raises(UnitError):
        series.cagr(1.0, 2.0, xr.DataArray(1.0, attrs={"units": "CNY"}))
    assert series.cagr(1.0, 2.0, xr.DataArray(365.0, attrs={"units": "day"})).item() == pytest.approx(1)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_growth_of_what_is_not_above_zero_is_refused(bad):
    for call in (
        lambda: series.growth(bad, 1.0),
        lambda: series.growth(1.0, bad),
        lambda: series.implied_earlier(bad, 0.1),
        lambda: series.cagr(1.0, 2.0, bad),
        lambda: series.growth(np.array([1.0, bad]), 1.0),
    ):
        with pytest.raises(SeriesError, match="above 0"):
            call()
    with pytest.raises(SeriesError, match="growth must be a finite number above -1"):
        series.implied_earlier(1.0, -1.0)


def test_growth_along_dates_takes_the_same_day_of_an_earlier_month():
    dates = np.array(["2023-07-01", "2024-04-01", "2024-07-01", "2024-10-01"], dtype="datetime64[ns]")
    data = xr.DataArray([10.0, 12.0, 15.0, 18.0], coords={"date": dates}, dims="date", attrs={"units": "CNY"})
    np.testing.assert_allclose(series.growth_on_year(data), [np.nan, np.nan, 0.5, np.nan])
    np.testing.assert_allclose(series.growth_on_quarter(data), [np.nan, np.nan, 0.25, 0.2])
    assert series.growth_on_year(data).attrs == {"units": "1"}
    xr.testing.assert_equal(series.growth_on_year(data).date, data.date)
    with pytest.raises(SeriesError, match="dim 'date'"):
        series.growth_on_year(data.rename(date="year"))


def test_elapsed_time_counts_years_of_365_days():
    tokens = ds.load_series("doubao-daily-tokens")
    elapsed = series.elapsed_years(tokens)
    assert elapsed.attrs["units"] == "year"
    assert elapsed[0] == 0
    days = (tokens.date.values - tokens.date.values[0]) / np.timedelta64(1, "D")
    np.testing.assert_allclose(elapsed, days / 365)
    assert series.elapsed_years(tokens, since="2023-05-02").values[0] == pytest.approx(365 / 365)
