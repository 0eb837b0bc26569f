import numpy as np
import pytest

from classify.miml.mimlfast import MIMLfast, model_scores, pairs_of
from classify.miml.mimlfast_epoch import run_epoch
from classify.miml.scaling import with_constant
from features.bags.packed import Bags


class Draws:
    """Gives the chosen numbers in place of random ones, to the uncompiled loop."""

    def __init__(self, numbers):
        self.numbers = list(numbers)

    def random(self):
        return self.numbers.pop(0)


def toy_model():
    V = np.array([[1, 0.5], [-0.5, 1]]).T.copy()
    W = np.array([[0.2, 0.1], [0.3, -0.2], [-0.1, 0.4], [0.05, 0.05]])[:, None].copy()
    return V, W


@pytest.mark.parametrize(
    ("label", "draws", "norm", "V", "changed"),
    [
        (0, [0.0], 9.0, [[1.135, 0.68], [-0.635, 0.82]], {0: (0.95, 0.475), 2: (-0.85, 0.025)}),
        (0, [0.0], 0.5, None, {0: (0.447214, 0.223607), 2: (-0.499784, 0.0147)}),
        (3, [0.0], 9.0, [[1.045, 0.56], [-0.605, 0.86]], {3: (0.55, 0.3), 2: (-0.6, 0.15)}),
    ],
)
def test_steps_of_the_worked_example(toy, label, draws, norm, V, changed):
    bags, Y, _ = toy
    found, W = toy_model()
    harmonic = np.array([0, 1, 1.5, 11 / 6, 25 / 12])
    sums = (np.zeros_like(found), np.zeros_like(W))
    pairs = np.array([[1, label]])
    data = (bags.instances, bags.starts, bags.sizes, Y, pairs, found, W, sums)
    updates, added = run_epoch.py_func(*data, harmonic, 0.1, 0.0, norm, 10, 0, Draws(draws))
    assert (updates, added) == (1, 0)
    if V is not None:
        np.testing.assert_allclose(found.T, V, atol=1e-6)
    for row, expected in changed.items():
        np.testing.assert_allclose(W[row, 0], expected, atol=1e-5)


def test_a_second_draw_weighs_less(toy):
    bags, Y, _ = toy
    V, W = toy_model()
    W[2] = (-2.0, 0.0)  # no violator, so that the dummy comes second
    sums = (np.zeros_like(V), np.zeros_like(W))
    data = (bags.instances, bags.starts, bags.sizes, Y, np.array([[1, 0]]), V, W, sums)
    harmonic = np.array([0, 1, 1.5, 11 / 6, 25 / 12])
    run_epoch.py_func(*data, harmonic, 0.1, 0.0, 9.0, 10, 0, Draws([0.0, 0.99]))
    np.testing.assert_allclose(V.T, [[1.045, 0.56], [-0.485, 1.02]], atol=1e-6)
    np.testing.assert_allclose(W[[0, 3], 0], [[0.7, 0.35], [-0.45, -0.2]], atol=1e-6)


def slow_fit(model, bags, Y):
    """Descend with one numpy expression per formula."""
    rng, n_labels = np.random.default_rng(model.random_state), Y.shape[1]
    X = [with_constant(bag) for bag in bags]
    V, W = model._start(X[0].shape[1], n_labels, rng)
    V, t, terms = V.T.copy(), 0, 0
    total_V, total_W = np.zeros_like(V), np.zeros_like(W)
    for _ in range(model.epochs):
        for position, (i, label) in enumerate(rng.permutation(pairs_of(Y)), start=1):
            absent = [*np.flatnonzero(Y[i] == 0), *([n_labels] if label != n_labels else [])]
            scores = np.einsum("lkm,md,xd->lkx", W, V, X[i])
            for v in range(1, len(absent) + 1):
                q = absent[int(rng.random() * len(absent))]
                if scores[q].max() > scores[label].max() - 1:
                    step = model.learning_rate / (1 + model.decay * model.learning_rate * t)
                    step *= sum(1 / j for j in range(1, len(absent) // v + 1))
                    t += 1
                    k, x = np.unravel_index(scores[label].argmax(), scores[label].shape)
                    k2, x2 = np.unravel_index(scores[q].argmax(), scores[q].shape)
                    w, w2 = W[label, k].copy(), W[q, k2].copy()
                    W[label, k] += step * V @ X[i][x]
                    W[q, k2] -= step * V @ X[i][x2]
                    V += step * (np.outer(w, X[i][x]) - np.outer(w2, X[i][x2]))
                    for row, c in ((label, k), (q, k2)):
                        W[row, c] *= min(1, model.max_norm / np.linalg.norm(W[row, c]))
                    V *= np.minimum(1, model.max_norm / np.linalg.norm(V, axis=0))
                    break
            if position % model.average_every == 0 and t:
                total_V, total_W, terms = total_V + V, total_W + W, terms + 1
    return total_V.T / terms, total_W / terms


@pytest.mark.parametrize("max_norm", [0.5, 5.0])
def test_a_loop_of_the_formulas_agrees(problem, max_norm):
    bags, Y = problem
    model = MIMLfast(
        dimensions=6, concepts=2, max_norm=max_norm, epochs=3, learning_rate=0.1, decay=1.0,
        scaling="none", random_state=5,
    )  # fmt: skip
    V, W = slow_fit(model, bags, Y)
    model.fit(bags, Y)
    np.testing.assert_allclose(model.projection_, V, atol=1e-8)
    np.testing.assert_allclose(model.concepts_, W, atol=1e-8)


def test_labels_must_exceed_the_dummy_by_the_margin(problem):
    bags, Y = problem
    model = MIMLfast(scaling="none", max_norm=5.0).fit(bags, Y)
    scores = model_scores(bags, model.projection_, model.concepts_)
    for row, predicted in zip(scores, model.predict(bags), strict=True):
        above = {c for c in range(5) if row[c] > row[5] + 1}
        assert set(np.flatnonzero(predicted)) == (above | {int(row[:5].argmax())})


def test_a_bag_with_every_label_gives_the_dummy_no_pair():
    bags, Y = Bags.from_array(np.eye(3)[:, None]), np.array([[1, 1], [1, 0], [0, 1]])
    assert MIMLfast().fit(bags, Y).decision_function(bags).shape == (3, 2)
