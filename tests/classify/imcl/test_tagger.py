import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.imcl import label_graph
from classify.imcl.joint_omp import Neighbors
from classify.imcl.label_graph import given_graph
from classify.imcl.loss import LabelRules, Parameters
from classify.imcl.neighbors import NeighborPool, NeighborSearch, Source
from classify.imcl.tagger import InteractiveTagger
from classify.imcl.variants import Variant
from classify.logistic import LogisticTagger
from classify.metrics import mean_average_precision
from features.cache import FeatureCache
from features.errors import InputError
from features.rows import CacheRows
from tests.caches import write_cache, write_data

#: A descent that is always made, as the last epoch is kept.
ALWAYS = {"early_stopping": "never"}
QUICK = {"epochs": 2, "steps": 3, **ALWAYS}


@parametrize_with_checks(
    [
        InteractiveTagger(epochs=1, validation_folds=2),
        InteractiveTagger(variant=Variant(pool="minibatch"), feature_map=True, epochs=1, **ALWAYS),
        InteractiveTagger.from_preset("official", scaling="center"),
    ]
)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("feature_map", [False, True])
def test_without_weights_it_is_masked_logistic_regression(problem, feature_map):
    X, Y, truth = problem
    for y in (Y, truth):
        tagger = InteractiveTagger(lambda_y=0, lambda_f=0, feature_map=feature_map).fit(X, y)
        start = LogisticTagger("l2").fit(X, y)
        np.testing.assert_allclose(tagger.coef_, start.coef_, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(tagger.intercept_, start.intercept_, rtol=1e-9, atol=1e-12)


def test_without_neighbors_it_is_masked_logistic_regression(problem):
    X, Y, _ = problem
    tagger = InteractiveTagger(k=0, graph="identity").fit(X, Y)
    start = LogisticTagger("l2").fit(X, Y)
    np.testing.assert_allclose(tagger.decision_function(X), start.decision_function(X), atol=1e-9)


@pytest.mark.parametrize("scaling", ["center", "length", "none"])
def test_the_descent_itself_stays_at_the_logistic_optimum(problem, scaling, monkeypatch):
    X, Y, truth = problem

    def nobody(self, parameters, batch, numbers):
        empty = np.zeros((len(numbers), 2))
        return Neighbors(np.full((len(numbers), 2), -1), empty, empty)

    monkeypatch.setattr(NeighborPool, "find", nobody)
    options = {"batch_size": 1000, "epochs": 20, "learning_rate": 0.1, **ALWAYS}
    for y in (Y, truth):
        start = LogisticTagger("l2", tol=1e-10).fit(X, y)
        for reduction in ("mean", "sum"):
            variant = Variant(reduction=reduction)
            tagger = InteractiveTagger(variant=variant, scaling=scaling, **options)
            tagger.fit(X, y, coef_init=start.coef_, intercept_init=start.intercept_)
            np.testing.assert_allclose(tagger.coef_, start.coef_, atol=1e-4)
            np.testing.assert_allclose(tagger.intercept_, start.intercept_, atol=1e-4)
            away = InteractiveTagger(variant=variant, scaling=scaling, **options)
            away.fit(X, y, coef_init=0 * start.coef_, intercept_init=start.intercept_)
            assert away.loss_curve_[-1] < away.loss_curve_[0]


def test_it_descends_and_moves_the_label_graph_within_its_bounds(problem):
    X, Y, _ = problem
    tagger = InteractiveTagger(epochs=15, refresh=2, **ALWAYS).fit(X, Y)
    assert tagger.loss_curve_[-1] < tagger.loss_curve_[0]
    assert not np.allclose(tagger.coef_, tagger.initial_coef_)
    weights = tagger.graph_.weights
    assert weights.min() >= 0
    assert weights.max() <= 1
    start = InteractiveTagger(learn_graph=False, epochs=15, **ALWAYS).fit(X, Y).graph_
    np.testing.assert_array_equal(start.sources, tagger.graph_.sources)
    assert not np.allclose(start.weights, weights)
    np.testing.assert_allclose(start.matrix().sum(axis=0), 1, rtol=1e-6)


def test_weights_are_relative_to_the_losses_at_the_start(problem):
    X, Y, _ = problem
    still = {"batch_size": 200, "epochs": 1, "learning_rate": 1e-12, **ALWAYS}
    ratio = InteractiveTagger(lambda_y=1, **still).fit(X, Y)
    raw = InteractiveTagger(variant=Variant(lambda_mode="raw"), lambda_y=ratio.lambda_y_, **still)
    raw.fit(X, Y)
    assert raw.lambda_y_ == ratio.lambda_y_
    bare = LogisticTagger("l2").fit(X, Y)
    known = Y >= 0
    margins = np.where(Y == 1, 1, -1) * bare.decision_function(X)
    classifier = np.log1p(np.exp(-margins))[known].mean()
    penalty = 0.5 * ((bare.coef_**2).sum() + (bare.intercept_**2).sum()) / known.sum()
    # The label part is as large as the logistic loss; lambda_f alone is as large as a half.
    assert ratio.loss_curve_[0] == pytest.approx(2.5 * classifier + penalty, rel=1e-3)


def test_it_ranks_better_than_its_start_where_labels_go_together_and_most_are_unknown():
    """20 labels in 4 groups, 200 training rows with 4 of 5 labels unknown."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = np.abs(rng.normal(size=(300, 40)))
        shared = (X @ rng.normal(size=(40, 4)) / np.sqrt(40)).repeat(5, axis=1)
        scores = shared + 0.3 * rng.normal(size=(300, 20))
        truth = (scores > np.quantile(scores, 0.75, axis=0)).astype(np.int8)
        Y = np.where(rng.random((200, 20)) < 0.8, -1, truth[:200])
        start = LogisticTagger("l2").fit(X[:200], Y)
        tagger = InteractiveTagger(lambda_y=5.0, learning_rate=1.0, **ALWAYS).fit(X[:200], Y)
        before, after = (
            mean_average_precision(truth[200:], model.decision_function(X[200:]))
            for model in (start, tagger)
        )
        assert after > before + 0.003


def test_side_information_chooses_the_neighbors():
    rng = np.random.default_rng(0)
    X, Y = np.abs(rng.normal(size=(30, 4))), rng.integers(0, 2, size=(30, 3)).astype(np.int8)
    side = np.eye(3, dtype=np.int8)[np.arange(30) % 3]
    side[0] = -1
    source = Source(X, Y, side, 10.0, np.zeros(4), 1.0, LabelRules())
    rows = np.arange(30)
    assert source.read(rows[:2]).side.tolist() == [[0, 0, 0], [-0.5, 10, -0.5]]
    parameters = Parameters(np.zeros((3, 4)), np.zeros(3), given_graph(np.eye(3), 3))
    pool = NeighborPool(
        source.read(rows), rows, NeighborSearch(2, 1.0, 0.5, "break", "clip", False), LabelRules()
    )
    pool.refresh(parameters)
    found = pool.find(parameters, source.read(rows[1:]), rows[1:])
    assert (found.positions[:, 0] % 3 == rows[1:] % 3).all()
    assert not (found.positions == rows[1:, None]).any()


def test_side_information_changes_the_fit_and_not_the_labels(problem):
    X, Y, truth = problem
    bare = InteractiveTagger(**QUICK).fit(X, Y)
    informed = InteractiveTagger(**QUICK).fit(X, Y, side_information=truth[:, :2])
    assert informed.coef_.shape == bare.coef_.shape
    assert not np.allclose(informed.coef_, bare.coef_)


def test_rows_of_a_pool_do_not_find_themselves_by_number():
    rng = np.random.default_rng(0)
    X, Y = np.abs(rng.normal(size=(20, 4))), np.ones((20, 2), dtype=np.int8)
    source = Source(X, Y, np.zeros((20, 0), dtype=np.int8), 1.0, np.zeros(4), 1.0, LabelRules())
    numbers = np.array([2, 5, 11])
    parameters = Parameters(np.zeros((2, 4)), np.zeros(2), given_graph(np.eye(2), 2))
    search = NeighborSearch(1, 1.0, 0.5, "break", "clip", False)
    pool = NeighborPool(source.read(numbers), numbers, search, LabelRules())
    pool.refresh(parameters)
    queries = np.array([2, 3, 11, 19])
    found = pool.find(parameters, source.read(queries), queries)
    assert found.positions[0, 0] != 0
    assert found.positions[2, 0] != 2
    taken = pool.take(found)
    np.testing.assert_array_equal(taken.features[1, 0], X[numbers[found.positions[1, 0]]])


@pytest.mark.parametrize(
    "options",
    [
        {"variant": Variant(pool="minibatch")},
        {"dictionary_size": 20},
        {"image_graph": "fixed", "learning_rate": 0.01},
        {"feature_map": True},
        {"graph": np.eye(6)},
        {"variant": "official"},
        {"variant": Variant(balance=True, outer_tanh=True, half=True)},
        {"scaling": "none", "learning_rate": 1e-3},
    ],
)
def test_every_way_to_fit_moves_the_scores_and_repeats_to_the_last_bit(problem, options):
    X, Y, _ = problem
    first = InteractiveTagger(**QUICK, **options).fit(X, Y)
    again = InteractiveTagger(**QUICK, **options).fit(X, Y)
    np.testing.assert_array_equal(first.coef_, again.coef_)
    np.testing.assert_array_equal(first.graph_.weights, again.graph_.weights)
    assert not np.allclose(first.coef_, first.initial_coef_, rtol=1e-9)
    other = InteractiveTagger(**QUICK, **options, random_state=1).fit(X, Y)
    assert not np.array_equal(other.coef_, first.coef_)


def test_the_coefficients_are_for_features_as_they_are(problem):
    X, Y, _ = problem
    for options in ({"scaling": "center"}, {"scaling": "length"}, {"feature_map": True}):
        tagger = InteractiveTagger(learning_rate=1e-9, **QUICK, **options).fit(X, Y)
        np.testing.assert_allclose(tagger.coef_, tagger.initial_coef_, atol=1e-6)
        start = LogisticTagger("l2").fit(X, Y)
        np.testing.assert_allclose(tagger.initial_coef_, start.coef_, atol=1e-9)
        np.testing.assert_allclose(
            tagger.decision_function(X), start.decision_function(X), atol=1e-5
        )


def test_a_memory_mapped_matrix_gives_the_same_and_a_step_reads_no_more_of_a_larger_one(
    problem, tmp_path, monkeypatch
):
    X, Y, _ = problem
    mapped = np.memmap(tmp_path / "x.f64", dtype=np.float64, mode="w+", shape=X.shape)
    mapped[:] = X
    start = LogisticTagger("l2").fit(X, Y)
    given = {"coef_init": start.coef_, "intercept_init": start.intercept_}
    one = InteractiveTagger(**QUICK).fit(mapped, Y, **given)
    np.testing.assert_array_equal(one.coef_, InteractiveTagger(**QUICK).fit(X, Y, **given).coef_)
    read, take = [], Source.read
    monkeypatch.setattr(
        Source, "read", lambda self, rows: read.append(len(rows)) or take(self, rows)
    )
    options = {"dictionary_size": 50, "batch_size": 8, **QUICK}
    for repeats in (1, 5):
        X_here, Y_here = np.tile(X, (repeats, 1)), np.tile(Y, (repeats, 1))
        InteractiveTagger(**options).fit(X_here, Y_here, **given)
    half = len(read) // 2
    assert read[:half] == read[half:]


def test_rows_of_a_cache_are_read_where_they_lie(problem, tmp_path):
    X, Y, _ = problem
    ids = [f"{row:03}.png" for row in range(len(X))]
    data = write_data(tmp_path / "small", ids, list("abcdef"), Y)
    rows = CacheRows(FeatureCache(write_cache(tmp_path / "small.cache", data, {"net/pool": X})))
    start = LogisticTagger("l2").fit(X, Y)
    given = {"coef_init": start.coef_, "intercept_init": start.intercept_}
    mapped = InteractiveTagger(**QUICK).fit(rows, Y, **given)
    whole = InteractiveTagger(**QUICK).fit(X.astype(np.float32), Y, **given)
    np.testing.assert_array_equal(mapped.coef_, whole.coef_)


@pytest.mark.parametrize("complete", ["before", "after"])
def test_a_sparse_label_graph_gives_what_a_dense_one_does(problem, complete, monkeypatch):
    X, Y, _ = problem
    variant = Variant(complete=complete)
    dense = InteractiveTagger(variant=variant, **QUICK).fit(X, Y)
    monkeypatch.setattr(label_graph, "DENSE_LABELS", 3)
    sparse = InteractiveTagger(variant=variant, **QUICK).fit(X, Y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-6, atol=1e-9)


def test_a_single_column(problem):
    X, _, truth = problem
    y = np.where(truth[:, 0] == 1, "cat", "dog")
    tagger = InteractiveTagger(**QUICK).fit(X, y)
    assert tagger.decision_function(X).shape == (200,)
    assert (tagger.predict(X) == y).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_y": -1}, "The 'lambda_y' parameter of InteractiveTagger must be a float in"),
        (
            {"variant": "code"},
            "'variant' parameter .* one of default, paper, official, or a .*Variant",
        ),
        ({"k": 1.5}, "'k' parameter"),
        ({"graph": np.eye(2)}, r"the label graph has shape \(2, 2\): give \(6, 6\)"),
        ({"graph": "wordnet"}, "graph='wordnet': give 'cooccurrence', 'identity' or an array"),
        (
            {"image_graph": "fixed", "variant": "paper"},
            "variant='paper' looks for them within each",
        ),
        (
            {"learning_rate": 1e30, "C": 1e3, **ALWAYS},
            "training diverges.*learning_rate=1e.30 is too large",
        ),
    ],
)
def test_wrong_parameters(problem, options, message):
    X, Y, _ = problem
    with pytest.raises(InputError, match=message):
        InteractiveTagger(**options).fit(X, Y)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"side_information": np.zeros((3, 2))},
            r"shape \(3, 2\): give one row for each of the 200",
        ),
        ({"side_information": np.full((200, 2), 7)}, "other values than 1"),
        ({"coef_init": np.zeros((6, 12))}, r"shapes \(6, 12\) and \(\): give \(6, 12\) and \(6,\)"),
    ],
)
def test_wrong_arrays(problem, arrays, message):
    X, Y, _ = problem
    with pytest.raises(InputError, match=message):
        InteractiveTagger().fit(X, Y, **arrays)


def test_progress_is_shown_on_stderr_when_asked_for(problem, capsys):
    X, Y, _ = problem
    InteractiveTagger(**QUICK).fit(X, Y)
    assert capsys.readouterr().err == ""
    InteractiveTagger(verbose=True, **QUICK).fit(X, Y)
    assert "2/2" in capsys.readouterr().err
