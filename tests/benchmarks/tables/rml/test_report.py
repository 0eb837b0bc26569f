"""The page and claims of ``tables rml`` follow from its lines."""

import numpy as np
import pytest

from benchmarks.report.claims import FAILS, HOLDS
from benchmarks.tables.rml.claims import claims
from benchmarks.tables.rml.groups import chosen_inside, gains
from benchmarks.tables.rml.learners import LEARNERS
from benchmarks.tables.rml.plan import SUPERVISED
from benchmarks.tables.rml.published import RML_TABLES
from benchmarks.tables.rml.report import CHOSEN, page
from classify.results import read_results
from tests.benchmarks.tables.rml.small import line_of


def test_the_table_states_mean_and_std_of_the_lines(whole, lines):
    text = (whole / "rml.md").read_text()
    for learner in SUPERVISED:
        mine = [line_of(lines, "test", learner, draw) for draw in range(3)]
        row = next(r for r in text.splitlines() if r.startswith(f"| {LEARNERS[learner].title} "))
        for metric in ("top3_precision_macro", "top3_f1_macro", "top3_f1_micro", "map_voc12"):
            values = [100 * line[metric] for line in mine]
            assert f" {np.mean(values):.2f} ± {np.std(values, ddof=1):.2f} |" in row
    few = [line_of(lines, "test", "ss-rmlc-paper", d, labeled=0.4)["map"] for d in (0, 1)]
    assert f"{100 * np.mean(few):.2f} ± {100 * np.std(few, ddof=1):.2f} |" in text


def test_numbers_of_learners_without_signs_are_left_out(whole):
    text = (whole / "rml.md").read_text()
    above_zero = text.split("only those with a score above 0")[1].split("multi-instance")[0]
    hamming = text.split("multi-instance")[1].split("Selected settings")[0]
    for name, record in LEARNERS.items():
        if name in SUPERVISED:
            assert (f"| {record.title} " in above_zero) is record.decides
            (row,) = [r for r in hamming.splitlines() if r.startswith(f"| {record.title} ")]
            assert bool(row.split("|")[4].strip()) is record.decides


def test_published_numbers_stand_beside_and_are_marked(whole):
    text = (whole / "rml.md").read_text()
    for data, methods in RML_TABLES.items():
        for method in methods:
            assert f"| {method}, {data}, quoted" in text
    assert "| SS-RML-CNN, quoted | 91.46 ± 0.20 |" in text


def test_quoted_rows_are_those_of_exactly_three_labels():
    """Then P-O / R-O is a third of the labels an image: 2.42 on NUS-WIDE, 2.88 on COCO."""
    for data, mean in (("NUS-WIDE", 2.42), ("COCO", 2.88)):
        for row in RML_TABLES[data].values():
            assert 3 * row["top3_precision_micro"] / row["top3_recall_micro"] == pytest.approx(
                mean, abs=0.02
            )
    row = RML_TABLES["NUS-WIDE"]["CNN+RMLC"]  # a mean of F1, below the harmonic mean
    harmonic = (
        2
        * row["top3_precision_macro"]
        * row["top3_recall_macro"]
        / (row["top3_precision_macro"] + row["top3_recall_macro"])
    )
    assert harmonic == pytest.approx(0.5181, abs=5e-5) and row["top3_f1_macro"] == 0.488


def test_the_best_inside_is_picked_draw_by_draw():
    groups = {
        ("rmlc", 0.0, 1.0): [{"seed": 0, "inner": 0.5, "n": 1}, {"seed": 1, "inner": 0.8, "n": 2}],
        ("lr", 0.0, 1.0): [{"seed": 0, "inner": 0.6, "n": 3}],
    }
    assert [line["n"] for line in chosen_inside(groups, "example_ap")] == [3, 2]
    assert [line["n"] for line in chosen_inside(groups, "coverage")] == [1, 3]


def test_the_best_inside_is_in_the_tables(whole, lines):
    best = []
    for draw in range(3):
        tried = [
            x
            for x in lines
            if (x["stage"], x["seed"], x["noise"], x["labeled"]) == ("inner", draw, 0.0, 1.0)
            and x["learner"] in SUPERVISED
        ]
        top = max(x["score"] for x in tried)
        best.append({x["learner"] for x in tried if x["score"] == top})
    text = (whole / "rml.md").read_text().split("Selected settings")[1]
    (row,) = [r for r in text.splitlines() if r.startswith(f"| {CHOSEN} ")]
    assert any(f"{LEARNERS[learner].title}, none" in row for learner in set.union(*best))


def test_gains_are_paired_by_seed():
    ours = [{"seed": seed, "map": value} for seed, value in ((0, 0.5), (1, 0.6), (2, 0.9))]
    theirs = [{"seed": 1, "map": 0.4}, {"seed": 0, "map": 0.4}]
    assert gains(ours, theirs, "map").tolist() == pytest.approx([0.1, 0.2])
    assert gains(theirs, ours, "map").tolist() == pytest.approx([-0.1, -0.2])
    assert np.isnan(gains(ours, [{"seed": 0, "map": None}], "map")).all()


HEADER = {"selection": {"metric": "map"}}


def _made_up(values, **more):
    """Lines of both stages: learner and noise to a value, each of two seeds a bit off it."""
    return [
        {
            **{"stage": stage, "learner": learner, "setting": "s", "noise": rate, "labeled": 1.0},
            **{"seed": seed, "map": value + seed / 1000, "score": value, **more},
        }
        for (learner, rate), value in values.items()
        for seed in (0, 1)
        for stage in ("inner", "test")
    ]


@pytest.mark.parametrize(
    "rmlc, near, above", [(0.51, HOLDS, HOLDS), (0.495, HOLDS, FAILS), (0.4, FAILS, FAILS)]
)
def test_whether_rmlc_is_near_or_above_others(rmlc, near, above):
    lines = _made_up({("rmlc", 0.0): rmlc, ("warp", 0.0): 0.5, ("bce", 0.0): 0.5})
    found = {one.text: one.verdict for one in claims(HEADER, lines)}
    assert found == {
        "RMLC above WARP": above,
        "RMLC above BCE": above,
        "RMLC not more than 0.01 below BCE": near,
    }


@pytest.mark.parametrize("gaps, verdict", [((0.1, 0.2), HOLDS), ((0.2, 0.1), FAILS)])
def test_whether_rmlc_falls_less_under_noise(gaps, verdict):
    values = {("warp", 0.0): 0.5, ("warp", 0.5): 0.3}
    values |= {("rmlc", 0.0): 0.5 + gaps[0], ("rmlc", 0.5): 0.3 + gaps[1]}
    found = {one.text: one for one in claims(HEADER, _made_up(values))}
    assert found["RMLC above WARP with 50% of the rows mislabeled"].verdict == HOLDS
    less = found["RMLC falls less than WARP under noise (50% to 50%, mean)"]
    assert less.verdict == verdict and f"{gaps[1] - gaps[0]:+.4f}" in less.numbers


def test_nothing_is_claimed_of_parts_that_were_not_run():
    assert claims(HEADER, []) == []
    assert claims(HEADER, _made_up({("rmlc", 0.0): 0.5})) == []


def test_the_page_comes_from_the_lines_alone(whole):
    text = (whole / "rml.md").read_text()
    assert page(*read_results(whole / "rml.jsonl")) == text
    below = text.split("## Claims")[1]
    for claim in (
        "RMLC above WARP with 50% of the rows mislabeled ",
        "RMLC falls less than WARP under noise",
        "SS-RMLC, paper above RMLC, 40% labeled ",
    ):
        assert claim in below
