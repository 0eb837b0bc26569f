"""The learners that commands know by name: a label, a factory, and what `--C` means to each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from classify.logistic import LogisticTagger
from features.errors import InputError


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
        Takes C, returns an estimator.
    """

    name: str
    description: str
    make: Callable[[float], Any]


LEARNERS = {
    learner.name: learner
    for learner in (
        NamedLearner("l1", "L1 logistic regression", lambda C: LogisticTagger("l1", C=C)),
        NamedLearner("l2", "L2 logistic regression", lambda C: LogisticTagger("l2", C=C)),
        NamedLearner(
            "l1-liblinear",
            "the same by LIBLINEAR, which stops early by default, as papers report it",
            lambda C: LogisticTagger("l1", C=C, solver="liblinear"),
        ),
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


def check_scaling(name: str) -> None:
    """Raise an `InputError` unless `name` is a known scaling."""
    if name not in SCALINGS:
        raise InputError(f"scale {name!r}; give one of {', '.join(SCALINGS)}")
