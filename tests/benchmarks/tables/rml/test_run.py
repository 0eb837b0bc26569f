"""``tables rml`` on small made-up caches: fits, selection, interruption, refusals."""

import sys

import pytest

from benchmarks.report.plots import draw_curves
from benchmarks.tables.rml import run as command
from benchmarks.tables.rml.data import read_ranking_task
from benchmarks.tables.rml.plan import NOISY, SEMI_SUPERVISED, SUPERVISED
from benchmarks.tables.rml.run import KEY
from classify.results import ResultFile, read_results
from features.errors import InputError
from tests.benchmarks.tables.rml.small import N, files_of, run, split_file


def test_lines_hold_every_fit_and_where_it_comes_from(whole, lines, made):
    header, _ = read_results(whole / "rml.jsonl")
    assert (header["rows"], header["caches"][0]["layers"]) == (N, {"net/all": 12})
    assert len(header["splits"]) == len(header["labels"]) == 64
    assert (header["seeds"], header["split"]) == ("0 to 2", "random")
    assert header["selection"]["learning_rates"] == [0.1, 1.0]
    tested = [x for x in lines if x["stage"] == "test"]
    expected = {(one, 0.0, 1.0, draw) for one in SUPERVISED for draw in range(3)}
    expected |= {(one, rate, 1.0, draw) for one in NOISY for rate in (0.0, 0.5) for draw in (0, 1)}
    expected |= {(one, 0.0, 0.4, draw) for one in SEMI_SUPERVISED for draw in (0, 1)}
    found = [(x["learner"], x["noise"], x["labeled"], x["seed"]) for x in tested]
    assert set(found) == expected and len(found) == len(expected)
    assert len(lines) == 3 * len(expected)  # two settings were tried for each


def test_the_setting_with_the_best_inner_score_is_fitted(lines):
    for line in lines:
        if line["stage"] == "test":
            fit = {name: line[name] for name in KEY if name not in ("stage", "setting")}
            tried = [
                x
                for x in lines
                if x["stage"] == "inner" and all(x[name] == fit[name] for name in fit)
            ]
            best = max(tried, key=lambda x: x["score"])
            assert line["setting"] == best["setting"]


def test_an_official_split_serves_all_draws(made, tmp_path):
    parts = ["train"] * 30 + ["val"] * 10 + ["test"] * 20
    split = split_file(tmp_path / "split.csv", parts)
    options = {"split": split, "noise": [0.5], "learners": ["rmlc", "warp", "lr"], "seed": 7}
    text = run(made, tmp_path / "out", **options).read_text()
    header, lines = read_results(tmp_path / "out" / "rml.jsonl")
    assert header["split"] == "official"
    assert {x["seed"] for x in lines if x["stage"] == "inner"} == {7}
    assert {x["seed"] for x in lines if x["stage"] == "test"} == {7, 8}
    assert {x["seed"] for x in lines if x["learner"] == "lr"} == {7}  # no seed moves it
    settings = {(x["learner"], x["noise"], x["labeled"], x["setting"]) for x in lines}
    chosen = {
        (x["learner"], x["noise"], x["labeled"], x["setting"])
        for x in lines
        if x["stage"] == "test"
    }
    assert 2 * len(chosen) == len(settings)  # one of two settings, the same for all draws
    assert "40 training and 20 test images" in text
    task = read_ranking_task([made[1]], made[0], split=split)
    assert task.split(0) is task.split(5)
    assert task.split(0).test.tolist() == list(range(40, 60))


