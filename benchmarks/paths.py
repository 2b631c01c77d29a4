"""Paths: what principal components and a Brownian bridge save of the draws of a random walk under Sobol' points.

The error is the standard deviation of means over independent chains, for a geometric random walk over twenty years
beside three other assumptions: of its last level, its mean over the path, its peak, and the chance that the peak
passes 2.
"""

import numpy as np
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import processes

YEARS = 20
DRAWS = (1024, 8192)
TIME = xr.DataArray(np.arange(1.0, YEARS + 1), dims="year", coords={"year": 2025 + np.arange(1, YEARS + 1)})


@ds.equation(unit="1")
def last(level):
    """Level of the last year."""
    return level.isel(year=-1, drop=True)


@ds.equation(unit="1")
def average(level):
    """Mean over the path."""
    return level.mean("year")


@ds.equation(unit="1")
def peak(level):
    """Greatest level."""
    return level.max("year")


@ds.equation(unit="1")
def passed(peak):
    """Whether it passes 2."""
    return xr.where(peak > 2, 1.0, 0.0)


_, _, COMPONENTS = np.linalg.svd(np.tril(np.ones((YEARS, YEARS))))


@ds.equation(unit="1")
def shock(path_shock):
    """Shocks of the steps by principal components."""
    parts = (path_shock.isel(year=k, drop=True) * xr.DataArray(row, dims="year") for k, row in enumerate(COMPONENTS))
    return sum(parts).assign_coords(year=path_shock.year)


def model(kind: str) -> ds.Model:
    """The walk, with its shocks as they are, or made of others."""
    walk = processes.geometric_random_walk.renamed("level")
    made = {"bridge": processes.bridged_shock.renamed("shock", {"shock": "path_shock"}), "principal components": shock}
    drawn = dist.normal(mean=0 * TIME, sd=1)
    return ds.Model(
        [walk, last, average, peak, passed, *([made[kind]] if kind in made else [])],
        {
            "initial_level": ds.Assumption("lognormal(0.8, 1.2)"),
            "drift": ds.Assumption("normal(mean=0.02, sd=0.01)", "1/year"),
            "volatility": ds.Assumption("uniform(0.1, 0.2)"),
            "elapsed_time": ds.Assumption(TIME, "year"),
            "path_shock" if kind in made else "shock": drawn,
        },
    )


def main() -> None:
    """Print errors, and those with the steps' own shocks as 1."""
    names = ["last", "average", "peak", "passed"]
    for draws in DRAWS:
        plain: np.ndarray = np.ones(len(names))
        for kind in ("as they are", "bridge", "principal components"):
            runs = [model(kind).simulate(draws=draws, chains=16, seed=s, keep=names) for s in range(6)]
            means = np.concatenate([run.mean("draw").to_array().values for run in runs], axis=1)
            errors = means.std(axis=1)
            plain = errors if kind == "as they are" else plain
            shown = "  ".join(f"{n} {e:.1e} ({e / p:.2f})" for n, e, p in zip(names, errors, plain, strict=True))
            print(f"{draws:>6,} draws  {kind:<21} {shown}")


if __name__ == "__main__":
    main()
