"""``tables miml --bags``: every method of the MIML paper's Table 1, run on published bags."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import draw_or_note
from benchmarks.tables.miml.bags_data import NETWORK, REGIONS, BagTask, paper_of_task, read_bag_task
from benchmarks.tables.miml.bags_methods import KEY, METHODS, NO_INSTANCES, run_method
from benchmarks.tables.miml.bags_report import curves, page
from benchmarks.tables.miml.published import MIML_TABLES
from classify.parallel import Trial, run_grid
from classify.results import ResultFile
from features.errors import InputError, check_choice, check_number
from features.files import remove_temporaries, sha256_of_text, write_text
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
    `curve_sizes`, ``bags_curves.png`` to `out`. Fits that the result file already holds are not
    done again, so a killed run goes on where it stopped.

    Parameters
    ----------
    bags : Path
        A file of labeled bags, as `features.bags.read_bags` takes it.
    out : Path
        Made where missing.
    cache : Path, optional
        Features of the same images (MSRC v2): the methods are run on its instances too, and L1LR
        and LR on its vectors, with the bags' labels and splits.
    layers : sequence of str, optional
        Layers of the cache that give the instances; by default all quadrant-pooled ones.
    splits, seed : int
        How many, from which on. Those of the file by their number, where it has any.
    methods : sequence of str, optional
        Names in `METHODS`; by default all.
    curve_sizes : sequence of int
        Numbers of training bags for learning curves; none by default, for the methods are tuned
        anew at each.
    curve_splits : int
        Splits for the curves, the first ones.
    published : {"msrc", "scene", "none"}, optional
        Whose published numbers stand beside; by default those of the set with such labels.
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
    check_number("splits", splits, whole=True, low=1)
    for name in methods or ():
        check_choice("methods", name, METHODS)
    task = read_bag_task(Path(bags), cache, layers)
    seeds = range(seed, seed + splits)
    if task.splits and seeds.stop > len(task.splits):
        raise InputError(
            f"The 'splits' option must end by the {len(task.splits)} splits of {bags}. Got seeds "
            f"{seeds[0]} to {seeds[-1]}."
        )
    n_train = len(task.split(seed).train)
    sizes = _checked_sizes(curve_sizes, n_train)
    header = _header(task, seeds, n_train, paper_of_task(task, MIML_TABLES, published))
    trials = _trials(task, methods or list(METHODS), seeds, n_train, sizes, curve_splits)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    remove_temporaries(out)
    with ResultFile(out / "bags.jsonl", key=KEY, header=header) as results:
        run_grid(run_method, trials, results, shared=(task,), jobs=jobs, description="fits")
        results.finish()
        lines = results.lines
    text = page(header, lines)
    write_text(out / "bags.md", text)
    print(text, end="")
    if sizes:
        draw_or_note(curves(header, lines), out / "bags_curves.png", "Mean and std over splits")
    return out / "bags.md"


def _checked_sizes(sizes: Sequence[int], n_train: int) -> list[int]:
    if sizes and not 3 <= min(sizes) <= max(sizes) <= n_train:
        raise InputError(
            f"The 'curve_sizes' option must be from 3 to {n_train}, the training rows. Got "
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
    trials: list[Trial] = [
        {"method": name, "instances": instances, "n_train": size, "seed": seed}
        for size in sorted({n_train, *sizes}, reverse=True)
        for instances in (NO_INSTANCES, REGIONS, NETWORK)
        for seed in (seeds if size == n_train else seeds[:curve_splits])
        for name in methods
        if instances in _instances_of(METHODS[name].takes, task)
    ]
    if not trials:
        print("no method can be run without --cache", file=sys.stderr)
    return trials


def _instances_of(takes: str, task: BagTask) -> Sequence[str]:
    if takes == "instances":
        return [name for name in (REGIONS, NETWORK) if name in task.sets]
    if takes == "vectors" and task.X is None:
        return []
    return [NO_INSTANCES]
