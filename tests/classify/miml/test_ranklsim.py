import numpy as np
import pytest

from classify.miml import ranklsim
from classify.miml.ranklsim import RankLSIM, bag_scores, descend, objective, support_shares
from classify.miml.scaling import with_constant
from features.errors import InputError

W = np.array([[0.2, -0.1], [0.1, 0.3], [0.3, -0.4]])
TOY = {
    "max": (
        [[0.2, 0.1, 0.3], [0.2, 1.5, -0.4], [0.4, 1.8, -0.3], [0.8, 0.4, 1.2]],
        0.42,
        [[-1.105, -0.51], [0.385, 0.28], [-0.345, 0.085]],
    ),
    "softmax": (
        [
            [0.109967, 0.052498, 0.172333],
            [0.072333, 1.222230, -0.527667],
            [0.281795, 1.591753, -0.491128],
            [0.567731, 0.4, 0.921585],
        ],
        0.484448,
        [[-0.708445, -0.391892], [0.700622, 0.155], [-0.158299, 0.217813]],
    ),
}


@pytest.mark.parametrize("support", ["max", "softmax"])
def test_the_worked_example(toy, support):
    bags, Y, _ = toy
    shares = support_shares(bags.instances @ W.T, bags, support)
    F, value, gradient = TOY[support]
    found = bag_scores(bags.instances @ W.T, shares, bags)
    np.testing.assert_allclose(found, F, atol=1e-5)
    assert objective(found, Y, W, 0.1) == pytest.approx(value, abs=1e-5)
    slopes, _ = ranklsim.rank_slopes(found, Y)
    c = [[-0.25, 0.125, 0.125], [-0.125, 0, 0.125], [0, 0, 0], [-0.125, 0.25, -0.125]]
    np.testing.assert_allclose(slopes, c, atol=1e-12)
    whole = 0.1 * W + (slopes[bags.owners] * shares).T @ bags.instances
    np.testing.assert_allclose(whole, gradient, atol=1e-5)


def test_a_step_of_the_worked_example_is_projected(toy, monkeypatch):
    bags, Y, _ = toy
    shares = support_shares(bags.instances @ W.T, bags, "max")
    seen = []
    slopes = ranklsim.rank_slopes
    monkeypatch.setattr(ranklsim, "rank_slopes", lambda F, Y: seen.append(F) or slopes(F, Y))
    descend(bags.instances, bags, Y, shares, W, 0.1, 1)
    after = [[3.674235, 1.632993], [-1.224745, -0.816497], [1.224745, -0.408248]]
    expected = bag_scores(bags.instances @ np.transpose(after), shares, bags)
    np.testing.assert_allclose(seen[1], expected, atol=1e-4)


def slow_fit(bags, Y, support, decay, rounds, steps):
    """Fit by loops over bags and labels, with explicit support instances."""
    X = [with_constant(bag) for bag in bags]
    n, labels = Y.shape
    w = np.zeros((labels, X[0].shape[1]))

    def supports(w, how):
        S = np.zeros((n, labels, w.shape[1]))
        for i in range(n):
            for c in range(labels):
                s = X[i] @ w[c]
                a = np.exp(s - s.max())
                S[i, c] = X[i][s.argmax()] if how == "max" else (a / a.sum()) @ X[i]
        return S

    def value_and_gradient(w, S):
        value, gradient = decay / 2 * (w**2).sum(), decay * w
        for i in range(n):
            P, N = np.flatnonzero(Y[i] == 1), np.flatnonzero(Y[i] == 0)
            for p in P:
                for q in N:
                    margin = 1 - w[p] @ S[i, p] + w[q] @ S[i, q]
                    if margin > 0:
                        weight = 1 / (n * len(P) * len(N))
                        value += weight * margin
                        gradient[p] = gradient[p] - weight * S[i, p]
                        gradient[q] = gradient[q] + weight * S[i, q]
        return value, gradient

    S, best, lowest = supports(w, "softmax"), w, np.inf
    for _ in range(rounds):
        inner, low = w, np.inf
        for t in range(1, steps + 2):
            value, gradient = value_and_gradient(w, S)
            if value < low:
                inner, low = w, value
            w = w - gradient / (decay * t)
            w = w * min(1, np.sqrt(2 / decay) / np.linalg.norm(w))
        w = inner
        S = supports(w, support)
        value, _ = value_and_gradient(w, S)
        stop = (lowest - value) / value < 1e-4
        if value < lowest:
            best, lowest = w, value
        if stop:
            break
    return best


@pytest.mark.parametrize("support", ["max", "softmax"])
def test_a_loop_over_pairs_agrees(problem, support):
    bags, Y = problem
    model = RankLSIM(support=support, weight_decay=0.1, rounds=3, steps=12, scaling="none")
    expected = slow_fit(bags, Y, support, 0.1, 3, 12)
    np.testing.assert_allclose(model.fit(bags, Y).coef_, expected, atol=1e-8)


def test_cccp_never_rises_and_needs_max(problem):
    bags, Y = problem
    model = RankLSIM(support="max", method="cccp", weight_decay=0.1).fit(bags, Y)
    assert (np.diff(model.objective_curve_) <= 1e-9).all()
    with pytest.raises(InputError, match="must be max with method='cccp'. Got 'softmax'"):
        RankLSIM(method="cccp").fit(bags, Y)


def test_the_threshold_is_the_best_of_all(problem):
    bags, Y = problem
    model = RankLSIM().fit(bags, Y)
    scores = model.decision_function(bags) + model.threshold_
    wrong = [((scores > t) != Y).sum() for t in [*scores.ravel(), scores.min() - 1]]
    assert ((scores > model.threshold_) != Y).sum() == min(wrong)


def test_the_union_holds_the_best_label_of_every_instance(problem):
    bags, Y = problem
    model = RankLSIM(threshold="union", scaling="none").fit(bags, Y)
    for bag, labels in zip(bags, model.predict(bags), strict=True):
        best = {int(b) for b in (with_constant(bag) @ model.coef_.T).argmax(axis=1)}
        assert set(np.flatnonzero(labels)) == best
