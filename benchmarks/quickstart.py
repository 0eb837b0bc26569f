"""The whole way once, on synthetic pictures: render, extract, train, and a page that shows it.

It only calls the other parts in turn; each of them goes on where a killed run stopped.
"""

import argparse
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report.files import claim_page
from benchmarks.report.markdown import table
from benchmarks.report.statistics import heading
from benchmarks.synthetic.images import render_dataset
from benchmarks.synthetic.textures import LABELS
from classify.learners import UNKNOWN
from classify.metrics import MIML_METRICS
from classify.results import read_results
from features.command_line import add_options, default
from features.datasets import Dataset, load_dataset
from features.errors import InputError, needs_extra
from features.files.unchanged import require_unchanged
from features.labels import write_labels_csv
from features.splits import random_split

if TYPE_CHECKING:
    from benchmarks.report.html import Example
    from benchmarks.tables.miml.learners import Learner
    from benchmarks.tables.task import Task
    from classify.models import TaggerModel

CONVOLUTIONS = ("pool1", "pool2", "pool3", "pool4", "pool5")  # what vgg16-conv gives as well
SHARD_ROWS = 64  # rows that a killed extraction loses at most
STAND_IN = "random:0"  # weights where the wanted ones can't be had
SHOWN = 12  # test pictures on the page


def quickstart(
    out: Path = Path("quickstart-out"),
    *,
    n: int = 240,
    splits: int = 5,
    weights: str = "vgg16-conv",
    size: int = 160,
    seed: int = 0,
    jobs: int = -1,
) -> Path:
    """Render pictures, cache their features, train L1LR and LR, and write a page about it.

    Leaves in `out`: ``pictures/``, ``WEIGHTS.cache/`` with the features, ``WEIGHTS.results/`` with
    the result lines, the table and a trained tagger, and ``index.html``. What is finished is not
    done again, so a killed run goes on where it stopped. The table and the time of each stage are
    printed.

    Parameters
    ----------
    out : Path
        Made where it is missing.
    n : int
        Pictures, at least 24.
    splits : int
        Random splits, 2/3 of the pictures to train on.
    weights : str
        As for `extract.weights.load_weights`, of VGG16. Where its host can't be reached, random
        filters stand in, and a line on stderr says so.
    size : int
        Pixels of the square that VGG16 sees of a picture. At 160 it takes half the time of 224, and
        the scores of these pictures are the same within their deviation.
    seed : int
        Of the pictures and of the first split.
    jobs : int
        Processes that train; -1 for one a core.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        For a number out of range, unknown weights, an `out` that holds a run of other settings, or
        where a library that the page needs is not installed.
    """
    if n < 24 or splits < 1:
        raise InputError(f"n is {n}, splits {splits}: give 24 pictures or more and 1 split or more")
    _check_page_libraries()
    out = Path(out)
    require_unchanged(claim_page(out / "index.html"), repeatable=False)  # it names seconds
    stages: dict[str, float] = {}
    with _timed(stages, "render"):
        data = load_dataset(render_dataset(out / "pictures", n=n, seed=seed))
    print(f"{len(data)} images with {len(data.label_names)} labels are in {data.root}.")
    with _timed(stages, "extract"):
        cache = _extract(data, out, weights, size)
    with _timed(stages, "train and evaluate"):
        report = _train(data, cache, splits=splits, seed=seed, jobs=jobs)
    with _timed(stages, "train a tagger"):
        model = _fit(data, cache, report.parent, seed=seed, jobs=jobs)
    with _timed(stages, "page"):
        page = _show(out / "index.html", data, cache, report, model, seed, dict(stages))
    rows = [[name, f"{seconds:.1f}"] for name, seconds in stages.items()]
    print(table(["stage of this run", "seconds"], [*rows, ["all", f"{sum(stages.values()):.1f}"]]))
    print(f"Open {page} in a browser.")
    return page


def describe() -> str:
    """Write what the quickstart does with its defaults, for the README."""
    n, splits = default(quickstart, "n"), default(quickstart, "splits")
    page = f"{default(quickstart, 'out')}/index.html"
    text = (
        f"installs the project, renders {n} synthetic pictures with {len(LABELS)} labels, caches "
        f"VGG16's layers with real ImageNet filters from the package index, trains L1 and L2 "
        f"logistic regression over {splits} random splits, lets `fit` choose and train a tagger, "
        f"and leaves a table, result lines and a page, `{page}`, with test pictures, the "
        "probabilities of their labels and what thresholds make of them."
    )
    return textwrap.fill(text, 100) + "\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quickstart`; their defaults are its own."""
    texts = {
        "out": "folder of the pictures, features, results and page",
        "n": "pictures",
        "splits": "random splits",
        "seed": "of the pictures and of the first split",
        "jobs": "processes that train; -1: one per core",
        "weights": "as of extract",
        "size": "pixels of the square that the network sees",
    }
    add_options(parser, quickstart, texts)


def _check_page_libraries() -> None:
    """Refuse at the start what would otherwise fail after minutes of extraction."""
    with needs_extra("plots", "The page"):
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    stages[name] = time.perf_counter() - start


def _extract(data: Dataset, out: Path, weights: str, size: int) -> Path:
    """Give the cache of these weights or, where they can't be had, of random filters."""
    from extract.weights import WeightsUnavailable  # torch loads in seconds: not for --help

    try:
        return _run(data, out, weights, size)
    except WeightsUnavailable as error:
        print(
            f"WARNING: {error}\nWARNING: going on with RANDOM FILTERS ({STAND_IN}): "
            "the scores below are not those of trained features",
            file=sys.stderr,
        )
        return _run(data, out, STAND_IN, size)


