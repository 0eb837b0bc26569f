"""WARP and its ramp-loss form: pairs of labels weighed by rank, and labels by themselves.

Each loss takes scores (b, L) and labels (b, L) of 1 (present), 0 (absent) and -1 (unknown, as if
the label did not exist for that image), and returns a loss for each image and its gradient by
score. Nothing is divided by b or L.
"""

import numpy as np

from classify.losses import RANK_MODES, ROUNDINGS
from classify.losses.kernels import (
    RAMP_CUT,
    add_pairs,
    count_violators,
    expected_weights,
    sampled_weights,
)
from features.errors import InputError


def ramp(margins: np.ndarray, *, beta: float = 1.0) -> np.ndarray:
    """Ramp loss H_1(t) - beta H_s(t) with H_a(t) = max(0, a - t) and s = -0.8.

    Parameters
    ----------
    margins : array
        The t.
    beta : float
        1 is the ramp of the ramp-loss WARP paper, capped at 1.8; 0.9 is the leaky ramp of its
        released code; 0 is the hinge.

    Returns
    -------
    array
        Of the shape of `margins`.

    Examples
    --------
    >>> ramp(np.array([2.0, 0.3, -3.0])).round(6)
    array([0. , 0.7, 1.8])
    """
    return np.maximum(0, 1 - margins) - beta * np.maximum(0, RAMP_CUT - margins)


def ramp_derivative(margins: np.ndarray, *, beta: float = 1.0) -> np.ndarray:
    """Give the derivative of `ramp` by t; at the kinks, that of the side with the larger t."""
    return beta * (margins < RAMP_CUT) - 1.0 * (margins < 1)


def rank_weight(ranks) -> np.ndarray:
    """WARP's price of a rank, L(r) = 1 + 1/2 + ... + 1/r, and L(0) = 0.

    Parameters
    ----------
    ranks : array of int, 0 or more

    Returns
    -------
    float64 array
        Of the shape of `ranks`.

    Examples
    --------
    >>> rank_weight([0, 1, 2, 3]).round(6)
    array([0.      , 1.      , 1.5     , 1.833333])
    """
    ranks = np.asarray(ranks)
    return _harmonic_numbers(int(ranks.max(initial=0)))[ranks]


