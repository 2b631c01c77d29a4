"""Distribution functions: examples of Excel's documentation, scipy, inverses that lead back, and refused parameters."""

import numpy as np
import pytest
from books import draws_of, value_of

from demandsim.workbook.calc.values import CellError

#: As Microsoft's pages on the functions print them.
PRINTED = [
    ("=T.INV(0.75,2)", 0.8164966),
    ("=T.INV.2T(0.546449,60)", 0.606533),
    ("=T.DIST(60,1,TRUE)", 0.99469533),
    ("=POISSON.DIST(2,5,TRUE)", 0.124652),
    ("=POISSON.DIST(2,5,FALSE)", 0.084224),
    ("=BINOM.DIST(6,10,0.5,FALSE)", 0.2050781),
    ("=BINOM.INV(6,0.5,0.75)", 4.0),
    ("=EXPON.DIST(0.2,10,TRUE)", 0.86466472),
    ("=EXPON.DIST(0.2,10,FALSE)", 1.35335283),
    ("=WEIBULL.DIST(105,20,100,TRUE)", 0.929581),
    ("=WEIBULL.DIST(105,20,100,FALSE)", 0.035589),
    ("=GAMMA.DIST(10.00001131,9,2,TRUE)", 0.068094),
    ("=BETA.DIST(2,8,10,TRUE,1,3)", 0.6854706),
    ("=LOGNORM.DIST(4,3.5,1.2,TRUE)", 0.0390836),
    ("=LOGNORM.DIST(4,3.5,1.2,FALSE)", 0.0176176),
    ("=CHISQ.DIST(0.5,1,TRUE)", 0.52049988),
    ("=CHISQ.INV(0.93,1)", 3.283020287),
    ("=STANDARDIZE(42,40,1.5)", 1.33333333),
    ("=GAMMALN(4)", 1.7917595),
]


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
