"""What `InteractiveTagger` starts from: coefficients, features on their way in, a label graph."""

from typing import Any

import numpy as np
from sklearn.base import clone

from classify.base import UNKNOWN
from classify.imcl.checks import check_start
from classify.imcl.label_graph import cooccurrence_graph, given_graph, identity_graph
from classify.imcl.loss import Parameters
from classify.imcl.neighbors import Source
from classify.imcl.variants import Variant
from classify.logistic import LogisticTagger
from classify.row_blocks import mean_norm, mean_row


def initial_weights(
    tagger: Any, X, targets: np.ndarray, rows: np.ndarray, coef_init, intercept_init
) -> tuple[np.ndarray, np.ndarray]:
    """Give coefficients (L, d) and intercepts (L,) to descend from, for features as they are."""
    if coef_init is not None or intercept_init is not None:
        return check_start(coef_init, intercept_init, (targets.shape[1], X.shape[1]))
    init = LogisticTagger("l2", C=tagger.C) if tagger.init is None else clone(tagger.init)
    if len(rows) < len(targets):
        known = np.full_like(targets, UNKNOWN)  # rows held out are as good as unlabeled
        known[rows] = targets[rows]
        targets = known
    model = init.fit(X, targets)
    return model.coef_, model.intercept_


def source_of(
    tagger: Any, X, targets: np.ndarray, side: np.ndarray, rows: np.ndarray, variant: Variant
) -> Source:
    """Scale the features by the rows to learn from, as ``scaling`` says."""
    center, scale, ones = np.zeros(X.shape[1], dtype=X.dtype), 1.0, np.ones(len(rows))
    if tagger.scaling == "center":
        center = mean_row(X, rows, ones)
    if tagger.scaling != "none":
        scale = mean_norm(X, rows, ones, center)
    rules = variant.label_rules()
    return Source(X, targets, side, variant.side_weight, center, scale, rules)


def parameters_of(
    tagger: Any, start: tuple[np.ndarray, np.ndarray], source: Source, rows: np.ndarray
) -> Parameters:
    """Join initial weights to the label graph that ``graph`` names or is."""
    coef, intercept = start
    n_labels = len(coef)
    if not isinstance(tagger.graph, str):
        graph = given_graph(tagger.graph, n_labels)
    elif tagger.graph == "identity":
        graph = identity_graph(n_labels)
    else:
        seen = source.targets if len(rows) == len(source.targets) else source.targets[rows]
        graph = cooccurrence_graph(seen, n_neighbors=tagger.label_neighbors)
    return source.start(coef, intercept, graph, feature_map=tagger.feature_map)
