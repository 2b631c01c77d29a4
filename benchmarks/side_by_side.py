"""Every claim about speed, as a ratio measured side by side in one run; ``make bench`` runs it.

Run it: ``python benchmarks/side_by_side.py [--quick] [--only NAME ...]``. Each pair runs in turn, A B A B,
after a warm-up; medians are compared. Prints one table and writes everything to ``out/bench.json``.
"""

import argparse
import json
import logging
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import accuracy
from core import CHAINS, DRAWS, by_demandsim, by_hand, distance, in_turn, one_scenario, rows_of
from peers import PEERS, Peer, version_of

import demandsim as ds

OUT = Path(__file__).resolve().parent.parent / "out" / "bench.json"
LIBRARIES = ("demandsim", "numpy", "scipy", "xarray", "dask", "distributed", *(peer.package for peer in PEERS))


@dataclass
class Row:
    """One line of the table.

    Parameters
    ----------
    name : str
    ours, other : list of float
        Seconds of every round; `other` is empty where there is no other side.
    bar : float, optional
        Largest ratio ours / other (or seconds, without an other) that was promised.
    note : str
    scale : float
        What the other side's seconds are multiplied by, where it did less than the whole work.
    absent : bool
        The peer is not installed.
    alone : bool
        There is no other side: the bar is a time.
    details : dict
    """

    name: str
    ours: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    bar: float | None = None
    note: str = ""
    scale: float = 1.0
    absent: bool = False
    alone: bool = False
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> float | None:
        """What the bar is about: a ratio of medians, or seconds."""
        if not self.ours:
            return None
        ours = statistics.median(self.ours)
        return ours / (statistics.median(self.other) * self.scale) if self.other else ours

    @property
    def verdict(self) -> str:
        """Held, missed, or nothing where nothing was promised or measured."""
        if self.absent:
            return "absent"
        if self.measured is None:
            return "not reached"
        return "" if self.bar is None else "held" if self.measured <= self.bar else "MISSED"

    def cells(self) -> list[str]:
        """Name, both times, ratio, bar, verdict and note as they are printed."""
        ours = _seconds(statistics.median(self.ours)) if self.ours else "-"
        other = _seconds(statistics.median(self.other) * self.scale) if self.other else "-"
        ratio = f"{self.measured:.3f}" if self.other and self.measured is not None else "-"
        bar = "-" if self.bar is None else _seconds(self.bar) if self.alone else f"{self.bar:.3f}"
        return [self.name, ours, other, ratio, bar, self.verdict, self.note]


def _seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def _say(text: str) -> None:
    """Progress goes to stderr, so that the table can be redirected."""
    print(f"  {text}", file=sys.stderr, flush=True)


def numpy_row(given: argparse.Namespace) -> Iterator[Row]:
    """The report's chain against plainly written numpy."""
    model = one_scenario()
    ours, other = in_turn(lambda seed: by_demandsim(model, seed), by_hand, given.rounds)
    apart = distance(rows_of(by_demandsim(model, 0)), by_hand(0))
    yield Row("numpy by hand", ours, other, 0.3, f"agree to {apart:.1%} of the IQR", details={"apart": apart})


def peer_rows(peer: Peer) -> Callable[[argparse.Namespace], Iterator[Row]]:
    """The report's chain against one peer, or a row that says it is absent."""

    def rows(given: argparse.Namespace) -> Iterator[Row]:
        version = version_of(peer.package)
        if version is None:
            yield Row(peer.package, bar=peer.bar, absent=True, note="not installed: benchmarks/requirements.txt")
            return
        model = one_scenario()
        apart = distance(rows_of(by_demandsim(model, 0)), peer.work(0, peer.draws))
        ours, other = in_turn(
            lambda seed: by_demandsim(model, seed), lambda seed: peer.work(seed, peer.draws), given.rounds
        )
        scale = DRAWS / peer.draws
        scaled = f"; {peer.draws:,} draws, time scaled by {scale:g}" if scale != 1 else ""
        note = f"{peer.note}{scaled}; agree to {apart:.1%} of the IQR"
        yield Row(f"{peer.package} {version}", ours, other, peer.bar, note, scale, details={"apart": apart})

    return rows


def accuracy_rows(given: argparse.Namespace) -> Iterator[Row]:
    """Time to 0.03% on five statistics, against plain Monte Carlo in numpy: by draws, and by `Model.estimate`."""
    model = one_scenario()
    exact = accuracy.exact()
    reference = accuracy.streamed(model, given.reference_log2, seed=2**31)
    off = dict(zip(accuracy.STATISTICS, (reference / exact - 1).tolist(), strict=True))
    _say(f"reference of 2**{given.reference_log2} draws against exact: " + ", ".join(f"{e:+.4%}" for e in off.values()))
    truths = [exact, reference]
    plain, plain_rmse = accuracy.draws_needed_by_hand(truths, given.seeds)
    worst = accuracy.STATISTICS[int(plain_rmse.argmax())]
    _say(f"numpy at 2**20: RMSE {', '.join(f'{e:.3%}' for e in plain_rmse)}; {worst} needs {plain:,} draws")
    # Both are held to the same bar: that one way reaches it does not excuse the other.
    bar = 1 / 50
    for route, work, least in (("draws", accuracy.by_demandsim, 16), ("model.estimate", accuracy.by_estimate, 10)):
        draws, rmse = accuracy.draws_needed_by_demandsim(
            partial(work, model), truths, given.seeds, 1 << least, 1 << given.most_log2, _say
        )
        details = {
            "tolerance": accuracy.TOLERANCE,
            "seeds": given.seeds,
            "exact": exact.tolist(),
            "reference_relative_to_exact": off,
            "draws": draws,
            "rmse": rmse.tolist(),
            "numpy_draws": plain,
            "numpy_rmse_at_2**20": plain_rmse.tolist(),
        }
        name = f"time to {accuracy.TOLERANCE:.2%} RMSE, {route}"
        if draws is None:
            note = f"not reached with {1 << given.most_log2:,} draws; numpy would need {plain:,}"
            yield Row(name, bar=bar, note=note, details=details)
            continue
        timed = 1 << 22
        ours, other = in_turn(partial(work, model, draws), partial(accuracy.by_hand, timed), given.rounds)
        note = f"{draws:,} draws to {plain:,} by the n**-1/2 law, for {worst}; numpy timed at 2**22 and scaled"
        yield Row(name, ours, other, bar, note, plain / timed, details=details)


