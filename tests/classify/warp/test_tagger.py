import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.svm import SVC
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

from classify import losses
from classify.logistic import LogisticTagger
from classify.losses import ranking, warp
from classify.metrics import METRICS
from classify.sgd import Settings, sgd_epochs
from classify.warp import tagger as module
from classify.warp.tagger import WarpTagger
from features.errors import InputError
from features.splits import Split
from tests.classify.losses.test_ranking import literal_warp

LOSSES = list(losses.LOSSES)


@parametrize_with_checks(
    [WarpTagger(epochs=5), WarpTagger(rank_mode="sample", epochs=5), WarpTagger("bce", epochs=5)]
)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture
def problem():
    """240 rows of 30 features, 6 labels of which 1 to 4 are present; a linear model fits them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 30)) + 1
    scores = X @ rng.normal(size=(30, 6))
    scores -= scores.mean(axis=0) + np.linspace(-2, 4, 6)
    Y = (scores > 0).astype(np.int8)
    Y[np.arange(240), scores.argmax(axis=1)] = 1
    return X, Y


def objective(tagger, X, Y, loss):
    """Mean loss plus decay, recomputed from the coefficients."""
    scale = np.linalg.norm(X, axis=1).mean()
    divisor = tagger.divisor or losses.LOSSES[tagger.loss].loss_scale
    data = loss(X @ tagger.coef_.T + tagger.intercept_, Y)[0].mean() / divisor
    return data + tagger.weight_decay / 2 * ((tagger.coef_ * scale) ** 2).sum()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_to_rank(problem, loss):
    X, Y = problem
    tagger = WarpTagger(loss, kappa=0.0 if loss == "hinge" else 5.0, epochs=60).fit(
        X[:160], Y[:160]
    )
    untrained = METRICS["ranking_loss"].function(Y[160:], np.tile(Y[:160].mean(axis=0), (80, 1)))
    trained = METRICS["ranking_loss"].function(Y[160:], tagger.decision_function(X[160:]))
    assert trained < untrained / 3
    assert tagger.loss_curve_[-1] < tagger.loss_curve_[0]


def test_cross_entropy_reaches_the_optimum_of_liblinear(problem):
    X, Y = problem
    decay, scale = 0.01, np.linalg.norm(X, axis=1).mean()
    ours = WarpTagger("bce", center=False, weight_decay=decay, batch_size=240, epochs=800).fit(X, Y)
    C = 1 / (len(X) * decay)
    peer = LogisticTagger("l2", C=C, solver="liblinear", bias="unpenalized", tol=1e-10)
    peer.fit(X / scale, Y)
    np.testing.assert_allclose(ours.coef_ * scale, peer.coef_, atol=0.01)
    reached = objective(ours, X, Y, ranking.bce_loss)
    assert reached == pytest.approx(peer.objective_.sum() / C / len(X), rel=1e-6)


def test_hinge_of_one_label_reaches_the_optimum_of_libsvm(problem):
    X, Y = problem
    decay, scale = 0.01, np.linalg.norm(X, axis=1).mean()
    tagger = WarpTagger("hinge", divisor=5.0, weight_decay=decay, batch_size=240, epochs=2000)
    tagger.set_params(center=False, learning_rate=0.3, average=True).fit(X, Y[:, 2])
    peer = SVC(kernel="linear", C=1 / (len(X) * decay), tol=1e-6).fit(X / scale, Y[:, 2])
    margins = np.where(Y[:, 2], 1, -1) * peer.decision_function(X / scale)
    optimum = np.maximum(0, 1 - margins).mean() + decay / 2 * (peer.coef_**2).sum()

    def hinge(scores, labels):
        return warp.warp_loss(scores, labels, beta=0.0)

    reached = objective(tagger, X, Y[:, 2:3], hinge)
    assert optimum <= reached * (1 + 1e-6)
    assert reached == pytest.approx(optimum, rel=2e-3)


def test_rare_labels_need_a_warm_up_or_a_start_to_stay_on_the_ramp():
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(600, 40)))
    scores = X @ rng.normal(size=(40, 8))
    Y = (scores > np.quantile(scores, 0.95, axis=0)).astype(np.int8)
    Y[:, 0] = scores[:, 0] > np.quantile(scores[:, 0], 0.3)

    def found(**more):
        return WarpTagger(epochs=60, **more).fit(X, Y).predict(X)[:, 1:][Y[:, 1:] == 1].mean()

    assert found(warm_up=0.0) < 0.1
    assert found() > 0.6
    assert found(warm_up=0.0, init=LogisticTagger("l2")) > 0.6
    assert found(warm_up=1.0) == found(loss="hinge")


def test_a_step_of_the_worked_example_is_its_outer_product():
    # One image, its scores given as intercepts; the draws find violators at once and at the second.
    x = np.array([[1.0, -2.0, 0.5]])
    scores = np.array([0.2, -1.5, 0.9, -0.4, 0.1, -2.0])
    uniforms = np.array([[0.1, 0.9, 0, 0, 0, 0]])
    options = {"momentum": 0.0, "weight_decay": 0.0, "batch_size": 1, "epochs": 1}
    plain = Settings(learning_rate=1.0, center=None, scale=1.0, average=False, **options)

    def loss(rows, found, epoch):
        labels = np.array([[1, 1, 0, 0, 0, 0]], dtype=np.int8)
        return warp.warp_loss(found, labels, rank_mode="sample", uniforms=uniforms)

    start, rng = (np.zeros((6, 3)), scores), np.random.default_rng(0)
    (epoch,) = sgd_epochs(x, np.array([0]), loss, *start, settings=plain, rng=rng)
    np.testing.assert_allclose(-epoch.coef[0], [-9.5, 19, -4.75], atol=1e-5)
    np.testing.assert_allclose(-epoch.coef[1], [-2.283333, 4.566667, -1.141667], atol=1e-5)


def test_a_fit_is_the_written_descent_image_by_image_and_pair_by_pair(problem):
    X, Y = problem[0][:40], problem[1][:40].copy()
    Y[::7, 2] = -1
    options = {"learning_rate": 0.5, "epochs": 4, "batch_size": 15, "weight_decay": 0.01}
    tagger = WarpTagger(warm_up=0.5, beta=0.9, center=False, random_state=1, **options).fit(X, Y)
    scale = np.linalg.norm(X, axis=1).mean()
    rng = np.random.default_rng(check_random_state(1).randint(2**31 - 1))
    W, b = np.zeros((6, 30)), np.zeros(6)
    V, v = np.zeros_like(W), np.zeros_like(b)
    for epoch, rate in enumerate([0.5, 0.5, 0.5, 0.05]):  # a tenth after 60 % of the epochs
        order = rng.permutation(40)
        for batch in (order[:15], order[15:30], order[30:]):
            decay, shift = 0.01 * W, np.zeros_like(b)
            for x, y in zip(X[batch] / scale, Y[batch].tolist(), strict=True):
                beta = 0.0 if epoch < 2 else 0.9
                ranks = {"rank_mode": "expected", "rounding": "floor"}
                scores = (W @ x + b).tolist()
                _, slope = literal_warp(scores, y, beta=beta, kappa=5.0, **ranks)
                decay = decay + np.outer(slope, x) / 20 / len(batch)
                shift += np.array(slope) / 20 / len(batch)
            V, v = 0.9 * V - rate * decay, 0.9 * v - rate * shift
            W, b = W + V, b + v
    np.testing.assert_allclose(tagger.coef_ * scale, W, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(tagger.intercept_, b, rtol=1e-7, atol=1e-9)


def test_rows_without_a_known_label_or_a_weight_take_no_part(problem):
    X, Y = problem
    partial, weights = Y.copy(), np.ones(len(X))
    partial[[3, 50]], weights[[4, 60]] = -1, 0
    used = np.setdiff1d(np.arange(len(X)), [3, 4, 50, 60])
    X = X.copy()
    X[3] = 1e3
    whole = WarpTagger(epochs=5).fit(X, partial, sample_weight=weights)
    np.testing.assert_array_equal(whole.coef_, WarpTagger(epochs=5).fit(X[used], Y[used]).coef_)


def test_weights_count_relative_to_their_mean(problem):
    X, Y = problem
    once = WarpTagger(epochs=5).fit(X, Y).coef_
    thrice = WarpTagger(epochs=5).fit(X, Y, sample_weight=np.full(len(X), 3.0)).coef_
    np.testing.assert_allclose(thrice, once, rtol=1e-9)
    double = np.where(Y[:, 0] == 1, 2.0, 1.0)
    assert not np.allclose(WarpTagger(epochs=5).fit(X, Y, sample_weight=double).coef_, once)


@pytest.mark.parametrize("rank_mode", ["expected", "sample"])
def test_a_seed_settles_every_bit_whatever_the_threads(problem, rank_mode, monkeypatch):
    X, Y = problem
    X = np.tile(X, 20)  # wide enough for a product to be shared between threads
    threads, warp_loss = set(), warp.warp_loss

    def spy(*args, **kwargs):
        threads.update(
            pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
        )
        return warp_loss(*args, **kwargs)

    def fit(seed):
        options = {"rank_mode": rank_mode, "early_stopping": True, "epochs": 3}
        return WarpTagger(init=LogisticTagger("l2"), random_state=seed, **options).fit(X, Y).coef_

    with threadpool_limits(1):
        first = fit(3)
    monkeypatch.setattr(warp, "warp_loss", spy)
    with threadpool_limits(2):
        np.testing.assert_array_equal(fit(3), first)
    assert threads == {1}
    assert not np.array_equal(fit(4), first)


def test_centring_changes_the_way_and_not_what_the_coefficients_are_for(problem):
    X, Y = problem
    options = {"loss": "bce", "weight_decay": 0.01, "batch_size": 240, "epochs": 800}
    scale = np.linalg.norm(X - X.mean(axis=0), axis=1).mean() / np.linalg.norm(X, axis=1).mean()
    centered = WarpTagger(**options).fit(X, Y)
    # The decay is that of features divided by their length, and centered ones are shorter.
    plain = WarpTagger(center=False, **{**options, "weight_decay": 0.01 * scale**2}).fit(X, Y)
    np.testing.assert_allclose(centered.decision_function(X), plain.decision_function(X), atol=0.05)
    few = {**options, "epochs": 20}
    losses = [
        WarpTagger(**few, center=center).fit(X + 5, Y).loss_curve_[-1] for center in (False, True)
    ]
    assert losses[1] < 0.8 * losses[0]


def test_early_stopping_keeps_the_best_epoch_of_rows_it_never_trains_on(problem, monkeypatch):
    X, Y = problem
    train, held_out = np.arange(0, 200), np.arange(200, 240)
    monkeypatch.setattr(module, "inner_split", lambda *_: Split(train, held_out))
    options = {"epochs": 12, "batch_size": 1000, "validation_metric": "ranking_loss"}
    tagger = WarpTagger(early_stopping=True, patience=12, **options).fit(X, Y)
    alone = WarpTagger(**options).fit(X[train], Y[train])
    np.testing.assert_allclose(tagger.loss_curve_, alone.loss_curve_, rtol=1e-9)
    assert tagger.best_epoch_ == 1 + np.argmin(tagger.validation_curve_)
    kept = METRICS["ranking_loss"].function(Y[held_out], tagger.decision_function(X[held_out]))
    assert kept == min(tagger.validation_curve_)


def test_early_stopping_stops_after_patience_epochs_without_a_better_one(problem, monkeypatch):
    X, Y = problem
    values = iter([0.3, 0.5, 0.4, 0.5, 0.1, 0.9])
    metric = METRICS["top3_f1_macro"]._replace(function=lambda *_: next(values))
    monkeypatch.setitem(METRICS, "top3_f1_macro", metric)
    tagger = WarpTagger(early_stopping=True, patience=3).fit(X, Y)
    assert tagger.validation_curve_ == [0.3, 0.5, 0.4, 0.5, 0.1]
    assert tagger.best_epoch_ == 2
    assert len(tagger.loss_curve_) == 5


class Start(BaseEstimator):
    """A linear classifier that records what it was fitted to."""

    def fit(self, X, y, sample_weight=None):
        Start.seen = y.copy()
        self.coef_, self.intercept_ = np.full((y.shape[1], X.shape[1]), 0.5), np.ones(y.shape[1])
        return self


def test_init_gives_the_start_and_does_not_see_rows_set_aside(problem):
    X, Y = problem
    tagger = WarpTagger(init=Start(), epochs=1, learning_rate=1e-12, early_stopping=True)
    tagger.fit(X, Y)
    np.testing.assert_allclose(tagger.coef_, 0.5)
    np.testing.assert_allclose(tagger.intercept_, 1)
    hidden = (Start.seen == -1).all(axis=1)
    assert hidden.sum() == 24
    np.testing.assert_array_equal(Start.seen[~hidden], Y[~hidden])


def test_a_start_from_logistic_regression_honors_unknown_labels(problem):
    X, Y = problem
    partial = np.where(np.random.default_rng(0).random(Y.shape) < 0.3, -1, Y)
    tagger = WarpTagger(init=LogisticTagger("l2", tol=1e-8), epochs=1, learning_rate=1e-12)
    tagger.fit(X, partial)
    for j in range(Y.shape[1]):
        known = partial[:, j] >= 0
        alone = LogisticTagger("l2", tol=1e-8).fit(X[known], Y[known, j])
        np.testing.assert_allclose(tagger.coef_[j], alone.coef_[0], atol=1e-3)
        np.testing.assert_allclose(tagger.intercept_[j], alone.intercept_[0], atol=1e-3)


def test_a_start_that_is_no_linear_model(problem):
    with pytest.raises(InputError, match=r"DummyClassifier.* has no coef_ of shape \(6, 30\)"):
        WarpTagger(init=DummyClassifier()).fit(*problem)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 1e308}, "diverge.* epoch 1.* learning_rate=1e.308 is too large"),
        ({"learning_rate": 1e6, "loss": "bce"}, "diverges: after epoch 1 the mean objective is"),
        ({"learning_rate": 1e6}, "diverges: .* learning_rate=1e.06 is too large, divide it by 10"),
        ({"learning_rate": 1e2, "weight_decay": 1.0}, "diverges: after epoch"),
    ],
)
def test_a_diverging_learning_rate_is_a_clear_error(problem, options, message):
    X, Y = problem
    with pytest.raises(InputError, match=message):
        WarpTagger(**options).fit(X, Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "logistic"}, "The 'loss' parameter of WarpTagger must be one of 'ramp', 'bce'"),
        ({"beta": 1.1}, "'beta' parameter"),
        ({"average": 1}, "'average' parameter of WarpTagger must be True or False. Got 1"),
        ({"validation_metric": "f1"}, "'validation_metric' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
    ],
)
def test_wrong_parameters(problem, options, message):
    with pytest.raises(InputError, match=message):
        WarpTagger(**options).fit(*problem)


@pytest.mark.parametrize(("loss", "kappa"), [("hinge", 0.0), ("softmax", 5.0), ("lsep", 5.0)])
def test_one_label_can_not_be_ranked(problem, loss, kappa):
    X, Y = problem
    with pytest.raises(InputError, match="ranks labels against each other"):
        WarpTagger(loss, kappa=kappa).fit(X, Y[:, 0])


def test_nothing_to_learn_from(problem):
    X, Y = problem
    weights = np.ones(len(X))
    Y = Y.copy()
    Y[:-1], weights[-1] = -1, 0
    with pytest.raises(InputError, match="no row has both a known label and a sample_weight"):
        WarpTagger().fit(X, Y, sample_weight=weights)


def test_rows_set_aside_without_a_present_label(problem):
    X, Y = problem
    Y = np.zeros_like(Y)
    Y[0] = 1
    with pytest.raises(InputError, match="undefined on the 24 rows set aside"):
        WarpTagger(early_stopping=True, validation_metric="map", random_state=0).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("paper", {"beta": 1.0, "kappa": 5.0, "rounding": "floor"}),
        ("official", {"beta": 0.9, "kappa": 5.0, "rounding": "round"}),
    ],
)
def test_presets_are_those_losses_from_the_first_step(problem, name, options):
    X, Y = problem
    start, whole = LogisticTagger("l2").fit(X, Y), {"epochs": 1, "batch_size": 240}
    tagger = WarpTagger.from_preset(name, init=LogisticTagger("l2"), random_state=4, **whole)
    tagger.fit(X, Y)
    rng = np.random.default_rng(check_random_state(4).randint(2**31 - 1))
    rng.random(Y.shape)  # drawn for the loss of scores that are all zero
    order, uniforms = rng.permutation(240), rng.random(Y.shape)
    values, _ = warp.warp_loss(
        start.decision_function(X)[order],
        Y[order],
        rank_mode="sample",
        uniforms=uniforms,
        **options,
    )
    assert tagger.loss_curve_ == [pytest.approx(values.mean() / 20, rel=1e-6)]
    assert WarpTagger.from_preset(name, warm_up=0.3).warm_up == 0.3


def test_an_unknown_preset():
    with pytest.raises(InputError, match="no preset 'code': choose one of paper, official"):
        WarpTagger.from_preset("code")


def test_progress_is_shown_on_stderr_when_asked_for(problem, capsys):
    WarpTagger(epochs=2).fit(*problem)
    assert capsys.readouterr().err == ""
    WarpTagger(epochs=2, verbose=True).fit(*problem)
    captured = capsys.readouterr()
    assert "2/2" in captured.err
    assert captured.out == ""
