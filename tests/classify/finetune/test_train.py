"""Training on tiny pictures: it learns, and its bits survive kills, cuts and processes."""

import json
import multiprocessing
import os
import shutil
import socket
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from classify.__main__ import main
from classify.finetune.checkpoint import load_checkpoint, save_checkpoint
from classify.finetune.config import MODELS, FinetuneConfig, read_run
from classify.finetune.data import Images
from classify.finetune.log import Log
from classify.finetune.objectives import SemiSupervised
from classify.finetune.processes import Processes
from classify.finetune.run import build_network, build_objective, finetune, load_run
from classify.finetune.train import MODEL, STATE, Trainer
from classify.logistic import LogisticTagger
from classify.metrics import METRICS
from classify.results import read_results
from classify.warp.propagation import propagate_labels
from extract.__main__ import main as extract
from extract.backbones import find_backbone
from extract.images import Transform
from extract.weights import load_weights
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from features.files.locks import locked_folder
from tests.extract.test_run import make_images

CONFIG = FinetuneConfig(
    model="bce", backbone="resnet18", weights="random:0", size=32, epochs=2, batch_size=4,
    learning_rate=1e-4, head_learning_rate=1e-3, device="cpu", workers=2, checkpoint_every=2,
    log_every=2, validation=0.2, metric="example_ap",
)  # fmt: skip
# The server that forks the children has loaded torch but started none of its threads.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.classify.finetune.test_train"])
ALONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """21 pictures of noise with three labels."""
    folder = make_images(tmp_path_factory.mktemp("tune") / "data")
    rng = np.random.default_rng(0)
    lines = ["image,cat,dog,cow"]
    for path in sorted((folder / "images").iterdir()):
        lines.append(
            f"{path.name},1,0,{rng.integers(2)}" if rng.integers(2) else f"{path.name},0,1,1"
        )
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    return finetune(CONFIG, data, tmp_path_factory.mktemp("run") / "whole")


def trainer_of(config, Y, data, folder, *, rows=None, validation=()):
    rows = np.arange(len(Y)) if rows is None else rows
    validation = np.array(validation, dtype=int)
    (folder / "checkpoint").mkdir(parents=True, exist_ok=True)
    objective = build_objective(config, Y, rows)
    tensors = load_weights(find_backbone(config.backbone), config.weights)
    return Trainer(
        config, build_network(config, tensors, objective), objective,
        Images(load_dataset(data), Transform(config.size), workers=2),
        validation=(validation, Y[validation]), processes=ALONE, folder=folder,
        record=config.record(),
    )  # fmt: skip


# --- it learns

RANKINGS = ("warp", "softmax")  # only the order of a row's scores has a meaning


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """16 pictures of four coloured squares, with random labels."""
    folder = make_images(tmp_path_factory.mktemp("drawn") / "data", n=16)
    rng = np.random.default_rng(2)
    for path in sorted((folder / "images").iterdir()):
        squares = rng.choice(np.array([0, 255], dtype=np.uint8), size=(2, 2, 3))
        Image.fromarray(squares.repeat(16, axis=0).repeat(16, axis=1)).save(path)
    Y = (rng.random((16, 5)) < 0.4).astype(np.int8)
    Y[np.arange(16), rng.integers(5, size=16)] = 1
    Y[:, 0] &= 1 - Y[:, 1]  # no image has every label
    return folder, Y


#: One model per objective and head; the others differ from one of these in one term.
VARIANTS = {"warp", "softmax", "coprojection-b", "coprojection-tbc", "coprojection-mse"}


@pytest.mark.parametrize(
    "model",
    [pytest.param(m, marks=pytest.mark.slow) if m in VARIANTS else m for m in MODELS],
)
def test_sixteen_images_are_learned_to_perfection(model, drawn, tmp_path):
    data, Y = drawn
    config = replace(
        CONFIG, model=model, epochs=1, batch_size=16, learning_rate=1e-3,
        head_learning_rate=1e-4 if model == "softmax" else 1e-3,
        warm_up=0.0 if model == "imcl" else 0.8,  # without one the ramp lets labels fall off
        schedule="constant", validation=0.0, weight_decay=0.0, checkpoint_every=1000,
    )  # fmt: skip
    steps = 60 if model == "softmax" else 35
    rows = np.tile(np.arange(16), steps)  # one long epoch: nothing is saved meanwhile
    trainer = trainer_of(config, Y, data, tmp_path, rows=rows)
    trainer.run()
    scores, _ = trainer.predict(np.arange(16))
    for metric in ("example_ap",) if model in RANKINGS else ("example_ap", "map", "f1_micro"):
        assert METRICS[metric].function(Y, scores) == 1, metric


