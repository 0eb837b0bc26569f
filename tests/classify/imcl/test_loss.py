from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.imcl.joint_omp import Neighbors
from classify.imcl.label_graph import LabelGraph
from classify.imcl.loss import LabelRules, Parameters, Penalty, Rows, batch_loss
from classify.imcl.rmsprop import RMSProp

A = np.array([[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]])
TARGETS = np.array([[1, -1, 0], [-1, -1, 1]], dtype=np.int8)
SCORES = np.array([[2, 0.3, -1], [-0.4, 0.2, 0.1]])
NO_PENALTY = Penalty(0.0, np.zeros(2), 1.0)


def test_completion_before_and_after_the_label_graph_by_worked_numbers():
    for after, first in ((False, [0.803774, 0.411321, -0.5]), (True, [1, 0.398070, -0.5])):
        rules = LabelRules(after=after)
        propagated = rules.propagated(TARGETS, rules.values(SCORES), LabelGraph.from_matrix(A))
        np.testing.assert_allclose(propagated[0], first, atol=1e-5)
        np.testing.assert_allclose(propagated[1], [-0.133406, 0.049431, 1], atol=1e-5)
    completed = rules.complete(TARGETS, rules.values(SCORES))
    expected = [[1, 0.215095, -0.5], [-0.224825, 0.140850, 1]]
    np.testing.assert_allclose(completed, expected, atol=1e-5)


def test_classifier_loss_by_worked_numbers():
    # One-hot features pick the scores.
    parameters = Parameters(SCORES.T, np.zeros(3), LabelGraph.from_matrix(A))
    features = np.eye(2)
    empty = np.zeros((2, 0))
    batch = Rows(features, TARGETS, empty)
    near = Rows(features[:, None], TARGETS[:, None], empty[:, None])
    found = Neighbors(np.full((2, 1), -1), np.zeros((2, 1)), np.zeros((2, 1)))
    options = {"lambda_y": 1.0, "lambda_f": 1.0, "rules": LabelRules(), "penalty": NO_PENALTY}
    for reduction, value in (("mean", 0.361529), ("sum", 1.084586 / 2)):
        parts, _ = batch_loss(parameters, batch, near, found, **options, reduction=reduction)
        assert parts.classifier == pytest.approx(value, abs=1e-6)
        assert parts.labels == parts.features == 0  # nobody was found


def test_label_loss_and_its_gradient_by_worked_numbers():
    labels = np.array([[1, 1, 0], [1, 0, 0]], dtype=np.int8)  # of the candidates 0 and 1
    features = np.array([[1, 0, 1, 0], [1, 1, 0, 0.0]])
    c, c_bar = np.array([[0.589744, 0.564103]]), np.array([[0.433333, 0.533333]])
    found = Neighbors(np.array([[0, 1]]), c, c_bar)
    # The query's value .5 of its unknown label: a(x) = .5 at exp(2x) = 4.
    query = Rows(
        np.array([[1, 0.5, 0.4, 0]]), np.array([[1, -1, 0]], dtype=np.int8), np.zeros((1, 0))
    )
    parameters = Parameters(np.zeros((3, 4)), np.full(3, np.log(4) / 2), LabelGraph.from_matrix(A))
    parts, gradients = batch_loss(
        parameters,
        query,
        Rows(features[None], labels[None], np.zeros((1, 2, 0))),
        found,
        lambda_y=1.0,
        lambda_f=1.0,
        rules=LabelRules(),
        penalty=Penalty(0.0, np.zeros(4), 1.0),
    )
    assert parts.labels == pytest.approx(0.009615, abs=1e-5)
    assert parts.features == pytest.approx(0.003333, abs=1e-5)
    edges = np.zeros((3, 3))
    edges[parameters.graph.sources, parameters.graph.targets] = gradients.edges
    expected = [[-0.133136, 0.044379, 0], [-0.035503, 0.011834, 0], [0, 0, 0.088757]]
    np.testing.assert_allclose(edges, expected, atol=1e-5)


