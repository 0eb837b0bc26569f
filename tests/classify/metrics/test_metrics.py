"""Metrics against worked numbers, scikit-learn, slow readings of their definitions, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as reference

from classify.metrics import (
    METRICS,
    MIML_METRICS,
    accuracy,
    class_average_precision,
    class_precision_recall_f1,
    coverage,
    example_ap,
    get_metric,
    hamming_loss,
    map_voc07_11pt,
    map_voc12,
    mean_average_precision,
    one_error,
    precision_recall_f1,
    ranking_loss,
    topk,
)
from features.errors import InputError

# Four images, five labels: a tie between a present and an absent label in the second, nothing
# present in the fourth.
MIML_SCORES = np.array(
    [
        [2, 0.5, -1, 0.1, -0.3],
        [-0.2, 0.4, 0.4, -2, 1],
        [-1, -2, -0.5, -3, -0.7],
        [0.3, 0.2, 0.1, 0, -0.1],
    ]
)
MIML_TRUTH = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])

TRUTH = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1]])
SCORES = np.array(
    [
        [2, 1, -1, -2],
        [1.5, 0.5, -0.5, -3],
        [-0.2, 1.2, 0.3, 0.1],
        [0.9, -0.1, -0.4, -0.6],
        [0.8, 0.2, -0.3, -0.9],
    ]
)


def _random(seed, n=40, width=7, unknown=0.0):
    """Scores on a coarse grid, so that ties are common, and labels with some unknown."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, width)) < 0.4).astype(np.int8)
    Y[rng.random((n, width)) < unknown] = -1
    return Y, rng.integers(-4, 5, (n, width)) / 2


@pytest.mark.parametrize(
    "metric, values",
    [
        (example_ap, [0.833333, 0.833333, 1]),
        (coverage, [0.4, 0.4, 0]),
        (ranking_loss, [0.166667, 0.166667, 0]),
        (one_error, [0, 0, 0]),
    ],
)
def test_worked_images(metric, values):
    for row, value in enumerate(values):
        one = slice(row, row + 1)
        assert metric(MIML_TRUTH[one], MIML_SCORES[one]) == pytest.approx(value, abs=1e-6)
    assert metric(MIML_TRUTH, MIML_SCORES) == pytest.approx(np.mean(values), abs=1e-6)
    assert np.isnan(metric(MIML_TRUTH[3:], MIML_SCORES[3:]))


def test_worked_hamming_keeps_the_empty_image():
    assert hamming_loss(MIML_TRUTH, MIML_SCORES) == pytest.approx(0.3)
    assert hamming_loss(MIML_TRUTH[:3], MIML_SCORES[:3]) == pytest.approx(0.2)


def test_images_with_every_label_present():
    Y = np.array([[1, 1], [1, 0]])
    scores = np.array([[1.0, 2.0], [1.0, 2.0]])
    assert example_ap(Y, scores) == 0.5  # the second image alone
    assert ranking_loss(Y, scores) == 1.0
    assert one_error(Y, scores) == 0.5  # both
    assert coverage(Y, scores) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_example_metrics_equal_scikit_learn(seed):
    Y, scores = _random(seed)
    mixed = (Y == 1).any(axis=1) & (Y == 0).any(axis=1)
    Y, scores = Y[mixed], scores[mixed]
    width = Y.shape[1]
    assert example_ap(Y, scores) == pytest.approx(
        reference.label_ranking_average_precision_score(Y, scores)
    )
    assert coverage(Y, scores) == pytest.approx((reference.coverage_error(Y, scores) - 1) / width)
    assert ranking_loss(Y, scores) == pytest.approx(reference.label_ranking_loss(Y, scores))
    assert hamming_loss(Y, scores) == pytest.approx(reference.hamming_loss(Y, scores > 0))


def _slow_example_metrics(Y, scores):
    """Literal definitions, one image and one label at a time, on the known labels."""
    rows = {"example_ap": [], "coverage": [], "one_error": [], "ranking_loss": []}
    for truth, score in zip(Y, scores, strict=True):
        known = [j for j in range(len(truth)) if truth[j] != -1]
        present = [j for j in known if truth[j] == 1]
        absent = [j for j in known if truth[j] == 0]
        if not present:
            continue
        rank = {j: sum(score[i] >= score[j] for i in known) for j in known}
        rows["coverage"].append((max(rank[j] for j in present) - 1) / len(known))
        rows["one_error"].append(any(score[j] == max(score[i] for i in known) for j in absent))
        if absent:
            wrong = sum(score[p] <= score[q] for p in present for q in absent)
            rows["ranking_loss"].append(wrong / (len(present) * len(absent)))
            at = [sum(rank[i] <= rank[j] for i in present) / rank[j] for j in present]
            rows["example_ap"].append(np.mean(at))
    return {name: np.mean(values) for name, values in rows.items()}


