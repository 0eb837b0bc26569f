"""The folder of a fine-tuning: what it holds, who may go on with it, and what else reads it."""

import json
import shutil
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from classify.__main__ import main
from classify.finetune.checkpoint import load_checkpoint, save_checkpoint
from classify.finetune.config import FinetuneConfig, read_run
from classify.finetune.data import Images
from classify.finetune.run import finetune, load_run
from classify.finetune.train import STATE
from classify.metrics import METRICS
from classify.results import read_results
from extract.__main__ import main as extract
from extract.backbones import find_backbone
from extract.images import Transform
from extract.weights import load_weights
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from features.files.locks import locked_folder
from tests.classify.finetune.runs import CONFIG, contents, trainer_of


def test_a_run_folder_holds_scores_and_metrics(finished, data):
    dataset = load_dataset(data)
    part = dict(line.split(",") for line in (finished / "split.csv").read_text().split())
    test = [row for row, image in enumerate(dataset.ids) if part[image] == "test"]
    assert sorted(part.values()).count("val") == 3 and len(test) == 7
    scores = np.load(finished / "scores.npy")
    assert scores.shape == (7, 3) and scores.dtype == np.float32
    header, (line,) = read_results(finished / "results.jsonl")
    assert line["part"] == "test" and line["images"] == 7
    expected = METRICS["example_ap"].function(dataset.labels[test], scores)
    assert line["example_ap"] == pytest.approx(expected, abs=0)
    assert header["model"] == "bce" and len(header["weights_sha256"]) == 64
    config, network, names = load_run(finished)
    assert config == CONFIG and names == ("cat", "dog", "cow")
    pixels = next(Images(dataset, Transform(32)).batches([test]))
    with torch.inference_mode():
        np.testing.assert_allclose(network(pixels).scores, scores, rtol=1e-4, atol=1e-5)


def test_the_log_has_losses_rates_and_images_a_second(finished):
    lines = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    losses = [line for line in lines if "loss" in line]
    assert [line["step"] for line in losses] == [2, 3, 4, 6]  # epochs of 3 steps
    assert all(line["images_per_second"] > 0 and line["learning_rate"] > 0 for line in losses)
    assert sum("validation_example_ap" in line for line in lines) == CONFIG.epochs


def test_running_again_trains_no_more(finished, data):
    before = contents(finished)
    finetune(CONFIG, data, finished)
    assert contents(finished) == before


def test_the_command_goes_on_with_the_run_of_the_same_settings(finished, data, capsys):
    default = FinetuneConfig()
    flags = [
        f"--{one.name.replace('_', '-')}={getattr(CONFIG, one.name)}"
        for one in fields(FinetuneConfig)
        if getattr(CONFIG, one.name) != getattr(default, one.name)
    ]
    before = contents(finished)
    main(["finetune", "--data", str(data), "--out", str(finished), *flags])
    assert capsys.readouterr().out.strip() == str(finished)
    assert contents(finished) == before


def test_the_features_of_a_real_network_are_two_commands_away(data, tmp_path, capsys):
    cache = tmp_path / "tuned.cache"
    config = replace(CONFIG, backbone="resnet18", epochs=1, learning_rate=1e-4)
    finished = finetune(config, data, tmp_path / "run")
    extract([
        "--data", str(data), "--backbone", "resnet18", "--size", "32", "--weights", str(finished),
        "--out", str(cache), "--device", "cpu",
    ])  # fmt: skip
    out = ["--learner", "l2", "--out", str(tmp_path / "m.safetensors")]
    main(["fit", str(cache), "--layers", "resnet18/gap", *out])
    dataset = load_dataset(data)
    _, network, _ = load_run(finished)
    pixels = next(Images(dataset, Transform(32)).batches([range(len(dataset))]))
    with torch.inference_mode():
        features = network(pixels).features.numpy()
    got = FeatureCache(cache).read(["resnet18/gap"])
    np.testing.assert_allclose(got, features, rtol=1e-4, atol=1e-4 * np.abs(features).max())
    untouched = load_weights(find_backbone("resnet18"), "random:0")["conv1.weight"]
    assert not torch.equal(load_weights(find_backbone("resnet18"), str(finished))["conv1.weight"],
                           untouched)  # fmt: skip


