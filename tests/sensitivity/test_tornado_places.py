"""At every door a tornado starts from the base of the model that was asked for, and tells the ends of one scenario."""

import dataclasses

import numpy as np
import pytest

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import UnusedAssumptionWarning
from demandsim.explorer.session import Explorer
from demandsim.report.runs import Results
from demandsim.report.scenes import scenes
from demandsim.report.selection import selection_of
from demandsim.report.words import words_of
from demandsim.workbook.charts import swings_of

STUDY = "guosen-2025-01"


def _own_scenarios(study):
    return study.with_scenarios(
        {"sure": {"utilization": 0.15}, "told": {"utilization": dist.uniform(0.1, 0.3)}, "as it is": {}}
    )


WAYS = {
    "as it is": lambda study: study,
    "pinned": lambda study: study.fix(utilization=0.15),
    "another law": lambda study: study.assume(utilization=dist.uniform(0.1, 0.3)),
    "another point": lambda study: study.assume(utilization=ds.Assumption(dist.uniform(0.1, 0.3), point=0.25)),
    "one scenario": lambda study: study.select(scenario="1000T").fix(utilization=0.15),
    "pinned in one scenario": lambda study: study.with_scenarios(
        **study.scenarios.changed("daily_tokens", "100T", 3e14)
    ),
    "scenarios": _own_scenarios,
}


@pytest.fixture(params=WAYS)
def model(request):
    return WAYS[request.param](ds.load_study(STUDY))


def labels(model):
    return list(model.scenarios.coords["scenario"])


def told_ends(model, name, scenario):
    """Ends of the 90% interval by scipy, of the scenario or of the model."""
    own = model.scenarios.grid["scenario"][scenario].get(name, model.assumptions[name])
    return own.distribution.ppf([0.05, 0.95])


def test_the_page_starts_from_the_base_in_force_and_tells_the_ends_of_its_scenario(model):
    moved = ds.sensitivity.tornado(model, ["cards"])
    selection = selection_of(model, ["cards"])
    nothing = moved[[]]
    found = list(scenes(Results(model, selection, 0.9, nothing, nothing, nothing, moved=moved), words_of("en")))
    for scene, scenario in zip(found, labels(model), strict=True):
        (moves,) = scene.moves
        assert scene.title == f"Scenario {scenario}"
        assert moves.base == pytest.approx(float(model.point().cards.sel(scenario=scenario)), rel=1e-12)
        for bar in moves.bars:
            assert all(" to " not in end for end in bar.settings[:2]), bar
        (tokens,) = [bar for bar in moves.bars if bar.label == "Tokens a day"] or [None]
        low, high = told_ends(model, "daily_tokens", scenario)
        # A sure value has no bar.
        assert (tokens is None) == (low == high)
        if tokens:
            assert tokens.at_low / moves.base == pytest.approx(low / np.sqrt(low * high), rel=1e-3)
            assert [float(end.replace(",", "")) for end in tokens.settings[:2]] == pytest.approx(
                [low / 1e12, high / 1e12], 1e-2
            )


def test_a_picture_has_its_scenario_in_its_title_its_base_and_its_ends(model):
    from matplotlib import pyplot

    axes = ds.plots.tornado(ds.sensitivity.tornado(model, "cards"))
    for ax, scenario in zip(axes.flat, labels(model), strict=True):
        assert ax.get_title(loc="left") == f"Cards needed (scenario {scenario})"
        base = float(model.point().cards.sel(scenario=scenario))
        (line,) = [line for line in ax.lines if len(set(line.get_xdata())) == 1 and line.get_xdata()[0]]
        assert line.get_xdata()[0] * 1e4 == pytest.approx(base, rel=1e-12)
        for bar in ax.patches:
            assert bar.get_x() * 1e4 == pytest.approx(base, rel=1e-12)
        written = [text.get_text() for text in ax.texts]
        # A sure value is written once, and no end mixes two scenarios.
        assert len(written) == len(set(written)), written
        assert not any(" to " in text or "|" in text for text in written), written
    pyplot.close(axes.flat[0].figure)


def test_the_workbook_and_the_explorer_start_from_the_base_in_force(model):
    first = labels(model)[0]
    base = float(model.point().cards.sel(scenario=first))
    found = swings_of(model, "cards", 0.9)
    assert (found.at, found.base) == (first, pytest.approx(base, rel=1e-12))
    for label, low, high in found.rows:
        assert low != high, label
    explorer = Explorer(model, draws=64)
    for scenario in labels(model):
        setting = dataclasses.replace(explorer.start(), scenario={"scenario": scenario})
        here = explorer.moves(setting, "cards")
        assert here.base == pytest.approx(float(model.point().cards.sel(scenario=scenario)), rel=1e-12)


def test_hardware_that_moves_together_is_told_from_its_lowest_to_its_highest():
    @ds.equation(unit="CNY")
    def cost(price, count):
        """Cost of all."""
        return (price * count).sum("hardware")

    by = dist.by("hardware", {"a": dist.uniform(1, 2), "b": dist.uniform(5, 9)})
    count = ds.Assumption(dist.uniform(1, 3))
    model = ds.Model(equations=[cost], assumptions={"price": ds.Assumption(by, unit="CNY"), "count": count})
    moved = ds.sensitivity.tornado(model, ["cost"])
    nothing = moved[[]]
    results = Results(model, selection_of(model, ["cost"]), 0.9, nothing, nothing, nothing, moved=moved)
    (scene,) = scenes(results, words_of("en"))
    (bar,) = [bar for bar in scene.moves[0].bars if bar.label == "Price"]
    assert bar.settings == ("1.05 to 5.2", "1.95 to 8.8", "1.05 to 8.8 CNY")


def test_a_value_that_every_scenario_sets_itself_says_that_it_changes_nothing():
    study = ds.load_study(STUDY)
    for change in (study.fix, study.assume):
        with pytest.warns(
            UnusedAssumptionWarning, match="every scenario sets 'daily_tokens' itself.*daily_tokens@100T"
        ):
            change(daily_tokens=3e14)
    # Where one scenario leaves it alone, it counts there.
    some = study.with_scenarios({"more": {"daily_tokens": 1e15}, "as it is": {}}).fix(daily_tokens=3e14)
    assert some.point().daily_tokens.values.tolist() == [1e15, 3e14]
