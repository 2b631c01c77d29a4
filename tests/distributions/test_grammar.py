"""Distributions as text: what is read, what is refused, and that nothing is ever run."""

import math
import time

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from demandsim import distributions as dist
from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.distributions.format import format_value
from demandsim.errors import DemandsimError, DistributionError

parse = dist.parse_distribution


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("0.45", lambda: dist.constant(0.45)),
        ("-3", lambda: dist.constant(-3)),
        ("+1e3", lambda: dist.constant(1000)),
        (".5", lambda: dist.constant(0.5)),
        ("5.", lambda: dist.constant(5)),
        ("110_000_000_000", lambda: dist.constant(110e9)),
        ("1.1e11", lambda: dist.constant(110e9)),
        ("constant(5)", lambda: dist.constant(5)),
        ("beta(mean=0.45, sd=0.1)", lambda: dist.beta(mean=0.45, sd=0.1)),
        ("beta( mean = .45 ,\n\tsd=1e-1 )", lambda: dist.beta(mean=0.45, sd=0.1)),
        ("lognormal(500, 1200, prob=0.9)", lambda: dist.lognormal(500, 1200)),
        ("lognormal(500, high=1200)", lambda: dist.lognormal(500, 1200)),
        ("lognormal(median=110e9, factor=2)", lambda: dist.lognormal(median=110e9, factor=2)),
        ("normal(-1, +1)", lambda: dist.normal(-1, 1)),
        ("pert(0, 1, 5, shape=6)", lambda: dist.pert(0, 1, 5, shape=6)),
        ("student_t(8, 12, df=3)", lambda: dist.student_t(8, 12, df=3)),
        ("discrete([5, 6], [1, 3])", lambda: dist.discrete([5, 6], [1, 3])),
        ("discrete([5, 6], weights=[1, 3])", lambda: dist.discrete([5, 6], weights=[1, 3])),
        ("empirical([3, 1, 2], interpolate=true)", lambda: dist.empirical([3, 1, 2], interpolate=True)),
        ("empirical([3, 1, 2], interpolate=false)", lambda: dist.empirical([3, 1, 2])),
        ("metalog([0.1, 0.9], [1, 2], lower=0)", lambda: dist.metalog([0.1, 0.9], [1, 2], lower=0)),
        ("truncated(normal(8, 12), lower=9)", lambda: dist.truncated(dist.normal(8, 12), lower=9)),
        ("mixture([normal(0, 1), 5], [2, 1])", lambda: dist.mixture([dist.normal(0, 1), 5], [2, 1])),
        ('scipy("gamma", 2, scale=3)', lambda: dist.scipy_distribution("gamma", 2, scale=3)),
        ('mixture([scipy("expon"), 0])', lambda: dist.mixture([dist.scipy_distribution("expon"), 0])),
    ],
)
def test_text_says_what_the_constructor_says(text, made):
    assert parse(text) == made()
    assert parse(str(made())) == made()
    assert dist.as_distribution(text) == made()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing is written; .*Write it like 0.45, lognormal"),
        ("   ", "nothing is written"),
        ("lognorm(1, 2)", "unknown distribution 'lognorm'; did you mean 'lognormal'"),
        ("betta(mean=0.4, sd=0.1)", "did you mean 'beta'"),
        ("qqqqq(1)", "unknown distribution 'qqqqq'; known: bernoulli, beta"),
        ("normal(1, 2, porb=0.9)", "normal has no parameter 'porb'; did you mean 'prob'"),
        ("normal(1, 2", r"a bracket is not closed; see the mark ⟨\?⟩ in 'normal\(1, 2⟨\?⟩'"),
        ("normal(1 2)", r"a comma is missing between two numbers .* in 'normal\(1⟨\?⟩2\)'"),
        ("normal(1, 2))", r"nothing stands behind a distribution.* in 'normal\(1, 2\)⟨\?⟩\)'"),
        ("normal(1,, 2)", "a number or a distribution should stand here"),
        ("normal 1", "the numbers of normal stand in parentheses"),
        ("normal", "the numbers of normal stand in parentheses"),
        ("normal(low=1, 2)", "what has no name stands before what has one"),
        ("normal(low=1, low=2)", "parameter 'low' is given twice"),
        ("normal(1, low=2, high=3)", "multiple values"),
        ("normal(1, 2, 3)", r"too many numbers; it is written like normal\(8, 12\), .* or normal\(mean=10, sd=2\)"),
        ("triangular(1)", "triangular: missing 'mode'; it is written like triangular"),
        ("normal(2, 1)", "low must be below high"),
        ("normal(nan, 1)", "'nan' is no value: say what it may be"),
        ("nan", "'nan' is no value"),
        ("inf", "'inf' is no value"),
        ("-inf", "nothing is calculated here"),
        ("1e999", "finite"),
        ("normal(1, 1e999)", "finite"),
        ("beta(mean=0.5, sd=1e-999)", "sd must be positive"),
        ("discrete([1, 1e999])", "finite"),
        ("true", "is not a distribution"),
        ('"normal(1, 2)"', "is not a distribution"),
        ("[1, 2]", "is not a distribution"),
        ("1, 2", "nothing stands behind a distribution"),
        ("1 + 1", "nothing is calculated here"),
        ("2 * normal(1, 2)", "nothing is calculated here"),
        ("1e5e5", "'1e5e5' is no number"),
        ("1.2.3", "'1.2.3' is no number"),
        ("0x10", "'0x10' is no number"),
        ("1abc", "no unit behind"),
        ("٣", "should stand"),
        ("normal(1, 2); normal(1, 2)", "parted by commas"),
        ('normal("1", 2)', "low must be a number or a distribution, not '1'"),
        ("normal(true, 2)", "low must be a number or a distribution, not True"),
        ("normal([1], 2)", "low must be a number"),
        ("discrete([1, [2]])", "list of numbers"),
        ("discrete(1)", "list of numbers"),
        ("truncated(5, lower=6)", "between the bounds"),
        ('scipy("no_such_thing")', "scipy has no distribution 'no_such_thing'"),
        ('scipy("gamma")', "gamma"),
        ("scipy(5)", "name such as"),
        ('scipy("rv_continuous")', "scipy has no distribution"),
        ('by("year", [1, 2])', "dim 'year' has no coordinates"),
        ("normal('a', 1)", "low must be a number or a distribution, not 'a'"),
        ("normal('a, 1)", "a quote is not closed"),
        ('normal("a\\"", 1)', "should stand|number"),
        ("Normal(1, 2)", "did you mean 'normal'"),
        ("parse_distribution(1)", "unknown distribution"),
    ],
)
def test_what_is_no_distribution_says_so(text, message):
    with pytest.raises(DistributionError, match=message) as raised:
        parse(text)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('by("year", [1, 2])', "expected values of shape"),
        ('by("yera", [1, 2, 3])', "dim 'yera' has no coordinates; did you mean 'year'"),
        ('by("year", [[1], [2, 3]])', "numbers in equal rows"),
        ('by("year", ["a", "b", "c"])', "numbers in equal rows"),
        ('by("year", 5)', "expected values of shape"),
        ("by([1, 2, 3])", "is written by"),
        ('by("year")', "is written by"),
        ("by(year=[1, 2, 3])", "is written by"),
        ("by()", "is written by"),
    ],
)
def test_values_by_index_must_fit_the_coordinates(text, message):
    with pytest.raises(DistributionError, match=message):
        parse(f"normal(mean={text}, sd=1)", {"year": [2025, 2026, 2027]})


