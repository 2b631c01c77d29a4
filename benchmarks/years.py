"""10 years x 5 kinds of hardware x 3 scenarios x 65,536 draws: how long, and how much memory.

Run it: ``python benchmarks/years.py``. The study `doubao-2025-2030` is carried on to 2034 at its last year's values.
With ``--everything``, also all 2,736 labels of all quantities of the study as it is, 65,536 draws in each of 8 chains.
Each measurement runs in a fresh process, whose peak resident memory the operating system tells.
"""

import argparse
import ast
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from importlib import resources

# This process imports nothing large: until it runs its own program, a child counts its parent's memory.

STUDY = "doubao-2025-2030"
YEARS, HARDWARE, SCENARIOS, DRAWS, CHAINS = 10, 5, 3, 65_536, 8
#: Results that people look at; everything they need is computed, and only they are stored.
KEEP = [
    "daily_tokens",
    "cards_bought",
    "cards_in_service",
    "purchase_capex",
    "total_cost_of_ownership",
    "revenue",
    "gross_margin",
    "served_share",
    "exceeds_market",
]
MEMORY_GIB, SECONDS = 2.0, 5.0


def longer(text: str, years: int) -> str:
    """Carry every table over years of a study file on, its last entry repeated; elapsed time and labels count on."""

    def more(found: re.Match[str]) -> str:
        values = ast.literal_eval(found[2])
        missing = years - len(values)
        steady = values == list(range(values[0], values[0] + len(values))) if isinstance(values[0], int) else False
        added = [values[-1] + 1 + i for i in range(missing)] if steady else [values[-1]] * missing
        return f"{found[1]}{values + added}"

    def wider(found: re.Match[str]) -> str:
        rows = ast.literal_eval(found[2])
        known, last = len(rows), rows[-1]
        # As the last year with those before it, by how many years lie between; with the first as little as that has.
        return f"{found[1]}" + str(
            [
                [
                    rows[i][j] if max(i, j) < known else 0 if min(i, j) == 0 else last[max(known - 1 - abs(i - j), 1)]
                    for j in range(years)
                ]
                for i in range(years)
            ]
        )

    text = re.sub(r"(?ms)^(spearman = )(\[\n.*?^\])", wider, text)
    text = re.sub(r"(?m)^(year = )(\[[^\]]*\])", more, text)
    return re.sub(r"(by\(\"year\", (?:\"hardware\", )?)(\[\[.*?\]\]|\[[^\[\]]*\])", more, text)


def model() -> object:
    """The study over ten years, its first three scenarios."""
    from demandsim.studies.loading import model_from_toml

    text = (resources.files("demandsim.studies") / f"{STUDY}.toml").read_text(encoding="utf-8")
    made = model_from_toml(longer(text, YEARS))
    grid = made.scenarios.grid["scenario"]
    made = made.with_scenarios({label: grid[label] for label in list(grid)[:SCENARIOS]})
    sizes = {dim: len(labels) for dim, labels in made.program.layout.coords.items()}
    assert sizes == {"year": YEARS, "hardware": HARDWARE, "scenario": SCENARIOS}, sizes
    return made


def measure(how: str, rounds: int) -> dict:
    """Simulate in this process, in memory or in chunks, and summarize: seconds and peak memory."""
    import demandsim as ds

    made = ds.load_study(STUDY) if how == "everything" else model()
    settings = {
        "memory": {"draws": DRAWS // CHAINS, "keep": KEEP},
        "chunks": {"draws": DRAWS // CHAINS, "keep": KEEP, "chunks": DRAWS // CHAINS},
        "everything": {"draws": DRAWS, "chunks": DRAWS // CHAINS},
    }[how]
    before = peak_gib()
    seconds, looking = [], []
    for seed in range(rounds):
        draws = None  # those of the round before are not to be counted
        start = time.perf_counter()
        draws = made.simulate(chains=CHAINS, seed=seed, **settings)
        simulated = time.perf_counter()
        ds.summarize(draws)
        seconds.append(simulated - start)
        looking.append(time.perf_counter() - simulated)
    return {"how": how, "simulate": seconds, "look": looking, "peak_gib": peak_gib(), "import_gib": before}


def peak_gib() -> float:
    """Peak resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def measured_apart(how: str, rounds: int) -> dict:
    """`measure` in a fresh process."""
    command = [sys.executable, __file__, "--inside", json.dumps([how, rounds])]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def verdict(value: float, bar: float) -> str:
    """The value over its bar: held up to 1."""
    return f"{value / bar:5.2f} of the bar of {bar:g}   {'held' if value <= bar else 'MISSED'}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds in each process; the first warms up")
    parser.add_argument("--everything", action="store_true", help="also every quantity of the study, 8 times the draws")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(measure(*json.loads(given.inside))))
        return
    print(
        f"{YEARS} years x {HARDWARE} kinds of hardware x {SCENARIOS} scenarios x {DRAWS:,} draws, {len(KEEP)} results"
    )
    kinds = {"memory": "keep=, then ds.summarize", "chunks": "keep= and chunks=, then ds.summarize"}
    if given.everything:
        kinds["everything"] = f"every quantity of {STUDY}, {CHAINS} x {DRAWS:,} draws, chunks=, then ds.summarize"
    for how, said in kinds.items():
        found = measured_apart(how, 1 if how == "everything" else given.rounds)
        # The first round warms up.
        simulate, look = (statistics.median(found[part][1:] or found[part]) for part in ("simulate", "look"))
        print(said)
        print(f"  peak memory   {found['peak_gib']:6.2f} GiB  {verdict(found['peak_gib'], MEMORY_GIB)}")
        print(f"                {found['import_gib']:6.2f} GiB  of it imports and the study")
        if how == "memory":
            print(f"  simulate      {simulate:6.2f} s    {verdict(simulate, SECONDS)}")
            print(f"  summarize     {look:6.2f} s")
        elif how == "chunks":
            # Lazy: the work is done when it is asked for.
            print(f"  together      {simulate + look:6.2f} s    {verdict(simulate + look, SECONDS)}")
        else:
            print(f"  together      {simulate + look:6.2f} s")


if __name__ == "__main__":
    main()