@pytest.mark.parametrize("unknown", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_example_metrics_equal_their_definition_with_unknown_cells(seed, unknown):
    Y, scores = _random(seed, unknown=unknown)
    for name, value in _slow_example_metrics(Y, scores).items():
        assert METRICS[name].function(Y, scores) == pytest.approx(value), name


def test_unknown_cells_change_nothing_whatever_their_score():
    Y, scores = _random(3, unknown=0.3)
    for extreme in (-np.inf, np.inf):
        other = np.where(Y == -1, extreme, scores)
        for name in (*MIML_METRICS, "map", "map_voc12", "map_voc07_11pt", "f1_macro", "f1_micro"):
            assert METRICS[name].function(Y, other) == METRICS[name].function(Y, scores), name


def test_hamming_averages_over_known_cells():
    assert hamming_loss([[1, -1], [0, -1]], [[1.0, 5.0], [2.0, -5.0]]) == 0.5


def test_infinite_scores_are_ordered():
    assert example_ap([[0, 1, 0]], [[-np.inf, np.inf, 3.0]]) == 1.0


def test_a_constant_score_earns_nothing_by_the_order_of_the_columns():
    Y, scores = [[1, 0, 0, 0]], np.zeros((1, 4))
    assert (one_error(Y, scores), ranking_loss(Y, scores)) == (1.0, 1.0)
    assert (coverage(Y, scores), example_ap(Y, scores)) == (0.75, 0.25)


def test_worked_class_average_precision():
    expected = [1, 1, 0.833333, 0.333333]
    assert class_average_precision(TRUTH, SCORES) == pytest.approx(expected, abs=1e-6)
    assert mean_average_precision(TRUTH, SCORES) == pytest.approx(0.791667, abs=1e-6)
    assert map_voc12(TRUTH, SCORES) == pytest.approx(0.791667, abs=1e-6)
    assert map_voc07_11pt(TRUTH, SCORES) == pytest.approx(0.795455, abs=1e-6)


@pytest.mark.parametrize(
    "metric, value",
    [(mean_average_precision, 0.588889), (map_voc12, 0.644444), (map_voc07_11pt, 0.642424)],
)
def test_worked_ranked_truth(metric, value):
    Y = np.array([[0, 1, 1, 0, 1]]).T
    assert metric(Y, -np.arange(5.0)[:, None]) == pytest.approx(value, abs=1e-6)


def test_worked_masked_average_precision():
    """The four known cells, best first, are 0 1 1 0: precision 1/2 and 2/3 at the positives."""
    Y, scores = np.array([[1, 0, -1, 1, 0, -1]]).T, np.array([[0.3, 0.9, 0.5, 0.8, 0.1, 0.2]]).T
    assert mean_average_precision(Y, scores) == pytest.approx(0.583333, abs=1e-6)


@pytest.mark.parametrize("unknown", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_class_average_precision_equals_scikit_learn(seed, unknown):
    Y, scores = _random(seed, unknown=unknown)
    for j, value in enumerate(class_average_precision(Y, scores)):
        known = Y[:, j] != -1
        expected = reference.average_precision_score(Y[known, j], scores[known, j])
        assert value == pytest.approx(expected)


def _interpolated(truth, score, recalls):
    """Mean of the best precision at or beyond each recall; the curve has a point a threshold."""
    precision, recall, _ = reference.precision_recall_curve(truth, score)
    # Its last point (recall 0, precision 1) is a convention of plotting, not of the ranking.
    return np.mean([precision[:-1][recall[:-1] >= r - 1e-12].max() for r in recalls])


@pytest.mark.parametrize("seed", range(4))
def test_interpolated_average_precision_equals_its_definition(seed):
    Y, scores = _random(seed)
    eleven = class_average_precision(Y, scores, curve="voc07_11pt")
    envelope = class_average_precision(Y, scores, curve="voc12")
    for j in range(Y.shape[1]):
        positives = Y[:, j].sum()
        steps = np.arange(1, positives + 1) / positives
        truth, score = Y[:, j], scores[:, j]
        assert eleven[j] == pytest.approx(_interpolated(truth, score, np.arange(11) / 10))
        assert envelope[j] == pytest.approx(_interpolated(truth, score, steps))


def test_labels_without_positives():
    Y, scores = np.array([[1, 0], [0, 0]]), np.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.isnan(class_average_precision(Y, scores)[1])
    assert mean_average_precision(Y, scores) == 0.5
    assert map_voc12(Y, scores, without_positives="zero") == 0.25
    assert np.isnan(mean_average_precision(np.zeros((2, 2)), scores))


WORKED_DECISIONS = {
    "score above 0": ({}, [0.5625, 0.625, 0.547619, 0.592105, 0.6, 0.75, 0.666667]),
    "top 2": ({"k": 2}, [0.5375, 0.625, 0.523810, 0.577957, 0.6, 0.75, 0.666667]),
    "top 2 above 0": (
        {"k": 2, "threshold": 0},
        [0.5625, 0.625, 0.547619, 0.592105, 0.666667, 0.75, 0.705882],
    ),
}


@pytest.mark.parametrize("options, values", WORKED_DECISIONS.values(), ids=WORKED_DECISIONS)
def test_worked_precision_recall_f1(options, values):
    predicted = topk(SCORES, **options) if options else SCORES > 0
    result = precision_recall_f1(TRUTH, predicted)
    assert list(result.values()) == pytest.approx(values, abs=1e-6)
    assert list(result) == [
        "precision_macro",
        "recall_macro",
        "f1_macro",
        "f1_macro_harmonic",
        "precision_micro",
        "recall_micro",
        "f1_micro",
    ]


def test_zero_division_one_inflates_precision_only():
    for threshold, precision in ((None, 0.7875), (0, 0.8125)):
        predicted = topk(SCORES, 2, threshold=threshold)
        zero, one = (precision_recall_f1(TRUTH, predicted, zero_division=z) for z in (0, 1))
        assert one["precision_macro"] == pytest.approx(precision)
        assert one["f1_macro"] == zero["f1_macro"]
        assert one["recall_macro"] == zero["recall_macro"]


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_precision_recall_f1_equal_scikit_learn(seed, zero_division):
    Y, scores = _random(seed, n=6)
    Y[:, 0], scores[:, 0] = 0, -1  # neither present nor predicted
    Y[:, 1], scores[:, 1] = 0, 1  # predicted, never present
    scores[:, 2] = -1  # present, never predicted
    predicted = scores > 0
    expected = reference.precision_recall_fscore_support(Y, predicted, zero_division=zero_division)
    ours = class_precision_recall_f1(Y, predicted, zero_division=zero_division)
    for mine, theirs in zip(ours, expected[:3], strict=True):
        np.testing.assert_allclose(mine, theirs)
    result = precision_recall_f1(Y, predicted, zero_division=zero_division)
    p, r, f, _ = reference.precision_recall_fscore_support(Y, predicted, average="micro")
    assert [result["precision_micro"], result["recall_micro"], result["f1_micro"]] == pytest.approx(
        [p, r, f]
    )


def test_nothing_present_and_nothing_predicted():
    nothing = np.zeros((3, 2), dtype=int)
    assert set(precision_recall_f1(nothing, nothing > 0).values()) == {0.0}
    assert set(precision_recall_f1(nothing, nothing > 0, zero_division=1).values()) == {1.0}


def test_topk_takes_the_first_of_equal_scores():
    assert topk(np.zeros((1, 4)), 2).tolist() == [[True, True, False, False]]
    assert topk(np.array([[3, 1, 2]]), 1, threshold=3).tolist() == [[False, False, False]]


def test_accuracy_equals_argmax():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 5, 50), rng.normal(size=(50, 5))
    assert accuracy(np.eye(5)[labels], scores) == np.mean(scores.argmax(axis=1) == labels)


TABLES = arrays(np.int8, (6, 4), elements=st.sampled_from([-1, 0, 1]))
GRID_SCORES = arrays(np.float64, (6, 4), elements=st.sampled_from([-1.5, -0.5, 0.0, 0.5, 2.0]))
NAMES = [name for name in METRICS if name != "accuracy"]


@settings(max_examples=60, deadline=None)
@given(TABLES, GRID_SCORES, st.permutations(range(6)), st.permutations(range(4)))
def test_metrics_stay_in_bounds_and_ignore_order(Y, scores, rows, columns):
    for name in NAMES:
        value = METRICS[name].function(Y, scores)
        assert np.isnan(value) or 0 <= value <= 1 + 1e-12, name
        if not name.startswith("top3"):  # there equal scores go by column
            shuffled = METRICS[name].function(Y[rows][:, columns], scores[rows][:, columns])
            assert shuffled == pytest.approx(value, nan_ok=True), name


@settings(max_examples=60, deadline=None)
@given(TABLES, GRID_SCORES)
def test_a_monotone_change_of_scores_keeps_rankings(Y, scores):
    for name in ("example_ap", "coverage", "one_error", "ranking_loss", "map", "map_voc12"):
        function = METRICS[name].function
        assert function(Y, np.exp(3 * scores)) == pytest.approx(function(Y, scores), nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(TABLES, GRID_SCORES)
def test_average_precision_grows_with_interpolation(Y, scores):
    plain, envelope = (class_average_precision(Y, scores, curve=c) for c in ("plain", "voc12"))
    ranked = ~np.isnan(plain)
    assert (plain[ranked] <= envelope[ranked] + 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(TABLES, GRID_SCORES)
def test_f1_macro_never_exceeds_f1_macro_harmonic(Y, scores):
    result = precision_recall_f1(Y, scores > 0)
    assert result["f1_macro"] <= result["f1_macro_harmonic"] + 1e-12


@settings(max_examples=60, deadline=None)
@given(TABLES.map(abs), GRID_SCORES, st.integers(1, 4))
def test_strict_topk_ties_precision_to_recall(Y, scores, k):
    """With exactly k predictions an image, P-O k = R-O (mean present labels)."""
    result = precision_recall_f1(Y, topk(scores, k))
    assert topk(scores, k).sum(axis=1).tolist() == [k] * len(Y)
    assert result["precision_micro"] * k == pytest.approx(result["recall_micro"] * Y.sum() / len(Y))


def test_perfect_and_worst_scores():
    Y = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 1]])
    perfect = np.where(Y == 1, 1.0, -1.0)
    for name in ("example_ap", "map", "map_voc12", "map_voc07_11pt", "f1_macro", "f1_micro"):
        assert METRICS[name].function(Y, perfect) == 1.0
    for name in ("one_error", "ranking_loss", "hamming_loss"):
        assert METRICS[name].function(Y, perfect) == 0.0
        assert METRICS[name].function(Y, -perfect) == 1.0
    assert coverage(Y, perfect) == pytest.approx((Y.sum() / len(Y) - 1) / 3)


