"""``tables imcl-synthetic``: what is drawn, how graphs are compared, kills."""

import numpy as np
import pytest

from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.synthetic.labels import RECIPES, Recipe, annotate, make_dataset
from benchmarks.tables.imcl.synthetic import claims, imcl_synthetic, page, recovery
from classify.imcl.label_graph import LabelGraph, cooccurrence_graph
from classify.results import read_results
from features.errors import InputError
from tests.folders import results_in

SMALL = Recipe("small", 24, 12, 300, 100, parents=2, base_rate=0.05, noise=0.4, missing=0.6)
FEW = Recipe("few", 24, 12, 300, 100, 2, 0.05, 0.4, positives=1, negatives=3, missing=0.0)


def test_labels_follow_the_graph():
    recipe = Recipe("chain", 8, 4, 40_000, 10, parents=1, base_rate=0.02, noise=0.1)
    drawn = make_dataset(recipe, seed=0)
    assert ((drawn.support > 0).sum(axis=0) == 1).all() and not np.diag(drawn.support).any()
    parents = drawn.support.argmax(axis=0)
    for label in range(8):
        # At least the edge's chance among rows that have the label by itself, which most do here.
        if (parents == label).any():
            continue
        rate = drawn.Y[drawn.Y[:, label] == 1][:, parents[label]].mean()
        assert abs(rate - drawn.support[parents[label], label]) < 0.06


def test_what_stays_annotated():
    drawn = make_dataset(FEW, seed=1)
    Y = annotate(drawn.Y, FEW, seed=0)
    np.testing.assert_array_equal(Y[Y >= 0], drawn.Y[Y >= 0])
    np.testing.assert_array_equal((Y == 1).sum(axis=1), np.minimum(drawn.Y.sum(axis=1), 1))
    assert ((Y == 0).sum(axis=1) == 3).all()
    hidden = annotate(drawn.Y, SMALL, seed=0)
    assert ((hidden == -1).sum(axis=1) == round(0.6 * 24)).all()


def test_recovery_of_the_truth_and_of_nothing():
    truth = make_dataset(SMALL, seed=0).support
    same = recovery(LabelGraph.from_matrix(np.eye(24) + truth), truth)
    assert same == pytest.approx(dict.fromkeys(same, 1.0))
    wrong = np.eye(24) + (truth == 0)
    none = recovery(LabelGraph.from_matrix(wrong), truth)
    assert (none["support_recall"], none["support_precision"], none["edge_auc"]) == (0, 0, 0)
    assert np.isnan(none["weight_correlation"])


def test_co_occurrence_of_all_labels_finds_the_graph():
    recipe = Recipe("many", 24, 4, 20_000, 10, parents=2, base_rate=0.01, noise=0.1)
    drawn = make_dataset(recipe, seed=0)
    found = recovery(cooccurrence_graph(drawn.Y, n_neighbors=6), drawn.support)
    assert found["support_recall"] > 0.95 and found["edge_auc"] > 0.95


def test_a_run_goes_on_where_it_stopped(tmp_path, capsys):
    sets = {"small": SMALL, "few": FEW}
    imcl_synthetic(out=tmp_path / "whole", seeds=2, neighbors=5, sets=sets)
    whole = {path.name: path.read_bytes() for path in results_in(tmp_path / "whole")}
    assert set(whole) == {"synthetic.jsonl", "synthetic.md"}
    text = capsys.readouterr().out
    assert "| small, learned " in text and "| few, co-occurrence " in text
    lines = whole["synthetic.jsonl"].splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "synthetic.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:9])
    imcl_synthetic(out=tmp_path / "cut", seeds=2, neighbors=5, sets=sets)
    assert {p.name: p.read_bytes() for p in results_in(tmp_path / "cut")} == whole
    header, results = read_results(tmp_path / "whole" / "synthetic.jsonl")
    assert header["neighbors"] == 5 and len(results) == 12
    assert page(header, results).encode() == whole["synthetic.md"]
    with pytest.raises(InputError, match="neighbors: there 5, here 6"):
        imcl_synthetic(out=tmp_path / "cut", seeds=2, neighbors=6, sets=sets)
    with pytest.raises(InputError, match="'seeds' option must be an int in the range"):
        imcl_synthetic(out=tmp_path / "no", seeds=0, neighbors=5)


def test_recipes_are_the_sizes_of_the_sets_they_are_named_after():
    assert [(one.name, one.n_labels) for one in RECIPES] == [
        ("CUB-like", 312),
        ("Open-Images-like", 5000),
    ]


@pytest.mark.parametrize(("gain", "expected"), [(0.1, HOLDS), (0.0, NOT_SHOWN), (-0.1, FAILS)])
def test_claims_compare_the_learned_graph_with_the_start(gain, expected):
    lines = [
        {"set": "small", "seed": seed, "graph": graph, "edge_auc": auc, "map": 0.3}
        for seed in (0, 1)
        for graph, auc in (("co-occurrence", 0.6), ("learned", 0.6 + gain))
    ]
    nearer, above = claims({}, lines)
    assert (nearer.verdict, above.verdict) == (expected, NOT_SHOWN)
    assert f"{gain:+.4f}" in nearer.numbers
