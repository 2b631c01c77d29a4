"""Workbooks of @RISK: distributions, outputs and correlations that stand in formulas."""

import openpyxl
import pytest

import demandsim as ds
from demandsim.errors import WorkbookError


def written(path, cells):
    book = openpyxl.Workbook()
    for cell, value in cells.items():
        book.active[cell] = value
    book.save(path)
    return path


CELLS = {
    "A1": "Price", "B1": "=RiskNormal(100,10)", "A2": "Volume", "B2": "=RiskTriang(D1,D2,D3,RiskCorrmat(F1:G2,2))",
    "A3": "Share", "B3": '=0.5*RiskUniform(0.2,0.4,RiskName("Paid share"),RiskStatic(0.3))',
    "D1": 10, "D2": 12, "D3": 20,
    "A4": "Cost", "B4": "=RiskPert(1,2,4,RiskCorrmat(F1:G2,1))", "F1": 1, "F2": 0.6, "G2": 1,
    "A5": "Profit", "B5": '=RiskOutput("Profit")+B1*B2*B3-B4+B6', "B6": "=RiskDiscrete({0,5},{3,1})",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*nothing to check against")
def test_distributions_in_formulas_are_assumptions(tmp_path):
    model = ds.read_workbook(written(tmp_path / "risk.xlsx", CELLS))
    laws = {name: str(made.distribution) for name, made in model.assumptions.items()}
    assert laws["price"] == "normal(mean=100, sd=10)"
    assert laws["volume"] == "triangular(10, 12, 20, prob=1)"
    assert laws["paid_share"] == "uniform(0.2, 0.4, prob=1)"
    assert laws["cost"] == "pert(1, 2, 4, prob=1, shape=4)"
    assert model.assumptions["paid_share"].point == 0.3
    assert {frozenset(pair): rank for pair, rank in model.correlations.items()} == {frozenset({"volume", "cost"}): 0.6}
    draws = model.simulate(draws=256, chains=2, seed=1)
    expected = (
        draws.price * draws.volume * 0.5 * draws.paid_share - draws.cost + draws[next(n for n in laws if "b6" in n)]
    )
    assert float(abs(draws.profit - expected).max()) < 1e-10


@pytest.mark.filterwarnings("ignore:.*nothing to check against")
@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("=RiskWeibull(1,2)", "RISKWEIBULL of @RISK is not known"),
        ("=RiskNormal(1,-2)", "RISKNORMAL: .*sd"),
        ("=RiskNormal(1)", "RISKNORMAL takes 2 parameters"),
        ("=RiskNormal(1,2,RiskShift(3))", "property RISKSHIFT of @RISK is not known"),
        ("=RiskNormal(B1,2)", "Sheet!B9: a distribution whose parameter Sheet!B1 is uncertain is not read"),
        ("=0.5*RiskNormal(B1,2)", "Sheet!B9: a distribution whose parameter Sheet!B1 is uncertain is not read"),
    ],
)
def test_what_is_not_known_is_refused_with_its_cell(tmp_path, formula, says):
    cells = CELLS | {"B9": formula, "B5": "=RiskOutput()+B9+B1"}
    with pytest.raises(WorkbookError, match=says):
        ds.read_workbook(written(tmp_path / "risk.xlsx", cells))
