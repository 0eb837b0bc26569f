"""Thresholds by every rule against a search over all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from classify.decisions.rules import Rule, parse_rule
from classify.decisions.thresholds import choose_thresholds, decide
from features.errors import InputError


@st.composite
def labeled_scores(draw):
    n = draw(st.integers(2, 12))
    scores = draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n))
    labels = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=n, max_size=n))
    labels[0] = 1
    return np.array(scores, dtype=float)[:, None], np.array(labels, dtype=np.int8)[:, None]


def measures(scores, Y, threshold):
    known = Y[:, 0] != -1
    y, decided = Y[known, 0], scores[known, 0] >= threshold
    return [f(y, decided, zero_division=0) for f in (f1_score, precision_score, recall_score)]


def all_measures(scores, Y):
    return np.array([measures(scores, Y, s) for s in np.unique(scores[Y != -1])])


@settings(max_examples=30)
@given(labeled_scores())
def test_no_threshold_has_a_better_f1(case):
    scores, Y = case
    (threshold,) = choose_thresholds(Rule("f1"), scores, Y)
    assert measures(scores, Y, threshold)[0] == pytest.approx(all_measures(scores, Y)[:, 0].max())


@settings(max_examples=30)
@given(labeled_scores(), st.sampled_from([0.3, 0.5, 0.9, 1.0]))
def test_the_wished_precision_is_reached_at_the_best_recall(case, wished):
    scores, Y = case
    (threshold,) = choose_thresholds(Rule("precision", wished), scores, Y)
    _, precision, recall = measures(scores, Y, threshold)
    _, precisions, recalls = all_measures(scores, Y).T
    if (precisions >= wished).any():
        assert precision >= wished
        assert recall == pytest.approx(recalls[precisions >= wished].max())
    else:
        assert precision == pytest.approx(precisions.max())


@settings(max_examples=30)
@given(labeled_scores(), st.sampled_from([0.3, 0.5, 0.9, 1.0]))
def test_the_wished_recall_is_reached_at_the_highest_threshold(case, wished):
    scores, Y = case
    (threshold,) = choose_thresholds(Rule("recall", wished), scores, Y)
    assert measures(scores, Y, threshold)[2] >= wished
    higher = scores[(Y != -1) & (scores > threshold)]
    if len(higher) and higher.min() < higher.max():
        assert measures(scores, Y, np.unique(higher)[1])[2] < wished


def test_a_label_without_positive_rows_keeps_zero():
    scores = np.array([[1.0, 1.0], [2.0, 2.0]])
    Y = np.array([[0, -1], [0, -1]], dtype=np.int8)
    assert choose_thresholds(Rule("f1"), scores, Y).tolist() == [0, 0]


def test_decisions():
    scores = np.array([[0.0, 2.0, 1.0], [1.0, 1.0, -1.0]])
    assert decide(Rule("zero"), scores, np.zeros(3)).tolist() == [[0, 1, 1], [1, 1, 0]]
    assert decide(Rule("f1"), scores, np.array([0.0, 3.0, -1])).tolist() == [[1, 0, 1], [1, 0, 1]]
    assert decide(Rule("top", 1), scores, np.zeros(3)).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert decide(Rule("top", 9), scores, np.zeros(3)).all()


@pytest.mark.parametrize("text", ["zero", "f1", "precision:0.9", "recall:1", "top:3"])
def test_a_rule_is_read_as_it_is_written(text):
    assert str(parse_rule(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "F1",
        "f1:2",
        "top",
        "top:0",
        "top:1.5",
        "top:inf",
        "precision:0",
        "recall:nan",
        "recall:2",
    ],
)
def test_another_rule_is_refused(text):
    with pytest.raises(InputError, match="The 'thresholds' option must be zero, f1, .* Got"):
        parse_rule(text)
