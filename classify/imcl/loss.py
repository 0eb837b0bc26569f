"""IMCL's loss of a batch, with the neighbors given: value, parts and gradients.

The loss compares each row's completed labels with those of its neighbors, propagated over the label
graph, and its features with theirs.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from classify.base import UNKNOWN
from classify.imcl.joint_omp import Neighbors
from classify.imcl.label_graph import LabelGraph
from classify.imcl.soft_labels import complete_labels, label_values, value_slope
from classify.losses.logistic import logistic_derivative, logistic_value


class Rows(NamedTuple):
    """Some rows, in one axis or in two.

    Attributes
    ----------
    features : float array of shape (..., d)
        Centered and scaled already.
    targets : int8 array of shape (..., L)
        1, 0 and -1 (unknown).
    side : float array of shape (..., q)
        Values of further labels, which are only compared.
    """

    features: np.ndarray
    targets: np.ndarray
    side: np.ndarray


class Gradients(NamedTuple):
    """By each array of `Parameters`, in their order; `feature_map` is None where that is."""

    coef: np.ndarray
    intercept: np.ndarray
    edges: np.ndarray
    feature_map: np.ndarray | None


class LossTerms(NamedTuple):
    """The loss of a batch in its parts, before lambda_y and lambda_f.

    Attributes
    ----------
    classifier : float
        Logistic loss of the known cells.
    labels, features : float
        Mean over the rows of the squared distance to the sum of the weighted neighbors; a row
        without neighbors counts 0.
    penalty : float
    """

    classifier: float
    labels: float
    features: float
    penalty: float

    def total(self, lambda_y: float, lambda_f: float) -> float:
        """Add the parts up."""
        return self.classifier + lambda_y * self.labels + lambda_f * self.features + self.penalty


@dataclass(frozen=True)
class LabelRules:
    """How label values are made.

    Attributes
    ----------
    asymmetry, half
        As in `classify.imcl.soft_labels.label_values`.
    after : bool
        Carry predicted values over the label graph, cut them to their range and then write known
        labels over them, as IMCL's released code does; else write known labels over predicted
        values and propagate the result, as the paper does.
    outer_tanh : bool
        Compare a row with the tanh of the sum of its weighted neighbors, as the paper's formula
        has it. Its fits and its code leave the tanh out.
    """

    asymmetry: float = 2.0
    half: bool = False
    after: bool = False
    outer_tanh: bool = False

    def values(self, scores):
        """Map scores to values."""
        return label_values(scores, asymmetry=self.asymmetry, half=self.half)

    def slope(self, values):
        """Differentiate `values` by the score."""
        return value_slope(values, asymmetry=self.asymmetry, half=self.half)

    def complete(self, targets, values):
        """Write known labels over values."""
        return complete_labels(targets, values, asymmetry=self.asymmetry)

    def cut(self, values):
        """Cut values to their range."""
        return np.clip(values, -1 / self.asymmetry, 1)

    def propagated(self, targets, values, graph):
        """Complete the values and propagate them over the label graph, in whichever order."""
        if self.after:
            return self.complete(targets, self.cut(graph.propagate(values)))
        return graph.propagate(self.complete(targets, values))


@dataclass(frozen=True)
class Parameters:
    """What is learned.

    Attributes
    ----------
    coef : float array of shape (L, d)
    intercept : float array of shape (L,)
    graph : LabelGraph
    feature_map : float array of shape (d + 1, d), or None
        Applied to the features with a 1 behind them, before anything else.
    """

    coef: np.ndarray
    intercept: np.ndarray
    graph: LabelGraph
    feature_map: np.ndarray | None = None

    def mapped(self, features: np.ndarray) -> np.ndarray:
        """Apply the feature map, if there is one."""
        if self.feature_map is None:
            return features
        return features @ self.feature_map[:-1] + self.feature_map[-1]

    def scores(self, mapped: np.ndarray) -> np.ndarray:
        """Scores (..., L) of features that are mapped."""
        return mapped @ self.coef.T + self.intercept

    def arrays(self) -> Gradients:
        """Give the arrays themselves."""
        return Gradients(self.coef, self.intercept, self.graph.weights, self.feature_map)


@dataclass(frozen=True)
class Penalty:
    """``weight / 2 (|W|**2 + |b|**2)`` of coefficients and intercepts for features as they are.

    Attributes
    ----------
    weight : float
    center : float array of shape (d,)
    scale : float
        The features were turned into (features - center) / scale.
    """

    weight: float
    center: np.ndarray
    scale: float

    def curvature(self) -> float:
        """Bound the largest second derivative."""
        center = float(np.vdot(self.center, self.center))
        return self.weight * (1 + (1 + center) / self.scale**2)

    def __call__(self, parameters: Parameters) -> tuple[float, np.ndarray, np.ndarray]:
        """Value and gradients by coefficients and intercepts of the features as they come here."""
        coef = parameters.coef / self.scale
        intercept = parameters.intercept - coef @ self.center
        value = self.weight / 2 * float(np.vdot(coef, coef) + np.vdot(intercept, intercept))
        by_coef = (coef - intercept[:, None] * self.center) * (self.weight / self.scale)
        return value, by_coef, self.weight * intercept


def batch_loss(
    parameters: Parameters,
    batch: Rows,
    neighbors: Rows,
    found: Neighbors,
    *,
    lambda_y: float,
    lambda_f: float,
    rules: LabelRules,
    penalty: Penalty,
    reduction: str = "mean",
) -> tuple[LossTerms, Gradients]:
    """Loss of a batch and its gradients, the neighbors and their weights held fixed.

    IMCL's paper, "constrained" step. Gradients reach the coefficients through the scores of known
    cells, and through the values of unknown cells of rows and of their neighbors.

    Parameters
    ----------
    parameters : Parameters
    batch : Rows
        In one axis (b).
    neighbors : Rows
        In two (b, k); what stands where none was found does not matter.
    found : Neighbors
        Its weights are used.
    lambda_y, lambda_f : float
    rules : LabelRules
    penalty : Penalty
    reduction : {"mean", "sum"}
        Logistic loss over the known cells, or summed over each row's and divided by b.

    Returns
    -------
    parts : LossTerms
    gradients : Gradients
        Of ``parts.total(lambda_y, lambda_f)``.
    """
    b, k = found.positions.shape
    has_neighbors = np.any(found.positions >= 0, axis=1, keepdims=True)
    smooth = (has_neighbors * (2.0 / b)).astype(batch.features.dtype)
    mapped = parameters.mapped(batch.features)
    near = parameters.mapped(neighbors.features)
    classifier, by_score = _classifier_loss(parameters.scores(mapped), batch.targets, reduction)
    labels, own, theirs, by_edge = _label_loss(
        parameters, mapped, near, batch, neighbors, found.label_weights, smooth, lambda_y, rules
    )
    by_score += own
    every = np.concatenate([by_score, theirs.reshape(b * k, -1)])
    every_mapped = np.concatenate([mapped, near.reshape(b * k, -1)])
    difference = mapped - _mixed(found.feature_weights, near)
    features = float((smooth * difference**2).sum()) / 2
    by_map = None
    if parameters.feature_map is not None:
        step = smooth * lambda_f * difference
        theirs = (found.feature_weights[:, :, None] * step[:, None]).reshape(b * k, -1)
        by_mapped = every @ parameters.coef + np.concatenate([step, -theirs])
        raw = np.concatenate([batch.features, neighbors.features.reshape(b * k, -1)])
        by_map = np.vstack([raw.T @ by_mapped, by_mapped.sum(axis=0)])
    value, decay, intercept_decay = penalty(parameters)
    by_coef = every.T @ every_mapped
    by_coef += decay
    gradients = Gradients(by_coef, every.sum(axis=0) + intercept_decay, by_edge, by_map)
    return LossTerms(classifier, labels, features, value), gradients


def _classifier_loss(scores, targets, reduction):
    known = targets != UNKNOWN
    signs = np.where(targets == 1, 1, -1).astype(scores.dtype)
    count = max(1, known.sum()) if reduction == "mean" else len(targets)
    value = float((known * logistic_value(signs * scores)).sum() / count)
    return value, known * signs * logistic_derivative(signs * scores) / scores.dtype.type(count)


def _label_loss(parameters, mapped, near, batch, neighbors, weights, smooth, lambda_y, rules):
    """Value, and lambda_y times gradients by scores of batch and neighbors and by the edges."""
    graph = parameters.graph
    values = rules.values(parameters.scores(mapped))
    near_values = rules.values(parameters.scores(near))
    if rules.after:
        propagated = graph.propagate(near_values)
        fit = _mixed(weights, rules.complete(neighbors.targets, rules.cut(propagated)))
    else:
        mixed = _mixed(weights, rules.complete(neighbors.targets, near_values))
        fit = graph.propagate(mixed)
    target = np.tanh(fit) if rules.outer_tanh else fit
    difference = rules.complete(batch.targets, values) - target
    side = batch.side - _mixed(weights, neighbors.side)
    value = float((smooth * difference**2).sum() + (smooth * side**2).sum()) / 2
    by_value = lambda_y * smooth * difference
    own = by_value * rules.slope(values) * (batch.targets == UNKNOWN)
    by_fit = -by_value * (1 - target**2) if rules.outer_tanh else -by_value
    missing = neighbors.targets == UNKNOWN
    if rules.after:
        by_propagated = weights[:, :, None] * by_fit[:, None, :]
        by_propagated = by_propagated * (missing & (rules.cut(propagated) == propagated))
        flat = (-1, graph.n_labels)
        by_edge = graph.edge_products(near_values.reshape(flat), by_propagated.reshape(flat))
        by_near = graph.propagate_transposed(by_propagated)
    else:
        by_edge = graph.edge_products(mixed, by_fit)
        by_near = weights[:, :, None] * graph.propagate_transposed(by_fit)[:, None, :] * missing
    return value, own, by_near * rules.slope(near_values), by_edge


def _mixed(weights, rows):
    """Weighted sum over the neighbors: (b, k) and (b, k, m) to (b, m)."""
    return np.matmul(weights[:, None, :], rows)[:, 0]
