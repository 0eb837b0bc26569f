"""The experiment that all tables share: methods, selection, and result lines that resume."""

import numpy as np
import pytest

from benchmarks.tables.experiment import choose, open_folder, run_trials
from benchmarks.tables.method import Case, Method, best_of
from benchmarks.tables.options import check_jobs, check_share, check_values
from classify.results import read_results
from features.errors import InputError
from features.splits import Split

X = np.arange(24, dtype=np.float32).reshape(12, 2)
Y = np.array([[1, 0], [0, 1]] * 6, dtype=np.int8)
TRAIN, TEST = np.arange(8), np.arange(8, 12)
CASE = Case(
    X=X,
    Y=Y,
    train=TRAIN,
    part=Split(np.array([0, 3, 5]), TEST),
    inner=(Split(np.array([0, 1, 2, 3]), np.array([4, 5])),),
    seed=7,
    epochs=10,
)


class Recorder:
    """An estimator that scores the truth, turned around by a factor, and keeps what it is given."""

    def __init__(self, factor=1.0, **parameters):
        self.factor, self.parameters = factor, parameters

    def fit(self, X, Y):
        if np.isinf(self.factor):
            raise InputError("diverges")
        self.X, self.Y = X, Y
        return self

    def decision_function(self, X):
        truth = Y[(X[:, 0] / 2).astype(int)]
        return self.factor * (2.0 * truth - 1)


def _method(factors=(1.0,), **options):
    settings = {f"x{factor:g}": {"factor": factor} for factor in factors}
    return Method("made", "Made", Recorder, settings, **options)


def test_a_method_learns_from_the_labeled_rows_alone():
    model = _method().fit("x1", CASE, CASE.part)
    np.testing.assert_array_equal(model.X, X[[0, 3, 5]])
    np.testing.assert_array_equal(model.Y, Y[[0, 3, 5]])
    assert model.parameters == {}


def test_a_semi_supervised_method_sees_the_other_training_rows_without_labels():
    model = _method(unlabeled=True).fit("x1", CASE, CASE.part)
    np.testing.assert_array_equal(model.X, X[TRAIN])
    known = (model.Y != -1).any(axis=1)
    assert np.flatnonzero(known).tolist() == [0, 3, 5]
    inner = _method(unlabeled=True).fit("x1", CASE, CASE.inner[0])
    assert len(inner.X) == 6 and (inner.Y != -1).any(axis=1).sum() == 4


def test_a_descent_on_few_rows_takes_as_many_steps():
    model = _method(descent=True).fit("x1", CASE, CASE.part)
    assert model.parameters == {"epochs": round(10 * 8 / 3), "random_state": 7}


def test_the_best_setting_is_selected_and_one_that_fails_is_left_out():
    assert _method((-1.0, np.inf, 1.0)).select(CASE, "example_ap") == "x1"
    assert _method((-1.0, np.inf, 1.0)).select(CASE, "hamming_loss") == "x1"
    with pytest.raises(InputError, match="diverges"):
        _method((np.inf,)).select(CASE, "map")


def test_best_of_knows_directions_ties_and_undefined_scores():
    scores = {"a": 0.5, "b": np.nan, "c": None, "d": 0.5, "e": 0.25}
    assert (best_of(scores, "map"), best_of(scores, "coverage")) == ("a", "e")
    assert best_of({"a": None, "b": np.nan}, "map") is None


def _tried(setting, score, error=None, learner="made"):
    return {"learner": learner, "seed": 0, "setting": setting, "score": score, "error": error}


def test_settings_are_chosen_place_by_place():
    fields = ("learner", "seed")
    lines = [_tried(0, 0.1), _tried(1, 0.3), _tried(0, 0.2, learner="b")]
    assert choose(lines, fields, "map") == {("made", 0): 1, ("b", 0): 0}
    undefined = [_tried(3, None), _tried(4, None, "diverges")]
    assert choose(undefined, fields, "map") == {("made", 0): 3}
    with pytest.raises(InputError, match="no setting of made .* by map: diverges"):
        choose(undefined, fields, "map", undefined="raise validation")
    with pytest.raises(InputError, match="it is undefined on the rows set aside: raise validation"):
        choose(undefined[:1], fields, "map", undefined="raise validation")


def _square(trial, offset):
    return {"value": trial["n"] ** 2 + offset}


def test_only_missing_trials_run_and_only_their_lines_come_back(tmp_path):
    path, given = tmp_path / "lines.jsonl", {"key": ("n",), "header": {"a": 1}, "jobs": 1}
    given |= {"path": path, "shared": (1,), "description": "squares"}
    many = [{"n": n} for n in (3, 1, 2)]
    assert [one["value"] for one in run_trials(_square, many, **given)] == [2, 5, 10]
    before = path.read_bytes()
    (line,) = run_trials(None, [{"n": 2}], **given)  # nothing is called
    assert line == {"n": 2, "value": 5} and path.read_bytes() == before
    assert len(read_results(path)[1]) == 3
    with pytest.raises(InputError, match="holds results of something else"):
        run_trials(_square, many, **{**given, "header": {"a": 2}})


def test_a_page_that_someone_else_made_is_kept(tmp_path):
    (tmp_path / "rml.md").write_text("my notes")
    with pytest.raises(InputError, match="rml.md exists and rml.jsonl, .* give another folder"):
        open_folder(tmp_path, "rml.jsonl", "rml.md")
    assert (tmp_path / "rml.md").read_text() == "my notes"
    (tmp_path / "rml.jsonl").write_text("")
    (tmp_path / "rml.md").write_text("# Losses\n")
    assert open_folder(tmp_path, "rml.jsonl", "rml.md") == tmp_path
    assert open_folder(tmp_path / "new", "rml.jsonl", "rml.md").is_dir()


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_values("C", []), "'C' option must have one value or more. Got none"),
        (lambda: check_values("C", [1.0, float("nan")], low=0), "Got nan"),
        (lambda: check_values("parts", ["x"], ("a", "b")), "must be one of a, b. Got 'x'"),
        (lambda: check_share("validation", 1), r"in the range \(0, 1\). Got 1"),
        (lambda: check_share("validation", 0.0), r"in the range \(0, 1\). Got 0.0"),
        (lambda: check_jobs(-2), "must be -1, or 1 or more. Got -2"),
    ],
)
def test_bad_options_are_one_line(check, message):
    with pytest.raises(InputError, match=message):
        check()
