"""Checks of the arrays and the choices that `InteractiveTagger` is given."""

from typing import Any

import numpy as np

from classify.base import UNKNOWN
from classify.imcl.variants import Variant
from features.errors import InputError


def check_choices(tagger: Any, variant: Variant) -> None:
    """Refuse a label graph of another name, and choices that exclude each other."""
    if isinstance(tagger.graph, str) and tagger.graph not in ("cooccurrence", "identity"):
        raise InputError(
            f"graph={tagger.graph!r}: give 'cooccurrence', 'identity' or an array of shape (L, L)"
        )
    if tagger.image_graph == "fixed" and variant.pool == "minibatch":
        raise InputError(
            "image_graph='fixed' finds every row's neighbors once, and "
            f"variant={tagger.variant!r} looks for them within each batch: use another variant"
        )


def check_start(coef, intercept, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients of `shape` (L, d) and intercepts (L,), or refuse others."""
    shapes = np.shape(coef), np.shape(intercept)
    if shapes != (shape, shape[:1]):
        raise InputError(
            f"coef_init and intercept_init have shapes {shapes[0]} and {shapes[1]}: give "
            f"{shape} and {shape[:1]}, or neither"
        )
    return np.asarray(coef), np.asarray(intercept)


def check_side_information(side, n_rows: int) -> np.ndarray:
    """Return further labels as int8 of shape (n, q), none for None, or refuse others."""
    side = np.zeros((n_rows, 0), dtype=np.int8) if side is None else np.asarray(side)
    if side.ndim != 2 or len(side) != n_rows:
        raise InputError(
            f"side_information has shape {side.shape}: give one row for each of the {n_rows} rows "
            "of X and one column per label"
        )
    if not np.isin(side, (UNKNOWN, 0, 1)).all():
        raise InputError(
            "side_information holds other values than 1 (present), 0 (absent) and -1 (unknown): "
            "give those"
        )
    return side.astype(np.int8, copy=False)
