import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.finetune.cnn_rnn import CnnRnnTagger, label_sequences
from classify.metrics import mean_average_precision
from features.errors import InputError


@parametrize_with_checks([CnnRnnTagger(8, epochs=10, learning_rate=0.1)])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def problem():
    """Label 1 comes with label 0 and looks like nothing else does; label 2 is there or not."""
    rng = np.random.default_rng(0)
    Y = (rng.random((300, 3)) < (0.6, 0.5, 0.3)).astype(np.int8)
    Y[:, 1] &= Y[:, 0]
    return Y @ rng.normal(size=(3, 10)) + 0.2 * rng.normal(size=(300, 10)), Y


@pytest.fixture(scope="module")
def fitted(problem):
    return CnnRnnTagger(16, epochs=40).fit(*problem)


def test_sequences_are_ordered_and_ended():
    present = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1]], dtype=bool)
    expected = [[1, 0, 3], [3, -100, -100], [2, 0, 3]]
    assert label_sequences(present, np.array([2, 1, 0])).tolist() == expected


def test_learns(problem, fitted):
    X, Y = problem
    assert mean_average_precision(Y, fitted.decision_function(X)) > 0.95
    assert (fitted.predict(X) == Y).mean() > 0.95
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0] / 2
    assert fitted.order_.tolist() == np.argsort(-Y.sum(axis=0), kind="stable").tolist()


def test_a_wide_beam_visits_every_sequence(problem, fitted):
    """With every hypothesis kept, a label's score is its largest value after any live prefix."""
    images = fitted._prepare(problem[0][:4])
    network, best = fitted.network_, np.zeros((4, 3))
    with torch.inference_mode():
        projected = network.from_image(images)

        def visit(prefix):
            tokens = torch.tensor([[3, *prefix]]).expand(4, -1)
            states, _ = network.cell(network.embeddings(tokens))
            chances = network.next_scores(states[:, -1], projected).softmax(dim=1).numpy()
            for label in set(range(3)) - set(prefix):
                best[:, label] = np.maximum(best[:, label], chances[:, label])
                visit([*prefix, label])

        visit([])
        found = network.search(images, beam=1000, longest=3)
    np.testing.assert_allclose(found.numpy(), best, rtol=1e-5)


def test_greedy_search_follows_the_likeliest_label(problem, fitted):
    images = fitted._prepare(problem[0][:1])
    network, best, prefix = fitted.network_, np.zeros(3), []
    with torch.inference_mode():
        while True:
            states, _ = network.cell(network.embeddings(torch.tensor([[3, *prefix]])))
            scores = network.next_scores(states[:, -1], network.from_image(images))
            chances = scores.softmax(dim=1).numpy()[0]
            chances[prefix] = 0
            best = np.maximum(best, chances[:3])
            if chances.argmax() == 3 or len(prefix) == 3:
                break
            prefix.append(int(chances.argmax()))
        found = network.search(images, beam=1, longest=3)
    np.testing.assert_allclose(found.numpy()[0], best, rtol=1e-5)


def test_unknown_counts_as_absent_and_seeds_repeat(problem):
    X, Y = problem
    unknown = np.where(np.random.default_rng(0).random(Y.shape) < 0.3, -1, Y)
    first = CnnRnnTagger(8, epochs=2).fit(X, unknown).decision_function(X)
    again = CnnRnnTagger(8, epochs=2).fit(X, np.maximum(unknown, 0)).decision_function(X)
    np.testing.assert_array_equal(first, again)
    other = CnnRnnTagger(8, epochs=2, random_state=1).fit(X, unknown).decision_function(X)
    assert not np.array_equal(first, other)
    with pytest.raises(InputError, match="'hidden' parameter of CnnRnnTagger must be an int"):
        CnnRnnTagger(0).fit(X, Y)


def test_divergence_is_one_line(problem):
    X, Y = problem
    with pytest.raises(InputError, match="training diverged in epoch 1: learning_rate=1e.36 is"):
        CnnRnnTagger(8, learning_rate=1e36, epochs=5).fit(X.astype(np.float32), Y)
