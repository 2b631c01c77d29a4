"""Events: one grammar, whatever asks; what it means on draws, and what it says of a text that it cannot read."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim.errors import DemandsimError, EventError, UnitError, UnknownNameError
from demandsim.statistics.event import Event, event_of, parse_event
from demandsim.studies.loading import model_from_toml

NAMES = ("cards", "margin", "π", "infinite", "notable", "or_else", "e5")
numbers = st.floats(allow_nan=False) | st.integers(-(10**6), 10**6).map(float)
signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
terms = st.sampled_from(NAMES) | numbers
comparisons = st.builds(
    lambda sign, pair: Event(sign, pair),
    signs,
    st.tuples(terms, terms).filter(lambda pair: any(isinstance(term, str) for term in pair)),
)
events = st.recursive(
    comparisons,
    lambda inner: (
        st.builds(Event, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple))
        | inner.map(lambda one: Event("not", (one,)))
    ),
    max_leaves=8,
)


@given(events)
def test_what_an_event_writes_reads_back_as_itself(event):
    assert parse_event(str(event)) == event
    assert hash(parse_event(str(event))) == hash(event)


@given(event=events, seed=st.integers(0, 100))
def test_an_event_means_what_python_means_by_its_text(event, seed):
    rng = np.random.default_rng(seed)
    known = {name: rng.integers(-3, 4, 5).astype(float) for name in NAMES}
    # Python reads the text of an event as we do, number by number.
    scope = {"inf": np.inf, "__builtins__": {}}
    expected = [bool(eval(str(event), scope, {n: v[i] for n, v in known.items()})) for i in range(5)]
    units = dict.fromkeys(NAMES, "1")
    assert event.happens(known, units).tolist() == expected
    assert event.chance(known, units).tolist() == expected


@given(st.text(alphabet="ab01 .<>=!()notrde-+_", max_size=30))
def test_any_text_is_an_event_or_a_named_error(text):
    try:
        made = parse_event(text)
    except (EventError, UnknownNameError):
        return
    assert parse_event(str(made)) == made


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("gross_margin>0", "gross_margin > 0"),
        ("  1e5<cards <= 1_000_000", "100000 < cards and cards <= 1000000"),
        ("(a > 1 and b > 2) and c > 3", "a > 1 and b > 2 and c > 3"),
        ("a > 1 and b > 2 or c > -.5", "a > 1 and b > 2 or c > -0.5"),
        ("a > 1 and (b > 2 or c > 3)", "a > 1 and (b > 2 or c > 3)"),
        ("not a > 1 and b > 2", "not a > 1 and b > 2"),
        ("not (a > 1 or not b != a)", "not (a > 1 or not b != a)"),
        ("a > -inf", "a > -inf"),
        (("gross_margin", "<", 0), "gross_margin < 0"),
        (("gross_margin", ">=", "annualized_capex"), "gross_margin >= annualized_capex"),
    ],
)
def test_events_as_they_are_written_again(text, written):
    assert str(event_of(text)) == written


def test_a_comparison_may_leave_out_what_is_asked_about():
    assert parse_event("> 0 and < 5", of="cards") == parse_event("cards > 0 and cards < 5")
    with pytest.raises(EventError, match="does not say of which quantity"):
        parse_event("> 0")


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ("", EventError, r"a quantity or a number should stand here; see the mark .*\. An event is written"),
        ("cards", EventError, "a comparison, such as > 0, is missing; see the mark ⟨.⟩ in 'cards⟨"),
        ("cards >", EventError, "is missing after the comparison"),
        ("cards = 2", UnknownNameError, "unknown comparison in event: '='; did you mean '=='"),
        ("cards > 2%", EventError, "with no unit behind it; see the mark ⟨.⟩ in 'cards > 2⟨.⟩%'"),
        ("cards - 5 > 0", EventError, "in 'cards⟨.⟩- 5 > 0'"),
        ("cards > 1 AND cards < 2", EventError, "joined by 'and' or 'or', in small letters"),
        ("(cards > 1", EventError, "a bracket is not closed"),
        ("cards > 5e", EventError, "in 'cards >⟨.⟩5e'"),
        ("1 > 2", EventError, "compares two numbers"),
        ("cards > nan", EventError, "compares with NaN"),
        ("crads > 1", UnknownNameError, "unknown quantity in event: 'crads'; did you mean 'cards'"),
        ("(" * 100 + "cards > 1" + ")" * 100, EventError, "nested more than 32 deep"),
        ("not " * 100 + "cards > 1", EventError, "nested more than 32 deep"),
        (("cards", ">"), EventError, r"\('cards', '>'\) is no event. An event is written"),
        (("cards", ">", None), EventError, "which is no number"),
        (3, EventError, "3 is no event. An event is"),
    ],
)
def test_what_is_no_event_is_named(given, kind, says):
    with pytest.raises(kind, match=says):
        event_of(given, ["cards", "gross_margin"])


@pytest.fixture(scope="module")
def draws():
    return ds.load_study("guosen-2025-01").simulate(draws=256, seed=1)


def test_units_are_minded_between_quantities(draws):
    wan = draws.assign(few=(draws.cards / 2e4).assign_attrs(units="wan*card"))
    assert not parse_event("few > cards")(wan).any()
    assert parse_event("few <= cards")(wan).all()
    with pytest.raises(UnitError, match="different dimensions"):
        parse_event("cards > revenue")(draws)
    with pytest.raises(UnknownNameError, match="did you mean 'revenue'"):
        parse_event("revenu > 1")(draws)


def test_one_event_is_the_same_for_all_who_ask(draws):
    model = ds.load_study("guosen-2025-01")
    text = "gross_margin > 0 and not cards > 1e6"
    expected = (draws.gross_margin > 0) & (draws.cards <= 1e6)
    xr.testing.assert_equal(parse_event(text)(draws), expected)
    xr.testing.assert_identical(ds.probability(text, draws), ds.probability(expected))
    xr.testing.assert_identical(ds.probability(("gross_margin", ">", 0), draws), ds.probability(draws.gross_margin > 0))
    one = model.select(scenario="100T")
    posterior = one.observe(text).infer(draws=128, seed=1)
    assert parse_event(text)(posterior).all()
    assert ds.sensitivity.sobol(one, event=text, draws=64, seed=1).quantity.values.tolist() == [
        text.replace("1e6", "1000000")
    ]
    worst = ds.sensitivity.regional(draws, "gross_margin", event=text)
    xr.testing.assert_identical(worst, ds.sensitivity.regional(draws, "gross_margin", event=expected))
    again = model_from_toml(one.observe(text).to_toml())
    assert again.hash == one.observe(text).hash


def test_draws_that_are_no_numbers_are_left_out_of_any_event():
    @ds.equation(unit="1")
    def root(x):
        return x**0.5

    model = ds.Model([root], {"x": ds.Assumption("normal(mean=0, sd=1)")})
    draws = model.simulate(draws=256, seed=1, on_invalid="keep")
    found = ds.probability("not root > 1", draws)
    assert found.n_invalid.item() == int(draws.root.isnull().sum())
    assert found.probability.item() == pytest.approx(1 - 2 * 0.1587, abs=0.02)


def test_a_text_needs_draws():
    with pytest.raises(DemandsimError, match="needs draws"):
        ds.probability("cards > 1")
    with pytest.raises(DemandsimError, match="no dim 'chain'"):
        ds.probability("cards > 1", xr.Dataset())


def test_a_dataset_is_no_event():
    draws = ds.load_study("guosen-2025-01").simulate(draws=16, seed=1)[["utilization", "cards"]]
    with pytest.raises(DemandsimError, match=r"which event is meant: ask with probability\('cards > 0', draws\)"):
        ds.probability(draws)
    # Of two events the first was taken.
    with pytest.raises(DemandsimError, match="which event is meant"):
        ds.probability(draws > 0)
    with pytest.raises(
        DemandsimError, match=r"the event comes first, then the draws: probability\('cards > 1', draws\)"
    ):
        ds.probability(draws, "cards > 1")
    with pytest.raises(DemandsimError, match="such as cards > 0; this array holds numbers"):
        ds.probability(draws.cards)
