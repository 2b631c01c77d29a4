"""Shipped studies give the same draws as when their figures were last published."""

import json
from pathlib import Path

import numpy as np
import pytest

import demandsim as ds

#: Hash of each study; first, last and mean draw of every quantity under each design (seed 20250127, 2 chains of 4).
#: Whoever changes a study on purpose writes its entry anew, and says in the changelog what moved.
RECORDED = json.loads((Path(__file__).parent / "draws.json").read_text(encoding="utf-8"))


def test_every_study_is_recorded():
    assert set(RECORDED) == set(ds.list_studies())


@pytest.mark.parametrize("study", sorted(RECORDED))
def test_the_hash_of_a_study_is_what_it_was(study):
    assert ds.load_study(study).hash == RECORDED[study]["hash"]


@pytest.mark.parametrize("design", ["latin_hypercube", "random", "sobol"])
@pytest.mark.parametrize("study", sorted(RECORDED))
def test_draws_of_a_study_are_what_they_were(study, design):
    draws = ds.load_study(study).simulate(draws=4, chains=2, seed=20250127, design=design)
    recorded = RECORDED[study]["draws"][design]
    assert set(draws.data_vars) == set(recorded)
    for name, numbers in recorded.items():
        values = draws[name].values
        # Processors differ in the last bits; a changed draw differs in the first.
        np.testing.assert_allclose([values.flat[0], values.flat[-1], values.mean()], numbers, rtol=1e-9, err_msg=name)