def _run(data: Dataset, out: Path, weights: str, size: int) -> Path:
    from extract.config import ExtractConfig
    from extract.run import run

    layers = CONVOLUTIONS if weights == STAND_IN else None
    config = ExtractConfig(weights=weights, layers=layers, size=size, shard_rows=SHARD_ROWS)
    return run(config, data, _cache(out, weights))


def _cache(out: Path, weights: str) -> Path:
    return out / f"{Path(weights).name.replace(':', '-')}.cache"


def _learners() -> "tuple[Learner, ...]":
    """Give L1LR and LR."""
    from benchmarks.tables.miml.learners import MIML_LEARNERS

    return tuple(learner for learner in MIML_LEARNERS if learner.published)


def _train(data: Dataset, cache: Path, *, splits: int, seed: int, jobs: int) -> Path:
    from benchmarks.tables.miml.run import miml

    n_train = len(random_split(len(data), seed).train)
    return miml(
        data.root,
        cache,
        cache.with_suffix(".results"),
        splits=splits,
        seed=seed,
        curve_sizes=[n_train // 8, n_train // 4, n_train // 2],
        published="none",
        learners=_learners(),
        ablations=False,
        jobs=jobs,
    )


def _fit(data: Dataset, cache: Path, folder: Path, *, seed: int, jobs: int) -> "TaggerModel":
    """Let ``fit`` choose a tagger on the first split's training rows; the others have no labels."""
    from classify.model_files import load_model
    from classify.training import fit

    model = folder / "tagger.safetensors"
    if model.exists():
        return load_model(model)
    assert data.labels is not None
    known = data.labels.copy()
    known[random_split(len(data), seed).test] = UNKNOWN
    with tempfile.TemporaryDirectory() as own:  # where no file of the user can have its name
        labels = Path(own, "training.csv")
        write_labels_csv(labels, data.ids, known, data.label_names)
        try:
            return fit(cache, model, labels=labels, seed=seed, jobs=jobs)
        except InputError as error:  # too few pictures for folds
            print(f"{error}: this run trains l2 without them", file=sys.stderr)
            return fit(cache, model, learner="l2", labels=labels)


def _show(
    path: Path,
    data: Dataset,
    cache: Path,
    report: Path,
    model: "TaggerModel",
    seed: int,
    stages: dict[str, float],
) -> Path:
    """Write the page from the result lines and the tagger."""
    from benchmarks.report.html import write_page  # after the check that jinja2 is installed
    from benchmarks.tables.miml.report import summarize
    from benchmarks.tables.reading import read_task
    from benchmarks.tables.task import sources_of

    header, lines = read_results(report.with_suffix(".jsonl"))
    summary = summarize(lines, lines)
    sizes = sorted({size for _, size in summary})
    task = read_task([cache], data.root)
    learners = _learners()
    return write_page(
        path,
        title="Several labels a picture, from cached features",
        summary=f"{len(data)} synthetic pictures, {len(data.label_names)} labels. Mean ± standard "
        f"deviation over {len({line['seed'] for line in lines})} random splits: {sizes[-1]} "
        f"pictures to train on, {len(task.ids) - sizes[-1]} to evaluate on. Arrows point to "
        f"where better scores lie. {_FILTERS[cache == _cache(path.parent, STAND_IN)]}",
        metrics={
            one.title: {heading(m): summary[one.learner, sizes[-1]][m] for m in MIML_METRICS}
            for one in learners
        },
        stages=stages,
        curve={
            one.title: [(size, *summary[one.learner, size]["example_ap"]) for size in sizes]
            for one in learners
        },
        curve_metric=heading("example_ap"),
        examples=_examples(task, data, model, seed),
        facts={
            "weights": cache.stem,
            "features": f"{task.X.shape[1]} columns: {', '.join(task.spans)}",
            "predicted labels": f"{_words(model)}, which `fit` chose on the first split's training "
            "pictures; its first test pictures, with each label's probability",
            "sources": sources_of(header),
        },
    )


_FILTERS = {
    False: "Features come from a network that was trained on photographs.",
    True: "The network's filters are RANDOM, as no trained ones could be had: better scores need "
    "trained filters.",
}


def _words(model: "TaggerModel") -> str:
    names = " + ".join(f"{one.learner} ({one.scaler.scaling})" for one in model.members)
    return names if model.decisions is None else f"{names}, thresholds for F1, Platt's slopes"


def _examples(task: "Task", data: Dataset, model: "TaggerModel", seed: int) -> "list[Example]":
    """Tag the first test pictures of the first split."""
    from benchmarks.report.html import Example

    rows = random_split(len(task.ids), seed).test[:SHOWN]
    scores = model.scores(task.X[rows])
    present, probabilities = model.decide(scores), model.predict_proba(scores)
    assert present is not None  # every learner that fit chooses decides

    def named(labels):
        return [name for name, one in zip(data.label_names, labels, strict=True) if one == 1]

    return [
        Example(
            title=task.ids[row],
            image=data.root / "images" / task.ids[row],
            true=named(task.Y[row]),
            predicted=named(present[k]),
            probabilities={}
            if probabilities is None
            else dict(zip(data.label_names, probabilities[k].tolist(), strict=True)),
        )
        for k, row in enumerate(rows)
    ]
