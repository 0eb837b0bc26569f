"""``tables imcl``: the interactive learner and its baselines where most labels are missing."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import (
    choose,
    draw_or_note,
    fit_and_evaluate,
    open_folder,
    run_trials,
    try_setting,
    write_page,
)
from benchmarks.tables.imcl.learners import IMCL, find_partial_learners
from benchmarks.tables.imcl.neighbors_page import write_neighbors_page
from benchmarks.tables.imcl.report import gain_panel, gather, page
from benchmarks.tables.imcl.trials import (
    KEY,
    PLACE,
    SELECTION_KEY,
    PartialExperiment,
    read_partial_task,
    result_trials,
    selection_trials,
)
from benchmarks.tables.options import check_jobs, check_values
from classify.parallel import Trial
from classify.results import Line
from features.command_line import add_options
from features.errors import InputError, check_choice, check_number
from features.missing import SCHEMES


@dataclass(frozen=True)
class Plan:
    """What is fitted.

    Attributes
    ----------
    missing : sequence of float
        Shares of the known training labels to hide.
    masks : int
        How many at each rate. Mask m is drawn with the seed `seed` + m, and so is the random split
        of 2/3 to 1/3 that goes with it, unless a file says which rows are for testing.
    seed : int
    scheme : {"uniform", "stratified"}
        As in `features.missing.hide`.
    learners : sequence of str, optional
        By default all. Logistic is always among them.
    ablations_at : sequence of float
        Those of the rates at which the ablations of IMCL are evaluated too.
    """

    missing: Sequence[float] = (0.9, 0.8, 0.6, 0.4, 0.2, 0.0)
    masks: int = 5
    seed: int = 0
    scheme: str = "uniform"
    learners: Sequence[str] | None = None
    ablations_at: Sequence[float] = (0.9,)

    def check(self) -> None:
        """Refuse what no run can use.

        Raises
        ------
        InputError
        """
        check_values("missing", self.missing, low=0)
        if max(self.missing) >= 1:
            raise InputError(
                f"The 'missing' option must be rates in the range [0, 1). Got {max(self.missing)}."
            )
        check_number("masks", self.masks, whole=True, low=1)
        check_number("seed", self.seed, whole=True, low=0)
        check_choice("scheme", self.scheme, SCHEMES)


def imcl(
    cache: Path,
    *,
    out: Path = Path("imcl-out"),
    split_file: Path | None = None,
    layers: Sequence[str] | None = None,
    data: Path | None = None,
    jobs: int = -1,
    **options: Any,
) -> Path:
    """Evaluate every learner at every missing rate over some masks, beside the paper's numbers.

    Each learner has the same number of settings. The one with the best mean average precision on
    the known labels of a quarter of the training rows is chosen, once per rate and split.

    Writes to `out` the lines ``selection.jsonl`` and ``imcl.jsonl``, the tables ``imcl.md`` (also
    printed), ``imcl_gain.png`` and, given the images, ``neighbors.html``.

    Parameters
    ----------
    cache : Path
        Features of labeled images.
    out : Path
        Made where missing.
    split_file : Path, optional
        CSV of ``image,split`` with train and test; labels that lack a present image in either are
        left out, and the settings of the first mask serve all masks.
    layers : sequence of str, optional
        Layers of the cache to learn from, by default all.
    data : Path, optional
        The folder of the images, to show the neighbors that IMCL found on a page.
    jobs : int
        Processes; -1 for one per core.
    **options
        Fields of `Plan`.

    Returns
    -------
    Path
        Of the Markdown file.

    Raises
    ------
    InputError
        For a number out of range, inputs that don't fit, or an `out` with results of others.
    """
    plan = Plan(**options)
    plan.check()
    check_jobs(jobs)
    methods = {one.name: one for one in find_partial_learners(plan.learners)}
    task = read_partial_task(Path(cache), layers, split_file)
    experiment = PartialExperiment(task, methods, plan.scheme)
    pages = ("imcl.jsonl", "imcl.md", "imcl_gain.png", "neighbors.html")
    out = open_folder(out, "selection.jsonl", *pages)
    header, trials = _select(experiment, plan, out, jobs)
    _write(out, header, _fit(experiment, trials, out, header, jobs), plan)
    if data is not None and IMCL in methods:
        first = next(one for one in trials if one["learner"] == IMCL)
        write_neighbors_page(out / "neighbors.html", experiment, Path(data), first)
    return out / "imcl.md"


def add_imcl_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `imcl`."""
    inputs = {"cache": "features of labeled images", "out": "folder to write to"}
    add_options(parser, imcl, inputs)
    add_options(
        parser,
        Plan,
        {
            "missing": "shares of the training labels to hide",
            "ablations_at": "those of them at which ablations of IMCL are evaluated too",
            "masks": "masks per rate",
            "seed": "seed of the first mask and split",
            "scheme": "which labels to hide",
            "learners": "names of learners (all)",
        },
        scheme={"choices": SCHEMES},
        ablations_at={"nargs": "*"},
    )
    more = {
        "split_file": "CSV of image,split (random splits)",
        "layers": "layers to learn from (all)",
        "data": "folder of the images, for a page of neighbors",
        "jobs": "processes; -1 for one per core",
    }
    add_options(parser, imcl, more)


def _select(
    experiment: PartialExperiment, plan: Plan, out: Path, jobs: int
) -> tuple[dict[str, Any], list[Trial]]:
    """Choose settings; give the header of all lines, and the fits to evaluate."""
    rates = sorted({float(rate) for rate in plan.missing}, reverse=True)
    seeds = range(plan.seed, plan.seed + plan.masks)
    chooser = {seed: experiment.task.choosing_seed(seed, plan.seed) for seed in seeds}
    choosing = sorted(set(chooser.values()))
    header = header_of(experiment, choosing)
    tried = run_trials(
        try_setting,
        selection_trials(experiment.methods, rates, choosing),
        out / "selection.jsonl",
        key=SELECTION_KEY,
        header=header,
        shared=(experiment,),
        jobs=jobs,
        description="settings",
    )
    chosen = choose(tried, PLACE, experiment.metric)
    names = list(experiment.methods)
    return header, result_trials(names, rates, chooser, chosen, plan.ablations_at)


def _fit(
    experiment: PartialExperiment,
    trials: Sequence[Trial],
    out: Path,
    header: dict[str, Any],
    jobs: int,
) -> list[Line]:
    return run_trials(
        fit_and_evaluate,
        trials,
        out / "imcl.jsonl",
        key=KEY,
        header=header,
        shared=(experiment,),
        jobs=jobs,
        description="fits",
    )


def _write(out: Path, header: dict[str, Any], lines: Sequence[Line], plan: Plan) -> None:
    write_page(out / "imcl.md", page(header, lines))
    if len(header["settings"]) > 1:
        title = f"Mean and standard deviation over {plan.masks} masks"
        draw_or_note([gain_panel(gather(lines))], out / "imcl_gain.png", title)


def header_of(experiment: PartialExperiment, seeds: Sequence[int]) -> dict[str, Any]:
    """State what all lines have in common; `seeds` are those that settings are chosen for."""
    settings = {name: list(one.settings.values()) for name, one in experiment.methods.items()}
    packages = ("numpy", "scikit-learn", "torch")
    return experiment.task.header(
        "imcl", seeds, packages, scheme=experiment.scheme, settings=settings
    )
