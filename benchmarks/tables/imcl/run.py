"""``tables imcl``: the interactive learner and its rivals where most labels are missing."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import Task, draw_or_note
from benchmarks.tables.imcl.learners import IMCL, LOGISTIC, PartialLearner, find_partial_learners
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
from benchmarks.tables.imcl.report import gain_panel, gather, markdown
from classify.parallel import run_grid
from classify.results import ResultFile
from features.command_line import default
from features.errors import InputError
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
    """Judge every learner at every missing rate over some masks, and lay the paper's beside.

    Mask m is drawn with the seed `seed` + m; so is the random split of 2/3 to 1/3 that goes with
    it, unless a file says which rows are for testing. Each learner has as many settings to choose
    from; the one taken is the best on a quarter of the training rows set aside, by their known
    cells, once a rate and split: with a split file on the first mask, for the others too.

    Writes to `out` the lines ``selection.jsonl`` and ``imcl.jsonl``, the tables ``imcl.md`` (also
    printed), ``imcl_gain.png`` and, given the pictures, ``neighbors.html``. Fits that a file holds
    already aren't done again, so a killed run goes on where it stopped.

    Parameters
    ----------
    cache : Path
        Features of labelled images.
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
        The folder of the images, to show the neighbours that IMCL found on a page.
    jobs : int
        Processes; -1 for one a core.

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
    numbers = range(seed, seed + masks)
    pairs = [(mask if source.official is None else seed, mask) for mask in numbers]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    remove_temporaries(out)
    splits = sorted({split for split, _ in pairs})
    header = _header(source, splits, scheme, records)
    chosen = _select(source, out, header, selection_cells(names, rates, splits), scheme, jobs)
    cells = result_cells(names, rates, pairs, chosen, variants_at)
    with ResultFile(out / "imcl.jsonl", key=KEY, header=header) as results:
        shared = (source, scheme)
        run_grid(judge_learner, cells, results, shared=shared, jobs=jobs, description="fits")
        wanted = {tuple(cell[name] for name in KEY) for cell in cells}
        lines = [line for line in results.lines if tuple(line[k] for k in KEY) in wanted]
        results.finish()
    values = gather(lines)
    text = markdown(values, header, _facts(source, header, masks, records))
    write_text(out / "imcl.md", text)
    print(text, end="")
    if len(names) > 1:
        title = f"Mean and standard deviation over {masks} masks"
        draw_or_note([gain_panel(values)], out / "imcl_gain.png", title)
    if data is not None and IMCL in names:
        split, mask = pairs[0]
        write_neighbors_page(
            out / "neighbors.html",
            source,
            Path(data),
            setting=chosen[IMCL, rates[0], split],
            scheme=scheme,
            rate=rates[0],
            split=split,
            mask=mask,
        )
    return out / "imcl.md"


def add_imcl_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `imcl`."""
    parser.add_argument("--cache", type=Path, required=True, help="features of labelled images")
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
        ("jobs", "processes, -1 for one a core"),
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
    parser.add_argument("--data", type=Path, help="folder of the images, for a page of neighbours")


def _check(missing: Sequence[float], masks: int, scheme: str) -> None:
    if not missing or not all(0 <= rate < 1 for rate in missing):
        raise InputError(f"missing rates are 0 or more and below 1, got {list(missing)}: give some")
    if masks < 1:
        raise InputError(f"masks must be 1 or more, got {masks}")
    if scheme not in SCHEMES:
        raise InputError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")


def _select(source: Task, out: Path, header, cells, scheme: str, jobs: int):
    with ResultFile(out / "selection.jsonl", key=SELECTION_KEY, header=header) as results:
        shared = (source, scheme)
        run_grid(judge_setting, cells, results, shared=shared, jobs=jobs, description="settings")
        lines = results.lines
        results.finish()
    return choose(lines)


def _header(
    source: Task, splits: Sequence[int], scheme: str, records: Sequence[PartialLearner]
) -> dict[str, Any]:
    return source.header(
        "imcl",
        splits,
        ("numpy", "scikit-learn", "torch"),
        scheme=scheme,
        settings={one.name: list(map(dict, one.settings)) for one in records},
    )


def _facts(source: Task, header, masks: int, records: Sequence[PartialLearner]) -> list[str]:
    split = source.split(0)
    where = "random splits, one a mask" if source.official is None else "the split of the file"
    whose = (
        "of the same mask"
        if source.official is None
        else "on the first mask, and kept for the others, which hide other cells of the same rows"
    )
    return [
        f"{len(split.train)} training and {len(split.test)} test images, {len(source.label_names)} "
        f"labels, {where}; cells hidden: {header['scheme']}.",
        f"Mean ± standard deviation (ddof 1) over {masks} masks. {LOGISTIC} is L2 logistic "
        "regression on the known cells.",
        f"Every learner has {len(records[0].settings)} settings to choose from, on a quarter of "
        f"the training rows and by their known cells, {whose}.",
    ]