def test_values_by_index_are_labelled():
    made = parse('normal(mean=by("year", [1, 2, 4]), sd=1)', {"year": [2025, 2026, 2027]})
    assert made.mean().sel(year=2027) == 4
    both = parse('by("year", "card", [[1, 2], [3, 4]])', {"year": [2025, 2026], "card": ["A", "B"]})
    assert both.is_constant
    assert both.median().sel(year=2026, card="A") == 3


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch {}')",
        "exec(\"open('{}', 'w')\")",
        'scipy("os.system", "touch {}")',
        'scipy("__class__")',
        'scipy("norm", loc=scipy("__import__"))',
        "normal.__globals__",
        "normal(1, 2).__class__",
        "[x for x in (1, 2)]",
        "lambda: 1",
        "eval(1)",
        "open(1)",
        "MENU(1)",
        "(normal(1, 2))",
        "{{1: 2}}",
        "normal(**{{}})",
        "normal(*[1, 2])",
        "print(1)",
        "normal(1, 2) if 1 else 2",
        "f'{{1}}'",
    ],
)
def test_nothing_is_run(text, tmp_path, capsys):
    with pytest.raises(DistributionError):
        parse(text.format(tmp_path / "made"))
    assert not list(tmp_path.iterdir())
    assert not capsys.readouterr().out


