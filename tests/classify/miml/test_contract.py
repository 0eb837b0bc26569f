"""What every estimator of bags promises, modeled on scikit-learn's checks of estimators."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from classify.metrics import METRICS
from classify.miml import distances, kisar
from classify.miml.base import t_criterion
from classify.miml.dba import DBA
from classify.miml.dba_inference import infer
from classify.miml.kisar import KISAR
from classify.miml.mimlfast import MIMLfast
from classify.miml.mimlfast_epoch import run_epoch
from classify.miml.mimlknn import MIMLkNN
from classify.miml.mimlsvm import MIMLSVM
from classify.miml.ranklsim import RankLSIM, rank_slopes
from classify.miml.selection import GRIDS, select, settings_of, tune
from classify.parameters import check_parameters
from features.bags.packed import Bags
from features.errors import InputError
from features.splits import inner_folds

ESTIMATORS = [
    MIMLSVM(),
    MIMLkNN(references=3, citers=5),
    MIMLfast(dimensions=8, concepts=2, epochs=3),
    RankLSIM(rounds=2, steps=20),
    KISAR(max_iter=4),
    DBA(words=12, rounds=3),
]


@pytest.fixture(params=ESTIMATORS, ids=lambda e: type(e).__name__)
def estimator(request):
    return clone(request.param)


def test_parameters_are_kept_as_given_and_cloned(estimator):
    names = list(inspect.signature(type(estimator)).parameters)
    assert sorted(estimator.get_params()) == sorted(names)
    assert set(estimator._allowed) == {name for name in names if name != "random_state"}
    assert clone(estimator).get_params() == estimator.get_params()
    assert not [name for name in vars(type(estimator)()) if name not in names]


def test_fitting_keeps_parameters_and_data(estimator, problem):
    bags, Y = problem
    before, instances, labels = estimator.get_params(), bags.instances.copy(), Y.copy()
    assert estimator.fit(bags, Y) is estimator
    estimator.decision_function(bags)
    assert estimator.get_params() == before
    np.testing.assert_array_equal(bags.instances, instances)
    np.testing.assert_array_equal(Y, labels)


def test_shapes_values_and_dtypes(estimator, problem):
    bags, Y = problem
    scores, predicted = (getattr(estimator.fit(bags, Y), f)(bags) for f in METHODS)
    assert scores.shape == predicted.shape == Y.shape
    assert scores.dtype == np.float64 and np.isfinite(scores).all()
    assert predicted.dtype.kind == "i" and set(np.unique(predicted)) <= {0, 1}


METHODS = ("decision_function", "predict")


def test_fits_are_equal_to_the_last_bit(estimator, problem):
    bags, Y = problem
    first = clone(estimator).fit(bags, Y).decision_function(bags)
    again = estimator.fit(bags, Y).fit(bags, Y)
    np.testing.assert_array_equal(again.decision_function(bags), first)
    thawed = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(thawed.decision_function(bags), first)


def test_it_learns_what_the_instances_show(estimator, problem):
    bags, Y = problem
    scores = estimator.fit(bags, Y).decision_function(bags)
    auc = np.mean(
        [(s[y == 1][:, None] > s[y == 0]).mean() for s, y in zip(scores.T, Y.T, strict=True)]
    )
    assert auc > 0.6


def test_the_order_of_scored_bags_and_their_instances_changes_nothing(estimator, problem):
    bags, Y = problem
    test = bags.take(np.arange(30, 40))
    model = estimator.fit(bags.take(np.arange(30)), Y[:30])
    rng = np.random.default_rng(0)
    order = rng.permutation(10)
    turned = Bags.from_list([rng.permutation(test[row]) for row in order])
    tolerance = 1e-3 if isinstance(model, DBA) else 1e-8  # its updates go in order
    expected = model.decision_function(test)[order]
    np.testing.assert_allclose(model.decision_function(turned), expected, atol=tolerance)


@pytest.mark.parametrize("estimator", ESTIMATORS[1:4:2], ids=["MIMLkNN", "RankLSIM"])
def test_the_order_of_training_bags_and_their_instances_changes_nothing(estimator, problem):
    bags, Y = problem
    train, test = np.arange(30), bags.take(np.arange(30, 40))
    rng = np.random.default_rng(0)
    order = rng.permutation(train)
    turned = Bags.from_list([rng.permutation(bags[row]) for row in order])
    first = clone(estimator).fit(bags.take(train), Y[train]).decision_function(test)
    second = clone(estimator).fit(turned, Y[order]).decision_function(test)
    np.testing.assert_allclose(second, first, atol=1e-6)


def test_constant_labels_lie_beyond_all_others(estimator, problem):
    bags, Y = problem
    never, always = np.zeros((40, 1), int), np.ones((40, 1), int)
    scores = estimator.fit(bags, np.hstack([never, Y, always])).decision_function(bags)
    assert (scores[:, 0] < scores[:, 1:].min(axis=1)).all() and (scores[:, 0] < 0).all()
    assert (scores[:, -1] > scores[:, :-1].max(axis=1)).all() and (scores[:, -1] > 0).all()
    np.testing.assert_array_equal(
        scores[:, 1:-1], clone(estimator).fit(bags, Y).decision_function(bags)
    )


LOOPS = (infer, run_epoch, rank_slopes, distances._reduce)


def test_labels_of_another_layout_compile_no_loop_anew(estimator, problem):
    bags, Y = problem
    first = clone(estimator).fit(bags, Y).decision_function(bags)
    before = [list(loop.signatures) for loop in LOOPS]
    again = estimator.fit(bags, np.asfortranarray(Y)).decision_function(bags)
    np.testing.assert_array_equal(again, first)
    assert [list(loop.signatures) for loop in LOOPS] == before


def test_without_any_varying_label_nothing_is_solved(estimator, problem):
    bags, _ = problem
    labels = np.tile([1, 0], (40, 1))
    assert estimator.fit(bags, labels).predict(bags).tolist() == labels.tolist()


def test_two_bags_are_enough(estimator):
    bags = Bags.from_list([[[0.0, 1.0]], [[3.0, 1.0], [2.0, 2.0]]])
    assert estimator.fit(bags, [[1, 0], [0, 1]]).decision_function(bags).shape == (2, 2)


@pytest.mark.parametrize("scaling", ["none", "range01", "standard", "unit"])
def test_every_scaling_takes_single_precision_and_constant_columns(estimator, problem, scaling):
    bags, Y = problem
    X = np.hstack([bags.instances, np.full((len(bags.instances), 1), 7.0)]).astype(np.float32)
    model = estimator.set_params(scaling=scaling).fit(bags.replace(X), Y)
    assert np.isfinite(model.decision_function(bags.replace(X))).all()


def test_other_forms_of_bags_are_taken(estimator, problem):
    bags, Y = problem
    expected = clone(estimator).fit(bags, Y).decision_function(bags)
    listed = list(bags)
    found = estimator.fit(listed, Y.tolist()).decision_function(listed)
    np.testing.assert_array_equal(found, expected)
    array = np.random.default_rng(0).normal(size=(40, 3, 4))
    assert estimator.fit(array, Y).predict(array).shape == Y.shape


def test_unusable_input_is_one_line(estimator, problem):
    bags, Y = problem
    with pytest.raises(NotFittedError):
        estimator.predict(bags)
    holes = bags.instances.copy()
    holes[bags.starts[3], 2] = np.nan
    cases = [
        (lambda: estimator.fit([*list(bags)[:-1], np.zeros((0, 4))], Y), "bag 39 is empty"),
        (lambda: estimator.fit([*bags[0]], Y), "bag 0 has shape"),
        (lambda: estimator.fit(list(np.split(holes, bags.starts[1:])), Y), "bag 3 has NaN in col"),
        (lambda: estimator.fit(bags, Y[:-1]), r"labels of 40 bags must have shape \(40, L\)"),
        (lambda: estimator.fit(bags, np.where(Y == 0, -1, Y)), r"is unknown \(-1\)"),
        (lambda: estimator.fit(bags, 2 * Y), "an indicator holds 1"),
        (lambda: estimator.set_params(scaling="max").fit(bags, Y), "'scaling' parameter of"),
    ]
    for case, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            case()
        assert "\n" not in str(caught.value)


def test_other_widths_are_refused(estimator, problem):
    bags, Y = problem
    model = estimator.fit(bags, Y)
    with pytest.raises(InputError, match="the bags have 3 columns, .* was fitted with 4"):
        model.predict(bags.replace(bags.instances[:, :3]))


SMALL = {
    "MIMLSVM": {"ratio": (0.1, 0.3), "gamma": (0.1, 1.0), "C": (1, 4)},
    "MIMLkNN": {"references": (3, 5), "citers": (3, 5)},
    "MIMLfast": {"concepts": (1, 2), "scaling": ("standard", "none")},
    "RankLSIM": {"weight_decay": (1e-1, 1e-2), "scaling": ("standard", "none")},
    "KISAR": {"ratio": (0.1, 0.3), "C": (0.1, 10.0)},
    "DBA": {"words": (5, 12), "kappa": (0.01, 1.0)},
}


def test_a_search_gives_what_every_setting_fitted_alone_gives(estimator, problem):
    bags, Y = problem
    settings = settings_of(SMALL[type(estimator).__name__])
    best, scores = select(estimator, bags, Y, settings)
    for column, fold in enumerate(inner_folds(np.arange(40), 3, 0)):
        for row, setting in enumerate(settings):
            model = clone(estimator).set_params(**setting)
            model.fit(bags.take(fold.train), Y[fold.train])
            found = model.decision_function(bags.take(fold.test))
            expected = METRICS["ranking_loss"].function(Y[fold.test], found)
            assert scores[row, column] == pytest.approx(expected, abs=1e-6)
    assert best == settings[int(scores.mean(axis=1).argmin())]


def test_what_needs_no_labels_is_computed_once_a_fold(problem, monkeypatch):
    bags, Y = problem
    seen = []
    find = kisar.find_prototypes
    monkeypatch.setattr(kisar, "find_prototypes", lambda *a: seen.append(a[1]) or find(*a))
    select(KISAR(max_iter=2), bags, Y, settings_of({"ratio": (0.1, 0.3), "C": (0.1, 1.0, 10.0)}))
    assert len(seen) == 2 * 3


def test_a_later_grid_is_searched_with_what_the_earlier_chose(problem):
    bags, Y = problem
    model, first = RankLSIM(steps=20), {"weight_decay": (1.0, 0.1)}
    best, _ = select(model, bags, Y, settings_of(first))
    second = [{**best, "rounds": rounds} for rounds in (1, 2)]
    expected, _ = select(model, bags, Y, second)
    assert tune(model, bags, Y, [first, {"rounds": (1, 2)}]) == expected


def test_the_grids_hold_values_that_the_methods_take(estimator):
    for grid in GRIDS[type(estimator).__name__]:
        for setting in settings_of(grid):
            check_parameters(estimator.set_params(**setting), estimator._allowed)


def test_the_t_criterion_never_predicts_nothing():
    assert t_criterion(np.array([[0.0, 0.0], [0.5, 1.0]])).tolist() == [[1, 0], [1, 1]]
