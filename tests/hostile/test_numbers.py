"""Huge features, fits without finite weights and NaN scores: each is one line, none passes."""

import numpy as np
import pytest

from classify.baselines.curriculum import CurriculumTagger
from classify.baselines.fast0tag import Fast0TagTagger
from classify.baselines.latent_noise import LatentNoiseTagger
from classify.baselines.wsabie import WsabieTagger
from classify.imcl.tagger import InteractiveTagger
from classify.logistic import LogisticTagger
from classify.metrics import METRICS, class_average_precision, topk
from classify.metrics.calibration import brier_score, expected_calibration_error
from classify.metrics.label_groups import group_map
from classify.warp.semi_supervised import SemiSupervisedTagger
from classify.warp.tagger import WarpTagger
from features.errors import InputError

TAGGERS = (
    LogisticTagger("l1"),
    LogisticTagger("l2"),
    LogisticTagger("l1", solver="liblinear"),
    LogisticTagger("l2", solver="liblinear"),
    WarpTagger(epochs=2),
    WarpTagger("bce", C=1.0, epochs=2),
    WarpTagger("softmax", center=False, epochs=2),
    SemiSupervisedTagger(),
    SemiSupervisedTagger(LogisticTagger("l2")),
    InteractiveTagger(epochs=1, validation_folds=2),
    InteractiveTagger.from_preset("paper"),
    LatentNoiseTagger(epochs=2),
    WsabieTagger(epochs=2),
    Fast0TagTagger(epochs=2),
    CurriculumTagger(),
)
by_tagger = pytest.mark.parametrize("tagger", TAGGERS, ids=lambda one: repr(one)[:60])


@pytest.fixture(scope="module")
def problem():
    """30 rows of 6 features, 4 labels; those of 5 rows are unknown."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 6)), (rng.random((30, 4)) < 0.4).astype(np.int8)
    Y[0], Y[5:10] = 1, -1
    return X, Y


def one_cell(X, value):
    X = X.copy()
    X[3, 2] = value
    return X


HUGE = {
    "float32, one cell of 1e30": lambda X: one_cell(X, 1e30).astype(np.float32),
    "float32, all near 1e30": lambda X: (X * 1e30).astype(np.float32),
    "float32, the largest": lambda X: np.full_like(X, np.finfo(np.float32).max, np.float32),
    "float64, one cell of 1e300": lambda X: one_cell(X, -1e300),
    "float64, all near 1e200": lambda X: X * 1e200,
}


@by_tagger
@pytest.mark.parametrize("name", HUGE)
def test_features_whose_squares_overflow_are_refused(problem, tagger, name):
    X, Y = problem
    with pytest.raises(InputError, match=r"X has .* in row \d+, column \d.* divide the features"):
        tagger.fit(HUGE[name](X), Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # said, not silent
@by_tagger
@pytest.mark.parametrize("factor", [1e-40, 1e15])
def test_small_and_large_features_give_finite_weights_or_one_line(problem, tagger, factor):
    X, Y = problem
    try:
        fitted = tagger.fit(X * factor, Y)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert all(np.isfinite(array).all() for array in fitted.to_arrays().values())
    assert np.isfinite(fitted.decision_function(X * factor)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_fit_that_is_not_finite_raises(problem, value):
    class Broken(LogisticTagger):
        def fit(self, X, y):
            super().fit(X, y)
            self.coef_[1, 2] = value
            return self

    with pytest.raises(InputError, match="the fit gave coef_ with NaN or infinite values"):
        Broken("l2").fit(*problem)


def test_a_path_with_a_fit_that_is_not_finite_raises(problem, monkeypatch):
    solve = LogisticTagger._solve

    def broken(self, X, loss, Cs):
        solutions = solve(self, X, loss, Cs)
        solutions[-1].intercept[0] = np.nan
        return solutions

    monkeypatch.setattr(LogisticTagger, "_solve", broken)
    with pytest.raises(InputError, match="the fit gave intercept_ with NaN"):
        LogisticTagger("l2").fit_path(*problem, [0.1, 1.0])


@pytest.mark.parametrize("where", ["all", "one known cell", "one unknown cell"])
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_refuses_nan_scores(problem, name, where):
    _, Y = problem
    scores = np.random.default_rng(1).normal(size=Y.shape)
    place = {"all": np.s_[:], "one known cell": (0, 0), "one unknown cell": (6, 0)}[where]
    if name != "accuracy":  # which is for one label per image
        assert np.isfinite(METRICS[name].function(Y, scores))
    scores[place] = np.nan
    with pytest.raises(InputError, match=r"\d+ scores are NaN"):
        METRICS[name].function(Y, scores)


@pytest.mark.parametrize(
    "metric",
    [
        class_average_precision,
        expected_calibration_error,
        brier_score,
        lambda Y, P: group_map(Y, P, np.ones(Y.shape[1])),
        lambda Y, P: topk(P, 2),
    ],
)
def test_metrics_without_a_name_refuse_nan_too(problem, metric):
    _, Y = problem
    P = np.full(Y.shape, 0.5)
    P[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        metric(Y, P)
