import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.speed.imcl.reference import loop_omp
from classify.imcl import joint_omp as module
from classify.imcl.joint_omp import Dictionary, Neighbors, joint_omp, refit

A = np.array([[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]])
LABELS = np.array([[1, 1, -0.5], [1, -0.5, -0.5], [-0.5, 1, 1], [-0.5, -0.5, 1]])
FEATURES = np.array([[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 2.0]])
Y, F = np.array([[1, 0.5, -0.5]]), np.array([[1, 0.5, 0.4, 0]])


def test_worked_numbers():
    dictionary = Dictionary(LABELS @ A, FEATURES)
    one, two, three = (joint_omp(Y, F, dictionary, k=k) for k in (1, 2, 3))
    assert one.positions.tolist() == [[0]]
    np.testing.assert_allclose(one.label_weights, [[0.777778]], atol=1e-5)
    np.testing.assert_allclose(one.feature_weights, [[0.7]], atol=1e-5)
    assert two.positions.tolist() == [[0, 1]]
    np.testing.assert_allclose(two.label_weights, [[0.589744, 0.564103]], atol=1e-5)
    np.testing.assert_allclose(two.feature_weights, [[0.433333, 0.533333]], atol=1e-5)
    assert three.positions.tolist() == [[0, 1, -1]]  # the best candidate has nothing in common
    np.testing.assert_array_equal(three.label_weights[:, :2], two.label_weights)
    assert three.label_weights[0, 2] == three.feature_weights[0, 2] == 0
    left = Y - two.label_weights @ (LABELS @ A)[[0, 1]]
    assert (left**2).sum() == pytest.approx(0.009615, abs=1e-5)


def test_clipping_is_not_non_negative_least_squares():
    Z = np.array([[1, 0], [1, 0.2]])
    dictionary, y, f = Dictionary(Z, np.eye(2) + 0.1), np.array([[1, -0.1]]), np.array([[1, 0.9]])

    def weights(coefficients):
        found = Neighbors(np.array([[0, 1]]), np.zeros((1, 2)), np.zeros((1, 2)))
        return refit(y, f, Z[None], Z[None], found, coefficients=coefficients).label_weights[0]

    np.testing.assert_allclose(weights("plain"), [1.5, -0.5], atol=1e-3)
    np.testing.assert_allclose(weights("clip"), [1.5, 0], atol=1e-3)
    np.testing.assert_allclose(weights("nnls"), [1, 0], atol=1e-5)
    assert (joint_omp(y, f, dictionary, k=2).label_weights >= 0).all()


@st.composite
def problems(draw):
    # More columns than are picked, or residuals of zero make ties of rounding errors.
    n, labels, features = draw(st.tuples(st.integers(1, 20), st.integers(6, 9), st.integers(6, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    Z, F = rng.normal(size=(n, labels)), rng.normal(size=(n, features))
    if draw(st.booleans()):
        F = np.abs(F)  # as after a ReLU
    Z[rng.random(n) < 0.1] = 0
    queries = rng.normal(size=(7, labels)), np.abs(rng.normal(size=(7, features)))
    options = {
        "k": draw(st.integers(0, 4)),
        "lambda_y": draw(st.sampled_from([0.0, 1.0, 2.0])),
        "rule": draw(st.sampled_from(module.RULES)),
        "coefficients": draw(st.sampled_from(module.COEFFICIENTS)),
        "balance": draw(st.booleans()),
    }
    options["lambda_f"] = draw(st.sampled_from([0.0, 0.5] if options["lambda_y"] else [0.5]))
    return Z, F, queries, rng.integers(-1, n, size=7), options


@given(problems())
@settings(deadline=None, max_examples=200)
def test_a_block_of_queries_gets_what_a_literal_loop_gives_each(problem):
    Z, F, (Y, G), exclude, options = problem
    found = joint_omp(Y, G, Dictionary(Z, F), exclude=exclude, **options)
    for i in range(len(Y)):
        chosen, c, c_bar = loop_omp(Y[i], G[i], Z, F, exclude=exclude[i], **options)
        padding = options["k"] - len(chosen)
        assert found.positions[i].tolist() == chosen + [-1] * padding
        scale = 1 + np.abs(np.concatenate([c, c_bar])).max(initial=0)
        for ours, literal in ((found.label_weights, c), (found.feature_weights, c_bar)):
            np.testing.assert_allclose(
                ours[i], np.append(literal, [0] * padding), atol=1e-4 * scale
            )


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    Z, F, Y, G = (np.abs(rng.normal(size=(n, 8))) for n in (30, 30, 50, 50))
    whole = joint_omp(Y, G, Dictionary(Z, F), k=3, exclude=np.arange(50) % 30)
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 100)
    parts = joint_omp(Y, G, Dictionary(Z, F), k=3, exclude=np.arange(50) % 30)
    np.testing.assert_array_equal(whole.positions, parts.positions)
    np.testing.assert_allclose(whole.label_weights, parts.label_weights)
    assert not (whole.positions == (np.arange(50) % 30)[:, None]).any()


def test_float32_stays_float32():
    rng = np.random.default_rng(0)
    Z, F, Y, G = (np.abs(rng.normal(size=(9, 8))).astype(np.float32) for _ in range(4))
    found = joint_omp(Y, G, Dictionary(Z, F), k=3)
    assert found.label_weights.dtype == found.feature_weights.dtype == np.float32
    wide = joint_omp(*(a.astype(float) for a in (Y, G)), Dictionary(Z.astype(float), F), k=3)
    np.testing.assert_array_equal(found.positions, wide.positions)
    np.testing.assert_allclose(found.label_weights, wide.label_weights, atol=1e-4)


@pytest.mark.parametrize("coefficients", module.COEFFICIENTS)
def test_weighing_again_what_has_not_changed_changes_nothing(coefficients):
    rng = np.random.default_rng(0)
    Z, F, Y, G = (rng.normal(size=(n, 8)) for n in (30, 30, 50, 50))
    found = joint_omp(Y, G, Dictionary(Z, F), k=4, coefficients=coefficients)
    assert (found.positions < 0).any()
    again = refit(Y, G, Z[found.positions], F[found.positions], found, coefficients=coefficients)
    np.testing.assert_allclose(again.label_weights, found.label_weights, atol=1e-9)
    np.testing.assert_allclose(again.feature_weights, found.feature_weights, atol=1e-9)


def test_nobody_to_choose_from():
    found = joint_omp(
        Y, F, Dictionary(np.ones((1, 3)), np.ones((1, 4))), k=2, exclude=np.array([0])
    )
    assert found.positions.tolist() == [[-1, -1]]
    found = joint_omp(Y, F, Dictionary(np.zeros((2, 3)), FEATURES[:2]), k=2)
    assert found.positions.tolist() == [[-1, -1]]
