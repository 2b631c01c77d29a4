"""Other processors: draws agree to twelve digits, and nothing that people read hangs on the rest."""

import contextlib
import io
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim.statistics.ranking import ranked
from demandsim.units.format import brief, number, percent, readable

#: What a process prints of the studies: draws, tables, and the rows of indices in their order.
SAID = """
import json, warnings
import demandsim as ds
warnings.simplefilter("ignore")
draws, texts = {}, {}
for study in ("doubao-2025-2030", "guosen-2025-01"):
    model = ds.load_study(study)
    found = model.simulate(draws=64, chains=2, seed=1)
    draws[study] = {str(name): found[name].values.ravel().tolist() for name in found.data_vars}
    texts[f"hash of {study}"] = model.hash
    texts[study] = str(ds.table(ds.summarize(found), model.point()))
model = ds.load_study("guosen-2025-01")
for name in ("cards", "gross_margin"):
    swings = ds.sensitivity.tornado(model, name)
    texts[f"tornado of {name}"] = str(swings.assumption.values)
    texts[f"explanation of {name}"] = str(model.explain(name))
print(json.dumps([draws, texts]))
"""


def said_here():
    with contextlib.redirect_stdout(io.StringIO()) as out, warnings.catch_warnings():
        exec(SAID, {})
    return json.loads(out.getvalue())


def said_elsewhere(**environment):
    command = [sys.executable, "-c", SAID]
    return json.loads(subprocess.run(command, env=os.environ | environment, capture_output=True, check=True).stdout)


@pytest.fixture(scope="module")
def both():
    """What this processor says, and what it says without the fast paths that numpy and the C library choose."""
    fast = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    plain = {"NPY_DISABLE_CPU_FEATURES": " ".join(fast), "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F"}
    return said_here(), said_elsewhere(**plain)


def test_draws_agree_to_twelve_digits_on_any_processor(both):
    (here, _), (there, _) = both
    for study, quantities in here.items():
        for name, values in quantities.items():
            # Differences of near equals lose digits: those of the largest draws count.
            size = np.max(np.abs(values))
            np.testing.assert_allclose(there[study][name], values, rtol=1e-12, atol=1e-12 * size, err_msg=name)


def test_what_people_read_is_the_same_on_any_processor(both):
    (_, here), (_, there) = both
    assert there == here


def nudged(value, steps):
    """The number some neighbouring doubles away."""
    for _ in range(abs(steps)):
        value = float(np.nextafter(value, np.inf if steps > 0 else -np.inf))
    return value


steps = st.integers(-4, 4)


@given(digits=st.integers(1, 10**6), power=st.integers(-12, 12), steps=steps)
def test_no_last_bit_changes_a_text(digits, power, steps):
    """Numbers of few digits are those that lie halfway between two texts."""
    value = float(f"{digits}e{power}")
    other = nudged(value, steps)
    for shown in (1, 2, 3, 4):
        assert number(other, shown) == number(value, shown)
        assert brief(other, shown) == brief(value, shown)
    for unit in ("card", "CNY/year", "token/day"):
        assert readable(unit, other) == readable(unit, value)
    share = digits / 1e6
    for places in (0, 1, 2, None):
        assert percent(nudged(share, steps) if 0 < share < 1 else share, places) == percent(share, places)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1e-17, 0.1, 0.3, 1.0, 1e9, np.inf, np.nan]), steps), max_size=12))
def test_no_last_bit_changes_an_order(rows):
    sizes = [size for size, _ in rows]
    names = [chr(ord("a") + (7 * place) % 12) for place in range(len(rows))]
    order = ranked(sizes, names)
    assert sorted(order) == list(range(len(rows)))
    assert ranked([nudged(size, n) if 0 < size < np.inf else size for size, n in rows], names) == order
    # The order in which rows are given does not matter either.
    again = ranked(sizes[::-1], names[::-1])
    assert [names[::-1][place] for place in again] == [names[place] for place in order]


@ds.equation(unit="1")
def product(zinc, lead, iron, tin):
    """A product, in which equal factors swing alike but for rounding."""
    return zinc * lead * iron * tin


def test_rows_that_swing_alike_stand_by_name():
    for values in ((0.3, 0.7, 1.1, 3.3), (3.3, 1.1, 0.7, 0.3)):
        assumptions = {
            name: ds.Assumption(dist.lognormal(0.7 * v, 1.9 * v), point=v)
            for name, v in zip(("zinc", "lead", "iron", "tin"), values, strict=True)
        }
        model = ds.Model(equations=[product], assumptions=assumptions)
        assert ds.sensitivity.tornado(model, "product").assumption.values.tolist() == ["iron", "lead", "tin", "zinc"]
