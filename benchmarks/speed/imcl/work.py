"""What `speed imcl` times: the pursuit, training steps and a whole fit, on one thread each."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import orthogonal_mp
from tqdm import tqdm

from benchmarks.speed.imcl.data import KNOWN, make_pursuit, mapped_problem
from benchmarks.speed.imcl.reference import loop_omp, omp_by_query
from benchmarks.speed.imcl.report import (
    BATCHED,
    BY_QUERY,
    FEATURES_ALONE,
    LABELS_ALONE,
    LOOP,
    OURS,
    PRODUCTS,
)
from benchmarks.speed.memory import peak_memory
from benchmarks.speed.record import timed
from classify.imcl.descent import Descent, Settings
from classify.imcl.joint_omp import Dictionary, Neighbors, joint_omp
from classify.imcl.label_graph import cooccurrence_graph
from classify.imcl.loss import LabelRules, Penalty
from classify.imcl.neighbors import Source
from classify.imcl.tagger import InteractiveTagger
from classify.imcl.variants import as_variant

STEPS, WARM_UP = 20, 3
Line = dict[str, Any]


def pursuit_lines(
    size: tuple[int, int, int, int], k: int, rounds: int, few: int
) -> tuple[list[Line], Line]:
    """Time the pursuit of all queries, and of `few` where they are taken one at a time, in turns.

    Parameters
    ----------
    size : (queries, candidates, features, labels)
    k : int
        Neighbors per query.
    rounds, few : int

    Returns
    -------
    timings : list of dict
    agreement : dict
        How many queries have the loop's neighbors, and the largest difference of their weights.
    """
    few = min(size[0], few)
    Z, F, Y, G = make_pursuit(*size)
    found = joint_omp(Y, G, Dictionary(Z, F), k=k)  # compiles too
    works = _pursuits(Z, F, Y, G, found, k, few)
    timings: list[Line] = []
    looped: list = []
    for number in tqdm(range(rounds), desc="pursuit", unit="round"):
        for name, (work, count) in works.items():
            value, seconds = timed(work)
            looped = value if name == LOOP else looped
            timings.append({"what": name, "round": number, "queries": count, **seconds})
    same, difference = _compare(found, looped)
    neighbors = float((found.positions >= 0).sum(axis=1).mean())
    agreement = {"queries": few, "same": same, "difference": float(difference)}
    return timings, {"what": "neighbors", "neighbors": neighbors, **agreement}


def _pursuits(Z, F, Y, G, found: Neighbors, k: int, few: int):
    """Give what is timed by name, with its number of queries."""
    queries = len(Y)
    live = [queries, *((found.positions[:, :-1] >= 0).sum(axis=0)).tolist()]
    atoms = [np.ascontiguousarray((A / np.linalg.norm(A, axis=1, keepdims=True)).T) for A in (Z, F)]

    def products():
        for count in live:
            Y[:count] @ Z.T
            G[:count] @ F.T

    def each(pursue):
        return [pursue(y, f, Z, F, k=k) for y, f in zip(Y[:few], G[:few], strict=True)]

    works = {
        OURS: (lambda: joint_omp(Y, G, Dictionary(Z, F), k=k), queries),
        PRODUCTS: (products, queries),
        BY_QUERY: (partial(each, omp_by_query), few),
        LOOP: (partial(each, loop_omp), few),
        FEATURES_ALONE: (_peer(atoms[1], G[:few], k), few),
        LABELS_ALONE: (_peer(atoms[0], Y[:few], k), few),
    }
    if find_spec("orthogonal_matching_pursuit_gpu"):
        works[BATCHED] = (_batched_peer(atoms[1], G, k), queries)
    return works


def _peer(atoms, targets, k) -> Callable[[], object]:
    return lambda: orthogonal_mp(atoms, targets.T, n_nonzero_coefs=k)


def _batched_peer(atoms, targets, k) -> Callable[[], object]:
    """Its default, which multiplies all atoms by each other first; torch's threads are one."""
    import torch
    from orthogonal_matching_pursuit_gpu.omp import run_omp

    torch.set_num_threads(1)
    return lambda: run_omp(atoms, targets, k, normalize=False, fit_intercept=False)


def _compare(found: Neighbors, looped) -> tuple[int, float]:
    """Count queries with the same neighbors, and give the largest difference of their weights."""
    same, difference = 0, 0.0
    for row, (chosen, c, c_bar) in enumerate(looped):
        if found.positions[row][: len(chosen)].tolist() == chosen:
            same += 1
            for ours, theirs in ((found.label_weights, c), (found.feature_weights, c_bar)):
                difference = max(difference, np.abs(ours[row, : len(chosen)] - theirs).max())
    return same, difference


def step_lines(sizes: Sequence[int], features: int, labels: int) -> Iterator[Line]:
    """Time training steps on so many rows each, from files mapped into memory."""
    for rows in tqdm(sizes, desc="steps", unit="size"):
        with tempfile.TemporaryDirectory() as place:
            X, Y = mapped_problem(Path(place), rows, features, labels)
            descent, batches = _descent(X, Y)
            times = [timed(partial(descent.step, batch))[1] for batch in batches]
            del X, Y, descent
        for number, seconds in enumerate(times[WARM_UP:]):
            yield {"what": f"{rows} rows", "round": number, "rows": rows, **seconds}


def _descent(X, Y) -> tuple[Descent, list[np.ndarray]]:
    tagger, rng = InteractiveTagger(early_stopping="never"), np.random.default_rng(0)
    rules, zeros = LabelRules(), np.zeros((X.shape[1],), dtype=X.dtype)
    source = Source(X, Y, np.empty((len(X), 0), dtype=np.int8), 1.0, zeros, 1.0, rules)
    graph = cooccurrence_graph(Y[: tagger.dictionary_size])
    start = np.zeros((Y.shape[1], X.shape[1])), np.zeros(Y.shape[1])
    parameters = source.start(*start, graph, feature_map=False)
    settings = Settings.of(tagger, as_variant(tagger.variant))
    penalty = Penalty(1 / (KNOWN * len(X)), zeros, 1.0)
    rows = np.arange(len(X))
    descent = Descent(parameters, source, rows, penalty=penalty, settings=settings, rng=rng)
    batches = [
        np.sort(rng.choice(len(X), min(len(X), tagger.batch_size), replace=False))
        for _ in range(STEPS + WARM_UP)
    ]
    return descent, batches


def memory_line(rows: int, features: int, labels: int) -> Line:
    """Watch what a fit of a few steps allocates; features and labels are mapped files."""
    with tempfile.TemporaryDirectory() as place:
        X, Y = mapped_problem(Path(place), rows, features, labels)
        start = np.zeros((labels, features), dtype=np.float32), np.zeros(labels, dtype=np.float32)
        tagger = InteractiveTagger(steps=STEPS, epochs=1, early_stopping="never")
        with peak_memory() as peak:
            fit = partial(tagger.fit, X, Y, coef_init=start[0], intercept_init=start[1])
            _, seconds = timed(fit)
        del X, Y
    sizes = {"rows": rows, "features": features, "labels": labels, "steps": STEPS}
    return {"what": "fit", **sizes, **seconds, "peak_mb": peak["bytes"] / 1e6}
