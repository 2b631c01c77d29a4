"""Writing: the report page of a model, from its runs to a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demandsim._system import written_whole
from demandsim.errors import OutputError
from demandsim.report.assumptions import assumption_rows
from demandsim.report.data import Page
from demandsim.report.evidence import learned
from demandsim.report.page import assembled
from demandsim.report.provenance import correlations, printed_rows, receipt_of
from demandsim.report.record_sections import Record, record_sections
from demandsim.report.runs import Results, computed
from demandsim.report.scene_sections import scene_sections
from demandsim.report.scenes import fans, scenes, titled
from demandsim.report.selection import Choice, chosen
from demandsim.report.words import Words, words_of
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
    progress: Callable[[int, int], None] | None = None,
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
    progress : callable, optional
        Called with (draws done, draws in total).

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
    page, attrs = report_page(
        model,
        of=of,
        draws=draws,
        chains=chains,
        seed=seed,
        prob=prob,
        locale=locale,
        command=command,
        progress=progress,
    )
    try:
        with written_whole(target) as unfinished:
            unfinished.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"cannot write the report to '{target}': {error.strerror or error}") from None
    return attrs


def report_page(
    model: Model,
    *,
    of: str | Sequence[str] | None = None,
    draws: int = 8192,
    chains: int = 8,
    seed: int | None = None,
    prob: float = 0.9,
    locale: str = "en",
    command: str | Callable[[int], str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Make the page as text, with the attributes of its draws; parameters as of `write_report`."""
    check_prob(prob)
    words = words_of(locale)
    choice = chosen(model, [of] if isinstance(of, str) else of)
    results = computed(model, choice, draws=draws, chains=chains, seed=seed, prob=prob, progress=progress)
    attrs = dict(results.draws.attrs)
    page = _page(model, choice, results, prob, words)
    made = attrs["seed"]
    again = command(made) if callable(command) else command
    if again is None:
        named = f"of={list(choice.headlines)!r}, " if of else ""
        again = f"ds.write_report(model, path, {named}{draws=}, {chains=}, seed={made}, {prob=}, {locale=})"
    record = Record(
        tuple(assumption_rows(model, choice.scenarios, prob, words)),
        tuple(correlations(model, words)),
        tuple(map(words.locale.text, model.notes.notes)),
        tuple(printed_rows(model, results.point)),
        receipt_of(model, results.draws, words),
        tuple((e.name, words.locale.name(e.name, e.long_name), e.formula, e.unit) for e in model.equations.values()),
        attrs,
        {} if results.shares is None else results.shares.attrs,
        again,
    )
    total = f"{chains * int(attrs['draws']):,}"
    uncertain = sum(not made.distribution.is_constant for made in model.assumptions.values())
    lead = words.say("lead", total=total, assumptions=uncertain, prob=percent(prob), tail=f"{50 * (1 - prob):.3g}%")
    sections = [*scene_sections(page, words), *record_sections(record, page, words)]
    return assembled(page, sections, lead, str(attrs.get("demandsim_version", "")), words), attrs


def _page(model: Model, choice: Choice, results: Results, prob: float, words: Words) -> Page:
    absent = dict(results.absent)
    if not choice.explained:
        absent |= dict.fromkeys(("moves", "shares"), words.say("nothing_uncertain"))
    beside = {} if choice.decides else {"information": words.say("no_decision")}
    read_at = None
    if results.shares is not None and "read_at" in results.shares.attrs:
        read_at = words.place(results.shares.attrs["read_at"])
    notes = model.notes
    return Page(
        words.locale.text(notes.title or notes.name or words.locale.say("model")),
        words.locale.text(notes.source),
        tuple(words.place(labels) for labels in choice.scenarios),
        tuple(titled(labels, {}, words) for labels in choice.scenarios),
        tuple(label_text(label) for label in choice.times),
        choice.time_dim,
        tuple(scenes(model, choice, results, prob, words)),
        fans(choice, results, words),
        prob,
        choice.explained,
        _shares_note(results, read_at, prob, words),
        learned(model, choice, results, prob, words),
        absent,
        beside,
        tuple(_remarks(model, choice, words)),
        read_at,
    )


def _shares_note(results: Results, read_at: str | None, prob: float, words: Words) -> str:
    """Say which index is shown, of what, by which method, and what its bars of error are."""
    if results.shares is None:
        return ""
    shown = percent(prob)
    if read_at is not None:
        points = f"{int(results.shares.attrs['draws']) * results.draws.sizes['chain']:,}"
        return words.say("read_note", prob=shown, place=read_at, points=points)
    return words.say("shapley_note" if "effect" in results.shares else "sobol_note", prob=shown)


def _remarks(model: Model, choice: Choice, words: Words) -> list[str]:
    """What a reader must know before the numbers."""
    remarks = []
    if model.evidence:
        remarks.append(words.say("evidence", count=len(model.evidence)))
    layout = model.program.layout
    apart = [
        dim
        for dim in layout.model_dims
        if dim != choice.time_dim and any(dim in model.program.varying[name].dims for name in choice.explained)
    ]
    if apart:
        labels = words.place({dim: layout.coords[dim][-1] for dim in apart})
        dims = words.say("comma").join(words.locale.dim(dim) for dim in apart)
        remarks.append(words.say("last_label", dims=dims, labels=labels))
    return remarks
