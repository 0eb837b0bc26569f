"""The learners that commands know by name: a factory each, and what `--C` means to them all.

C is the weight of the loss summed over the training rows, beside a penalty that has no factor. The
losses of `classify.warp.tagger`, divided as there, are trained as means over the n rows that take
part, so that C becomes weight_decay = 1/(C n).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from classify.base import UNKNOWN
from classify.imcl.tagger import InteractiveTagger
from classify.logistic import LogisticTagger
from classify.warp.semi_supervised import SemiSupervisedWarpTagger
from classify.warp.tagger import WarpTagger
from features.errors import InputError

FEWEST_STEPS = 400  # on 394 rows, 123 steps (30 epochs) cost .015 to .025 of example-based AP

#: One sentence for help texts.
MEANING_OF_C = (
    "weight of the summed loss; for rmlc and those listed after it, which centre features and "
    "divide them by their mean length, that is a weight decay of 1/(C n) with n training rows"
)


@dataclass(frozen=True)
class NamedLearner:
    """A learner with one parameter to sweep.

    Parameters
    ----------
    name : str
        As typed on a command line.
    description : str
        One line for the help text.
    make : callable
        Takes C and the labels of the training rows, int8 (n, L); returns an estimator.
    needs_unlabelled : bool
        Whether it is pointless without rows that have no known label.
    """

    name: str
    description: str
    make: Callable[[float, np.ndarray], Any]
    needs_unlabelled: bool = False


def _logistic(C: float, labels: np.ndarray, *, penalty: str, solver: str = "auto"):
    return LogisticTagger(penalty, C=C, solver=solver)


def _descent(C: float, labels: np.ndarray, *, tagger: type[WarpTagger] = WarpTagger, **options):
    semi_supervised = issubclass(tagger, SemiSupervisedWarpTagger)
    rows = len(labels) if semi_supervised else np.sum((labels != UNKNOWN).any(axis=1))
    weight, given = C * max(1, int(rows)), tagger()
    steps_an_epoch = math.ceil(max(1, rows) / given.batch_size)
    return tagger(
        weight_decay=1 / weight,
        # At a strong decay, steps of the usual length would overshoot zero.
        learning_rate=min(given.learning_rate, weight),
        epochs=max(given.epochs, math.ceil(FEWEST_STEPS / steps_an_epoch)),
        **options,
    )


def _only_ranking(name: str, description: str, **options) -> NamedLearner:
    text = f"{description}, which orders an image's labels and decides none"
    return NamedLearner(name, text, partial(_descent, **options))


LEARNERS = {
    learner.name: learner
    for learner in (
        NamedLearner("l1", "L1 logistic regression", partial(_logistic, penalty="l1")),
        NamedLearner("l2", "L2 logistic regression", partial(_logistic, penalty="l2")),
        NamedLearner(
            "l1-liblinear",
            "the same by LIBLINEAR, which stops early by default, as papers report it",
            partial(_logistic, penalty="l1", solver="liblinear"),
        ),
        NamedLearner(
            "imcl",
            "the same as l2, then moved by similar images and labels, for unknown labels",
            lambda C, labels: InteractiveTagger(C=C),
        ),
        NamedLearner("rmlc", "ramp-loss WARP", partial(_descent, loss="ramp")),
        NamedLearner(
            "ss-rmlc",
            "the same, and rows without labels take their nearest neighbours'",
            partial(_descent, tagger=SemiSupervisedWarpTagger, loss="ramp"),
            needs_unlabelled=True,
        ),
        NamedLearner("bce", "binary cross-entropy", partial(_descent, loss="bce")),
        _only_ranking("warp", "WARP", loss="hinge", kappa=0.0),
        _only_ranking("pairwise", "hinge of every pair", loss="pairwise"),
        _only_ranking("softmax", "multi-label softmax", loss="softmax"),
        _only_ranking("lsep", "log-sum-exp of pairs", loss="lsep"),
    )
}
SCALINGS = ("none", "max01")


def find_learner(name: str) -> NamedLearner:
    """Look a learner up by name.

    Raises
    ------
    InputError
        There is none of that name; the message lists those there are.
    """
    if name not in LEARNERS:
        raise InputError(f"learner {name!r}; give one of {', '.join(LEARNERS)}")
    return LEARNERS[name]


def check_unlabelled(learner: NamedLearner, labels: np.ndarray) -> None:
    """Raise an `InputError` if a learner of unlabelled rows gets labels (n, L) of every row."""
    if learner.needs_unlabelled and (labels != UNKNOWN).any(axis=1).all():
        raise InputError(
            f"learner {learner.name!r} is for rows without labels beside labelled ones, and all "
            f"{len(labels)} rows have labels: give --labels a file that leaves images out, or "
            f"take {learner.name.removeprefix('ss-')!r}"
        )


def check_scaling(name: str) -> None:
    """Raise an `InputError` unless `name` is a known scaling."""
    if name not in SCALINGS:
        raise InputError(f"scale {name!r}; give one of {', '.join(SCALINGS)}")


def check_C(values: Sequence[float]) -> None:
    """Raise an `InputError` unless all `values` are positive and finite."""
    for value in values:
        if not 0 < value < math.inf:
            raise InputError(f"C {value:g}; give positive numbers")
