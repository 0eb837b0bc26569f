"""Sweeps: every learner at every C on every split, selected inside the training rows."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from classify.learners import (
    check_C,
    check_from_disk,
    check_labels,
    check_weighting,
    find_learner,
)
from classify.losses.class_weights import weighting_of
from classify.metrics import METRICS
from classify.models import library_versions
from classify.results import ResultFile, claim_results, header_of, read_results
from classify.scaling import find_scaling
from features.command_line.numbers import as_float, as_int
from features.dask_client import connect
from features.errors import InputError, check_choice, check_number
from features.splits import Split, duplicate_groups, random_split, splits_hash

if TYPE_CHECKING:
    from classify.parallel import Trial
    from features.cache import FeatureCache

MOST_C = 10_000  # values of C that a range may name
SELECTIONS = ("inner-cv", "none")
KEY = ("learner", "scaling", "split", "C")
_LAYERS = {"vectors": "layers", "instances": "instance_layers"}  # keys of the header


def sweep(
    cache: Path,
    out: Path,
    *,
    learner: Sequence[str] = ("l1", "l2"),
    C: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0),
    splits: int = 30,
    seed: int = 0,
    select: str = "inner-cv",
    metric: str = "example_ap",
    folds: int = 3,
    group_duplicates: bool = False,
    scaling: Sequence[str] = ("none",),
    layers: Sequence[str] | None = None,
    labels: Path | None = None,
    class_weight: str | None = None,
    rare_weight: float | None = None,
    jobs: int = -1,
    dask: str | None = None,
    from_disk: bool = False,
) -> Path:
    """Run a grid over a cache; lines that exist are kept, so a killed sweep goes on.

    Parameters
    ----------
    cache : Path
        A feature cache with labels.
    out : Path
        The file of result lines, `.jsonl`. A line is one (learner, scaling, split, C) with the mean
        score over the inner folds; the selected C also has the metrics on the test rows. With
        `select="none"` every C has them, and no fold is run. A learner that takes no C has one line
        per split, with C None.
    learner : sequence of str
        Names in `classify.learners`.
    C : sequence of float
        Weights of the summed loss; see `classify.learners` for those trained by descent.
    splits, seed : int
        Random splits, 2/3 of the rows to train on; seeds `seed` to `seed + splits - 1`.
    select : {"inner-cv", "none"}
        How C is chosen.
    metric : str
        What is compared over the folds; a name in `classify.metrics.METRICS`.
    folds : int
        Inner folds.
    group_duplicates : bool
        Keep images of one checksum on one side of every split and fold.
    scaling : sequence of str
        Names in `classify.scaling`.
    layers, labels, class_weight, rare_weight
        As for `training.fit`.
    jobs : int
        Processes, one thread each; -1 for one per core.
    dask : str, optional
        Run on a Dask cluster instead: `tcp://HOST:PORT`, or `local:N`.
    from_disk : bool
        As for `training.fit`; not on a cluster.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        An unknown name, a C that is not positive, weights of classes for a learner that takes
        none, no labels, or an `out` of another sweep. A fit that fails is no error: its line
        contains the reason.
    """
    from features.cache import FeatureCache  # h5py

    learner, scaling = list(dict.fromkeys(learner)), list(dict.fromkeys(scaling))
    _check(learner, C, select, metric, scaling)
    _check_counts(splits, seed, folds, jobs)
    weighting = weighting_of(class_weight, rare_weight)
    for name in learner:
        check_weighting(find_learner(name), weighting)
        if from_disk:
            check_from_disk(find_learner(name))
    if from_disk and dask:
        raise InputError(
            "--from-disk came with --dask, whose workers get the rows from memory: leave out one"
        )
    out = claim_results(out)
    features = FeatureCache(cache)
    data = _read(features, learner, layers, labels, from_disk)
    groups = duplicate_groups(data.checksums()) if group_duplicates else None
    n = len(data.Y)
    drawn = {seed + k: random_split(n, seed + k, groups=groups) for k in range(splits)}
    if select == "inner-cv":
        _check_folds(folds, len(drawn[seed].train), n, out)
    values = sorted(set(C))
    plan: dict[str, Any] = {"C": values, "select": select, "metric": metric, "folds": folds}
    if weighting:
        plan["weighting"] = weighting
    header = plan | _origin(features, data, list(drawn.values()))
    header = _as_earlier(header, header_of(out), data.label_names, data.Y)
    trials: list[Trial] = [
        {"learner": name, "scaling": one, "split": number}
        for number in drawn
        for name in learner
        for one in scaling
    ]
    _run(trials, out, header, ({**plan, "groups": groups}, data.inputs, data.Y), jobs, dask)
    return out


class _Data(NamedTuple):
    """What the rows with features hold.

    Attributes
    ----------
    Y : int8 array of shape (n, L)
    label_names : sequence of str
    inputs : mapping of str to classify.trials.Input
        ``vectors`` and ``instances``, as learners take them.
    ids : list of str
        Of the images.
    checksums : callable
        Reads the checksums of the images' files, S64 (n,).
    """

    Y: np.ndarray
    label_names: Sequence[str]
    inputs: Mapping[str, Any]
    ids: list[str]
    checksums: Callable[[], np.ndarray]


def _read(
    features: "FeatureCache",
    learners: Sequence[str],
    layers: Sequence[str] | None,
    labels: Path | None,
    from_disk: bool,
) -> _Data:
    """Read the labels and what the learners take; name on stderr what has no features."""
    from classify.inputs import require_rows  # scikit-learn
    from classify.trials import read_all_inputs
    from features.cache import labels_of

    require_rows(features)
    Y, label_names = labels_of(features, labels)
    rows = features.valid_rows
    if features.excluded:
        print(features.excluded, file=sys.stderr)
    Y = Y[rows]
    for name in learners:
        check_labels(find_learner(name), Y)
    inputs = read_all_inputs(features, layers, rows, map(find_learner, learners), from_disk)
    ids = list(features.ids)
    return _Data(
        Y, label_names, inputs, [ids[row] for row in rows], lambda: features.index.sha256()[rows]
    )


def _origin(features: "FeatureCache", data: _Data, splits: list[Split]) -> dict[str, Any]:
    """State in the header what the lines come from."""
    from classify.storage.provenance import hash_features, hash_labels

    return {
        "manifest": features.manifest_hash,
        **{_LAYERS[takes]: one.names for takes, one in data.inputs.items()},
        "features": hash_features(features),
        "labels": hash_labels(data.label_names, data.Y),
        "splits": splits_hash(splits, data.ids),
        "versions": library_versions(),
    }


def _run(
    trials: "Sequence[Trial]",
    out: Path,
    header: Mapping[str, Any],
    shared: tuple,
    jobs: int,
    dask: str | None,
) -> None:
    """Run the trials whose lines the file lacks."""
    from classify.parallel import run_grid  # joblib
    from classify.trials import odd_line, run_trial_on

    def expected(trial: "Trial") -> "list[Trial]":
        values = find_learner(trial["learner"]).strengths(header["C"])
        return [{**trial, "C": C} for C in values]

    client = connect(dask) if dask else nullcontext()
    file = ResultFile(out, key=KEY, header=header, odd=odd_line)
    with file as results, client as reached:
        run_grid(
            run_trial_on, trials, results, expected=expected, shared=shared, jobs=jobs,
            client=reached, description="sweep",
        )  # fmt: skip
        results.finish()


def _check_folds(folds: int, train_rows: int, rows: int, out: Path) -> None:
    if folds > train_rows:
        raise InputError(
            f"{folds} folds need as many rows, and {out} would be learned from {train_rows} of the "
            f"{rows} rows with features. Give fewer --folds, --select none or more images."
        )


def failures(path: Path) -> str:
    """Count a sweep's lines without a result in one line, with the first reason; or give none.

    Parameters
    ----------
    path : Path
        A file that `sweep` wrote.
    """
    _, lines = read_results(path)
    failed = [line for line in lines if line["error"] is not None]
    if not failed:
        return ""
    first = ", ".join(f"{name} {failed[0][name]}" for name in KEY)
    reason = failed[0]["error"]
    return f"{len(failed)} of {len(lines)} fits failed; the first: {first}: {reason}"


def unchosen(path: Path) -> str:
    """Count the fits of a sweep for which its metric chose no C, in one line; or give none.

    Parameters
    ----------
    path : Path
        A file that `sweep` wrote.
    """
    header, lines = read_results(path)
    if header["select"] == "none":
        return ""
    chosen = {tuple(line[name] for name in KEY[:3]): False for line in lines}
    for line in lines:
        chosen[tuple(line[name] for name in KEY[:3])] |= line["selected"]
    missing = list(chosen.values()).count(False)
    if not missing:
        return ""
    return (
        f"for {missing} of {len(chosen)} learners on a split no C was chosen: {header['metric']} "
        "has no value inside the training images, where too few have a label or lack it. Sweep "
        "into another file by another --metric, such as map, or with --select none."
    )


def summarize(path: Path) -> list[tuple[str, int, dict[str, tuple[float, float]]]]:
    """Average a sweep's evaluated lines over its splits.

    Parameters
    ----------
    path : Path
        A file that `sweep` wrote.

    Returns
    -------
    list of (name, splits, values)
        For each learner and scaling, with C where it was not selected, metric to mean and standard
        deviation (ddof 1) over the splits.
    """
    from classify.trials import REPORTED_METRICS, odd_line

    header, lines = read_results(path, odd_line)
    groups: dict[str, list[dict]] = {}
    for line in lines:
        if line["error"] is None and (line["selected"] or header["select"] == "none"):
            name = f"{line['learner']}, {line['scaling']}"
            if header["select"] == "none" and line["C"] is not None:
                name += f", C = {line['C']:g}"
            groups.setdefault(name, []).append(line)
    return [
        (name, len(found), {m: _mean_and_std([one[m] for one in found]) for m in REPORTED_METRICS})
        for name, found in groups.items()
    ]


def parse_C(text: str) -> list[float]:
    """Read `LOW:HIGH:COUNT`, evenly spaced in the logarithm, or numbers with commas.

    Raises
    ------
    InputError
        It is neither, or a number is not positive.

    Examples
    --------
    >>> parse_C("0.01:100:5"), parse_C("1,10")
    ([0.01, 0.1, 1.0, 10.0, 100.0], [1.0, 10.0])
    """
    try:
        if ":" in text:
            low, high, count = text.split(":")
            ends, number = [as_float(low), as_float(high)], as_int(count)
        else:
            ends, number = [as_float(word) for word in text.split(",")], 0
    except ValueError as error:
        raise InputError(
            "The 'C' option must be LOW:HIGH:COUNT, as in 0.01:100:9, or numbers, as in 0.1,1,10. "
            f"Got {text!r}."
        ) from error
    check_C(ends)
    if ":" not in text:
        return ends
    check_number("COUNT of C", number, whole=True, low=1, high=MOST_C)
    return [float(f"{value:.12g}") for value in np.geomspace(ends[0], ends[1], number)]


def _as_earlier(header: dict[str, Any], found: Mapping[str, Any] | None, label_names, Y):
    """Write a header as the version did that began the file, if its labels are those."""
    if found is None or "features" in found:
        return header
    from classify.storage.provenance import hash_labels_as_text

    header = {key: value for key, value in header.items() if key != "features"}
    earlier = hash_labels_as_text(label_names, Y)
    return header | {"labels": earlier} if found.get("labels") == earlier else header


def _check(learner, C, select, metric, scaling) -> None:
    for name, values in (("learner", learner), ("scaling", scaling), ("C", C)):
        if not len(values):
            raise InputError(f"The {name!r} option must have a value. Got none.")
    for name in learner:
        find_learner(name)
    for name in scaling:
        find_scaling(name)
    check_C(C)
    check_choice("metric", metric, METRICS)
    check_choice("select", select, SELECTIONS)


def _check_counts(splits: int, seed: int, folds: int, jobs: int) -> None:
    check_number("splits", splits, whole=True, low=1)
    check_number("folds", folds, whole=True, low=2)
    check_number("seed", seed, whole=True, low=0)
    if jobs != -1:
        check_number("jobs", jobs, whole=True, low=1)


def _mean_and_std(values: Sequence[float | None]) -> tuple[float, float]:
    known = [value for value in values if value is not None]
    if not known:
        return math.nan, math.nan
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
