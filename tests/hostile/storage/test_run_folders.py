"""Settings of a run folder that were edited: one line that names the place and what may stand."""

import json
from dataclasses import asdict

import pytest

from benchmarks.tables.finetune.report import METRICS
from benchmarks.tables.finetune.run import finetune as table_of_runs
from classify.finetune.config import CONFIG, FinetuneConfig, read_run
from features.errors import InputError

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


@pytest.mark.parametrize("name", ["seed", "map", "rates"])
def test_a_table_names_what_the_results_of_a_run_lack(tmp_path, name):
    settings = ("splits", "seed", "model", "backbone", "size", "missing", "unlabeled")
    header = dict.fromkeys(settings, 0) | {"rates": {}, "key": ["part"]}
    lines = [{"header": header}, {"part": 1} | dict.fromkeys(METRICS, 0)]
    whole = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "results.jsonl").write_text(whole.replace(f'"{name}"', '"x"'))
    with pytest.raises(InputError, match=f"results.jsonl lacks {name}, which every finished run"):
        table_of_runs(tmp_path / "t.md", runs=[tmp_path])
    (tmp_path / "results.jsonl").write_text(whole.splitlines()[0] + "\n")
    with pytest.raises(InputError, match="results.jsonl lacks example_ap, which"):
        table_of_runs(tmp_path / "t.md", runs=[tmp_path])
