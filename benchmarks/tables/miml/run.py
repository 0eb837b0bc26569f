"""``tables miml``: logistic regression over random splits, beside the MIML paper's Table 1."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.tables.experiment import (
    complete,
    draw_or_note,
    open_folder,
    print_notes,
    write_page,
)
from benchmarks.tables.miml.ablations import run_ablations
from benchmarks.tables.miml.ablations_report import path_panels, sections
from benchmarks.tables.miml.learners import (
    KEY,
    LIBLINEAR_TOL,
    MIML_LEARNERS,
    Learner,
    fit_and_evaluate,
)
from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.miml.report import Summary, curve_panels, page, summarize
from benchmarks.tables.published import PublishedTable
from benchmarks.tables.reading import read_task
from benchmarks.tables.task import Task
from classify.metrics import MIML_METRICS
from classify.parallel import Trial
from classify.results import Line
from features.errors import InputError, check_number
from features.files.unchanged import rewrite_text

PACKAGES = ("liblinear-official", "numpy", "scikit-learn")


def miml(
    data: Path,
    cache: Path,
    out: Path,
    *,
    splits: int = 30,
    seed: int = 0,
    layers: Sequence[str] | None = None,
    curve_sizes: Sequence[int] | None = None,
    published: str | None = None,
    learners: Sequence[Learner] = MIML_LEARNERS,
    ablations: bool = True,
    jobs: int = -1,
) -> Path:
    """Evaluate logistic regression on random 2/3 to 1/3 splits, beside the MIML paper's table.

    Writes ``miml.jsonl`` (one line per fit), ``miml.md`` (the tables, also printed) and
    ``miml_curves.png`` to `out`; ablations add ``ablations.jsonl``, sections of ``miml.md`` and
    ``miml_path.png``. A run that was stopped goes on where it stopped; results depend neither on
    that nor on `jobs`.

    Parameters
    ----------
    data, cache, out : Path
        The folder with ``labels.csv``, the features of its images, and where results go.
    splits, seed : int
        Number of splits (the paper has 30), and the seed of the first; each next seed is one more.
    layers : sequence of str, optional
        Layers of the cache to learn from, by default all.
    curve_sizes : sequence of int, optional
        Numbers of training rows for the learning curves of the learners that repeat the paper, by
        default the paper's, as far as the training part reaches. Empty for no curves.
    published : {"msrc", "scene", "none"}, optional
        Published numbers to quote; by default those of the data set with the same label names.
    learners : sequence of Learner
    ablations : bool
        Add the sections of `benchmarks.tables.miml.ablations_report`.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Path
        Of ``miml.md``.

    Raises
    ------
    InputError
        An option is out of range, the inputs don't fit each other, or `out` has other results.
    """
    check_number("splits", splits, whole=True, low=1)
    check_number("seed", seed, whole=True, low=0)
    task = read_task([Path(cache)], Path(data), layers=layers)
    plan = _plan(task, range(seed, seed + splits), learners, published, curve_sizes)
    more = ("ablations.jsonl", "miml_path.png") if ablations else ()
    out = open_folder(out, "miml.jsonl", "miml.md", "miml_curves.png", *more)
    lines = _run_table(plan, out, jobs, whole=not ablations)
    if ablations:
        _add_ablations(plan, lines, out, jobs)
    return out / "miml.md"


class _Plan(NamedTuple):
    """All fits of a table.

    Attributes
    ----------
    task : Task
    seeds : range
        One per split.
    learners : sequence of Learner
    sizes : list of int
        Numbers of training rows of the learning curves, ascending; empty for no curves.
    published : str
        Name in `MIML_TABLES`, or "none".
    """

    task: Task
    seeds: range
    learners: Sequence[Learner]
    sizes: list[int]
    published: str

    @property
    def n_train(self) -> int:
        """Number of training rows of every split."""
        return len(self.task.split(self.seeds[0]).train)

    @property
    def paper(self) -> PublishedTable | None:
        """The published table to quote."""
        return MIML_TABLES.get(self.published)

    @property
    def header(self) -> dict[str, Any]:
        """Header of the result lines."""
        return self.task.header("miml", self.seeds, PACKAGES, published=self.published)

    @property
    def trials(self) -> list[Trial]:
        """Every fit. Those on more rows come first, so that the last ones to end are short."""
        return [
            {**learner.fields(), "n_train": size, "seed": seed}
            for size in sorted({self.n_train, *self.sizes}, reverse=True)
            for seed in self.seeds
            for learner in self.learners
            if size == self.n_train or learner.published
        ]

    @property
    def caption(self) -> str:
        """Title of the pictures."""
        return f"Mean and standard deviation over {len(self.seeds)} splits"


def _plan(
    task: Task,
    seeds: range,
    learners: Sequence[Learner],
    published: str | None,
    curve_sizes: Sequence[int] | None,
) -> _Plan:
    name = published or _published(task.label_names)
    n_train = len(task.split(seeds[0]).train)
    return _Plan(task, seeds, learners, _curve_sizes(curve_sizes, name, n_train), name)


def _run_table(plan: _Plan, out: Path, jobs: int, *, whole: bool) -> list[Line]:
    """Run the fits that the result file lacks, print the page, write it if `whole`; draw curves."""
    print_notes(plan.task)
    header, shared = plan.header, (plan.task.X, plan.task.Y)
    lines = complete(
        fit_and_evaluate, plan.trials, out / "miml.jsonl", key=KEY, header=header, shared=shared,
        jobs=jobs, description="fits", together=MIML_METRICS,
    )  # fmt: skip
    text = page(header, lines)
    # A page that is then added to would differ from the one that an earlier run left.
    write_page(out / "miml.md", text) if whole else print(text, end="")
    if plan.sizes:
        repeated = [one for one in plan.learners if one.published]
        panels = curve_panels(summarize(plan.trials, lines), repeated, plan.paper)
        draw_or_note(panels, out / "miml_curves.png", plan.caption)
    return lines


def _add_ablations(plan: _Plan, lines: Sequence[Line], out: Path, jobs: int) -> None:
    """Run the ablations on the same splits, and add their sections to the page of `lines`."""
    header = plan.header
    path = out / "ablations.jsonl"
    ablated = run_ablations(plan.task, path, header=header, seeds=plan.seeds, jobs=jobs)
    added = sections(header, ablated)
    rewrite_text(out / "miml.md", page(header, lines) + added)
    print(added, end="")
    references = _default_stops(plan, summarize(plan.trials, lines))
    draw_or_note(path_panels(ablated, references), out / "miml_path.png", plan.caption)


def _published(label_names: Sequence[str]) -> str:
    """Name the published table of the data set with these label names, or "none"."""
    names = {label.lower() for label in label_names}
    return next((name for name, paper in MIML_TABLES.items() if paper.labels == names), "none")


def _curve_sizes(wanted: Sequence[int] | None, published: str, n_train: int) -> list[int]:
    """Give the sizes of the learning curves, ending with the whole training part."""
    if wanted is None:
        paper = MIML_TABLES.get(published, MIML_TABLES["msrc"])
        wanted = [size for size in paper.curve_sizes if size < n_train]
    if not wanted:
        return []
    if min(wanted) < 1 or max(wanted) > n_train:
        raise InputError(
            f"The 'curve-sizes' option must be from 1 to {n_train}, the training rows. Got "
            f"{min(wanted)} to {max(wanted)}."
        )
    return sorted({*wanted, n_train})


def _default_stops(plan: _Plan, summary: Summary) -> dict[str, dict[str, float]]:
    """Give the average precisions at LIBLINEAR's default stop, and those quoted, by scaling."""
    quoted: dict[str, float] = {}
    if plan.paper:
        for name in plan.paper.ours:
            quoted[f"{name}, quoted"] = plan.paper.rows[name]["example_ap"].mean
    lines = {one.scaling: dict(quoted) for one in plan.learners}
    for one in plan.learners:
        if one.tol == LIBLINEAR_TOL and one.bias == "penalized":
            mean = summary[one.learner, plan.n_train]["example_ap"].mean
            lines[one.scaling][f"{one.title}, default stop"] = mean
    return lines