@pytest.mark.parametrize("wrap", [("truncated(", ", lower=0)"), ("mixture([", "])"), ("[", "]"), ("discrete([", "])")])
def test_depth_is_limited(wrap):
    for depth in (40, 5000, 100_000):
        text = wrap[0] * depth + "1" + wrap[1] * depth
        with pytest.raises(DistributionError, match=r"nested more than 32 deep|characters long") as raised:
            parse(text)
        assert len(str(raised.value)) < 300


def test_reasonable_depth_is_not_refused():
    text = "normal(1, 2)"
    for _ in range(10):
        text = f"mixture([{text}, 5])"
    assert parse(text).cdf(4.9) == pytest.approx(2.0**-10 * parse("normal(1, 2)").cdf(4.9), rel=1e-6)


def test_length_is_limited():
    with pytest.raises(DistributionError, match="characters long; at most 1000000"):
        parse("1" * 1_000_001)
    with pytest.raises(DistributionError, match="characters long"):
        parse("discrete([" + "1, " * 600_000 + "1])")


@pytest.mark.parametrize(
    "text",
    [
        "1" * 100_000 + "x",
        "1_" * 50_000 + "x",
        "1" + "_" * 100_000 + ".." + "_" * 100_000,
        " " * 500_000 + "!",
        "a" * 200_000,
        '"' + "a" * 200_000,
        "normal(" + " " * 200_000 + "1" + "\t" * 200_000,
        "e" * 50_000 + "1e" * 50_000,
        "1e" + "9" * 100_000,
        "-" * 100_000,
        "[" + "1," * 50_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_keeps_the_reader_busy(text):
    start = time.process_time()
    with pytest.raises(DistributionError) as raised:
        parse(text)
    assert time.process_time() - start < 2
    assert len(str(raised.value)) < 400


def test_long_data_are_read():
    data = np.random.default_rng(1).normal(size=20_000)
    text = str(dist.empirical(data))
    made = parse(text)
    assert made.mean() == pytest.approx(data.mean())
    assert str(made) == text


@pytest.mark.parametrize("value", [None, 5, b"normal(1, 2)", ["normal(1, 2)"]])
def test_only_text_is_parsed(value):
    with pytest.raises(DistributionError, match="text"):
        parse(value)


pieces = st.one_of(
    st.sampled_from(
        [*CONSTRUCTORS, "by", "true", "false", "(", ")", "[", "]", ",", "=", '"', "low", "high", "mean", "sd", "nan"]
    ),
    st.floats().map(repr),
    st.integers().map(str),
    st.text(max_size=3),
)


@given(
    st.one_of(
        st.text(max_size=40), st.lists(pieces, max_size=14).map(" ".join), st.lists(pieces, max_size=14).map("".join)
    )
)
def test_any_text_is_a_distribution_or_an_error_of_ours(text):
    try:
        made = parse(text, {"year": [1, 2]})
    except DistributionError as error:
        assert 0 < len(str(error)) < 600  # noqa: PT017 (whatever is raised, it is readable)
        return
    assert isinstance(made, dist.Distribution)
    assert np.all(np.isfinite(made.ppf(0.5)))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_without_losing_a_bit(number):
    text = format_value(number)
    assert float(text) == number
    assert parse(text).median() == number
    assert len(text) <= len(repr(number))


# -- any distribution, written and read -----------------------------------------------------------------------------

size = st.floats(1e-3, 1e6)
prob = st.floats(0.1, 0.99)


@st.composite
def simple(draw):
    low = draw(size)
    factor = draw(st.floats(1.5, 20))
    kind = draw(st.sampled_from(["interval", "moments", "mode", "share", "steps", "data", "number", "scipy"]))
    if kind == "interval":
        family = draw(
            st.sampled_from([dist.normal, dist.lognormal, dist.uniform, dist.loguniform, dist.student_t, dist.gamma])
        )
        return family(low, low * factor, prob=draw(prob.filter(lambda p: 0.3 < p < 0.98)))
    if kind == "moments":
        family = draw(st.sampled_from([dist.normal, dist.lognormal, dist.uniform, dist.gamma, dist.student_t]))
        return family(mean=low, sd=low * draw(st.floats(0.1, 1)))
    if kind == "mode":
        return draw(st.sampled_from([dist.triangular, dist.pert]))(-low, draw(st.floats(-1, 1)) * low, low)
    if kind == "share":
        return dist.beta(mean=draw(st.floats(0.1, 0.9)), sd=draw(st.floats(0.01, 0.25)))
    if kind == "steps":
        values = draw(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5))
        weights = draw(st.lists(st.floats(0.1, 10), min_size=len(values), max_size=len(values)))
        return dist.discrete(values, draw(st.sampled_from([None, weights])))
    if kind == "data":
        data = draw(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=9, unique=True))
        return dist.empirical(data, interpolate=max(data) - min(data) > 1 and draw(st.booleans()))
    if kind == "scipy":
        return dist.scipy_distribution("weibull_min", draw(st.floats(0.5, 5)), scale=low)
    return dist.constant(draw(st.floats(-1e300, 1e300)))


