"""Summary: statistics of a run whose draws are never kept, on threads or on the workers of a Dask client.

A stretch of a chain is drawn piece by piece, each piece sketched and forgotten. Stretches and pieces are the same
whoever draws them, and their sketches merge in their order, so that all get the same bits.
"""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array, cores
from demandsim.errors import check_whole
from demandsim.sampling.dask import CHUNK, active_client, blocks_of
from demandsim.sampling.dataset import labelled
from demandsim.sampling.in_memory import first_receipt, spread
from demandsim.sampling.progress import Report
from demandsim.sampling.receipt import written
from demandsim.sampling.run import BLOCK, Run, spans, stored_shape, threads_that_fit
from demandsim.sampling.simulate import Parts, Settings, checked_run
from demandsim.statistics.design import DESIGNS
from demandsim.statistics.estimators import Asked, Estimates
from demandsim.statistics.sketch import Focus, Sketch
from demandsim.statistics.streaming import Place, finished, guessed, joined, sketched

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["summarized"]

#: Sketches of every element of every quantity.
type Sketches = dict[Place, Sketch]


def summarized(parts: Parts, settings: Settings, asked: Asked, threads: int | None, report: Report) -> xr.Dataset:
    """Check all settings, draw, and summarize; see ``Model.summarize``."""
    from demandsim.statistics.summarize import summary_of, warn_one_chain

    run = checked_run(parts, settings)
    workers = threads_that_fit(run, BLOCK, cores() if threads is None else check_whole("threads", threads))
    asked = dataclasses.replace(asked, iid=DESIGNS[run.design].independent)
    one = run.only(run.keep, 1)
    values = {name: np.broadcast_to(0.0, stored_shape(one, name)) for name in run.keep}
    receipt = written(first_receipt(run), run)
    labels = labelled(one, values, parts.labels, receipt=receipt, marks=()).assign_attrs(draws=run.draws)
    warn_one_chain(labels)
    return summary_of(labels, _statistics(run, asked, workers, report), asked)


def _statistics(run: Run, asked: Asked, workers: int, report: Report) -> dict[Place, Estimates]:
    """Statistics of every element of what is kept; what was counted too coarsely is drawn a second time."""
    first = run.range_of(0, 0, min(run.draws, BLOCK))
    focus = guessed(_elements(first, min(run.draws, BLOCK)), asked, run.draws)
    rows: dict[Place, Estimates] = {}
    while focus:
        names = tuple(name for name in run.keep if any(name == key for key, _ in focus))
        found, focus = finished(asked, _chains(run.only(names), focus, workers, report))
        rows |= found
    # In the order in which they were asked for, as all tables have it.
    return {key: rows[key] for key in sorted(rows, key=lambda key: (run.keep.index(key[0]), key[1]))}


def _elements(block: Mapping[str, Array], size: int) -> Iterator[tuple[Place, Array]]:
    """Draws of every element of every quantity; of what is sure, one number stands for all."""
    for name, array in block.items():
        for place in np.ndindex(*array.shape[:-1]):
            values = array[place]
            yield (name, tuple(place)), values if values.size == size else np.broadcast_to(values, size)


def _stretch(run: Run, focus: Mapping[Place, Focus], place: tuple[int, int, int]) -> Sketches:
    """Sketches of draws `start` to `stop` of a chain."""
    chain, start, stop = place
    pieces = (
        sketched(_elements(run.range_of(chain, first, last), last - first), focus)
        for first, last in spans(start, stop, BLOCK)
    )
    return functools.reduce(joined, pieces)


def _chains(run: Run, focus: Mapping[Place, Focus], workers: int, report: Report) -> list[Sketches]:
    """Sketches of every chain."""
    places = list(blocks_of(run, CHUNK))
    wholes: dict[int, Sketches] = {}
    for chain, sketches in _in_order(run, focus, places, workers, report):
        wholes[chain] = joined(wholes[chain], sketches) if chain in wholes else sketches
    return [wholes[chain] for chain in range(run.chains)]


def _in_order(
    run: Run, focus: Mapping[Place, Focus], places: list[tuple[int, int, int]], workers: int, report: Report
) -> Iterator[tuple[int, Sketches]]:
    """Chain and sketches of every stretch, in the order of the stretches."""
    done: dict[int, Sketches] = {}
    next_up, drawn = 0, 0
    for number, sketches in _drawn(run, focus, places, workers):
        done[number] = sketches
        drawn += places[number][2] - places[number][1]
        report(drawn, run.total)
        while next_up in done:
            yield places[next_up][0], done.pop(next_up)
            next_up += 1


def _drawn(
    run: Run, focus: Mapping[Place, Focus], places: list[tuple[int, int, int]], workers: int
) -> Iterable[tuple[int, Sketches]]:
    """Number and sketches of every stretch, as they come."""
    client = active_client()
    if client is None:
        yield from spread(lambda item: (item[0], _stretch(run, focus, item[1])), list(enumerate(places)), workers)
        return
    from distributed import as_completed

    # The model and the focus travel once to each worker; only sketches come back.
    held = client.scatter([run, dict(focus)], broadcast=True, hash=False)
    token = uuid.uuid4().hex[:16]
    futures = {
        client.submit(_stretch, *held, place, key=f"stretch-{token}-{number}", pure=False): number
        for number, place in enumerate(places)
    }
    for future in as_completed(list(futures)):
        number: Any = futures.pop(future)
        yield number, future.result()
