"""The report's chain as each peer is meant to be used; every function does the work of `core.by_hand`.

Fairness: each tool takes its fastest documented route to the same rows (mean, sd, five quantiles of 19
quantities), with a vectorised model wherever it has one. Where a tool samples but does not summarise,
numpy summarises, exactly as by hand. None of them works out a Monte Carlo error; demandsim does.
"""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from core import BETAS, DRAWS, LEVELS, LOGNORMALS, Rows, Values, beta_shape, derived, log_scale, summarized

__all__ = ["PEERS", "Peer", "version_of"]

NAMES = [*LOGNORMALS, *BETAS]


def by_openturns(seed: int, draws: int) -> Rows:
    """A joint distribution, a symbolic function over its sample, and the sample's own statistics."""
    import openturns as ot

    marginals = [ot.LogNormal(*log_scale(*given)) for given in LOGNORMALS.values()]
    marginals += [ot.Beta(*beta_shape(*given), 0.0, 1.0) for given in BETAS.values()]
    ot.RandomGenerator.SetSeed(seed)
    sample = ot.JointDistribution(marginals).getSample(draws)
    # SymbolicFunction is compiled, and here far faster than a PythonFunction over the whole sample.
    formulas = {
        "flops_per_token": "2 * activated_parameters",
        "token_rate": "daily_tokens / 86400",
        "peak_compute": "flops_per_token * token_rate * peak_ratio / 1e18",
        "cards": "peak_compute / (card_flops * utilization) * 1e6",
        "capex": "cards * card_price",
        "annualized_capex": "capex / useful_life",
        "revenue": "daily_tokens * token_price * paid_share / 1e6 * 365",
        "gross_margin": "revenue - annualized_capex",
        "revenue_to_cost": "revenue / annualized_capex",
        "break_even_price": "annualized_capex / (daily_tokens * paid_share) * 1e6 / 365",
    }
    program = "".join(f"{name} := {text};" for name, text in formulas.items())
    outputs = ot.SymbolicFunction(NAMES, list(formulas), program)(sample)
    sample.stack(outputs)
    quantiles = sample.computeQuantilePerComponent(LEVELS)
    table = np.vstack([sample.computeMean(), sample.computeStandardDeviation(), np.asarray(quantiles)])
    return dict(zip([*NAMES, *formulas], table.T.tolist(), strict=True))


def by_squigglepy(seed: int, draws: int) -> Rows:
    """Each distribution sampled by name; its samples are arrays, so that formulas run on all draws."""
    import squigglepy as sq

    sq.set_seed(seed)
    values = {
        name: sq.sample(sq.lognorm(median / factor, median * factor, credibility=90), n=draws)
        for name, (median, factor) in LOGNORMALS.items()
    }
    values |= {name: sq.sample(sq.beta(*beta_shape(*given)), n=draws) for name, given in BETAS.items()}
    return summarized(values | derived(values))


def by_chaospy(seed: int, draws: int) -> Rows:
    """A joint distribution, sampled; formulas and statistics in numpy."""
    import chaospy

    marginals = [chaospy.LogNormal(*log_scale(*given)) for given in LOGNORMALS.values()]
    marginals += [chaospy.Beta(*beta_shape(*given)) for given in BETAS.values()]
    sample = chaospy.J(*marginals).sample(draws, rule="random", seed=seed)
    values: Values = dict(zip(NAMES, sample, strict=True))
    return summarized(values | derived(values))


def by_monaco(seed: int, draws: int) -> Rows:
    """A simulation of cases: monaco calls the model once per draw."""
    import monaco
    from scipy import stats

    def handed_out(case):
        return ({name: value.val for name, value in case.invals.items()},)

    def taken_in(case, results):
        for name, value in results.items():
            case.addOutVal(name, value)

    simulation = monaco.Sim(
        "report",
        draws,
        {"preprocess": handed_out, "run": lambda values: (derived(values),), "postprocess": taken_in},
        samplemethod="random",
        seed=seed,
        singlethreaded=True,
        verbose=False,
        debug=True,
    )
    for name, (median, factor) in LOGNORMALS.items():
        simulation.addInVar(name, stats.lognorm, {"s": log_scale(median, factor)[1], "scale": median})
    for name, given in BETAS.items():
        simulation.addInVar(name, stats.beta, dict(zip("ab", beta_shape(*given), strict=True)))
    simulation.runSim()
    return summarized({name: np.asarray(variable.nums) for name, variable in simulation.vars.items()})


def by_salib(seed: int, draws: int) -> Rows:
    """A Latin hypercube from a problem dictionary; SALib has no beta, so its unit columns are inverted."""
    from SALib.sample import latin
    from scipy import special

    problem = {
        "num_vars": len(NAMES),
        "names": NAMES,
        "bounds": [log_scale(*given) for given in LOGNORMALS.values()] + [(0.0, 1.0)] * len(BETAS),
        "dists": ["lognorm"] * len(LOGNORMALS) + ["unif"] * len(BETAS),
    }
    # A seed of 0 is taken for none.
    sample = latin.sample(problem, draws, seed=seed + 1)
    values: Values = dict(zip(NAMES, sample.T, strict=True))
    for name, given in BETAS.items():
        values[name] = special.betaincinv(*beta_shape(*given), values[name])
    return summarized(values | derived(values))


@dataclass(frozen=True)
class Peer:
    """A tool, its work, and what the ratio demandsim / peer must stay under, if anything was promised."""

    package: str
    work: Callable[[int, int], Rows]
    bar: float | None = None
    draws: int = DRAWS
    note: str = ""


PEERS = (
    Peer("openturns", by_openturns, bar=0.12, note="JointDistribution, SymbolicFunction"),
    Peer("chaospy", by_chaospy, bar=0.05, note="J(...).sample, numpy"),
    Peer("squigglepy", by_squigglepy, note="sq.sample, numpy"),
    Peer("SALib", by_salib, note="latin.sample, betas inverted by scipy, numpy"),
    Peer("monaco", by_monaco, draws=1 << 12, note="one Python call per case"),
)


def version_of(package: str) -> str | None:
    """Installed version, or None: an absent peer is listed as such."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
