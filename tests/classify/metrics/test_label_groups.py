import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from classify.metrics.label_based import class_average_precision
from classify.metrics.label_groups import annotation_groups, group_map
from features.errors import InputError


def test_worked_groups():
    groups = annotation_groups([5, 1, 9, 3, 7, 2, 8, 4, 6, 10], 5)
    assert [group.tolist() for group in groups] == [[1, 5], [3, 7], [0, 8], [4, 6], [2, 9]]


def test_worked_average_precision_over_observed_cells():
    labels, scores = [1, 0, -1, 1, 0, -1], [0.3, 0.9, 0.5, 0.8, 0.1, 0.2]
    values = class_average_precision(np.transpose([labels]), np.transpose([scores]))
    # Known: 0.9 absent, 0.8 present, 0.3 present, 0.1 absent.
    assert values[0] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_groups_average_scikit_learns_precision_of_observed_cells():
    rng = np.random.default_rng(0)
    Y = rng.integers(-1, 2, (80, 11))
    scores, counts = rng.normal(size=Y.shape), rng.permutation(11)
    result = group_map(Y, scores, counts)
    single = [
        average_precision_score(Y[known, j], scores[known, j])
        for j, known in enumerate((Y != -1).T)
    ]
    ordered = np.array(single)[np.argsort(counts)]
    expected = [part.mean() for part in np.split(ordered, [3, 5, 7, 9])]
    np.testing.assert_allclose(result.groups, expected)
    assert result.all == pytest.approx(np.mean(single))
    assert result.evaluable == 11
    equal = group_map(Y[:, :10], scores[:, :10], counts[:10])
    assert equal.all == pytest.approx(equal.groups.mean())


def test_labels_without_a_positive_are_left_out_or_zero():
    Y, scores = np.array([[1, 0], [0, -1]]), np.array([[2.0, 1.0], [1.0, 2.0]])
    skipped = group_map(Y, scores, [2, 1], n_groups=2)
    np.testing.assert_array_equal(skipped.groups, [np.nan, 1.0])
    assert (skipped.all, skipped.evaluable) == (1.0, 1)
    zero = group_map(Y, scores, [2, 1], n_groups=2, without_positives="zero")
    np.testing.assert_array_equal(zero.groups, [0.0, 1.0])
    assert (zero.all, zero.evaluable) == (0.5, 1)


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([1, 2], {"n_groups": 3}, "1 to the number of labels, got 3 for counts of shape .2,."),
        ([1, 2, 3], {"n_groups": 2}, "counts has 3 labels and Y 2"),
        ([1, 2], {"n_groups": 2, "without_positives": "one"}, "skip or zero, got 'one'"),
    ],
)
def test_wrong_input(counts, options, message):
    with pytest.raises(InputError, match=message):
        group_map([[1, 0]], [[1.0, 0.0]], counts, **options)
