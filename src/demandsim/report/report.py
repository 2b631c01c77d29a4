"""Report: the page of a model, from its runs to a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demandsim._system import written_whole
from demandsim.errors import OutputError
from demandsim.report.data import Content
from demandsim.report.evidence import learned
from demandsim.report.fans import fans
from demandsim.report.headline import differences_from_source
from demandsim.report.page import assembled
from demandsim.report.provenance import record_of
from demandsim.report.runs import Results, Sample, computed
from demandsim.report.scenes import scenes, titled
from demandsim.report.sections import record_sections, scene_sections
from demandsim.report.selection import selection_of
from demandsim.report.words import Words, words_of
from demandsim.sampling.progress import Progress
from demandsim.statistics.estimators import check_prob
from demandsim.units.format import label_text, percent

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["report_page", "write_report"]


def write_report(
    model: Model,
    path: str | Path,
    *,
    of: str | Sequence[str] | None = None,
    draws: int = 8192,
    chains: int = 8,
    seed: int | None = None,
    prob: float = 0.9,
    locale: str = "en",
    command: str | Callable[[int], str] | None = None,
    progress: Progress = None,
) -> dict[str, Any]:
    """Write one HTML page that says what a model says, for a reader who has no Python.

    It holds everything itself and may not ask the network for anything: headline numbers with intervals and
    Monte Carlo errors, probabilities, distributions, time, sensitivity, the value of information, assumptions with
    sources, errata, published rows recomputed, method, seed and receipt. Same model and seed, same bytes.

    Parameters
    ----------
    model : Model
    path : str or Path
        File to write; it must not be half-written if anything fails.
    of : str or sequence of str, optional
        Quantities that the page is about; sensitivity explains the first two. By default what readers look for.
    draws, chains, seed
        As for ``model.simulate``; a fresh seed is on the page.
    prob : float, default 0.9
        Probability of the intervals.
    locale : {"en", "zh"}, default "en"
        Language of the page; text of the study stays as it is.
    command : str or callable, optional
        What the page says makes it again; given the seed if callable. A call of this function by default.
    progress : bool or callable, optional
        True shows a line; or called with (draws done, draws in total).

    Returns
    -------
    dict
        Attributes of the draws: ``seed``, ``draws``, ``chains``, ``model_hash``, ...

    Raises
    ------
    UnknownNameError
        If `of` names something that the model does not have, or there is no such locale.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import demandsim as ds
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> with TemporaryDirectory() as folder:
    ...     made = write_report(model, Path(folder) / "report.html", draws=256, seed=1)
    ...     page = (Path(folder) / "report.html").read_text(encoding="utf-8")
    >>> made["seed"], page.startswith("<!DOCTYPE html>")
    (1, True)
    """
    target = Path(path)
    sample = Sample(draws, chains, seed, prob)
    page, attrs = report_page(model, sample, of=of, locale=locale, command=command, progress=progress)
    try:
        with written_whole(target) as unfinished:
            unfinished.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"cannot write the report to '{target}': {error.strerror or error}") from None
    return attrs


def report_page(
    model: Model,
    sample: Sample,
    *,
    of: str | Sequence[str] | None = None,
    locale: str = "en",
    command: str | Callable[[int], str] | None = None,
    progress: Progress = None,
) -> tuple[str, dict[str, Any]]:
    """Make the page as text, with the attributes of its draws; parameters as of `write_report`."""
    check_prob(sample.prob)
    words = words_of(locale)
    selection = selection_of(model, [of] if isinstance(of, str) else of)
    results = computed(model, selection, sample, progress)
    attrs = dict(results.draws.attrs)
    made = dataclasses.replace(sample, seed=attrs["seed"])
    again = command(attrs["seed"]) if callable(command) else command
    if again is None:
        named = {"of": list(selection.headlines)} if of else {}
        options = named | dataclasses.asdict(made) | {"locale": locale}
        again = f"ds.write_report(model, path, {', '.join(f'{key}={value!r}' for key, value in options.items())})"
    content = _content(results, words)
    record = record_of(results, content.read_at, again, words)
    total = f"{sample.chains * int(attrs['draws']):,}"
    uncertain = sum(not assumption.distribution.is_constant for assumption in model.assumptions.values())
    told = differences_from_source(record.printed, uncertain, len(model.assumptions), content.changed, words)
    content = dataclasses.replace(content, against_source=tuple(told))
    shown = {"prob": percent(sample.prob), "tail": f"{50 * (1 - sample.prob):.3g}%"}
    lead = words.say("lead", total=total, assumptions=uncertain, **shown)
    sections = [*scene_sections(content, words), *record_sections(record, content, words)]
    return assembled(content, sections, lead, str(attrs.get("demandsim_version", "")), words), attrs


def _content(results: Results, words: Words) -> Content:
    model, selection = results.model, results.selection
    absent = dict(results.absent)
    if not selection.explained:
        absent |= dict.fromkeys(("moves", "shares"), words.say("nothing_uncertain"))
    read_at = None
    if results.shares is not None and "read_at" in results.shares.attrs:
        read_at = words.place(results.shares.attrs["read_at"])
    notes = model.notes
    return Content(
        words.locale.text(notes.title or notes.name or words.locale.say("model")),
        words.locale.text(notes.source),
        tuple(words.place(labels) for labels in selection.scenarios),
        tuple(titled(labels, {}, words) for labels in selection.scenarios),
        tuple(label_text(label) for label in selection.times),
        selection.time_dim,
        tuple(scenes(results, words)),
        fans(results, words),
        results.prob,
        selection.explained,
        _shares_note(results, read_at, words),
        learned(results, words),
        absent,
        {} if selection.decides else {"information": words.say("no_decision")},
        tuple(_remarks(results, words)),
        read_at,
        tuple(map(str, model.changes)),
    )


def _shares_note(results: Results, read_at: str | None, words: Words) -> str:
    """Say which index is shown, of what, by which method, and what its bars of error are."""
    if results.shares is None:
        return ""
    shown = percent(results.prob)
    if read_at is not None:
        points = f"{int(results.shares.attrs['draws']) * results.draws.sizes['chain']:,}"
        return words.say("read_note", prob=shown, place=read_at, points=points)
    return words.say("shapley_note" if "effect" in results.shares else "sobol_note", prob=shown)


def _remarks(results: Results, words: Words) -> list[str]:
    """What a reader must know before the numbers."""
    model, selection = results.model, results.selection
    remarks = []
    if model.evidence:
        remarks.append(words.say("evidence", count=len(model.evidence)))
    layout = model.program.layout
    apart = [
        dim
        for dim in layout.model_dims
        if dim != selection.time_dim and any(dim in model.program.varying[name].dims for name in selection.explained)
    ]
    if apart:
        labels = words.place({dim: layout.coords[dim][-1] for dim in apart})
        dims = words.say("comma").join(words.locale.dim(dim) for dim in apart)
        remarks.append(words.say("last_label", dims=dims, labels=labels))
    return remarks
