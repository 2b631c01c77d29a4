"""Writing: blocks are computed, written, and then marked; a run that was interrupted goes on from its marks.

What was interrupted has no seal yet, so that all of it that is trusted is read again before the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from demandsim._system import cores
from demandsim.sampling.dask import active_client, blocks_of
from demandsim.sampling.dataset import Labels
from demandsim.sampling.run import Run
from demandsim.sampling.store import records
from demandsim.sampling.store.blocks import check_blocks, put_block
from demandsim.sampling.store.faults import named
from demandsim.sampling.store.formats import format_of
from demandsim.sampling.store.seals import read_seal

__all__ = ["write_block", "write_store"]


def write_block(run: Run, path: str, chunk: int, chain: int, start: int, stop: int) -> None:
    """Compute one block, write it, and then mark it as whole."""
    values = run.range_of(chain, start, stop)
    target = Path(path)
    form = format_of(target)
    with named(target, "write to"), form.turn():
        with form.opened(target, "r+") as group:
            mark = put_block(group, run, values, chain, start, stop)
        with form.opened(target, "r+") as group:
            group[records.MARKS][chain, start // chunk] = mark


def write_store(
    path: str | Path,
    run: Run,
    chunk: int,
    labels: Labels,
    attrs: dict[str, Any],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a run to a store, or finish one that was interrupted; then seal it.

    Parameters
    ----------
    path : str or Path
        Ends in ``.nc`` for netCDF (one file, written by one process), otherwise a Zarr folder (written
        by all threads, or by the active Dask cluster, which must see the path).
    run, chunk, labels : Run, int, Labels
    attrs : dict
        Attributes of the Dataset.
    threads : int, optional
    progress : callable, optional
        Called with (draws done, draws in total).

    Raises
    ------
    StoreError
        If the path holds another run, or a damaged store.
    OutputError
        If it cannot be written; blocks that are whole stay, and the next call goes on from them.
    """
    target = Path(path)
    form = format_of(target)
    form.check_installed()
    working = form.working(target)
    if target.exists() and (working != target or read_seal(target) is not None):
        with named(target, "read"):
            form.check_finished(target)
            with form.opened(target, "r") as group:
                records.check_same_run(group, target, run, chunk, labels)
        return
    with named(working, "write to"):
        if working.exists():
            form.check_unfinished(working)
        else:
            working.parent.mkdir(parents=True, exist_ok=True)
            records.create(form, working, run, chunk, labels, attrs)
        with form.turn(), form.opened(working, "r") as group:
            records.check_same_run(group, working, run, chunk, labels)
            records.check_description(form, group, working)
            marks = records.read_marks(group, working, records.read_identity(group, working))
            check_blocks(group, working, run, chunk, marks)
    missing = [b for b in blocks_of(run, chunk) if not marks[b[0], b[1] // chunk]]
    done = run.total - sum(stop - start for _, start, stop in missing)
    client = None if working != target else active_client()
    for size in _written(run, str(working), chunk, missing, threads, client):
        done += size
        if progress is not None:
            progress(done, run.total)
    with named(target, "finish"):
        form.finish(working, target)


def _written(
    run: Run, path: str, chunk: int, missing: list[tuple[int, int, int]], threads: int | None, client: Any
) -> Iterator[int]:
    if client is not None:
        from distributed import as_completed

        shared = client.scatter(run, broadcast=True)
        futures = {client.submit(write_block, shared, path, chunk, *b, pure=False): b[2] - b[1] for b in missing}
        for future in as_completed(list(futures)):
            future.result()
            yield futures[future]
        return
    with ThreadPoolExecutor(threads or cores()) as pool:
        jobs = [pool.submit(write_block, run, path, chunk, *b) for b in missing]
        try:
            for job, (_, start, stop) in zip(jobs, missing, strict=True):
                job.result()
                yield stop - start
        finally:
            for job in jobs:
                job.cancel()
