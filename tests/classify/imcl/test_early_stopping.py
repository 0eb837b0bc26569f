"""The start is kept unless held-out known labels gain by an epoch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from classify.imcl import early_stopping
from classify.imcl import tagger as module
from classify.imcl.early_stopping import held_out_curve
from classify.imcl.tagger import InteractiveTagger
from classify.imcl.variants import VARIANTS
from classify.logistic import LogisticTagger
from classify.metrics import mean_average_precision
from features.errors import InputError
from features.splits import Split


class Start(BaseEstimator):
    """A linear classifier that records what it was fitted to."""

    def fit(self, X, y):
        Start.seen = y.copy()
        self.coef_, self.intercept_ = np.full((y.shape[1], X.shape[1]), 0.5), np.ones(y.shape[1])
        return self


def test_early_stopping_keeps_the_best_epoch_of_rows_it_never_learns_from(problem, monkeypatch):
    X, Y, _ = problem
    train, held_out = np.arange(0, 150), np.arange(150, 200)
    monkeypatch.setattr(module, "inner_split", lambda *_: Split(train, held_out))
    options = {"early_stopping": "rows", "epochs": 6, "patience": 6, "learning_rate": 10.0}
    tagger = InteractiveTagger(**options, init=Start()).fit(X, Y)
    assert (Start.seen[held_out] == -1).all()
    np.testing.assert_array_equal(Start.seen[train], Y[train])
    assert len(tagger.validation_curve_) == 7
    assert tagger.best_epoch_ == np.argmax(tagger.validation_curve_) > 0
    kept = mean_average_precision(Y[held_out], tagger.decision_function(X[held_out]))
    assert kept == pytest.approx(max(tagger.validation_curve_))


def test_early_stopping_may_keep_the_start_and_slows_down(problem, monkeypatch):
    X, Y, _ = problem
    values, rates = iter([0.5, 0.4, 0.45, 0.3, 0.9]), []
    monkeypatch.setattr(early_stopping, "mean_average_precision", lambda *_: next(values))
    epoch = module.Descent.epoch
    monkeypatch.setattr(
        module.Descent, "epoch", lambda self, slower: rates.append(slower) or epoch(self, slower)
    )
    tagger = InteractiveTagger(early_stopping="rows", patience=3, epochs=9).fit(X, Y)
    assert tagger.validation_curve_ == [0.5, 0.4, 0.45, 0.3]
    assert tagger.best_epoch_ == 0
    np.testing.assert_array_equal(tagger.coef_, tagger.initial_coef_)
    np.testing.assert_allclose(rates, [1, 0.8, 0.64])  # 0.45 is below the smoothed 0.47


def test_too_few_rows_to_set_some_aside(problem):
    X, Y, _ = problem
    with pytest.raises(InputError, match="1 training rows are too few to set 1 aside"):
        InteractiveTagger(early_stopping="rows").fit(X[120:121], Y[120:121] | 1)


def test_rows_set_aside_without_a_present_label(problem):
    X, Y, _ = problem
    Y = np.zeros_like(Y)
    Y[0] = 1
    with pytest.raises(InputError, match="undefined on the 20 rows set aside"):
        InteractiveTagger(early_stopping="rows", random_state=0).fit(X, Y)


def kept_the_start(tagger):
    return tagger.best_epoch_ == 0 and np.array_equal(tagger.coef_, tagger.initial_coef_)


def test_the_start_is_that_of_all_rows_and_stays_where_nothing_gains(problem, monkeypatch):
    X, Y, _ = problem

    def harm(self, slower=1.0):
        self.parameters.coef[:] *= -1
        return 0.0

    monkeypatch.setattr(module.Descent, "epoch", harm)
    tagger = InteractiveTagger(epochs=2).fit(X, Y)
    assert kept_the_start(tagger) and tagger.loss_curve_ == []
    start, moved, back = tagger.validation_curve_
    assert moved < start and back == pytest.approx(start)
    whole = LogisticTagger("l2").fit(X, Y)
    np.testing.assert_allclose(tagger.coef_, whole.coef_, rtol=1e-9, atol=1e-12)


def test_as_many_epochs_as_gain_most_follow_on_all_rows(problem, monkeypatch):
    X, Y, truth = problem
    perfect = LogisticTagger("l2", C=100.0).fit(X, truth)
    wrong = InteractiveTagger(epochs=3, scaling="none")
    count = []

    def better(self, slower=1.0):
        count.append(self.rows)
        self.parameters.coef[:] = perfect.coef_ if len(count) % 3 == 2 else -perfect.coef_
        return 0.0

    monkeypatch.setattr(module.Descent, "epoch", better)
    tagger = wrong.fit(X, Y, coef_init=np.zeros((6, 12)), intercept_init=np.zeros(6))
    assert tagger.best_epoch_ == np.argmax(tagger.validation_curve_) == 2
    assert [len(rows) for rows in count[-2:]] == [200, 200] and len(count) == 3 * 3 + 2
    np.testing.assert_allclose(tagger.coef_, perfect.coef_)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_was_published_keeps_its_last_epoch(problem, variant):
    X, Y, _ = problem
    options = {"variant": variant, "scaling": "none", "learning_rate": 1e-3, "epochs": 2}
    default = InteractiveTagger(**options).fit(X, Y)
    rule = "folds" if variant == "default" else "never"
    same = InteractiveTagger(**options, early_stopping=rule).fit(X, Y)
    np.testing.assert_array_equal(default.coef_, same.coef_)
    assert len(default.validation_curve_) == (3 if rule == "folds" else 0)


def test_where_all_labels_are_known_the_start_is_kept_at_once(problem):
    X, _, truth = problem
    tagger = InteractiveTagger().fit(X, truth)
    assert kept_the_start(tagger) and tagger.validation_curve_ == []


@pytest.mark.parametrize("rows", [2, 5])
def test_too_few_rows_for_folds_keep_the_start(problem, rows):
    X, Y, _ = problem
    Y = Y[:rows].copy()
    Y[0] = 1
    assert kept_the_start(InteractiveTagger().fit(X[:rows], Y))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), missing=st.floats(0, 0.95), folds=st.integers(2, 5))
def test_a_random_change_of_scores_is_kept_only_for_a_gain_beyond_its_error(seed, missing, folds):
    rng = np.random.default_rng(seed)
    Y = np.where(rng.random((30, 4)) < missing, -1, rng.integers(0, 2, size=(30, 4)))
    scores = rng.normal(size=(3, 30, 4))
    calls = []

    def scores_of(train, test):
        calls.append(test)
        assert not set(train) & set(test)
        yield from scores[:, test]

    curve, epoch = held_out_curve(Y.astype(np.int8), scores_of, folds=folds, seed=seed)
    assert len(np.unique(np.concatenate([*calls, []]))) == sum(map(len, calls))
    assert epoch == 0 or curve[epoch] == max(curve) > curve[0]
    equal = lambda train, test: iter(scores[[0, 0]][:, test])  # noqa: E731
    assert held_out_curve(Y.astype(np.int8), equal, folds=folds, seed=seed)[1] == 0


def test_a_descent_that_diverges_gains_nothing(problem):
    X, Y, _ = problem
    tagger = InteractiveTagger(learning_rate=1e30, C=1e3).fit(X, Y)
    assert kept_the_start(tagger) and tagger.validation_curve_ == []