def test_selection_by_name():
    assert get_metric("ranking_loss") == (ranking_loss, False)
    assert all(METRICS[name].higher_is_better == (name == "example_ap") for name in MIML_METRICS)
    with pytest.raises(InputError, match=r"no metric 'mAP'.*example_ap.*map_voc12.*top3_f1_macro"):
        get_metric("mAP")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: example_ap([1, 0], [1.0, 0.0]), r"2-D of one shape .*\(2,\)"),
        (lambda: example_ap([[1, 0]], [[1.0, 0.0, 2.0]]), r"\(1, 2\) and \(1, 3\)"),
        (lambda: mean_average_precision([[2, 0]], [[1.0, 0.0]]), "got also 2"),
        (lambda: mean_average_precision([[np.nan, 0]], [[1.0, 0.0]]), "got also nan"),
        (lambda: hamming_loss([[1, 0]], [[np.nan, 0.0]]), "1 scores are NaN"),
        (lambda: topk([[1.0, 2.0]], 3), "k must be 1 to 2 .* got 3"),
        (lambda: topk([1.0, 2.0], 1), "got 1-D"),
        (lambda: precision_recall_f1([[1, 0]], [[0.2, 0.7]]), "must be booleans, got float64"),
        (lambda: precision_recall_f1([[1]], [[True]], zero_division=2), "0 or 1, got 2"),
        (lambda: class_average_precision([[1]], [[1.0]], curve="voc"), "curve .* got 'voc'"),
        (lambda: mean_average_precision([[1]], [[1.0]], without_positives="drop"), "got 'drop'"),
        (lambda: accuracy([[1, 1], [1, 0]], np.zeros((2, 2))), "row 0 differs"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
