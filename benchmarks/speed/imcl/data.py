"""Synthetic data of `speed imcl`."""

from pathlib import Path

import numpy as np

KNOWN, PRESENT = 12, 3  # labels of a row that are known, and those of them that are present


def make_pursuit(
    queries: int, candidates: int, features: int, labels: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Make a dictionary, and queries that are noisy mixtures of eight of its rows.

    Returns
    -------
    Z, F : float32 arrays of shape (candidates, labels) and (candidates, features)
        Label values from -1/2 to 1, and features as after a ReLU of mean length 1.
    Y, G : float32 arrays of shape (queries, labels) and (queries, features)
    """
    rng = np.random.default_rng(seed)
    Z = rng.choice([-0.5, -0.1, 1.0], p=[0.3, 0.6, 0.1], size=(candidates, labels))
    F = np.maximum(rng.standard_normal((candidates, features)), 0) / np.sqrt(features / 2)
    parts = rng.integers(0, candidates, size=(queries, 8))
    shares = rng.dirichlet(np.ones(8), size=queries)
    Y = np.einsum("qp,qpl->ql", shares, Z[parts]) + 0.05 * rng.standard_normal((queries, labels))
    G = sum(shares[:, [p]] * F[parts[:, p]] for p in range(8))
    return tuple(np.ascontiguousarray(a, dtype=np.float32) for a in (Z, F, Y, G))  # type: ignore[return-value]


def mapped_problem(folder: Path, rows: int, features: int, labels: int):
    """Make features as after a ReLU and a few known labels a row into files; map them.

    Returns
    -------
    X : float32 memmap of shape (rows, features)
    Y : int8 memmap of shape (rows, labels)
        12 labels of a row are known, of which 3 are present, or as many as there are.
    """
    rng = np.random.default_rng(0)
    shapes = (rows, features), (rows, labels)
    X = np.memmap(folder / "features.f32", dtype=np.float32, mode="w+", shape=shapes[0])
    Y = np.memmap(folder / "labels.i8", dtype=np.int8, mode="w+", shape=shapes[1])
    length = np.float32(np.sqrt(features / 2))
    for start in range(0, rows, 4096):
        count = min(4096, rows - start)
        block = np.maximum(rng.standard_normal((count, features), dtype=np.float32), 0)
        X[start : start + count] = block / length
        known = rng.integers(0, labels, size=(count, KNOWN))
        part = np.full((count, labels), -1, dtype=np.int8)
        np.put_along_axis(part, known, 0, axis=1)
        np.put_along_axis(part, known[:, :PRESENT], 1, axis=1)
        Y[start : start + count] = part
    X.flush()
    Y.flush()
    return (
        np.memmap(folder / "features.f32", dtype=np.float32, mode="r", shape=shapes[0]),
        np.memmap(folder / "labels.i8", dtype=np.int8, mode="r", shape=shapes[1]),
    )
