import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from classify.imcl import label_graph
from classify.imcl.label_graph import (
    LabelGraph,
    cooccurrence_graph,
    cooccurrence_rates,
    given_graph,
    identity_graph,
)
from features.errors import InputError

LABELS = np.array(
    [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1]], dtype=np.int8
)


def test_worked_numbers():
    rates = [[1, 1, 1, 0.5], [0.5, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0.25, 0, 0, 1]]
    np.testing.assert_allclose(cooccurrence_rates(LABELS), rates)
    whole = cooccurrence_graph(LABELS, n_neighbors=1, normalize=False).matrix()
    kept = np.array([[1, 1, 1, 0.5], [0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(whole, kept)
    shares = cooccurrence_graph(LABELS, n_neighbors=1).matrix()
    np.testing.assert_allclose(shares, kept / kept.sum(axis=0), atol=1e-6)
    assert shares[0, 3] == pytest.approx(1 / 3)


def test_rates_count_rows_where_both_labels_are_known_however_they_are_read(monkeypatch):
    rng = np.random.default_rng(0)
    targets = rng.integers(-1, 2, size=(50, 6)).astype(np.int8)
    targets[:, 5] = -1
    expected = np.zeros((6, 6))
    for i in range(6):
        for j in range(6):
            both_known = (targets[:, i] != -1) & (targets[:, j] == 1)
            if both_known.any():
                expected[i, j] = (targets[both_known, i] == 1).mean()
    monkeypatch.setattr(label_graph, "ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(cooccurrence_rates(targets), expected, rtol=1e-6)


def test_equal_rates_are_kept_by_index():
    targets = np.ones((2, 5), dtype=np.int8)
    graph = cooccurrence_graph(targets, n_neighbors=2)
    columns = [set(graph.sources[graph.targets == j].tolist()) for j in range(5)]
    assert columns == [{0, 1, 2}, {0, 1, 2}, {0, 1, 2}, {0, 1, 3}, {0, 1, 4}]


@given(st.integers(1, 7), st.integers(0, 8), st.integers(0, 2**31))
@settings(deadline=None)
def test_columns_sum_to_one_and_every_label_supports_itself(n_labels, n_neighbors, seed):
    targets = np.random.default_rng(seed).integers(-1, 2, size=(9, n_labels)).astype(np.int8)
    matrix = cooccurrence_graph(targets, n_neighbors=n_neighbors).matrix()
    np.testing.assert_allclose(matrix.sum(axis=0), 1, rtol=1e-6)
    assert (np.diag(matrix) > 0).all()
    assert ((matrix > 0).sum(axis=0) <= n_neighbors + 1).all()


def test_sparse_products_are_the_dense_ones(monkeypatch):
    rng = np.random.default_rng(0)
    graph = LabelGraph.from_matrix(rng.random((6, 6)) * (rng.random((6, 6)) < 0.4))
    left, right = rng.normal(size=(2, 5, 6))
    both = np.stack([left, right])

    def products():
        return (
            graph.propagate(both),
            graph.propagate_transposed(both),
            graph.edge_products(left, right),
        )

    dense = products()
    np.testing.assert_allclose(dense[0], both @ graph.matrix())
    np.testing.assert_allclose(dense[1], both @ graph.matrix().T)
    monkeypatch.setattr(label_graph, "DENSE_LABELS", 3)
    sparse = products()
    for one, other in zip(dense, sparse, strict=True):
        assert isinstance(other, np.ndarray)
        np.testing.assert_allclose(one, other)
    np.testing.assert_allclose(dense[2], (left.T @ right)[graph.sources, graph.targets])


def test_given_graphs():
    matrix = np.array([[1, 0.5, 0], [0, 0, 0], [0.25, 0, 0]])
    expected = matrix + np.diag([0, 0, 1])  # nothing supports the last label
    np.testing.assert_array_equal(given_graph(matrix, 3).matrix(), expected)
    np.testing.assert_array_equal(given_graph(csr_array(matrix), 3).matrix(), expected)
    np.testing.assert_array_equal(identity_graph(3).matrix(), np.eye(3))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), r"shape \(2, 2\): give \(3, 3\)"),
        (-np.eye(3), "negative, infinite or NaN"),
        (np.full((3, 3), np.nan), "negative, infinite or NaN"),
    ],
)
def test_graphs_that_are_none(matrix, message):
    with pytest.raises(InputError, match=message):
        given_graph(matrix, 3)