def composed(parts):
    return st.one_of(
        st.builds(dist.mixture, st.lists(parts, min_size=1, max_size=3)),
        parts.filter(lambda part: not part.is_constant).map(lambda part: dist.truncated(part, upper=part.ppf(0.8))),
    )


distributions = st.recursive(simple(), composed, max_leaves=3)


@given(distributions)
def test_any_distribution_written_and_read_is_the_same(distribution):
    again = parse(str(distribution))
    assert again == distribution
    assert hash(again) == hash(distribution)
    u = np.array([1e-9, 0.1, 0.5, 0.8])
    np.testing.assert_array_equal(again.ppf(u), distribution.ppf(u))


@given(
    values=st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3),
    labels=st.lists(
        st.one_of(st.integers(-(2**53), 2**53), st.text(min_size=1, max_size=5)), min_size=3, max_size=3, unique_by=str
    ).filter(lambda found: len({type(label) for label in found}) == 1),
)
def test_any_labelled_constant_written_and_read_is_the_same(values, labels):
    array = xr.DataArray(values, dims="what", coords={"what": labels})
    made = dist.constant(array)
    again = parse(str(made), {"what": labels})
    assert again == made
    xr.testing.assert_equal(again.median(), made.median())


def test_every_name_of_the_menu_is_a_public_constructor():
    public = {getattr(dist, name) for name in dist.__all__}
    constructors = public - {dist.Distribution, dist.parse_distribution, dist.as_distribution}
    assert {known.make for known in CONSTRUCTORS.values()} == constructors
    for name, known in CONSTRUCTORS.items():
        assert known.make.__name__ in (name, f"{name}_distribution")


def test_errors_are_ours_and_value_errors():
    assert issubclass(DistributionError, DemandsimError)
    assert issubclass(DistributionError, ValueError)
    assert math.isfinite(parse("1e308").median())