def test_a_run_of_other_settings_is_refused(finished, data):
    with pytest.raises(InputError, match="other settings: .*model: there bce, here rml"):
        finetune(replace(CONFIG, model="rml"), data, finished)


def test_a_run_written_under_earlier_names_goes_on(finished, data, tmp_path):
    out = tmp_path / "r"
    shutil.copytree(finished, out)
    (out / "results.jsonl").unlink()  # as if it had been killed before its scores
    story = json.loads((out / "config.json").read_text())
    story = {**story, "config": earlier(story["config"]), "record": earlier(story["record"])}
    (out / "config.json").write_text(json.dumps(story))
    tensors, about = load_checkpoint(out / STATE)
    save_checkpoint(out / STATE, tensors, {**about, "record": earlier(about["record"])})
    assert read_run(out) == read_run(finished)
    finetune(CONFIG, data, out)
    assert read_results(out / "results.jsonl") == read_results(finished / "results.jsonl")
    with pytest.raises(InputError, match="head_init: there zeros, here logistic"):
        finetune(replace(CONFIG, head_init="logistic"), data, out)


def earlier(settings):
    names = {"head_init": "head_start", "learning_rate": "rate", "head_learning_rate": "head_rate",
             "graph_learning_rate": "graph_rate", "unlabeled": "unlabelled"}  # fmt: skip
    old = {names.get(name, name): value for name, value in settings.items()}
    return {**old, "head_start": {"zeros": "zero", "logistic": "solved"}[old["head_start"]]}


def test_a_checkpoint_of_another_model_is_refused(finished, data, tmp_path):
    out = tmp_path / "r"
    config = replace(CONFIG, model="softmax")
    trainer = trainer_of(config, np.eye(3, dtype=np.int8), data, out)
    (out / STATE).write_bytes((finished / STATE).read_bytes())
    with pytest.raises(InputError, match="of another training: .*model: there bce, here softmax"):
        trainer.run()


def test_a_corrupted_byte_is_noticed(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"x": torch.arange(9.0)}, {"step": 1})
    assert load_checkpoint(path)[1] == {"step": 1}
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 4
    path.write_bytes(raw)
    with pytest.raises(InputError, match="is damaged: its checksum differs"):
        load_checkpoint(path)
    path.write_bytes(raw[:50])
    with pytest.raises(InputError, match="can't be read as a checkpoint"):
        load_checkpoint(path)


def test_a_label_without_a_positive_is_one_line(data, tmp_path):
    with pytest.raises(
        InputError, match="'cat'.* of 3 labels have fewer than 9 positives among the 11"
    ):
        finetune(replace(CONFIG, min_positives=9), data, tmp_path / "r")


def test_a_folder_that_is_no_run_is_one_line(tmp_path):
    with pytest.raises(InputError, match="is no run folder"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda story: story["label_names"].append("more"), r"head.* is \(3.*that one's \(4"),
        (lambda story: story["config"].update(model="coprojection"), "head.* is missing"),
        (lambda story: story["config"].update(backbone="resnet18"), r"\(4, .*that one's \(64"),
    ],
)
def test_a_network_of_other_settings_is_one_line(finished, tmp_path, edit, message):
    run = shutil.copytree(finished, tmp_path / "r")
    story = json.loads((run / "config.json").read_text())
    edit(story)
    (run / "config.json").write_text(json.dumps(story))
    with pytest.raises(InputError, match=f"model.safetensors does not hold the .*{message}"):
        load_run(run)


def test_the_data_set_is_no_run_folder(tiny_backbone, data):
    before = contents(data)
    with pytest.raises(InputError, match="holds images and no config.json"):
        finetune(CONFIG, data, data)
    assert contents(data) == before


def test_two_runs_in_one_folder(tiny_backbone, data, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with locked_folder(out), pytest.raises(InputError, match="run is being written by another run"):
        finetune(CONFIG, data, out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["split.csv", "scores.npy", "results.jsonl", "log.jsonl", STATE])
def test_a_folder_with_files_of_someone_else_is_left_as_it_is(tiny_backbone, data, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("precious")
    with pytest.raises(InputError, match=f"{name} (exists|and no .*json).* left as it is. Give"):
        finetune(CONFIG, data, tmp_path)
    assert (tmp_path / name).read_text() == "precious"
    assert not (tmp_path / "config.json").exists()
