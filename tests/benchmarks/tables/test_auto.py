"""``tables auto`` on a small made-up cache: what its lines hold, resuming, the page."""

import numpy as np
import pytest

from benchmarks.tables.auto.report import AUTO, BLEND, FORMER, page, readme
from benchmarks.tables.auto.run import auto
from classify.logistic import LogisticTagger
from classify.metrics import example_ap, precision_recall_f1
from classify.results import read_results
from features.splits import random_split
from tests.caches import halved_problem, write_problem

N, NAMES = 72, ("sky", "sea", "sand")


@pytest.fixture(scope="module")
def problem():
    return halved_problem(N)


@pytest.fixture(scope="module")
def cache(problem, tmp_path_factory):
    X, Y = problem
    layers = {"net/low": X[:, :4], "net/high": X[:, 4:]}
    return write_problem(tmp_path_factory.mktemp("auto"), NAMES, Y, layers)


@pytest.fixture(scope="module")
def run(cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("tables")
    auto([cache], out, splits=2, jobs=1)
    header, lines = read_results(out / "auto.jsonl")
    return out, header, lines


def _line(lines, choice, seed=0):
    return next(line for line in lines if (line["choice"], line["seed"]) == (choice, seed))


def test_the_former_default_is_a_plain_fit(run, problem):
    X, Y = problem
    part = random_split(N, 1)
    tagger = LogisticTagger(penalty="l2", C=1.0).fit(X[part.train], Y[part.train])
    scores, truth = tagger.decision_function(X[part.test]), Y[part.test]
    line = _line(run[2], FORMER, seed=1)
    assert line["example_ap"] == pytest.approx(example_ap(truth, scores), abs=1e-12)
    assert line["f1_zero"] == precision_recall_f1(truth, scores > 0)["f1_macro"]


def test_the_choice_has_the_line_of_what_it_chose(run):
    lines = run[2]
    for seed in (0, 1):
        chosen = _line(lines, AUTO, seed)
        learner, scaling, _ = chosen["chosen"].split(", ")
        alone = _line(lines, f"{learner}, {scaling}", seed)
        assert {**alone, "choice": AUTO} == chosen
        assert _line(lines, BLEND, seed)["chosen"].startswith(chosen["chosen"])


def test_another_run_adds_nothing_and_more_processes_change_nothing(run, cache, tmp_path):
    out, _, _ = run
    before = (out / "auto.jsonl").read_bytes()
    auto([cache], out, splits=2, jobs=1)
    assert (out / "auto.jsonl").read_bytes() == before
    auto([cache], tmp_path / "two", splits=2, jobs=2)
    assert (tmp_path / "two" / "auto.jsonl").read_bytes() == before


def test_the_page_compares_with_the_best_single_choice(run):
    out, header, lines = run
    single = {line["choice"] for line in lines} - {FORMER, AUTO, BLEND}
    means = {
        name: np.mean([_line(lines, name, seed)["example_ap"] for seed in (0, 1)])
        for name in single
        if sum(line["choice"] == name for line in lines) == 2
    }
    text = page(header, lines)
    assert text == (out / "auto.md").read_text()
    best = next(line for line in text.splitlines() if "by hindsight" in line)
    named = best.partition("by hindsight, ")[2].partition(" |")[0].strip()
    assert means[named] == max(means.values())
    ours = np.mean([_line(lines, BLEND, seed)["example_ap"] for seed in (0, 1)])
    assert f"{ours - means[named]:+.4f}" in best
    assert named in readme(header, lines)
    assert f"{ours:.4f} ±" in text