def test_a_run_stopped_at_any_line_goes_on_and_leaves_the_same_files(made, tmp_path, monkeypatch):
    options = {"parts": ["supervised"], "learners": ["warp", "lr"], "splits": 2, "epochs": 1}
    run(made, tmp_path / "whole", **options)
    append = ResultFile.append
    total = (tmp_path / "whole" / "rml.jsonl").read_bytes().count(b"\n") - 1
    assert total == 12
    for stop in range(total):
        out, left = tmp_path / f"{stop}", iter(range(stop))

        def stop_later(self, line, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            append(self, line)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(ResultFile, "append", stop_later)
            run(made, out, **options)
        assert (out / "rml.jsonl").read_bytes().count(b"\n") == 1 + stop
        with (out / "rml.jsonl").open("ab") as file:
            file.write(b'{"stage": "in')  # what a kill leaves of a line
        run(made, out, **options)
        assert files_of(out) == files_of(tmp_path / "whole")


def test_finished_fits_are_not_done_again(made, whole, tmp_path, monkeypatch):
    (tmp_path / "rml.jsonl").write_bytes((whole / "rml.jsonl").read_bytes())
    for work in ("try_setting", "fit_and_evaluate"):
        monkeypatch.setattr(command, work, None)  # would fail
    run(made, tmp_path)
    assert files_of(tmp_path) == files_of(whole)


def test_parts_share_a_file(made, whole, tmp_path):
    run(made, tmp_path, parts=["supervised"])
    assert "## Few labels" not in (tmp_path / "rml.md").read_text()
    assert "rml_noise.png" not in files_of(tmp_path)
    run(made, tmp_path)
    assert files_of(tmp_path) == files_of(whole)


def test_a_rate_that_diverges_is_a_line(made, tmp_path):
    options = {"parts": ["supervised"], "learners": ["bce"], "splits": 1}
    run(made, tmp_path / "out", learning_rates=[1.0, 1e9], **options)
    _, lines = read_results(tmp_path / "out" / "rml.jsonl")
    assert [x["error"] is None for x in lines if x["stage"] == "inner"] == [True, False]
    assert [x["setting"] for x in lines if x["stage"] == "test"] == ["none, rate 1, decay 0"]
    with pytest.raises(InputError, match="no setting of bce could be evaluated.*too large"):
        run(made, tmp_path / "other", learning_rates=[1e9], **options)


def test_without_matplotlib_all_but_the_picture_is_written(
    made, whole, tmp_path, monkeypatch, capsys
):
    (tmp_path / "rml.jsonl").write_bytes((whole / "rml.jsonl").read_bytes())
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("benchmarks.tables.experiment.draw_curves", draw_curves)
    run(made, tmp_path)
    assert "pip install 'multilabel-from-cache[plots]'" in capsys.readouterr().err
    expected = files_of(whole)
    del expected["rml_noise.png"]
    assert files_of(tmp_path) == expected


def test_results_of_another_selection_are_refused(made, whole, tmp_path):
    (tmp_path / "rml.jsonl").write_bytes((whole / "rml.jsonl").read_bytes())
    with pytest.raises(InputError, match="holds results of something else: .*selection"):
        run(made, tmp_path, epochs=5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"splits": 0}, r"'splits' option must be an int in the range \[1, inf\). Got 0"),
        ({"parts": ["all"]}, "'parts' option must be one of supervised, noise, semi. Got 'all'"),
        ({"learners": ["SVM"]}, "'learners' option must be one of rmlc, .* Got 'SVM'"),
        ({"noise": [0.1, 1.5]}, r"'noise' option must be a float in the range \[0, 1\]. Got 1.5"),
        ({"labeled": [0.0]}, r"'labeled' option must be a float in the range \(0, 1\]. Got 0.0"),
        ({"variant": "flip"}, "'variant' option must be one of bernoulli, permute. Got 'flip'"),
        ({"metric": "auc"}, "'metric' option must be one of .* Got 'auc'"),
        (
            {"learning_rates": [0.0]},
            r"'learning_rates' option must be a float in the range \(0, inf\). Got 0.0",
        ),
        (
            {"weight_decays": [-1.0]},
            r"'weight_decays' option must be a float in the range \[0, inf\). Got -1.0",
        ),
        ({"scaling": ["log"]}, "'scaling' option must be one of none, max01. Got 'log'"),
        (
            {"validation": 1.0},
            r"'validation' option must be a float in the range \(0, 1\). Got 1.0",
        ),
        ({"noise": []}, "'noise' option must have one value or more"),
        ({"jobs": 0}, "'jobs' option must be -1, or 1 or more. Got 0"),
        ({"n_labels": 1}, r"'n_labels' option must be an int in the range \[2, inf\)"),
        ({"layers": ["net/top"]}, "must be one of net/all. Got 'net/top'"),
    ],
)
def test_bad_options_are_one_line(made, tmp_path, options, message):
    with pytest.raises(InputError, match=message) as raised:
        run(made, tmp_path / "out", **options)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
