"""The learners of the command line, one record each. A learner's module is loaded when it is made.

C weighs the loss summed over the training rows, beside a penalty without a factor, on features as
they are given. Of methods for bags, it gives ``weight_decay = 1/(C n)``.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from classify.losses import LOSSES, only_ranks
from features.command_line import load
from features.errors import InputError, check_choice, check_number

Weighting = Mapping[str, Any]  # a `class_weight` or a `rare_weight`, or nothing

UNKNOWN = -1
FEWEST_STEPS = 400  # on 394 rows, 123 steps (30 epochs) cost .015 to .025 of example-based AP

#: One sentence for help texts.
MEANING_OF_C = (
    "inverse regularization strength, as in LIBLINEAR: weight of the summed loss beside half the "
    "squared coefficients of the features as they are given to the learner"
)


@dataclass(frozen=True)
class Learner:
    """An estimator with its options, under the name that commands use.

    Parameters
    ----------
    name : str
        Without comma or blank.
    description : str
        One line for the help text.
    constructor : str
        ``module:Class`` of a `classify.base.Tagger`, or of a `classify.miml.base.BagTagger`.
    options : mapping
        Parameters that differ from the constructor's defaults.
    C : {"loss", "decay", "decay alone", None}
        What C sets: a parameter ``C`` of the estimator, the same with epochs that suffice for a
        descent, a weight decay of 1/(C n), or nothing.
    decides : bool
        Whether a label is predicted where its score is positive. Otherwise only the order of an
        image's scores has a meaning.
    linear : bool
        Whether scores are ``X @ coef_.T + intercept_``.
    needs : {"unlabeled rows", "unknown cells", "complete labels", None}
        Labels without which the learner equals `instead`; or that no cell of a labeled row is
        unknown, without which it can't be trained.
    instead : str
        Name of the learner to use where the labels are not as it needs them.
    around : str
        ``module:Class`` of a meta-estimator that takes the estimator, or empty.
    takes : {"vectors", "instances"}
        One vector per image, or a bag of instances per image.
    class_weights : bool
        Whether the estimator has the parameters `class_weight` and `rare_weight`.
    from_disk : bool
        Whether it takes rows that stay on disk.
    """

    name: str
    description: str
    constructor: str
    options: Mapping[str, Any] = field(default_factory=dict)
    C: Literal["loss", "decay", "decay alone", None] = "loss"
    decides: bool = True
    linear: bool = True
    needs: Literal["unlabeled rows", "unknown cells", "complete labels", None] = None
    instead: str = ""
    around: str = ""
    takes: Literal["vectors", "instances"] = "vectors"
    class_weights: bool = False
    from_disk: bool = False

    def make(self, C: float | None, labels: np.ndarray, weighting: Weighting | None = None) -> Any:
        """Build the estimator.

        Parameters
        ----------
        C : float or None
            Ignored by a learner that takes none.
        labels : int8 ndarray of shape (n, L)
            Of the training rows: 1, 0 and -1 (unknown).
        weighting : mapping, optional
            A `class_weight` or a `rare_weight`, for a learner that takes them.

        Returns
        -------
        classify.base.Tagger
            Not fitted.
        """
        estimator = self._estimator(C, labels)
        if weighting:
            estimator.set_params(**weighting)
        return load(self.around)(estimator) if self.around else estimator

    def _estimator(self, C: float | None, labels: np.ndarray) -> Any:
        constructor = load(self.constructor)
        if self.C is None or C is None:
            return constructor(**self.options)
        if self.C == "loss":
            return constructor(**self.options, C=C)
        unlabeled_too = self.needs == "unlabeled rows"
        rows = len(labels) if unlabeled_too else int((labels != UNKNOWN).any(axis=1).sum())
        if self.C == "decay alone":
            return constructor(**self.options, weight_decay=1 / (C * max(1, rows)))
        return constructor(**self.options, C=C, epochs=_epochs(constructor(), max(1, rows)))

    def rows_to_train_on(self, labels: np.ndarray) -> np.ndarray:
        """List the rows of labels (n, L) that the learner takes: without unlabeled ones, or all."""
        if self.needs == "complete labels":
            return np.flatnonzero((labels != UNKNOWN).any(axis=1))
        return np.arange(len(labels))

    def strengths(self, C: Sequence[float]) -> list[float | None]:
        """List the values of C that differ for this learner: one None if it takes none."""
        return [None] if self.C is None else list(C)


def _epochs(defaults: Any, rows: int) -> int:
    steps_per_epoch = math.ceil(rows / defaults.batch_size)
    return max(defaults.epochs, math.ceil(FEWEST_STEPS / steps_per_epoch))


def _of_loss(name: str) -> Learner:
    """Give the learner that trains a linear model on a loss of `classify.losses`."""
    loss, place = LOSSES[name], "classify.warp.tagger:WarpTagger"
    options = {"loss": name, **loss.learner_options}
    decides = not only_ranks(name, options.get("kappa", 1.0))
    weighs = loss.weighs_cells
    return Learner(
        loss.learner, loss.description, place, options, "decay", decides,
        class_weights=weighs, from_disk=True,
    )  # fmt: skip


def _logistic(name: str, description: str, options: Mapping[str, Any]) -> Learner:
    place = "classify.logistic:LogisticTagger"
    from_disk = options == {"penalty": "l2"}
    return Learner(name, description, place, options, class_weights=True, from_disk=from_disk)


def _network(name: str, description: str, constructor: str) -> Learner:
    return Learner(name, description, constructor, C=None, linear=False)


def _latent_noise(output: str, description: str) -> Learner:
    name, place = f"latent-noise-{output}", "classify.baselines.latent_noise:LatentNoiseTagger"
    return Learner(name, description, place, {"output": output}, C="decay", linear=False)


def _of_bags(
    place: str,
    description: str,
    options: Mapping[str, Any],
    C: Literal["loss", "decay alone", None] = None,
) -> Learner:
    """Give a method for bags of instances, under its name in lower case."""
    name, constructor = place.partition(":")[2].lower(), f"classify.miml.{place}"
    needs: Literal["complete labels"] = "complete labels"
    return Learner(
        name, description, constructor, options, C, True, False, needs, "l2", takes="instances"
    )


LEARNERS = {
    learner.name: learner
    for learner in (
        _logistic("l1", "L1 logistic regression", {"penalty": "l1"}),
        _logistic("l2", "L2 logistic regression", {"penalty": "l2"}),
        *(
            _logistic(
                f"{penalty}-liblinear",
                f"{penalty} by LIBLINEAR, which stops early by default, as papers report it",
                {"penalty": penalty, "solver": "liblinear"},
            )
            for penalty in ("l1", "l2")
        ),
        Learner(
            "imcl",
            "l2, then trained on soft labels from similar images and labels (for unknown labels)",
            "classify.imcl.tagger:InteractiveTagger",
        ),
        _of_loss("ramp"),
        Learner(
            "ss-rmlc",
            "rmlc on all rows: those without labels take their nearest neighbors' labels",
            "classify.warp.tagger:WarpTagger",
            {"loss": "ramp"},
            C="decay",
            needs="unlabeled rows",
            instead="rmlc",
            around="classify.warp.semi_supervised:SemiSupervisedTagger",
        ),
        *(_of_loss(name) for name in LOSSES if name != "ramp"),
        _network(
            "wsabie",
            "features and labels embedded in one space, ranked by WARP",
            "classify.baselines.wsabie:WsabieTagger",
        ),
        _network(
            "fast0tag",
            "a network from features to a direction that ranks label embeddings",
            "classify.baselines.fast0tag:Fast0TagTagger",
        ),
        Learner(
            "curriculum",
            "logistic regression that labels unknown cells by its confident scores, in rounds",
            "classify.baselines.curriculum:CurriculumTagger",
            needs="unknown cells",
            instead="l2",
            class_weights=True,
        ),
        _latent_noise("visual", "latent noise model, scored by visual presence"),
        _latent_noise("relevance", "latent noise model, scored by the probability of a mention"),
        _network(
            "cnn-rnn",
            "an LSTM that predicts the labels in sequence (torch); unknown labels count as absent",
            "classify.finetune.cnn_rnn:CnnRnnTagger",
        ),
        _of_bags(
            "mimlsvm:MIMLSVM",
            "support vector machines on distances to medoid bags",
            {"scaling": "unit", "relative_gamma": True, "gamma": 1.0},
            "loss",
        ),
        _of_bags("mimlknn:MIMLkNN", "labels of neighbor and citing bags", {"scaling": "unit"}),
        _of_bags("mimlfast:MIMLfast", "sub-concepts of labels, ranked by sampled pairs", {}),
        _of_bags("ranklsim:RankLSIM", "a linear ranking by support instances", {}, "decay alone"),
        _of_bags(
            "kisar:KISAR",
            "machines that share prototype instances between related labels",
            {"scaling": "unit"},
            "loss",
        ),
        _of_bags("dba:DBA", "a topic model whose topics are the labels", {"scaling": "unit"}),
    )
}


def find_learner(name: str) -> Learner:
    """Look a learner up by name.

    Raises
    ------
    InputError
        There is none of that name; the message lists those there are.
    """
    check_choice("learner", name, LEARNERS)
    return LEARNERS[name]


def describe_learners() -> str:
    """List all learners, one line each, for help texts."""
    width = max(map(len, LEARNERS)) + 2
    lines = [f"  {one.name:<{width}}{one.description}{_notes(one)}" for one in LEARNERS.values()]
    return "\n".join(["learners:", *lines])


def _notes(learner: Learner) -> str:
    notes = [
        *([] if learner.decides else ["orders labels only"]),
        *([] if learner.C else ["takes no C"]),
        *([f"needs {learner.needs}"] if learner.needs else []),
        *([f"takes {learner.takes}"] if learner.takes != "vectors" else []),
        *(["takes class weights"] if learner.class_weights else []),
        *(["takes rows from disk"] if learner.from_disk else []),
    ]
    return f" [{', '.join(notes)}]" if notes else ""


def check_labels(learner: Learner, labels: np.ndarray) -> None:
    """Check that labels have what a learner is for.

    Parameters
    ----------
    learner : Learner
    labels : int8 ndarray of shape (n, L)

    Raises
    ------
    InputError
        No row is unlabeled, no cell unknown or one too many, and the learner needs it otherwise.
    """
    unknown = labels == UNKNOWN
    if learner.needs == "complete labels":
        partial = unknown.any(axis=1) & ~unknown.all(axis=1)
        if partial.any():
            raise InputError(
                f"The learner {learner.name!r} needs complete labels, and {partial.sum()} of "
                f"{len(labels)} rows have unknown cells: give --labels a file without those rows, "
                f"or use {learner.instead!r}."
            )
        return
    found = {"unlabeled rows": unknown.all(axis=1).any(), "unknown cells": unknown.any()}
    if learner.needs and not found[learner.needs]:
        raise InputError(
            f"The learner {learner.name!r} needs {learner.needs}, and all {len(labels)} rows have "
            f"labels: give --labels a file that leaves some out, or use {learner.instead!r}."
        )


def check_weighting(learner: Learner, weighting: Weighting) -> None:
    """Raise an `InputError` if a learner is given class weights and takes none."""
    if weighting and not learner.class_weights:
        [(name, value)] = weighting.items()
        able = ", ".join(one.name for one in LEARNERS.values() if one.class_weights)
        raise InputError(
            f"The learner {learner.name!r} takes no class weights, and --{name.replace('_', '-')} "
            f"{value} came: leave it out, or use one of {able}."
        )


def check_from_disk(learner: Learner) -> None:
    """Raise an `InputError` if a learner needs all its rows in memory."""
    if not learner.from_disk:
        able = ", ".join(one.name for one in LEARNERS.values() if one.from_disk)
        raise InputError(
            f"The learner {learner.name!r} needs its rows in memory, and --from-disk came: leave "
            f"it out, or use one of {able}."
        )


def check_C(values: Iterable[float]) -> None:
    """Raise an `InputError` unless all `values` are positive and finite."""
    for value in values:
        check_number("C", value, low=0, above=True)
