import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.warp import propagation
from classify.warp.propagation import nearest_rows, propagate_labels
from features.errors import InputError

X6 = np.array([[0, 0], [3, 4], [6, 0], [0, 1], [3, 3], [10, 3]], dtype=float)
Y6 = np.array([[1, 0, 0], [0, 1, -1], [0, 0, 1], [-1, -1, -1], [-1, -1, -1], [-1, -1, -1]])
LABELLED, UNLABELLED = np.arange(3), np.arange(3, 6)


@pytest.mark.parametrize(
    ("temperature", "value", "weights"),
    [
        ("mean_all", 7 / 6, [0.424373, 0.424373, 0.013764]),
        ("mean_unlabeled", 7 / 3, [0.651439, 0.651439, 0.117319]),
        (1.0, 1.0, [0.367879, 0.367879, 0.006738]),
    ],
)
def test_worked_example(temperature, value, weights):
    result = propagate_labels(X6, Y6, LABELLED, UNLABELLED, temperature=temperature)
    np.testing.assert_array_equal(result.nearest, [0, 1, 2])
    np.testing.assert_allclose(result.distances, [1, 1, 5])
    assert result.temperature == pytest.approx(value)
    np.testing.assert_allclose(result.weights, weights, atol=1e-6)
    np.testing.assert_array_equal(result.labels, Y6[:3])  # unknown cells are handed on as such


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_references=st.integers(1, 30),
    n_queries=st.integers(1, 20),
    offset=st.sampled_from([0, 3, 2000]),
    kind=st.sampled_from([(np.float32, "product"), (np.float64, "product"), (np.float32, "faiss")]),
)
def test_agrees_with_all_differences_and_breaks_ties_by_order(
    seed, n_references, n_queries, offset, kind
):
    dtype, search = kind
    if search == "faiss":
        pytest.importorskip("faiss", reason="the extra `faiss` is not installed")
    # Whole numbers: many exact ties, and far from the origin a product in float32 is too coarse.
    rng = np.random.default_rng(seed)
    X = (rng.integers(0, 3, size=(60, 4)) + offset).astype(dtype)
    rows = rng.permutation(60)
    references, queries = rows[:n_references], rows[30 : 30 + n_queries]
    nearest, distances = nearest_rows(X, references, queries, search=search)
    exact = X.astype(float)
    literal = np.sqrt(((exact[queries][:, None] - exact[references]) ** 2).sum(axis=2))
    np.testing.assert_array_equal(nearest, references[literal.argmin(axis=1)])
    np.testing.assert_allclose(distances, literal.min(axis=1), rtol=1e-12)


def test_blocks_do_not_show(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 7)).astype(np.float32)
    references, queries = np.arange(0, 80, 3), np.setdiff1d(np.arange(80), np.arange(0, 80, 3))
    whole = nearest_rows(X, references, queries)
    monkeypatch.setattr(propagation, "QUERIES_AT_ONCE", 13)
    monkeypatch.setattr(propagation, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(propagation, "PRODUCT_SIZE", 3 * len(references))
    monkeypatch.setattr(propagation, "PAIRS_AT_ONCE", 2)
    X.tofile(tmp_path / "features")
    mapped = np.memmap(tmp_path / "features", dtype=np.float32, mode="r", shape=X.shape)
    for blocked in (
        nearest_rows(X, references, queries),
        nearest_rows(mapped, references, queries),
    ):
        np.testing.assert_array_equal(blocked[0], whole[0])
        np.testing.assert_array_equal(blocked[1], whole[1])


@pytest.mark.parametrize("copies", [1, 7])  # more than faiss shows, so that the product decides
def test_faiss_finds_the_same_rows_at_the_same_distances(copies, monkeypatch):
    faiss = pytest.importorskip("faiss", reason="the extra `faiss` is not installed")
    rng, asked = np.random.default_rng(0), []
    known = np.repeat(rng.normal(size=(30, 16)), copies, axis=0)
    X = np.concatenate([known, rng.normal(size=(600, 16))]).astype(np.float32)
    references, queries = np.arange(len(known)), np.arange(len(known), len(X))
    product = nearest_rows(X, references, queries, search="product")

    class Spy(faiss.IndexFlatL2):
        def search(self, *args):
            asked.append(args)
            return super().search(*args)

    monkeypatch.setattr(faiss, "IndexFlatL2", Spy)
    monkeypatch.setattr(propagation, "FAISS_FROM", len(known))
    monkeypatch.setattr(propagation, "QUERIES_AT_ONCE", 300)
    found = nearest_rows(X, references, queries)
    assert len(asked) == 2  # blocks of 300 queries
    np.testing.assert_array_equal(found[0], product[0])
    np.testing.assert_array_equal(found[1], product[1])


def test_without_faiss_the_product_does_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(propagation, "FAISS_FROM", 1)
    X = X6.astype(np.float32)
    np.testing.assert_array_equal(nearest_rows(X, LABELLED, UNLABELLED)[0], [0, 1, 2])
    with pytest.raises(InputError, match="needs faiss .* got float32 and faiss absent"):
        nearest_rows(X, LABELLED, UNLABELLED, search="faiss")
    with pytest.raises(InputError, match="one of auto, product, faiss, got 'tree'"):
        nearest_rows(X, LABELLED, UNLABELLED, search="tree")


def test_copies_of_labeled_rows_are_certain():
    X = np.ones((4, 3))
    Y = np.array([[1, 0], [0, 1], [-1, -1], [-1, -1]])
    result = propagate_labels(X, Y, np.array([0, 1]), np.array([2, 3]))
    np.testing.assert_array_equal(result.nearest, 0)
    np.testing.assert_array_equal(result.weights, 1)


def test_features_too_large_for_their_squares():
    X = np.full((3, 2), 1e30, dtype=np.float32)
    with pytest.raises(InputError, match="overflow float32 at features as large as 1e"):
        nearest_rows(X, np.array([0]), np.array([1, 2]))


@pytest.mark.parametrize("temperature", ["median", 0.0, -1.0, np.inf, np.nan])
def test_wrong_temperature(temperature):
    with pytest.raises(InputError, match="temperature must be one of mean_all, mean_unlabeled or"):
        propagate_labels(X6, Y6, LABELLED, UNLABELLED, temperature=temperature)
