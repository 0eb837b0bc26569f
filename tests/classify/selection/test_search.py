"""The search for learner, scaling and C: what it tries, keeps, chooses and says."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from classify.feature_scaler import FeatureScaler
from classify.logistic import LogisticTagger
from classify.metrics import get_metric
from classify.selection import blend, candidates, report
from classify.selection import search as searching
from classify.selection.candidates import STRENGTHS, Candidate, Fixed, first_paths, mean_square
from classify.selection.search import folded, search, try_one
from features.errors import InputError

WIDTHS = [6, 4]
OPTIONS = {"metric": "example_ap+map", "folds": 3, "seed": 0, "jobs": 1}


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = np.maximum(rng.normal(size=(90, 10)), 0).astype(np.float32)
    X[:, 6:] *= 40  # one loud layer, which says little
    Y = (X[:, :6] @ rng.normal(size=(6, 4)) > 0.3).astype(np.int8)
    return X, Y


@pytest.fixture(scope="module")
def found(problem):
    return search(*problem, WIDTHS, **OPTIONS)


def test_out_of_fold_scores_are_those_of_fits_without_the_row(problem, found):
    X, Y = problem
    tried, data = found
    best = tried.ranked(data.metric)[0]
    scores = tried.scores[best.candidate]
    for fold in data.folds:
        scaler = FeatureScaler(best.candidate.scaling, WIDTHS).fit(X[fold.train])
        tagger = LogisticTagger(best.candidate.learner, C=best.candidate.C)
        tagger.fit(scaler.transform(X[fold.train]), Y[fold.train])
        expected = tagger.decision_function(scaler.transform(X[fold.test]))
        np.testing.assert_allclose(scores[fold.test], expected, rtol=0.05, atol=0.05)
    function = get_metric(data.metric).function
    values = [function(Y[fold.test], scores[fold.test]) for fold in data.folds]
    assert best.values == pytest.approx(values) and best.mean == pytest.approx(np.mean(values))


def test_nothing_that_was_tried_is_better_than_the_first(found):
    tried, data = found
    ranked = tried.ranked(data.metric)
    assert ranked[0].mean == max(one.mean for one in tried.tried)
    assert {one.candidate.learner for one in ranked} == {"l1", "l2"}
    assert len([one for one in ranked if one.candidate.learner == "l2"]) == 7
    assert len([one for one in ranked if one.candidate.learner == "l1"]) == 2


def test_a_metric_that_is_better_low_is_minimized(problem):
    given = OPTIONS | {"metric": "ranking_loss", "fixed": Fixed("sqrt-max")}
    tried, _ = search(*problem, WIDTHS, **given)
    assert tried.ranked("ranking_loss")[0].mean == min(one.mean for one in tried.tried)


def test_strengths_suit_the_size_of_the_features(problem):
    X, _ = problem
    one, other = first_paths(X, WIDTHS, Fixed())[0], first_paths(10 * X, WIDTHS, Fixed())[0]
    assert one.scaling == "none"
    np.testing.assert_allclose(np.array(one.Cs), 100 * np.array(other.Cs), rtol=0.02)
    assert mean_square(X, "layer-l2", WIDTHS) == pytest.approx(2, rel=0.1)
    assert mean_square(0 * X, "none", WIDTHS) == 1


def test_a_single_layer_is_not_divided_by_its_mean_length(problem):
    X, _ = problem
    assert "layer-mean" not in [path.scaling for path in first_paths(X, [10], Fixed())]


def test_what_is_given_is_not_chosen(problem):
    fixed = Fixed("layer-l2", 3.0)
    tried, _ = search(*problem, WIDTHS, **OPTIONS, fixed=fixed)
    assert [one.candidate.learner for one in tried.tried] == ["l2", "l1"]
    assert {one.candidate.scaling for one in tried.tried} == {"layer-l2"}
    assert {one.candidate.C for one in tried.tried} == {3.0}


def test_unknown_cells_bring_learners_for_them_and_thorough_the_descents(problem, monkeypatch):
    X, Y = problem
    monkeypatch.setattr(candidates, "DESCENT_STRENGTHS", np.array([10.0]))
    monkeypatch.setattr(candidates, "FINALISTS", 1)
    monkeypatch.setitem(STRENGTHS, "imcl", np.array([1e3]))
    partial = np.where(np.random.default_rng(1).random(Y.shape) < 0.3, -1, Y).astype(np.int8)
    partial[:20] = -1
    tried, data = search(X, partial, WIDTHS, **OPTIONS, thorough=True)
    learners = {one.candidate.learner for one in tried.ranked(data.metric)}
    assert learners == {"l1", "l2", "imcl", "curriculum", "rmlc", "bce", "ss-rmlc"}


def test_a_fit_that_fails_is_a_line_and_not_the_end(problem, monkeypatch):
    whole = searching.fit_along

    def failing(path, X, Y, weighting=None):
        if path.learner == "l1":
            raise MemoryError("no room")
        return whole(path, X, Y)

    monkeypatch.setattr(searching, "fit_along", failing)
    tried, data = search(*problem, WIDTHS, **OPTIONS)
    chosen = blend.single(tried, tried.ranked(data.metric)[0])
    lines = report.records(tried, data, chosen)
    assert [line["mean"] for line in lines if line["learner"] == "l1"] == [None, None]
    assert "failed" in report.table(lines, chosen)
    assert "MemoryError: no room" in report.table(lines, chosen)
    with pytest.raises(InputError, match="l1, none, C = 1 can't be fitted on the folds: MemoryErr"):
        try_one(Candidate("l1", "none", 1.0), folded(*problem, WIDTHS, **OPTIONS))
    monkeypatch.setattr(searching, "first_paths", lambda X, widths, fixed: [])
    with pytest.raises(InputError, match="no candidate could be fitted"):
        search(*problem, WIDTHS, **OPTIONS)


def test_processes_change_nothing(problem, monkeypatch):
    candidate = Candidate("l2", "sqrt-max", 2.0)
    here = try_one(candidate, folded(*problem, WIDTHS, **OPTIONS))
    monkeypatch.setattr(searching, "SMALL", 0)
    there = try_one(candidate, folded(*problem, WIDTHS, **OPTIONS | {"jobs": 2}))
    np.testing.assert_array_equal(here.scores[candidate], there.scores[candidate])


def test_a_blend_is_the_weighted_mean_and_never_worse_out_of_fold(problem, found):
    tried, data = found
    ranked = tried.ranked(data.metric)
    blended = blend.blend(tried, data)
    assert blended.candidates == tuple(one.candidate for one in ranked[: len(blended.candidates)])
    assert np.mean(blended.values) >= ranked[0].mean
    kept = [tried.scores[one] for one in blended.candidates]
    weighted = [w * s for w, s in zip(blended.weights, kept, strict=True)]
    np.testing.assert_allclose(blended.scores, np.mean(weighted, axis=0), rtol=1e-5)
    spreads = [scores.std() for scores in weighted]
    np.testing.assert_allclose(spreads, spreads[0], rtol=1e-4)


def test_the_table_says_what_was_chosen_and_why(found):
    tried, data = found
    chosen = blend.single(tried, tried.ranked(data.metric)[0])
    lines = report.records(tried, data, chosen)
    text = report.table(lines, chosen)
    assert [line["chosen"] for line in lines] == [True] + [False] * (len(lines) - 1)
    assert text.splitlines()[0].split() == ["learner", "scaling", "C", "example_ap+map", "s"]
    assert text.splitlines()[1].startswith("*  l")
    assert text.splitlines()[-1].startswith(f"chosen: {chosen.candidates[0]}, because")


def test_a_learner_with_a_path_and_no_tolerance_is_fitted_as_it_is(problem, monkeypatch):
    """As MIMLSVM is."""

    class WithoutTolerance(BaseEstimator):
        def __init__(self, C=1.0):
            self.C = C

        def fit_path(self, X, Y, Cs):
            return [f"C = {C:g}" for C in Cs]

    made = SimpleNamespace(make=lambda C, *given: WithoutTolerance(C))
    monkeypatch.setattr(searching, "find_learner", lambda name: made)
    X, Y = problem[:2]
    assert searching.fit_along(candidates.Path("any", "none", (1.0, 2.0)), X, Y) == [
        "C = 1",
        "C = 2",
    ]
