"""Run folders that were edited: settings are one line, and files of others stay as they are."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from benchmarks.tables.finetune.report import METRICS
from benchmarks.tables.finetune.run import finetune as table_of_runs
from classify.finetune import cam
from classify.finetune.config import CONFIG, FinetuneConfig, read_run
from classify.finetune.run import finetune
from classify.finetune.train import MODEL, STATE
from features.errors import InputError
from tests.classify.finetune.runs import CONFIG as SETTINGS_OF_RUN
from tests.classify.finetune.runs import contents, logged, make_data

LABELS = ["cat", "dog"]


def write(folder, *, config=None, **changes):
    story = {"record": {}, "config": asdict(FinetuneConfig()) | (config or {})}
    story = {**story, "label_names": LABELS, **changes}
    text = json.dumps({key: value for key, value in story.items() if value != "left out"})
    (folder / CONFIG).write_text(text)
    return text


def test_settings_are_read_back(tmp_path):
    write(tmp_path)
    assert read_run(tmp_path) == (FinetuneConfig(), tuple(LABELS))
    write(tmp_path, config={"of_a_later_version": {"x": 1}})
    assert read_run(tmp_path)[0] == FinetuneConfig()


EDITS = {
    "no settings": ({"config": "left out"}, "lacks config"),
    "no labels": ({"label_names": "left out"}, "lacks label_names"),
    "no record": ({"record": "left out"}, "lacks record"),
    "settings as a list": ({"config": []}, r"config is \[\]; it must be of type object"),
    "labels as a text": ({"label_names": "cat"}, "it must be of type array"),
    "a label twice": ({"label_names": ["a", "a"]}, "it must have no entry twice"),
    "a label as a number": ({"label_names": [1]}, "label_names.0 is 1; it must be of type string"),
    "no label": ({"label_names": []}, "it must have 1 or more entries"),
}
SETTINGS = {
    "size as text": ({"size": "224"}, 'size is "224"; it must be of type integer'),
    "size with a point": ({"size": 224.0}, "size is 224.0; it must be of type integer"),
    "size none": ({"size": None}, "size is null; it must be of type integer"),
    "epochs true": ({"epochs": True}, "epochs is true; it must be of type integer"),
    "epochs 0": ({"epochs": 0}, "'epochs' option must be an int in the range"),
    "rate as a list": ({"learning_rate": [1]}, "it must be of type number, null"),
    "model of another kind": ({"model": 3}, "model is 3; it must be of type string"),
    "unknown model": ({"model": "magic"}, "'model' option must be one of"),
    "metric of another kind": ({"metric": {}}, "metric is {}; it must be of type string"),
    "start of another kind": ({"head_init": []}, r"head_init is \[\]; it must be of type string"),
    "flag as text": ({"tensorboard": "no"}, 'tensorboard is "no"; it must be of type boolean'),
}


@pytest.mark.parametrize(("changes", "message"), EDITS.values(), ids=EDITS)
def test_an_edited_run_is_one_line(tmp_path, changes, message):
    folder = tmp_path
    if isinstance(changes.get("config"), list | str):
        write(folder)
        story = json.loads((folder / CONFIG).read_text())
        story.pop("config")
        if changes["config"] != "left out":
            story["config"] = changes["config"]
        (folder / CONFIG).write_text(json.dumps(story))
    else:
        write(folder, **changes)
    refused(folder, message)


@pytest.mark.parametrize(("config", "message"), SETTINGS.values(), ids=SETTINGS)
def test_an_edited_setting_is_one_line(tmp_path, config, message):
    write(tmp_path, config=config)
    refused(tmp_path, message)


def refused(folder, message):
    with pytest.raises(InputError, match=f"is no run folder .*{message}") as caught:
        read_run(folder)
    text = str(caught.value)
    assert CONFIG in text or "option" in text
    assert "\n" not in text and "python -m classify finetune" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "it is empty"),
        (lambda text: text[:50], "it is not JSON"),
        (lambda text: f"[{text}]", "it must be of type object"),
        (lambda text: text.replace("224", "NaN", 1), "NaN stands in it"),
        (
            lambda text: text.replace("{", '{"config": {}, ', 1),
            "the key 'config' stands in it twice",
        ),
        (lambda text: "[" * 50_000, "it is nested too deeply"),
    ],
)
def test_a_text_that_is_none_is_one_line(tmp_path, change, message):
    text = write(tmp_path)
    (tmp_path / CONFIG).write_text(change(text))
    refused(tmp_path, message)


def results_of_a_run(**edits):
    settings = ("splits", "seed", "model", "backbone", "size", "missing", "unlabeled")
    header = dict.fromkeys(settings, 0) | {"rates": {}, "key": ["part"]}
    lines = [{"header": header}, {"part": 1, "images": 1} | dict.fromkeys(METRICS, 0)]
    for line in (header, lines[1]):
        line.update({name: value for name, value in edits.items() if name in line})
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rates", [1]),
        ("rates", {"head": "fast"}),
        ("missing", ""),
        ("unlabeled", None),
        ("size", {"a": 1}),
        ("seed", [0]),
        ("map", "0.9"),
        ("top3_f1_micro", True),
    ],
)
def test_a_table_names_what_was_edited_in_the_results_of_a_run(tmp_path, name, value):
    (tmp_path / "results.jsonl").write_text(results_of_a_run(**{name: value}))
    with pytest.raises(InputError, match=r"results.jsonl has .*Restore it, or train again"):
        table_of_runs(tmp_path / "t.md", runs=[tmp_path])


@pytest.mark.parametrize("name", ["seed", "map", "rates", "images"])
def test_a_table_names_what_the_results_of_a_run_lack(tmp_path, name):
    whole = results_of_a_run()
    (tmp_path / "results.jsonl").write_text(whole.replace(f'"{name}"', '"x"'))
    with pytest.raises(InputError, match=f"results.jsonl lacks {name}, which every finished run"):
        table_of_runs(tmp_path / "t.md", runs=[tmp_path])
    (tmp_path / "results.jsonl").write_text(whole.splitlines()[0] + "\n")
    with pytest.raises(InputError, match="results.jsonl lacks example_ap, which"):
        table_of_runs(tmp_path / "t.md", runs=[tmp_path])


# Files of others among those of a run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("tune") / "data")


@pytest.fixture(scope="module")
def finished(tiny_backbone, data, tmp_path_factory):
    return finetune(SETTINGS_OF_RUN, data, tmp_path_factory.mktemp("run") / "whole")


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a run; as a copy it lacks the checksum of its scores."""
    return Path(shutil.copytree(finished, tmp_path / "run", copy_function=shutil.copyfile))


