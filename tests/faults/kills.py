"""Kills at random moments: every store that was being made, extended or finished goes on to the same bits.

    python tests/faults/kills.py --stores 40 --kills 5 --seed 1

A process is warmed up once; each attempt is a fork of it, which is killed after a random part of the time that a whole
run takes. After its kills a store is finished in peace and compared, bit for bit, with draws that never touched a disk.
"""

import argparse
import collections
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import demandsim as ds

MODEL = ds.load_study("guosen-2025-01")
KEEP = ["cards", "utilization", "gross_margin"]


def plans(random_):
    """What a store is asked for, from the first run to the last; every second one is extended."""
    name = random_.choice(["draws.zarr", "draws.zarr", "draws.zarr", "draws.nc"])
    settings = {"chains": random_.choice([2, 3]), "seed": random_.randrange(10**6), "design": "random"}
    first = settings | {"draws": random_.choice([64, 200, 256]), "keep": KEEP[:2]}
    last = settings | {"draws": random_.choice([512, 700]), "keep": KEEP}
    chunks = random_.choice([50, 128]) if name.endswith(".zarr") else None
    runs = random_.choice([[first], [last], [first, last]])
    return name, [run | ({"chunks": chunks} if chunks else {}) for run in runs]


def attempt(run, path, after):
    """Fork, run, kill; True if the process was killed in its work, and False if it had ended before."""
    child = os.fork()
    if not child:
        code = 1
        try:
            MODEL.simulate(**run, store=path, threads=1)
            code = 0
        finally:
            os._exit(code)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"a run failed instead of being killed: {run} in {path}")
    return os.WIFSIGNALED(status)


def state(path):
    """What a kill left behind."""
    if not path.exists():
        if not path.parent.exists():
            return "nothing yet"
        beside = [left.name for left in path.parent.iterdir() if left.name != f".{path.name}.lock"]
        return "nothing yet, with leftovers" if beside else "nothing yet"
    try:
        ds.open_draws(path)
    except ds.DemandsimError as error:
        if "unfinished" not in str(error):
            raise
        return "unfinished"
    return "finished"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", type=int, default=40)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random_, left, kills, most = random.Random(given.seed), collections.Counter(), 0, 0.0
    # Threads of the libraries wait and hold nothing while a fork is made.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    with tempfile.TemporaryDirectory() as top:
        MODEL.simulate(64, seed=1, store=Path(top, "warm.zarr"), threads=1)
        MODEL.simulate(64, seed=1, store=Path(top, "warm.nc"), threads=1)
        for number in range(given.stores):
            name, runs = plans(random_)
            path = Path(top, str(number), name)
            for place, run in enumerate(runs):
                held = MODEL.simulate(**{key: value for key, value in run.items() if key != "chunks"})
                begun = time.monotonic()
                MODEL.simulate(**run, store=Path(top, "timed", name), threads=1)
                took = time.monotonic() - begun
                shutil.rmtree(Path(top, "timed"))
                done = 0
                for _ in range(20 * given.kills):
                    if done == -(-given.kills // len(runs)):
                        break
                    # Most of creating and of finishing is over in a moment: there kills are as likely as in between.
                    after = took * random_.choice([random_.random() * 0.1, random_.random(), random_.random() * 1.3])
                    if attempt(run, path, after):
                        done += 1
                        left[state(path), "extending" if place else "making"] += 1
                    elif state(path) == "finished" and not place:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()
                kills, most = kills + done, max(most, took)
                resumed = MODEL.simulate(**run, store=path, threads=1)
                for variable in run["keep"]:
                    np.testing.assert_array_equal(resumed[variable].values, held[variable].values)
                if [one.name for one in path.parent.iterdir()] != [name]:
                    raise SystemExit(f"store {number}: left beside it: {sorted(path.parent.iterdir())}")
    for (what, how), count in sorted(left.items()):
        print(f"{count:4d} kills while {how}: {what}")
    print(f"{kills} kills over {given.stores} stores, every one resumed to the same bits, seed {given.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
