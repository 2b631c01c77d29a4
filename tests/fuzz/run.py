"""Fuzzing of every border: mutated inputs end well or in one of our own errors, quickly, and run nothing.

python tests/fuzz/run.py --inputs 20000             # all borders; failing inputs are kept in out/fuzz
python tests/fuzz/run.py --inputs 500 --border set  # one of them
python tests/fuzz/run.py --only 1234                # one input again, with its traceback

Inputs are tried in child processes that have 512 MiB to spare, five seconds of processor time for each, and an eye on
whatever would start a process, unpickle, connect or write elsewhere.
"""

# ruff: noqa: T201 - it talks to whoever runs it.

import argparse
import collections
import faulthandler
import itertools
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 5
#: In which a worker has read everything and tried each border, on a busy machine.
START = 240
SPARE = 512 * 2**20
HOW = ("done", "refused", "failed")
#: Names of audit events that no input may cause.
FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
    "ctypes.dlopen",
)


class TooSlowError(BaseException):
    """Not an Exception, so that nothing under test catches it."""


class ForbiddenError(BaseException):
    """An input caused something that it must not."""


def watched(folder: Path) -> None:
    """From here on, no input starts a process, unpickles, connects, or writes outside the folder."""

    def look(event: str, details: tuple) -> None:
        # Dask copies its own graphs that way.
        if event.startswith(FORBIDDEN) and not (event.startswith("pickle") and details[0].startswith("dask.")):
            raise ForbiddenError(f"{event} {details!r}"[:200])
        if event == "open":
            path, mode, flags = details
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                mode is None and flags & (os.O_WRONLY | os.O_RDWR)
            )
            if (
                writes
                and isinstance(path, str)
                and not Path(path).resolve().is_relative_to(folder)
                and path != os.devnull
            ):
                raise ForbiddenError(f"writes to {path}")

    sys.addaudithook(look)


def too_slow(*_: object) -> None:
    raise TooSlowError(f"took more than {SECONDS} s")


def tried(enter) -> tuple[str, str]:
    """How an input ended, one of `HOW`, and with what."""
    from demandsim import DemandsimError

    # Processor time: a busy machine is no fault of an input. Deep in C, or asleep, the alarm is not heard: then the
    # process ends, and says where it was.
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    faulthandler.dump_traceback_later(8 * SECONDS, exit=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            enter()
    except DemandsimError as error:
        return "refused", type(error).__name__
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "failed", traceback.format_exc(limit=-6)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    return "done", ""


def work(seed: int, numbers: range, border: str | None) -> None:
    """Try a range of inputs in this process; tell of each on standard output."""
    sys.path.insert(0, str(Path(__file__).parent))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        import borders

        corpus = borders.Corpus(folder)
        # What is imported and compiled on first use is no input's doing.
        for first in borders.BORDERS:
            for number in range(3):
                tried(borders.input_of(0, -1 - number, corpus, first)[2])
        signal.signal(signal.SIGPROF, too_slow)
        watched(folder)
        with open("/proc/self/statm") as sizes:
            held = int(sizes.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + SPARE, held + SPARE))
        for number in numbers:
            kind, told, enter = borders.input_of(seed, number, corpus, border)
            print(json.dumps({"begin": number, "border": kind}), flush=True)
            ended, what = tried(enter)
            if any("PWNED" in path.name for path in folder.rglob("*")) or Path("/tmp/PWNED").exists():
                ended, what = "failed", "a payload was run: it left PWNED behind"
            line = {"number": number, "border": kind, "ended": ended, "what": what}
            print(json.dumps(line | ({"input": told} if ended == "failed" else {})), flush=True)


def child(seed: int, numbers: range, border: str | None) -> subprocess.Popen:
    words = ["--seed", str(seed), "--worker", str(numbers.start), str(numbers.stop)]
    words += ["--border", border] if border else []
    return subprocess.Popen(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def fuzz(inputs: int, seed: int, border: str | None, workers: int, start: int = 0):
    """Yield how each input ended; a worker that dies or hangs is a failure, and another goes on after it."""
    edges = [start + inputs * place // workers for place in range(workers + 1)]
    waiting = [range(one, other) for one, other in itertools.pairwise(edges) if other > one]
    with selectors.DefaultSelector() as ready:
        for numbers in waiting:
            made = child(seed, numbers, border)
            ready.register(made.stdout, selectors.EVENT_READ, [made, numbers, None, time.monotonic() + START, "?"])
        while ready.get_map():
            for key, _ in ready.select(timeout=1):
                state = key.data
                line = key.fileobj.readline()
                if line:
                    told = json.loads(line)
                    state[2], state[4] = told.get("begin"), told.get("border", "?")
                    state[3] = time.monotonic() + 12 * SECONDS
                    if "number" in told:
                        yield told
                    continue
                yield from _next(ready, key, seed, border)
            for key in list(ready.get_map().values()):
                if time.monotonic() > key.data[3]:
                    # Deep in C, where no alarm of ours is heard: that child is ours to end.
                    key.data[0].kill()
                    key.data[3] = time.monotonic() + 60


def _next(ready, key, seed: int, border: str | None):
    """A worker is done, or died of its input."""
    made, numbers, number, _, kind = key.data
    ready.unregister(key.fileobj)
    said = made.stderr.read()[-2000:]
    code = made.wait()
    if code == 0:
        return
    if number is None:
        raise SystemExit(f"a worker ended before it tried anything:\n{said}")
    yield {"number": number, "border": kind, "ended": "failed", "what": f"the process died (code {code}): {said}"}
    left = range(number + 1, numbers.stop)
    if left:
        again = child(seed, left, border)
        ready.register(again.stdout, selectors.EVENT_READ, [again, left, None, time.monotonic() + START, "?"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    borders = "study set csv message netcdf zarr cli xlsx cells ledger evidence import"
    parser.add_argument("--border", choices=borders.split())
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "fuzz")
    parser.add_argument("--only", type=int)
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.seed, range(*given.worker), given.border)
        return 0
    count, start = (given.inputs, 0) if given.only is None else (1, given.only)
    ended, failed, begun = collections.Counter(), [], time.monotonic()
    for told in fuzz(count, given.seed, given.border, min(given.workers, count), start):
        ended[told["border"], told["ended"]] += 1
        if told["ended"] == "failed":
            failed.append(told)
            given.out.mkdir(parents=True, exist_ok=True)
            (given.out / f"{told['number']}.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
            print(f"input {told['number']} ({told['border']}): {told['what'].strip().splitlines()[-1]}")
            if given.only is not None:
                print(told.get("input", ""), told["what"], sep="\n")
    for border in sorted({name for name, _ in ended}):
        print(border, *(f"{ended[border, how]} {how}" for how in HOW), sep="  ")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    took = f"{time.monotonic() - begun:.0f} s, at most {peak:.0f} MiB in a process"
    print(f"{sum(ended.values())} inputs, {len(failed)} failed, seed {given.seed}, {took}")
    return 1 if failed or sum(ended.values()) != count else 0


if __name__ == "__main__":
    sys.exit(main())