# --- the run folder


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


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "log.jsonl"
    }


def logged(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_second"} for line in lines]


def test_its_features_are_two_commands_away(finished, data, tmp_path, capsys):
    cache = tmp_path / "tuned.cache"
    extract([
        "--data", str(data), "--backbone", "resnet18", "--size", "32", "--weights", str(finished),
        "--out", str(cache), "--device", "cpu",
    ])  # fmt: skip
    main(["fit", str(cache), "--layers", "resnet18/gap", "--out", str(tmp_path / "m.safetensors")])
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


def test_the_log_is_cut_where_a_run_goes_on(tmp_path):
    log = Log(tmp_path / "log.jsonl", ("loss",))
    for step in (1, 2, 3):
        log.add(torch.ones(1), 4)
        log.write({"step": step}, timed=True, first=True)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 2, "half')
    log.cut(2)
    assert [line["step"] for line in logged(tmp_path)] == [1, 2]


def test_tensorboard_gets_the_numbers_of_the_log(tmp_path, monkeypatch):
    seen = []
    board = SimpleNamespace(add_scalar=lambda *values: seen.append(values))
    module = SimpleNamespace(SummaryWriter=lambda folder: board)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    log = Log(tmp_path / "log.jsonl", ("loss",), True)
    log.write({"step": 7, "loss": 0.5}, timed=False, first=True)
    assert ("loss", 0.5, 7) in seen
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="tensorboard is not installed: pip install"):
        Log(tmp_path / "log.jsonl", ("loss",), True)


# --- kills, cuts and processes


def work(config, data, out):
    torch.set_num_threads(1)
    finetune(config, data, out)


def start(config, data, out, environment=None):
    child = SERVER.Process(target=with_environment, args=(environment or {}, config, data, out))
    child.start()
    return child


def with_environment(environment, *arguments):
    os.environ.update(environment)
    work(*arguments)


HIDDEN = {"refresh": 1, "min_positives": 0, "missing": 0.3}


STATEFUL = [
    {"model": "ss-rml", "rank_mode": "sample", "unlabelled": 0.4, "augment": "crop"},
    {"model": "imcl", "augment": "flip"},
    {"model": "coprojection", "head_init": "logistic"},
]


class Stopped(BaseException):
    """What a kill is in process: nothing catches it."""


@pytest.mark.parametrize("settings", STATEFUL, ids=lambda settings: settings["model"])
def test_runs_stopped_between_renames_end_in_the_same_bits(settings, data, tmp_path, monkeypatch):
    config = replace(CONFIG, epochs=2, **HIDDEN | settings)
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    torch.set_num_threads(1)
    finetune(config, data, whole)
    rename, stops = os.replace, 0
    for before in range(30):  # each start is stopped one rename later, until one runs through
        left = iter(range(before))

        def counted(*paths, left=left):
            if next(left, None) is None:
                raise Stopped
            rename(*paths)

        monkeypatch.setattr(os, "replace", counted)
        try:
            finetune(config, data, out)
        except Stopped:
            stops += 1
        else:
            break
    assert stops > 3
    assert contents(out) == contents(whole)
    assert logged(out) == logged(whole)


def test_a_killed_run_ends_in_the_same_bits(data, tmp_path):
    config = replace(CONFIG, epochs=3, **HIDDEN | STATEFUL[0])
    whole, out = tmp_path / "whole", tmp_path / "killed"
    work(config, data, whole)
    child = start(config, data, out)
    while child.is_alive() and step_of(out) < 2:
        child.join(0.02)
    child.kill()
    child.join()
    assert step_of(out) >= 2
    work(config, data, out)
    assert contents(out) == contents(whole)
    assert logged(out) == logged(whole)


def step_of(out: Path) -> int:
    if not (out / STATE).exists():
        return 0
    with safe_open(out / STATE, framework="pt") as file:
        return json.loads(file.metadata()["about"])["story"]["position"]["step"]


