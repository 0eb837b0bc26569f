import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from classify.miml import dba_inference
from classify.miml.dba import DBA, log_words_of, solve_labels, start
from classify.miml.dba_inference import (
    bound_points,
    expected_logs,
    infer,
    lower_bound,
    moments,
    newton_alpha,
    tau,
)
from features.bags.packed import Bags
from features.errors import InputError

WORDS = [0, 1, 0, 2, 2, 2, 1, 1, 0]
SIZES = [2, 2, 3, 2]


@pytest.fixture
def words():
    return Bags(np.eye(3)[WORDS], np.array(SIZES))


def run(log_words, bags, phi, slope, bias, Y, sweeps, alpha=1.0, labeled=True):
    given = (np.full(phi.shape[1], alpha), slope, bias, Y, labeled, sweeps, 1e-6)
    infer(log_words, bags.starts, bags.sizes, phi, *given)
    return phi


def test_the_m_step_of_the_worked_example(toy, words):
    _, Y, _ = toy
    phi = start(Y)[words.owners]
    mu, e2 = moments(phi, words)
    np.testing.assert_allclose(mu, [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0.5, 0, 0.5]])
    expected = [[1, 0, 0], [0.375, 0.375, 0], [0, 1, 0], [0.375, 0, 0.375]]
    np.testing.assert_allclose(e2, expected)
    beta = np.exp(log_words_of(phi, words.instances, 0.01))
    expected = [[0.498759, 0.374690, 0.126551], [0.126551, 0.250620, 0.622829]]
    np.testing.assert_allclose(beta, [*expected, [0.495146, 0.495146, 0.009709]], atol=1e-6)
    slope, bias = solve_labels(mu, e2, np.ones(Y.shape), Y)
    np.testing.assert_allclose(slope, [2.885254, 3.994967, 5.193413], atol=1e-4)
    np.testing.assert_allclose(bias, [-0.360650, -1.498111, -1.731151], atol=1e-4)


def test_the_e_step_and_the_bound_of_the_worked_example(toy, words):
    _, Y, _ = toy
    phi = start(Y)[words.owners]
    log_words = words.instances @ log_words_of(phi, words.instances, 0.01).T
    slope, bias = np.full(3, 2.0), np.full(3, -1.0)
    run(log_words, words, phi, slope, bias, Y, 1)
    expected = [[0.711977, 0.180651, 0.107372], [0.151443, 0.846745, 0.001812]]
    np.testing.assert_allclose(phi[2:4], expected, atol=1e-5)
    mu = [
        [0.860490, 0.039606, 0.099903],
        [0.431710, 0.513698, 0.054592],
        [0.050291, 0.899659, 0.050050],
        [0.456472, 0.030316, 0.513212],
    ]
    np.testing.assert_allclose(moments(phi, words)[0], mu, atol=1e-5)
    bound = lower_bound(log_words, words, phi, np.ones(3), slope, bias, Y)
    assert bound == pytest.approx(-18.513911, abs=1e-5)


@pytest.mark.parametrize(
    ("sweeps", "mu"), [(1, [0.305927, 0.466721, 0.227352]), (500, [0.293900, 0.513280, 0.192819])]
)
def test_an_unlabeled_bag_of_the_worked_example(toy, words, sweeps, mu):
    log_beta = log_words_of(start(toy[1])[words.owners], words.instances, 0.01)
    test = Bags(np.eye(3)[[0, 2]], np.array([2]))
    phi, unused = np.full((2, 3), 1 / 3), np.zeros((1, 3), np.int8)
    given = (np.full(3, 2.0), np.full(3, -1.0), unused, sweeps)
    run(test.instances @ log_beta.T, test, phi, *given, labeled=False)
    found = moments(phi, test)[0]
    np.testing.assert_allclose(found, [mu], atol=2e-5)
    if sweeps > 1:
        np.testing.assert_allclose(1 + phi.sum(axis=0), [1.587801, 2.026560, 1.385639], atol=4e-5)
    if sweeps == 1:
        np.testing.assert_allclose(-1 + 2 * found, [[-0.388146, -0.066558, -0.545296]], atol=1e-5)


