"""What the predictions say about each label, about pairs of labels, and about layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import precision_recall_curve

from classify.base import UNKNOWN
from classify.inputs import fit_scaler, input_widths, read_inputs, scale
from classify.learners import find_learner
from classify.metrics import class_average_precision, class_precision_recall_f1
from classify.models import TaggerModel
from classify.report.predictions import Predictions, Way
from features.cache import FeatureCache

POINTS = 60  # of a precision-recall curve
L1 = ("l1", "l1-liblinear")


@dataclass(frozen=True)
class Fitted:
    """What is known about single images and about layers.

    Attributes
    ----------
    learner : str
        Who predicts.
    found : Predictions
    sparse : str
        Which model `layers` are of.
    layers : list of LayerRow
        What an L1 model uses; empty if there is none.
    """

    learner: str
    found: Predictions
    sparse: str
    layers: "list[LayerRow]"


@dataclass(frozen=True)
class LabelRow:
    """Counts and measures of one label, over the images where it is known.

    `ap` is NaN without a positive image.
    """

    name: str
    positive: int
    negative: int
    unknown: int
    predicted: int
    hits: int
    precision: float
    recall: float
    f1: float
    ap: float


@dataclass(frozen=True)
class PairRow:
    """How often two labels are on one image: in truth and as predicted."""

    first: str
    second: str
    true: int
    predicted: int


@dataclass(frozen=True)
class LayerRow:
    """What an L1 model uses of a layer.

    Attributes
    ----------
    name : str
    columns : int
    used : int
        Columns with a weight for any label.
    nonzeros : int
        Weights that are not 0, of all labels.
    share : float
        Share of the sum of absolute weights, of scaled features.
    """

    name: str
    columns: int
    used: int
    nonzeros: int
    share: float


def label_rows(names: Sequence[str], Y: np.ndarray, found: Predictions) -> list[LabelRow]:
    """Measure each label.

    Parameters
    ----------
    names : sequence of L str
    Y : int8 array of shape (n, L)
    found : Predictions
    """
    known, present = Y != UNKNOWN, Y == 1
    guessed = (found.decided == 1) & known
    measures = class_precision_recall_f1(Y, found.decided == 1)
    ap = class_average_precision(Y, found.scores)
    counts = zip(
        present.sum(axis=0), (Y == 0).sum(axis=0), (~known).sum(axis=0), guessed.sum(axis=0),
        (guessed & present).sum(axis=0), strict=True,
    )  # fmt: skip
    return [
        LabelRow(name, *map(int, count), *map(float, values))
        for name, count, values in zip(names, counts, zip(*measures, ap, strict=True), strict=True)
    ]


def precision_recall(y: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give recall and precision of one label along its ranking, at most `POINTS` of each.

    Parameters
    ----------
    y : int array of shape (n,)
        With at least one 1; unknown cells (-1) are left out.
    scores : float array of shape (n,)
    """
    rows = y != UNKNOWN
    precision, recall, _ = precision_recall_curve(y[rows], scores[rows])
    # Of equal recalls, the highest threshold is where average precision reads the precision.
    ends = np.append(np.flatnonzero(np.diff(recall)), len(recall) - 1)
    if len(ends) > POINTS:
        ends = ends[np.linspace(0, len(ends) - 1, POINTS).round().astype(int)]
    return recall[ends], precision[ends]


def together(Y: np.ndarray, decided: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the images with both labels of every pair, true and predicted, (L, L) int64 each.

    Only images where both are known count, on both sides.
    """
    known = (Y != UNKNOWN).astype(np.int64)
    present, guessed = (Y == 1).astype(np.int64), (decided == 1) * known
    return present.T @ present, guessed.T @ guessed


def pair_rows(
    names: Sequence[str], true: np.ndarray, predicted: np.ndarray, count: int
) -> list[PairRow]:
    """List the pairs whose true and predicted counts differ most.

    Parameters
    ----------
    names : sequence of L str
    true, predicted : int array of shape (L, L)
        What `together` gave.
    count : int
        At most so many.
    """
    first, second = np.triu_indices(len(names), k=1)
    gap = np.abs(true - predicted)[first, second]
    # Of equal gaps the rarer pair differs more.
    order = np.lexsort((true[first, second], -gap))[:count]
    return [
        PairRow(names[i], names[j], int(true[i, j]), int(predicted[i, j]))
        for i, j in zip(first[order], second[order], strict=True)
        if true[i, j] or predicted[i, j]
    ]


def sparse_layers(
    model: TaggerModel | None, ways: Sequence[Way], cache: FeatureCache, Y: np.ndarray
) -> tuple[str, list[LayerRow]]:
    """Say what an L1 model uses: the given model, or the best L1 way to train, on all rows.

    Returns
    -------
    str, list of LayerRow
        Which model it is, and its layers; both empty if there is none.
    """
    members = model.members if model else ()
    for member in members:
        if model and member.learner in L1:
            widths = input_widths(cache, model.layers, model.takes)
            return "The model", layer_rows(member.estimator.coef_, model.layers, widths)
    way = next((one for one in ways if one.candidate.learner in L1), None)
    if way is None:
        return "", []
    widths = input_widths(cache, way.layers, "vectors")
    X = read_inputs(cache, way.layers, cache.valid_rows, "vectors")
    scaler = fit_scaler(way.candidate.scaling, widths, X)
    learner = find_learner(way.candidate.learner)
    estimator = learner.make(way.candidate.C, Y).fit(scale(scaler, X), Y)
    name = f"{str(way.candidate)[0].upper()}{str(way.candidate)[1:]}, trained on all images,"
    return name, layer_rows(estimator.coef_, way.layers, widths)


def layer_rows(coef: np.ndarray, layers: Sequence[str], widths: Sequence[int]) -> list[LayerRow]:
    """Count the weights that an L1 model kept in each layer.

    Parameters
    ----------
    coef : float array of shape (L, d)
    layers : sequence of str
    widths : sequence of int
        Columns of each; d together.

    Examples
    --------
    >>> layer_rows(np.array([[0.0, 3.0, 1.0]]), ["a", "b"], [2, 1])[0]
    LayerRow(name='a', columns=2, used=1, nonzeros=1, share=0.75)
    """
    parts = np.split(coef, np.cumsum(widths)[:-1], axis=1)
    total = float(np.abs(coef).sum()) or 1.0
    return [
        LayerRow(
            name,
            part.shape[1],
            int((part != 0).any(axis=0).sum()),
            int((part != 0).sum()),
            float(np.abs(part).sum()) / total,
        )
        for name, part in zip(layers, parts, strict=True)
    ]