def test_parts_of_a_batch_add_up(finished, data, tmp_path):
    out = finetune(replace(CONFIG, accumulate=2), data, tmp_path / "r")
    assert_close(out, finished)


def assert_close(out, other):
    mine, theirs = (load_checkpoint(folder / MODEL)[0] for folder in (out, other))
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        np.load(out / "scores.npy"), np.load(other / "scores.npy"), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(
    ("model", "head_init"),
    [("bce", "zeros"), ("ss-rml", "logistic"), ("imcl", "logistic")],
)
def test_two_processes_equal_one(model, head_init, data, tmp_path):
    config = replace(CONFIG, model=model, head_init=head_init, **HIDDEN)
    alone = finetune(config, data, tmp_path / "alone")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    pair = [
        start(config, data, tmp_path / "r", {**address, "RANK": str(i), "LOCAL_RANK": str(i)})
        for i in range(2)
    ]
    for child in pair:
        child.join()
        assert child.exitcode == 0
    assert_close(tmp_path / "r", alone)


# --- what goes wrong is one line


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
             "graph_learning_rate": "graph_rate"}  # fmt: skip
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


def test_a_loss_that_is_not_finite_is_one_line(data, tmp_path):
    trainer = trainer_of(
        replace(CONFIG, learning_rate=1e30), np.eye(3, dtype=np.int8), data, tmp_path
    )
    with pytest.raises(
        InputError,
        match="the loss is .* too large; divide --learning-rate and --head-learning-rate",
    ):
        trainer.run()


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), RuntimeError("[enforce] can't allocate memory: 9")]
)
def test_too_little_memory_is_one_line(error, data, tmp_path, monkeypatch):
    trainer = trainer_of(CONFIG, np.eye(3, dtype=np.int8), data, tmp_path)

    def forward(*_):
        raise error

    monkeypatch.setattr(trainer.network, "forward", forward)
    with pytest.raises(InputError, match="out of memory with batches of 4 .* double --accumulate"):
        trainer.run()


def test_a_label_without_a_positive_is_one_line(data, tmp_path):
    with pytest.raises(
        InputError, match="'cat'.* of 3 labels have fewer than 9 positives among the 11"
    ):
        finetune(replace(CONFIG, min_positives=9), data, tmp_path / "r")


def test_an_uneven_cut_is_one_line(data, tmp_path):
    with pytest.raises(InputError, match="a batch of 4 can't be cut into 1 processes x 3 parts"):
        trainer_of(replace(CONFIG, accumulate=3), np.eye(3, dtype=np.int8), data, tmp_path)


def test_a_folder_that_is_no_run_is_one_line(tmp_path):
    with pytest.raises(InputError, match="is no run folder"):
        load_run(tmp_path)


# --- epochs


def test_the_best_epoch_is_kept_and_waiting_ends(data, tmp_path, monkeypatch):
    config = replace(CONFIG, epochs=9, patience=2)
    trainer = trainer_of(config, np.eye(3, dtype=np.int8), data, tmp_path, validation=[0, 1, 2])
    values = iter([0.2, 0.5, 0.5, 0.4, 0.9])
    better = METRICS["example_ap"]._replace(function=lambda Y, scores: next(values))
    monkeypatch.setitem(METRICS, "example_ap", better)
    position = trainer.run()
    assert (position.best_epoch, position.epoch, position.best) == (2, 4, 0.5)
    kept = load_checkpoint(tmp_path / MODEL)[0]
    assert not torch.equal(kept["conv1.weight"], trainer.network.test_tensors()["conv1.weight"])


