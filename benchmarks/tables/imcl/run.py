"""``tables imcl``: the interactive learner and its baselines where most labels are missing."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import draw_or_note
from benchmarks.tables.imcl.learners import IMCL, PartialLearner, find_partial_learners
from benchmarks.tables.imcl.neighbors_page import write_neighbors_page
from benchmarks.tables.imcl.protocol import (
    KEY,
    SELECTION_KEY,
    choose,
    judge_learner,
    judge_setting,
    read_partial_task,
    result_cells,
    selection_cells,
)
from benchmarks.tables.imcl.report import gain_panel, gather, page
from benchmarks.tables.task import Task
from classify.parallel import run_grid
from classify.results import Line, ResultFile
from features.command_line import default
from features.errors import InputError, check_choice, check_number
from features.files import remove_temporaries, write_text
from features.missing import SCHEMES


def imcl(
    cache: Path,
    *,
    out: Path = Path("imcl-out"),
    missing: Sequence[float] = (0.9, 0.8, 0.6, 0.4, 0.2, 0.0),
    masks: int = 5,
    seed: int = 0,
    scheme: str = "uniform",
    split_file: Path | None = None,
    layers: Sequence[str] | None = None,
    learners: Sequence[str] | None = None,
    variants_at: Sequence[float] = (0.9,),
    data: Path | None = None,
    jobs: int = -1,
) -> Path:
    """Evaluate every learner at every missing rate over some masks, and lay the paper's beside.

    Mask m is drawn with the seed `seed` + m; so is the random split of 2/3 to 1/3 that goes with
    it, unless a file says which rows are for testing. Each learner has as many settings to choose
    from; the one taken is the best on a quarter of the training rows set aside, by their known
    cells, once per rate and split: with a split file on the first mask, for the others too.

    Writes to `out` the lines ``selection.jsonl`` and ``imcl.jsonl``, the tables ``imcl.md`` (also
    printed), ``imcl_gain.png`` and, given the images, ``neighbors.html``. Fits that a file holds
    already aren't done again, so a killed run goes on where it stopped.

    Parameters
    ----------
    cache : Path
        Features of labeled images.
    out : Path
        Made where missing.
    missing : sequence of float
        Shares of the known training labels to hide.
    masks : int
        How many at each rate.
    seed : int
    scheme : {"uniform", "stratified"}
        As in `features.missing.hide`.
    split_file : Path, optional
        CSV of ``image,split`` with train and test; labels that lack a present image in either are
        then left out.
    layers : sequence of str, optional
        Layers of the cache to learn from, by default all.
    learners : sequence of str, optional
        By default all. Logistic is always among them.
    variants_at : sequence of float
        Those of the rates at which the variants of IMCL are judged too.
    data : Path, optional
        The folder of the images, to show the neighbors that IMCL found on a page.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Path
        Of the Markdown file.

    Raises
    ------
    InputError
        For a number out of range, inputs that don't fit, or an `out` with results of others.
    """
    _check(missing, masks, scheme)
    records = find_partial_learners(learners)
    names = [one.name for one in records]
    source = read_partial_task(Path(cache), layers, split_file)
    rates = sorted({float(rate) for rate in missing}, reverse=True)
    seeds = range(seed, seed + masks)
    chooser = {one: one if source.official is None else seed for one in seeds}
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    remove_temporaries(out)
    choosing = sorted(set(chooser.values()))
    header = header_of(source, choosing, scheme, records)
    chosen = _select(source, out, header, selection_cells(names, rates, choosing), scheme, jobs)
    cells = result_cells(names, rates, seeds, chooser, chosen, variants_at)
    lines = _evaluate(source, out, header, cells, scheme, jobs)
    text = page(header, lines)
    write_text(out / "imcl.md", text)
    print(text, end="")
    if len(names) > 1:
        title = f"Mean and standard deviation over {masks} masks"
        draw_or_note([gain_panel(gather(lines))], out / "imcl_gain.png", title)
    if data is not None and IMCL in names:
        write_neighbors_page(
            out / "neighbors.html",
            source,
            Path(data),
            setting=chosen[IMCL, rates[0], seed],
            scheme=scheme,
            rate=rates[0],
            seed=seed,
        )
    return out / "imcl.md"


def add_imcl_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `imcl`."""
    parser.add_argument("--cache", type=Path, required=True, help="features of labeled images")
    parser.add_argument(
        "--out", type=Path, default=default(imcl, "out"), help="folder to write to (%(default)s)"
    )
    for name, text in (
        ("missing", "shares of the training labels to hide"),
        ("variants_at", "those of them at which variants of IMCL are judged too"),
    ):
        value = list(default(imcl, name))
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=float,
            nargs="*",
            default=value,
            help=f"{text} ({' '.join(map(str, value))})",
        )
    for name, text in (
        ("masks", "masks at each rate"),
        ("seed", "of the first mask and split"),
        ("jobs", "processes, -1 for one per core"),
    ):
        parser.add_argument(
            f"--{name}", type=int, default=default(imcl, name), help=f"{text} (%(default)s)"
        )
    parser.add_argument(
        "--scheme", choices=SCHEMES, default=default(imcl, "scheme"), help="which labels to hide"
    )
    parser.add_argument("--split-file", type=Path, help="CSV of image,split (random splits)")
    parser.add_argument("--layers", nargs="+", help="layers to learn from (all)")
    parser.add_argument("--learners", nargs="+", help="names of learners (all)")
    parser.add_argument("--data", type=Path, help="folder of the images, for a page of neighbors")


def _check(missing: Sequence[float], masks: int, scheme: str) -> None:
    if not missing or not all(0 <= rate < 1 for rate in missing):
        raise InputError(f"missing rates are 0 or more and below 1, got {list(missing)}: give some")
    check_number("masks", masks, whole=True, low=1)
    check_choice("scheme", scheme, SCHEMES)


def _select(source: Task, out: Path, header, cells, scheme: str, jobs: int):
    with ResultFile(out / "selection.jsonl", key=SELECTION_KEY, header=header) as results:
        shared = (source, scheme)
        run_grid(judge_setting, cells, results, shared=shared, jobs=jobs, description="settings")
        lines = results.lines
        results.finish()
    return choose(lines)


def _evaluate(source: Task, out: Path, header, cells, scheme: str, jobs: int) -> list[Line]:
    with ResultFile(out / "imcl.jsonl", key=KEY, header=header) as results:
        shared = (source, scheme)
        run_grid(judge_learner, cells, results, shared=shared, jobs=jobs, description="fits")
        wanted = {tuple(cell[name] for name in KEY) for cell in cells}
        lines = [line for line in results.lines if tuple(line[k] for k in KEY) in wanted]
        results.finish()
    return lines


def header_of(
    source: Task, seeds: Sequence[int], scheme: str, records: Sequence[PartialLearner]
) -> dict[str, Any]:
    """State what all lines have in common; `seeds` are those that settings are chosen for."""
    return source.header(
        "imcl",
        seeds,
        ("numpy", "scikit-learn", "torch"),
        scheme=scheme,
        settings={one.name: list(map(dict, one.settings)) for one in records},
    )
