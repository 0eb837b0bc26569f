"""Exact nearest neighbors by cosine, in one pass over blocks of rows.

A question reads each row once, and no more than a block is in memory. faiss is no gain here: of the
0.67 s that one question among 100,000 rows of 512 columns takes (CPU time of one thread; 0.96 s for
sixteen), most is the scaling of the rows, which its exact index needs too, and that takes 0.18 s
more (0.59 s) and all rows in memory. An approximate index pays for thousands of questions only.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from classify.feature_scaler import FeatureScaler

Block = tuple[np.ndarray, np.ndarray]


def unit_layers(X: np.ndarray, widths: Sequence[int]) -> np.ndarray:
    """Divide each layer's part of each row by its length, and the row by the square root of layers.

    The product of two such rows is the mean of the layers' cosines, so that a wide layer, or one of
    large values, counts no more than another. A layer of zeros has the cosine 0 with all.

    Parameters
    ----------
    X : float array of shape (n, sum of widths)
    widths : sequence of int
        Columns of each layer.

    Returns
    -------
    float32 ndarray of the shape of `X`

    Examples
    --------
    >>> unit_layers(np.array([[3.0, 4.0, 7.0]]), [2, 1]).round(3)
    array([[0.424, 0.566, 0.707]], dtype=float32)
    """
    scaled = FeatureScaler("layer-l2", widths=list(widths)).fit_transform(X)
    return (scaled / np.sqrt(len(widths))).astype(np.float32)


def nearest(
    blocks: Iterable[Block],
    questions: np.ndarray,
    widths: Sequence[int],
    count: int,
    *,
    left_out: Sequence[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows nearest to each question.

    Parameters
    ----------
    blocks : iterable of (rows, features)
        Row numbers (b,), rising over all blocks, and features (b, d).
    questions : float array of shape (q, d)
    widths : sequence of int
        Columns of each layer, as for `unit_layers`; their sum is d.
    count : int
        Rows per question.
    left_out : sequence of q int, optional
        A row per question that is no answer to it; -1 for none.

    Returns
    -------
    rows : int64 ndarray of shape (q, k)
        The nearest first, of equal cosines the lower row; k is `count` or the number of rows that
        all questions have, if that is less.
    cosines : float32 ndarray of shape (q, k)
        -1 to 1.
    """
    asked = unit_layers(questions, widths)
    own = np.full(len(asked), -1) if left_out is None else np.asarray(left_out)
    rows: np.ndarray = np.empty((len(asked), 0), dtype=np.int64)
    cosines: np.ndarray = np.empty((len(asked), 0), dtype=np.float32)
    for numbers, features in blocks:
        found = asked @ unit_layers(features, widths).T
        found[own[:, None] == numbers] = -np.inf
        cosines = np.hstack([cosines, found])
        rows = np.hstack([rows, np.broadcast_to(numbers, found.shape)])
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        rows, cosines = (np.take_along_axis(values, order, axis=1) for values in (rows, cosines))
    shared = int(np.isfinite(cosines).sum(axis=1).min(initial=count))
    return rows[:, :shared], np.clip(cosines[:, :shared], -1, 1)