@pytest.mark.parametrize("model", MODELS)
def test_an_initialized_head_starts_with_the_scores_of_the_cached_learner(model, data, tmp_path):
    Y = load_dataset(data).labels
    Y = np.column_stack([Y, 1 - Y]).astype(np.int8)
    Y[0, :3] = -1
    train, held_out = np.arange(14), np.arange(14, 21)
    config = replace(CONFIG, model=model, head_init="logistic")
    trainer = trainer_of(config, Y, data, tmp_path, rows=train, validation=held_out)
    trainer._start()
    scores, X = trainer.predict(held_out)
    [line] = logged(tmp_path)
    expected = LogisticTagger("l2", C=line["head_C"]).fit(trainer.predict(train)[1], Y[train])
    # Both stop at a gap of 1e-4, one of them along a path of C; co-projection's other branch has
    # 3 % of its weights.
    atol = 0.3 if model in ("coprojection", "coprojection-b", "coprojection-mse") else 2e-2
    np.testing.assert_allclose(scores, expected.decision_function(X), rtol=1e-2, atol=atol)
    assert line["validation_example_ap"] == METRICS["example_ap"].function(Y[held_out], scores)
    assert (trainer.position.best_epoch, trainer.position.best) == (
        0, line["validation_example_ap"],
    )  # fmt: skip


def test_training_goes_on_from_an_initialized_head_which_may_stay_the_best(data, tmp_path):
    start = replace(CONFIG, head_init="logistic", epochs=1)
    held = finetune(
        replace(start, learning_rate=0.0, head_learning_rate=0.0), data, tmp_path / "held"
    )
    moved = finetune(start, data, tmp_path / "moved")
    assert [line["step"] for line in logged(held) if "head_C" in line] == [0]
    assert read_results(held / "results.jsonl")[1][0]["epoch"] == 0
    began, ended = (load_checkpoint(run / STATE)[0] for run in (held, moved))
    for name in ("network.head.fc.weight", "network.backbone.network.conv1.weight"):
        change = (ended[name] - began[name]).norm() / began[name].norm()
        assert 0 < change < 0.2


def test_without_rows_held_out_an_initialized_head_takes_c_of_one(data, tmp_path):
    config = replace(CONFIG, head_init="logistic", validation=0.0)
    trainer = trainer_of(config, load_dataset(data).labels, data, tmp_path)
    trainer._start()
    scores, X = trainer.predict(np.arange(21))
    expected = LogisticTagger("l2", C=1.0).fit(X, load_dataset(data).labels)
    np.testing.assert_allclose(scores, expected.decision_function(X), rtol=1e-3, atol=1e-4)


def test_labels_are_propagated_from_the_network_s_own_features(data):
    rng = np.random.default_rng(0)
    Y = np.eye(4, dtype=np.int8)[rng.integers(4, size=12)]
    Y[5:] = -1
    rows, X = np.arange(12), rng.normal(size=(12, 6)).astype(np.float32)
    objective = SemiSupervised(replace(CONFIG, model="ss-rml", refresh=2), Y, rows)

    def predict(asked):
        return np.zeros((len(asked), 4)), X[asked]

    for epoch in (0, 1):
        objective.start_epoch(epoch, predict)
        np.testing.assert_array_equal(objective.rows(epoch), np.arange(5))
    objective.start_epoch(2, predict)
    np.testing.assert_array_equal(objective.rows(2), rows)
    given = propagate_labels(X, Y, np.arange(5), np.arange(5, 12))
    np.testing.assert_array_equal(objective.labels[5:], given.labels)
    np.testing.assert_allclose(objective.weights[5:], given.weights, rtol=1e-6)
    np.testing.assert_array_equal(objective.weights[:5], 1)
    again = SemiSupervised(replace(CONFIG, model="ss-rml"), Y, rows)
    again.load_state(objective.state())
    np.testing.assert_array_equal(again.labels, objective.labels)


def test_bf16_learns_too(data, tmp_path):
    trainer = trainer_of(
        replace(CONFIG, model="coprojection", precision="bf16", epochs=1, validation=0.0),
        np.eye(4, dtype=np.int8), data, tmp_path,
    )  # fmt: skip
    trainer.run()
    assert np.isfinite(trainer.predict(np.arange(4))[0]).all()


# --- the run folder


def test_two_runs_in_one_folder(data, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with locked_folder(out), pytest.raises(InputError, match="run is being written by another run"):
        finetune(CONFIG, data, out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["split.csv", "scores.npy", "results.jsonl", "log.jsonl", STATE])
def test_a_folder_with_files_of_someone_else_is_left_as_it_is(data, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("precious")
    with pytest.raises(InputError, match=f"{name} exists and .* is left as it is. Give another"):
        finetune(CONFIG, data, tmp_path)
    assert (tmp_path / name).read_text() == "precious"
    assert not (tmp_path / "config.json").exists()
