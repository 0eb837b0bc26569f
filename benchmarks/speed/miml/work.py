"""What `speed miml` times: distances, tuned methods, and MIMLfast's epoch, on one thread each."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from tqdm import tqdm

from benchmarks.speed.memory import peak_memory
from benchmarks.speed.miml.reference import loop_distances, loop_epoch
from benchmarks.speed.miml.report import METHODS
from benchmarks.speed.record import timed
from classify.metrics import METRICS
from classify.miml.distances import bag_distances
from classify.miml.mimlfast import MIMLfast, pairs_of
from classify.miml.mimlfast_epoch import run_epoch
from classify.miml.scaling import with_constant
from classify.miml.selection import tune
from features.bags import Bags, BagSet
from features.command_line import load
from features.splits import Split, random_split

_ROWS = 1024  # rows of one matrix product
Line = dict[str, Any]


def synthetic_bags(count: int, size: int, width: int, labels: int = 0) -> BagSet:
    """Make bags like a network's instances, non-negative, float32.

    Parameters
    ----------
    count, size, width : int
        Bags, instances of each, and columns.
    labels : int
        Each adds a direction of its own to one instance of a bag that has it.

    Returns
    -------
    BagSet
    """
    rng = np.random.default_rng(0)
    X = np.maximum(rng.standard_normal((count, size, width), dtype=np.float32), 0)
    Y = (rng.random((count, labels)) < 0.2).astype(np.int8)
    directions = np.maximum(rng.standard_normal((labels, width), dtype=np.float32), 0)
    for bag, label in np.argwhere(Y):
        X[bag, rng.integers(size)] += directions[label]
    return BagSet(Bags.from_array(X), Y, tuple(f"label {one}" for one in range(labels)))


def distance_lines(bags: Bags, rounds: int, loop_bags: int) -> Iterator[Line]:
    """Time distances and, alternating with them, the matrix products that they need.

    The loops run on the first `loop_bags` bags. A line's ``pairs`` are pairs of different bags.
    """
    pairs = len(bags) * (len(bags) - 1) // 2
    few = bags.take(np.arange(loop_bags))
    bag_distances(few)  # compiles
    X = bags.instances
    for number in tqdm(range(rounds), desc="distances", unit="round"):
        with peak_memory() as peak:
            found, seconds = timed(lambda: bag_distances(bags))
        memory = {"peak_mb": peak["bytes"] / 1e6, "instances_mb": X.nbytes / 1e6}
        yield {"what": "distances", "round": number, "pairs": pairs, **seconds, **memory}
        _, seconds = timed(lambda: _products(X))
        yield {"what": "products", "round": number, "pairs": pairs, **seconds}
    pairs = loop_bags * (loop_bags - 1) // 2
    for what, work in (("loop", loop_distances), ("cdist", _cdist_distances)):
        expected, seconds = timed(partial(work, few))
        ours = found[:loop_bags, :loop_bags]
        error = float(np.abs(ours - expected).max() / expected.max())
        yield {"what": what, "pairs": pairs, **seconds, "error": error}


def _products(X: np.ndarray) -> None:
    """Multiply all pairs of blocks of instances, of which half are needed by symmetry."""
    for start in range(0, len(X), _ROWS):
        for other in range(start, len(X), _ROWS):
            X[start : start + _ROWS] @ X[other : other + _ROWS].T


def _cdist_distances(bags: Bags) -> np.ndarray:
    found = np.zeros((len(bags), len(bags)))
    for i in range(len(bags)):
        for j in range(i + 1, len(bags)):
            between = cdist(bags[i], bags[j])
            found[i, j] = max(between.min(axis=1).max(), between.min(axis=0).max())
    return found + found.T


def tuning_lines(data: BagSet) -> Iterator[Line]:
    """Tune every method on the training rows of the first split, fit it, and evaluate it."""
    split = data.splits[0] if data.splits else random_split(len(data.Y), 0)
    for name, constructor in tqdm(METHODS.items(), desc="tuning", unit="method"):
        make = load(constructor)
        few = split.train[:60]
        fitted = make().fit(data.bags.take(few), data.Y[few])  # compiles
        fitted.decision_function(data.bags.take(few))
        (settings, scores), seconds = timed(partial(_tuned, make(), data, split))
        value = METRICS["example_ap"].function(data.Y[split.test], scores)
        chosen = json.dumps(settings, sort_keys=True)
        yield {"what": name, **seconds, "example_ap": float(value), "settings": chosen}


def _tuned(estimator, data: BagSet, split: Split) -> tuple[dict[str, Any], np.ndarray]:
    train = data.bags.take(split.train)
    settings = tune(estimator, train, data.Y[split.train])
    estimator.set_params(**settings).fit(train, data.Y[split.train])
    return settings, estimator.decision_function(data.bags.take(split.test))


def epoch_lines(data: BagSet, rounds: int, loop_bags: int) -> Iterator[Line]:
    """Time one epoch of MIMLfast at its defaults, compiled and as a numpy loop, in turns.

    Both see the first `loop_bags` bags, the same start, order and random numbers, which are made
    before the clock starts. ``error`` is the largest difference of their parameters.
    """
    rows = np.arange(min(loop_bags, len(data.bags)))
    bags, Y = data.bags.take(rows), data.Y[rows]
    _compiled(_begin(bags, Y), bags, Y)
    for number in range(rounds):
        ours, theirs = _begin(bags, Y), _begin(bags, Y)
        _, seconds = timed(partial(_compiled, ours, bags, Y))
        _, slow = timed(partial(_looped, theirs, bags, Y))
        pairs = zip((ours.V, ours.W), (theirs.V, theirs.W), strict=True)
        error = max(float(np.abs(a - b).max()) for a, b in pairs)
        count = len(ours.pairs)
        yield {"what": "epoch", "round": number, "pairs": count, **seconds}
        yield {"what": "loop", "round": number, "pairs": count, **slow, "error": error}


class _Start(NamedTuple):
    """What an epoch is given; it changes V and W."""

    model: MIMLfast
    X: np.ndarray
    V: np.ndarray
    W: np.ndarray
    pairs: np.ndarray
    rng: np.random.Generator
    harmonic: np.ndarray
    sums: tuple[np.ndarray, np.ndarray]


def _begin(bags: Bags, Y: np.ndarray) -> _Start:
    rng, model = np.random.default_rng(0), MIMLfast()
    X = with_constant(bags.instances.astype(np.float64))
    V, W = model._start(X.shape[1], Y.shape[1], rng)
    harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, Y.shape[1] + 2))])
    sums = np.zeros_like(V), np.zeros_like(W)
    return _Start(model, X, V, W, rng.permutation(pairs_of(Y)), rng, harmonic, sums)


def _compiled(start: _Start, bags: Bags, Y: np.ndarray) -> None:
    model, X, V, W, pairs, rng, harmonic, sums = start
    options = (harmonic, model.learning_rate, model.decay, model.max_norm, model.average_every)
    run_epoch(X, bags.starts, bags.sizes, Y, pairs, V, W, sums, *options, 0, rng)


def _looped(start: _Start, bags: Bags, Y: np.ndarray) -> None:
    model, X, V, W, pairs, rng, *_ = start
    options = (model.learning_rate, model.decay, model.max_norm)
    loop_epoch(bags.replace(X), Y, pairs, V, W, options, rng)
