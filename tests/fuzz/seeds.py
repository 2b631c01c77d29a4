"""Seeds: small studies to begin with; most of a long one is words that change nothing."""

YEARS = """
schema = 1
equations = ["inference.cards"]
[coords]
year = [2025, 2026]
[assumptions.peak_compute]
distribution = 'lognormal(by("year", [500, 800]), by("year", [1200, 2000]), prob=0.9)'
unit = "EFLOP/s"
shared = true
[assumptions.card_flops]
distribution = 1979
unit = "TFLOP/s/card"
[assumptions.utilization]
distribution = "beta(mean=0.45, sd=0.1)"
[[correlations]]
between = ["utilization", "peak_compute"]
spearman = -0.5
[scenarios.policy.slow]
utilization = 0.3
"""

FORMULAS = """
schema = 1
[formulas.cost]
formula = "where(cards > 1e3 and not price < 2, max(cards * price, 0), -cards ** 2 / (1 + price))"
unit = "1"
[formulas.total]
formula = "sum(cost, 'year') + shift(cost, 'year', 1, 0) * exp(-rate)"
unit = "1"
bounds = [0, inf]
constants = { rate = { value = 0.05, unit = "1" } }
[coords]
year = [2025, 2026]
[assumptions.cards]
distribution = 'lognormal(by("year", [500, 800]), by("year", [1200, 2000]), prob=0.9)'
[assumptions.price]
distribution = "uniform(1, 3)"
"""

CARDS = """
schema = 1
equations = ["inference.cards"]
[coords]
year = [2025, 2026]
[assumptions.peak_compute]
distribution = 'lognormal(by("year", [500, 800]), by("year", [1200, 2000]), prob=0.9)'
unit = "EFLOP/s"
[assumptions.card_flops]
distribution = 1979
unit = "TFLOP/s/card"
[assumptions.utilization]
distribution = "beta(mean=0.45, sd=0.1)"
"""
EVIDENCE = [
    """
[[evidence]]
quantity = "cards"
distribution = 'lognormal(by("year", [4e5, 8e5]), by("year", [3e6, 4e6]), prob=0.9)'
unit = "card"
coords = { year = [2025, 2026] }
source = "a page"
announced = "2026-04-02"
""",
    """
[[evidence]]
quantity = "utilization"
distribution = "normal(mean=40, sd=20)"
unit = "percent"
announced = "2025Q3"
""",
    """
[[evidence]]
event = "utilization > 0.2"
unit = "1"
source = "a page"
announced = "2025"
""",
]
