import numpy as np
import pytest

from classify.base import check_sample_weight, encode_labels
from classify.logistic import LogisticTagger
from classify.parameters import Number, OneOf
from features.errors import InputError


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "1", None, True])
def test_a_wrong_number_is_named_with_its_owner_and_range(value):
    message = (
        r"^The 'C' parameter of LogisticTagger must be a float in the range \(0.0, inf\). Got .*"
    )
    with pytest.raises(InputError, match=message):
        LogisticTagger(C=value).fit([[0.0], [1.0]], [0, 1])


def test_a_wrong_choice_is_named_with_the_choices():
    message = r"'penalty' .* must be one of 'l1', 'l2'\. Got 'L1' instead"
    with pytest.raises(InputError, match=message):
        LogisticTagger("L1").fit([[0.0], [1.0]], [0, 1])


def test_numbers_take_numpy_scalars_and_optional_none():
    assert Number(low=0.0).accepts(np.float32(1.5))
    assert Number(int, low=0).accepts(3)
    assert not Number(int, low=0).accepts(3.0)
    assert Number(or_none=True).accepts(None)
    assert Number(low=0.0).accepts(0.0)
    assert not Number(low=0.0, high=1.0).accepts(1.5)
    assert str(Number(low=0.0, high=1.0, or_none=True)) == "a float in the range [0.0, 1.0] or None"
    assert OneOf((None, "a")).accepts(None)


def test_a_column_takes_any_two_classes():
    targets, classes = encode_labels(np.array(["no", "yes", "no"]))
    np.testing.assert_array_equal(targets, [[0], [1], [0]])
    assert list(classes) == ["no", "yes"]
    assert targets.dtype == np.int8


def test_an_indicator_keeps_unknown_cells():
    Y = np.array([[1, -1, 0], [0, 1, -1]])
    targets, classes = encode_labels(Y)
    np.testing.assert_array_equal(targets, Y)
    np.testing.assert_array_equal(classes, [0, 1, 2])


@pytest.mark.parametrize(
    ("Y", "message"),
    [
        ([0, 1, 2], "Only binary classification is supported. .* one column of 0 and 1 for each"),
        ([[0, 2], [1, 0]], "row 0, column 1: an indicator holds 1"),
        ([[0.5], [1.0]], "row 0, column 0"),
        ([[0, 0], [0, -1]], "no positive label at all in 2 rows and 2 columns"),
    ],
)
def test_labels_that_cannot_be_used_say_so(Y, message):
    with pytest.raises(InputError, match=message):
        encode_labels(np.array(Y))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "shape"),
        ([1.0, -1.0, 1.0], "negative"),
        ([1.0, np.nan, 1.0], "NaN"),
        ([0.0, 0.0, 0.0], "zero in every row"),
    ],
)
def test_weights_that_cannot_be_used_say_so(weights, message):
    with pytest.raises(InputError, match=message):
        check_sample_weight(weights, 3)


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "inf")])
def test_a_value_that_is_no_number_is_located(value, name):
    X = np.zeros((4, 3), dtype=np.float32)
    X[2, 1] = value
    message = f"^X has {name} in row 2, column 1: .*extract"
    with pytest.raises(InputError, match=message):
        LogisticTagger().fit(X, [0, 1, 0, 1])
    tagger = LogisticTagger().fit(np.eye(4, 3), [0, 1, 0, 1])
    with pytest.raises(InputError, match=message):
        tagger.decision_function(X)


def test_large_finite_values_are_no_infinity():
    X = np.full((2, 3), 3e38, dtype=np.float32)  # the sum of a row overflows
    tagger = LogisticTagger().fit(np.eye(2, 3, dtype=np.float32), [0, 1])
    assert tagger.predict(X).shape == (2,)


def test_a_wrong_width_is_one_line_with_both_widths():
    tagger = LogisticTagger().fit(np.eye(3), [0, 1, 0])
    with pytest.raises(
        InputError, match="X has 2 .* is expecting 3 features as input: give the layers that it was"
    ) as e:
        tagger.predict(np.eye(2))
    assert "\n" not in str(e.value)


def test_shapes_follow_the_labels_that_were_given():
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    column = LogisticTagger("l2").fit(X, y)
    assert column.decision_function(X).shape == column.predict(X).shape == (4,)
    indicator = LogisticTagger("l2").fit(X, y[:, None])
    assert indicator.decision_function(X).shape == indicator.predict(X).shape == (4, 1)
    np.testing.assert_array_equal(indicator.decision_function(X)[:, 0], column.decision_function(X))
    assert indicator.predict(X).dtype.kind == "i"