def scores_of_another_network(path):
    np.save(path, np.load(path) + np.float32(0.5))


def scores_of_other_images(path):
    np.save(path, np.zeros((1, 3), np.float32))


def notes_in_the_log(path):
    with open(path, "a") as file:
        file.write("a smaller rate next time\n")


def log_of_another_program(path):
    path.write_text('{"step": 1, "loss": 0.5}\n{"step": 9, "loss": 0.25}\n')


def weights_of_another_program(path):
    save_file({"fc": np.zeros(3, np.float32)}, path)


THEIRS = {
    "scores as text": ("scores.npy", lambda path: path.write_text("mine")),
    "empty scores": ("scores.npy", lambda path: path.write_bytes(b"")),
    "scores of other images": ("scores.npy", scores_of_other_images),
    "scores of another network": ("scores.npy", scores_of_another_network),
    "log as text": ("log.jsonl", lambda path: path.write_text("my log")),
    "log of another program": ("log.jsonl", log_of_another_program),
    "log with a note": ("log.jsonl", notes_in_the_log),
    "log with bytes": ("log.jsonl", lambda path: path.write_bytes(b"\xff\xfe\n")),
    "model of another program": (MODEL, weights_of_another_program),
    "model as text": (MODEL, lambda path: path.write_text("mine")),
}


def left_alone(name, put, data, run):
    put(run / name)
    before = (run / name).read_bytes()
    with pytest.raises(
        InputError, match=f"{name} (exists|is not|was changed) .* left as it is. Give another name"
    ):
        finetune(SETTINGS_OF_RUN, data, run)
    assert (run / name).read_bytes() == before


@pytest.mark.parametrize(("name", "put"), THEIRS.values(), ids=THEIRS)
def test_a_file_of_someone_else_in_a_run_stays(run, data, name, put):
    left_alone(name, put, data, run)


@pytest.mark.parametrize("kind", ["scores as text", "log with a note", "model as text"])
def test_it_stays_in_a_run_that_was_killed(finished, run, data, kind):
    """After an epoch's model and before any state; once it is moved away, the run goes on."""
    name, put = THEIRS[kind]
    (run / STATE).unlink()
    (run / "results.jsonl").unlink()
    left_alone(name, put, data, run)
    (run / name).unlink()
    finetune(SETTINGS_OF_RUN, data, run)
    assert contents(run) == contents(finished) and logged(run) == logged(finished)


def test_scores_that_were_edited_stay(run, data):
    finetune(SETTINGS_OF_RUN, data, run)
    scores_of_another_network(run / "scores.npy")
    with pytest.raises(InputError, match="scores.npy was changed since it was written"):
        finetune(SETTINGS_OF_RUN, data, run)


@pytest.mark.parametrize("name", ["split.csv", "scores.npy", "results.jsonl"])
def test_what_was_deleted_is_written_again(finished, run, data, name):
    (run / name).unlink()
    finetune(SETTINGS_OF_RUN, data, run)
    assert contents(run) == contents(finished) and logged(run) == logged(finished)


def test_a_split_that_was_edited_stays(run, data):
    text = (run / "split.csv").read_bytes().replace(b"\n", b"\r\n")
    (run / "split.csv").write_bytes(text)
    finetune(SETTINGS_OF_RUN, data, run)
    assert (run / "split.csv").read_bytes() == text


def test_a_map_that_was_painted_over_stays(finished, data, tmp_path):
    images = sorted((data / "images").iterdir())[:1]
    for _ in range(2):
        path, *_ = cam.draw_maps(finished, images, tmp_path)
    Image.new("RGB", (4, 4), "red").save(path, pnginfo=cam._mark())
    painted = path.read_bytes()
    with pytest.raises(InputError, match="png was changed since it was written"):
        cam.draw_maps(finished, images, tmp_path)
    assert path.read_bytes() == painted
    os.replace(path, tmp_path / "mine.png")
    cam.draw_maps(finished, images, tmp_path)
