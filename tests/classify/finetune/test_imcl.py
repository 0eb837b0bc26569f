"""IMCL end to end against the cached path's loss, by hand, and as a run that is resumed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from classify.finetune import losses
from classify.finetune.config import FinetuneConfig
from classify.finetune.imcl import Interactive, completed
from classify.finetune.networks import Outputs
from classify.finetune.objectives import Batch
from classify.imcl.joint_omp import Neighbors
from classify.imcl.label_graph import LabelGraph
from classify.imcl.loss import LabelRules, Parameters, Penalty, Rows, batch_loss
from classify.imcl.soft_labels import complete_labels, label_values

CONFIG = FinetuneConfig(model="imcl", epochs=4, warm_up=0.25, neighbors=2, device="cpu")
A = torch.tensor([[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]], dtype=torch.float64)


def test_completed_labels_equal_the_numpy_ones():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(scale=20, size=(6, 5)), rng.integers(-1, 2, (6, 5)).astype(np.int8)
    for c in (1.0, 2.0):
        expected = complete_labels(labels, label_values(scores, asymmetry=c), asymmetry=c)
        got = completed(torch.from_numpy(labels), torch.from_numpy(scores), asymmetry=c)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


def test_completion_by_hand():
    labels = torch.tensor([[1, -1, 0], [-1, -1, 1]])
    scores = torch.tensor([[2, 0.3, -1], [-0.4, 0.2, 0.1]], dtype=torch.float64)
    values = completed(labels, scores)
    np.testing.assert_allclose(values, [[1, 0.215095, -0.5], [-0.224825, 0.140850, 1]], atol=1e-6)
    np.testing.assert_allclose(
        values @ A, [[0.803774, 0.411321, -0.5], [-0.133406, 0.049431, 1]], atol=1e-6
    )


def test_smoothness_and_its_gradient_by_hand():
    graph = A.clone().requires_grad_()
    neighbors = torch.tensor([[[1, 1, -0.5], [1, -0.5, -0.5]]], dtype=torch.float64)
    weights = torch.tensor([[0.589744, 0.564103]], dtype=torch.float64)
    query = torch.tensor([[1, 0.5, -0.5]], dtype=torch.float64)
    value = losses.smoothness_loss(query, neighbors, weights, graph)
    assert value.item() == pytest.approx(0.009615, abs=1e-6)
    value.sum().backward()
    expected = [
        [-0.133136, 0.044379, -0.177515],
        [-0.035503, 0.011834, -0.047337],
        [0.066568, -0.022189, 0.088757],
    ]
    np.testing.assert_allclose(graph.grad, expected, atol=2e-6)
    nobody = losses.smoothness_loss(query, neighbors, 0 * weights, graph)
    assert nobody.item() == 0


@pytest.mark.parametrize("seed", range(2))
def test_value_and_gradients_equal_those_of_the_cached_path(seed):
    rng = np.random.default_rng(seed)
    b, k, n_labels, d, lambda_y = 5, 2, 4, 3, 0.7
    X, near = rng.normal(size=(b, d)), rng.normal(size=(b, k, d))
    labels = rng.integers(-1, 2, (b, n_labels)).astype(np.int8)
    theirs = rng.integers(-1, 2, (b, k, n_labels)).astype(np.int8)
    coef, intercept = rng.normal(size=(n_labels, d)), rng.normal(size=n_labels)
    matrix, weights = rng.random((n_labels, n_labels)), rng.random((b, k))
    weights[2] = 0
    found = Neighbors(np.where(weights > 0, 0, -1), weights, weights)
    parts, slopes = batch_loss(
        Parameters(coef, intercept, LabelGraph.from_matrix(matrix)),
        Rows(X, labels, np.zeros((b, 0))), Rows(near, theirs, np.zeros((b, k, 0))), found,
        lambda_y=lambda_y, lambda_f=0.0, rules=LabelRules(),
        penalty=Penalty(0.0, np.zeros(d), 1.0),
    )  # fmt: skip
    W, c, graph = (torch.tensor(a, requires_grad=True) for a in (coef, intercept, matrix))
    scores, near_scores = torch.from_numpy(X) @ W.T + c, torch.from_numpy(near) @ W.T + c
    known = torch.from_numpy(labels)
    bce = losses.bce_loss(scores, known).sum() / (known >= 0).sum()
    smooth = losses.smoothness_loss(
        completed(known, scores), completed(torch.from_numpy(theirs), near_scores),
        torch.from_numpy(weights), graph,
    ).sum() / b  # fmt: skip
    assert bce.item() == pytest.approx(parts.classifier, rel=1e-10)
    assert smooth.item() == pytest.approx(parts.labels, rel=1e-10)
    (bce + lambda_y * smooth).backward()
    np.testing.assert_allclose(W.grad, slopes.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(c.grad, slopes.intercept, rtol=1e-9, atol=1e-12)
    expected = np.zeros_like(matrix)
    edges = LabelGraph.from_matrix(matrix)
    expected[edges.sources, edges.targets] = slopes.edges
    np.testing.assert_allclose(graph.grad, expected, rtol=1e-9, atol=1e-12)


@pytest.fixture
def objective():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 6)).astype(np.float32)
    Y = (X[:, :4] > 0).astype(np.int8)
    Y[rng.random(Y.shape) < 0.3] = -1
    made = Interactive(CONFIG, Y, np.arange(10))
    head = made.head(6)
    torch.manual_seed(0)
    torch.nn.init.normal_(head.fc.weight)

    def predict(rows):
        with torch.no_grad():
            return head.fc(torch.from_numpy(X[rows])).numpy(), X[rows]

    return made, head, X, predict


def batch_of(made, head, X, rows):
    features = torch.from_numpy(X[rows])
    labels = torch.from_numpy(made.labels[rows])
    out = Outputs(head.fc(features), features, graph=head.graph)
    return out, Batch(rows, labels, torch.ones(len(rows)), torch.zeros(len(rows), 4), 0.5)


def test_smoothness_begins_after_the_warm_up_as_large_as_the_cross_entropy(objective):
    made, head, X, predict = objective
    rows = np.arange(10)
    made.start_epoch(0, predict)
    out, batch = batch_of(made, head, X, rows)
    assert made.sums(out, batch)[1] == 0
    made.start_epoch(1, predict)
    sums = made.sums(out, batch) / made.counts(batch.labels)
    assert sums[1].item() == pytest.approx(sums[0].item(), rel=1e-4)
    sums.sum().backward()
    assert head.graph.grad.abs().sum() > 0
    np.testing.assert_array_equal(made.rows(), rows)


def test_nobody_is_a_neighbor_of_itself(objective):
    made, _, _, predict = objective
    made.start_epoch(1, predict)
    rows = np.arange(12)  # two of them stand in no dictionary
    scores, features = predict(rows)
    values = complete_labels(made.labels[rows], label_values(scores))
    picked, weights = made._neighbors(rows, values, features)
    assert (weights > 0).any()
    assert not ((made._pool[picked] == rows[:, None]) & (weights > 0)).any()


def test_neighbors_never_say_worse_than_nothing():
    """Few labels are present: rows of values are nearly alike, as are all sums of them."""
    rng = np.random.default_rng(0)
    n, n_labels, config = 60, 23, replace(CONFIG, neighbors=5)
    Y = (rng.random((n, n_labels)) < 0.1).astype(np.int8)
    Y[rng.random(Y.shape) < 0.8] = -1
    X = np.abs(rng.normal(size=(n, 30))).astype(np.float32)
    scores = (rng.normal(size=(n, n_labels)) - 3).astype(np.float32)
    made = Interactive(config, Y, np.arange(n))
    made.head(30)
    made.start_epoch(2, lambda rows: (scores[rows], X[rows]))
    values = complete_labels(Y, label_values(scores))
    picked, weights = made._neighbors(np.arange(n), values, X)
    said = np.einsum("bk,bkl->bl", weights, made._dictionary.values[picked])
    apart, alone = ((values - said) ** 2).sum(axis=1), (values**2).sum(axis=1)
    assert (weights > 0).any(axis=1).all() and (apart <= alone * (1 + 1e-5)).all()


def test_the_state_brings_the_same_loss_back(objective):
    made, head, X, predict = objective
    made.start_epoch(1, predict)
    out, batch = batch_of(made, head, X, np.arange(6))
    again = Interactive(CONFIG, made.labels, np.arange(10))
    again._head = head
    again.load_state(made.state())
    assert torch.equal(again.sums(out, batch), made.sums(out, batch))
    fresh = Interactive(CONFIG, made.labels, np.arange(10))
    fresh.load_state(Interactive(CONFIG, made.labels, np.arange(10)).state())
    assert fresh.sums(*batch_of(fresh, head, X, np.arange(6)))[1] == 0


def test_the_graph_stays_within_its_edges(objective):
    made, head, *_ = objective
    edges = head.graph.detach() > 0

    class Stub:
        pass

    network = Stub()
    network.head = head
    with torch.no_grad():
        head.graph.copy_(torch.randn(4, 4) * 3)
    made.after_step(network)
    graph = head.graph.detach()
    assert ((graph >= 0) & (graph <= 1)).all() and (graph[~edges] == 0).all()


def test_the_dictionary_is_looked_at_again_every_so_often(objective):
    made, _, _, predict = objective
    asked = []

    def counted(rows):
        asked.append(len(rows))
        return predict(rows)

    made.config = replace(CONFIG, refresh=2)
    for epoch in range(5):
        made.start_epoch(epoch, counted)
    assert asked == [10, 10, 10]  # at the end of the warm-up, then in epochs 2 and 4