def violators(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count, for each present label, the absent labels that come within margin 1 of it.

    Parameters
    ----------
    scores : array of shape (b, L)
    labels : int8 array of shape (b, L)
        1, 0 or -1.

    Returns
    -------
    int64 array of shape (b, L)
        The number of k with labels[i, k] = 0 and 1 - scores[i, j] + scores[i, k] > 0 where
        labels[i, j] = 1; 0 elsewhere.
    """
    counts = np.zeros(labels.shape, dtype=np.int64)
    labels = np.ascontiguousarray(labels)  # loops are compiled anew for every layout
    count_violators(_negatives(scores, labels), _double(scores), labels, counts)
    return counts


def rank_weights(
    counts: np.ndarray,
    labels: np.ndarray,
    *,
    mode: str = "expected",
    rounding: str = "floor",
    uniforms: np.ndarray | None = None,
) -> np.ndarray:
    """Weight L(r) of each present label, its rank r estimated as WARP does.

    WARP draws the absent labels in random order until one violates the margin, at draw q, and takes
    (m - 1) / q as the rank, m being the number of known labels. How q is distributed follows from
    the number of violators alone, so no order need be drawn.

    Parameters
    ----------
    counts : int array of shape (b, L)
        As `violators` gives it.
    labels : int8 array of shape (b, L)
    mode : {"sample", "expected", "exact"}
        One random q; the expectation of L over q; or r = the number of violators.
    rounding : {"floor", "round"}
        How (m - 1) / q becomes whole: down, as in the paper, or to the nearest, halves up, as in
        its released code.
    uniforms : array of shape (b, L), optional
        Numbers from [0, 1) that q is drawn with; "sample" needs them.

    Returns
    -------
    float64 array of shape (b, L)
        0 where the label is not present or nothing violates.

    Raises
    ------
    InputError
        For another mode or rounding, or for "sample" without `uniforms`.
    """
    if mode not in RANK_MODES or rounding not in ROUNDINGS:
        raise InputError(
            f"mode is one of {RANK_MODES} and rounding one of {ROUNDINGS}, "
            f"got {mode!r} and {rounding!r}"
        )
    if mode == "exact":
        return rank_weight(counts)
    if mode == "sample" and uniforms is None:
        raise InputError('mode="sample" draws at random: give uniforms, or use mode="expected"')
    labels, harmonic = np.ascontiguousarray(labels), _harmonic_numbers(labels.shape[1])
    weights = np.zeros(labels.shape)
    if uniforms is None or mode == "expected":
        expected_weights(counts, labels, harmonic, rounding == "round", weights)
    else:
        sampled_weights(counts, labels, harmonic, rounding == "round", uniforms, weights)
    return weights


def pair_loss(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, *, beta: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted ramp over all pairs: sum over present j, absent k of w_j R(s_j - s_k).

    Parameters
    ----------
    scores, labels : arrays of shape (b, L)
    weights : array of shape (b, L)
        w, read where a label is present and taken as constant.
    beta : float
        As in `ramp`.

    Returns
    -------
    values : float64 array of shape (b,)
    gradient : float64 array of shape (b, L)
    """
    scores = _double(scores)
    values, gradient = np.zeros(len(scores)), np.zeros(scores.shape)
    weights = np.where(labels == 1, weights, 0.0)
    add_pairs(_negatives(scores, labels), scores, weights, float(beta), values, gradient)
    return values, gradient


def point_loss(
    scores: np.ndarray, labels: np.ndarray, *, beta: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Ramp of each label by itself: sum over known j of R(y_j s_j) with y of -1 and 1.

    Parameters and returns are those of `pair_loss`, without weights.
    """
    signs = signs_of(labels)
    margins = signs * scores
    values = (np.abs(signs) * ramp(margins, beta=beta)).sum(axis=1)
    return values, signs * ramp_derivative(margins, beta=beta)


def warp_loss(
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    beta: float = 1.0,
    kappa: float = 5.0,
    rank_mode: str = "expected",
    rounding: str = "floor",
    uniforms: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ramp-loss WARP: ranked pairs plus `kappa` times the labels by themselves.

    The loss of an image is sum over present j and absent k of L(r_j) R(s_j - s_k), plus kappa times
    sum over known j of R(y_j s_j) (the ramp-loss WARP paper's objective). The gradient takes L(r_j)
    as constant. With ``beta=0, kappa=0`` it is WARP with the hinge over all violating pairs.

    Parameters
    ----------
    scores, labels : arrays of shape (b, L)
    beta : float
        As in `ramp`.
    kappa : float
    rank_mode, rounding, uniforms
        ``mode``, ``rounding`` and ``uniforms`` of `rank_weights`.

    Returns
    -------
    values : float64 array of shape (b,)
    gradient : float64 array of shape (b, L)

    Examples
    --------
    >>> values, gradient = warp_loss(np.zeros((1, 3)), np.array([[1, 0, -1]], dtype=np.int8))
    >>> values, gradient
    (array([11.]), array([[-6.,  6.,  0.]]))
    """
    counts = violators(scores, labels)
    weights = rank_weights(counts, labels, mode=rank_mode, rounding=rounding, uniforms=uniforms)
    values, gradient = pair_loss(scores, labels, weights, beta=beta)
    if kappa:
        point_values, point_gradient = point_loss(scores, labels, beta=beta)
        values += kappa * point_values
        gradient += kappa * point_gradient
    return values, gradient


def wsabie_loss(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average Wsabie's draws: each present label against one absent label that comes near.

    Wsabie draws the known absent labels of an image until one violates the margin of the present
    label, at draw q, and pays L(floor((m - 1) / q)) times its hinge, m being the number of known
    labels and L(r) = 1 + 1/2 + ... + 1/r. The violator found is equally likely to be any of them,
    whatever q is, so the expectation needs no draw.

    Parameters
    ----------
    scores : array of shape (b, L)
    labels : int8 array of shape (b, L)

    Returns
    -------
    values : float64 array of shape (b,)
    gradient : float64 array of shape (b, L)
        The weights of the ranks are taken as constant.

    Examples
    --------
    >>> values, gradient = wsabie_loss(np.zeros((1, 3)), np.array([[1, 0, -1]], dtype=np.int8))
    >>> values, gradient
    (array([1.]), array([[-1.,  1.,  0.]]))
    """
    counts = violators(scores, labels)
    weights = rank_weights(counts, labels) / np.maximum(counts, 1)
    return pair_loss(scores, labels, weights, beta=0.0)


def signs_of(labels: np.ndarray) -> np.ndarray:
    """Map labels of 1, 0 and -1 (unknown) to 1.0, -1.0 and 0.0."""
    return (labels == 1) * 1.0 - (labels == 0)


def _double(scores: np.ndarray) -> np.ndarray:
    # float64 only: numba then compiles one signature, and rounding is negligible.
    return np.ascontiguousarray(scores, dtype=np.float64)


def _negatives(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores of absent labels, and -inf elsewhere: that violates no margin."""
    return np.where(labels == 0, _double(scores), -np.inf)


def _harmonic_numbers(largest: int) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, largest + 1))])