def overhead_row(given: argparse.Namespace) -> Iterator[Row]:
    """What a small run costs: both scenarios, 1,024 draws in total, the study already loaded."""
    model = ds.load_study("guosen-2025-01")
    seconds = []
    for seed in range(given.calls + 1):
        start = time.perf_counter()
        ds.summarize(model.simulate(1024 // CHAINS, chains=CHAINS, seed=seed), prob=0.9)
        seconds.append(time.perf_counter() - start)
    yield Row(
        "overhead, 1,024 draws",
        seconds[1:],
        bar=0.008,
        alone=True,
        note=f"median of {given.calls} calls, each a new seed",
    )


def dask_row(given: argparse.Namespace) -> Iterator[Row]:
    """Two worker processes against one, each with one thread."""
    name = "Dask, 2 workers to 1"
    if version_of("distributed") is None:
        yield Row(name, bar=1 / 1.8, absent=True, note="not installed: pip install 'demandsim[dask]'")
        return
    from distributed import Client, LocalCluster

    model = one_scenario()

    def work(seed: int) -> None:
        draws = model.simulate(1 << 21, chains=8, chunks=1 << 18, seed=seed, keep=list(model.equations))
        ds.summarize(draws, prob=0.9)

    clusters = [
        LocalCluster(
            n_workers=n,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
            silence_logs=logging.ERROR,
        )
        for n in (2, 1)
    ]
    clients = [Client(cluster, set_as_default=False) for cluster in clusters]
    try:

        def on(client: Client) -> Callable[[int], None]:
            def run(seed: int) -> None:
                with client.as_current():
                    work(seed)

            return run

        # Both clusters stay up: starting one is no part of the work, and an idle one takes no time.
        ours, other = in_turn(on(clients[0]), on(clients[1]), max(given.rounds // 2, 1))
    finally:
        for each in (*clients, *clusters):
            each.close()
    row = Row(name, ours, other, 1 / 1.8)
    row.note = f"2**24 draws, chunks of 2**18, one thread each: {1 / row.measured:.2f}x faster (bar 1.80x)"
    yield row


SECTIONS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "numpy": numpy_row,
    **{peer.package: peer_rows(peer) for peer in PEERS},
    "accuracy": accuracy_rows,
    "overhead": overhead_row,
    "dask": dask_row,
}


def machine() -> dict[str, Any]:
    """What the absolute times depend on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "cpu": model,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in LIBRARIES},
    }


def load() -> float:
    """Processes that want a core, over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def printed(rows: list[Row]) -> str:
    """The table, columns aligned."""
    head = ["", "demandsim", "other", "ratio", "bar", "", "how"]
    lines = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = {1, 2, 3, 4}
    return "\n".join(
        "  ".join(
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and seeds, a smaller reference")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), metavar="NAME", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, help="rounds of every pair (7, quick 3)")
    parser.add_argument("--calls", type=int, default=50, help="calls of the overhead row")
    parser.add_argument("--seeds", type=int, help="seeds of an RMSE (30, quick 8)")
    parser.add_argument("--reference-log2", type=int, help="log2 of the reference's draws (27, quick 24)")
    parser.add_argument("--most-log2", type=int, help="log2 of the draws at which accuracy gives up (25, quick 23)")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    usual = {"rounds": (7, 3), "seeds": (30, 8), "reference_log2": (27, 24), "most_log2": (25, 23)}
    for name, (full, quick) in usual.items():
        if getattr(given, name) is None:
            setattr(given, name, quick if given.quick else full)
    facts = machine()
    facts["load_before"] = load()
    rows: list[Row] = []
    for name in given.only or SECTIONS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += SECTIONS[name](given)
    facts["load_after"] = load()
    print(f"{facts['cores']} cores, {facts['cpu']}, Python {facts['python']}, numpy {facts['versions']['numpy']}")
    print("ratio = demandsim / other, of medians: below 1 is faster")
    print(printed(rows))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    settings = {name: value for name, value in vars(given).items() if name != "out"}
    table = [asdict(row) | {"measured": row.measured, "verdict": row.verdict} for row in rows]
    given.out.write_text(json.dumps({"machine": facts, "settings": settings, "rows": table}, indent=2) + "\n")
    print(f"all rounds: {given.out}")


if __name__ == "__main__":
    main()
