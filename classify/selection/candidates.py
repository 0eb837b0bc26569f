"""What is compared: learners, scalings and values of C that suit the scaled features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classify.feature_scaler import FeatureScaler
from classify.learners import UNKNOWN, find_learner
from classify.scaling import SCALINGS

# C of L2 times the mean squared length of a row: a number without units. On MSRC v2, Corel5k and
# synthetic pictures the best lay between 3e3 and 3e5 for every scaling and backbone.
STRENGTHS = {
    "l2": np.geomspace(1e2, 1e6, 9),
    "l1": np.geomspace(1e2, 1e4, 5),
    "curriculum": np.geomspace(1e3, 1e5, 3),
    "imcl": np.geomspace(1e3, 1e5, 3),
}
# C of a descent weighs features that it divides by their mean length itself.
DESCENT_STRENGTHS = np.geomspace(1e1, 1e4, 4)
DESCENTS = ("rmlc", "bce", "ss-rmlc")
FINALISTS = 2  # scalings that the slower learners are tried on


@dataclass(frozen=True)
class Candidate:
    """One way to train.

    Parameters
    ----------
    learner : str
        A name in `classify.learners`.
    scaling : str
        A name in `classify.scaling`.
    C : float or None
        None for a learner that takes none.
    """

    learner: str
    scaling: str
    C: float | None

    def __str__(self) -> str:
        strength = "" if self.C is None else f", C = {self.C:.3g}"
        return f"{self.learner}, {self.scaling}{strength}"


@dataclass(frozen=True)
class Fixed:
    """A scaling and a C that the user gave, which are not to be chosen; None leaves the choice."""

    scaling: str | None = None
    C: float | None = None


@dataclass(frozen=True)
class Path:
    """A learner and scaling along several values of C, which one fit per fold may share."""

    learner: str
    scaling: str
    Cs: tuple[float | None, ...]

    @property
    def candidates(self) -> list[Candidate]:
        """One per C."""
        return [Candidate(self.learner, self.scaling, C) for C in self.Cs]


def mean_square(X: np.ndarray, scaling: str, widths: Sequence[int]) -> float:
    """Mean squared length of scaled rows; 1 where all are zero."""
    scaled = FeatureScaler(scaling, widths).fit_transform(X)
    return float(np.einsum("ij,ij->", scaled, scaled, dtype=np.float64) / len(X)) or 1.0


def first_paths(X: np.ndarray, widths: Sequence[int], fixed: Fixed) -> list[Path]:
    """List L2 logistic regression on every scaling: the cheap and usually the best grid.

    Parameters
    ----------
    X : float array of shape (n, d)
    widths : sequence of int
        Columns of each layer.
    fixed : Fixed
        What is not to be chosen.
    """
    several = len(widths) > 1
    # With one layer, dividing it by one number is what C does.
    scalings = [name for name in SCALINGS if several or name != "layer-mean"]
    scalings = scalings if fixed.scaling is None else [fixed.scaling]
    return [_path("l2", name, X, widths, fixed.C) for name in scalings]


def further_paths(
    X: np.ndarray,
    Y: np.ndarray,
    widths: Sequence[int],
    scalings: Sequence[str],
    thorough: bool,
    C: float | None = None,
) -> list[Path]:
    """List the learners that cost more, on the best scalings.

    L1 always; imcl and curriculum where cells of rows with labels are unknown; the descents if
    `thorough`.
    """
    unknown = Y == UNKNOWN
    labeled = ~unknown.all(axis=1)
    learners = ["l1"]
    if unknown[labeled].any():
        learners += ["curriculum", "imcl"]
    if thorough:
        needed = {"unlabeled rows": not labeled.all(), None: True}
        learners += [name for name in DESCENTS if needed[find_learner(name).needs]]
    return [_path(name, scaling, X, widths, C) for name in learners for scaling in scalings]


def _path(
    learner: str, scaling: str, X: np.ndarray, widths: Sequence[int], C: float | None
) -> Path:
    if C is not None:
        return Path(learner, scaling, (C,))
    if learner in DESCENTS:
        strengths = DESCENT_STRENGTHS
    else:
        strengths = STRENGTHS[learner] / mean_square(X, scaling, widths)
    return Path(learner, scaling, tuple(float(f"{C:.3g}") for C in strengths))
