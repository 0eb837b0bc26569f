"""The learners of the table, one record each, and how one is fitted and evaluated.

A record added here is a row added to the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from classify.logistic import LogisticTagger
from classify.metrics import METRICS, MIML_METRICS
from features.splits import learning_curve_subsets, random_split

LIBLINEAR_TOL = 0.01  # the default stop of both of its logistic regressions

#: Caffe does not divide VGG16's input by the standard deviation, so its activations are about 255 *
#: 0.225 = 57.4 times as large as torchvision's (exactly so without biases).
CAFFE = 57.4


def to_caffe(X: np.ndarray) -> np.ndarray:
    """Multiply by `CAFFE`, in the precision of `X`."""
    return X * X.dtype.type(CAFFE)


#: Scalers by name. Each is fitted on the training rows before the learner.
SCALERS: dict[str, Callable[[], Any]] = {
    "none": FunctionTransformer,
    "max01": MaxAbsScaler,
    "x57.4": lambda: FunctionTransformer(to_caffe),
}


@dataclass(frozen=True)
class Learner:
    """All settings of one logistic regression, or of the constant predictor.

    Attributes
    ----------
    learner : str
        Name in result lines.
    title : str
        Name in tables.
    penalty, C, tol, bias
        As in `classify.logistic.LogisticTagger`; a penalty "none" is that of the constant
        predictor, which gives every image each label's frequency in training and decides for none.
    scaling : {"none", "max01", "x57.4"}
        max01 divides each column by its largest training value; x57.4 multiplies all by `CAFFE`.
    published : str, optional
        The published method that it repeats.
    """

    learner: str
    title: str
    penalty: str
    C: float = 1.0
    tol: float = LIBLINEAR_TOL
    bias: str = "penalized"
    scaling: str = "none"
    published: str | None = None

    @property
    def is_constant(self) -> bool:
        """Whether it sees no image."""
        return self.penalty == "none"

    def fields(self) -> dict[str, Any]:
        """Give the fields that identify the learner in a result line."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ("title", "published")
        }


#: The fields of `Learner.fields`, then those that name the training rows.
KEY = ("learner", "penalty", "C", "tol", "bias", "scaling", "n_train", "seed")

MIML_LEARNERS = (
    Learner("l1lr", "L1LR", "l1", published="VGG+L1LR"),
    Learner("lr", "LR", "l2", published="VGG+LR"),
    Learner("l1lr-exact", "L1LR to 1e-6", "l1", tol=1e-6),
    Learner("lr-exact", "LR to 1e-6", "l2", tol=1e-6),
    # The MIML paper's equation (1) has a free bias.
    Learner("l1lr-free-bias", "L1LR, free bias", "l1", bias="unpenalized"),
    Learner("lr-free-bias", "LR, free bias", "l2", bias="unpenalized"),
    Learner("l1lr-max01", "L1LR, max01", "l1", scaling="max01"),
    Learner("lr-max01", "LR, max01", "l2", scaling="max01"),
    Learner("l1lr-x57.4", "L1LR, x57.4", "l1", scaling="x57.4"),
    Learner("lr-x57.4", "LR, x57.4", "l2", scaling="x57.4"),
    Learner("constant", "constant (training frequency)", "none", C=0.0, tol=0.0, bias="none"),
)


def fit_and_evaluate(
    trial: Mapping[str, Any], X: np.ndarray, Y: np.ndarray
) -> dict[str, float | int]:
    """Train on the first training rows of a split and evaluate on its test rows.

    Parameters
    ----------
    trial : mapping
        The fields of `KEY`; ``seed`` is that of `features.splits.random_split`.
    X : float32 ndarray of shape (n, d)
    Y : int8 ndarray of shape (n, L)

    Returns
    -------
    dict
        The metrics of `MIML_METRICS`; ``objective`` and ``nonzeros``, means over the labels that
        have both classes in training (the bias is not counted); and ``constant_labels``, the number
        of the other labels. The constant predictor has the metrics alone.
    """
    split = random_split(len(X), trial["seed"])
    (split,) = learning_curve_subsets(split, [trial["n_train"]])
    if trial["penalty"] == "none":
        frequency = Y[split.train].mean(axis=0)
        return _metrics(Y[split.test], np.tile(frequency - 1, (len(split.test), 1)))
    options = {name: trial[name] for name in ("penalty", "C", "tol", "bias")}
    tagger = LogisticTagger(solver="liblinear", **options)
    model = make_pipeline(SCALERS[trial["scaling"]](), tagger).fit(X[split.train], Y[split.train])
    scores = model.decision_function(X[split.test])
    fitted = ~np.isnan(tagger.objective_)
    return {
        **_metrics(Y[split.test], scores),
        "objective": float(tagger.objective_[fitted].mean()) if fitted.any() else np.nan,
        "nonzeros": mean_nonzeros(tagger),
        "constant_labels": int((~fitted).sum()),
    }


def _metrics(truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {name: METRICS[name].function(truth, scores) for name in MIML_METRICS}


def mean_nonzeros(tagger: LogisticTagger, columns: slice = slice(None)) -> float:
    """Give the mean number of non-zero coefficients of the labels with both classes in training.

    Parameters
    ----------
    tagger : LogisticTagger
        Fitted.
    columns : slice
        Features to count, by default all.

    Returns
    -------
    float
        Mean over these labels; 0 where there are none.
    """
    fitted = ~np.isnan(tagger.objective_)
    counts = (tagger.coef_[fitted, columns] != 0).sum(axis=1)
    return float(counts.mean()) if fitted.any() else 0.0