def draw_case(seed, *, feature_map=False, side=2, b=4, k=3, n_labels=5, d=6):
    """Everything `batch_loss` takes, in float64; scores are of size 1."""
    rng = np.random.default_rng(seed)

    def rows(*shape):
        return Rows(
            rng.normal(size=(*shape, d)),
            rng.integers(-1, 2, size=(*shape, n_labels)).astype(np.int8),
            rng.normal(size=(*shape, side)),
        )

    support = np.triu(np.ones((n_labels, n_labels))) * rng.uniform(0.1, 0.6, (n_labels, n_labels))
    parameters = Parameters(
        rng.normal(size=(n_labels, d)) / 2,
        rng.normal(size=n_labels),
        LabelGraph.from_matrix(support),
        np.eye(d + 1, d) + rng.normal(size=(d + 1, d)) / 5 if feature_map else None,
    )
    found = Neighbors(
        np.where(rng.random((b, k)) < 0.3, -1, 1), rng.random((b, k)), rng.random((b, k))
    )
    found.label_weights[found.positions < 0] = found.feature_weights[found.positions < 0] = 0
    return parameters, rows(b), rows(b, k), found, Penalty(0.3, rng.normal(size=d), 1.7)


RULES = [
    LabelRules(),
    LabelRules(asymmetry=1.0, half=True),
    LabelRules(after=True),
    LabelRules(outer_tanh=True),
    LabelRules(after=True, outer_tanh=True, half=True),
]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("feature_map", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_by_finite_differences(rules, feature_map, reduction):
    parameters, batch, near, found, penalty = draw_case(1, feature_map=feature_map)
    options = {"lambda_y": 0.7, "lambda_f": 0.4, "rules": rules, "penalty": penalty}

    def total():
        parts, gradients = batch_loss(
            parameters, batch, near, found, **options, reduction=reduction
        )
        return parts.total(0.7, 0.4), gradients

    gradients = total()[1]
    assert (gradients.feature_map is not None) == feature_map
    for array, gradient in zip(parameters.arrays(), gradients, strict=True):
        if array is None:
            continue
        numeric = np.empty_like(array)
        for place in np.ndindex(array.shape):
            value = array[place]
            array[place] = value + 1e-6
            above = total()[0]
            array[place] = value - 1e-6
            numeric[place] = (above - total()[0]) / 2e-6
            array[place] = value
        np.testing.assert_allclose(gradient, numeric, atol=1e-7, rtol=1e-6)


@given(st.integers(0, 2**31), st.sampled_from(RULES), st.booleans(), st.floats(0, 3))
@settings(deadline=None)
def test_a_small_enough_step_never_raises_the_objective(seed, rules, feature_map, lambda_y):
    parameters, batch, near, found, penalty = draw_case(seed, feature_map=feature_map)
    options = {"lambda_y": lambda_y, "lambda_f": 0.5, "rules": rules, "penalty": penalty}
    before, gradients = batch_loss(parameters, batch, near, found, **options)
    for array, gradient in zip(parameters.arrays(), gradients, strict=True):
        if array is not None:
            RMSProp(array).step(gradient, rate=1e-6)
    np.clip(parameters.graph.weights, 0, 1, out=parameters.graph.weights)
    after, _ = batch_loss(parameters, batch, near, found, **options)
    assert after.total(lambda_y, 0.5) <= before.total(lambda_y, 0.5)


def test_the_penalty_is_that_of_features_as_they_are():
    parameters, *_, penalty = draw_case(3)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9, 6))
    scores = parameters.scores((X - penalty.center) / penalty.scale)
    whole = np.linalg.lstsq(np.hstack([X, np.ones((9, 1))]), scores, rcond=None)[0]
    assert penalty(parameters)[0] == pytest.approx(0.15 * (whole**2).sum())


def test_the_curvature_of_the_penalty_is_bounded():
    parameters, *_, penalty = draw_case(3)
    size = parameters.coef.shape[1] + 1

    def gradient(whole):
        one = Parameters(whole[None, :-1], whole[-1:], parameters.graph)
        _, by_coef, by_intercept = penalty(one)
        return np.append(by_coef, by_intercept)

    hessian = np.array([gradient(row) for row in np.eye(size)])
    largest = np.linalg.eigvalsh(hessian).max()
    assert largest <= penalty.curvature() <= 2 * largest


def test_further_labels_are_compared_and_have_no_gradient():
    parameters, batch, near, found, penalty = draw_case(2)
    options = {"lambda_y": 1.0, "lambda_f": 1.0, "rules": LabelRules(), "penalty": penalty}
    parts, gradients = batch_loss(parameters, batch, near, found, **options)
    other = replace(parameters)  # the same
    shifted = batch._replace(side=batch.side + 1)
    parts_shifted, gradients_shifted = batch_loss(other, shifted, near, found, **options)
    assert parts_shifted.labels != parts.labels
    np.testing.assert_array_equal(gradients.coef, gradients_shifted.coef)
