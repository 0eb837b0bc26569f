import numpy as np
import pytest
from sklearn.svm import SVC

from classify.miml.distances import bag_distances
from classify.miml.medoids import k_medoids
from classify.miml.mimlsvm import MIMLSVM


@pytest.mark.parametrize(("start", "medoids"), [([0, 2], [0, 1]), ([1, 3], [0, 1])])
def test_medoids_of_the_worked_example(toy, start, medoids):
    assert k_medoids(bag_distances(toy[0]), np.array(start)).tolist() == medoids


def test_machines_of_the_worked_example(toy, monkeypatch):
    bags, Y, test = toy
    monkeypatch.setattr("classify.miml.mimlsvm.k_medoids", lambda D, start: np.array([0, 2]))
    model = MIMLSVM(ratio=0.5).fit(bags, Y)
    expected = [[1, -1, -1], [1, 0.526901, -1], [-0.420902, 1, -1], [1, -0.527032, -0.290652]]
    np.testing.assert_allclose(model.decision_function(bags), expected, atol=2e-3)
    found = model.decision_function(test)
    np.testing.assert_allclose(found, [[1.039341, 0.337025, -0.850381]], atol=1e-3)
    assert model.predict(test).tolist() == [[1, 1, 0]]


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_machines_are_scikit_learns_on_distances_to_medoids(problem, kernel):
    bags, Y = problem
    model = MIMLSVM(kernel=kernel, gamma=0.7, C=4.0, random_state=3).fit(bags, Y)
    start = np.random.default_rng(3).choice(40, size=8, replace=False)
    z = bag_distances(bags)[:, k_medoids(bag_distances(bags), start)]
    slow = [SVC(kernel=kernel, gamma=0.7, C=4.0).fit(z, y).decision_function(z) for y in Y.T]
    np.testing.assert_allclose(model.decision_function(bags), np.transpose(slow), atol=1e-6)


def test_a_relative_gamma_does_not_depend_on_the_unit(problem):
    bags, Y = problem
    scores = [
        MIMLSVM(gamma=1.0, relative_gamma=True)
        .fit(bags.replace(factor * bags.instances), Y)
        .decision_function(bags.replace(factor * bags.instances))
        for factor in (1.0, 1000.0)
    ]
    np.testing.assert_allclose(*scores, atol=1e-6)