def slow_sweep(log_words, bags, phi, alpha, slope, bias, Y):
    """Update instance by instance, every expectation taken from its definition."""
    phi = phi.copy()
    for i, first in enumerate(bags.starts):
        M = bags.sizes[i]
        here = phi[first : first + M]
        gamma = alpha + here.sum(axis=0)
        mu = here.mean(axis=0)
        second = mu**2 + (here * (1 - here)).sum(axis=0) / M**2
        xi = np.sqrt(bias**2 + 2 * bias * slope * mu + slope**2 * second)
        quadratic = np.tanh(xi / 2) / (4 * xi)
        for m in range(M):
            others = np.delete(here, m, axis=0).sum(axis=0)
            value = digamma(gamma) - digamma(gamma.sum()) + log_words[first + m]
            value += slope / M * (Y[i] - 0.5)
            value -= quadratic * (2 * bias * slope / M + slope**2 / M**2 * (1 + 2 * others))
            here[m] = np.exp(value - value.max())
            here[m] /= here[m].sum()
    return phi


def test_a_loop_over_definitions_agrees(problem):
    bags, Y = problem
    rng = np.random.default_rng(0)
    phi = rng.dirichlet(np.ones(5), len(bags.instances))
    log_words, slope, bias = rng.normal(size=phi.shape), rng.random(5) * 4, rng.normal(size=5)
    expected = slow_sweep(log_words, bags, phi, 0.3, slope, bias, Y)
    found = run(log_words, bags, phi, slope, bias, Y, 1, alpha=0.3)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_the_label_step_is_a_maximum(problem):
    bags, Y = problem
    phi = np.random.default_rng(0).dirichlet(np.ones(5), len(bags.instances))
    mu, e2 = moments(phi, bags)
    xi = bound_points(mu, e2, np.full(5, 2.0), np.full(5, -1.0))

    def value(slope, bias):
        second = bias**2 + 2 * bias * slope * mu + slope**2 * e2
        return ((Y - 0.5) * (bias + slope * mu) - tau(xi) * second).sum(axis=0)

    slope, bias = solve_labels(mu, e2, xi, Y)
    for step in (0.01, -0.01):
        assert (value(np.maximum(slope + step, 0), bias) <= value(slope, bias) + 1e-5).all()
        assert (value(slope, bias + step) <= value(slope, bias) + 1e-5).all()


@pytest.mark.parametrize("vocabulary", ["kmeans", "channels"])
def test_the_bound_never_falls(problem, vocabulary):
    bags, Y = problem
    model = DBA(words=10, vocabulary=vocabulary, rounds=12).fit(bags, Y)
    assert len(model.bound_curve_) == 24
    assert (np.diff(model.bound_curve_) > -1e-6).all()


def test_alpha_moves_to_the_maximum_of_its_part_of_the_bound(problem):
    bags, _ = problem
    phi = np.random.default_rng(0).dirichlet(np.ones(5) / 2, len(bags.instances))
    expected, alpha = expected_logs(moments(phi, bags)[0], bags.sizes, np.ones(5)), np.ones(5)

    def loss(logs):
        alpha = np.exp(logs)
        value = gammaln(alpha.sum()) - gammaln(alpha).sum()
        return -(len(bags) * value + ((alpha - 1) * expected).sum())

    for _ in range(30):
        moved = newton_alpha(alpha, expected)
        assert loss(np.log(moved)) <= loss(np.log(alpha))
        alpha = moved
    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(alpha, np.exp(best.x), rtol=1e-5)


def test_the_bound_rises_with_a_learnt_alpha_and_ends_above(problem):
    bags, Y = problem
    fixed, learnt = (
        DBA(words=10, rounds=12, learn_alpha=flag).fit(bags, Y) for flag in (False, True)
    )
    assert (np.diff(learnt.bound_curve_) > -1e-6).all()
    assert learnt.bound_curve_[-1] > fixed.bound_curve_[-1]
    assert (fixed.alpha_ == 1).all() and len(set(learnt.alpha_)) == 5


def test_digamma_is_scipys():
    x = np.geomspace(0.01, 1000, 50)
    np.testing.assert_allclose([dba_inference.digamma(v) for v in x], digamma(x), rtol=1e-12)


def test_counts_must_be_counts(problem):
    with pytest.raises(InputError, match="'counts' takes whole numbers of 0 or more"):
        DBA(vocabulary="counts").fit(*problem)
    counts = problem[0].replace(np.rint(np.abs(problem[0].instances) * 3))
    assert DBA(vocabulary="counts").fit(counts, problem[1]).log_beta_.shape == (5, 4)
