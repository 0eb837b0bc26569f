"""``tables miml --bags``: every method of the MIML paper's Table 1, run on published bags."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import complete, draw_or_note, open_folder, write_page
from benchmarks.tables.miml.bags_curves import curves
from benchmarks.tables.miml.bags_data import BagTask, paper_of_task, read_bag_task
from benchmarks.tables.miml.bags_methods import KEY, METHODS, run_method
from benchmarks.tables.miml.bags_report import page
from benchmarks.tables.miml.bags_summary import NETWORK, NO_INSTANCES, REGIONS
from benchmarks.tables.miml.published import MIML_TABLES
from classify.metrics import MIML_METRICS
from classify.parallel import Trial
from features.errors import InputError, check_choice, check_number
from features.files import sha256_of_text
from features.splits import splits_hash

PACKAGES = ("liblinear-official", "numba", "numpy", "scikit-learn", "scipy")


def miml_bags(
    bags: Path,
    out: Path,
    *,
    cache: Path | None = None,
    layers: Sequence[str] | None = None,
    splits: int = 30,
    seed: int = 0,
    methods: Sequence[str] | None = None,
    curve_sizes: Sequence[int] = (),
    curve_splits: int = 5,
    published: str | None = None,
    jobs: int = -1,
) -> Path:
    """Run the multi-instance methods on published bags, and on a network's instances.

    Writes ``bags.jsonl`` (one line per fit), ``bags.md`` (the page, also printed) and, with
    `curve_sizes`, ``bags_curves.png`` to `out`. A run that was stopped goes on where it stopped.

    Parameters
    ----------
    bags, out : Path
        A file for `features.bags.read_bags`, and the folder of the results.
    cache : Path, optional
        Features of the same images (MSRC v2): the methods are run on its instances too, and L1LR
        and LR on its vectors, with the bags' labels and splits.
    layers : sequence of str, optional
        Layers of the cache that give the instances; by default all quadrant-pooled ones.
    splits, seed : int
        Number of splits and the first one: those of the file by number, where it has any.
    methods : sequence of str, optional
        Names in `METHODS`; by default all.
    curve_sizes, curve_splits : sequence of int, int
        Numbers of training bags for learning curves, none by default, because the methods are tuned
        anew at each; and the number of splits for them, the first ones.
    published : {"msrc", "scene", "none"}, optional
        Published numbers to quote; by default those of the set with such labels.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        An unknown method, more splits than the file has, or inputs that don't fit each other.
    """
    _check_options(splits, seed, methods or (), curve_splits)
    task = read_bag_task(Path(bags), cache, layers)
    seeds = range(seed, seed + splits)
    _check_task(task, bags, seeds, methods or ())
    n_train = len(task.split(seed).train)
    sizes = _checked_sizes(curve_sizes, n_train)
    header = _header(task, seeds, n_train, paper_of_task(task, MIML_TABLES, published))
    trials = _trials(task, methods or list(METHODS), seeds, n_train, sizes, curve_splits)
    return _run(task, trials, header, Path(out), jobs)


def _run(
    task: BagTask, trials: Sequence[Trial], header: Mapping[str, Any], out: Path, jobs: int
) -> Path:
    """Run the fits that the result file lacks, then write and print the page and draw curves."""
    open_folder(out, "bags.jsonl", "bags.md", "bags_curves.png")
    lines = complete(
        run_method, trials, out / "bags.jsonl", key=KEY, header=header, shared=(task,), jobs=jobs,
        description="fits", together=MIML_METRICS,
    )  # fmt: skip
    write_page(out / "bags.md", page(header, lines))
    if len({trial["n_train"] for trial in trials}) > 1:
        draw_or_note(curves(header, lines), out / "bags_curves.png", "Mean and std over splits")
    return out / "bags.md"


def _check_options(splits: int, seed: int, methods: Sequence[str], curve_splits: int) -> None:
    check_number("splits", splits, whole=True, low=1)
    check_number("seed", seed, whole=True, low=0)
    check_number("curve-splits", curve_splits, whole=True, low=1)
    for name in methods:
        check_choice("methods", name, METHODS)


def _check_task(task: BagTask, bags: Path, seeds: range, methods: Sequence[str]) -> None:
    """Refuse seeds and methods that the file of bags can't serve."""
    if task.splits and seeds.stop > len(task.splits):
        raise InputError(
            f"The 'splits' option must end by the {len(task.splits)} splits of {bags}. Got seeds "
            f"{seeds[0]} to {seeds[-1]}."
        )
    lacking = [name for name in methods if not _instances_of(METHODS[name].takes, task)]
    if lacking:
        raise InputError(
            f"The methods {', '.join(lacking)} learn from features of whole images: give --cache"
        )


def _checked_sizes(sizes: Sequence[int], n_train: int) -> list[int]:
    if sizes and not 3 <= min(sizes) <= max(sizes) <= n_train:
        raise InputError(
            f"The 'curve-sizes' option must be from 3 to {n_train}, the training rows. Got "
            f"{min(sizes)} to {max(sizes)}."
        )
    return sorted({*sizes} - {n_train})


def _header(task: BagTask, seeds: range, n_train: int, paper: str) -> dict[str, Any]:
    labels = "\n".join([",".join(task.label_names), *map(str, task.Y.tolist())])
    ids = [str(row) for row in range(len(task.Y))]
    return {
        "table": "miml-bags",
        "data": task.name,
        **task.source,
        "rows": len(task.Y),
        "train_rows": n_train,
        "label_names": list(task.label_names),
        "labels_per_image": float(task.Y.sum() / len(task.Y)),
        "labels": sha256_of_text(labels),
        "splits": splits_hash([task.split(seed) for seed in seeds], ids),
        "split": "of the file" if task.splits else "random",
        "seeds": f"{seeds[0]} to {seeds[-1]}",
        "published": paper,
        "versions": {name: version(name) for name in PACKAGES},
    }


def _trials(
    task: BagTask,
    methods: Sequence[str],
    seeds: range,
    n_train: int,
    sizes: Sequence[int],
    curve_splits: int,
) -> list[Trial]:
    """List all fits, split by split, so that a run that was stopped early has whole splits."""
    return [
        {"method": name, "instances": instances, "n_train": size, "seed": seed}
        for size in sorted({n_train, *sizes}, reverse=True)
        for instances in (NO_INSTANCES, REGIONS, NETWORK)
        for seed in (seeds if size == n_train else seeds[:curve_splits])
        for name in methods
        if instances in _instances_of(METHODS[name].takes, task)
    ]


def _instances_of(takes: str, task: BagTask) -> Sequence[str]:
    if takes == "instances":
        return [name for name in (REGIONS, NETWORK) if name in task.sets]
    if takes == "vectors" and task.X is None:
        return []
    return [NO_INSTANCES]
