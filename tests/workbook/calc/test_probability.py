"""Distribution functions: examples of Excel's documentation, scipy, inverses that lead back, and refused parameters."""

import numpy as np
import pytest
from books import draws_of, value_of
from rows import PRINTED

from demandsim.workbook.calc.values import CellError


@pytest.mark.parametrize(("formula", "printed"), PRINTED)
def test_a_formula_has_the_value_that_excel_prints(formula, printed):
    assert value_of({"A1": formula}, "A1") == pytest.approx(printed, rel=3e-6, abs=5e-7)


@pytest.mark.parametrize(
    "formula",
    [
        "=T.INV(0,2)",
        "=T.INV(0.5,0.5)",
        "=POISSON.DIST(-1,5,TRUE)",
        "=BINOM.DIST(11,10,0.5,FALSE)",
        "=EXPON.DIST(1,0,TRUE)",
        "=WEIBULL.DIST(-1,1,1,TRUE)",
        "=BETA.DIST(4,8,10,TRUE,1,3)",
        "=LOGNORM.DIST(0,0,1,TRUE)",
        "=CHISQ.INV(1,1)",
        "=STANDARDIZE(1,0,0)",
        "=GAMMALN(0)",
    ],
)
def test_parameters_that_no_distribution_has_are_errors(formula):
    assert value_of({"A1": formula}, "A1") == CellError("#NUM!")


def test_an_inverse_leads_back_in_every_draw():
    levels = np.array([0.01, 0.3, 0.5, 0.97])
    for inverse, forward in (("T.INV(A1,7)", "T.DIST(B1,7,TRUE)"), ("CHISQ.INV(A1,3)", "CHISQ.DIST(B1,3,TRUE)")):
        found = draws_of({"A1": 0.5, "B1": f"={inverse}", "C1": f"={forward}"}, "C1", {"A1": levels})
        np.testing.assert_allclose(found, levels, rtol=1e-12)
