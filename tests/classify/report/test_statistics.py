"""Means, curves, Wilcoxon's test and Holm's correction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from classify.report.files import read_files
from classify.report.lines import Scored, scored
from classify.report.statistics import (
    best_first,
    compare,
    curves,
    holm,
    p_value,
    strengths,
    summarize,
    usual,
)
from classify.results import read_results
from classify.sweep import summarize as summary_of_sweep
from features.cache import FeatureCache
from tests.classify.report.test_lines import other_file


def line(name, repeat, value, splits="s", metric="map", **places):
    return Scored(name, None, {"id": (name, repeat)}, (splits, repeat), places, {metric: value})


def test_the_summary_is_that_of_the_sweep(place):
    lines = scored(read_files([place.sweep], FeatureCache(place.cache)))
    expected = {name: values for name, _, values in summary_of_sweep(place.sweep)}
    found = summarize(lines, ["map", "coverage"])
    for name, values in found.items():
        for metric, (mean, std, number) in values.items():
            assert (mean, std) == pytest.approx(expected[name][metric])
            assert number == 5


def test_pairs_are_compared_on_common_splits_only():
    values = np.array([0.1, 0.3, 0.2, 0.5, 0.4, 0.6])
    lines = [
        *(line("a", k, v) for k, v in enumerate(values)),
        *(line("b", k, v + 0.01 * (k + 1)) for k, v in enumerate(values[:5])),
        *(line("c", k, 0.0, splits="other") for k in range(6)),
    ]
    (found,) = compare(lines, "map")
    assert (found.first, found.second) == ("b", "a")
    assert (found.better, found.equal, found.worse) == (5, 0, 0)
    assert found.difference[0] == pytest.approx(0.03) and found.difference[2] == 5
    assert found.p == found.adjusted == 0.0625


def test_less_is_better_where_it_is():
    lines = [line(name, k, v + k / 9, metric="coverage") for name, v in (("a", 1.0), ("b", 0.5))
             for k in range(3)]  # fmt: skip
    (found,) = compare(lines, "coverage")
    assert (found.first, found.better, found.worse) == ("b", 3, 0)


def test_p_of_equal_and_of_single_splits():
    assert p_value(np.zeros(4)) == 1
    assert np.isnan(p_value(np.array([0.5])))
    d = np.array([0.3, -0.1, 0.2, 0.5, 0.25, 0.0])  # a zero is no cause for a warning
    assert 0 < p_value(d) < 1
    assert p_value(d[:5]) == wilcoxon(d[:5]).pvalue


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_the_definition(p):
    order = np.argsort(p, kind="stable")
    expected, largest = [0.0] * len(p), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[k]))
        expected[k] = largest
    assert holm(p) == pytest.approx(expected)


def test_curves_run_along_one_axis_at_the_usual_end_of_the_others(place, tmp_path):
    lines = [
        {"learner": "a", "labeled": share, "noise": noise, "seed": s, "map": share - noise + s}
        for share in (0.5, 1.0) for noise in (0.0, 0.25) for s in (0, 2)
    ]  # fmt: skip
    key = ("learner", "labeled", "noise", "seed")
    path = other_file(tmp_path / "t.jsonl", place.cache, lines, key)
    found = curves(scored(read_files([path], FeatureCache(place.cache))), "map")
    assert found == {
        "labeled": {"a": [(0.5, (1.5, 2**0.5, 2)), (1.0, (2.0, 2**0.5, 2))]},
        "noise": {"a": [(0.0, (2.0, 2**0.5, 2)), (0.25, (1.75, 2**0.5, 2))]},
    }


def test_the_summary_is_of_the_usual_end():
    lines = [line("a", 0, n, n_train=n) for n in (5, 10)]
    assert [one.values["map"] for one in usual(lines)] == [10]


def test_the_curve_over_C_has_every_lines_inner_score(place):
    lines = scored(read_files([place.sweep], FeatureCache(place.cache)))
    found = strengths(lines)
    _, raw = read_results(place.sweep)
    for name, learner in (("l1, none", "l1"), ("l2, none", "l2")):
        for C, (mean, _, number) in found[name]:
            inner = [x["inner"] for x in raw if x["learner"] == learner and x["C"] == C]
            assert mean == pytest.approx(np.mean(inner)) and number == len(inner) == 5


def test_the_best_comes_first_and_what_lacks_the_metric_last():
    lines = [
        line("a", 0, 0.3, metric="coverage"),
        line("b", 0, 0.1, metric="coverage"),
        line("c", 0, 0.2, metric="coverage"),
        line("d", 0, 0.5),
    ]
    table = summarize(lines, ["map", "coverage"])
    assert list(best_first(table, "coverage")) == ["b", "c", "a", "d"]
    assert next(iter(best_first(table, "map"))) == "d"
