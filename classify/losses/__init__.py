"""Losses of rows of labels as records: one per loss, read by taggers, learners and fine-tuning.

A record names functions and loads none, so that help texts and numpy code never wait for torch. A
new loss is a function in one of this folder's files and a record here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from features.command_line import load

if TYPE_CHECKING:
    import numpy as np

    ImageLoss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

RANK_MODES = ("sample", "expected", "exact")
ROUNDINGS = ("floor", "round")

_RANKING, _PAIRS = "classify.losses.ranking", "classify.losses.warp"
_TORCH = "classify.finetune.losses"
_WARP = ("beta", "kappa", "rank_mode", "rounding")


@dataclass(frozen=True)
class Loss:
    """A loss of scores (b, L) against labels (b, L) of 1, 0 and -1 (unknown).

    Attributes
    ----------
    description : str
        One line for help texts.
    function : str
        ``module:function`` of numpy arrays ``(scores, labels, **options)`` that gives a loss per
        image and its gradient by score.
    torch : str
        The same with tensors and without the gradient; empty where there is none.
    takes : tuple of str
        Those of a tagger's options ``beta``, ``kappa``, ``rank_mode`` and ``rounding`` that the
        functions take.
    fixed : mapping
        Options that make this loss of a more general function.
    loss_scale : float
        What the loss is divided by unless a tagger is told otherwise.
    decides : {"always", "with kappa", "never"}
        Whether the signs of trained scores mean anything: "with kappa" where a threshold is learned
        for kappa above 0.
    learner : str
        Name of its learner on command lines.
    learner_options : mapping
        Options of that learner's tagger beside ``loss``.
    weighs_cells : bool
        Whether each known cell has a loss of its own, and the numpy function takes
        ``class_weights``: weights (L, 2) of absent and of present cells.
    """

    description: str
    function: str
    torch: str = ""
    takes: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    loss_scale: float = 1.0
    decides: str = "never"
    learner: str = ""
    learner_options: Mapping[str, Any] = field(default_factory=dict)
    weighs_cells: bool = False


#: The scale of losses summed over pairs is that of RML-CNN's released code.
LOSSES: dict[str, Loss] = {
    "ramp": Loss(
        "ramp-loss WARP",
        f"{_PAIRS}:warp_loss",
        f"{_TORCH}:warp_loss",
        _WARP,
        loss_scale=20.0,
        decides="with kappa",
        learner="rmlc",
    ),
    "bce": Loss(
        "binary cross-entropy",
        f"{_RANKING}:bce_loss",
        f"{_TORCH}:bce_loss",
        decides="always",
        learner="bce",
        weighs_cells=True,
    ),
    "hinge": Loss(
        "WARP",
        f"{_PAIRS}:warp_loss",
        f"{_TORCH}:warp_loss",
        _WARP[1:],
        {"beta": 0.0},
        loss_scale=20.0,
        decides="with kappa",
        learner="warp",
        learner_options={"kappa": 0.0},
    ),
    "pairwise": Loss(
        "hinge loss of every pair of labels",
        f"{_RANKING}:pairwise_loss",
        loss_scale=20.0,
        learner="pairwise",
    ),
    "softmax": Loss(
        "multi-label softmax",
        f"{_RANKING}:softmax_loss",
        f"{_TORCH}:softmax_loss",
        learner="softmax",
    ),
    "lsep": Loss("log-sum-exp of pairs of labels", f"{_RANKING}:lsep_loss", learner="lsep"),
}


def named_loss(
    name: str,
    *,
    rng: "np.random.Generator",
    class_weights: "np.ndarray | None" = None,
    **options: Any,
) -> "ImageLoss":
    """Give the loss of that name as a function of scores (b, L) and labels (b, L) alone.

    Parameters
    ----------
    name : str
        A key of `LOSSES`.
    rng : numpy Generator
        Draws the ranks where `rank_mode` is "sample".
    class_weights : array of shape (L, 2), optional
        Weights of absent and of present cells, for a loss that `weighs_cells`.
    **options
        ``beta``, ``kappa``, ``rank_mode`` and ``rounding``, as in
        `classify.losses.warp.warp_loss`; those that the loss does not take are ignored.

    Returns
    -------
    callable
        ``(scores, labels) -> (values (b,), gradient (b, L))``.

    Examples
    --------
    >>> import numpy as np
    >>> options = {"beta": 1.0, "kappa": 0.0, "rank_mode": "expected", "rounding": "floor"}
    >>> loss = named_loss("hinge", **options, rng=np.random.default_rng(0))
    >>> loss(np.array([[-2.0, 2.0]]), np.array([[1, 0]], dtype=np.int8))[0]
    array([5.])
    """
    record = LOSSES[name]
    taken = {key: options[key] for key in record.takes}
    if class_weights is not None:
        taken["class_weights"] = class_weights
    function = partial(load(record.function), **record.fixed, **taken)
    if taken.get("rank_mode") != "sample":
        return function
    return lambda scores, labels: function(scores, labels, uniforms=rng.random(scores.shape))


def only_ranks(name: str, kappa: float) -> bool:
    """Tell whether a loss sees only differences of a row's scores, so that signs mean nothing.

    Examples
    --------
    >>> only_ranks("hinge", 0.0), only_ranks("hinge", 5.0), only_ranks("bce", 0.0)
    (True, False, False)
    """
    decides = LOSSES[name].decides
    return decides == "never" or (decides == "with kappa" and kappa <= 0)
