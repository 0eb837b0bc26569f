"""Losses by the names that taggers know them by. It knows no features and no solver."""

from collections.abc import Callable
from functools import partial

import numpy as np

from classify.losses.ranking import (
    bce_loss,
    lsep_loss,
    pairwise_loss,
    softmax_loss,
    warp_loss,
)

ImageLoss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

SIBLINGS: dict[str, ImageLoss] = {
    "pairwise": pairwise_loss,
    "softmax": softmax_loss,
    "lsep": lsep_loss,
    "bce": bce_loss,
}
LOSSES = ("ramp", "hinge", *SIBLINGS)
DIVISORS = {"ramp": 20.0, "hinge": 20.0, "pairwise": 20.0}  # as in RML-CNN's released code


def named_loss(
    name: str,
    *,
    beta: float,
    kappa: float,
    rank_mode: str,
    rounding: str,
    rng: np.random.Generator,
) -> ImageLoss:
    """Give the loss of that name as a function of scores (b, L) and labels (b, L) alone.

    Parameters
    ----------
    name : {"ramp", "hinge", "pairwise", "softmax", "lsep", "bce"}
    beta, kappa, rank_mode, rounding
        As in `classify.losses.ranking.warp_loss`, for "ramp" and, but for `beta`, "hinge".
    rng : numpy Generator
        Draws the ranks where `rank_mode` is "sample".

    Returns
    -------
    callable
        ``(scores, labels) -> (values (b,), gradient (b, L))``.

    Examples
    --------
    >>> options = {"beta": 1.0, "kappa": 0.0, "rank_mode": "expected", "rounding": "floor"}
    >>> loss = named_loss("hinge", **options, rng=np.random.default_rng(0))
    >>> loss(np.array([[-2.0, 2.0]]), np.array([[1, 0]], dtype=np.int8))[0]
    array([5.])
    """
    if name in SIBLINGS:
        return SIBLINGS[name]
    warp = partial(
        warp_loss,
        beta=beta if name == "ramp" else 0.0,
        kappa=kappa,
        rank_mode=rank_mode,
        rounding=rounding,
    )
    if rank_mode != "sample":
        return warp
    return lambda scores, labels: warp(scores, labels, uniforms=rng.random(scores.shape))


def only_ranks(name: str, kappa: float) -> bool:
    """Tell whether a loss sees only differences of a row's scores, so that signs mean nothing.

    Examples
    --------
    >>> only_ranks("hinge", 0.0), only_ranks("hinge", 5.0), only_ranks("bce", 0.0)
    (True, False, False)
    """
    return not (name == "bce" or (name in ("ramp", "hinge") and kappa > 0))
