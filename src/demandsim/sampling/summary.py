"""Summary: statistics of a run whose draws are not kept, on threads or on the workers of a Dask client.

A stretch of a chain is drawn piece by piece, each piece sketched and forgotten. Stretches and pieces are the same
whoever draws them, and their sketches merge in their order, so that all get the same bits. Of fewer draws, a scenario
at a time is drawn and summarized as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array, cores
from demandsim.errors import InvalidDrawsError, check_whole
from demandsim.sampling.dask import CHUNK, active_client, blocks_of
from demandsim.sampling.dataset import labelled
from demandsim.sampling.in_memory import Pace, run_in_memory, spread
from demandsim.sampling.progress import Report
from demandsim.sampling.run import BLOCK, Faults, Run, guard_memory, spans, stored_shape, threads_that_fit
from demandsim.sampling.simulate import Parts, Settings, checked_run
from demandsim.statistics.design import DESIGNS
from demandsim.statistics.estimators import Asked, Estimates
from demandsim.statistics.sketch import Focus, Sketch
from demandsim.statistics.streaming import Place, finished, guessed, joined, sketched

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["summarized", "summarized_by_scenario"]

#: Sketches of every element of every quantity.
type Sketches = dict[Place, Sketch]


def summarized(parts: Parts, settings: Settings, asked: Asked, threads: int | None, report: Report) -> xr.Dataset:
    """Check all settings, draw, and summarize; see ``Model.summarize``."""
    from demandsim.statistics.summarize import summary_of, warn_one_chain

    run = checked_run(parts, settings)
    workers = threads_that_fit(run, BLOCK, cores() if threads is None else check_whole("threads", threads))
    asked = dataclasses.replace(asked, iid=DESIGNS[run.design].independent)
    labels = _labels(parts, run)
    warn_one_chain(labels)
    return summary_of(labels, _statistics(run, asked, workers, report), asked, run.total)


def _labels(parts: Parts, run: Run) -> xr.Dataset:
    """A Dataset like that of the draws, of one draw a chain that is none."""
    one = run.only(run.keep, 1)
    values = {name: np.broadcast_to(0.0, stored_shape(one, name)) for name in run.keep}
    return labelled(one, values, parts.labels, receipt="", marks=()).assign_attrs(draws=run.draws)


def summarized_by_scenario(
    parts: Parts, settings: Settings, asked: Asked, of: Sequence[str], report: Report
) -> tuple[xr.Dataset, xr.Dataset]:
    """Statistics of what is kept, and the draws of some of it, in the memory of one scenario and of those.

    One label of the first dim of scenarios after the other is drawn, summarized and forgotten. Each number is that of
    all scenarios at once, to the last bit; only the receipt is missing.

    Parameters
    ----------
    parts, settings, asked, report
        As of `summarized`.
    of : sequence of str
        Quantities, among those kept, whose draws are returned.
    """
    from demandsim.statistics.summarize import estimates_of, summary_of, warn_one_chain

    run = checked_run(parts, settings)
    asked = dataclasses.replace(asked, iid=DESIGNS[run.design].independent)
    labels, dim, varying = _labels(parts, run), run.program.layout.scenario_dims[0], run.program.varying
    warn_one_chain(labels)
    guard_memory(run.only(of))
    shapes = {name: stored_shape(run, name) for name in of}
    held = {n: np.empty(shape if varying[n].random else (*shape[:-2], 1, 1)) for n, shape in shapes.items()}
    rows: dict[Place, Estimates] = {}
    faults, worlds = Faults(), run.program.layout.coords[dim]

    def drawn(number: int) -> None:
        # What is the same in all scenarios is drawn with the first.
        fresh = {name for name, over in varying.items() if number == 0 or dim in over.dims}
        own = dataclasses.replace(run, program=run.program.in_world({dim: worlds[number]}), on_invalid="keep")
        told = functools.partial(_told, report, number, len(worlds))
        sampled = run_in_memory(own.only([name for name in run.keep if name in fresh]), Pace(progress=told))
        elements = [
            ((name, (number, *place[1:]) if dim in varying[name].dims else place), array[place])
            for name, array in sampled.arrays.items()
            for place in np.ndindex(array.shape[:-2])
        ]
        rows.update(estimates_of(elements, asked))
        for name in fresh & set(of):
            where, kept = slice(number, number + 1) if dim in varying[name].dims else slice(None), held[name]
            kept[where] = sampled.arrays[name][..., : kept.shape[-2], : kept.shape[-1]]
        found = sampled.faults
        faults.merge(Faults({n: c for n, c in found.counts.items() if n in fresh}, found.first))

    for number in range(len(worlds)):
        drawn(number)
    if faults.counts and run.on_invalid == "raise":
        raise InvalidDrawsError(faults.described(run))
    draws = {name: np.broadcast_to(kept, shapes[name]) for name, kept in held.items()}
    made = labelled(run.only(of), draws, parts.labels, receipt="", marks=())
    return summary_of(labels, _as_asked(run, rows), asked, run.total), made


def _told(report: Report, number: int, many: int, done: int, total: int) -> None:
    """Report how much of many runs is done, of one of which so much is."""
    report(number * total + done, many * total)


def _as_asked(run: Run, rows: Mapping[Place, Estimates]) -> dict[Place, Estimates]:
    """In the order in which they were asked for, as all tables have it."""
    return {key: rows[key] for key in sorted(rows, key=lambda key: (run.keep.index(key[0]), key[1]))}


def _statistics(run: Run, asked: Asked, workers: int, report: Report) -> dict[Place, Estimates]:
    """Statistics of every element of what is kept; what was counted too coarsely is drawn a second time."""
    first = run.range_of(0, 0, min(run.draws, BLOCK))
    focus = guessed(_elements(first, min(run.draws, BLOCK)), asked, run.draws)
    rows: dict[Place, Estimates] = {}
    while focus:
        names = tuple(name for name in run.keep if any(name == key for key, _ in focus))
        found, focus = finished(asked, _chains(run.only(names), focus, workers, report))
        rows |= found
    return _as_asked(run, rows)


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
