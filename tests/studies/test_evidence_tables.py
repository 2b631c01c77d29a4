"""Evidence in study files: read, checked and written again."""

import pytest

import demandsim as ds


@ds.equation(unit="card")
def cards(tokens, tokens_per_card):
    """Cards."""
    return tokens / tokens_per_card


TOML = """
schema = 1
equations = ["cards"]
[coords]
year = [2025, 2026, 2027]
[assumptions.tokens]
distribution = 'lognormal(by("year", [50, 100, 200]), by("year", [200, 400, 800]))'
unit = "token"
[assumptions.tokens_per_card]
distribution = "lognormal(1, 4)"
unit = "token/card"
[scenarios.scenario.slow]
tokens_per_card = "lognormal(2, 3)"
[scenarios.scenario.fast]
tokens_per_card = "lognormal(3, 6)"
"""


EVIDENCE = """
[[evidence]]
quantity = "cards"
distribution = 'lognormal(median=by("year", [120, 180]), factor=1.3)'
unit = "wan*card"
source = "annual report"
coords = { year = [2026, 2025] }
[[evidence]]
quantity = "tokens_per_card"
distribution = 'normal(mean=by("scenario", [2.5]), sd=0.5)'
coords = { scenario = ["slow"] }
[[evidence]]
event = "tokens_per_card > 1.5"
source = "stated"
"""


def loaded(text, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return ds.load_study(path, equations=[cards])


def test_a_study_file_holds_evidence_and_is_written_again(tmp_path):
    model = loaded(TOML + EVIDENCE, tmp_path)
    first, second, third = model.evidence
    assert (first.unit, first.source) == ("wan*card", "annual report")
    assert first.distribution.coords == {"year": (2026, 2025)}
    assert second.unit == "token/card"
    assert str(third.event) == "tokens_per_card > 1.5"
    again = loaded(model.to_toml(), tmp_path)
    assert again == model
    assert again.evidence == model.evidence
    assert loaded(TOML, tmp_path).evidence == ()
    assert loaded(model.select(scenario="fast").to_toml(), tmp_path) == model.select(scenario="fast")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            'quantity = "card"\ndistribution = "normal(1, 2)"',
            r"\[evidence.0\]: unknown quantity 'card'; did you mean 'ca",
        ),
        ('quantity = "cards"', "either quantity and distribution, or event"),
        ('event = "cards > 1"\nquantity = "cards"\ndistribution = "normal(1, 2)"', "either quantity"),
        ('event = "cards"', r"\[evidence.0\]: .*An event is"),
        ('quantity = "tokens_per_card"\ndistribution = "normall(1, 2)"', "did you mean 'normal'"),
        ('quantity = "tokens_per_card"\ndistribution = "normal(2, 1)"', "low must be below high"),
        ('quantity = "cards"\ndistribution = "normal(1, 2)"', "must say for which"),
        ('quantity = "tokens_per_card"\ndistribution = "normal(1, 2)"\nunits = "token/card"', "did you mean 'unit'"),
    ],
)
def test_evidence_of_a_study_file_is_checked(tmp_path, table, words):
    with pytest.raises(ds.DemandsimError, match=words):
        loaded(f"{TOML}\n[[evidence]]\n{table}\n", tmp_path)


def test_a_function_is_not_written():
    with pytest.raises(ds.DemandsimError, match="is a function"):
        ds.load_study("guosen-2025-01").observe(event=lambda d: d.cards > 1).to_toml()
